//! The names of a run: nodes, groups and marks.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Sink;
use super::params::Params;
use super::reader::Reader;
use super::suggest::did_you_mean;
use super::time::{RESERVED, Scope};
use super::tree::{Kind, Node};
use crate::plan::NodeId;

/// How many nodes a run may have.
const MAX_NODES: usize = 10_000;

/// So many nodes are named where one is unknown.
const FEW_NODES: usize = 10;

/// What runs on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Broker,
    Client,
    RawClient,
    RawBroker,
}

impl Role {
    pub(super) const ALL: [Self; 4] = [Self::Broker, Self::RawBroker, Self::Client, Self::RawClient];

    /// Whether clients connect to it.
    pub(super) fn is_broker(self) -> bool {
        matches!(self, Self::Broker | Self::RawBroker)
    }

    /// The key of the file under which its nodes stand, which is also the name of the group of all of them.
    pub(super) fn section(self) -> &'static str {
        match self {
            Self::Broker => "brokers",
            Self::Client => "clients",
            Self::RawClient => "raw_clients",
            Self::RawBroker => "raw_brokers",
        }
    }

    pub(super) fn with_article(self) -> &'static str {
        match self {
            Self::Broker => "a broker",
            Self::Client => "a client",
            Self::RawClient => "a raw client",
            Self::RawBroker => "a raw broker",
        }
    }
}

/// Everything in a run that has a name.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Nodes and groups, and whom they stand for.
    pub(super) nodes: BTreeMap<String, Vec<NodeId>>,
    /// Name and role of each node, by its id.
    pub(super) list: Vec<(String, Role)>,
    /// The broker of each node that has one, by its id.
    pub(super) broker_of: BTreeMap<NodeId, NodeId>,
    /// Instants that the story names.
    pub(super) marks: BTreeSet<String>,
    /// Names that exist, but whose definition is wrong or not supported yet.
    pub(super) broken: BTreeSet<String>,
    /// Whether names may exist that cannot be known here.
    pub(super) open: bool,
}

/// A node as the file declares it, or one member of a group.
pub(super) struct Declared<'n> {
    pub(super) name: String,
    pub(super) role: Role,
    /// Its fields as they stand in the file; none for the broker that exists without being written.
    pub(super) node: Option<&'n Node>,
    /// For a member of a group: its number from 1.
    pub(super) member: Option<u64>,
}

impl Names {
    pub(super) fn scope(&self) -> Scope<'_> {
        Scope { nodes: &self.nodes, marks: &self.marks, broken: &self.broken, open: self.open }
    }

    pub(super) fn role(&self, id: NodeId) -> Role {
        self.list[id.0].1
    }

    /// Names that a line may begin with, for suggestions.
    pub(super) fn of_nodes(&self) -> impl Iterator<Item = &str> {
        self.nodes.keys().map(String::as_str)
    }

    /// Whether nothing is to be said about an unknown name.
    pub(super) fn is_silent(&self, name: &str) -> bool {
        self.open || self.broken.contains(name)
    }

    /// Gives every node its id.
    pub(super) fn declare<'n>(&mut self, root: &'n Node, params: &Params, sink: &Sink) -> Vec<Declared<'n>> {
        let mut declared = Vec::new();
        for role in Role::ALL {
            for (key, node) in root.get(role.section()).map_or(&[][..], Node::entries) {
                self.declare_one(key, node, role, params, sink, &mut declared);
            }
            if role == Role::RawBroker && declared.is_empty() && self.broken.is_empty() {
                let role = Role::Broker;
                let name = "broker".to_owned();
                self.add(&name, role);
                declared.push(Declared { name, role, node: None, member: None });
            }
        }
        for role in Role::ALL {
            let all: Vec<_> = self.ids().filter(|id| self.role(*id) == role).collect();
            if !all.is_empty() {
                self.nodes.insert(role.section().to_owned(), all);
            }
        }
        declared
    }

    fn declare_one<'n>(
        &mut self,
        key: &Node,
        node: &'n Node,
        role: Role,
        params: &Params,
        sink: &Sink,
        declared: &mut Vec<Declared<'n>>,
    ) {
        let Some(name) = key.text() else { return };
        if !check_name(key, "a node", sink) {
            self.broken.insert(name.to_owned());
            return;
        }
        if self.nodes.contains_key(name) {
            sink.push(key.span, format!("a second node called `{name}`"), None);
            return;
        }
        let Some(count) = node.get("count") else {
            self.add(name, role);
            declared.push(Declared { name: name.to_owned(), role, node: Some(node), member: None });
            return;
        };
        // Of a group of no good size one member is read, for what else is wrong.
        let count = group_size(&params.substitute(count, sink), role, self.list.len(), sink);
        if count.is_none() {
            self.broken.insert(name.to_owned());
        }
        let count = count.unwrap_or(1);
        let mut members = Vec::new();
        for member in 1..=count {
            let name = format!("{name}.{member}");
            members.push(self.add(&name, role));
            declared.push(Declared { name, role, node: Some(node), member: Some(member) });
        }
        self.nodes.insert(name.to_owned(), members);
    }

    fn add(&mut self, name: &str, role: Role) -> NodeId {
        let id = NodeId(self.list.len());
        self.list.push((name.to_owned(), role));
        self.nodes.insert(name.to_owned(), vec![id]);
        id
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.list.len()).map(NodeId)
    }
}

fn group_size(count: &Node, role: Role, existing: usize, sink: &Sink) -> Option<u64> {
    let fail = |message: String| {
        sink.push(count.span, message, None);
        None
    };
    if role.is_broker() {
        return fail("a broker cannot be a group; name each of them".to_owned());
    }
    if count.kind == Kind::Broken {
        return None;
    }
    let most = MAX_NODES.saturating_sub(existing);
    match count.text().and_then(|text| text.parse::<usize>().ok()) {
        Some(value) if (1..=most).contains(&value) => u64::try_from(value).ok(),
        _ => fail(format!("expected how many members the group has, 1 to {most}, found `{}`", count.flow())),
    }
}

/// Whether a key is a good name for a node or a mark; reported if it is not.
pub(super) fn check_name(key: &Node, what: &str, sink: &Sink) -> bool {
    let name = key.text().unwrap_or_default();
    let sections = Role::ALL.map(Role::section);
    if RESERVED.contains(&name) || super::time::packet_kind(name).is_some() || sections.contains(&name) {
        let message = format!("`{name}` is a word of the language and cannot name {what}; choose another");
        sink.push(key.span, message, Some(super::reference::see("name")));
        return false;
    }
    check_letters(key, what, sink)
}

/// Whether a key has the letters of a name; reported if it has not. Parameters stand in brackets of their own and may
/// have the names of words.
pub(super) fn check_letters(key: &Node, what: &str, sink: &Sink) -> bool {
    let name = key.text().unwrap_or_default();
    if key.kind == Kind::Broken {
        return false;
    }
    let begins = name.starts_with(|c: char| c.is_alphabetic());
    if !begins || !name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') || name.ends_with('-') {
        let rule = match name.split_once(':') {
            Some(_) => "is there a space behind each colon?",
            None => "a name begins with a letter and has letters, digits, `_` and `-`",
        };
        sink.push(key.span, format!("`{}` cannot name {what}; {rule}", name.escape_debug()), None);
        return false;
    }
    true
}

/// All marks that the story sets, wherever in it.
pub(super) fn collect_marks(steps: &Node, marks: &mut BTreeSet<String>) {
    match &steps.kind {
        Kind::List(items) => items.iter().for_each(|item| collect_marks(item, marks)),
        Kind::Map(entries) => {
            for (key, value) in entries {
                match (key.text(), value.text()) {
                    (Some("mark"), Some(name)) => drop(marks.insert(name.to_owned())),
                    _ => collect_marks(value, marks),
                }
            }
        }
        Kind::Scalar(_) | Kind::Broken => {}
    }
}

impl Reader<'_> {
    /// The nodes that a name stands for.
    pub(super) fn nodes(&self, node: &Node) -> Option<Vec<NodeId>> {
        let name = self.scalar(node, "a node")?;
        if let Some(ids) = self.names.nodes.get(name) {
            return Some(ids.clone());
        }
        if let Some((of, _)) = name.split_once('#').filter(|(of, _)| self.names.nodes.contains_key(*of)) {
            let message =
                format!("`{name}` is a connection; write the node, `{of}`, and `connection: {name}` beside it");
            self.error_with_note(node, message, super::reference::see("a connection"));
        } else if !self.names.is_silent(name) {
            self.unknown_node(node, name);
        }
        None
    }

    fn unknown_node(&self, node: &Node, name: &str) {
        let hint = did_you_mean(name, self.names.of_nodes());
        let message = format!("unknown node `{name}`{hint}");
        let known: Vec<_> = self.names.list.iter().map(|(name, _)| name.as_str()).collect();
        match hint.is_empty() && known.len() <= FEW_NODES {
            true => self.error_with_note(node, message, format!("nodes: {}", known.join(", "))),
            false => self.error(node, message),
        }
    }

    /// The one node that a name stands for.
    pub(super) fn node(&self, node: &Node) -> Option<NodeId> {
        let ids = self.nodes(node)?;
        if let [only] = ids.as_slice() {
            return Some(*only);
        }
        let name = node.text().unwrap_or_default();
        self.error(node, format!("`{name}` is a group, where one node is expected, as in `{name}.1`"));
        None
    }
}
