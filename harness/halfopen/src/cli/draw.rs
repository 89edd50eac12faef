use std::io::Write as _;
use std::sync::Arc;

use super::args::DrawArgs;
use super::output::{Failure, SUCCESS, write_file};
use crate::report::diagram::{scene, svg};
use crate::run::{Runner, load_set};
use crate::scenario::PlanOptions;

/// Runs one scenario and draws it.
pub(super) fn draw(args: &DrawArgs) -> Result<u8, Failure> {
    let scenarios = load_set(&[&args.path], PlanOptions { seed: args.seed }, &args.set.values())?;
    let only = args.only.as_deref().unwrap_or_default();
    let mut plans = scenarios.into_iter().flat_map(|(_, plans)| plans);
    let plan = plans.find(|plan| plan.run.to_string().contains(only));
    let plan = plan.ok_or_else(|| Failure::NothingToRun(only.to_owned()))?;
    let plan = Arc::new(plan);
    let trace = Runner { defect: args.defect, ..Runner::default() }.trace(&plan)?;
    let picture = svg(&scene(&plan, &trace), &plan.run.to_string());
    match &args.output {
        Some(path) => write_file(path, picture)?,
        None => anstream::stdout().write_all(picture.as_bytes())?,
    }
    Ok(SUCCESS)
}
