//! What is fuzzed. `fuzz_targets/` hands these functions what libFuzzer thinks up, and `tests/fuzz_corpus.rs` what it
//! has found interesting before, as a plain test.

pub mod broker;
pub mod client;
pub mod decoder;
pub mod packets;
