use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use super::waits::Waiting;
use super::{Answer, Process, Question, Task};
use crate::call::Call;
use crate::error::RunError;
use crate::proc;
use crate::schedule::ThreadId;
use crate::stopwatch::Stopwatch;
use crate::sys::notify::Notification;
use crate::sys::{self, Pid, PollFd};

/// Number of calls that a thread may make in a row while others could run.
const CALLS_IN_A_ROW: u32 = 1000;
/// Milliseconds of real time without a call after which a thread is looked at.
const PATIENCE: i32 = 3;
/// Processor time, in hundredths of a second, that a thread may use without a call while others could run.
const OVERTAKEN_AFTER: u64 = 200;
/// Processor time, in hundredths of a second, that a thread may use without a call at all.
const SPINS_AFTER: u64 = 500;
/// Time for which a thread may sleep in a call that is not known to block.
const SLEEPS_AFTER: Duration = Duration::from_secs(2);

/// Calls that are not asked about, or were let go on, and that may block in the kernel.
const MAY_BLOCK: &[i64] = &[
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_connect,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_flock,
    libc::SYS_fcntl,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_pause,
];

/// A thread of a program.
#[derive(Debug)]
pub(super) struct Thread {
    pub(super) tid: Pid,
    pub(super) process: Pid,
    pub(super) state: State,
    /// True if it has let the others go first in this call.
    has_yielded: bool,
    /// Calls since its turn began.
    calls: u32,
    /// Processor time that it had used when it was first looked at since its last call.
    looked_at: Option<u64>,
    /// The call that a signal has interrupted.
    pub(super) interrupted: Option<Notification>,
}

#[derive(Debug)]
pub(super) enum State {
    Running,
    /// Stands in the queue, and then this happens.
    Queued(Next),
    Waiting(Waiting),
    /// Blocked in the kernel by itself.
    Native,
}

/// The next thing for a thread whose turn it is.
#[derive(Debug)]
pub(super) enum Next {
    Ask(Notification),
    Reply(Notification, i64),
    GoOn(Notification),
}

impl Thread {
    pub(super) fn deadline(&self) -> Option<Duration> {
        match &self.state {
            State::Waiting(waiting) => waiting.deadline,
            _ => None,
        }
    }

    /// Returns the call that the thread is held in.
    pub(super) fn held_in(&self) -> Option<Notification> {
        match &self.state {
            State::Waiting(Waiting { notification, .. })
            | State::Queued(Next::Ask(notification) | Next::Reply(notification, _) | Next::GoOn(notification)) => {
                Some(*notification)
            }
            State::Running | State::Native => None,
        }
    }
}

impl Process {
    pub(super) fn add_thread(&mut self, tid: Pid, process: Pid) -> ThreadId {
        self.last_thread += 1;
        let id = ThreadId(self.last_thread);
        self.by_tid.insert(tid, id);
        let thread = Thread {
            tid,
            process,
            state: State::Running,
            has_yielded: false,
            calls: 0,
            looked_at: None,
            interrupted: None,
        };
        self.threads.insert(id, thread);
        id
    }

    /// A thread is gone.
    pub(super) fn remove_thread(&mut self, id: ThreadId) {
        if let Some(thread) = self.threads.remove(&id) {
            self.by_tid.remove(&thread.tid);
        }
        self.schedule.handle_gone(id);
        self.thread_ended = true;
        self.stirred += 1;
    }

    /// Waits for the next call of a thread that runs.
    pub(super) fn receive(&mut self) -> Result<(), RunError> {
        let Some(notification) = self.next_notification()? else { return Ok(()) };
        self.handle_notification(notification)
    }

    pub(super) fn handle_notification(&mut self, notification: Notification) -> Result<(), RunError> {
        self.stats.notifications += 1;
        let tid = notification.tid as Pid;
        let thread = match self.by_tid.get(&tid) {
            Some(thread) => *thread,
            None => match self.adopt(tid)? {
                Some(thread) => thread,
                None => return Ok(()),
            },
        };
        if let Some(thread) = self.threads.get_mut(&thread) {
            thread.state = State::Queued(Next::Ask(notification));
            thread.looked_at = None;
        }
        // One that asks is out of `vfork`.
        for task in self.tasks.values_mut() {
            task.vfork_parent.take_if(|parent| *parent == thread);
        }
        self.schedule.handle_asked(thread);
        Ok(())
    }

    /// Returns the next call; none if something else has happened meanwhile.
    fn next_notification(&mut self) -> Result<Option<Notification>, RunError> {
        let began = Stopwatch::start();
        let mut patience = PATIENCE;
        loop {
            let interest = |fd, events| PollFd { fd, events, revents: 0 };
            let mut fds = [
                interest(self.started.listener.as_fd().as_raw_fd(), libc::POLLIN),
                interest(self.tasks.get(&self.root).map_or(-1, |root| root.pidfd.as_raw_fd()), libc::POLLIN),
                interest(if self.prints { self.output.as_raw_fd() } else { -1 }, libc::POLLIN),
            ];
            if sys::poll(&mut fds, patience)? == 0 {
                if self.probe(began.elapsed())? {
                    return Ok(None);
                }
                patience = (patience * 2).min(500);
                continue;
            }
            if fds[0].revents & libc::POLLIN != 0 {
                match self.started.listener.receive() {
                    Ok(notification) => return Ok(Some(notification)),
                    // Interrupted between poll and receive.
                    Err(error) if error.raw_os_error() == Some(libc::ENOENT) => continue,
                    Err(error) => return Err(error.into()),
                }
            }
            if fds[1].revents != 0 {
                self.handle_exit();
                return Ok(None);
            }
            if fds[2].revents & libc::POLLIN != 0 {
                self.take_output();
            } else if fds[2].revents != 0 {
                // Nobody can print any more.
                self.prints = false;
            }
        }
    }

    /// A thread that was not known makes its first call.
    fn adopt(&mut self, tid: Pid) -> io::Result<Option<ThreadId>> {
        let Some(status) = proc::status(tid) else { return Ok(None) };
        let is_new_process = !self.tasks.contains_key(&status.process);
        if is_new_process {
            let mut task = Task::new(sys::pidfd_open(status.process)?, status.parent);
            task.executes = false;
            if let Some(parent) = self.tasks.get(&status.parent) {
                task.image = parent.image.as_ref().and_then(|image| image.of_child(status.process));
            }
            task.vfork_parent = self.threads.iter().find_map(|(id, thread)| {
                (thread.process == status.parent && matches!(thread.state, State::Native)).then_some(*id)
            });
            self.tasks.insert(status.process, task);
            self.files.fork(status.parent, status.process);
        }
        let thread = self.add_thread(tid, status.process);
        self.schedule.handle_birth(thread);
        Ok(Some(thread))
    }

    /// Looks why no call comes; returns whether the schedule has changed.
    fn probe(&mut self, waited: Duration) -> Result<bool, RunError> {
        let running: Vec<ThreadId> = self.schedule.running().collect();
        for id in running {
            let Some(thread) = self.threads.get(&id) else { continue };
            let state = proc::thread_state(thread.tid);
            // Looked at before the listener, so that a call that is just being made is not mistaken for one that blocks.
            if sys::is_ready(self.started.listener.as_fd(), libc::POLLIN) {
                return Ok(false);
            }
            let Some(state) = state.filter(|state| state.letter != 'Z' && state.letter != 'X') else {
                let process = thread.process;
                self.remove_thread(id);
                self.find_ended(process);
                return Ok(true);
            };
            let call = state.call.unwrap_or(-1);
            if state.letter == 'D'
                && is_vfork(call)
                && let Some(child) = self.vfork_child_of(id)
            {
                // It goes on when its child has executed a program. If that has asked for something else meanwhile, it has failed to.
                if self.schedule.running().any(|other| self.is_of(other, child)) {
                    continue;
                }
                self.stand_aside(id);
                return Ok(true);
            }
            let blocks = match state.letter {
                'S' => MAY_BLOCK.contains(&call) || waited > SLEEPS_AFTER,
                'D' => waited > SLEEPS_AFTER || is_vfork(call),
                _ => false,
            };
            if blocks {
                self.stats.blocked_natively += 1;
                self.stats.blocked_in.get_or_insert_with(|| {
                    i32::try_from(call).ok().and_then(Call::of).map_or("a call that is not asked about", Call::name)
                });
                self.stand_aside(id);
                return Ok(true);
            }
            let Some(thread) = self.threads.get_mut(&id) else { continue };
            let used = state.processor_time - *thread.looked_at.get_or_insert(state.processor_time);
            if used > OVERTAKEN_AFTER && !self.schedule.is_queue_empty() {
                // It may spin for what another is to do. From here on two run at once.
                self.stats.overtaken += 1;
                self.stand_aside(id);
                return Ok(true);
            }
            if used > SPINS_AFTER {
                return Err(RunError::Spins { processor_time: Duration::from_millis(used * 10) });
            }
        }
        if self.schedule.unborn() > 0 && self.schedule.running().next().is_none() && !self.has_unknown_threads() {
            self.schedule.give_up_births();
            return Ok(true);
        }
        Ok(false)
    }

    /// Returns whether a call is there of a thread that did not count as running.
    pub(super) fn is_asked_by_a_native(&self) -> bool {
        self.threads.values().any(|thread| matches!(thread.state, State::Native))
            && sys::is_ready(self.started.listener.as_fd(), libc::POLLIN)
    }

    /// Takes the call of a thread that did not count as running.
    pub(super) fn receive_from_a_native(&mut self) -> Result<(), RunError> {
        match self.started.listener.receive() {
            Ok(notification) => self.handle_notification(notification),
            // It was killed meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the child that a thread waits for in `vfork`.
    fn vfork_child_of(&self, id: ThreadId) -> Option<Pid> {
        self.tasks.iter().find(|(_, task)| task.vfork_parent == Some(id)).map(|(pid, _)| *pid)
    }

    /// Returns whether a thread is one of a process.
    fn is_of(&self, id: ThreadId, process: Pid) -> bool {
        self.threads.get(&id).is_some_and(|thread| thread.process == process)
    }

    /// A thread does not count as running, though it may ask at any time.
    pub(super) fn stand_aside(&mut self, id: ThreadId) {
        if let Some(thread) = self.threads.get_mut(&id) {
            thread.state = State::Native;
        }
        self.schedule.handle_gone(id);
    }

    /// Returns whether there is a thread that has not made its first call.
    fn has_unknown_threads(&self) -> bool {
        let is_unknown = |tid: &Pid| !self.by_tid.contains_key(tid);
        self.tasks.keys().any(|pid| {
            proc::threads(*pid).iter().any(is_unknown)
                || proc::children(*pid).iter().any(|child| !self.tasks.contains_key(child))
        })
    }

    /// Lets the thread whose turn it is go on.
    pub(super) fn resume(&mut self, id: ThreadId) -> Result<(), RunError> {
        let Some(thread) = self.threads.get_mut(&id) else { return Ok(()) };
        let State::Queued(next) = std::mem::replace(&mut thread.state, State::Running) else { return Ok(()) };
        if !matches!(next, Next::Ask(_)) {
            thread.calls = 0;
        }
        match next {
            Next::Ask(notification) => self.ask(id, notification),
            Next::Reply(notification, value) => self.reply(id, &notification, value),
            Next::GoOn(notification) => self.go_on(id, &notification),
        }
    }

    pub(super) fn reply(&mut self, id: ThreadId, notification: &Notification, value: i64) -> Result<(), RunError> {
        self.show_time(id)?;
        self.answered(id, self.started.listener.reply(notification.id, value))
    }

    pub(super) fn go_on(&mut self, id: ThreadId, notification: &Notification) -> Result<(), RunError> {
        self.show_time(id)?;
        self.answered(id, self.started.listener.go_on(notification.id))
    }

    /// A thread that was interrupted or killed meanwhile is gone from the call, which is no error.
    fn answered(&mut self, id: ThreadId, result: io::Result<()>) -> Result<(), RunError> {
        self.schedule.release(id);
        match result {
            Err(error) if error.raw_os_error() != Some(libc::ENOENT) => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn ask(&mut self, id: ThreadId, notification: Notification) -> Result<(), RunError> {
        self.stirred += 1;
        let Some(thread) = self.threads.get(&id) else { return Ok(()) };
        let pid = thread.process;
        self.end_lease(pid);
        self.take_written();
        self.see_image(pid, id)?;
        let Some(call) = Call::of(notification.number) else { return self.go_on(id, &notification) };
        *self.stats.by_call.entry(call.name()).or_default() += 1;
        let question = Question { thread: id, pid, call, notification };
        let is_queue_empty = self.schedule.is_queue_empty();
        let Some(thread) = self.threads.get_mut(&id) else { return Ok(()) };
        // One that polls, or calls and calls, may wait for what another is to do.
        thread.calls += 1;
        if !is_queue_empty && (question.polls() && !thread.has_yielded || thread.calls > CALLS_IN_A_ROW) {
            (thread.has_yielded, thread.calls) = (true, 0);
            thread.state = State::Queued(Next::Ask(notification));
            self.schedule.push_back(id);
            return Ok(());
        }
        thread.has_yielded = false;
        if thread.interrupted.is_some_and(|call| is_same(&call, &notification)) {
            thread.interrupted = None;
            if question.is_never_restarted() {
                return self.reply(id, &notification, -i64::from(libc::EINTR));
            }
        }
        match self.answer(&question)? {
            Answer::Value(value) => self.reply(id, &notification, value),
            Answer::GoOn => self.go_on(id, &notification),
            Answer::Answered => {
                self.schedule.release(id);
                Ok(())
            }
            Answer::Wait(wait, deadline) => {
                let mask = self.mask_of(&question);
                let looked = self.stirred;
                if let Some(thread) = self.threads.get_mut(&id) {
                    thread.state = State::Waiting(Waiting { notification, wait, deadline, mask, looked });
                }
                Ok(())
            }
            Answer::Yield => {
                if let Some(thread) = self.threads.get_mut(&id) {
                    thread.state = State::Queued(Next::Reply(notification, 0));
                }
                self.schedule.push_back(id);
                Ok(())
            }
            Answer::Ended => Ok(()),
        }
    }
}

impl Question {
    /// Returns whether it is a look that does not wait.
    fn polls(&self) -> bool {
        match self.call {
            Call::EpollWait | Call::EpollPwait => self.int(3) == 0,
            Call::Poll => self.int(2) == 0,
            _ => false,
        }
    }

    /// Returns whether the call fails with EINTR after a signal handler, whatever SA_RESTART says: signal(7).
    fn is_never_restarted(&self) -> bool {
        matches!(
            self.call,
            Call::EpollWait
                | Call::EpollPwait
                | Call::EpollPwait2
                | Call::Poll
                | Call::Ppoll
                | Call::Select
                | Call::Pselect6
                | Call::Nanosleep
                | Call::ClockNanosleep
                | Call::RtSigtimedwait
        )
    }
}

fn is_same(one: &Notification, other: &Notification) -> bool {
    (one.number, one.instruction, one.args) == (other.number, other.instruction, other.args)
}

fn is_vfork(call: i64) -> bool {
    #[cfg(target_arch = "x86_64")]
    if call == libc::SYS_vfork {
        return true;
    }
    call == libc::SYS_clone || call == libc::SYS_clone3
}
