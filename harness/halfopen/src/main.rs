//! `halfopen`: runs MQTT scenarios and says what is wrong. See [`halfopen::cli`].

use std::process::ExitCode;

#[cfg(feature = "mimalloc")]
use mimalloc::MiMalloc;

/// A run allocates small values all the time, which this allocator does faster and in less room than most systems' own.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    halfopen::cli::main()
}
