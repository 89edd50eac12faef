use std::time::Duration;

const MILLION: i128 = 1_000_000;

/// The clock of a node, as a function of the world's time.
#[derive(Debug, Default)]
pub struct LocalTime {
    /// The stretches from one change to the next; the last goes on. Empty as long as nothing was done to the clock:
    /// there may be a million of them.
    stretches: Vec<Stretch>,
}

/// A time in which the clock runs evenly. All in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// The begin in the world's time.
    world: i128,
    /// The value of the clock at the begin, if it could go back.
    local: i128,
    /// The latest value shown before: the clock shows nothing earlier.
    floor: i128,
    /// The millionths by which it runs faster than the world's time; more than minus a million.
    ppm: i32,
}

/// The stretch of a clock to which nothing was done.
const UNTOUCHED: Stretch = Stretch { world: 0, local: 0, floor: 0, ppm: 0 };

impl LocalTime {
    /// Returns what the clock shows at this time of the world.
    pub fn at(&self, world: Duration) -> Duration {
        let Some(last) = self.stretches.last() else { return world };
        if last.ppm == 0 && last.local == last.world && last.floor <= last.local {
            return world;
        }
        duration(last.shown(nanos(world)))
    }

    /// The first time of the world at which the clock shows `deadline` or later.
    pub fn due(&self, deadline: Duration) -> Duration {
        self.stretches.last().map_or(deadline, |last| duration(last.reaches(nanos(deadline))))
    }

    /// Returns when in the world's time the clock showed this, or will; for what it has leapt over, the time of the
    /// leap.
    pub fn world_time(&self, local: Duration) -> Duration {
        if self.stretches.is_empty() {
            return local;
        }
        let local = nanos(local);
        let after = self.stretches.partition_point(|stretch| stretch.shown(stretch.world) <= local);
        let Some(stretch) = self.stretches[..after].last() else { return Duration::ZERO };
        let time = stretch.reaches(local);
        duration(self.stretches.get(after).map_or(time, |next| time.min(next.world)))
    }

    /// Makes the clock run faster than the world's time by the given number of millionths from `now` on.
    pub fn drift(&mut self, now: Duration, ppm: i32) {
        let next = self.change(now);
        self.stretches.push(Stretch { ppm, ..next });
    }

    /// Sets the clock forward by the given number of milliseconds at `now`.
    pub fn jump(&mut self, now: Duration, by_ms: i64) {
        let next = self.change(now);
        self.stretches.push(Stretch { local: next.local + i128::from(by_ms) * MILLION, ..next });
    }

    /// Returns how the clock goes on from `now`, to be changed.
    fn change(&mut self, now: Duration) -> Stretch {
        if self.stretches.is_empty() {
            self.stretches.push(UNTOUCHED);
        }
        self.stretches.last().unwrap_or(&UNTOUCHED).cut(nanos(now))
    }
}

impl Stretch {
    fn raw(&self, world: i128) -> i128 {
        self.local + (world - self.world) * (MILLION + i128::from(self.ppm)) / MILLION
    }

    fn shown(&self, world: i128) -> i128 {
        self.raw(world).max(self.floor)
    }

    /// The first time at which it shows `local` or later.
    fn reaches(&self, local: i128) -> i128 {
        if local <= self.floor.max(self.local) {
            return self.world;
        }
        let rate = MILLION + i128::from(self.ppm);
        let left = (local - self.local) * MILLION;
        self.world + left / rate + i128::from(left % rate != 0)
    }

    /// A stretch that goes on as this one does, from this time on.
    fn cut(&self, world: i128) -> Self {
        Self { world, local: self.raw(world), floor: self.shown(world), ppm: self.ppm }
    }
}

fn nanos(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX / (2 * MILLION))
}

fn duration(nanos: i128) -> Duration {
    u64::try_from(nanos.max(0)).map_or(Duration::MAX, Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[rstest]
    #[case::as_fast(0, 10, 10)]
    #[case::fast(400_000, 10, 14)]
    #[case::slow(-500_000, 10, 5)]
    fn a_drifting_clock_shows(#[case] ppm: i32, #[case] world: u32, #[case] local: u32) {
        let mut time = LocalTime::default();
        time.drift(Duration::ZERO, ppm);
        assert_eq!(time.at(SECOND * world), SECOND * local);
        assert_eq!(time.due(SECOND * local), SECOND * world);
        assert_eq!(time.world_time(SECOND * local), SECOND * world);
    }

    #[test]
    fn a_deadline_is_never_met_before_the_clock_shows_it() {
        let mut time = LocalTime::default();
        time.drift(SECOND, 333_333);
        for ms in (1_000..2_000).map(Duration::from_millis) {
            assert!(time.at(time.due(ms)) >= ms);
            assert!(time.at(time.due(ms).saturating_sub(Duration::from_nanos(1))) < ms || ms == SECOND);
        }
    }

    #[test]
    fn a_clock_that_is_set_back_stands_still_until_it_has_caught_up() {
        let mut time = LocalTime::default();
        time.jump(SECOND * 5, -3_000);
        assert_eq!(time.at(SECOND * 7), SECOND * 5);
        assert_eq!(time.at(SECOND * 9), SECOND * 6);
        assert_eq!(time.due(SECOND * 6), SECOND * 9);
        assert_eq!(time.world_time(SECOND * 4), SECOND * 4);
        assert_eq!(time.world_time(SECOND * 6), SECOND * 9);
    }

    #[test]
    fn what_a_leap_forward_passes_over_is_due_at_the_leap() {
        let mut time = LocalTime::default();
        time.jump(SECOND * 5, 3_000);
        assert_eq!(time.at(SECOND * 5), SECOND * 8);
        assert_eq!(time.due(SECOND * 7), SECOND * 5);
        assert_eq!(time.world_time(SECOND * 7), SECOND * 5);
        assert_eq!(time.world_time(SECOND * 9), SECOND * 6);
    }
}
