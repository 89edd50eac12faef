//! The schema for editors is what the program says, and says of every scenario what the program says.

use std::fs;
use std::path::{Path, PathBuf};

use boon::{Compiler, Schemas};
use rstest::rstest;
use serde_json::Value;

use super::{here, scenarios};
use crate::ast::{File, Map};
use crate::keys::{Status, ValueKind};
use crate::{find, schema};

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenario.schema.json")
}

/// What an editor makes of a YAML file.
fn json(yaml: serde_yaml::Value) -> Value {
    match yaml {
        serde_yaml::Value::Mapping(map) => {
            let key = |key| match key {
                serde_yaml::Value::String(text) => text,
                serde_yaml::Value::Number(number) => number.to_string(),
                other => panic!("{other:?} as a key"),
            };
            Value::Object(map.into_iter().map(|(name, value)| (key(name), json(value))).collect())
        }
        serde_yaml::Value::Sequence(items) => Value::Array(items.into_iter().map(json).collect()),
        other => serde_json::to_value(other).unwrap(),
    }
}

struct Validator(Schemas, boon::SchemaIndex);

impl Validator {
    fn new() -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("scenario.json", serde_json::from_str(&schema()).unwrap()).unwrap();
        let index = compiler.compile("scenario.json", &mut schemas).unwrap();
        Self(schemas, index)
    }

    fn validate(&self, text: &str) -> Result<(), String> {
        let value = json(serde_yaml::from_str(text).unwrap());
        self.0.validate(&value, self.1).map_err(|error| format!("{error:#}"))
    }
}

/// With `INSTA_UPDATE=always` the file takes over what the program prints.
#[test]
fn the_committed_schema_is_what_the_program_prints() {
    #[expect(clippy::disallowed_methods, reason = "decides whether the file is rewritten, not what it should be")]
    if std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always") {
        fs::write(committed(), schema()).unwrap();
    }
    let committed = fs::read_to_string(committed()).unwrap_or_default().replace("\r\n", "\n");
    assert!(committed == schema(), "out of date: cargo run -p halfopen -- schema > harness/scenario.schema.json");
}

#[test]
fn every_scenario_is_valid() {
    let validator = Validator::new();
    let mut wrong = Vec::new();
    for file in find(&[here("good"), scenarios()]).unwrap() {
        let text = fs::read_to_string(&file.path).unwrap();
        if let Err(error) = validator.validate(&text) {
            wrong.push(format!("{}: {error}", file.path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[rstest]
#[case::right("clients: { a: { keep_alive: 5s } }\nsteps: [ { a: crash }, { wait: <k> } ]", true)]
#[case::key_of_a_file("client: { a: {} }\nsteps: [ { a: crash } ]", false)]
#[case::key_of_a_node("clients: { a: { keepalive: 5s } }\nsteps: [ { a: crash } ]", false)]
#[case::no_unit("clients: { a: { keep_alive: 5 } }\nsteps: [ { a: crash } ]", false)]
#[case::action("clients: { a: {} }\nsteps: [ { a: crsh } ]", false)]
#[case::two_keys_in_a_step("clients: { a: {} }\nsteps: [ { a: crash, wait: 1s } ]", false)]
#[case::field_of_a_packet("expect: [ { a: { sends: { PUBLISH: { tpoic: b } } } } ]", false)]
#[case::packet("expect: [ { a: { sends: PINREQ } } ]", false)]
#[case::qualifier("expect: [ { never: { a: { sends: PINGREQ, form: b } } } ]", false)]
#[case::parameter_as_a_packet("expect: [ { a: { sends: { <p>: { id: 1 } } } } ]", true)]
#[case::qos("clients: { a: { subscribe: { filter: a, qos: 3 } } }\nsteps: [ { a: crash } ]", false)]
fn slips_are_underlined(#[case] text: &str, #[case] is_valid: bool) {
    assert_eq!(Validator::new().validate(text).is_ok(), is_valid);
}

#[test]
fn every_key_says_what_it_means_and_what_it_takes() {
    for table in File::TABLE.reachable() {
        for key in table.all().filter(|key| matches!(key.status, Status::Ready | Status::Since5)) {
            assert!(!key.about.is_empty(), "`{}` of {} says nothing", key.name, table.what);
            let is_said = !matches!(key.takes, ValueKind::Unsaid);
            assert!(is_said, "`{}` of {}: say with `.takes(…)` what may stand there", key.name, table.what);
        }
    }
}

/// `# yaml-language-server: $schema=../../harness/scenario.schema.json` for a file in `scenarios/area`.
#[test]
fn every_scenario_leads_editors_to_the_schema() {
    let root = scenarios();
    let schema = fs::canonicalize(committed()).unwrap();
    for file in find(&[&root]).unwrap() {
        let text = fs::read_to_string(&file.path).unwrap();
        let line = text.lines().next().unwrap_or_default();
        let path = line.strip_prefix("# yaml-language-server: $schema=").unwrap_or_else(|| {
            panic!("{}: the first line leads to the schema, as in the other files", file.path.display())
        });
        let target = fs::canonicalize(file.path.parent().unwrap().join(path)).ok();
        assert_eq!(target.as_ref(), Some(&schema), "{}", file.path.display());
    }
}
