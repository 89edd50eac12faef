//! An MQTT 3.1.1 and 5.0 broker.
//!
//! [`Broker`] is the protocol: a synchronous state machine without sockets or a clock. [`serve`] connects one to
//! whatever sockets and clock the caller has.

pub mod auth;
pub mod core;
pub mod driver;
pub mod log;

pub use crate::core::{Access, Broker, Config, QueuePolicy, Referral};
pub use crate::driver::{Change, Listener, Observer, TokioClock, serve, serve_verifying};
