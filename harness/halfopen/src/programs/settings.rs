use crate::plan::{BrokerProgram, BrokerSettings, ClientProgram, ClientSettings, QueuePolicy, Reconnect, Transport};

/// Returns what a scenario sets on a broker otherwise than by default, in the scenario's words, with values as programs take
/// them: numbers, whole seconds, `true` and `false`.
pub(super) fn settings(program: &BrokerProgram) -> Vec<(&'static str, String)> {
    let BrokerProgram { config, durable, handles, auth, access, transport } = program;
    let usual = BrokerSettings::default();
    let mut settings = Vec::new();
    let mut add = |name, is_set: bool, value: &dyn Fn() -> String| {
        if is_set {
            settings.push((name, value()));
        }
    };
    add("durable", *durable, &|| "true".to_owned());
    add("handles", handles.is_some(), &|| handles.map_or_else(String::new, |count| count.to_string()));
    add("auth", auth.is_some(), &String::new);
    add("access", access.is_some(), &String::new);
    add("queue_policy", config.queue_policy != usual.queue_policy, &|| match config.queue_policy {
        QueuePolicy::DropNewest => "drop_newest".to_owned(),
        QueuePolicy::DropOldest => "drop_oldest".to_owned(),
    });
    add("server_reference", config.server_reference != usual.server_reference, &|| {
        config.server_reference.clone().unwrap_or_default()
    });
    add("response_information", config.response_information != usual.response_information, &|| {
        config.response_information.clone().unwrap_or_default()
    });
    add("referral", config.referral != usual.referral, &String::new);
    macro_rules! numbers {
        ($($name:literal: $field:ident;)*) => {
            $(add($name, config.$field != usual.$field, &|| config.$field.to_string());)*
        };
    }
    macro_rules! seconds {
        ($($name:literal: $field:ident;)*) => {
            $(add($name, config.$field != usual.$field, &|| config.$field.unwrap_or(0).to_string());)*
        };
    }
    seconds! {
        "server_keep_alive": server_keep_alive;
        "min_keep_alive": min_keep_alive;
        "max_keep_alive": max_keep_alive;
    }
    numbers! {
        "keep_alive_factor": keep_alive_factor;
        "queue_messages": queue_messages;
        "receive_maximum": receive_maximum;
        "maximum_packet_size": maximum_packet_size;
        "max_session_expiry": maximum_session_expiry;
        "topic_alias_maximum": topic_alias_maximum;
        "retain_available": retain_available;
        "wildcard_subscription_available": wildcard_subscriptions;
        "subscription_identifiers_available": subscription_identifiers;
        "shared_subscription_available": shared_subscriptions;
        "queue_bytes": queue_bytes;
        "in_flight_messages": in_flight_messages;
        "write_buffer": write_buffer;
        "maximum_outgoing_topic_alias": outgoing_topic_aliases;
        "maximum_sessions": sessions;
        "maximum_subscriptions": subscriptions;
        "retained_messages": retained_messages;
        "retained_bytes": retained_bytes;
        "subscription_bytes": subscription_bytes;
        "total_bytes": total_bytes;
        "topic_levels": topic_levels;
        "topic_length": topic_length;
        "pending_connections": pending_connections;
        "maximum_connect_size": maximum_connect_size;
        "reason_strings": reason_strings;
    }
    add("connect_timeout", config.connect_timeout != usual.connect_timeout, &|| {
        config.connect_timeout.as_secs_f64().to_string()
    });
    add("sys_interval", config.sys_interval != usual.sys_interval, &|| config.sys_interval.as_secs_f64().to_string());
    add("maximum_qos", config.maximum_qos != usual.maximum_qos, &|| (config.maximum_qos as u8).to_string());
    // The last, so that a profile may begin another listener with it.
    add("transport", *transport != Transport::Tcp, &|| "websocket".to_owned());
    settings
}

/// The settings that a program may have in its own way and cannot be told, as its profile says them.
pub(super) const FIXED: &[&str] =
    &["in_flight_messages", "queue_messages", "queue_bytes", "topic_levels", "topic_length"];

/// Gives a broker the value of one of [`FIXED`]. What a scenario sets stays.
pub(super) fn fix(config: &mut BrokerSettings, name: &str, value: u64) {
    let usual = BrokerSettings::default();
    let count = usize::try_from(value).unwrap_or(usize::MAX);
    match name {
        "in_flight_messages" if config.in_flight_messages == usual.in_flight_messages => {
            config.in_flight_messages = u16::try_from(value).unwrap_or(u16::MAX).max(1);
        }
        "queue_messages" if config.queue_messages == usual.queue_messages => config.queue_messages = count,
        "queue_bytes" if config.queue_bytes == usual.queue_bytes => config.queue_bytes = count,
        "topic_levels" if config.topic_levels == usual.topic_levels => config.topic_levels = count,
        "topic_length" if config.topic_length == usual.topic_length => config.topic_length = count,
        _ => {}
    }
}

/// Returns the names of what a scenario sets on a client, in the scenario's words, as far as it is more than any client
/// takes: the identifier, the keep-alive, whether to begin without a session, and what to subscribe to.
pub(super) fn client_settings(program: &ClientProgram) -> Vec<&'static str> {
    let settings = &program.options;
    let connect = &settings.connect;
    let usual = ClientSettings::new(connect.version, "");
    let doubles = |reconnect: &Reconnect| reconnect.factor > 1.0 && reconnect.max > reconnect.min;
    let reconnect = settings.reconnect.as_ref();
    let is_set = [
        ("several brokers", !program.further.is_empty()),
        ("follows_references", program.follows_references),
        ("will", connect.will.is_some()),
        ("username", connect.username.is_some() || connect.password.is_some()),
        ("session_expiry", connect.session_expiry.is_some()),
        ("receive_maximum", connect.receive_maximum.is_some()),
        ("maximum_packet_size", connect.maximum_packet_size.is_some()),
        ("topic_alias_maximum", connect.topic_alias_maximum.is_some()),
        ("request_response_information", connect.request_response_information.is_some()),
        ("request_problem_information", connect.request_problem_information.is_some()),
        ("user_properties", !connect.user_properties.is_empty()),
        ("authentication_method", connect.authentication_method.is_some() || connect.authentication_data.is_some()),
        ("dialogue", settings.dialogue.is_some()),
        ("ping_timeout", settings.ping_timeout.is_some()),
        ("connect_timeout", settings.connect_timeout != usual.connect_timeout),
        ("queue_messages", settings.queue_messages != usual.queue_messages),
        ("topic_aliases", settings.topic_aliases != usual.topic_aliases),
        ("packet_limit", settings.packet_limit.is_some()),
        ("handling", !program.handling.is_zero()),
        ("acknowledge", !settings.acknowledge.is_empty()),
        ("reconnect", reconnect.is_some()),
        ("reconnect_that_grows", reconnect.is_some_and(doubles)),
        ("reconnect_by_chance", reconnect.is_some_and(|reconnect| reconnect.jitter > 0.0)),
    ];
    is_set.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect()
}

/// The names of what a profile may say that its client takes.
pub(super) const CLIENT_NAMES: &[&str] = &[
    "will",
    "username",
    "session_expiry",
    "receive_maximum",
    "maximum_packet_size",
    "topic_alias_maximum",
    "request_response_information",
    "request_problem_information",
    "user_properties",
    "authentication_method",
    "ping_timeout",
    "connect_timeout",
    "queue_messages",
    "topic_aliases",
    "packet_limit",
    "handling",
    "acknowledge",
    "reconnect",
    "reconnect_that_grows",
    "reconnect_by_chance",
    "transport",
];

/// The names that a profile may say how to set.
pub(super) const NAMES: &[&str] = &[
    "durable",
    "server_keep_alive",
    "min_keep_alive",
    "max_keep_alive",
    "keep_alive_factor",
    "queue_messages",
    "receive_maximum",
    "maximum_packet_size",
    "max_session_expiry",
    "topic_alias_maximum",
    "retain_available",
    "wildcard_subscription_available",
    "subscription_identifiers_available",
    "shared_subscription_available",
    "queue_bytes",
    "queue_policy",
    "in_flight_messages",
    "write_buffer",
    "maximum_outgoing_topic_alias",
    "maximum_sessions",
    "maximum_subscriptions",
    "retained_messages",
    "retained_bytes",
    "subscription_bytes",
    "total_bytes",
    "topic_levels",
    "topic_length",
    "pending_connections",
    "maximum_connect_size",
    "response_information",
    "sys_interval",
    "reason_strings",
    "server_reference",
    "connect_timeout",
    "maximum_qos",
    "transport",
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use halfopen_protocol::packet::QoS;

    use super::*;

    #[test]
    fn nothing_is_set_by_default() {
        assert_eq!(settings(&BrokerProgram::default()), []);
    }

    #[test]
    fn what_is_set_is_told_in_the_words_of_scenarios() {
        let config = BrokerSettings {
            max_keep_alive: Some(60),
            maximum_qos: QoS::AtLeastOnce,
            retain_available: false,
            connect_timeout: Duration::from_secs(5),
            ..BrokerSettings::default()
        };
        let transport = Transport::WebSocket;
        let program = BrokerProgram { config, durable: true, transport, ..BrokerProgram::default() };
        let expected = [
            ("durable", "true"),
            ("max_keep_alive", "60"),
            ("retain_available", "false"),
            ("connect_timeout", "5"),
            ("maximum_qos", "1"),
            ("transport", "websocket"),
        ];
        assert_eq!(settings(&program), expected.map(|(name, value)| (name, value.to_owned())));
        assert!(expected.iter().all(|(name, _)| NAMES.contains(name)));
    }
}
