//! [MQTT-3.14.4-1], [MQTT-3.14.4-2]: a program that has sent DISCONNECT, or a CONNACK that refuses, sends nothing more but
//! the end of the connection. And a program that has read a DISCONNECT does not answer.

use std::collections::BTreeMap;
use std::time::Duration;

use halfopen_protocol::{Packet, PacketType, ReasonCode};

use super::index::{EndId, Fact, Seen};
use super::report::{Breach, Report};
use super::{Context, Rule, shown};
use crate::plan::{Invariant, NodeId};

/// Time that a program may take to write what was to be written before it ends a connection.
const LINGER: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct NothingAfterDisconnect {
    last_words: BTreeMap<EndId, LastWord>,
}

struct LastWord {
    at: Duration,
    is_sent: bool,
    packet: PacketType,
    is_broken: bool,
}

impl Rule for NothingAfterDisconnect {
    fn observe(&mut self, fact: &Fact<'_>, context: &Context<'_>, report: &mut Report) {
        let Fact::Packet(seen) = fact else { return };
        let Some(word) = self.last_words.get_mut(&seen.end) else {
            if is_last_word(seen.packet) {
                let packet = seen.packet.packet_type();
                let word = LastWord { at: seen.at, is_sent: seen.is_sent, packet, is_broken: false };
                self.last_words.insert(seen.end, word);
            }
            return;
        };
        if word.is_broken_by(seen, context.plan.tolerance) && !word.is_broken {
            if word.may_wait(context.index.end(seen.end).node, context) {
                return;
            }
            word.is_broken = true;
            let name = context.name(context.index.end(seen.end).node);
            let expected = format!("{name} sends nothing after the {} of {}", word.packet, shown(word.at));
            let actual = format!("{} at {}", seen.packet.packet_type(), shown(seen.at));
            report.breach(Invariant::NothingAfterDisconnect, Breach::new(expected, actual));
        }
    }

    fn finish(&mut self, run_end: Duration, context: &Context<'_>, report: &mut Report) {
        for (id, word) in self.last_words.iter().filter(|(_, word)| !word.is_broken) {
            let end = context.index.end(*id);
            let is_open = end.over.is_none() && end.ended.is_none_or(|_| end.closing.is_some()) && !end.died;
            if !is_open || word.may_wait(end.node, context) {
                continue;
            }
            let name = context.name(end.node);
            if run_end > word.at + LINGER {
                let expected = format!("{name} ends the connection after the {} of {}", word.packet, shown(word.at));
                let actual = format!("it is still open at {}", shown(run_end));
                report.breach(Invariant::NothingAfterDisconnect, Breach::new(expected, actual));
            } else {
                let why = format!("the run ended before {name} had closed the connection after a {}", word.packet);
                let client = if end.is_broker { "" } else { name };
                report.not_judged_of(Invariant::NothingAfterDisconnect, word.at, client, &why);
            }
        }
    }
}

impl LastWord {
    /// Returns whether it has come to a program that may still be busy with what came before.
    fn may_wait(&self, node: NodeId, context: &Context<'_>) -> bool {
        !self.is_sent && context.plan.node(node).program.is_busy()
    }

    /// Returns whether a packet may not come after it. What was read before a DISCONNECT, or in one piece with it, is still answered.
    fn is_broken_by(&self, seen: &Seen<'_>, tolerance: Duration) -> bool {
        seen.is_sent && (self.is_sent || seen.at > self.at + tolerance)
    }
}

fn is_last_word(packet: &Packet) -> bool {
    match packet {
        Packet::Disconnect(_) => true,
        Packet::ConnAck(connack) => connack.reason != ReasonCode::SUCCESS,
        _ => false,
    }
}
