//! Answers of a server: every request has one, with the identifier of the request, and nothing else is answered.

use std::collections::{BTreeMap, VecDeque};

use halfopen_protocol::packet::{Ack, PacketId, QoS, SubAck, Subscription, UnsubAck};
use halfopen_protocol::{Instant, Packet, PacketType, ReasonCode, Version};

use super::Server;
use super::access::Permission;
use super::connection::Connection;
use super::owed::{Match, OwedMessage};
use super::publication::Publication;
use super::session::Subscribed;
use super::topic::Filter;
use crate::model::finding::{Findings, clause_of, shown};
use crate::plan::Invariant;
use crate::trace::ConnectionId;

impl Server {
    /// The server sends a packet that answers one of the client's.
    pub(super) fn answer(&mut self, id: ConnectionId, packet: &Packet, findings: &mut Findings) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return self.answer_lately(id, packet, findings);
        };
        let version = connection.version();
        self.judge_late_answer(id, packet.packet_type(), findings);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let answered = match packet {
            Packet::PingResp => connection.pings.pop_front().is_some(),
            Packet::PubAck(ack) => self.send_puback(id, ack, findings),
            Packet::PubRec(ack) => self.send_pubrec(id, ack, findings),
            Packet::PubComp(ack) => self.send_pubcomp(id, ack, findings),
            Packet::SubAck(suback) => self.send_suback(id, suback, findings),
            Packet::UnsubAck(unsuback) => self.send_unsuback(id, unsuback, findings),
            _ => return,
        };
        if answered {
            return;
        }
        let client = self.connections.get(&id).map_or("", |connection| self.node_name(connection.client));
        let what = packet.packet_type();
        let owed = format!("{} sends {} to {client} only as an answer", self.name, what.name());
        let actual = format!("one that nothing asked for, at {}", shown(self.now));
        let invariant = match what {
            PacketType::PingResp => Invariant::BrokerAnswers,
            _ => Invariant::PacketIds,
        };
        findings.push(invariant, clause(what, version), &owed, actual);
    }

    /// An answer still goes out on a connection that has ended at this instant: the server had written it before. What it
    /// says of subscriptions holds for the session, which may go on.
    fn answer_lately(&mut self, id: ConnectionId, packet: &Packet, findings: &mut Findings) {
        match packet {
            Packet::SubAck(suback) => drop(self.send_suback(id, suback, findings)),
            Packet::UnsubAck(unsuback) => drop(self.send_unsuback(id, unsuback, findings)),
            _ => {}
        }
    }

    /// Judges whether the oldest request that this packet may answer has waited for too long.
    fn judge_late_answer(&self, id: ConnectionId, answer: PacketType, findings: &mut Findings) {
        let Some(connection) = self.connections.get(&id) else { return };
        let late = oldest(connection).find(|(_, what, _)| *what == answer);
        if let Some((asked, what, since)) = late.filter(|(.., since)| self.is_overdue(connection, *since)) {
            let client = self.node_name(connection.client);
            let owed = format!("{} sends {} to {client} for its {} at once", self.name, what.name(), asked.name());
            let actual = format!("{} came at {}, and this is {}", asked.name(), shown(since), shown(self.now));
            findings.push(Invariant::BrokerAnswers, clause(what, connection.version()), &owed, actual);
        }
    }

    fn send_puback(&mut self, id: ConnectionId, ack: &Ack, findings: &mut Findings) -> bool {
        let Some(connection) = self.connections.get_mut(&id) else { return true };
        let Some((_, publication)) = take(&mut connection.requests.publishes, ack.packet_id) else { return false };
        self.judge_reason(id, "PUBACK", ack, &publication, findings);
        if ack.reason.is_error() {
            self.doubt(&[publication]);
        }
        true
    }

    fn send_pubrec(&mut self, id: ConnectionId, ack: &Ack, findings: &mut Findings) -> bool {
        let Some(connection) = self.connections.get_mut(&id) else { return true };
        let Some((_, publication)) = take(&mut connection.requests.publishes_qos_2, ack.packet_id) else {
            return false;
        };
        self.judge_reason(id, "PUBREC", ack, &publication, findings);
        if ack.reason.is_error() {
            if let Some(session) = self.session_of(id) {
                session.unreleased.remove(&ack.packet_id);
            }
            self.doubt(&[publication]);
        }
        true
    }

    /// 5.0: what PUBACK and PUBREC say of a message (§3.4.2.1, §3.5.2.1).
    fn judge_reason(
        &self,
        id: ConnectionId,
        name: &str,
        ack: &Ack,
        publication: &Publication,
        findings: &mut Findings,
    ) {
        let Some(connection) = self.connections.get(&id).filter(|connection| connection.is_v5()) else { return };
        let client = self.node_name(connection.client);
        // A server that knows the message of an earlier connection answers as it did then.
        let may_be_known = self.session_with(connection, id).is_some_and(|(_, session)| session.is_unknown);
        let (clause, owed) = match publication.permission {
            Permission::Denied if !ack.reason.is_error() && !may_be_known => {
                ("§3.4.2.1", "refuses a message that is not allowed")
            }
            Permission::Granted if ack.reason == ReasonCode::NOT_AUTHORIZED && !publication.topic.starts_with('$') => {
                ("§3.4.2.1", "takes a message that is allowed")
            }
            _ if ack.reason == ReasonCode::NO_MATCHING_SUBSCRIBERS && publication.has_subscriber.get() => {
                ("§3.4.2.1", "knows that the message has a subscriber")
            }
            _ => return,
        };
        let owed = format!("{} {owed}: {name} {} to {client}", self.name, ack.packet_id);
        findings.push(Invariant::BrokerAnswers, clause, &owed, format!("{} at {}", ack.reason, shown(self.now)));
    }

    /// PUBCOMP answers PUBREL; 5.0: it says 0x92 only of an identifier that the server does not know (§3.7.2.1).
    fn send_pubcomp(&mut self, id: ConnectionId, ack: &Ack, findings: &mut Findings) -> bool {
        let Some(connection) = self.connections.get_mut(&id) else { return true };
        let Some((_, is_known)) = take(&mut connection.requests.releases, ack.packet_id) else { return false };
        if is_known && ack.reason.is_error() && connection.is_v5() {
            let client = connection.client;
            let client = self.node_name(client);
            let owed = format!("{} completes the exchange {} of {client}", self.name, ack.packet_id);
            let actual = format!("PUBCOMP {} at {}", ack.reason, shown(self.now));
            findings.push(Invariant::BrokerAnswers, "§3.7.2.1", &owed, actual);
        }
        true
    }

    /// SUBACK has a code for each filter [MQTT-3.8.4-6] (5.0), [MQTT-3.8.4-5] (3.1.1); the subscriptions exist from here.
    fn send_suback(&mut self, id: ConnectionId, suback: &SubAck, findings: &mut Findings) -> bool {
        let Some(connection) = self.connection_until_now(id) else { return true };
        let version = connection.version();
        let Some((asked_at, number, asked)) = take(&mut connection.requests.subscribes, suback.packet_id) else {
            return false;
        };
        if asked.len() != suback.reasons.len() {
            let owed = format!("{} sends SUBACK with {} codes, one for each filter", self.name, asked.len());
            let actual = format!("{} at {}", suback.reasons.len(), shown(self.now));
            findings.push(Invariant::BrokerAnswers, clause_of(version, "MQTT-3.8.4-5", "MQTT-3.8.4-6"), &owed, actual);
        }
        for (subscription, reason) in asked.iter().zip(&suback.reasons) {
            match QoS::new(reason.value()) {
                Some(qos) if qos > subscription.qos => {
                    let owed = format!(
                        "{} grants at most QoS {} for {}",
                        self.name, subscription.qos as u8, subscription.filter
                    );
                    let actual = format!("QoS {} at {}", qos as u8, shown(self.now));
                    findings.push(
                        Invariant::BrokerAnswers,
                        clause_of(version, "MQTT-3.8.4-6", "MQTT-3.8.4-8"),
                        &owed,
                        actual,
                    );
                    self.subscribe(id, subscription, qos, number, asked_at);
                }
                Some(qos) => self.subscribe(id, subscription, qos, number, asked_at),
                None => {}
            }
        }
        // Where nothing more is asked for, what was sent before a SUBACK was for this one, also if it was not known to be retained.
        let asks_no_more = self.connection_until_now(id).is_some_and(|one| one.requests.subscribes.is_empty());
        if asks_no_more && let Some(session) = self.client_until_now(id).and_then(|of| self.sessions.get_mut(&of)) {
            session.retained_while_asked.clear();
        }
        true
    }

    fn subscribe(&mut self, id: ConnectionId, asked: &Subscription, qos: QoS, number: Option<u32>, asked_at: Instant) {
        let subscribed = Subscribed {
            filter: Filter::new(&asked.filter),
            qos,
            no_local: asked.no_local,
            retain_as_published: asked.retain_as_published,
            id: number,
            since: self.now,
            is_leaving: false,
        };
        let Some(client_id) = self.client_until_now(id) else { return };
        self.subscribers.add(&asked.filter, &subscribed.filter, &client_id);
        let queue = self.queue();
        let fresh = self.at_this_instant.clone();
        let is_shared = subscribed.filter.group.is_some();
        let maximum = self.sessions.get(&client_id).map_or(usize::MAX, |session| session.maximum_packet_size);
        for publication in fresh.iter().filter(|one| is_shared && subscribed.filter.matches(&one.topic)) {
            let of = Match::live(&subscribed, publication);
            let fits = publication.fits(std::slice::from_ref(&of), maximum);
            self.groups.may_join(&asked.filter, &client_id, publication, of, fits);
        }
        let Some(session) = self.sessions.get_mut(&client_id) else { return };
        // What is retained has been written behind SUBACK, on a connection that may have ended since.
        session.waits_for_retained |= session.connection != Some(id);
        let before = session.subscriptions.insert(asked.filter.clone(), subscribed.clone());
        let is_new = before.is_none();
        if let Some(before) = before {
            session.owed.made_anew(&before, &subscribed);
        }
        // What came at this instant may have come between SUBSCRIBE and SUBACK, and be sent later.
        for publication in fresh {
            let is_for_it = subscribed.filter.group.is_none()
                && subscribed.filter.matches(&publication.topic)
                && !(subscribed.no_local && publication.publisher == client_id);
            if !is_for_it {
                continue;
            }
            if publication.owed_to.borrow().contains(&client_id) {
                session.owed.may_match_too(&publication, &Match::live(&subscribed, &publication));
            } else {
                publication.owed_to.borrow_mut().push(client_id.clone());
                session.owe(OwedMessage::possible(publication, &subscribed), queue);
            }
        }
        self.owe_retained(id, &subscribed, asked.retain_handling, is_new, asked_at);
        // Nor is it known whether that was retained before.
        self.doubt_this_instant(id);
    }

    fn send_unsuback(&mut self, id: ConnectionId, unsuback: &UnsubAck, findings: &mut Findings) -> bool {
        let Some(connection) = self.connection_until_now(id) else { return true };
        let Some((_, filters)) = take(&mut connection.requests.unsubscribes, unsuback.packet_id) else { return false };
        let is_v5 = connection.is_v5();
        let Some(client_id) = self.client_until_now(id) else { return true };
        let Some(session) = self.sessions.get_mut(&client_id) else { return true };
        // What an unanswered request of a connection before has done is not known.
        let is_sure = is_v5 && !session.sender.is_doubtful() && !session.has_unanswered;
        let mut wrong = None;
        if is_v5 && unsuback.reasons.len() != filters.len() {
            wrong = Some(format!("{} codes, one for each filter", filters.len()));
        }
        for (index, filter) in filters.iter().enumerate() {
            let reason = unsuback.reasons.get(index).copied();
            if reason.is_some_and(|reason| reason.is_error()) {
                continue;
            }
            let expected = match session.subscriptions.contains_key(filter) {
                true => ReasonCode::SUCCESS,
                false => ReasonCode::NO_SUBSCRIPTION_EXISTED,
            };
            if is_sure && reason.is_some_and(|reason| reason != expected) {
                wrong = Some(format!("{expected} for {filter}"));
            }
            if let Some(gone) = session.subscriptions.remove(filter) {
                self.subscribers.remove(filter, &client_id);
                // What waits may go out or not; nothing may be added [MQTT-3.10.4-2].
                session.owed.doubt_if(|message| gone.filter.matches(&message.publication.topic));
                let given = self.groups.member_left(&client_id, &BTreeMap::from([(filter.clone(), gone)]));
                for message in given {
                    session.owed.push(message);
                }
            }
        }
        if let Some(expected) = wrong {
            let owed = format!("{} sends {client_id} UNSUBACK with {expected}", self.name);
            let reasons: Vec<String> = unsuback.reasons.iter().map(ToString::to_string).collect();
            let actual = format!("{} at {}", reasons.join(", "), shown(self.now));
            findings.push(Invariant::BrokerAnswers, "§3.11.3", &owed, actual);
        }
        true
    }

    /// Judges which answers are missing.
    pub(super) fn judge_answers(&self, id: ConnectionId, findings: &mut Findings) {
        let Some(connection) = self.connections.get(&id) else { return };
        let version = connection.version();
        for (asked, what, since) in oldest(connection) {
            if !self.is_overdue(connection, since) {
                continue;
            }
            let client = self.node_name(connection.client);
            let owed =
                format!("{} sends {} to {client} for its {} at {}", self.name, what.name(), asked.name(), shown(since));
            let actual = format!("none until {}", shown(self.now));
            findings.push(Invariant::BrokerAnswers, clause(what, version), &owed, actual);
        }
    }
}

/// Returns the oldest request of each kind that has no answer: what it is, what answers it, and since when that is owed.
fn oldest(connection: &Connection) -> impl Iterator<Item = (PacketType, PacketType, Instant)> + use<> {
    fn first<T>(queues: &BTreeMap<PacketId, VecDeque<T>>, since: impl Fn(&T) -> Instant) -> Option<Instant> {
        queues.values().flatten().map(since).min()
    }
    let requests = &connection.requests;
    let all = [
        (PacketType::PingReq, PacketType::PingResp, connection.pings.front().copied()),
        (PacketType::Subscribe, PacketType::SubAck, first(&requests.subscribes, |one| one.0)),
        (PacketType::Unsubscribe, PacketType::UnsubAck, first(&requests.unsubscribes, |one| one.0)),
        (PacketType::Publish, PacketType::PubAck, first(&requests.publishes, |one| one.0)),
        (PacketType::Publish, PacketType::PubRec, first(&requests.publishes_qos_2, |one| one.0)),
        (PacketType::PubRel, PacketType::PubComp, first(&requests.releases, |one| one.0)),
        (PacketType::PubRec, PacketType::PubRel, first(&requests.receipts, |one| *one)),
    ];
    all.into_iter().filter_map(|(asked, what, since)| Some((asked, what, since?)))
}

/// Takes the oldest of the requests with this identifier.
pub(super) fn take<T>(queues: &mut BTreeMap<PacketId, VecDeque<T>>, id: PacketId) -> Option<T> {
    let queue = queues.get_mut(&id)?;
    let first = queue.pop_front();
    if queue.is_empty() {
        queues.remove(&id);
    }
    first
}

/// Returns the statement that demands this answer.
fn clause(answer: PacketType, version: Version) -> &'static str {
    match answer {
        PacketType::PingResp => "MQTT-3.12.4-1",
        PacketType::SubAck => "MQTT-3.8.4-1",
        PacketType::UnsubAck => "MQTT-3.10.4-4",
        PacketType::PubAck => clause_of(version, "MQTT-4.3.2-2", "MQTT-4.3.2-4"),
        PacketType::PubRec => clause_of(version, "MQTT-4.3.3-2", "MQTT-4.3.3-8"),
        PacketType::PubComp => clause_of(version, "MQTT-4.3.3-2", "MQTT-4.3.3-11"),
        _ => clause_of(version, "MQTT-4.3.3-1", "MQTT-4.3.3-4"),
    }
}
