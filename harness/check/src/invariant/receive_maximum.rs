//! [MQTT-3.3.4-7], [MQTT-3.3.4-9], [MQTT-4.9.0-2]: no more messages of QoS 1 and 2 are unacknowledged on a connection than
//! the other side allows. 3.1.1 has no such bound. A peer that has kept the bound is not told that it has not (§3.14.2.1).

use std::collections::BTreeSet;

use halfopen_protocol::{Packet, ReasonCode};

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
        let (own_window, number) = (end.own_window(), end.unanswered.len());
        if let Packet::Disconnect(disconnect) = &*seen.packet
            && disconnect.reason == ReasonCode::RECEIVE_MAXIMUM_EXCEEDED
            && seen.is_sent
            && number <= own_window
        {
            let name = context.name(end.node);
            let expected = format!("{name} says {} only to who has more than {own_window}", disconnect.reason);
            let actual = format!("{number} messages unacknowledged at {}", shown(seen.at));
            report.breach(Invariant::ReceiveMaximum, Breach::new(expected, actual));
        }
    }
}
