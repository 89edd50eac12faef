use halfopen_protocol::packet::QoS;

use super::{BrokerSettings, Moment, Position, Step};

/// The parts of a file that are no part of the plan, but matter to the runner.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// The engines that can run it; all if not given.
    pub only_on: Option<OnlyOn>,
    /// Features that the brokers must have; the run is skipped where one of them has not.
    pub requires: Vec<Feature>,
    /// A fault for each event boundary of a range, which is known when the plan has been run without it.
    pub sweep: Option<Sweep>,
}

/// The engines on which a scenario can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnlyOn {
    /// Their names.
    pub engines: Vec<String>,
    /// The reason why it cannot be run on the others.
    pub because: String,
}

/// A feature that 5.0 leaves to the broker, and says in CONNACK whether it has it (§3.2.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// `$share/NAME/FILTER`.
    SharedSubscriptions,
    /// `+` and `#`.
    WildcardSubscriptions,
    /// A number that comes back with each message.
    SubscriptionIdentifiers,
    /// Retained messages.
    RetainedMessages,
    /// QoS 1 and 2.
    Qos2,
    /// QoS 1.
    Qos1,
    /// Topic aliases from clients.
    TopicAliases,
}

/// A fault at each event boundary of a range.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The place in the file.
    pub position: Position,
    /// The number of the plan's step before which it stands.
    pub before: usize,
    /// The steps that are done at each boundary.
    pub fault: Vec<Step>,
    /// The begin.
    pub from: Moment,
    /// The end.
    pub to: Moment,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::SharedSubscriptions,
        Self::WildcardSubscriptions,
        Self::SubscriptionIdentifiers,
        Self::RetainedMessages,
        Self::Qos1,
        Self::Qos2,
        Self::TopicAliases,
    ];

    /// Returns the word of the scenario language.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SharedSubscriptions => "shared_subscriptions",
            Self::WildcardSubscriptions => "wildcard_subscriptions",
            Self::SubscriptionIdentifiers => "subscription_identifiers",
            Self::RetainedMessages => "retained_messages",
            Self::Qos1 => "qos_1",
            Self::Qos2 => "qos_2",
            Self::TopicAliases => "topic_aliases",
        }
    }

    /// Returns whether a broker has it.
    pub fn is_of(self, broker: &BrokerSettings) -> bool {
        match self {
            Self::SharedSubscriptions => broker.shared_subscriptions,
            Self::WildcardSubscriptions => broker.wildcard_subscriptions,
            Self::SubscriptionIdentifiers => broker.subscription_identifiers,
            Self::RetainedMessages => broker.retain_available,
            Self::Qos1 => broker.maximum_qos >= QoS::AtLeastOnce,
            Self::Qos2 => broker.maximum_qos >= QoS::ExactlyOnce,
            Self::TopicAliases => broker.topic_alias_maximum > 0,
        }
    }
}
