//! The QoS flows that both sides share (§4.3, §4.4, §4.9): what is sent until it is acknowledged, what is received once.
//!
//! [`Outbox`] is the sending side, [`Inbox`] the receiving side. Both belong to a session and outlive its connections;
//! neither knows whether there is a connection. The owner writes the packets that they return, in that order.

mod error;
mod inbox;
mod outbox;

pub use self::error::FlowError;
pub use self::inbox::{Inbox, Receipt};
pub use self::outbox::{Drained, Outbox, PubRecOutcome};
