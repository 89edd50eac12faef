use std::collections::BTreeMap;

use halfopen_broker::Config;

use super::Built;
use crate::keys::{Key, Table, Takes, key, since_5};
use crate::packet::payload;
use crate::plan::{BrokerAuth, BrokerProgram, Dialogue, Program};
use crate::reader::Reader;
use crate::time;
use crate::tree::Node;

pub(crate) const BROKER: Table = Table { what: "a broker", keys: &[KEYS] };

const KEYS: &[Key] = &[
    since_5("server_keep_alive", "the keep-alive that clients must use instead of their own")
        .takes(Takes::Duration)
        .or("none"),
    key("keep_alive_factor", "a silent client is closed after its keep-alive times this")
        .takes(Takes::Factor)
        .or("1.5"),
    key("connect_timeout", "how long a connection may be open without a CONNECT").takes(Takes::Duration).or("10s"),
    key("queue_messages", "how many messages wait for one client that is away")
        .takes(Takes::Number(0, 1_000_000))
        .or("1000"),
    key("receive_maximum", "how many QoS 1 and 2 messages a client may have unacknowledged")
        .takes(Takes::Number(1, 65_535))
        .or("1000"),
    key("maximum_packet_size", "the largest packet a client may send, in bytes")
        .takes(Takes::Number(14, 268_435_460))
        .or("16777216"),
    since_5("min_keep_alive", "a smaller keep-alive is raised to it").takes(Takes::Duration).or("none"),
    since_5("max_keep_alive", "a larger keep-alive, or none, is lowered to it").takes(Takes::Duration).or("none"),
    key("max_session_expiry", "a longer session expiry is lowered to it; `never` for no limit")
        .takes(Takes::Duration)
        .or("never"),
    since_5("topic_alias_maximum", "the largest topic alias a client may use").takes(Takes::Number(0, 65_535)).or("10"),
    key("maximum_qos", "the highest QoS of the broker").takes(Takes::Number(0, 2)).or("2"),
    key("retain_available", "whether messages are retained").takes(Takes::Bool).or("true"),
    key("wildcard_subscription_available", "whether filters may have wildcards").takes(Takes::Bool).or("true"),
    since_5("subscription_identifiers_available", "whether subscriptions may have identifiers")
        .takes(Takes::Bool)
        .or("true"),
    key("shared_subscription_available", "whether there are shared subscriptions").takes(Takes::Bool).or("true"),
    key("durable", "whether sessions and retained messages are there after a crash and a restart")
        .takes(Takes::Bool)
        .or("false"),
    key("auth", "who may connect").takes(Takes::Map(&AUTH)).or("everybody"),
];

const AUTH: Table = Table {
    what: "`auth`",
    keys: &[&[
        key("anonymous", "whether a client may that names neither a user nor a method").takes(Takes::Bool).or("false"),
        key("users", "user name → password").takes(Takes::Named(&Takes::Payload)).or("user names mean nothing"),
        since_5("method", "the name of an enhanced authentication; needs `dialogue`").takes(Takes::Text).or("none"),
        since_5("dialogue", "what is said in it in turn, by the client first; the last word of the client is its user")
            .takes(Takes::List(&Takes::Payload)),
    ]],
};

pub(super) fn build(reader: &Reader<'_>, node: Option<&Node>) -> Option<Built> {
    let mut program = BrokerProgram::default();
    let mut broken = false;
    if let Some(node) = node {
        let fields = reader.fields(node, &BROKER)?;
        broken = fields.broken;
        for (name, _, value) in fields.iter() {
            broken |= match name {
                "durable" => reader.boolean(value).map(|durable| program.durable = durable).is_none(),
                "auth" => auth(reader, value).map(|auth| program.auth = Some(auth)).is_none(),
                _ => set(reader, &mut program.config, name, value).is_none(),
            };
        }
    }
    let config = &program.config;
    let mut fields = BTreeMap::new();
    if let Some(server_keep_alive) = config.server_keep_alive {
        fields.insert("server_keep_alive".to_owned(), format!("{server_keep_alive}s"));
    }
    fields.insert("keep_alive_factor".to_owned(), config.keep_alive_factor.to_string());
    let seconds = |value: Option<u16>| value.map(|seconds| format!("{seconds}s"));
    fields.extend(seconds(config.min_keep_alive).map(|value| ("min_keep_alive".to_owned(), value)));
    fields.extend(seconds(config.max_keep_alive).map(|value| ("max_keep_alive".to_owned(), value)));
    fields.insert("connect_timeout".to_owned(), time::format(config.connect_timeout));
    fields.insert("queue_messages".to_owned(), config.queue_messages.to_string());
    fields.insert("receive_maximum".to_owned(), config.receive_maximum.to_string());
    fields.insert("maximum_packet_size".to_owned(), config.maximum_packet_size.to_string());
    (!broken).then(|| Built { program: Program::Broker(program), fields })
}

fn auth(reader: &Reader<'_>, node: &Node) -> Option<BrokerAuth> {
    let fields = reader.fields(node, &AUTH)?;
    let mut auth = BrokerAuth::default();
    if let Some(anonymous) = fields.get("anonymous") {
        auth.anonymous = reader.boolean(anonymous)?;
    }
    for (name, password) in fields.get("users").map_or(&[][..], |users| reader.map(users, "user name → password")) {
        auth.users.insert(name.text()?.to_owned(), payload(reader, password)?);
    }
    auth.dialogue = match (fields.get("method"), fields.get("dialogue")) {
        (None, None) => None,
        (Some(method), Some(words)) => {
            let method = reader.scalar(method, "the name of a method")?.to_owned();
            let items = reader.list(words, "what is said");
            let words: Vec<_> = items.iter().filter_map(|word| payload(reader, word)).collect();
            if words.len() < items.len() || words.is_empty() {
                return None;
            }
            Some(Dialogue { method, words })
        }
        (Some(alone), None) | (None, Some(alone)) => {
            if !fields.broken {
                reader.error(alone, "`method` and `dialogue` go together");
            }
            return None;
        }
    };
    (!fields.broken).then_some(auth)
}

fn set(reader: &Reader<'_>, config: &mut Config, name: &str, value: &Node) -> Option<()> {
    match name {
        "server_keep_alive" => config.server_keep_alive = Some(reader.keep_alive(value)?),
        "keep_alive_factor" => {
            let factor = reader.factor(value)?;
            if factor <= 0.0 {
                reader.error(value, "a factor is more than 0");
                return None;
            }
            config.keep_alive_factor = factor;
        }
        "connect_timeout" => config.connect_timeout = reader.duration(value)?,
        "queue_messages" => {
            config.queue_messages = usize::try_from(reader.number(value, 0..=1_000_000)?).ok()?;
        }
        "receive_maximum" => config.receive_maximum = reader.number_u16(value, 1)?,
        // The smallest CONNECT has 14 bytes.
        "maximum_packet_size" => config.maximum_packet_size = reader.number_u32(value, 14..=268_435_460)?,
        "min_keep_alive" => config.min_keep_alive = Some(reader.keep_alive(value)?),
        "max_keep_alive" => config.max_keep_alive = Some(reader.keep_alive(value)?),
        "max_session_expiry" if value.text() == Some("never") => config.maximum_session_expiry = u32::MAX,
        "max_session_expiry" => config.maximum_session_expiry = reader.seconds(value, u32::MAX)?,
        "topic_alias_maximum" => config.topic_alias_maximum = reader.number_u16(value, 0)?,
        "maximum_qos" => config.maximum_qos = reader.qos(value)?,
        "retain_available" => config.retain_available = reader.boolean(value)?,
        "wildcard_subscription_available" => config.wildcard_subscriptions = reader.boolean(value)?,
        "subscription_identifiers_available" => config.subscription_identifiers = reader.boolean(value)?,
        "shared_subscription_available" => config.shared_subscriptions = reader.boolean(value)?,
        _ => {}
    }
    Some(())
}
