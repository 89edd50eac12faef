//! What an adapter is told and what it says: one JSON object a line. `docs/adapters.md` documents the lines.

use std::net::Ipv4Addr;

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::Version;
use halfopen_protocol::packet::{Connect, PacketId, Publish, QoS, Subscription, UserProperties, Will};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use crate::node::Command;
use crate::plan::{ClientProgram, Transport};
use crate::trace::{from_hex, hex};

/// Port of MQTT on every broker's node.
const PORT: u16 = 1883;

/// Something that an adapter says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The adapter is ready for commands.
    Ready,
    /// The client has received a successful CONNACK.
    Connected {
        /// True if the broker had its session.
        session_present: bool,
    },
    /// The client hands a message to the application.
    Message(Box<Publish>),
    /// The client cannot do what it was told, and why: the run says nothing about it.
    Cannot(String),
    /// Something for people alone.
    Note,
}

/// A line of an adapter.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Ready {},
    Connected {
        session_present: bool,
    },
    Message(MessageLine),
    Acknowledged {
        #[expect(dead_code, reason = "for people")]
        what: Option<String>,
    },
    Closed {},
    Error {
        #[expect(dead_code, reason = "for people")]
        text: String,
    },
    Cannot {
        text: String,
    },
}

/// A message as an application has it, its bytes in hex.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageLine {
    topic: String,
    payload: String,
    qos: u8,
    retain: bool,
    #[serde(default)]
    dup: bool,
    id: Option<u16>,
    payload_format: Option<u8>,
    message_expiry: Option<u32>,
    response_topic: Option<String>,
    correlation_data: Option<String>,
    user_properties: Option<Vec<(String, String)>>,
    subscription_ids: Option<Vec<u32>>,
    content_type: Option<String>,
}

impl Said {
    /// Reads a line. What does not begin with `{` is from the program, or a library of it, to people.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(super) fn read(line: &str) -> Result<Self, String> {
        if !line.starts_with('{') {
            return Ok(Self::Note);
        }
        let read: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
        Ok(match read {
            Line::Ready {} => Self::Ready,
            Line::Connected { session_present } => Self::Connected { session_present },
            Line::Message(message) => Self::Message(Box::new(message.publish()?)),
            Line::Cannot { text } => Self::Cannot(text),
            Line::Acknowledged { .. } | Line::Closed {} | Line::Error { .. } => Self::Note,
        })
    }
}

impl MessageLine {
    fn publish(self) -> Result<Publish, String> {
        let bytes = |name: &str, text: &str| from_hex(text).ok_or_else(|| format!("`{name}` is not in hex: {text}"));
        // Some libraries have 0 where there is none, and a broken one hands on what came with 0.
        let packet_id = self.id.filter(|_| self.qos > 0).and_then(PacketId::new);
        Ok(Publish {
            dup: self.dup,
            qos: QoS::new(self.qos).ok_or_else(|| format!("`qos` is 0, 1 or 2, and not {}", self.qos))?,
            retain: self.retain,
            topic: self.topic.into(),
            packet_id,
            payload_format: self.payload_format.map(|format| format != 0),
            message_expiry: self.message_expiry,
            topic_alias: None,
            response_topic: self.response_topic.map(ByteString::from),
            correlation_data: self.correlation_data.map(|text| bytes("correlation_data", &text)).transpose()?,
            user_properties: self
                .user_properties
                .unwrap_or_default()
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            subscription_ids: self.subscription_ids.unwrap_or_default(),
            content_type: self.content_type.map(ByteString::from),
            payload: bytes("payload", &self.payload)?,
        })
    }
}

/// Returns the line that makes a client connect to a host with this CONNECT and the node's settings.
pub(super) fn connect_line(connect: &Connect, program: &ClientProgram, host: Ipv4Addr, transport: Transport) -> String {
    let settings = &program.options;
    let reconnect = settings.reconnect.map(|reconnect| {
        json!({
            "min_ms": millis(reconnect.min),
            "max_ms": millis(reconnect.max),
            "factor": reconnect.factor,
        })
    });
    let subscribe = (!settings.subscriptions.is_empty()).then(|| filters(&settings.subscriptions));
    line(
        "connect",
        [
            ("host", Some(json!(host))),
            ("port", Some(json!(PORT))),
            ("transport", (transport == Transport::WebSocket).then(|| json!("websocket"))),
            ("protocol_level", Some(json!(if connect.version == Version::V5_0 { 5 } else { 4 }))),
            ("client_id", Some(text(&connect.client_id))),
            ("clean", Some(json!(connect.clean_start))),
            ("keep_alive", Some(json!(connect.keep_alive))),
            ("username", connect.username.as_ref().map(text)),
            ("password", connect.password.as_ref().map(data)),
            ("will", connect.will.as_deref().map(will)),
            ("session_expiry", connect.session_expiry.map(Json::from)),
            ("receive_maximum", connect.receive_maximum.map(Json::from)),
            ("maximum_packet_size", connect.maximum_packet_size.map(Json::from)),
            ("topic_alias_maximum", connect.topic_alias_maximum.map(Json::from)),
            ("request_response_information", connect.request_response_information.map(Json::from)),
            ("request_problem_information", connect.request_problem_information.map(Json::from)),
            ("user_properties", pairs(&connect.user_properties)),
            ("authentication_method", connect.authentication_method.as_ref().map(text)),
            ("authentication_data", connect.authentication_data.as_ref().map(data)),
            ("connect_timeout_ms", Some(millis(settings.connect_timeout))),
            ("ping_timeout_ms", settings.ping_timeout.map(millis)),
            ("reconnect", reconnect),
            ("subscribe", subscribe),
        ],
    )
}

/// Returns the line for another command; none for what no program can be told.
pub(super) fn command_line(command: &Command) -> Option<String> {
    Some(match command {
        Command::Subscribe { subscriptions, subscription_id } => line(
            "subscribe",
            [("subscriptions", Some(filters(subscriptions))), ("subscription_id", subscription_id.map(Json::from))],
        ),
        Command::Unsubscribe(wanted) => {
            line("unsubscribe", [("filters", Some(wanted.iter().map(text).collect::<Json>()))])
        }
        Command::Publish(publish) => line(
            "publish",
            [
                ("topic", Some(text(&publish.topic))),
                ("payload", Some(data(&publish.payload))),
                ("qos", Some(json!(publish.qos.level()))),
                ("retain", Some(json!(publish.retain))),
                ("topic_alias", publish.topic_alias.map(Json::from)),
                ("payload_format", publish.payload_format.map(|format| json!(u8::from(format)))),
                ("message_expiry", publish.message_expiry.map(Json::from)),
                ("response_topic", publish.response_topic.as_ref().map(text)),
                ("correlation_data", publish.correlation_data.as_ref().map(data)),
                ("user_properties", pairs(&publish.user_properties)),
                ("content_type", publish.content_type.as_ref().map(text)),
            ],
        ),
        Command::Disconnect(disconnect) => line(
            "disconnect",
            [
                ("reason", Some(json!(disconnect.reason.value()))),
                ("session_expiry", disconnect.session_expiry.map(Json::from)),
                ("reason_string", disconnect.reason_string.as_ref().map(text)),
                ("user_properties", pairs(&disconnect.user_properties)),
            ],
        ),
        Command::Close(_) => line("close", []),
        Command::Connect { .. }
        | Command::StopPinging
        | Command::ResumePinging
        | Command::Reauthenticate
        | Command::Open
        | Command::Send(_)
        | Command::Answer(_)
        | Command::SetReading(_)
        | Command::Shutdown
        | Command::Configure(_) => return None,
    })
}

/// Returns a command with the fields that are there, and the end of the line.
fn line<const N: usize>(command: &str, fields: [(&str, Option<Json>); N]) -> String {
    let mut object = Map::new();
    object.insert("do".to_owned(), json!(command));
    object.extend(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    format!("{}\n", Json::Object(object))
}

fn will(will: &Will) -> Json {
    let fields = [
        ("topic", Some(text(&will.topic))),
        ("payload", Some(data(&will.payload))),
        ("qos", Some(json!(will.qos.level()))),
        ("retain", Some(json!(will.retain))),
        ("delay", will.delay.map(Json::from)),
        ("payload_format", will.payload_format.map(|format| json!(u8::from(format)))),
        ("message_expiry", will.message_expiry.map(Json::from)),
        ("content_type", will.content_type.as_ref().map(text)),
        ("response_topic", will.response_topic.as_ref().map(text)),
        ("correlation_data", will.correlation_data.as_ref().map(data)),
        ("user_properties", pairs(&will.user_properties)),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn filters(subscriptions: &[Subscription]) -> Json {
    let filter = |subscription: &Subscription| {
        json!({
            "filter": text(&subscription.filter),
            "qos": subscription.qos.level(),
            "no_local": subscription.no_local,
            "retain_as_published": subscription.retain_as_published,
            "retain_handling": subscription.retain_handling as u8,
        })
    };
    subscriptions.iter().map(filter).collect()
}

fn pairs(properties: &UserProperties) -> Option<Json> {
    let pair = |(name, value): &(ByteString, ByteString)| json!([text(name), text(value)]);
    (!properties.is_empty()).then(|| properties.iter().map(pair).collect())
}

fn text(text: &ByteString) -> Json {
    Json::from(text.as_ref() as &str)
}

fn data(bytes: &Bytes) -> Json {
    Json::from(hex(bytes))
}

fn millis(duration: std::time::Duration) -> Json {
    Json::from(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;
    use crate::plan::{ClientSettings, NodeId, Reconnect};

    #[test]
    fn connect_says_what_is_set_and_nothing_else() {
        let mut options = ClientSettings::new(Version::V5_0, "a");
        options.connect.password = Some(Bytes::from_static(b"\x00\xff"));
        options.reconnect = Some(Reconnect { max: Duration::from_secs(2), ..Reconnect::default() });
        options.subscriptions = vec![Subscription::new("t/#", QoS::AtLeastOnce)];
        let program = ClientProgram::new(options, NodeId(0));
        let line = connect_line(&program.options.connect, &program, Ipv4Addr::new(10, 0, 0, 1), Transport::Tcp);
        assert_eq!(
            line,
            "{\"clean\":true,\"client_id\":\"a\",\"connect_timeout_ms\":10000,\"do\":\"connect\",\"host\":\"10.0.0.1\",\
             \"keep_alive\":60,\"password\":\"00ff\",\"port\":1883,\"protocol_level\":5,\
             \"reconnect\":{\"factor\":2.0,\"max_ms\":2000,\"min_ms\":1000},\
             \"subscribe\":[{\"filter\":\"t/#\",\"no_local\":false,\"qos\":1,\"retain_as_published\":false,\"retain_handling\":0}]}\n"
        );
    }

    #[test]
    fn what_no_program_can_be_told_has_no_line() {
        assert_eq!(command_line(&Command::StopPinging), None);
        let line = command_line(&Command::Disconnect(Box::default()));
        assert_eq!(line.as_deref(), Some("{\"do\":\"disconnect\",\"reason\":0}\n"));
    }

    #[test]
    fn message_is_what_the_application_has() {
        let line = r#"{"event":"message","topic":"t","payload":"6869","qos":1,"retain":false,"id":7,"user_properties":[["a","b"]]}"#;
        let message = Publish {
            qos: QoS::AtLeastOnce,
            topic: "t".into(),
            packet_id: PacketId::new(7),
            user_properties: vec![("a".into(), "b".into())],
            payload: Bytes::from_static(b"hi"),
            ..Publish::default()
        };
        assert_eq!(Said::read(line), Ok(Said::Message(Box::new(message))));
    }

    #[test]
    fn identifier_0_is_none() {
        let line = r#"{"event":"message","topic":"t","payload":"","qos":1,"retain":false,"id":0}"#;
        let message = Publish { qos: QoS::AtLeastOnce, topic: "t".into(), ..Publish::default() };
        assert_eq!(Said::read(line), Ok(Said::Message(Box::new(message))));
    }

    #[rstest]
    #[case(r#"{"event":"ready"}"#, Said::Ready)]
    #[case(r#"{"event":"connected","session_present":true}"#, Said::Connected { session_present: true })]
    #[case(r#"{"event":"acknowledged","what":"publish"}"#, Said::Note)]
    #[case(r#"{"event":"closed"}"#, Said::Note)]
    #[case(r#"{"event":"error","text":"refused"}"#, Said::Note)]
    #[case(r#"{"event":"cannot","text":"no wills"}"#, Said::Cannot("no wills".to_owned()))]
    #[case("Traceback (most recent call last):", Said::Note)]
    fn line_is_read(#[case] line: &str, #[case] said: Said) {
        assert_eq!(Said::read(line), Ok(said));
    }

    #[rstest]
    #[case::no_json("{", "EOF")]
    #[case::no_event("{}", "missing field `event`")]
    #[case::unknown(r#"{"event":"conected"}"#, "unknown variant `conected`, expected one of `ready`, `connected`")]
    #[case::missing(r#"{"event":"connected"}"#, "missing field `session_present`")]
    #[case::too_much(r#"{"event":"ready","when":1}"#, "unknown field `when`")]
    #[case::hex(
        r#"{"event":"message","topic":"t","payload":"hi","qos":0,"retain":false}"#,
        "`payload` is not in hex: hi"
    )]
    #[case::qos(
        r#"{"event":"message","topic":"t","payload":"","qos":3,"retain":false}"#,
        "`qos` is 0, 1 or 2, and not 3"
    )]
    fn nonsense_is_refused(#[case] line: &str, #[case] why: &str) {
        let error = Said::read(line).expect_err("it is nonsense");
        assert!(error.starts_with(why), "{error}");
    }
}
