use std::cell::RefCell;
use std::rc::Rc;

use halfopen_broker::core::DurableState;

use crate::plan::NodeId;

/// The disks of the nodes of a world, which outlast their processes.
#[derive(Clone)]
pub(crate) struct Disks(Rc<[Disk]>);

/// The disk of one node. A scripted peer and a client keep nothing.
#[derive(Clone, Default)]
pub(crate) struct Disk(Rc<RefCell<Option<Box<DurableState>>>>);

impl Disks {
    /// Creates empty disks for this many nodes.
    pub(crate) fn new(nodes: usize) -> Self {
        Self((0..nodes).map(|_| Disk::default()).collect())
    }

    /// Returns the disk of `node`.
    pub(crate) fn of(&self, node: NodeId) -> Disk {
        self.0[node.0].clone()
    }
}

impl Disk {
    /// Writes at once and as a whole, in place of what there was.
    pub(super) fn write(&self, state: DurableState) {
        *self.0.borrow_mut() = Some(Box::new(state));
    }

    /// Forgets what was written; whether anything was.
    pub(crate) fn clear(&self) -> bool {
        self.0.borrow_mut().take().is_some()
    }

    /// Returns what was written last.
    pub(super) fn read(&self) -> Option<DurableState> {
        self.0.borrow().as_deref().cloned()
    }
}
