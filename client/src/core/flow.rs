//! What the application and the driver say about how much they can take.

use halfopen_protocol::packet::{Ack, PacketId, Publish, QoS};
use halfopen_protocol::{Instant, Packet, ReasonCode};

use super::link::Link;
use super::receipts::Ready;
use super::size::packet_size;
use super::{Client, CommandError, Ticket};

impl Client {
    /// Acknowledges a message that came as [`Event::Unacknowledged`](super::Event::Unacknowledged); in 5.0 also with a
    /// reason of 0x80 and above, which refuses it. The packet goes out when everything of the same QoS that came before
    /// is acknowledged.
    ///
    /// # Errors
    /// Nothing waits under this ticket; or PUBACK and PUBREC of the version do not have this reason.
    pub fn acknowledge(&mut self, now: Instant, ticket: Ticket, reason: ReasonCode) -> Result<(), CommandError> {
        packet_size(&Packet::PubAck(Ack::with_reason(PacketId::MIN, reason)), self.version())?;
        if !self.session.receipts.settle(ticket, reason) {
            return Err(CommandError::NoTicket);
        }
        while let Some(Ready { qos, id, reason }) = self.session.receipts.next_ready() {
            if reason.is_error() {
                let message = Publish { qos, packet_id: Some(id), ..Publish::default() };
                self.session.inbox.refuse(&message, reason);
            }
            let ack = Ack::with_reason(id, reason);
            self.write(now, if qos == QoS::AtLeastOnce { Packet::PubAck(ack) } else { Packet::PubRec(ack) });
        }
        Ok(())
    }

    /// Lets the application take the given number of messages more than it said before, where
    /// [`Options::incoming_limit`](super::Options::incoming_limit) is set.
    pub fn allow(&mut self, now: Instant, messages: usize) {
        let Some(credit) = &mut self.credit else { return };
        let was_deaf = *credit == 0;
        *credit = credit.saturating_add(u32::try_from(messages).unwrap_or(u32::MAX));
        if was_deaf && messages > 0 {
            // What has come meanwhile was not looked at.
            self.handle_bytes(now, &[]);
        }
    }

    /// The driver has more to write than it wants to hold, or no longer has: until then messages wait in the queue,
    /// which has a bound.
    pub fn handle_congestion(&mut self, now: Instant, is_congested: bool) {
        if let Link::Up(up) = &mut self.link {
            up.is_congested = is_congested;
            self.pump(now);
        }
    }

    /// Returns whether bytes are wanted: not while the application takes no more messages ([`allow`](Self::allow)).
    /// Those that are handed in all the same are kept for later.
    pub fn is_listening(&self) -> bool {
        self.credit != Some(0)
    }

    pub(super) fn is_congested(&self) -> bool {
        matches!(&self.link, Link::Up(up) if up.is_congested)
    }
}
