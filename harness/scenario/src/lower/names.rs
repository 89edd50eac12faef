//! The names of a run: nodes, groups and marks.

use std::collections::{BTreeMap, BTreeSet};

use crate::ast::{
    Broker, Client, Env, EventNode, File, Fragment, GroupSize, Name, Nodes, Outline, Param, Place, RawBroker,
    RawClient, value_of,
};
use crate::error::{Diagnostics, Span};
use crate::plan::NodeId;
use crate::time::{RESERVED, packet_kind};
use crate::tree::{Node, NodeKind};

use super::{Lower, MAX_NODES_OF_A_RUN, params::has_parameters};

/// The role of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Broker,
    Client,
    RawClient,
    RawBroker,
}

impl Role {
    pub(crate) const ALL: [Self; 4] = [Self::Broker, Self::RawBroker, Self::Client, Self::RawClient];

    /// Returns whether clients connect to it.
    pub(crate) fn is_broker(self) -> bool {
        matches!(self, Self::Broker | Self::RawBroker)
    }

    pub(crate) fn is_raw(self) -> bool {
        matches!(self, Self::RawClient | Self::RawBroker)
    }

    /// The key of the file under which its nodes stand, which is also the name of the group of all of them.
    pub(crate) fn section(self) -> &'static str {
        match self {
            Self::Broker => "brokers",
            Self::Client => "clients",
            Self::RawClient => "raw_clients",
            Self::RawBroker => "raw_brokers",
        }
    }

    pub(crate) fn with_article(self) -> &'static str {
        match self {
            Self::Broker => "a broker",
            Self::Client => "a client",
            Self::RawClient => "a raw client",
            Self::RawBroker => "a raw broker",
        }
    }
}

/// The nodes and marks of a file and its fragments, `trees`; names that are wrong are reported.
pub(crate) fn outline(trees: &[&Node], is_open: bool, diagnostics: &Diagnostics) -> Outline {
    let mut outline = Outline { is_open, ..Outline::default() };
    let mut places: BTreeMap<&str, Span> = BTreeMap::new();
    for role in Role::ALL {
        for (key, node) in trees.iter().filter_map(|tree| tree.get(role.section())).flat_map(Node::entries) {
            let Some(name) = key.text() else { continue };
            if !check_name(key, "a node", diagnostics) {
                outline.broken.insert(name.to_owned());
            } else if let Some(first) = places.get(name) {
                diagnostics.push_second(key.span, *first, format!("a second node called `{name}`"));
            } else if outline.nodes.contains_key(name) {
                diagnostics.push(key.span, format!("a second node called `{name}`"), None);
            } else {
                places.insert(name, key.span);
                outline.nodes.insert(name.to_owned(), role);
                if !role.is_broker() && node.get("count").is_some() {
                    outline.groups.insert(name.to_owned());
                }
            }
        }
        if role == Role::RawBroker && outline.nodes.is_empty() && outline.broken.is_empty() {
            outline.nodes.insert("broker".to_owned(), Role::Broker);
        }
    }
    trees.iter().filter_map(|tree| tree.get("steps")).for_each(|steps| collect_marks(steps, &mut outline));
    outline
}

/// All marks that a list of steps, or a step, sets.
fn collect_marks(steps: &Node, outline: &mut Outline) {
    match &steps.kind {
        NodeKind::List(items) => items.iter().for_each(|item| collect_marks(item, outline)),
        NodeKind::Map(entries) => {
            for (key, value) in entries {
                match (key.text(), value.text()) {
                    (Some("mark"), Some(_)) if has_parameters(value) => outline.has_unknown_marks = true,
                    (Some("mark"), Some(name)) => drop(outline.marks.insert(name.to_owned())),
                    (Some("repeat" | "every" | "whenever" | "when" | "any_order" | "sweep" | "steps" | "fault"), _) => {
                        collect_marks(value, outline);
                    }
                    _ => {}
                }
            }
        }
        // A parameter may stand for a step.
        NodeKind::Scalar(_) => outline.has_unknown_marks |= has_parameters(steps),
        NodeKind::Broken => {}
    }
}

/// Everything in a run that has a name.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Nodes and groups, and whom they stand for.
    pub(super) nodes: BTreeMap<String, Vec<NodeId>>,
    /// Name and role of each node, by its id.
    pub(super) list: Vec<(String, Role)>,
    /// The broker of each node that has one, by its id, the first of several.
    pub(super) broker_of: BTreeMap<NodeId, NodeId>,
    /// The further brokers of each client that may have several.
    pub(super) further_brokers: BTreeMap<NodeId, Vec<NodeId>>,
    /// True if the file sets the transport of a broker.
    pub(super) has_transport: bool,
    /// Names that exist, but whose definition is wrong.
    pub(super) broken: BTreeSet<String>,
}

/// The settings of a node in a file.
#[derive(Clone, Copy)]
pub(super) enum Settings<'a> {
    Default,
    Broker(&'a Param<Broker>),
    RawBroker(&'a Param<RawBroker>),
    Client(&'a Param<Client>),
    RawClient(&'a Param<RawClient>),
}

/// A node as the file declares it, or one member of a group.
pub(super) struct Declared<'a> {
    pub(super) name: String,
    pub(super) settings: Settings<'a>,
    /// The number of a member of a group, from 1.
    pub(super) member: Option<u64>,
}

/// Returns all nodes that a file and its fragments declare, brokers first.
fn declarations<'a>(
    file: &'a File,
    fragments: &'a [Fragment],
) -> Vec<(&'a Name, Settings<'a>, Option<&'a Param<GroupSize>>)> {
    fn of<T>(nodes: Option<&Nodes<T>>) -> impl Iterator<Item = (&Name, &Param<T>)> {
        nodes.into_iter().flat_map(|nodes| nodes.0.iter().map(|(name, node)| (name, node)))
    }
    macro_rules! all {
        ($section:ident) => {
            fragments.iter().flat_map(|fragment| of(value_of(&fragment.$section))).chain(of(value_of(&file.$section)))
        };
    }
    let mut all = Vec::new();
    all.extend(all!(brokers).map(|(name, node)| (name, Settings::Broker(node), None)));
    all.extend(all!(raw_brokers).map(|(name, node)| (name, Settings::RawBroker(node), None)));
    all.extend(all!(clients).map(|(name, node)| {
        let count = node.literal().and_then(|client| value_of(&client.common.count));
        (name, Settings::Client(node), count)
    }));
    all.extend(all!(raw_clients).map(|(name, node)| {
        let count = node.literal().and_then(|client| value_of(&client.common.count));
        (name, Settings::RawClient(node), count)
    }));
    all
}

impl Settings<'_> {
    pub(super) fn role(self) -> Role {
        match self {
            Self::Default | Self::Broker(_) => Role::Broker,
            Self::RawBroker(_) => Role::RawBroker,
            Self::Client(_) => Role::Client,
            Self::RawClient(_) => Role::RawClient,
        }
    }
}

impl Names {
    /// Returns all brokers that a client may connect to.
    pub(super) fn brokers_of(&self, client: NodeId) -> impl Iterator<Item = NodeId> {
        let further = self.further_brokers.get(&client).into_iter().flatten();
        self.broker_of.get(&client).into_iter().chain(further).copied()
    }

    pub(super) fn role(&self, id: NodeId) -> Role {
        self.list[id.0].1
    }

    pub(super) fn name(&self, id: NodeId) -> &str {
        &self.list[id.0].0
    }

    /// Gives every node its id.
    pub(super) fn declare<'a>(
        &mut self,
        file: &'a File,
        fragments: &'a [Fragment],
        env: &Env<'_>,
    ) -> Vec<Declared<'a>> {
        let outline = env.reading.outline;
        self.broken = outline.broken.clone();
        let mut declared = Vec::new();
        let all = declarations(file, fragments);
        let has_default = outline.nodes.contains_key("broker") && all.iter().all(|(name, ..)| name.text != "broker");
        if has_default {
            self.add("broker", Role::Broker);
            declared.push(Declared { name: "broker".to_owned(), settings: Settings::Default, member: None });
        }
        for (name, settings, count) in all {
            let name = &name.text;
            // One that is wrong, or there already, has been reported.
            if outline.nodes.get(name) != Some(&settings.role()) || self.nodes.contains_key(name) {
                continue;
            }
            let Some(count) = count else {
                self.add(name, settings.role());
                declared.push(Declared { name: name.clone(), settings, member: None });
                continue;
            };
            // Of a group of no good size one member is lowered, for what else is wrong.
            let size = group_size(count, self.list.len(), env);
            if size.is_none() {
                self.broken.insert(name.clone());
            }
            let mut members = Vec::new();
            for member in 1..=size.unwrap_or(1) {
                let name = format!("{name}.{member}");
                members.push(self.add(&name, settings.role()));
                declared.push(Declared { name, settings, member: Some(member) });
            }
            self.nodes.insert(name.clone(), members);
        }
        for role in Role::ALL {
            let all: Vec<_> = self.ids().filter(|id| self.role(*id) == role).collect();
            if !all.is_empty() {
                self.nodes.insert(role.section().to_owned(), all);
            }
        }
        declared
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

fn group_size(count: &Param<GroupSize>, existing: usize, env: &Env<'_>) -> Option<u64> {
    let size = count.get(env)?.into_owned().0;
    let most = MAX_NODES_OF_A_RUN.saturating_sub(existing);
    match size.0.text().and_then(|text| text.parse::<usize>().ok()) {
        Some(value) if (1..=most).contains(&value) => u64::try_from(value).ok(),
        _ => {
            let message = format!("expected how many members the group has, 1 to {most}, found `{}`", size.flow());
            env.reading.error(&size.0, message);
            None
        }
    }
}

/// Returns whether a key is a good name for a node or a mark; reported if it is not.
pub(crate) fn check_name(key: &Node, what: &str, diagnostics: &Diagnostics) -> bool {
    let name = key.text().unwrap_or_default();
    let sections = Role::ALL.map(Role::section);
    if RESERVED.contains(&name) || packet_kind(name).is_some() || sections.contains(&name) {
        let message = format!("`{name}` is a word of the language and cannot name {what}; choose another");
        diagnostics.push(key.span, message, Some(crate::reference::see("name")));
        return false;
    }
    key.kind != NodeKind::Broken && check_letters(name, key.span, what, diagnostics)
}

/// Returns whether a text has the letters of a name; reported if it has not. Parameters stand in brackets of their own
/// and may have the names of words.
pub(super) fn check_letters(name: &str, span: Span, what: &str, diagnostics: &Diagnostics) -> bool {
    let begins = name.starts_with(|c: char| c.is_alphabetic());
    if !begins || !name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') || name.ends_with('-') {
        let rule = match name.split_once(':') {
            Some(_) => "is there a space behind each colon?",
            None => "a name begins with a letter and has letters, digits, `_` and `-`",
        };
        diagnostics.push(span, format!("`{}` cannot name {what}; {rule}", name.escape_debug()), None);
        return false;
    }
    true
}

impl Lower<'_> {
    /// The nodes that a name stands for: those of its group, or the member of the group that a line is about.
    pub(super) fn known(&self, name: &str) -> Option<&Vec<NodeId>> {
        self.names.nodes.get(self.fill().name(name))
    }

    /// Returns whether an unknown name is not to be reported.
    pub(super) fn is_silent(&self, name: &str) -> bool {
        self.names.broken.contains(name) || self.env.reading.outline.is_silent(name)
    }

    /// The nodes that a name stands for; an unknown one is reported.
    pub(super) fn nodes(&self, name: &str, place: &Place) -> Option<Vec<NodeId>> {
        let known = self.known(name).cloned();
        if known.is_none() && !self.is_silent(name) {
            self.env.reading.unknown_node_at(place, name);
        }
        known
    }

    /// The one node that a name stands for; one that is unknown or a group is reported.
    pub(super) fn node(&self, name: &str, place: &Place) -> Option<NodeId> {
        let ids = self.nodes(name, place)?;
        if let [only] = ids.as_slice() {
            return Some(*only);
        }
        self.error(place, format!("`{name}` is a group, where one node is expected, as in `{name}.1`"));
        None
    }

    /// The one node of an event, or what is wrong with it.
    pub(super) fn event_node(&self, node: &EventNode) -> Result<NodeId, String> {
        let name = &node.name;
        match self.known(name).map(Vec::as_slice) {
            Some([only]) => Ok(*only),
            Some(_) => Err(format!("`{name}` is a group; an event is of one node, as in `{name}.1`")),
            None if self.is_silent(name) => Err(String::new()),
            None => Err(self.unknown(name)),
        }
    }

    pub(super) fn unknown(&self, name: &str) -> String {
        let known = self.names.nodes.keys().map(String::as_str);
        format!("unknown node `{name}`{}", crate::suggest::did_you_mean(name, known))
    }
}
