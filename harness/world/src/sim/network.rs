use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use halfopen_protocol::{PacketType, Role};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil_net::shim::tokio::net::{TcpListener, TcpStream};

use super::address::{Key, PORT, address, node, server_address};
use super::connection::ProgramEnd;
use super::wires::Wires;
use crate::conversation::Conversation;
use crate::network::{Door, Network, Peer};
use crate::plan::NodeId;
use crate::tap::{Socket, Tap, failure};
use crate::trace::Item;

/// The network as a node of the simulation sees it.
#[derive(Clone)]
pub(crate) struct SimNetwork {
    node: NodeId,
    wires: Rc<RefCell<Wires>>,
}

/// A node's bound port; nobody listens any more once it is dropped.
pub(crate) struct SimListener {
    node: NodeId,
    port: Rc<TcpListener>,
    wires: Rc<RefCell<Wires>>,
}

/// A node's end of a connection, without its tap.
pub(crate) struct SimSocket {
    key: Key,
    side: Role,
    stream: Option<TcpStream>,
    /// What was read from the kernel and not yet by the program. The kernel opens its window again only when a read
    /// takes half of its buffer, so each read takes all.
    unread: BytesMut,
    aborts: bool,
    wires: Rc<RefCell<Wires>>,
}

/// As much as the kernel buffers.
const READ_SIZE: usize = 64 * 1024;

impl SimNetwork {
    /// The network as `node` sees it.
    pub(super) fn new(node: NodeId, wires: &Rc<RefCell<Wires>>) -> Self {
        Self { node, wires: Rc::clone(wires) }
    }

    fn socket(&self, key: Key, side: Role, stream: TcpStream) -> SimSocket {
        let wires = Rc::clone(&self.wires);
        SimSocket { key, side, stream: Some(stream), unread: BytesMut::new(), aborts: false, wires }
    }
}

impl Network for SimNetwork {
    type Stream = Tap<SimSocket>;
    type Listener = SimListener;

    async fn listen(&self) -> io::Result<SimListener> {
        if self.wires.borrow().hosts[self.node.0].is_listening {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let bound = self.wires.borrow().hosts[self.node.0].listener.clone();
        let port = match bound {
            Some(port) => port,
            None => Rc::new(TcpListener::bind(server_address(self.node)).await?),
        };
        let host = &mut self.wires.borrow_mut().hosts[self.node.0];
        host.listener = Some(Rc::clone(&port));
        host.is_listening = true;
        Ok(SimListener { node: self.node, port, wires: Rc::clone(&self.wires) })
    }

    async fn accept(&self, listener: &mut SimListener) -> io::Result<(Self::Stream, Peer)> {
        loop {
            let (stream, from) = listener.port.accept().await?;
            let Some(client) = node(from.ip()) else { continue };
            let key = (client, from.port());
            let mut wires = self.wires.borrow_mut();
            // A connection that ended before anybody took it is not seen by the program.
            let Some(connection) = wires.connections.get_mut(&key).filter(|connection| !connection.server.is_gone)
            else {
                continue;
            };
            connection.server.program = ProgramEnd::Open;
            let conversation = Rc::clone(&connection.conversation);
            drop(wires);
            conversation.accepted();
            let peer = Peer { node: client, connection: conversation.connection(), number: conversation.number() };
            return Ok((Tap::new(self.socket(key, Role::Server, stream), conversation, Role::Server), peer));
        }
    }

    async fn connect(&self, to: NodeId) -> io::Result<(Self::Stream, Peer)> {
        let dialing = Dialing::new(self, to);
        let result = TcpStream::connect((address(to), PORT)).await;
        match result {
            Ok(stream) => {
                let key = (self.node, stream.local_addr()?.port());
                let conversation = dialing.succeeded(key);
                let peer = Peer { node: to, connection: conversation.connection(), number: conversation.number() };
                self.wires.borrow().recorder.established(peer.connection, self.node);
                Ok((Tap::new(self.socket(key, Role::Client, stream), conversation, Role::Client), peer))
            }
            Err(error) => Err(dialing.failed(error)),
        }
    }

    fn guard(&self, door: Rc<dyn Door>) {
        self.wires.borrow_mut().hosts[self.node.0].door = Some(door);
    }

    fn abort(&self, stream: Self::Stream) {
        stream.abort();
    }
}

/// A connection attempt; given up when it is dropped.
struct Dialing {
    conversation: Rc<Conversation>,
    wires: Rc<RefCell<Wires>>,
    is_over: bool,
}

impl Dialing {
    fn new(network: &SimNetwork, to: NodeId) -> Self {
        let mut wires = network.wires.borrow_mut();
        let conversation = Conversation::open(&wires.recorder, network.node, to, wires.plan.version);
        wires.hosts[network.node.0].dialing.push_back((Rc::clone(&conversation), false));
        drop(wires);
        Self { conversation, wires: Rc::clone(&network.wires), is_over: false }
    }

    fn succeeded(mut self, key: Key) -> Rc<Conversation> {
        self.is_over = true;
        if let Some(connection) = self.wires.borrow_mut().connections.get_mut(&key) {
            connection.client.program = ProgramEnd::Open;
        }
        Rc::clone(&self.conversation)
    }

    fn failed(self, error: io::Error) -> io::Error {
        let name = self.conversation.connection();
        let wires = self.wires.borrow();
        let mut connections = wires.connections.values();
        let has_timed_out = connections
            .any(|connection| connection.conversation.connection() == name && connection.client.has_timed_out);
        if has_timed_out {
            self.conversation.saw_end(Role::Client, Item::TimedOut);
            return io::ErrorKind::TimedOut.into();
        }
        if error.kind() == io::ErrorKind::ConnectionRefused {
            self.conversation.saw_end(Role::Client, Item::Rst);
        }
        error
    }
}

impl Drop for Dialing {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        // The wires are in use only when a panic unwinds through them.
        if let Ok(mut wires) = self.wires.try_borrow_mut() {
            wires.stop_dialing(&self.conversation);
        }
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        if let Ok(mut wires) = self.wires.try_borrow_mut() {
            wires.hosts[self.node.0].is_listening = false;
            wires.hosts[self.node.0].door = None;
            wires.stopped_listening.push(self.node);
        }
    }
}

impl SimSocket {
    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// How much the kernel has for the program, looking at one byte at most.
    fn peek(&mut self) -> Poll<io::Result<usize>> {
        let mut byte = [0];
        let nobody = &mut Context::from_waker(std::task::Waker::noop());
        match self.stream.as_mut() {
            Some(stream) => stream.poll_peek(nobody, &mut ReadBuf::new(&mut byte)),
            None => Poll::Pending,
        }
    }

    /// The node at this end.
    fn node(&self, wires: &Wires) -> Option<NodeId> {
        match self.side {
            Role::Client => Some(self.key.0),
            Role::Server => wires.connections.get(&self.key).map(|connection| connection.server.node),
        }
    }

    /// Whether the program reads at all.
    fn may_read(&self, cx: &mut Context<'_>) -> bool {
        let mut wires = self.wires.borrow_mut();
        self.node(&wires).is_none_or(|node| wires.hosts[node.0].may_read(cx.waker()))
    }

    /// The error as the program is to see it.
    fn explain(&self, error: io::Error) -> io::Error {
        let has_timed_out = || {
            let wires = self.wires.borrow();
            wires.connections.get(&self.key).is_some_and(|connection| connection.end(self.side).has_timed_out)
        };
        match error.kind() {
            io::ErrorKind::ConnectionReset if has_timed_out() => io::ErrorKind::TimedOut.into(),
            io::ErrorKind::NotConnected => io::ErrorKind::BrokenPipe.into(),
            _ => error,
        }
    }
}

impl Socket for SimSocket {
    fn has_unread(&mut self) -> bool {
        !self.unread.is_empty() || matches!(self.peek(), Poll::Ready(Ok(1..)))
    }

    fn waiting_end(&mut self) -> Option<Item> {
        match self.peek() {
            Poll::Ready(Ok(0)) if self.unread.is_empty() => Some(Item::Fin),
            Poll::Ready(Err(error)) => failure(&self.explain(error)),
            _ => None,
        }
    }

    fn abort(&mut self) {
        self.aborts = true;
    }

    fn is_powerless(&self) -> bool {
        self.wires.try_borrow().is_ok_and(|wires| self.node(&wires).is_some_and(|node| wires.hosts[node.0].is_down))
    }

    fn about_to_leave(&mut self, packet: PacketType) {
        let mut wires = self.wires.borrow_mut();
        if !wires.armed.is_empty() {
            wires.about_to_leave(self.key, self.side, packet);
        }
    }
}

impl AsyncRead for SimSocket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.may_read(cx) {
            return Poll::Pending;
        }
        if self.unread.is_empty() {
            let mut scratch = [0; READ_SIZE];
            let mut all = ReadBuf::new(&mut scratch);
            match self.stream()?.poll_read(cx, &mut all) {
                Poll::Ready(Ok(())) => {
                    let count = all.filled().len().min(buf.remaining());
                    buf.put_slice(&all.filled()[..count]);
                    self.unread.extend_from_slice(&all.filled()[count..]);
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.explain(error))),
                Poll::Pending => return Poll::Pending,
            }
        }
        let count = self.unread.len().min(buf.remaining());
        buf.put_slice(&self.unread[..count]);
        self.unread.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SimSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = self.stream()?.poll_write(cx, buf);
        result.map_err(|error| self.explain(error))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = self.stream()?.poll_shutdown(cx);
        result.map_err(|error| self.explain(error))
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        let Ok(mut wires) = self.wires.try_borrow_mut() else { return };
        wires.close(self.key, self.side);
        if (self.aborts || !self.unread.is_empty())
            && let Some(stream) = self.stream.take()
        {
            wires.aborting.push((self.key, self.side, stream));
        }
    }
}
