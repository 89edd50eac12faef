//! Reading typed values out of the tree: each reader gives the value, or reports what is wrong with it and gives
//! nothing. What has been reported already is passed over in silence.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use halfopen_protocol::Version;
use halfopen_protocol::packet::QoS;

use super::error::{Sink, Span};
use super::keys::{Key, Status, Table};
use super::names::Names;
use super::race::Orders;
use super::reference::see;
use super::suggest::{did_you_mean, one_of};
use super::time::{self, Exact, TimeError};
use super::tree::{Kind, Node};
use crate::plan::NthConnection;

/// So many words are named where one of them is expected.
const FEW_WORDS: usize = 4;

/// Large payloads by their size: all runs of a file share them.
pub(super) type Payloads = RefCell<BTreeMap<usize, Bytes>>;

/// What reading depends on: the version of the run and the names in it.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) sink: &'a Sink,
    pub(super) version: Version,
    /// Whether the file has runs of the other version, too.
    pub(super) both: bool,
    pub(super) names: &'a Names,
    pub(super) payloads: &'a Payloads,
    /// In which order the steps of each race come in this run.
    pub(super) races: &'a Orders,
    /// The connections that were spoken of, and where.
    pub(super) connections: &'a RefCell<Vec<(NthConnection, Span)>>,
}

impl<'a> Reader<'a> {
    pub(super) fn error(&self, node: &Node, message: impl Into<String>) {
        self.error_at(node, node.span, message, None);
    }

    pub(super) fn error_with_note(&self, node: &Node, message: impl Into<String>, note: impl Into<String>) {
        self.error_at(node, node.span, message, Some(note.into()));
    }

    fn error_at(&self, node: &Node, span: Span, message: impl Into<String>, note: Option<String>) {
        let used = node.used_as.as_ref().map(|(name, line)| format!("used as `<{name}>` in line {line}"));
        let notes: Vec<String> = [note, used].into_iter().flatten().collect();
        self.sink.push(span, message, (!notes.is_empty()).then(|| notes.join("; ")));
    }

    /// Reports what the language of times has to say about a text. An empty message has been reported elsewhere.
    pub(super) fn time_error(&self, node: &Node, error: &TimeError) {
        self.part_error(node, error, "time");
    }

    /// Reports what is wrong with some characters of a text, which is explained where `what` is.
    pub(super) fn part_error(&self, node: &Node, error: &TimeError, what: &str) {
        if !error.message.is_empty() {
            self.error_at(node, node.span_of(error.from, error.to), error.message.clone(), Some(see(what)));
        }
    }

    /// A list as it is, anything else as a list of one.
    pub(super) fn one_or_more<'n>(&self, node: &'n Node) -> &'n [Node] {
        match &node.kind {
            Kind::List(items) => {
                if items.is_empty() {
                    self.error(node, "an empty list");
                }
                items
            }
            _ => std::slice::from_ref(node),
        }
    }

    /// The items of a list.
    pub(super) fn list<'n>(&self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.kind {
            Kind::List(items) => items,
            Kind::Broken => &[],
            _ => {
                let dash = match node.entries().first() {
                    Some((key, _)) if key.text().is_some_and(|key| key.starts_with('-')) => {
                        "; a space is missing behind the `-`"
                    }
                    Some(_) => "; each begins with `- `",
                    None => "",
                };
                self.error(node, format!("expected a list of {what}, found {}{dash}", found(node)));
                &[]
            }
        }
    }

    /// The entries of a map with free names.
    pub(super) fn map<'n>(&self, node: &'n Node, what: &str) -> &'n [(Node, Node)] {
        match &node.kind {
            Kind::Map(entries) => entries,
            Kind::Broken => &[],
            _ => {
                self.error(node, format!("expected {what}, found {}", found(node)));
                &[]
            }
        }
    }

    /// The one entry of a map of one key.
    pub(super) fn line<'n>(&self, node: &'n Node, what: &str) -> Option<(&'n Node, &'n Node)> {
        match &node.kind {
            Kind::Broken => None,
            Kind::Map(entries) => match entries.as_slice() {
                [(key, value)] => Some((key, value)),
                [] => {
                    self.error(node, format!("{what} has one key, this one has none"));
                    None
                }
                [first, (second, _), ..] => {
                    let word = second.text().unwrap_or_default();
                    let how = place_of_second(what, first, word);
                    self.error(second, format!("a second key, `{word}`; {what} has one: {how}"));
                    None
                }
            },
            _ => {
                let colon = match node.text().and_then(|text| text.split_once(':')) {
                    Some((key, value)) if !value.starts_with(' ') => {
                        format!("; a space is missing: `{key}: {value}`")
                    }
                    _ => String::new(),
                };
                self.error(node, format!("expected {what}: a map of one key; found {}{colon}", found(node)));
                None
            }
        }
    }

    /// The keys of a map, all of them known to the table. Unknown ones are reported, the rest is read.
    pub(super) fn fields<'n>(&self, node: &'n Node, table: &'static Table) -> Option<Fields<'n>> {
        let entries = match &node.kind {
            Kind::Map(entries) => entries,
            Kind::Broken => return None,
            _ if node.is_null() => {
                self.error(node, format!("{} without a value; for the defaults write `{{}}`", table.what));
                return None;
            }
            _ => {
                self.error(node, format!("expected {} as a map, found {}", table.what, found(node)));
                return None;
            }
        };
        let mut fields = Fields { table, entries: Vec::new(), broken: false };
        for (name, value) in entries {
            match self.known_key(name, table) {
                Some(key) => fields.entries.push((key.name, name, value)),
                None => fields.broken = true,
            }
        }
        Some(fields)
    }

    fn known_key(&self, name: &Node, table: &Table) -> Option<&'static Key> {
        let text = name.text()?;
        let Some(key) = table.find(text) else {
            let names = || table.all().filter(|key| !matches!(key.status, Status::Never(_))).map(|key| key.name);
            let hint = match glued(text, names()) {
                Some(hint) => hint,
                None => did_you_mean(text, names()),
            };
            let message = format!("unknown key `{text}` in {}{hint}", table.what);
            let see = see(table.what);
            if hint.is_empty() {
                let known = names().collect::<Vec<_>>().join(", ");
                self.error_with_note(name, message, format!("known: {known}; {see}"));
            } else {
                self.error_with_note(name, message, see);
            }
            return None;
        };
        self.usable(name, key).then_some(key)
    }

    /// Whether a key or word works here; reported if it does not.
    pub(super) fn usable(&self, node: &Node, key: &Key) -> bool {
        let name = key.name;
        match key.status {
            Status::Ready => return true,
            Status::Since5 if self.version.is_v5() => return true,
            Status::Since5 => self.error(node, self.belongs_to_5(name)),
            Status::Never(reason) => self.error(node, reason),
        }
        false
    }

    pub(super) fn belongs_to_5(&self, name: &str) -> String {
        let here = if self.both { "this file also runs on 3.1.1" } else { "this runs on 3.1.1" };
        let instead =
            if name == "session_expiry" { ", or write `clean: false` for a session kept in both" } else { "" };
        format!("`{name}` belongs to 5.0, but {here}; add `mqtt: 5.0`{instead}")
    }

    /// The text of a scalar.
    pub(super) fn scalar<'n>(&self, node: &'n Node, expected: &str) -> Option<&'n str> {
        match &node.kind {
            Kind::Broken => None,
            Kind::Scalar(scalar) if !node.is_null() => Some(&scalar.text),
            _ => {
                self.error(node, format!("expected {expected}, found {}", found(node)));
                None
            }
        }
    }

    pub(super) fn boolean(&self, node: &Node) -> Option<bool> {
        match self.scalar(node, "`true` or `false`")? {
            "true" => Some(true),
            "false" => Some(false),
            other => {
                self.error(node, format!("expected `true` or `false`, found `{other}`"));
                None
            }
        }
    }

    /// A whole number, decimal or as `0x…`.
    pub(super) fn number(&self, node: &Node, range: RangeInclusive<u64>) -> Option<u64> {
        let text = self.scalar(node, "a number")?;
        let parsed = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            None => None,
        };
        match parsed {
            Some(value) if range.contains(&value) => Some(value),
            Some(value) => {
                self.error(node, format!("{value} is not between {} and {}", range.start(), range.end()));
                None
            }
            None => {
                self.error(node, format!("expected a whole number, found `{text}`"));
                None
            }
        }
    }

    pub(super) fn number_u8(&self, node: &Node) -> Option<u8> {
        self.number(node, 0..=u64::from(u8::MAX)).and_then(|value| u8::try_from(value).ok())
    }

    pub(super) fn number_u16(&self, node: &Node, least: u16) -> Option<u16> {
        self.number(node, u64::from(least)..=u64::from(u16::MAX)).and_then(|value| u16::try_from(value).ok())
    }

    pub(super) fn number_u32(&self, node: &Node, range: RangeInclusive<u32>) -> Option<u32> {
        self.number(node, u64::from(*range.start())..=u64::from(*range.end()))
            .and_then(|value| u32::try_from(value).ok())
    }

    pub(super) fn qos(&self, node: &Node) -> Option<QoS> {
        self.number(node, 0..=2).and_then(|level| u8::try_from(level).ok()).and_then(QoS::new)
    }

    /// `1.5`, or with `%` a hundredth of it.
    pub(super) fn factor(&self, node: &Node) -> Option<f64> {
        let text = self.scalar(node, "a number")?;
        let (digits, divisor) = match text.strip_suffix('%') {
            Some(digits) => (digits.trim_end(), 100),
            None => (text, 1),
        };
        let value = Exact::parse(digits).filter(|_| !digits.is_empty() && !digits.starts_with('.'));
        let value = value.and_then(|value| value.divide(Exact::whole(divisor)));
        if value.is_none() {
            self.error(node, format!("expected a number such as `1.5` or `50%`, found `{text}`"));
        }
        value.map(Exact::to_f64)
    }

    pub(super) fn duration(&self, node: &Node) -> Option<Duration> {
        let text = self.scalar(node, "a duration, such as `5s`")?;
        time::duration(text).map_err(|error| self.time_error(node, &error)).ok()
    }

    /// A duration that a field of a packet carries in whole seconds.
    pub(super) fn seconds(&self, node: &Node, most: u32) -> Option<u32> {
        let duration = self.duration(node)?;
        let seconds = duration.as_secs();
        if duration.subsec_nanos() != 0 {
            self.error(
                node,
                format!("{} is no whole number of seconds, which the field carries", time::format(duration)),
            );
            return None;
        }
        if seconds > u64::from(most) {
            let bytes = if most <= u32::from(u16::MAX) { 2 } else { 4 };
            let message = format!("{seconds}s is more than {most}s, the most that the {bytes}-byte field can hold");
            self.error(node, message);
            return None;
        }
        u32::try_from(seconds).ok()
    }

    pub(super) fn keep_alive(&self, node: &Node) -> Option<u16> {
        self.seconds(node, u32::from(u16::MAX)).and_then(|seconds| u16::try_from(seconds).ok())
    }

    /// One word of several; `keys` also has those that do not work yet.
    pub(super) fn word(&self, node: &Node, what: &str, keys: &'static [Key]) -> Option<&'static str> {
        let accepted = || keys.iter().filter(|key| !matches!(key.status, Status::Never(_))).map(|key| key.name);
        let expected = if keys.len() <= FEW_WORDS { one_of(accepted()) } else { with_article(what) };
        let text = self.scalar(node, &expected)?;
        let Some(key) = keys.iter().find(|key| key.name == text) else {
            let hint = did_you_mean(text, accepted());
            let accepted = one_of(accepted());
            self.error_with_note(
                node,
                format!("unknown {what} `{text}`{hint}"),
                format!("one of {accepted}; {}", see(what)),
            );
            return None;
        };
        self.usable(node, key).then_some(key.name)
    }
}

/// Says where a second key belongs that stands beside the only key of a line.
fn place_of_second(what: &str, (first, value): &(Node, Node), word: &str) -> String {
    let first = first.text().unwrap_or_default();
    match what {
        "an expectation" | "an alternative" | "the line in `never`" | "the line in `should`"
            if super::expect::is_qualifier(word) =>
        {
            match super::expect::with_beside_the_verb(first, value, word) {
                Some(line) => format!("write it inside the braces, beside the verb: `{line}`"),
                None => format!("write it in each of the lines of `{first}`, beside the verb"),
            }
        }
        "a packet" | "a packet or `bytes`" => {
            format!("fields stand in a map behind the packet: `{{ {first}: {{ …, {word}: … }} }}`")
        }
        "a change of the network" if super::step::is_of_link_fault(word) => {
            format!("the link then stands in a map, too: `{{ {first}: {{ link: …, {word}: … }} }}`")
        }
        "a step" if super::step::has_argument(first, word) => {
            format!("write it inside the braces: `{first}: {{ …, {word}: … }}`")
        }
        "an action" if !super::action::is_action(word) => {
            format!("arguments with names stand in a map: `{{ {first}: {{ …, {word}: … }} }}`")
        }
        _ => "make it a line of its own, or mind the indentation".to_owned(),
    }
}

/// A known key with a value behind it, where the colon or the space between them is missing.
fn glued<'a>(written: &str, mut names: impl Iterator<Item = &'a str>) -> Option<String> {
    let end = written.find([':', ' '])?;
    let (key, value) = (&written[..end], written[end..].trim_start_matches([':', ' ']));
    let missing =
        if written[end..].starts_with(':') { "space is missing behind the colon" } else { "colon is missing" };
    names.any(|name| name == key).then(|| format!("; a {missing}: `{key}: {value}`"))
}

/// A word for a kind of word with its article: `an answer`.
fn with_article(what: &str) -> String {
    match what.starts_with("a ") || what.starts_with("an ") || what.starts_with('`') || what == "connect" {
        true => what.to_owned(),
        false if what.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {what}"),
        false => format!("a {what}"),
    }
}

/// The known keys of a map.
pub(super) struct Fields<'n> {
    table: &'static Table,
    entries: Vec<(&'static str, &'n Node, &'n Node)>,
    /// Whether there were keys that are not in here, since they have been reported.
    pub(super) broken: bool,
}

impl<'n> Fields<'n> {
    /// The value of a key.
    pub(super) fn get(&self, name: &str) -> Option<&'n Node> {
        debug_assert!(self.table.find(name).is_some(), "`{name}` is not in the table of {}", self.table.what);
        self.entries.iter().find(|(key, ..)| *key == name).map(|(_, _, value)| *value)
    }

    /// All entries: name, key and value, in the order of the file.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &'n Node, &'n Node)> {
        self.entries.iter().copied()
    }
}

/// What a node is, for `expected …, found …`.
pub(super) fn found(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar(_) if node.is_null() => "nothing".to_owned(),
        Kind::Scalar(scalar) => format!("`{}`", scalar.text.escape_debug()),
        Kind::List(_) => "a list".to_owned(),
        Kind::Map(_) => "a map".to_owned(),
        Kind::Broken => "nothing".to_owned(),
    }
}
