use std::collections::BTreeMap;

use halfopen_broker::Config;

use super::Built;
use crate::plan::Program;
use crate::scenario::keys::{Key, Table, Takes, key, not_yet, since_5};
use crate::scenario::reader::Reader;
use crate::scenario::time;
use crate::scenario::tree::Node;

pub(in crate::scenario) const BROKER: Table = Table { what: "a broker", keys: &[KEYS] };

const KEYS: &[Key] = &[
    since_5("server_keep_alive", "the keep-alive that clients must use instead of their own")
        .takes(Takes::Duration)
        .or("none"),
    key("keep_alive_factor", "a silent client is closed after its keep-alive times this")
        .takes(Takes::Factor)
        .or("1.5"),
    key("connect_timeout", "how long a connection may be open without a CONNECT").takes(Takes::Duration).or("10s"),
    key("queue_messages", "how many messages wait for one client that is away or slow")
        .takes(Takes::Number(0, 1_000_000))
        .or("1000"),
    key("receive_maximum", "how many QoS 1 and 2 messages a client may have unacknowledged")
        .takes(Takes::Number(1, 65_535))
        .or("1000"),
    key("maximum_packet_size", "the largest packet a client may send, in bytes")
        .takes(Takes::Number(14, 268_435_460))
        .or("16777216"),
    not_yet("min_keep_alive", "a smaller keep-alive is raised to it; none"),
    not_yet("max_keep_alive", "a larger keep-alive is lowered to it; none"),
    not_yet("durable", "whether sessions and retained messages survive a crash; false"),
    not_yet("auth", "who may connect, and the dialogue of enhanced authentication; anyone"),
    not_yet("max_session_expiry", "a longer session expiry is lowered to it; none"),
    not_yet("topic_alias_maximum", "the largest topic alias a client may use; 0"),
    not_yet("maximum_qos", "the highest QoS of the broker; 2"),
    not_yet("retain_available", "whether retained messages are kept; true"),
    not_yet("wildcard_subscription_available", "true"),
    not_yet("subscription_identifiers_available", "true"),
    not_yet("shared_subscription_available", "true"),
    not_yet("mqtt", "the version or versions that it speaks; both"),
    not_yet("transport", "tcp"),
    not_yet("profile", "the manners of a known broker; none"),
];

pub(super) fn build(reader: &Reader<'_>, node: Option<&Node>) -> Option<Built> {
    let mut config = Config::default();
    let mut broken = false;
    if let Some(node) = node {
        let fields = reader.fields(node, &BROKER)?;
        broken = fields.broken;
        for (name, _, value) in fields.iter() {
            broken |= set(reader, &mut config, name, value).is_none();
        }
    }
    let mut fields = BTreeMap::new();
    if let Some(server_keep_alive) = config.server_keep_alive {
        fields.insert("server_keep_alive".to_owned(), format!("{server_keep_alive}s"));
    }
    fields.insert("keep_alive_factor".to_owned(), config.keep_alive_factor.to_string());
    fields.insert("connect_timeout".to_owned(), time::format(config.connect_timeout));
    fields.insert("queue_messages".to_owned(), config.queue_messages.to_string());
    fields.insert("receive_maximum".to_owned(), config.receive_maximum.to_string());
    fields.insert("maximum_packet_size".to_owned(), config.maximum_packet_size.to_string());
    (!broken).then(|| Built { program: Program::Broker(config), fields })
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
        _ => {}
    }
    Some(())
}
