use bytes::Bytes;
use clap::{ArgAction, Args as ClapArgs, Parser, Subcommand};
use halfopen_client::Options;
use halfopen_client::core::Reconnect;
use halfopen_protocol::Version;
use halfopen_protocol::packet::{Publish, QoS, Subscription, Will};

use super::values::{qos, version};

/// An MQTT 3.1.1 and 5.0 client, with the flags of mosquitto_pub and mosquitto_sub.
///
/// It connects again on its own when the connection is lost. A first connection that fails ends it.
#[derive(Debug, Parser)]
#[command(
    name = "halfopen-client",
    disable_help_flag = true,
    disable_version_flag = true,
    disable_help_subcommand = true
)]
pub(crate) struct Args {
    /// What to do.
    #[command(subcommand)]
    pub(crate) what: What,
    /// Print help.
    #[arg(long, action = ArgAction::HelpLong, global = true)]
    help: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Publish a message and leave.
    Pub(Pub),
    /// Subscribe and print what comes.
    Sub(Sub),
}

/// How to connect.
#[derive(Debug, ClapArgs)]
pub(crate) struct Connection {
    /// The broker's host.
    #[arg(short = 'h', long, default_value = "localhost")]
    pub(crate) host: String,
    /// The broker's port.
    #[arg(short = 'p', long, default_value_t = 1883)]
    pub(crate) port: u16,
    /// The client id; by default halfopen- and a random number.
    #[arg(short = 'i', long)]
    id: Option<String>,
    /// Keep-alive in seconds; 0 switches it off.
    #[arg(short = 'k', long, value_name = "SECONDS", default_value_t = 60)]
    keepalive: u16,
    /// The version of the protocol: mqttv311 (or 311, 3.1.1) or mqttv5 (or 5, 5.0).
    #[arg(short = 'V', long, value_name = "VERSION", default_value = "mqttv311", value_parser = version)]
    protocol_version: Version,
    /// The user name.
    #[arg(short = 'u', long)]
    username: Option<String>,
    /// The password.
    #[arg(short = 'P', long = "pw", value_name = "PASSWORD", requires = "username")]
    password: Option<String>,
    /// For how many seconds the broker keeps the session after the connection (5.0 only).
    #[arg(short = 'x', long, value_name = "SECONDS")]
    session_expiry_interval: Option<u32>,
    /// Print every packet that is sent and received.
    #[arg(short = 'd', long)]
    pub(crate) debug: bool,
    /// The topic of the will, which the broker publishes when the connection is lost.
    #[arg(long, value_name = "TOPIC")]
    will_topic: Option<String>,
    /// The payload of the will; empty by default.
    #[arg(long, value_name = "PAYLOAD", requires = "will_topic")]
    will_payload: Option<String>,
    /// The QoS of the will: 0, 1 or 2.
    #[arg(long, value_name = "QOS", default_value = "0", value_parser = qos)]
    will_qos: QoS,
    /// The will is retained.
    #[arg(long, requires = "will_topic")]
    will_retain: bool,
}

/// What to publish.
#[derive(Debug, ClapArgs)]
pub(crate) struct Pub {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// The topic.
    #[arg(short = 't', long)]
    topic: String,
    #[command(flatten)]
    payload: Payload,
    /// The QoS: 0, 1 or 2.
    #[arg(short = 'q', long, default_value = "0", value_parser = qos)]
    qos: QoS,
    /// The message is retained.
    #[arg(short = 'r', long)]
    retain: bool,
}

#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false)]
struct Payload {
    /// The payload.
    #[arg(short = 'm', long)]
    message: Option<String>,
    /// Publish a message without payload.
    #[arg(short = 'n', long)]
    null_message: bool,
    /// Publish each line of stdin as a message.
    #[arg(short = 'l', long)]
    stdin_line: bool,
}

/// What to subscribe to.
#[derive(Debug, ClapArgs)]
pub(crate) struct Sub {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// A topic filter; may be given several times.
    #[arg(short = 't', long = "topic", value_name = "FILTER", required = true)]
    topics: Vec<String>,
    /// The highest QoS at which the broker may send: 0, 1 or 2.
    #[arg(short = 'q', long, default_value = "0", value_parser = qos)]
    qos: QoS,
    /// Keep the session: messages of QoS 1 and 2 wait for the next time. Needs an id.
    #[arg(short = 'c', long, requires = "id")]
    disable_clean_session: bool,
    /// Print the topic before the payload.
    #[arg(short = 'v', long)]
    pub(crate) verbose: bool,
    /// Leave after so many messages.
    #[arg(short = 'C', long = "count", value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
}

impl Connection {
    fn options(&self, seed: u64) -> Options {
        let id = self.id.clone().unwrap_or_else(|| format!("halfopen-{:08x}", (seed ^ (seed >> 32)) as u32));
        let mut options = Options::new(self.protocol_version, id);
        options.reconnect = Some(Reconnect::default());
        let connect = &mut options.connect;
        connect.keep_alive = self.keepalive;
        connect.username = self.username.clone().map(Into::into);
        connect.password = self.password.clone().map(Bytes::from);
        connect.session_expiry = self.session_expiry_interval;
        connect.will = self.will_topic.clone().map(|topic| Will {
            topic: topic.into(),
            payload: self.will_payload.clone().unwrap_or_default().into(),
            qos: self.will_qos,
            retain: self.will_retain,
            ..Will::default()
        });
        options
    }
}

impl Pub {
    pub(crate) fn options(&self, seed: u64) -> Options {
        self.connection.options(seed)
    }

    /// The message to publish, or the form of one that a line of stdin is put in.
    pub(crate) fn message(&self) -> Publish {
        Publish {
            qos: self.qos,
            retain: self.retain,
            topic: self.topic.clone().into(),
            payload: self.payload.message.clone().unwrap_or_default().into(),
            ..Publish::default()
        }
    }

    pub(crate) fn reads_lines(&self) -> bool {
        self.payload.stdin_line
    }
}

impl Sub {
    pub(crate) fn options(&self, seed: u64) -> Options {
        let mut options = self.connection.options(seed);
        options.subscriptions = self.topics.iter().map(|topic| Subscription::new(topic.clone(), self.qos)).collect();
        let connect = &mut options.connect;
        connect.clean_start = !self.disable_clean_session;
        // In 5.0 a session ends with the connection unless one says otherwise (§3.1.2.11.2).
        if self.disable_clean_session && connect.version.is_v5() && connect.session_expiry.is_none() {
            connect.session_expiry = Some(u32::MAX);
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(["halfopen-client"].into_iter().chain(line.split_whitespace()))
    }

    #[test]
    fn the_definition_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[rstest]
    #[case::as_for_mosquitto_pub("pub -h broker -p 1884 -t a/b -m hi -q 2 -r -k 5 -i me -V 5 -d -u you -P secret")]
    #[case::null_message("pub -t a -n")]
    #[case::lines("pub -t a -l")]
    #[case::will("pub -t a -n --will-topic w --will-payload gone --will-qos 1 --will-retain")]
    #[case::as_for_mosquitto_sub("sub -h broker -t a/# -t b/+ -v -C 3 -c -i me -q 1 -V mqttv5")]
    fn good_lines_are_taken(#[case] line: &str) {
        assert!(parse(line).is_ok(), "{:?}", parse(line));
    }

    #[rstest]
    #[case::nothing("")]
    #[case::no_topic("pub -m hi")]
    #[case::no_message("pub -t a")]
    #[case::two_messages("pub -t a -m hi -n")]
    #[case::qos("pub -t a -m hi -q 3")]
    #[case::version("pub -t a -m hi -V 4")]
    #[case::keep_alive("pub -t a -m hi -k 65536")]
    #[case::will_without_topic("pub -t a -m hi --will-payload gone")]
    #[case::session_without_id("sub -t a -c")]
    #[case::count("sub -t a -C 0")]
    #[case::password_without_user("sub -t a -P secret")]
    #[case::unknown("sub -t a --frobnicate")]
    fn bad_lines_are_refused(#[case] line: &str) {
        assert!(parse(line).is_err());
    }

    #[test]
    fn flags_reach_the_connect_packet() {
        let line = "sub -t a -q 1 -k 5 -i me -V 5 -c -u you -P secret --will-topic w --will-qos 1 --will-retain";
        let Ok(Args { what: What::Sub(sub), .. }) = parse(line) else { panic!() };
        let options = sub.options(0);
        let connect = options.connect;
        assert_eq!((&*connect.client_id, connect.keep_alive, connect.version), ("me", 5, Version::V5_0));
        assert_eq!((connect.clean_start, connect.session_expiry), (false, Some(u32::MAX)));
        assert_eq!((connect.username.as_deref(), connect.password.as_deref()), (Some("you"), Some(&b"secret"[..])));
        let will = connect.will.expect("a topic was given");
        assert_eq!((&*will.topic, will.qos, will.retain), ("w", QoS::AtLeastOnce, true));
        assert_eq!(options.subscriptions, [Subscription::new("a", QoS::AtLeastOnce)]);
    }
}
