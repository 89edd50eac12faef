//! The cores of broker and client, compiled once more, with nothing but what a pure state machine may depend on.
//!
//! A core takes the time, the bytes and its seed as arguments. Here it sees no crate that knows a clock, a socket, a thread
//! or the randomness of the operating system; and clippy, which reads the `clippy.toml` of this crate, finds what the standard
//! library has of these.

// The tests of the cores are compiled where the cores live, and may use more.
#![cfg(not(test))]

#[path = "../../../broker/src/core/mod.rs"]
pub mod broker_core;
#[path = "../../../client/src/core/mod.rs"]
pub mod client_core;
