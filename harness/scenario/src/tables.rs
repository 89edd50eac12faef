//! The tables of the reference, made from the tables of keys that reading uses.
//!
//! A page marks the place: what stands between `<!-- keys of a client -->` and `<!-- end -->` is the program's. Each
//! table brings the anchor to which errors lead.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use halfopen_protocol::{PacketType, ReasonCode};

use super::ast::{
    ActionKind, CAUSES, EXPECTATION, File, Fragment, MODIFIERS, Map, MatcherKeys, NetworkChange, PayloadKeys, State,
    StepWord, With,
};
use super::keys::{Key, Status, ValueKind};
use super::reference::page;
use crate::lower::is_in_both;
use crate::plan::PacketKind;
use crate::trace::{FieldType, field_names, field_type};

/// A page of the reference with its tables as they are now.
///
/// # Errors
/// With the line of a marker that names no table, or that has no end.
pub fn with_tables(page: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        let Some(name) = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")) else { continue };
        out.push_str(&table(name).ok_or_else(|| format!("no table is called `{name}`"))?);
        if !lines.any(|line| line == "<!-- end -->") {
            return Err(format!("the table `{name}` has no end"));
        }
        out.push_str("<!-- end -->\n");
    }
    Ok(out)
}

fn table(name: &str) -> Option<String> {
    match name {
        "fields of packets" => return Some(fields_of_packets()),
        "what fields take" => return Some(what_fields_take()),
        "reason codes" => return Some(reason_codes()),
        _ => {}
    }
    let lists: [(&str, &str, &[Key]); 5] = [
        ("actions", "action", ActionKind::KEYS),
        ("steps", "a step", StepWord::KEYS),
        ("faults of the network", "change of the network", NetworkChange::KEYS),
        ("states", "state", State::KEYS),
        ("causes", "cause", &CAUSES),
    ];
    if let Some((_, what, keys)) = lists.into_iter().find(|(known, ..)| *known == name) {
        return Some(rendered(what, keys.iter()));
    }
    let what = name.strip_prefix("keys of ")?;
    let mut tables = File::TABLE.reachable();
    tables.extend([Fragment::TABLE, MatcherKeys::TABLE, PayloadKeys::TABLE, With::TABLE]);
    ActionKind::KEYS.iter().for_each(|key| key.takes.tables(&mut tables));
    let table = tables.into_iter().find(|table| table.what.replace('`', "") == what)?;
    let around = if table.what == EXPECTATION.what { MODIFIERS } else { &[] };
    Some(rendered(table.what, around.iter().chain(table.all())))
}

/// A row for packets that have the same fields.
fn fields_of_packets() -> String {
    let mut rows: Vec<(Vec<&str>, &[&str], PacketKind)> = Vec::new();
    for packet in PacketType::ALL {
        let kind = PacketKind::Type(packet);
        let fields = field_names(kind);
        match rows.iter_mut().find(|(_, known, _)| *known == fields) {
            Some((names, ..)) => names.push(packet.name()),
            None => rows.push((vec![packet.name()], fields, kind)),
        }
    }
    let mut out = "| packets | fields | since 5.0 |\n| --- | --- | --- |\n".to_owned();
    for (names, fields, kind) in rows {
        let (old, new): (Vec<&str>, Vec<&str>) = fields.iter().partition(|field| is_in_both(kind, field));
        let line = format!("| {} | {} | {} |", names.join(", "), quoted(&old), quoted(&new));
        writeln!(out, "{line}").expect("a string can be written");
    }
    out
}

fn what_fields_take() -> String {
    let types = [
        (FieldType::Bool, "`true`, `false`"),
        (FieldType::Number, "a number"),
        (FieldType::Reason, "a [reason code](#reason-codes), as `0x8E`; of SUBACK and UNSUBACK a list"),
        (FieldType::Text, "a text; `filters` a list, user properties a map"),
        (FieldType::Bytes, "a [payload](#payloads)"),
        (FieldType::Duration, "a [duration](time.md), whole seconds"),
    ];
    let all = PacketType::ALL.into_iter().flat_map(|packet| field_names(PacketKind::Type(packet)).iter().copied());
    let all: BTreeSet<&str> = all.collect();
    let mut out = "| takes | fields |\n| --- | --- |\n".to_owned();
    for (kind, takes) in types {
        let fields: Vec<&str> = all.iter().copied().filter(|name| field_type(name) == Some(kind)).collect();
        writeln!(out, "| {takes} | {} |", quoted(&fields)).expect("a string can be written");
    }
    out
}

fn reason_codes() -> String {
    let mut out = "| code | name |\n| --- | --- |\n".to_owned();
    for code in (0..=u8::MAX).map(ReasonCode::new) {
        if let Some(name) = code.name() {
            writeln!(out, "| `{code}` | {name} |").expect("a string can be written");
        }
    }
    out
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Returns a table with only the columns that are not empty.
fn rendered<'a>(what: &str, keys: impl Iterator<Item = &'a Key>) -> String {
    let keys: Vec<&Key> = keys.filter(|key| matches!(key.status, Status::Ready | Status::Since5)).collect();
    let mut out = String::new();
    if let Some((_, anchor)) = page(what).split_once('#') {
        writeln!(out, "<a id=\"{anchor}\"></a>\n").expect("a string can be written");
    }
    let takes: Vec<String> = keys.iter().map(|key| said(key.takes)).collect();
    let has_takes = takes.iter().any(|takes| !takes.is_empty());
    let has_default = keys.iter().any(|key| key.default.is_some());
    let mut row = |cells: [&str; 4]| {
        let shown = [true, has_takes, has_default, true];
        let cells = cells.into_iter().zip(shown).filter(|(_, shown)| *shown).map(|(cell, _)| cell.replace('|', "\\|"));
        writeln!(out, "| {} |", cells.collect::<Vec<_>>().join(" | ")).expect("a string can be written");
    };
    row(["", "takes", "default", "meaning"]);
    row(["---"; 4]);
    for (key, takes) in keys.iter().zip(&takes) {
        let since = if key.status == Status::Since5 { " *5.0 only.*" } else { "" };
        let about = if key.about.is_empty() { String::new() } else { format!("{}.", key.about) };
        row([&format!("`{}`", key.name), takes, key.default.unwrap_or_default(), &format!("{about}{since}")]);
    }
    out
}

/// Returns what may stand there, in the words of the reference.
fn said(takes: ValueKind) -> String {
    match takes {
        ValueKind::Unsaid => String::new(),
        ValueKind::Anything => "any value".to_owned(),
        ValueKind::Nothing => "nothing".to_owned(),
        ValueKind::Text => "text".to_owned(),
        ValueKind::Bool => "`true`, `false`".to_owned(),
        ValueKind::Number(least, most) if most >= u64::from(u32::MAX) => format!("number from {least} on"),
        ValueKind::Number(least, most) => format!("{least} to {most}"),
        ValueKind::Factor => "`1.5` or `50%`".to_owned(),
        ValueKind::Duration => "[duration](time.md)".to_owned(),
        ValueKind::Moment => "[moment](time.md#moments)".to_owned(),
        ValueKind::Moments => "[moment](time.md#moments) `..` moment".to_owned(),
        ValueKind::Count => "`2`, `2..`, `..4`, `2..4`".to_owned(),
        ValueKind::Gap => "`5s`, `..4s`, `1s .. 2s`".to_owned(),
        ValueKind::Node => "node".to_owned(),
        ValueKind::Link => "`a -> b`, `a <-> b` or node".to_owned(),
        ValueKind::Connection => "[connection](faults.md#connection)".to_owned(),
        ValueKind::Version => "`3.1.1`, `5.0`".to_owned(),
        ValueKind::Payload => "[payload](packets.md#payloads)".to_owned(),
        ValueKind::Packet => "name of a packet".to_owned(),
        ValueKind::Pattern => "[pattern](packets.md#patterns)".to_owned(),
        ValueKind::Outgoing => "[packet](packets.md#packets-to-send) or list".to_owned(),
        ValueKind::Fields(packet) => format!("map of fields of {packet}"),
        ValueKind::Message => "map of `topic`, `payload`, `qos`, `retain` and further fields of PUBLISH".to_owned(),
        ValueKind::Row => "row: map of `case` and columns".to_owned(),
        ValueKind::Steps => "list of [steps](steps.md)".to_owned(),
        ValueKind::Step => "[step](steps.md)".to_owned(),
        ValueKind::Expectations => "list of [expectations](expectations.md)".to_owned(),
        ValueKind::Expectation => "an [expectation](expectations.md)".to_owned(),
        ValueKind::Words(keys) => {
            let words = keys.iter().filter(|key| !matches!(key.status, Status::Never(_)));
            words.map(|key| format!("`{}`", key.name)).collect::<Vec<_>>().join(", ")
        }
        ValueKind::Map(table) => match page(table.what).split_once('#') {
            Some((file, anchor)) => format!("[map]({file}.md#{anchor})"),
            None => format!("[map]({}.md)", page(table.what)),
        },
        ValueKind::Line(keys) => format!("map of one: {}", said(ValueKind::Words(keys))),
        ValueKind::Named(inner) => format!("map: name → {}", said(*inner)),
        ValueKind::List(inner) => format!("list of {}", said(*inner)),
        ValueKind::Several(inner) => format!("{}, or a list", said(*inner)),
        ValueKind::Optional(inner) => format!("nothing, or {}", said(*inner)),
        ValueKind::Either(choices) => choices.iter().map(|choice| said(*choice)).collect::<Vec<_>>().join(" or "),
    }
}
