//! The program that a process executes: its vDSO, and the memory in which it finds the time.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use super::Process;
use super::threads::State;
use crate::descriptors::Kind;
use crate::error::RunError;
use crate::proc;
use crate::schedule::ThreadId;
use crate::sys::{Pid, memory};
use crate::vdso::{self, Layout, Region, Scratch};

/// The longest code of a wait that becomes one under a lease.
const WAIT_CODE: usize = 16;

#[derive(Debug)]
pub(super) struct Image {
    memory: File,
    layout: Layout,
    region: Option<(u64, u64)>,
    /// The time that the program finds in its memory.
    shown: Option<Duration>,
}

impl Image {
    /// Changes the vDSO of a program that has just been executed.
    fn begin(pid: Pid, is_first: bool) -> io::Result<Self> {
        let memory = vdso::open_memory(pid)?;
        let Some(region) = Region::find(pid)? else {
            return Ok(Self { memory, layout: Layout::default(), region: None, shown: None });
        };
        // A program that was executed by another has the variable with the other's time in it.
        let scratch = if is_first { vdso::find_scratch(pid) } else { None };
        let layout = vdso::layout(&region, scratch);
        for patch in &layout.patches {
            vdso::write(&memory, patch)?;
        }
        if let Some(scratch) = layout.scratch {
            memory.write_all_at(&[0; vdso::SCRATCH_SIZE], scratch.at)?;
        }
        Ok(Self { memory, layout, region: Some(region.range()), shown: None })
    }

    /// Returns the image of a process that is a copy of this one.
    pub(super) fn of_child(&self, child: Pid) -> Option<Self> {
        let layout = Layout {
            patches: self.layout.patches.clone(),
            // A lease ends with a call that the parent process is asked about.
            scratch: self.layout.scratch.map(|scratch| Scratch { is_writable: false, ..scratch }),
            free: self.layout.free,
        };
        Some(Self { memory: vdso::open_memory(child).ok()?, layout, region: self.region, shown: None })
    }

    /// Returns whether the process still executes this, and not another program.
    fn is_still_there(&self, pid: Pid) -> bool {
        let Some((at, bytes)) = self.layout.patches.first() else { return false };
        let mut found = vec![0; bytes.len()];
        memory::read(pid, *at, &mut found).is_ok() && found == *bytes
    }

    /// Writes the time into the program's memory, and up to when it may go on by itself.
    fn show(&mut self, times: [Duration; 2], lease: Option<Duration>) -> io::Result<()> {
        let Some(scratch) = self.layout.scratch else { return Ok(()) };
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let mut bytes = Vec::with_capacity(24);
        for time in times {
            bytes.extend(nanoseconds(time).to_le_bytes());
        }
        bytes.extend(lease.map_or(0, nanoseconds).to_le_bytes());
        self.memory.write_all_at(&bytes, scratch.at)
    }
}

impl Process {
    /// Sees whether a process executes another program than before, and prepares that.
    pub(super) fn see_image(&mut self, pid: Pid, caller: ThreadId) -> Result<(), RunError> {
        let Some(task) = self.tasks.get_mut(&pid).filter(|task| task.executes) else { return Ok(()) };
        // The first call of all is the one that executes the program.
        if pid == self.root && self.stats.notifications == 1 {
            return Ok(());
        }
        task.executes = false;
        if task.image.as_ref().is_some_and(|image| image.is_still_there(pid)) {
            return Ok(());
        }
        task.image = Some(Image::begin(pid, pid == self.root && task.image.is_none())?);
        if let Some(at) = proc::random_bytes(pid) {
            let bytes = self.random_bytes(16);
            memory::write(pid, at, &bytes)?;
        }
        let others: Vec<ThreadId> = self
            .threads
            .iter()
            .filter(|(id, other)| other.process == pid && **id != caller)
            .map(|(id, _)| *id)
            .collect();
        for other in others {
            self.remove_thread(other);
        }
        let closed: Vec<i32> =
            self.files.table(pid).map(|(fd, _)| fd).filter(|fd| !proc::has_descriptor(pid, *fd)).collect();
        for fd in closed {
            self.close(pid, fd);
        }
        Ok(())
    }

    /// Shows a thread that is about to run what time it is.
    pub(super) fn show_time(&mut self, thread: ThreadId) -> Result<(), RunError> {
        match self.threads.get(&thread).map(|thread| thread.process) {
            Some(pid) => self.show_time_to(pid),
            None => Ok(()),
        }
    }

    /// Shows all processes what time it is: a signal may let a thread run that nobody lets go on.
    pub(super) fn show_time_to_all(&mut self) -> Result<(), RunError> {
        let pids: Vec<Pid> = self.tasks.keys().copied().collect();
        pids.into_iter().try_for_each(|pid| self.show_time_to(pid))
    }

    fn show_time_to(&mut self, pid: Pid) -> Result<(), RunError> {
        let may_go_on = self.lessee == Some(pid) && self.schedule.is_queue_empty();
        let lease = if may_go_on { self.lease_end() } else { None };
        let times =
            [self.clocks.show(libc::CLOCK_MONOTONIC, self.now), self.clocks.show(libc::CLOCK_REALTIME, self.now)];
        let lease = lease.map(|end| self.clocks.show(libc::CLOCK_MONOTONIC, end));
        let now = self.now;
        let Some(image) = self.tasks.get_mut(&pid).and_then(|task| task.image.as_mut()) else { return Ok(()) };
        if image.shown == Some(now) && lease.is_none() {
            return Ok(());
        }
        image.shown = lease.is_none().then_some(now);
        match image.show(times, lease) {
            // It has ended meanwhile, and its memory with it.
            Err(error) if error.kind() == io::ErrorKind::WriteZero => Ok(()),
            result => Ok(result?),
        }
    }

    /// Lets a process whose only thread has waited in vain go on by itself, if nothing else can happen.
    ///
    /// `instruction` is the address behind its call: the code before it is changed, once, so that it looks whether it may.
    pub(super) fn begin_lease(&mut self, thread: ThreadId, instruction: u64) {
        let is_alone = self.schedule.is_queue_empty()
            && self.tasks.len() == 1
            && !self.threads.values().any(|thread| matches!(thread.state, State::Native));
        let epolls = self.files.iter().filter(|(_, file)| matches!(file.kind, Kind::Epoll)).count();
        if self.quiet_until.is_none() || !is_alone || epolls != 1 {
            return;
        }
        let Some(pid) = self.threads.get(&thread).map(|thread| thread.process) else { return };
        let Some(image) = self.tasks.get_mut(&pid).and_then(|task| task.image.as_mut()) else { return };
        let Some(scratch) = image.layout.scratch.filter(|scratch| scratch.is_writable) else { return };
        let is_own_code = image.region.is_some_and(|(from, to)| (from..to).contains(&instruction));
        if !is_own_code {
            let mut code = [0; WAIT_CODE];
            if memory::read(pid, instruction - WAIT_CODE as u64, &mut code).is_err() {
                return;
            }
            let Some(patches) = vdso::patch_wait(&mut image.layout.free, scratch, instruction, &code) else { return };
            if patches.iter().any(|patch| vdso::write(&image.memory, patch).is_err()) {
                return;
            }
        }
        self.lessee = Some(pid);
    }

    /// Returns up to when the program may go on by itself.
    fn lease_end(&self) -> Option<Duration> {
        self.quiet_until.into_iter().chain(self.deadline()).min()
    }

    /// Takes over the time that a process has gone on to by itself.
    pub(super) fn end_lease(&mut self, pid: Pid) {
        if self.lessee != Some(pid) {
            return;
        }
        self.lessee = None;
        let Some(image) = self.tasks.get_mut(&pid).and_then(|task| task.image.as_mut()) else { return };
        let Some(scratch) = image.layout.scratch else { return };
        let mut bytes = [0; vdso::SCRATCH_SIZE];
        if image.memory.read_exact_at(&mut bytes, scratch.at).is_err() {
            return;
        }
        let number = |at: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(number)
        };
        let own = self.clocks.when(libc::CLOCK_MONOTONIC, Duration::from_nanos(number(0)));
        self.stats.leased = number(24);
        if own > self.now {
            self.now = own;
        }
    }
}
