use std::io;

use super::{Pid, check};

/// Reads memory of another process, and returns how many bytes could be read.
pub(crate) fn read_some(pid: Pid, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let remote = libc::iovec { iov_base: at as *mut _, iov_len: buffer.len() };
    // SAFETY: `local` is `buffer`, which nobody else uses meanwhile; `remote` is not of this process, and the kernel
    // checks it.
    let count = check(unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) } as i64)?;
    Ok(count as usize)
}

/// Reads memory of another process.
///
/// # Errors
/// `EFAULT` if not all of it is mapped, `ESRCH` if the process is gone.
pub(crate) fn read(pid: Pid, at: u64, buffer: &mut [u8]) -> io::Result<()> {
    complete(read_some(pid, at, buffer)?, buffer.len())
}

/// Writes memory of another process.
///
/// # Errors
/// `EFAULT` if not all of it is mapped and writable, `ESRCH` if the process is gone.
pub(crate) fn write(pid: Pid, at: u64, bytes: &[u8]) -> io::Result<()> {
    let local = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let remote = libc::iovec { iov_base: at as *mut _, iov_len: bytes.len() };
    // SAFETY: the call only reads from `local`, which is `bytes`; `remote` is not of this process, and the kernel
    // checks it.
    let count = check(unsafe { libc::process_vm_writev(pid, &raw const local, 1, &raw const remote, 1, 0) } as i64)?;
    complete(count as usize, bytes.len())
}

fn complete(count: usize, wanted: usize) -> io::Result<()> {
    if count == wanted { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EFAULT)) }
}
