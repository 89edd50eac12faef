//! `--broker`: runs against another program.

use std::sync::Arc;
use std::time::Duration;

use super::args::RunArgs;
use super::output::Failure;
use crate::plan::{Plan, Program};
use crate::programs::{Profile, VirtualLimit};
use crate::run::{Ending, Finished, Runner};
use crate::suite::for_guests::{Abilities, Adapted, adapted};
use crate::world::EngineError;

/// The program that takes the place of the project's broker.
#[derive(Clone, Debug)]
pub(super) struct Foreign {
    profile: Profile,
}

/// A run against a program, and what the verdict leaves out.
pub(super) struct Judged {
    pub(super) finished: Finished,
    /// Number of expectations that the program cannot be asked.
    pub(super) left_out: usize,
    /// True if it was skipped because it takes too long.
    pub(super) is_too_long: bool,
    /// The notes of the program: what it asked for in vain, and why two runs may differ.
    pub(super) notes: Vec<String>,
}

impl Foreign {
    /// Reads the profile that the arguments name, if they name one.
    ///
    /// # Errors
    /// If there is none, it has errors, or its command is not there.
    pub(super) fn of(args: &RunArgs) -> Result<Option<Self>, Failure> {
        let Some(name) = &args.program.broker else { return Ok(None) };
        let foreign = Self::named(name)?;
        if foreign.is_some() && args.defect.is_some() {
            return Err(Failure::Input("--defect is for the project's own programs, and --broker is not".to_owned()));
        }
        Ok(foreign)
    }

    /// Reads the profile of this name or path; none for `builtin`, the project's own broker.
    ///
    /// # Errors
    /// If there is none, it has errors, or its command is not there.
    pub(super) fn named(name: &str) -> Result<Option<Self>, Failure> {
        if name == "builtin" {
            return Ok(None);
        }
        let profile = Profile::find(name).map_err(|error| Failure::Input(error.to_string()))?;
        profile.check_command().map_err(Failure::Input)?;
        Ok(Some(Self { profile }))
    }

    /// Runs a plan with the program in the place of the project's broker, if it takes no longer than `limit`. The
    /// program may be earlier or later by `tolerance` than the plan says.
    pub(super) fn run(&self, own: &Runner, limit: VirtualLimit, tolerance: Duration, plan: &Arc<Plan>) -> Judged {
        let skipped = |why: String| Judged::of(own.finished(plan, Ending::Skipped(EngineError::NotFor(why))));
        if !plan.nodes.iter().any(|node| matches!(node.program, Program::Broker(_))) {
            return skipped("it has no broker that the program could be".to_owned());
        }
        if let Some(why) = self.profile.lacks(&plan.conditions.requires) {
            return skipped(why);
        }
        let does_not_take = |program: &_| self.profile.does_not_take(program);
        let abilities = Abilities { does_not_take: &does_not_take, has_clock: true, reasons: self.profile.reasons() };
        let Adapted { plan: mut adapted, left_out } = match adapted(plan, &abilities) {
            Ok(adapted) => adapted,
            Err(why) => return skipped(why),
        };
        // The project's own broker tells in no time how long the run takes, and its log is nobody's business.
        let without_log = tracing::subscriber::NoSubscriber::default();
        if let Ok(trace) = tracing::subscriber::with_default(without_log, || own.trace(plan))
            && limit.is_exceeded_by(trace.end)
        {
            let why = format!("it takes {:.0?} of virtual time, more than --virtual-limit {limit}", trace.end);
            return Judged { is_too_long: true, ..skipped(why) };
        }
        adapted.tolerance += tolerance;
        let adapted = Arc::new(adapted);
        match self.profile.program_under_test() {
            Ok(program_under_test) => {
                let finished =
                    Runner { program_under_test: Some(program_under_test.clone()), ..own.clone() }.run(&adapted);
                Judged { left_out, notes: program_under_test.take_notes(), ..Judged::of(finished) }
            }
            Err(error) => {
                let error = EngineError::Program(format!("no folder for a program: {error}"));
                Judged::of(own.finished(&adapted, Ending::Broken(error)))
            }
        }
    }
}

impl Judged {
    /// A run of which nothing was left out.
    pub(super) fn of(finished: Finished) -> Self {
        Self { finished, left_out: 0, is_too_long: false, notes: Vec::new() }
    }
}
