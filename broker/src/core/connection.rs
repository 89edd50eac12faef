use std::rc::Rc;

use bytes::BytesMut;
use halfopen_protocol::packet::Publish;
use halfopen_protocol::{DecodeError, DecodeOptions, Instant, Packet, Role, Version, decode, decode_one};

use super::aliases::{AliasError, Aliases};
use super::authenticate::{Authentication, Pending};
use super::held::{Held, Share};
use super::keep_alive::KeepAlive;
use super::session::SessionKey;
use super::{Config, Timer};

/// One transport connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) opened: Instant,
    /// The version named by CONNECT; before that it decides nothing.
    pub(super) version: Version,
    /// The CONNECT, while it is being judged.
    pub(super) pending: Option<Box<Pending>>,
    /// The client, from the successful CONNACK on.
    pub(super) client: Option<Client>,
    /// True if CONNACK is on its way: nothing is sent before it.
    pub(super) has_connack: bool,
    /// Bytes that were received and make no whole packet yet. An idle connection holds no buffer: there may be
    /// thousands.
    incoming: Option<Box<BytesMut>>,
    /// Number of bytes that the driver has and has not written yet.
    pub(super) unwritten: usize,
    /// The largest packet that the client takes [MQTT-3.1.2-24] (5.0).
    pub(super) maximum_packet_size: u32,
    /// 5.0: whether the client wants Reason Strings [MQTT-3.1.2-29].
    pub(super) wants_reasons: bool,
    /// The topic aliases, once the client has set one or if the broker may set some.
    pub(super) aliases: Option<Box<Aliases>>,
    /// Memory that the broker holds for this connection.
    share: Share,
}

/// The client at the other end of a connection.
#[derive(Debug)]
pub(super) struct Client {
    /// Says who it is.
    pub(super) session: SessionKey,
    /// The state of its enhanced authentication, if it used one.
    pub(super) authentication: Option<Box<Authentication>>,
    pub(super) keep_alive: KeepAlive,
}

impl Connection {
    pub(super) fn new(now: Instant, held: &Rc<Held>) -> Self {
        Self {
            opened: now,
            version: Version::V3_1_1,
            pending: None,
            client: None,
            has_connack: false,
            incoming: None,
            unwritten: 0,
            maximum_packet_size: u32::MAX,
            wants_reasons: true,
            aliases: None,
            share: Share::new(held),
        }
    }

    /// Counts what the connection holds, after that has changed: what has been read of a packet, a CONNECT that is
    /// being judged, topic aliases, and what is to be written.
    pub(super) fn count_held(&mut self) {
        self.share.set(self.read_bytes() + self.unwritten);
    }

    /// Returns how much of what the client sent is held.
    pub(super) fn read_bytes(&self) -> usize {
        let incoming = self.incoming.as_ref().map_or(0, |incoming| incoming.capacity());
        let pending = self.pending.as_ref().map_or(0, |pending| pending.size());
        let aliases = self.aliases.as_ref().map_or(0, |aliases| aliases.incoming.bytes() + aliases.outgoing.bytes());
        incoming + pending + aliases
    }

    /// Returns when to close it and why, unless something comes.
    pub(super) fn deadline(&self, config: &Config) -> Option<(Instant, Timer)> {
        match &self.client {
            None => Some((self.opened + config.connect_timeout, Timer::Connect)),
            Some(client) => client.keep_alive.due().map(|due| (due, Timer::KeepAlive)),
        }
    }

    /// Keeps bytes that came.
    pub(super) fn handle_bytes(&mut self, bytes: &[u8]) {
        self.incoming.get_or_insert_default().extend_from_slice(bytes);
    }

    /// Puts the topic of a PUBLISH in the place of its alias, and remembers it if it is new.
    pub(super) fn resolve_alias(&mut self, publish: &mut Publish, maximum: u16) -> Result<(), AliasError> {
        match publish.topic_alias {
            Some(_) => self.aliases.get_or_insert_default().incoming.resolve(publish, maximum),
            None => Ok(()),
        }
    }

    /// Returns how many bytes have come that are no packet yet.
    pub(super) fn unread(&self) -> usize {
        self.incoming.as_ref().map_or(0, |incoming| incoming.len())
    }

    fn decode_options(&self, config: &Config) -> DecodeOptions {
        DecodeOptions {
            version: self.version,
            reader: Role::Server,
            maximum_packet_size: match self.client {
                Some(_) => config.maximum_packet_size,
                None => config.maximum_packet_size.min(config.maximum_connect_size),
            },
        }
    }

    /// Returns the packet that these bytes of a client that was accepted are, if they are exactly one and nothing waits before
    /// it.
    pub(super) fn packet_of(&self, bytes: &[u8], config: &Config) -> Option<Packet> {
        let is_ready = self.incoming.is_none() && self.client.is_some() && self.pending.is_none();
        if is_ready { decode_one(bytes, &self.decode_options(config)) } else { None }
    }

    /// The next whole packet, or what is wrong with the bytes.
    pub(super) fn poll_packet(&mut self, config: &Config) -> Result<Option<Packet>, DecodeError> {
        let options = self.decode_options(config);
        let Some(incoming) = self.incoming.as_mut().filter(|incoming| !incoming.is_empty()) else {
            self.incoming = None;
            return Ok(None);
        };
        decode(incoming, &options)
    }

    /// The protocol level of the CONNECT that these bytes begin with, even of one that is no valid packet.
    pub(super) fn connect_level(&self) -> Option<u8> {
        let (&first, rest) = self.incoming.as_ref()?.split_first()?;
        let length = rest.iter().take(4).position(|byte| byte & 0x80 == 0)? + 1;
        let level = rest[length..].strip_prefix(b"\0\x04MQTT")?.first()?;
        (first == 0x10).then_some(*level)
    }
}
