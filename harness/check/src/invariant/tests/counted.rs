//! What looks alike is counted: by exchange where it has one, and by when it was due where it has none.

use super::*;
use crate::Outcome;
use crate::plan::BrokerProgram;

/// The sensor, raw here, publishes; the watcher has subscribed at this QoS and acknowledges nothing by itself.
fn two(qos: u8) -> TraceBuilder {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, SENSOR, connect("sensor", 0), false);
    joins(&mut story, 1, 0, WATCHER, connect("watcher", 0), false);
    subscribes(&mut story, 1, 50, WATCHER, qos);
    story
}

fn raw(queue_messages: usize) -> Plan {
    let mut plan = ours();
    plan.nodes[SENSOR.0].program = plan.nodes[WATCHER.0].program.clone();
    let mut broker = BrokerProgram::default();
    broker.config.queue_messages = queue_messages;
    plan.nodes[BROKER.0].program = Program::Broker(Box::new(broker));
    plan
}

/// The sensor publishes, and the broker has it and answers 10 ms later.
fn publishes(story: &mut TraceBuilder, at: u64, qos: u8, packet_id: u16, payload: &str) {
    story.at(at).packet(0, SENSOR, BROKER, message(qos, packet_id, payload, false));
    let ack = Ack::new(id(packet_id));
    let answer = if qos == 1 { Packet::PubAck(ack) } else { Packet::PubRec(ack) };
    story.at(at + 10).packet(0, BROKER, SENSOR, answer);
    if qos == 2 {
        story.at(at + 20).packet(0, SENSOR, BROKER, Packet::PubRel(Ack::new(id(packet_id))));
        story.at(at + 30).packet(0, BROKER, SENSOR, Packet::PubComp(Ack::new(id(packet_id))));
    }
}

fn passes_on(story: &mut TraceBuilder, at: u64, qos: u8, packet_id: u16, payload: &str) {
    story.at(at).packet(1, BROKER, WATCHER, message(qos, packet_id, payload, false));
}

fn outcome(plan: &Plan, story: &mut TraceBuilder, end: u64) -> Outcome {
    check(&with_duties(plan, &[Invariant::BrokerDelivers]), &story.end(end))
}

fn told(outcome: &Outcome) -> Vec<String> {
    let told =
        |violation: &crate::Violation| format!("{} {}: {}", violation.text, violation.expected, violation.actual);
    outcome.violations.iter().map(told).collect()
}

#[test]
fn lost_and_doubled_message_with_equal_payloads_do_not_cancel_out() {
    let mut story = two(1);
    publishes(&mut story, 100, 1, 1, "x");
    publishes(&mut story, 5000, 1, 2, "x");
    passes_on(&mut story, 5010, 1, 1, "x");
    passes_on(&mut story, 5010, 1, 2, "x");
    let expected = "invariant `broker_delivers` broker sends the message on t that sensor published at 0.110 to watcher once it can \
         [MQTT-4.5.0-1]: at 5.010, and it could since 0.110";
    assert_eq!(told(&outcome(&raw(1000), &mut story, 9000)), [expected]);

    let mut story = two(2);
    publishes(&mut story, 100, 2, 1, "x");
    publishes(&mut story, 5000, 2, 2, "x");
    passes_on(&mut story, 5010, 2, 1, "x");
    passes_on(&mut story, 5010, 2, 2, "x");
    let expected = "invariant `broker_delivers` broker sends the message on t that sensor published at 0.110 to watcher once it can \
                    [MQTT-4.5.0-1]: at 5.010, and it could since 0.130";
    assert_eq!(told(&outcome(&raw(1000), &mut story, 9000)), [expected]);
}

/// A broker may pass a message of QoS 2 on as it comes, or when it is released (§4.3.3).
#[rstest]
#[case::soon_after_its_release(Some(5020), &[])]
#[case::never(None, &["invariant `broker_delivers` broker sends the message on t that sensor published at 0.110 to watcher [MQTT-4.5.0-1]: not until 9.000"])]
fn message_of_qos_2_may_wait_for_its_release(#[case] sent: Option<u64>, #[case] expected: &[&str]) {
    let mut story = two(2);
    story.at(100).packet(0, SENSOR, BROKER, message(2, 1, "x", false));
    story.at(110).packet(0, BROKER, SENSOR, Packet::PubRec(Ack::new(id(1))));
    story.at(5000).packet(0, SENSOR, BROKER, Packet::PubRel(Ack::new(id(1))));
    if let Some(at) = sent {
        passes_on(&mut story, at, 2, 1, "x");
    }
    assert_eq!(told(&outcome(&raw(1000), &mut story, 9000)), expected);
}

#[test]
fn broker_makes_up_no_message_of_qos_2() {
    let mut story = two(2);
    passes_on(&mut story, 500, 2, 1, "x");
    let expected = "invariant `broker_delivers` broker sends watcher each message on t once [MQTT-4.3.3-10]: one more, of 1 bytes, at 0.500";
    assert_eq!(told(&outcome(&raw(1000), &mut story, 9000)), [expected]);
}

#[test]
fn order_is_kept_by_equal_messages_too() {
    let order = |sent: &[&str]| {
        let mut story = two(1);
        for (number, payload) in (1..).zip(["a", "b", "a"]) {
            publishes(&mut story, 100 + u64::from(number), 1, number, payload);
        }
        for (number, payload) in (1..).zip(sent) {
            passes_on(&mut story, 200 + u64::from(number), 1, number, payload);
        }
        outcome(&raw(1000), &mut story, 500).violations.len()
    };
    assert_eq!(order(&["a", "b", "a"]), 0);
    assert_eq!(order(&["a", "a", "b"]), 1);
    assert_eq!(order(&["b", "a", "a"]), 1);
}

/// The watcher is away, and its queue takes one message: the second need not be passed on. The third comes when it is back
/// and has all, and must.
#[rstest]
#[case::both_are_passed_on(true, 0)]
#[case::the_last_is_lost(false, 1)]
fn full_queue_excuses_only_what_it_had_no_room_for(#[case] is_passed_on: bool, #[case] breaches: usize) {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, SENSOR, connect("sensor", 0), false);
    joins(&mut story, 1, 0, WATCHER, persistent("watcher"), false);
    subscribes(&mut story, 1, 50, WATCHER, 1);
    leaves(&mut story, 1, 90, WATCHER);
    for (number, at) in [(1, 200), (2, 300), (3, 5000)] {
        publishes(&mut story, at, 1, number, &number.to_string());
    }
    joins(&mut story, 2, 1000, WATCHER, persistent("watcher"), true);
    story.at(1031).packet(2, BROKER, WATCHER, message(1, 1, "1", false));
    if is_passed_on {
        story.at(5010).packet(2, BROKER, WATCHER, message(1, 3, "3", false));
    }
    let outcome = outcome(&raw(1), &mut story, 9000);
    assert_eq!(outcome.violations.len(), breaches, "{:?}", outcome.violations);
    let parts = outcome.not_judged.iter().filter(|part| part.invariant == Invariant::BrokerDelivers);
    let not_judged: Vec<&str> = parts.map(|part| part.why.as_str()).collect();
    assert_eq!(not_judged, ["messages to watcher, whose queue was full (at 0.310)"]);
}

#[rstest]
#[case::in_order(&[1, 2], &[])]
#[case::the_other_way_round(&[2, 1], &["topic_order"])]
fn acknowledgements_have_the_order_of_what_they_answer(
    #[case] answers: &[u16],
    #[case] expected: &[&str],
    #[values(1, 2)] qos: u8,
) {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, WATCHER, connect("watcher", 0), false);
    for number in [1, 2] {
        story.at(100).packet(0, WATCHER, BROKER, message(qos, number, "x", false));
    }
    for number in answers {
        let ack = Ack::new(id(*number));
        story.at(110).packet(0, BROKER, WATCHER, if qos == 1 { Packet::PubAck(ack) } else { Packet::PubRec(ack) });
    }
    assert_eq!(broken(&ours(), &mut story, 500), expected);
}

#[rstest]
#[case::in_order(&[1, 2], &[])]
#[case::the_other_way_round(&[2, 1], &["topic_order"])]
fn releases_have_the_order_of_the_pubrecs(#[case] releases: &[u16], #[case] expected: &[&str]) {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, SENSOR, connect("sensor", 0), false);
    for number in [1, 2] {
        story.at(100).packet(0, SENSOR, BROKER, message(2, number, "x", false));
        story.at(110).packet(0, BROKER, SENSOR, Packet::PubRec(Ack::new(id(number))));
    }
    for number in releases {
        story.at(120).packet(0, SENSOR, BROKER, Packet::PubRel(Ack::new(id(*number))));
    }
    assert_eq!(broken(&ours(), &mut story, 500), expected);
}

#[rstest]
#[case::behind(&[("one", true), ("new", false)], &[])]
#[case::before(&[("new", false), ("one", true)], &["topic_order"])]
fn new_message_goes_behind_those_that_are_sent_again(#[case] sent: &[(&str, bool)], #[case] expected: &[&str]) {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, SENSOR, persistent("sensor"), false);
    story.at(100).packet(0, SENSOR, BROKER, message(1, 1, "one", false));
    leaves(&mut story, 0, 200, SENSOR);
    joins(&mut story, 1, 1000, SENSOR, persistent("sensor"), true);
    for (payload, dup) in sent {
        story.at(1040).packet(1, SENSOR, BROKER, message(1, if *dup { 1 } else { 2 }, payload, *dup));
    }
    assert_eq!(broken(&ours(), &mut story, 1500), expected);
}

#[test]
fn answer_is_needed_for_each_question_and_is_no_more() {
    let answers = |count: u16| {
        let mut story = TraceBuilder::new();
        joins(&mut story, 0, 0, WATCHER, connect("watcher", 0), false);
        story.at(100).packet(0, WATCHER, BROKER, message(1, 7, "x", false));
        story.at(100).packet(0, WATCHER, BROKER, message(1, 7, "x", true));
        for _ in 0..count {
            story.at(110).packet(0, BROKER, WATCHER, Packet::PubAck(Ack::new(id(7))));
        }
        broken(&ours(), &mut story, 500)
    };
    assert_eq!(answers(2), Vec::<String>::new());
    assert_eq!(answers(3), ["packet_ids"]);
}

#[test]
fn what_is_not_judged_is_said() {
    let why = |story: &mut TraceBuilder, end: u64| -> Vec<String> {
        let outcome = check(&ours(), &story.end(end));
        outcome.not_judged.into_iter().map(|part| format!("{}: {}", part.invariant.name(), part.why)).collect()
    };
    let mut goodbye = TraceBuilder::new();
    joins(&mut goodbye, 0, 0, SENSOR, connect("sensor", 0), false);
    goodbye.at(100).packet(0, SENSOR, BROKER, Packet::Disconnect(Disconnect::default()));
    assert_eq!(
        why(&mut goodbye, 5100),
        [
            "nothing_after_disconnect: the run ended before broker had closed the connection after a DISCONNECT (at 0.110)",
            "nothing_after_disconnect: the run ended before sensor had closed the connection after a DISCONNECT (at 0.100)",
        ]
    );
}

#[test]
fn delivery_on_an_earlier_connection_is_none_on_this_one() {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, SENSOR, persistent("sensor"), false);
    subscribes(&mut story, 0, 50, SENSOR, 1);
    story.at(100).packet(0, BROKER, SENSOR, message(1, 7, "x", false));
    story.at(110).event(delivered(SENSOR, message(1, 7, "x", false)));
    leaves(&mut story, 0, 200, SENSOR);
    joins(&mut story, 1, 1000, SENSOR, persistent("sensor"), true);
    story.at(1100).packet(1, BROKER, SENSOR, message(1, 7, "x", true));
    story.at(1110).packet(1, SENSOR, BROKER, Packet::PubAck(Ack::new(id(7))));
    let mut plan = ours();
    plan.nodes[BROKER.0].program = Program::RawBroker(Box::default());
    assert_eq!(broken(&plan, &mut story, 1500), ["qos_1_at_least_once"]);
}
