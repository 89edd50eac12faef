//! Futexes, emulated whole: a thread that waits for one is held.

use super::threads::{Next, State};
use super::time::read_timespec;
use super::waits::{Wait, Waiting};
use super::{Answer, Process, Question, error};
use crate::schedule::ThreadId;
use crate::sys::{Pid, memory};

const COMMAND: i32 = 0x7f;
const CLOCK_REALTIME: i32 = 0x100;

const WAIT: i32 = 0;
const WAKE: i32 = 1;
const REQUEUE: i32 = 3;
const CMP_REQUEUE: i32 = 4;
const WAKE_OP: i32 = 5;
const WAIT_BITSET: i32 = 9;
const WAKE_BITSET: i32 = 10;

impl Process {
    pub(super) fn answer_futex(&mut self, question: &Question) -> Answer {
        let pid = question.pid;
        let (at, operation, value) = (question.word(0), question.int(1), question.int(2) as u32);
        match operation & COMMAND {
            WAIT | WAIT_BITSET => {
                match read_word(pid, at) {
                    None => return error(libc::EFAULT),
                    Some(word) if word != value => return error(libc::EAGAIN),
                    Some(_) => {}
                }
                let is_bitset = operation & COMMAND == WAIT_BITSET;
                let clock = if operation & CLOCK_REALTIME != 0 { libc::CLOCK_REALTIME } else { libc::CLOCK_MONOTONIC };
                let deadline = match question.word(3) {
                    0 => None,
                    timeout => match read_timespec(pid, timeout) {
                        None => return error(libc::EINVAL),
                        // WAIT has a time to wait for, WAIT_BITSET one to wait until.
                        Some(time) if is_bitset => Some(self.clocks.when(clock, time)),
                        Some(time) => Some(self.now.saturating_add(time)),
                    },
                };
                if deadline.is_some_and(|deadline| deadline <= self.now) {
                    return error(libc::ETIMEDOUT);
                }
                let bits = if is_bitset { question.int(5) as u32 } else { u32::MAX };
                Answer::Wait(Wait::Futex { at, value, bits }, deadline)
            }
            WAKE => Answer::Value(self.wake(pid, at, value, u32::MAX)),
            WAKE_BITSET => Answer::Value(self.wake(pid, at, value, question.int(5) as u32)),
            WAKE_OP => {
                let (other, encoded) = (question.word(4), question.int(5) as u32);
                let Some(old) = read_word(pid, other) else { return error(libc::EFAULT) };
                let (new, holds) = wake_operation(old, encoded);
                if memory::write(pid, other, &new.to_ne_bytes()).is_err() {
                    return error(libc::EFAULT);
                }
                let mut woken = self.wake(pid, at, value, u32::MAX);
                if holds {
                    woken += self.wake(pid, other, question.int(3) as u32, u32::MAX);
                }
                Answer::Value(woken)
            }
            command @ (REQUEUE | CMP_REQUEUE) => {
                if command == CMP_REQUEUE && read_word(pid, at) != Some(question.int(5) as u32) {
                    return error(libc::EAGAIN);
                }
                let woken = self.wake(pid, at, value, u32::MAX);
                let moved = self.requeue(pid, at, question.word(4), question.int(3).max(0) as usize);
                Answer::Value(if command == CMP_REQUEUE { woken + moved } else { woken })
            }
            command => {
                self.report_unsupported(format!("futex operation {command}"));
                error(libc::ENOSYS)
            }
        }
    }

    /// Lets at most `most` of those that wait at an address go on; returns how many.
    fn wake(&mut self, pid: Pid, at: u64, most: u32, mask: u32) -> i64 {
        let woken = self.waiters(pid, at, mask);
        let woken = &woken[..woken.len().min(most as usize)];
        for id in woken {
            let Some(thread) = self.threads.get_mut(id) else { continue };
            let State::Waiting(Waiting { notification, .. }) = &thread.state else { continue };
            thread.state = State::Queued(Next::Reply(*notification, 0));
            self.schedule.push_back(*id);
        }
        woken.len() as i64
    }

    fn requeue(&mut self, pid: Pid, from: u64, to: u64, most: usize) -> i64 {
        let mut moved = 0;
        for id in self.waiters(pid, from, u32::MAX).into_iter().take(most) {
            let Some(thread) = self.threads.get_mut(&id) else { continue };
            if let State::Waiting(Waiting { wait: Wait::Futex { at, .. }, .. }) = &mut thread.state {
                *at = to;
                moved += 1;
            }
        }
        moved
    }

    /// Returns who waits at an address, those that have waited longest first: the ids of calls grow.
    fn waiters(&self, pid: Pid, address: u64, mask: u32) -> Vec<ThreadId> {
        let mut waiters: Vec<(u64, ThreadId)> = self
            .threads
            .iter()
            .filter(|(_, thread)| thread.process == pid)
            .filter_map(|(id, thread)| match &thread.state {
                State::Waiting(Waiting { notification, wait: Wait::Futex { at, bits, .. }, .. })
                    if *at == address && bits & mask != 0 =>
                {
                    Some((notification.id, *id))
                }
                _ => None,
            })
            .collect();
        waiters.sort();
        waiters.into_iter().map(|(_, id)| id).collect()
    }
}

fn read_word(pid: Pid, at: u64) -> Option<u32> {
    let mut bytes = [0; 4];
    memory::read(pid, at, &mut bytes).ok()?;
    Some(u32::from_ne_bytes(bytes))
}

/// Does what FUTEX_WAKE_OP encodes: the new value of the word, and whether the condition holds for the old one.
fn wake_operation(old: u32, encoded: u32) -> (u32, bool) {
    let signed = |twelve_bits: u32| (twelve_bits << 20) as i32 >> 20;
    let argument = (encoded >> 12) & 0xfff;
    let argument = if encoded & 0x8000_0000 != 0 { 1 << (argument & 31) } else { signed(argument) as u32 };
    let compared = signed(encoded & 0xfff);
    let new = match (encoded >> 28) & 7 {
        0 => argument,
        1 => old.wrapping_add(argument),
        2 => old | argument,
        3 => old & !argument,
        _ => old ^ argument,
    };
    let old = old as i32;
    let holds = match (encoded >> 24) & 0xf {
        0 => old == compared,
        1 => old != compared,
        2 => old < compared,
        3 => old <= compared,
        4 => old > compared,
        _ => old >= compared,
    };
    (new, holds)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::set_if_equal(7, 0x0000_5007, 5, true)]
    #[case::add(7, 0x1100_2007, 9, false)]
    #[case::or_greater(2, 0x2400_1001, 3, true)]
    #[case::and_not(7, 0x3000_4007, 3, true)]
    #[case::shifted(0, 0x8000_3000, 8, true)]
    #[case::negative(0, 0x0400_1fff, 1, true)]
    fn wake_op_does(#[case] old: u32, #[case] encoded: u32, #[case] new: u32, #[case] holds: bool) {
        assert_eq!(wake_operation(old, encoded), (new, holds));
    }
}
