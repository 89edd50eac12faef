//! [MQTT-3.3.4-7], [MQTT-3.3.4-9], [MQTT-4.9.0-2]: no more messages of QoS 1 and 2 are unacknowledged on a connection than
//! the other side allows. 3.1.1 has no such bound.

use std::collections::BTreeSet;

use super::index::{EndId, Fact};
use super::report::{Breach, Report};
use super::{Context, Rule, shown};
use crate::plan::Invariant;

#[derive(Default)]
pub(super) struct ReceiveMaximum {
    /// Ends that are reported.
    broken: BTreeSet<EndId>,
}

impl Rule for ReceiveMaximum {
    fn observe(&mut self, fact: &Fact<'_>, context: &Context<'_>, report: &mut Report) {
        let Fact::Packet(seen) = fact else { return };
        let end = context.index.end(seen.end);
        let (window, number) = (end.window(), end.unacknowledged.len());
        if seen.sent_publish().is_some() && number > window && self.broken.insert(seen.end) {
            let expected = format!("{} has at most {window} messages unacknowledged", context.name(end.node));
            let actual = format!("{number} with the PUBLISH of {}", shown(seen.at));
            report.breach(Invariant::ReceiveMaximum, Breach::new(expected, actual));
        }
    }
}
