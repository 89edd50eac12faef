//! What the world does to a program, and what it takes from it.

use std::net::SocketAddr;
use std::os::fd::AsFd;

use super::Process;
use crate::descriptors::Kind;
use crate::event::{Event, SocketId};
use crate::socket::{Phase, Socket};
use crate::sys::descriptors;

impl Process {
    /// Brings a connection to a listening socket; returns its socket, or none if nobody listens there any more.
    pub fn arrive(&mut self, listener: SocketId, peer: SocketAddr) -> Option<SocketId> {
        self.stirred += 1;
        let (_, socket) = self.files.socket(listener)?;
        let Phase::Listening(_) = &socket.phase else { return None };
        let (family, local) = (socket.family, socket.local);
        let (theirs, mut connection) = Socket::new(family, Phase::Open).ok()?;
        connection.local = local;
        connection.peer = Some(peer);
        let id = self.files.add(theirs, Kind::Socket(connection));
        let socket = self.files.socket_mut(listener)?;
        // A byte for each connection that waits makes the listener readable.
        let _ = descriptors::send(socket.ours(), b"!");
        if let Phase::Listening(pending) = &mut socket.phase {
            pending.push_back(id);
        }
        Some(id)
    }

    /// Says that a connection which the program opens is open, or with which error of Linux it failed.
    pub fn connected(&mut self, id: SocketId, result: Result<(), i32>) {
        self.stirred += 1;
        match result {
            Ok(()) => {
                if let Some(socket) = self.files.socket_mut(id) {
                    socket.open();
                }
            }
            Err(error) => self.reset(id, error),
        }
    }

    /// Brings bytes; returns for how many there was room.
    pub fn receive_bytes(&mut self, id: SocketId, bytes: &[u8]) -> usize {
        self.stirred += 1;
        let Some((_, socket)) = self.files.socket(id) else { return bytes.len() };
        if socket.phase != Phase::Open {
            return bytes.len();
        }
        descriptors::send(socket.ours(), bytes).unwrap_or(0)
    }

    /// Says that nothing more comes (FIN).
    pub fn receive_fin(&mut self, id: SocketId) {
        self.stirred += 1;
        if let Some((_, socket)) = self.files.socket(id) {
            descriptors::shutdown_write(socket.ours());
        }
    }

    /// Ends a connection with an error of Linux: ECONNRESET for RST, ETIMEDOUT where the peer does not answer.
    pub fn reset(&mut self, id: SocketId, error: i32) {
        self.stirred += 1;
        let Some(description) = self.files.get_mut(id) else { return };
        let file = description.file.clone();
        if let Kind::Socket(socket) = &mut description.kind {
            socket.reset(file.as_fd(), error);
        }
    }

    /// Takes no more bytes from a connection, because its window is full, or takes them again.
    pub fn hold(&mut self, id: SocketId, is_held: bool) {
        self.stirred += 1;
        if let Some(socket) = self.files.socket_mut(id) {
            socket.is_held = is_held;
        }
        self.take_from(id);
    }

    /// Returns how many bytes the program has not read yet.
    pub fn unread(&self, id: SocketId) -> usize {
        self.files.socket(id).map_or(0, |(description, _)| descriptors::unread(description.fd()))
    }

    /// Writes to the program's standard input; returns for how many bytes there was room.
    pub fn write_input(&mut self, bytes: &[u8]) -> usize {
        self.stirred += 1;
        self.input.as_ref().and_then(|input| descriptors::send(input.as_fd(), bytes).ok()).unwrap_or(0)
    }

    /// Takes what the program has printed.
    pub(super) fn take_output(&mut self) {
        let mut buffer = [0; 16384];
        while let Ok(count @ 1..) = descriptors::read(self.output.as_fd(), &mut buffer) {
            match self.events.last_mut() {
                Some(Event::Output(bytes)) => bytes.extend_from_slice(&buffer[..count]),
                _ => self.events.push(Event::Output(buffer[..count].to_vec())),
            }
        }
    }
}
