//! Programs of others: profiles that say how each is started, configured and read.

mod limit;
mod login;
mod needs;
mod parse;
mod pattern;
mod settings;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod start;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
#[path = "elsewhere.rs"]
mod start;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use self::limit::VirtualLimit;
pub use self::login::Login;
use self::pattern::Pattern;
use self::settings::{client_settings, fix, settings};
use crate::plan::{Because, BrokerProgram, BrokerSettings, Feature, Plan, Program, Source, Transport};
use crate::scenario::Errors;
use halfopen_protocol::Version;

/// The profiles that come with the program, by name.
const SHIPPED: &[(&str, &str)] = &[
    ("activemq", include_str!("../../../../programs/activemq.toml")),
    ("aedes", include_str!("../../../../programs/aedes.toml")),
    ("amqtt", include_str!("../../../../programs/amqtt.toml")),
    ("ejabberd", include_str!("../../../../programs/ejabberd.toml")),
    ("gmqtt", include_str!("../../../../programs/gmqtt.toml")),
    ("libmosquitto", include_str!("../../../../programs/libmosquitto.toml")),
    ("mosquitto", include_str!("../../../../programs/mosquitto.toml")),
    ("mqttjs", include_str!("../../../../programs/mqttjs.toml")),
    ("nats", include_str!("../../../../programs/nats.toml")),
    ("paho", include_str!("../../../../programs/paho.toml")),
    ("rabbitmq", include_str!("../../../../programs/rabbitmq.toml")),
    ("rumqttc", include_str!("../../../../programs/rumqttc.toml")),
    ("rumqttd", include_str!("../../../../programs/rumqttd.toml")),
    ("rumqttd5", include_str!("../../../../programs/rumqttd5.toml")),
];

/// The adapters of these profiles, by the names of their files.
const ADAPTERS: &[(&str, &str)] = &[
    ("gmqtt_adapter.py", include_str!("../../../../programs/gmqtt_adapter.py")),
    ("libmosquitto_adapter.py", include_str!("../../../../programs/libmosquitto_adapter.py")),
    ("mqttjs_adapter.js", include_str!("../../../../programs/mqttjs_adapter.js")),
    ("paho_adapter.py", include_str!("../../../../programs/paho_adapter.py")),
];

/// The description of a program that is not the project's: how it is started, configured and read.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The name: that of its file without the extension.
    pub name: String,
    /// The role.
    pub role: Role,
    /// The program, and its arguments with placeholders.
    command: String,
    args: Vec<String>,
    environment: BTreeMap<String, String>,
    /// Names of variables that it is given as this process has them.
    inherits: BTreeSet<String>,
    /// The adapter of a client, which is put into the program's folder.
    adapter: Option<AdapterFile>,
    /// The versions of MQTT that it speaks.
    versions: BTreeSet<Version>,
    /// The settings of a client that a scenario may make.
    takes: BTreeSet<String>,
    /// Port on which it accepts connections.
    port: u16,
    /// Maximum time until it listens, by its own clock.
    ready_within: Duration,
    config: Option<ConfigFile>,
    /// The settings of a broker that a scenario may make, each with the text that is added to the configuration.
    settings: BTreeMap<String, String>,
    /// The smallest values that the program takes of some settings.
    minimum: BTreeMap<String, u64>,
    /// The values that the program has of some settings and cannot be told.
    fixed: BTreeMap<String, u64>,
    lacks: BTreeSet<Feature>,
    /// The user name and password that a broker wants of all clients.
    login: Option<Login>,
    closes: Vec<Close>,
}

/// The role of a program in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A broker accepts connections.
    Broker,
    /// A client opens connections, and an adapter tells it what to do.
    Client,
}

impl Role {
    /// Returns whether a program of a plan has this role, and is the project's.
    pub fn is_of(self, program: &Program) -> bool {
        matches!((self, program), (Self::Broker, Program::Broker(_)) | (Self::Client, Program::Client(_)))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Broker => "broker",
            Self::Client => "client",
        })
    }
}

/// A file that is put into a program's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
struct AdapterFile {
    name: String,
    text: String,
}

/// The file that a program is configured by.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ConfigFile {
    file: String,
    text: String,
}

/// The line that a program prints when it closes a connection for some cause.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Close {
    because: Because,
    prints: Pattern,
}

impl Profile {
    /// Returns whether a profile is named by its path.
    pub fn is_path(name_or_path: &str) -> bool {
        let has_ending = Path::new(name_or_path).extension().is_some_and(|extension| extension == "toml");
        has_ending || name_or_path.contains('/')
    }

    /// Finds a profile that comes with the program, or reads one from a file: what contains `/` or ends with `.toml`.
    ///
    /// # Errors
    /// With all that is wrong with the file, or with the names that there are.
    pub fn find(name_or_path: &str) -> Result<Self, ProfileError> {
        let path = Path::new(name_or_path);
        if Self::is_path(name_or_path) {
            let text = std::fs::read_to_string(path)
                .map_err(|error| ProfileError::Unreadable { path: path.to_owned(), error })?;
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let beside = |file: &str| std::fs::read_to_string(path.with_file_name(file));
            return Ok(Self::parse(&name, name_or_path, &text, &beside)?);
        }
        let shipped = SHIPPED.iter().find(|(name, _)| *name == name_or_path);
        let (name, text) = shipped.ok_or_else(|| ProfileError::Unknown {
            name: name_or_path.to_owned(),
            known: SHIPPED.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "),
        })?;
        let beside = |file: &str| {
            let adapter = ADAPTERS.iter().find(|(name, _)| *name == file);
            adapter.map(|(_, text)| (*text).to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
        };
        Ok(Self::parse(name, &format!("programs/{name}.toml"), text, &beside)?)
    }

    /// Reads the text of a profile; `beside` reads a file that stands beside it.
    fn parse(name: &str, path: &str, text: &str, beside: &dyn Fn(&str) -> io::Result<String>) -> Result<Self, Errors> {
        let source = Source { path: path.to_owned(), text: text.to_owned(), ..Source::default() };
        parse::parse(name, &Arc::new(source), beside)
    }

    /// Returns the user name and password that a broker wants of all clients, if it does.
    pub fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// Returns what a scenario sets on a program and this one cannot be told, if there is anything.
    pub fn does_not_take(&self, program: &Program) -> Option<String> {
        let name = match program {
            Program::Broker(broker) => return self.does_not_set(broker),
            Program::Client(client) => client_settings(client).into_iter().find(|name| !self.takes.contains(*name))?,
            Program::RawClient(_) | Program::RawBroker(_) => return None,
        };
        Some(format!("it sets `{name}` on a {}, which {} does not take", self.role, self.name))
    }

    /// Returns what a scenario sets on a broker and this one cannot be told, if there is anything.
    fn does_not_set(&self, broker: &BrokerProgram) -> Option<String> {
        let (config, usual) = (&broker.config, BrokerSettings::default());
        let are_set =
            config.receive_maximum != usual.receive_maximum && config.in_flight_messages != usual.in_flight_messages;
        if self.has_one_window() && are_set && config.receive_maximum != config.in_flight_messages {
            let sets = "it sets `receive_maximum` and `in_flight_messages` on a broker to different values";
            return Some(format!("{sets}, which are one for {}", self.name));
        }
        settings(broker).into_iter().find_map(|(name, value)| {
            let sets = format!("it sets `{name}` on a broker");
            if !self.settings.contains_key(name) {
                return Some(format!("{sets}, which {} does not take", self.name));
            }
            let minimum = self.minimum.get(name)?;
            let is_less = value.parse().is_ok_and(|value: u64| value < *minimum);
            is_less.then(|| format!("{sets} to {value}, and {} takes {minimum} at least", self.name))
        })
    }

    /// Makes one setting of two that are one for the program, because its profile gives both the same text: the Receive Maximum of a
    /// broker, and how many messages it has under way to a client. A scenario that sets one of them sets both.
    pub fn set_together(&self, program: &mut Program) {
        let Program::Broker(broker) = program else { return };
        if !self.has_one_window() {
            return;
        }
        let (config, usual) = (&mut broker.config, BrokerSettings::default());
        if config.in_flight_messages == usual.in_flight_messages {
            config.in_flight_messages = config.receive_maximum;
        } else if config.receive_maximum == usual.receive_maximum {
            config.receive_maximum = config.in_flight_messages;
        }
    }

    /// Gives a broker of a plan the settings that the program has in its own way.
    pub fn fix(&self, program: &mut Program) {
        let Program::Broker(broker) = program else { return };
        self.fixed.iter().for_each(|(name, value)| fix(&mut broker.config, name, *value));
    }

    /// Returns whether the Receive Maximum of a broker and the number of messages that it has under way are one setting of the program.
    fn has_one_window(&self) -> bool {
        let text = |name| self.settings.get(name);
        text("receive_maximum").is_some() && text("receive_maximum") == text("in_flight_messages")
    }

    /// Returns why it cannot speak with the nodes of a plan, if it cannot.
    pub fn does_not_speak(&self, plan: &Plan) -> Option<String> {
        let versions = plan.nodes.iter().filter_map(|node| match &node.program {
            Program::Client(client) => Some(client.options.connect.version),
            Program::RawClient(client) => Some(client.connect.version),
            Program::Broker(_) | Program::RawBroker(_) => None,
        });
        if let Some(missing) = versions.into_iter().find(|version| !self.versions.contains(version)) {
            return Some(format!("{} does not speak MQTT {missing}", self.name));
        }
        let has_websocket = plan.nodes.iter().any(|node| node.transport() == Transport::WebSocket);
        let needs_it = self.role == Role::Client && has_websocket && !self.takes.contains("transport");
        needs_it.then(|| format!("{} does not speak WebSocket", self.name))
    }

    /// Returns the causes of closes that its log tells.
    pub fn reasons(&self) -> BTreeSet<Because> {
        self.closes.iter().map(|close| close.because).collect()
    }

    /// Returns why it cannot be what a plan's broker is, if it lacks what the plan requires or makes use of.
    pub fn lacks(&self, plan: &Plan) -> Option<String> {
        let missing = needs::needs(plan).into_iter().find(|feature| self.lacks.contains(feature))?;
        Some(format!("{} has no {}", self.name, missing.word().replace('_', " ")))
    }
}

/// The reason for which there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// None has this name.
    #[error(
        "there is no profile `{name}`: known are {known}; a profile of your own is given by its path, as `./{name}.toml`"
    )]
    Unknown {
        /// The name.
        name: String,
        /// The known profiles.
        known: String,
    },
    /// The file cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error.
        error: io::Error,
    },
    /// The file has errors.
    #[error("{0}")]
    Wrong(#[from] Errors),
}

#[cfg(test)]
mod tests;
