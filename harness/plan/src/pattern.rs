use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use super::PacketKind;

/// A packet of a type with any subset of its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketPattern {
    /// The type.
    pub packet: PacketKind,
    /// The fields by their names in [`crate::trace::fields`], all of which must match.
    pub fields: Vec<FieldPattern>,
}

/// A field of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPattern {
    /// The field's name, snake_case, as in [`crate::trace::fields`].
    pub name: String,
    /// The condition on the value.
    pub matcher: Matcher,
}

/// A condition on the value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matcher {
    /// The value is equal to this one.
    Is(Value),
    /// Anything but this.
    Not(Value),
    /// The value is one of these.
    OneOf(Vec<Value>),
    /// A number, and not less.
    AtLeast(Value),
    /// A number, and not more.
    AtMost(Value),
    /// There at all, or not.
    Present(bool),
}

/// The value of a packet's field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A number, reason codes among them.
    Number(u64),
    /// A string; a payload that is UTF-8.
    Text(String),
    /// Bytes that are no UTF-8.
    Bytes(Bytes),
    /// An interval.
    Duration(Duration),
    /// Several.
    List(Vec<Self>),
}

impl fmt::Display for PacketKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("packet"),
            Self::Type(packet_type) => f.write_str(packet_type.name()),
        }
    }
}

/// Writes the pattern as in a scenario: `CONNACK { session_present: true }`.
impl fmt::Display for PacketPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.packet)?;
        for (place, field) in self.fields.iter().enumerate() {
            write!(f, "{}{field}", if place == 0 { " { " } else { ", " })?;
        }
        f.write_str(if self.fields.is_empty() { "" } else { " }" })
    }
}

impl fmt::Display for FieldPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_reason = self.name == "reason";
        let shown = |value: &Value| match value {
            Value::Number(number) if is_reason => format!("0x{number:02X}"),
            value => value.to_string(),
        };
        write!(f, "{}: ", self.name)?;
        match &self.matcher {
            Matcher::Is(value) => f.write_str(&shown(value)),
            Matcher::Not(value) => write!(f, "{{ not: {} }}", shown(value)),
            Matcher::OneOf(values) => {
                write!(f, "{{ one_of: [{}] }}", values.iter().map(shown).collect::<Vec<_>>().join(", "))
            }
            Matcher::AtLeast(value) => write!(f, "{{ at_least: {} }}", shown(value)),
            Matcher::AtMost(value) => write!(f, "{{ at_most: {} }}", shown(value)),
            Matcher::Present(present) => write!(f, "{{ present: {present} }}"),
        }
    }
}

/// Number of characters of a text that are shown.
const SHOWN: usize = 40;

/// Intervals in the largest unit that holds them whole: `90s`, `1500ms`. A text that is empty has quotes, and of one
/// that is long the beginning is shown: `"xxxx"... 64000 bytes`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(value) if value.is_empty() => f.write_str("''"),
            Self::Text(value) => match value.char_indices().nth(SHOWN) {
                None => f.write_str(value),
                Some((end, _)) => write!(f, "{:?}... {} bytes", &value[..end], value.len()),
            },
            Self::Bytes(value) => {
                let shown = &value[..value.len().min(SHOWN / 2)];
                shown.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                if shown.len() < value.len() { write!(f, "... {} bytes", value.len()) } else { Ok(()) }
            }
            Self::Duration(value) if value.subsec_millis() == 0 => write!(f, "{}s", value.as_secs()),
            Self::Duration(value) => write!(f, "{}ms", value.as_millis()),
            Self::List(values) => {
                let values: Vec<String> = values.iter().map(Self::to_string).collect();
                write!(f, "[{}]", values.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::empty(Matcher::Not(Value::Text(String::new())), "payload: { not: '' }")]
    #[case::short(Matcher::Is(Value::Text("hello".to_owned())), "payload: hello")]
    #[case::as_long_as_is_shown(Matcher::Is(Value::Text("ä".repeat(40))), &format!("payload: {}", "ä".repeat(40)))]
    #[case::longer(Matcher::Is(Value::Text("ä".repeat(41))), &format!("payload: \"{}\"... 82 bytes", "ä".repeat(40)))]
    #[case::bytes(Matcher::Is(Value::Bytes(Bytes::from_static(&[0xff; 20]))), &format!("payload: {}", "ff".repeat(20)))]
    #[case::more_bytes(Matcher::Is(Value::Bytes(Bytes::from_static(&[0xff; 21]))), &format!("payload: {}... 21 bytes", "ff".repeat(20)))]
    fn value_of_a_field_is_shown_in_a_few_words(#[case] matcher: Matcher, #[case] shown: &str) {
        assert_eq!(FieldPattern { name: "payload".to_owned(), matcher }.to_string(), shown);
    }
}
