//! The settings of a plan as the project's own programs take them.

use halfopen_broker::Config;
use halfopen_client::core::{Options, Reconnect};

use crate::plan::{BrokerSettings, ClientProgram, QueuePolicy, Referral};

/// Calls a macro with the settings of a broker that have the same name in a plan and in the broker.
macro_rules! for_same_names {
    ($then:ident) => {
        $then! {
            server_keep_alive min_keep_alive max_keep_alive keep_alive_factor
            connect_timeout pending_connections maximum_connect_size maximum_packet_size
            receive_maximum topic_alias_maximum outgoing_topic_aliases in_flight_messages
            maximum_qos retain_available wildcard_subscriptions subscription_identifiers shared_subscriptions
            topic_levels topic_length subscriptions subscription_bytes
            sessions maximum_session_expiry queue_messages queue_bytes write_buffer
            retained_messages retained_bytes total_bytes
            response_information reason_strings server_reference sys_interval
        }
    };
}

/// Returns what the project's broker is made with, on the node of a plan. What is set to its default is left out, so that
/// it is the broker's own default that holds.
pub fn broker_config(settings: &BrokerSettings) -> Config {
    let (usual, mut config) = (BrokerSettings::default(), Config::default());
    macro_rules! set_changed {
        ($($field:ident)*) => {
            $(if settings.$field != usual.$field {
                config.$field = settings.$field.clone();
            })*
        };
    }
    for_same_names!(set_changed);
    config.queue_policy = match settings.queue_policy {
        QueuePolicy::DropNewest => halfopen_broker::core::QueuePolicy::DropNewest,
        QueuePolicy::DropOldest => halfopen_broker::core::QueuePolicy::DropOldest,
    };
    config.referral = match settings.referral {
        Referral::WhenStopping => halfopen_broker::core::Referral::WhenStopping,
        Referral::Temporary => halfopen_broker::core::Referral::Temporary,
        Referral::Permanent => halfopen_broker::core::Referral::Permanent,
    };
    config
}

/// Returns what the project's client is made with.
pub(super) fn client_options(program: &ClientProgram) -> Options {
    let settings = &program.options;
    let reconnect = settings.reconnect.map(|reconnect| {
        Box::new(Reconnect {
            min: reconnect.min,
            max: reconnect.max,
            factor: reconnect.factor,
            jitter: reconnect.jitter,
            stable: reconnect.stable,
        })
    });
    let usual = Options::new(settings.connect.version, "").packet_limit;
    Options {
        connect: settings.connect.clone(),
        ping_timeout: settings.ping_timeout,
        connect_timeout: settings.connect_timeout,
        reconnect,
        subscriptions: settings.subscriptions.clone(),
        // Whose application is busy with a message takes no other meanwhile.
        incoming_limit: (!program.handling.is_zero()).then_some(1),
        manual_acknowledgement: !settings.acknowledge.is_empty(),
        queue_limit: settings.queue_messages,
        topic_aliases: settings.topic_aliases,
        packet_limit: settings.packet_limit.unwrap_or(usual),
    }
}

#[cfg(test)]
mod tests {
    use halfopen_protocol::Version;

    use super::*;
    use crate::plan::{ClientSettings, NodeId};

    #[test]
    fn what_a_scenario_does_not_set_is_what_the_programs_have_by_themselves() {
        let (usual, config) = (BrokerSettings::default(), Config::default());
        macro_rules! are_equal {
            ($($field:ident)*) => { $(assert_eq!(usual.$field, config.$field, stringify!($field));)* };
        }
        for_same_names!(are_equal);
        assert_eq!(broker_config(&usual), config);
        let options = ClientSettings::new(Version::V5_0, "a");
        let program = ClientProgram::new(options, NodeId(0));
        assert_eq!(client_options(&program), Options::new(Version::V5_0, "a"));
    }
}
