use halfopen_protocol::packet::{Publish, QoS};
use halfopen_protocol::{Packet, Role, Version};
use proptest::prelude::*;
use rstest::rstest;

use super::super::fixture::{BROKER, SENSOR, TraceBuilder, connect, plan, silent_client};
use super::*;
use crate::trace::{ConnectionId, Held, SessionState, Transmission, WebSocketItem, optional_duration};
use crate::{Because, NodeFault, StepId};
use bytes::Bytes;
use std::sync::Arc;

/// One trace with every kind of event and of fault.
fn everything() -> TraceFile {
    let ms = Duration::from_millis;
    let faults = [
        NodeFault::Crash,
        NodeFault::PowerLoss,
        NodeFault::Shutdown,
        NodeFault::Restart,
        NodeFault::LoseDisk,
        NodeFault::Pause(None),
        NodeFault::Pause(Some(ms(30_000))),
        NodeFault::Resume,
        NodeFault::StopReading,
        NodeFault::ResumeReading,
        NodeFault::ClockDrift(-50_000),
        NodeFault::ClockJump(-1),
        NodeFault::SetWallClock(i64::MIN),
    ];
    let mut story = silent_client();
    for fault in faults {
        story.change(SENSOR, fault);
    }
    for because in Because::ALL {
        story.closing(1, BROKER, SENSOR, because, None);
    }
    let session = SessionState { subscriptions: 1, queued: 2, in_flight: u64::MAX, has_will: true };
    story
        .mark("here")
        .event(EventKind::Established { connection: ConnectionId(0), node: SENSOR })
        .event(EventKind::Connected { node: SENSOR, session_present: true })
        .event(EventKind::Delivered { node: SENSOR, message: message().into() })
        .event(EventKind::Delivered { node: SENSOR, message: malformed().into() })
        .event(EventKind::Holds { node: BROKER, held: Held::Session("a \"b\"\n".to_owned(), Some(session)) })
        .event(EventKind::Holds { node: BROKER, held: Held::Session(String::new(), None) })
        .event(EventKind::Holds { node: BROKER, held: Held::Retained(3) })
        .event(EventKind::StepFailed { step: StepId(5), why: "no".to_owned() })
        .event(EventKind::FaultHit { step: StepId(5) })
        .lost(0, SENSOR, BROKER, Transmission::Rst)
        .item(0, SENSOR, BROKER, Transmission::Bytes(Bytes::from_static(&[0, 0xff])))
        .item(0, SENSOR, BROKER, Transmission::TimedOut);
    let kinds = [
        WebSocketItem::Request,
        WebSocketItem::Response,
        WebSocketItem::Text,
        WebSocketItem::Close,
        WebSocketItem::Ping,
        WebSocketItem::Pong,
    ];
    for kind in kinds {
        let item = kind(Bytes::from_static(&[3, 0xe8, 0xff]));
        story.item(0, SENSOR, BROKER, Transmission::WebSocket(Arc::new(item)));
    }
    let mut trace = story.end(10_000);
    // Times that are not whole milliseconds.
    trace.events.iter_mut().for_each(|event| event.at += Duration::from_nanos(250));
    TraceFile::new(&plan(), trace)
}

fn message() -> Publish {
    Publish { topic: "t".into(), payload: Bytes::from_static(&[0xff, 0]), ..Publish::default() }
}

/// A message as only a broken client hands it on.
fn malformed() -> Publish {
    Publish { topic: "a/#".into(), qos: QoS::AtLeastOnce, dup: true, ..message() }
}

/// A packet that some side of some version may send.
fn packet() -> impl Strategy<Value = Packet> {
    let all = Version::ALL.into_iter().flat_map(|version| [(version, Role::Client), (version, Role::Server)]);
    proptest::strategy::Union::new(all.map(|(version, sender)| halfopen_protocol::testing::packet(version, sender)))
}

#[test]
fn every_kind_of_event_can_be_read_back() {
    let file = everything();
    let text = file.write().expect("all packets have an encoding");
    assert_eq!(TraceFile::read(&text), Ok(vec![file]));
}

#[test]
fn words_are_those_of_scenarios() {
    let text = everything().write().expect("an encoding");
    for fault in [NodeFault::SetWallClock(1), NodeFault::LoseDisk, NodeFault::StopReading] {
        assert!(text.contains(&format!("\"{}\"", fault.word())), "{}", fault.word());
    }
    for because in Because::ALL {
        assert!(text.contains(&format!("\"because\":\"{}\"", because.word())), "{}", because.word());
    }
}

#[test]
fn several_traces_in_one_file_are_read_in_their_order() {
    let (one, two) = (everything(), TraceFile { run: "area/other[5.0]".to_owned(), ..everything() });
    let text = format!("{}\n{}", one.write().expect("an encoding"), two.write().expect("an encoding"));
    assert_eq!(TraceFile::read(&text), Ok(vec![one, two]));
}

/// The lines of a small trace, to be spoilt.
fn lines() -> Vec<String> {
    let mut story = TraceBuilder::new();
    let trace = story.at(0).connect(0, SENSOR, connect("sensor", 5)).at(50).change(SENSOR, NodeFault::Crash).end(60);
    let text = TraceFile::new(&plan(), trace).write().expect("an encoding");
    text.lines().map(str::to_owned).collect()
}

#[rstest]
#[case::no_json(2, "{", "no JSON")]
#[case::no_object(2, "7", "no JSON object")]
#[case::no_kind(2, r#"{"at_ms":0}"#, "kind")]
#[case::unknown_kind(2, r#"{"at_ms":0,"kind":"snt"}"#, "unknown variant `snt`")]
#[case::missing_key(2, r#"{"at_ms":0,"kind":"mark"}"#, "missing field `text`")]
#[case::no_time(2, r#"{"at_ms":-1,"kind":"mark","text":"a"}"#, "milliseconds")]
#[case::broken_time(2, r#"{"at_ms":"1.2","kind":"mark","text":"a"}"#, "six decimals")]
#[case::unknown_node(
    2,
    r#"{"at_ms":0,"kind":"node","node":"nobody","fault":"crash"}"#,
    "no node has the name `nobody`"
)]
#[case::unknown_fault(2, r#"{"at_ms":0,"kind":"node","node":"sensor","fault":"crsh"}"#, "unknown variant `crsh`")]
#[case::odd_hex(
    2,
    r#"{"at_ms":0,"kind":"sent","connection":0,"node":"sensor","peer":"broker","item":"bytes","wire":"f"}"#,
    "hex"
)]
#[case::no_wire(
    2,
    r#"{"at_ms":0,"kind":"sent","connection":0,"node":"sensor","peer":"broker","item":"PINGREQ"}"#,
    "no `wire`"
)]
#[case::another_packet(2, r#"{"at_ms":0,"kind":"sent","connection":0,"node":"sensor","peer":"broker","item":"PINGREQ","mqtt":"5.0","wire":"d000"}"#, "no PINGREQ")]
#[case::unknown_version(2, r#"{"at_ms":0,"kind":"sent","connection":0,"node":"sensor","peer":"broker","item":"PINGREQ","mqtt":"5","wire":"c000"}"#, "`3.1.1` or `5.0`")]
#[case::unknown_item(
    2,
    r#"{"at_ms":0,"kind":"sent","connection":0,"node":"sensor","peer":"broker","item":"ping"}"#,
    "`item` is `ping`"
)]
#[case::sent_later(
    2,
    r#"{"at_ms":0,"kind":"received","connection":0,"node":"sensor","peer":"broker","item":"FIN","sent":9}"#,
    "not the index of an earlier"
)]
#[case::time_goes_back(8, r#"{"at_ms":1,"kind":"mark","text":"a"}"#, "less than that of the line before, 40")]
#[case::another_format(
    1,
    r#"{"format":"x","version":1,"run":"r","seed":1,"nodes":[]}"#,
    "this program knows `halfopen-trace` version 1"
)]
#[case::one_name_twice(
    1,
    r#"{"format":"halfopen-trace","version":1,"run":"r","seed":1,"nodes":["a","a"]}"#,
    "two nodes have one name"
)]
#[case::no_head(1, "", "belongs to no trace")]
#[case::no_end(9, "", "the trace has no end")]
#[case::too_few(8, "", "`events` is 7, but there are 6")]
#[case::an_early_end(9, r#"{"end_ms":1,"events":7}"#, "ends before its last event")]
fn a_broken_line_is_named(#[case] line: usize, #[case] instead: &str, #[case] why: &str) {
    let mut lines = lines();
    assert_eq!(lines.len(), 9);
    lines[line - 1] = instead.to_owned();
    let error = TraceFile::read(&lines.join("\n")).expect_err("a line is broken");
    assert_eq!(error.errors.len(), 1, "{error}");
    assert!(error.errors[0].why.contains(why), "{error}");
    // What is missing shows where the next thing comes.
    let is_near = [line, line + 1, 9].contains(&error.errors[0].line) || error.errors[0].line == line - 1;
    assert!(is_near, "{error}");
}

#[test]
fn all_broken_lines_are_named_at_once() {
    let mut lines = lines();
    lines[2] = "{".to_owned();
    lines[4] = "}".to_owned();
    let error = TraceFile::read(&lines.join("\n")).expect_err("two lines are broken");
    assert_eq!(error.errors.iter().map(|error| error.line).collect::<Vec<_>>(), [3, 5]);
    assert!(error.to_string().starts_with("line 3: no JSON: "), "{error}");
}

proptest! {
    #[test]
    fn packets_of_both_versions_can_be_read_back(packet in packet()) {
        let mut trace = TraceBuilder::new().packet(0, SENSOR, BROKER, packet).end(10);
        trace.end = Duration::from_millis(20);
        let file = TraceFile::new(&plan(), trace);
        let text = file.write().expect("a valid packet has an encoding");
        prop_assert_eq!(TraceFile::read(&text), Ok(vec![file]));
    }

    #[test]
    fn whatever_is_in_a_file_reading_it_ends_in_a_trace_or_an_error(text in "(?s).{0,200}") {
        let _ = TraceFile::read(&text);
    }

    #[test]
    fn a_file_with_changed_bytes_never_panics(place in 0usize..4000, byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = everything().write().expect("an encoding").into_bytes();
        let place = place % bytes.len();
        if cut { bytes.truncate(place) } else { bytes[place] = byte }
        if let Ok(files) = TraceFile::read(&String::from_utf8_lossy(&bytes)) {
            for file in files {
                crate::trace::causes(&file.trace);
                prop_assert!(file.write().is_ok());
            }
        }
    }

    #[test]
    fn times_of_any_length_can_be_read_back(secs in 0..u64::MAX / 1000, nanos in 0u32..1_000_000_000) {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Timed(#[serde(with = "optional_duration")] Option<Duration>);
        let timed = Timed(Some(Duration::new(secs, nanos)));
        let text = serde_json::to_string(&timed).expect("a time");
        prop_assert_eq!(serde_json::from_str::<Timed>(&text).expect("a time"), timed);
    }
}
