//! A group as the other end of an expectation: the line is said of each member.

use crate::plan::NodeId;

use super::expect::AROUND;
use super::reader::Reader;
use super::tree::{Kind, Node, Scalar};

/// Keys whose value is the other end.
const ENDS: [&str; 4] = ["closes", "loses", "to", "from"];

/// Keys whose value may name nodes in events.
const TIMES: [&str; 5] = ["at", "within", "between", "not_before", "during"];

/// So many members a line is said of.
const MOST: usize = 1_000;

impl Reader<'_> {
    /// The lines that a line stands for: one for each member of a group that is its other end, or that its times are
    /// about.
    pub(super) fn each(&self, line: &Node) -> Vec<Node> {
        let Some((subject, fields)) = inside(line) else { return vec![line.clone()] };
        let of_keys = |keys: &'static [&'static str]| {
            fields.entries().iter().filter(|(key, _)| is_one_of(key, keys)).map(|(_, value)| value)
        };
        let is_group = |node: &Node| node.text().is_some_and(|name| self.members(name).is_some());
        // The subject may stay a group if nothing depends on which member it is.
        let is_timed = |name: &str| of_keys(&TIMES).any(|time| time.text().is_some_and(|text| has_word(text, name)));
        let matters = of_keys(&ENDS).any(is_group) || subject.text().is_some_and(is_timed);
        let subjects = std::iter::once(subject).filter(|_| matters);
        for node in subjects.chain(of_keys(&ENDS)) {
            let Some((name, members)) = node.text().and_then(|name| Some((name, self.members(name)?))) else {
                continue;
            };
            if members.len() > MOST {
                self.error(node, format!("`{name}` has more than {MOST} members; say it of one, as in `{name}.1`"));
                return Vec::new();
            }
            let others = subject.text().and_then(|name| self.names.nodes.get(name));
            let is_linked =
                |id: &&NodeId| others.is_some_and(|others| others.iter().any(|other| self.is_connected(*other, **id)));
            // Of an end only those count that have a link with the subject, if any has.
            let linked: Vec<&NodeId> = members.iter().filter(is_linked).collect();
            let members = if linked.is_empty() { members.iter().collect() } else { linked };
            let of = |id: &NodeId| self.each(&replaced(line, name, &self.names.list[id.0].0));
            return members.into_iter().flat_map(of).collect();
        }
        vec![line.clone()]
    }

    /// The members of a group that is not a single node by itself.
    fn members(&self, name: &str) -> Option<&Vec<NodeId>> {
        let members = self.names.nodes.get(name)?;
        (!members.iter().all(|id| self.names.list[id.0].0 == name)).then_some(members)
    }
}

/// Head and body of the line in `never` and `should`.
fn inside(line: &Node) -> Option<(&Node, &Node)> {
    let [(key, value)] = line.entries() else { return None };
    match AROUND.iter().any(|around| key.text() == Some(around.name)) {
        true => inside(value),
        false => Some((key, value)),
    }
}

/// The line about a member instead of the group.
fn replaced(line: &Node, group: &str, member: &str) -> Node {
    let [(key, value)] = line.entries() else { return line.clone() };
    let entry = match AROUND.iter().any(|around| key.text() == Some(around.name)) {
        true => (key.clone(), replaced(value, group, member)),
        false => {
            let field = |(key, value): &(Node, Node)| {
                let is_end = is_one_of(key, &ENDS) && value.text() == Some(group);
                let is_named = is_one_of(key, &TIMES) || key.text() == Some("connection");
                let is_time = is_named && value.text().is_some_and(|text| has_word(text, group));
                match is_end || is_time {
                    true => (key.clone(), with_word(value, group, member)),
                    false => (key.clone(), value.clone()),
                }
            };
            let fields = Kind::Map(value.entries().iter().map(field).collect());
            let body =
                if let Kind::Map(_) = value.kind { Node { kind: fields, ..value.clone() } } else { value.clone() };
            (if key.text() == Some(group) { with_word(key, group, member) } else { key.clone() }, body)
        }
    };
    Node { kind: Kind::Map(vec![entry]), ..line.clone() }
}

fn is_one_of(key: &Node, names: &[&str]) -> bool {
    key.text().is_some_and(|key| names.contains(&key))
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c| !is_of_word(c)).any(|part| part == word)
}

fn with_word(node: &Node, word: &str, other: &str) -> Node {
    let Kind::Scalar(scalar) = &node.kind else { return node.clone() };
    let mut text = String::new();
    for part in scalar.text.split_inclusive(|c| !is_of_word(c)) {
        match part.strip_prefix(word).filter(|rest| rest.chars().all(|c| !is_of_word(c))) {
            Some(rest) => text.push_str(&format!("{other}{rest}")),
            None => text.push_str(part),
        }
    }
    Node { kind: Kind::Scalar(Scalar { text, quoted: scalar.quoted, offset: None }), ..node.clone() }
}
