use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use super::{check, owned};

/// An event of an epoll in the kernel's layout.
pub(crate) type EpollEvent = libc::epoll_event;

/// Makes an epoll.
pub(crate) fn epoll() -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointers.
    owned(i64::from(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }))
}

/// Takes what an epoll has ready, at most `max` events, without waiting.
pub(crate) fn epoll_ready(fd: BorrowedFd<'_>, max: usize) -> io::Result<Vec<EpollEvent>> {
    let mut events = vec![EpollEvent { events: 0, u64: 0 }; max.clamp(1, 1024)];
    // SAFETY: pointer and length are those of `events`.
    let result = unsafe { libc::epoll_wait(fd.as_raw_fd(), events.as_mut_ptr(), events.len() as i32, 0) };
    events.truncate(check(i64::from(result))? as usize);
    Ok(events)
}

/// Returns the events as the bytes that a program is to find in its memory.
pub(crate) fn events_as_bytes(events: &[EpollEvent]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size_of_val(events));
    for event in events {
        bytes.extend({ event.events }.to_ne_bytes());
        // Packed on x86-64 alone.
        bytes.resize(bytes.len() + size_of::<EpollEvent>() - 12, 0);
        bytes.extend({ event.u64 }.to_ne_bytes());
    }
    bytes
}

/// Held for writing while a child that becomes a program has copies of all descriptors of this process.
///
/// Until the child has closed them, the other end of what is closed here sees nothing of it: a program of another thread would
/// learn of an RST, or of the end of a pipe, at a time that depends on the machine.
static COPIES: RwLock<()> = RwLock::new(());

/// Lets a child have copies of all descriptors for as long as the returned guard lives.
pub(crate) fn copied() -> RwLockWriteGuard<'static, ()> {
    COPIES.write().unwrap_or_else(PoisonError::into_inner)
}

/// Drops what owns descriptors, while no child has copies of them: the other ends see it at once.
pub(crate) fn release<T>(owner: T) {
    let _no_copies = COPIES.read().unwrap_or_else(PoisonError::into_inner);
    drop(owner);
}

/// Makes an eventfd.
pub(crate) fn eventfd(initial: u32, flags: i32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointers.
    owned(i64::from(unsafe { libc::eventfd(initial, flags | libc::EFD_CLOEXEC) }))
}

/// Makes a pair of connected sockets of the family AF_UNIX.
pub(crate) fn socketpair(kind: i32) -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: `fds` has room for two descriptors.
    let result = unsafe { libc::socketpair(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0, fds.as_mut_ptr()) };
    check(i64::from(result))?;
    Ok((owned(i64::from(fds[0]))?, owned(i64::from(fds[1]))?))
}

/// Makes a pipe: its end to read from, and its end to write to.
pub(crate) fn pipe(flags: i32) -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: `fds` has room for two descriptors.
    check(i64::from(unsafe { libc::pipe2(fds.as_mut_ptr(), flags | libc::O_CLOEXEC) }))?;
    Ok((owned(i64::from(fds[0]))?, owned(i64::from(fds[1]))?))
}

/// Returns whether a descriptor's file does not block.
pub(crate) fn is_nonblocking(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: the call takes no pointers.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) & libc::O_NONBLOCK != 0 }
}

/// Makes the file behind a descriptor one that does not block.
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>) {
    // SAFETY: the calls take no pointers.
    unsafe {
        let flags = libc::fcntl(fd.as_raw_fd(), libc::F_GETFL);
        libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK);
    }
}

/// Sends as much as fits, without waiting.
pub(crate) fn send(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: pointer and length are those of `bytes`.
    check(unsafe { libc::send(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags) } as i64).map(|n| n as usize)
}

/// Takes what a socket has, without waiting.
pub(crate) fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are those of `buffer`.
    let result = unsafe { libc::recv(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT) };
    check(result as i64).map(|n| n as usize)
}

/// Reads from a file that does not block.
pub(crate) fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are those of `buffer`.
    check(unsafe { libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) } as i64).map(|n| n as usize)
}

/// Writes to a file.
pub(crate) fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are those of `bytes`.
    check(unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) } as i64).map(|n| n as usize)
}

/// Ends what a socket sends.
pub(crate) fn shutdown_write(fd: BorrowedFd<'_>) {
    // SAFETY: the call takes no pointers.
    unsafe { libc::shutdown(fd.as_raw_fd(), libc::SHUT_WR) };
}

/// Returns how many bytes wait to be read.
pub(crate) fn unread(fd: BorrowedFd<'_>) -> usize {
    let mut count = 0i32;
    // SAFETY: FIONREAD writes an int.
    unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut count) };
    usize::try_from(count).unwrap_or(0)
}
