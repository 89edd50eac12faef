//! Which test shows which statement of the standards: `docs/coverage.md`, made from the tests themselves.
//!
//! A test names what it shows with the version, in one of these ways: a comment with `3.1.1 MQTT-…` or `5.0 MQTT-…` above
//! it; an rstest case with a version and the clause that it expects; `clauses` of a scenario, or `clause` of a row of its
//! table. What nothing shows must stand in [`EXCUSED`] with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use halfopen_protocol::normative::{Side, statements};
use halfopen_protocol::{Version, normative};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/coverage.md");
const FOLDERS: [&str; 7] =
    ["tests", "broker/src", "broker/tests", "client/src", "client/tests", "protocol/tests", "protocol/websocket/src"];

/// Statements that no test shows: version, ids, why.
const EXCUSED: &[(&str, &[&str], &str)] = &[
    ("3.1.1", &["MQTT-7.0.0-1", "MQTT-7.0.0-2"], "no test can observe it"),
    ("3.1.1", &["MQTT-3.2.2-6"], "there is a return code for each refusal"),
    ("3.1.1", &["MQTT-4.8.0-2"], "no error while a packet is handled is transient: what runs out has an answer"),
];

/// Who is seen to heed a statement.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    Client,
    Server,
    Both,
}

/// Version and id → the tests, and who they look at.
type Marks = BTreeMap<(Version, String), BTreeSet<(By, String)>>;

#[test]
fn each_statement_is_shown_by_a_test_of_the_side_that_it_binds_or_excused() {
    let marks = marks();
    let mut wrong = Vec::new();
    for version in Version::ALL {
        for statement in statements(version) {
            let shown = shown(&marks, version, statement.id);
            let is_shown = match statement.applies_to {
                Side::Client => shown.iter().any(|(by, _)| *by != By::Server),
                Side::Server => shown.iter().any(|(by, _)| *by != By::Client),
                Side::Both => !shown.is_empty(),
            };
            match (is_shown, excuse(version, statement.id)) {
                (false, None) => {
                    wrong.push(format!("{version} {}: no test shows it: {}", statement.id, statement.summary))
                }
                (true, Some(reason)) => {
                    wrong.push(format!("{version} {} is shown, but excused: {reason}", statement.id))
                }
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{} statements:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_is_named_exists() {
    for (version, id) in marks().keys() {
        assert!(normative::ids(*version).any(|known| known == id), "{version} has no {id}");
    }
    for (version, ids, _) in EXCUSED {
        let version = Version::ALL.into_iter().find(|known| known.to_string() == *version).expect("a version");
        for id in *ids {
            assert!(normative::ids(version).any(|known| known == *id), "{version} has no {id}");
        }
    }
}

#[test]
fn the_table_is_fresh() {
    let written = fs::read_to_string(TABLE).unwrap_or_default();
    let hint = "write it anew with: cargo test -p halfopen --test coverage -- --ignored";
    assert!(written == table(), "docs/coverage.md is not what the tests say; {hint}");
}

#[test]
#[ignore = "writes docs/coverage.md"]
fn write_the_table() {
    fs::create_dir_all(Path::new(TABLE).parent().expect("it has a folder")).expect("the folder can be made");
    fs::write(TABLE, table()).expect("the table can be written");
}

fn excuse(version: Version, id: &str) -> Option<&'static str> {
    let excused = EXCUSED.iter().find(|(of, ids, _)| *of == version.to_string() && ids.contains(&id));
    excused.map(|(_, _, reason)| *reason)
}

fn shown<'a>(marks: &'a Marks, version: Version, id: &str) -> Vec<&'a (By, String)> {
    marks.get(&(version, id.to_owned())).into_iter().flatten().collect()
}

fn table() -> String {
    let marks = marks();
    let mut text = String::from("# What shows what\n\nMade by `tests/coverage.rs` from the tests; not to be edited.\n");
    for version in Version::ALL {
        let _ = write!(
            text,
            "\n## MQTT {version}\n\n| statement | binds | demands | of the client | of the server |\n|---|---|---|---|---|\n"
        );
        for statement in statements(version) {
            let shown = shown(&marks, version, statement.id);
            let by = |not: By| {
                let tests: Vec<_> = shown.iter().filter(|(by, _)| *by != not).map(|(_, test)| test.as_str()).collect();
                let rest = if tests.len() > 3 { "<br>and more" } else { "" };
                format!("{}{rest}", tests[..tests.len().min(3)].join("<br>"))
            };
            let (client, server) = match excuse(version, statement.id) {
                Some(reason) => (format!("— {reason}"), String::new()),
                None => (by(By::Server), by(By::Client)),
            };
            let binds = match statement.applies_to {
                Side::Client => "client",
                Side::Server => "server",
                Side::Both => "both",
            };
            let _ = writeln!(text, "| {} | {binds} | {} | {client} | {server} |", statement.id, statement.summary);
        }
    }
    text
}

fn marks() -> Marks {
    let mut marks = Marks::new();
    for folder in FOLDERS {
        for path in files(&Path::new(ROOT).join(folder), "rs") {
            let name = path.strip_prefix(ROOT).expect("it is inside").to_string_lossy().replace('\\', "/");
            let text = fs::read_to_string(&path).expect("a source is text");
            if name != "tests/coverage.rs" {
                of_source(&name, &text, &mut marks);
            }
        }
    }
    for path in files(&Path::new(ROOT).join("scenarios"), "yaml") {
        let name = path.strip_prefix(ROOT).expect("it is inside").to_string_lossy().replace('\\', "/");
        of_scenario(&name, &fs::read_to_string(&path).expect("a scenario is text"), &mut marks);
    }
    marks
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|ending| ending == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn of_scenario(name: &str, text: &str, marks: &mut Marks) {
    let Ok(file) = serde_yaml::from_str::<serde_yaml::Value>(text) else { return };
    for version in Version::ALL {
        // 5.0 without quotes is a number to a YAML reader.
        let key = |key: &serde_yaml::Value| match key {
            serde_yaml::Value::String(text) => *text == version.to_string(),
            serde_yaml::Value::Number(number) => version.is_v5() && number.as_f64() == Some(5.0),
            _ => false,
        };
        let of_version = |clauses: &serde_yaml::Value| match clauses.as_mapping() {
            Some(clauses) => {
                clauses.iter().filter(|(version, _)| key(version)).flat_map(|(_, ids)| texts(ids)).collect()
            }
            None if file.get("mqtt").is_none_or(&key) => texts(clauses),
            None => Vec::new(),
        };
        let rows = file.get("table").and_then(serde_yaml::Value::as_sequence).into_iter().flatten();
        let clauses = rows.filter_map(|row| row.get("clause")).chain(file.get("clauses"));
        for id in clauses.flat_map(of_version) {
            marks.entry((version, id)).or_default().insert((by(&file), name.to_owned()));
        }
    }
}

/// A text, or those of a list.
fn texts(value: &serde_yaml::Value) -> Vec<String> {
    let one = value.as_str().into_iter();
    one.chain(value.as_sequence().into_iter().flatten().filter_map(serde_yaml::Value::as_str))
        .map(str::to_owned)
        .collect()
}

/// Returns the side that a scenario shows: a client among raw brokers, a broker among raw clients, or both.
fn by(file: &serde_yaml::Value) -> By {
    match (file.get("clients").is_some(), file.get("raw_brokers").is_some() && file.get("brokers").is_none()) {
        (_, true) => By::Client,
        (false, false) => By::Server,
        (true, false) => By::Both,
    }
}

fn of_source(name: &str, text: &str, marks: &mut Marks) {
    let by = match name {
        _ if name.starts_with("broker/") || name.starts_with("tests/broker") => By::Server,
        _ if name.starts_with("client/") || name.starts_with("tests/client") => By::Client,
        _ => By::Both,
    };
    let mut add = |version, id: &str, by, test: &str| {
        marks.entry((version, id.to_owned())).or_default().insert((by, format!("{name}: {test}")));
    };
    for version in Version::ALL {
        let label = format!("{version} MQTT-");
        for (at, _) in text.match_indices(&label) {
            let id = id_at(&text[at + label.len() - "MQTT-".len()..]);
            // The doc comment of this form itself names none.
            if id == "MQTT" {
                continue;
            }
            let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
            if text[line..].trim_start().starts_with("//") {
                add(version, id, by, function_after(&text[at..]));
            }
        }
    }
    for (at, _) in text.match_indices("#[case") {
        // Not the attribute of an argument.
        if text[at..].starts_with("#[case]") {
            continue;
        }
        let Some(end) = text[at..].find(")]\n") else { continue };
        let case = &text[at..at + end];
        let version = if case.contains("V3") || case.contains("MQTT\\x04") {
            Version::V3_1_1
        } else if case.contains("V5") || case.contains("MQTT\\x05") {
            Version::V5_0
        } else {
            continue;
        };
        // The decoder's table: who reads is who heeds.
        let by = if name != "protocol/tests/malformed.rs" {
            by
        } else if case.contains("Client") {
            By::Client
        } else {
            By::Server
        };
        let case_name = case.strip_prefix("#[case::").and_then(|name| name.split('(').next()).unwrap_or_default();
        for (quote, _) in case.match_indices("\"MQTT-") {
            let id = id_at(&case[quote + 1..]);
            add(version, id, by, format!("{} {case_name}", function_after(&text[at..])).trim_end());
        }
    }
}

/// The id at the beginning of this text.
fn id_at(text: &str) -> &str {
    let end = text["MQTT-".len()..].find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-');
    text[..end.map_or(text.len(), |end| end + "MQTT-".len())].trim_end_matches(['.', '-'])
}

fn function_after(text: &str) -> &str {
    let name = text.split_once("fn ").map_or("", |(_, rest)| rest);
    name.split(['(', '<']).next().unwrap_or_default()
}
