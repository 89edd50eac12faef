//! An MQTT 3.1.1 and 5.0 client.
//!
//! [`Client`](core::Client) is the protocol: a synchronous state machine without sockets or a clock.
//! [`driver::run`] connects it to any byte stream.

pub mod core;
pub mod driver;

pub use crate::core::Options;
