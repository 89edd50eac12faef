use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use halfopen_protocol::packet::PacketId;
use halfopen_protocol::{DecodeOptions, Packet, Role, Version, decode, encode};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::carrying::TextFrames;
use crate::network::Peer;
use crate::plan::Outgoing;

/// The size of one read: that of the receive window of the simulated sockets, which they announce anew only when a read
/// empties half.
pub(super) const READ_BUFFER: usize = 64 * 1024;

/// A connection of a raw peer.
pub(super) struct Line<S> {
    stream: S,
    pub(super) peer: Peer,
    side: Role,
    pub(super) version: Version,
    /// True if it reads and answers nothing.
    pub(super) is_mute: bool,
    /// True if it reads what arrives.
    pub(super) reads: bool,
    incoming: BytesMut,
    outgoing: VecDeque<Written>,
}

/// Data that waits for the socket.
enum Written {
    Bytes(BytesMut),
    Text(Bytes),
}

impl<S: AsyncRead + AsyncWrite + TextFrames + Unpin> Line<S> {
    pub(super) fn new(stream: S, peer: Peer, side: Role, version: Version) -> Self {
        let (incoming, outgoing) = (BytesMut::new(), VecDeque::new());
        Self { stream, peer, side, version, is_mute: false, reads: true, incoming, outgoing }
    }

    /// Writes what there is, and reads what has come: how many bytes, or the end.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_write(cx)?;
        if !self.reads {
            return Poll::Pending;
        }
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        self.incoming.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Writes as much as the socket takes. An error is the end of the connection.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while let Some(first) = self.outgoing.front_mut() {
            let is_written = match first {
                Written::Bytes(bytes) => match Pin::new(&mut self.stream).poll_write(cx, bytes) {
                    Poll::Ready(written) => {
                        bytes.advance(written?);
                        bytes.is_empty()
                    }
                    Poll::Pending => break,
                },
                Written::Text(text) if self.stream.push_text(text) => true,
                Written::Text(_) => break,
            };
            if is_written {
                self.outgoing.pop_front();
            }
        }
        // What the transport has added may still wait.
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(flushed) => flushed,
            Poll::Pending => Ok(()),
        }
    }

    /// Bytes that are written behind all others.
    fn last(&mut self) -> &mut BytesMut {
        if !matches!(self.outgoing.back(), Some(Written::Bytes(_))) {
            self.outgoing.push_back(Written::Bytes(BytesMut::new()));
        }
        match self.outgoing.back_mut() {
            Some(Written::Bytes(bytes)) => bytes,
            _ => unreachable!("it has just been put there"),
        }
    }

    /// The packets that are whole. What cannot be decoded has no answer.
    pub(super) fn take_packets(&mut self) -> Vec<Packet> {
        let mut packets = Vec::new();
        loop {
            let options = DecodeOptions { version: self.version, reader: self.side, maximum_packet_size: 268_435_460 };
            match decode(&mut self.incoming, &options) {
                Ok(Some(packet)) => {
                    if let Packet::Connect(connect) = &packet {
                        self.version = connect.version;
                    }
                    packets.push(packet);
                }
                Ok(None) => return packets,
                Err(_) => {
                    self.incoming.clear();
                    return packets;
                }
            }
        }
    }

    /// Queues a packet.
    pub(super) fn write(&mut self, packet: &Packet) -> Result<(), String> {
        let version = self.version;
        let result = encode(packet, version, self.last());
        let instead = "what the standard does not have is sent as `bytes`";
        result
            .map_err(|error| format!("MQTT {} has no such {}: {error}; {instead}", self.version, packet.packet_type()))
    }

    /// Queues these in one piece; `own` is the CONNECT of the node, `answered` the packet id that answers repeat.
    pub(super) fn send(
        &mut self,
        items: &[Outgoing],
        own: Option<&Packet>,
        answered: Option<PacketId>,
    ) -> Result<(), String> {
        for item in items {
            match item {
                Outgoing::Connect => own.map_or(Ok(()), |connect| self.write(connect))?,
                Outgoing::Packet(packet) => self.write(packet)?,
                Outgoing::Reply(packet) => self.write(&with_id(packet.clone(), answered))?,
                Outgoing::Bytes(bytes) => self.last().extend_from_slice(bytes),
                Outgoing::Text(_) if !self.stream.has_text() => {
                    return Err("a text frame needs a broker with `transport: websocket`".to_owned());
                }
                Outgoing::Text(text) => self.outgoing.push_back(Written::Text(text.clone())),
            }
        }
        Ok(())
    }

    /// Writes what the socket takes at once, and closes in order.
    pub(super) async fn close(mut self) {
        std::future::poll_fn(|cx| {
            let _ = self.poll_write(cx);
            Poll::Ready(())
        })
        .await;
        // An error says that the connection is gone already, which is what was wanted.
        let _ = self.stream.shutdown().await;
    }

    /// The socket, for who ends it otherwise.
    pub(super) fn into_stream(self) -> S {
        self.stream
    }
}

fn with_id(mut packet: Packet, id: Option<PacketId>) -> Packet {
    let Some(id) = id else { return packet };
    match &mut packet {
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => ack.packet_id = id,
        Packet::SubAck(suback) => suback.packet_id = id,
        Packet::UnsubAck(unsuback) => unsuback.packet_id = id,
        _ => {}
    }
    packet
}
