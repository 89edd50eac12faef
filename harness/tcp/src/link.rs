use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::middlebox::MiddleboxId;
use crate::{FaultId, HostId, LinkChange, LinkSettings};

/// Names a stream of random numbers. Each is derived by itself, so that a draw on one link changes nothing on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RandomStream {
    /// The purpose of the random numbers.
    pub purpose: Purpose,
    /// The sender of the packets.
    pub from: HostId,
    /// The receiver of the packets.
    pub to: HostId,
    /// The ordinal of the connection, if it has settings of its own.
    pub connection: Option<u32>,
}

/// A purpose of random numbers on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The loss of packets.
    Loss,
    /// The travel time of packets.
    Jitter,
}

/// The source of all random numbers of a network.
pub(crate) struct Randomness {
    /// Returns the seed of a stream of random numbers.
    pub(crate) seeds: Box<dyn Fn(RandomStream) -> u64>,
    /// The time by which a packet travels longer than its link says, at most.
    pub(crate) spread: Duration,
}

/// A direction between two hosts.
pub(crate) struct Link {
    pub(crate) settings: LinkSettings,
    /// The fault that cuts the link, while it is cut.
    pub(crate) partition: Option<FaultId>,
    /// The middlebox on the link, if there is one.
    pub(crate) middlebox: Option<MiddleboxId>,
    /// The fault that changed the link, until a packet has met the change.
    changed: Option<FaultId>,
    /// The fault that made the link lose packets, until it has lost one.
    lossy: Option<FaultId>,
    /// Time at which the last byte that was handed to the link has left.
    busy_until: Duration,
    from: HostId,
    to: HostId,
    connection: Option<u32>,
    losses: Generator,
    jitter: Generator,
}

/// A generator that exists from the first draw on.
type Generator = Option<Box<ChaCha8Rng>>;

impl Link {
    /// Creates a link; `connection` names the only connection that it is for, if it is for one alone.
    pub(crate) fn new(settings: LinkSettings, from: HostId, to: HostId, connection: Option<u32>) -> Self {
        Self {
            settings,
            partition: None,
            middlebox: None,
            changed: None,
            lossy: None,
            busy_until: Duration::ZERO,
            from,
            to,
            connection,
            losses: None,
            jitter: None,
        }
    }

    /// Changes the settings for the packets that leave after this call.
    pub(crate) fn change(&mut self, fault: FaultId, change: LinkChange) {
        self.settings = self.settings.changed(change);
        let loses = change.loss.is_some_and(|loss| loss > 0);
        if loses {
            self.lossy = Some(fault);
        }
        // Packets that are lost are what a share of losses is meant to meet.
        if !loses || change != (LinkChange { loss: change.loss, ..LinkChange::default() }) {
            self.changed = Some(fault);
        }
    }

    /// Returns the fault that changed the link, for the first packet that leaves after that.
    pub(crate) fn take_change(&mut self) -> Option<FaultId> {
        self.changed.take()
    }

    /// Returns the fault that made the link lose packets, for the first packet that it loses.
    pub(crate) fn take_lossy(&mut self) -> Option<FaultId> {
        self.lossy.take()
    }

    /// Decides whether the next packet is lost.
    pub(crate) fn loses(&mut self, randomness: &Randomness) -> bool {
        let share = u64::from(self.settings.loss);
        if share == 0 {
            return false;
        }
        let stream = self.stream(Purpose::Loss);
        draw(&mut self.losses, stream, randomness, 1_000_000) < share
    }

    /// Returns how long it takes until a segment with this many bytes of the stream, and all that waits before it, has
    /// left.
    pub(crate) fn transmission_time(&mut self, now: Duration, bytes: usize) -> Duration {
        let Some(bandwidth) = self.settings.bandwidth else { return self.busy_until.saturating_sub(now) };
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let time = Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / bandwidth.max(1));
        self.busy_until = self.busy_until.max(now).saturating_add(time);
        self.busy_until - now
    }

    /// Returns how long the next packet travels.
    pub(crate) fn travel_time(&mut self, randomness: &Randomness) -> Duration {
        let LinkSettings { latency, jitter, .. } = self.settings;
        let steps = u64::try_from((jitter + randomness.spread).as_millis()).unwrap_or(u64::MAX);
        if steps == 0 {
            return latency;
        }
        let stream = self.stream(Purpose::Jitter);
        latency + Duration::from_millis(draw(&mut self.jitter, stream, randomness, steps.saturating_add(1)))
    }

    /// Forgets its streams of random numbers: what is drawn next begins one anew.
    pub(crate) fn forget_streams(&mut self) {
        (self.losses, self.jitter) = (None, None);
    }

    fn stream(&self, purpose: Purpose) -> RandomStream {
        RandomStream { purpose, from: self.from, to: self.to, connection: self.connection }
    }
}

/// Draws a number below `bound`, each as likely as the others.
fn draw(generator: &mut Generator, stream: RandomStream, randomness: &Randomness, bound: u64) -> u64 {
    let seeded = || Box::new(ChaCha8Rng::seed_from_u64((randomness.seeds)(stream)));
    let generator = generator.get_or_insert_with(seeded);
    // The upper half of a product of 64 bits is uniform enough, and the same on every platform.
    let product = (u128::from(generator.next_u64()) * u128::from(bound)) >> 64;
    u64::try_from(product).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const ALL: u32 = 1_000_000;
    const FAULT: FaultId = FaultId(7);

    fn link() -> Link {
        Link::new(LinkSettings::default(), HostId(1), HostId(0), None)
    }

    fn randomness() -> Randomness {
        Randomness { seeds: Box::new(|stream| u64::from(stream.purpose == Purpose::Loss)), spread: Duration::ZERO }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_spread_makes_packets_travel_longer_and_never_shorter() {
        let (mut link, spread) = (link(), Randomness { spread: ms(5), ..randomness() });
        let latency = link.settings.latency;
        let seen: std::collections::BTreeSet<Duration> = (0..200).map(|_| link.travel_time(&spread)).collect();
        assert_eq!(seen, (0..=5).map(|more| latency + ms(more)).collect());
    }

    #[test]
    fn change_is_of_what_it_names() {
        let before = link().settings;
        let changed = |change| {
            let mut link = link();
            link.change(FAULT, change);
            link.settings
        };
        let none = LinkChange::default();
        assert_eq!(changed(none), before);
        let latency = changed(LinkChange { latency: Some(ms(77)), ..none });
        assert_eq!(latency, LinkSettings { latency: ms(77), ..before });
        let jitter = changed(LinkChange { jitter: Some(ms(7)), ..none });
        assert_eq!(jitter, LinkSettings { jitter: ms(7), ..before });
        let give_up = changed(LinkChange { give_up: Some(ms(9)), ..none });
        assert_eq!(give_up, LinkSettings { give_up: ms(9), ..before });
        let loss = changed(LinkChange { loss: Some(5), ..none });
        assert_eq!(loss, LinkSettings { loss: 5, ..before });
        let bandwidth = changed(LinkChange { bandwidth: Some(Some(8)), ..none });
        assert_eq!(bandwidth, LinkSettings { bandwidth: Some(8), ..before });
    }

    #[rstest]
    #[case::latency(LinkChange { latency: Some(ms(5)), ..LinkChange::default() }, true, false)]
    #[case::losses(LinkChange { loss: Some(1), ..LinkChange::default() }, false, true)]
    #[case::no_losses_any_more(LinkChange { loss: Some(0), ..LinkChange::default() }, true, false)]
    #[case::both(LinkChange { loss: Some(1), latency: Some(ms(5)), ..LinkChange::default() }, true, true)]
    fn change_is_met_by_a_packet_and_losses_by_one_that_is_lost(
        #[case] change: LinkChange,
        #[case] by_a_packet: bool,
        #[case] by_a_loss: bool,
    ) {
        let mut link = link();
        link.change(FAULT, change);
        assert_eq!(link.take_change(), by_a_packet.then_some(FAULT));
        assert_eq!(link.take_lossy(), by_a_loss.then_some(FAULT));
        assert_eq!((link.take_change(), link.take_lossy()), (None, None));
    }

    #[test]
    fn what_needs_no_chance_uses_none() {
        let draws = |settings: LinkSettings| {
            let mut link = link();
            link.settings.loss = 0;
            for _ in 0..3 {
                assert!(!link.loses(&randomness()));
                assert_eq!(link.travel_time(&randomness()), ms(10));
            }
            link.settings = settings;
            (0..64).map(|_| (link.loses(&randomness()), link.travel_time(&randomness()))).collect::<Vec<_>>()
        };
        let settings = LinkSettings { loss: ALL / 2, jitter: ms(50), ..link().settings };
        let mut fresh = link();
        fresh.settings = settings;
        let expected: Vec<_> =
            (0..64).map(|_| (fresh.loses(&randomness()), fresh.travel_time(&randomness()))).collect();
        assert_eq!(draws(settings), expected);
    }

    #[rstest]
    #[case(1)]
    #[case(3)]
    fn jitter_adds_each_whole_millisecond_up_to_its_own(#[case] jitter: u64) {
        let mut link = link();
        link.settings.jitter = ms(jitter);
        let seen: std::collections::BTreeSet<Duration> = (0..200).map(|_| link.travel_time(&randomness())).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), (0..=jitter).map(|extra| ms(10 + extra)).collect::<Vec<_>>());
    }

    #[rstest]
    #[case::half(ALL / 2, 400..600)]
    #[case::all(ALL, 1000..1001)]
    #[case::none(0, 0..1)]
    fn share_of_losses(#[case] loss: u32, #[case] expected: std::ops::Range<usize>) {
        let mut link = link();
        link.settings.loss = loss;
        let lost = (0..1000).filter(|_| link.loses(&randomness())).count();
        assert!(expected.contains(&lost), "{lost}");
    }

    #[test]
    fn bytes_leave_one_after_the_other_at_the_speed_of_the_link() {
        let mut link = link();
        assert_eq!(link.transmission_time(ms(0), 1000), Duration::ZERO);
        link.settings.bandwidth = Some(1);
        assert_eq!(link.transmission_time(ms(1000), 2), ms(2000));
        assert_eq!(link.transmission_time(ms(1500), 1), ms(2500));
        assert_eq!(link.transmission_time(ms(9000), 1), ms(1000), "the link had nothing to do");
        link.settings.bandwidth = None;
        assert_eq!(link.transmission_time(ms(9500), 1), ms(500), "what is on it leaves first");
        link.settings.bandwidth = Some(0);
        assert_eq!(link.transmission_time(ms(20_000), 1), ms(1000), "something passes always");
    }
}
