use std::future::Future;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// A moment on the clock of a state machine's driver: the time since an origin that the driver chose.
///
/// Not `std::time::Instant`, because that one can only be had by reading the machine's clock. This one is a plain
/// value: a test writes `Instant::from_secs(5)`, a simulated node may have a clock that drifts or leaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Duration);

impl Instant {
    /// The origin.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// The moment `since_origin` after the origin.
    pub const fn new(since_origin: Duration) -> Self {
        Self(since_origin)
    }

    /// The moment this many seconds after the origin.
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// The moment this many milliseconds after the origin.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// The time since the origin.
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// The time from `earlier` to `self`; zero if `earlier` is in truth later.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Saturates at the largest representable moment, which is 584 billion years away.
impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(rhs))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

/// The same as [`Instant::saturating_since`].
impl Sub for Instant {
    type Output = Duration;
    fn sub(self, rhs: Self) -> Duration {
        self.saturating_since(rhs)
    }
}

/// The clock of a driver: it tells the time, and waits.
///
/// The caller of a driver owns the clock: a real program hands in tokio's, a simulated world the node's own, which
/// may run fast or slow. A core never sees a clock, only an [`Instant`].
pub trait Clock: Clone + 'static {
    /// The time now. Never goes back, unless the clock belongs to a simulated node whose clock is made to leap.
    fn now(&self) -> Instant;

    /// Completes once [`now`](Self::now) has reached `deadline`; at once if it already has.
    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + 'static;
}
