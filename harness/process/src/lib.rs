//! Unmodified Linux programs in virtual time.
//!
//! A [`Process`] is a program, with all processes and threads that it makes, whose clocks, sockets and randomness are a
//! world's. A seccomp filter asks about every system call that waits, tells the time, or concerns a socket or a pipe. At most
//! one thread runs at a time, until it waits; a thread that waits is held in its system call, unanswered. When all are held,
//! the program has nothing left to do at this instant, whatever the real clock says. Nothing is polled, and nothing is
//! guessed from real time, but for calls that block in the kernel unasked ([`Stats::blocked_natively`]).
//!
//! It is driven like a state machine: [`Process::run`] lets it run at an instant and returns what it did,
//! [`Process::deadline`] says when to run it again even if nothing arrives, and the other methods bring what arrives. It
//! needs no root. A program that wants to get out can: this is a harness, not a sandbox.
//!
//! The crate is empty but on Linux on x86-64 and aarch64.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

mod call;
mod clock;
mod descriptors;
mod error;
mod event;
mod filter;
mod native;
mod proc;
mod process;
mod schedule;
mod socket;
mod stopwatch;
mod sys;
mod vdso;

pub use self::clock::Clocks;
pub use self::error::{RunError, StartError};
pub use self::event::{Event, SocketId, Stats};
pub use self::native::NativeProcess;
pub use self::process::{Launch, Process};
