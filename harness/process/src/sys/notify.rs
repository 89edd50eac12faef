use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use super::check;

/// A system call that a thread has made and waits in: `struct seccomp_notif`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Notification {
    /// Identifies the notification; grows.
    pub(crate) id: u64,
    /// The thread.
    pub(crate) tid: u32,
    flags: u32,
    /// Number of the call.
    pub(crate) number: i32,
    architecture: u32,
    /// Address of the instruction after the call.
    pub(crate) instruction: u64,
    /// Arguments of the call.
    pub(crate) args: [u64; 6],
}

/// `struct seccomp_notif_resp`
#[repr(C)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

/// `struct seccomp_notif_addfd`
#[repr(C)]
struct AddFd {
    id: u64,
    flags: u32,
    source: u32,
    target: u32,
    target_flags: u32,
}

// The numbers of the ioctls, from linux/seccomp.h; they are the same on x86-64 and aarch64.
const RECEIVE: u64 = 0xc050_2100;
const SEND: u64 = 0xc018_2101;
const ID_VALID: u64 = 0x4008_2102;
const ADD_FD: u64 = 0x4018_2103;
const SET_FLAGS: u64 = 0x4008_2104;

const FLAG_CONTINUE: u32 = 1;
const ADD_FD_SET_NUMBER: u32 = 1;
const ADD_FD_AND_SEND: u32 = 2;
const SYNC_WAKE_UP: u64 = 1;

/// The end of a seccomp filter at which the calls arrive that the filter asks about.
#[derive(Debug)]
pub(crate) struct Listener(OwnedFd);

impl Listener {
    pub(super) fn new(fd: OwnedFd) -> Self {
        let listener = Self(fd);
        // Hands the processor over at once. Linux before 6.6 refuses, and everything works without it.
        // SAFETY: the call takes no pointers.
        unsafe { libc::ioctl(listener.0.as_raw_fd(), SET_FLAGS as _, SYNC_WAKE_UP) };
        listener
    }

    /// Takes the next call; waits for one.
    ///
    /// # Errors
    /// `ENOENT` if the thread was interrupted meanwhile.
    pub(crate) fn receive(&self) -> io::Result<Notification> {
        let mut notification = Notification::default();
        // SAFETY: `Notification` has the layout of `struct seccomp_notif`, and is zeroed as the call demands.
        check(i64::from(unsafe { libc::ioctl(self.0.as_raw_fd(), RECEIVE as _, &raw mut notification) }))?;
        Ok(notification)
    }

    /// Lets the call return `value`, or fail with the error `-value` if it is negative.
    pub(crate) fn reply(&self, id: u64, value: i64) -> io::Result<()> {
        let (value, error) = if value < 0 { (0, value as i32) } else { (value, 0) };
        self.send(&Response { id, value, error, flags: 0 })
    }

    /// Lets the kernel make the call.
    pub(crate) fn go_on(&self, id: u64) -> io::Result<()> {
        self.send(&Response { id, value: 0, error: 0, flags: FLAG_CONTINUE })
    }

    fn send(&self, response: &Response) -> io::Result<()> {
        // SAFETY: `Response` has the layout of `struct seccomp_notif_resp`.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), SEND as _, std::ptr::from_ref(response)) };
        check(i64::from(result)).map(drop)
    }

    /// Returns whether the thread still waits in this call. It does not once a signal has interrupted it.
    pub(crate) fn is_valid(&self, id: u64) -> bool {
        // SAFETY: the call reads a u64.
        unsafe { libc::ioctl(self.0.as_raw_fd(), ID_VALID as _, &raw const id) == 0 }
    }

    /// Puts a copy of `source` into the program, at this number or at the lowest free one, and lets the call return the
    /// number.
    ///
    /// # Errors
    /// `EBADF` if the number is beyond the program's limit of descriptors.
    pub(crate) fn add_fd(
        &self,
        id: u64,
        source: BorrowedFd<'_>,
        at: Option<RawFd>,
        cloexec: bool,
    ) -> io::Result<RawFd> {
        self.put_fd(id, source, at, cloexec, ADD_FD_AND_SEND)
    }

    /// Puts a copy of `source` into the program at this number, and leaves the call unanswered.
    pub(crate) fn add_fd_silently(
        &self,
        id: u64,
        source: BorrowedFd<'_>,
        at: RawFd,
        cloexec: bool,
    ) -> io::Result<RawFd> {
        self.put_fd(id, source, Some(at), cloexec, 0)
    }

    fn put_fd(
        &self,
        id: u64,
        source: BorrowedFd<'_>,
        at: Option<RawFd>,
        cloexec: bool,
        flags: u32,
    ) -> io::Result<RawFd> {
        let request = AddFd {
            id,
            flags: flags | if at.is_some() { ADD_FD_SET_NUMBER } else { 0 },
            source: source.as_raw_fd() as u32,
            target: at.unwrap_or(0) as u32,
            target_flags: if cloexec { libc::O_CLOEXEC as u32 } else { 0 },
        };
        // SAFETY: `AddFd` has the layout of `struct seccomp_notif_addfd`.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), ADD_FD as _, &raw const request) };
        check(i64::from(result)).map(|fd| fd as RawFd)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
