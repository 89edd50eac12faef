use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite as _;

use crate::network::{Network, Peer};

/// As much of a connection is kept to find out who the client is.
const FIRST: usize = 4096;

/// A connection between the world and a socket of the process.
pub(super) struct Carried<N: Network> {
    pub(super) stream: N::Stream,
    pub(super) peer: Peer,
    /// What the process has sent and the world has not taken.
    pub(super) out: VecDeque<u8>,
    /// What has arrived and the process's socket had no room for.
    pub(super) back: Vec<u8>,
    /// What has arrived first, until it tells who the client is.
    first: Vec<u8>,
    pub(super) client_id: Option<String>,
    /// More may arrive.
    pub(super) reads: bool,
    /// What follows when all is sent.
    pub(super) then: Then,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    GoOn,
    /// FIN, but it still reads.
    Finish,
    Finished,
}

impl<N: Network> Carried<N> {
    pub(super) fn new(stream: N::Stream, peer: Peer) -> Self {
        let (out, back, first) = Default::default();
        Self { stream, peer, out, back, first, client_id: None, reads: true, then: Then::GoOn }
    }

    /// Reads who the client is from its CONNECT, however many pieces that comes in.
    pub(super) fn learn_client_id(&mut self, bytes: &[u8]) {
        if self.client_id.is_none() && self.first.len() < FIRST {
            self.first.extend_from_slice(bytes);
            self.client_id = client_id(&self.first);
        }
    }

    /// Writes what is to be sent; ready when all is, and its end, too.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let (first, _) = self.out.as_slices();
            match Pin::new(&mut self.stream).poll_write(cx, first) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => drop(self.out.drain(..count)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.then == Then::Finish {
            match Pin::new(&mut self.stream).poll_shutdown(cx) {
                Poll::Ready(Ok(())) => self.then = Then::Finished,
                other => return other,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Returns the identifier of the client whose CONNECT these bytes begin with, as far as they are there (§3.1).
fn client_id(bytes: &[u8]) -> Option<String> {
    let variable = |from: usize| bytes.get(from..)?.iter().take(4).position(|byte| byte & 0x80 == 0).map(|at| at + 1);
    let length = |at: usize| Some(usize::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?])));
    if bytes.first()? >> 4 != 1 {
        return None;
    }
    let name = 1 + variable(1)?;
    let version = name + 2 + length(name)?;
    // Version, flags and keep-alive.
    let mut at = version + 4;
    if *bytes.get(version)? == 5 {
        let digits = variable(at)?;
        let properties =
            bytes.get(at..at + digits)?.iter().rev().fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7f));
        at += digits + properties;
    }
    let id = bytes.get(at + 2..at + 2 + length(at)?)?;
    String::from_utf8(id.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::of_3_1_1(b"\x10\x0f\0\x04MQTT\x04\x02\0\x3c\0\x03abc", Some("abc"))]
    #[case::of_5_0_with_properties(b"\x10\x15\0\x04MQTT\x05\x02\0\x3c\x05\x11\0\0\0\x0a\0\x03abc", Some("abc"))]
    #[case::without_its_end(b"\x10\x0f\0\x04MQTT\x04\x02\0\x3c\0\x03ab", None)]
    #[case::of_nothing(b"", None)]
    #[case::of_another_packet(b"\xc0\0", None)]
    #[case::with_a_length_beyond_all(b"\x10\xff\xff\xff\xff\x04MQTT", None)]
    fn client_is_known_by_its_connect(#[case] bytes: &[u8], #[case] id: Option<&str>) {
        assert_eq!(client_id(bytes).as_deref(), id);
    }
}
