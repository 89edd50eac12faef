mod bad;
mod files;
mod folder;
mod good;
mod grammar;
mod hostile;
mod mutated;
mod newcomer;
mod schema;
mod serde_yaml_agrees;
mod single;
mod tables;
mod write;

use std::path::PathBuf;

use crate::plan::{Plan, Source};
use crate::{PlanOptions, parse};

/// A folder of files beside these tests.
fn here(folder: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/tests").join(folder)
}

/// The project's scenarios.
fn scenarios() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

/// The plans of a text that has no mistake.
fn plans(text: &str) -> Vec<Plan> {
    let source = Source { path: "a.yaml".into(), text: text.into(), ..Source::default() };
    let plans = parse("a".into(), source).and_then(|scenario| scenario.plans(PlanOptions::default()));
    plans.unwrap_or_else(|errors| panic!("{errors}"))
}
