//! What is written is what was read.

use std::fs;

use super::{here, scenarios};
use crate::ast::File;
use crate::plan::{Seed, Source};
use crate::{Comments, PlanOptions, WIDTH, find, generate, parse};

fn read(path: &str, text: &str) -> crate::Scenario {
    let source = Source { path: path.to_owned(), text: text.to_owned(), ..Source::default() };
    parse("a".into(), source).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

fn written(file: &File) -> String {
    file.to_yaml(&Comments::default())
}

#[test]
fn every_scenario_is_the_same_after_it_is_written_and_read() {
    let mut wide = Vec::new();
    for file in find(&[here("good"), scenarios()]).unwrap() {
        let path = file.path.display().to_string();
        let scenario = read(&path, &fs::read_to_string(&file.path).unwrap());
        let text = written(&scenario.file);
        let again = read(&path, &text);
        assert!(again.file == scenario.file, "{path} is another one after it is written:\n{text}");
        assert_eq!(text, written(&again.file), "{path}");
        let [plans, same] = [&scenario, &again].map(|read| read.plans(PlanOptions::default()).unwrap());
        assert_eq!(plans.len(), same.len(), "{path}");
        wide.extend(text.lines().filter(|line| line.chars().count() > WIDTH).map(|line| format!("{path}: {line}")));
    }
    // A text has no place at which it could be broken: `about`, or a key and a text that is no map or list.
    let has_no_break = |line: &String| line.contains(" about: ") || !line.contains(['{', '[', ',']);
    assert!(wide.iter().all(has_no_break), "{}", wide.join("\n"));
}

#[test]
fn every_file_that_is_drawn_is_the_same_after_it_is_written_and_read() {
    for seed in 0..500 {
        let file = generate::file(Seed(seed));
        let text = written(&file);
        let scenario = read("drawn.yaml", &text);
        assert!(scenario.file == file, "seed {seed}:\n{text}\n{file:#?}\n{:#?}", scenario.file);
        let plans =
            scenario.plans(PlanOptions::default()).unwrap_or_else(|errors| panic!("seed {seed}: {errors}\n{text}"));
        assert!(!plans.is_empty());
    }
}

#[test]
fn the_same_seed_draws_the_same_file() {
    assert_eq!(written(&generate::file(Seed(7))), written(&generate::file(Seed(7))));
    assert_ne!(written(&generate::file(Seed(7))), written(&generate::file(Seed(8))));
}

#[test]
fn a_file_is_written_as_a_person_would() {
    let text = "clients:\n  watcher: { keep_alive: 0s, subscribe: s/+ }\n  sensor: { keep_alive: <keep_alive>, client_id: a client with a rather long name indeed, will: { topic: s/1, payload: 'off: line' } }\n\
                matrix: { keep_alive: [1s, 2s] }\nclauses: { 5.0: [MQTT-3.1.2-22, MQTT-3.1.2-8], 3.1.1: [MQTT-3.1.2-24] }\nsteps:\n  - wait: 2.5*<keep_alive>\n  - repeat: { times: 5, steps: [ { sensor: { publish: { topic: a/b, payload: a payload that needs its room, qos: 1 } } }, { wait: 10s }, { sensor: [crash, restart] } ] }\n\
                expect:\n  - broker: { closes: sensor, because: keep_alive, count: 1, at: 1.5 * <keep_alive> after last packet from sensor }\n  - watcher: { receives: { PUBLISH: { payload: 'null' } }, count: 0 }\n";
    let comments = Comments {
        head: vec!["A device loses power.".to_owned(), "Found with seed 7.".to_owned()],
        keys: [("clients".to_owned(), "who is there".to_owned())].into(),
        nodes: [("sensor".to_owned(), "its will is what we wait for".to_owned())].into(),
        steps: [(0, "the time-out".to_owned()), (1, "twice is enough".to_owned())].into(),
        expectations: [(0, "so late, and no later".to_owned()), (1, "nothing comes".to_owned())].into(),
    };
    insta::assert_snapshot!(read("a.yaml", text).file.to_yaml(&comments));
}
