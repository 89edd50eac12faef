//! The edges of the rules: one millisecond, one packet or one direction beside, from both sides.

use halfopen_protocol::packet::{Disconnect, UnsubAck, Unsubscribe};

use super::*;

/// What was expected and what there was, for each breach of this rule.
fn told(rule: &str, plan: &Plan, story: &mut TraceBuilder, end: u64) -> Vec<String> {
    let outcome = check(plan, &story.end(end));
    let breaches = outcome.violations.iter().filter(|violation| violation.text.contains(rule));
    breaches.map(|breach| format!("{}: {}", breach.expected, breach.actual)).collect()
}

fn tolerant() -> Plan {
    Plan { tolerance: Duration::from_millis(10), ..ours() }
}

/// The sensor has sent CONNECT at 20 ms and read CONNACK at 40 ms; its keep-alive is 5 s.
fn sensor() -> TraceBuilder {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, SENSOR, connect("sensor", 5), false);
    story
}

/// The broker has read the CONNECT of a raw client at 30 ms; its keep-alive is 5 s.
fn watcher() -> TraceBuilder {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, WATCHER, connect("watcher", 5), false);
    story
}

#[rstest]
#[case::on_the_edge(5030, None)]
#[case::over_it(5031, Some("sensor sends a packet by 5.020 (5.000 after its last): the next one came then: 5.031"))]
fn interval_has_the_tolerance_of_the_run(#[case] ping: u64, #[case] expected: Option<&str>) {
    let mut story = sensor();
    story.at(ping).packet(0, SENSOR, BROKER, Packet::PingReq);
    assert_eq!(told("client_keeps", &tolerant(), &mut story, 9000), expected.into_iter().collect::<Vec<_>>());
}

#[rstest]
#[case::run(5021, None, Some("sensor sends a packet by 5.020 (5.000 after its last): none until then: 5.021"))]
#[case::connection(9000, Some(5019), None)]
fn interval_counts_until_the_end_of(#[case] end: u64, #[case] fin: Option<u64>, #[case] expected: Option<&str>) {
    let mut story = sensor();
    if let Some(fin) = fin {
        story.at(fin).item(0, SENSOR, BROKER, Transmission::Fin);
    }
    assert_eq!(told("client_keeps", &ours(), &mut story, end), expected.into_iter().collect::<Vec<_>>());
}

#[rstest]
#[case::in_time(7000, 0)]
#[case::late(7001, 1)]
fn interval_that_passes_before_connack_ends_with_it(#[case] ping: u64, #[case] breaches: usize) {
    let mut story = TraceBuilder::new();
    story.at(0).item(0, SENSOR, BROKER, Transmission::Open);
    story.at(20).packet(0, SENSOR, BROKER, Packet::from(connect("sensor", 5)));
    story.at(6990).packet(0, BROKER, SENSOR, connack(false));
    story.at(ping).packet(0, SENSOR, BROKER, Packet::PingReq);
    assert_eq!(told("client_keeps", &ours(), &mut story, 8000).len(), breaches);
}

#[rstest]
#[case::stopped_when_it_was_due(SENSOR, 5020, None, 9000, 0)]
#[case::stopped_after_it_was_due(SENSOR, 5021, None, 9000, 1)]
#[case::somebody_else_stopped(WATCHER, 100, None, 9000, 1)]
#[case::resumed_and_not_yet_due(SENSOR, 100, Some(8000), 13_000, 0)]
#[case::resumed_and_due(SENSOR, 100, Some(8000), 13_001, 1)]
fn silence_that_is_told_excuses_who_is_told_while_it_lasts(
    #[case] who: NodeId,
    #[case] stop: u64,
    #[case] resume: Option<u64>,
    #[case] end: u64,
    #[case] breaches: usize,
) {
    let mut plan = ours();
    let does = |action| StepKind::Node { nodes: vec![who], actions: vec![action] };
    plan.steps.push(step(5, "stop_pinging", does(Command::StopPinging.into())));
    plan.steps.push(step(6, "resume_pinging", does(Command::ResumePinging.into())));
    let mut story = sensor();
    story.at(stop).step(5, "stop_pinging");
    if let Some(resume) = resume {
        story.at(resume).step(6, "resume_pinging").packet(0, SENSOR, BROKER, Packet::PingReq);
    }
    assert_eq!(told("client_keeps", &plan, &mut story, end).len(), breaches);
}

#[rstest]
#[case::early_enough(7520, &[])]
#[case::too_early(7519, &["broker closes watcher at 7.530 (7.500 after its last packet): closed at 7.519"])]
#[case::late_enough(7540, &[])]
#[case::too_late(7541, &["broker closes watcher at 7.530 (7.500 after its last packet): closed at 7.541"])]
fn deadline_has_the_tolerance_of_the_run_on_both_sides(#[case] at: u64, #[case] expected: &[&str]) {
    let mut story = watcher();
    story.at(at).closing(0, BROKER, WATCHER, Because::KeepAlive, None).item(0, BROKER, WATCHER, Transmission::Fin);
    assert_eq!(told("broker_keeps", &tolerant(), &mut story, 9000), expected);
}

#[rstest]
#[case::at_the_next_packet(&[8000, 16_000], 17_000, "7.530 (7.500 after its last packet): it was still open at 8.010")]
#[case::at_the_end(&[1000], 9000, "8.510 (7.500 after its last packet): it was still open at 9.000")]
fn deadline_that_is_missed_is_told_with_what_showed_it(
    #[case] pings: &[u64],
    #[case] end: u64,
    #[case] expected: &str,
) {
    let mut story = watcher();
    for &ping in pings {
        story.at(ping).packet(0, WATCHER, BROKER, Packet::PingReq);
    }
    let told = told("broker_keeps", &ours(), &mut story, end);
    assert_eq!(told, [format!("broker closes watcher at {expected}")]);
}

#[test]
fn deadline_hangs_on_what_the_broker_reads_and_not_on_what_it_sends() {
    let mut story = watcher();
    story.at(5000).packet(0, BROKER, WATCHER, message(0, 0, "x", false));
    story.at(7530).closing(0, BROKER, WATCHER, Because::KeepAlive, None).item(0, BROKER, WATCHER, Transmission::Fin);
    assert_eq!(told("broker_keeps", &ours(), &mut story, 9000), Vec::<String>::new());
}

#[test]
fn broker_that_dies_at_the_deadline_has_kept_it() {
    let mut story = watcher();
    story.at(7530).closing(0, BROKER, WATCHER, Because::KeepAlive, None).change(BROKER, NodeFault::Crash);
    assert_eq!(told("broker_keeps", &ours(), &mut story, 9000), Vec::<String>::new());
}

#[test]
fn who_was_not_accepted_has_no_keep_alive_to_be_closed_for() {
    let mut story = TraceBuilder::new();
    story.at(0).item(0, WATCHER, BROKER, Transmission::Open);
    story.at(20).packet(0, WATCHER, BROKER, Packet::from(connect("watcher", 5)));
    story.at(7530).closing(0, BROKER, WATCHER, Because::KeepAlive, None).item(0, BROKER, WATCHER, Transmission::Fin);
    let told = told("broker_keeps", &ours(), &mut story, 9000);
    assert_eq!(told, ["never: broker closes watcher: closed at 7.530"]);
}

#[rstest]
#[case::with_what_was_read(110, None)]
#[case::later(111, Some("broker sends nothing after the DISCONNECT of 0.110: PUBLISH at 0.111"))]
fn who_has_read_a_disconnect_answers_only_what_came_with_it(#[case] at: u64, #[case] expected: Option<&str>) {
    let mut story = watcher();
    story.at(100).packet(0, WATCHER, BROKER, Packet::Disconnect(Disconnect::default()));
    story.at(at).packet(0, BROKER, WATCHER, message(0, 0, "x", false)).packet(0, BROKER, WATCHER, Packet::PingResp);
    story.item(0, BROKER, WATCHER, Transmission::Fin);
    let told = told("nothing_after", &ours(), &mut story, 9000);
    assert_eq!(told, expected.into_iter().collect::<Vec<_>>());
}

#[test]
fn who_has_sent_a_disconnect_may_read_on() {
    let mut story = watcher();
    story.at(100).packet(0, BROKER, WATCHER, Packet::Disconnect(Disconnect::default()));
    story.at(105).packet(0, WATCHER, BROKER, Packet::PingReq);
    story.at(200).item(0, BROKER, WATCHER, Transmission::Fin);
    assert_eq!(told("nothing_after", &ours(), &mut story, 9000), Vec::<String>::new());
}

#[test]
fn connack_that_refuses_is_the_last_word() {
    let refused = |more: bool| {
        let mut story = TraceBuilder::new();
        story.at(0).item(0, WATCHER, BROKER, Transmission::Open);
        story.at(20).packet(0, WATCHER, BROKER, Packet::from(connect("watcher", 5)));
        let refusal = ConnAck { reason: ReasonCode::new(0x87), ..ConnAck::default() };
        story.at(30).packet(0, BROKER, WATCHER, Packet::from(refusal));
        if more {
            story.packet(0, BROKER, WATCHER, Packet::PingResp);
        }
        story.item(0, BROKER, WATCHER, Transmission::Fin);
        told("nothing_after", &ours(), &mut story, 9000)
    };
    assert_eq!(refused(false), Vec::<String>::new());
    assert_eq!(refused(true), ["broker sends nothing after the CONNACK of 0.030: PINGRESP at 0.030"]);
}

#[rstest]
#[case::five_seconds_later(5100, |_: &mut TraceBuilder| {}, 0)]
#[case::more_than_five_seconds_later(5101, |_: &mut TraceBuilder| {}, 1)]
#[case::the_peer_ended_it(9000, |story: &mut TraceBuilder| { story.item(0, BROKER, SENSOR, Transmission::Fin); }, 0)]
#[case::it_says_so_and_does(9000, |story: &mut TraceBuilder| {
    story.closing(0, SENSOR, BROKER, Because::Asked, None).item(0, SENSOR, BROKER, Transmission::Fin);
}, 0)]
#[case::it_only_says_so(9000, |story: &mut TraceBuilder| { story.closing(0, SENSOR, BROKER, Because::Asked, None); }, 1)]
#[case::it_dies(9000, |story: &mut TraceBuilder| { story.change(SENSOR, NodeFault::PowerLoss); }, 0)]
fn connection_is_ended_after_a_disconnect(
    #[case] end: u64,
    #[case] then: impl Fn(&mut TraceBuilder),
    #[case] breaches: usize,
) {
    let mut story = sensor();
    story.at(100).packet(0, SENSOR, BROKER, Packet::Disconnect(Disconnect::default()));
    then(&mut story);
    let told = told("nothing_after", &ours(), &mut story, end);
    assert_eq!(told.iter().filter(|breach| breach.starts_with("sensor")).count(), breaches, "{told:?}");
}

fn unsubscribe() -> Packet {
    let (packet_id, filters) = (id(7), vec!["t".into()]);
    Packet::Unsubscribe(Unsubscribe { packet_id, user_properties: Vec::new(), filters })
}

fn unsuback(packet_id: u16) -> Packet {
    let packet_id = id(packet_id);
    let reasons = vec![ReasonCode::SUCCESS];
    Packet::UnsubAck(UnsubAck { packet_id, reason_string: None, user_properties: Vec::new(), reasons })
}

fn suback(packet_id: u16) -> Packet {
    let packet_id = id(packet_id);
    let reasons = vec![ReasonCode::SUCCESS];
    Packet::SubAck(SubAck { packet_id, reason_string: None, user_properties: Vec::new(), reasons })
}

fn subscribe() -> Packet {
    let subscriptions = vec![Subscription::new("t", QoS::AtMostOnce)];
    Packet::Subscribe(Subscribe { packet_id: id(7), subscription_id: None, user_properties: Vec::new(), subscriptions })
}

#[rstest]
#[case::publish_1(message(1, 7, "x", false), |id| Packet::PubAck(Ack::new(id)))]
#[case::publish_2(message(2, 7, "x", false), |id| Packet::PubRec(Ack::new(id)))]
#[case::pubrel(Packet::PubRel(Ack::new(id(7))), |id| Packet::PubComp(Ack::new(id)))]
#[case::subscribe(subscribe(), |id: PacketId| suback(id.get()))]
#[case::unsubscribe(unsubscribe(), |id: PacketId| unsuback(id.get()))]
fn each_answer_has_the_identifier_of_its_question(
    #[case] question: Packet,
    #[case] answer: impl Fn(PacketId) -> Packet,
) {
    let answered = |with: &[u16]| {
        let mut story = watcher();
        story.at(100).packet(0, WATCHER, BROKER, question.clone());
        for &with in with {
            story.at(110).packet(0, BROKER, WATCHER, answer(id(with)));
        }
        told("packet_ids", &ours(), &mut story, 1000).len()
    };
    assert_eq!(answered(&[7]), 0, "to the question");
    assert_eq!(answered(&[8]), 1, "to another one");
    assert_eq!(answered(&[7, 7]), 1, "twice");
}

/// A client connects to a broker whose Receive Maximum is 2.
fn with_room_for_two(client: NodeId) -> TraceBuilder {
    let mut story = TraceBuilder::new();
    story.item(0, client, BROKER, Transmission::Open);
    story.at(20).packet(0, client, BROKER, Packet::from(connect("client", 0)));
    let connack = ConnAck { receive_maximum: Some(2), ..ConnAck::default() };
    story.at(30).packet(0, BROKER, client, Packet::from(connack));
    story
}

#[rstest]
#[case::nothing_free(1, &[], 1)]
#[case::puback(1, &[(BROKER, Packet::PubAck(Ack::new(id(1))))], 0)]
#[case::pubcomp(2, &[(BROKER, Packet::PubRec(Ack::new(id(1)))), (BROKER, Packet::PubComp(Ack::new(id(1))))], 0)]
#[case::pubrec(2, &[(BROKER, Packet::PubRec(Ack::new(id(1))))], 1)]
#[case::pubrec_that_refuses(2, &[(BROKER, Packet::PubRec(refusing(1)))], 0)]
#[case::acknowledgement_of_ours(1, &[(SENSOR, Packet::PubAck(Ack::new(id(1))))], 1)]
#[case::pubrec_of_ours_that_refuses(1, &[(SENSOR, Packet::PubRec(refusing(1)))], 1)]
fn acknowledgement_makes_room_for_one_more(
    #[case] qos: u8,
    #[case] between: &[(NodeId, Packet)],
    #[case] breaches: usize,
) {
    let mut story = with_room_for_two(SENSOR);
    // What comes the other way has its own bound.
    story.at(50).packet(0, BROKER, SENSOR, message(1, 9, "y", false));
    story.at(100).packet(0, SENSOR, BROKER, message(qos, 1, "x", false));
    story.packet(0, SENSOR, BROKER, message(1, 2, "x", false));
    for (from, packet) in between {
        let to = if *from == SENSOR { BROKER } else { SENSOR };
        story.at(110).packet(0, *from, to, packet.clone());
    }
    story.at(130).packet(0, SENSOR, BROKER, message(1, 3, "x", false));
    assert_eq!(told("receive_maximum", &ours(), &mut story, 200).len(), breaches);
}

#[rstest]
#[case::that_has_exceeded_it(3, 0)]
#[case::that_has_not(2, 1)]
fn receive_maximum_is_said_to_be_exceeded_to_a_client(#[case] messages: u16, #[case] breaches: usize) {
    let mut story = with_room_for_two(WATCHER);
    // What is answered takes no room.
    story.at(50).packet(0, WATCHER, BROKER, message(1, 9, "y", false));
    story.at(60).packet(0, BROKER, WATCHER, Packet::PubAck(Ack::new(id(9))));
    for packet_id in 1..=messages {
        story.at(100).packet(0, WATCHER, BROKER, message(1, packet_id, "x", false));
    }
    let disconnect = Disconnect::new(ReasonCode::RECEIVE_MAXIMUM_EXCEEDED);
    story.at(120).packet(0, BROKER, WATCHER, Packet::Disconnect(disconnect));
    assert_eq!(told("receive_maximum", &ours(), &mut story, 200).len(), breaches);
}

fn refusing(packet_id: u16) -> Ack {
    Ack { reason: ReasonCode::new(0x97), ..Ack::new(id(packet_id)) }
}

#[rstest]
#[case::on_a_resumed_session(true)]
#[case::on_a_new_one(false)]
fn what_is_new_has_no_dup(#[case] session_present: bool) {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, SENSOR, persistent("sensor"), false);
    leaves(&mut story, 0, 200, SENSOR);
    joins(&mut story, 1, 1000, SENSOR, persistent("sensor"), session_present);
    story.at(1040).packet(1, SENSOR, BROKER, message(1, 7, "x", true));
    assert_eq!(told("resend_only", &ours(), &mut story, 1100).len(), 1);
}

#[rstest]
#[case::at_that_instant(ours(), 110, 0)]
#[case::later(ours(), 111, 1)]
#[case::within_the_tolerance(tolerant(), 120, 0)]
#[case::beyond_it(tolerant(), 121, 1)]
fn answer_may_cross_a_disconnect(#[case] plan: Plan, #[case] answer: u64, #[case] breaches: usize) {
    let mut story = sensor();
    story.at(99).packet(0, SENSOR, BROKER, Packet::PingReq);
    story.at(100).packet(0, SENSOR, BROKER, Packet::Disconnect(Disconnect::default()));
    story.at(answer).packet(0, BROKER, SENSOR, Packet::PingResp);
    story.at(130).item(0, BROKER, SENSOR, Transmission::Fin);
    assert_eq!(told("nothing_after_disconnect", &plan, &mut story, 9000).len(), breaches);
}
