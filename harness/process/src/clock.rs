use std::time::Duration;

/// The values of a program's clocks at the start of its world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// The wall clock, since 1970.
    pub date: Duration,
    /// Time that the machine has been up.
    pub uptime: Duration,
}

impl Default for Clocks {
    /// 2030-01-01 00:00:00 UTC, on a machine that has been up for 1,000 s.
    fn default() -> Self {
        Self { date: Duration::from_secs(1_893_456_000), uptime: Duration::from_secs(1_000) }
    }
}

/// The value of clocks that count the processor's time: programs do not get slower by computing.
const PROCESSOR_TIME: Duration = Duration::from_millis(1);

impl Clocks {
    /// Returns what a clock shows `now` after the start.
    pub(crate) fn show(&self, clock: i32, now: Duration) -> Duration {
        match clock {
            libc::CLOCK_PROCESS_CPUTIME_ID | libc::CLOCK_THREAD_CPUTIME_ID => PROCESSOR_TIME,
            // The processor's time of another process or thread.
            clock if clock < 0 => PROCESSOR_TIME,
            clock if is_wall_clock(clock) => self.date.saturating_add(now),
            _ => self.uptime.saturating_add(now),
        }
    }

    /// Returns when a clock shows `time`, since the start; the start if that was before.
    pub(crate) fn when(&self, clock: i32, time: Duration) -> Duration {
        let begin = if is_wall_clock(clock) { self.date } else { self.uptime };
        time.saturating_sub(begin)
    }
}

fn is_wall_clock(clock: i32) -> bool {
    matches!(clock, libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE | libc::CLOCK_TAI | libc::CLOCK_REALTIME_ALARM)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::wall(libc::CLOCK_REALTIME, 1_893_456_005)]
    #[case::coarse(libc::CLOCK_REALTIME_COARSE, 1_893_456_005)]
    #[case::monotonic(libc::CLOCK_MONOTONIC, 1_005)]
    #[case::boot(libc::CLOCK_BOOTTIME, 1_005)]
    fn clock_shows(#[case] clock: i32, #[case] seconds: u64) {
        let clocks = Clocks::default();
        let now = Duration::from_secs(5);
        assert_eq!(clocks.show(clock, now), Duration::from_secs(seconds));
        assert_eq!(clocks.when(clock, clocks.show(clock, now)), now);
    }

    #[test]
    fn computing_takes_no_time() {
        let clocks = Clocks::default();
        let (early, late) = (Duration::ZERO, Duration::from_secs(99));
        let clock = libc::CLOCK_PROCESS_CPUTIME_ID;
        assert_eq!(clocks.show(clock, early), clocks.show(clock, late));
    }
}
