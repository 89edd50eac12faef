use std::cell::RefCell;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use mio::event::{Event, Source};
use mio::{Events, Interest, Registry, Token, net};
use slab::Slab;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::yield_now;

/// Number of sockets about which the system tells at once.
const EVENTS: usize = 1024;

/// Number of times that the reactor looks for more before it sleeps. To be woken costs both sides more than this, and one
/// event is often followed by another.
const LOOKS: u32 = 20;

/// The system says anew that there is something to read if a read left nothing behind: it need not be asked again.
const SHORT_READ_IS_LAST: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Waits for all sockets of the server together.
pub(crate) struct Reactor {
    poll: mio::Poll,
    sockets: Rc<Sockets>,
}

struct Sockets {
    registry: Registry,
    states: RefCell<Slab<State>>,
}

/// The state of one socket.
struct State {
    ready: u8,
    /// Wakes the connection, which waits for this socket.
    waker: Option<Waker>,
}

const READABLE: u8 = 1;
const WRITABLE: u8 = 2;
/// The bit that says that nothing comes after what can be read now.
const READ_CLOSED: u8 = 4;

impl Reactor {
    pub(crate) fn new() -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        let sockets = Rc::new(Sockets { registry: poll.registry().try_clone()?, states: RefCell::default() });
        Ok(Self { poll, sockets })
    }

    /// Listens on an address.
    pub(crate) fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        Socket::new(net::TcpListener::bind(address)?, &self.sockets).map(TcpListener)
    }

    /// Wakes what waits for a socket. Completes only with an error.
    pub(crate) async fn run(self) -> io::Error {
        match self.wake_for_ever().await {
            Ok(never) => never,
            Err(error) => error,
        }
    }

    async fn wake_for_ever(self) -> io::Result<io::Error> {
        #[expect(
            deprecated,
            reason = "what takes its place is unsafe; a poll keeps its descriptor until it is dropped"
        )]
        let mut poll = AsyncFd::with_interest(self.poll, tokio::io::Interest::READABLE)?;
        let mut events = Events::with_capacity(EVENTS);
        loop {
            poll.readable().await?.clear_ready();
            let mut idle = 0;
            while idle < LOOKS {
                match poll.get_mut().poll(&mut events, Some(Duration::ZERO)) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    result => result?,
                }
                if events.iter().map(|event| self.sockets.handle(event)).count() == 0 {
                    idle += 1;
                    thread::yield_now();
                } else {
                    idle = 0;
                }
                // What was woken has its turn.
                yield_now().await;
            }
        }
    }
}

impl Sockets {
    fn handle(&self, event: &Event) {
        let mut states = self.states.borrow_mut();
        // The socket may have been dropped since.
        let Some(state) = states.get_mut(event.token().0) else { return };
        let before = state.ready;
        // An error shows at the next read or write, whichever that is.
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            state.ready |= READABLE;
        }
        if event.is_writable() || event.is_write_closed() || event.is_error() {
            state.ready |= WRITABLE;
        }
        if event.is_read_closed() || event.is_error() {
            state.ready |= READ_CLOSED;
        }
        let waker = if state.ready == before { None } else { state.waker.take() };
        drop(states);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// A socket that is registered until it is dropped.
struct Socket<T> {
    io: T,
    key: u32,
    sockets: Rc<Sockets>,
}

impl<T: Source> Socket<T> {
    /// Registers a socket: the system tells soon if something has happened on it already.
    fn new(mut io: T, sockets: &Rc<Sockets>) -> io::Result<Self> {
        let key = sockets.states.borrow_mut().insert(State { ready: WRITABLE, waker: None });
        // From here on dropping it removes the state.
        let key = u32::try_from(key).map_err(io::Error::other)?;
        sockets.registry.register(&mut io, Token(key as usize), Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { io, key, sockets: Rc::clone(sockets) })
    }
}

impl<T> Socket<T> {
    /// Does something that does not block if the socket is ready for it, which `needs` says.
    fn poll<R>(
        &mut self,
        needs: u8,
        cx: &Context<'_>,
        mut operation: impl FnMut(&mut T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        loop {
            if !self.with_state(|state| state.is_ready(needs, cx)) {
                return Poll::Pending;
            }
            match operation(&mut self.io) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.with_state(|state| state.ready &= !needs);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn with_state<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut self.sockets.states.borrow_mut()[self.key as usize])
    }
}

impl State {
    /// Returns whether one of `needs` is there; if not, the waker of `cx` is registered.
    fn is_ready(&mut self, needs: u8, cx: &Context<'_>) -> bool {
        let is_ready = self.ready & needs != 0;
        if !is_ready && !self.waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
        }
        is_ready
    }
}

impl<T> Drop for Socket<T> {
    fn drop(&mut self) {
        // The system forgets the socket when it is closed, which is now.
        self.sockets.states.borrow_mut().remove(self.key as usize);
    }
}

/// A port on which connections come.
pub(crate) struct TcpListener(Socket<net::TcpListener>);

impl TcpListener {
    /// Returns where it listens.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.io.local_addr()
    }

    /// Accepts a connection.
    pub(crate) fn poll_accept(&mut self, cx: &Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let accepted = self.0.poll(READABLE, cx, |listener| listener.accept());
        accepted.map(|accepted| {
            let (stream, peer) = accepted?;
            Ok((TcpStream(Socket::new(stream, &self.0.sockets)?), peer))
        })
    }
}

/// A connection.
pub(crate) struct TcpStream(Socket<net::TcpStream>);

impl TcpStream {
    /// Sends small pieces of data at once (`TCP_NODELAY`).
    pub(crate) fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.0.io.set_nodelay(nodelay)
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let free = buffer.initialize_unfilled();
        let read = self.0.poll(READABLE, cx, |stream| stream.read(free));
        let (room, length) = match read {
            Poll::Ready(Ok(length)) => (free.len(), length),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        };
        buffer.advance(length);
        if SHORT_READ_IS_LAST && 0 < length && length < room {
            self.0.with_state(|state| {
                if state.ready & READ_CLOSED == 0 {
                    state.ready &= !READABLE;
                }
            });
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll(WRITABLE, cx, |stream| stream.write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll(WRITABLE, cx, |stream| match pieces {
            [piece] => stream.write(piece),
            pieces => stream.write_vectored(pieces),
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.io.shutdown(Shutdown::Write))
    }
}
