//! What a file says about itself.

use std::collections::BTreeMap;

use halfopen_protocol::{Version, normative};

use crate::field_cases;
use crate::plan::{Invariant, Waiver};

use super::conditions::{FEATURES, ONLY_ON};
use super::error::Sink;
use super::keys::{Key, Table, Takes, key};
use super::link::LINK;
use super::names::Role;
use super::node::{BROKER, CLIENT, RAW_BROKER, RAW_CLIENT};
use super::reader::found;
use super::reference::see;
use super::suggest::{did_you_mean, one_of};
use super::tree::{Kind, Node};

/// The keys of a file.
pub(super) const FILE: Table = Table { what: "a scenario", keys: &[KEYS] };

const KEYS: &[Key] = &[
    key("grammar", "the version of this language: 1").takes(Takes::Words(GRAMMAR)).or("1"),
    key("mqtt", "`3.1.1`, `5.0` or a list").takes(VERSIONS).or("both"),
    key("about", "a sentence for reports").takes(Takes::Text),
    key("tags", "words to select by").takes(Takes::Several(&Takes::Text)),
    key("cases", "reports that this is about: ids of the cases from the field, URLs, or references of your own").takes(Takes::Several(&Takes::Text)),
    key("clauses", "version → ids of the statements that this checks").takes(Takes::Map(&CLAUSES)),
    key("matrix", "name → list: axes; the runs are their product")
        .takes(Takes::Named(&Takes::Several(&Takes::Anything))),
    key("table", "a list of rows: one axis with several names; `case` names the run").takes(Takes::List(&Takes::Row)),
    key("let", "name → value: values that are no axis").takes(Takes::Named(&Takes::Anything)),
    key("seeds", "how many random seeds, or a list").takes(Takes::Several(&Takes::Number(0, u64::MAX))).or("1"),
    key("brokers", "name → broker").takes(Takes::Named(&Takes::Map(&BROKER))).or("one called `broker`"),
    key("clients", "name → client").takes(Takes::Named(&Takes::Map(&CLIENT))),
    key("raw_clients", "name → raw client").takes(Takes::Named(&Takes::Map(&RAW_CLIENT))),
    key("network", "what all links are like").takes(Takes::Map(&LINK)),
    key("links", "`a -> b` or `a <-> b` → what one link is like").takes(Takes::Named(&Takes::Map(&LINK))),
    key("steps", "the story").takes(Takes::Steps),
    key("expect", "what must be true of it").takes(Takes::Expectations),
    key("until", "the end of the run").takes(Takes::Moment).or("when all is decided, and 1s more"),
    key("tolerance", "how much earlier or later than expected something may come").takes(Takes::Duration).or("0ms"),
    key("waive", "invariant → the reason why it does not hold here").takes(Takes::Map(&WAIVE)),
    key("requires", "optional features of the broker without which the run is skipped")
        .takes(Takes::Several(&Takes::Words(FEATURES))),
    key("include", "paths of fragments, from the folder of this file: their nodes, links, values and waivers are added, their steps go first")
        .takes(Takes::Several(&Takes::Text)),
    key("exclude", "combinations of values that are left out: name → value or values; a list for several").takes(EXCLUDE),
    key("raw_brokers", "name → raw broker").takes(Takes::Named(&Takes::Map(&RAW_BROKER))),
    key("only_on", "the engines that can run it").takes(Takes::Map(&ONLY_ON)).or("all"),
];

/// The keys of a fragment.
pub(super) const FRAGMENT: Table = Table {
    what: "a fragment",
    keys: &[&[
        key("grammar", "the version of this language: 1").takes(Takes::Words(GRAMMAR)).or("1"),
        key("about", "a sentence").takes(Takes::Text),
        key("include", "further fragments, from the folder of this one").takes(Takes::Several(&Takes::Text)),
        key("let", "name → value").takes(Takes::Named(&Takes::Anything)),
        key("brokers", "name → broker").takes(Takes::Named(&Takes::Map(&BROKER))),
        key("clients", "name → client").takes(Takes::Named(&Takes::Map(&CLIENT))),
        key("raw_clients", "name → raw client").takes(Takes::Named(&Takes::Map(&RAW_CLIENT))),
        key("raw_brokers", "name → raw broker").takes(Takes::Named(&Takes::Map(&RAW_BROKER))),
        key("links", "`a -> b` or `a <-> b` → what one link is like").takes(Takes::Named(&Takes::Map(&LINK))),
        key("steps", "what comes before the scenario's own steps").takes(Takes::Steps),
        key("waive", "invariant → the reason why it does not hold").takes(Takes::Map(&WAIVE)),
    ]],
};

/// The versions of this language.
const GRAMMAR: &[Key] = &[key("1", "the first")];

const EXCLUDE: Takes = Takes::Several(&Takes::Named(&Takes::Several(&Takes::Anything)));

const VERSIONS: Takes = Takes::Several(&Takes::Version);

const CLAUSES: Table = Table {
    what: "`clauses`",
    keys: &[&[
        key("3.1.1", "ids of statements of 3.1.1, as `MQTT-3.1.2-24`").takes(Takes::Several(&Takes::Text)),
        key("5.0", "ids of statements of 5.0, as `MQTT-3.1.2-22`").takes(Takes::Several(&Takes::Text)),
    ]],
};

const WAIVE: Table = Table {
    what: "`waive`",
    keys: &[&[
        key("client_keeps_its_interval", "a client leaves no silence longer than its keep-alive").takes(Takes::Text),
        key("broker_keeps_its_deadline", "a broker closes a silent client at 1.5 keep-alives").takes(Takes::Text),
        key("qos_1_at_least_once", "what was published at QoS 1 arrives").takes(Takes::Text),
        key("qos_2_exactly_once", "what was published at QoS 2 arrives once").takes(Takes::Text),
        key("topic_order", "messages of a topic arrive in their order").takes(Takes::Text),
        key("packet_ids", "a packet id is in use once at a time").takes(Takes::Text),
        key("receive_maximum", "nobody sends more ahead than the other side allows").takes(Takes::Text),
        key("nothing_after_disconnect", "nobody sends after DISCONNECT").takes(Takes::Text),
        key("resend_only_on_resume", "packets are sent again only when a session is resumed").takes(Takes::Text),
        key("no_orphans", "no state of sessions is left that nothing belongs to").takes(Takes::Text),
    ]],
};

/// What a file says about itself, for reports and for those who choose what to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// A sentence.
    pub about: Option<String>,
    /// What the comment at the top of the file says: its first lines up to the first that is none.
    pub comment: String,
    /// Words to select by.
    pub tags: Vec<String>,
    /// Reports that it is about: ids of cases from the field, and references of one's own.
    pub cases: Vec<String>,
    /// Ids of normative statements by version, those of the table's rows among them.
    pub clauses: BTreeMap<Version, Vec<String>>,
    /// Invariants that do not hold here, and why.
    pub waived: Vec<Waiver>,
}

impl About {
    pub(super) fn read(root: &Node, source: &str, sink: &Sink) -> Self {
        let texts = |name: &str| root.get(name).map(|node| texts(node, sink)).unwrap_or_default();
        let mut about = Self {
            about: text(root.get("about"), sink),
            comment: comment(source),
            tags: texts("tags"),
            cases: root.get("cases").map(|node| cases(node, sink)).unwrap_or_default(),
            ..Self::default()
        };
        let versions = "versions and ids, as in `{ 5.0: [MQTT-3.1.2-22] }`";
        for (version, ids) in root.get("clauses").map_or(&[][..], |node| entries(node, versions, sink)) {
            let number = match version.text() {
                Some("3.1.1") => Version::V3_1_1,
                Some("5.0") => Version::V5_0,
                _ => {
                    let message = format!("unknown version `{}`; there are `3.1.1` and `5.0`", version.flow());
                    sink.push(version.span, message, None);
                    continue;
                }
            };
            about.clauses.entry(number).or_default().extend(clauses(ids, Some(number), sink));
        }
        about.clauses_of_table(root, sink);
        let reasons = "invariants and reasons, as in `{ client_keeps_its_interval: The device is silent on purpose. }`";
        for (invariant, reason) in root.get("waive").map_or(&[][..], |node| entries(node, reasons, sink)) {
            about.waived.extend(waived(invariant, reason, sink));
        }
        about
    }

    fn clauses_of_table(&mut self, root: &Node, sink: &Sink) {
        let Some(Kind::List(rows)) = root.get("table").map(|table| &table.kind) else { return };
        for row in rows {
            let Some(clause) = row.get("clause") else { continue };
            let version = match row.get("mqtt").and_then(Node::text) {
                Some("3.1.1") => Some(Version::V3_1_1),
                Some("5.0") => Some(Version::V5_0),
                _ => None,
            };
            let ids = clauses(clause, version, sink);
            match version {
                Some(version) => self.clauses.entry(version).or_default().extend(ids),
                None => {
                    let message =
                        "a row with a `clause` needs `mqtt`: both versions use the same numbers for different things";
                    sink.push(clause.span, message, None);
                }
            }
        }
    }
}

/// Reports keys that a file cannot have, and a file without any content.
pub(super) fn check_keys(root: &Node, table: &'static Table, sink: &Sink) {
    let what = table.what;
    let Kind::Map(entries) = &root.kind else {
        sink.push(root.span, format!("{what} is a map with keys such as `clients`, `steps` and `expect`"), None);
        return;
    };
    for (name, value) in entries {
        let Some(text) = name.text() else { continue };
        match table.find(text) {
            None if FILE.find(text).is_some() => {
                sink.push(name.span, format!("`{text}` cannot stand in a fragment; it belongs to the scenario"), None);
            }
            None => {
                let names = || table.all().map(|key| key.name);
                let hint = did_you_mean(text, names());
                let note = match hint.is_empty() {
                    true => format!("known: {}; {}", names().collect::<Vec<_>>().join(", "), see(what)),
                    false => see(what),
                };
                sink.push(name.span, format!("unknown key `{text}` in {what}{hint}"), Some(note));
            }
            Some(_) if text == "grammar" && value.text() != Some("1") => {
                sink.push(value.span, "this version knows grammar 1", None);
            }
            Some(_) if is_section(text) && !value.is_null() && !matches!(value.kind, Kind::Map(_) | Kind::Broken) => {
                let kind = text.trim_end_matches('s').replace('_', " ");
                let message = format!(
                    "expected a map of names, each with a {kind}, as in `{{ a: {{}} }}`, found {}",
                    found(value)
                );
                sink.push(value.span, message, Some(see(&format!("a {kind}"))));
            }
            Some(_)
                if matches!(text, "steps" | "expect")
                    && matches!(&value.kind, Kind::List(items) if items.is_empty()) =>
            {
                sink.push(value.span, format!("`{text}` has no line; leave it out"), None);
            }
            Some(_) if value.is_null() => {
                sink.push(name.span, format!("`{text}` without a value; leave it out"), None);
            }
            Some(_) => {}
        }
    }
    let has_story = ["steps", "expect", "include"].into_iter().any(|name| root.get(name).is_some());
    let is_whole = entries.iter().all(|(_, value)| value.kind != Kind::Broken);
    // A key that is misspelt may have been meant for one of them, and is reported.
    let is_known = entries.iter().all(|(key, _)| key.text().is_some_and(|name| FILE.find(name).is_some()));
    if !has_story && is_whole && is_known && what == FILE.what {
        sink.push(root.span, "nothing happens here: neither `steps` nor `expect`", None);
    }
}

/// Whether nodes are declared under this key.
pub(super) fn is_section(name: &str) -> bool {
    Role::ALL.iter().any(|role| role.section() == name)
}

/// What stands in the comment with which a file begins, without the line for editors.
fn comment(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix('#')).map(str::trim);
    lines.filter(|line| !line.starts_with("yaml-language-server")).collect::<Vec<_>>().join(" ")
}

fn entries<'n>(node: &'n Node, of: &str, sink: &Sink) -> &'n [(Node, Node)] {
    if !matches!(node.kind, Kind::Map(_) | Kind::Broken) && !node.is_null() {
        sink.push(node.span, format!("expected a map of {of}"), None);
    }
    node.entries()
}

fn text(node: Option<&Node>, sink: &Sink) -> Option<String> {
    let node = node?;
    if node.text().is_none() && node.kind != Kind::Broken {
        sink.push(node.span, format!("expected a text, found {}", found(node)), None);
    }
    node.text().map(str::to_owned)
}

fn texts(node: &Node, sink: &Sink) -> Vec<String> {
    let items = match &node.kind {
        Kind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    items.iter().filter_map(|item| text(Some(item), sink)).collect()
}

/// Ids of statements, each of which the version has.
fn clauses(node: &Node, version: Option<Version>, sink: &Sink) -> Vec<String> {
    let known: Vec<_> = version.map_or_else(
        || normative::ids(Version::V3_1_1).chain(normative::ids(Version::V5_0)).collect(),
        |version| normative::ids(version).collect(),
    );
    let of = version.map(|version| format!(" of {version}")).unwrap_or_default();
    known_ids(node, &known, sink, |id| {
        Some(match id.starts_with("MQTT-") {
            true => format!("no statement{of} is called `{id}`"),
            false => format!("`{id}` is no clause; one is written `MQTT-3.1.2-22`"),
        })
    })
}

/// Ids of cases from the field, and references of one's own.
fn cases(node: &Node, sink: &Sink) -> Vec<String> {
    let known: Vec<_> = field_cases::ids().collect();
    let message = |id: &str| format!("no case from the field is called `{id}`");
    known_ids(node, &known, sink, |id| (!is_own_reference(id)).then(|| message(id)))
}

/// Whether a case is no misspelt id of the list, which has words of small letters and hyphens only: a URL, `#123`, `ABC-7`
/// or a sentence.
fn is_own_reference(id: &str) -> bool {
    let is_of_id = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !id.trim().is_empty() && !id.chars().all(is_of_id)
}

/// Reports each id that is not known, unless `message` has nothing to say of it.
fn known_ids(node: &Node, known: &[&str], sink: &Sink, message: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let items = match &node.kind {
        Kind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut ids: Vec<String> = Vec::new();
    for item in items {
        let Some(id) = text(Some(item), sink) else { continue };
        if let Some(message) = message(&id).filter(|_| !known.contains(&id.as_str())) {
            sink.push(item.span, format!("{message}{}", did_you_mean(&id, known.iter().copied())), None);
        } else if ids.contains(&id) {
            sink.push(item.span, format!("`{id}` stands here twice"), None);
        }
        ids.push(id);
    }
    ids
}

fn waived(key: &Node, reason: &Node, sink: &Sink) -> Option<Waiver> {
    let name = key.text()?;
    let Some(invariant) = Invariant::named(name) else {
        let names = || WAIVE.all().map(|key| key.name);
        let hint = did_you_mean(name, names());
        let note = format!("one of {}; {}", one_of(names()), see(WAIVE.what));
        sink.push(key.span, format!("unknown invariant `{name}`{hint}"), Some(note));
        return None;
    };
    match reason.text().filter(|_| !reason.is_null()) {
        Some(reason) => Some(Waiver { position: key.span.start, invariant, reason: reason.to_owned() }),
        None => {
            sink.push(reason.span, format!("`{name}` is waived without a reason; say why it does not hold here"), None);
            None
        }
    }
}
