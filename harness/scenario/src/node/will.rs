use halfopen_protocol::packet::Will;

use crate::keys::{Key, Table, Takes, key, since_5};
use crate::packet::{payload, user_properties};
use crate::reader::Reader;
use crate::tree::Node;

pub(crate) const WILL: Table = Table { what: "a will", keys: &[KEYS] };

const KEYS: &[Key] = &[
    key("topic", "where it is published").takes(Takes::Text),
    key("payload", "what is published").takes(Takes::Payload).or("nothing"),
    key("qos", "0, 1 or 2").takes(Takes::Number(0, 2)).or("0"),
    key("retain", "whether it is retained").takes(Takes::Bool).or("false"),
    since_5("delay", "how long after the end of the connection, whole seconds").takes(Takes::Duration).or("0s"),
    since_5("payload_format", "true: the payload is said to be UTF-8").takes(Takes::Bool),
    since_5("message_expiry", "how long the message is of use, whole seconds").takes(Takes::Duration),
    since_5("content_type", "what the payload is said to be").takes(Takes::Text),
    since_5("response_topic", "where an answer is awaited").takes(Takes::Text),
    since_5("correlation_data", "what an answer repeats").takes(Takes::Payload),
    since_5("user_properties", "names and values of the users' own").takes(Takes::Named(&Takes::Several(&Takes::Text))),
];

pub(super) fn will(reader: &Reader<'_>, node: &Node) -> Option<Will> {
    let fields = reader.fields(node, &WILL)?;
    let mut will = Will::default();
    let mut broken = fields.broken;
    if fields.get("topic").is_none() && !broken {
        reader.error(node, "a will needs a `topic`");
        return None;
    }
    for (name, _, value) in fields.iter() {
        broken |= set(reader, &mut will, name, value).is_none();
    }
    (!broken).then_some(will)
}

fn set(reader: &Reader<'_>, will: &mut Will, name: &str, value: &Node) -> Option<()> {
    let text = |what: &str| reader.scalar(value, what).map(Into::into);
    match name {
        "topic" => will.topic = text("a topic")?,
        "payload" => will.payload = payload(reader, value)?,
        "qos" => will.qos = reader.qos(value)?,
        "retain" => will.retain = reader.boolean(value)?,
        "delay" => will.delay = Some(reader.seconds(value, u32::MAX)?),
        "payload_format" => will.payload_format = Some(reader.boolean(value)?),
        "message_expiry" => will.message_expiry = Some(reader.seconds(value, u32::MAX)?),
        "content_type" => will.content_type = Some(text("a content type")?),
        "response_topic" => will.response_topic = Some(text("a topic")?),
        "correlation_data" => will.correlation_data = Some(payload(reader, value)?),
        "user_properties" => will.user_properties = user_properties(reader, value)?,
        _ => {}
    }
    Some(())
}
