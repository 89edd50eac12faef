//! Sockets that cost little while nothing happens on them.
//!
//! A socket of tokio takes some 300 bytes besides those of the kernel, however long it is idle. A broker has thousands of
//! idle ones, so here they wait in a poll of their own, which wakes the server when one of them has something to do.

#[cfg(unix)]
mod polled;
#[cfg(not(unix))]
mod tokio_sockets;

#[cfg(unix)]
pub(crate) use self::polled::{Reactor, TcpListener, TcpStream};
#[cfg(not(unix))]
pub(crate) use self::tokio_sockets::{Reactor, TcpListener, TcpStream};
