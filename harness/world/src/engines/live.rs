//! The engine for brokers outside of the world: the event-driven one, on the machine's time.
//!
//! Clients, raw peers, links and their faults are those of the simulation. The node of the broker carries each of its
//! connections on by real TCP, so that the simulated network is a proxy in each connection, whose faults mean what they mean
//! on every engine. What comes of it depends on the machine: it is judged with a tolerance, and a run in which something
//! came later than that is not judged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{EngineError, prepare};
use crate::RunOptions;
use crate::director::Director;
use crate::engines::event_driven::{self, SimError};
use crate::node::Programs;
use crate::plan::{NodeFault, Plan};
use crate::trace::Trace;

/// The options of a run in real time, besides its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RealTime {
    /// Time at which it ends at the latest.
    pub limit: Duration,
    /// The time by which something may come later than it is due.
    pub tolerance: Duration,
}

/// Returns whether a fault of the broker's node can be brought about in real time: of a broker that was started for the
/// run, or of one that runs anyway.
///
/// # Errors
/// Why not.
pub const fn live_means(fault: NodeFault, is_started: bool) -> Result<(), &'static str> {
    match fault {
        NodeFault::ClockDrift(_) | NodeFault::ClockJump(_) | NodeFault::SetWallClock(_) => {
            Err("its clock is the machine's")
        }
        NodeFault::LoseDisk => Err("its folder is its own"),
        NodeFault::Shutdown => Err("it is not told to stop in an orderly way"),
        NodeFault::Crash | NodeFault::PowerLoss | NodeFault::Restart | NodeFault::Pause(_) | NodeFault::Resume => {
            if is_started {
                Ok(())
            } else {
                Err("it was not started for the run, so that nothing may be done to it")
            }
        }
        NodeFault::StopReading | NodeFault::ResumeReading => Ok(()),
    }
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Ends all runs in real time of this process soon, and for ever.
pub fn interrupt() {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// Returns whether [`interrupt`] was called.
pub(crate) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Runs `plan` in real time.
///
/// # Errors
/// The broker failed, or the machine was too slow.
pub(crate) fn run(plan: &Arc<Plan>, real_time: RealTime, options: RunOptions) -> Result<Trace, EngineError> {
    let RunOptions { observer, keeps_trace, defect, programs_under_test, event_limit, variation: _ } = options;
    let outside = programs_under_test.as_remote().cloned();
    let programs = Programs::new(plan, defect, programs_under_test);
    let ran = event_driven::run_in_real_time(plan, &programs, outside.as_ref(), |recorder| {
        prepare(recorder, observer, keeps_trace);
        let director = Director::new(plan, recorder, programs.switchboard().clone()).ending_by(real_time.limit);
        director.ending_after(event_limit)
    });
    match ran {
        Err(SimError::Interrupted) => Err(EngineError::NotFor("interrupted".to_owned())),
        Err(error) => Err(EngineError::Failed(error.to_string())),
        Ok((_, lateness)) if lateness > real_time.tolerance => Err(EngineError::TooBusy(format!(
            "the machine was too busy: something came {} ms late, and the tolerance is {} ms; fewer runs at the same time \
             (--jobs) may help",
            lateness.as_millis(),
            real_time.tolerance.as_millis()
        ))),
        Ok((trace, _)) => Ok(trace),
    }
}
