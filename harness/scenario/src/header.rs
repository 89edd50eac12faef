//! What a file says about itself.

use std::collections::BTreeMap;

use halfopen_protocol::{Version, normative};

use crate::ast::{
    Clauses, File, Fragment, Id, Ids, Map, OneOrMore, Place, Row, RowClauses, Text, Waive, found, value_of,
};
use crate::error::{Diagnostics, Span};
use crate::field_cases;
use crate::keys::Table;
use crate::lower::Role;
use crate::plan::Waiver;
use crate::reference::see;
use crate::suggest::did_you_mean;
use crate::tree::{Node, NodeKind};

/// The description of a file by itself, for reports and for choosing what to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// A sentence.
    pub about: Option<String>,
    /// The comment at the top of the file: its first lines up to the first that is none.
    pub comment: String,
    /// Words to select by.
    pub tags: Vec<String>,
    /// Bug reports that it is about: ids of field reports, and references of one's own.
    pub reports: Vec<String>,
    /// Ids of normative statements by version, those of the table's rows among them.
    pub clauses: BTreeMap<Version, Vec<String>>,
    /// Invariants that do not hold here, and why.
    pub waived: Vec<Waiver>,
}

impl About {
    /// Returns what a file and its fragments say; ids that nobody knows are reported.
    pub(super) fn of(file: &File, fragments: &[Fragment], source: &str, diagnostics: &Diagnostics) -> Self {
        let texts = |all: Option<&OneOrMore<Text>>| -> Vec<String> {
            all.map_or_else(Vec::new, |all| all.0.iter().map(|text| text.0.clone()).collect())
        };
        let mut about = Self {
            about: value_of(&file.about).map(|about| about.0.clone()),
            comment: comment(source),
            tags: texts(value_of(&file.tags)),
            reports: value_of(&file.reports).map(|ids| reports(&ids.0, diagnostics)).unwrap_or_default(),
            ..Self::default()
        };
        if let Some(clauses) = value_of(&file.clauses) {
            about.add_all_clauses(clauses, diagnostics);
        }
        for row in value_of(&file.table).map_or(&[][..], |table| &table.rows) {
            match &row.clauses {
                None => {}
                Some(RowClauses::ByVersion(clauses)) => about.add_all_clauses(clauses, diagnostics),
                Some(RowClauses::Ids(ids)) => match only_version(file, row) {
                    Some(version) => about.add_clauses(version, Some(ids), diagnostics),
                    None => {
                        clauses(&ids.0, None, diagnostics);
                        let message = "both versions use the same numbers for different things; write \
                                       `clause: { 5.0: MQTT-… }`, or `mqtt` in this row";
                        diagnostics.push(ids.0.first().map_or_else(Span::default, |id| id.0.span), message, None);
                    }
                },
            }
        }
        about.waived = waivers(fragments.iter().filter_map(|fragment| value_of(&fragment.waive)), file, diagnostics);
        about
    }

    fn add_all_clauses(&mut self, clauses: &Clauses, diagnostics: &Diagnostics) {
        for version in Version::ALL {
            self.add_clauses(version, ids_of(clauses, version), diagnostics);
        }
    }

    fn add_clauses(&mut self, version: Version, ids: Option<&Ids>, diagnostics: &Diagnostics) {
        if let Some(ids) = ids {
            let known = self.clauses.entry(version).or_default();
            let new = clauses(&ids.0, Some(version), diagnostics).into_iter().filter(|id| !known.contains(id));
            let new: Vec<String> = new.collect();
            known.extend(new);
        }
    }
}

/// Returns the statements that the runs of a file check in this version, with this row of the table.
pub(super) fn clauses_of_run(file: &File, row: Option<&RowClauses>, version: Version) -> Vec<String> {
    let of_file = value_of(&file.clauses).and_then(|clauses| ids_of(clauses, version));
    let of_row = row.and_then(|clauses| match clauses {
        RowClauses::Ids(ids) => Some(ids),
        RowClauses::ByVersion(clauses) => ids_of(clauses, version),
    });
    let mut clauses: Vec<String> = Vec::new();
    for Id(_, id) in of_file.into_iter().chain(of_row).flat_map(|ids| &ids.0) {
        if !clauses.contains(id) {
            clauses.push(id.clone());
        }
    }
    clauses
}

/// The version in which a row runs, if it is only one.
fn only_version(file: &File, row: &Row) -> Option<Version> {
    match row.versions.as_ref().or(value_of(&file.mqtt))?.0.as_slice() {
        [only] => Some(*only),
        _ => None,
    }
}

fn ids_of(clauses: &Clauses, version: Version) -> Option<&Ids> {
    match version {
        Version::V3_1_1 => value_of(&clauses.v3_1_1),
        Version::V5_0 => value_of(&clauses.v5_0),
    }
}

/// The waivers of fragments and then of the file, each invariant once.
fn waivers<'a>(
    of_fragments: impl Iterator<Item = &'a Waive>,
    file: &'a File,
    diagnostics: &Diagnostics,
) -> Vec<Waiver> {
    let mut waivers: Vec<Waiver> = Vec::new();
    let mut places: Vec<Place> = Vec::new();
    for (place, invariant, reason) in of_fragments.chain(value_of(&file.waive)).flat_map(|waive| &waive.0) {
        if let Some(first) = waivers.iter().position(|waiver| waiver.invariant == *invariant) {
            let message = format!("a second waiver of `{}`", invariant.name());
            diagnostics.push_second(place.span, places[first].span, message);
            continue;
        }
        places.push(place.clone());
        waivers.push(Waiver { position: place.span.start, invariant: *invariant, reason: reason.clone() });
    }
    waivers
}

/// Reports keys that a file cannot have, and a file without any content.
pub(super) fn check_keys(root: &Node, table: &'static Table, diagnostics: &Diagnostics) {
    let what = table.what;
    let NodeKind::Map(entries) = &root.kind else {
        diagnostics.push(root.span, format!("{what} is a map with keys such as `clients`, `steps` and `expect`"), None);
        return;
    };
    for (name, value) in entries {
        let Some(text) = name.text() else { continue };
        match table.find(text) {
            None if File::TABLE.find(text).is_some() => {
                diagnostics.push(
                    name.span,
                    format!("`{text}` cannot stand in a fragment; it belongs to the scenario"),
                    None,
                );
            }
            None => {
                let names = || table.all().map(|key| key.name);
                let hint = did_you_mean(text, names());
                let note = match hint.is_empty() {
                    true => format!("known: {}; {}", names().collect::<Vec<_>>().join(", "), see(what)),
                    false => see(what),
                };
                diagnostics.push(name.span, format!("unknown key `{text}` in {what}{hint}"), Some(note));
            }
            Some(_)
                if is_section(text)
                    && !value.is_null()
                    && !matches!(value.kind, NodeKind::Map(_) | NodeKind::Broken) =>
            {
                let kind = text.trim_end_matches('s').replace('_', " ");
                let message = format!(
                    "expected a map of names, each with a {kind}, as in `{{ a: {{}} }}`, found {}",
                    found(value)
                );
                diagnostics.push(value.span, message, Some(see(&format!("a {kind}"))));
            }
            Some(_)
                if matches!(text, "steps" | "expect")
                    && matches!(&value.kind, NodeKind::List(items) if items.is_empty()) =>
            {
                diagnostics.push(value.span, format!("`{text}` has no line; leave it out"), None);
            }
            Some(_) if value.is_null() => {
                diagnostics.push(name.span, format!("`{text}` without a value; leave it out"), None);
            }
            Some(_) => {}
        }
    }
    let has_story = ["steps", "expect", "include"].into_iter().any(|name| root.get(name).is_some());
    let is_whole = entries.iter().all(|(_, value)| value.kind != NodeKind::Broken);
    // A key that is misspelt may have been meant for one of them, and is reported.
    let is_known = entries.iter().all(|(key, _)| key.text().is_some_and(|name| File::TABLE.find(name).is_some()));
    if !has_story && is_whole && is_known && what == File::TABLE.what {
        diagnostics.push(root.span, "nothing happens here: neither `steps` nor `expect`", None);
    }
}

/// Returns whether nodes are declared under this key.
pub(super) fn is_section(name: &str) -> bool {
    Role::ALL.iter().any(|role| role.section() == name)
}

/// Returns what stands in the comment with which a file begins, without the line for editors.
fn comment(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix('#')).map(str::trim);
    lines.filter(|line| !line.starts_with("yaml-language-server")).collect::<Vec<_>>().join(" ")
}

/// Ids of statements, each of which the version has.
fn clauses(ids: &[Id], version: Option<Version>, diagnostics: &Diagnostics) -> Vec<String> {
    let known: Vec<_> = version.map_or_else(
        || normative::ids(Version::V3_1_1).chain(normative::ids(Version::V5_0)).collect(),
        |version| normative::ids(version).collect(),
    );
    let of = version.map(|version| format!(" of {version}")).unwrap_or_default();
    known_ids(ids, &known, diagnostics, |id| {
        Some(match id.starts_with("MQTT-") {
            true => format!("no statement{of} is called `{id}`"),
            false => format!("`{id}` is no clause; one is written `MQTT-3.1.2-22`"),
        })
    })
}

/// Ids of field reports, and references of one's own.
fn reports(ids: &[Id], diagnostics: &Diagnostics) -> Vec<String> {
    let known: Vec<_> = field_cases::ids().collect();
    let message = |id: &str| format!("no case from the field is called `{id}`");
    known_ids(ids, &known, diagnostics, |id| (!is_own_reference(id)).then(|| message(id)))
}

/// Returns whether a case is no misspelt id of the list, which has words of small letters and hyphens only: a URL,
/// `#123`, `ABC-7` or a sentence.
fn is_own_reference(id: &str) -> bool {
    let is_of_id = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !id.trim().is_empty() && !id.chars().all(is_of_id)
}

/// Reports each id that is not known, unless `message` has nothing to say of it.
fn known_ids(
    ids: &[Id],
    known: &[&str],
    diagnostics: &Diagnostics,
    message: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let mut read: Vec<String> = Vec::new();
    let mut places: BTreeMap<&str, Span> = BTreeMap::new();
    for Id(place, id) in ids {
        if let Some(message) = message(id).filter(|_| !known.contains(&id.as_str())) {
            diagnostics.push(place.span, format!("{message}{}", did_you_mean(id, known.iter().copied())), None);
        } else if let Some(first) = places.get(id.as_str()) {
            diagnostics.push_second(place.span, *first, format!("`{id}` stands here twice"));
        }
        places.entry(id).or_insert(place.span);
        read.push(id.clone());
    }
    read
}
