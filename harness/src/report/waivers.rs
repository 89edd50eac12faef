use std::rc::Rc;

use super::{Ending, Finished};
use crate::check::Vacuity;
use crate::plan::{Plan, Waiver};

/// Finds waivers that waive nothing: the invariant holds in every run of the file.
///
/// A waiver is about the whole file, so it can only be judged when all of its runs are over.
#[derive(Debug, Default)]
pub struct Waivers(Vec<Noted>);

#[derive(Debug)]
struct Noted {
    plan: Rc<Plan>,
    waiver: Waiver,
    is_needed: bool,
}

impl Waivers {
    /// Notes a run.
    pub fn add(&mut self, run: &Finished) {
        let Ending::Judged(_, outcome) = &run.ending else { return };
        for waiver in &run.plan.waived {
            let is_needed = outcome.waived.contains(&waiver.invariant);
            let is_it = |noted: &&mut Noted| {
                noted.plan.source.path == run.plan.source.path && noted.waiver.invariant == waiver.invariant
            };
            match self.0.iter_mut().find(is_it) {
                Some(noted) => noted.is_needed |= is_needed,
                None => self.0.push(Noted { plan: Rc::clone(&run.plan), waiver: waiver.clone(), is_needed }),
            }
        }
    }

    /// Those that were needed in no run, each with a plan of its file.
    pub fn idle(&self) -> impl Iterator<Item = (&Plan, Vacuity)> {
        self.0.iter().filter(|noted| !noted.is_needed).map(|noted| {
            let name = noted.waiver.invariant.name();
            let vacuity = Vacuity {
                position: noted.waiver.position,
                text: format!("waive: {{ {name}: {} }}", noted.waiver.reason),
                why: format!("`{name}` holds in all runs of the file; there is nothing to waive"),
            };
            (&*noted.plan, vacuity)
        })
    }
}
