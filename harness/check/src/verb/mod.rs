//! One file per verb: each recognizes in the events of one node what its verb means.

mod attempts;
mod closes;
mod delivers;
mod has;
mod is;
mod loses;
mod near;
mod packets;
mod timeline;

use std::time::Duration;

use halfopen_protocol::ReasonCode;

use self::attempts::Attempts;
use self::closes::Closes;
use self::delivers::Delivers;
pub(super) use self::is::{accepts, state_text};
use self::loses::Loses;
use self::packets::Packets;
pub(super) use self::timeline::Timeline;
use crate::plan::{Expectation, NodeId, NthConnection, Plan, Program, Verb};
use crate::trace::Event;

/// Something that matches the verb of an expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VerbMatch {
    /// The index in the trace.
    pub(super) index: usize,
    /// The time.
    pub(super) at: Duration,
    /// The reason code of the DISCONNECT before a close, if any.
    pub(super) said: Option<ReasonCode>,
}

/// Recognizes what an expectation is about, event by event, at one node. Knows nothing of times.
#[derive(Clone, Debug)]
pub(super) enum Recognizer {
    Packets(Packets),
    Delivers(Delivers),
    Closes(Closes),
    Loses(Loses),
    Attempts(Attempts),
}

impl Recognizer {
    /// A recognizer for the expectation at `node`; `None` for a verb that is no event.
    pub(super) fn new(plan: &Plan, expectation: &Expectation, node: NodeId) -> Option<Self> {
        Some(match &expectation.verb {
            Verb::Receives(patterns) => Self::Packets(Packets::received(node, patterns.clone(), expectation.from)),
            Verb::Sends(patterns) => Self::Packets(Packets::sent(node, patterns.clone(), expectation.to)),
            Verb::Delivers(patterns) => {
                let is_raw = matches!(plan.node(node).program, Program::RawClient(_));
                Self::Delivers(Delivers::new(node, patterns.clone(), is_raw))
            }
            Verb::Closes { peer, because, how, .. } => Self::Closes(Closes::new(node, *peer, *because, *how)),
            Verb::Loses { peer, how } => Self::Loses(Loses::new(node, *peer, *how)),
            Verb::Attempts { peer } => Self::Attempts(Attempts::new(node, *peer)),
            Verb::Is(_) | Verb::Has(_) | Verb::AnyOf(_) => return None,
        })
    }

    /// Looks at the next event of the node. All of them must be shown, from the first of the run on; `counts` says
    /// whether this one is where the expectation looks.
    pub(super) fn feed(&mut self, index: usize, event: &Event, counts: bool) -> Option<VerbMatch> {
        match self {
            Self::Packets(packets) => counts.then(|| packets.feed(index, event)).flatten(),
            Self::Delivers(delivers) => delivers.feed(index, event, counts),
            Self::Attempts(attempts) => counts.then(|| attempts.feed(index, event)).flatten(),
            // What a connection is, is learnt from all of its events.
            Self::Closes(closes) => closes.feed(index, event),
            Self::Loses(loses) => loses.feed(index, event),
        }
    }

    /// Returns what came close, for messages: "closed because takeover at 7.530".
    pub(super) fn near(&self) -> Option<&str> {
        match self {
            Self::Packets(packets) => packets.near(),
            Self::Delivers(delivers) => delivers.near(),
            Self::Closes(closes) => closes.near(),
            Self::Loses(loses) => loses.near(),
            Self::Attempts(_) => None,
        }
    }
}

/// Returns what the expectation says of the node: "closes sensor", "sends PINGREQ".
pub(super) fn phrase(plan: &Plan, expectation: &Expectation) -> String {
    let on = match expectation.on.as_slice() {
        [] => String::new(),
        on => format!(" on {}", names(plan, on)),
    };
    said(plan, expectation) + &on
}

/// "sensor#2"; of a group "fleet.1#2, fleet.2#2".
pub(super) fn names(plan: &Plan, on: &[NthConnection]) -> String {
    let names = on.iter().map(|one| format!("{}#{}", plan.node(one.client).name, one.number));
    names.collect::<Vec<_>>().join(", ")
}

fn said(plan: &Plan, expectation: &Expectation) -> String {
    let name = |id: NodeId| plan.node(id).name.as_str();
    match &expectation.verb {
        Verb::Receives(patterns) => {
            let from = expectation.from.map(|from| format!(" from {}", name(from))).unwrap_or_default();
            format!("receives {}{from}", packets::text(patterns))
        }
        Verb::Sends(patterns) => {
            let to = expectation.to.map(|to| format!(" to {}", name(to))).unwrap_or_default();
            format!("sends {}{to}", packets::text(patterns))
        }
        Verb::Delivers(patterns) => format!("delivers {}", delivers::text(patterns)),
        Verb::Closes { peer, because, how, .. } => {
            let because = because.map(|because| format!(" because {}", because.word())).unwrap_or_default();
            format!("closes {}{}{because}", name(*peer), closes::how_text(*how))
        }
        Verb::Loses { peer, how } => format!("loses {}{}", name(*peer), closes::how_text(*how)),
        Verb::Attempts { peer } => format!("attempts to connect to {}", name(*peer)),
        Verb::Is(state) => format!("is {}", state_text(*state)),
        Verb::Has(holding) => format!("has {}", has::text(holding)),
        Verb::AnyOf(_) => "any of these".to_owned(),
    }
}

/// The verb as it is said of what was: "closed".
pub(super) fn past(verb: &Verb) -> &'static str {
    match verb {
        Verb::Receives(_) => "received",
        Verb::Sends(_) => "sent",
        Verb::Delivers(_) => "delivered",
        Verb::Closes { .. } => "closed",
        Verb::Loses { .. } => "lost",
        Verb::Attempts { .. } => "attempted",
        Verb::Is(_) => "was",
        Verb::Has(_) | Verb::AnyOf(_) => "had",
    }
}

impl Timeline {
    /// Returns how the state that the verb is about holds over time, for a verb that is a state.
    pub(super) fn of<'a>(verb: &Verb, node: NodeId, events: impl IntoIterator<Item = &'a Event>) -> Option<Self> {
        match verb {
            Verb::Is(state) => Some(is::timeline(*state, node, events)),
            Verb::Has(holding) => Some(has::timeline(holding, node, events)),
            _ => None,
        }
    }
}
