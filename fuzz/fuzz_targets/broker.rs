#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| halfopen_fuzz::broker::run(data));
