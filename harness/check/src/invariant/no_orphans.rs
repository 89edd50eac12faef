//! Nothing outlives its session, and no session its end: a client has one connection ([MQTT-3.1.4-2] (3.1.1),
//! [MQTT-3.1.4-3] (5.0)), Session Present says the truth ([MQTT-3.2.2-1] to [MQTT-3.2.2-3]), and no client gets what it has
//! not subscribed to in this session.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytestring::ByteString;
use halfopen_protocol::packet::{PacketId, QoS};
use halfopen_protocol::{Packet, topic};

use super::index::{ConnectionEnd, EndId, Fact, Seen, SessionId};
use super::report::{Breach, Report};
use super::table::Table;
use super::{Context, Rule, shown};
use crate::plan::{BrokerProgram, Invariant, NodeId, Program};

#[derive(Default)]
pub(super) struct NoOrphans {
    sessions: Table<SessionId, Subscriptions>,
    /// The takeovers that are judged when their instant is over, because the order within one instant decides nothing.
    takeovers: Vec<Takeover>,
    /// Number of clients that each broker has accepted so far.
    clients: BTreeMap<NodeId, usize>,
}

/// A connection was accepted whose session had one before.
struct Takeover {
    at: Duration,
    old: EndId,
    new: EndId,
    /// True if the broker went on at this instant after it had stood still.
    went_on: bool,
}

/// The subscriptions of a session since it began; what was queued may come after UNSUBSCRIBE.
#[derive(Default)]
struct Subscriptions {
    filters: BTreeSet<ByteString>,
    /// SUBSCRIBEs without SUBACK: retained messages may come before it.
    asked: BTreeMap<PacketId, Vec<ByteString>>,
    /// Topics that are known to match.
    covered: BTreeSet<ByteString>,
    is_broken: bool,
}

impl Rule for NoOrphans {
    fn observe(&mut self, fact: &Fact<'_>, context: &Context<'_>, report: &mut Report) {
        if self.takeovers.first().is_some_and(|takeover| takeover.at < fact.at()) {
            self.judge_takeovers(context, report);
        }
        match fact {
            Fact::Accepted { at, end, session, previous } => {
                self.accepted(*at, *end, *session, *previous, context, report);
            }
            Fact::Exchanged(session, seen) if context.index.end(seen.end).is_broker => {
                let subscriptions = self.sessions.get_or_default(*session);
                subscriptions.note(seen);
                // What still goes out on the connection before is of the session before.
                let is_current = context.index.session(*session).current == seen.end;
                let is_judged = seen.sent_publish().is_some() && is_current && !subscriptions.is_broken;
                if is_judged && !subscriptions.cover(&seen.topic) {
                    subscriptions.is_broken = true;
                    let end = context.index.end(seen.end);
                    let (name, to) = (context.name(end.node), end.client_id());
                    let expected = format!("{name} sends {to} what it has subscribed to");
                    let actual = format!("a message on {} at {}", seen.topic, shown(seen.at));
                    report.breach(Invariant::NoOrphans, Breach::new(expected, actual));
                }
            }
            _ => {}
        }
    }

    fn finish(&mut self, _end: Duration, context: &Context<'_>, report: &mut Report) {
        self.judge_takeovers(context, report);
    }
}

impl NoOrphans {
    fn judge_takeovers(&mut self, context: &Context<'_>, report: &mut Report) {
        for Takeover { at, old, new, went_on } in std::mem::take(&mut self.takeovers) {
            let [old, new] = [old, new].map(|end| context.index.end(end));
            if old.is_up(at) {
                let expected = format!("{} has one connection with {}", context.name(new.node), new.client_id());
                report.breach(Invariant::NoOrphans, Breach::new(expected, format!("two at {}", shown(at))));
            }
            let clients = self.clients.get(&new.node).copied().unwrap_or_default();
            session_present((at, went_on), [old, new], clients, context, report);
        }
    }

    fn accepted(
        &mut self,
        at: Duration,
        id: EndId,
        session: SessionId,
        previous: Option<EndId>,
        context: &Context<'_>,
        report: &mut Report,
    ) {
        let end = context.index.end(id);
        if !end.is_broker {
            return;
        }
        let subscriptions = self.sessions.get_or_default(session);
        subscriptions.asked.clear();
        if !context.index.session(session).is_resumed {
            *subscriptions = Subscriptions { is_broken: subscriptions.is_broken, ..Subscriptions::default() };
        }
        if let Some(old) = previous {
            let went_on = context.index.resumed_at(end.node) == Some(at);
            self.takeovers.push(Takeover { at, old, new: id, went_on });
            return;
        }
        *self.clients.entry(end.node).or_default() += 1;
        if is_present(end) {
            let (name, client) = (context.name(end.node), end.client_id());
            let expected = format!("{name} has no session of {client}, which comes for the first time");
            report.breach(Invariant::NoOrphans, Breach::new(expected, format!("session present at {}", shown(at))));
        }
    }
}

impl Subscriptions {
    fn note(&mut self, seen: &Seen<'_>) {
        match &*seen.packet {
            Packet::Subscribe(subscribe) if !seen.is_sent => {
                let filters = subscribe.subscriptions.iter().map(|subscription| subscription.filter.clone());
                self.asked.insert(subscribe.packet_id, filters.collect());
            }
            Packet::SubAck(suback) if seen.is_sent => {
                let asked = self.asked.remove(&suback.packet_id).unwrap_or_default();
                let granted = asked.into_iter().zip(&suback.reasons);
                let granted = granted.filter(|(_, reason)| QoS::new(reason.value()).is_some());
                self.filters.extend(granted.map(|(filter, _)| filter));
            }
            _ => {}
        }
    }

    fn cover(&mut self, name: &ByteString) -> bool {
        let matches =
            |filter: &ByteString| topic::matches(topic::shared(filter).map_or(filter, |shared| shared.filter), name);
        if self.covered.contains(name) || self.asked.values().flatten().any(matches) {
            return true;
        }
        let is_covered = self.filters.iter().any(matches);
        if is_covered {
            self.covered.insert(name.clone());
        }
        is_covered
    }
}

fn is_present(end: &ConnectionEnd) -> bool {
    end.connack.as_ref().is_some_and(|(_, connack)| connack.session_present)
}

fn session_present(
    (at, went_on): (Duration, bool),
    [old, new]: [&ConnectionEnd; 2],
    clients: usize,
    context: &Context<'_>,
    report: &mut Report,
) {
    let Program::Broker(BrokerProgram { config, durable, .. }) = &context.plan.node(new.node).program else { return };
    let (Some(before), Some(connect)) = (&old.connect, &new.connect) else { return };
    let (name, client) = (context.name(new.node), new.client_id());
    let mut not_judged = |why: String| report.not_judged_of(Invariant::NoOrphans, at, &client, &why);
    // A durable broker that was not there when the connection ended counts from its restart.
    if old.generation != new.generation && (!*durable || old.died) {
        return not_judged(format!("{name} was started again: whether it must still have a session of {client}"));
    }
    if before.username != connect.username {
        return not_judged(format!("whether {client} gets a session that another user left"));
    }
    let Some(expiry) = old.session_expiry().map(|expiry| expiry.min(config.maximum_session_expiry)) else { return };
    let Some(ended) = old.ended.map(|ended| ended.min(at)) else { return };
    let ends = (expiry != u32::MAX).then(|| ended + Duration::from_secs(expiry.into()));
    // At that very instant either is right, but for one that ends with its connection.
    if expiry > 0 && ends == Some(at) && !connect.clean_start {
        return not_judged(format!("the session of {client} ends when it comes back: either is right"));
    }
    if ends.is_some_and(|ends| ends < at) && went_on && !connect.clean_start {
        return not_judged(format!("the session of {client} ended while {name} stood still: either is right"));
    }
    let tolerance = context.plan.tolerance;
    if !tolerance.is_zero() && !connect.clean_start && ends.is_some_and(|ends| ends <= at && at <= ends + tolerance) {
        return not_judged(format!("the session of {client} ended within the tolerance: either is right"));
    }
    let is_there = !connect.clean_start && ends.is_none_or(|ends| ends > at);
    if is_there && clients > config.sessions {
        return not_judged(format!(
            "{name} keeps fewer sessions than it has had clients: which it has ended is its choice"
        ));
    }
    if is_there != is_present(new) {
        let ended = ends.map_or("never ends".to_owned(), |ends| format!("ends at {}", shown(ends)));
        let expected = format!("{name}: session present {is_there} for {client}, whose session {ended}");
        let actual = format!("{} at {}", is_present(new), shown(at));
        report.breach(Invariant::NoOrphans, Breach::new(expected, actual));
    }
}
