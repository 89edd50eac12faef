use super::Broker;

/// What the broker knows about one client; see [`Broker::client`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientState {
    /// Whether there is a connection that the broker believes in.
    pub connected: bool,
    /// How many messages wait to be sent.
    pub queued: usize,
    /// How many messages to the client were dropped since its session began, because its queue or write buffer had no
    /// room.
    pub dropped: u64,
    /// How many QoS 1 and 2 messages to the client are unacknowledged.
    pub in_flight: usize,
    /// How many topic filters it is subscribed to.
    pub subscriptions: usize,
    /// Whether a will is stored.
    pub has_will: bool,
}

/// What can be seen from outside, for tests and statistics.
impl Broker {
    /// The client with this identifier; `None` if there is no session.
    pub fn client(&self, client_id: &str) -> Option<ClientState> {
        let session = self.sessions.get(self.sessions.find(client_id)?)?;
        let flow = session.flow.as_ref();
        Some(ClientState {
            connected: session.connection.is_some(),
            queued: flow.map_or(0, |flow| flow.queue.len()),
            dropped: session.drops.total(),
            in_flight: flow.map_or(0, |flow| flow.outbox.in_flight()),
            subscriptions: session.filters.len(),
            has_will: session.will.is_some(),
        })
    }

    /// How many transport connections are open, those without a CONNECT included.
    pub fn connection_count(&self) -> usize {
        self.connections.len()
    }

    /// How many sessions there are, with and without a connection.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Returns roughly how many bytes are held for all clients together: what [`Config::total_bytes`] limits.
    ///
    /// [`Config::total_bytes`]: super::Config::total_bytes
    pub fn held_bytes(&self) -> usize {
        self.sessions.held().bytes()
    }

    /// How many messages are retained. One that has expired counts until somebody asks for it.
    pub fn retained_count(&self) -> usize {
        self.retained.len()
    }
}
