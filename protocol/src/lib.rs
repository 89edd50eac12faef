//! MQTT 3.1.1 and 5.0: packets, their encoding, topics, and the QoS flows.
//!
//! This crate knows nothing of sockets, tasks, clocks or randomness. Whatever needs time takes it as an
//! argument ([`Instant`]); the driver does all the waiting ([`Clock`]).
//!
//! One tree of packet types serves both versions: the [`Version`] is an argument of [`decode`] and [`encode`].
//!
//! ```
//! use bytes::BytesMut;
//! use halfopen_protocol::packet::Connect;
//! use halfopen_protocol::{DecodeOptions, Packet, Role, Version, decode, encode};
//!
//! let mut bytes = BytesMut::new();
//! let connect = Packet::from(Connect { keep_alive: 60, ..Connect::new(Version::V3_1_1, "kitchen") });
//! encode(&connect, Version::V3_1_1, &mut bytes)?;
//! assert_eq!(&bytes[..], b"\x10\x13\0\x04MQTT\x04\x02\0\x3c\0\x07kitchen");
//!
//! let options = DecodeOptions { version: Version::V3_1_1, reader: Role::Server, maximum_packet_size: 1024 };
//! assert_eq!(decode(&mut bytes, &options)?, Some(connect));
//! assert_eq!(decode(&mut bytes, &options)?, None);
//!
//! // What breaks a rule is an error that names it: here a PUBLISH with QoS 3.
//! let error = decode(&mut BytesMut::from(&b"\x36\x05\0\x01a\0\x01"[..]), &options).unwrap_err();
//! assert_eq!(error.clause, "MQTT-3.3.1-4");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`flow`] is what QoS 1 and 2 promise on either side of a session, [`topic`] names and filters, [`normative`] the
//! statements of both standards by their ids.

mod codec;
#[cfg(feature = "defects")]
mod defects;
pub mod flow;
pub mod normative;
pub mod packet;
mod reason;
mod room;
#[cfg(feature = "scram")]
pub mod scram;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
pub mod topic;
mod version;

pub use crate::codec::{DecodeError, DecodeOptions, EncodeError, Role, decode, decode_one, encode};
pub use crate::packet::{Packet, PacketType};
pub use crate::reason::ReasonCode;
pub use crate::room::{Empty, Few, Numbered, Pages, Rare, Shared};
pub use crate::time::{Clock, Instant};
pub use crate::version::Version;
