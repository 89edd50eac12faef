use std::io::Write as _;

use super::args::ListArgs;
use super::commands::counted;
use super::output::{BAD_INPUT, Failure, SUCCESS};
use crate::run::load;
use crate::scenario::{About, PlanOptions, Scenario, schema as scenario_schema};

/// Number of characters that are printed of what a scenario shows.
const WIDTH: usize = 100;

/// Lists scenarios by area.
pub(super) fn list(args: &ListArgs) -> Result<u8, Failure> {
    let scenarios = load(&args.paths, PlanOptions::default())?;
    let listed: Vec<_> = scenarios.iter().filter(|(scenario, _)| args.select.has(scenario)).collect();
    let mut out = anstream::stdout().lock();
    let mut area = None;
    for (scenario, plans) in &listed {
        let (folder, name) = split(scenario);
        if area != Some(folder) {
            if !folder.is_empty() {
                writeln!(out, "{folder}")?;
            }
            area = Some(folder);
        }
        writeln!(out, "  {name:<40} {:>10}  {}", counted(plans.len(), "run"), summary(&scenario.about))?;
        for line in details(&scenario.about) {
            writeln!(out, "  {:<40}             {line}", "")?;
        }
    }
    let runs = listed.iter().map(|(_, plans)| plans.len()).sum();
    writeln!(out, "{} in {}", counted(runs, "run"), counted(listed.len(), "scenario"))?;
    Ok(if listed.is_empty() { BAD_INPUT } else { SUCCESS })
}

/// Prints the schema of scenario files.
pub(super) fn schema() -> Result<u8, Failure> {
    let mut out = anstream::stdout().lock();
    out.write_all(scenario_schema().as_bytes())?;
    out.flush()?;
    Ok(SUCCESS)
}

fn split(scenario: &Scenario) -> (&str, &str) {
    scenario.name.rsplit_once('/').unwrap_or(("", &scenario.name))
}

/// Returns what it shows, in a line.
fn summary(about: &About) -> String {
    let text = about.about.as_ref().unwrap_or(&about.comment);
    if text.chars().count() <= WIDTH {
        return text.clone();
    }
    let cut: String = text.chars().take(WIDTH).collect();
    format!("{} …", cut.rsplit_once(' ').map_or(cut.as_str(), |(whole, _)| whole))
}

fn details(about: &About) -> Vec<String> {
    let mut lines = Vec::new();
    if !about.tags.is_empty() {
        lines.push(format!("tags: {}", about.tags.join(", ")));
    }
    for (version, ids) in &about.clauses {
        lines.push(format!("{version}: {}", ids.join(", ")));
    }
    if !about.reports.is_empty() {
        lines.push(format!("reports: {}", about.reports.join(", ")));
    }
    lines
}
