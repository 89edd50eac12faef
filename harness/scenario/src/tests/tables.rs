//! The tables of the reference are those of the program, and where errors lead there is something to read.

use std::fs;
use std::path::{Path, PathBuf};

use rstest::rstest;

use crate::ast::{self, Map};
use crate::plan::{Program, Source};
use crate::reference::PAGES;
use crate::{PlanOptions, parse, with_tables};

fn reference() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference")
}

/// With `INSTA_UPDATE=always` the page takes over what the program has.
#[rstest]
fn tables_of_a_page_are_those_of_the_program(
    #[files("../docs/reference/*.md")]
    #[base_dir = "../../docs"]
    page: PathBuf,
) {
    let text = fs::read_to_string(&page).unwrap().replace("\r\n", "\n");
    let now = with_tables(&text).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    #[expect(clippy::disallowed_methods, reason = "decides whether the page is rewritten, not what it should be")]
    let is_taken_over = std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always");
    if now != text && is_taken_over {
        fs::write(&page, &now).unwrap();
    } else if let Some((line, (is, shown))) = (1..).zip(now.lines().zip(text.lines())).find(|(_, (a, b))| a != b) {
        panic!("{}:{line} has\n  {shown}\nthe program has\n  {is}", page.display());
    } else {
        assert_eq!(now.len(), text.len(), "{}", page.display());
    }
}

/// Returns what is said of the broker of a scenario that sets this.
fn broker_that_has(setting: &str) -> Program {
    let text = format!(
        "mqtt: 5.0\nbrokers: {{ broker: {{ {setting} }} }}\nclients: {{ a: {{}} }}\nsteps: [ {{ wait: 1s }} ]\n"
    );
    let source = Source { path: "a.yaml".to_owned(), text, ..Source::default() };
    let plans = parse("a".into(), source).and_then(|scenario| scenario.plans(PlanOptions::default()));
    let plans = plans.unwrap_or_else(|errors| panic!("{errors}"));
    plans[0].nodes.iter().find(|node| node.is_broker()).unwrap().program.clone()
}

#[test]
fn default_of_a_broker_can_be_written_and_is_what_holds_without_it() {
    let are_words = ["the project's", "none", "as many as come", "everybody", "everybody may do everything"];
    let without = format!("{:?}", broker_that_has(""));
    for key in ast::Broker::TABLE.all() {
        let default = key.default.unwrap();
        if !are_words.contains(&default) {
            let setting = format!("{}: {default}", key.name);
            assert_eq!(format!("{:?}", broker_that_has(&setting)), without, "{setting}");
        }
    }
}

#[test]
fn errors_lead_to_anchors_that_are_there() {
    let mut missing = Vec::new();
    for (what, place) in PAGES {
        let (page, anchor) = place.split_once('#').unwrap_or((place, ""));
        let text = fs::read_to_string(reference().join(format!("{page}.md"))).unwrap_or_default();
        let places = text.matches(&format!("<a id=\"{anchor}\"></a>")).count();
        if text.is_empty() || !anchor.is_empty() && places != 1 {
            missing.push(format!("{what} → {place}"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn a_marker_that_names_nothing_or_has_no_end_is_an_error() {
    assert_eq!(with_tables("<!-- keys of a client -->\n").unwrap_err(), "the table `keys of a client` has no end");
    assert_eq!(
        with_tables("<!-- keys of a cleint -->\n<!-- end -->\n").unwrap_err(),
        "no table is called `keys of a cleint`"
    );
}
