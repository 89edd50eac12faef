//! What is true of every run without being asked for: one file each, pure functions of plan and trace.
//!
//! They judge the project's own programs. Raw peers do what is written, and are what the programs are judged against.

mod broker_keeps_its_deadline;
mod client_keeps_its_interval;
mod flows;
mod no_orphans;
mod nothing_after_disconnect;
mod packet_ids;
mod qos_1_at_least_once;
mod qos_2_exactly_once;
mod receive_maximum;
mod resend_only_on_resume;
mod routes;
#[cfg(test)]
mod tests;
mod topic_order;
mod view;

use std::time::Duration;

use self::view::View;
use super::moment::{millis, seconds};
use super::{Findings, Violation};
use crate::plan::{Invariant, NodeId, Plan, Position};
use crate::trace::Trace;

/// How often one invariant is reported as broken in a run.
const REPORTED: usize = 3;

/// Judges all invariants. Those that the scenario waives are only noted as broken.
pub(super) fn check(plan: &Plan, trace: &Trace, findings: &mut Findings) {
    let scene = Scene { plan, trace, views: view::views(plan, trace) };
    for invariant in Invariant::ALL {
        let breaches = scene.breaches(invariant);
        if breaches.is_empty() {
            continue;
        }
        if plan.waived.iter().any(|waiver| waiver.invariant == invariant) {
            findings.waived.push(invariant);
            continue;
        }
        let text = format!("invariant `{}`", invariant.name());
        findings.violations.extend(breaches.into_iter().take(REPORTED).map(|breach| Violation {
            position: Position::default(),
            text: text.clone(),
            expected: breach.expected,
            actual: breach.actual,
        }));
    }
}

/// What the invariants look at.
struct Scene<'a> {
    plan: &'a Plan,
    trace: &'a Trace,
    views: Vec<View<'a>>,
}

/// An invariant does not hold.
struct Breach {
    expected: String,
    actual: String,
}

impl Breach {
    fn new(expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Self { expected: expected.into(), actual: actual.into() }
    }
}

impl<'a> Scene<'a> {
    fn breaches(&self, invariant: Invariant) -> Vec<Breach> {
        match invariant {
            Invariant::ClientKeepsItsInterval => client_keeps_its_interval::breaches(self),
            Invariant::BrokerKeepsItsDeadline => broker_keeps_its_deadline::breaches(self),
            Invariant::Qos1AtLeastOnce => qos_1_at_least_once::breaches(self),
            Invariant::Qos2ExactlyOnce => qos_2_exactly_once::breaches(self),
            Invariant::TopicOrder => topic_order::breaches(self),
            Invariant::PacketIds => packet_ids::breaches(self),
            Invariant::ReceiveMaximum => receive_maximum::breaches(self),
            Invariant::NothingAfterDisconnect => nothing_after_disconnect::breaches(self),
            Invariant::ResendOnlyOnResume => resend_only_on_resume::breaches(self),
            Invariant::NoOrphans => no_orphans::breaches(self),
        }
    }

    fn clients(&self) -> impl Iterator<Item = &View<'a>> {
        self.views.iter().filter(|view| !view.is_broker)
    }

    fn brokers(&self) -> impl Iterator<Item = &View<'a>> {
        self.views.iter().filter(|view| view.is_broker)
    }

    fn name(&self, node: NodeId) -> &str {
        &self.plan.node(node).name
    }
}

/// Seconds with three decimals.
fn shown(at: Duration) -> String {
    seconds(millis(at))
}
