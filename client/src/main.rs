//! `halfopen-client`: publishes and subscribes from the command line, with the flags of `mosquitto_pub` and
//! `mosquitto_sub`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
