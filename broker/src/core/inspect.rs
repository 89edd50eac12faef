use super::Broker;

/// A snapshot of what the broker knows about one client; see [`Broker::client`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientState {
    /// True if there is a connection that the broker believes in.
    pub connected: bool,
    /// Number of messages that wait to be sent.
    pub queued: usize,
    /// Number of messages to the client that were dropped since its session began, because its queue or write buffer
    /// had no room.
    pub dropped: u64,
    /// Number of unacknowledged QoS 1 and 2 messages to the client.
    pub in_flight: usize,
    /// Number of topic filters that it is subscribed to.
    pub subscriptions: usize,
    /// True if a will is stored.
    pub has_will: bool,
}

/// Inspection from outside, for tests and statistics.
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

    /// Returns how many transport connections are open, those without a CONNECT included.
    pub fn connection_count(&self) -> usize {
        self.connections.len()
    }

    /// Returns how many sessions there are, with and without a connection.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Returns roughly how many bytes are held for all clients together: what [`Config::total_bytes`] limits.
    ///
    /// [`Config::total_bytes`]: super::Config::total_bytes
    pub fn held_bytes(&self) -> usize {
        self.sessions.held().bytes()
    }

    /// Returns how many messages are retained. One that has expired counts until somebody asks for it.
    pub fn retained_count(&self) -> usize {
        self.retained.len()
    }
}
