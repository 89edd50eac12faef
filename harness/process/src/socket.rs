//! What stands for a TCP socket: one end of a pair of local sockets is the program's, the other end is the world's.
//!
//! The program reads and writes its end natively, so that partial writes, EAGAIN, edge triggering, FIONREAD and MSG_PEEK are
//! the kernel's own.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use crate::descriptors::FileId;
use crate::sys::{Pid, descriptors, memory};

#[derive(Debug)]
pub(crate) struct Socket {
    /// The world's end.
    pub(crate) ours: OwnedFd,
    /// AF_INET or AF_INET6.
    pub(crate) family: i32,
    pub(crate) phase: Phase,
    pub(crate) local: SocketAddr,
    pub(crate) peer: Option<SocketAddr>,
    /// The error that the next call or SO_ERROR gives.
    pub(crate) error: i32,
    /// True for SO_LINGER with a time of 0: closing resets.
    pub(crate) resets_on_close: bool,
    /// The time-out of SO_RCVTIMEO.
    pub(crate) read_timeout: Option<Duration>,
    /// The program has ended what it sends.
    pub(crate) has_finished: bool,
    /// The world takes nothing from it: the window is full.
    pub(crate) is_held: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Fresh,
    Connecting,
    Open,
    /// A listening socket with the connections that wait to be accepted.
    Listening(VecDeque<FileId>),
    /// A pair of sockets of the program whose ends are each other's: the kernel carries the bytes.
    Loopback,
    /// Reset, or never opened.
    Dead,
}

impl Socket {
    /// Makes a socket, and the program's end of it.
    pub(crate) fn new(family: i32, phase: Phase) -> io::Result<(OwnedFd, Self)> {
        let (theirs, ours) = descriptors::socketpair(libc::SOCK_STREAM)?;
        let local = unspecified(family);
        let socket = Self {
            ours,
            family,
            phase,
            local,
            peer: None,
            error: 0,
            resets_on_close: false,
            read_timeout: None,
            has_finished: false,
            is_held: false,
        };
        Ok((theirs, socket))
    }

    pub(crate) fn ours(&self) -> BorrowedFd<'_> {
        self.ours.as_fd()
    }

    /// Lets the program's end fail as after RST: the world's end goes with a byte unread.
    pub(crate) fn reset(&mut self, theirs: BorrowedFd<'_>, error: i32) {
        self.error = error;
        self.phase = Phase::Dead;
        // Room for the byte, if the end was filled.
        let _ = take_all(self.ours());
        let _ = descriptors::send(theirs, b"!");
        if let Ok((_, other)) = descriptors::socketpair(libc::SOCK_STREAM) {
            descriptors::release(std::mem::replace(&mut self.ours, other));
        }
    }

    /// Makes the socket's own end that of another socket of the program, and returns that end with it.
    pub(crate) fn loop_back(&mut self, local: SocketAddr) -> io::Result<(OwnedFd, Self)> {
        let (_, mut other) = Self::new(self.family, Phase::Loopback)?;
        let (_, nobodys) = descriptors::socketpair(libc::SOCK_STREAM)?;
        let end = std::mem::replace(&mut self.ours, nobodys);
        self.phase = Phase::Loopback;
        other.local = local;
        other.peer = Some(self.local);
        Ok((end, other))
    }

    /// Makes the program's end unwritable until [`open`](Self::open): that is how a socket that connects looks.
    pub(crate) fn fill(theirs: BorrowedFd<'_>) {
        while descriptors::send(theirs, &[0; 65536]).is_ok() {}
    }

    /// The connection is open.
    pub(crate) fn open(&mut self) {
        self.phase = Phase::Open;
        let _ = take_all(self.ours());
    }
}

/// Takes all that is there: the bytes, and whether their end was reached.
pub(crate) fn take_all(fd: BorrowedFd<'_>) -> (Vec<u8>, bool) {
    let mut all = Vec::new();
    let mut buffer = [0; 16384];
    loop {
        match descriptors::receive(fd, &mut buffer) {
            Ok(0) => return (all, true),
            Ok(count) => all.extend_from_slice(&buffer[..count]),
            Err(_) => return (all, false),
        }
    }
}

/// Returns the address that stands for all addresses of a family.
fn unspecified(family: i32) -> SocketAddr {
    if family == libc::AF_INET { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() }
}

/// Reads a `sockaddr` of a program; none if it is of another family.
pub(crate) fn read_address(pid: Pid, at: u64, length: u64) -> Option<SocketAddr> {
    let mut bytes = [0; 28];
    let length = usize::try_from(length).ok()?.min(bytes.len());
    memory::read(pid, at, &mut bytes[..length]).ok()?;
    parse_address(&bytes[..length])
}

fn parse_address(bytes: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_ne_bytes([*bytes.first()?, *bytes.get(1)?]);
    let port = u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]);
    match i32::from(family) {
        libc::AF_INET => {
            let ip: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
            Some((Ipv4Addr::from(ip), port).into())
        }
        libc::AF_INET6 => {
            let ip: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
            Some((Ipv6Addr::from(ip).to_canonical(), port).into())
        }
        _ => None,
    }
}

/// Writes a `sockaddr` as a socket of `family` shows it, and its length, into a program's memory.
pub(crate) fn write_address(pid: Pid, at: u64, length_at: u64, family: i32, address: SocketAddr) -> io::Result<()> {
    if at == 0 || length_at == 0 {
        return Ok(());
    }
    let bytes = address_bytes(family, address);
    let mut room = [0; 4];
    memory::read(pid, length_at, &mut room)?;
    let room = usize::try_from(u32::from_ne_bytes(room)).unwrap_or(0);
    memory::write(pid, at, &bytes[..bytes.len().min(room)])?;
    memory::write(pid, length_at, &(bytes.len() as u32).to_ne_bytes())
}

fn address_bytes(family: i32, address: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(28);
    bytes.extend((family as u16).to_ne_bytes());
    bytes.extend(address.port().to_be_bytes());
    match (family, address.ip()) {
        (libc::AF_INET, IpAddr::V4(ip)) => {
            bytes.extend(ip.octets());
            bytes.extend([0; 8]);
        }
        (_, ip) => {
            let ip = match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                IpAddr::V6(ip) => ip,
            };
            bytes.extend([0; 4]);
            bytes.extend(ip.octets());
            bytes.extend([0; 4]);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::v4(libc::AF_INET, "10.0.0.1:1883", 16)]
    #[case::v4_in_v6(libc::AF_INET6, "10.0.0.1:1883", 28)]
    #[case::v6(libc::AF_INET6, "[fd00::1]:1883", 28)]
    fn address_survives_a_program(#[case] family: i32, #[case] address: &str, #[case] length: usize) {
        let address: SocketAddr = address.parse().expect("the table has addresses");
        let bytes = address_bytes(family, address);
        assert_eq!(bytes.len(), length);
        assert_eq!(parse_address(&bytes), Some(address));
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_address_or_none(bytes in prop::collection::vec(any::<u8>(), 0..28)) {
            let _ = parse_address(&bytes);
        }
    }

    #[test]
    fn a_reset_reaches_the_program_as_linux_says_it() {
        let (theirs, mut socket) = Socket::new(libc::AF_INET, Phase::Open).expect("a pair of sockets");
        socket.reset(theirs.as_fd(), libc::ECONNRESET);
        let error = descriptors::receive(theirs.as_fd(), &mut [0; 8]).expect_err("it is reset");
        assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET));
    }

    #[test]
    fn a_socket_that_connects_is_not_writable_until_it_is_open() {
        let (theirs, mut socket) = Socket::new(libc::AF_INET, Phase::Connecting).expect("a pair of sockets");
        Socket::fill(theirs.as_fd());
        assert!(!crate::sys::is_ready(theirs.as_fd(), libc::POLLOUT));
        socket.open();
        assert!(crate::sys::is_ready(theirs.as_fd(), libc::POLLOUT));
    }
}
