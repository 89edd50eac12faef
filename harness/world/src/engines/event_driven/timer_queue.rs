use std::collections::BTreeMap;
use std::task::Waker;
use std::time::Duration;

use halfopen_protocol::{Instant, Pages};

use crate::plan::NodeId;

/// The absence of a place.
const NONE: u32 = u32::MAX;

/// The timers of all nodes, ordered by when they are due, those of one instant by when they began to wait.
///
/// Adding and removing cost the logarithm of the number of distinct instants: timers stand in one table, and those of
/// one instant, and those of one node, are linked through it.
pub(super) struct TimerQueue {
    timers: Pages<Slot>,
    /// The first of the free places, linked by `next`.
    free: u32,
    /// The first and the last timer of each instant.
    instants: BTreeMap<Duration, Ends>,
    /// The first and the last timer of each node.
    nodes: Vec<Ends>,
    sequence: u64,
    count: usize,
}

/// Names a timer, also after it has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimerId {
    place: u32,
    generation: u32,
}

#[derive(Clone, Copy)]
struct Ends {
    first: u32,
    last: u32,
}

struct Slot {
    generation: u32,
    /// Neighbours at the same instant.
    previous: u32,
    next: u32,
    /// Neighbours of the same node.
    previous_of_node: u32,
    next_of_node: u32,
    node: u32,
    /// The waker; `None` in a free place.
    waker: Option<Waker>,
    sequence: u64,
    due: Instant,
    /// The deadline in the time of the node.
    deadline: Instant,
}

const EMPTY: Ends = Ends { first: NONE, last: NONE };

impl TimerQueue {
    /// Creates the queue of this many nodes.
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            timers: Pages::new(),
            free: NONE,
            instants: BTreeMap::new(),
            nodes: vec![EMPTY; nodes],
            sequence: 0,
            count: 0,
        }
    }

    /// Adds a timer that is due at `due` in the world's time, and has this deadline in the node's.
    pub(super) fn insert(&mut self, node: NodeId, deadline: Duration, due: Duration, waker: Waker) -> TimerId {
        self.sequence += 1;
        self.count += 1;
        let node = u32::try_from(node.0).expect("fewer than four billion nodes");
        let place = self.take_place();
        let Ends { last, .. } = self.nodes[node as usize];
        let slot = &mut self.timers[place as usize];
        slot.node = node;
        slot.waker = Some(waker);
        slot.sequence = self.sequence;
        slot.deadline = Instant::new(deadline);
        slot.previous_of_node = last;
        slot.next_of_node = NONE;
        let id = TimerId { place, generation: slot.generation };
        match last {
            NONE => self.nodes[node as usize].first = place,
            last => self.timers[last as usize].next_of_node = place,
        }
        self.nodes[node as usize].last = place;
        self.link(place, due);
        id
    }

    /// Removes a timer, if it has not gone.
    pub(super) fn remove(&mut self, id: TimerId) {
        if self.is_waiting(id) {
            self.take(id.place);
        }
    }

    /// Returns the waker of a timer that has not gone.
    pub(super) fn waker(&mut self, id: TimerId) -> Option<&mut Waker> {
        self.timers.get_mut(id.place as usize).filter(|slot| slot.generation == id.generation)?.waker.as_mut()
    }

    /// Returns when the next timer is due.
    pub(super) fn first_due(&self) -> Option<Duration> {
        self.instants.first_key_value().map(|(due, _)| *due)
    }

    /// Removes the next timer that is due by `now`, and returns its waker.
    pub(super) fn pop_due(&mut self, now: Duration) -> Option<Waker> {
        let (due, ends) = self.instants.first_key_value()?;
        if *due > now {
            return None;
        }
        self.take(ends.first)
    }

    /// Sets anew when each timer of a node is due.
    pub(super) fn reschedule(&mut self, node: NodeId, due: impl Fn(Duration) -> Duration) {
        let mut place = self.nodes[node.0].first;
        while place != NONE {
            self.unlink(place);
            let slot = &self.timers[place as usize];
            let (next, due) = (slot.next_of_node, due(slot.deadline.since_origin()));
            self.link(place, due);
            place = next;
        }
    }

    /// Returns the number of timers.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Returns the number of timers of a node.
    #[cfg(test)]
    pub(super) fn len_of(&self, node: NodeId) -> usize {
        let next = |place: &u32| Some(self.timers[*place as usize].next_of_node).filter(|place| *place != NONE);
        let first = Some(self.nodes[node.0].first).filter(|place| *place != NONE);
        std::iter::successors(first, next).count()
    }

    fn is_waiting(&self, id: TimerId) -> bool {
        self.timers.get(id.place as usize).is_some_and(|slot| slot.generation == id.generation && slot.waker.is_some())
    }

    fn take_place(&mut self) -> u32 {
        if self.free != NONE {
            let place = self.free;
            self.free = self.timers[place as usize].next;
            return place;
        }
        let place = u32::try_from(self.timers.len()).expect("fewer than four billion timers");
        self.timers.push(Slot {
            generation: 0,
            previous: NONE,
            next: NONE,
            previous_of_node: NONE,
            next_of_node: NONE,
            node: 0,
            waker: None,
            sequence: 0,
            due: Instant::ZERO,
            deadline: Instant::ZERO,
        });
        place
    }

    /// Removes a timer, and returns its waker.
    fn take(&mut self, place: u32) -> Option<Waker> {
        self.unlink(place);
        self.count -= 1;
        let slot = &mut self.timers[place as usize];
        let waker = slot.waker.take();
        slot.generation = slot.generation.wrapping_add(1);
        slot.next = self.free;
        self.free = place;
        let (node, previous, next) = (slot.node as usize, slot.previous_of_node, slot.next_of_node);
        match previous {
            NONE => self.nodes[node].first = next,
            previous => self.timers[previous as usize].next_of_node = next,
        }
        match next {
            NONE => self.nodes[node].last = previous,
            next => self.timers[next as usize].previous_of_node = previous,
        }
        waker
    }

    /// Puts a timer among those of an instant. It is nearly always the latest of them.
    fn link(&mut self, place: u32, due: Duration) {
        let ends = self.instants.entry(due).or_insert(EMPTY);
        let sequence = self.timers[place as usize].sequence;
        let (mut previous, mut next) = (ends.last, NONE);
        while previous != NONE && self.timers[previous as usize].sequence > sequence {
            next = previous;
            previous = self.timers[previous as usize].previous;
        }
        match previous {
            NONE => ends.first = place,
            previous => self.timers[previous as usize].next = place,
        }
        match next {
            NONE => ends.last = place,
            next => self.timers[next as usize].previous = place,
        }
        let slot = &mut self.timers[place as usize];
        slot.due = Instant::new(due);
        slot.previous = previous;
        slot.next = next;
    }

    fn unlink(&mut self, place: u32) {
        let Slot { due, previous, next, .. } = self.timers[place as usize];
        let due = due.since_origin();
        if previous == NONE && next == NONE {
            self.instants.remove(&due);
            return;
        }
        match previous {
            NONE => self.ends(due, |ends| ends.first = next),
            previous => self.timers[previous as usize].next = next,
        }
        match next {
            NONE => self.ends(due, |ends| ends.last = previous),
            next => self.timers[next as usize].previous = previous,
        }
    }

    fn ends(&mut self, due: Duration, change: impl FnOnce(&mut Ends)) {
        if let Some(ends) = self.instants.get_mut(&due) {
            change(ends);
        }
    }
}
