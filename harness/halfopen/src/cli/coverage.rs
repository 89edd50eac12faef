use std::io::{IsTerminal, Write};

use super::args::CoverageArgs;
use super::output::{FAILURE, Failure, SUCCESS};
use crate::coverage::Coverage;
use crate::defects::Defect;
use crate::run::load;
use crate::scenario::PlanOptions;

/// Prints which statements of the standards the scenarios show, or compares that with what a page says.
pub(super) fn coverage(args: &CoverageArgs) -> Result<u8, Failure> {
    let scenarios = load(&args.paths, PlanOptions::default())?;
    let defects: Vec<Defect> = Defect::all().collect();
    let is_watched = std::io::stderr().is_terminal();
    let begins = |defect| {
        if is_watched {
            // Progress that cannot be shown is no failure.
            let _ = writeln!(anstream::stderr(), "{defect}");
        }
    };
    let not_counted = |coverage: &Coverage| {
        coverage.unfit.iter().try_for_each(|name| {
            writeln!(anstream::stderr(), "NOT COUNTED {name}: it does not pass without any defect")
        })
    };
    let mut out = anstream::stdout().lock();
    let Some(path) = &args.at_least else {
        let coverage = Coverage::of(scenarios, &defects, begins);
        not_counted(&coverage)?;
        write!(out, "{}", coverage.page())?;
        return Ok(if coverage.unfit.is_empty() { SUCCESS } else { FAILURE });
    };
    let page = std::fs::read_to_string(path).map_err(|error| Failure::File { path: path.clone(), error })?;
    let no_page = |error| Failure::Input(format!("{}: {error}", path.display()));
    let coverage = Coverage::as_far_as(&page, scenarios, &defects, begins).map_err(no_page)?;
    not_counted(&coverage)?;
    let losses = coverage.losses(&page).map_err(no_page)?;
    for loss in &losses {
        writeln!(out, "{loss}")?;
    }
    Ok(if losses.is_empty() && coverage.unfit.is_empty() { SUCCESS } else { FAILURE })
}
