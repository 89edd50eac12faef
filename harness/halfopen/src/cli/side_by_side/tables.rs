//! The comparison as tables and lists, for a terminal and in Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::commands::counted;
use super::compared::{Cell, Class, Row};
use crate::check::Verdict;

/// The formats of tables.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Markdown,
}

/// A table: its first line is the heading.
pub(super) type Table = Vec<Vec<String>>;

/// Returns how often each program came to each verdict, by area.
pub(super) fn by_area(programs: &[String], rows: &[Row]) -> Table {
    let verdicts = |row: &Row| row.cells.iter().map(|cell| cell.verdict).collect::<Vec<Verdict>>();
    count("area", programs, rows, |row| vec![row.area.clone()], verdicts, Verdict::word)
}

/// Returns how each program stands beside the first one, by area.
pub(super) fn by_class(programs: &[String], rows: &[Row]) -> Table {
    let classes = |row: &Row| row.cells.iter().map(|cell| cell.class).collect::<Vec<Class>>();
    let mut table = count("area", programs, rows, |row| vec![row.area.clone()], classes, Class::word);
    // The first is the measure.
    table.iter_mut().for_each(|line| drop(line.remove(1)));
    table
}

/// Returns how often each program came to each verdict, by statement of the standard: those that it was judged by.
pub(super) fn by_statement(programs: &[String], rows: &[Row]) -> Table {
    let verdicts = |row: &Row| row.cells.iter().map(|cell| cell.verdict).collect::<Vec<Verdict>>();
    let table = count("statement", programs, rows, |row| row.clauses.clone(), verdicts, Verdict::word);
    let is_broken = |line: &Vec<String>| line.iter().any(|cell| cell.contains(Verdict::Fail.word()));
    let (heading, lines) = table.split_first().expect("it has a heading");
    [heading].into_iter().chain(lines.iter().filter(|line| line[0] != "all" && is_broken(line))).cloned().collect()
}

/// Counts something of each program, by a key of each run; the last line is about all runs.
fn count<T: Copy + Ord>(
    heading: &str,
    programs: &[String],
    rows: &[Row],
    keys: impl Fn(&Row) -> Vec<String>,
    of: impl Fn(&Row) -> Vec<T>,
    word: fn(T) -> &'static str,
) -> Table {
    let mut lines: BTreeMap<String, Vec<BTreeMap<T, usize>>> = BTreeMap::new();
    for row in rows {
        for key in keys(row).into_iter().chain([String::new()]) {
            let counts = lines.entry(key).or_insert_with(|| vec![BTreeMap::new(); programs.len()]);
            for (counts, value) in counts.iter_mut().zip(of(row)) {
                *counts.entry(value).or_default() += 1;
            }
        }
    }
    let total = lines.remove("").map(|counts| ("all".to_owned(), counts));
    let cell = |counts: &BTreeMap<T, usize>| {
        let shown: Vec<String> = counts.iter().map(|(value, count)| format!("{count} {}", word(*value))).collect();
        shown.join(", ")
    };
    let first = [heading.to_owned()].into_iter().chain(programs.iter().cloned()).collect();
    let rest = lines.into_iter().chain(total);
    let rest = rest.map(|(key, counts)| [key].into_iter().chain(counts.iter().map(cell)).collect());
    [first].into_iter().chain(rest).collect()
}

/// Writes a table.
pub(super) fn written(table: &Table, form: Form) -> String {
    let mut text = String::new();
    let width = |column: usize| table.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    for (place, line) in table.iter().enumerate() {
        match form {
            Form::Markdown => {
                let _ = writeln!(text, "| {} |", line.join(" | "));
                if place == 0 {
                    let _ = writeln!(text, "|{}", "---|".repeat(line.len()));
                }
            }
            Form::Text => {
                let cells =
                    line.iter().enumerate().map(|(column, cell)| format!("{cell:<width$}", width = width(column)));
                let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
            }
        }
    }
    text
}

/// The scenarios in which verdicts differ: how often, and one run of each, with what is wrong and the first event that is another one.
pub(super) fn differences(rows: &[Row], form: Form) -> String {
    let judged =
        rows.iter().filter(|row| row.cells.iter().filter(|cell| cell.verdict != Verdict::Skipped).count() > 1).count();
    let differing = rows.iter().filter(|row| row.differs()).count();
    let mut text = format!("{} compared, {differing} of them with different verdicts\n", counted(judged, "run"));
    let first_program = first_program(rows);
    for (scenario, found) in by_scenario(rows) {
        let Some((row, cell)) = found.first() else { continue };
        let code = if form == Form::Markdown { "`" } else { "" };
        let title = format!(
            "{code}{scenario}{code}: {} with {} otherwise than with {first_program}, such as {code}{}{code} ({})",
            counted(found.len(), "run"),
            cell.program,
            row.run,
            verdict_of(row, cell),
        );
        let detail = detail(cell, first_program);
        match form {
            Form::Markdown => {
                let _ = write!(text, "\n- {title}\n\n  ```text\n{}  ```\n", indented(&detail));
            }
            Form::Text => {
                let _ = write!(text, "\n{title}\n{}", indented(&detail));
            }
        }
    }
    text
}

/// Returns the name of the program that is the measure.
pub(super) fn first_program(rows: &[Row]) -> &str {
    rows.first().and_then(|row| row.cells.first()).map_or("", |cell| cell.program.as_str())
}

/// Returns the runs with another verdict than with the first program, by scenario and program.
pub(super) fn by_scenario(rows: &[Row]) -> Vec<(&str, Vec<(&Row, &Cell)>)> {
    let mut scenarios: BTreeMap<(&str, &str), Vec<(&Row, &Cell)>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.differs()) {
        let first = row.cells.first().map(|cell| cell.verdict);
        let is_other = |cell: &&Cell| Some(cell.verdict) != first && cell.first_difference.is_some();
        for cell in row.cells.iter().filter(is_other) {
            scenarios.entry((&row.scenario, &cell.program)).or_default().push((row, cell));
        }
    }
    scenarios.into_iter().map(|((scenario, _), found)| (scenario, found)).collect()
}

/// Returns the verdict of a cell beside that of the first program, and which statements it breaks.
pub(super) fn verdict_of(row: &Row, cell: &Cell) -> String {
    let first = row.cells.first().map_or("", |cell| cell.verdict.word());
    let breaks = if cell.breaks.is_empty() { String::new() } else { format!("; {}", cell.breaks.join(", ")) };
    format!("{}, not {first}{breaks}", cell.verdict.word())
}

/// Returns what is wrong, and the first event that differs.
pub(super) fn detail(cell: &Cell, first_program: &str) -> String {
    let mut detail = cell.why.clone().unwrap_or_default();
    if let Some(difference) = &cell.first_difference {
        let of = &cell.program;
        let _ = write!(detail, "\nfirst event that differs (- {first_program}, + {of}):\n{}", difference.trim_end());
    }
    detail
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(area: &str, verdicts: [Verdict; 2]) -> Row {
        let differs = verdicts[0] != verdicts[1] && verdicts[1] != Verdict::Skipped;
        let cell = |(program, verdict): (&str, Verdict)| Cell {
            program: program.to_owned(),
            verdict,
            class: match verdict {
                Verdict::Fail => Class::Violation,
                Verdict::Skipped => Class::NotJudged,
                _ => Class::Same,
            },
            breaks: if verdict == Verdict::Fail { vec!["MQTT-1".to_owned()] } else { Vec::new() },
            why: (verdict == Verdict::Fail).then(|| "a: closes\nexpected: then\nactual:   never".to_owned()),
            first_difference: (differs && program == "b").then(|| "  - one\n  + other\n".to_owned()),
        };
        let cells = ["a", "b"].into_iter().zip(verdicts).map(cell).collect();
        Row {
            run: format!("{area}/x[5.0]"),
            scenario: format!("{area}/x"),
            area: area.to_owned(),
            clauses: vec!["MQTT-1".to_owned(), "MQTT-2".to_owned()],
            cells,
        }
    }

    fn rows() -> Vec<Row> {
        vec![
            row("will", [Verdict::Pass, Verdict::Fail]),
            row("qos", [Verdict::Pass, Verdict::Skipped]),
            row("qos", [Verdict::Pass, Verdict::Pass]),
        ]
    }

    #[test]
    fn verdicts_stand_side_by_side_by_area() {
        let table = by_area(&["a".to_owned(), "b".to_owned()], &rows());
        assert_eq!(
            written(&table, Form::Text),
            "area  a     b\nqos   2 ok  1 ok, 1 skipped\nwill  1 ok  1 FAILED\nall   3 ok  1 ok, 1 FAILED, 1 skipped\n"
        );
        assert!(written(&table, Form::Markdown).starts_with("| area | a | b |\n|---|---|---|\n| qos | 2 ok | "));
    }

    #[test]
    fn classes_are_counted_of_all_but_the_first() {
        let table = by_class(&["a".to_owned(), "b".to_owned()], &rows());
        assert_eq!(
            written(&table, Form::Text),
            "area  b\nqos   1 same, 1 not judged\nwill  1 violation\nall   1 same, 1 violation, 1 not judged\n"
        );
    }

    #[test]
    fn statements_that_somebody_breaks_are_listed() {
        let programs = ["a".to_owned(), "b".to_owned()];
        let broken = written(&by_statement(&programs, &rows()), Form::Text);
        assert!(broken.contains("\nMQTT-1     3 ok  1 ok, 1 FAILED, 1 skipped\n"), "{broken}");
        assert_eq!(by_statement(&programs, &rows()[1..]).len(), 1);
    }

    #[test]
    fn each_scenario_with_other_verdicts_says_what_is_wrong_and_where_it_begins() {
        assert_eq!(
            differences(&rows()[..2], Form::Text),
            "1 run compared, 1 of them with different verdicts\n\n\
             will/x: 1 run with b otherwise than with a, such as will/x[5.0] (FAILED, not ok; MQTT-1)\n  \
             a: closes\n  expected: then\n  actual:   never\n  first event that differs (- a, + b):\n    - one\n    + other\n"
        );
    }
}
