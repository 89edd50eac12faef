use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::core::ConnectionId;

/// The connections that have something to do, in the order in which they were woken.
///
/// A connection that waits costs one [`ConnectionWaker`] here, where a task of its own would cost several hundred bytes.
#[derive(Debug, Default)]
pub(super) struct ReadyQueue(Mutex<Ready>);

#[derive(Debug, Default)]
struct Ready {
    connections: VecDeque<ConnectionId>,
    /// Wakes the task that serves the connections, while it waits for one.
    waker: Option<Waker>,
}

impl ReadyQueue {
    /// Takes out the connection that was woken first.
    pub(super) fn poll_pop(&self, cx: &mut Context<'_>) -> Poll<ConnectionId> {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match ready.connections.pop_front() {
            Some(connection) => Poll::Ready(connection),
            None => {
                match &mut ready.waker {
                    Some(known) => known.clone_from(cx.waker()),
                    none => *none = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
        }
    }

    /// Returns whether no connection waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).connections.is_empty()
    }

    fn push(&self, connection: ConnectionId) {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ready.connections.push_back(connection);
        let waker = ready.waker.take();
        drop(ready);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Puts one connection into the queue, unless it is there already.
#[derive(Debug)]
pub(super) struct ConnectionWaker {
    connection: ConnectionId,
    is_queued: AtomicBool,
    queue: Arc<ReadyQueue>,
}

impl ConnectionWaker {
    /// Returns the waker of a new connection.
    pub(super) fn new(connection: ConnectionId, queue: &Arc<ReadyQueue>) -> Arc<Self> {
        Arc::new(Self { connection, is_queued: AtomicBool::new(false), queue: Arc::clone(queue) })
    }

    /// Takes note that the connection has left the queue: from here on it can be woken again.
    pub(super) fn left_queue(&self) {
        self.is_queued.store(false, Ordering::Release);
    }
}

impl Wake for ConnectionWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::AcqRel) {
            self.queue.push(self.connection);
        }
    }
}
