//! Brokers, clients, raw clients and raw brokers.

use halfopen_protocol::{PacketType, Version};

use super::list::{Named, OneOrMore};
use super::macros::{composed, group, map, words};
use super::packet::{Payload, Sent, UserProperties};
use super::reading::Reading;
use super::scalar::{Factor, Memory, NodeName, Number, QosLevel, Rate, Reason, Share, Size, Text};
use super::time::{DurationExpr, Expiry, Interval, KeepAlive, PacketWord};
use super::value::{Fill, Param, Place, Raw, Value};
use crate::keys::ValueKind;
use crate::plan::PacketKind;
use crate::tree::{Node, NodeKind};

group! {
    /// The fields of CONNECT.
    ConnectFields {
        client_id: Param<Text> = "the node's name" => "the client identifier";
        keep_alive: Param<KeepAlive> = "60s, of a raw client 0s" => "whole seconds, 0s is off";
        clean: Param<bool> = "true" => "begin without an earlier session; false alone keeps the session for ever. Also written `clean_start` (5.0) or `clean_session` (3.1.1)";
        session_expiry: Param<Expiry> = "0s", since_5 => "how long the session outlives the connection, whole seconds or `never`";
        will: Param<Will> = "none" => "what the broker publishes when the connection ends without DISCONNECT";
        username: Param<Text> = "none" => "the user name";
        password: Param<Payload> = "none" => "the password";
        receive_maximum: Param<Number<1, 65_535>> = "65535", since_5 => "how many QoS 1 and 2 messages the broker may send ahead";
        maximum_packet_size: Param<Number<1, 4_294_967_295>> = "no limit", since_5 => "the largest packet the broker may send, in bytes";
        topic_alias_maximum: Param<Number<0, 65_535>> = "0", since_5 => "the largest topic alias the broker may use";
        request_response_information: Param<bool> = "false", since_5 => "asks the broker for a topic to answer on";
        request_problem_information: Param<bool> = "true", since_5 => "lets the broker send reasons in words";
        user_properties: Param<Properties> = "none", since_5 => "names and values of the users' own";
        authentication_method: Param<Text> = "none", since_5 => "the name of the enhanced authentication";
        authentication_data: Param<Payload> = "none", since_5 => "its first data";
    }
}

group! {
    /// Settings that clients and raw clients have in common.
    ClientCommon {
        subscribe: Param<Subscriptions> = "none" => "filters, subscribed to after a CONNACK without session";
        to: Param<OneOrMore<Param<NodeName>>> = "the only one" => "the broker it connects to; of a client also a list: the next one when a connection fails or is lost";
        count: Param<GroupSize> = "one node" => "makes a group of the given number of nodes: name.1, name.2 …, `<i>` inside is the number";
        mqtt: Param<Version> = "that of the run" => "the version it speaks";
    }
}

group! {
    /// Settings of clients alone.
    ClientOnly {
        program: Param<Text> = "the project's" => "another program in its place: the name of a profile, as `paho`, or the path of one from this folder, as `./mine.toml`";
        autostart: Param<bool> = "true" => "connected before the story begins";
        ping_timeout: Param<DurationExpr> = "half of keep_alive" => "how long it waits for PINGRESP";
        connect_timeout: Param<DurationExpr> = "10s" => "how long it waits for a connection and CONNACK together";
        queue_messages: Param<Number<0, 1_000_000>> = "1000" => "maximum number of messages that wait to be sent, while it is not connected or for room in the broker's receive maximum";
        topic_aliases: Param<Number<0, 65_535>> = "0", since_5 => "maximum number of topics that get a topic alias when messages are sent";
        packet_limit: Param<Number<14, 268_435_460>> = "no limit" => "the largest packet that it takes, in bytes, where CONNECT does not say it";
        handling: Param<DurationExpr> = "0s" => "how long its application is busy with each message; until then nothing more is read";
        acknowledge: Param<OneOrMore<Param<Acknowledge>>> = "at once" => "its application acknowledges messages of QoS 1 and 2 itself: when, and with which reason; a list is used item after item, and its last one is repeated";
        dialogue: Param<Dialogue> = "it answers no AUTH", since_5 => "what is said in the enhanced authentication in turn, by the client first, a list where the broker has a choice of words; needs `authentication_method`";
        reconnect: Param<ReconnectChoice> = "never" => "how it connects again on its own: min, max, factor, jitter";
        follows_references: Param<bool> = "false", since_5 => "whether it goes to the broker that a Server Reference names, `NAME:1883`: for one connection after 0x9C, for good after 0x9D";
        ! answers => "`answers` belongs to a raw client; a client answers as the standard says";
    }
}

group! {
    /// Settings of raw clients alone.
    RawClientOnly {
        answers: Param<Answers> = "standard" => "`standard`, `nothing`, or packet → what it answers";
        ! autostart => "a raw client does what is written and nothing on its own; begin the script with `connect`";
        ! reconnect => "a raw client does what is written and does not reconnect on its own; write `connect`";
        ! ping_timeout => "a raw client sends no PINGREQ on its own, so it waits for no PINGRESP";
        ! connect_timeout => "a raw client has no time-outs; a step that never ends fails the run";
        ! handling => "a raw client hands nothing on to an application; write `stop_reading` and `resume_reading`";
    }
}

composed! {
    /// A client.
    Client = "a client" {
        /// The CONNECT.
        connect: ConnectFields,
        /// The settings that raw clients have, too.
        common: ClientCommon,
        /// The settings of clients alone.
        own: ClientOnly,
    }
}

composed! {
    /// A raw client.
    RawClient = "a raw client" {
        /// The CONNECT.
        connect: ConnectFields,
        /// The settings that clients have, too.
        common: ClientCommon,
        /// The settings of raw clients alone.
        own: RawClientOnly,
    }
}

composed! {
    /// A CONNECT that differs from the node's own.
    With = "a CONNECT" {
        /// The fields that differ.
        connect: ConnectFields,
    }
}

map! {
    /// A raw broker.
    RawBroker = "a raw broker" {
        answers: Param<Answers> = "standard" => "`standard`, `nothing`, or packet or `open` → what it answers";
        transport: Param<TransportWord> = "tcp" => "what carries MQTT to its port, for all who connect";
    }
}

map! {
    /// A broker.
    Broker = "a broker" {
        program: Param<Text> = "the project's" => "another program in its place: the name of a profile, as `mosquitto`, or the path of one from this folder, as `./mine.toml`";
        server_keep_alive: Param<KeepAlive> = "none", since_5 => "the keep-alive that clients must use instead of their own";
        keep_alive_factor: Param<PositiveFactor> = "1.5" => "a silent client is closed after its keep-alive times this";
        connect_timeout: Param<DurationExpr> = "10s" => "how long a connection may be open without a CONNECT";
        queue_messages: Param<Number<0, 1_000_000>> = "1000" => "maximum number of messages that wait for one client that is away";
        queue_bytes: Param<Size> = "64MiB" => "maximum size of the messages that wait for one client, as `10kB`";
        queue_policy: Param<QueuePolicyWord> = "drop_newest" => "which message is dropped when a queue is full";
        in_flight_messages: Param<Number<1, 65_535>> = "1000" => "maximum number of QoS 1 and 2 messages that are unacknowledged at one client; a client may ask for fewer";
        write_buffer: Param<Size> = "4MiB" => "how much may wait to be written to one client; beyond it QoS 0 messages are dropped";
        receive_maximum: Param<Number<1, 65_535>> = "1000" => "how many QoS 1 and 2 messages a client may have unacknowledged";
        maximum_packet_size: Param<Number<14, 268_435_460>> = "16777216" => "the largest packet a client may send, in bytes";
        min_keep_alive: Param<KeepAlive> = "none", since_5 => "a smaller keep-alive is raised to it";
        max_keep_alive: Param<KeepAlive> = "none", since_5 => "a larger keep-alive, or none, is lowered to it";
        max_session_expiry: Param<Expiry> = "never" => "a longer session expiry is lowered to it; `never` for no limit";
        topic_alias_maximum: Param<Number<0, 65_535>> = "10", since_5 => "the largest topic alias a client may use";
        maximum_qos: Param<QosLevel> = "2" => "the highest QoS of the broker";
        retain_available: Param<bool> = "true" => "whether messages are retained";
        wildcard_subscription_available: Param<bool> = "true" => "whether filters may have wildcards";
        subscription_identifiers_available: Param<bool> = "true", since_5 => "whether subscriptions may have identifiers";
        shared_subscription_available: Param<bool> = "true" => "whether there are shared subscriptions";
        handles: Param<Rate> = "as many as come" => "how many packets it handles in a second, as `2000 per second`; the others wait in its sockets";
        transport: Param<TransportWord> = "tcp" => "what carries MQTT to its port, for all who connect";
        durable: Param<bool> = "false" => "whether sessions and retained messages are there after a crash and a restart";
        maximum_outgoing_topic_alias: Param<Number<0, 65_535>> = "10", since_5 => "maximum number of topic aliases that the broker sets on a connection; a client must allow them, too";
        maximum_sessions: Param<Number<1, 1_000_000>> = "100000" => "maximum number of sessions, with and without a connection";
        maximum_subscriptions: Param<Number<0, 1_000_000>> = "1000" => "maximum number of subscriptions of a session";
        retained_messages: Param<Number<0, 1_000_000>> = "100000" => "maximum number of retained messages";
        retained_bytes: Param<Memory> = "256MiB" => "maximum size of the retained messages; each counts with 128 bytes for a level of its topic besides";
        subscription_bytes: Param<Memory> = "4MiB" => "maximum size of the subscriptions of a session: twice the filter, and 128 bytes for each of its levels";
        total_bytes: Param<Memory> = "1GiB" => "maximum size of all that is held for all clients together; what would be held beyond it is refused";
        topic_levels: Param<Number<1, 65_535>> = "200" => "maximum number of levels of a topic name or filter";
        topic_length: Param<Number<1, 65_535>> = "65535" => "maximum length of a topic name or filter, in bytes";
        pending_connections: Param<Number<1, 1_000_000>> = "10000" => "maximum number of connections that are open and have no CONNACK; more are closed at once";
        maximum_connect_size: Param<Number<14, 268_435_460>> = "262144" => "the largest first packet of a connection, in bytes";
        response_information: Param<Text> = "none", since_5 => "what clients that ask for it are told as a basis for response topics; `%c` is the client identifier";
        sys_interval: Param<DurationExpr> = "0s" => "how often statistics are published under `$SYS/broker/`, as Mosquitto's are; `0s` for never";
        reason_strings: Param<bool> = "true", since_5 => "whether clients that do not object are told in words what went wrong";
        server_reference: Param<Text> = "none", since_5 => "another server for the clients, `host:port`";
        referral: Param<ReferralWord> = "when_stopping", since_5 => "when clients are sent to `server_reference`";
        auth: Param<Auth> = "everybody" => "who may connect";
        access: Param<AccessList> = "everybody may do everything" => "who may publish and subscribe to what; what nothing allows is forbidden";
    }
}

words! {
    /// The transport that carries MQTT to a broker's port.
    TransportWord = "transport" {
        Tcp = "tcp" => "TCP alone";
        WebSocket = "websocket" => "WebSocket over TCP (§6), at the path `/mqtt`";
    }
}

words! {
    /// The message that is dropped when a queue is full.
    QueuePolicyWord = "queue policy" {
        DropNewest = "drop_newest" => "the one that has no room";
        DropOldest = "drop_oldest" => "the oldest that waits";
    }
}

words! {
    /// The condition for sending clients to another server.
    ReferralWord = "referral" {
        WhenStopping = "when_stopping" => "when this one shuts down: DISCONNECT with 0x9C";
        Temporary = "temporary" => "at once, for now: each CONNECT is refused with 0x9C";
        Permanent = "permanent" => "at once and for good: each CONNECT is refused with 0x9D";
    }
}

map! {
    /// The rights to publish and subscribe.
    AccessList = "`access`" {
        everybody: Param<AccessRights> = "nothing" => "rights of every client; `%c` in a filter is the client identifier, `%u` the user name";
        anonymous: Param<AccessRights> = "nothing" => "rights of clients without a user name";
        users: Param<Named<Param<AccessRights>>> = "nobody" => "user name → rights";
    }
}

map! {
    /// The rights of a client.
    AccessRights = "rights" {
        read: Param<OneOrMore<Param<Text>>> = "nothing" => "filters that may be subscribed to";
        write: Param<OneOrMore<Param<Text>>> = "nothing" => "filters of topics that may be published to";
        deny: Param<OneOrMore<Param<Text>>> = "nothing" => "filters of what is forbidden whatever else allows it";
    }
}

map! {
    /// The users that may connect to a broker.
    Auth = "`auth`" {
        anonymous: Param<bool> = "false" => "whether a client may that names neither a user nor a method";
        users: Param<Named<Param<Payload>>> = "user names mean nothing" => "user name → password";
        method: Param<Text> = "none", since_5 => "the name of an enhanced authentication; needs `dialogue`";
        dialogue: Param<Dialogue>, since_5 => "what is said in it in turn, by the client first, a list where it has a choice of words; its last word is its user";
    }
}

map! {
    /// The message that a broker publishes when a connection ends without DISCONNECT.
    Will = "a will" needs "topic" {
        topic: Param<Text> => "where it is published";
        payload: Param<Payload> = "nothing" => "what is published";
        qos: Param<QosLevel> = "0" => "0, 1 or 2";
        retain: Param<bool> = "false" => "whether it is retained";
        delay: Param<Interval> = "0s", since_5 => "how long after the end of the connection, whole seconds";
        payload_format: Param<bool>, since_5 => "true: the payload is said to be UTF-8";
        message_expiry: Param<Interval>, since_5 => "how long the message is of use, whole seconds";
        content_type: Param<Text>, since_5 => "what the payload is said to be";
        response_topic: Param<Text>, since_5 => "where an answer is awaited";
        correlation_data: Param<Payload>, since_5 => "what an answer repeats";
        user_properties: Param<Properties>, since_5 => "names and values of the users' own";
    }
}

map! {
    /// A topic filter with options.
    SubscriptionKeys = "a subscription" needs "filter" {
        filter: Param<Text> => "the topic filter";
        qos: Param<QosLevel> = "0" => "the highest QoS at which the broker may send";
        no_local: Param<bool> = "false", since_5 => "not what this client publishes itself";
        retain_as_published: Param<bool> = "false", since_5 => "keep the RETAIN flag";
        retain_handling: Param<Number<0, 2>> = "0", since_5 => "retained messages: 0 send, 1 send if new, 2 do not send";
        subscription_id: Param<Number<1, 268_435_455>>, since_5 => "of the action: a number that comes back with each message";
    }
}

map! {
    /// The pauses before a client connects again on its own.
    Reconnect = "reconnect" {
        min: Param<DurationExpr> = "1s" => "the first pause";
        max: Param<DurationExpr> = "30s" => "the longest pause";
        factor: Param<GrowthFactor> = "2" => "by how much a pause is longer than the one before";
        jitter: Param<Share> = "0%" => "how much of a pause is left to chance, 0% to 100%";
    }
}

map! {
    /// The way in which an application acknowledges messages itself.
    Acknowledge = "`acknowledge`" {
        after: Param<DurationExpr> = "0s" => "how long after the message arrived";
        reason: Param<Reason> = "0x00", since_5 => "the reason in PUBACK or PUBREC; 0x80 and above refuses the message";
    }
}

map! {
    /// An answer of a raw peer.
    AnswerKeys = "an answer" {
        after: Param<DurationExpr> = "0s" => "how long after what it answers";
        send: Param<Sent> => "packets or bytes in one piece; ids are those of what is answered";
        close: Param<CloseWord> => "ends the connection";
    }
}

words! {
    /// The way in which a node ends a connection.
    CloseWord = "way to close" {
        Fin = "fin" => "in order";
        Rst = "rst" => "by abort";
    }
}

words! {
    /// The answers to everything.
    AllAnswers = "answer" {
        Standard = "standard" => "what the flows of the standard ask for";
        Nothing = "nothing" => "none at all";
    }
}

words! {
    /// An answer that is one word.
    AnswerWord = "answer" {
        Standard = "standard" => "what the flows of the standard ask for";
        Nothing = "nothing" => "none; it is owed until another answer is set";
        Refuse = "refuse" => "the answer that says no; of `open` RST to the SYN";
        Ignore = "ignore" => "of `open` alone: the SYN is lost, however often it is sent again";
    }
}

words! {
    /// The word for never connecting again.
    NeverWord = "reconnect" {
        Never = "never" => "not on its own";
    }
}

/// User properties, of which there is one at least.
#[derive(Clone, Debug, PartialEq)]
pub struct Properties(pub UserProperties);

impl Value for Properties {
    const TAKES: ValueKind = ValueKind::Named(&ValueKind::Several(&ValueKind::Text));

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let what = "a map of user properties, as in `{ name: value }`";
        UserProperties::read_map(cx, node, what).filter(|map| !map.0.is_empty()).map(Self)
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        self.0.write(fill)
    }
}

/// The words of an enhanced authentication in turn, and for each what may be said in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Dialogue(pub Vec<OneOrMore<Param<Payload>>>);

impl Value for Dialogue {
    const TAKES: ValueKind = ValueKind::List(&OneOrMore::<Param<Payload>>::TAKES);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let words = cx.each(cx.list(node, "what is said")?, |item| OneOrMore::read(cx, item));
        (!words.is_empty()).then_some(Self(words))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        Node::list(self.0.iter().map(|word| word.write(fill)))
    }
}

/// The number of members of a group, which is checked where the nodes are declared.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSize(pub Raw);

impl Value for GroupSize {
    const TAKES: ValueKind = ValueKind::Number(1, 1_000_000);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        Raw::read(cx, node).map(Self)
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        self.0.write(fill)
    }
}

/// A factor above 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PositiveFactor(pub Factor);

impl Value for PositiveFactor {
    const TAKES: ValueKind = ValueKind::Factor;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let factor = Factor::read(cx, node)?;
        if factor.value() <= 0.0 {
            cx.error(node, "a factor is more than 0");
            return None;
        }
        Some(Self(factor))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        self.0.write(fill)
    }
}

/// A factor that makes nothing smaller.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GrowthFactor(pub Factor);

impl Value for GrowthFactor {
    const TAKES: ValueKind = ValueKind::Factor;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let factor = Factor::read(cx, node)?;
        if factor.value() < 1.0 {
            cx.error(node, "a factor below 1 would make the pauses shorter");
            return None;
        }
        Some(Self(factor))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        self.0.write(fill)
    }
}

/// The policy for connecting again.
#[derive(Clone, Debug, PartialEq)]
pub enum ReconnectChoice {
    /// The client does not connect again.
    Never,
    /// The client connects again with these pauses.
    With(Place, Box<Reconnect>),
}

impl Value for ReconnectChoice {
    const TAKES: ValueKind = ValueKind::Either(&[<NeverWord as Value>::TAKES, <Reconnect as Value>::TAKES]);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        match node.text() {
            Some("never") => Some(Self::Never),
            _ => Reconnect::read(cx, node).map(|reconnect| Self::With(Place::of(node), Box::new(reconnect))),
        }
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        match self {
            Self::Never => NeverWord::Never.write(fill),
            Self::With(_, reconnect) => reconnect.write(fill),
        }
    }
}

/// A filter, or a filter with its options.
#[derive(Clone, Debug, PartialEq)]
pub enum Subscription {
    /// A filter at QoS 0.
    Filter(Place, Text),
    /// A filter with options.
    With(Box<SubscriptionKeys>),
}

impl Value for Subscription {
    const TAKES: ValueKind = ValueKind::Either(&[ValueKind::Text, <SubscriptionKeys as Value>::TAKES]);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        if matches!(node.kind, NodeKind::Map(_)) {
            return SubscriptionKeys::read(cx, node).map(|keys| Self::With(Box::new(keys)));
        }
        let text = cx.scalar(node, "a topic filter")?;
        Some(Self::Filter(Place::of(node), Text(text.to_owned())))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        match self {
            Self::Filter(_, text) => text.write(fill),
            Self::With(keys) => keys.write(fill),
        }
    }
}

/// A filter, or filters with options, or a list of both.
pub type Subscriptions = OneOrMore<Param<Subscription>>;

/// The answers of a raw peer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answers {
    /// The same to everything.
    All(AllAnswers),
    /// Answers to some of what it receives; everything else gets the standard answers.
    Some(Vec<AnswerLine>),
}

/// The answers to one thing, in turn; the last stays.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerLine {
    pub(crate) place: Place,
    /// The thing that is answered.
    pub to: Answered,
    /// The answers.
    pub answers: Param<OneOrMore<Param<Answer>>>,
}

impl AnswerLine {
    /// A line that was not read from a file.
    pub fn new(to: Answered, answers: Vec<Answer>) -> Self {
        let answers = answers.into_iter().map(Param::new).collect();
        Self { place: Place::default(), to, answers: Param::new(OneOrMore(answers)) }
    }
}

/// A thing that can be answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answered {
    /// A connection that is opened; of raw brokers.
    Open,
    /// A packet.
    Packet(PacketType),
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A word.
    Word(Place, AnswerWord),
    /// An answer with a delay, packets, or an end.
    With(Box<AnswerKeys>),
}

impl Value for Answers {
    const TAKES: ValueKind = ValueKind::Either(&[
        <AllAnswers as Value>::TAKES,
        ValueKind::Named(&ValueKind::Several(&<Answer as Value>::TAKES)),
    ]);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let NodeKind::Map(entries) = &node.kind else {
            return AllAnswers::read(cx, node).map(Self::All);
        };
        if entries.is_empty() {
            cx.error(node, "nothing is answered in here; as in `{ PINGREQ: nothing }`");
            return None;
        }
        let line = |(name, value): &(Node, Node)| {
            let to = match name.text() {
                Some("open") => Answered::Open,
                _ => match PacketWord::read(cx, name)?.kind {
                    PacketKind::Type(packet) => Answered::Packet(packet),
                    PacketKind::Any => {
                        let message = "expected a type of packet; for all of them write `standard` or `nothing` alone";
                        cx.error(name, message);
                        return None;
                    }
                },
            };
            Some(AnswerLine { place: Place::of(name), to, answers: Param::read(cx, value)? })
        };
        Some(Self::Some(entries.iter().filter_map(line).collect()))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        match self {
            Self::All(all) => all.write(fill),
            Self::Some(lines) => Node::map(lines.iter().map(|line| {
                let word = match &line.to {
                    Answered::Open => Node::word("open"),
                    Answered::Packet(packet) => Node::word(packet.name()),
                };
                (word, line.answers.write(fill))
            })),
        }
    }
}

impl Value for Answer {
    const TAKES: ValueKind = ValueKind::Either(&[<AnswerWord as Value>::TAKES, <AnswerKeys as Value>::TAKES]);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        if !matches!(node.kind, NodeKind::Map(_)) {
            return AnswerWord::read(cx, node).map(|word| Self::Word(Place::of(node), word));
        }
        let failures = cx.failures.get();
        let keys = AnswerKeys::read(cx, node)?;
        let is_one = match (&keys.send, &keys.close) {
            (None, None) => keys.after.is_some(),
            (send, close) => send.is_some() != close.is_some(),
        };
        if !is_one && failures == cx.failures.get() {
            cx.error(node, "an answer is to `send` or to `close`; `after` may stand beside it, or alone");
        }
        is_one.then(|| Self::With(Box::new(keys)))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        match self {
            Self::Word(_, word) => word.write(fill),
            Self::With(keys) => keys.write(fill),
        }
    }
}
