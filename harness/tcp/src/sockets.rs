use crate::connection::{End, Program, State};
use crate::segment::{Flag, Segment};
use crate::{ConnectionId, Event, HostId, Network, Side, Socket, SocketError};

/// Result of [`Network::read`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// Number of bytes that were read.
    Bytes(usize),
    /// The other end has finished its stream, and everything has been read.
    End,
    /// There is nothing to read. [`Event::Readable`] follows when that may have changed.
    Blocked,
    /// The connection has failed.
    Failed(SocketError),
}

/// Result of [`Network::write`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// Number of bytes that were accepted.
    Bytes(usize),
    /// There is no room. [`Event::Writable`] follows when that may have changed.
    Blocked,
    /// The connection has failed, or the program has shut down its direction. A program that knows of the failure already
    /// is told the same as after a shutdown.
    Failed(SocketError),
}

/// The calls of programs. None of them sends anything before the next [`flush`](Network::flush).
impl Network {
    /// Begins to accept connections at a host.
    ///
    /// # Errors
    /// Returns [`SocketError::AddressInUse`] if a program listens there already.
    pub fn listen(&mut self, host: HostId) -> Result<(), SocketError> {
        let host = self.host_mut(host);
        if std::mem::replace(&mut host.is_listening, true) { Err(SocketError::AddressInUse) } else { Ok(()) }
    }

    /// Stops accepting connections at a host. Those that nobody has accepted are aborted with the next flush.
    pub fn stop_listening(&mut self, host: HostId) {
        self.host_mut(host).is_listening = false;
        self.stopped_listening.push(host);
    }

    /// Accepts a connection that has been opened to a host, if there is one. Connections that have failed since they
    /// were opened are left out.
    pub fn accept(&mut self, host: HostId) -> Option<ConnectionId> {
        loop {
            let id = self.host_mut(host).served_mut().backlog.pop_front()?;
            let Some(connection) = self.connection_mut(id) else { continue };
            if !connection.server.is_gone() {
                connection.server.program = Program::Open;
                return Some(id);
            }
            connection.server.program = Program::Closed;
            self.ending.push(id);
        }
    }

    /// Begins to open a connection. [`Event::Connected`] follows when there is a result.
    pub fn connect(&mut self, from: HostId, to: HostId) -> ConnectionId {
        let links = (self.link_place(from, to), self.link_place(to, from));
        let rank = self.take_rank();
        let host = self.host_mut(from);
        host.opened_count += 1;
        let ordinal = host.opened_count;
        let client = End { state: State::Opening, rank, ..End::new(from, links.0) };
        let id = self.insert(ordinal, client, End::new(to, links.1));
        let syn = Segment { flag: Flag::Syn, window: u16::MAX, ..Segment::default() };
        self.send_control(Socket::new(id, Side::Client), syn);
        id
    }

    /// Returns how a connection attempt ended, once it has. After `Ok`, the program has a socket; after an error the
    /// attempt is over.
    pub fn connect_result(&mut self, id: ConnectionId) -> Option<Result<(), SocketError>> {
        let client = &mut self.connection_mut(id)?.client;
        let error = match client.state {
            State::Synchronized => {
                client.program = Program::Open;
                return Some(Ok(()));
            }
            State::Absent | State::Opening => return None,
            State::Reset => SocketError::Refused,
            State::TimedOut => SocketError::TimedOut,
        };
        client.program = Program::Closed;
        self.ending.push(id);
        Some(Err(error))
    }

    /// Gives up a connection attempt whose result the program has not asked for. What has been sent arrives, and is
    /// answered in vain.
    pub fn cancel_connect(&mut self, id: ConnectionId) {
        let socket = Socket::new(id, Side::Client);
        match self.end_mut(socket) {
            Some(end) if end.program == Program::Waiting && end.state == State::Opening => {
                end.state = State::Reset;
                end.sender.forget();
            }
            Some(end) if end.program == Program::Waiting => {}
            _ => return,
        }
        self.close(socket);
    }

    /// Reads what has arrived. What arrived before the connection failed can still be read.
    pub fn read(&mut self, socket: Socket, buffer: &mut [u8]) -> Read {
        let Some(end) = self.end_mut(socket) else { return Read::Failed(SocketError::Reset) };
        if end.receiver.unread() == 0 {
            if let Some(error) = end.failure() {
                end.knows_failure = true;
                return Read::Failed(error);
            }
            if end.receiver.has_fin() {
                return Read::End;
            }
            end.wants_read = true;
            return Read::Blocked;
        }
        let (count, has_opened) = end.receiver.read(buffer);
        if has_opened {
            let update = end.acknowledgement();
            self.send_control(socket, update);
        }
        Read::Bytes(count)
    }

    /// Takes bytes to be sent, as many as there is room for.
    pub fn write(&mut self, socket: Socket, bytes: &[u8]) -> Write {
        let Some(end) = self.end_mut(socket) else { return Write::Failed(SocketError::Reset) };
        if let Some(error) = end.failure().filter(|_| !end.knows_failure) {
            end.knows_failure = true;
            return Write::Failed(error);
        }
        if end.sender.is_finished() || end.is_gone() {
            return Write::Failed(SocketError::ShutDown);
        }
        let count = end.sender.write(bytes);
        if count == 0 && !bytes.is_empty() {
            end.wants_write = true;
            return Write::Blocked;
        }
        self.queue_writer(socket);
        Write::Bytes(count)
    }

    /// Finishes the stream of a socket: FIN follows what has been written.
    ///
    /// # Errors
    /// Returns how the connection has failed.
    pub fn shutdown(&mut self, socket: Socket) -> Result<(), SocketError> {
        let Some(end) = self.end_mut(socket) else { return Err(SocketError::Reset) };
        if let Some(error) = end.failure() {
            return Err(error);
        }
        end.sender.finish();
        self.queue_writer(socket);
        Ok(())
    }

    /// Closes a socket: FIN follows what has been written, or RST if the program has not read everything.
    pub fn close(&mut self, socket: Socket) {
        let Some(end) = self.end_mut(socket) else { return };
        end.program = Program::Closed;
        if !end.is_gone() {
            if end.receiver.unread() > 0 {
                self.aborting.push(socket);
            } else {
                end.sender.finish();
                self.queue_writer(socket);
            }
        }
        self.ending.push(socket.connection);
    }

    /// Closes a socket with RST, which follows what has been written as far as the window allows.
    pub fn abort(&mut self, socket: Socket) {
        let Some(end) = self.end_mut(socket) else { return };
        end.program = Program::Closed;
        if !end.is_gone() {
            self.aborting.push(socket);
        }
        self.ending.push(socket.connection);
    }

    /// Returns the number of bytes that have arrived and that the program has not read.
    pub fn unread(&self, socket: Socket) -> usize {
        self.end(socket).map_or(0, |end| end.receiver.unread())
    }

    /// Returns how the connection has ended for this socket: with an error, though bytes may be left to read, or with
    /// `Ok` for FIN, if nothing is left.
    pub fn pending_end(&self, socket: Socket) -> Option<Result<(), SocketError>> {
        let end = self.end(socket)?;
        match end.failure() {
            Some(error) => Some(Err(error)),
            None => end.receiver.is_at_end().then_some(Ok(())),
        }
    }

    pub(crate) fn take_rank(&mut self) -> u32 {
        self.next_rank = self.next_rank.checked_add(1).expect("fewer than four billion sockets in a run");
        self.next_rank
    }

    /// Sends a segment that no window holds back with the next flush.
    pub(crate) fn send_control(&mut self, socket: Socket, segment: Segment) {
        let Some(host) = self.host_of(socket) else { return };
        self.control.push((host, socket, segment));
    }

    /// Looks with the next flush whether a socket has something to send.
    pub(crate) fn queue_writer(&mut self, socket: Socket) {
        let Some(end) = self.end_mut(socket) else { return };
        if !std::mem::replace(&mut end.is_queued, true) {
            let writer = (end.host, end.rank, socket);
            self.writers.push(writer);
        }
    }

    /// Announces that calls on this socket that were blocked have a result.
    pub(crate) fn wake(&mut self, socket: Socket, reader: bool, writer: bool) {
        let Some(end) = self.end_mut(socket) else { return };
        let writer = writer && std::mem::take(&mut end.wants_write);
        let reader = reader && std::mem::take(&mut end.wants_read);
        self.events.extend(writer.then_some(Event::Writable(socket)));
        self.events.extend(reader.then_some(Event::Readable(socket)));
    }
}

impl End {
    /// Returns a segment that does nothing but acknowledge what has arrived.
    pub(crate) fn acknowledgement(&self) -> Segment {
        Segment {
            sequence: self.sender.next_sequence(),
            acknowledgement: Some(self.receiver.next),
            window: self.receiver.window(),
            ..Segment::default()
        }
    }
}
