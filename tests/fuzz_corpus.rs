//! What fuzzing has found interesting, replayed as a plain test: see `fuzz/`.

#[path = "../fuzz/src/lib.rs"]
pub mod targets;

use std::fs;
use std::path::Path;

use rstest::rstest;

#[rstest]
#[case("decoder", targets::decoder::run)]
#[case("broker", targets::broker::run)]
#[case("client", targets::client::run)]
fn every_input_of_the_corpus_holds_the_rules(#[case] name: &str, #[case] run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut inputs: Vec<_> =
        fs::read_dir(folder).expect("the corpus").map(|entry| entry.expect("an entry").path()).collect();
    inputs.sort();
    assert!(inputs.len() >= 50, "the corpus of {name} is there");
    for input in inputs {
        let data = fs::read(&input).expect("it can be read");
        let outcome = std::panic::catch_unwind(|| run(&data));
        assert!(outcome.is_ok(), "{} fails", input.display());
    }
}
