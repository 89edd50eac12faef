use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use halfopen_protocol::{PacketType, Role};
use halfopen_tcp::{ConnectionId, Read, Side, SocketError, Write};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::fabric::{Fabric, SocketWait, host};
use crate::connection_tap::ConnectionTap;
use crate::network::{AcceptPolicy, Network, Peer};
use crate::plan::NodeId;
use crate::tap::{Socket, Tap, failure};
use crate::trace::Transmission;

/// The network as a node of the simulation sees it.
#[derive(Clone)]
pub(crate) struct SimNetwork {
    node: NodeId,
    fabric: Rc<RefCell<Fabric>>,
}

/// A node's bound port; nobody listens any more once it is dropped.
pub(crate) struct SimListener {
    node: NodeId,
    fabric: Rc<RefCell<Fabric>>,
}

/// A node's end of a connection, without its tap.
pub(crate) struct SimSocket {
    node: NodeId,
    socket: halfopen_tcp::Socket,
    aborts: bool,
    fabric: Rc<RefCell<Fabric>>,
}

impl SimNetwork {
    /// Returns the network as `node` sees it.
    pub(super) fn new(node: NodeId, fabric: &Rc<RefCell<Fabric>>) -> Self {
        Self { node, fabric: Rc::clone(fabric) }
    }

    fn tapped(&self, id: ConnectionId, connection_tap: Rc<ConnectionTap>, role: Role) -> (Tap<SimSocket>, Peer) {
        let (side, other) = match role {
            Role::Client => (Side::Client, Role::Server),
            Role::Server => (Side::Server, Role::Client),
        };
        let (connection, number) = (connection_tap.connection(), connection_tap.number());
        let peer = Peer { node: connection_tap.node(other), connection, number };
        let socket = halfopen_tcp::Socket::new(id, side);
        let socket = SimSocket { node: self.node, socket, aborts: false, fabric: Rc::clone(&self.fabric) };
        (Tap::new(socket, connection_tap, role), peer)
    }
}

impl Network for SimNetwork {
    type Stream = Tap<SimSocket>;
    type Listener = SimListener;

    async fn listen(&self) -> io::Result<SimListener> {
        self.fabric.borrow_mut().tcp.listen(host(self.node)).map_err(into_io)?;
        Ok(SimListener { node: self.node, fabric: Rc::clone(&self.fabric) })
    }

    async fn accept(&self, listener: &mut SimListener) -> io::Result<(Self::Stream, Peer)> {
        let (id, connection_tap) = poll_fn(|cx| {
            let mut fabric = self.fabric.borrow_mut();
            // A connection that ended before anybody took it is not seen by the program.
            while let Some(id) = fabric.tcp.accept(host(listener.node)) {
                if let Some(connection_tap) = fabric.connection_tap(id) {
                    return Poll::Ready((id, connection_tap));
                }
            }
            fabric.host_mut(listener.node).accepting = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
        connection_tap.accepted();
        Ok(self.tapped(id, connection_tap, Role::Server))
    }

    async fn connect(&self, to: NodeId) -> io::Result<(Self::Stream, Peer)> {
        let mut dialing = Dialing::new(self, to);
        let result = poll_fn(|cx| dialing.poll(cx)).await;
        let connection_tap = Rc::clone(&dialing.connection_tap);
        match result {
            Ok(()) => {
                let (stream, peer) = self.tapped(dialing.id, connection_tap, Role::Client);
                self.fabric.borrow().recorder.established(peer.connection, self.node);
                Ok((stream, peer))
            }
            Err(error) => {
                let end = if error == SocketError::TimedOut { Transmission::TimedOut } else { Transmission::Rst };
                connection_tap.saw_end(Role::Client, end);
                Err(into_io(error))
            }
        }
    }

    fn set_accept_policy(&self, policy: Rc<dyn AcceptPolicy>) {
        self.fabric.borrow_mut().host_mut(self.node).policy = Some(policy);
    }

    fn abort(&self, stream: Self::Stream) {
        stream.abort();
    }
}

/// A connection attempt; given up when it is dropped before it has a result.
struct Dialing {
    id: ConnectionId,
    connection_tap: Rc<ConnectionTap>,
    fabric: Rc<RefCell<Fabric>>,
    is_over: bool,
}

impl Dialing {
    fn new(network: &SimNetwork, to: NodeId) -> Self {
        let mut fabric = network.fabric.borrow_mut();
        let connection_tap = ConnectionTap::open(&fabric.recorder, &fabric.plan, network.node, to);
        let id = fabric.connect(network.node, to, Rc::clone(&connection_tap));
        drop(fabric);
        Self { id, connection_tap, fabric: Rc::clone(&network.fabric), is_over: false }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        let mut fabric = self.fabric.borrow_mut();
        match fabric.tcp.connect_result(self.id) {
            Some(result) => {
                self.is_over = true;
                Poll::Ready(result)
            }
            None => {
                let socket = halfopen_tcp::Socket::new(self.id, Side::Client);
                fabric.wake_when(socket, SocketWait::Connect, cx.waker());
                Poll::Pending
            }
        }
    }
}

impl Drop for Dialing {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        // The fabric is in use only when a panic unwinds through it.
        if let Ok(mut fabric) = self.fabric.try_borrow_mut() {
            fabric.tcp.cancel_connect(self.id);
        }
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        if let Ok(mut fabric) = self.fabric.try_borrow_mut() {
            fabric.host(self.node).into_iter().for_each(|host| host.policy = None);
            fabric.tcp.stop_listening(host(self.node));
        }
    }
}

impl Socket for SimSocket {
    fn has_unread(&mut self) -> bool {
        self.fabric.try_borrow().is_ok_and(|fabric| fabric.tcp.unread(self.socket) > 0)
    }

    fn waiting_end(&mut self) -> Option<Transmission> {
        match self.fabric.try_borrow().ok()?.tcp.pending_end(self.socket)? {
            Ok(()) => Some(Transmission::Fin),
            Err(error) => failure(&into_io(error)),
        }
    }

    fn abort(&mut self) {
        self.aborts = true;
    }

    fn is_powerless(&self) -> bool {
        self.fabric.try_borrow().is_ok_and(|fabric| fabric.tcp.is_down(host(self.node)))
    }

    fn about_to_leave(&mut self, packet: PacketType) {
        self.fabric.borrow_mut().about_to_leave(self.socket, packet);
    }
}

impl AsyncRead for SimSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut fabric = self.fabric.borrow_mut();
        if fabric.host(self.node).is_some_and(|host| !host.may_read(cx.waker())) {
            return Poll::Pending;
        }
        let count = fabric.tcp.unread(self.socket).min(buf.remaining());
        match fabric.tcp.read(self.socket, buf.initialize_unfilled_to(count)) {
            Read::Bytes(count) => {
                buf.advance(count);
                Poll::Ready(Ok(()))
            }
            Read::End => Poll::Ready(Ok(())),
            Read::Blocked => {
                fabric.wake_when(self.socket, SocketWait::Read, cx.waker());
                Poll::Pending
            }
            Read::Failed(error) => Poll::Ready(Err(into_io(error))),
        }
    }
}

impl AsyncWrite for SimSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut fabric = self.fabric.borrow_mut();
        match fabric.tcp.write(self.socket, buf) {
            Write::Bytes(count) => Poll::Ready(Ok(count)),
            Write::Blocked => {
                fabric.wake_when(self.socket, SocketWait::Write, cx.waker());
                Poll::Pending
            }
            Write::Failed(error) => Poll::Ready(Err(into_io(error))),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.fabric.borrow_mut().tcp.shutdown(self.socket).map_err(into_io))
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        let Ok(mut fabric) = self.fabric.try_borrow_mut() else { return };
        match self.aborts {
            true => fabric.tcp.abort(self.socket),
            false => fabric.tcp.close(self.socket),
        }
    }
}

/// Returns the error as a program sees it.
fn into_io(error: SocketError) -> io::Error {
    match error {
        SocketError::Refused => io::ErrorKind::ConnectionRefused,
        SocketError::Reset => io::ErrorKind::ConnectionReset,
        SocketError::TimedOut => io::ErrorKind::TimedOut,
        SocketError::ShutDown => io::ErrorKind::BrokenPipe,
        SocketError::AddressInUse => io::ErrorKind::AddrInUse,
    }
    .into()
}
