//! Brokers that say anything at any time, over a network that loses connections: whatever they do, the client breaks no
//! rule itself, says what rule they broke, and holds no more than it said it would.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use halfopen_protocol::packet::{
    Ack, Auth, ConnAck, Disconnect, PacketId, Publish, QoS, SubAck, Subscription, UnsubAck,
};
use halfopen_protocol::{Packet, ReasonCode, Version, encode};
use proptest::prelude::*;

use super::bench::{Bench, message, options};
use crate::core::{AuthError, DisconnectReason, Event, Mechanism, Options, Output, Ticket, Transport};

/// Of what we announce to the broker.
const RECEIVE_MAXIMUM: u16 = 3;
const ALIASES: u16 = 2;
const LARGEST: u32 = 120;
const CREDIT: usize = 5;

#[derive(Clone, Debug)]
enum Happening {
    Connect(Option<bool>),
    Opened(bool),
    /// The broker accepts as it should, with these limits.
    Accept(ConnAck),
    /// The broker answers one of the packets that the client has sent, as it should, with success or not.
    Answer(usize, bool),
    Packet(Packet),
    Bytes(Vec<u8>),
    Lost,
    /// One of the messages that wait for it is acknowledged, or refused.
    Acknowledge(usize, bool),
    Allow(usize),
    Congestion(bool),
    Publish(u8, u8),
    Subscribe(usize),
    Unsubscribe(usize),
    Reauthenticate,
    Disconnect(u8),
    Wake,
    Pass(u32),
}

fn ack() -> impl Strategy<Value = Ack> {
    let reasons = prop_oneof![6 => Just(0_u8), 1 => Just(0x10), 1 => Just(0x80), 1 => Just(0x92), 1 => Just(0x97)];
    (1_u16..6, reasons, any::<bool>()).prop_map(|(id, reason, says)| Ack {
        reason_string: says.then(|| "because".into()),
        ..Ack::with_reason(PacketId::new(id).expect("not 0"), ReasonCode::new(reason))
    })
}

fn publish() -> impl Strategy<Value = Publish> {
    let alias = prop_oneof![3 => Just(None), 4 => (0_u16..4).prop_map(Some)];
    let topic = prop_oneof![2 => Just("a"), 1 => Just("b"), 1 => Just("")];
    let ids = proptest::collection::vec(0_u32..3, 0..2);
    (0_u8..3, 1_u16..6, alias, topic, ids, any::<bool>(), 0_usize..110).prop_map(
        |(qos, id, topic_alias, topic, subscription_ids, dup, size)| {
            let qos = QoS::new(qos).expect("below 3");
            Publish {
                qos,
                dup: dup && qos != QoS::AtMostOnce,
                packet_id: PacketId::new(id).filter(|_| qos != QoS::AtMostOnce),
                topic: topic.into(),
                topic_alias,
                subscription_ids,
                payload: vec![b'x'; size / 5 * (size % 5)].into(),
                ..Publish::default()
            }
        },
    )
}

/// One that breaks no rule, unless too many are open.
fn good_publish() -> impl Strategy<Value = Publish> {
    (0_u8..3, 1_u16..6, proptest::option::of(1..=ALIASES)).prop_map(|(qos, id, topic_alias)| {
        let qos = QoS::new(qos).expect("below 3");
        let packet_id = PacketId::new(id).filter(|_| qos != QoS::AtMostOnce);
        Publish { packet_id, topic_alias, ..message(qos, "good") }
    })
}

fn connack() -> impl Strategy<Value = ConnAck> {
    let reason = prop_oneof![8 => Just(0_u8), 1 => Just(5), 1 => Just(0x87)];
    let method = prop_oneof![3 => Just(None), 3 => Just(Some("T")), 1 => Just(Some("U"))];
    let limits = (0_u16..4, 0_u16..4, proptest::option::of(12_u32..24), proptest::option::of(any::<bool>()));
    (reason, any::<bool>(), method, limits).prop_map(|(reason, session_present, method, limits)| ConnAck {
        reason: ReasonCode::new(reason),
        session_present: session_present && reason == 0,
        authentication_method: method.map(Into::into),
        receive_maximum: (limits.0 > 0).then_some(limits.0),
        topic_alias_maximum: (limits.1 > 0).then_some(limits.1),
        maximum_packet_size: limits.2,
        retain_available: limits.3,
        server_keep_alive: (limits.0 == 2).then_some(limits.1),
        ..ConnAck::default()
    })
}

fn packet() -> impl Strategy<Value = Packet> {
    let reasons = proptest::collection::vec(prop_oneof![Just(0_u8), Just(2), Just(0x80), Just(0x87)], 0..4);
    let auth = prop_oneof![4 => Just(0x18_u8), 2 => Just(0), 1 => Just(0x19)];
    let method = prop_oneof![3 => Just("T"), 1 => Just("U")];
    let data = prop_oneof![3 => Just("good"), 1 => Just("bad")];
    prop_oneof![
        5 => connack().prop_map(Packet::from),
        8 => publish().prop_map(Packet::from),
        3 => ack().prop_map(Packet::PubAck),
        3 => ack().prop_map(Packet::PubRec),
        3 => ack().prop_map(Packet::PubRel),
        3 => ack().prop_map(Packet::PubComp),
        3 => (1_u16..6, reasons.clone()).prop_map(|(id, reasons)| Packet::SubAck(SubAck {
            packet_id: PacketId::new(id).expect("not 0"),
            reason_string: None,
            user_properties: vec![],
            reasons: reasons.into_iter().map(ReasonCode::new).collect(),
        })),
        2 => (1_u16..6, reasons).prop_map(|(id, reasons)| Packet::UnsubAck(UnsubAck {
            packet_id: PacketId::new(id).expect("not 0"),
            reason_string: None,
            user_properties: vec![],
            reasons: reasons.into_iter().map(ReasonCode::new).collect(),
        })),
        4 => (auth, method, data).prop_map(|(reason, method, data)| Packet::Auth(Auth {
            reason: ReasonCode::new(reason),
            authentication_method: Some(method.into()),
            authentication_data: Some(data.into()),
            ..Auth::default()
        })),
        2 => Just(Packet::PingResp),
        1 => prop_oneof![Just(0_u8), Just(0x8B), Just(0x8E)]
            .prop_map(|reason| Packet::Disconnect(Disconnect::new(ReasonCode::new(reason)))),
        1 => Just(Packet::PingReq),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => any::<Option<bool>>().prop_map(Happening::Connect),
        8 => (0_u8..8).prop_map(|how| Happening::Opened(how > 0)),
        8 => connack().prop_map(Happening::Accept),
        20 => (0_usize..4, any::<u8>()).prop_map(|(which, how)| Happening::Answer(which, how < 200)),
        20 => good_publish().prop_map(|publish| Happening::Packet(Packet::from(publish))),
        5 => packet().prop_map(Happening::Packet),
        1 => proptest::collection::vec(any::<u8>(), 0..20).prop_map(Happening::Bytes),
        1 => Just(Happening::Lost),
        4 => (0_usize..4, any::<bool>()).prop_map(|(which, well)| Happening::Acknowledge(which, well)),
        2 => (0_usize..3).prop_map(Happening::Allow),
        1 => any::<bool>().prop_map(Happening::Congestion),
        6 => (0_u8..3, 0_u8..4).prop_map(|(qos, topic)| Happening::Publish(qos, topic)),
        2 => (1_usize..3).prop_map(Happening::Subscribe),
        1 => (1_usize..3).prop_map(Happening::Unsubscribe),
        2 => Just(Happening::Reauthenticate),
        1 => prop_oneof![Just(0_u8), Just(4)].prop_map(Happening::Disconnect),
        3 => Just(Happening::Wake),
        2 => (0_u32..20_000).prop_map(Happening::Pass),
    ]
}

/// Believes a peer that says `good`.
#[derive(Debug)]
struct Gullible;

impl Mechanism for Gullible {
    fn name(&self) -> ByteString {
        "T".into()
    }

    fn start(&mut self) -> Option<Bytes> {
        Some("start".into())
    }

    fn challenge(&mut self, data: Option<&[u8]>) -> Result<Option<Bytes>, AuthError> {
        if data == Some(b"bad") { Err(AuthError::new("bad")) } else { Ok(Some("answer".into())) }
    }

    fn finish(&mut self, data: Option<&[u8]>) -> Result<(), AuthError> {
        if data == Some(b"bad") { Err(AuthError::new("bad")) } else { Ok(()) }
    }
}

/// What the bytes that go out say, and what the rules say about them.
struct Audit {
    version: Version,
    /// Of what is open, none of it counted twice.
    is_opening: bool,
    connection: Option<Connection>,
    /// Messages that the application has yet to acknowledge.
    tickets: VecDeque<Ticket>,
    /// How many more it takes.
    credit: usize,
    /// The most of our messages that a broker has let be under way at once.
    most_in_flight: usize,
}

#[derive(Default)]
struct Connection {
    has_said: BTreeSet<&'static str>,
    limits: Option<ConnAck>,
    aliases: BTreeMap<u16, ByteString>,
    /// PUBLISH packets of ours that have not been answered.
    in_flight: BTreeSet<PacketId>,
    /// PUBLISH packets of the broker's that have not been answered, in their order.
    unanswered: [VecDeque<PacketId>; 2],
    /// Messages of QoS 2 that were answered, and not released.
    answered: BTreeSet<PacketId>,
    /// What we have sent and the broker may answer.
    questions: Vec<Packet>,
    last: Option<Packet>,
}

impl Audit {
    fn received(&mut self, packet: &Packet) {
        let Some(connection) = &mut self.connection else { return };
        match packet {
            Packet::ConnAck(connack) => connection.limits = Some((**connack).clone()),
            Packet::Publish(publish) => {
                let Publish { qos, packet_id: Some(id), .. } = &**publish else { return };
                let queue = &mut connection.unanswered[usize::from(qos.level()) - 1];
                // What the application already has and has not acknowledged gets one answer.
                if !queue.contains(id) {
                    queue.push_back(*id);
                }
            }
            Packet::PubRel(ack) => {
                let was_answered = connection.answered.remove(&ack.packet_id);
                connection.unanswered[1].retain(|id| !was_answered || *id != ack.packet_id);
            }
            Packet::PubAck(ack) => drop(connection.in_flight.remove(&ack.packet_id)),
            Packet::PubComp(ack) => drop(connection.in_flight.remove(&ack.packet_id)),
            Packet::PubRec(ack) if ack.reason.is_error() => drop(connection.in_flight.remove(&ack.packet_id)),
            _ => {}
        }
    }

    fn sent(&mut self, packet: &Packet) {
        let connection = self.connection.as_mut().expect("nothing is sent without a connection");
        let mut bytes = BytesMut::new();
        encode(packet, self.version, &mut bytes).expect("what is sent has a form");
        assert!(!connection.has_said.contains("DISCONNECT"), "{packet:?} after DISCONNECT [MQTT-3.14.4-2]");
        let name = packet.packet_type().name();
        let is_first = connection.has_said.is_empty();
        assert_eq!(is_first, name == "CONNECT", "CONNECT first and once [MQTT-3.1.0-1], [MQTT-3.1.0-2]");
        connection.has_said.insert(name);
        match (&connection.limits, packet) {
            (Some(limits), Packet::Publish(publish)) => {
                let limits = limits.clone();
                connection.check_publish(publish, &limits, bytes.len());
                self.most_in_flight = self.most_in_flight.max(connection.in_flight.len());
            }
            (None, Packet::Connect(_) | Packet::Auth(_) | Packet::Disconnect(_)) | (Some(_), _) => {}
            (None, packet) => panic!("{packet:?} before CONNACK [MQTT-3.1.2-30]"),
        }
        match packet {
            Packet::PubAck(ack) => connection.answer(0, ack),
            Packet::PubRec(ack) => connection.answer(1, ack),
            _ => {}
        }
        connection.questions.push(packet.clone());
        connection.last = Some(packet.clone());
    }

    fn ended(&mut self, reason: &DisconnectReason) {
        let Some(connection) = self.connection.take() else { return };
        let DisconnectReason::Protocol { reason, .. } = reason else { return };
        let said = match connection.last {
            Some(Packet::Disconnect(disconnect)) => Some(disconnect.reason),
            _ => None,
        };
        assert_eq!(said, self.version.is_v5().then_some(*reason), "5.0 says why, 3.1.1 does not");
    }
}

impl Connection {
    fn check_publish(&mut self, publish: &Publish, limits: &ConnAck, size: usize) {
        let largest = limits.maximum_packet_size.unwrap_or(u32::MAX);
        assert!(size <= largest as usize, "{size} bytes where {largest} are taken [MQTT-3.2.2-15]");
        assert!(!publish.retain || limits.retain_available != Some(false), "[MQTT-3.2.2-14]");
        if let Some(id) = publish.packet_id {
            self.in_flight.insert(id);
            let maximum = limits.receive_maximum.unwrap_or(u16::MAX);
            assert!(self.in_flight.len() <= usize::from(maximum), "[MQTT-3.3.4-7]");
        }
        if let Some(alias) = publish.topic_alias {
            assert!(alias > 0 && alias <= limits.topic_alias_maximum.unwrap_or(0), "[MQTT-3.3.2-8], [MQTT-3.3.2-9]");
            if publish.topic.is_empty() {
                assert!(self.aliases.contains_key(&alias), "an alias that was not set");
            } else {
                self.aliases.insert(alias, publish.topic.clone());
            }
        }
        assert!(!publish.topic.is_empty() || publish.topic_alias.is_some());
    }

    /// In the order of the messages [MQTT-4.6.0-2], [MQTT-4.6.0-3].
    fn answer(&mut self, kind: usize, ack: &Ack) {
        let queue = &mut self.unanswered[kind];
        assert_eq!(queue.pop_front(), Some(ack.packet_id), "answers out of order");
        if kind == 1 && !ack.reason.is_error() {
            self.answered.insert(ack.packet_id);
        }
    }
}

/// What a broker that keeps to the rules answers.
fn answer(packet: Packet, version: Version, well: bool) -> Option<Packet> {
    let reason = if well || !version.is_v5() { ReasonCode::SUCCESS } else { ReasonCode::QUOTA_EXCEEDED };
    Some(match packet {
        Packet::Publish(publish) => match (publish.packet_id, publish.qos) {
            (Some(id), QoS::AtLeastOnce) => Packet::PubAck(Ack::with_reason(id, reason)),
            (Some(id), _) => Packet::PubRec(Ack::with_reason(id, reason)),
            (None, _) => return None,
        },
        Packet::PubRec(ack) if !ack.reason.is_error() => Packet::PubRel(Ack::new(ack.packet_id)),
        Packet::PubRel(ack) => Packet::PubComp(Ack::new(ack.packet_id)),
        Packet::Subscribe(subscribe) => Packet::SubAck(SubAck {
            packet_id: subscribe.packet_id,
            reason_string: None,
            user_properties: vec![],
            reasons: vec![ReasonCode::new(if well { 2 } else { 0x80 }); subscribe.subscriptions.len()],
        }),
        Packet::Unsubscribe(unsubscribe) => Packet::UnsubAck(UnsubAck {
            packet_id: unsubscribe.packet_id,
            reason_string: None,
            user_properties: vec![],
            reasons: vec![ReasonCode::SUCCESS; if version.is_v5() { unsubscribe.filters.len() } else { 0 }],
        }),
        Packet::Auth(auth) => Packet::Auth(Auth {
            reason: if well { ReasonCode::SUCCESS } else { ReasonCode::CONTINUE_AUTHENTICATION },
            ..auth
        }),
        Packet::PingReq => Packet::PingResp,
        _ => return None,
    })
}

struct World {
    bench: Bench,
    audit: Audit,
}

impl World {
    fn new(version: Version, mechanism: bool, reconnects: bool, manual: bool) -> Self {
        let mut options = Options { queue_limit: 5, topic_aliases: 2, ..options(version, 10) };
        options.manual_acknowledgement = manual;
        options.incoming_limit = Some(CREDIT);
        options.packet_limit = LARGEST;
        options.reconnect = reconnects.then(Box::default);
        if version.is_v5() {
            options.connect.receive_maximum = Some(RECEIVE_MAXIMUM);
            options.connect.topic_alias_maximum = Some(ALIASES);
            options.connect.maximum_packet_size = Some(LARGEST);
        }
        let mut bench = Bench::new(options);
        if mechanism && version.is_v5() {
            bench.client = bench.client.with_mechanism(Box::new(Gullible));
        }
        let audit = Audit {
            version,
            is_opening: false,
            connection: None,
            tickets: VecDeque::new(),
            credit: CREDIT,
            most_in_flight: 0,
        };
        Self { bench, audit }
    }

    fn happen(&mut self, happening: Happening) {
        let (now, bench) = (self.bench.now, &mut self.bench);
        match happening {
            Happening::Connect(None) => bench.client.connect(now),
            Happening::Connect(Some(clean_start)) => bench.client.connect_with(now, clean_start),
            Happening::Opened(well) if self.audit.is_opening => {
                self.audit.is_opening = false;
                self.audit.connection = well.then(Connection::default);
                match well {
                    true => bench.client.handle_connected(now),
                    false => bench.client.handle_connect_failed(now, "refused".into()),
                }
            }
            Happening::Accept(limits) if self.audit.connection.is_some() => {
                let has_mechanism = bench.client.mechanism.is_some();
                self.receive(&Packet::from(ConnAck {
                    reason: ReasonCode::SUCCESS,
                    session_present: false,
                    authentication_method: has_mechanism.then(|| "T".into()),
                    ..limits
                }));
            }
            Happening::Answer(which, well) => {
                let questions = self.audit.connection.as_mut().map(|connection| &mut connection.questions);
                let question = questions.filter(|questions| which < questions.len()).map(|all| all.remove(which));
                if let Some(answer) = question.and_then(|question| answer(question, self.audit.version, well)) {
                    self.receive(&answer);
                }
            }
            Happening::Packet(packet) if self.audit.connection.is_some() => self.receive(&packet),
            Happening::Bytes(bytes) if self.audit.connection.is_some() => bench.client.handle_bytes(now, &bytes),
            Happening::Lost if self.audit.connection.take().is_some() => {
                bench.client.handle_closed(now, Transport::Reset)
            }
            Happening::Accept(_)
            | Happening::Opened(_)
            | Happening::Packet(_)
            | Happening::Bytes(_)
            | Happening::Lost => {}
            Happening::Acknowledge(which, well) => {
                if let Some(ticket) = self.audit.tickets.remove(which) {
                    let refusal =
                        if self.audit.version.is_v5() { ReasonCode::QUOTA_EXCEEDED } else { ReasonCode::SUCCESS };
                    // One of an earlier connection is no longer known.
                    let _ = bench.client.acknowledge(now, ticket, if well { ReasonCode::SUCCESS } else { refusal });
                }
            }
            Happening::Allow(messages) => {
                self.audit.credit += messages;
                bench.client.allow(now, messages);
            }
            Happening::Congestion(is_congested) => bench.client.handle_congestion(now, is_congested),
            Happening::Publish(qos, topic) => {
                let qos = QoS::new(qos).expect("below 3");
                let topic = ByteString::from(format!("topic/{topic}"));
                let _ = bench.client.publish(
                    now,
                    Publish { topic, retain: now.since_origin().as_millis() % 2 == 1, ..message(qos, "x") },
                );
            }
            Happening::Subscribe(count) => {
                let filters = vec![Subscription::new("a", QoS::ExactlyOnce); count];
                let _ = bench.client.subscribe(now, filters);
            }
            Happening::Unsubscribe(count) => {
                let _ = bench.client.unsubscribe(now, vec!["a".into(); count]);
            }
            Happening::Reauthenticate => {
                let _ = bench.client.reauthenticate(now);
            }
            Happening::Disconnect(reason) => bench.client.disconnect(now, ReasonCode::new(reason)),
            Happening::Wake => drop(bench.wake()),
            Happening::Pass(millis) => bench.jump(now + Duration::from_millis(millis.into())),
        }
        for output in self.bench.take() {
            self.output(output);
        }
        self.check_memory();
    }

    fn receive(&mut self, packet: &Packet) {
        let mut bytes = BytesMut::new();
        // What the version has no form for is left out: arbitrary bytes stand for it.
        if encode(packet, self.audit.version, &mut bytes).is_ok() {
            self.bench.client.handle_bytes(self.bench.now, &bytes);
        }
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Connect => {
                assert!(!self.audit.is_opening && self.audit.connection.is_none(), "a second connection");
                self.audit.is_opening = true;
            }
            Output::Close => self.audit.is_opening = false,
            Output::Send(_) => {}
            Output::Event(Event::Sending(packet)) => self.audit.sent(&packet),
            Output::Event(Event::Received(packet)) => self.audit.received(&packet),
            Output::Event(Event::Disconnected { reason, .. }) => self.audit.ended(&reason),
            Output::Event(Event::Message(_)) => self.handed_on(),
            Output::Event(Event::Unacknowledged { ticket, .. }) => {
                self.handed_on();
                self.audit.tickets.push_back(ticket);
            }
            Output::Event(_) => {}
        }
    }

    fn handed_on(&mut self) {
        assert!(self.audit.credit > 0, "more messages than the application takes");
        self.audit.credit -= 1;
    }

    /// What the broker can make us hold.
    fn check_memory(&mut self) {
        let client = &mut self.bench.client;
        let is_v5 = self.audit.version.is_v5();
        // When a session is lost, what was under way waits once more.
        assert!(client.session.messages.len() <= 5 + self.audit.most_in_flight, "the queue grows");
        let open = client.session.receipts.open_at_least_once() + client.session.inbox.open();
        assert!(!is_v5 || open <= usize::from(RECEIVE_MAXIMUM), "{open} messages are open [MQTT-3.3.4-9]");
        assert!(client.session.inbox.len() <= 5, "of five identifiers");
        if let crate::core::link::Link::Up(up) = &client.link {
            assert!(up.aliases.keys().all(|alias| (1..=ALIASES).contains(alias)), "{:?}", up.aliases);
        }
        if client.is_listening()
            && let Some(buffer) = client.link.buffer()
        {
            assert!(buffer.len() < LARGEST as usize, "{} bytes wait for a packet", buffer.len());
        }
    }
}

proptest! {
    #[test]
    fn no_broker_makes_the_client_break_a_rule(
        happenings in proptest::collection::vec(happening(), 0..150),
        version in prop_oneof![1 => Just(Version::V3_1_1), 3 => Just(Version::V5_0)],
        mechanism: bool,
        reconnects: bool,
        manual: bool,
    ) {
        let mut world = World::new(version, mechanism, reconnects, manual);
        let limits = ConnAck { topic_alias_maximum: Some(1), ..ConnAck::default() };
        let begin = [Happening::Connect(None), Happening::Opened(true), Happening::Accept(limits)];
        for happening in begin.into_iter().chain(happenings) {
            world.happen(happening);
        }
    }
}
