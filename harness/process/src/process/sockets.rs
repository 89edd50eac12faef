//! TCP sockets of a program: the calls that its stand-in would answer wrongly.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::rc::Rc;

use super::time::read_timeval;
use super::time::written;
use super::waits::Wait;
use super::{Answer, Process, Question, error};
use crate::call::Call;
use crate::descriptors::{FileId, Kind};
use crate::error::RunError;
use crate::event::Event;
use crate::socket::{self, Phase, Socket, read_address, write_address};
use crate::sys::{descriptors, memory};

/// The value of SO_SNDBUF and SO_RCVBUF.
const BUFFER_SIZE: i32 = 131_072;

impl Process {
    pub(super) fn answer_socket(&mut self, question: &Question) -> Result<Answer, RunError> {
        if question.call == Call::Socket {
            return self.make_socket(question);
        }
        let pid = question.pid;
        let Some(id) = self.files.find(pid, question.int(0)) else { return Ok(Answer::GoOn) };
        let Some(description) = self.files.get_mut(id) else { return Ok(Answer::GoOn) };
        let file = Rc::clone(&description.file);
        let Kind::Socket(socket) = &mut description.kind else { return Ok(Answer::GoOn) };
        Ok(match question.call {
            Call::Bind => self.bind(question, id),
            Call::Listen => self.listen(id),
            Call::Connect => self.connect(question, id),
            Call::Accept | Call::Accept4 => return self.accept(question, id),
            Call::Getsockname => {
                written(&write_address(pid, question.word(1), question.word(2), socket.family, socket.local))
            }
            Call::Getpeername => match socket.peer.filter(|_| matches!(socket.phase, Phase::Open | Phase::Loopback)) {
                Some(peer) => written(&write_address(pid, question.word(1), question.word(2), socket.family, peer)),
                None => error(libc::ENOTCONN),
            },
            Call::Setsockopt => set_option(question, socket),
            Call::Getsockopt => get_option(question, socket),
            Call::Shutdown if matches!(socket.phase, Phase::Fresh | Phase::Connecting | Phase::Listening(_)) => {
                error(libc::ENOTCONN)
            }
            _ => {
                self.wrote = Some(id);
                drop(file);
                Answer::GoOn
            }
        })
    }

    fn make_socket(&mut self, question: &Question) -> Result<Answer, RunError> {
        let (family, kind) = (question.int(0), question.int(1));
        if family != libc::AF_INET && family != libc::AF_INET6 {
            return Ok(Answer::GoOn);
        }
        if kind & 0xf != libc::SOCK_STREAM {
            // No name server, no multicast: names are those of /etc/hosts.
            return Ok(error(libc::EAFNOSUPPORT));
        }
        let (theirs, socket) = Socket::new(family, Phase::Fresh)?;
        if kind & libc::SOCK_NONBLOCK != 0 {
            descriptors::set_nonblocking(theirs.as_fd());
        }
        self.give(question, theirs, Kind::Socket(socket), kind & libc::SOCK_CLOEXEC != 0)
    }

    fn bind(&mut self, question: &Question, id: FileId) -> Answer {
        let Some(mut at) = read_address(question.pid, question.word(1), question.word(2)) else {
            return error(libc::EAFNOSUPPORT);
        };
        let Some((_, socket)) = self.files.socket(id) else { return error(libc::EBADF) };
        let family = socket.family;
        let is_taken = self.files.iter().any(|(other, file)| match &file.kind {
            Kind::Socket(socket) => {
                other != id
                    && matches!(socket.phase, Phase::Listening(_))
                    && socket.family == family
                    && socket.local.port() == at.port()
            }
            _ => false,
        });
        if is_taken {
            return error(libc::EADDRINUSE);
        }
        if at.port() == 0 {
            at.set_port(self.free_port());
        }
        if let Some(socket) = self.files.socket_mut(id) {
            socket.local = at;
        }
        Answer::Value(0)
    }

    fn free_port(&mut self) -> u16 {
        self.next_port = self.next_port.checked_add(1).unwrap_or(32_768);
        self.next_port
    }

    fn listen(&mut self, id: FileId) -> Answer {
        let port = self.free_port();
        let Some(socket) = self.files.socket_mut(id) else { return error(libc::EBADF) };
        match socket.phase {
            Phase::Listening(_) => return Answer::Value(0),
            Phase::Fresh => {}
            _ => return error(libc::EINVAL),
        }
        if socket.local.port() == 0 {
            socket.local.set_port(port);
        }
        socket.phase = Phase::Listening(VecDeque::new());
        let at = socket.local;
        self.events.push(Event::Listens { socket: id, at });
        Answer::Value(0)
    }

    fn connect(&mut self, question: &Question, id: FileId) -> Answer {
        let Some(to) = read_address(question.pid, question.word(1), question.word(2)) else {
            return error(libc::EAFNOSUPPORT);
        };
        let port = self.free_port();
        let Some(description) = self.files.get_mut(id) else { return error(libc::EBADF) };
        let file = Rc::clone(&description.file);
        let Kind::Socket(socket) = &mut description.kind else { return error(libc::EBADF) };
        match socket.phase {
            Phase::Fresh => {}
            Phase::Connecting => return error(libc::EALREADY),
            Phase::Open | Phase::Loopback => return error(libc::EISCONN),
            Phase::Dead if socket.error != 0 => return error(std::mem::take(&mut socket.error)),
            Phase::Dead | Phase::Listening(_) => return error(libc::EINVAL),
        }
        socket.peer = Some(to);
        if socket.local.port() == 0 {
            socket.local = SocketAddr::new(to.ip(), port);
        }
        if to.ip().is_loopback()
            && let Some(listener) = self.listener_at(to.port())
        {
            return self.loop_back(id, listener);
        }
        let Some(Kind::Socket(socket)) = self.files.get_mut(id).map(|file| &mut file.kind) else {
            return error(libc::EBADF);
        };
        socket.phase = Phase::Connecting;
        Socket::fill(file.as_fd());
        self.events.push(Event::Connects { socket: id, to });
        if descriptors::is_nonblocking(file.as_fd()) {
            error(libc::EINPROGRESS)
        } else {
            Answer::Wait(Wait::Connect(id), None)
        }
    }

    /// Returns the socket of the program that listens at a port.
    fn listener_at(&self, port: u16) -> Option<FileId> {
        let listens = |socket: &Socket| matches!(socket.phase, Phase::Listening(_)) && socket.local.port() == port;
        self.files.iter().find_map(|(id, file)| match &file.kind {
            Kind::Socket(socket) if listens(socket) => Some(id),
            _ => None,
        })
    }

    /// Connects a socket of the program with another one of it, as libraries do to wake a thread of theirs.
    fn loop_back(&mut self, id: FileId, listener: FileId) -> Answer {
        let Some((_, Socket { local, .. })) = self.files.socket(listener) else { return error(libc::ECONNREFUSED) };
        let local = *local;
        let Some(socket) = self.files.socket_mut(id) else { return error(libc::EBADF) };
        let Ok((end, other)) = socket.loop_back(local) else { return error(libc::ENFILE) };
        let accepted = self.files.add(end, Kind::Socket(other));
        let Some(listener) = self.files.socket_mut(listener) else { return error(libc::ECONNREFUSED) };
        let _ = descriptors::send(listener.ours(), b"!");
        if let Phase::Listening(pending) = &mut listener.phase {
            pending.push_back(accepted);
        }
        Answer::Value(0)
    }

    fn accept(&mut self, question: &Question, id: FileId) -> Result<Answer, RunError> {
        let Some(description) = self.files.get_mut(id) else { return Ok(error(libc::EBADF)) };
        let file = Rc::clone(&description.file);
        let Kind::Socket(listener) = &mut description.kind else { return Ok(error(libc::EBADF)) };
        let family = listener.family;
        let Phase::Listening(pending) = &mut listener.phase else { return Ok(error(libc::EINVAL)) };
        let Some(accepted) = pending.pop_front() else {
            return Ok(if descriptors::is_nonblocking(file.as_fd()) {
                error(libc::EAGAIN)
            } else {
                Answer::Wait(Wait::Accept(id), None)
            });
        };
        // The byte that made the listener readable.
        let _ = descriptors::receive(file.as_fd(), &mut [0]);
        let flags = if question.call == Call::Accept4 { question.int(3) } else { 0 };
        let Some((description, socket)) = self.files.socket(accepted) else { return Ok(error(libc::ECONNABORTED)) };
        if flags & libc::SOCK_NONBLOCK != 0 {
            descriptors::set_nonblocking(description.fd());
        }
        if let Some(peer) = socket.peer
            && write_address(question.pid, question.word(1), question.word(2), family, peer).is_err()
        {
            return Ok(error(libc::EFAULT));
        }
        self.give_file(question, accepted, flags & libc::SOCK_CLOEXEC != 0)
    }

    /// Takes what the last call has written.
    pub(super) fn take_written(&mut self) {
        if let Some(id) = self.wrote.take() {
            self.take_from(id);
        }
    }

    /// Takes what a socket has written, and the end of it.
    pub(super) fn take_from(&mut self, id: FileId) {
        let Some(socket) = self.files.socket_mut(id) else { return };
        if socket.phase != Phase::Open || socket.is_held || socket.has_finished {
            return;
        }
        let (bytes, has_finished) = socket::take_all(socket.ours());
        socket.has_finished = has_finished;
        if !bytes.is_empty() {
            self.take_output();
            match self.events.last_mut() {
                Some(Event::Sent { socket, bytes: before }) if *socket == id => before.extend(bytes),
                _ => self.events.push(Event::Sent { socket: id, bytes }),
            }
        }
        if has_finished {
            self.take_output();
            self.events.push(Event::Finished { socket: id, closed: false });
        }
    }

    /// A socket has no descriptor any more.
    pub(super) fn close_socket(&mut self, id: FileId) {
        // What the window has not let through yet is the world's to send, too.
        if let Some(socket) = self.files.socket_mut(id) {
            socket.is_held = false;
        }
        self.take_from(id);
        self.take_output();
        let Some((description, socket)) = self.files.socket(id) else { return };
        match &socket.phase {
            Phase::Open if socket.resets_on_close || descriptors::unread(description.fd()) > 0 => {
                self.events.push(Event::Aborted { socket: id });
            }
            Phase::Open => self.events.push(Event::Finished { socket: id, closed: true }),
            Phase::Connecting => self.events.push(Event::Aborted { socket: id }),
            Phase::Listening(pending) => {
                let pending: Vec<FileId> = pending.iter().copied().collect();
                self.events.push(Event::StoppedListening { socket: id });
                for connection in pending {
                    self.events.push(Event::Aborted { socket: connection });
                    self.files.remove(connection);
                }
            }
            Phase::Fresh | Phase::Loopback | Phase::Dead => {}
        }
    }
}

fn set_option(question: &Question, socket: &mut Socket) -> Answer {
    if question.int(1) != libc::SOL_SOCKET {
        return Answer::Value(0);
    }
    match question.int(2) {
        libc::SO_LINGER => {
            let mut bytes = [0; 8];
            if memory::read(question.pid, question.word(3), &mut bytes).is_err() {
                return error(libc::EFAULT);
            }
            socket.resets_on_close = bytes[0] != 0 && bytes[4..] == [0; 4];
        }
        libc::SO_RCVTIMEO => {
            let time = read_timeval(question.pid, question.word(3));
            socket.read_timeout = time.filter(|time| !time.is_zero());
        }
        _ => {}
    }
    Answer::Value(0)
}

fn get_option(question: &Question, socket: &mut Socket) -> Answer {
    let value: i32 = match (question.int(1), question.int(2)) {
        (libc::SOL_SOCKET, libc::SO_ERROR) => std::mem::take(&mut socket.error),
        (libc::SOL_SOCKET, libc::SO_TYPE) => libc::SOCK_STREAM,
        (libc::SOL_SOCKET, libc::SO_DOMAIN) => socket.family,
        (libc::SOL_SOCKET, libc::SO_PROTOCOL) => libc::IPPROTO_TCP,
        (libc::SOL_SOCKET, libc::SO_ACCEPTCONN) => i32::from(matches!(socket.phase, Phase::Listening(_))),
        (libc::SOL_SOCKET, libc::SO_SNDBUF | libc::SO_RCVBUF) => BUFFER_SIZE,
        _ => 0,
    };
    let write = || {
        memory::write(question.pid, question.word(3), &value.to_ne_bytes())?;
        memory::write(question.pid, question.word(4), &4u32.to_ne_bytes())
    };
    written(&write())
}
