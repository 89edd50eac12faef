use std::time::Duration;

use super::link::Link;
use super::wires::Wires;
use crate::plan::{LinkChange, LinkSettings, NodeId, Position};

/// One direction of one connection: from, to, and which of the client's connections it is.
pub(super) type Way = (NodeId, NodeId, u32);

/// What the path does to one connection in one direction, beside what the link does to all of them.
///
/// It is there from the fault on, whether or not the connection has been opened by then.
pub(super) struct Own {
    /// The step that cut it, while it is cut.
    pub(super) partition: Option<Position>,
    /// What of the link is different for it.
    change: LinkChange,
    /// The link as it is for it, as far as `change` says.
    link: Link,
}

impl Wires {
    /// What is different for one connection, from now on perhaps.
    pub(super) fn own(&mut self, way: Way) -> &mut Own {
        let plan = &self.plan;
        let (from, to, number) = way;
        self.own.entry(way).or_insert_with(|| Own {
            partition: None,
            change: LinkChange::default(),
            link: Link::of_connection(plan, from, to, number),
        })
    }

    /// What the path is like.
    pub(super) fn settings(&mut self, way: Way) -> LinkSettings {
        let settings = self.link(way.0, way.1).settings;
        self.own.get(&way).map_or(settings, |own| settings.changed(own.change))
    }

    /// The step that has cut it.
    pub(super) fn partition_of(&mut self, way: Way) -> Option<Position> {
        let own = self.own.get(&way).and_then(|own| own.partition);
        own.or_else(|| self.link(way.0, way.1).partition)
    }

    /// How long a segment with so many bytes of the stream is under way if it leaves now.
    pub(super) fn travel_time(&mut self, way: Way, bytes: usize) -> Duration {
        let now = self.timers.now();
        let settings = self.settings(way);
        let of_link = self.link(way.0, way.1).take_change();
        let of_own = self.own.get_mut(&way).and_then(|own| own.link.take_change());
        of_link.into_iter().chain(of_own).for_each(|position| self.fault_hit(position));
        let Some(own) = self.own.get_mut(&way) else {
            let link = self.link(way.0, way.1);
            return link.transmission_time(now, bytes) + link.travel_time();
        };
        own.link.settings = settings;
        let queue = own.change.bandwidth.map(|_| own.link.transmission_time(now, bytes));
        let travel_time = own.link.travel_time();
        queue.unwrap_or_else(|| self.link(way.0, way.1).transmission_time(now, bytes)) + travel_time
    }

    /// Whether the path loses what leaves now, by its share of losses.
    pub(super) fn loses(&mut self, way: Way) -> bool {
        let link = match self.own.get_mut(&way) {
            Some(own) if own.change.loss.is_some() => &mut own.link,
            _ => self.link(way.0, way.1),
        };
        let is_lost = link.loses();
        if is_lost && let Some(position) = link.take_lossy() {
            self.fault_hit(position);
        }
        is_lost
    }
}

impl Own {
    /// From now on the link is different for this connection.
    pub(super) fn change(&mut self, position: Position, change: LinkChange) {
        self.change = self.change.and(change);
        self.link.change(position, change);
    }
}
