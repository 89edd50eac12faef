//! TCP between simulated hosts, as the programs that use it see it.
//!
//! A [`Network`] holds the hosts, the links between them, and both ends of every connection. It performs no I/O and
//! reads no clock: each call takes the time as an argument, [`Network::poll_timeout`] returns the time of the next call
//! that is needed, and [`Network::poll_event`] returns what a driver must do.
//!
//! ```
//! use std::time::Duration;
//! use halfopen_tcp::{HostId, LinkSettings, Network, Read, Side, Socket, SynDecision};
//!
//! let (server, client) = (HostId(0), HostId(1));
//! let mut network = Network::new(2, LinkSettings::default(), |_| 0);
//! network.listen(server)?;
//! let connection = network.connect(client, server);
//! network.flush(Duration::ZERO);
//! while let Some(now) = network.poll_timeout() {
//!     while network.handle_arrival(now, |_, _| SynDecision::Accept) {}
//!     network.flush(now);
//! }
//! assert_eq!(network.connect_result(connection), Some(Ok(())));
//! assert_eq!(network.accept(server), Some(connection));
//! # let mut buffer = [0; 8];
//! assert_eq!(network.read(Socket::new(connection, Side::Server), &mut buffer), Read::Blocked);
//! # Ok::<(), halfopen_tcp::SocketError>(())
//! ```
//!
//! # What is modelled
//!
//! The handshake with its retries, FIN, RST, windows counted in bytes, retransmission with time-outs that double
//! (RFC 6298, with the bounds that Linux has), and the failure of a socket whose bytes nobody acknowledges. A sender
//! whose peer has closed its window asks for it, and fails if nobody answers (RFC 9293, 3.8.6.1). A segment that the network
//! loses arrives late, or its sender's socket fails; a program never misses a byte. Middleboxes forget
//! connections by rules of their own. Congestion control and delayed acknowledgements are absent: no program can tell.
//!
//! # Cost
//!
//! The work for one event does not depend on the number of hosts, links, sockets or connections, except for the
//! logarithm of the number of distinct instants at which something is due. A connection on which nothing is under way
//! and nothing is buffered holds no buffer.

mod arrive;
mod connection;
mod event;
mod faults;
mod host;
mod link;
mod middlebox;
mod network;
mod path;
mod probing;
mod receiver;
mod schedule;
mod segment;
mod sender;
mod settings;
mod sockets;
mod time;
mod transmit;

pub use self::connection::{ConnectionId, Side, Socket, SocketError};
pub use self::event::{Event, StreamEnd};
pub use self::faults::Scope;
pub use self::host::HostId;
pub use self::link::{Purpose, RandomStream};
pub use self::middlebox::{MiddleboxRules, WhenFull};
pub use self::network::{FaultId, Network, SynDecision};
pub use self::settings::{LinkChange, LinkSettings};
pub use self::sockets::{Read, Write};

/// Capacity of a socket's receive buffer, in bytes, and of its send buffer.
pub const BUFFER_CAPACITY: usize = 64 * 1024;

/// Maximum number of bytes of the stream in one segment: an MTU of 1500 less the headers of IPv4 and TCP.
pub const MAXIMUM_SEGMENT_SIZE: usize = 1460;
