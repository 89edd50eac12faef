use super::Position;

/// A rule that every run is judged by without being asked for, unless the scenario waives it and says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// A client of the project sends a packet at least once in each keep-alive interval.
    ClientKeepsItsInterval,
    /// A broker of the project closes who is silent for 1.5 keep-alives, at that instant, and nobody before.
    BrokerKeepsItsDeadline,
    /// QoS 1: a client acknowledges what it has handed on.
    Qos1AtLeastOnce,
    /// QoS 2: a client hands each message on once, before it acknowledges it.
    Qos2ExactlyOnce,
    /// Messages of one topic and QoS arrive in the order in which they were sent.
    TopicOrder,
    /// An identifier in use is used for nothing else, and answers answer what was asked.
    PacketIds,
    /// 5.0: no more messages are unacknowledged than the other side allows.
    ReceiveMaximum,
    /// After DISCONNECT, or a CONNACK that refuses, the connection ends and nothing else is sent.
    NothingAfterDisconnect,
    /// Messages are sent again on a later connection of a resumed session only, and say so with DUP.
    ResendOnlyOnResume,
    /// A broker answers what has an answer, in packets that are well-formed.
    BrokerAnswers,
    /// A broker has the sessions that there should be, each with one connection.
    BrokerKeepsSessions,
    /// A broker passes each message on to each subscription that matches, as it was published, and nothing else.
    BrokerDelivers,
    /// A broker settles each exchange that it has begun, and sends again what a resumed session left unsettled.
    BrokerSettles,
    /// A client answers what has an answer, in packets that are well-formed.
    ClientAnswers,
    /// A client hands each message that it accepts to its application, one of QoS 2 once.
    ClientDelivers,
    /// A client settles each exchange that it has begun, and sends again what a resumed session left unsettled.
    ClientSettles,
    /// 5.0: a client obeys what CONNACK announces.
    ClientObeysLimits,
    /// A client does not wait longer for CONNACK and PINGRESP than it is set to.
    ClientGivesUp,
    /// A client connects again after the pause that it is set to.
    ClientReconnects,
    /// A client publishes what its application gives it, as it was given.
    ClientPublishes,
}

impl Invariant {
    /// All of them, in the order of the reference.
    pub const ALL: [Self; 20] = [
        Self::ClientKeepsItsInterval,
        Self::BrokerKeepsItsDeadline,
        Self::Qos1AtLeastOnce,
        Self::Qos2ExactlyOnce,
        Self::TopicOrder,
        Self::PacketIds,
        Self::ReceiveMaximum,
        Self::NothingAfterDisconnect,
        Self::ResendOnlyOnResume,
        Self::BrokerAnswers,
        Self::BrokerKeepsSessions,
        Self::BrokerDelivers,
        Self::BrokerSettles,
        Self::ClientAnswers,
        Self::ClientDelivers,
        Self::ClientSettles,
        Self::ClientObeysLimits,
        Self::ClientGivesUp,
        Self::ClientReconnects,
        Self::ClientPublishes,
    ];

    /// Returns the invariants that the reference model of the two standards judges. They stand behind the others.
    pub fn duties() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().skip_while(|invariant| *invariant != Self::BrokerAnswers)
    }

    /// Returns the name in scenarios and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientKeepsItsInterval => "client_keeps_its_interval",
            Self::BrokerKeepsItsDeadline => "broker_keeps_its_deadline",
            Self::Qos1AtLeastOnce => "qos_1_at_least_once",
            Self::Qos2ExactlyOnce => "qos_2_exactly_once",
            Self::TopicOrder => "topic_order",
            Self::PacketIds => "packet_ids",
            Self::ReceiveMaximum => "receive_maximum",
            Self::NothingAfterDisconnect => "nothing_after_disconnect",
            Self::ResendOnlyOnResume => "resend_only_on_resume",
            Self::BrokerAnswers => "broker_answers",
            Self::BrokerKeepsSessions => "broker_keeps_sessions",
            Self::BrokerDelivers => "broker_delivers",
            Self::BrokerSettles => "broker_settles",
            Self::ClientAnswers => "client_answers",
            Self::ClientDelivers => "client_delivers",
            Self::ClientSettles => "client_settles",
            Self::ClientObeysLimits => "client_obeys_limits",
            Self::ClientGivesUp => "client_gives_up",
            Self::ClientReconnects => "client_reconnects",
            Self::ClientPublishes => "client_publishes",
        }
    }

    /// The invariant of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|invariant| invariant.name() == name)
    }
}

/// An invariant that a scenario breaks on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    /// The place in the file.
    pub position: Position,
    /// The invariant.
    pub invariant: Invariant,
    /// The reason why it does not hold here.
    pub reason: String,
}
