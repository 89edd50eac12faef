//! `A .. B step C` in a matrix: the values from `A` on, `C` apart, up to `B`.

use crate::error::Diagnostics;
use crate::time::{self, Exact};
use crate::tree::{Node, NodeKind, Scalar};

/// Number of values that a range may have.
const MOST: usize = 10_000;

/// Returns whether a text would be a range.
pub(crate) fn is_range(text: &str) -> bool {
    text.contains("..") && text.split_whitespace().any(|word| word == "step")
}

/// The values of a range whose parameters are filled in; `None` if it is wrong, which is reported.
pub(crate) fn values(node: &Node, diagnostics: &Diagnostics) -> Option<Vec<Node>> {
    let fail = |message: String| {
        diagnostics.push(node.span, message, None);
        None
    };
    let text = node.text()?;
    let parts = text.split_once("..").and_then(|(from, rest)| Some((from, rest.rsplit_once(" step ")?)));
    let Some((from, (to, step))) = parts else {
        return fail(format!("expected a list, or a range as in `1s .. 9s step 2s`; found `{text}`"));
    };
    let parts = [from.trim(), to.trim(), step.trim()];
    let numbers: Option<Vec<_>> = parts.iter().map(|part| number(part)).collect();
    let is_number = numbers.is_some();
    let bounds = match numbers {
        Some(numbers) => numbers,
        None => {
            let read: Result<Vec<_>, _> = parts.iter().map(|part| time::quantity(part)).collect();
            match read {
                Ok(read) => read,
                Err(error) => return fail(error.message),
            }
        }
    };
    let [from, to, step] = bounds[..] else { return None };
    let (Some(from), Some(to), Some(step)) = (from.to_whole(), to.to_whole(), step.to_whole()) else {
        return fail("the numbers of a range are whole, its times whole milliseconds".to_owned());
    };
    if step <= 0 {
        return fail("the step of a range is more than nothing".to_owned());
    }
    if to < from {
        return fail("the range ends before it begins".to_owned());
    }
    let count = usize::try_from((to - from) / step).unwrap_or(usize::MAX).saturating_add(1);
    if count > MOST {
        return fail(format!("a range of {count} values; it may have at most {MOST}"));
    }
    let value = |value: i128| match is_number {
        true => Some(value.to_string()),
        false => time::duration(&format!("{value}ms")).ok().map(time::format),
    };
    let texts: Option<Vec<_>> = (0..count).map(|index| value(from + step * i128::try_from(index).ok()?)).collect();
    let Some(texts) = texts else { return fail("a time of this range is less than nothing, or too long".to_owned()) };
    let node = |text| Node { kind: NodeKind::Scalar(Scalar { text, quoted: false, offset: None }), ..node.clone() };
    Some(texts.into_iter().map(node).collect())
}

fn number(text: &str) -> Option<Exact> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let value = Exact::parse(digits).filter(|_| digits.starts_with(|c: char| c.is_ascii_digit()))?;
    if digits.len() < text.len() { value.negate() } else { Some(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Source;
    use rstest::rstest;
    use std::sync::Arc;

    fn read(text: &str) -> Result<String, String> {
        let diagnostics = Diagnostics::new(Arc::new(Source::default()));
        let scalar = Scalar { text: text.into(), quoted: false, offset: None };
        let node = Node { span: crate::Span::default(), kind: NodeKind::Scalar(scalar), used_as: None };
        let read = values(&node, &diagnostics);
        diagnostics
            .finish(())
            .map_err(|errors| errors.iter().map(|error| error.message.clone()).collect::<String>())?;
        Ok(read.unwrap().iter().map(Node::flow).collect::<Vec<_>>().join(" "))
    }

    #[rstest]
    #[case("1s .. 2s step 250ms", Ok("1s 1.25s 1.5s 1.75s 2s"))]
    #[case("0s..10s step 4s", Ok("0s 4s 8s"))]
    #[case("1 .. 3 step 1", Ok("1 2 3"))]
    #[case("(5s) / 4 .. 5s step 5s / 4", Ok("1.25s 2.5s 3.75s 5s"))]
    #[case("3 .. 3 step 1", Ok("3"))]
    #[case("3 .. 1 step 1", Err("the range ends before it begins"))]
    #[case("1s .. 2s step 0s", Err("the step of a range is more than nothing"))]
    #[case("1s .. 10d step 1ms", Err("a range of 863999001 values; it may have at most 10000"))]
    #[case("1 .. 2s step 1s", Err("`1` has no unit; write `1s`"))]
    #[case("1s .. 2s", Err("expected a list, or a range as in `1s .. 9s step 2s`; found `1s .. 2s`"))]
    fn a_range_is_its_values(#[case] text: &str, #[case] expected: Result<&str, &str>) {
        assert_eq!(read(text), expected.map(str::to_owned).map_err(str::to_owned));
    }
}
