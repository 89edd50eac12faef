use std::os::fd::AsFd;
use std::time::Duration;

use super::waits::Wait;
use super::{Answer, Process, Question, error};
use crate::call::Call;
use crate::descriptors::{Kind, Timer};
use crate::error::RunError;
use crate::sys::{self, Pid, descriptors, memory};

/// TIMER_ABSTIME, and TFD_TIMER_ABSTIME.
const ABSOLUTE: i32 = 1;
/// `sysconf(_SC_CLK_TCK)`
const TICKS_PER_SECOND: u128 = 100;

impl Process {
    pub(super) fn answer_time(&mut self, question: &Question) -> Result<Answer, RunError> {
        let (pid, now) = (question.pid, self.now);
        Ok(match question.call {
            Call::ClockGettime => {
                written(&write_timespec(pid, question.word(1), self.clocks.show(question.int(0), now)))
            }
            Call::Gettimeofday if question.word(0) == 0 => Answer::Value(0),
            Call::Gettimeofday => {
                let time = self.clocks.show(libc::CLOCK_REALTIME, now);
                let bytes = pair(time.as_secs(), u64::from(time.subsec_micros()));
                written(&memory::write(pid, question.word(0), &bytes))
            }
            Call::Time => {
                let seconds = self.clocks.show(libc::CLOCK_REALTIME, now).as_secs();
                match question.word(0) {
                    0 => Answer::Value(seconds as i64),
                    at if memory::write(pid, at, &seconds.to_ne_bytes()).is_ok() => Answer::Value(seconds as i64),
                    _ => error(libc::EFAULT),
                }
            }
            Call::Times => {
                let ticks = self.clocks.show(libc::CLOCK_BOOTTIME, now).as_nanos() * TICKS_PER_SECOND / 1_000_000_000;
                match question.word(0) {
                    0 => Answer::Value(ticks as i64),
                    at if memory::write(pid, at, &[0; 32]).is_ok() => Answer::Value(ticks as i64),
                    _ => error(libc::EFAULT),
                }
            }
            // The processor's time is not the world's: nothing has been used.
            Call::Getrusage => written(&memory::write(pid, question.word(1), &[0; 144])),
            Call::Nanosleep => match read_timespec(pid, question.word(0)) {
                Some(time) => Answer::Wait(Wait::Sleep, Some(now.saturating_add(time))),
                None => error(libc::EINVAL),
            },
            Call::ClockNanosleep => match read_timespec(pid, question.word(2)) {
                Some(time) if question.int(1) & ABSOLUTE != 0 => {
                    let deadline = self.clocks.when(question.int(0), time);
                    if deadline <= now { Answer::Value(0) } else { Answer::Wait(Wait::Sleep, Some(deadline)) }
                }
                Some(time) => Answer::Wait(Wait::Sleep, Some(now.saturating_add(time))),
                None => error(libc::EINVAL),
            },
            Call::TimerfdCreate => {
                let flags = question.int(1);
                let file = descriptors::eventfd(0, flags & libc::TFD_NONBLOCK)?;
                let timer = Timer { clock: question.int(0), ..Timer::default() };
                self.give(question, file, Kind::Timer(timer), flags & libc::TFD_CLOEXEC != 0)?
            }
            Call::TimerfdSettime => self.set_timer(question),
            _ => self.read_timer(question),
        })
    }

    fn set_timer(&mut self, question: &Question) -> Answer {
        let (pid, now, clocks) = (question.pid, self.now, self.clocks);
        let Some((interval, value)) = read_itimerspec(pid, question.word(2)) else { return error(libc::EFAULT) };
        let Some(file) = self.files.find(pid, question.int(0)) else { return error(libc::EBADF) };
        let Some(description) = self.files.get_mut(file) else { return error(libc::EBADF) };
        let fd = description.file.clone();
        let Kind::Timer(timer) = &mut description.kind else { return error(libc::EINVAL) };
        if question.word(3) != 0
            && write_itimerspec(pid, question.word(3), timer.interval, left(timer.at, now)).is_err()
        {
            return error(libc::EFAULT);
        }
        // What it has counted so far is forgotten.
        if sys::is_ready(fd.as_fd(), libc::POLLIN) {
            let _ = descriptors::read(fd.as_fd(), &mut [0; 8]);
        }
        timer.interval = interval;
        timer.at = (!value.is_zero()).then(|| {
            if question.int(1) & ABSOLUTE != 0 { clocks.when(timer.clock, value) } else { now.saturating_add(value) }
        });
        self.timers.insert(file);
        Answer::Value(0)
    }

    fn read_timer(&mut self, question: &Question) -> Answer {
        let file = self.files.find(question.pid, question.int(0)).and_then(|file| self.files.get(file));
        match file.map(|file| &file.kind) {
            Some(Kind::Timer(timer)) => {
                written(&write_itimerspec(question.pid, question.word(1), timer.interval, left(timer.at, self.now)))
            }
            _ => error(libc::EINVAL),
        }
    }

    /// Lets the timers expire whose time has come; returns whether there were any.
    pub(super) fn fire_timers(&mut self) -> bool {
        let mut any = false;
        for file in self.timers.clone() {
            let Some(description) = self.files.get_mut(file) else {
                self.timers.remove(&file);
                continue;
            };
            let fd = description.file.clone();
            let Kind::Timer(timer) = &mut description.kind else { continue };
            let Some(at) = timer.at.filter(|at| *at <= self.now) else { continue };
            let expirations = expirations(at, timer.interval, self.now);
            timer.at = next(at, timer.interval, self.now);
            let _ = descriptors::write(fd.as_fd(), &expirations.to_ne_bytes());
            any = true;
        }
        self.stirred += u64::from(any);
        any
    }
}

/// Returns how often a timer has expired that was due at `at`.
fn expirations(at: Duration, interval: Duration, now: Duration) -> u64 {
    if interval.is_zero() {
        return 1;
    }
    1 + u64::try_from((now - at).as_nanos() / interval.as_nanos()).unwrap_or(u64::MAX - 1)
}

/// Returns when a timer that was due at `at` is due again, after `now`.
pub(super) fn next(at: Duration, interval: Duration, now: Duration) -> Option<Duration> {
    if interval.is_zero() {
        return None;
    }
    let past = (now - at).as_nanos() % interval.as_nanos();
    let past = Duration::from_nanos(u64::try_from(past).unwrap_or(0));
    Some(now - past + interval)
}

/// Returns how much time is left.
pub(super) fn left(at: Option<Duration>, now: Duration) -> Duration {
    at.map_or(Duration::ZERO, |at| at.saturating_sub(now))
}

/// Answers a call that was to write something.
pub(super) fn written(result: &std::io::Result<()>) -> Answer {
    match result {
        Ok(()) => Answer::Value(0),
        Err(_) => error(libc::EFAULT),
    }
}

fn pair(first: u64, second: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&first.to_ne_bytes());
    bytes[8..].copy_from_slice(&second.to_ne_bytes());
    bytes
}

/// Reads two numbers, as `timespec` and `timeval` have them.
pub(super) fn read_pair(pid: Pid, at: u64) -> Option<(i64, i64)> {
    let mut bytes = [[0; 8]; 2];
    memory::read(pid, at, bytes.as_flattened_mut()).ok()?;
    Some((i64::from_ne_bytes(bytes[0]), i64::from_ne_bytes(bytes[1])))
}

/// Reads a `timespec`; none if it is not a time.
pub(super) fn read_timespec(pid: Pid, at: u64) -> Option<Duration> {
    let (seconds, nanoseconds) = read_pair(pid, at)?;
    let nanoseconds = u32::try_from(nanoseconds).ok().filter(|nanoseconds| *nanoseconds < 1_000_000_000)?;
    Some(Duration::new(u64::try_from(seconds).ok()?, nanoseconds))
}

/// Reads a `timeval`; none if it is not a time.
pub(super) fn read_timeval(pid: Pid, at: u64) -> Option<Duration> {
    let (seconds, microseconds) = read_pair(pid, at)?;
    Some(Duration::from_secs(u64::try_from(seconds).ok()?) + Duration::from_micros(u64::try_from(microseconds).ok()?))
}

fn write_timespec(pid: Pid, at: u64, time: Duration) -> std::io::Result<()> {
    memory::write(pid, at, &pair(time.as_secs(), u64::from(time.subsec_nanos())))
}

/// Reads an `itimerspec`: interval and value.
pub(super) fn read_itimerspec(pid: Pid, at: u64) -> Option<(Duration, Duration)> {
    Some((read_timespec(pid, at)?, read_timespec(pid, at + 16)?))
}

/// Writes an `itimerspec`.
pub(super) fn write_itimerspec(pid: Pid, at: u64, interval: Duration, value: Duration) -> std::io::Result<()> {
    write_timespec(pid, at, interval)?;
    write_timespec(pid, at + 16, value)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[rstest]
    #[case::once(100, 0, 100, 1, None)]
    #[case::at_its_time(100, 10, 100, 1, Some(110))]
    #[case::late(100, 10, 125, 3, Some(130))]
    #[case::late_by_whole_intervals(100, 10, 120, 3, Some(130))]
    fn timer_expires(
        #[case] at: u64,
        #[case] interval: u64,
        #[case] now: u64,
        #[case] count: u64,
        #[case] again: Option<u64>,
    ) {
        assert_eq!(expirations(ms(at), ms(interval), ms(now)), count);
        assert_eq!(next(ms(at), ms(interval), ms(now)), again.map(ms));
    }
}
