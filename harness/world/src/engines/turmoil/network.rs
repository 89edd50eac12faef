use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use halfopen_protocol::Role;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};

use crate::connection_tap::ConnectionTap;
use crate::network::{AcceptPolicy, Network, Peer};
use crate::plan::{NodeId, Plan};
use crate::record::Recorder;
use crate::tap::{Socket, Tap};

const PORT: u16 = 1883;

/// The network of a node on `turmoil::Sim`.
#[derive(Clone)]
pub(super) struct TickedNetwork {
    plan: Arc<Plan>,
    node: NodeId,
    recorder: Recorder,
    /// Connections that were opened and are yet to be accepted, oldest first.
    opened: Rc<RefCell<VecDeque<Rc<ConnectionTap>>>>,
}

impl TickedNetwork {
    pub(super) fn new(plan: &Arc<Plan>, recorder: &Recorder) -> Self {
        Self { plan: Arc::clone(plan), node: NodeId(0), recorder: recorder.clone(), opened: Rc::default() }
    }

    /// The same network, seen from `node`.
    pub(super) fn on(&self, node: NodeId) -> Self {
        Self { node, ..self.clone() }
    }

    /// The oldest connection from the host with this address to this node that is yet to be accepted.
    fn take_opened(&self, from: IpAddr) -> Option<Rc<ConnectionTap>> {
        let name = turmoil::reverse_lookup(from)?;
        let mut opened = self.opened.borrow_mut();
        let is_it = |connection_tap: &Rc<ConnectionTap>| {
            self.plan.node(connection_tap.node(Role::Client)).name == name
                && connection_tap.node(Role::Server) == self.node
        };
        let place = opened.iter().position(is_it)?;
        opened.remove(place)
    }
}

impl Network for TickedNetwork {
    type Stream = Tap<TickedSocket>;
    type Listener = TcpListener;

    async fn listen(&self) -> io::Result<TcpListener> {
        TcpListener::bind(("0.0.0.0", PORT)).await
    }

    async fn accept(&self, listener: &mut TcpListener) -> io::Result<(Self::Stream, Peer)> {
        let (stream, address) = listener.accept().await?;
        let connection_tap = self.take_opened(address.ip()).expect("who connects has opened a connection");
        connection_tap.accepted();
        let peer = Peer {
            node: connection_tap.node(Role::Client),
            connection: connection_tap.connection(),
            number: connection_tap.number(),
        };
        Ok((Tap::new(TickedSocket { stream }, connection_tap, Role::Server), peer))
    }

    async fn connect(&self, to: NodeId) -> io::Result<(Self::Stream, Peer)> {
        let connection_tap = ConnectionTap::open(&self.recorder, &self.plan, self.node, to);
        self.opened.borrow_mut().push_back(Rc::clone(&connection_tap));
        let stream = TcpStream::connect((self.plan.node(to).name.as_str(), PORT)).await?;
        // turmoil's SYN-ACK arrives at the instant at which it is sent.
        tokio::time::sleep(self.plan.link(to, self.node).latency).await;
        self.recorder.established(connection_tap.connection(), self.node);
        let peer = Peer { node: to, connection: connection_tap.connection(), number: connection_tap.number() };
        Ok((Tap::new(TickedSocket { stream }, connection_tap, Role::Client), peer))
    }

    fn set_accept_policy(&self, _: Rc<dyn AcceptPolicy>) {
        // Plans in which a door is ever shut are refused before they run.
    }

    fn abort(&self, stream: Self::Stream) {
        stream.abort();
    }
}

/// A socket of `turmoil::Sim`.
pub(crate) struct TickedSocket {
    stream: TcpStream,
}

impl Socket for TickedSocket {
    fn has_unread(&mut self) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        let peeked = self.stream.poll_peek(&mut Context::from_waker(Waker::noop()), &mut buffer);
        matches!(peeked, Poll::Ready(Ok(1..)))
    }

    fn abort(&mut self) {
        // Plans that abort are refused before they run.
    }
}

impl AsyncRead for TickedSocket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for TickedSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
