use halfopen_protocol::Packet;

/// The statistics of the broker since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) bytes_received: u64,
    pub(super) bytes_sent: u64,
    /// Packets of any type.
    pub(super) messages_received: u64,
    pub(super) messages_sent: u64,
    pub(super) publish_received: u64,
    pub(super) publish_sent: u64,
    /// Messages that were refused, or for which a queue or a slow client had no room.
    pub(super) publish_dropped: u64,
    pub(super) publish_bytes_received: u64,
    pub(super) publish_bytes_sent: u64,
    /// Transport connections.
    pub(super) sockets: u64,
    /// CONNECT packets.
    pub(super) connects: u64,
    pub(super) clients_maximum: u64,
    pub(super) clients_expired: u64,
}

impl Counters {
    /// A packet came.
    pub(super) fn received(&mut self, packet: &Packet) {
        self.messages_received += 1;
        self.connects += u64::from(matches!(packet, Packet::Connect(_)));
        if let Packet::Publish(publish) = packet {
            self.publish_received += 1;
            self.publish_bytes_received += publish.payload.len() as u64;
        }
    }

    /// A packet of this size goes out.
    pub(super) fn sent(&mut self, packet: &Packet, bytes: usize) {
        self.messages_sent += 1;
        self.bytes_sent += bytes as u64;
        if let Packet::Publish(publish) = packet {
            self.publish_sent += 1;
            self.publish_bytes_sent += publish.payload.len() as u64;
        }
    }
}
