//! Brokers, clients and raw clients.

mod answers;
mod broker;
mod client;
mod raw_broker;
mod subscription;
mod will;

use std::collections::BTreeMap;

pub(super) use self::answers::{ANSWERS, CLOSE, answers};
pub(super) use self::broker::BROKER;
pub(super) use self::client::{CLIENT, RAW_CLIENT, WITH, connect_fields};
pub(super) use self::raw_broker::RAW_BROKER;
pub(super) use self::subscription::{SUBSCRIPTIONS, check_filters, filter, subscribe};
use super::names::{Declared, Role};
use super::reader::Reader;
use super::tree::Node;
use crate::plan::{NodeId, Program};

/// A node as it will be in the plan, and its fields that durations may refer to.
pub(super) struct Built {
    pub(super) program: Program,
    pub(super) fields: BTreeMap<String, String>,
}

/// Reads one node; `node` has its parameters filled in.
pub(super) fn build(reader: &Reader<'_>, declared: &Declared<'_>, node: Option<&Node>) -> Option<Built> {
    match declared.role {
        Role::Broker => broker::build(reader, node),
        Role::Client => client::build(reader, &declared.name, node?),
        Role::RawClient => client::build_raw(reader, &declared.name, node?),
        Role::RawBroker => raw_broker::build(reader, node?),
    }
}

/// The broker that `to` names, or the only one.
fn broker(reader: &Reader<'_>, to: Option<&Node>, name: &str, owner: &Node) -> Option<NodeId> {
    if let Some(to) = to {
        let id = reader.node(to)?;
        if reader.names.role(id).is_broker() {
            return Some(id);
        }
        reader.error(to, "this is no broker");
        return None;
    }
    // They come before all others, of which there may be thousands.
    let brokers: Vec<_> = reader.names.ids().take_while(|id| reader.names.role(*id).is_broker()).collect();
    match brokers.as_slice() {
        [only] => Some(*only),
        [] => None,
        _ => {
            reader.error(owner, format!("there are several brokers; say with `to` which one `{name}` connects to"));
            None
        }
    }
}
