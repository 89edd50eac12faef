//! Every named defect of the broker and of the client is caught by some scenario. Stops at the first that catches it;
//! `halfopen defects` shows them all.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;

use halfopen::defects::{Defect, Scenarios};
use halfopen::field_cases;
use halfopen::scenario::PlanOptions;
use halfopen::sweep::load_to_run;

fn scenarios() -> Scenarios {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let scenarios = load_to_run(&[path], PlanOptions::default()).unwrap_or_else(|errors| panic!("\n{errors}"));
    Scenarios::new(scenarios)
}

/// The first scenario that catches each of these.
fn caught(defects: &[Defect]) -> Vec<(Defect, Option<String>)> {
    let scenarios = scenarios();
    let first = |defect: &Defect| (*defect, scenarios.catching(*defect).next().map(str::to_owned));
    defects.iter().map(first).collect()
}

#[test]
fn every_defect_is_caught() {
    let all: Vec<Defect> = Defect::all().collect();
    // A plan stays in its thread, so each thread reads the scenarios; two of them are what a small machine has.
    let halves = all.chunks(all.len().div_ceil(2));
    let caught: Vec<(Defect, Option<String>)> = thread::scope(|scope| {
        let threads: Vec<_> = halves.map(|half| scope.spawn(|| caught(half))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no scenario panics")).collect()
    });
    let survivors = caught.iter().filter(|(_, scenario)| scenario.is_none());
    let survivors: Vec<String> =
        survivors.map(|(defect, _)| format!("{defect}: {} {:?}", defect.about(), defect.cases())).collect();
    assert!(survivors.is_empty(), "{} defects survive:\n{}", survivors.len(), survivors.join("\n"));
}

#[test]
fn every_defect_has_a_name_of_its_own_and_models_cases_that_are_known() {
    let names: BTreeSet<String> = Defect::all().map(|defect| defect.to_string()).collect();
    assert_eq!(names.len(), Defect::all().count());
    for defect in Defect::all() {
        for case in defect.cases() {
            assert!(field_cases::ids().any(|id| id == *case), "{defect}: {case}");
        }
    }
}
