//! What nodes are told to do.

use std::collections::BTreeMap;
use std::sync::Arc;

use halfopen_protocol::packet::{Connect, Disconnect};
use halfopen_protocol::{Packet, PacketType, ReasonCode, topic};

use super::answers::close_how;
use super::names::Role;
use super::{Lower, packets};
use crate::ast::{
    self, ActionKind, ConnectKeys, ConnectionName, DONE_ON_ONE, FieldValue, FieldsOf, OfDisconnect, OfPublish, Place,
};
use crate::plan::{
    Action, Command, ConnectAction, Node as PlanNode, NodeFault, NodeId, NthConnection, PacketKind, PacketPattern,
    Program, number_text,
};
use crate::suggest::one_of;

impl Lower<'_> {
    /// An action of some nodes, which are all of one role; `programs` are those of the plan.
    pub(super) fn action(&self, action: &ast::Action, nodes: &[NodeId], programs: &[PlanNode]) -> Option<Action> {
        let word = action.kind.word();
        let able = |role: Role| action.roles().any(|able| able == role);
        if let Some(role) = nodes.iter().map(|id| self.names.role(*id)).find(|role| !able(*role)) {
            let who = action.roles().map(Role::with_article).collect::<Vec<_>>().join(" or ");
            self.error(&action.word, format!("`{word}` is for {who}; this is {}", role.with_article()));
            return None;
        }
        let lacks_words = |id: &NodeId| match programs.get(id.0).map(|node| &node.program) {
            Some(Program::Client(client)) => client.options.dialogue.is_none(),
            _ => false,
        };
        if matches!(action.kind, ActionKind::Reauthenticate) && nodes.iter().any(lacks_words) {
            self.error(&action.word, format!("`{word}` is for a client with a `dialogue`"));
            return None;
        }
        let lowered = match &action.kind {
            ActionKind::Crash => NodeFault::Crash.into(),
            ActionKind::PowerLoss => NodeFault::PowerLoss.into(),
            ActionKind::Restart => NodeFault::Restart.into(),
            ActionKind::LoseDisk => NodeFault::LoseDisk.into(),
            ActionKind::Pause(None) => NodeFault::Pause(None).into(),
            ActionKind::Pause(Some(duration)) => {
                NodeFault::Pause(Some(duration.get(self.env)?.value(self.env)?)).into()
            }
            ActionKind::Resume => NodeFault::Resume.into(),
            ActionKind::StopReading if action.connection.is_some() => Command::SetReading(false).into(),
            ActionKind::ResumeReading if action.connection.is_some() => Command::SetReading(true).into(),
            ActionKind::StopReading => NodeFault::StopReading.into(),
            ActionKind::ResumeReading => NodeFault::ResumeReading.into(),
            ActionKind::ClockDrift(drift) => NodeFault::ClockDrift(drift.get(self.env)?.0).into(),
            ActionKind::ClockJump(leap) => NodeFault::ClockJump(leap.get(self.env)?.milliseconds()?).into(),
            ActionKind::SetWallClock(leap) => NodeFault::SetWallClock(leap.get(self.env)?.milliseconds()?).into(),
            command => self.command(command, nodes, programs)?.into(),
        };
        let Some(connection) = &action.connection else { return Some(lowered) };
        let Some(command) = lowered.command().filter(|_| DONE_ON_ONE.contains(&word)) else {
            let known = ActionKind::KEYS.iter().map(|key| key.name).filter(|word| DONE_ON_ONE.contains(word));
            let message = format!("`connection` belongs to {}, not to `{word}`", one_of(known));
            self.error(&connection.place, message);
            return None;
        };
        let on = self.own_connection(&*connection.get(self.env)?, nodes)?;
        Some(Action::Command { command: command.clone(), on })
    }

    /// Returns what the program on some nodes is told to do.
    fn command(&self, kind: &ActionKind, nodes: &[NodeId], programs: &[PlanNode]) -> Option<Command> {
        let env = self.env;
        let of_client = nodes.iter().all(|id| self.names.role(*id) == Role::Client);
        Some(match kind {
            ActionKind::Open => Command::Open,
            ActionKind::Shutdown => Command::Shutdown,
            ActionKind::Configure(settings) => {
                let read = settings.get(env)?;
                if let Some(program) = &read.0.program {
                    self.error(
                        &program.key,
                        "`program` is what a broker is from the start of its process on".to_owned(),
                    );
                    return None;
                }
                let mut changed = BTreeMap::new();
                for id in nodes {
                    let Program::Broker(own) = &programs.get(id.0)?.program else { return None };
                    let program = self.configured((**own).clone(), &read.0).filter(|_| settings.is_right())?;
                    changed.insert(*id, program);
                }
                Command::Configure(changed)
            }
            ActionKind::StopPinging => Command::StopPinging,
            ActionKind::ResumePinging => Command::ResumePinging,
            ActionKind::Reauthenticate => Command::Reauthenticate,
            ActionKind::Connect(None) => Command::Connect(ConnectAction::default()),
            ActionKind::Connect(Some(with)) => {
                let read = with.get(env)?;
                Command::Connect(self.connect_action(&read.0, nodes, programs).filter(|_| with.is_right())?)
            }
            ActionKind::Disconnect(None) => Command::Disconnect(Disconnect::new(ReasonCode::SUCCESS)),
            ActionKind::Disconnect(Some(fields)) => Command::Disconnect(self.disconnect(&*fields.get(env)?, nodes)?),
            ActionKind::Subscribe(filters) => {
                let filters = filters.get(env)?;
                if of_client {
                    self.check_filters(&filters)?;
                }
                let (subscriptions, subscription_id) = self.subscribe(&filters)?;
                Command::Subscribe { subscriptions, subscription_id }
            }
            ActionKind::Unsubscribe(filters) => {
                let filter = |filter: &ast::Filter| {
                    if of_client {
                        self.check_filter(&filter.1.0, &filter.0)?;
                    }
                    Some(filter.1.0.clone())
                };
                Command::Unsubscribe(self.each(&filters.get(env)?.0, filter)?)
            }
            ActionKind::Publish(message) => {
                let message = message.get(env)?;
                if of_client {
                    self.check_topic(&message)?;
                }
                match self.packet_with(PacketType::Publish, &message.fields, &message.place)? {
                    Packet::Publish(publish) => Command::Publish(Arc::unwrap_or_clone(publish)),
                    _ => return None,
                }
            }
            ActionKind::Close(how) => Command::Close(close_how(*how.get(env)?)),
            ActionKind::Send(sent) => {
                let anyone = Connect::new(self.version, "");
                let own = connect_of(*nodes.first()?, programs).unwrap_or(&anyone);
                Command::Send(self.sent(&*sent.get(env)?, own, false)?)
            }
            ActionKind::Answer(answers) => {
                Command::Answer(self.answers(&*answers.get(env)?, self.names.role(*nodes.first()?))?)
            }
            ActionKind::Receive(pattern) => Command::Receive(self.pattern(&*pattern.get(env)?)?),
            // What happens to a node is no command.
            ActionKind::Crash
            | ActionKind::PowerLoss
            | ActionKind::Restart
            | ActionKind::LoseDisk
            | ActionKind::Pause(_)
            | ActionKind::Resume
            | ActionKind::StopReading
            | ActionKind::ResumeReading
            | ActionKind::ClockDrift(_)
            | ActionKind::ClockJump(_)
            | ActionKind::SetWallClock(_) => return None,
        })
    }

    fn disconnect(&self, fields: &FieldsOf<OfDisconnect>, nodes: &[NodeId]) -> Option<Disconnect> {
        let Packet::Disconnect(disconnect) = self.packet_with(PacketType::Disconnect, &fields.fields, &fields.place)?
        else {
            return None;
        };
        let is_raw = |id: &NodeId| self.names.role(*id) == Role::RawClient;
        if disconnect.reason.name().is_none() && !nodes.iter().all(is_raw) {
            let place = packets::field(&fields.fields, "reason").map_or(&fields.place, |(_, value)| &value.place);
            self.error(place, format!("MQTT 5.0 has no reason {}; a raw client may send it", disconnect.reason));
            return None;
        }
        Some(disconnect)
    }

    /// Reports a topic that a client of the project would not send.
    fn check_topic(&self, message: &FieldsOf<OfPublish>) -> Option<()> {
        let Some((_, topic)) = packets::field(&message.fields, "topic") else { return Some(()) };
        let read = |cx: &ast::Reading<'_>, node: &_| FieldValue::read(cx, "topic", node);
        let Some(value) = topic.get_as(self.env, read) else { return Some(()) };
        let FieldValue::Text(text) = &*value else { return Some(()) };
        // An empty one is right beside an alias.
        if text.0.is_empty() {
            return Some(());
        }
        let Err(wrong) = topic::check_name(&text.0, self.version) else { return Some(()) };
        let message = format!("`{}` is no topic: {}; a client does not send it", text.0, wrong.what);
        let note = format!("{}; a raw client may `send` a PUBLISH with it", wrong.clause);
        self.error_with_note(&topic.place, message, note);
        None
    }

    fn connect_action(&self, keys: &ConnectKeys, nodes: &[NodeId], programs: &[PlanNode]) -> Option<ConnectAction> {
        let mut action = ConnectAction::default();
        let mut complete = self.put(&keys.connack, |connack| {
            let packet = PacketKind::Type(PacketType::ConnAck);
            let fields = self.field_patterns(packet, &connack.0)?;
            action.connack = Some(PacketPattern { packet, fields });
            Some(())
        });
        complete &= self.put(&keys.with, |with| {
            // What is wrong with one of a group is wrong with all of them.
            for node in nodes {
                let connect = self.connect_with(with, connect_of(*node, programs)?.clone())?;
                action.with.insert(*node, connect);
            }
            Some(())
        });
        complete &= self.put(&keys.wait, |waits| {
            action.waits = *waits;
            Some(())
        });
        if let Some(wait) = keys.wait.as_ref().filter(|_| !action.waits && action.connack.is_some()) {
            self.error(&wait.value.place, "who does not wait for the CONNACK cannot say what it must be");
            complete = false;
        }
        complete.then_some(action)
    }

    /// The connections on which an action is done, of which one is each node's own.
    fn own_connection(&self, connection: &ConnectionName, nodes: &[NodeId]) -> Option<Vec<NthConnection>> {
        let on = self.connection(connection)?;
        let place: &Place = &connection.place;
        for &node in nodes {
            let role = self.names.role(node);
            if !role.is_raw() {
                let role = role.with_article();
                self.error(place, format!("`connection` is for raw peers; {role} has one connection at a time"));
                return None;
            }
            let is_own =
                |one: &NthConnection| one.client == node || self.names.brokers_of(one.client).any(|id| id == node);
            if !on.iter().any(is_own) {
                let text = format!("{}#{}", connection.client, number_text(connection.number));
                self.error(place, format!("`{}` is at no end of `{text}`", self.names.name(node)));
                return None;
            }
        }
        Some(on)
    }
}

/// The CONNECT of a node.
fn connect_of(id: NodeId, programs: &[PlanNode]) -> Option<&Connect> {
    match &programs.get(id.0)?.program {
        Program::RawClient(raw) => Some(&raw.connect),
        Program::Client(client) => Some(&client.options.connect),
        _ => None,
    }
}
