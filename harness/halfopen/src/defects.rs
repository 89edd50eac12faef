//! Named defects of the broker and the client, and which scenarios catch them: a scenario that no defect fails on proves
//! nothing.
//!
//! A defect is switched on in all brokers, or all clients, of a plan. No scenario can do that, and
//! nothing in the programs that are used for real; `halfopen run --defect` can.

mod scenarios;

pub use self::scenarios::{Catch, Proof, Scenarios, Unfit};
pub use crate::world::{Defect, UnknownDefect};
