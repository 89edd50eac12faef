//! `docs/mutants.md`: how many changes each module has, and which survive.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::build::Change;
use crate::equivalent::Equivalents;
use crate::judge::Fate;

const HEAD: &str = "# Changes that nobody announced

Made by `cargo run -p halfopen-mutants`: the rules of protocol, broker and client are changed in many small ways (another
comparison, a number more by one, a statement left out, a condition negated), each alone, and all scenarios are run with
it. For each module the table says how many changes are

- **caught**: a run fails, or the program breaks;
- **seen**: all runs pass, but the trace of one is another: a peer could notice, and nothing judges it;
- **unseen**: they are reached, and no trace is another;
- **not reached** by any run: most of it is for requests that no scenario has, and is tested elsewhere (`cargo test`);
- **equivalent**: no peer can notice the change. `tests/mutants/equivalent.txt` says for each one why, and they count
  nowhere else.

Most of what survives shows only to a peer that sends tens of thousands of packets or hundreds of MiB (identifiers that run
out, the largest packet of all), or by calls that no scenario makes (another Clean Start than that of the CONNECT).
";

/// The columns of the table.
const COLUMNS: usize = 5;

/// Returns the page of changes that were chosen of `count`.
pub(crate) fn page(fates: &[(&Change, Fate)], equivalents: &Equivalents, count: usize) -> String {
    let mut files: BTreeMap<&str, [usize; COLUMNS]> = BTreeMap::new();
    for (change, fate) in fates {
        files.entry(&change.file).or_default()[column(change, fate, equivalents)] += 1;
    }
    let chosen = match fates.len() {
        all if all == count => String::new(),
        some => format!("\nOf {count} changes, {some} were chosen evenly.\n"),
    };
    let mut page = format!("{HEAD}{chosen}\n{LINE}{:.1} %\n\n", share(fates, equivalents));
    let _ = write!(
        page,
        "Of those that change a trace, so that a peer could notice: {:.1} %\n\n",
        share_of_seen(fates, equivalents)
    );
    page.push_str("| module | caught | seen | unseen | not reached | equivalent |\n|---|---|---|---|---|---|\n");
    let mut sum = [0; COLUMNS];
    for (file, counts) in &files {
        page.push_str(&row(&format!("`{file}`"), counts));
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    page.push_str(&row("all", &sum));
    page.push_str("\n## Seen, and caught by nothing\n\n");
    for (change, fate) in fates.iter().filter(|(change, _)| !equivalents.has(change)) {
        if let Fate::Seen(run) = fate {
            let _ = writeln!(page, "- {} (in `{run}`)", place(change));
        }
    }
    page.push_str("\n## Reached, and seen in no trace\n\n");
    for (change, _) in fates.iter().filter(|(change, fate)| *fate == Fate::Unseen && !equivalents.has(change)) {
        let _ = writeln!(page, "- {}", place(change));
    }
    page.push_str("\n## Reached by no run\n\n");
    for (change, _) in fates.iter().filter(|(change, fate)| *fate == Fate::NotReached && !equivalents.has(change)) {
        let _ = writeln!(page, "- {}", place(change));
    }
    page
}

/// Prints where a change is, and what it is.
fn place(change: &Change) -> String {
    format!("`{}:{}` {}", change.file, change.line, change.name)
}

fn column(change: &Change, fate: &Fate, equivalents: &Equivalents) -> usize {
    match fate {
        _ if equivalents.has(change) => 4,
        Fate::Caught(_) | Fate::Broke => 0,
        Fate::Seen(_) => 1,
        Fate::Unseen => 2,
        Fate::NotReached => 3,
    }
}

fn row(name: &str, counts: &[usize; COLUMNS]) -> String {
    let counts: Vec<String> = counts.iter().map(usize::to_string).collect();
    format!("| {name} | {} |\n", counts.join(" | "))
}

const LINE: &str = "Share that is caught, of those that are reached: ";

/// Returns the number of changes that are reached and not equivalent, and how many of these are caught.
pub(crate) fn counts(fates: &[(&Change, Fate)], equivalents: &Equivalents) -> (usize, usize) {
    let columns = || fates.iter().map(|(change, fate)| column(change, fate, equivalents));
    (columns().filter(|column| *column < 3).count(), columns().filter(|column| *column == 0).count())
}

/// Returns the share in percent that is caught, of those that are reached.
#[expect(clippy::cast_precision_loss, reason = "counts of some thousands")]
pub(crate) fn share(fates: &[(&Change, Fate)], equivalents: &Equivalents) -> f64 {
    let (reached, caught) = counts(fates, equivalents);
    100.0 * caught as f64 / reached.max(1) as f64
}

/// Returns the share in percent that is caught, of those that change what a trace shows.
#[expect(clippy::cast_precision_loss, reason = "counts of some thousands")]
fn share_of_seen(fates: &[(&Change, Fate)], equivalents: &Equivalents) -> f64 {
    let seen = fates.iter().filter(|(change, fate)| column(change, fate, equivalents) == 1).count();
    let (_, caught) = counts(fates, equivalents);
    100.0 * caught as f64 / (caught + seen).max(1) as f64
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
        let change = |name: &str| Change { number: 0, file: "a.rs".to_owned(), line: 3, name: name.to_owned() };
        let (one, other) = (change("f: `1` is `2`"), change("g: `1` is `2`"));
        let run = || "area/one".to_owned();
        let fates = [Fate::Caught(run()), Fate::Broke, Fate::Seen(run()), Fate::Unseen, Fate::NotReached];
        let mut fates: Vec<_> = fates.into_iter().map(|fate| (&one, fate)).collect();
        fates.push((&other, Fate::Unseen));
        let equivalents = Equivalents::parse("= nobody sees it\na.rs g: `1` is `2`\n").unwrap();
        let page = page(&fates, &equivalents, 9);
        assert_eq!(written_share(&page), Some(50.0));
        assert!(page.contains("so that a peer could notice: 66.7 %\n"), "{page}");
        assert!(page.contains("\nOf 9 changes, 6 were chosen evenly.\n"), "{page}");
        assert!(page.contains("| all | 2 | 1 | 1 | 1 | 1 |\n\n## Seen"), "{page}");
        assert!(page.contains("- `a.rs:3` f: `1` is `2` (in `area/one`)\n"), "{page}");
        let unseen = "## Reached, and seen in no trace\n\n- `a.rs:3` f: `1` is `2`\n";
        assert!(page.ends_with(&format!("{unseen}\n## Reached by no run\n\n- `a.rs:3` f: `1` is `2`\n")), "{page}");
    }
}
