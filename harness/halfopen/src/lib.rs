//! A deterministic simulation and conformance test harness for MQTT 3.1.1 and 5.0.
//!
//! Data flows one way: [`scenario`] (the YAML file as typed values) → [`plan`] (names resolved, matrix expanded, times
//! computed) → [`world`] (nodes, links and a clock apply the plan) → [`trace`] (one ordered list of typed events) →
//! [`check`] (pure functions of plan and trace) → [`report`] (for people and machines).
//! [`suite`] is all of this in one call, for `cargo test`, with the project's broker or one of yours.
//! [`sweep`] runs a plan to know where its runs with a fault begin.
//! [`coverage`] says which statements of the standards scenarios show. [`diff`] says what changed between two traces.

pub mod cli;
pub mod coverage;
pub mod defects;
pub mod diff;
mod explain;
pub mod load;
pub mod programs;
pub mod report;
pub mod run;
pub mod suite;
pub mod sweep;
pub mod why;

pub use halfopen_check as check;
pub use halfopen_plan::{self as plan, trace};
pub use halfopen_scenario::{self as scenario, field_cases};
pub use halfopen_world as world;
