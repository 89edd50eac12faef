//! Signals: those that the program sends, and those of its timers.

use std::time::Duration;

use super::threads::State;
use super::time::{left, next, read_itimerspec, read_pair, write_itimerspec, written};
use super::waits::Wait;
use super::{Answer, Process, Question, error};
use crate::call::Call;
use crate::proc;
use crate::schedule::ThreadId;
use crate::stopwatch::Stopwatch;
use crate::sys::{self, Pid, memory};

/// The id under which the timer of `setitimer` and `alarm` is kept; those of `timer_create` begin with 0.
const INTERVAL_TIMER: i32 = -1;
/// Time that the kernel may take to interrupt a thread, in real time.
const INTERRUPTS_WITHIN: Duration = Duration::from_millis(500);

const SIGEV_SIGNAL: i32 = 0;
const SIGEV_NONE: i32 = 1;
const SIGEV_THREAD_ID: i32 = 4;

/// A timer that sends a signal.
#[derive(Debug)]
pub(super) struct SignalTimer {
    clock: i32,
    pub(super) at: Option<Duration>,
    interval: Duration,
    /// None if it only counts.
    signal: Option<i32>,
    /// The thread that gets the signal, if not the process.
    thread: Option<Pid>,
    value: u64,
}

impl Process {
    pub(super) fn answer_signal(&mut self, question: &Question) -> Answer {
        match question.call {
            Call::RtSigtimedwait => {
                let mut bytes = [0; 8];
                if memory::read(question.pid, question.word(0), &mut bytes).is_err() {
                    return error(libc::EFAULT);
                }
                let signals = u64::from_ne_bytes(bytes);
                let tid = self.threads.get(&question.thread).map_or(0, |thread| thread.tid);
                if proc::status(tid).is_some_and(|status| status.pending & signals != 0) {
                    return Answer::GoOn;
                }
                let deadline = match question.word(2) {
                    0 => None,
                    at => super::time::read_timespec(question.pid, at).map(|time| self.now.saturating_add(time)),
                };
                if deadline == Some(self.now) {
                    return error(libc::EAGAIN);
                }
                Answer::Wait(Wait::Signals(signals), deadline)
            }
            // Signals end it, which only the kernel can do.
            Call::RtSigsuspend | Call::Pause => {
                let result = self.go_on(question.thread, &question.notification);
                self.stand_aside(question.thread);
                match result {
                    Ok(()) => Answer::Ended,
                    Err(_) => error(libc::EINTR),
                }
            }
            _ => {
                self.has_signalled = true;
                for task in self.tasks.values_mut() {
                    task.is_signalled = true;
                }
                Answer::GoOn
            }
        }
    }

    /// Waits until the signals that were sent have interrupted whom they interrupt; those run.
    pub(super) fn settle_signals(&mut self) {
        self.has_signalled = false;
        let began = Stopwatch::start();
        while began.elapsed() < INTERRUPTS_WITHIN && self.is_signal_on_its_way() {
            std::thread::yield_now();
        }
        let pids: Vec<Pid> = self.tasks.keys().copied().collect();
        for pid in pids {
            self.find_ended(pid);
        }
        self.forget_reaped();
        self.stirred += 1;
        let interrupted: Vec<ThreadId> = self
            .threads
            .iter()
            .filter(|(_, thread)| thread.held_in().is_some_and(|call| !self.started.listener.is_valid(call.id)))
            .map(|(id, _)| *id)
            .collect();
        for id in interrupted {
            let Some(thread) = self.threads.get_mut(&id) else { continue };
            thread.interrupted = thread.held_in();
            thread.state = State::Running;
            self.schedule.release(id);
        }
    }

    /// Returns whether a thread that is held has a signal that it takes and has not taken yet.
    fn is_signal_on_its_way(&self) -> bool {
        let is_signalled = |pid| self.tasks.get(&pid).is_some_and(|task| task.is_signalled);
        self.threads.values().filter(|thread| is_signalled(thread.process)).any(|thread| {
            thread.held_in().is_some_and(|call| self.started.listener.is_valid(call.id))
                && proc::status(thread.tid).is_some_and(|status| status.pending & !status.blocked != 0)
        })
    }

    /// Sends a signal to the program, which handles it during the next [`run`](Self::run).
    pub fn signal(&mut self, signal: i32) {
        sys::kill(self.root, signal);
        self.mark_signalled(self.root);
    }

    fn mark_signalled(&mut self, pid: Pid) {
        if let Some(task) = self.tasks.get_mut(&pid) {
            task.is_signalled = true;
        }
        self.has_signalled = true;
    }

    pub(super) fn answer_signal_timer(&mut self, question: &Question) -> Answer {
        let (pid, now) = (question.pid, self.now);
        match question.call {
            Call::Alarm => {
                let before = self.signal_timers.remove(&(pid, INTERVAL_TIMER)).and_then(|timer| timer.at);
                let seconds = question.int(0) as u32;
                if seconds > 0 {
                    let at = now.saturating_add(Duration::from_secs(u64::from(seconds)));
                    self.signal_timers.insert((pid, INTERVAL_TIMER), alarm(at, Duration::ZERO));
                }
                Answer::Value(left(before, now).as_secs_f64().ceil() as i64)
            }
            // Timers of processor time, which no program uses, never expire.
            Call::Setitimer | Call::Getitimer if question.int(0) != libc::ITIMER_REAL => Answer::Value(0),
            Call::Setitimer => self.set_interval_timer(question),
            Call::Getitimer => {
                let timer = self.signal_timers.get(&(pid, INTERVAL_TIMER));
                written(&write_itimerval(pid, question.word(1), timer, now))
            }
            Call::TimerCreate => self.create_timer(question),
            _ => {
                let id = question.int(0);
                let Some(timer) = self.signal_timers.get_mut(&(pid, id)).filter(|_| id >= 0) else {
                    return error(libc::EINVAL);
                };
                match question.call {
                    Call::TimerSettime => {
                        let Some((interval, value)) = read_itimerspec(pid, question.word(2)) else {
                            return error(libc::EINVAL);
                        };
                        if question.word(3) != 0
                            && write_itimerspec(pid, question.word(3), timer.interval, left(timer.at, now)).is_err()
                        {
                            return error(libc::EFAULT);
                        }
                        let is_absolute = question.int(1) & libc::TIMER_ABSTIME != 0;
                        let at =
                            if is_absolute { self.clocks.when(timer.clock, value) } else { now.saturating_add(value) };
                        timer.interval = interval;
                        timer.at = (!value.is_zero()).then_some(at);
                        Answer::Value(0)
                    }
                    Call::TimerGettime => {
                        written(&write_itimerspec(pid, question.word(1), timer.interval, left(timer.at, now)))
                    }
                    Call::TimerDelete => {
                        self.signal_timers.remove(&(pid, id));
                        Answer::Value(0)
                    }
                    _ => Answer::Value(0),
                }
            }
        }
    }

    fn set_interval_timer(&mut self, question: &Question) -> Answer {
        let (pid, now) = (question.pid, self.now);
        let read = |at| super::time::read_timeval(pid, at);
        let (Some(interval), Some(value)) = (read(question.word(1)), read(question.word(1) + 16)) else {
            return error(libc::EFAULT);
        };
        let before = self.signal_timers.remove(&(pid, INTERVAL_TIMER));
        if question.word(2) != 0 && write_itimerval(pid, question.word(2), before.as_ref(), now).is_err() {
            return error(libc::EFAULT);
        }
        if !value.is_zero() {
            self.signal_timers.insert((pid, INTERVAL_TIMER), alarm(now.saturating_add(value), interval));
        }
        Answer::Value(0)
    }

    /// `timer_create(clock, struct sigevent *, timer_t *)`
    fn create_timer(&mut self, question: &Question) -> Answer {
        let pid = question.pid;
        let mut ids = self.signal_timers.range((pid, 0)..=(pid, i32::MAX)).map(|((_, id), _)| *id);
        let id = ids.next_back().map_or(0, |last| last + 1);
        let (mut signal, mut thread, mut value) = (Some(libc::SIGALRM), None, id as u64);
        if question.word(1) != 0 {
            // sigev_value, then sigev_signo and sigev_notify, then the thread.
            let (Some((given, kinds)), Some((target, _))) =
                (read_pair(pid, question.word(1)), read_pair(pid, question.word(1) + 16))
            else {
                return error(libc::EFAULT);
            };
            value = given as u64;
            let number = kinds as i32;
            match (kinds >> 32) as i32 {
                SIGEV_SIGNAL => signal = Some(number),
                SIGEV_NONE => signal = None,
                SIGEV_THREAD_ID => {
                    signal = Some(number);
                    thread = self.outer_thread(pid, target as i32);
                }
                _ => return error(libc::EINVAL),
            }
        }
        if memory::write(pid, question.word(2), &id.to_ne_bytes()).is_err() {
            return error(libc::EFAULT);
        }
        let clock = question.int(0);
        let timer = SignalTimer { clock, at: None, interval: Duration::ZERO, signal, thread, value };
        self.signal_timers.insert((pid, id), timer);
        Answer::Value(0)
    }

    /// Returns the id of a thread here that the program knows by another.
    fn outer_thread(&self, pid: Pid, inner: Pid) -> Option<Pid> {
        let mut tids = self.threads.values().filter(|thread| thread.process == pid).map(|thread| thread.tid);
        tids.find(|tid| proc::status(*tid).is_some_and(|status| status.inner_thread == inner))
    }

    /// Sends the signals of the timers whose time has come; returns whether there were any.
    pub(super) fn fire_signal_timers(&mut self) -> bool {
        let now = self.now;
        let mut signalled = Vec::new();
        for ((pid, id), timer) in &mut self.signal_timers {
            let Some(at) = timer.at.filter(|at| *at <= now) else { continue };
            timer.at = next(at, timer.interval, now);
            let Some(signal) = timer.signal else { continue };
            if *id == INTERVAL_TIMER {
                sys::kill(*pid, signal);
            } else {
                sys::send_timer_signal(*pid, timer.thread, signal, timer.value);
            }
            signalled.push(*pid);
        }
        for pid in &signalled {
            self.mark_signalled(*pid);
        }
        !signalled.is_empty()
    }
}

fn alarm(at: Duration, interval: Duration) -> SignalTimer {
    let clock = libc::CLOCK_MONOTONIC;
    SignalTimer { clock, at: Some(at), interval, signal: Some(libc::SIGALRM), thread: None, value: 0 }
}

/// Writes an `itimerval`: interval and what is left, in seconds and microseconds.
fn write_itimerval(pid: Pid, at: u64, timer: Option<&SignalTimer>, now: Duration) -> std::io::Result<()> {
    let interval = timer.map_or(Duration::ZERO, |timer| timer.interval);
    let value = left(timer.and_then(|timer| timer.at), now);
    let mut bytes = Vec::with_capacity(32);
    for time in [interval, value] {
        bytes.extend(time.as_secs().to_ne_bytes());
        bytes.extend(u64::from(time.subsec_micros()).to_ne_bytes());
    }
    memory::write(pid, at, &bytes)
}
