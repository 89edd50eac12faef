use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use halfopen_protocol::{Role, Version};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Breach;
use super::edit::Editor;
use crate::network::{AcceptPolicy, Network, Peer};
use crate::plan::NodeId;

/// A network whose connections a breach changes, if there is one.
#[derive(Clone)]
pub(crate) struct BreachedNetwork<N: Network> {
    network: N,
    breaching: Option<Rc<Breaching<N>>>,
}

/// A breach, and what it has led to.
struct Breaching<N: Network> {
    breach: Breach,
    version: Version,
    /// Connections that should have been closed.
    left_open: RefCell<Vec<N::Stream>>,
}

impl<N: Network> BreachedNetwork<N> {
    /// Creates it for a program on this side; `version` is assumed until a CONNECT names one.
    pub(crate) fn new(network: N, breach: Option<Breach>, side: Role, version: Version) -> Self {
        let breach = breach.filter(|breach| breach.side() == side && breach.of_frames().is_none());
        let breaching = breach.map(|breach| Rc::new(Breaching { breach, version, left_open: RefCell::default() }));
        Self { network, breaching }
    }

    fn stream(&self, stream: N::Stream) -> BreachedStream<N> {
        let breached = self.breaching.as_ref().map(|breaching| {
            let editor = Editor::new(&breaching.breach.row().edit, breaching.breach.side(), breaching.version);
            (Box::new(editor), Rc::clone(breaching))
        });
        BreachedStream { stream: Some(stream), breached }
    }
}

impl<N: Network> Network for BreachedNetwork<N> {
    type Stream = BreachedStream<N>;
    type Listener = N::Listener;

    async fn listen(&self) -> io::Result<Self::Listener> {
        self.network.listen().await
    }

    async fn accept(&self, listener: &mut Self::Listener) -> io::Result<(Self::Stream, Peer)> {
        let (stream, peer) = self.network.accept(listener).await?;
        Ok((self.stream(stream), peer))
    }

    async fn connect(&self, to: NodeId) -> io::Result<(Self::Stream, Peer)> {
        let (stream, peer) = self.network.connect(to).await?;
        Ok((self.stream(stream), peer))
    }

    fn set_accept_policy(&self, policy: Rc<dyn AcceptPolicy>) {
        self.network.set_accept_policy(policy);
    }

    fn abort(&self, mut stream: Self::Stream) {
        if !stream.keeps_open() {
            stream.stream.take().into_iter().for_each(|stream| self.network.abort(stream));
        }
    }
}

/// A stream that a breach changes, if there is one.
pub(crate) struct BreachedStream<N: Network> {
    /// There until it is dropped.
    stream: Option<N::Stream>,
    breached: Option<(Box<Editor>, Rc<Breaching<N>>)>,
}

impl<N: Network> BreachedStream<N> {
    fn keeps_open(&self) -> bool {
        self.breached.as_ref().is_some_and(|(editor, _)| editor.keeps_open())
    }

    fn parts(&mut self) -> (Pin<&mut N::Stream>, Option<&mut Editor>) {
        let stream = self.stream.as_mut().expect("nothing is done with a stream that was dropped");
        (Pin::new(stream), self.breached.as_mut().map(|(editor, _)| &mut **editor))
    }

    /// Writes what waits for the socket.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let (stream, Some(editor)) = self.parts() else { return Poll::Ready(Ok(())) };
            if editor.outgoing.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let count = ready!(stream.poll_write(cx, &editor.outgoing))?;
            editor.outgoing.advance(count);
        }
    }
}

impl<N: Network> AsyncRead for BreachedStream<N> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // What the socket did not take may be taken now; an error shows at the next write.
        let _ = self.poll_drain(cx);
        let (mut stream, editor) = self.parts();
        let Some(editor) = editor else { return stream.poll_read(cx, buf) };
        if !editor.filters_input() {
            let before = buf.filled().len();
            ready!(stream.poll_read(cx, buf))?;
            editor.look_at(&buf.filled()[before..]);
            return Poll::Ready(Ok(()));
        }
        while editor.incoming.is_empty() {
            let mut chunk = [0; 4096];
            let mut read = ReadBuf::new(&mut chunk);
            ready!(stream.as_mut().poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            editor.receive(read.filled());
        }
        let count = editor.incoming.len().min(buf.remaining());
        buf.put_slice(&editor.incoming.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl<N: Network> AsyncWrite for BreachedStream<N> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let (stream, editor) = self.parts();
        let Some(editor) = editor else { return stream.poll_write(cx, buf) };
        editor.write(buf);
        match self.poll_drain(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(buf.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        self.parts().0.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        if self.keeps_open() {
            return Poll::Ready(Ok(()));
        }
        self.parts().0.poll_shutdown(cx)
    }
}

impl<N: Network> Drop for BreachedStream<N> {
    fn drop(&mut self) {
        if self.keeps_open()
            && let Some((_, breaching)) = &self.breached
        {
            breaching.left_open.borrow_mut().extend(self.stream.take());
        }
    }
}
