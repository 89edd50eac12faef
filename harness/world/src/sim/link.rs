use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;

use crate::plan::{LinkChange, LinkSettings, NodeId, Plan, Position};

/// One direction between two nodes.
pub(super) struct Link {
    /// What it is like now.
    pub(super) settings: LinkSettings,
    /// The step that cut it, while it is cut.
    pub(super) partition: Option<Position>,
    /// The step that changed it, until a packet has met the change.
    changed: Option<Position>,
    /// The step that made it lose packets, until it has lost one.
    lossy: Option<Position>,
    /// When the last byte that is on it has left.
    busy_until: Duration,
    losses: ChaCha8Rng,
    random: ChaCha8Rng,
}

impl Link {
    /// The link as the plan has it.
    pub(super) fn new(plan: &Plan, from: NodeId, to: NodeId) -> Self {
        Self::named(plan, from, to, &format!("link {}-{}", plan.node(from).name, plan.node(to).name))
    }

    /// What it is for one of its connections, with chances of its own.
    pub(super) fn of_connection(plan: &Plan, from: NodeId, to: NodeId, number: u32) -> Self {
        Self::named(plan, from, to, &format!("link {}-{}#{number}", plan.node(from).name, plan.node(to).name))
    }

    fn named(plan: &Plan, from: NodeId, to: NodeId, name: &str) -> Self {
        let losses = plan.seed.derive(&format!("losses on {name}")).rng();
        Self {
            settings: plan.link(from, to),
            partition: None,
            changed: None,
            lossy: None,
            busy_until: Duration::ZERO,
            losses,
            random: plan.seed.derive(name).rng(),
        }
    }

    /// Changes it for the packets that leave from now on.
    pub(super) fn change(&mut self, position: Position, change: LinkChange) {
        self.settings = self.settings.changed(change);
        let loses = change.loss.is_some_and(|loss| loss > 0);
        if loses {
            self.lossy = Some(position);
        }
        // Packets that are lost are what a share of losses is meant to meet.
        if !loses || change != (LinkChange { loss: change.loss, ..LinkChange::default() }) {
            self.changed = Some(position);
        }
    }

    /// The step that changed it, the first time a packet leaves after that.
    pub(super) fn take_change(&mut self) -> Option<Position> {
        self.changed.take()
    }

    /// The step that made it lose packets, the first time it loses one.
    pub(super) fn take_lossy(&mut self) -> Option<Position> {
        self.lossy.take()
    }

    /// Whether the next packet is lost.
    pub(super) fn loses(&mut self) -> bool {
        let share = u64::from(self.settings.loss);
        share > 0 && draw(&mut self.losses, 1_000_000) < share
    }

    /// How long it takes until a segment with so many bytes of the stream, and all that waits before it, has left.
    pub(super) fn transmission_time(&mut self, now: Duration, bytes: usize) -> Duration {
        let Some(bandwidth) = self.settings.bandwidth else { return self.busy_until.saturating_sub(now) };
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let time = Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / bandwidth.max(1));
        self.busy_until = self.busy_until.max(now).saturating_add(time);
        self.busy_until - now
    }

    /// How long the next packet takes on its way.
    pub(super) fn travel_time(&mut self) -> Duration {
        let LinkSettings { latency, jitter, .. } = self.settings;
        let steps = u64::try_from(jitter.as_millis()).unwrap_or(u64::MAX);
        if steps == 0 {
            return latency;
        }
        latency + Duration::from_millis(draw(&mut self.random, steps.saturating_add(1)))
    }
}

/// A number below `bound`, each as likely as the others.
fn draw(random: &mut ChaCha8Rng, bound: u64) -> u64 {
    // The upper half of a product of 64 bits is uniform enough, and the same on every platform.
    let product = (u128::from(random.next_u64()) * u128::from(bound)) >> 64;
    u64::try_from(product).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::trace::fixture::{BROKER, SENSOR, plan};

    const ALL: u32 = 1_000_000;

    fn link() -> Link {
        Link::new(&plan(), SENSOR, BROKER)
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn position() -> Position {
        Position::new(7, 3)
    }

    #[test]
    fn change_is_of_what_it_names() {
        let before = link().settings;
        let changed = |change| {
            let mut link = link();
            link.change(position(), change);
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
        link.change(position(), change);
        assert_eq!(link.take_change(), by_a_packet.then(position));
        assert_eq!(link.take_lossy(), by_a_loss.then(position));
        assert_eq!((link.take_change(), link.take_lossy()), (None, None));
    }

    #[test]
    fn what_needs_no_chance_uses_none() {
        let draws = |settings: LinkSettings| {
            let mut link = link();
            link.settings.loss = 0;
            for _ in 0..3 {
                assert!(!link.loses());
                assert_eq!(link.travel_time(), ms(10));
            }
            link.settings = settings;
            (0..64).map(|_| (link.loses(), link.travel_time())).collect::<Vec<_>>()
        };
        let settings = LinkSettings { loss: ALL / 2, jitter: ms(50), ..link().settings };
        let mut fresh = link();
        fresh.settings = settings;
        let expected: Vec<_> = (0..64).map(|_| (fresh.loses(), fresh.travel_time())).collect();
        assert_eq!(draws(settings), expected);
    }

    #[rstest]
    #[case(1)]
    #[case(3)]
    fn jitter_adds_each_whole_millisecond_up_to_its_own(#[case] jitter: u64) {
        let mut link = link();
        link.settings.jitter = ms(jitter);
        let seen: std::collections::BTreeSet<Duration> = (0..200).map(|_| link.travel_time()).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), (0..=jitter).map(|extra| ms(10 + extra)).collect::<Vec<_>>());
    }

    #[rstest]
    #[case::half(ALL / 2, 400..600)]
    #[case::all(ALL, 1000..1001)]
    #[case::none(0, 0..1)]
    fn share_of_losses(#[case] loss: u32, #[case] expected: std::ops::Range<usize>) {
        let mut link = link();
        link.settings.loss = loss;
        let lost = (0..1000).filter(|_| link.loses()).count();
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
