//! What the times of a story depend on: clocks, pauses and links, as they are where the story has come to.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::plan::{LinkChange, LinkSettings, NodeId, Plan};
use crate::world::LocalTime;

#[derive(Debug, Default)]
pub(super) struct State {
    clocks: BTreeMap<NodeId, LocalTime>,
    /// By how many millionths a clock is fast.
    rates: BTreeMap<NodeId, i32>,
    /// Who stands still, and until when if that is known.
    still: BTreeMap<NodeId, Option<Duration>>,
    links: BTreeMap<(NodeId, NodeId), LinkSettings>,
    /// Whether something has been broken, so that who waits for an answer may wait longer.
    is_broken: bool,
}

/// When something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    At(Duration),
    /// When a node goes on that stands still, and nobody knows yet when that is.
    WhenItGoesOn,
}

impl State {
    pub(super) fn link(&self, plan: &Plan, from: NodeId, to: NodeId) -> LinkSettings {
        self.links.get(&(from, to)).copied().unwrap_or_else(|| plan.link(from, to))
    }

    pub(super) fn change(&mut self, plan: &Plan, links: &[(NodeId, NodeId)], change: LinkChange) {
        for &(from, to) in links {
            let settings = self.link(plan, from, to).changed(change);
            self.links.insert((from, to), settings);
        }
    }

    /// When a node whose clock is as it is now has waited for so long, from what comes to it at `from`: who stands
    /// still hears of that when it goes on.
    pub(super) fn due(&self, node: NodeId, from: Duration, wait: Duration) -> Due {
        let from = match self.still.get(&node) {
            None => from,
            Some(Some(until)) => from.max(*until),
            Some(None) => return Due::WhenItGoesOn,
        };
        let passed = self
            .clocks
            .get(&node)
            .map_or_else(|| from.saturating_add(wait), |clock| clock.due(clock.at(from).saturating_add(wait)));
        // Timers are counted in whole milliseconds, and fire when they are over.
        Due::At(Duration::from_millis(u64::try_from(passed.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)))
    }

    /// How long it takes until a clock that runs as it does now has counted so much.
    pub(super) fn takes(&self, node: NodeId, wait: Duration) -> Duration {
        let rate = i128::from(1_000_000 + self.rates.get(&node).copied().unwrap_or(0));
        let millis = i128::try_from(wait.as_millis()).unwrap_or(i128::MAX / 2_000_000) * 1_000_000;
        // As a timer does: not before it is over.
        let rounded = (millis + rate - 1) / rate;
        u64::try_from(rounded).map_or(Duration::MAX, Duration::from_millis)
    }

    pub(super) fn drift(&mut self, node: NodeId, now: Duration, ppm: i32) {
        self.clocks.entry(node).or_default().drift(now, ppm);
        self.rates.insert(node, ppm);
    }

    pub(super) fn jump(&mut self, node: NodeId, now: Duration, by_ms: i64) {
        self.clocks.entry(node).or_default().jump(now, by_ms);
    }

    pub(super) fn pause(&mut self, node: NodeId, until: Option<Duration>) {
        self.still.insert(node, until);
        self.is_broken = true;
    }

    pub(super) fn resume(&mut self, node: NodeId) {
        self.still.remove(&node);
    }

    /// Whoever goes on by itself does so as time passes.
    pub(super) fn pass(&mut self, now: Duration) {
        self.still.retain(|_, until| until.is_none_or(|until| until > now));
    }

    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    pub(super) fn break_something(&mut self) {
        self.is_broken = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const NODE: NodeId = NodeId(0);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[rstest]
    #[case(0, 25)]
    #[case(500_000, 20)]
    #[case(-400_000, 35)]
    fn a_clock_that_drifts_is_done_waiting_sooner_or_later(#[case] ppm: i32, #[case] due: u64) {
        let mut state = State::default();
        state.drift(NODE, seconds(5), ppm);
        assert_eq!(state.due(NODE, seconds(10), seconds(15)), Due::At(seconds(due)));
        assert_eq!(state.takes(NODE, seconds(15)), seconds(due - 10));
    }

    #[test]
    fn a_leap_before_the_wait_does_not_shorten_it() {
        let mut state = State::default();
        state.jump(NODE, seconds(5), 3_600_000);
        assert_eq!(state.due(NODE, seconds(10), seconds(15)), Due::At(seconds(25)));
    }

    #[test]
    fn who_stands_still_is_late() {
        let mut state = State::default();
        state.pause(NODE, Some(seconds(40)));
        assert_eq!(state.due(NODE, seconds(10), seconds(15)), Due::At(seconds(55)));
        assert_eq!(state.due(NODE, seconds(50), seconds(15)), Due::At(seconds(65)));
        state.pass(seconds(40));
        assert_eq!(state.due(NODE, seconds(10), seconds(15)), Due::At(seconds(25)));
        state.pause(NODE, None);
        assert_eq!(state.due(NODE, seconds(10), seconds(15)), Due::WhenItGoesOn);
        state.resume(NODE);
        assert_eq!(state.due(NODE, seconds(10), seconds(15)), Due::At(seconds(25)));
    }
}
