//! What a node can be told to do.

use super::link::ConnectionName;
use super::list::OneOrMore;
use super::macros::map;
use super::node::{Answers, Broker, CloseWord, Subscriptions, With};
use super::packet::{ConnackPattern, FieldsOf, OfDisconnect, OfPublish, Pattern, Sent};
use super::reading::{Reading, found};
use super::scalar::{Drift, Text};
use super::time::{DurationExpr, Leap};
use super::value::{Fill, Param, Place, Value};
use crate::keys::{Key, ValueKind, key};
use crate::lower::Role;
use crate::reference::see;
use crate::suggest::{did_you_mean, one_of};
use crate::tree::{Node, NodeKind};

map! {
    /// Settings that may differ in one connection.
    ConnectKeys = "connect" {
        with: Param<With> => "what differs in this CONNECT: `{ clean: true }`";
        connack: Param<ConnackPattern> = "a success" => "what the CONNACK must be";
        wait: Param<bool> = "true" => "whether to wait for the CONNACK";
    }
}

/// `connect` with its keys, of which none is a field of CONNECT.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectArgs(pub ConnectKeys);

impl Value for ConnectArgs {
    const TAKES: ValueKind = <ConnectKeys as Value>::TAKES;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        for (key, _) in node.entries() {
            if let Some(word) = key.text().filter(|word| <With as super::value::Map>::TABLE.find(word).is_some()) {
                let message = format!(
                    "`{word}` is a field of CONNECT; fields stand behind `with`: `{{ with: {{ {word}: … }} }}`"
                );
                cx.error_with_note(key, message, see("connect"));
                return None;
            }
        }
        ConnectKeys::read(cx, node).map(Self)
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        self.0.write(fill)
    }
}

/// Settings that a broker takes while it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Configured(pub Box<Broker>);

/// Settings that a broker announces or is made with, and that cannot change while it runs.
const FIXED: [&str; 13] = [
    "connect_timeout",
    "maximum_packet_size",
    "receive_maximum",
    "topic_alias_maximum",
    "maximum_qos",
    "retain_available",
    "wildcard_subscription_available",
    "subscription_identifiers_available",
    "shared_subscription_available",
    "durable",
    "transport",
    "handles",
    "auth",
];

impl Value for Configured {
    const TAKES: ValueKind = <Broker as Value>::TAKES;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        for (key, _) in node.entries() {
            if let Some(word) = key.text().filter(|word| FIXED.contains(word)) {
                let message = format!("`{word}` holds for as long as a broker runs; `configure` cannot change it");
                cx.error_with_note(key, message, see("a broker"));
                return None;
            }
        }
        if node.entries().is_empty() && matches!(node.kind, NodeKind::Map(_)) {
            cx.error(node, "nothing is changed; as in `{ queue_messages: 10 }`");
            return None;
        }
        Broker::read(cx, node).map(|broker| Self(Box::new(broker)))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        self.0.write(fill)
    }
}

/// The nodes that can do an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    All,
    Brokers,
    Clients,
    ClientsAndRawClients,
    RawClients,
    RawPeers,
    AllButBrokers,
}

impl Who {
    fn has(self, role: Role) -> bool {
        match self {
            Self::All => true,
            Self::Brokers => role == Role::Broker,
            Self::Clients => role == Role::Client,
            Self::ClientsAndRawClients => !role.is_broker(),
            Self::RawClients => role == Role::RawClient,
            Self::RawPeers => matches!(role, Role::RawClient | Role::RawBroker),
            Self::AllButBrokers => role != Role::Broker,
        }
    }
}

/// The argument behind the word of an action.
trait Argument: Sized {
    const TAKES: ValueKind;
    /// The action without an argument, if it may be without.
    fn none() -> Option<Self>;
    fn read_argument(cx: &Reading<'_>, node: &Node) -> Option<Self>;
    fn write_argument(&self, fill: Fill<'_>) -> Option<Node>;
}

impl<T: Value> Argument for Param<T> {
    const TAKES: ValueKind = T::TAKES;

    fn none() -> Option<Self> {
        None
    }

    fn read_argument(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        Value::read(cx, node)
    }

    fn write_argument(&self, fill: Fill<'_>) -> Option<Node> {
        Some(Value::write(self, fill))
    }
}

impl<T: Value> Argument for Option<Param<T>> {
    const TAKES: ValueKind = ValueKind::Optional(&T::TAKES);

    fn none() -> Option<Self> {
        Some(None)
    }

    fn read_argument(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        Value::read(cx, node).map(Some)
    }

    fn write_argument(&self, fill: Fill<'_>) -> Option<Node> {
        self.as_ref().map(|value| Value::write(value, fill))
    }
}

/// Defines the actions once: the enum, the rows of the reference, who can do them, reading and writing.
macro_rules! actions {
    ($($variant:ident $(($type:ty))? = $word:literal, $who:ident $(, as $example:literal)? => $about:literal;)*) => {
        /// An action: what a node can be told to do.
        #[derive(Clone, Debug, PartialEq)]
        pub enum ActionKind {
            $(#[doc = $about] $variant $(($type))?,)*
        }

        impl ActionKind {
            /// The words for actions.
            pub(crate) const KEYS: &'static [Key] = &[
                $(key($word, $about).takes(takes!($($type)?)),)*
            ];

            const WHO: &'static [Who] = &[$(Who::$who),*];

            /// An argument for each, as an example.
            const EXAMPLES: &'static [&'static str] = &[$(example!($($example)?)),*];

            /// The word of the action.
            pub fn word(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $word,)*
                }
            }

            /// The action with this word, alone.
            fn alone(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant $((<$type as Argument>::none()?))?),)*
                    _ => None,
                }
            }

            /// The action with this word and an argument; `Err` if it takes none.
            fn with(cx: &Reading<'_>, word: &str, argument: &Node) -> Result<Option<Self>, ()> {
                $($(if word == $word {
                    return Ok(<$type as Argument>::read_argument(cx, argument).map(Self::$variant));
                })?)*
                let _ = (cx, argument);
                Err(())
            }

            fn argument(&self, fill: Fill<'_>) -> Option<Node> {
                $($(if let Self::$variant(argument) = self {
                    return <$type as Argument>::write_argument(argument, fill);
                })?)*
                None
            }
        }
    };
}

/// Expands to the kind of argument that an action takes.
macro_rules! takes {
    () => {
        ValueKind::Nothing
    };
    ($type:ty) => {
        <$type as Argument>::TAKES
    };
}

/// Expands to the argument of an action in the example of its reference.
macro_rules! example {
    () => {
        "a/b"
    };
    ($example:literal) => {
        $example
    };
}

actions! {
    Open = "open", RawClients => "raw clients: opens a TCP connection and waits until it is there";
    StopPinging = "stop_pinging", Clients => "clients: sends no PINGREQ any more";
    ResumePinging = "resume_pinging", Clients => "clients: ends stop_pinging";
    Reauthenticate = "reauthenticate", Clients => "clients of 5.0 with a `dialogue`: authenticates again on the connection that it has; over at once";
    Crash = "crash", All => "the process dies; its kernel sends FIN, or RST where unread data was waiting";
    PowerLoss = "power_loss", All => "the host dies; nothing is sent";
    Restart = "restart", All => "starts again on the same address";
    LoseDisk = "lose_disk", Brokers
        => "a broker: what it has kept (`durable`) is gone; meant for one that is down, as one that runs writes again";
    Shutdown = "shutdown", Brokers
        => "a broker: says DISCONNECT 0x8B to clients of 5.0, closes all connections, and its process ends in order";
    Configure(Param<Configured>) = "configure", Brokers, as "{ queue_messages: 10 }"
        => "a broker: takes other settings while it runs, as a server does by SIGHUP; what is not named is as declared";
    Connect(Option<Param<ConnectArgs>>) = "connect", ClientsAndRawClients
        => "opens a connection, sends CONNECT, waits for CONNACK, and for SUBACK where the node subscribes";
    Disconnect(Option<Param<FieldsOf<OfDisconnect>>>) = "disconnect", ClientsAndRawClients
        => "sends DISCONNECT and closes; `{ reason: 0x04 }`";
    Subscribe(Param<Subscriptions>) = "subscribe", ClientsAndRawClients => "filters; waits for SUBACK";
    Unsubscribe(Param<OneOrMore<Param<Filter>>>) = "unsubscribe", ClientsAndRawClients => "filters; waits for UNSUBACK";
    Publish(Param<FieldsOf<OfPublish>>) = "publish", ClientsAndRawClients, as "{ topic: a, payload: b }"
        => "topic, payload, qos, retain …; over at once";
    Close(Param<CloseWord>) = "close", AllButBrokers, as "fin" => "`fin` or `rst`, without a DISCONNECT";
    Send(Param<Sent>) = "send", RawPeers, as "PINGREQ" => "raw peers: a packet, `{ bytes: c0 00 }`, or a list, which is one write";
    Receive(Param<Pattern>) = "receive", RawPeers, as "PINGREQ" => "raw peers: waits for the next packet, which must match";
    Answer(Param<Answers>) = "answer", RawPeers => "raw peers: gives these answers after this step, and what is owed";
    StopReading = "stop_reading", All => "the program reads nothing any more, or a raw peer nothing on one connection; the windows of those that send to it fill";
    ResumeReading = "resume_reading", All => "ends stop_reading";
    Pause(Option<Param<DurationExpr>>) = "pause", All => "the process stands still, its kernel acknowledges; a duration, or until resume";
    Resume = "resume", All => "ends pause: what has come is read, then all timers that have passed are due at once";
    ClockDrift(Param<Drift>) = "clock_drift", All, as "+40%" => "the node's clock runs fast or slow by the given share, as `+40%`; `0%` ends it";
    ClockJump(Param<Leap>) = "clock_jump", All, as "-1h" => "the node's clock leaps, as `+1h`; set back, as `-1h`, it stands still until it has caught up";
    SetWallClock(Param<Leap>) = "set_wall_clock", All, as "-1h" => "the node's date is set, as `+1h`: timers measure time with another clock, so nothing may come of it";
}

/// The key behind which an action or an expectation says on which connection.
pub(crate) const CONNECTION: Key =
    key("connection", "beside an action of a raw peer: on which of its connections, `sensor#2`, or `sensor#last` for the latest of sensor")
        .takes(ValueKind::Connection)
        .or("the latest");

/// Actions of a raw peer on a connection that is open already.
pub(crate) const DONE_ON_ONE: [&str; 9] =
    ["send", "receive", "close", "disconnect", "publish", "subscribe", "unsubscribe", "stop_reading", "resume_reading"];

/// A topic filter.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter(pub(crate) Place, pub Text);

impl From<&str> for Filter {
    fn from(text: &str) -> Self {
        Self(Place::default(), Text(text.to_owned()))
    }
}

impl Value for Filter {
    const TAKES: ValueKind = ValueKind::Text;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        cx.scalar(node, "a topic filter").map(|text| Self(Place::of(node), Text(text.to_owned())))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        self.1.write(fill)
    }
}

/// An action, and on which connection it is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// The place of its word.
    pub(crate) word: Place,
    /// The kind.
    pub kind: ActionKind,
    /// The connection of a raw peer; the latest if `None`.
    pub connection: Option<Param<ConnectionName>>,
}

impl From<ActionKind> for Action {
    fn from(kind: ActionKind) -> Self {
        Self { word: Place::default(), kind, connection: None }
    }
}

/// An action, or several in order.
pub type Actions = OneOrMore<Param<Action>>;

impl Value for Action {
    const TAKES: ValueKind = ValueKind::Anything;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let (word, argument, connection) = Self::parts(cx, node)?;
        let text = cx.scalar(word, "an action, such as `power_loss`")?;
        if !is_action(text) {
            let hint = did_you_mean(text, words());
            let who = cx.acting.get();
            let able = Self::keys().filter(|(_, able)| who.is_none_or(|role| able.has(role))).map(|(key, _)| key.name);
            let note = match hint.is_empty() {
                true => format!("one of {}; {}", one_of(able), see("action")),
                false => see("action"),
            };
            cx.error_with_note(word, format!("unknown action `{text}`{hint}"), note);
            return None;
        }
        // A word that takes nothing may have an empty value, with `connection` beside it.
        let argument = argument.filter(|argument| connection.is_none() || !argument.is_null());
        let kind = match argument {
            None => ActionKind::alone(text).or_else(|| {
                cx.error(word, format!("`{text}` of what? As in `{{ {text}: {} }}`", example_of(text)));
                None
            })?,
            Some(argument) => match ActionKind::with(cx, text, argument) {
                Ok(kind) => kind?,
                Err(()) => {
                    let found = found(argument);
                    cx.error(word, format!("`{text}` takes nothing, found {found}; write `{text}` alone"));
                    return None;
                }
            },
        };
        let connection = match connection {
            Some(connection) => Some(Param::read(cx, connection)?),
            None => None,
        };
        Some(Self { word: Place::of(word), kind, connection })
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        let word = Node::word(self.kind.word());
        let argument = self.kind.argument(fill);
        if self.connection.is_none() && argument.is_none() {
            return word;
        }
        let mut entries = vec![(word, argument.unwrap_or_else(|| Node::word("")))];
        entries.extend(self.connection.as_ref().map(|on| (Node::word(CONNECTION.name), on.write(fill))));
        Node::map(entries)
    }
}

type Parts<'n> = (&'n Node, Option<&'n Node>, Option<&'n Node>);

impl Action {
    /// The word, the argument and the connection of an action.
    fn parts<'n>(cx: &Reading<'_>, node: &'n Node) -> Option<Parts<'n>> {
        let NodeKind::Map(entries) = &node.kind else { return Some((node, None, None)) };
        let [(first, first_value), (second, second_value)] = entries.as_slice() else {
            return cx.line(node, "an action").map(|(word, argument)| (word, Some(argument), None));
        };
        match (first.text(), second.text()) {
            (Some("connection"), _) => return Some((second, Some(second_value), Some(first_value))),
            (_, Some("connection")) => return Some((first, Some(first_value), Some(second_value))),
            _ => {}
        }
        let is_nearly = |key: &&Node| key.text().is_some_and(|text| !did_you_mean(text, [CONNECTION.name]).is_empty());
        match [first, second].into_iter().find(is_nearly) {
            Some(key) => {
                let word = key.text().unwrap_or_default();
                let message = format!("unknown key `{word}` beside an action; did you mean `{}`?", CONNECTION.name);
                cx.error(key, message);
                None
            }
            None => cx.line(node, "an action").map(|(word, argument)| (word, Some(argument), None)),
        }
    }

    /// The roles that can do it.
    pub(crate) fn roles(&self) -> impl Iterator<Item = Role> + use<> {
        let word = self.kind.word();
        let able = Self::keys().find(|(key, _)| key.name == word).map(|(_, able)| able);
        Role::ALL.into_iter().filter(move |role| able.is_some_and(|able| able.has(*role)))
    }

    fn keys() -> impl Iterator<Item = (&'static Key, Who)> {
        ActionKind::KEYS.iter().zip(ActionKind::WHO.iter().copied())
    }
}

fn words() -> impl Iterator<Item = &'static str> {
    ActionKind::KEYS.iter().map(|key| key.name)
}

fn example_of(word: &str) -> &'static str {
    let place = ActionKind::KEYS.iter().position(|key| key.name == word).unwrap_or_default();
    ActionKind::EXAMPLES[place]
}

/// Returns whether a word is something that a node can be told to do.
pub(crate) fn is_action(word: &str) -> bool {
    words().any(|action| action == word)
}
