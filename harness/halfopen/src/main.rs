//! `halfopen`: runs MQTT scenarios and says what is wrong. See [`halfopen::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    halfopen::cli::main()
}
