use super::Position;

/// What is true of every run without being asked for, unless the scenario says that it breaks it, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// A client of the project sends a packet at least once in each keep-alive interval.
    ClientKeepsItsInterval,
    /// A broker of the project closes who is silent for 1.5 keep-alives, at that instant, and nobody before.
    BrokerKeepsItsDeadline,
    /// QoS 1: what was acknowledged arrives.
    Qos1AtLeastOnce,
    /// QoS 2: what was acknowledged arrives, and nothing arrives twice.
    Qos2ExactlyOnce,
    /// Messages of one topic and QoS arrive in the order in which they were sent.
    TopicOrder,
    /// An identifier in use is used for nothing else, and answers answer what was asked.
    PacketIds,
    /// 5.0: no more messages are unacknowledged than the other side allows.
    ReceiveMaximum,
    /// After DISCONNECT, or a CONNACK that refuses, comes the end of the connection and nothing else.
    NothingAfterDisconnect,
    /// Messages are sent again on a later connection of a resumed session only, and say so with DUP.
    ResendOnlyOnResume,
    /// Nothing outlives its session, and no session its end: no connection, no subscription, no Session Present.
    NoOrphans,
}

impl Invariant {
    /// All of them, in the order of the reference.
    pub const ALL: [Self; 10] = [
        Self::ClientKeepsItsInterval,
        Self::BrokerKeepsItsDeadline,
        Self::Qos1AtLeastOnce,
        Self::Qos2ExactlyOnce,
        Self::TopicOrder,
        Self::PacketIds,
        Self::ReceiveMaximum,
        Self::NothingAfterDisconnect,
        Self::ResendOnlyOnResume,
        Self::NoOrphans,
    ];

    /// Its name in scenarios and reports.
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
            Self::NoOrphans => "no_orphans",
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
    /// Where it stands.
    pub position: Position,
    /// Which.
    pub invariant: Invariant,
    /// Why it does not hold here.
    pub reason: String,
}
