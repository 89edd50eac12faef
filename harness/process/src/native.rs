//! A program in the machine's time, unwatched: for brokers that are reached by real TCP.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::error::StartError;
use crate::process::Launch;
use crate::sys;

/// A program in the machine's time. Dropping it kills it, with all processes that it has made.
#[derive(Debug)]
pub struct NativeProcess {
    child: Child,
    output: Option<OwnedFd>,
}

impl NativeProcess {
    /// Starts a program. Its seed and its clocks are without effect, and so is [`Launch::has_input`].
    ///
    /// # Errors
    /// If there is no such program, or the system refuses to start it.
    pub fn start(launch: &Launch) -> Result<Self, StartError> {
        let (output, theirs) = io::pipe()?;
        let mut command = Command::new(launch.find()?);
        command.arg0(&launch.program).args(&launch.args).env_clear().envs(&launch.env).current_dir(&launch.folder);
        command.stdin(Stdio::null()).stdout(theirs.try_clone()?).stderr(theirs).process_group(0);
        sys::die_with_parent(&mut command);
        Ok(Self { child: command.spawn()?, output: Some(output.into()) })
    }

    /// Takes the end of a pipe to which its standard output and its standard error go; the first time only.
    pub fn take_output(&mut self) -> Option<OwnedFd> {
        self.output.take()
    }

    /// Stops it (SIGSTOP).
    pub fn pause(&self) {
        self.signal(libc::SIGSTOP);
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        self.signal(libc::SIGCONT);
    }

    /// Returns how it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    fn signal(&self, signal: i32) {
        if let Ok(pid) = sys::Pid::try_from(self.child.id()) {
            sys::kill(-pid, signal);
        }
    }
}

impl Drop for NativeProcess {
    fn drop(&mut self) {
        self.signal(libc::SIGKILL);
        let _ = self.child.wait();
    }
}
