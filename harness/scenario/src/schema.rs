//! The JSON Schema that editors complete and underline by, made from the tables of keys that reading uses.

use std::collections::BTreeMap;

use halfopen_protocol::PacketType;
use serde_json::{Value, json};

use super::ast::{
    ActionKind, CONNECTION, DONE_ON_ONE, EXPECTATION, File, Fragment, MODIFIERS, Map, MatcherKeys, PayloadKeys,
    StepWord,
};
use super::keys::{Key, SAME_WORDS, Status, Table, ValueKind};
use super::time::PACKET_WORDS;
use crate::plan::PacketKind;
use crate::trace::{FieldType, field_names, field_type};

/// The schema of scenario files and of fragments, as JSON text that ends with a line break.
pub fn schema() -> String {
    let mut definitions = Definitions(BTreeMap::new());
    definitions.grammar();
    let fragment = definitions.map(Fragment::TABLE);
    let mut root = definitions.object(File::TABLE);
    let map = root.as_object_mut().expect("an object");
    map.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    map.insert("title".to_owned(), json!("A scenario of halfopen"));
    map.insert("$comment".to_owned(), json!(format!("Made by `halfopen schema`. A fragment is {}.", fragment["$ref"])));
    map.insert("definitions".to_owned(), json!(definitions.0));
    let text = serde_json::to_string_pretty(&root).expect("text as keys");
    format!("{text}\n")
}

/// A parameter, which may also stand for the one key of a line.
const PARAMETER: &str = "^<[A-Za-z_][A-Za-z0-9_.-]*>$";

/// The definitions that are referred to by name.
struct Definitions(BTreeMap<String, Value>);

impl Definitions {
    /// Writes the definitions that every file needs, and those that contain themselves.
    fn grammar(&mut self) {
        self.define("parameter", |_| json!({ "type": "string", "pattern": PARAMETER }));
        self.define("text", |_| json!({ "type": ["string", "number", "boolean"] }));
        self.define("number", |_| {
            or_parameter(vec![json!({ "type": "integer" }), json!({ "type": "string", "pattern": "^0x[0-9A-Fa-f]+$" })])
        });
        self.define("boolean", |_| or_parameter(vec![json!({ "type": "boolean" })]));
        self.define("factor", |_| {
            or_parameter(vec![
                json!({ "type": "number" }),
                json!({ "type": "string", "pattern": "^[+-]?[0-9.]+ ?%?$" }),
            ])
        });
        self.define("time", |_| json!({ "type": "string", "pattern": "[A-Za-z<]" }));
        self.define("count", |_| {
            or_parameter(vec![json!({ "type": "integer" }), json!({ "type": "string", "pattern": "\\.\\.|<" })])
        });
        self.define("version", |_| or_parameter(vec![json!({ "enum": ["3.1.1", "5.0", 5.0] })]));
        self.define("payload", |this| {
            let map = this.map(PayloadKeys::TABLE);
            or_parameter(vec![reference("text"), map])
        });
        self.define("action", Self::action);
        self.define("step", Self::step);
        self.define("steps", |_| {
            or_parameter(vec![json!({ "type": "array", "items": or_parameter(vec![reference("step")]) })])
        });
        self.define("line of expect", Self::expectation);
        self.define("pattern", Self::pattern);
        for packet in PacketType::ALL {
            self.define(&format!("fields of {}", packet.name()), |this| this.fields(packet));
        }
    }

    /// Defines a name once; what it contains may refer to it.
    fn define(&mut self, name: &str, value: impl FnOnce(&mut Self) -> Value) {
        if !self.0.contains_key(name) {
            self.0.insert(name.to_owned(), Value::Null);
            let value = value(self);
            self.0.insert(name.to_owned(), value);
        }
    }

    fn map(&mut self, table: &'static Table) -> Value {
        let name = table.what.replace('`', "");
        self.define(&name, |this| this.object(table));
        reference(&name)
    }

    fn object(&mut self, table: &'static Table) -> Value {
        let mut properties = serde_json::Map::new();
        for key in table.all().filter(|key| is_usable(key)) {
            properties.insert(key.name.to_owned(), self.described(key));
        }
        add_same_words(&mut properties);
        json!({ "type": "object", "properties": properties, "additionalProperties": false })
    }

    /// Returns what may stand under a key, with what it means.
    fn described(&mut self, key: &Key) -> Value {
        let mut value = match self.value(key.takes) {
            Value::Object(value) if value.contains_key("$ref") => {
                let mut map = serde_json::Map::new();
                map.insert("anyOf".to_owned(), json!([value]));
                map
            }
            Value::Object(value) => value,
            _ => serde_json::Map::new(),
        };
        value.insert("description".to_owned(), json!(description(key)));
        Value::Object(value)
    }

    fn value(&mut self, takes: ValueKind) -> Value {
        match takes {
            ValueKind::Unsaid | ValueKind::Anything => Value::Bool(true),
            ValueKind::Nothing => json!({ "type": "null" }),
            ValueKind::Text => reference("text"),
            ValueKind::Bool => reference("boolean"),
            ValueKind::Number(least, most) => or_parameter(vec![
                json!({ "type": "integer", "minimum": least, "maximum": most }),
                json!({ "type": "string", "pattern": "^0x[0-9A-Fa-f]+$" }),
            ]),
            ValueKind::Factor => reference("factor"),
            ValueKind::Duration | ValueKind::Moment | ValueKind::Moments | ValueKind::Gap => reference("time"),
            ValueKind::Count => reference("count"),
            ValueKind::Node | ValueKind::Link | ValueKind::Connection => json!({ "type": "string" }),
            ValueKind::Version => reference("version"),
            ValueKind::Payload => reference("payload"),
            ValueKind::Packet => or_parameter(vec![packet_words()]),
            ValueKind::Pattern => reference("pattern"),
            ValueKind::Outgoing => Value::Bool(true),
            ValueKind::Fields(packet) => reference(&format!("fields of {packet}")),
            ValueKind::Message => message(),
            ValueKind::Row => json!({ "type": "object", "required": ["case"] }),
            ValueKind::Steps => reference("steps"),
            ValueKind::Step => or_parameter(vec![reference("step")]),
            ValueKind::Expectations => {
                json!({ "type": "array", "items": or_parameter(vec![reference("line of expect")]) })
            }
            ValueKind::Expectation => reference("line of expect"),
            ValueKind::Words(keys) => words(keys),
            ValueKind::Map(table) => {
                let map = self.map(table);
                or_parameter(vec![map])
            }
            ValueKind::Line(keys) => self.line(keys, None),
            ValueKind::Named(inner) => {
                let inner = self.value(*inner);
                or_parameter(vec![json!({ "type": "object", "additionalProperties": inner })])
            }
            ValueKind::List(inner) => {
                let inner = self.value(*inner);
                or_parameter(vec![json!({ "type": "array", "items": inner })])
            }
            ValueKind::Several(inner) => match self.value(*inner) {
                Value::Bool(true) => Value::Bool(true),
                inner => any_of(vec![inner.clone(), json!({ "type": "array", "items": inner })]),
            },
            ValueKind::Optional(inner) => {
                let inner = self.value(*inner);
                any_of(vec![inner, json!({ "type": "null" })])
            }
            ValueKind::Either(choices) => {
                let choices: Vec<_> = choices.iter().map(|choice| self.value(*choice)).collect();
                any_of(choices)
            }
        }
    }

    /// A map of one key: one of these, or a name with `others` under it.
    fn line(&mut self, keys: &[Key], others: Option<Value>) -> Value {
        let mut properties = serde_json::Map::new();
        for key in keys.iter().filter(|key| is_usable(key)) {
            properties.insert(key.name.to_owned(), self.described(key));
        }
        json!({
            "type": "object",
            "properties": properties,
            "additionalProperties": others.unwrap_or(Value::Bool(false)),
            "patternProperties": { PARAMETER: true },
            "minProperties": 1,
            "maxProperties": 1,
        })
    }

    fn action(&mut self) -> Value {
        let is_word = |key: &&Key| {
            is_usable(key) && matches!(key.takes, ValueKind::Nothing | ValueKind::Optional(_) | ValueKind::Unsaid)
        };
        let plain: Vec<_> = ActionKind::KEYS.iter().filter(is_word).map(constant).collect();
        let line = self.line(ActionKind::KEYS, None);
        let on_one: Vec<Key> = ActionKind::KEYS.iter().filter(|key| DONE_ON_ONE.contains(&key.name)).copied().collect();
        let mut on_one = self.line(&on_one, None);
        on_one["properties"][CONNECTION.name] = self.described(&CONNECTION);
        on_one["required"] = json!([CONNECTION.name]);
        on_one["minProperties"] = json!(2);
        on_one["maxProperties"] = json!(2);
        any_of(vec![or_parameter(plain), line, on_one])
    }

    fn step(&mut self) -> Value {
        let actions = any_of(vec![reference("action"), json!({ "type": "array", "items": reference("action") })]);
        self.line(StepWord::KEYS, Some(actions))
    }

    fn expectation(&mut self) -> Value {
        let about_node = self.map(&EXPECTATION);
        self.line(MODIFIERS, Some(about_node))
    }

    fn pattern(&mut self) -> Value {
        let mut properties = serde_json::Map::new();
        for packet in PacketType::ALL {
            properties.insert(packet.name().to_owned(), reference(&format!("fields of {}", packet.name())));
        }
        let line = json!({
            "type": "object", "properties": properties, "additionalProperties": false, "minProperties": 1, "maxProperties": 1,
            "patternProperties": { PARAMETER: true },
        });
        or_parameter(vec![packet_words(), line])
    }

    fn fields(&mut self, packet: PacketType) -> Value {
        let matcher = self.map(MatcherKeys::TABLE);
        let mut properties = serde_json::Map::new();
        for name in field_names(PacketKind::Type(packet)) {
            let value = match field_type(name) {
                _ if name.ends_with("user_properties") => Value::Bool(true),
                Some(FieldType::Bool) => reference("boolean"),
                Some(FieldType::Number | FieldType::Reason) => reference("number"),
                Some(FieldType::Text) => reference("text"),
                Some(FieldType::Bytes) => reference("payload"),
                Some(FieldType::Duration) => reference("time"),
                None => Value::Bool(true),
            };
            let value = match value {
                Value::Bool(true) => Value::Bool(true),
                value => any_of(vec![value.clone(), json!({ "type": "array", "items": value }), matcher.clone()]),
            };
            properties.insert((*name).to_owned(), value);
        }
        add_same_words(&mut properties);
        or_parameter(vec![json!({ "type": "object", "properties": properties, "additionalProperties": false })])
    }
}

/// Adds the standards' words for keys that have another name here.
fn add_same_words(properties: &mut serde_json::Map<String, Value>) {
    for (word, ours) in SAME_WORDS {
        if let Some(value) = properties.get(ours) {
            properties.insert(word.to_owned(), value.clone());
        }
    }
}

fn is_usable(key: &Key) -> bool {
    matches!(key.status, Status::Ready | Status::Since5)
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/definitions/{}", name.replace(' ', "%20")) })
}

fn or_parameter(mut choices: Vec<Value>) -> Value {
    choices.push(reference("parameter"));
    any_of(choices)
}

fn any_of(choices: Vec<Value>) -> Value {
    match choices.contains(&Value::Bool(true)) {
        true => Value::Bool(true),
        false => json!({ "anyOf": Value::Array(choices) }),
    }
}

fn packet_words() -> Value {
    json!({ "enum": PACKET_WORDS })
}

fn words(keys: &[Key]) -> Value {
    or_parameter(keys.iter().filter(|key| is_usable(key)).map(constant).collect())
}

/// A word as YAML may have it: `1` is a number there, and `true` is no text.
fn constant(key: &Key) -> Value {
    let value = match (key.name.parse::<u64>(), key.name.parse::<bool>()) {
        (Ok(number), _) => json!({ "enum": [key.name, number] }),
        (_, Ok(truth)) => json!({ "const": truth }),
        _ => json!({ "const": key.name }),
    };
    let Value::Object(mut value) = value else { return value };
    if !key.about.is_empty() {
        value.insert("description".to_owned(), json!(key.about));
    }
    Value::Object(value)
}

/// Returns what `publish` takes: the fields of PUBLISH but those that are the client's to choose.
fn message() -> Value {
    let mut properties = serde_json::Map::new();
    for name in field_names(PacketKind::Type(PacketType::Publish)).iter().filter(|name| !matches!(**name, "id" | "dup"))
    {
        let value = match field_type(name) {
            _ if name.ends_with("user_properties") => Value::Bool(true),
            Some(FieldType::Bool) => reference("boolean"),
            Some(FieldType::Number | FieldType::Reason) => reference("number"),
            Some(FieldType::Bytes) => reference("payload"),
            Some(FieldType::Duration) => reference("time"),
            _ => reference("text"),
        };
        properties.insert((*name).to_owned(), value);
    }
    or_parameter(vec![json!({ "type": "object", "properties": properties })])
}

/// Returns what a key means, from which version on, and what holds without it.
fn description(key: &Key) -> String {
    let mut text = key.about.to_owned();
    if let Some(first) = text.chars().next() {
        text.replace_range(..first.len_utf8(), &first.to_uppercase().to_string());
    }
    if key.status == Status::Since5 {
        text.push_str(" (5.0 only)");
    }
    text.push('.');
    if let Some(default) = key.default {
        text.push_str(&format!(" Default: {default}."));
    }
    text
}
