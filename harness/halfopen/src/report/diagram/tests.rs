use std::sync::Arc;

use rstest::rstest;

use super::*;
use crate::plan::{Action, Because, NetworkFault, NodeFault, NodeId, Plan, StepKind, Timing};
use crate::trace::fixture::{BROKER, SENSOR, TraceBuilder, after, closes, connect, expect, plan, silent_client, step};
use halfopen_protocol::Packet;
use halfopen_protocol::packet::ConnAck;

fn picture(plan: &Plan, story: &mut TraceBuilder, end: u64) -> String {
    svg(&scene(plan, &story.end(end)), "area/story[5.0]")
}

fn count(picture: &str, class: &str) -> usize {
    picture.matches(&format!("<g class=\"{class}")).count()
}

#[test]
fn silent_client_shows_its_connection_its_deadline_and_its_end() {
    let picture = picture(&plan(), &mut silent_client(), 8530);
    assert_eq!(count(&picture, "bar "), 2, "one at each end: {picture}");
    assert_eq!(count(&picture, "fuse up"), 1, "the time is up: {picture}");
    assert!(picture.contains("deadline: 7.500 s after the last packet"), "{picture}");
    assert!(picture.contains("7.500 since CONNECT, margin 0"), "{picture}");
    assert!(picture.contains(">7.490 s<"), "the quiet time is folded and written down: {picture}");
}

#[test]
fn the_deadline_is_that_of_the_keep_alive_that_the_broker_grants() {
    let mut story = TraceBuilder::new();
    story.connect(0, SENSOR, connect("sensor", 60));
    let granted = ConnAck { server_keep_alive: Some(2), ..ConnAck::default() };
    story.packet(0, BROKER, SENSOR, Packet::from(granted));
    story.at(2000).packet(0, SENSOR, BROKER, Packet::PingReq);
    let picture = picture(&plan(), &mut story, 3000);
    assert!(picture.contains("deadline: 3 s after the last packet"), "{picture}");
}

#[rstest]
#[case::met(7530, "expectation good")]
#[case::not_met(7531, "expectation bad")]
#[case::not_reached(9000, "expectation vacuous")]
fn what_is_expected_stands_where_it_was_decided(#[case] at: i64, #[case] class: &str) {
    let mut plan = plan();
    let mut expectation = expect(BROKER, closes(SENSOR, Some(Because::KeepAlive)));
    expectation.timing = Some(Timing::At(after(at, crate::plan::EventRef::Start, "then")));
    if class.ends_with("vacuous") {
        expectation.verb = closes(crate::trace::fixture::WATCHER, None);
    }
    plan.expectations.push(expectation);
    let picture = picture(&plan, &mut silent_client(), 8530);
    assert_eq!(count(&picture, class), 1, "{picture}");
}

#[test]
fn what_is_lost_ends_in_a_cross_inside_the_band_of_the_fault() {
    let links = vec![(SENSOR, BROKER), (BROKER, SENSOR)];
    let mut plan = plan();
    plan.steps.push(step(
        5,
        "network: partition",
        StepKind::Network(NetworkFault::Partition { starting_with: None }.on(links.clone())),
    ));
    plan.steps.push(step(6, "network: heal", StepKind::Network(NetworkFault::Heal.on(links))));
    let mut story = TraceBuilder::new();
    story.connect(0, SENSOR, connect("sensor", 5)).step(5, "network: partition");
    story.at(1000).lost(0, SENSOR, BROKER, Transmission::from(Packet::PingReq)).at(2000).step(6, "network: heal");
    let picture = picture(&plan, &mut story, 3000);
    assert_eq!(count(&picture, "ping lost"), 1, "{picture}");
    assert!(picture.contains("partition, from 0.040 to 2.000"), "{picture}");
}

#[test]
fn ten_days_of_pings_fit_on_a_page_and_all_of_their_time_is_accounted_for() {
    let mut story = TraceBuilder::new();
    story.connect(0, SENSOR, connect("sensor", 60));
    for n in 0..14_400_u64 {
        story.at(60_000 * (n + 1)).packet(0, SENSOR, BROKER, Packet::PingReq);
    }
    let trace = story.end(864_100_000);
    let scene = scene(&plan(), &trace);
    assert!(scene.height < 1200, "{}", scene.height);
    let note = "14398 more like this, one every 60 s, until 864000.000";
    assert!(svg(&scene, "long").contains(note), "{}", svg(&scene, "long"));
}

#[test]
fn a_thousand_nodes_share_a_lane() {
    let mut plan = plan();
    let member = plan.nodes[1].clone();
    for n in 1..=1000 {
        plan.nodes.push(crate::plan::Node { name: format!("fleet.{n}"), ..member.clone() });
    }
    let scene = scene(&plan, &silent_client().end(8530));
    assert!(scene.width < 2000, "{}", scene.width);
    assert!(scene.heads.iter().any(|head| head.name == "fleet × 1000"), "{:?}", scene.heads);
}

#[test]
fn text_from_a_peer_is_no_markup() {
    let mut story = TraceBuilder::new();
    story.connect(0, SENSOR, connect("</text><script>\u{1}", 5));
    let picture = picture(&plan(), &mut story, 100);
    assert!(!picture.contains("<script"), "{picture}");
    assert!(!picture.contains('\u{1}'), "{picture}");
}

#[test]
fn heights_grow_with_time() {
    let plan = Arc::new(plan());
    let trace = silent_client().end(8530);
    let mut drawing = Drawing {
        plan: &plan,
        trace: &trace,
        lanes: Lanes::new(&plan),
        hidden: Vec::new(),
        alike: Alike::default(),
        rows: Rows::default(),
        row_of: BTreeMap::new(),
        connections: Connections::default(),
        judged: Vec::new(),
        marks: Vec::new(),
        shapes: Vec::new(),
    };
    drawing.make_room();
    let heights: Vec<i32> = drawing.rows.instants().map(|(_, y)| y).collect();
    assert!(heights.is_sorted() && heights.len() > 5, "{heights:?}");
    let between = drawing.rows.y(Duration::from_secs(3), 0);
    assert!(heights.first().unwrap() < &between && &between < heights.last().unwrap(), "{between}");
}

#[test]
fn connections_of_a_folded_time_are_not_drawn() {
    let mut story = TraceBuilder::new();
    for n in 0..20 {
        story.at(1000 * u64::from(n)).connect(n, SENSOR, connect("sensor", 0));
        story.item(n, SENSOR, BROKER, Transmission::Fin);
    }
    let picture = picture(&plan(), &mut story, 30_000);
    assert!(picture.contains("18 more like this"), "{picture}");
    assert!(count(&picture, "bar ") <= 8, "{}", count(&picture, "bar "));
}

#[test]
fn a_clock_that_drifts_has_a_band_until_it_is_right_again() {
    let mut plan = plan();
    for (line, ppm) in [(5, -10_000), (6, 0)] {
        let kind = StepKind::Node { nodes: vec![SENSOR], actions: vec![Action::Fault(NodeFault::ClockDrift(ppm))] };
        plan.steps.push(step(line, "sensor: clock", kind));
    }
    let mut story = TraceBuilder::new();
    story.connect(0, SENSOR, connect("sensor", 5)).step(5, "sensor: clock").at(2000).step(6, "sensor: clock");
    let picture = picture(&plan, &mut story, 3000);
    assert!(picture.contains("clock too slow, from 0.040 to 2.000"), "{picture}");
}

#[rstest]
#[case::jump(NodeFault::ClockJump(3_600_000), "by +3600 s")]
#[case::date(NodeFault::SetWallClock(-1500), "by -1.500 s")]
fn a_clock_that_leaps_is_marked_with_how_far(#[case] fault: NodeFault, #[case] says: &str) {
    let mut plan = plan();
    let kind = StepKind::Node { nodes: vec![SENSOR], actions: vec![fault.into()] };
    plan.steps.push(step(5, "sensor: clock", kind));
    let mut story = TraceBuilder::new();
    story.connect(0, SENSOR, connect("sensor", 5)).step(5, "sensor: clock").change(SENSOR, fault);
    let picture = picture(&plan, &mut story, 3000);
    assert_eq!(count(&picture, "leap"), 1, "{picture}");
    assert!(picture.contains(says), "{picture}");
}

/// The fixture's client is closed at 7.530 and this is expected at the given time after the start.
fn expected_at(ms: i64, to_ms: i64) -> Plan {
    let mut plan = plan();
    let mut expectation = expect(BROKER, closes(SENSOR, Some(Because::KeepAlive)));
    let moment = |ms| after(ms, crate::plan::EventRef::Start, "then");
    expectation.timing = Some(Timing::Between(moment(ms), moment(to_ms)));
    expectation.text =
        "broker: { closes: sensor, because: keep_alive, between: a moment .. and another one }".to_owned();
    plan.expectations.push(expectation);
    plan
}

#[rstest]
#[case::late(3_780, 3_780, "due at 3.780", "3.750 s late")]
#[case::early(9_000, 9_000, "due at 9.000", "1.470 s early")]
#[case::late_for_a_window(1_000, 2_000, "due from 1.000 to 2.000", "5.530 s late")]
#[case::early_for_a_window(8_000, 9_000, "due from 8.000 to 9.000", "0.470 s early")]
#[case::hardly_late(7_525, 7_525, "due at 7.525, it is 0.005 s late", "actual: closed")]
fn where_it_should_have_been_stands_beside_where_it_was(
    #[case] from: i64,
    #[case] to: i64,
    #[case] due: &str,
    #[case] by: &str,
) {
    let picture = picture(&expected_at(from, to), &mut silent_client(), 8530);
    assert!(picture.contains(due) && picture.contains(by), "{picture}");
    assert_eq!(count(&picture, "missed ring"), 1, "{picture}");
    assert_eq!(count(&picture, "missed window"), usize::from(from != to), "{picture}");
}

#[test]
fn what_never_came_has_its_window_and_no_distance() {
    let mut plan = expected_at(1_000, 2_000);
    plan.expectations[0].verb = closes(SENSOR, Some(Because::KeepAlive));
    let mut story = TraceBuilder::new();
    story.connect(0, SENSOR, connect("sensor", 5));
    let picture = picture(&plan, &mut story, 8530);
    assert_eq!((count(&picture, "missed window"), count(&picture, "missed distance")), (1, 0), "{picture}");
    assert!(picture.contains("actual: never"), "{picture}");
}

#[test]
fn what_is_met_leaves_no_ghost() {
    let picture = picture(&expected_at(7_000, 8_000), &mut silent_client(), 8530);
    assert_eq!(count(&picture, "missed"), 0, "{picture}");
}

#[rstest]
#[case::short(7_490, "7.490 s")]
#[case::just_under_an_hour(3_599_999, "3599.999 s")]
#[case::hours(65_535_000, "18 h 12 min")]
#[case::days(864_000_000, "10 d 0 h")]
fn a_folded_time_is_written_in_units_that_one_grasps(#[case] ms: u64, #[case] text: &str) {
    assert_eq!(long(Duration::from_millis(ms)), text);
}

#[test]
fn a_long_step_stands_below_itself_and_is_one_stop() {
    let mut plan = plan();
    let text = "sensor: { publish: { topic: a/rather/long/topic/of/many/levels, payload: hello, qos: 2 } }";
    plan.steps.push(step(5, text, StepKind::Wait(Duration::ZERO)));
    let mut story = TraceBuilder::new();
    story.connect(0, SENSOR, connect("sensor", 5)).step(5, text);
    let scene = scene(&plan, &story.end(1000));
    let steps: Vec<_> = scene.shapes.iter().filter(|shape| shape.class == "step").collect();
    assert!(steps.len() > 1 && steps[0].event.is_some(), "{steps:?}");
    assert!(steps[1..].iter().all(|shape| shape.event.is_none()), "{steps:?}");
}

#[test]
fn the_text_of_an_expectation_is_all_there_inside_the_picture() {
    let plan = expected_at(9_000, 9_000);
    let scene = scene(&plan, &silent_client().end(8530));
    let lines: Vec<&str> = scene
        .shapes
        .iter()
        .filter(|shape| shape.class == "expectation bad")
        .filter_map(|shape| match &shape.form {
            Form::Text { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(lines.join(" "), plan.expectations[0].text);
    assert!(lines.len() > 1 && lines.iter().all(|line| line.len() < 40), "{lines:?}");
}

#[test]
fn brokers_stand_side_by_side_and_speak_across_their_gap() {
    let mut plan = plan();
    let other = NodeId(plan.nodes.len());
    plan.nodes.push(crate::plan::Node { name: "backup".to_owned(), ..plan.nodes[BROKER.0].clone() });
    let mut story = TraceBuilder::new();
    story.connect(0, SENSOR, connect("sensor", 5));
    story.at(100).item(1, other, BROKER, Transmission::Open).at(120).packet(1, other, BROKER, Packet::PingReq);
    let scene = scene(&plan, &story.end(1000));
    let lane = |name: &str| scene.heads.iter().find(|head| head.name == name).unwrap().x;
    let names: Vec<&str> = scene.heads.iter().map(|head| head.name.as_str()).collect();
    assert_eq!(names, ["script", "time, s", "sensor", "broker", "backup", "watcher", "expected"]);
    let between = |x: i32| lane("broker") <= x && x <= lane("backup");
    let arrows: Vec<(i32, i32)> = scene
        .shapes
        .iter()
        .filter_map(|shape| match &shape.form {
            Form::Arrow { x, x2, label, .. } if label == "PINGREQ" => Some((*x, *x2)),
            _ => None,
        })
        .collect();
    assert!(matches!(arrows[..], [(x, x2)] if x > x2 && between(x) && between(x2)), "{arrows:?}");
    // Each end has its bar on the side of the other.
    let bars: Vec<i32> = scene
        .shapes
        .iter()
        .filter_map(|shape| match shape.form {
            Form::Rect { x, .. } if shape.class == "bar c1" => Some(x),
            _ => None,
        })
        .collect();
    assert!(bars.len() == 2 && bars.iter().all(|x| between(*x)), "{bars:?}");
}

#[test]
fn what_the_members_of_a_group_do_alike_is_one_arrow_with_a_count() {
    let mut plan = plan();
    let members: Vec<NodeId> = (0..30).map(|number| NodeId(plan.nodes.len() + number)).collect();
    let member = |number| crate::plan::Node { name: format!("fleet.{number}"), ..plan.nodes[SENSOR.0].clone() };
    let fleet: Vec<_> = (1..=30).map(member).collect();
    plan.nodes.extend(fleet);
    let mut story = TraceBuilder::new();
    for (connection, member) in (0..).zip(&members) {
        story.at(0).packet(connection, *member, BROKER, Packet::PingReq);
    }
    story.at(50).packet(0, members[0], BROKER, Packet::PingReq);
    let scene = scene(&plan, &story.end(1000));
    let label = |shape: &Shape| match &shape.form {
        Form::Arrow { label, .. } => Some(label.clone()),
        _ => None,
    };
    assert_eq!(scene.shapes.iter().filter_map(label).collect::<Vec<_>>(), ["PINGREQ × 30", "PINGREQ"]);
}
