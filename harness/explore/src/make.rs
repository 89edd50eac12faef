//! Short ways to write values of the scenario language.

use std::time::Duration;

use halfopen_plan::PacketKind;
use halfopen_protocol::PacketType;
use halfopen_scenario::ast::{
    Action, ActionKind, ConnectArgs, ConnectKeys, Ends, EventNode, Every, FaultyLink, Field, FieldValue, FieldValues,
    FilledSteps, LinkPath, Name, NetworkChange, Number, OneOrMore, Outgoing, PacketFields, Param, Payload, Period,
    Repeat, Sent, Size, Step, StepWord, Steps, Text,
};

/// A key with its value.
pub(crate) fn some<T>(value: T) -> Option<Field<T>> {
    Some(Field::new(value))
}

/// A key with a value for which a parameter could stand.
pub(crate) fn given<T>(value: T) -> Option<Field<Param<T>>> {
    some(Param::new(value))
}

/// A node does something.
pub(crate) fn act(node: &str, action: ActionKind) -> Step {
    Step::node(node, action)
}

/// A node does several things at one instant.
pub(crate) fn acts(node: &str, actions: Vec<ActionKind>) -> Step {
    let mut step = Step::node(node, ActionKind::Crash);
    let actions = actions.into_iter().map(|kind| Param::new(Action::from(kind))).collect();
    step.kind = halfopen_scenario::ast::StepKind::Node(Name::new(node), Param::new(OneOrMore(actions)));
    step
}

/// `wait`.
pub(crate) fn wait(time: Duration) -> Step {
    Step::word(StepWord::Wait(Param::new(time.into())))
}

/// `connect`, which waits for CONNACK or does not.
pub(crate) fn connect(waits: bool) -> ActionKind {
    if waits {
        return ActionKind::Connect(None);
    }
    let keys = ConnectKeys { wait: given(false), ..ConnectKeys::default() };
    ActionKind::Connect(Some(Param::new(ConnectArgs(keys))))
}

/// `network`.
pub(crate) fn network(change: NetworkChange) -> Step {
    Step::word(StepWord::Network(Param::new(change)))
}

/// All links between two nodes, or those of one direction.
pub(crate) fn link(from: &str, to: &str, both: bool) -> LinkPath {
    let (from, to) = (EventNode::new(from), EventNode::new(to));
    LinkPath::from(if both { Ends::Between(from, to) } else { Ends::From(from, to) })
}

/// All links of a node, both ways.
pub(crate) fn all_links(node: &str) -> LinkPath {
    LinkPath::from(Ends::Of(EventNode::new(node)))
}

/// A link with a fault that begins at once or with a packet.
pub(crate) fn faulty(link: LinkPath, packet: Option<PacketType>) -> FaultyLink {
    match packet {
        Some(packet) => FaultyLink::starting_with(link, packet),
        None => FaultyLink::AtOnce(link),
    }
}

/// `every`.
pub(crate) fn every(period: Duration, times: u64, steps: Vec<Step>) -> Step {
    let steps = steps.into_iter().map(Param::new).collect();
    Step::word(StepWord::Every(Param::new(Every {
        period: given(Period(period.into())),
        times: given(Number::new(times)),
        until: None,
        steps: given(FilledSteps(Steps(steps))),
    })))
}

/// `repeat`.
pub(crate) fn repeat(times: u64, steps: Vec<Step>) -> Step {
    let steps = steps.into_iter().map(Param::new).collect();
    Step::word(StepWord::Repeat(Param::new(Repeat {
        times: given(Number::new(times)),
        steps: given(FilledSteps(Steps(steps))),
    })))
}

/// A field of a packet.
pub(crate) fn field(name: &str, value: FieldValue) -> (Name, Param<FieldValue>) {
    (Name::new(name), Param::new(value))
}

/// A text as the value of a field.
pub(crate) fn text(value: &str) -> FieldValue {
    FieldValue::Text(Text(value.to_owned()))
}

/// A number as the value of a field.
pub(crate) fn number(value: u64) -> FieldValue {
    FieldValue::Number(Number::new(value))
}

/// A payload of this many bytes.
pub(crate) fn sized(bytes: u64) -> Payload {
    Payload::Size(Param::new(Size::new(bytes)))
}

/// A packet with these fields; without any if there are none.
pub(crate) fn packet(packet: PacketType, fields: FieldValues) -> Outgoing {
    let word = PacketKind::Type(packet).into();
    if fields.is_empty() { Outgoing::Plain(word) } else { Outgoing::Packet(word, Param::new(PacketFields(fields))) }
}

/// `send`.
pub(crate) fn send(packets: Vec<Outgoing>) -> ActionKind {
    ActionKind::Send(Param::new(Sent(OneOrMore(packets.into_iter().map(Param::new).collect()))))
}
