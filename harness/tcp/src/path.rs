use std::collections::BTreeMap;
use std::time::Duration;

use crate::link::Link;
use crate::{FaultId, HostId, LinkChange, LinkSettings, Network, Socket};

/// The overrides for single connections, by sender, receiver and ordinal of the connection.
pub(crate) type PathOverrides = BTreeMap<(HostId, HostId, u32), PathOverride>;

/// The treatment of one connection in one direction, beside that which the link gives to all of them.
///
/// It exists from the fault on, whether or not the connection has been opened by then.
pub(crate) struct PathOverride {
    /// The fault that cuts the connection, while it is cut.
    pub(crate) partition: Option<FaultId>,
    /// The settings of the link that are different for the connection.
    pub(crate) change: LinkChange,
    /// The link as it is for the connection, as far as `change` says.
    pub(crate) link: Link,
}

/// A direction of a connection, as far as the network in between is concerned.
#[derive(Clone, Copy)]
pub(crate) struct Path {
    link: u32,
    /// Key of what is different for the connection.
    key: (HostId, HostId, u32),
}

impl Network {
    /// Returns the path away from a socket.
    pub(crate) fn path(&self, socket: Socket) -> Option<Path> {
        let connection = self.connection(socket.connection)?;
        let (from, to) = connection.direction(socket.side);
        Some(Path { link: connection.end(socket.side).link, key: (from, to, connection.ordinal) })
    }

    /// Returns what the path is like.
    pub(crate) fn path_settings(&self, path: Path) -> LinkSettings {
        let settings = self.links[path.link as usize].settings;
        self.overrides.get(&path.key).map_or(settings, |own| settings.changed(own.change))
    }

    /// Returns the fault that cuts the path.
    pub(crate) fn partition_of(&self, path: Path) -> Option<FaultId> {
        let own = self.overrides.get(&path.key).and_then(|own| own.partition);
        own.or(self.links[path.link as usize].partition)
    }

    /// Returns how long a segment with this many bytes of the stream is under way if it leaves now.
    pub(crate) fn travel_time(&mut self, path: Path, now: Duration, bytes: usize) -> Duration {
        let settings = self.path_settings(path);
        let link = &mut self.links[path.link as usize];
        let of_link = link.take_change();
        let Some(own) = self.overrides.get_mut(&path.key) else {
            let time = link.transmission_time(now, bytes) + link.travel_time(&self.randomness);
            if let Some(fault) = of_link {
                self.fault_hit(fault);
            }
            return time;
        };
        let of_own = own.link.take_change();
        own.link.settings = settings;
        let queue = match own.change.bandwidth {
            Some(_) => own.link.transmission_time(now, bytes),
            None => link.transmission_time(now, bytes),
        };
        let time = queue + own.link.travel_time(&self.randomness);
        of_link.into_iter().chain(of_own).for_each(|fault| self.fault_hit(fault));
        time
    }

    /// Decides whether the path loses what leaves now, by its share of losses.
    pub(crate) fn path_loses(&mut self, path: Path) -> bool {
        let link = match self.overrides.get_mut(&path.key) {
            Some(own) if own.change.loss.is_some() => &mut own.link,
            _ => &mut self.links[path.link as usize],
        };
        let is_lost = link.loses(&self.randomness);
        if is_lost && let Some(fault) = link.take_lossy() {
            self.fault_hit(fault);
        }
        is_lost
    }
}
