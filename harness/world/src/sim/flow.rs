use std::collections::VecDeque;
use std::time::Duration;

use turmoil_net::{Packet, TcpSegment};

use super::address::{length, segment};
use crate::plan::Position;

/// The first time-out of a SYN or its answer (RFC 6298, 2.1).
const FIRST_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(1);
/// The least time-out of anything else, as Linux has it.
const LEAST_TIMEOUT: Duration = Duration::from_millis(200);
/// The longest time-out, as Linux has it.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(120);

/// What one end of a connection sends, and what of it is known to have arrived.
///
/// A segment that the network loses is kept and sent again, so that a program never misses a byte: it gets it late, or
/// the sender's socket fails. After a loss everything waits for the retransmission, which then brings it all at once,
/// as selective acknowledgement and a window large enough do.
#[derive(Default)]
pub(super) struct Flow {
    /// Segments on their way.
    pub(super) in_flight: usize,
    /// When the last of them arrives: none may overtake another.
    pub(super) last_arrival: Duration,
    /// The step that made the path forget this direction.
    pub(super) forgotten: Option<Position>,
    /// Lost segments, in order.
    lost: VecDeque<Packet>,
    /// What is to be sent again did reach the other host, and only the abort that answered it was lost: nothing waits
    /// behind it.
    unanswered: bool,
    /// The last lost acknowledgement: its sender repeats it when the other end sends again.
    lost_ack: Option<(Packet, Duration)>,
    /// The time-out after which to send again; doubles with each attempt.
    timeout: Option<Duration>,
    /// When to send again.
    retry_at: Option<Duration>,
    /// The first sequence number, that of the SYN.
    first: Option<u32>,
    /// The sequence number after the last byte sent.
    sent: Option<u32>,
    /// The sequence number up to which the other end is known to have everything.
    acknowledged: Option<u32>,
    /// Since when the oldest outstanding byte is, or when there last was an answer.
    waiting_since: Duration,
    /// How long to wait for an answer before the socket fails.
    give_up: Duration,
    /// Whether somebody looks at [`failure_due`](Self::failure_due) when it comes.
    pub(super) is_watched: bool,
}

impl Flow {
    /// A segment leaves.
    pub(super) fn sent(&mut self, packet: &Packet, now: Duration, give_up: Duration) {
        let Some(segment) = segment(packet) else { return };
        let length = length(segment);
        if length == 0 {
            return;
        }
        if !self.is_outstanding() {
            self.waiting_since = now;
            self.give_up = give_up;
        }
        self.first.get_or_insert(segment.seq);
        self.acknowledged.get_or_insert(segment.seq);
        self.sent = Some(segment.seq.wrapping_add(length));
    }

    /// How many bytes of the stream are there once this segment is.
    pub(super) fn bytes_up_to(&self, segment: &TcpSegment) -> u64 {
        let payload = u32::try_from(segment.payload.len()).unwrap_or(u32::MAX);
        let first = self.first.unwrap_or_default();
        // The SYN takes the first number itself.
        u64::from(segment.seq.wrapping_sub(first).wrapping_sub(1)) + u64::from(payload)
    }

    /// An acknowledgement has come.
    pub(super) fn acknowledged(&mut self, up_to: u32, now: Duration) {
        let (Some(sent), Some(acknowledged)) = (self.sent, self.acknowledged) else { return };
        let progress = up_to.wrapping_sub(acknowledged);
        if progress > 0 && progress <= sent.wrapping_sub(acknowledged) {
            self.acknowledged = Some(up_to);
            self.waiting_since = now;
            self.timeout = None;
        }
    }

    /// Whether something was sent that is not acknowledged.
    pub(super) fn is_outstanding(&self) -> bool {
        self.sent != self.acknowledged
    }

    /// The sequence number after the last byte sent.
    pub(super) fn next_sequence(&self) -> u32 {
        self.sent.unwrap_or_default()
    }

    /// When the socket fails, unless there is an answer before.
    pub(super) fn failure_due(&self) -> Option<Duration> {
        self.is_outstanding().then(|| self.waiting_since.saturating_add(self.give_up))
    }

    /// Whether something that was lost has to arrive before what is sent now.
    pub(super) fn is_held_up(&self) -> bool {
        !self.lost.is_empty() && !self.unanswered
    }

    /// The answer to what was just lost is what was lost.
    pub(super) fn lost_the_answer(&mut self) {
        self.unanswered = !self.lost.is_empty();
    }

    /// A segment that must arrive was lost, or waits behind one that was. Gives the time of the next attempt if it is
    /// a new one.
    pub(super) fn lose(&mut self, packet: Packet, left: Duration, round_trip: Duration) -> Option<Duration> {
        let is_handshake = segment(&packet).is_some_and(|segment| segment.flags.syn);
        let first = if is_handshake { FIRST_HANDSHAKE_TIMEOUT } else { first_timeout(round_trip) };
        if self.lost.is_empty() {
            // It carries the acknowledgement itself, and does not wait for that one's time-out.
            self.drop_lost_ack();
        }
        self.lost.push_back(packet);
        self.plan_retry(left, first)
    }

    /// An acknowledgement was lost. Gives the time of the next attempt if it is a new one.
    pub(super) fn lose_ack(&mut self, packet: Packet, left: Duration, round_trip: Duration) -> Option<Duration> {
        let since = self.lost_ack.take().map_or(left, |(_, since)| since);
        self.lost_ack = Some((packet, since));
        self.plan_retry(left, first_timeout(round_trip))
    }

    /// A newer acknowledgement makes the lost one useless.
    pub(super) fn drop_lost_ack(&mut self) {
        if self.lost_ack.take().is_some() && self.lost.is_empty() {
            self.retry_at = None;
            self.timeout = None;
        }
    }

    /// Since when the acknowledgement to repeat is lost.
    pub(super) fn ack_lost_since(&self) -> Option<Duration> {
        self.lost_ack.as_ref().map(|(_, since)| *since)
    }

    /// Whether the attempt planned for `now` is to be made; doubles the time-out if so.
    pub(super) fn begin_retry(&mut self, now: Duration) -> bool {
        if self.retry_at != Some(now) {
            return false;
        }
        self.retry_at = None;
        if !self.has_losses() {
            return false;
        }
        self.timeout = self.timeout.map(|timeout| (timeout * 2).min(LONGEST_TIMEOUT));
        true
    }

    /// The attempt at `now` failed. Gives the time of the next one.
    pub(super) fn retry_failed(&mut self, now: Duration) -> Option<Duration> {
        self.plan_retry(now, LEAST_TIMEOUT)
    }

    /// What is sent again: all that was lost, and the acknowledgement if that has a way as well.
    pub(super) fn take_lost(&mut self, with_ack: bool) -> Vec<Packet> {
        self.unanswered = false;
        let mut packets: Vec<Packet> = self.lost.drain(..).collect();
        if with_ack {
            packets.extend(self.lost_ack.take().map(|(packet, _)| packet));
        }
        packets
    }

    /// Whether there is something to be sent again.
    pub(super) fn has_losses(&self) -> bool {
        !self.lost.is_empty() || self.lost_ack.is_some()
    }

    /// The socket is gone: nothing is sent again.
    pub(super) fn forget(&mut self) {
        self.lost.clear();
        self.lost_ack = None;
        self.retry_at = None;
        self.acknowledged = self.sent;
    }

    fn plan_retry(&mut self, left: Duration, first: Duration) -> Option<Duration> {
        if self.retry_at.is_some() {
            return None;
        }
        let timeout = *self.timeout.get_or_insert(first);
        self.retry_at = Some(left + timeout);
        self.retry_at
    }
}

/// After the first measurement of the round trip the time-out is three times as much (RFC 6298, 2.2).
fn first_timeout(round_trip: Duration) -> Duration {
    (round_trip * 3).clamp(LEAST_TIMEOUT, LONGEST_TIMEOUT)
}

#[cfg(test)]
mod tests;
