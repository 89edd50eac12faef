use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;

use crate::Value;
use crate::trace::Field;
use crate::trace::field_type;
use crate::trace::fields::FieldType;

/// Number of bytes of a payload that are shown.
const SHOWN: usize = 40;

/// A session expiry interval that never ends (§3.1.2.11.2 of 5.0).
const NEVER: Duration = Duration::from_secs(0xFFFF_FFFF);

/// A field as a trace shows it: `keep_alive=5`, `reason=0x8D`, and a payload by itself: `"offline"`.
pub fn field_text(field: &Field) -> String {
    let mut text = String::new();
    if field.name != "payload" {
        text.push_str(field.name);
        text.push('=');
    }
    value(&mut text, field_type(field.name), field.name, &field.value);
    text
}

fn value(text: &mut String, field: Option<FieldType>, name: &str, value_: &Value) {
    match value_ {
        Value::Bool(value) => drop(write!(text, "{value}")),
        Value::Number(value) if field == Some(FieldType::Reason) => drop(write!(text, "0x{value:02X}")),
        Value::Number(value) => drop(write!(text, "{value}")),
        Value::Text(value) if field == Some(FieldType::Bytes) => quoted(text, value),
        Value::Text(value) if is_word(value) => text.push_str(value),
        Value::Text(value) => quoted(text, value),
        Value::Bytes(value) => hex(text, value, if name == "payload" { " " } else { "" }),
        Value::Duration(NEVER) if name == "session_expiry" => text.push_str("never"),
        Value::Duration(value) => duration(text, *value),
        Value::List(values) => list(text, field, name, values),
    }
}

fn list(text: &mut String, field: Option<FieldType>, name: &str, values: &[Value]) {
    if let [first, rest @ ..] = values
        && rest.iter().all(|other| other == first && name != "filters")
    {
        return value(text, field, name, first);
    }
    text.push('[');
    for (place, item) in values.iter().enumerate() {
        text.push_str(if place == 0 { "" } else { ", " });
        value(text, field, name, item);
    }
    text.push(']');
}

/// Returns whether a text can stand without quotes and the line still be taken apart.
fn is_word(text: &str) -> bool {
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | ',' | '[' | ']');
    !text.is_empty() && text.chars().count() <= SHOWN && text.chars().all(is_plain)
}

/// `"offline"`, or `"the beginning"... 65536 bytes`.
fn quoted(text: &mut String, value: &str) {
    let shown: String = value.chars().take(SHOWN).collect();
    let _ = write!(text, "{shown:?}");
    if shown.len() < value.len() {
        let _ = write!(text, "... {} bytes", value.len());
    }
}

/// `ff 00`, shortened like text.
pub(super) fn hex(text: &mut String, value: &Bytes, between: &str) {
    let shown = &value[..value.len().min(SHOWN / 3)];
    for (place, byte) in shown.iter().enumerate() {
        let _ = write!(text, "{}{byte:02x}", if place == 0 { "" } else { between });
    }
    if shown.len() < value.len() {
        let _ = write!(text, " ... {} bytes", value.len());
    }
}

/// Seconds, with decimals only if there are any.
fn duration(text: &mut String, value: Duration) {
    match value.subsec_millis() {
        0 => drop(write!(text, "{}", value.as_secs())),
        _ => drop(write!(text, "{:.3}", value.as_secs_f64())),
    }
}
