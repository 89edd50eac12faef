//! What is true of every run without being asked for: one file for each invariant.
//!
//! Invariants judge the project's own programs. Raw peers do what is written, and are what the programs are judged
//! against. All invariants are fed event by event and share one [`Index`] of connections, so that judging a
//! run costs a time that is linear in its events, and a run that is judged need not be kept.
//!
//! The [`model`](super::model) judges exchanges and sessions; the files here judge times, and the messages that a client hands on.

mod broker_keeps_its_deadline;
mod client_keeps_its_interval;
mod index;
mod nothing_after_disconnect;
mod qos_1_at_least_once;
mod qos_2_exactly_once;
mod report;
mod table;
#[cfg(test)]
mod tests;
mod topic_order;

use std::ops::Deref;
use std::time::Duration;

use smallvec::SmallVec;

use self::index::{Fact, Index};
use self::report::{Breach, Report};
use super::model::{Finding, Model, NotJudged};
use super::moment::{millis, seconds};
use super::{Findings, Outcome};
use crate::plan::{NodeId, Plan};
use crate::trace::Event;

/// One invariant, or a part of it.
trait Rule {
    /// Takes note of something that one end of a connection did or saw.
    fn observe(&mut self, fact: &Fact<'_>, context: &Context<'_>, report: &mut Report);

    /// Judges what is still open when the run ends, at this time.
    fn finish(&mut self, _end: Duration, _context: &Context<'_>, _report: &mut Report) {}
}

/// The facts that all invariants may look at.
struct Context<'a> {
    plan: &'a Plan,
    index: &'a Index,
}

impl Context<'_> {
    fn name(&self, node: NodeId) -> &str {
        &self.plan.node(node).name
    }
}

/// Judges all invariants of one run, event by event. Holds no more of the run than its connections,
/// its subscriptions and what is under way.
pub struct Invariants<P> {
    plan: P,
    index: Index,
    rules: Vec<Box<dyn Rule>>,
    model: Model,
    report: Report,
}

impl<P: Deref<Target = Plan>> Invariants<P> {
    /// Begins to judge a run of this plan.
    pub fn new(plan: P) -> Self {
        Self {
            index: Index::new(&plan),
            rules: vec![
                Box::new(client_keeps_its_interval::ClientInterval::new(&plan)),
                Box::<broker_keeps_its_deadline::BrokerDeadline>::default(),
                Box::<qos_1_at_least_once::AtLeastOnce>::default(),
                Box::<qos_2_exactly_once::ExactlyOnce>::default(),
                Box::<topic_order::TopicOrder>::default(),
                Box::<nothing_after_disconnect::NothingAfterDisconnect>::default(),
            ],
            model: Model::new(&plan),
            report: Report::default(),
            plan,
        }
    }

    /// Takes note of the next event of the run.
    pub fn event(&mut self, event: &Event) {
        self.model.event(event);
        let facts = self.index.event(event);
        let context = Context { plan: &self.plan, index: &self.index };
        for fact in &facts {
            for rule in &mut self.rules {
                rule.observe(fact, &context, &mut self.report);
            }
        }
    }

    /// Ends the run at this time; what the invariants came to. Those that the scenario waives are only noted as broken.
    pub fn finish(self, end: Duration) -> Outcome {
        let mut findings = Findings::default();
        self.end(end, &mut findings);
        findings.outcome()
    }

    pub(super) fn end(mut self, end: Duration, findings: &mut Findings) {
        let context = Context { plan: &self.plan, index: &self.index };
        for rule in &mut self.rules {
            rule.finish(end, &context, &mut self.report);
        }
        let (found, not_judged) = self.model.finish(end).into_parts();
        for Finding { duty, expected, actual } in found {
            self.report.breach(duty, Breach::new(expected, actual));
        }
        for NotJudged { duty, since, why, client } in not_judged {
            self.report.not_judged_of(duty, since.since_origin(), &client, &why);
        }
        self.report.write(&self.plan, findings);
    }
}

/// Facts in the order in which they are to be judged.
type Facts<'e> = SmallVec<[Fact<'e>; 2]>;

/// Seconds with three decimals.
fn shown(at: Duration) -> String {
    seconds(millis(at))
}
