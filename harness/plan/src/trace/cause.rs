//! Why something happened, as far as a trace tells: the event before it that let it happen.
//!
//! This is the one place that says so: reports, pictures, the page and `halfopen diff` ask here.

use std::collections::BTreeMap;
use std::time::Duration;

use halfopen_protocol::Packet;

use super::{ConnectionId, Event, EventKind, Since, Trace, Transmission};
use crate::{NodeId, StepId};

/// Returns the cause of each event of a trace: the index of an earlier event.
///
/// What arrives was sent. What a node does it does because of what has just reached it, or because the story says so.
/// A time-out goes back to the packet that it was counted from, and a PINGREQ to the last packet its sender sent. An
/// event whose cause does not show, such as the first one, has none.
pub fn causes(trace: &Trace) -> Vec<Option<usize>> {
    let mut known = Known::default();
    trace
        .events
        .iter()
        .enumerate()
        .map(|(index, event)| {
            let cause = known.cause(trace, event);
            known.remember(index, event);
            cause
        })
        .collect()
}

/// The chain of causes of an event, from the event itself to the first.
fn chain(causes: &[Option<usize>], event: usize) -> impl Iterator<Item = usize> + '_ {
    // A cause stands before its effect, so this ends.
    std::iter::successors(Some(event), |&event| causes.get(event).copied().flatten().filter(|cause| *cause < event))
}

/// Returns the step that an event goes back to, as an index into the trace. `causes` are those of the trace.
pub fn step_of(trace: &Trace, causes: &[Option<usize>], event: usize) -> Option<usize> {
    chain(causes, event).find(|&index| matches!(trace.events[index].kind, EventKind::Step { .. }))
}

#[derive(Default)]
struct Known {
    /// The latest event that reached or affected each node.
    moved: BTreeMap<NodeId, (usize, Duration)>,
    /// The latest step.
    step: Option<(usize, Duration)>,
    /// The first time that each step began.
    begun: BTreeMap<StepId, usize>,
    /// The packet each node sent last on a connection.
    sent: BTreeMap<(ConnectionId, NodeId), usize>,
}

impl Known {
    fn cause(&self, trace: &Trace, event: &Event) -> Option<usize> {
        match &event.kind {
            EventKind::Received { sent, .. } => *sent,
            EventKind::Closing { node, connection, since: Some(since), .. } => {
                counted_from(trace, *node, *connection, *since)
            }
            EventKind::Sent { connection, from: node, item, .. } => self.just_now(*node, event.at).or_else(|| {
                let is_ping = item.packet().is_some_and(|packet| *packet == Packet::PingReq);
                is_ping.then(|| self.sent.get(&(*connection, *node)).copied()).flatten()
            }),
            EventKind::Closing { node, .. }
            | EventKind::Delivered { node, .. }
            | EventKind::Connected { node, .. }
            | EventKind::Established { node, .. }
            | EventKind::Node { node, .. } => self.just_now(*node, event.at),
            EventKind::StepFailed { step, .. } | EventKind::FaultHit { step } => self.begun.get(step).copied(),
            _ => None,
        }
    }

    fn just_now(&self, node: NodeId, at: Duration) -> Option<usize> {
        let moved = self.moved.get(&node).filter(|(_, when)| *when == at);
        moved.or(self.step.as_ref().filter(|(_, when)| *when == at)).map(|(index, _)| *index)
    }

    fn remember(&mut self, index: usize, event: &Event) {
        match &event.kind {
            EventKind::Received { to: node, .. } | EventKind::Closing { node, .. } | EventKind::Node { node, .. } => {
                self.moved.insert(*node, (index, event.at));
            }
            EventKind::Sent { connection, from, item: Transmission::Packet(_), .. } => {
                self.sent.insert((*connection, *from), index);
            }
            // A step comes when all is quiet: what a node does then is not because of what came before.
            EventKind::Step { step, .. } => {
                self.begun.entry(*step).or_insert(index);
                self.step = Some((index, event.at));
                self.moved.clear();
            }
            _ => {}
        }
    }
}

/// The packet, or the opening, that a time-out of `node` is counted from, as it saw it.
fn counted_from(trace: &Trace, node: NodeId, of: ConnectionId, since: Since) -> Option<usize> {
    let begin = trace.events.partition_point(|event| event.at < since.at);
    let end = trace.events.partition_point(|event| event.at <= since.at);
    (begin..end).rev().find(|&index| match &trace.events[index].kind {
        EventKind::Sent { connection, from, item, .. } => *connection == of && *from == node && is(item, since),
        EventKind::Received { connection, to, item, .. } => *connection == of && *to == node && is(item, since),
        _ => false,
    })
}

fn is(item: &Transmission, since: Since) -> bool {
    match since.packet {
        Some(since) => item.packet().is_some_and(|packet| packet.packet_type() == since),
        None => *item == Transmission::Open,
    }
}
