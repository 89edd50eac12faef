use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use crate::plan::NodeId;

/// The nodes that have been woken, in the order in which they were.
///
/// Locked only because a waker must be `Send`; a world is on one thread.
#[derive(Default)]
pub(super) struct Ready(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    nodes: VecDeque<NodeId>,
    /// The waker that waits for a node to be woken.
    idle: Option<Waker>,
}

impl Ready {
    /// The next node to be polled.
    pub(super) fn next(&self) -> Option<NodeId> {
        self.lock().nodes.pop_front()
    }

    /// Returns whether no node has been woken.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().nodes.is_empty()
    }

    /// Wakes `waker` when the next node is woken.
    pub(super) fn when_not_empty(&self, waker: &Waker) {
        self.lock().idle = Some(waker.clone());
    }

    fn push(&self, node: NodeId) {
        let idle = {
            let mut queue = self.lock();
            queue.nodes.push_back(node);
            queue.idle.take()
        };
        if let Some(waker) = idle {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes one node.
pub(super) struct NodeWaker {
    node: NodeId,
    queued: AtomicBool,
    ready: Arc<Ready>,
}

impl NodeWaker {
    /// A waker of this node.
    pub(super) fn new(node: NodeId, ready: &Arc<Ready>) -> Arc<Self> {
        Arc::new(Self { node, queued: AtomicBool::new(false), ready: Arc::clone(ready) })
    }

    /// Takes note that the node is about to be polled: a wake counts again after this.
    pub(super) fn begin_poll(&self) {
        self.queued.store(false, Ordering::Relaxed);
    }
}

impl Wake for NodeWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.ready.push(self.node);
        }
    }
}
