use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::ast::{Outline, Place};
use crate::lower::Role;
use crate::plan::{EventRef, NodeId, NthConnection, Ordinal, PacketKind, Plan, Point, Source, StepKind};
use crate::{Errors, PlanOptions, parse};

#[rstest]
#[case("5s", 5_000)]
#[case("250ms", 250)]
#[case("1.5 * (5s)", 7_500)]
#[case("5s / 4", 1_250)]
#[case("30s - 1ms", 29_999)]
#[case("(2 * 5s) + 1s", 11_000)]
#[case("10d", 864_000_000)]
#[case("1h+1min", 3_660_000)]
#[case("1s / 3 * 3", 1_000)]
#[case("10s / 5s * 1ms", 2)]
#[case("2 * 3 * 1s", 6_000)]
#[case("1s - 2s + 3s", 2_000)]
#[case("60s / 2 / 3", 10_000)]
#[case("0.5ms * 2", 1)]
#[case("1.5 * 65535s", 98_302_500)]
fn durations_are_computed_exactly(#[case] text: &str, #[case] milliseconds: u128) {
    assert_eq!(duration(text).unwrap().as_millis(), milliseconds);
}

#[rstest]
#[case("5", "`5` has no unit; write `5s`")]
#[case("5 s", "a unit stands at its number; write `5s`")]
#[case("5m", "unknown unit `m`; write `min` for minutes or `ms` for milliseconds")]
#[case("5sec", "unknown unit `sec`; write `s`")]
#[case("5µs", "unknown unit `µs`; time is counted in whole milliseconds")]
#[case("1.5 × 5s", "`×` has no meaning in a time; multiplication is written `*`")]
#[case("1s / 3", "this is 1000/3 ms; in the end a time is a whole number of milliseconds")]
#[case("1s - 2s", "`1s - 2s` is less than nothing: -1000 ms")]
#[case("5s * 5s", "two times cannot be multiplied")]
#[case("5s + 5", "a time and a number without a unit cannot be added")]
#[case("1 / 5s", "a number cannot be divided by a time")]
#[case("5s / 0", "division by zero")]
#[case("(5s", "expected `)`")]
#[case("", "expected a duration, such as `5s` or `1.5 * 5s`")]
#[case("5s 5s", "expected `+`, `-`, `*`, `/` or the end of the duration")]
#[case("1,5s", "a decimal point is written `.`")]
#[case("137 * 366d", "more than 4294967295s, the longest time there is")]
#[case("99999999999999999999999999s", "this number has too many digits")]
#[case("999999999999999999999999s * 999999999999999999999999", "this is too large to compute")]
#[case("soon", "expected a duration, such as `5s` or `1.5 * 5s`")]
fn what_is_no_duration_says_why(#[case] text: &str, #[case] message: &str) {
    assert_eq!(duration(text).unwrap_err().message, message);
}

#[rstest]
#[case(0, "0s")]
#[case(1, "1ms")]
#[case(1_250, "1.25s")]
#[case(29_999, "29.999s")]
#[case(65_535_000, "65535s")]
fn durations_are_printed_short(#[case] milliseconds: u64, #[case] text: &str) {
    let value = std::time::Duration::from_millis(milliseconds);
    assert_eq!(format(value), text);
    assert_eq!(duration(text).unwrap(), value);
}

/// The plan of a story about `sensor`, `dev-1` and `fleet` that names the instant `fire`.
fn plan(line: &str) -> Result<Plan, String> {
    let text = format!(
        "mqtt: 5.0\nclients: {{ sensor: {{ reconnect: {{ min: 1s }} }}, dev-1: {{}}, fleet: {{ count: 2 }} }}\n{line}\n"
    );
    let source = Source { path: "a.yaml".into(), text, ..Source::default() };
    let plans = parse("a".into(), source).and_then(|scenario| scenario.plans(PlanOptions::default()));
    let messages = |errors: Errors| errors.iter().map(|error| error.message.clone()).collect::<Vec<_>>().join("\n");
    plans.map(|mut plans| plans.remove(0)).map_err(messages)
}

fn read(text: &str) -> Result<(EventRef, i64), String> {
    let plan = plan(&format!("steps: [ {{ mark: fire }}, {{ at: '{text}' }} ]"))?;
    let StepKind::At(moment) = &plan.steps[1].kind else { panic!("{:?}", plan.steps[1]) };
    Ok((moment.event.clone(), moment.offset_ms))
}

fn packet(ordinal: Ordinal, word: &str, from: Option<usize>, to: Option<usize>, at: Option<usize>) -> EventRef {
    let packet = packet_kind(word).unwrap();
    EventRef::Packet { ordinal, packet, from: from.map(NodeId), to: to.map(NodeId), at: at.map(NodeId), on: None }
}

fn on(number: u32, event: EventRef) -> EventRef {
    let nth = NthConnection { client: NodeId(1), number };
    match event {
        EventRef::Packet { ordinal, packet, from, to, at, .. } => {
            EventRef::Packet { ordinal, packet, from, to, at, on: Some(nth) }
        }
        EventRef::Point { ordinal, point, of, at, .. } => EventRef::Point { ordinal, point, of, at, on: Some(nth) },
        event => event,
    }
}

#[rstest]
#[case("20s", EventRef::Start, 20_000)]
#[case("start", EventRef::Start, 0)]
#[case("1s before end", EventRef::End, -1_000)]
#[case("20ms after fire", EventRef::Mark("fire".into()), 20)]
#[case("1.5 * (5s) after last packet from sensor", packet(Ordinal::Last, "packet", Some(1), None, None), 7_500)]
#[case("first PUBREL from dev-1", packet(Ordinal::First, "PUBREL", Some(2), None, None), 0)]
#[case("PINGREQ from sensor to broker at broker", packet(Ordinal::Nearest, "PINGREQ", Some(1), Some(0), Some(0)), 0)]
#[case("PUBCOMP at fleet.1", packet(Ordinal::Nearest, "PUBCOMP", None, None, Some(3)), 0)]
#[case("close of sensor", EventRef::Point { ordinal: Ordinal::Nearest, point: Point::Close, of: NodeId(1), at: None , on: None}, 0)]
#[case("second open of sensor", EventRef::Point { ordinal: Ordinal::Second, point: Point::Open, of: NodeId(1), at: None , on: None}, 0)]
#[case("resume of sensor", EventRef::Point { ordinal: Ordinal::Nearest, point: Point::Resume, of: NodeId(1), at: None , on: None}, 0)]
#[case("close of sensor at broker", EventRef::Point { ordinal: Ordinal::Nearest, point: Point::Close, of: NodeId(1), at: Some(NodeId(0)) , on: None}, 0)]
#[case("close of sensor#2", on(2, EventRef::Point { ordinal: Ordinal::Nearest, point: Point::Close, of: NodeId(1), at: None , on: None}), 0)]
#[case("last PUBLISH from broker to sensor#3", on(3, packet(Ordinal::Last, "PUBLISH", Some(0), Some(1), None)), 0)]
#[case("PUBREL at sensor#1", on(1, packet(Ordinal::Nearest, "PUBREL", None, None, Some(1))), 0)]
fn moments_hang_on_events(#[case] text: &str, #[case] event: EventRef, #[case] offset: i64) {
    assert_eq!(read(text), Ok((event, offset)));
}

#[rstest]
#[case("5s after lst packet from sensor", "unknown event `lst`; did you mean `last`?")]
#[case("5s after last packet from senosr", "unknown node `senosr`; did you mean `sensor`?")]
#[case("5s after last pingreq from sensor", "unknown event `pingreq`; did you mean `PINGREQ`?")]
#[case("5s after fier", "unknown event `fier`; did you mean `fire`?")]
#[case("5s after PINGREQ", "expected `from` or `at` and a node, as in `PINGREQ from NODE`")]
#[case("5s after close from sensor", "expected `of` and a node, as in `close of NODE`")]
#[case("5s after close of fleet", "`fleet` is a group; an event is of one node, as in `fleet.1`")]
#[case(
    "close of sensor#0",
    "`sensor#0` names no connection; they are counted from 1, as in `sensor#1`; the latest is `sensor#last`"
)]
#[case("crash of sensor#1", "`crash` happens to a node, not to a connection")]
#[case("5s since fire", "expected `after` or `before` and an event")]
#[case("fire 5s", "the moment should end here")]
#[case("5s before start", "this is before the run begins")]
#[case("1s .. 2s", "a range, where one moment is expected")]
#[case("5 after fire", "`5` has no unit; write `5s`")]
#[case("", "expected a moment, such as `20s` or `1s after MARK`")]
fn what_is_no_moment_says_why(#[case] text: &str, #[case] message: &str) {
    assert_eq!(read(text), Err(message.to_owned()));
}

#[rstest]
#[case("50s .. 51s", (EventRef::Start, 50_000), (EventRef::Start, 51_000))]
#[case("start..fire", (EventRef::Start, 0), (EventRef::Mark("fire".into()), 0))]
#[case("fire ..", (EventRef::Mark("fire".into()), 0), (EventRef::End, 0))]
#[case("..1s", (EventRef::Start, 0), (EventRef::Start, 1_000))]
fn ranges_of_moments_may_be_open(#[case] text: &str, #[case] from: (EventRef, i64), #[case] to: (EventRef, i64)) {
    let line = format!("steps: [ {{ mark: fire }} ]\nexpect: [ {{ broker: {{ closes: sensor, during: '{text}' }} }} ]");
    let (a, b) = plan(&line).unwrap().expectations[0].during.clone().unwrap();
    assert_eq!(((a.event, a.offset_ms), (b.event, b.offset_ms)), (from, to));
}

#[test]
fn every_type_of_packet_has_a_word() {
    for packet in halfopen_protocol::PacketType::ALL {
        assert!(PACKET_WORDS.contains(&packet.name()));
        assert_eq!(packet_kind(packet.name()), Some(PacketKind::Type(packet)));
    }
}

/// An expression as text and, computed another way, in milliseconds.
fn expression() -> impl Strategy<Value = (String, i128)> {
    let literal = (1_i128..10_000).prop_map(|value| (format!("{value}ms"), value));
    literal.prop_recursive(5, 32, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|((a, x), (b, y))| (format!("{a} + {b}"), x + y)),
            (inner.clone(), inner.clone()).prop_map(|((a, x), (b, y))| (format!("{a} - ({b})"), x - y)),
            (inner.clone(), 1_i128..20).prop_map(|((a, x), n)| (format!("({a}) * {n}"), x * n)),
            (inner.clone(), 1_i128..20).prop_map(|((a, x), n)| (format!("{n} * ({a}) / {n}"), x)),
            inner.prop_map(|(a, x)| (format!("( {a})"), x)),
        ]
    })
}

proptest! {
    #[test]
    fn an_expression_is_worth_what_its_parts_are((text, expected) in expression()) {
        prop_assert_eq!(quantity(&text).unwrap().to_whole(), Some(expected));
    }

    #[test]
    fn every_whole_duration_survives_being_printed(milliseconds in 0_u64..4_000_000_000_000) {
        let value = std::time::Duration::from_millis(milliseconds);
        prop_assert_eq!(duration(&format(value)).unwrap(), value);
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in any::<String>()) {
        let (place, outline) = (Place::default(), Outline::default());
        let _ = (duration(&text), moment(&text, &place, &outline), moments(&text, &place, &outline));
    }

    #[test]
    fn nothing_that_resembles_a_time_makes_them_panic(
        words in prop::collection::vec(prop::sample::select(vec![
            "5s", "1.5", "*", "/", "+", "-", "(", ")", "after", "before", "last", "packet", "from", "of", "close",
            "sensor", "fire", "..", "->", "0", "99999999999999999999d", "at", "start", "<k>",
        ]), 0..12),
        gap in prop::sample::select(vec!["", " "]),
    ) {
        let text = words.join(gap);
        let place = Place::default();
        let mut outline = Outline::default();
        outline.nodes.insert("sensor".to_owned(), Role::Client);
        outline.marks.insert("fire".to_owned());
        let errors = [
            expression_of(&text).err(),
            moment(&text, &place, &outline).err(),
            moments(&text, &place, &outline).err(),
        ];
        for error in errors.into_iter().flatten() {
            prop_assert!(error.from <= error.to && !error.message.is_empty());
        }
    }
}

/// What is written of an expression is the same expression.
#[rstest]
#[case("1.5 * <k>")]
#[case("(2 * <keep_alive>) + 1min - 20ms / 3")]
#[case("-<k> + 0.125s")]
#[case("<sensor.keep_alive> / 4")]
fn an_expression_is_written_as_it_was_read(#[case] text: &str) {
    let expr = expression_of(text).unwrap();
    assert_eq!(expr.shown(&without_parameters), text);
}
