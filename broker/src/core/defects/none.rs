//! Without the feature: the rules, and nothing else.

use halfopen_protocol::packet::{Connect, Disconnect};
use halfopen_protocol::{Instant, Packet};

use super::authenticate::Identity;
use super::session::SessionKey;
use super::timers::Subject;
use super::{Broker, ConnectionId, DurableState, Timer};

impl Broker {
    pub(super) fn await_connect_or_defect(&mut self, connection: ConnectionId) {
        self.set_deadline(connection, None);
    }

    pub(super) fn read_packets_or_defect(&mut self, now: Instant, connection: ConnectionId) {
        self.read_packets(now, connection);
    }

    pub(super) fn handle_packet_or_defect(&mut self, now: Instant, connection: ConnectionId, packet: Packet) {
        self.handle_packet(now, connection, packet);
    }

    pub(super) fn accept_or_defect(&mut self, now: Instant, connection: ConnectionId, connect: Connect, who: Identity) {
        self.accept(now, connection, connect, who);
    }

    #[expect(clippy::unused_self, reason = "a defect needs it")]
    pub(super) fn disconnect_or_defect(&self, disconnect: Disconnect) -> Disconnect {
        disconnect
    }

    pub(super) fn pop_due_or_defect(&mut self, now: Instant) -> Option<(Instant, Timer, Subject)> {
        self.timers.pop_due(now)
    }

    #[expect(clippy::unused_self, reason = "a defect needs it")]
    pub(super) fn packet_or_defect(&mut self, _: Instant, _: ConnectionId, packet: Packet) -> Option<Packet> {
        Some(packet)
    }

    pub(super) fn start_expiry_or_defect(&mut self, now: Instant, key: SessionKey) {
        self.start_expiry(now, key);
    }

    #[expect(clippy::unused_self, reason = "a defect needs it")]
    pub(super) fn durable_state_or_defect(&self, state: DurableState) -> DurableState {
        state
    }
}
