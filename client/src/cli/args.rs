use std::io::{self, Read as _};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use clap::{ArgAction, Args as ClapArgs, Parser, Subcommand};
use halfopen_client::core::SubscribeRequest;
use halfopen_client::{Options, Scram};
use halfopen_protocol::packet::{Disconnect, Publish, QoS, Subscription, Will};
use halfopen_protocol::{Version, topic};

use super::property::{Properties, Property};
use super::values::{Url, qos, seconds, url, version};

/// An MQTT 3.1.1 and 5.0 client, with the flags of mosquitto_pub and mosquitto_sub.
///
/// It connects again on its own when the connection is lost, and says so. Where nothing listens at the first attempt,
/// it ends; sub waits for a broker whose port is open and that sends no CONNACK yet, and pub does not.
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
    pub(crate) what: ProgramCommand,
    /// Print help.
    #[arg(long, action = ArgAction::HelpLong, global = true)]
    help: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProgramCommand {
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
    host: String,
    /// The broker's port.
    #[arg(short = 'p', long, default_value_t = 1883, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Host, port, user and topic at once: mqtt://[user[:password]@]host[:port][/topic].
    #[arg(short = 'L', long, value_name = "URL", value_parser = url, conflicts_with_all = ["host", "port"])]
    url: Option<Url>,
    /// The address of this machine to connect from.
    #[arg(short = 'A', value_name = "ADDRESS")]
    pub(crate) bind_address: Option<std::net::IpAddr>,
    /// Speak MQTT over WebSocket, at the path /mqtt.
    #[arg(long)]
    pub(crate) ws: bool,
    /// A property of 5.0, as in -D publish content-type text/plain or -D connect user-property NAME VALUE; may be given
    /// several times.
    #[arg(short = 'D', long = "property", value_name = "COMMAND PROPERTY VALUE", value_parser = super::property::parse)]
    properties: Vec<Property>,
    /// Keep the session after the connection. Needs an id.
    #[arg(short = 'c', long, requires = "id")]
    disable_clean_session: bool,
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
    /// Prove the password of -u and -P by this method, SCRAM-SHA-256, in place of sending it (5.0 only).
    #[arg(long, value_name = "METHOD", value_parser = ["SCRAM-SHA-256"])]
    auth_method: Option<String>,
    /// The client id begins with this, and a random number follows.
    #[arg(short = 'I', long, value_name = "PREFIX", conflicts_with = "id")]
    id_prefix: Option<String>,
    /// End after this many attempts to connect in a row that bring no CONNACK, for whatever reason. Without it, sub
    /// ends where nothing listens at the first attempt and else tries for ever, and pub ends if the first attempt
    /// fails.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connect_attempts: Option<u32>,
    /// Print no errors and warnings; the status tells.
    #[arg(long)]
    pub(crate) quiet: bool,
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
    #[arg(long, value_name = "QOS", default_value = "0", value_parser = qos, requires = "will_topic")]
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
    #[arg(short = 't', long, required_unless_present = "url")]
    topic: Option<String>,
    #[command(flatten)]
    payload: Payload,
    /// The QoS: 0, 1 or 2.
    #[arg(short = 'q', long, default_value = "0", value_parser = qos)]
    qos: QoS,
    /// The message is retained.
    #[arg(short = 'r', long)]
    retain: bool,
    /// Publish the given number of times.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) repeat: u64,
    /// How many seconds to wait between the times.
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    pub(crate) repeat_delay: Duration,
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
    /// Publish what a file has in it.
    #[arg(short = 'f', long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Publish all of stdin as one message.
    #[arg(short = 's', long)]
    stdin_file: bool,
}

/// What to subscribe to.
#[derive(Debug, ClapArgs)]
pub(crate) struct Sub {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// A topic filter; may be given several times.
    #[arg(short = 't', long = "topic", value_name = "FILTER", required_unless_present_any = ["url", "unsubscribe"])]
    topics: Vec<String>,
    /// The highest QoS at which the broker may send: 0, 1 or 2.
    #[arg(short = 'q', long, default_value = "0", value_parser = qos)]
    qos: QoS,
    /// Print the topic before the payload.
    #[arg(short = 'v', long)]
    pub(crate) verbose: bool,
    /// Exit after the given number of messages.
    #[arg(short = 'C', long = "count", value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Leave out messages whose topic matches this filter; may be given several times.
    #[arg(short = 'T', long = "filter-out", value_name = "FILTER")]
    filter_out: Vec<String>,
    /// Unsubscribe from this filter after connecting; may be given several times.
    #[arg(short = 'U', long, value_name = "FILTER")]
    unsubscribe: Vec<String>,
    /// Print no line break after a message.
    #[arg(short = 'N')]
    pub(crate) no_line_break: bool,
    /// Print no retained messages that were there before.
    #[arg(short = 'R')]
    no_stale: bool,
    /// Print retained messages only.
    #[arg(long, conflicts_with = "no_stale")]
    retained_only: bool,
    /// Remove from the broker each retained message that comes.
    #[arg(long)]
    pub(crate) remove_retained: bool,
    /// Show of each message whether it was published as retained, also of those that come later (5.0 only).
    #[arg(long)]
    retain_as_published: bool,
    /// Leave as soon as the broker has answered the subscriptions.
    #[arg(short = 'E')]
    pub(crate) exit_after_subscribing: bool,
    /// Exit after the given number of seconds, with status 27.
    #[arg(short = 'W', value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,
    /// How to print a message: %t topic, %p payload, %x and %X in hexadecimal, %l its length, %q QoS, %r retain, %m
    /// packet identifier, %j JSON, %I and %U time, %C content type, %R response topic, %D correlation data, %E expiry,
    /// %F payload format, %P user properties, %S subscription identifiers, %A topic alias; \n, \t and others as in C.
    #[arg(short = 'F', value_name = "FORMAT", value_parser = super::format::check)]
    pub(crate) format: Option<String>,
}

impl Connection {
    pub(crate) fn host(&self) -> &str {
        self.url.as_ref().map_or(&self.host, |url| &url.host)
    }

    pub(crate) fn port(&self) -> u16 {
        self.url.as_ref().map_or(self.port, |url| url.port)
    }

    fn topic(&self) -> Option<String> {
        self.url.as_ref().and_then(|url| url.topic.clone())
    }

    fn properties(&self) -> Properties {
        Properties(self.properties.clone())
    }

    fn login(&self) -> (Option<String>, Option<String>) {
        let url = self.url.as_ref();
        let username = self.username.clone().or_else(|| url?.user.clone());
        (username, self.password.clone().or_else(|| url?.password.clone()))
    }

    /// What proves the password, if it is not to be sent.
    pub(crate) fn mechanism(&self) -> Result<Option<Scram>, String> {
        if self.auth_method.is_none() {
            return Ok(None);
        }
        let (Some(username), Some(password)) = self.login() else {
            return Err("--auth-method needs -u and -P".to_owned());
        };
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| error.to_string())?;
        Scram::new(username, password, seed).map(Some).map_err(|error| error.to_string())
    }

    /// The DISCONNECT to leave with.
    pub(crate) fn farewell(&self) -> Result<Disconnect, String> {
        self.properties().disconnect()
    }

    fn options(&self, seed: u64) -> Result<Options, String> {
        if !self.properties.is_empty() && !self.protocol_version.is_v5() {
            return Err("-D needs -V 5".to_owned());
        }
        if self.session_expiry_interval.is_some() && !self.protocol_version.is_v5() {
            return Err("-x needs -V 5".to_owned());
        }
        let prefix = self.id_prefix.as_deref().unwrap_or("halfopen-");
        let id = self.id.clone().unwrap_or_else(|| format!("{prefix}{:08x}", (seed ^ (seed >> 32)) as u32));
        let mut options = Options::new(self.protocol_version, id);
        options.reconnect = Some(Box::default());
        let connect = &mut options.connect;
        connect.keep_alive = self.keepalive;
        if self.auth_method.is_none() {
            let (username, password) = self.login();
            connect.username = username.map(Into::into);
            connect.password = password.map(Bytes::from);
        } else if !connect.version.is_v5() {
            return Err("--auth-method needs -V 5".to_owned());
        }
        connect.session_expiry = self.session_expiry_interval;
        connect.clean_start = !self.disable_clean_session;
        // In 5.0 a session ends with the connection unless one says otherwise (§3.1.2.11.2).
        if self.disable_clean_session && connect.version.is_v5() && connect.session_expiry.is_none() {
            connect.session_expiry = Some(u32::MAX);
        }
        connect.will = self
            .will_topic
            .clone()
            .map(|topic| Will {
                topic: topic.into(),
                payload: self.will_payload.clone().unwrap_or_default().into(),
                qos: self.will_qos,
                retain: self.will_retain,
                ..Will::default()
            })
            .map(Box::new);
        self.properties().connect(&mut options)?;
        Ok(options)
    }
}

impl Pub {
    pub(crate) fn options(&self, seed: u64) -> Result<Options, String> {
        self.connection.options(seed)
    }

    /// The message to publish, or the form of one that a line of stdin is put in.
    pub(crate) fn message(&self) -> Result<Publish, String> {
        let Some(topic) = self.topic.clone().or_else(|| self.connection.topic()) else {
            return Err("a topic is missing: -t, or in the URL".to_owned());
        };
        let mut publish = Publish {
            qos: self.qos,
            retain: self.retain,
            topic: topic.into(),
            payload: self.payload.read()?,
            ..Publish::default()
        };
        self.connection.properties().publish(&mut publish)?;
        Ok(publish)
    }

    pub(crate) fn reads_lines(&self) -> bool {
        self.payload.stdin_line
    }
}

impl Payload {
    fn read(&self) -> Result<Bytes, String> {
        let trouble = |what: String, error: io::Error| format!("{what}: {}", super::words(&error.to_string()));
        if let Some(file) = &self.file {
            return std::fs::read(file).map(Into::into).map_err(|error| trouble(file.display().to_string(), error));
        }
        if self.stdin_file {
            let mut bytes = Vec::new();
            io::stdin().read_to_end(&mut bytes).map_err(|error| trouble("stdin".to_owned(), error))?;
            return Ok(bytes.into());
        }
        Ok(self.message.clone().unwrap_or_default().into())
    }
}

impl Sub {
    /// Whether a message is to be printed and counted.
    pub(crate) fn wants(&self, message: &Publish) -> bool {
        let is_filtered_out = self.filter_out.iter().any(|filter| topic::matches(filter, &message.topic));
        let is_unwanted = if message.retain { self.no_stale } else { self.retained_only };
        !is_filtered_out && !is_unwanted
    }

    /// What to subscribe to. Asked for by the program, since a session that the broker kept may lack it.
    pub(crate) fn request(&self) -> Result<SubscribeRequest, String> {
        let topics = self.topics.iter().cloned().chain(self.connection.topic());
        if self.retain_as_published && !self.connection.protocol_version.is_v5() {
            return Err("--retain-as-published needs -V 5".to_owned());
        }
        let subscription = |topic| Subscription {
            retain_as_published: self.retain_as_published,
            ..Subscription::new(topic, self.qos)
        };
        let subscriptions: Vec<_> = topics.map(subscription).collect();
        if subscriptions.is_empty() && self.unsubscribe.is_empty() {
            return Err("a topic is missing: -t, or in the URL".to_owned());
        }
        let (subscription_id, user_properties) = self.connection.properties().subscribe()?;
        Ok(SubscribeRequest { subscriptions, subscription_id, user_properties })
    }

    /// What to unsubscribe from.
    pub(crate) fn unsubscribe(&self) -> Vec<ByteString> {
        self.unsubscribe.iter().map(|filter| filter.as_str().into()).collect()
    }

    pub(crate) fn options(&self, seed: u64) -> Result<Options, String> {
        self.connection.options(seed)
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
    #[case::file("pub -t a -f /dev/null --repeat 3 --repeat-delay 0.5")]
    #[case::websocket("pub -h broker -p 8080 --ws -t a -n")]
    #[case::url("pub -L mqtt://you:secret@broker:1884/a/b -s -A 127.0.0.1")]
    #[case::all_of_mosquitto_sub("sub -t a -T a/b -U c -N -R -E -W 3 -F %t\\t%p -C 1 -i me -c")]
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
    #[case::will_qos_without_topic("pub -t a -m hi --will-qos 1")]
    #[case::port("sub -t a -p 0")]
    #[case::old_and_new_only("sub -t a -R --retained-only")]
    #[case::no_attempts("sub -t a --connect-attempts 0")]
    #[case::session_without_id("sub -t a -c")]
    #[case::count("sub -t a -C 0")]
    #[case::password_without_user("sub -t a -P secret")]
    #[case::url_and_host("sub -L mqtt://broker/a -h broker")]
    #[case::url_of_another_kind("sub -L http://broker/a")]
    #[case::format("sub -t a -F %y")]
    #[case::unknown("sub -t a --frobnicate")]
    #[case::two_ids("sub -t a -i me -I my")]
    #[case::method("sub -t a -V 5 -u you -P secret --auth-method PLAIN")]
    fn bad_lines_are_refused(#[case] line: &str) {
        assert!(parse(line).is_err());
    }

    #[test]
    fn flags_reach_the_connect_packet() {
        let line = "sub -t a -q 1 -k 5 -i me -V 5 -c -u you -P secret --will-topic w --will-qos 1 --will-retain";
        let Ok(Args { what: ProgramCommand::Sub(sub), .. }) = parse(line) else { panic!() };
        let options = sub.options(0).expect("the line is good");
        let connect = options.connect.into_inner();
        assert_eq!((&*connect.client_id, connect.keep_alive, connect.version), ("me", 5, Version::V5_0));
        assert_eq!((connect.clean_start, connect.session_expiry), (false, Some(u32::MAX)));
        assert_eq!((connect.username.as_deref(), connect.password.as_deref()), (Some("you"), Some(&b"secret"[..])));
        let will = connect.will.expect("a topic was given");
        assert_eq!((&*will.topic, will.qos, will.retain), ("w", QoS::AtLeastOnce, true));
        let request = sub.request().expect("the line is good");
        assert_eq!(request.subscriptions, [Subscription::new("a", QoS::AtLeastOnce)]);
    }
}
