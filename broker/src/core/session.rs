use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::time::Duration;

use bytestring::ByteString;
use halfopen_protocol::flow::{Inbox, Outbox};
use halfopen_protocol::packet::Will;
use halfopen_protocol::{Instant, Numbered};
use rand_chacha::rand_core::Rng;

use super::drops::Drops;
use super::held::{Held, MessageShare, Share};
use super::message::Message;
use super::queue::Queue;
use super::{Config, ConnectionId, key_of_numbered, will};

/// Approximate cost in bytes of the identifier of a received message of QoS 2.
const RECEIVED: usize = 32;

/// Names one session for as long as the broker runs; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SessionKey(u64);

key_of_numbered!(SessionKey);

impl SessionKey {
    const FIRST: Self = Self(0);
    const LAST: Self = Self(u64::MAX);
}

/// The state that the broker keeps for a client, perhaps longer than one connection (§4.1).
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client_id: ByteString,
    /// The user that the client has proved to be, at its last connection.
    pub(super) user: Option<Box<str>>,
    /// The connection, while there is one.
    pub(super) connection: Option<ConnectionId>,
    /// Time that the session outlives its connection.
    pub(super) expiry: Expiry,
    /// Time at which it ends, while there is no connection.
    pub(super) ends: Option<Instant>,
    /// The will, until it is published or deleted [MQTT-3.1.2-7] (5.0).
    pub(super) will: Option<Box<Will>>,
    /// Time at which the will is to be published, or was, while there is no connection.
    pub(super) will_due: Option<Instant>,
    /// The filters of its subscriptions.
    pub(super) filters: BTreeSet<ByteString>,
    /// The messages that were dropped for want of room.
    pub(super) drops: Drops,
    limits: FlowLimits,
    /// The share of this session in what all hold, without its messages above QoS 0.
    share: Share,
    /// The bytes that the filters of its subscriptions count for.
    pub(super) filter_bytes: usize,
    /// The messages above QoS 0. Most sessions of a broker with many have none: then this is not there.
    pub(super) flow: Option<Box<Flow>>,
}

/// The limits of a session's messages above QoS 0.
#[derive(Clone, Copy, Debug)]
struct FlowLimits {
    to_client: u16,
    from_client: u16,
}

/// The messages above QoS 0 of one session.
#[derive(Debug)]
pub(super) struct Flow {
    /// Messages to the client.
    pub(super) outbox: Outbox<Flight>,
    /// The share of the outbox.
    pub(super) in_flight: MessageShare,
    /// Messages of QoS 2 from the client.
    pub(super) inbox: Inbox,
    /// Messages that wait for the outbox.
    pub(super) queue: Queue,
}

impl Session {
    fn new(client_id: ByteString, config: &Config, held: &Rc<Held>) -> Self {
        Self {
            client_id,
            user: None,
            connection: None,
            expiry: Expiry::AT_CLOSE,
            ends: None,
            will: None,
            will_due: None,
            filters: BTreeSet::new(),
            drops: Drops::default(),
            limits: FlowLimits { to_client: config.in_flight_messages, from_client: u16::MAX },
            share: Share::new(held),
            filter_bytes: 0,
            flow: None,
        }
    }

    /// Counts what the session holds without its messages, after that has changed.
    pub(super) fn count_held(&mut self) {
        let will = self.will.as_ref().map_or(0, |will| will::size(will));
        let received = self.flow.as_ref().map_or(0, |flow| flow.inbox.len() * RECEIVED);
        let user = self.user.as_ref().map_or(0, |user| user.len());
        self.share.set(self.client_id.len() + user + will + self.filter_bytes + received);
    }

    /// The same, whose messages are counted in `held`.
    fn copy(&self, held: &Rc<Held>) -> Self {
        Self {
            client_id: self.client_id.clone(),
            user: self.user.clone(),
            will: self.will.clone(),
            filters: self.filters.clone(),
            share: self.share.copy(held),
            drops: self.drops.clone(),
            flow: self.flow.as_ref().map(|flow| Box::new(flow.copy(held))),
            ..*self
        }
    }

    /// The messages above QoS 0.
    pub(super) fn flow(&mut self) -> &mut Flow {
        let (limits, held) = (self.limits, self.share.all());
        self.flow.get_or_insert_with(|| Box::new(Flow::new(limits, held)))
    }

    /// Begins a new connection, with the number of messages above QoS 0 that may be under way to the client and from
    /// it.
    pub(super) fn set_limits(&mut self, to_client: u16, from_client: u16) {
        self.limits = FlowLimits { to_client, from_client };
        if let Some(flow) = &mut self.flow {
            flow.outbox.set_window(to_client);
            flow.inbox.set_maximum(from_client);
        }
    }
}

impl Flow {
    fn new(limits: FlowLimits, held: &Rc<Held>) -> Self {
        Self {
            outbox: Outbox::new(limits.to_client),
            in_flight: MessageShare::new(held),
            inbox: Inbox::new(limits.from_client),
            queue: Queue::new(MessageShare::new(held)),
        }
    }

    fn copy(&self, held: &Rc<Held>) -> Self {
        Self {
            outbox: self.outbox.clone(),
            in_flight: self.in_flight.copy(held),
            inbox: self.inbox.clone(),
            queue: self.queue.copy(held),
        }
    }

    /// A message has left the outbox.
    pub(super) fn settle(&mut self, flight: Option<Flight>) {
        if let Some(flight) = flight {
            self.in_flight.remove(flight.message.cost());
        }
    }
}

/// The data that an outbox keeps with each message.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    /// The message as it was received.
    pub(super) message: Message,
    /// The shared subscription that it came by.
    pub(super) shared: Option<ByteString>,
}

/// A Session Expiry Interval in seconds (§3.1.2.11.2 of 5.0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expiry(u32);

impl Expiry {
    /// The session ends with its connection: 0, absent, or Clean Session of 3.1.1 [MQTT-3.1.2-6] (3.1.1).
    pub(super) const AT_CLOSE: Self = Self(0);
    /// The session never ends by itself: 0xFFFFFFFF, or 3.1.1 without Clean Session [MQTT-3.1.2-4] (3.1.1).
    pub(super) const NEVER: Self = Self(u32::MAX);

    pub(super) fn from_secs(secs: u32) -> Self {
        Self(secs)
    }

    #[cfg(feature = "defects")]
    pub(super) fn as_secs(self) -> u32 {
        self.0
    }

    /// Returns when a session ends whose connection is closed at `now`; `None` is never.
    pub(super) fn after(self, now: Instant) -> Option<Instant> {
        (self != Self::NEVER).then(|| now + Duration::from_secs(self.0.into()))
    }
}

/// All sessions, by key and by client identifier [MQTT-3.1.3-2].
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_key: Numbered<SessionKey, Box<Session>>,
    /// The sessions by the hash of their client identifiers, each of which would take more room than this does.
    by_client_id: BTreeSet<(u64, SessionKey)>,
    last_key: u64,
    held: Rc<Held>,
}

impl Sessions {
    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// The keys of all.
    pub(super) fn keys(&self) -> Vec<SessionKey> {
        self.by_key.keys().collect()
    }

    /// Returns the counter of the bytes that the broker holds for all clients together.
    pub(super) fn held(&self) -> &Rc<Held> {
        &self.held
    }

    pub(super) fn find(&self, client_id: &str) -> Option<SessionKey> {
        let hash = hash(client_id);
        let same_hash = self.by_client_id.range((hash, SessionKey::FIRST)..=(hash, SessionKey::LAST));
        same_hash.map(|&(_, key)| key).find(|&key| self.get(key).is_some_and(|session| session.client_id == client_id))
    }

    pub(super) fn get(&self, key: SessionKey) -> Option<&Session> {
        self.by_key.get(&key).map(|session| &**session)
    }

    pub(super) fn get_mut(&mut self, key: SessionKey) -> Option<&mut Session> {
        self.by_key.get_mut(&key).map(|session| &mut **session)
    }

    /// A new session for a client that has none.
    pub(super) fn create(&mut self, client_id: ByteString, config: &Config) -> SessionKey {
        self.last_key += 1;
        let key = SessionKey(self.last_key);
        self.by_client_id.insert((hash(&client_id), key));
        self.by_key.insert(key, Box::new(Session::new(client_id, config, &self.held)));
        key
    }

    pub(super) fn remove(&mut self, key: SessionKey) -> Option<Box<Session>> {
        let session = self.by_key.remove(&key)?;
        self.by_client_id.remove(&(hash(&session.client_id), key));
        Some(session)
    }

    /// Returns a client identifier that no session uses and nobody can guess [MQTT-3.1.3-6], [MQTT-3.2.2-16] (5.0): 128
    /// random bits.
    pub(super) fn assign_client_id(&self, random: &mut impl Rng) -> ByteString {
        loop {
            let mut bits = [0; 16];
            random.fill_bytes(&mut bits);
            let client_id = format!("auto-{:032x}", u128::from_be_bytes(bits));
            if self.find(&client_id).is_none() {
                return client_id.into();
            }
        }
    }
}

/// A hash with 64 bits, of which nobody finds many with the same: it need not be secret.
fn hash(client_id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    client_id.hash(&mut hasher);
    hasher.finish()
}

/// The same sessions, whose messages are counted on their own.
impl Clone for Sessions {
    fn clone(&self) -> Self {
        let held = Rc::default();
        let copies = self.by_key.iter().map(|(key, session)| (key, Box::new(session.copy(&held))));
        Self { by_key: copies.collect(), by_client_id: self.by_client_id.clone(), last_key: self.last_key, held }
    }
}
