use std::collections::BTreeMap;

use super::Built;
use super::answers::{ANSWERS, answers};
use crate::keys::{Key, Table, key};
use crate::names::Role;
use crate::plan::{Answers, Program, RawBrokerProgram};
use crate::reader::Reader;
use crate::tree::Node;

pub(crate) const RAW_BROKER: Table = Table { what: "a raw broker", keys: &[KEYS] };

const KEYS: &[Key] =
    &[key("answers", "`usual`, `nothing`, or packet or `open` → what it answers").takes(ANSWERS).or("usual")];

pub(super) fn build(reader: &Reader<'_>, node: &Node) -> Option<Built> {
    let fields = reader.fields(node, &RAW_BROKER)?;
    let answers = match fields.get("answers") {
        Some(value) => answers(reader, value, Role::RawBroker)?,
        None => Answers::default(),
    };
    let program = Program::RawBroker(RawBrokerProgram { answers });
    (!fields.broken).then(|| Built { program, fields: BTreeMap::new() })
}
