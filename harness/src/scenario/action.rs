//! What a node can be told to do.

use crate::plan::{Action, CloseHow, ConnectAction, NodeId, PacketKind};
use halfopen_protocol::{PacketType, ReasonCode};

use super::keys::{Key, Table, Takes, key, not_yet};
use super::names::Role;
use super::node::{SUBSCRIPTIONS, filter, subscriptions};
use super::packet::{field_patterns, outgoing, pattern, publish};
use super::reader::{Reader, found};
use super::suggest::did_you_mean;
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
        .takes(Takes::Optional(&Takes::Map(&DISCONNECT))),
    key("subscribe", "filters; waits for SUBACK").takes(SUBSCRIPTIONS),
    key("unsubscribe", "filters; waits for UNSUBACK").takes(Takes::Several(&Takes::Text)),
    key("publish", "topic, payload, qos, retain …; over at once").takes(Takes::Message),
    key("close", "`fin` or `rst`, without a DISCONNECT").takes(Takes::Words(CLOSE)),
    key("send", "raw clients: a packet, `{ bytes: c0 00 }`, or a list, which is one write").takes(Takes::Outgoing),
    key("receive", "raw clients: waits for the next packet, which must match").takes(Takes::Pattern),
    not_yet("answer", "changes the usual answers"),
    not_yet("stop_reading", "reads nothing any more"),
    not_yet("resume_reading", "ends stop_reading"),
    not_yet("pause", "the process stands still"),
    not_yet("resume", "ends pause"),
    not_yet("clock_drift", "the node's clock runs fast or slow"),
    not_yet("clock_jump", "the node's clock leaps"),
];

const CONNECT: Table = Table {
    what: "connect",
    keys: &[&[
        key("with", "what differs in this CONNECT: `{ clean: true }`").takes(Takes::Map(&WITH)),
        key("connack", "what the CONNACK must be").takes(Takes::Fields("CONNACK")).or("a success"),
        not_yet("wait", "whether to wait for the CONNACK; true"),
    ]],
};

const WITH: Table = Table {
    what: "`with`",
    keys: &[&[
        key("clean", "begin without an earlier session").takes(Takes::Bool),
        not_yet("client_id", ""),
        not_yet("keep_alive", ""),
        not_yet("session_expiry", ""),
        not_yet("will", ""),
        not_yet("username", ""),
        not_yet("password", ""),
    ]],
};

const DISCONNECT: Table =
    Table { what: "disconnect", keys: &[&[key("reason", "5.0: why").takes(Takes::Number(0, 255)).or("0x00")]] };

const CLOSE: &[Key] = &[key("fin", "in order"), key("rst", "by abort")];

/// Who can do it.
fn is_for(word: &str, role: Role) -> bool {
    match word {
        "crash" | "power_loss" | "restart" => true,
        "open" | "send" | "receive" => role == Role::RawClient,
        "stop_pinging" | "resume_pinging" => role == Role::Client,
        _ => role != Role::Broker,
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
        let (word, argument) = match &node.kind {
            Kind::Map(_) => {
                let (word, argument) = self.line(node, "an action")?;
                (word, Some(argument))
            }
            _ => (node, None),
        };
        let text = self.scalar(word, "an action, such as `power_loss`")?;
        let Some(known) = ACTIONS.iter().find(|known| known.name == text) else {
            let hint = did_you_mean(text, ACTIONS.iter().map(|action| action.name));
            self.error(word, format!("unknown action `{text}`{hint}"));
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
        match argument {
            None => self.plain_action(word, known.name),
            Some(argument) => self.action_with(word, known.name, argument, nodes, own),
        }
    }

    fn plain_action(&self, node: &Node, word: &str) -> Option<Action> {
        Some(match word {
            "open" => Action::Open,
            "stop_pinging" => Action::StopPinging,
            "resume_pinging" => Action::ResumePinging,
            "crash" => Action::Crash,
            "power_loss" => Action::PowerLoss,
            "restart" => Action::Restart,
            "connect" => Action::Connect(ConnectAction::default()),
            "disconnect" => Action::Disconnect(ReasonCode::SUCCESS),
            _ => {
                let argument = ACTIONS.iter().find(|action| action.name == word).map_or("…", |_| match word {
                    "close" => "fin",
                    "send" | "receive" => "PINGREQ",
                    "publish" => "{ topic: a, payload: b }",
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
            "connect" => Action::Connect(self.connect(argument)?),
            "disconnect" => Action::Disconnect(self.disconnect(argument)?),
            "subscribe" => Action::Subscribe(subscriptions(self, argument)?),
            "unsubscribe" => {
                let items = self.one_or_more(argument);
                let filters: Vec<_> = items.iter().filter_map(|item| filter(self, item)).collect();
                (filters.len() == items.len() && !filters.is_empty()).then_some(Action::Unsubscribe(filters))?
            }
            "publish" => Action::Publish(publish(self, argument)?),
            "close" => match self.word(argument, "way to close", CLOSE)? {
                "fin" => Action::Close(CloseHow::Fin),
                _ => Action::Close(CloseHow::Rst),
            },
            "send" => Action::Send(outgoing(self, argument, own.connect_of(*nodes.first()?)?)?),
            "receive" => Action::Receive(pattern(self, argument)?),
            _ => {
                let found = found(argument);
                self.error(word, format!("`{name}` takes nothing, found {found}; write `{name}` alone"));
                return None;
            }
        })
    }

    fn connect(&self, node: &Node) -> Option<ConnectAction> {
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
            let with = self.fields(with, &WITH)?;
            broken |= with.broken;
            if let Some(clean) = with.get("clean") {
                action.clean_start = self.boolean(clean);
                broken |= action.clean_start.is_none();
            }
        }
        (!broken).then_some(action)
    }

    fn disconnect(&self, node: &Node) -> Option<ReasonCode> {
        let fields = self.fields(node, &DISCONNECT)?;
        let reason = fields.get("reason");
        if let Some(reason) = reason
            && !self.version.is_v5()
        {
            self.error(reason, self.belongs_to_5("reason"));
            return None;
        }
        if fields.broken {
            return None;
        }
        reason.map_or(Some(ReasonCode::SUCCESS), |reason| self.number_u8(reason).map(ReasonCode::new))
    }
}

/// The programs of the plan, for what an action takes from its node.
pub(super) struct Owners<'a>(pub(super) &'a [crate::plan::Node]);

impl Owners<'_> {
    fn connect_of(&self, id: NodeId) -> Option<&halfopen_protocol::packet::Connect> {
        match &self.0.get(id.0)?.program {
            crate::plan::Program::RawClient(raw) => Some(&raw.connect),
            _ => None,
        }
    }
}
