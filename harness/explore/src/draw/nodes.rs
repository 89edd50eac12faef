//! Draws the nodes of a story.

use std::time::Duration;

use halfopen_plan::Feature;
use halfopen_protocol::{PacketType, Version};
use halfopen_scenario::ast::{
    Acknowledge, Answer, AnswerKeys, AnswerLine, Answered, Answers, Broker, Client, ConnectFields, Expiry, Factor,
    Field, FieldValue, File, GrowthFactor, Name, Named, NodeName, Number, OneOrMore, Outgoing, Param, Payload, Place,
    Properties, RawBroker, RawClient, Reason, Reconnect, ReconnectChoice, Sent, Subscription, SubscriptionKeys, Text,
    UserProperties, Will,
};

use super::broker::{DIALOGUE, METHOD, USERS};
use super::{BROKER, CLIENTS, Draw, FAKE, Peer, RAW, SPARE, TOPICS, nodes};
use crate::make::{field, given, packet, text};

/// The shortest half of the keep-alives; where no keep-alive is.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

impl Draw {
    /// Declares all nodes.
    pub(super) fn declare(&mut self, file: &mut File) {
        self.times.push(Duration::from_secs(10));
        let (clients, raw) = match self.swarm.is_fake {
            true => (1 + self.random.place(2), 0),
            false => match self.random.below(4) {
                0 => (0, 1 + self.random.place(3)),
                1 => (1 + self.random.place(3), 0),
                _ => (1 + self.random.place(2), 1 + self.random.place(2)),
            },
        };
        let mut fake = None;
        if self.swarm.is_fake {
            fake = Some(self.answers(true));
        } else {
            let broker = self.broker(raw == 0);
            if self.swarm.has_spare {
                file.brokers = nodes(vec![(BROKER, broker), (SPARE, Broker::default())]);
            } else if broker != Broker::default() {
                file.brokers = nodes(vec![(BROKER, broker)]);
            }
        }
        let mut declared = Vec::new();
        for name in CLIENTS.into_iter().take(clients) {
            declared.push((name, self.client(name)));
        }
        file.clients = nodes(declared);
        if let Some(answers) = fake {
            let answers = self.remembering(answers).map(|answers| Field::new(Param::new(answers)));
            file.raw_brokers = nodes(vec![(FAKE, RawBroker { answers, transport: None })]);
        }
        let mut declared = Vec::new();
        for name in RAW.into_iter().take(raw) {
            declared.push((name, self.raw_client(name)));
        }
        file.raw_clients = nodes(declared);
    }

    fn keep_alive(&mut self) -> Duration {
        let choices = self.swarm.keep_alives.clone();
        let keep_alive = self.random.pick(&choices);
        if !keep_alive.is_zero() {
            self.times.extend([keep_alive, keep_alive * 3 / 2, keep_alive * 3 / 2]);
        }
        keep_alive
    }

    fn connect_fields(&mut self, name: &str, is_raw: bool) -> (ConnectFields, Peer) {
        let is_v5 = self.swarm.is_v5 && !(self.swarm.is_mixed && self.random.chance(50));
        let keep_alive = if is_raw && self.random.chance(30) { Duration::ZERO } else { self.keep_alive() };
        let mut fields = ConnectFields { keep_alive: given(keep_alive.into()), ..ConnectFields::default() };
        // The same identifier on two nodes: the later connection takes the earlier one's over.
        if self.random.chance(20) {
            fields.client_id = given(Text("one".to_owned()));
        } else if is_v5 && !is_raw && !self.swarm.is_fake && self.random.chance(7) {
            // The broker gives it one, which it keeps.
            fields.client_id = given(Text(String::new()));
        }
        let mut session_expiry = None;
        let keeps_session = self.swarm.has_sessions && self.random.chance(75);
        if keeps_session {
            fields.clean = given(false);
            if is_v5 && self.random.chance(75) {
                let short = [1, 2, 5, 10, 20, 60];
                let long = [100_000, 5_000_000];
                let seconds = if self.swarm.is_long { self.random.pick(&long) } else { self.random.pick(&short) };
                let expiry = Duration::from_secs(seconds);
                self.times.extend([expiry, expiry]);
                session_expiry = Some(expiry);
                fields.session_expiry = given(Expiry::After(expiry.into()));
            }
        } else if is_v5 && self.swarm.has_sessions && self.random.chance(40) {
            let expiry = Duration::from_secs(self.random.pick(&[2, 10]));
            self.times.push(expiry);
            fields.session_expiry = given(Expiry::After(expiry.into()));
        }
        if self.swarm.has_wills && self.random.chance(75) {
            fields.will = given(self.will(name, is_v5));
        }
        // A scripted broker keeps no count of what it sends, nor of its size.
        let may_limit = is_v5 && !self.swarm.is_fake;
        if may_limit && self.swarm.has_windows && self.random.chance(60) {
            fields.receive_maximum = given(Number::new(self.random.pick(&[1, 2, 3])));
        }
        if is_v5 && self.swarm.has_aliases && self.random.chance(70) {
            fields.topic_alias_maximum = given(Number::new(self.random.pick(&[1, 2, 10])));
        }
        if may_limit && self.swarm.has_limits && self.random.chance(15) {
            fields.maximum_packet_size = given(Number::new(self.random.pick(&[24, 28, 32, 60, 200])));
        }
        if is_v5 && self.swarm.has_limits && self.random.chance(15) {
            fields.request_problem_information = given(false);
        }
        if self.swarm.has_users && self.random.chance(70) {
            let (user, password) = self.random.pick(&USERS);
            fields.username = given(Text(user.to_owned()));
            fields.password = given(Payload::text(password));
        }
        let authenticates = is_v5 && self.swarm.has_dialogue && self.random.chance(70);
        if authenticates {
            fields.authentication_method = given(Text(METHOD.to_owned()));
            // A client of the project knows its words.
            fields.authentication_data = if is_raw { given(Payload::text(DIALOGUE[0])) } else { None };
        }
        let peer = Peer {
            name: "",
            is_raw,
            is_v5,
            keep_alive,
            reconnects: false,
            keeps_session,
            authenticates,
            expiry: session_expiry,
            is_up: true,
            is_connected: false,
            is_deaf: false,
            is_silent: false,
            connections: 0,
        };
        (fields, peer)
    }

    fn will(&mut self, name: &str, is_v5: bool) -> Will {
        let mut will = Will {
            topic: given(Text(self.random.pick(&["s", "t/a"]).to_owned())),
            payload: given(Payload::text(format!("will of {name}"))),
            ..Will::default()
        };
        if is_v5 && self.swarm.has_properties {
            will.content_type = self.random.chance(50).then(|| Field::new(Param::new(Text("text/plain".to_owned()))));
            will.response_topic = self.random.chance(50).then(|| Field::new(Param::new(Text("s".to_owned()))));
            will.correlation_data = self.random.chance(30).then(|| Field::new(Param::new(Payload::text("c7"))));
            will.payload_format = self.random.chance(30).then(|| Field::new(Param::new(true)));
            will.user_properties =
                self.random.chance(50).then(|| Field::new(Param::new(Properties(user_properties()))));
        }
        if is_v5 && self.swarm.has_expiry && self.random.chance(40) {
            let expiry = Duration::from_secs(self.random.pick(&[1, 2, 5, 10]));
            self.times.push(expiry);
            will.message_expiry = given(expiry.into());
        }
        let qos = self.qos();
        will.qos = (qos > 0).then(|| Field::new(Param::new(Number::new(qos))));
        if self.retains() {
            will.retain = given(true);
        }
        if is_v5 && self.random.chance(55) {
            let seconds = if self.swarm.is_long { 200_000 } else { self.random.pick(&[1, 2, 3, 5, 10, 30]) };
            let delay = Duration::from_secs(seconds);
            self.times.extend([delay, delay]);
            will.delay = given(delay.into());
        }
        will
    }

    pub(super) fn qos(&mut self) -> u64 {
        let levels = self.swarm.qos.clone();
        let qos = self.random.pick(&levels);
        self.uses.extend(match qos {
            0 => None,
            1 => Some(Feature::Qos1),
            _ => Some(Feature::Qos2),
        });
        qos
    }

    /// Draws whether a message is to be retained.
    pub(super) fn retains(&mut self) -> bool {
        let retains = self.swarm.has_retained && self.random.chance(40);
        self.uses.extend(retains.then_some(Feature::RetainedMessages));
        retains
    }

    fn client(&mut self, name: &'static str) -> Client {
        let (fields, mut peer) = self.connect_fields(name, false);
        let mut client = Client { connect: fields, ..Client::default() };
        peer.name = name;
        if self.swarm.is_v5 && !peer.is_v5 {
            client.common.mqtt = given(Version::V3_1_1);
        }
        client.common.subscribe = self.subscriptions(peer.is_v5);
        if self.random.chance(if self.swarm.is_fake { 30 } else { 10 }) {
            let timeout = Duration::from_millis(self.random.pick(&[500, 1_000, 2_000, 5_000]));
            // A client that waits longer than until its next PINGREQ is due is odd.
            let timeout = if peer.keep_alive.is_zero() { PING_TIMEOUT } else { timeout.min(peer.keep_alive) };
            self.times.push(timeout);
            client.own.ping_timeout = given(timeout.into());
        } else {
            self.times.push(peer.keep_alive / 2);
        }
        if self.random.chance(15) {
            let timeout = Duration::from_secs(self.random.pick(&[1, 3]));
            self.times.push(timeout);
            client.own.connect_timeout = given(timeout.into());
        }
        // A scripted broker of 3.1.1 repeats itself on a live connection, which is hard to judge of a slow client.
        if (self.swarm.is_v5 || !self.swarm.is_fake) && self.random.chance(7) {
            client.own.handling = given(Duration::from_millis(self.random.pick(&[100, 1_000, 3_000])).into());
        }
        if self.swarm.has_limits && self.random.chance(15) {
            client.own.queue_messages = given(Number::new(self.random.pick(&[0, 1, 2, 5])));
        }
        if peer.is_v5 && self.swarm.has_aliases && self.random.chance(50) {
            client.own.topic_aliases = given(Number::new(self.random.pick(&[1, 2])));
        }
        if self.random.chance(7) {
            client.own.acknowledge = given(self.acknowledgements(peer.is_v5));
        }
        if self.swarm.has_reconnects && self.random.chance(75) {
            peer.reconnects = true;
            client.own.reconnect = given(self.reconnect());
        }
        if peer.authenticates {
            client.own.dialogue = self.dialogue.clone();
        }
        client.common.to = self.destination(peer.reconnects);
        if self.swarm.has_spare && peer.is_v5 && self.random.chance(50) {
            client.own.follows_references = given(true);
        }
        if self.swarm.is_fake {
            client.own.autostart = given(false);
        } else {
            peer.is_connected = true;
            peer.connections = 1;
        }
        self.peers.push(peer);
        client
    }

    /// Draws when and how an application acknowledges messages itself, each as the one before or each in its own way.
    fn acknowledgements(&mut self, is_v5: bool) -> OneOrMore<Param<Acknowledge>> {
        let count = if self.random.chance(50) { 1 } else { 3 };
        OneOrMore((0..count).map(|_| Param::new(self.acknowledge(is_v5))).collect())
    }

    fn acknowledge(&mut self, is_v5: bool) -> Acknowledge {
        let after = Duration::from_millis(self.random.pick(&[0, 100, 1_000, 3_000]));
        let reason = (is_v5 && self.random.chance(30)).then(|| Field::new(Param::new(Reason::new(0x80))));
        Acknowledge { after: given(after.into()), reason }
    }

    fn reconnect(&mut self) -> ReconnectChoice {
        let min = Duration::from_millis(self.random.pick(&[100, 1_000, 2_000]));
        self.times.push(min);
        // The longest pause, the wait for CONNACK, and a connection that is found lost after it.
        self.recovery = self.recovery.max(Duration::from_secs(10 + 10 + 1));
        let mut reconnect = Reconnect { min: given(min.into()), ..Reconnect::default() };
        if self.random.chance(40) {
            reconnect.max = given(Duration::from_secs(self.random.pick(&[2, 5, 10])).into());
        }
        if self.random.chance(20) {
            reconnect.factor = given(GrowthFactor(Factor::times(self.random.pick(&[1, 3]))));
        }
        ReconnectChoice::With(Place::default(), Box::new(reconnect))
    }

    fn raw_client(&mut self, name: &'static str) -> RawClient {
        let (fields, mut peer) = self.connect_fields(name, true);
        let mut client = RawClient { connect: fields, ..RawClient::default() };
        peer.name = name;
        if self.swarm.is_v5 && !peer.is_v5 {
            client.common.mqtt = given(Version::V3_1_1);
        }
        client.common.subscribe = self.subscriptions(peer.is_v5);
        client.common.to = self.destination(false);
        let may_be_silent = self.swarm.has_silent_peers && self.random.chance(60);
        let mut answers = if may_be_silent { self.answers(false) } else { None };
        if peer.authenticates {
            let said = AnswerKeys {
                send: given(Sent(OneOrMore(vec![Param::new(auth(0x18, DIALOGUE[2]))]))),
                ..AnswerKeys::default()
            };
            let line = AnswerLine::new(Answered::Packet(PacketType::Auth), vec![Answer::With(Box::new(said))]);
            match &mut answers {
                Some(Answers::Some(lines)) => lines.push(line),
                _ => answers = Some(Answers::Some(vec![line])),
            }
        }
        client.own.answers = answers.map(|answers| Field::new(Param::new(answers)));
        self.peers.push(peer);
        client
    }

    /// Where a client connects to, if there are two brokers: one that connects again on its own goes from one to the other.
    fn destination(&self, goes_on: bool) -> Option<Field<Param<OneOrMore<Param<NodeName>>>>> {
        let brokers = if goes_on { vec![BROKER, SPARE] } else { vec![BROKER] };
        let name = |name| Param::new(NodeName(Name::new(name)));
        if self.swarm.has_spare { given(OneOrMore(brokers.into_iter().map(name).collect())) } else { None }
    }

    fn subscriptions(&mut self, is_v5: bool) -> Option<Field<Param<OneOrMore<Param<Subscription>>>>> {
        if self.random.chance(25) {
            return None;
        }
        let count = if self.swarm.has_overlaps { 1 + self.random.below(3) } else { 1 };
        let mut filters = Vec::new();
        let mut subscriptions = Vec::new();
        for _ in 0..count {
            let filter = self.filter();
            if !filters.contains(&filter) {
                subscriptions.push(Param::new(self.subscription(filter.clone(), is_v5)));
                filters.push(filter);
            }
        }
        given(OneOrMore(subscriptions))
    }

    pub(super) fn filter(&mut self) -> String {
        if self.swarm.has_shared && self.random.chance(40) {
            self.uses.extend([Feature::SharedSubscriptions, Feature::WildcardSubscriptions]);
            return self.random.pick(&["$share/g/t/#", "$share/g/s", "$share/g/t/a", "$share/h/t/#"]).to_owned();
        }
        let filter = match self.swarm.has_overlaps {
            true => self.random.pick(&["#", "t/#", "t/+", "+/a", "t/a", "s", "t", "+"]),
            false => self.random.pick(&["#", "#", "t/#", "t/a", "s"]),
        };
        self.uses.extend(filter.contains(['#', '+']).then_some(Feature::WildcardSubscriptions));
        filter.to_owned()
    }

    pub(super) fn subscription(&mut self, filter: String, is_v5: bool) -> Subscription {
        let is_shared = filter.starts_with("$share");
        let qos = self.qos();
        let mut keys = SubscriptionKeys { filter: given(Text(filter.clone())), ..SubscriptionKeys::default() };
        keys.qos = (qos > 0).then(|| Field::new(Param::new(Number::new(qos))));
        if is_v5 && self.swarm.has_options {
            // No Local on a shared subscription is a protocol error [MQTT-3.8.3-4].
            keys.no_local = (!is_shared && self.random.chance(30)).then(|| Field::new(Param::new(true)));
            keys.retain_as_published = self.random.chance(30).then(|| Field::new(Param::new(true)));
            if self.random.chance(30) {
                keys.retain_handling = given(Number::new(1 + self.random.below(2)));
            }
        }
        if keys == (SubscriptionKeys { filter: given(Text(filter.clone())), ..SubscriptionKeys::default() }) {
            return Subscription::Filter(Place::default(), Text(filter));
        }
        Subscription::With(Box::new(keys))
    }

    /// Draws the properties of a message of 5.0.
    pub(super) fn properties(&mut self) -> Vec<(Name, Param<FieldValue>)> {
        let all = [
            ("content_type", text("text/plain")),
            ("response_topic", text("s")),
            ("correlation_data", FieldValue::Payload(Payload::text("c7"))),
            ("payload_format", FieldValue::Bool(true)),
            ("user_properties", FieldValue::Properties(user_properties())),
        ];
        let drawn = all.into_iter().filter(|_| self.random.chance(40));
        drawn.map(|(name, value)| field(name, value)).collect()
    }

    pub(super) fn topic(&mut self) -> &'static str {
        self.random.pick(&TOPICS)
    }
}

/// An AUTH with a reason and data.
pub(super) fn auth(reason: u8, said: &str) -> Outgoing {
    let fields = vec![
        field("reason", FieldValue::Reason(Reason::new(reason))),
        field("authentication_method", text(METHOD)),
        field("authentication_data", FieldValue::Payload(Payload::text(said))),
    ];
    packet(PacketType::Auth, fields)
}

/// User properties, of which one name stands twice.
fn user_properties() -> UserProperties {
    let values = ["b", "c"].map(|value| Text(value.to_owned()));
    Named(vec![(Name::new("a"), Param::new(OneOrMore(values.into())))])
}
