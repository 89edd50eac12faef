//! Threads and processes that a program makes, and their ends.

use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use super::waits::Wait;
use super::{Answer, Process, Question};
use crate::call::Call;
use crate::error::RunError;
use crate::event::Event;
use crate::proc;
use crate::schedule::ThreadId;
use crate::stopwatch::Stopwatch;
use crate::sys::start::Isolation;
use crate::sys::{self, Pid, PollFd, memory};

/// Time that the kernel may take to end a process, in milliseconds of real time.
const ENDS_WITHIN: i32 = 5_000;

impl Process {
    pub(super) fn answer_task(&mut self, question: &Question) -> Result<Answer, RunError> {
        let pid = question.pid;
        Ok(match question.call {
            Call::Clone | Call::Clone3 | Call::Fork | Call::Vfork => {
                self.schedule.expect_birth();
                if is_vfork(question) {
                    // The kernel holds it until its child executes a program or ends.
                    self.go_on(question.thread, &question.notification)?;
                    self.stand_aside(question.thread);
                    return Ok(Answer::Ended);
                }
                Answer::GoOn
            }
            Call::Execve | Call::Execveat => {
                let parent = self.tasks.get_mut(&pid).and_then(|task| {
                    task.executes = true;
                    task.vfork_parent
                });
                self.go_on(question.thread, &question.notification)?;
                self.continue_after_vfork(parent);
                Answer::Ended
            }
            Call::Exit => {
                let tid = self.threads.get(&question.thread).map_or(0, |thread| thread.tid);
                self.go_on(question.thread, &question.notification)?;
                let began = Stopwatch::start();
                let is_there =
                    || proc::has_thread(pid, tid) && proc::thread_state(tid).is_some_and(|state| state.letter != 'Z');
                while is_there() && began.elapsed() < Duration::from_millis(100) {
                    std::thread::yield_now();
                }
                self.remove_thread(question.thread);
                self.find_ended(pid);
                Answer::Ended
            }
            Call::ExitGroup => {
                self.go_on(question.thread, &question.notification)?;
                self.wait_for_end(pid);
                Answer::Ended
            }
            // WNOHANG
            Call::Wait4 if question.int(2) & 1 != 0 => Answer::GoOn,
            Call::Waitid if question.int(3) & 1 != 0 => Answer::GoOn,
            _ => {
                self.forget_reaped();
                let child = awaited(question);
                if self.need_not_wait_for(pid, child) { Answer::GoOn } else { Answer::Wait(Wait::Child(child), None) }
            }
        })
    }

    /// The child has left the memory of its parent, which goes on.
    fn continue_after_vfork(&mut self, parent: Option<ThreadId>) {
        if let Some(parent) = parent.filter(|parent| self.threads.contains_key(parent)) {
            self.schedule.release(parent);
        }
    }

    /// Returns whether waiting for a child, or for any, would not block: it has ended, or there is none.
    pub(super) fn need_not_wait_for(&self, pid: Pid, child: Option<Pid>) -> bool {
        let is_meant =
            |pid: Pid| child.is_none_or(|child| proc::status(pid).is_some_and(|status| status.inner_thread == child));
        let mut children = self.tasks.iter().filter(|(child, task)| task.parent == pid && is_meant(**child)).peekable();
        children.peek().is_none() || children.any(|(_, task)| task.has_ended)
    }

    /// Waits until the kernel has ended a process whose end has begun.
    fn wait_for_end(&mut self, pid: Pid) {
        if pid == self.root {
            self.handle_exit();
        } else if let Some(task) = self.tasks.get(&pid) {
            let fd = std::os::fd::AsRawFd::as_raw_fd(&task.pidfd);
            let _ = sys::poll(&mut [PollFd { fd, events: libc::POLLIN, revents: 0 }], ENDS_WITHIN);
            self.find_ended(pid);
        }
    }

    /// Sees whether a process has ended, and what follows from that.
    pub(super) fn find_ended(&mut self, pid: Pid) {
        if self.has_exited {
            return;
        }
        let Some(task) = self.tasks.get_mut(&pid) else { return };
        if task.has_ended || !sys::is_ready(task.pidfd.as_fd(), libc::POLLIN) {
            return;
        }
        if pid == self.root {
            self.handle_exit();
            return;
        }
        task.has_ended = true;
        let (parent, vfork_parent) = (task.parent, task.vfork_parent.take());
        self.take_written();
        for file in self.files.end(pid) {
            self.close_file(file);
        }
        self.remove_threads_of(pid);
        self.signal_timers.retain(|(owner, _), _| *owner != pid);
        self.continue_after_vfork(vfork_parent);
        // The kernel has sent SIGCHLD.
        if let Some(parent) = self.tasks.get_mut(&parent) {
            parent.is_signalled = true;
        }
        self.has_signalled = true;
        self.stirred += 1;
    }

    fn remove_threads_of(&mut self, pid: Pid) {
        let ids: Vec<ThreadId> =
            self.threads.iter().filter(|(_, thread)| thread.process == pid).map(|(id, _)| *id).collect();
        for id in ids {
            self.remove_thread(id);
        }
    }

    /// Forgets the children that were waited for.
    pub(super) fn forget_reaped(&mut self) {
        self.tasks.retain(|pid, task| !task.has_ended || proc::status(*pid).is_some());
    }

    /// The program has ended: all of its processes go with it.
    pub(super) fn handle_exit(&mut self) {
        if self.has_exited {
            return;
        }
        self.has_exited = true;
        if self.isolation == Isolation::None {
            for pid in self.tasks.iter().filter(|(_, task)| !task.has_ended).map(|(pid, _)| *pid) {
                sys::kill(pid, libc::SIGKILL);
            }
        }
        if let Some(root) = self.tasks.get(&self.root) {
            let fd = std::os::fd::AsRawFd::as_raw_fd(&root.pidfd);
            let _ = sys::poll(&mut [PollFd { fd, events: libc::POLLIN, revents: 0 }], ENDS_WITHIN);
        }
        self.take_written();
        self.take_output();
        let pids: Vec<Pid> = self.tasks.keys().copied().collect();
        for pid in pids {
            for file in self.files.end(pid) {
                self.close_file(file);
            }
            self.remove_threads_of(pid);
        }
        self.schedule = crate::schedule::Schedule::default();
        self.signal_timers.clear();
        self.timers.clear();
        let status = sys::reap(self.root).unwrap_or(0);
        self.events.push(Event::Exited(ExitStatus::from_raw(status)));
    }

    /// Kills the program with SIGKILL, and waits until it is gone. Its sockets end as Linux ends them.
    pub fn kill(&mut self) -> Vec<Event> {
        if !self.has_exited {
            sys::kill(self.root, libc::SIGKILL);
            self.handle_exit();
        }
        std::mem::take(&mut self.events)
    }
}

/// Returns the child that is waited for, as its parent sees its number; none for any of them.
fn awaited(question: &Question) -> Option<Pid> {
    let child = match question.call {
        Call::Wait4 => question.int(0),
        _ if question.int(0) == libc::P_PID as i32 => question.int(1),
        _ => 0,
    };
    (child > 0).then_some(child)
}

fn is_vfork(question: &Question) -> bool {
    let flags = match question.call {
        Call::Vfork => return true,
        Call::Fork => 0,
        Call::Clone => question.word(0),
        _ => {
            let mut bytes = [0; 8];
            match memory::read(question.pid, question.word(0), &mut bytes) {
                Ok(()) => u64::from_ne_bytes(bytes),
                Err(_) => 0,
            }
        }
    };
    flags & libc::CLONE_VFORK as u64 != 0
}
