//! The comparison as one page that needs nothing else.

use std::fmt::Write as _;

use super::compared::Row;
use super::tables::{Table, by_area, by_class, by_scenario, by_statement, detail, first_program, verdict_of};
use crate::report::diagram::escaped;

const STYLE: &str = "
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0 2rem; }
th, td { border-bottom: 1px solid #8886; padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top; }
summary { cursor: pointer; padding: .2rem 0; }
pre { background: #8881; border-radius: 4px; overflow-x: auto; padding: .6rem .8rem; }
.bad { color: #c0392b; font-weight: 600; }
@media (prefers-color-scheme: dark) { .bad { color: #ff8a7a; } }
";

/// Writes the page.
pub(super) fn page(programs: &[String], rows: &[Row]) -> String {
    let title = format!("halfopen: {}", escaped(&programs.join(", ")));
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n"
    );
    let first = escaped(first_program(rows));
    let _ = writeln!(text, "<h2>Verdicts by area</h2>\n{}", table(&by_area(programs, rows)));
    let _ = writeln!(
        text,
        "<h2>Beside {first}</h2>\n<p><b>Same</b>: every event is the same. <b>Allowed</b>: something is otherwise, and breaks \
         no statement. <b>Violation</b>: something is wrong. <b>Not judged</b>: skipped, or nothing was tested.</p>\n{}",
        table(&by_class(programs, rows))
    );
    let _ = writeln!(text, "<h2>Statements that one of them breaks</h2>\n{}", table(&by_statement(programs, rows)));
    let _ = writeln!(text, "<h2>Scenarios with other verdicts</h2>");
    for (scenario, found) in by_scenario(rows) {
        let Some((row, cell)) = found.first() else { continue };
        let _ = writeln!(
            text,
            "<details><summary><b>{}</b> with {}: {} in {} of its runs</summary><p><code>{}</code></p><pre>{}</pre></details>",
            escaped(scenario),
            escaped(&cell.program),
            escaped(&verdict_of(row, cell)),
            found.len(),
            escaped(&row.run),
            escaped(&detail(cell, first_program(rows))),
        );
    }
    text.push_str("</body></html>\n");
    text
}

fn table(table: &Table) -> String {
    let mut text = String::from("<table>\n");
    for (place, line) in table.iter().enumerate() {
        let tag = if place == 0 { "th" } else { "td" };
        let cell = |cell: &String| {
            let is_bad =
                place > 0 && (cell.contains("FAILED") || cell.contains("violation") || cell.contains("BROKEN"));
            let class = if is_bad { " class=\"bad\"" } else { "" };
            format!("<{tag}{class}>{}</{tag}>", escaped(cell))
        };
        let _ = writeln!(text, "<tr>{}</tr>", line.iter().map(cell).collect::<String>());
    }
    text + "</table>"
}
