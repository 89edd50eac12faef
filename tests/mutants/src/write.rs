//! A file in which each change can be switched on by its number.

use std::collections::BTreeSet;

use crate::find::Mutant;

/// A file with its changes, numbered from `first`.
pub(crate) struct Source {
    /// What the file says without any.
    pub text: String,
    /// The changes, in the order of their places.
    pub mutants: Vec<Mutant>,
    /// The number of the first.
    pub first: usize,
}

impl Source {
    /// Returns the text with all changes but the `refused` ones behind `switch(NUMBER)`, a path to a function.
    pub(crate) fn render(&self, switch: &str, refused: &BTreeSet<usize>) -> String {
        let numbered = (self.first..).zip(&self.mutants).filter(|(number, _)| !refused.contains(number));
        let mut open: Vec<(usize, &Mutant)> = numbered.collect();
        open.reverse();
        self.part(0..self.text.len(), switch, &mut open)
    }

    /// Renders a part; `open` has the changes in it and behind it, the next one last.
    fn part(&self, part: std::ops::Range<usize>, switch: &str, open: &mut Vec<(usize, &Mutant)>) -> String {
        let mut text = String::new();
        let mut at = part.start;
        while let Some((number, mutant)) = open.pop_if(|(_, mutant)| mutant.range.start < part.end) {
            text.push_str(&self.text[at..mutant.range.start]);
            let inner = self.part(mutant.range.clone(), switch, open);
            text.push_str(&match &mutant.instead {
                Some(instead) => {
                    format!("(if {switch}({number}) {{ /*<{number}>*/ {instead} /*</{number}>*/ }} else {{ {inner} }})")
                }
                None => format!("if !{switch}({number}) {{ /*<{number}>*/ {inner} /*</{number}>*/ }}"),
            });
            at = mutant.range.end;
        }
        text.push_str(&self.text[at..part.end]);
        text
    }
}

/// Returns the numbers of the changes that a place of a rendered text lies in, the innermost first.
pub(crate) fn changes_around(rendered: &str, offset: usize) -> Vec<usize> {
    let mut around = Vec::new();
    let mut rest = 0;
    while let Some(begin) = rendered[rest..].find("/*<").map(|begin| rest + begin) {
        if begin > offset {
            break;
        }
        rest = begin + 3;
        let Some(number) = rendered[rest..].split('>').next().and_then(|text| text.parse::<usize>().ok()) else {
            continue;
        };
        let end = rendered[rest..].find(&format!("/*</{number}>*/")).map_or(rendered.len(), |end| rest + end);
        if end >= offset {
            around.push(number);
        }
    }
    around.reverse();
    around
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find::mutants;

    #[test]
    fn changes_stand_behind_a_switch_each() {
        let text = "fn f() -> bool { a < 1 }".to_owned();
        let source = Source { mutants: mutants(&text).unwrap(), text, first: 5 };
        let rendered = source.render("on", &BTreeSet::new());
        let expected = "fn f() -> bool { (if on(5) { /*<5>*/ a <= 1 /*</5>*/ } else { a < (if on(6) { /*<6>*/ 2 /*</6>*/ } else \
                        { 1 }) }) }";
        assert_eq!(rendered, expected);
        assert_eq!(changes_around(&rendered, rendered.find("a <=").unwrap()), [5]);
        assert_eq!(changes_around(&rendered, rendered.find("2 ").unwrap()), [6]);
        assert_eq!(changes_around(&rendered, 0), [0; 0]);
    }

    #[test]
    fn refused_change_is_not_there() {
        let text = "fn f() { g(); }".to_owned();
        let source = Source { mutants: mutants(&text).unwrap(), text: text.clone(), first: 0 };
        assert_eq!(source.render("on", &BTreeSet::from([0])), text);
    }
}
