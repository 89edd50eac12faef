//! A scripted client: it writes what it is told, and gives the usual answers.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use halfopen_protocol::packet::{Ack, Disconnect, PacketId, QoS, Subscribe, Unsubscribe, UserProperties};
use halfopen_protocol::{Clock, DecodeOptions, Packet, ReasonCode, Role, Version, decode, encode};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::{Command, Env};
use crate::plan::{CloseHow, Outgoing, RawClientProgram};
use crate::world::network::Network;

/// As large as the receive window of the simulated sockets, which they announce anew only when a read empties half.
const READ_BUFFER: usize = 64 * 1024;

pub(super) async fn run<N: Network, C: Clock>(mut env: Env<N, C>, program: &RawClientProgram) {
    let mut peer = RawPeer::<N::Stream>::new(program);
    loop {
        match poll_fn(|cx| peer.poll(cx, &mut env)).await {
            Input::Command(command) => act(&mut peer, command, &env).await,
            Input::Arrived => peer.answer(),
            // The usual answer to the end of a connection is to close one's own side.
            Input::Ended => peer.stream = None,
            // The story has ended, the node lives on until the world does.
            Input::NoMoreCommands => std::future::pending().await,
        }
    }
}

async fn act<N: Network, C: Clock>(peer: &mut RawPeer<'_, N::Stream>, command: Command, env: &Env<N, C>) {
    match command {
        Command::Connect { clean_start } => {
            let mut connect = peer.program.connect.clone();
            connect.clean_start = clean_start.unwrap_or(connect.clean_start);
            peer.subscribe_on_connack = true;
            open(peer, env).await;
            peer.write(&Packet::Connect(Box::new(connect)));
        }
        Command::Open => open(peer, env).await,
        Command::Subscribe(subscriptions) => peer.subscribe(subscriptions),
        Command::Unsubscribe(filters) => {
            let packet_id = peer.next_id();
            let user_properties = UserProperties::new();
            peer.write(&Packet::Unsubscribe(Unsubscribe { packet_id, user_properties, filters }));
        }
        Command::Publish(mut publish) => {
            if publish.qos != QoS::AtMostOnce && publish.packet_id.is_none() {
                publish.packet_id = Some(peer.next_id());
            }
            peer.write(&Packet::Publish(publish));
        }
        Command::Disconnect(reason) => {
            peer.write(&Packet::Disconnect(Disconnect::new(reason)));
            close(peer).await;
        }
        Command::Close(CloseHow::Rst) => {
            if let Some(stream) = peer.stream.take() {
                env.network.abort(stream);
            }
        }
        Command::Close(CloseHow::Fin | CloseHow::Timeout) => close(peer).await,
        Command::Send(items) => peer.send(items),
        // There is nothing that it would do on its own.
        Command::StopPinging | Command::ResumePinging => {}
    }
}

/// Opens a connection in place of the one there was. That it was refused stands in the trace.
async fn open<N: Network, C: Clock>(peer: &mut RawPeer<'_, N::Stream>, env: &Env<N, C>) {
    peer.reset();
    if let Ok((stream, _)) = env.network.connect(peer.program.to).await {
        peer.stream = Some(stream);
    }
}

/// Writes what the socket takes at once, and closes in order.
async fn close<S: AsyncRead + AsyncWrite + Unpin>(peer: &mut RawPeer<'_, S>) {
    poll_fn(|cx| {
        let _ = peer.poll_write(cx);
        Poll::Ready(())
    })
    .await;
    if let Some(mut stream) = peer.stream.take() {
        // An error says that the connection is gone already, which is what was wanted.
        let _ = stream.shutdown().await;
    }
}

enum Input {
    Command(Command),
    Arrived,
    Ended,
    NoMoreCommands,
}

struct RawPeer<'a, S> {
    program: &'a RawClientProgram,
    stream: Option<S>,
    incoming: BytesMut,
    outgoing: BytesMut,
    read_buffer: Box<[u8]>,
    last_id: PacketId,
    subscribe_on_connack: bool,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> RawPeer<'a, S> {
    fn new(program: &'a RawClientProgram) -> Self {
        Self {
            program,
            stream: None,
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
            read_buffer: vec![0; READ_BUFFER].into(),
            last_id: PacketId::MAX,
            subscribe_on_connack: false,
        }
    }

    fn version(&self) -> Version {
        self.program.connect.version
    }

    fn reset(&mut self) {
        self.stream = None;
        self.incoming.clear();
        self.outgoing.clear();
    }

    /// What arrives comes before what is to be done, so that an order sees the state of its instant.
    fn poll<N, C>(&mut self, cx: &mut Context<'_>, env: &mut Env<N, C>) -> Poll<Input> {
        if self.poll_write(cx).is_err() {
            return Poll::Ready(Input::Ended);
        }
        if let Poll::Ready(read) = self.poll_read(cx) {
            return Poll::Ready(match read {
                Ok(0) | Err(_) => Input::Ended,
                Ok(_) => Input::Arrived,
            });
        }
        env.commands.poll_recv(cx).map(|command| command.map_or(Input::NoMoreCommands, Input::Command))
    }

    /// Writes as much as the socket takes. An error is the end of the connection.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        while !self.outgoing.is_empty() {
            match Pin::new(&mut *stream).poll_write(cx, &self.outgoing) {
                Poll::Ready(written) => self.outgoing.advance(written?),
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(stream) = &mut self.stream else { return Poll::Pending };
        let mut buffer = ReadBuf::new(&mut self.read_buffer);
        ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
        self.incoming.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Gives the usual answers to the packets that have arrived. What cannot be decoded has none.
    fn answer(&mut self) {
        let options = DecodeOptions { version: self.version(), reader: Role::Client, maximum_packet_size: 268_435_460 };
        loop {
            match decode(&mut self.incoming, &options) {
                Ok(Some(packet)) => self.answer_packet(&packet),
                Ok(None) => return,
                Err(_) => return self.incoming.clear(),
            }
        }
    }

    fn answer_packet(&mut self, packet: &Packet) {
        match packet {
            Packet::ConnAck(connack) => {
                let subscribes = std::mem::take(&mut self.subscribe_on_connack) && !self.program.subscribe.is_empty();
                if subscribes && connack.reason == ReasonCode::SUCCESS {
                    self.subscribe(self.program.subscribe.clone());
                }
            }
            _ if !self.program.answers => {}
            Packet::Publish(publish) => match (publish.qos, publish.packet_id) {
                (QoS::AtLeastOnce, Some(id)) => self.write(&Packet::PubAck(Ack::new(id))),
                (QoS::ExactlyOnce, Some(id)) => self.write(&Packet::PubRec(Ack::new(id))),
                _ => {}
            },
            Packet::PubRec(ack) => self.write(&Packet::PubRel(Ack::new(ack.packet_id))),
            Packet::PubRel(ack) => self.write(&Packet::PubComp(Ack::new(ack.packet_id))),
            _ => {}
        }
    }

    fn subscribe(&mut self, subscriptions: Vec<halfopen_protocol::packet::Subscription>) {
        let packet_id = self.next_id();
        self.write(&Packet::Subscribe(Subscribe {
            packet_id,
            subscription_id: None,
            user_properties: UserProperties::new(),
            subscriptions,
        }));
    }

    fn send(&mut self, items: Vec<Outgoing>) {
        for item in items {
            match item {
                Outgoing::Connect => self.write(&Packet::Connect(Box::new(self.program.connect.clone()))),
                Outgoing::Packet(packet) => self.write(&packet),
                Outgoing::Bytes(bytes) => self.outgoing.extend_from_slice(&bytes),
            }
        }
    }

    /// Queues a packet; without a connection it is lost. The loader has made sure that it can be encoded.
    fn write(&mut self, packet: &Packet) {
        if self.stream.is_some() {
            encode(packet, self.version(), &mut self.outgoing).expect("the plan holds only packets of its version");
        }
    }

    fn next_id(&mut self) -> PacketId {
        self.last_id = self.last_id.checked_add(1).unwrap_or(PacketId::MIN);
        self.last_id
    }
}
