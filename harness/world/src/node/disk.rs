use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use halfopen_broker::core::DurableState;

use crate::plan::NodeId;

/// The disks of the nodes of a world, which outlast their processes.
#[derive(Clone, Default)]
pub(crate) struct Disks(Rc<RefCell<BTreeMap<NodeId, DurableState>>>);

/// The disk of one node. A scripted peer and a client keep nothing.
pub(crate) struct Disk {
    disks: Disks,
    node: NodeId,
}

impl Disks {
    /// Returns the disk of `node`.
    pub(crate) fn of(&self, node: NodeId) -> Disk {
        Disk { disks: self.clone(), node }
    }
}

impl Disk {
    /// Writes at once and as a whole, in place of what there was.
    pub(super) fn write(&self, state: DurableState) {
        self.disks.0.borrow_mut().insert(self.node, state);
    }

    /// Forgets what was written; whether anything was.
    pub(crate) fn clear(&self) -> bool {
        self.disks.0.borrow_mut().remove(&self.node).is_some()
    }

    /// Returns what was written last.
    pub(super) fn read(&self) -> Option<DurableState> {
        self.disks.0.borrow().get(&self.node).cloned()
    }
}
