//! Applies the defects that show in single packets: one that comes in is lost or changed, or one that goes out is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytestring::ByteString;
use halfopen_protocol::packet::{Disconnect, PacketId, Publish, QoS, RetainHandling, Subscribe, UnsubAck, Unsubscribe};
use halfopen_protocol::{Instant, Packet, ReasonCode};

use super::Defect;
use crate::core::session::{Expiry, SessionKey};
use crate::core::{Broker, ConnectionId};

/// The memory of these defects.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// The first Subscription Identifier of each filter.
    identifiers: BTreeMap<(SessionKey, ByteString), Option<u32>>,
    /// The topic of each alias, whatever the connection.
    aliases: BTreeMap<(SessionKey, u16), ByteString>,
    /// The lifetime with which each retained message came.
    lifetimes: BTreeMap<ByteString, Option<u32>>,
    /// Number of connections that each session has had.
    connections: BTreeMap<SessionKey, u32>,
    /// The connections that resumed a session, as long as they have not shown the defect.
    resumed: BTreeSet<ConnectionId>,
    /// The connection that was accepted last, and when.
    accepted: Option<(ConnectionId, Instant)>,
    /// The sessions at which the defect has begun.
    begun: BTreeSet<SessionKey>,
    /// The exchanges that the defect concerns, and the connection on which PUBREL was first sent.
    exchanges: BTreeMap<(SessionKey, PacketId), Option<ConnectionId>>,
    /// Number of retained messages that went out on each connection.
    retained: BTreeMap<ConnectionId, usize>,
    /// A message that lets others go first.
    held: Option<(ConnectionId, Packet)>,
}

impl Broker {
    /// Takes note that CONNECT has been accepted on a connection, of a session that was there or not.
    pub(super) fn remember_accepted(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        key: SessionKey,
        was_there: bool,
    ) {
        let remembered = &mut self.defects.remembered;
        *remembered.connections.entry(key).or_default() += 1;
        remembered.accepted = Some((connection, now));
        if was_there {
            remembered.resumed.insert(connection);
        }
    }

    /// Changes a packet that comes in; returns whether it is lost.
    pub(super) fn break_incoming(
        &mut self,
        defect: Defect,
        now: Instant,
        connection: ConnectionId,
        packet: &mut Packet,
    ) -> bool {
        if defect == Defect::PacketsBehindConnectLost {
            return self.defects.remembered.accepted == Some((connection, now));
        }
        let Some(key) = self.session_of(connection) else { return false };
        match packet {
            Packet::Publish(publish) => match defect {
                Defect::RetainedLifetimeNotCounted if publish.retain => {
                    let lifetimes = &mut self.defects.remembered.lifetimes;
                    lifetimes.insert(publish.topic.clone(), publish.message_expiry);
                }
                Defect::OversizedStallsQueue => self.stall(publish.payload.len()),
                Defect::RepetitionNotAnswered => return self.is_repeated(connection, key, publish),
                Defect::UnsubscribeUnansweredAfterDup if publish.dup => _ = self.defects.remembered.begun.insert(key),
                Defect::AliasesOfBeforeKnown => {
                    let Some(alias) = publish.topic_alias else { return false };
                    let topic = self.defects.remembered.aliases.entry((key, alias)).or_default();
                    match publish.topic.is_empty() {
                        true => Arc::make_mut(publish).topic = topic.clone(),
                        false => *topic = publish.topic.clone(),
                    }
                }
                _ => {}
            },
            Packet::PubAck(ack) | Packet::PubRec(ack) => {
                let is_stuck = self.defects.remembered.exchanges.contains_key(&(key, ack.packet_id));
                return match defect {
                    Defect::RefusalKeepsPlace => ack.reason.is_error(),
                    Defect::UnsubscribedExchangeStuck => is_stuck,
                    _ => false,
                };
            }
            Packet::Subscribe(subscribe) => self.break_subscribe(defect, key, subscribe),
            Packet::Unsubscribe(unsubscribe) => {
                return self.break_unsubscribe(defect, now, connection, key, unsubscribe);
            }
            Packet::Disconnect(disconnect) if defect == Defect::DisconnectLengthensZero => {
                if let Some(session) = self.sessions.get_mut(key)
                    && session.expiry == Expiry::AT_CLOSE
                    && let Some(expiry) = disconnect.session_expiry.take()
                {
                    session.expiry = Expiry::from_secs(expiry);
                }
            }
            _ => {}
        }
        false
    }

    /// Returns whether a message has come on this connection before.
    fn is_repeated(&mut self, connection: ConnectionId, key: SessionKey, publish: &Publish) -> bool {
        let Some(id) = publish.packet_id else { return false };
        let before = self.defects.remembered.exchanges.insert((key, id), Some(connection));
        publish.dup && before == Some(Some(connection))
    }

    /// Returns whether a message goes to a member of a group while another session takes no more messages.
    fn waits_for_stuck_member(&self, key: SessionKey, publish: &Publish) -> bool {
        let flow = |key| self.sessions.get(key).and_then(|session| session.flow.as_ref());
        let flight = flow(key).zip(publish.packet_id).and_then(|(flow, id)| flow.outbox.tag(id));
        let is_stuck = |other: SessionKey| other != key && flow(other).is_some_and(|flow| !flow.outbox.has_room());
        flight.is_some_and(|flight| flight.shared.is_some()) && self.sessions.keys().into_iter().any(is_stuck)
    }

    /// The sessions whose clients take no packet of this size get nothing more.
    fn stall(&mut self, size: usize) {
        for open in self.connections.values().filter(|open| (open.maximum_packet_size as usize) < size) {
            self.defects.remembered.begun.extend(open.client.as_ref().map(|client| client.session));
        }
    }

    fn break_subscribe(&mut self, defect: Defect, key: SessionKey, subscribe: &mut Subscribe) {
        for subscription in &mut subscribe.subscriptions {
            let handling = &mut subscription.retain_handling;
            match defect {
                Defect::SubscriptionIdentifierKept => {
                    let identifiers = &mut self.defects.remembered.identifiers;
                    let first = identifiers.entry((key, subscription.filter.clone()));
                    subscribe.subscription_id = *first.or_insert(subscribe.subscription_id);
                }
                Defect::RetainHandlingIgnored => *handling = RetainHandling::Send,
                Defect::RetainedOnlyOnce if *handling == RetainHandling::Send => *handling = RetainHandling::SendIfNew,
                _ => {}
            }
        }
    }

    fn break_unsubscribe(
        &mut self,
        defect: Defect,
        now: Instant,
        connection: ConnectionId,
        key: SessionKey,
        unsubscribe: &Unsubscribe,
    ) -> bool {
        match defect {
            Defect::UnsubscribedExchangeStuck => {
                let flow = self.sessions.get(key).and_then(|session| session.flow.as_ref());
                let under_way = flow.into_iter().flat_map(|flow| flow.outbox.unacknowledged());
                let ids = under_way.filter_map(|(publish, _)| publish.packet_id);
                self.defects.remembered.exchanges.extend(ids.map(|id| ((key, id), None)));
                false
            }
            Defect::UnsubscribeForgotten => {
                let is_v5 = self.connections.get(&connection).is_some_and(|open| open.version.is_v5());
                let reasons = if is_v5 { vec![ReasonCode::SUCCESS; unsubscribe.filters.len()] } else { Vec::new() };
                let answer = UnsubAck {
                    packet_id: unsubscribe.packet_id,
                    reason_string: None,
                    user_properties: Vec::new(),
                    reasons,
                };
                self.send(now, connection, Packet::UnsubAck(answer));
                true
            }
            _ => false,
        }
    }

    /// Changes a packet that goes out; returns nothing if it is lost.
    pub(super) fn break_outgoing(
        &mut self,
        defect: Defect,
        now: Instant,
        connection: ConnectionId,
        mut packet: Packet,
    ) -> Option<Packet> {
        let Some(key) = self.session_of(connection) else { return Some(packet) };
        if let (Defect::StuckMemberHoldsUpGroup, Packet::Publish(publish)) = (defect, &packet) {
            return (!self.waits_for_stuck_member(key, publish)).then_some(packet);
        }
        let flow = self.sessions.get(key).and_then(|session| session.flow.as_ref());
        let has_room = flow.is_none_or(|flow| flow.outbox.has_room());
        let queue_messages = self.config.queue_messages;
        let remembered = &mut self.defects.remembered;
        let is_lost = match (defect, &mut packet) {
            (Defect::RetainedLifetimeNotCounted, Packet::Publish(publish)) if publish.retain => {
                let lifetime = remembered.lifetimes.get(&publish.topic).copied().flatten();
                Arc::make_mut(publish).message_expiry = lifetime;
                false
            }
            (Defect::OversizedStallsQueue, Packet::Publish(_)) => remembered.begun.contains(&key),
            (Defect::WindowStopsQos0, Packet::Publish(publish)) => publish.qos == QoS::AtMostOnce && !has_room,
            (Defect::RetainedLimitedByQueue, Packet::Publish(publish)) if publish.retain => {
                let count = remembered.retained.entry(connection).or_default();
                *count += 1;
                *count > queue_messages
            }
            (Defect::DeafAfterTenReconnects, Packet::Publish(_)) => remembered.connections.get(&key) > Some(&10),
            (Defect::NewIdentifierOnResume, Packet::Publish(publish)) if publish.dup => {
                let id = publish.packet_id.map_or(1, |id| id.get().wrapping_add(1000));
                Arc::make_mut(publish).packet_id = PacketId::new(id);
                false
            }
            (Defect::ExpiredExchangeForgotten, Packet::Publish(publish)) => {
                let id = publish.packet_id.filter(|_| publish.message_expiry.is_some());
                remembered.exchanges.extend(id.map(|id| ((key, id), None)));
                false
            }
            (Defect::ExpiredExchangeForgotten, Packet::PubRel(pubrel)) => {
                let first = remembered.exchanges.get_mut(&(key, pubrel.packet_id));
                first.is_some_and(|first| *first.get_or_insert(connection) != connection)
            }
            (Defect::ReleaseNeedsRoom, Packet::PubRel(_)) => !has_room,
            (Defect::FirstReleaseAfterResumeLost, Packet::PubRel(_)) => remembered.resumed.remove(&connection),
            (Defect::UnsubscribeUnansweredAfterDup, Packet::UnsubAck(_)) => remembered.begun.contains(&key),
            (Defect::AnswersDroppedWithQueue, Packet::UnsubAck(_) | Packet::SubAck(_)) => !has_room,
            (Defect::ReasonStringTooLarge, Packet::PubAck(ack) | Packet::PubRec(ack)) if ack.reason.is_error() => {
                ack.reason_string = Some("this client may not publish to this topic".into());
                false
            }
            (Defect::QueueBehindNews, Packet::Publish(_)) => return self.let_next_go_first(now, connection, packet),
            _ => false,
        };
        (!is_lost).then_some(packet)
    }

    /// Changes the DISCONNECT with which a connection is ended.
    pub(in crate::core) fn disconnect_or_defect(&self, disconnect: Disconnect) -> Disconnect {
        let reason = match (self.defects.on, disconnect.reason) {
            (Some(Defect::QuotaReasonWrong), ReasonCode::RECEIVE_MAXIMUM_EXCEEDED) => ReasonCode::QUOTA_EXCEEDED,
            (Some(Defect::StopSaysWrongReason), ReasonCode::SERVER_SHUTTING_DOWN) => ReasonCode::UNSPECIFIED_ERROR,
            (_, reason) => reason,
        };
        Disconnect { reason, ..disconnect }
    }

    /// On a connection that has resumed a session the first message lets the second one go first.
    fn let_next_go_first(&mut self, now: Instant, connection: ConnectionId, packet: Packet) -> Option<Packet> {
        let remembered = &mut self.defects.remembered;
        if remembered.resumed.remove(&connection) {
            remembered.held = Some((connection, packet));
            return None;
        }
        match remembered.held.take() {
            Some((of, first)) if of == connection => {
                self.send(now, connection, packet);
                Some(first)
            }
            _ => Some(packet),
        }
    }
}
