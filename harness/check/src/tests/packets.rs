//! Packets and messages, and their order.

use super::*;

#[test]
fn list_is_an_order_with_others_between() {
    let mut story = pings(&[1000]);
    story.at(1500).packet(0, SENSOR, BROKER, publish("a", "1"));
    story.at(2000).packet(0, SENSOR, BROKER, disconnect(0));
    let sends = |list: &[PacketType]| expect(SENSOR, Verb::Sends(list.iter().map(|&packet| any(packet)).collect()));
    let in_order = sends(&[PacketType::PingReq, PacketType::Disconnect]);
    assert_eq!(judge(in_order, &mut story, 3000).verdict, Verdict::Pass);
    let mut story = pings(&[1000]);
    story.at(2000).packet(0, SENSOR, BROKER, disconnect(0));
    let out_of_order = sends(&[PacketType::Disconnect, PacketType::PingReq]);
    assert_eq!(judge(out_of_order, &mut story, 3000).verdict, Verdict::Fail);
}

#[rstest]
#[case::whatever(None, None, "Pass")]
#[case::payload(Some("1"), None, "Pass")]
#[case::another_payload(Some("2"), None, "Fail")]
#[case::to_the_broker(None, Some(BROKER), "Pass")]
#[case::to_somebody_else(None, Some(WATCHER), "Fail")]
fn packets_are_told_apart(#[case] payload: Option<&str>, #[case] to: Option<NodeId>, #[case] expected: &str) {
    let mut story = pings(&[]);
    story.at(1500).packet(0, SENSOR, BROKER, publish("a", "1"));
    let fields = payload.into_iter().map(|payload| FieldPattern {
        name: "payload".to_owned(),
        matcher: Matcher::Is(Value::Text(payload.to_owned())),
    });
    let pattern = PacketPattern { packet: PacketKind::Type(PacketType::Publish), fields: fields.collect() };
    let outcome = judge(Expectation { to, ..expect(SENSOR, Verb::Sends(vec![pattern])) }, &mut story, 2000);
    assert_eq!(format!("{:?}", outcome.verdict), expected, "{}", lines(&outcome));
}

#[rstest]
#[case::in_order(&["a", "b"], "Pass")]
#[case::the_other_way_round(&["b", "a"], "Fail")]
#[case::twice(&["a", "a"], "Fail")]
fn messages_are_delivered_in_an_order(#[case] payloads: &[&str], #[case] expected: &str) {
    let mut story = pings(&[]);
    for (time, payload) in [(1000, "a"), (2000, "b")] {
        let Packet::Publish(message) = publish("t", payload) else { unreachable!() };
        story.at(time).event(EventKind::Delivered { node: SENSOR, message });
    }
    let pattern = |payload: &&str| {
        vec![FieldPattern { name: "payload".to_owned(), matcher: Matcher::Is(Value::Text((*payload).to_owned())) }]
    };
    let verb = Verb::Delivers(payloads.iter().map(pattern).collect());
    assert_eq!(format!("{:?}", judge(expect(SENSOR, verb), &mut story, 9000).verdict), expected);
}

#[test]
fn what_came_closest_is_named_with_what_differs() {
    let mut story = pings(&[]);
    story.at(1000).packet(0, SENSOR, BROKER, publish("b", "two"));
    story.at(1500).packet(0, SENSOR, BROKER, publish("a", "1"));
    let field = |name: &str, value: Value| FieldPattern { name: name.to_owned(), matcher: Matcher::Is(value) };
    let long = Value::Text("x".repeat(64_000));
    let fields =
        vec![field("topic", Value::Text("a".to_owned())), field("retain", Value::Bool(true)), field("payload", long)];
    let pattern = PacketPattern { packet: PacketKind::Type(PacketType::Publish), fields };
    let outcome = judge(expect(SENSOR, Verb::Sends(vec![pattern])), &mut story, 2000);
    let shown = "x".repeat(40);
    assert_eq!(
        lines(&outcome),
        format!(
            "Fail\n8: expected: sensor sends PUBLISH {{ topic: a, retain: true, payload: \"{shown}\"... 64000 bytes }} at least \
             once\n8:   actual: never, the run ended at 2.000 (`until` makes it longer); there was another PUBLISH at 1.500, with retain=false, \
             payload=\"1\""
        )
    );
}
