//! The mandatory statements of both standards, in this project's own words: `protocol/normative/*.yaml`.
//!
//! The ids are printed in the standards ("MQTT-3.1.2-24") and used anew for other statements in the other version, so an
//! id means something only together with its version.

use crate::Version;

const V3_1_1: &str = include_str!("../normative/mqtt-3.1.1.yaml");
const V5_0: &str = include_str!("../normative/mqtt-5.0.yaml");

/// The side that a statement binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The client's alone.
    Client,
    /// The server's alone.
    Server,
    /// The client's and the server's.
    Both,
}

/// A normative statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Statement {
    /// The id without brackets: "MQTT-3.1.2-24".
    pub id: &'static str,
    /// The section: "3.1.2.10".
    pub section: &'static str,
    /// The demand, paraphrased.
    pub summary: &'static str,
    /// The side that has to heed it.
    pub applies_to: Side,
    /// The way in which a test can see it: "wire", "timing", "restart", "api" or "none".
    pub observable: &'static str,
    /// Limits, errata, and why no peer can observe it if none can. Empty if there is nothing to say.
    pub note: &'static str,
}

/// Returns all statements of one version, in the order of the standard.
pub fn statements(version: Version) -> impl Iterator<Item = Statement> {
    let text = match version {
        Version::V3_1_1 => V3_1_1,
        Version::V5_0 => V5_0,
    };
    // The first piece is the heading of the file.
    text.split("\n- id: ").skip(1).map(|entry| Statement {
        id: entry.lines().next().unwrap_or_default(),
        section: value(entry, "section"),
        summary: value(entry, "summary"),
        applies_to: match value(entry, "applies_to") {
            "client" => Side::Client,
            "server" => Side::Server,
            _ => Side::Both,
        },
        observable: value(entry, "observable"),
        note: value(entry, "note"),
    })
}

/// The ids of one version, in the order of the standard.
pub fn ids(version: Version) -> impl Iterator<Item = &'static str> {
    statements(version).map(|statement| statement.id)
}

/// The files are plain: each key on its own line, strings in double quotes without escapes (held by a test against a
/// whole YAML reader).
fn value(entry: &'static str, key: &str) -> &'static str {
    let value = entry.lines().find_map(|line| line.trim_start().strip_prefix(key)?.strip_prefix(": "));
    value.unwrap_or_default().trim_matches('"')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn whole_reader(text: &str) -> Vec<serde_yaml::Mapping> {
        serde_yaml::from_str(text).expect("the list is YAML")
    }

    #[test]
    fn the_plain_reading_is_what_a_whole_yaml_reader_reads() {
        for (version, text, count) in [(Version::V3_1_1, V3_1_1, 141), (Version::V5_0, V5_0, 251)] {
            let expected = whole_reader(text);
            assert_eq!(expected.len(), count);
            assert_eq!(statements(version).count(), count);
            for (statement, expected) in statements(version).zip(expected) {
                let text = |key: &str| expected[key].as_str().expect("a string").to_owned();
                let side = match text("applies_to").as_str() {
                    "client" => Side::Client,
                    "server" => Side::Server,
                    "both" => Side::Both,
                    other => panic!("{} applies to {other}", statement.id),
                };
                assert_eq!(statement.id, text("id"));
                assert_eq!(statement.section, text("section"), "{}", statement.id);
                assert_eq!(statement.summary, text("summary"), "{}", statement.id);
                assert_eq!(statement.observable, text("observable"), "{}", statement.id);
                let note = expected.get("note").and_then(|note| note.as_str()).unwrap_or_default();
                assert_eq!(statement.note, note, "{}", statement.id);
                assert_eq!(statement.applies_to, side, "{}", statement.id);
            }
        }
    }

    #[test]
    fn no_id_is_used_twice_in_one_version() {
        for version in Version::ALL {
            assert_eq!(ids(version).collect::<BTreeSet<_>>().len(), ids(version).count());
        }
    }
}
