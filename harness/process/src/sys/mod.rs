//! Thin, safe wrappers of the system calls that neither `std` nor another module offers. Nothing here decides anything.
//!
//! This is the only module of the workspace that may contain `unsafe`.
#![allow(unsafe_code)]

pub(crate) mod descriptors;
pub(crate) mod memory;
pub(crate) mod notify;
pub(crate) mod start;
#[cfg(target_arch = "x86_64")]
pub(crate) mod stubs;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

/// A process or thread id of the kernel.
pub(crate) type Pid = i32;

/// Returns the result of a system call, or `errno` if it is negative.
fn check(result: i64) -> io::Result<i64> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Takes ownership of a descriptor that a system call has just made.
fn owned(result: i64) -> io::Result<OwnedFd> {
    // SAFETY: `result` is the return value of a call that makes a descriptor, which nobody else knows yet.
    check(result).map(|fd| unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Opens a descriptor of a process, which becomes readable when the process ends.
pub(crate) fn pidfd_open(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointers.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
}

/// Duplicates a descriptor of another process.
pub(crate) fn pidfd_getfd(process: &OwnedFd, fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointers.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), fd, 0) })
}

/// Sends a signal to a process. One that is gone already is no error.
pub(crate) fn kill(pid: Pid, signal: i32) {
    // SAFETY: the call takes no pointers.
    unsafe { libc::kill(pid, signal) };
}

/// Lets the kernel kill a program that is about to be started when the thread that starts it ends.
pub(crate) fn die_with_parent(command: &mut Command) {
    let before_exec = || {
        // SAFETY: the call takes no pointers.
        check(i64::from(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) })).map(drop)
    };
    // SAFETY: the function makes a system call and reads `errno`, and nothing else.
    unsafe { command.pre_exec(before_exec) };
}

/// Sends a signal of a POSIX timer, with the value that the timer carries: to a thread, or to a process if there is
/// none.
pub(crate) fn send_timer_signal(process: Pid, thread: Option<Pid>, signal: i32, value: u64) {
    // `siginfo_t` as the kernel reads it: si_signo, si_errno, si_code, padding, timer id, overrun, si_value.
    let mut info = [0u64; 16];
    info[0] = u64::from(signal as u32);
    info[1] = u64::from(libc::SI_TIMER as u32);
    info[3] = value;
    // SAFETY: `info` is as large as `siginfo_t` (128 bytes) and lives until the call returns.
    unsafe {
        match thread {
            Some(thread) => libc::syscall(libc::SYS_rt_tgsigqueueinfo, process, thread, signal, info.as_ptr()),
            None => libc::syscall(libc::SYS_rt_sigqueueinfo, process, signal, info.as_ptr()),
        };
    }
}

/// Takes the exit status of a child that has ended, if it has.
pub(crate) fn reap(pid: Pid) -> Option<i32> {
    let mut status = 0;
    // SAFETY: `status` is a valid place for an int.
    (unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } == pid).then_some(status)
}

/// A question of `poll` about one descriptor, and its answer.
pub(crate) type PollFd = libc::pollfd;

/// Waits until one of the descriptors is ready, for at most `timeout` milliseconds of real time, and returns how many
/// are.
pub(crate) fn poll(fds: &mut [PollFd], timeout: i32) -> io::Result<usize> {
    loop {
        // SAFETY: pointer and length are those of a slice that nobody else uses meanwhile.
        match check(i64::from(unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout) })) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map(|count| count as usize),
        }
    }
}

/// Returns whether a descriptor is ready for `events`, without waiting.
pub(crate) fn is_ready(fd: BorrowedFd<'_>, events: i16) -> bool {
    poll(&mut [PollFd { fd: fd.as_raw_fd(), events, revents: 0 }], 0).is_ok_and(|ready| ready > 0)
}

/// Returns the processor that the calling thread runs on.
pub(crate) fn current_processor() -> Option<usize> {
    // SAFETY: the call takes no pointers.
    usize::try_from(unsafe { libc::sched_getcpu() }).ok()
}

/// Returns the set that holds this processor alone.
fn processor_set(processor: usize) -> libc::cpu_set_t {
    // SAFETY: an all-zero `cpu_set_t` is the empty set; `CPU_SET` ignores numbers that do not fit.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::CPU_SET(processor % libc::CPU_SETSIZE as usize, &mut set);
        set
    }
}

/// Returns whether this process has the effective user id 0.
pub(crate) fn is_root() -> bool {
    // SAFETY: the call takes no pointers and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Returns the effective user and group id of this process.
pub(crate) fn ids() -> (u32, u32) {
    // SAFETY: the calls take no pointers and cannot fail.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

/// An empty list of pointers' end, for `execve`.
const END: *const libc::c_char = ptr::null();
