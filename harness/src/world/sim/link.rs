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
