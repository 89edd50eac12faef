use std::fmt;
use std::future::Future;
use std::num::NonZeroU64;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// A moment on the clock of a state machine's driver: the time since an origin that the driver chose.
///
/// The one of the standard library can only be had by reading the machine's clock. This one is a plain
/// value: a test writes `Instant::from_secs(5)`, a simulated node may have a clock that drifts or leaps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(
    /// Nanoseconds since the origin, plus one: an `Option<Instant>` takes 8 bytes as well, and there may be a million clients.
    NonZeroU64,
);

impl Instant {
    /// The origin.
    pub const ZERO: Self = Self(NonZeroU64::MIN);

    /// The largest representable moment, 584 years after the origin, which stands for never.
    pub const MAX: Self = Self(NonZeroU64::MAX);

    /// The moment `since_origin` after the origin.
    pub const fn new(since_origin: Duration) -> Self {
        Self(NonZeroU64::MIN.saturating_add(nanos(since_origin)))
    }

    /// The moment this many seconds after the origin.
    pub const fn from_secs(secs: u64) -> Self {
        Self::new(Duration::from_secs(secs))
    }

    /// The moment this many milliseconds after the origin.
    pub const fn from_millis(millis: u64) -> Self {
        Self::new(Duration::from_millis(millis))
    }

    /// The time since the origin; the longest there is for [`MAX`](Self::MAX).
    pub const fn since_origin(self) -> Duration {
        match self.0 {
            NonZeroU64::MAX => Duration::MAX,
            nanos => Duration::from_nanos(nanos.get() - 1),
        }
    }

    /// The time from `earlier` to `self`; zero if `earlier` is in truth later.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }
}

/// Returns a time in nanoseconds, as far as they can be counted.
const fn nanos(time: Duration) -> u64 {
    let nanos = time.as_nanos();
    if nanos < u64::MAX as u128 { nanos as u64 } else { u64::MAX }
}

impl Default for Instant {
    /// The origin.
    fn default() -> Self {
        Self::ZERO
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Instant").field(&self.since_origin()).finish()
    }
}

/// Saturates at the largest representable moment.
impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(nanos(rhs)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_takes_8_bytes_also_where_there_may_be_none() {
        assert_eq!((size_of::<Instant>(), size_of::<Option<Instant>>()), (8, 8));
    }

    #[test]
    fn times_are_what_they_were_made_of() {
        assert_eq!(Instant::default().since_origin(), Duration::ZERO);
        let at = Instant::from_millis(1500) + Duration::from_nanos(1);
        assert_eq!(at.since_origin(), Duration::new(1, 500_000_001));
        assert_eq!(
            (at - Instant::from_secs(1), Instant::ZERO - at),
            (Duration::from_nanos(500_000_001), Duration::ZERO)
        );
        assert_eq!(format!("{:?}", Instant::from_secs(5)), "Instant(5s)");
    }

    #[test]
    fn the_largest_moment_stands_for_never() {
        assert_eq!(Instant::new(Duration::MAX), Instant::MAX);
        assert_eq!(Instant::from_secs(1) + Duration::MAX, Instant::MAX);
        assert_eq!(Instant::MAX.since_origin(), Duration::MAX);
    }
}
