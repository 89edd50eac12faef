//! What the operator can decide, by flags and by a file in TOML with the same names.

mod file;
mod values;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use halfopen_broker::Config;
use halfopen_broker::core::Referral;
use halfopen_broker::log::Detail;
use toml::de::DeValue;

pub(crate) use self::file::read;
pub(crate) use self::values::Address;
use self::values::{ExpirySetting, Factor, KeepAliveSetting, MaximumQos, Moment, Policy, Span, Text, Value, Whole};

/// As often as Mosquitto publishes what it counts. A broker in a simulation does not unless it is asked.
pub(crate) const SYS_INTERVAL: Duration = Duration::from_secs(10);

/// A day in milliseconds.
const DAY: u64 = 24 * 60 * 60 * 1000;
/// A tebibyte: more is a mistake, and must not overflow where sizes are added up.
const TEBIBYTE: u64 = 1 << 40;
/// The smallest CONNECT in bytes, without which nobody gets in, and the largest packet that MQTT has.
const SMALLEST_CONNECT: u64 = 14;
const LARGEST_PACKET: u64 = 268_435_460;

type Count = Whole<0, 0xFFFF_FFFF>;
type CountFrom1 = Whole<1, 0xFFFF_FFFF>;
type Short = Whole<0, 0xFFFF>;
type ShortFrom1 = Whole<1, 0xFFFF>;
type Bytes = Whole<1, TEBIBYTE>;
type PacketSize = Whole<SMALLEST_CONNECT, LARGEST_PACKET>;

/// Makes one structure that flags and the table `[mqtt]` of a file are read into, and what is made of it.
///
/// One line for each field of [`Config`], of the same name; its type is how the value is written, and is turned into
/// that of the field by `From`.
macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $field:ident: $type:ty [$placeholder:literal];)*) => {
        #[derive(Clone, Debug, Default, PartialEq, clap::Args)]
        pub(crate) struct Limits {
            $($(#[doc = $doc])+ #[arg(long, value_name = $placeholder)] $field: Option<$type>,)*
        }

        impl Limits {
            /// The names of all.
            const KEYS: &[&str] = &[$(stringify!($field)),*];

            /// Reads the value of the key of this name; `None` if there is none.
            fn set(&mut self, name: &str, value: &DeValue<'_>) -> Option<Result<(), String>> {
                match name {
                    $(stringify!($field) => Some(Value::from_toml(value).map(|value| self.$field = Some(value))),)*
                    _ => None,
                }
            }

            /// These, and from `other` what these leave open.
            fn or(self, other: Self) -> Self {
                Self { $($field: self.$field.or(other.$field),)* }
            }

            /// These, and the defaults for what they leave open.
            fn config(self) -> Config {
                let mut config = Config { sys_interval: SYS_INTERVAL, ..Config::default() };
                $(if let Some(value) = self.$field {
                    config.$field = value.into();
                })*
                config
            }
        }

        /// The names of the settings that differ.
        pub(crate) fn differences(one: &Config, other: &Config) -> Vec<&'static str> {
            let mut names = Vec::new();
            $(if one.$field != other.$field {
                names.push(stringify!($field));
            })*
            names
        }
    };
}

limits! {
    /// The keep-alive that 5.0 clients must use instead of their own, in whole seconds (90s, 2m); 0s switches it off
    /// [default: the client's]
    server_keep_alive: KeepAliveSetting<0> ["DURATION"];
    /// The shortest keep-alive of 5.0 clients, in whole seconds; they must use it instead of a shorter one
    /// [default: none]
    min_keep_alive: KeepAliveSetting<1> ["DURATION"];
    /// The longest keep-alive of 5.0 clients, in whole seconds; they must use it instead of a longer one or none
    /// [default: none]
    max_keep_alive: KeepAliveSetting<1> ["DURATION"];
    /// A silent client is closed after its keep-alive times this, from 1 to 100; the standards demand 1.5
    /// [default: 1.5]
    keep_alive_factor: Factor ["NUMBER"];
    /// How long a connection may be open without having been accepted [default: 10s]
    connect_timeout: Span<1, DAY> ["DURATION"];
    /// How many connections may be open without having been accepted; more are closed at once [default: 10000]
    pending_connections: CountFrom1 ["COUNT"];
    /// The largest first packet of a connection, in bytes, if smaller than --maximum-packet-size [default: 262144]
    maximum_connect_size: PacketSize ["BYTES"];
    /// The largest packet that a client may send, in bytes [default: 16777216]
    maximum_packet_size: PacketSize ["BYTES"];
    /// How many QoS 1 and 2 messages a 5.0 client may have unacknowledged [default: 1000]
    receive_maximum: ShortFrom1 ["COUNT"];
    /// How many topic aliases a client may set; 0 forbids them [default: 10]
    topic_alias_maximum: Short ["COUNT"];
    /// How many topic aliases the broker sets, at most as many as the client takes; 0 uses none [default: 10]
    outgoing_topic_aliases: Short ["COUNT"];
    /// The highest QoS: 0, 1 or 2 [default: 2]
    maximum_qos: MaximumQos ["QOS"];
    /// Whether messages are retained [default: true]
    retain_available: bool ["BOOL"];
    /// Whether filters may have wildcards [default: true]
    wildcard_subscriptions: bool ["BOOL"];
    /// Whether subscriptions may have identifiers [default: true]
    subscription_identifiers: bool ["BOOL"];
    /// Whether there are shared subscriptions [default: true]
    shared_subscriptions: bool ["BOOL"];
    /// How many levels a topic name or filter may have [default: 200]
    topic_levels: ShortFrom1 ["COUNT"];
    /// How many bytes a topic name or filter may have [default: 65535]
    topic_length: ShortFrom1 ["BYTES"];
    /// How many subscriptions a session may have [default: 1000]
    subscriptions: Count ["COUNT"];
    /// How many bytes the subscriptions of a session may have: twice the filter and 128 a level [default: 4194304]
    subscription_bytes: Bytes ["BYTES"];
    /// How many sessions there may be, with and without a connection; for one more, that without a connection which
    /// would be the next to end ends at once [default: 100000]
    sessions: CountFrom1 ["COUNT"];
    /// The longest time that a session outlives its connection; longer ones are shortened [default: forever]
    maximum_session_expiry: ExpirySetting ["DURATION"];
    /// How many QoS 1 and 2 messages the broker may have unacknowledged at one client [default: 1000]
    in_flight_messages: ShortFrom1 ["COUNT"];
    /// How many messages wait for one client that is away; while it is connected only bytes count [default: 1000]
    queue_messages: Count ["COUNT"];
    /// How many bytes of messages wait for one client; each counts 256 bytes more than its text [default: 67108864]
    queue_bytes: Bytes ["BYTES"];
    /// How many bytes are held for all clients together; beyond it what would be held is refused [default: 1073741824]
    total_bytes: Bytes ["BYTES"];
    /// What becomes of a message for which there is no room [default: drop-newest]
    queue_policy: Policy ["POLICY"];
    /// How many bytes may wait to be written to one client before messages to it are held back [default: 4194304]
    write_buffer: Bytes ["BYTES"];
    /// How many messages may be retained [default: 100000]
    retained_messages: Count ["COUNT"];
    /// How many bytes the retained messages may have [default: 268435456]
    retained_bytes: Bytes ["BYTES"];
    /// What 5.0 clients that ask for it are told as a basis for response topics; %c is the client identifier
    /// [default: nothing]
    response_information: Text ["TEXT"];
    /// Whether 5.0 clients that do not object are told in words what went wrong [default: true]
    reason_strings: bool ["BOOL"];
    /// Another server for 5.0 clients, `host:port`, or several with spaces between [default: none]
    server_reference: Text ["TEXT"];
    /// When clients are sent to the other server [default: when-stopping]
    referral: Moment ["WHEN"];
    /// How often the broker publishes what it counts under $SYS/broker/; 0s is never [default: 10s]
    sys_interval: Span<0, DAY> ["DURATION"];
}

/// Who may connect, and what they may do: the table `[access]` of a file.
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
pub(crate) struct AccessSettings {
    /// Whether clients may connect that name no user [default: true without a password file, false with one]
    #[arg(long, value_name = "BOOL")]
    pub(crate) allow_anonymous: Option<bool>,
    /// Users and the hashes of their passwords, one `user:hash` in a line, as `halfopen-broker passwd` writes them
    /// [default: none; user names mean nothing]
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Who may publish and subscribe to what, in the form of Mosquitto's acl_file [default: none; all may do all]
    #[arg(long, value_name = "FILE")]
    pub(crate) acl_file: Option<PathBuf>,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogDetail {
    /// Says nothing of what clients do
    None,
    /// Connections as they begin and end
    Connections,
    /// Every packet besides, as `mosquitto -v` does
    Packets,
}

/// All of it, from one source.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Source {
    pub(crate) listen: Option<Vec<Address>>,
    pub(crate) websocket: Option<Vec<Address>>,
    pub(crate) log: Option<LogDetail>,
    pub(crate) access: AccessSettings,
    pub(crate) limits: Limits,
}

/// What holds in the end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) listen: Vec<Address>,
    pub(crate) websocket: Vec<Address>,
    pub(crate) detail: Detail,
    pub(crate) access: AccessSettings,
    pub(crate) config: Config,
}

impl Settings {
    /// This port for the programs of the same machine.
    pub(crate) fn this_machine(port: u16) -> Vec<Address> {
        let addresses: [SocketAddr; 2] = [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()];
        addresses.map(Address::from).to_vec()
    }

    /// The names of the settings that differ among those that only a restart changes, besides those of the protocol.
    pub(crate) fn fixed_differences(&self, other: &Self) -> Vec<&'static str> {
        let all = [
            ("listen", self.listen != other.listen),
            ("websocket", self.websocket != other.websocket),
            ("log", self.detail != other.detail),
        ];
        all.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }

    /// Says which settings contradict each other.
    fn contradictions(&self) -> Vec<String> {
        let config = &self.config;
        let mut wrong = Vec::new();
        if self.listen.is_empty() && self.websocket.is_empty() {
            wrong.push("`listen` is empty: expected at least one address here or in `websocket`".to_owned());
        }
        if self.access.allow_anonymous == Some(false) && self.access.password_file.is_none() {
            wrong.push("`allow_anonymous = false` needs a `password_file`: nobody could connect".to_owned());
        }
        if let (Some(min), Some(max)) = (config.min_keep_alive, config.max_keep_alive)
            && min > max
        {
            wrong.push(format!("`min_keep_alive` ({min}s) is above `max_keep_alive` ({max}s)"));
        }
        if config.referral != Referral::WhenStopping && config.server_reference.is_none() {
            wrong.push("`referral` needs a `server_reference`: clients could be sent nowhere".to_owned());
        }
        wrong
    }
}

impl AccessSettings {
    /// The names of all.
    const KEYS: &[&str] = &["allow_anonymous", "password_file", "acl_file"];

    /// Reads the value of the key of this name; `None` if there is none.
    fn set(&mut self, name: &str, value: &DeValue<'_>) -> Option<Result<(), String>> {
        match name {
            "allow_anonymous" => Some(Value::from_toml(value).map(|value| self.allow_anonymous = Some(value))),
            "password_file" => Some(Value::from_toml(value).map(|value| self.password_file = Some(value))),
            "acl_file" => Some(Value::from_toml(value).map(|value| self.acl_file = Some(value))),
            _ => None,
        }
    }
}

impl Source {
    /// The names at the top of a file.
    const KEYS: &[&str] = &["listen", "websocket", "log", "access", "mqtt"];

    /// This, and from `other` what this leaves open.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            listen: self.listen.or(other.listen),
            websocket: self.websocket.or(other.websocket),
            log: self.log.or(other.log),
            access: AccessSettings {
                allow_anonymous: self.access.allow_anonymous.or(other.access.allow_anonymous),
                password_file: self.access.password_file.or(other.access.password_file),
                acl_file: self.access.acl_file.or(other.access.acl_file),
            },
            limits: self.limits.or(other.limits),
        }
    }

    /// This, and the defaults for what it leaves open.
    ///
    /// # Errors
    /// Settings that contradict each other.
    pub(crate) fn settings(self) -> Result<Settings, Vec<String>> {
        let settings = Settings {
            listen: self.listen.unwrap_or_else(|| Settings::this_machine(1883)),
            websocket: self.websocket.unwrap_or_default(),
            detail: match self.log {
                Some(LogDetail::None) => Detail::Nothing,
                Some(LogDetail::Packets) => Detail::Packets,
                Some(LogDetail::Connections) | None => Detail::Connections,
            },
            access: self.access,
            config: self.limits.config(),
        };
        let wrong = settings.contradictions();
        if wrong.is_empty() { Ok(settings) } else { Err(wrong) }
    }

    /// The files that are named here are looked for from `folder` on.
    fn in_folder(mut self, folder: &Path) -> Self {
        for file in [&mut self.access.password_file, &mut self.access.acl_file] {
            *file = file.take().map(|file| folder.join(file));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The file that shows everything.
    const EXAMPLE: &str = include_str!("../../halfopen-broker.toml");

    fn parse(text: &str) -> Source {
        file::parse(text).unwrap_or_else(|wrong| panic!("{wrong:?}"))
    }

    /// What a derived `Debug` says are the fields of the configuration.
    fn fields() -> Vec<String> {
        let shown = format!("{:#?}", Config::default());
        let top = shown
            .lines()
            .filter_map(|line| line.strip_prefix("    "))
            .filter(|line| !line.starts_with([' ', '}', ')']));
        top.filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect()
    }

    #[test]
    fn every_field_of_the_configuration_has_a_flag_and_a_key() {
        assert_eq!(fields(), Limits::KEYS);
    }

    #[test]
    fn the_example_shows_every_key_with_its_default() {
        assert_eq!(parse(EXAMPLE).settings(), Source::default().settings());
        for key in Limits::KEYS.iter().chain(&Source::KEYS[..3]).chain(AccessSettings::KEYS) {
            let written = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{key} = "));
            assert_eq!(EXAMPLE.lines().filter(|line| written(line)).count(), 1, "{key}");
        }
    }

    #[test]
    fn what_the_example_has_in_comments_is_valid_too() {
        let uncommented: String = EXAMPLE
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(key) if key.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) => format!("{key}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        assert_ne!(parse(&uncommented), parse(EXAMPLE));
    }

    #[test]
    fn what_comes_first_wins() {
        let flags = parse("listen = ['[::1]:1']\n[mqtt]\nqueue_messages = 1");
        let file = parse("log = 'packets'\nlisten = ['[::1]:2']\n[mqtt]\nqueue_messages = 2\nqueue_bytes = 3");
        let settings = flags.or(file).settings().expect("nothing contradicts");
        assert_eq!(settings.listen, ["[::1]:1".parse().expect("an address")]);
        assert_eq!(settings.detail, Detail::Packets);
        assert_eq!(
            settings.config,
            Config { queue_messages: 1, queue_bytes: 3, sys_interval: SYS_INTERVAL, ..Config::default() }
        );
    }

    #[rstest]
    #[case("listen = []", "`listen` is empty: expected at least one address here or in `websocket`")]
    #[case(
        "[access]\nallow_anonymous = false",
        "`allow_anonymous = false` needs a `password_file`: nobody could connect"
    )]
    #[case(
        "[mqtt]\nmin_keep_alive = '2m'\nmax_keep_alive = '60s'",
        "`min_keep_alive` (120s) is above `max_keep_alive` (60s)"
    )]
    #[case("[mqtt]\nreferral = 'permanent'", "`referral` needs a `server_reference`: clients could be sent nowhere")]
    fn what_contradicts_is_refused(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(parse(text).settings().expect_err("a contradiction"), [expected]);
    }

    #[rstest]
    #[case("listen = []\nwebsocket = ['localhost:1']")]
    #[case("[access]\nallow_anonymous = false\npassword_file = 'users'")]
    #[case("[mqtt]\nmin_keep_alive = '1m'\nmax_keep_alive = '60s'")]
    #[case("[mqtt]\nreferral = 'permanent'\nserver_reference = 'other:1883'")]
    fn what_makes_sense_together_is_not_refused(#[case] text: &str) {
        assert!(parse(text).settings().is_ok());
    }

    #[test]
    fn files_are_looked_for_beside_the_file_that_names_them() {
        let source = parse("[access]\npassword_file = 'users'\nacl_file = '/etc/acl'").in_folder(Path::new("/srv"));
        assert_eq!(source.access.password_file, Some(PathBuf::from("/srv/users")));
        assert_eq!(source.access.acl_file, Some(PathBuf::from("/etc/acl")));
    }
}
