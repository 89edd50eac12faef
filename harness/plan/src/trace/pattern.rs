use halfopen_protocol::Packet;
use halfopen_protocol::packet::Publish;

use super::field_text;
use super::fields::{Field, fields};
use crate::{FieldPattern, Matcher, PacketKind, PacketPattern, Value};

/// Returns whether a packet is of the pattern's type and all of its fields match.
///
/// A field that SUBSCRIBE, SUBACK, UNSUBSCRIBE or UNSUBACK has once per filter matches a single value if each of them
/// does, and a list if they are the same one by one.
pub fn pattern_matches(pattern: &PacketPattern, packet: &Packet) -> bool {
    kind_matches(pattern.packet, packet)
        && (pattern.fields.is_empty() || fields_match(&pattern.fields, &fields(packet)))
}

/// Returns whether all of these fields of a message match, by the names that they have in PUBLISH.
pub fn message_matches(patterns: &[FieldPattern], message: &Publish) -> bool {
    patterns.is_empty() || fields_match(patterns, &fields(&Packet::from(message.clone())))
}

/// The fields of a packet of the pattern's type that do not match, as they are: `retain=false`, `no will_topic`.
pub fn differences(pattern: &[FieldPattern], packet: &Packet) -> Vec<String> {
    let fields = fields(packet);
    let of = |pattern: &FieldPattern| fields.iter().find(|field| field.name == pattern.name);
    let shown = |pattern: &FieldPattern| match of(pattern) {
        Some(field) if field.name == "payload" => format!("payload={}", field_text(field)),
        Some(field) if field.is_present || !matches!(pattern.matcher, Matcher::Present(_)) => field_text(field),
        _ => format!("no {}", pattern.name),
    };
    pattern.iter().filter(|pattern| !matcher_matches(&pattern.matcher, of(pattern))).map(shown).collect()
}

/// Returns whether a packet is of this kind.
pub fn kind_matches(kind: PacketKind, packet: &Packet) -> bool {
    match kind {
        PacketKind::Any => true,
        PacketKind::Type(packet_type) => packet.packet_type() == packet_type,
    }
}

fn fields_match(patterns: &[FieldPattern], fields: &[Field]) -> bool {
    patterns.iter().all(|pattern| {
        let field = fields.iter().find(|field| field.name == pattern.name);
        matcher_matches(&pattern.matcher, field)
    })
}

fn matcher_matches(matcher: &Matcher, field: Option<&Field>) -> bool {
    if let Matcher::Present(expected) = matcher {
        return field.is_some_and(|field| field.is_present) == *expected;
    }
    let Some(actual) = field.map(|field| &field.value) else {
        // What is not there is certainly not that.
        return matches!(matcher, Matcher::Not(_));
    };
    match matcher {
        Matcher::Is(expected) => is(expected, actual),
        Matcher::Not(expected) => !is(expected, actual),
        Matcher::OneOf(expected) => expected.iter().any(|expected| is(expected, actual)),
        Matcher::AtLeast(least) => each(actual, &|actual| comparable(least, actual) && actual >= least),
        Matcher::AtMost(most) => each(actual, &|actual| comparable(most, actual) && actual <= most),
        Matcher::Present(_) => true,
    }
}

fn is(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::List(_), Value::List(_)) => expected == actual,
        (_, Value::List(_)) => each(actual, &|actual| is(expected, actual)),
        // Bytes that happen to be UTF-8 stand in a trace as text.
        (Value::Bytes(expected), Value::Text(actual)) => expected.as_ref() == actual.as_bytes(),
        _ => expected == actual,
    }
}

fn each(actual: &Value, matches: &dyn Fn(&Value) -> bool) -> bool {
    match actual {
        Value::List(items) => !items.is_empty() && items.iter().all(matches),
        single => matches(single),
    }
}

/// Values of different kinds have an order, but it means nothing.
fn comparable(a: &Value, b: &Value) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use halfopen_protocol::packet::{Connect, Disconnect, SubAck};
    use halfopen_protocol::{PacketType, ReasonCode, Version};
    use rstest::rstest;

    use super::*;

    fn connect() -> Packet {
        let mut connect = Connect::new(Version::V5_0, "sensor");
        connect.keep_alive = 5;
        connect.session_expiry = Some(0);
        Packet::from(connect)
    }

    fn suback(reasons: &[u8]) -> Packet {
        Packet::SubAck(SubAck {
            packet_id: 1.try_into().unwrap(),
            reason_string: None,
            user_properties: Vec::new(),
            reasons: reasons.iter().map(|&reason| ReasonCode::new(reason)).collect(),
        })
    }

    fn seconds(seconds: u64) -> Value {
        Value::Duration(Duration::from_secs(seconds))
    }

    fn matches(packet: &Packet, name: &str, matcher: Matcher) -> bool {
        let fields = vec![FieldPattern { name: name.to_owned(), matcher }];
        pattern_matches(&PacketPattern { packet: PacketKind::Any, fields }, packet)
    }

    #[rstest]
    #[case::equal("keep_alive", Matcher::Is(seconds(5)), true)]
    #[case::unequal("keep_alive", Matcher::Is(seconds(6)), false)]
    #[case::not("keep_alive", Matcher::Not(seconds(5)), false)]
    #[case::not_another("keep_alive", Matcher::Not(seconds(6)), true)]
    #[case::one_of("keep_alive", Matcher::OneOf(vec![seconds(4), seconds(5)]), true)]
    #[case::none_of("keep_alive", Matcher::OneOf(vec![seconds(4)]), false)]
    #[case::at_least_itself("keep_alive", Matcher::AtLeast(seconds(5)), true)]
    #[case::less("keep_alive", Matcher::AtLeast(seconds(6)), false)]
    #[case::at_most_itself("keep_alive", Matcher::AtMost(seconds(5)), true)]
    #[case::more("keep_alive", Matcher::AtMost(seconds(4)), false)]
    #[case::a_number_is_no_interval("keep_alive", Matcher::AtMost(Value::Number(9)), false)]
    #[case::absent_has_its_default("receive_maximum", Matcher::Is(Value::Number(65535)), true)]
    #[case::absent_is_not_present("receive_maximum", Matcher::Present(true), false)]
    #[case::a_default_that_is_there("session_expiry", Matcher::Present(true), true)]
    #[case::no_will("will_topic", Matcher::Present(false), true)]
    #[case::absent_is_nothing("will_topic", Matcher::Is(Value::Text(String::new())), false)]
    #[case::absent_is_not_that("will_topic", Matcher::Not(Value::Text("a".into())), true)]
    fn field_of_a_connect(#[case] name: &str, #[case] matcher: Matcher, #[case] expected: bool) {
        assert_eq!(matches(&connect(), name, matcher), expected);
    }

    #[rstest]
    #[case::each(&[0x80, 0x80], Value::Number(0x80), true)]
    #[case::only_one(&[0x80, 0], Value::Number(0x80), false)]
    #[case::one_by_one(&[0x80, 0], Value::List(vec![Value::Number(0x80), Value::Number(0)]), true)]
    #[case::other_order(&[0, 0x80], Value::List(vec![Value::Number(0x80), Value::Number(0)]), false)]
    fn list_matches_value(#[case] reasons: &[u8], #[case] expected: Value, #[case] result: bool) {
        assert_eq!(matches(&suback(reasons), "reasons", Matcher::Is(expected)), result);
    }

    #[test]
    fn another_type_does_not_match_whatever_its_fields() {
        let pattern = PacketPattern { packet: PacketKind::Type(PacketType::ConnAck), fields: Vec::new() };
        assert!(!pattern_matches(&pattern, &Packet::Disconnect(Disconnect::default())));
    }
}
