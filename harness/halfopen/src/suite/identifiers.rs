//! Scenarios that name Packet Identifiers which a program under test chooses, and which it chooses otherwise.
//!
//! The project's programs number their exchanges from 1 on, and some scenarios rely on it: a raw client answers PUBLISH 1, whatever
//! came. The standard leaves the choice to the sender (§2.2.1), so such a scenario says nothing about a program with other numbers.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::{
    Command, Expectation, FieldPattern, Matcher, NodeId, Outgoing, PacketKind, PacketPattern, Plan, Step, StepKind,
    Value, Verb,
};
use crate::trace::{EventKind, Trace, Transmission};
use halfopen_protocol::Packet;
use halfopen_protocol::packet::PacketType;

/// Returns why a plan cannot be judged by this trace, if it names identifiers that the programs on these nodes did not choose.
pub(crate) fn chosen_otherwise(plan: &Plan, trace: &Trace, nodes: &BTreeSet<NodeId>) -> Option<String> {
    let named = named_in_steps(&plan.steps, nodes).max(named_in_lines(&plan.expectations, nodes))?;
    // Not by receiver: a session may be resumed by another node.
    let mut chosen: BTreeMap<NodeId, Vec<u16>> = BTreeMap::new();
    for event in &trace.events {
        let EventKind::Sent { from, item: Transmission::Packet(packet), .. } = &event.kind else { continue };
        let Some(id) = chosen_in(packet).filter(|_| nodes.contains(from)) else { continue };
        let of_it = chosen.entry(*from).or_default();
        if !of_it.contains(&id) {
            of_it.push(id);
        }
    }
    let (from, other) = chosen.iter().find_map(|(from, chosen)| {
        let mut in_order = chosen.iter().zip(1..=named);
        in_order.find(|(id, expected)| *id != expected).map(|(id, _)| (*from, *id))
    })?;
    let name = &plan.node(from).name;
    Some(format!("it is about Packet Identifiers from 1 on, and {name} chose {other}, as it may (§2.2.1)"))
}

/// Returns the Packet Identifier with which this packet begins an exchange.
fn chosen_in(packet: &Packet) -> Option<u16> {
    let id = match packet {
        Packet::Publish(publish) => publish.packet_id?,
        Packet::Subscribe(subscribe) => subscribe.packet_id,
        Packet::Unsubscribe(unsubscribe) => unsubscribe.packet_id,
        _ => return None,
    };
    Some(id.get())
}

/// Returns the largest identifier by which other nodes acknowledge something in the script.
fn named_in_steps(steps: &[Step], nodes: &BTreeSet<NodeId>) -> Option<u16> {
    let of_step = |step: &Step| match &step.kind {
        StepKind::Node { nodes: doing, actions } if doing.iter().any(|node| !nodes.contains(node)) => {
            let sent = actions.iter().flat_map(|action| action.commands()).filter_map(|command| match command {
                Command::Send(sent) => Some(sent),
                _ => None,
            });
            sent.flatten().filter_map(acknowledged).max()
        }
        StepKind::Every { steps, .. } | StepKind::Repeat { steps, .. } | StepKind::Whenever { steps, .. } => {
            named_in_steps(steps, nodes)
        }
        _ => None,
    };
    steps.iter().filter_map(of_step).max()
}

fn acknowledged(sent: &Outgoing) -> Option<u16> {
    let Outgoing::Packet(packet) = sent else { return None };
    let id = match packet {
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubComp(ack) => ack.packet_id,
        Packet::SubAck(ack) => ack.packet_id,
        Packet::UnsubAck(ack) => ack.packet_id,
        _ => return None,
    };
    Some(id.get())
}

/// Returns the largest identifier by which an expectation names an exchange that these nodes begin.
fn named_in_lines(lines: &[Expectation], nodes: &BTreeSet<NodeId>) -> Option<u16> {
    let of_line = |line: &Expectation| {
        let is_of_them = line.nodes.iter().any(|node| nodes.contains(node));
        match &line.verb {
            Verb::Sends(patterns) if is_of_them => named_among(&BEGIN, patterns),
            Verb::Receives(patterns) if !is_of_them => named_among(&BEGIN, patterns),
            Verb::Sends(patterns) => named_among(&ANSWER, patterns),
            Verb::Receives(patterns) => named_among(&ANSWER, patterns),
            Verb::AnyOf(alternatives) => {
                alternatives.iter().filter_map(|alternative| named_in_lines(alternative, nodes)).max()
            }
            _ => None,
        }
    };
    lines.iter().filter_map(of_line).max()
}

/// The packets with which, or with whose release, their sender goes on with an exchange of its own.
const BEGIN: [PacketType; 4] =
    [PacketType::Publish, PacketType::PubRel, PacketType::Subscribe, PacketType::Unsubscribe];

/// The packets that answer in an exchange of the other side.
const ANSWER: [PacketType; 5] =
    [PacketType::PubAck, PacketType::PubRec, PacketType::PubComp, PacketType::SubAck, PacketType::UnsubAck];

/// Returns the largest identifier that one of the patterns of these packets names.
fn named_among(types: &[PacketType], patterns: &[PacketPattern]) -> Option<u16> {
    let of_them =
        |pattern: &&PacketPattern| matches!(pattern.packet, PacketKind::Type(packet) if types.contains(&packet));
    patterns.iter().filter(of_them).filter_map(named).max()
}

fn named(pattern: &PacketPattern) -> Option<u16> {
    pattern.fields.iter().find_map(|field| match field {
        FieldPattern { name, matcher: Matcher::Is(Value::Number(id)) } if name == "id" => u16::try_from(*id).ok(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use halfopen_protocol::packet::{PacketId, Publish, QoS};
    use rstest::rstest;

    use super::*;
    use crate::plan::Source;
    use crate::scenario::{PlanOptions, parse};
    use crate::trace::fixture::TraceBuilder;

    const BROKER: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);
    const ACKNOWLEDGED: &str = "- b: { send: { PUBACK: { id: 2 } } }";
    const ANY: &str = "- b: { receives: PUBLISH }";

    #[rstest]
    #[case::script(ACKNOWLEDGED, ANY, &[1, 7], Some("broker chose 7"))]
    #[case::expectation("- wait: 1s", "- b: { receives: { PUBLISH: { id: 3 } } }", &[24954], Some("broker chose 24954"))]
    #[case::answer("- wait: 1s", "- b: { sends: { PUBACK: { id: 3 } } }", &[24954], Some("broker chose 24954"))]
    #[case::answer_that_comes("- wait: 1s", "- broker: { receives: { PUBACK: { id: 3 } } }", &[24954], Some("broker chose 24954"))]
    #[case::those_that_are_named(ACKNOWLEDGED, ANY, &[1, 1, 2, 9], None)]
    #[case::nothing_came(ACKNOWLEDGED, ANY, &[], None)]
    #[case::none_is_named("- wait: 1s", ANY, &[7], None)]
    #[case::of_the_other_side("- wait: 1s", "- b: { receives: { PUBACK: { id: 2 } } }", &[7], None)]
    fn identifiers_that_were_chosen_otherwise(
        #[case] step: &str,
        #[case] line: &str,
        #[case] chosen: &[u16],
        #[case] expected: Option<&str>,
    ) {
        let text = format!("raw_clients: {{ b: {{}} }}\nsteps:\n  - b: connect\n  {step}\nexpect:\n  {line}\n");
        let scenario = parse("x".to_owned(), Source { path: "x.yaml".to_owned(), text, ..Source::default() })
            .expect("it is a scenario");
        let plan = scenario.plans(PlanOptions::default()).expect("it has a run").remove(0);
        let mut story = TraceBuilder::new();
        for id in chosen {
            let (qos, packet_id) = (QoS::AtLeastOnce, PacketId::new(*id));
            let publish = Publish { qos, packet_id, topic: "t".into(), ..Publish::default() };
            story.packet(0, BROKER, B, publish.into());
        }
        let found = chosen_otherwise(&plan, &story.end(1), &BTreeSet::from([BROKER]));
        assert_eq!(found.is_some(), expected.is_some(), "{found:?}");
        assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()));
    }
}
