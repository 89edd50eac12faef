//! Every named defect of the broker and of the client is caught for what it does, by the scenarios that name the case
//! that it models; and every case from the field has a defect. `halfopen defects` shows who catches what.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use halfopen::defects::{Defect, Proof, Scenarios};
use halfopen::field_cases;
use halfopen::run::load;
use halfopen::scenario::PlanOptions;

/// Defects that nobody has reported: what they break is a wish of the standard.
const WITHOUT_CASE: [(&str, &str); 1] =
    [("broker: no_connect_timeout", "§3.1.4: a server should close a connection without a CONNECT after a while")];

fn scenarios(path: &str) -> Scenarios {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    let scenarios = load(&[path], PlanOptions::default()).unwrap_or_else(|errors| panic!("\n{errors}"));
    Scenarios::new(scenarios)
}

/// A defect, and a case that it models, if any.
type Model = (Defect, Option<&'static str>);

/// What shows that a defect is caught by the scenarios that name the case.
fn shown(models: &[Model]) -> Vec<(Model, Option<Proof>)> {
    let scenarios = scenarios("scenarios");
    let proof = |(defect, case): Model| match case {
        Some(case) => scenarios.proof(defect, case),
        None => scenarios.catching(defect).find_map(|catch| catch.proof),
    };
    models.iter().map(|model| (*model, proof(*model))).collect()
}

#[test]
fn every_defect_is_caught_for_what_it_does_by_the_scenarios_of_each_case_that_it_models() {
    let of_cases = |defect: Defect| defect.cases().iter().map(move |case| (defect, Some(*case)));
    let without = Defect::all().filter(|defect| defect.cases().is_empty()).map(|defect| (defect, None));
    let models: Vec<Model> = Defect::all().flat_map(of_cases).chain(without).collect();
    // A plan stays in its thread, so each thread reads the scenarios; two of them are what a small machine has.
    let halves = models.chunks(models.len().div_ceil(2));
    let shown: Vec<(Model, Option<Proof>)> = thread::scope(|scope| {
        let threads: Vec<_> = halves.map(|half| scope.spawn(|| shown(half))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no scenario panics")).collect()
    });
    let survivors = shown.iter().filter(|(_, proof)| proof.is_none());
    let all = survivors.clone().next().map(|_| scenarios("scenarios"));
    let survivors: Vec<String> = survivors
        .map(|((defect, case), _)| {
            let broken = all.as_ref().zip(*case).map(|(all, case)| all.broken(*defect, case)).unwrap_or_default();
            let case = case.unwrap_or("no case");
            format!(
                "{defect}: {}, {case}; it breaks, and might be known by:\n  {}",
                defect.about(),
                broken.join("\n  ")
            )
        })
        .collect();
    assert!(survivors.is_empty(), "{} survive:\n{}", survivors.len(), survivors.join("\n"));
}

#[test]
fn every_case_from_the_field_has_a_defect() {
    let modelled: BTreeSet<&str> = Defect::all().flat_map(|defect| defect.cases().iter().copied()).collect();
    let without: Vec<&str> = field_cases::ids().filter(|case| !modelled.contains(case)).collect();
    assert_eq!(without, [""; 0], "cases that no defect models");
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
    let without = Defect::all().filter(|defect| defect.cases().is_empty()).map(|defect| defect.to_string());
    assert_eq!(without.collect::<Vec<_>>(), WITHOUT_CASE.map(|(name, _)| name));
}

/// Runs `halfopen defects` with these arguments on these scenarios, and gives status and output.
fn halfopen_defects(files: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("defects");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder can be made");
    for (name, text) in files {
        fs::write(folder.join(name), text).expect("the file can be written");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_halfopen"))
        .arg("defects")
        .args(arguments)
        .arg(".")
        .current_dir(&folder)
        .output()
        .expect("the program runs");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

const SILENT: &str = "mqtt: 5.0
clients: { sensor: { keep_alive: 5s } }
steps: [ { sensor: stop_pinging } ]
expect: [ { broker: { closes: sensor, because: keep_alive, at: FACTOR * 5s after last packet from sensor } } ]
";

#[test]
fn a_scenario_that_fails_without_a_defect_is_named_and_catches_none() {
    let (right, wrong) = (SILENT.replace("FACTOR", "1.5"), SILENT.replace("FACTOR", "2"));
    let only = ["--only", "broker: keep_alive_once"];
    let (status, said) = halfopen_defects(&[("wrong.yaml", &wrong)], &only);
    assert_eq!(status, Some(1), "{said}");
    let lines = [
        "NOT COUNTED wrong: it does not pass without any defect",
        "  FAILED   wrong[5.0]",
        "no scenario is left that could catch a defect",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), lines);

    let (status, said) = halfopen_defects(&[("wrong.yaml", &wrong), ("right.yaml", &right)], &only);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("NOT COUNTED wrong") && said.contains("caught by 1 scenario:\n            right"), "{said}");
    assert!(said.ends_with("1 defect: 1 caught\n1 scenario not counted, named above\n"), "{said}");

    let (status, said) = halfopen_defects(&[("right.yaml", &right)], &only);
    assert_eq!(status, Some(0), "{said}");
    assert!(!said.contains("NOT COUNTED"), "{said}");
}

#[test]
fn the_matrix_tells_what_shows_that_a_defect_is_caught() {
    let output = Command::new(env!("CARGO_BIN_EXE_halfopen"))
        .args(["defects", "scenarios/will/power_loss.yaml", "scenarios/will/crash.yaml", "--only", "broker:will_lost"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .output()
        .expect("the program runs");
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stdout));
}
