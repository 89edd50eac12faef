use std::collections::BTreeMap;

use bytes::BytesMut;
use bytestring::ByteString;
use halfopen_protocol::{Instant, Rare};

use super::aliases::Aliases;
use super::defects::KeepAliveOrDefect;
use super::limits::Limits;

/// The state of the connection.
#[derive(Debug)]
pub(super) enum Link {
    /// There is none, and none will be made without a command.
    Idle,
    /// There is none, and the next attempt begins at `retry_at`.
    Waiting {
        /// Time of the next attempt.
        retry_at: Instant,
    },
    /// The driver opens the transport.
    Opening(Attempt),
    /// CONNECT is sent.
    Handshake(Box<Handshake>),
    /// CONNACK has come.
    Up(Box<Up>),
}

/// An attempt to connect, or to authenticate again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    /// Time at which it began.
    pub(super) at: Instant,
    /// Time at which transport and CONNACK, or AUTH, must be there.
    pub(super) due: Instant,
}

/// An attempt that has a transport.
#[derive(Debug)]
pub(super) struct Handshake {
    pub(super) attempt: Attempt,
    pub(super) connect_sent: Instant,
    pub(super) clean_start: bool,
    pub(super) authentication_method: Option<ByteString>,
    pub(super) buffer: BytesMut,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Up {
    pub(super) keep_alive: KeepAliveOrDefect,
    pub(super) limits: Limits,
    /// Bytes that make no whole packet yet, if there are some.
    pub(super) buffer: Option<Box<BytesMut>>,
    /// Topic aliases that the broker set (§3.3.2.3.4 of 5.0).
    pub(super) aliases: Rare<BTreeMap<u16, ByteString>>,
    /// The aliases that we set.
    pub(super) outgoing: Aliases,
    /// Time since which there is this connection.
    pub(super) since: Instant,
    /// The one of CONNECT.
    pub(super) authentication_method: Option<Box<ByteString>>,
    /// We have asked to authenticate again, and it is not done.
    pub(super) authenticating: Option<Box<Attempt>>,
    /// The driver has more to write than it wants to hold.
    pub(super) is_congested: bool,
}

impl Link {
    /// Returns the attempt to connect that has no CONNACK yet.
    pub(super) fn attempt(&self) -> Option<Attempt> {
        match self {
            Self::Opening(attempt) => Some(*attempt),
            Self::Handshake(handshake) => Some(handshake.attempt),
            Self::Idle | Self::Waiting { .. } | Self::Up(_) => None,
        }
    }

    /// Returns what came in and is not decoded yet; `None` without a transport.
    pub(super) fn buffer(&mut self) -> Option<&mut BytesMut> {
        match self {
            Self::Handshake(handshake) => Some(&mut handshake.buffer),
            Self::Up(up) => Some(up.buffer.get_or_insert_default()),
            Self::Idle | Self::Waiting { .. } | Self::Opening(_) => None,
        }
    }
}
