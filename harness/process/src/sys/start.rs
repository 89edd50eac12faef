//! Starts a program: clone, filter, listener to the parent, execve.

use std::ffi::{CString, c_char, c_int};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr::null;

use super::descriptors::socketpair;
use super::notify::Listener;
use super::{END, Pid, check, descriptors, owned, processor_set};

/// An instruction of a seccomp filter.
pub(crate) type Instruction = libc::sock_filter;

/// Everything that the child needs, made before it is cloned: a child of a process with threads must not allocate.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    pub(crate) program: CString,
    pub(crate) args: Vec<CString>,
    pub(crate) env: Vec<CString>,
    /// Folder that the program starts in.
    pub(crate) folder: CString,
    pub(crate) filter: &'a [Instruction],
    pub(crate) input: BorrowedFd<'a>,
    pub(crate) output: BorrowedFd<'a>,
    /// Processor that the program is bound to.
    pub(crate) processor: Option<usize>,
    /// Limit of open descriptors, as far as the system grants it.
    pub(crate) descriptors: u64,
    pub(crate) isolation: Isolation,
}

/// The separation of a program from the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// Process ids of its own, which begin at 1; all its processes end with it.
    Namespace,
    /// The same, as a user that may do so only in a namespace of its own.
    UserNamespace,
    /// The program is not isolated: process ids are the machine's.
    None,
}

/// A started program.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) pid: Pid,
    pub(crate) listener: Listener,
    /// Says with which error the program could not be executed; ends without a word if it could.
    exec: OwnedFd,
}

/// The place at which a start failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A process, or its namespaces, could not be made.
    Clone(io::Error),
    /// The filter was refused.
    Filter(io::Error),
}

const STAGE_NAMESPACE: u8 = 1;
const STAGE_FILTER: u8 = 2;
const STAGE_EXEC: u8 = 3;

/// The descriptors that the child keeps until it is executed.
const CHILD_SOCKET: RawFd = 3;

/// Clones a child that waits in `execve` for the first answer of the listener's owner.
pub(crate) fn start(start: &Start<'_>) -> Result<Started, Failure> {
    let (ours, theirs) = socketpair(libc::SOCK_SEQPACKET).map_err(Failure::Clone)?;
    let argv = pointers(&start.args);
    let envp = pointers(&start.env);
    let (uid, gid) = super::ids();
    let plan = ChildPlan {
        start,
        socket: theirs.as_raw_fd(),
        argv: &argv,
        envp: &envp,
        uid_map: format!("{uid} {uid} 1"),
        gid_map: format!("{gid} {gid} 1"),
    };
    let flags = libc::SIGCHLD
        | match start.isolation {
            Isolation::Namespace => libc::CLONE_NEWPID | libc::CLONE_NEWNS,
            Isolation::UserNamespace => libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWUSER,
            Isolation::None => 0,
        };
    let copied = descriptors::copied();
    // SAFETY: without CLONE_VM the child has a copy of this process, as after `fork`; it only makes system calls.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone, flags as libc::c_ulong, 0usize, 0usize, 0usize, 0usize) })
        .map_err(Failure::Clone)? as Pid;
    if pid == 0 {
        // SAFETY: this is the child, and `plan` was made before.
        unsafe { plan.run() }
    }
    drop(theirs);
    // The child reports after it has closed its copies, or its end of the socket ends with it.
    let report = receive_report(&ours);
    drop(copied);
    let failed = |failure| {
        super::kill(pid, libc::SIGKILL);
        // SAFETY: the call takes no pointers but null.
        unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
        failure
    };
    let (report, listener) = report.map_err(|error| failed(Failure::Clone(error)))?;
    match (report, listener) {
        (Report { stage: 0, .. }, Some(listener)) => {
            descriptors::send(as_fd(&ours), b"x").map_err(|error| failed(Failure::Clone(error)))?;
            Ok(Started { pid, listener: Listener::new(listener), exec: ours })
        }
        (Report { stage: STAGE_FILTER, error }, _) => Err(failed(Failure::Filter(io::Error::from_raw_os_error(error)))),
        (Report { error, .. }, _) => Err(failed(Failure::Clone(io::Error::from_raw_os_error(error)))),
    }
}

impl Started {
    /// Returns why the program could not be executed, once its first process has ended.
    pub(crate) fn exec_error(&self) -> Option<io::Error> {
        let mut bytes = [0; 5];
        match descriptors::receive(as_fd(&self.exec), &mut bytes) {
            Ok(5) => Some(io::Error::from_raw_os_error(Report::from_bytes(bytes).error)),
            _ => None,
        }
    }
}

fn as_fd(fd: &OwnedFd) -> BorrowedFd<'_> {
    std::os::fd::AsFd::as_fd(fd)
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([END]).collect()
}

struct Report {
    stage: u8,
    error: c_int,
}

impl Report {
    fn to_bytes(&self) -> [u8; 5] {
        let [a, b, c, d] = self.error.to_ne_bytes();
        [self.stage, a, b, c, d]
    }

    fn from_bytes([stage, a, b, c, d]: [u8; 5]) -> Self {
        Self { stage, error: c_int::from_ne_bytes([a, b, c, d]) }
    }
}

struct ChildPlan<'a> {
    start: &'a Start<'a>,
    socket: RawFd,
    argv: &'a [*const c_char],
    envp: &'a [*const c_char],
    uid_map: String,
    gid_map: String,
}

impl ChildPlan<'_> {
    /// Becomes the program.
    ///
    /// # Safety
    /// Only for the child of a `clone` without CLONE_VM. Makes nothing but system calls: no allocation, no locks.
    unsafe fn run(&self) -> ! {
        // SAFETY: all pointers are to what was made before the clone, strings end with NUL, and lists with a null.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            libc::setsid();
            // First out of the way of 0 to 3, then there.
            let input = libc::fcntl(self.start.input.as_raw_fd(), libc::F_DUPFD, 10);
            let output = libc::fcntl(self.start.output.as_raw_fd(), libc::F_DUPFD, 10);
            let socket = libc::fcntl(self.socket, libc::F_DUPFD, 10);
            libc::dup2(input, 0);
            libc::dup2(output, 1);
            libc::dup2(output, 2);
            libc::dup2(socket, CHILD_SOCKET);
            libc::fcntl(CHILD_SOCKET, libc::F_SETFD, libc::FD_CLOEXEC);
            libc::syscall(libc::SYS_close_range, CHILD_SOCKET + 1, c_int::MAX, 0);
            self.reset_inherited();
            if self.start.isolation == Isolation::UserNamespace && !self.map_ids() {
                self.give_up(STAGE_NAMESPACE);
            }
            if self.start.isolation != Isolation::None {
                // Best effort: /proc shows the ids of the namespace.
                libc::mount(c"none".as_ptr(), c"/".as_ptr(), null(), libc::MS_REC | libc::MS_PRIVATE, null());
                libc::mount(c"proc".as_ptr(), c"/proc".as_ptr(), c"proc".as_ptr(), 0, null());
            }
            if libc::chdir(self.start.folder.as_ptr()) != 0 {
                self.give_up(STAGE_NAMESPACE);
            }
            // Refused in some containers: then addresses differ from run to run.
            libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong);
            if let Some(processor) = self.start.processor {
                let set = processor_set(processor);
                libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
            }
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            let filter =
                libc::sock_fprog { len: self.start.filter.len() as u16, filter: self.start.filter.as_ptr().cast_mut() };
            let listener = libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
                &raw const filter,
            ) as RawFd;
            if listener < 0 {
                self.give_up(STAGE_FILTER);
            }
            send_report(CHILD_SOCKET, &Report { stage: 0, error: 0 }, Some(listener));
            // Until the parent has taken it. Nothing comes if the parent is gone.
            let mut byte = [0u8; 1];
            if libc::recv(CHILD_SOCKET, byte.as_mut_ptr().cast(), 1, 0) != 1 {
                libc::_exit(127);
            }
            libc::syscall(libc::SYS_close, listener);
            libc::execve(self.start.program.as_ptr(), self.argv.as_ptr(), self.envp.as_ptr());
            self.give_up(STAGE_EXEC)
        }
    }

    /// Resets what a child inherits and a program does not expect.
    unsafe fn reset_inherited(&self) {
        // SAFETY: as for `run`.
        unsafe {
            libc::signal(libc::SIGPIPE, libc::SIG_DFL);
            let mut none = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
            libc::umask(0o022);
            let mut limit: libc::rlimit = std::mem::zeroed();
            libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
            limit.rlim_cur = self.start.descriptors.min(limit.rlim_max);
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }

    /// Keeps, in a user namespace, the ids that the process had outside.
    unsafe fn map_ids(&self) -> bool {
        // SAFETY: as for `run`.
        unsafe {
            write_file(c"/proc/self/setgroups".as_ptr(), b"deny")
                && write_file(c"/proc/self/uid_map".as_ptr(), self.uid_map.as_bytes())
                && write_file(c"/proc/self/gid_map".as_ptr(), self.gid_map.as_bytes())
        }
    }

    unsafe fn give_up(&self, stage: u8) -> ! {
        // SAFETY: as for `run`.
        unsafe {
            let error = io::Error::last_os_error().raw_os_error().unwrap_or(0);
            send_report(CHILD_SOCKET, &Report { stage, error }, None);
            libc::_exit(127)
        }
    }
}

/// # Safety
/// `path` ends with NUL. Async-signal-safe.
unsafe fn write_file(path: *const c_char, bytes: &[u8]) -> bool {
    // SAFETY: pointer and length are those of `bytes`.
    unsafe {
        let fd = libc::open(path, libc::O_WRONLY | libc::O_CLOEXEC);
        let written = fd >= 0 && libc::write(fd, bytes.as_ptr().cast(), bytes.len()) == bytes.len() as isize;
        libc::close(fd);
        written
    }
}

/// CMSG_SPACE of one descriptor.
const CONTROL: usize = 24;
/// CMSG_LEN of one descriptor.
const CONTROL_LENGTH: usize = 20;

/// Sends a report, and a descriptor with it.
///
/// # Safety
/// Async-signal-safe.
unsafe fn send_report(socket: RawFd, report: &Report, fd: Option<RawFd>) {
    let mut bytes = report.to_bytes();
    let mut control = [0u64; CONTROL / 8];
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    // SAFETY: the message points to locals that live until the call returns, and `control` has room for one descriptor.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
        if let Some(fd) = fd {
            (message.msg_control, message.msg_controllen) = (control.as_mut_ptr().cast(), CONTROL as _);
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = CONTROL_LENGTH as _;
            libc::CMSG_DATA(header).cast::<c_int>().write_unaligned(fd);
        }
        libc::sendmsg(socket, &raw const message, libc::MSG_NOSIGNAL);
    }
}

fn receive_report(socket: &OwnedFd) -> io::Result<(Report, Option<OwnedFd>)> {
    let mut bytes = [0; 5];
    let mut control = [0u64; CONTROL / 8];
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    // SAFETY: the message points to locals that live until the call returns. A control message of SCM_RIGHTS carries a
    // descriptor that is ours from then on.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
        (message.msg_control, message.msg_controllen) = (control.as_mut_ptr().cast(), CONTROL as _);
        let count = check(libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) as i64)?;
        if count as usize != bytes.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        let fd = if header.is_null() {
            None
        } else {
            Some(owned(i64::from(libc::CMSG_DATA(header).cast::<c_int>().read_unaligned()))?)
        };
        Ok((Report::from_bytes(bytes), fd))
    }
}
