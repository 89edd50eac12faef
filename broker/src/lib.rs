//! An MQTT 3.1.1 and 5.0 broker.
//!
//! [`Broker`](core::Broker) is the protocol: a synchronous state machine without sockets or a clock.

pub mod core;

pub use crate::core::Config;
