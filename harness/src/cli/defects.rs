use std::io::Write as _;

use super::args::DefectsArgs;
use super::output::{FAILURE, Failure, SUCCESS};
use crate::defects::{Defect, Scenarios};
use crate::scenario::PlanOptions;
use crate::sweep::load_to_run;

/// Prints for each defect which scenarios catch it, and last those that none catches.
pub(super) fn defects(args: &DefectsArgs) -> Result<u8, Failure> {
    let scenarios = Scenarios::new(load_to_run(&args.paths, PlanOptions::default())?);
    let only = args.only.as_deref().unwrap_or_default();
    let defects: Vec<Defect> = Defect::all().filter(|defect| defect.to_string().contains(only)).collect();
    if defects.is_empty() {
        return Err(Failure::NothingToRun(only.to_owned()));
    }
    let mut out = anstream::stdout().lock();
    let mut survivors = Vec::new();
    for &defect in &defects {
        let most = if args.first { 1 } else { usize::MAX };
        let mut caught: Vec<&str> = scenarios.catching(defect).take(most).collect();
        caught.sort_unstable();
        if caught.is_empty() {
            survivors.push(defect);
        }
        let shown = if caught.is_empty() { "nothing".to_owned() } else { caught.join(" ") };
        writeln!(out, "{:<42} {:>3}  {shown}", defect.to_string(), caught.len())?;
    }
    writeln!(out, "{} defects, {} caught", defects.len(), defects.len() - survivors.len())?;
    for defect in &survivors {
        writeln!(out, "SURVIVES {defect}: {} ({})", defect.about(), defect.cases().join(", "))?;
    }
    Ok(if survivors.is_empty() { SUCCESS } else { FAILURE })
}
