//! Waiting for descriptors: epoll, poll, select; and who of those that wait can go on.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use super::threads::{Next, State};
use super::time::{read_timespec, read_timeval};
use super::{Answer, Process, Question, error};
use crate::call::Call;
use crate::descriptors::{FileId, Kind};
use crate::error::RunError;
use crate::proc;
use crate::schedule::ThreadId;
use crate::socket::Phase;
use crate::sys::notify::Notification;
use crate::sys::{self, Pid, PollFd, descriptors, memory};

/// Maximum number of descriptors per call, as many as a process may have.
const MOST_DESCRIPTORS: u64 = 16_384;

/// A thread that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) notification: Notification,
    pub(super) wait: Wait,
    pub(super) deadline: Option<Duration>,
    /// Signals that it does not take during this wait, if others than else.
    pub(super) mask: Option<u64>,
    /// The number of the last change that did not let it go on.
    pub(super) looked: u64,
}

/// The condition that a thread waits for.
#[derive(Debug)]
pub(super) enum Wait {
    Epoll {
        file: Rc<OwnedFd>,
        events: u64,
        max: usize,
    },
    Poll {
        at: u64,
        fds: Vec<Polled>,
    },
    Select {
        sets: [u64; 3],
        size: usize,
        fds: Vec<Polled>,
    },
    Futex {
        at: u64,
        value: u32,
        bits: u32,
    },
    /// The kernel makes the call once the file is ready for it.
    Ready {
        file: Rc<OwnedFd>,
        events: i16,
    },
    Accept(FileId),
    Connect(FileId),
    /// A child that ends: the one of this number, or any.
    Child(Option<Pid>),
    /// A signal out of this set.
    Signals(u64),
    Sleep,
}

/// A descriptor in a call of poll or select.
#[derive(Debug)]
pub(super) struct Polled {
    fd: i32,
    /// None if the program has no such descriptor.
    file: Option<Rc<OwnedFd>>,
    events: i16,
}

impl Process {
    pub(super) fn answer_wait(&mut self, question: &Question) -> Result<Answer, RunError> {
        let (pid, now) = (question.pid, self.now);
        Ok(match question.call {
            Call::EpollCreate | Call::EpollCreate1 => {
                let cloexec = question.call == Call::EpollCreate1 && question.int(0) & libc::EPOLL_CLOEXEC != 0;
                self.give(question, descriptors::epoll()?, Kind::Epoll, cloexec)?
            }
            // Native, but a lease ends with it.
            Call::EpollCtl => Answer::GoOn,
            Call::SchedYield if self.schedule.is_queue_empty() => Answer::Value(0),
            Call::SchedYield => Answer::Yield,
            Call::EpollWait | Call::EpollPwait | Call::EpollPwait2 => {
                let Some(file) = self.copy(pid, question.int(0)) else { return Ok(error(libc::EBADF)) };
                let (events, max) = (question.word(1), question.int(2));
                if max <= 0 {
                    return Ok(error(libc::EINVAL));
                }
                let Ok(deadline) = self.wait_deadline(question, 3) else { return Ok(error(libc::EFAULT)) };
                let max = max as usize;
                match look_at_epoll(pid, &file, events, max) {
                    Err(failure) => error(failure.raw_os_error().unwrap_or(libc::EINVAL)),
                    Ok(0) if deadline == Some(now) => Answer::Value(0),
                    Ok(0) => Answer::Wait(Wait::Epoll { file, events, max }, deadline),
                    Ok(count) => Answer::Value(count),
                }
            }
            Call::Poll | Call::Ppoll => {
                let Ok(deadline) = self.wait_deadline(question, 2) else { return Ok(error(libc::EFAULT)) };
                let at = question.word(0);
                if question.word(1) > MOST_DESCRIPTORS {
                    return Ok(error(libc::EINVAL));
                }
                let mut bytes = vec![0; question.word(1) as usize * 8];
                if memory::read(pid, at, &mut bytes).is_err() {
                    return Ok(error(libc::EFAULT));
                }
                let fds: Vec<Polled> = bytes
                    .chunks_exact(8)
                    .map(|entry| {
                        let fd = i32::from_ne_bytes([entry[0], entry[1], entry[2], entry[3]]);
                        let events = i16::from_ne_bytes([entry[4], entry[5]]);
                        Polled { fd, file: self.copy(pid, fd), events }
                    })
                    .collect();
                match look_at_poll(pid, at, &fds) {
                    Err(_) => error(libc::EFAULT),
                    Ok(0) if deadline == Some(now) => Answer::Value(0),
                    Ok(0) => Answer::Wait(Wait::Poll { at, fds }, deadline),
                    Ok(count) => Answer::Value(count),
                }
            }
            _ => self.answer_select(question)?,
        })
    }

    fn answer_select(&mut self, question: &Question) -> Result<Answer, RunError> {
        let (pid, now) = (question.pid, self.now);
        let deadline = match (question.word(4), question.call) {
            (0, _) => None,
            (at, Call::Select) => read_timeval(pid, at).map(|time| now.saturating_add(time)),
            (at, _) => read_timespec(pid, at).map(|time| now.saturating_add(time)),
        };
        let sets = [question.word(1), question.word(2), question.word(3)];
        let size = usize::try_from(question.int(0)).unwrap_or(0).min(MOST_DESCRIPTORS as usize);
        let mut fds = Vec::new();
        for (set, (events, _)) in sets.iter().zip(SETS) {
            if *set == 0 {
                continue;
            }
            let mut bits = vec![0; size.div_ceil(64) * 8];
            if memory::read(pid, *set, &mut bits).is_err() {
                return Ok(error(libc::EFAULT));
            }
            for fd in (0..size).filter(|fd| bits[fd / 8] & (1 << (fd % 8)) != 0) {
                let fd = fd as i32;
                fds.push(Polled { fd, file: self.copy(pid, fd), events });
            }
        }
        if fds.iter().any(|polled| polled.file.is_none() && !proc::has_descriptor(pid, polled.fd)) {
            return Ok(error(libc::EBADF));
        }
        let is_look = deadline == Some(now);
        Ok(match look_at_select(pid, sets, size, &fds, is_look) {
            Err(_) => error(libc::EFAULT),
            Ok(0) if !is_look => Answer::Wait(Wait::Select { sets, size, fds }, deadline),
            Ok(count) => Answer::Value(count),
        })
    }

    /// Returns when a wait ends whose time-out is an argument: of milliseconds, or the address of a `timespec`.
    fn wait_deadline(&self, question: &Question, index: usize) -> Result<Option<Duration>, ()> {
        let after = match question.call {
            Call::EpollPwait2 | Call::Ppoll => match question.word(index) {
                0 => return Ok(None),
                at => read_timespec(question.pid, at).ok_or(())?,
            },
            _ => match u64::try_from(question.int(index)) {
                Ok(milliseconds) => Duration::from_millis(milliseconds),
                Err(_) => return Ok(None),
            },
        };
        Ok(Some(self.now.saturating_add(after)))
    }

    /// Returns the signals that a wait does not take, if it says so itself.
    pub(super) fn mask_of(&self, question: &Question) -> Option<u64> {
        let number = |at: u64| {
            let mut bytes = [0; 8];
            memory::read(question.pid, at, &mut bytes).ok().map(|()| u64::from_ne_bytes(bytes))
        };
        let at = match question.call {
            Call::EpollPwait | Call::EpollPwait2 => question.word(4),
            Call::Ppoll => question.word(3),
            Call::Pselect6 if question.word(5) != 0 => number(question.word(5))?,
            _ => 0,
        };
        if at == 0 { None } else { number(at) }
    }

    /// Returns a copy of a descriptor of the program, to look at.
    fn copy(&mut self, pid: Pid, fd: i32) -> Option<Rc<OwnedFd>> {
        if let Some(file) = self.files.find(pid, fd).and_then(|file| self.files.get(file)) {
            return Some(Rc::clone(&file.file));
        }
        if fd < 0 {
            return None;
        }
        match sys::pidfd_getfd(&self.tasks.get(&pid)?.pidfd, fd) {
            Ok(copy) => Some(copy.into()),
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                self.report_unsupported(
                    "waiting for a file that the program opened itself (`pidfd_getfd` is refused here)",
                );
                None
            }
            Err(_) => None,
        }
    }

    /// Lets those go on for whom something has happened; returns whether there are any.
    pub(super) fn wake_ready(&mut self) -> Result<bool, RunError> {
        self.take_written();
        let mut any = self.receive_from_native()?;
        let thread_ended = std::mem::take(&mut self.thread_ended);
        let stirred = self.stirred;
        let ids: Vec<ThreadId> = self.threads.keys().copied().collect();
        for id in ids {
            let Some(thread) = self.threads.get_mut(&id) else { continue };
            let pid = thread.process;
            let State::Waiting(waiting) = &mut thread.state else { continue };
            if waiting.looked >= stirred && !thread_ended {
                continue;
            }
            waiting.looked = stirred;
            if let Some(next) = self.look(id, pid, thread_ended) {
                if let Some(thread) = self.threads.get_mut(&id) {
                    thread.state = State::Queued(next);
                }
                self.schedule.push_back(id);
                any = true;
            }
        }
        for task in self.tasks.values_mut() {
            task.is_signalled = false;
        }
        Ok(any)
    }

    /// Returns what happens with a thread that waits, if it can go on.
    fn look(&self, id: ThreadId, pid: Pid, thread_ended: bool) -> Option<Next> {
        let thread = self.threads.get(&id)?;
        let State::Waiting(Waiting { notification, wait, mask, .. }) = &thread.state else { return None };
        let notification = *notification;
        let reply = |result: io::Result<i64>| match result {
            Ok(0) => None,
            Ok(count) => Some(Next::Reply(notification, count)),
            Err(_) => Some(Next::Reply(notification, -i64::from(libc::EFAULT))),
        };
        let is_pending = |signals: u64| {
            self.tasks.get(&pid).is_some_and(|task| task.is_signalled)
                && proc::status(thread.tid).is_some_and(|status| status.pending & signals != 0)
        };
        if mask.is_some_and(|mask| is_pending(!mask)) {
            // The kernel takes the mask, delivers the signal, and ends the call.
            return Some(Next::GoOn(notification));
        }
        match wait {
            Wait::Epoll { file, events, max } => reply(look_at_epoll(pid, file, *events, *max)),
            Wait::Poll { at, fds } => reply(look_at_poll(pid, *at, fds)),
            Wait::Select { sets, size, fds } => reply(look_at_select(pid, *sets, *size, fds, false)),
            // The kernel wakes those who wait for the end of a thread by changing the word.
            Wait::Futex { at, value, .. } if thread_ended => {
                let mut bytes = [0; 4];
                let has_changed = memory::read(pid, *at, &mut bytes).is_ok() && u32::from_ne_bytes(bytes) != *value;
                has_changed.then_some(Next::Reply(notification, 0))
            }
            Wait::Futex { .. } | Wait::Sleep => None,
            Wait::Ready { file, events } => sys::is_ready(file.as_fd(), *events).then_some(Next::GoOn(notification)),
            Wait::Accept(file) => match self.files.socket(*file) {
                Some((_, socket)) => {
                    let is_pending = matches!(&socket.phase, Phase::Listening(pending) if !pending.is_empty());
                    is_pending.then_some(Next::Ask(notification))
                }
                None => Some(Next::GoOn(notification)),
            },
            Wait::Connect(file) => match self.files.socket(*file) {
                Some((_, socket)) if socket.phase == Phase::Connecting => None,
                Some((_, socket)) => Some(Next::Reply(notification, -i64::from(socket.error))),
                None => Some(Next::GoOn(notification)),
            },
            Wait::Child(child) => self.need_not_wait_for(pid, *child).then_some(Next::GoOn(notification)),
            Wait::Signals(signals) => is_pending(*signals).then_some(Next::GoOn(notification)),
        }
    }

    /// Takes the calls of threads that were blocked in the kernel, and are not any more; returns whether there were
    /// any.
    fn receive_from_native(&mut self) -> Result<bool, RunError> {
        let mut any = false;
        loop {
            let natives = self.threads.values().filter(|thread| matches!(thread.state, State::Native));
            let tids: Vec<Pid> = natives.map(|thread| thread.tid).collect();
            if tids.is_empty() {
                return Ok(any);
            }
            let is_awake = |tid: &Pid| proc::thread_state(*tid).is_some_and(|state| state.letter == 'R');
            let is_awake = tids.iter().any(is_awake);
            // After the look at the threads, so that one that has just made its call is not missed.
            if sys::is_ready(self.started.listener.as_fd(), libc::POLLIN) {
                match self.started.listener.receive() {
                    Ok(notification) => self.handle_notification(notification)?,
                    Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
                    Err(error) => return Err(error.into()),
                }
                any = true;
            } else if !is_awake {
                return Ok(any);
            }
        }
    }

    /// Ends the waits and expires the timers whose time has come; returns whether there were any.
    pub(super) fn fire(&mut self) -> bool {
        let mut any = self.fire_timers();
        any |= self.fire_signal_timers();
        // In the order in which they are due, and those of one instant in the order of their births.
        let due = |thread: &super::threads::Thread| thread.deadline().filter(|deadline| *deadline <= self.now);
        let due: BTreeMap<(Duration, ThreadId), ()> =
            self.threads.iter().filter_map(|(id, thread)| Some(((due(thread)?, *id), ()))).collect();
        for (_, id) in due.into_keys() {
            self.time_out(id);
            any = true;
        }
        any
    }

    fn time_out(&mut self, id: ThreadId) {
        let Some(thread) = self.threads.get_mut(&id) else { return };
        let pid = thread.process;
        let State::Waiting(Waiting { notification, wait, .. }) = &thread.state else { return };
        let notification = *notification;
        let is_epoll = matches!(wait, Wait::Epoll { .. });
        let value = match wait {
            Wait::Futex { .. } => -i64::from(libc::ETIMEDOUT),
            Wait::Ready { .. } | Wait::Accept(_) | Wait::Signals(_) => -i64::from(libc::EAGAIN),
            Wait::Select { sets, size, fds } => look_at_select(pid, *sets, *size, fds, true).unwrap_or(0),
            Wait::Epoll { .. } | Wait::Poll { .. } | Wait::Connect(_) | Wait::Child(_) | Wait::Sleep => 0,
        };
        thread.state = State::Queued(Next::Reply(notification, value));
        if is_epoll {
            self.begin_lease(id, notification.instruction);
        }
        self.schedule.push_back(id);
    }
}

/// Takes what an epoll has ready into a program's memory; returns how much it was.
fn look_at_epoll(pid: Pid, file: &OwnedFd, at: u64, max: usize) -> io::Result<i64> {
    let ready = descriptors::epoll_ready(file.as_fd(), max)?;
    if !ready.is_empty() {
        memory::write(pid, at, &descriptors::events_as_bytes(&ready))?;
    }
    Ok(ready.len() as i64)
}

fn poll(fds: &[Polled]) -> io::Result<(Vec<PollFd>, usize)> {
    let fd = |polled: &Polled| polled.file.as_ref().map_or(-1, |file| file.as_raw_fd());
    let mut asked: Vec<PollFd> =
        fds.iter().map(|polled| PollFd { fd: fd(polled), events: polled.events, revents: 0 }).collect();
    let count = sys::poll(&mut asked, 0)?;
    Ok((asked, count))
}

/// Writes what is ready into the entries of `poll`; returns how many are.
fn look_at_poll(pid: Pid, at: u64, fds: &[Polled]) -> io::Result<i64> {
    let (asked, count) = poll(fds)?;
    for (index, answer) in asked.iter().enumerate() {
        memory::write(pid, at + 8 * index as u64 + 6, &answer.revents.to_ne_bytes())?;
    }
    Ok(count as i64)
}

/// The events that each set of `select` asks for, and those that count.
const SETS: [(i16, i16); 3] = [
    (libc::POLLIN, libc::POLLIN | libc::POLLHUP | libc::POLLERR),
    (libc::POLLOUT, libc::POLLOUT | libc::POLLERR),
    (libc::POLLPRI, libc::POLLPRI),
];

/// Writes what is ready into the sets of `select`, if anything is, or `anyway`; returns how many are.
fn look_at_select(pid: Pid, sets: [u64; 3], size: usize, fds: &[Polled], anyway: bool) -> io::Result<i64> {
    let (asked, count) = poll(fds)?;
    if count == 0 && !anyway {
        return Ok(0);
    }
    let mut ready = 0;
    for (set, (events, counts)) in sets.iter().zip(SETS) {
        if *set == 0 {
            continue;
        }
        let mut bits = vec![0u8; size.div_ceil(64) * 8];
        for (polled, answer) in fds.iter().zip(&asked) {
            if polled.events == events && answer.revents & counts != 0 {
                let fd = polled.fd as usize;
                bits[fd / 8] |= 1 << (fd % 8);
                ready += 1;
            }
        }
        memory::write(pid, *set, &bits)?;
    }
    Ok(ready)
}
