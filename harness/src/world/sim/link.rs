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
    random: ChaCha8Rng,
}

impl Link {
    /// The link as the plan has it.
    pub(super) fn new(plan: &Plan, from: NodeId, to: NodeId) -> Self {
        let name = format!("link {}-{}", plan.node(from).name, plan.node(to).name);
        Self { settings: plan.link(from, to), partition: None, changed: None, random: plan.seed.derive(&name).rng() }
    }

    /// Changes it for the packets that leave from now on.
    pub(super) fn change(&mut self, position: Position, change: LinkChange) {
        let settings = &mut self.settings;
        settings.latency = change.latency.unwrap_or(settings.latency);
        settings.jitter = change.jitter.unwrap_or(settings.jitter);
        settings.give_up = change.give_up.unwrap_or(settings.give_up);
        self.changed = Some(position);
    }

    /// The step that changed it, the first time a packet leaves after that.
    pub(super) fn take_change(&mut self) -> Option<Position> {
        self.changed.take()
    }

    /// How long the next packet takes.
    pub(super) fn travel_time(&mut self) -> Duration {
        let LinkSettings { latency, jitter, .. } = self.settings;
        let steps = u64::try_from(jitter.as_millis()).unwrap_or(u64::MAX);
        if steps == 0 {
            return latency;
        }
        // The upper half of a product of 64 bits is uniform enough, and the same on every platform.
        let draw = (u128::from(self.random.next_u64()) * (u128::from(steps) + 1)) >> 64;
        latency + Duration::from_millis(u64::try_from(draw).unwrap_or(steps))
    }
}
