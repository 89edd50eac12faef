//! A program, with all its processes and threads.

mod answer;
mod files;
mod futex;
mod image;
mod signals;
mod sockets;
mod tasks;
mod threads;
mod time;
mod waits;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CString, OsStr};
use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::image::Image;
use self::signals::SignalTimer;
use self::threads::Thread;
use crate::call::Call;
use crate::clock::Clocks;
use crate::descriptors::{Descriptors, FileId, Kind};
use crate::error::{RunError, StartError};
use crate::event::{Event, Stats};
use crate::filter;
use crate::schedule::{Schedule, ThreadId};
use crate::sys::notify::Notification;
use crate::sys::start::{self, Failure, Isolation, Start, Started};
use crate::sys::{self, Pid, descriptors};
use crate::vdso;

/// The parameters for starting a program.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program: a path, or a name that is looked for in `PATH` of `env`.
    pub program: PathBuf,
    /// The arguments, without its own name.
    pub args: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// Folder that it starts in.
    pub folder: PathBuf,
    /// The seed of its randomness.
    pub seed: u64,
    /// The values of its clocks at the start.
    pub clocks: Clocks,
    /// True if it can be written to, see [`Process::write_input`]; its standard input is at its end otherwise.
    pub has_input: bool,
}

impl Launch {
    /// A program without arguments and with an empty environment but for `PATH`.
    pub fn new(program: impl Into<PathBuf>, folder: impl Into<PathBuf>) -> Self {
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned();
        Self {
            program: program.into(),
            args: Vec::new(),
            env: [("PATH".to_owned(), path)].into(),
            folder: folder.into(),
            seed: 1,
            clocks: Clocks::default(),
            has_input: false,
        }
    }

    /// Finds the file of the program.
    ///
    /// # Errors
    /// If there is none that may be executed.
    pub fn find(&self) -> Result<PathBuf, StartError> {
        let is_executable =
            |path: &Path| fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
        let candidates: Vec<PathBuf> = if self.program.as_os_str().as_bytes().contains(&b'/') {
            vec![self.program.clone()]
        } else {
            let path = self.env.get("PATH").map_or("", String::as_str);
            std::env::split_paths(path).map(|folder| folder.join(&self.program)).collect()
        };
        let found = candidates.into_iter().find(|path| is_executable(path));
        let found = found.and_then(|path| std::path::absolute(path).ok());
        found.ok_or_else(|| StartError::NotFound(self.program.clone()))
    }
}

/// Number of descriptors that a program may have: for fleets of thousands.
const DESCRIPTORS: u64 = 16_384;

/// Number of system calls at one instant after which a program rests, so that time goes on for one that looks at the clock
/// again and again until it has.
const CALLS_AT_AN_INSTANT: u64 = 50_000;
/// The time that it rests.
const REST: Duration = Duration::from_millis(1);
/// Maximum number of system calls since the program waited last. A program that waits is held, and makes no more.
const CALLS_WITHOUT_WAITING: u64 = 1_000_000;

/// A program under the world's time. Dropping it kills all its processes.
#[derive(Debug)]
pub struct Process {
    /// The first process of the program.
    root: Pid,
    started: Started,
    isolation: Isolation,
    clocks: Clocks,
    now: Duration,
    /// The processes, the first one among them.
    tasks: BTreeMap<Pid, Task>,
    threads: BTreeMap<ThreadId, Thread>,
    by_tid: BTreeMap<Pid, ThreadId>,
    last_thread: u32,
    schedule: Schedule,
    files: Descriptors,
    /// The timers among the files.
    timers: BTreeSet<FileId>,
    signal_timers: BTreeMap<(Pid, i32), SignalTimer>,
    /// Grows with all that may let anybody who waits go on.
    stirred: u64,
    /// Signals may be on their way to threads.
    has_signalled: bool,
    thread_ended: bool,
    /// The socket that the last call may have written to.
    wrote: Option<FileId>,
    next_port: u16,
    random: u64,
    /// Our end of what the program prints.
    output: OwnedFd,
    /// The other end of it is open.
    prints: bool,
    input: Option<OwnedFd>,
    /// The time before which nothing happens in the world but what the program does.
    quiet_until: Option<Duration>,
    /// The process that may go on by itself.
    lessee: Option<Pid>,
    events: Vec<Event>,
    reported: BTreeSet<String>,
    has_exited: bool,
    stats: Stats,
    /// The latest time at which it was asked whether it waits, and the number of its system calls when that time began.
    instant: (Duration, u64),
    /// Number of its system calls when it waited last.
    waited_at: u64,
    /// The time at which a program goes on that has made too many system calls at an instant.
    rests_until: Option<Duration>,
}

/// A process of the program.
#[derive(Debug)]
struct Task {
    pidfd: OwnedFd,
    parent: Pid,
    image: Option<Image>,
    /// True if it is executing another program: its next call tells whether that worked.
    executes: bool,
    /// The thread that waits in `vfork` until this process executes or ends.
    vfork_parent: Option<ThreadId>,
    /// Signals were sent to it since they were last looked for.
    is_signalled: bool,
    /// True if it has ended, and its parent has not waited for it.
    has_ended: bool,
}

impl Process {
    /// Starts a program. It runs only during [`run`](Self::run).
    ///
    /// # Errors
    /// If there is no such program, or the system refuses what it takes to watch one.
    pub fn start(launch: &Launch) -> Result<Self, StartError> {
        let program = launch.find()?;
        let c_string = |text: &OsStr, what| CString::new(text.as_bytes()).map_err(|_| StartError::ZeroByte(what));
        let mut args = vec![c_string(launch.program.as_os_str(), "the command")?];
        for arg in &launch.args {
            args.push(c_string(arg.as_ref(), "an argument")?);
        }
        let mut env = vec![c_string(format!("{}={}", vdso::SCRATCH_VARIABLE, vdso::SCRATCH_VALUE).as_ref(), "")?];
        for (name, value) in &launch.env {
            env.push(c_string(format!("{name}={value}").as_ref(), "the environment")?);
        }
        let (output, their_output) = descriptors::pipe(0)?;
        descriptors::set_nonblocking(output.as_fd());
        let (their_input, input) = if launch.has_input {
            let (theirs, ours) = descriptors::socketpair(libc::SOCK_STREAM)?;
            (theirs, Some(ours))
        } else {
            (File::open("/dev/null")?.into(), None)
        };
        let mut start = Start {
            program: c_string(program.as_os_str(), "the command")?,
            args,
            env,
            folder: c_string(launch.folder.as_os_str(), "the folder")?,
            filter: &filter::filter(),
            input: their_input.as_fd(),
            output: their_output.as_fd(),
            processor: sys::current_processor(),
            descriptors: DESCRIPTORS,
            isolation: if sys::is_root() { Isolation::Namespace } else { Isolation::UserNamespace },
        };
        let started = match start::start(&start) {
            Err(Failure::Clone(_)) => {
                start.isolation = Isolation::None;
                start::start(&start)
            }
            result => result,
        };
        let isolation = start.isolation;
        let started = started.map_err(|failure| match failure {
            Failure::Clone(error) => StartError::System(error),
            Failure::Filter(error) => StartError::Filter(error),
        })?;
        let mut process = Self::new(launch, started, isolation, output, input)?;
        if launch.has_input {
            let file = process.files.add(their_input, Kind::Native);
            process.files.open(process.root, 0, file);
        }
        Ok(process)
    }

    fn new(
        launch: &Launch,
        started: Started,
        isolation: Isolation,
        output: OwnedFd,
        input: Option<OwnedFd>,
    ) -> Result<Self, StartError> {
        let root = started.pid;
        let mut process = Self {
            root,
            started,
            isolation,
            clocks: launch.clocks,
            now: Duration::ZERO,
            tasks: BTreeMap::new(),
            threads: BTreeMap::new(),
            by_tid: BTreeMap::new(),
            last_thread: 0,
            schedule: Schedule::default(),
            files: Descriptors::default(),
            timers: BTreeSet::new(),
            signal_timers: BTreeMap::new(),
            stirred: 1,
            has_signalled: false,
            thread_ended: false,
            wrote: None,
            next_port: 32_768,
            random: launch.seed,
            output,
            prints: true,
            input,
            quiet_until: None,
            lessee: None,
            events: Vec::new(),
            reported: BTreeSet::new(),
            has_exited: false,
            stats: Stats::default(),
            instant: (Duration::ZERO, 0),
            waited_at: 0,
            rests_until: None,
        };
        let pidfd = sys::pidfd_open(root)?;
        process.tasks.insert(root, Task::new(pidfd, 0));
        let thread = process.add_thread(root, root);
        process.schedule.release(thread);
        Ok(process)
    }

    /// Lets the program run at this instant until it waits, and returns what it did.
    ///
    /// Time-outs are only judged if `fire` says so: first everything that arrives at this instant is to be brought and
    /// read. `quiet_until` says up to when nothing will happen in the world but what the program does; then it may go
    /// on by itself up to there, and [`now`](Self::now) says how far it got.
    ///
    /// Blocks the caller for as long as the program computes.
    ///
    /// # Errors
    /// If the program spins, or cannot be watched any more.
    pub fn run(&mut self, now: Duration, fire: bool, quiet_until: Option<Duration>) -> Result<Vec<Event>, RunError> {
        if now > self.now {
            self.now = now;
            self.show_time_to_all()?;
        }
        self.quiet_until = quiet_until;
        self.rests_until = self.rests_until.filter(|until| *until > self.now);
        while !self.has_exited && self.rests_until.is_none() {
            if self.schedule.is_running() {
                self.receive()?;
            } else if self.is_tired()? {
                self.rests_until = Some(self.now + REST);
            } else if self.has_signalled {
                self.settle_signals();
            } else if let Some(thread) = self.schedule.next() {
                self.resume(thread)?;
            } else if self.is_asked_by_a_native() {
                // One that was blocked in the kernel goes on.
                self.receive_from_a_native()?;
            } else if !(self.wake_ready()? || fire && self.fire()) {
                self.waited_at = self.stats.notifications;
                break;
            }
        }
        self.quiet_until = None;
        self.take_written();
        self.take_output();
        Ok(std::mem::take(&mut self.events))
    }

    /// Returns whether the program asks and asks at one instant: it polls for what can only happen later.
    ///
    /// # Errors
    /// If it does so again and again, and waits for nothing in between.
    fn is_tired(&mut self) -> Result<bool, RunError> {
        let asked = self.stats.notifications;
        if self.instant.0 != self.now {
            self.instant = (self.now, asked);
        }
        let calls = asked - self.waited_at;
        if calls > CALLS_WITHOUT_WAITING {
            let most = self.stats.by_call.iter().max_by_key(|(_, count)| **count).map_or("none", |(name, _)| *name);
            return Err(RunError::NeverWaits { calls, most });
        }
        Ok(asked - self.instant.1 > CALLS_AT_AN_INSTANT)
    }

    /// Returns when it is to be run again even if nothing arrives until then.
    pub fn deadline(&self) -> Option<Duration> {
        if self.rests_until.is_some() {
            return self.rests_until;
        }
        let waits = self.threads.values().filter_map(Thread::deadline);
        let timers = self.timers.iter().filter_map(|timer| match &self.files.get(*timer)?.kind {
            Kind::Timer(timer) => timer.at,
            _ => None,
        });
        let signals = self.signal_timers.values().filter_map(|timer| timer.at);
        waits.chain(timers).chain(signals).min()
    }

    /// Returns the program's own time, which is ahead of the one that it was given if it went on by itself.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Returns whether it has ended.
    pub fn has_exited(&self) -> bool {
        self.has_exited
    }

    /// Returns why the program could not be executed, after it has ended, if that is why.
    pub fn exec_error(&self) -> Option<std::io::Error> {
        self.started.exec_error()
    }

    /// Returns what it cost to watch it.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Reports what the world does not have, once.
    fn report_unsupported(&mut self, what: impl Into<String>) {
        let what = what.into();
        if self.reported.insert(what.clone()) {
            self.events.push(Event::Unsupported(what));
        }
    }

    /// Returns the next number of the program's randomness (splitmix64).
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn random_bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend(self.next_random().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }
}

impl Task {
    fn new(pidfd: OwnedFd, parent: Pid) -> Self {
        Self { pidfd, parent, image: None, executes: true, vfork_parent: None, is_signalled: false, has_ended: false }
    }
}

/// The answer to a call that was asked about.
enum Answer {
    /// The call returns this value, or fails with its negative.
    Value(i64),
    /// The kernel makes it.
    GoOn,
    /// The call has been answered already.
    Answered,
    /// The call is answered when something has happened, or at a deadline.
    Wait(waits::Wait, Option<Duration>),
    /// The thread goes behind all others that can run, and then the call returns 0.
    Yield,
    /// The thread has ended in it.
    Ended,
}

/// Makes an answer of an error number.
fn error(number: i32) -> Answer {
    Answer::Value(-i64::from(number))
}

/// A call that is asked about, and by whom.
#[derive(Clone, Copy)]
struct Question {
    thread: ThreadId,
    pid: Pid,
    call: Call,
    notification: Notification,
}

impl Question {
    /// An argument that is an int.
    fn int(&self, index: usize) -> i32 {
        self.notification.args[index] as i32
    }

    /// An argument that is an address or a size.
    fn word(&self, index: usize) -> u64 {
        self.notification.args[index]
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.has_exited {
            self.kill();
        }
    }
}
