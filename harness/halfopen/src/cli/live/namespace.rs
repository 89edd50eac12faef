//! Keeps runs apart that share one broker: each has client identifiers and topics of its own.

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use halfopen_protocol::packet::{Connect, Publish, Subscription};
use halfopen_protocol::{DecodeOptions, Packet, Role, Version, decode};
use std::sync::Arc;

use crate::plan::{
    Action, Answer, AnswerKind, Answers, Command, Expectation, FieldPattern, Matcher, Outgoing, PacketPattern, Plan,
    Program, Step, StepKind, Value, Verb,
};

/// Fields of packets that hold a topic or a filter, or several.
const TOPICS: &[&str] = &["topic", "will_topic", "filters"];
/// Fields of packets that hold a client identifier.
const CLIENT_IDS: &[&str] = &["client_id"];

/// Puts `name` before all client identifiers and topics of a plan, and of what it expects.
///
/// # Errors
/// Returns the reason why that is not possible: the plan has topics that begin with `$` or are too long, or sends bytes with
/// names in them. Bytes that no broker may accept are sent as they are: the names in them lead to nothing.
pub(super) fn move_into(plan: &mut Plan, name: &str) -> Result<(), String> {
    let mut namespace = Namespace { name, version: plan.version, obstacle: None };
    for node in &mut plan.nodes {
        match &mut node.program {
            Program::Client(client) => {
                namespace.connect(&mut client.options.connect);
                client.options.subscriptions.iter_mut().for_each(|one| namespace.subscription(one));
            }
            Program::RawClient(client) => {
                namespace.connect(&mut client.connect);
                client.subscribe.iter_mut().for_each(|one| namespace.subscription(one));
                namespace.answers(&mut client.answers);
            }
            Program::Broker(_) | Program::RawBroker(_) => {}
        }
    }
    namespace.steps(&mut plan.steps);
    plan.expectations.iter_mut().for_each(|line| namespace.expectation(line));
    namespace.obstacle.map_or(Ok(()), Err)
}

struct Namespace<'a> {
    name: &'a str,
    version: Version,
    /// The reason why the plan cannot be moved, if it cannot.
    obstacle: Option<String>,
}

impl Namespace<'_> {
    fn steps(&mut self, steps: &mut [Step]) {
        for step in steps {
            match &mut step.kind {
                StepKind::Node { actions, .. } => {
                    actions.iter_mut().for_each(|action| self.action(action));
                }
                StepKind::Every { steps, .. } | StepKind::Repeat { steps, .. } | StepKind::Whenever { steps, .. } => {
                    self.steps(steps);
                }
                StepKind::Wait(_) | StepKind::At(_) | StepKind::Mark(_) | StepKind::Network(_) => {}
            }
        }
    }

    fn action(&mut self, action: &mut Action) {
        match action {
            Action::Command { command, .. } => self.command(command),
            Action::Each(actions) => actions.values_mut().for_each(|action| self.action(action)),
            Action::Fault(_) => {}
        }
    }

    fn command(&mut self, command: &mut Command) {
        match command {
            Command::Connect(connect) => connect.with.values_mut().for_each(|connect| self.connect(connect)),
            Command::Subscribe { subscriptions, .. } => {
                subscriptions.iter_mut().for_each(|one| self.subscription(one));
            }
            Command::Unsubscribe(filters) => {
                for filter in filters {
                    *filter = self.filter(filter);
                }
            }
            Command::Publish(publish) => self.publish(publish),
            Command::Answer(answers) => self.answers(answers),
            Command::Send(items) => items.iter_mut().for_each(|item| self.outgoing(item)),
            Command::Receive(pattern) => self.pattern(pattern),
            Command::Open
            | Command::Disconnect(_)
            | Command::Close(_)
            | Command::SetReading(_)
            | Command::Shutdown
            | Command::Configure(_)
            | Command::StopPinging
            | Command::ResumePinging
            | Command::Reauthenticate => {}
        }
    }

    fn answers(&mut self, answers: &mut Answers) {
        let answer = |answer: &mut Answer, namespace: &mut Self| {
            if let AnswerKind::Send(items) = &mut answer.kind {
                items.iter_mut().for_each(|item| namespace.outgoing(item));
            }
        };
        answers.open.iter_mut().for_each(|one| answer(one, self));
        answers.packets.values_mut().flatten().for_each(|one| answer(one, self));
    }

    fn outgoing(&mut self, item: &mut Outgoing) {
        match item {
            Outgoing::Packet(packet) | Outgoing::Reply(packet) => match packet {
                Packet::Connect(connect) => self.connect(Arc::make_mut(connect)),
                Packet::Publish(publish) => self.publish(Arc::make_mut(publish)),
                Packet::Subscribe(subscribe) => {
                    subscribe.subscriptions.iter_mut().for_each(|one| self.subscription(one));
                }
                Packet::Unsubscribe(unsubscribe) => {
                    for filter in &mut unsubscribe.filters {
                        *filter = self.filter(filter).into();
                    }
                }
                _ => {}
            },
            Outgoing::Bytes(bytes) if names_something(bytes, self.version) => {
                self.obstacle = Some("it sends bytes with names in them, which cannot be renamed".to_owned());
            }
            Outgoing::Bytes(_) | Outgoing::Text(_) | Outgoing::Connect => {}
        }
    }

    fn connect(&mut self, connect: &mut Connect) {
        // Without one the broker assigns it.
        if !connect.client_id.is_empty() {
            connect.client_id = self.client_id(&connect.client_id).into();
        }
        if let Some(will) = &mut connect.will {
            will.topic = ByteString::from(self.filter(&will.topic));
        }
    }

    fn publish(&mut self, publish: &mut Publish) {
        // One with a topic alias may be empty.
        if !publish.topic.is_empty() {
            publish.topic = ByteString::from(self.filter(&publish.topic));
        }
    }

    fn subscription(&mut self, subscription: &mut Subscription) {
        subscription.filter = ByteString::from(self.filter(&subscription.filter));
    }

    fn client_id(&self, client_id: &str) -> String {
        format!("{}{client_id}", self.name)
    }

    /// Returns a topic or a filter with the name before it; that of a shared subscription stays in its place.
    fn filter(&mut self, filter: &str) -> String {
        if let Some((group, filter)) = filter.strip_prefix("$share/").and_then(|rest| rest.split_once('/')) {
            return format!("$share/{}{group}/{}/{filter}", self.name, self.name);
        }
        if filter.starts_with('$') {
            self.obstacle = Some(format!("it uses `{filter}`, which belongs to all"));
        }
        let renamed = format!("{}/{filter}", self.name);
        if renamed.len() > usize::from(u16::MAX) {
            self.obstacle = Some(format!("it uses a topic of {} bytes, which leave no room for a name", filter.len()));
        }
        renamed
    }

    fn expectation(&mut self, line: &mut Expectation) {
        match &mut line.verb {
            Verb::Receives(patterns) | Verb::Sends(patterns) => {
                patterns.iter_mut().for_each(|pattern| self.pattern(pattern));
            }
            Verb::Delivers(messages) => messages.iter_mut().flatten().for_each(|field| self.field(field)),
            Verb::AnyOf(alternatives) => alternatives.iter_mut().flatten().for_each(|line| self.expectation(line)),
            Verb::Attempts { .. } | Verb::Closes { .. } | Verb::Loses { .. } | Verb::Is(_) | Verb::Has(_) => {}
        }
    }

    fn pattern(&mut self, pattern: &mut PacketPattern) {
        pattern.fields.iter_mut().for_each(|field| self.field(field));
    }

    fn field(&mut self, field: &mut FieldPattern) {
        let (is_topic, is_client_id) = (TOPICS.contains(&&*field.name), CLIENT_IDS.contains(&&*field.name));
        if !is_topic && !is_client_id {
            return;
        }
        match &mut field.matcher {
            Matcher::Is(value) | Matcher::Not(value) => self.value(value, is_topic),
            Matcher::OneOf(values) => values.iter_mut().for_each(|value| self.value(value, is_topic)),
            Matcher::AtLeast(_) | Matcher::AtMost(_) | Matcher::Present(_) => {}
        }
    }

    fn value(&mut self, value: &mut Value, is_topic: bool) {
        match value {
            Value::Text(text) if text.is_empty() => {}
            Value::Text(text) if is_topic => *text = self.filter(text),
            Value::Text(text) => *text = self.client_id(text),
            Value::List(values) => values.iter_mut().for_each(|value| self.value(value, is_topic)),
            _ => {}
        }
    }
}

/// Returns whether bytes may make a broker remember a client identifier or a topic. Behind an error there is nothing, since the
/// connection is to be closed; a packet that is not complete may go on in the next bytes.
fn names_something(bytes: &Bytes, version: Version) -> bool {
    let options = DecodeOptions { version, reader: Role::Server, maximum_packet_size: u32::MAX };
    let mut rest = BytesMut::from(&bytes[..]);
    while !rest.is_empty() {
        match decode(&mut rest, &options) {
            Err(_) => return false,
            Ok(None | Some(Packet::Connect(_) | Packet::Subscribe(_) | Packet::Unsubscribe(_))) => return true,
            Ok(Some(Packet::Publish(publish))) if !publish.topic.is_empty() => return true,
            Ok(Some(_)) => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::plan::Source;
    use crate::scenario::{self, PlanOptions};

    fn plan(text: &str) -> Plan {
        let source = Source { path: "test.yaml".to_owned(), text: text.to_owned(), ..Source::default() };
        let scenario = scenario::parse("test".to_owned(), source).unwrap();
        scenario.plans(PlanOptions::default()).unwrap().remove(0)
    }

    #[test]
    fn run_has_identifiers_and_topics_of_its_own() {
        let mut plan = plan(
            "clients:\n  a: { will: { topic: gone, payload: x }, subscribe: ['$share/g/news/+'] }\n\
             steps:\n  - a: { publish: { topic: news/1, payload: x } }\n\
             expect:\n  - a: { delivers: { topic: news/1 } }\n",
        );
        move_into(&mut plan, "h7").unwrap();
        let Program::Client(client) = &plan.nodes[1].program else { panic!("the first node is the broker") };
        assert_eq!(client.options.connect.client_id, "h7a");
        assert_eq!(client.options.connect.will.as_ref().unwrap().topic, "h7/gone");
        assert_eq!(client.options.subscriptions[0].filter, "$share/h7g/h7/news/+");
        let shown = format!("{:?} {:?}", plan.steps, plan.expectations[0].verb);
        assert_eq!(shown.matches("h7/news/1").count(), 2, "{shown}");
    }

    #[test]
    fn what_cannot_be_renamed_is_an_obstacle() {
        let long = "x".repeat(65_534);
        let mut long = plan(&format!("clients: {{ a: {{ subscribe: {long} }} }}\nsteps: [ {{ wait: 1s }} ]\n"));
        assert!(move_into(&mut long, "h7").unwrap_err().contains("65534 bytes"));
        let mut system = plan("clients: { a: { subscribe: '$SYS/#' } }\nsteps: [ { wait: 1s } ]\n");
        assert!(move_into(&mut system, "h7").unwrap_err().contains("$SYS/#"));
    }

    #[rstest]
    #[case::what_is_malformed_is_refused("00 00", true)]
    #[case::a_name_in_what_is_malformed("38 r4 s1 'a' 00", true)]
    #[case::nothing_is_named("c0 00 e0 00", true)]
    #[case::an_alias_alone("30 r6 s0 03 23 k1", true)]
    #[case::a_topic("30 r4 s1 'a' 00", false)]
    #[case::a_topic_behind_another_packet("c0 00 30 r4 s1 'a' 00", false)]
    #[case::a_filter("82 r7 m1 00 s1 'a' 00", false)]
    #[case::an_identifier("10 r14 s4 'MQTT' 05 02 k60 00 s1 'a'", false)]
    #[case::a_piece_of_a_packet("82", false)]
    fn bytes_with_names_in_them_are_an_obstacle(#[case] bytes: &str, #[case] can_be_played: bool) {
        let steps = format!("steps: [ {{ a: connect }}, {{ a: {{ send: {{ bytes: \"{bytes}\" }} }} }} ]");
        let mut raw = plan(&format!("mqtt: 5.0\nraw_clients: {{ a: {{}} }}\n{steps}\n"));
        assert_eq!(move_into(&mut raw, "h7").is_ok(), can_be_played);
    }
}
