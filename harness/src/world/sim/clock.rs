use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use halfopen_protocol::{Clock, Instant};

/// The world's time, and who waits for it.
#[derive(Clone, Default)]
pub(super) struct Timers(Rc<Inner>);

#[derive(Default)]
struct Inner {
    now: Cell<Duration>,
    waiting: RefCell<Waiting>,
}

#[derive(Default)]
struct Waiting {
    sequence: u64,
    /// Ordered by deadline, those of one deadline by when they began to wait.
    wakers: BTreeMap<(Duration, u64), Waker>,
}

impl Timers {
    /// Virtual time since the start of the run.
    pub(super) fn now(&self) -> Duration {
        self.0.now.get()
    }

    /// Time has gone on.
    pub(super) fn set_now(&self, now: Duration) {
        self.0.now.set(now);
    }

    /// The next deadline.
    pub(super) fn next(&self) -> Option<Duration> {
        self.0.waiting.borrow().wakers.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    /// Wakes all whose deadline has come; whether there were any.
    pub(super) fn fire(&self) -> bool {
        let now = self.now();
        let mut fired = false;
        loop {
            let waker = {
                let mut waiting = self.0.waiting.borrow_mut();
                match waiting.wakers.first_entry() {
                    Some(entry) if entry.key().0 <= now => entry.remove(),
                    _ => return fired,
                }
            };
            waker.wake();
            fired = true;
        }
    }
}

/// The clock of a node. It shows the world's time since the start of the run.
///
/// Time has a resolution of one millisecond: a deadline between two of them is met at the later one.
#[derive(Clone)]
pub(crate) struct NodeClock(Timers);

impl NodeClock {
    /// A clock that runs as the world's time does.
    pub(super) fn new(timers: &Timers) -> Self {
        Self(timers.clone())
    }
}

impl Clock for NodeClock {
    fn now(&self) -> Instant {
        Instant::new(self.0.now())
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + 'static {
        Sleep { timers: self.0.clone(), deadline: deadline.since_origin(), entry: None }
    }
}

/// Waits for a deadline; no longer once it is dropped.
struct Sleep {
    timers: Timers,
    deadline: Duration,
    entry: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let timers = self.timers.clone();
        let mut waiting = timers.0.waiting.borrow_mut();
        let Some(sequence) = self.entry else {
            if self.deadline <= timers.now() {
                return Poll::Ready(());
            }
            waiting.sequence += 1;
            self.entry = Some(waiting.sequence);
            let key = (self.deadline, waiting.sequence);
            waiting.wakers.insert(key, cx.waker().clone());
            return Poll::Pending;
        };
        // Over is what the world has called out, so that a node that is polled for something that has arrived at the
        // very instant of a deadline does not see the deadline first.
        match waiting.wakers.get_mut(&(self.deadline, sequence)) {
            None => return Poll::Ready(()),
            Some(waker) if !waker.will_wake(cx.waker()) => waker.clone_from(cx.waker()),
            Some(_) => {}
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(sequence) = self.entry {
            self.timers.0.waiting.borrow_mut().wakers.remove(&(self.deadline, sequence));
        }
    }
}
