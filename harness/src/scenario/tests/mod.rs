use std::path::PathBuf;

use super::*;

fn here(folder: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/scenario/tests").join(folder)
}

#[test]
fn every_file_of_the_subset_becomes_plans() {
    let all = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let loaded = load_all(&[here("good"), all], PlanOptions::default()).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(!loaded.is_empty());
    for (scenario, plans) in &loaded {
        assert!(!plans.is_empty(), "{} has no run", scenario.name);
    }
}
