use std::io::Write as _;
use std::sync::Arc;

use super::args::ExplainArgs;
use super::output::{Failure, SUCCESS};
use crate::explain::explain as explained;
use crate::run::{Runner, expand};
use crate::scenario::{PlanOptions, load};

/// Tells a scenario in plain words.
pub(super) fn explain(args: &ExplainArgs) -> Result<u8, Failure> {
    let scenario = load(&args.path)?;
    let plans = expand(scenario.plans(PlanOptions::default())?)?;
    let Some(plan) = plans.iter().find(|plan| plan.run.to_string().contains(&args.only)) else {
        return Err(Failure::NothingToRun(args.only.clone()));
    };
    let trace = Runner::default().trace(&Arc::new(plan.clone()))?;
    let mut out = anstream::stdout().lock();
    let about = scenario.about.about.as_ref().unwrap_or(&scenario.about.comment);
    write!(out, "{}", explained(plan, &plans, about, &trace))?;
    out.flush()?;
    Ok(SUCCESS)
}
