use std::cell::RefCell;
use std::rc::Rc;

use halfopen_broker::core::DurableState;

use crate::plan::NodeId;

/// What the nodes of a world keep when their processes end.
#[derive(Clone)]
pub(crate) struct Disks(Rc<[Disk]>);

/// What one node keeps. A scripted peer and a client keep nothing.
#[derive(Clone, Default)]
pub(crate) struct Disk(Rc<RefCell<Option<DurableState>>>);

impl Disks {
    /// For this many nodes; all are empty.
    pub(crate) fn new(nodes: usize) -> Self {
        Self((0..nodes).map(|_| Disk::default()).collect())
    }

    /// That of `node`.
    pub(crate) fn of(&self, node: NodeId) -> Disk {
        self.0[node.0].clone()
    }
}

impl Disk {
    /// Writes at once and as a whole, in place of what there was.
    pub(super) fn write(&self, state: DurableState) {
        *self.0.borrow_mut() = Some(state);
    }

    /// Forgets what was written; whether anything was.
    pub(crate) fn clear(&self) -> bool {
        self.0.borrow_mut().take().is_some()
    }

    /// Returns what was written last.
    pub(super) fn read(&self) -> Option<DurableState> {
        self.0.borrow().clone()
    }
}
