//! MQTT 3.1.1 and 5.0: packets, their encoding, topics, and the QoS flows.
//!
//! This crate knows nothing of sockets, tasks, clocks or randomness. Whatever needs time takes it as an
//! argument ([`Instant`]); whatever waits is waited for by somebody else ([`Clock`]).
//!
//! One tree of packet types serves both versions: the [`Version`] is an argument of [`decode`] and [`encode`].

mod codec;
pub mod flow;
pub mod normative;
pub mod packet;
mod reason;
#[cfg(feature = "scram")]
pub mod scram;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
pub mod topic;
mod version;

pub use crate::codec::{DecodeError, DecodeOptions, EncodeError, Role, decode, encode};
pub use crate::packet::{Packet, PacketType};
pub use crate::reason::ReasonCode;
pub use crate::time::{Clock, Instant};
pub use crate::version::Version;
