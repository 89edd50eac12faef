//! What a node can be told to do.

use crate::plan::{Action, CloseHow, Command, ConnectAction, NodeFault, NodeId, PacketKind};
use halfopen_protocol::packet::{Connect, Disconnect};
use halfopen_protocol::{PacketType, ReasonCode};

use super::connection::CONNECTION;
use super::keys::{Key, Table, Takes, key};
use super::names::Role;
use super::node::{ANSWERS, CLOSE, SUBSCRIPTIONS, WITH, answers, check_filters, connect_fields, filter, subscribe};
use super::packet::{disconnect, field_patterns, outgoing, pattern, publish};
use super::reader::{Reader, found};
use super::suggest::{did_you_mean, one_of};
use super::time::{self, Exact};
use super::tree::{Kind, Node};

/// The words for actions, those without an argument first.
pub(super) const ACTIONS: &[Key] = &[
    key("open", "raw clients: opens a TCP connection and waits until it is there").takes(Takes::Nothing),
    key("stop_pinging", "clients: sends no PINGREQ any more").takes(Takes::Nothing),
    key("resume_pinging", "clients: ends stop_pinging").takes(Takes::Nothing),
    key("crash", "the process dies; its kernel sends FIN, or RST where unread data was waiting").takes(Takes::Nothing),
    key("power_loss", "the host dies; nothing is sent").takes(Takes::Nothing),
    key("restart", "starts again on the same address").takes(Takes::Nothing),
    key("connect", "opens a connection, sends CONNECT, waits for CONNACK, and for SUBACK where the node subscribes")
        .takes(Takes::Optional(&Takes::Map(&CONNECT))),
    key("disconnect", "sends DISCONNECT and closes; `{ reason: 0x04 }`")
        .takes(Takes::Optional(&Takes::Fields("DISCONNECT"))),
    key("subscribe", "filters; waits for SUBACK").takes(SUBSCRIPTIONS),
    key("unsubscribe", "filters; waits for UNSUBACK").takes(Takes::Several(&Takes::Text)),
    key("publish", "topic, payload, qos, retain …; over at once").takes(Takes::Message),
    key("close", "`fin` or `rst`, without a DISCONNECT").takes(Takes::Words(CLOSE)),
    key("send", "raw peers: a packet, `{ bytes: c0 00 }`, or a list, which is one write").takes(Takes::Outgoing),
    key("receive", "raw peers: waits for the next packet, which must match").takes(Takes::Pattern),
    key("answer", "raw peers: answers so from now on, and what is owed").takes(ANSWERS),
    key("stop_reading", "the program reads nothing any more; the windows of who sends to it fill")
        .takes(Takes::Nothing),
    key("resume_reading", "ends stop_reading").takes(Takes::Nothing),
    key("pause", "the process stands still, its kernel acknowledges; a duration, or until resume")
        .takes(Takes::Optional(&Takes::Duration)),
    key("resume", "ends pause: what has come is read, then all timers that have passed are due at once")
        .takes(Takes::Nothing),
    key("clock_drift", "the node's clock runs fast or slow by so much, as `+40%`; `0%` ends it").takes(Takes::Text),
    key("clock_jump", "the node's clock leaps, as `+1h`; set back, as `-1h`, it stands still until it has caught up")
        .takes(Takes::Text),
    key(
        "set_date",
        "the node's date is set, as `+1h`: timers measure time with another clock, so nothing may come of it",
    )
    .takes(Takes::Text),
];

const CONNECT: Table = Table {
    what: "connect",
    keys: &[&[
        key("with", "what differs in this CONNECT: `{ clean: true }`").takes(Takes::Map(&WITH)),
        key("connack", "what the CONNACK must be").takes(Takes::Fields("CONNACK")).or("a success"),
        key("wait", "whether to wait for the CONNACK").takes(Takes::Bool).or("true"),
    ]],
};

/// Who can do it.
fn is_for(word: &str, role: Role) -> bool {
    match word {
        "crash" | "power_loss" | "restart" | "pause" | "resume" | "stop_reading" | "resume_reading" | "clock_drift"
        | "clock_jump" | "set_date" => true,
        "open" => role == Role::RawClient,
        "send" | "receive" | "answer" => matches!(role, Role::RawClient | Role::RawBroker),
        "close" => role != Role::Broker,
        "stop_pinging" | "resume_pinging" => role == Role::Client,
        _ => !role.is_broker(),
    }
}

impl Reader<'_> {
    /// One action or a list of them. `connect_of` gives the CONNECT of a raw client.
    pub(super) fn actions(&self, nodes: &[NodeId], node: &Node, own: &Owners<'_>) -> Option<Vec<Action>> {
        if node.is_null() {
            self.error(node, "what is the node to do? As in `sensor: power_loss`");
            return None;
        }
        let items = self.one_or_more(node);
        let read: Vec<_> = items.iter().filter_map(|item| self.action(nodes, item, own)).collect();
        (read.len() == items.len() && !read.is_empty()).then_some(read)
    }

    fn action(&self, nodes: &[NodeId], node: &Node, own: &Owners<'_>) -> Option<Action> {
        let (line, connection) = match &node.kind {
            Kind::Map(entries) if entries.len() > 1 => without_connection(entries),
            _ => (None, None),
        };
        if let Kind::Map(entries) = &node.kind
            && let [(first, _), (second, _)] = entries.as_slice()
            && line.is_none()
            && let Some(key) = [first, second].into_iter().find(|key| is_nearly(key, CONNECTION.name))
        {
            let word = key.text().unwrap_or_default();
            self.error(key, format!("unknown key `{word}` beside an action; did you mean `{}`?", CONNECTION.name));
            return None;
        }
        let (word, argument) = match &node.kind {
            Kind::Map(_) => {
                let (word, argument) = line.map_or_else(|| self.line(node, "an action"), Some)?;
                (word, Some(argument))
            }
            _ => (node, None),
        };
        let text = self.scalar(word, "an action, such as `power_loss`")?;
        let Some(known) = ACTIONS.iter().find(|known| known.name == text) else {
            let hint = did_you_mean(text, ACTIONS.iter().map(|action| action.name));
            let see = super::reference::see("action");
            let able = |action: &&Key| nodes.iter().all(|id| is_for(action.name, self.names.role(*id)));
            let note = match hint.is_empty() {
                true => format!("one of {}; {see}", one_of(ACTIONS.iter().filter(able).map(|action| action.name))),
                false => see,
            };
            self.error_with_note(word, format!("unknown action `{text}`{hint}"), note);
            return None;
        };
        if !self.usable(word, known) {
            return None;
        }
        let role = nodes.iter().map(|id| self.names.role(*id)).find(|role| !is_for(text, *role));
        if let Some(role) = role {
            let who = Role::ALL.into_iter().filter(|role| is_for(text, *role)).map(Role::with_article);
            let who = who.collect::<Vec<_>>().join(" or ");
            self.error(word, format!("`{text}` is for {who}; this is {}", role.with_article()));
            return None;
        }
        let action = match argument {
            None => self.plain_action(word, known.name),
            // A word that takes nothing, with `connection` beside it.
            Some(argument) if argument.is_null() && connection.is_some() => self.plain_action(word, known.name),
            Some(argument) => self.action_with(word, known.name, argument, nodes, own),
        }?;
        match connection {
            Some(connection) => self.on_connection(word, connection, nodes, action),
            None => Some(action),
        }
    }

    fn plain_action(&self, node: &Node, word: &str) -> Option<Action> {
        Some(match word {
            "open" => Command::Open.into(),
            "stop_pinging" => Command::StopPinging.into(),
            "resume_pinging" => Command::ResumePinging.into(),
            "crash" => NodeFault::Crash.into(),
            "power_loss" => NodeFault::PowerLoss.into(),
            "restart" => NodeFault::Restart.into(),
            "pause" => NodeFault::Pause(None).into(),
            "resume" => NodeFault::Resume.into(),
            "stop_reading" => NodeFault::StopReading.into(),
            "resume_reading" => NodeFault::ResumeReading.into(),
            "connect" => Command::Connect(ConnectAction::default()).into(),
            "disconnect" => Command::Disconnect(Disconnect::new(ReasonCode::SUCCESS)).into(),
            _ => {
                let argument = ACTIONS.iter().find(|action| action.name == word).map_or("…", |_| match word {
                    "close" => "fin",
                    "send" | "receive" => "PINGREQ",
                    "publish" => "{ topic: a, payload: b }",
                    "clock_drift" => "+40%",
                    "clock_jump" | "set_date" => "-1h",
                    _ => "a/b",
                });
                self.error(node, format!("`{word}` of what? As in `{{ {word}: {argument} }}`"));
                return None;
            }
        })
    }

    fn action_with(
        &self,
        word: &Node,
        name: &str,
        argument: &Node,
        nodes: &[NodeId],
        own: &Owners<'_>,
    ) -> Option<Action> {
        Some(match name {
            "connect" => Command::Connect(self.connect(argument, nodes, own)?).into(),
            "disconnect" => {
                let disconnect = disconnect(self, argument)?;
                let is_raw = |id: &NodeId| self.names.role(*id) == Role::RawClient;
                if disconnect.reason.name().is_none() && !nodes.iter().all(is_raw) {
                    let at = argument.get("reason").unwrap_or(argument);
                    self.error(at, format!("MQTT 5.0 has no reason {}; a raw client may send it", disconnect.reason));
                    return None;
                }
                Command::Disconnect(disconnect).into()
            }
            "subscribe" | "unsubscribe" | "publish" if self.would_refuse(name, argument, nodes) => return None,
            "subscribe" => {
                let (subscriptions, subscription_id) = subscribe(self, argument)?;
                Command::Subscribe { subscriptions, subscription_id }.into()
            }
            "unsubscribe" => {
                let items = self.one_or_more(argument);
                let filters: Vec<_> = items.iter().filter_map(|item| filter(self, item)).collect();
                (filters.len() == items.len() && !filters.is_empty()).then_some(Command::Unsubscribe(filters).into())?
            }
            "publish" => Command::Publish(publish(self, argument)?).into(),
            "close" => match self.word(argument, "way to close", CLOSE)? {
                "fin" => Command::Close(CloseHow::Fin).into(),
                _ => Command::Close(CloseHow::Rst).into(),
            },
            "send" => {
                let anyone = Connect::new(self.version, "");
                Command::Send(outgoing(self, argument, own.connect_of(*nodes.first()?).unwrap_or(&anyone))?).into()
            }
            "answer" => Command::Answer(answers(self, argument, self.names.role(*nodes.first()?))?).into(),
            "receive" => Command::Receive(pattern(self, argument)?).into(),
            "pause" => NodeFault::Pause(Some(self.duration(argument)?)).into(),
            "clock_drift" => NodeFault::ClockDrift(self.drift(argument)?).into(),
            "clock_jump" => NodeFault::ClockJump(self.leap(argument)?).into(),
            "set_date" => NodeFault::SetDate(self.leap(argument)?).into(),
            _ => {
                let found = found(argument);
                self.error(word, format!("`{name}` takes nothing, found {found}; write `{name}` alone"));
                return None;
            }
        })
    }

    /// Whether a client of the project would not do this, since it is no topic or no filter; reported.
    fn would_refuse(&self, name: &str, argument: &Node, nodes: &[NodeId]) -> bool {
        if nodes.iter().any(|id| self.names.role(*id) != Role::Client) {
            return false;
        }
        if name != "publish" {
            return check_filters(self, argument).is_none();
        }
        let Some(topic) = argument.get("topic") else { return false };
        // An empty one is right beside an alias.
        let wrong = topic.text().filter(|text| !text.is_empty());
        let wrong = wrong.and_then(|text| halfopen_protocol::topic::check_name(text, self.version).err());
        if let (Some(wrong), Some(text)) = (&wrong, topic.text()) {
            let message = format!("`{text}` is no topic: {}; a client does not send it", wrong.what);
            self.error_with_note(
                topic,
                message,
                format!("{}; a raw client may `send` a PUBLISH with it", wrong.clause),
            );
        }
        wrong.is_some()
    }

    fn connect(&self, node: &Node, nodes: &[NodeId], own: &Owners<'_>) -> Option<ConnectAction> {
        if let Some((key, _)) = node.entries().iter().find(|(key, _)| key.text().is_some_and(is_of_connect)) {
            let word = key.text().unwrap_or_default();
            let message =
                format!("`{word}` is a field of CONNECT; fields stand behind `with`: `{{ with: {{ {word}: … }} }}`");
            self.error_with_note(key, message, super::reference::see("connect"));
            return None;
        }
        let fields = self.fields(node, &CONNECT)?;
        let mut action = ConnectAction::default();
        let mut broken = fields.broken;
        if let Some(connack) = fields.get("connack") {
            let packet = PacketKind::Type(PacketType::ConnAck);
            let pattern = field_patterns(self, packet, connack);
            broken |= pattern.is_none();
            action.connack = pattern.map(|fields| crate::plan::PacketPattern { packet, fields });
        }
        if let Some(with) = fields.get("with") {
            for node in nodes {
                // What is wrong with one of a group is wrong with all of them.
                let connect = own.connect_of(*node).and_then(|own| connect_fields(self, with, own.clone()));
                let Some(connect) = connect else {
                    broken = true;
                    break;
                };
                action.with.insert(*node, connect);
            }
        }
        if let Some(waits) = fields.get("wait") {
            action.waits = self.boolean(waits).unwrap_or(true);
            if !action.waits && action.connack.is_some() {
                self.error(waits, "who does not wait for the CONNACK cannot say what it must be");
                broken = true;
            }
        }
        (!broken).then_some(action)
    }

    /// `+40%`, in millionths.
    fn drift(&self, node: &Node) -> Option<i32> {
        let text = self.scalar(node, "a drift, such as `+40%`")?;
        let (sign, digits) = signed(text);
        let share = digits.strip_suffix('%').and_then(|digits| Exact::parse(digits.trim()));
        let millionths = share.and_then(|share| share.multiply(Exact::whole(10_000)));
        let ppm = millionths.and_then(Exact::to_whole).and_then(|ppm| i64::try_from(ppm).ok()).map(|ppm| sign * ppm);
        match ppm {
            Some(ppm) if (-990_000..=9_000_000).contains(&ppm) => i32::try_from(ppm).ok(),
            Some(_) => {
                self.error(node, format!("`{text}` is not between -99% and +900%"));
                None
            }
            None => {
                self.error(node, format!("expected a drift, such as `+40%` or `-30%`, found `{text}`"));
                None
            }
        }
    }

    /// `-1h`, in milliseconds.
    fn leap(&self, node: &Node) -> Option<i64> {
        let text = self.scalar(node, "a leap, such as `-1h`")?;
        let (sign, digits) = signed(text);
        let length = time::duration(digits).ok().and_then(|length| i64::try_from(length.as_millis()).ok());
        // Farther than any run goes on, so that no sum of them overflows.
        let length = length.filter(|length| (1..=100 * 365 * 24 * 3_600_000).contains(length));
        if length.is_none() {
            self.error(node, format!("expected a leap of at most 100 years, such as `-1h` or `+5s`, found `{text}`"));
        }
        length.map(|length| sign * length)
    }
}

/// Whether a word is something that a node can be told to do.
pub(super) fn is_action(word: &str) -> bool {
    ACTIONS.iter().any(|action| action.name == word)
}

fn is_of_connect(word: &str) -> bool {
    WITH.find(word).is_some()
}

fn is_nearly(key: &Node, name: &'static str) -> bool {
    key.text().is_some_and(|text| !did_you_mean(text, [name]).is_empty())
}

/// The line of an action, and the connection that stands beside it.
fn without_connection(entries: &[(Node, Node)]) -> (Option<(&Node, &Node)>, Option<&Node>) {
    match entries {
        [(key, value), (word, argument)] | [(word, argument), (key, value)] if key.text() == Some(CONNECTION.name) => {
            (Some((word, argument)), Some(value))
        }
        _ => (None, None),
    }
}

/// The sign of a text, and what follows it.
fn signed(text: &str) -> (i64, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (-1, rest.trim_start()),
        None => (1, text.strip_prefix('+').unwrap_or(text).trim_start()),
    }
}

/// The programs of the plan, for what an action takes from its node.
pub(super) struct Owners<'a>(pub(super) &'a [crate::plan::Node]);

impl Owners<'_> {
    fn connect_of(&self, id: NodeId) -> Option<&Connect> {
        match &self.0.get(id.0)?.program {
            crate::plan::Program::RawClient(raw) => Some(&raw.connect),
            crate::plan::Program::Client(client) => Some(&client.options.connect),
            _ => None,
        }
    }
}
