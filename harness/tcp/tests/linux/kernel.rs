//! Linux plays a case.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::case::{Act, Case, End, Note, What, note};
use crate::wire::{Host, PORT, Wire, address, patience};

/// How long the process rests between two looks at devices and sockets.
const REST: Duration = Duration::from_micros(500);

/// Both programs, their hosts, and the path between them; the programs do as those of the model.
struct Kernel {
    client: Host,
    server: Option<Host>,
    /// The server's host after its restart. It takes too long to make in the middle of a case, or to remove.
    next_server: Option<Host>,
    dead_server: Option<Host>,
    wire: Wire,
    now: u64,
    notes: Vec<Note>,
    listener: Option<TcpListener>,
    connecting: Option<Socket>,
    sockets: [Option<TcpStream>; 2],
    /// Sockets that nobody looks at any more, and that stay open.
    kept: Vec<TcpStream>,
    reads: [bool; 2],
    accepts: bool,
    unwritten: [(usize, bool); 2],
}

/// Plays a case and returns what the programs saw.
#[expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "Linux runs in real time")]
pub(crate) fn play(case: &Case) -> io::Result<Vec<Note>> {
    let has_restart = case.acts.iter().any(|(_, act)| matches!(act, Act::Restart));
    let mut kernel = Kernel {
        client: Host::new(End::Client)?,
        server: Some(Host::new(End::Server)?),
        next_server: has_restart.then(|| Host::new(End::Server)).transpose()?,
        dead_server: None,
        wire: Wire::default(),
        now: 0,
        notes: Vec::new(),
        listener: None,
        connecting: None,
        sockets: [None, None],
        kept: Vec::new(),
        reads: [true; 2],
        accepts: true,
        unwritten: [(0, false); 2],
    };
    let mut acts: VecDeque<(u64, Act)> = case.acts.iter().copied().collect();
    let begun = std::time::Instant::now();
    while kernel.now < case.end {
        kernel.now = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        kernel.carry()?;
        kernel.run_programs()?;
        while let Some((_, act)) = acts.pop_front_if(|(at, _)| *at <= kernel.now) {
            kernel.act(act)?;
        }
        kernel.carry()?;
        std::thread::sleep(REST);
    }
    Ok(kernel.notes)
}

impl Kernel {
    fn carry(&mut self) -> io::Result<()> {
        let Self { client, server, wire, .. } = self;
        wire.carry(Some(client), server.as_ref(), End::Server)?;
        wire.carry(server.as_ref(), Some(client), End::Client)
    }

    fn run_programs(&mut self) -> io::Result<()> {
        self.finish_connecting()?;
        if let Some(listener) = self.listener.as_ref().filter(|_| self.accepts) {
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(true)?;
                    self.kept.extend(self.sockets[End::Server as usize].replace(stream));
                    self.note(End::Server, What::Accepted);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        for end in End::BOTH {
            self.write(end)?;
            self.read(end)?;
        }
        Ok(())
    }

    fn finish_connecting(&mut self) -> io::Result<()> {
        let Some(socket) = &self.connecting else { return Ok(()) };
        if let Some(error) = socket.take_error()? {
            self.connecting = None;
            self.note(End::Client, failure(&error)?);
        } else if socket.peer_addr().is_ok() {
            let stream = self.connecting.take().map(TcpStream::from);
            self.kept.extend(std::mem::replace(&mut self.sockets[End::Client as usize], stream));
            self.reads[End::Client as usize] = true;
            self.note(End::Client, What::Connected);
        }
        Ok(())
    }

    fn read(&mut self, end: End) -> io::Result<()> {
        let mut buffer = [0; 65_536];
        while let Some(stream) = self.sockets[end as usize].as_mut().filter(|_| self.reads[end as usize]) {
            match stream.read(&mut buffer) {
                Ok(0) => {
                    self.note(end, What::End);
                    self.reads[end as usize] = false;
                }
                Ok(count) => self.note(end, What::Read(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => {
                    self.note(end, failure(&error)?);
                    self.reads[end as usize] = false;
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, end: End) -> io::Result<()> {
        let Some(stream) = &mut self.sockets[end as usize] else { return Ok(()) };
        let mut said = Vec::new();
        while self.unwritten[end as usize].0 > 0 {
            let size = self.unwritten[end as usize].0.min(10_000);
            match stream.write(&vec![0; size]) {
                Ok(count) => self.unwritten[end as usize].0 -= count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let is_new = !std::mem::replace(&mut self.unwritten[end as usize].1, true);
                    said.extend(is_new.then_some(What::Blocked));
                    break;
                }
                Err(error) => {
                    self.unwritten[end as usize] = (0, false);
                    said.push(failure(&error)?);
                    self.reads[end as usize] = false;
                }
            }
        }
        let (left, was_blocked) = &mut self.unwritten[end as usize];
        if *left == 0 && std::mem::take(was_blocked) {
            said.push(What::Written);
        }
        said.into_iter().for_each(|what| self.note(end, what));
        Ok(())
    }

    fn note(&mut self, end: End, what: What) {
        note(&mut self.notes, self.now, end, what);
    }

    fn act(&mut self, act: Act) -> io::Result<()> {
        match act {
            Act::Listen => self.listen()?,
            Act::StopListening => self.listener = None,
            Act::StopAccepting => self.accepts = false,
            Act::ResumeAccepting => self.accepts = true,
            Act::Connect => self.connect()?,
            Act::Write(end, count) => {
                self.unwritten[end as usize].0 = count;
                self.write(end)?;
            }
            Act::Shutdown(end) => {
                if let Some(stream) = &self.sockets[end as usize] {
                    stream.shutdown(std::net::Shutdown::Write)?;
                }
            }
            Act::Close(end) => drop(self.take(end)),
            Act::Abort(end) => {
                if let Some(stream) = self.take(end) {
                    Socket::from(stream).set_linger(Some(Duration::ZERO))?;
                }
            }
            Act::StopReading(end) => self.reads[end as usize] = false,
            Act::ResumeReading(end) => self.reads[end as usize] = true,
            Act::Cut(way) => self.wire.cut.extend(End::BOTH.into_iter().filter(|end| way.leads_to(*end))),
            Act::Heal => self.wire.cut.clear(),
            Act::Forget(way) => self.wire.forget(way),
            Act::Reset(way) => {
                for end in End::BOTH.into_iter().filter(|end| way.leads_to(*end)) {
                    let host = if end == End::Client { Some(&self.client) } else { self.server.as_ref() };
                    host.map_or(Ok(()), |host| self.wire.send_rst(host, end))?;
                }
            }
            Act::PowerLoss => {
                // Nobody carries any more what the kernel says about the sockets.
                self.dead_server = self.server.take();
                self.listener = None;
                self.sockets[End::Server as usize] = None;
            }
            Act::Restart => {
                self.server = self.next_server.take();
                self.reads[End::Server as usize] = true;
                self.listen()?;
            }
        }
        Ok(())
    }

    fn take(&mut self, end: End) -> Option<TcpStream> {
        self.unwritten[end as usize] = (0, false);
        self.sockets[end as usize].take()
    }

    fn listen(&mut self) -> io::Result<()> {
        let server = self.server.as_ref().expect("the host has power");
        let listener = server.enter(|| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.set_reuse_address(true)?;
            socket.set_nonblocking(true)?;
            patience(&socket)?;
            socket.bind(&SocketAddr::from((address(End::Server), PORT)).into())?;
            socket.listen(16)?;
            Ok(socket)
        })?;
        self.listener = Some(listener.into());
        Ok(())
    }

    fn connect(&mut self) -> io::Result<()> {
        let socket = self.client.enter(|| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.set_nonblocking(true)?;
            socket.set_tcp_nodelay(true)?;
            patience(&socket)?;
            Ok(socket)
        })?;
        // The outcome is asked for later.
        let _in_progress = socket.connect(&SocketAddr::from((address(End::Server), PORT)).into());
        self.connecting = Some(socket);
        Ok(())
    }
}

fn failure(error: &io::Error) -> io::Result<What> {
    Ok(match error.kind() {
        io::ErrorKind::ConnectionRefused => What::Refused,
        io::ErrorKind::ConnectionReset => What::Reset,
        io::ErrorKind::TimedOut => What::TimedOut,
        io::ErrorKind::BrokenPipe => What::BrokenPipe,
        _ => return Err(io::Error::new(error.kind(), error.to_string())),
    })
}
