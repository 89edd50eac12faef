use std::collections::BTreeMap;
use std::time::Duration;

use bytestring::ByteString;
use halfopen_client::core::{Options, Reconnect};
use halfopen_protocol::Version;
use halfopen_protocol::packet::{Connect, Subscription};

use super::answers::{ANSWERS, answers};
use super::subscription::{SUBSCRIPTIONS, check_filters, subscriptions};
use super::{Built, broker, will};
use crate::keys::{Key, Table, Takes, key, never, since_5};
use crate::names::Role;
use crate::packet::{payload, user_properties};
use crate::plan::{Answers, ClientProgram, Program, RawClientProgram};
use crate::reader::{Fields, Reader};
use crate::time;
use crate::tree::Node;

pub(crate) const CLIENT: Table = Table { what: "a client", keys: &[CONNECT, COMMON, CLIENT_ONLY] };
pub(crate) const RAW_CLIENT: Table = Table { what: "a raw client", keys: &[CONNECT, COMMON, RAW_ONLY] };
pub(crate) const WITH: Table = Table { what: "a CONNECT", keys: &[CONNECT] };

/// The fields of CONNECT.
const CONNECT: &[Key] = &[
    key("client_id", "the client identifier").takes(Takes::Text).or("the node's name"),
    key("keep_alive", "whole seconds, 0s is off").takes(Takes::Duration).or("60s, of a raw client 0s"),
    key("clean", "begin without an earlier session; false alone keeps the session for ever")
        .takes(Takes::Bool)
        .or("true"),
    since_5("session_expiry", "how long the session outlives the connection, whole seconds or `never`")
        .takes(Takes::Duration)
        .or("0s"),
    key("will", "what the broker publishes when the connection ends without DISCONNECT")
        .takes(Takes::Map(&will::WILL))
        .or("none"),
    key("username", "the user name").takes(Takes::Text).or("none"),
    key("password", "the password").takes(Takes::Payload).or("none"),
    since_5("receive_maximum", "how many QoS 1 and 2 messages the broker may send ahead")
        .takes(Takes::Number(1, 65_535))
        .or("65535"),
    since_5("maximum_packet_size", "the largest packet the broker may send, in bytes")
        .takes(Takes::Number(1, u32::MAX as u64))
        .or("no limit"),
    since_5("topic_alias_maximum", "the largest topic alias the broker may use")
        .takes(Takes::Number(0, 65_535))
        .or("0"),
    since_5("request_response_information", "asks the broker for a topic to answer on").takes(Takes::Bool).or("false"),
    since_5("request_problem_information", "lets the broker send reasons in words").takes(Takes::Bool).or("true"),
    since_5("user_properties", "names and values of the users' own")
        .takes(Takes::Named(&Takes::Several(&Takes::Text)))
        .or("none"),
    since_5("authentication_method", "the name of the enhanced authentication").takes(Takes::Text).or("none"),
    since_5("authentication_data", "its first data").takes(Takes::Payload).or("none"),
];

const COMMON: &[Key] = &[
    key("subscribe", "filters, subscribed to after a CONNACK without session").takes(SUBSCRIPTIONS).or("none"),
    key("to", "the broker it connects to").takes(Takes::Node).or("the only one"),
    key("count", "makes a group of so many: name.1, name.2 …, `<i>` inside is the number")
        .takes(Takes::Number(1, 10_000))
        .or("one node"),
    key("mqtt", "the version it speaks").takes(Takes::Version).or("that of the run"),
];

const CLIENT_ONLY: &[Key] = &[
    key("autostart", "connected before the story begins").takes(Takes::Bool).or("true"),
    key("ping_timeout", "how long it waits for PINGRESP").takes(Takes::Duration).or("half of keep_alive"),
    key("connect_timeout", "how long it waits for a connection and CONNACK together").takes(Takes::Duration).or("10s"),
    key("handling", "how long its application is busy with each message; until then nothing more is read")
        .takes(Takes::Duration)
        .or("0s"),
    key("reconnect", "how it connects again on its own: min, max, factor, jitter")
        .takes(Takes::Either(&[Takes::Words(NEVER), Takes::Map(&RECONNECT)]))
        .or("never"),
    never("answers", "`answers` belongs to a raw client; a client answers as the standard says"),
];

const RAW_ONLY: &[Key] = &[
    key("answers", "`usual`, `nothing`, or packet → what it answers").takes(ANSWERS).or("usual"),
    never("autostart", "a raw client does what is written and nothing on its own; begin the story with `connect`"),
    never("reconnect", "a raw client does what is written and does not reconnect on its own; write `connect`"),
    never("ping_timeout", "a raw client sends no PINGREQ on its own, so it waits for no PINGRESP"),
    never("connect_timeout", "a raw client has no time-outs; a step that never ends fails the run"),
    never("handling", "a raw client hands nothing on to an application; write `stop_reading` and `resume_reading`"),
];

const NEVER: &[Key] = &[key("never", "not on its own")];

const RECONNECT: Table = Table { what: "reconnect", keys: &[RECONNECT_KEYS] };

const RECONNECT_KEYS: &[Key] = &[
    key("min", "the first pause").takes(Takes::Duration).or("1s"),
    key("max", "the longest pause").takes(Takes::Duration).or("30s"),
    key("factor", "by how much a pause is longer than the one before").takes(Takes::Factor).or("2"),
    key("jitter", "how much of a pause is left to chance, 0% to 100%").takes(Takes::Factor).or("0%"),
];

pub(super) fn build(reader: &Reader<'_>, name: &str, node: &Node) -> Option<Built> {
    let fields = reader.fields(node, &CLIENT)?;
    let reader = &of_version(reader, &fields)?;
    let mut options = Options::new(reader.version, name);
    let connect = connect(reader, &fields, options.connect);
    let common = common(reader, &fields, name, node);
    let mut broken = fields.broken;
    options.connect = connect.clone().unwrap_or_else(|| Connect::new(reader.version, name));
    let mut autostart = true;
    let mut handling = Duration::ZERO;
    for (name, _, value) in fields.iter() {
        broken |= match name {
            "autostart" => reader.boolean(value).map(|value| autostart = value),
            "ping_timeout" => reader.duration(value).map(|value| options.ping_timeout = Some(value)),
            "connect_timeout" => reader.duration(value).map(|value| options.connect_timeout = value),
            "handling" => reader.duration(value).map(|value| handling = value),
            "reconnect" => reconnect(reader, value).map(|value| options.reconnect = value),
            "subscribe" => check_filters(reader, value),
            _ => Some(()),
        }
        .is_none();
    }
    let (to, subscribe) = common?;
    let connect = connect.filter(|_| !broken)?;
    let mut known = known_fields(&connect);
    let half = Duration::from_secs(u64::from(connect.keep_alive)) / 2;
    known.insert("ping_timeout".to_owned(), time::format(options.ping_timeout.unwrap_or(half)));
    known.insert("connect_timeout".to_owned(), time::format(options.connect_timeout));
    options.subscriptions = subscribe;
    // Who is busy with a message takes no other.
    options.incoming_limit = (!handling.is_zero()).then_some(1);
    Some(Built { program: Program::Client(ClientProgram { options, to, autostart, handling }), fields: known })
}

pub(super) fn build_raw(reader: &Reader<'_>, name: &str, node: &Node) -> Option<Built> {
    let fields = reader.fields(node, &RAW_CLIENT)?;
    let reader = &of_version(reader, &fields)?;
    let connect = connect(reader, &fields, Connect::new(reader.version, name));
    let common = common(reader, &fields, name, node);
    let answers = match fields.get("answers") {
        Some(value) => answers(reader, value, Role::RawClient),
        None => Some(Answers::default()),
    };
    let (to, subscribe) = common?;
    let connect = connect.filter(|_| !fields.broken)?;
    let known = known_fields(&connect);
    let program = RawClientProgram { connect, to, subscribe, answers: answers? };
    Some(Built { program: Program::RawClient(program), fields: known })
}

/// A CONNECT that differs from the node's own in what a step says.
pub(crate) fn connect_fields(reader: &Reader<'_>, node: &Node, base: Connect) -> Option<Connect> {
    let fields = reader.fields(node, &WITH)?;
    connect(reader, &fields, base).filter(|_| !fields.broken)
}

fn of_version<'a>(reader: &Reader<'a>, fields: &Fields<'_>) -> Option<Reader<'a>> {
    let Some(node) = fields.get("mqtt") else { return Some(*reader) };
    let version = match reader.scalar(node, "`3.1.1` or `5.0`")? {
        "3.1.1" => Version::V3_1_1,
        "5.0" | "5" => Version::V5_0,
        other => {
            reader.error(node, format!("unknown version `{other}`; there are `3.1.1` and `5.0`"));
            return None;
        }
    };
    Some(Reader { version, both: false, ..*reader })
}

type Common = (crate::plan::NodeId, Vec<Subscription>);

fn common(reader: &Reader<'_>, fields: &Fields<'_>, name: &str, node: &Node) -> Option<Common> {
    let subscribe = match fields.get("subscribe") {
        Some(value) => subscriptions(reader, value),
        None => Some(Vec::new()),
    };
    let to = broker(reader, fields.get("to"), name, node);
    Some((to?, subscribe?))
}

fn connect(reader: &Reader<'_>, fields: &Fields<'_>, mut connect: Connect) -> Option<Connect> {
    let mut broken = false;
    for (name, _, value) in fields.iter() {
        broken |= set(reader, &mut connect, name, value).is_none();
    }
    // `clean: false` alone keeps the session for ever in both versions: 5.0 says so with an expiry of its own.
    if fields.get("clean").is_some() && !connect.clean_start && connect.version.is_v5() {
        connect.session_expiry.get_or_insert(u32::MAX);
    }
    (!broken).then_some(connect)
}

fn set(reader: &Reader<'_>, connect: &mut Connect, name: &str, value: &Node) -> Option<()> {
    let text = |what: &str| reader.scalar(value, what).map(ByteString::from);
    match name {
        // An empty text asks the broker to choose one.
        "client_id" => connect.client_id = value.text().map(ByteString::from).or_else(|| text("a client id"))?,
        "keep_alive" => connect.keep_alive = reader.keep_alive(value)?,
        "clean" => connect.clean_start = reader.boolean(value)?,
        "session_expiry" => connect.session_expiry = Some(session_expiry(reader, value)?),
        "will" => connect.will = Some(will::will(reader, value)?),
        "username" => connect.username = Some(text("a user name")?),
        "password" => connect.password = Some(payload(reader, value)?),
        "receive_maximum" => connect.receive_maximum = Some(reader.number_u16(value, 1)?),
        "maximum_packet_size" => connect.maximum_packet_size = Some(reader.number_u32(value, 1..=u32::MAX)?),
        "topic_alias_maximum" => connect.topic_alias_maximum = Some(reader.number_u16(value, 0)?),
        "request_response_information" => connect.request_response_information = Some(reader.boolean(value)?),
        "request_problem_information" => connect.request_problem_information = Some(reader.boolean(value)?),
        "user_properties" => connect.user_properties = user_properties(reader, value)?,
        "authentication_method" => connect.authentication_method = Some(text("an authentication method")?),
        "authentication_data" => connect.authentication_data = Some(payload(reader, value)?),
        _ => {}
    }
    Some(())
}

fn session_expiry(reader: &Reader<'_>, value: &Node) -> Option<u32> {
    if value.text() == Some("never") { Some(u32::MAX) } else { reader.seconds(value, u32::MAX) }
}

fn reconnect(reader: &Reader<'_>, value: &Node) -> Option<Option<Reconnect>> {
    if value.text() == Some("never") {
        return Some(None);
    }
    let fields = reader.fields(value, &RECONNECT)?;
    let mut reconnect = Reconnect { jitter: 0.0, ..Reconnect::default() };
    let mut broken = fields.broken;
    for (name, _, value) in fields.iter() {
        broken |= match name {
            "min" => reader.duration(value).map(|value| reconnect.min = value),
            "max" => reader.duration(value).map(|value| reconnect.max = value),
            "factor" => at_least_one(reader, value).map(|value| reconnect.factor = value),
            "jitter" => share(reader, value).map(|value| reconnect.jitter = value),
            _ => Some(()),
        }
        .is_none();
    }
    // A first pause longer than the default of the longest raises that.
    if fields.get("max").is_none() {
        reconnect.max = reconnect.max.max(reconnect.min);
    }
    if !broken && reconnect.max < reconnect.min {
        reader.error(value, "`max` is less than `min`");
        return None;
    }
    (!broken).then_some(Some(reconnect))
}

fn at_least_one(reader: &Reader<'_>, value: &Node) -> Option<f64> {
    let factor = reader.factor(value)?;
    if factor < 1.0 {
        reader.error(value, "a factor below 1 would make the pauses shorter");
        return None;
    }
    Some(factor)
}

fn share(reader: &Reader<'_>, value: &Node) -> Option<f64> {
    let share = reader.factor(value)?;
    if share > 1.0 {
        reader.error(value, "a share is between 0% and 100%");
        return None;
    }
    Some(share)
}

fn known_fields(connect: &Connect) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::from([
        ("client_id".to_owned(), connect.client_id.to_string()),
        ("keep_alive".to_owned(), format!("{}s", connect.keep_alive)),
        ("clean".to_owned(), connect.clean_start.to_string()),
    ]);
    if connect.version.is_v5() {
        fields.insert("session_expiry".to_owned(), format!("{}s", connect.session_expiry.unwrap_or(0)));
        fields.insert("receive_maximum".to_owned(), connect.receive_maximum.unwrap_or(u16::MAX).to_string());
    }
    if let Some(will) = &connect.will {
        fields.insert("will_topic".to_owned(), will.topic.to_string());
        fields.insert("will_delay".to_owned(), format!("{}s", will.delay.unwrap_or(0)));
    }
    fields
}
