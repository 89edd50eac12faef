//! Each run of a file as a file of its own.

use crate::plan::Source;
use crate::{Comments, parse};

fn texts(text: &str) -> Vec<String> {
    let source = Source { path: "single.yaml".to_owned(), text: text.to_owned(), ..Source::default() };
    let files = parse("single".to_owned(), source).unwrap().single_runs();
    files.iter().map(|file| file.to_yaml(&Comments::default())).collect()
}

#[test]
fn each_run_of_a_matrix_is_a_file_without_axes() {
    let texts = texts(
        "mqtt: 5.0\nmatrix: { keep_alive: [5s, 10s], ends: [crash, power_loss] }\nclients: { sensor: { keep_alive: \
         <keep_alive> } }\nsteps:\n  - wait: 2 * <keep_alive>\n  - sensor: <ends>\n  - when: { runs: { ends: crash }, steps: \
         [{ sensor: restart }] }\n  - wait: <sensor.keep_alive>\nexpect:\n  - sensor: { sends: CONNECT }\n",
    );
    assert_eq!(texts.len(), 4);
    assert!(texts.iter().all(|text| !text.contains("matrix") && !text.contains("<keep_alive>")), "{texts:#?}");
    assert!(texts[0].contains("keep_alive: 5s") && texts[0].contains("wait: 2 * 5s"), "{}", texts[0]);
    assert!(texts[0].contains("- sensor: restart") && !texts[1].contains("restart"), "{texts:#?}");
    assert!(texts[0].contains("<sensor.keep_alive>"), "what only the run knows stays: {}", texts[0]);
}

#[test]
fn each_row_of_a_table_is_a_file_in_its_versions() {
    let texts = texts(
        "table:\n  - { case: one, mqtt: 5.0, time: 1s }\n  - { case: two, time: 2s }\nclients: { sensor: {} }\nsteps:\n  - \
         wait: <time>\n",
    );
    let with = |text: &str| texts.iter().filter(|one| one.contains(text)).count();
    assert_eq!((texts.len(), with("wait: 1s"), with("wait: 2s"), with("mqtt: 5.0")), (3, 1, 2, 2), "{texts:#?}");
}

#[test]
fn runs_that_are_more_than_the_values_of_axes_are_left_out() {
    let text = "mqtt: 5.0\nclients: { sensor: {} }\nsteps:\n  - any_order: [{ sensor: crash }, { broker: crash }]\n";
    assert_eq!(texts(text), Vec::<String>::new());
}
