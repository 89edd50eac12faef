use std::collections::VecDeque;
use std::time::Duration;

use crate::probing::{Probe, Probing};
use crate::segment::{Flag, Payload, Segment};
use crate::time::StoredTime;
use crate::{BUFFER_CAPACITY, FaultId, MAXIMUM_SEGMENT_SIZE};

/// First time-out of a SYN or its answer (RFC 6298, 2.1).
const INITIAL_TIMEOUT: Duration = Duration::from_secs(1);
/// Minimum time-out of anything else, as Linux has it.
const MINIMUM_TIMEOUT: Duration = Duration::from_millis(200);
/// Maximum time-out, as Linux has it.
const MAXIMUM_TIMEOUT: Duration = Duration::from_secs(120);

/// The bytes that one end of a connection sends, and those of them that are known to have arrived.
///
/// A segment that the network loses is kept and sent again, so that a program never misses a byte: it receives it late,
/// or the sender's socket fails. After a loss everything waits for the retransmission, which then brings it all at
/// once, as selective acknowledgement and a window large enough do.
#[derive(Default)]
pub(crate) struct Sender {
    /// Bytes that the program has written and that have not been sent; none if there are none.
    unsent: Option<Box<Unsent>>,
    fin: Fin,
    /// The sequence number after the last one that was sent.
    next: u64,
    /// The sequence number up to which the other end is known to have everything.
    acknowledged: u64,
    /// Number of bytes after `acknowledged` that the other end has room for.
    pub(crate) window: u16,
    /// Number of segments on their way.
    pub(crate) in_flight: u32,
    /// True if something looks at [`failure_due`](Self::failure_due) when it comes.
    pub(crate) is_watched: bool,
    /// Time at which the last segment that is on its way arrives: none may overtake another.
    last_arrival: StoredTime,
    /// The fault that made the path forget this direction.
    pub(crate) forgotten: Option<FaultId>,
    /// Time at which the oldest outstanding byte was sent, or when there last was an answer.
    waiting_since: StoredTime,
    /// Time that the socket waits for an answer before it fails.
    give_up: StoredTime,
    /// The state that hardly any sender has: there may be a million connections.
    trouble: Option<Box<Trouble>>,
}

/// Bytes that are to be sent; never empty.
#[derive(Default)]
struct Unsent {
    bytes: Payload,
    /// Number of bytes at the front that have been sent.
    sent: usize,
}

/// The state of a sender to which the network or its peer does not listen.
#[derive(Default)]
struct Trouble {
    losses: Option<Losses>,
    probing: Option<Probing>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Fin {
    #[default]
    Open,
    Queued,
    Sent,
}

/// The bytes that are to be sent again.
#[derive(Default)]
struct Losses {
    /// Lost segments, in order.
    segments: VecDeque<Segment>,
    /// The lost segments did reach the other host, and only the RST that answered them was lost: nothing waits behind
    /// them.
    unanswered: bool,
    /// The last lost acknowledgement with the time when the first one was lost. Its sender repeats it when the other
    /// end sends again.
    ack: Option<(Segment, Duration)>,
    /// The time-out after which to send again; it doubles with each attempt.
    timeout: Option<Duration>,
    /// Time at which to send again.
    retry_at: Option<Duration>,
}

impl Sender {
    /// Takes bytes from the program, as many as there is room for, and returns how many.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> usize {
        let occupied = (self.next - self.acknowledged) as usize + self.unsent_len();
        let count = bytes.len().min(BUFFER_CAPACITY.saturating_sub(occupied));
        if count > 0 {
            let unsent = self.unsent.get_or_insert_default();
            if unsent.sent > unsent.bytes.len() / 2 {
                unsent.bytes.drain(..std::mem::take(&mut unsent.sent));
            }
            unsent.bytes.extend_from_slice(&bytes[..count]);
        }
        count
    }

    /// Sends FIN after what has been written.
    pub(crate) fn finish(&mut self) {
        if self.fin == Fin::Open {
            self.fin = Fin::Queued;
        }
    }

    /// Returns whether the program can write no more.
    pub(crate) fn is_finished(&self) -> bool {
        self.fin != Fin::Open
    }

    /// Returns the next bytes or FIN that the window has room for.
    pub(crate) fn next_segment(&mut self) -> Option<(Payload, Flag)> {
        let room = u64::from(self.window).saturating_sub(self.next - self.acknowledged);
        if room == 0 {
            return None;
        }
        if let Some(unsent) = &mut self.unsent {
            let left = &unsent.bytes[unsent.sent..];
            let count = left.len().min(MAXIMUM_SEGMENT_SIZE).min(room as usize);
            let payload = Payload::from_slice(&left[..count]);
            unsent.sent += count;
            if unsent.sent == unsent.bytes.len() {
                self.unsent = None;
            }
            self.end_probing();
            return Some((payload, Flag::None));
        }
        if self.fin != Fin::Queued {
            return None;
        }
        self.fin = Fin::Sent;
        self.end_probing();
        Some((Payload::new(), Flag::Fin))
    }

    /// Returns whether there is something to be sent as soon as the window has room.
    pub(crate) fn has_unsent(&self) -> bool {
        self.unsent.is_some() || self.fin == Fin::Queued
    }

    /// Returns whether nothing is under way and the window is closed for what is to be sent: unless one asks, the news
    /// that it has opened may be lost.
    fn is_stalled(&self) -> bool {
        self.has_unsent() && !self.is_outstanding() && self.window == 0
    }

    /// Returns whether it has to begin to ask whether the window is still closed.
    pub(crate) fn must_begin_probing(&self) -> bool {
        self.trouble.as_ref().is_none_or(|trouble| trouble.probing.is_none()) && self.is_stalled()
    }

    /// Begins to ask whether the window is still closed, and returns when to ask first.
    pub(crate) fn begin_probing(&mut self, now: Duration, round_trip: Duration) -> Duration {
        let probing = Probing::new(now, first_timeout(round_trip));
        let first = probing.next_at();
        self.trouble.get_or_insert_default().probing = Some(probing);
        first
    }

    /// Returns what to do at `now`, for which a question was planned; `None` if it was for another time.
    pub(crate) fn next_probe(&mut self, now: Duration, give_up: Duration) -> Option<Probe> {
        self.trouble.as_mut()?.probing.as_mut()?.next(now, give_up, MAXIMUM_TIMEOUT)
    }

    /// Registers that the other end has answered.
    pub(crate) fn probe_answered(&mut self) {
        if let Some(probing) = self.trouble.as_mut().and_then(|trouble| trouble.probing.as_mut()) {
            probing.answered();
        }
    }

    /// Registers that a segment leaves.
    pub(crate) fn sent(&mut self, segment: &Segment, now: Duration, give_up: Duration) {
        let length = segment.length();
        if length == 0 {
            return;
        }
        if !self.is_outstanding() {
            self.waiting_since = now.into();
            self.give_up = give_up.into();
        }
        self.next = segment.sequence + length;
    }

    /// Registers an acknowledgement.
    pub(crate) fn acknowledged(&mut self, up_to: u64, now: Duration) {
        if up_to > self.acknowledged && up_to <= self.next {
            self.acknowledged = up_to;
            self.waiting_since = now.into();
            if let Some(losses) = self.losses_mut() {
                losses.timeout = None;
                if losses.retry_at.is_none() && !losses.has_any() {
                    self.end_losses();
                }
            }
        }
    }

    /// Returns when a segment arrives that would by itself at this time: not before those that were sent earlier.
    pub(crate) fn arrives(&mut self, at: Duration) -> Duration {
        let at = at.max(self.last_arrival.into());
        self.last_arrival = at.into();
        at
    }

    /// Returns whether something was sent that is not acknowledged.
    pub(crate) fn is_outstanding(&self) -> bool {
        self.next != self.acknowledged
    }

    /// Returns the sequence number after the last one that was sent.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.next
    }

    /// Returns since when the socket waits for an answer, if it does.
    pub(crate) fn waiting_since(&self) -> Duration {
        self.waiting_since.into()
    }

    /// Returns when the socket fails, unless there is an answer before.
    pub(crate) fn failure_due(&self) -> Option<Duration> {
        self.is_outstanding().then(|| self.waiting_since().saturating_add(self.give_up.into()))
    }

    /// Returns whether something that was lost has to arrive before what is sent now.
    pub(crate) fn is_held_up(&self) -> bool {
        self.losses().is_some_and(|losses| !losses.segments.is_empty() && !losses.unanswered)
    }

    /// Registers that the segments that were lost did arrive, and that their answer was lost.
    pub(crate) fn lost_the_answer(&mut self) {
        if let Some(losses) = self.losses_mut() {
            losses.unanswered = !losses.segments.is_empty();
        }
    }

    /// Keeps a segment that must arrive and was lost, or waits behind one that was. Returns the time of the next
    /// attempt if it is a new one.
    pub(crate) fn lose(&mut self, segment: Segment, left: Duration, round_trip: Duration) -> Option<Duration> {
        let first = if segment.flag == Flag::Syn { INITIAL_TIMEOUT } else { first_timeout(round_trip) };
        if self.losses().is_some_and(|losses| losses.segments.is_empty()) {
            // It carries the acknowledgement itself, and does not wait for that one's time-out.
            self.drop_lost_ack();
        }
        let losses = self.trouble.get_or_insert_default().losses.get_or_insert_default();
        losses.segments.push_back(segment);
        losses.plan_retry(left, first)
    }

    /// Keeps an acknowledgement that was lost. Returns the time of the next attempt if it is a new one.
    pub(crate) fn lose_ack(&mut self, segment: Segment, left: Duration, round_trip: Duration) -> Option<Duration> {
        let losses = self.trouble.get_or_insert_default().losses.get_or_insert_default();
        let since = losses.ack.take().map_or(left, |(_, since)| since);
        losses.ack = Some((segment, since));
        losses.plan_retry(left, first_timeout(round_trip))
    }

    /// Drops a lost acknowledgement, because a newer one makes it useless.
    pub(crate) fn drop_lost_ack(&mut self) {
        let Some(losses) = self.losses_mut() else { return };
        if losses.ack.take().is_some() && losses.segments.is_empty() {
            self.end_losses();
        }
    }

    /// Returns since when the acknowledgement to repeat is lost.
    pub(crate) fn ack_lost_since(&self) -> Option<Duration> {
        self.losses()?.ack.as_ref().map(|(_, since)| *since)
    }

    /// Decides whether the attempt planned for `now` or before is made, and doubles the time-out if so.
    pub(crate) fn begin_retry(&mut self, now: Duration) -> bool {
        let Some(losses) = self.losses_mut() else { return false };
        // One that was put off is made at its new time. Who drives the network may be late.
        if losses.retry_at.is_none_or(|at| at > now) {
            return false;
        }
        losses.retry_at = None;
        if !losses.has_any() {
            return false;
        }
        losses.timeout = losses.timeout.map(|timeout| (timeout * 2).min(MAXIMUM_TIMEOUT));
        true
    }

    /// Plans the next attempt, because the one at `now` failed, and returns its time.
    pub(crate) fn retry_failed(&mut self, now: Duration) -> Option<Duration> {
        self.losses_mut()?.plan_retry(now, MINIMUM_TIMEOUT)
    }

    /// Takes what is sent again: all that was lost, and the acknowledgement if that has a way as well.
    pub(crate) fn take_lost(&mut self, with_ack: bool) -> Vec<Segment> {
        let Some(losses) = self.losses_mut() else { return Vec::new() };
        losses.unanswered = false;
        let mut segments: Vec<Segment> = losses.segments.drain(..).collect();
        if with_ack {
            segments.extend(losses.ack.take().map(|(segment, _)| segment));
        }
        segments
    }

    /// Returns whether there is something to be sent again.
    pub(crate) fn has_losses(&self) -> bool {
        self.losses().is_some_and(Losses::has_any)
    }

    /// Drops everything, because the socket is gone: nothing is sent again.
    pub(crate) fn forget(&mut self) {
        self.unsent = None;
        self.trouble = None;
        self.acknowledged = self.next;
    }

    fn unsent_len(&self) -> usize {
        self.unsent.as_ref().map_or(0, |unsent| unsent.bytes.len() - unsent.sent)
    }

    fn losses(&self) -> Option<&Losses> {
        self.trouble.as_ref()?.losses.as_ref()
    }

    fn losses_mut(&mut self) -> Option<&mut Losses> {
        self.trouble.as_mut()?.losses.as_mut()
    }

    fn end_losses(&mut self) {
        self.trouble = self.trouble.take().filter(|trouble| trouble.probing.is_some());
        self.trouble.iter_mut().for_each(|trouble| trouble.losses = None);
    }

    fn end_probing(&mut self) {
        self.trouble = self.trouble.take().filter(|trouble| trouble.losses.is_some());
        self.trouble.iter_mut().for_each(|trouble| trouble.probing = None);
    }
}

impl Losses {
    fn has_any(&self) -> bool {
        !self.segments.is_empty() || self.ack.is_some()
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

/// Returns the time-out after the first measurement of the round trip: three times as much (RFC 6298, 2.2).
fn first_timeout(round_trip: Duration) -> Duration {
    (round_trip * 3).clamp(MINIMUM_TIMEOUT, MAXIMUM_TIMEOUT)
}

#[cfg(test)]
mod tests;
