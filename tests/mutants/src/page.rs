//! `docs/mutants.md`: how many changes each module has, and which survive.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::build::Change;
use crate::judge::Fate;

const HEAD: &str = "# Changes that nobody announced

Made by `cargo run -p halfopen-mutants`: the rules of protocol, broker and client are changed in many small ways (another
comparison, a number more by one, a statement left out, a condition negated), each alone, and all scenarios are run with
it. A change is caught if a run fails, or if the program breaks. What no run comes by is counted apart: most of it is for
settings and requests that no scenario has, and is tested elsewhere (`cargo test`). Of the survivors, many can be seen by no
peer (a size that is reserved, an order that nobody can tell); which, is for a reader to say.
";

/// Returns the page of changes that were chosen of `count`.
pub(crate) fn page(fates: &[(&Change, Fate)], count: usize) -> String {
    let mut files: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
    for (change, fate) in fates {
        files.entry(&change.file).or_default()[*fate as usize] += 1;
    }
    let chosen = match fates.len() {
        all if all == count => String::new(),
        some => format!("\nOf {count} changes, {some} were chosen evenly.\n"),
    };
    let mut page = format!("{HEAD}{chosen}\n{LINE}{:.1} %\n\n", share(fates));
    page.push_str("| module | caught | broke | survived | not reached |\n|---|---|---|---|---|\n");
    let mut sum = [0; 4];
    for (file, counts) in &files {
        let _ = writeln!(page, "| `{file}` | {} | {} | {} | {} |", counts[0], counts[1], counts[2], counts[3]);
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    let _ = writeln!(page, "| all | {} | {} | {} | {} |\n\n## Survivors\n", sum[0], sum[1], sum[2], sum[3]);
    for (change, _) in fates.iter().filter(|(_, fate)| *fate == Fate::Survived) {
        let _ = writeln!(page, "- `{}:{}`: {}", change.file, change.line, change.what);
    }
    page
}

const LINE: &str = "Share that is caught, of those that are reached: ";

/// Returns the share in percent that is caught, of those that are reached.
#[expect(clippy::cast_precision_loss, reason = "counts of some thousands")]
pub(crate) fn share(fates: &[(&Change, Fate)]) -> f64 {
    let count = |wanted: &[Fate]| fates.iter().filter(|(_, fate)| wanted.contains(fate)).count() as f64;
    let caught = count(&[Fate::Caught, Fate::Broke]);
    100.0 * caught / (caught + count(&[Fate::Survived])).max(1.0)
}

/// Returns the share that a page says.
pub(crate) fn written_share(page: &str) -> Option<f64> {
    page.lines().find_map(|line| line.strip_prefix(LINE))?.strip_suffix(" %")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_says_the_share_that_it_is_compared_with() {
        let change = Change { number: 0, file: "a.rs".to_owned(), line: 1, what: "`1` is `2`".to_owned() };
        let fates = [Fate::Caught, Fate::Broke, Fate::Survived, Fate::NotReached].map(|fate| (&change, fate));
        let page = page(&fates, 9);
        assert_eq!(written_share(&page), Some(66.7));
        assert!(page.contains("\nOf 9 changes, 4 were chosen evenly.\n"), "{page}");
        assert!(page.ends_with("| all | 1 | 1 | 1 | 1 |\n\n## Survivors\n\n- `a.rs:1`: `1` is `2`\n"), "{page}");
    }
}
