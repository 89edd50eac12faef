use std::time::Duration;

use bytes::{Bytes, BytesMut};
use halfopen_protocol::packet::{Ack, ConnAck, PacketId, Publish, QoS, SubAck, UserProperties};
use halfopen_protocol::{Instant, Packet, PacketType, ReasonCode, Version, encode};

use crate::core::{Client, DisconnectReason, Event, Options, Output, Timer, Token};

/// A client, a clock, and what the client has said since it was last asked.
pub(super) struct Bench {
    pub(super) client: Client,
    pub(super) now: Instant,
    outputs: Vec<Output>,
}

pub(super) fn options(version: Version, keep_alive: u16) -> Options {
    let mut options = Options::new(version, "c");
    options.connect.keep_alive = keep_alive;
    options
}

impl Bench {
    /// A client that nobody has told to connect, at 100 s.
    pub(super) fn new(options: Options) -> Self {
        Self { client: Client::new(options, 7), now: Instant::from_secs(100), outputs: Vec::new() }
    }

    /// A client whose CONNECT was sent at 100 s and answered at once, without a session.
    pub(super) fn connected(options: Options) -> Self {
        Self::connected_with(options, ConnAck::default())
    }

    /// The same with this CONNACK.
    pub(super) fn connected_with(options: Options, connack: ConnAck) -> Self {
        let mut bench = Self::new(options);
        bench.client.connect(bench.now);
        bench.accept(connack);
        bench.take();
        bench
    }

    /// The attempt that the client asked for succeeds with this CONNACK.
    pub(super) fn accept(&mut self, connack: ConnAck) {
        self.client.handle_connected(self.now);
        self.receive(Packet::from(connack));
    }

    /// The connection is reset; the client is connected anew with this answer to whether there is a session.
    pub(super) fn reconnect(&mut self, session_present: bool) {
        self.client.handle_closed(self.now, crate::core::Transport::Reset);
        self.client.connect_with(self.now, !session_present);
        self.take();
        self.accept(ConnAck { session_present, ..ConnAck::default() });
    }

    pub(super) fn version(&self) -> Version {
        self.client.options().connect.version
    }

    /// The broker sends this.
    #[expect(clippy::needless_pass_by_value, reason = "so that a test can say the packet where it is sent")]
    pub(super) fn receive(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        encode(&packet, self.version(), &mut bytes).expect("the test's packet is valid");
        self.client.handle_bytes(self.now, &bytes);
    }

    /// Goes to `at` and calls nobody.
    pub(super) fn jump(&mut self, at: Instant) {
        self.now = at;
    }

    /// Lets time pass up to and including `until`, calling the client back whenever it wants to be.
    pub(super) fn run(&mut self, until: Instant) {
        while let Some((due, _)) = self.client.poll_timeout().filter(|(due, _)| *due <= until) {
            self.now = self.now.max(due);
            self.client.handle_timeout(self.now);
        }
        self.now = until;
    }

    /// What the client wants to be called back for, after checking that it does nothing one millisecond before.
    pub(super) fn due(&mut self) -> Option<(Instant, Timer)> {
        let (due, timer) = self.client.poll_timeout()?;
        let before = Instant::new(due.since_origin().saturating_sub(Duration::from_millis(1)));
        if before > self.now {
            self.collect();
            let count = self.outputs.len();
            self.client.handle_timeout(before);
            self.collect();
            assert_eq!(self.outputs.len(), count, "acted before it was due");
        }
        Some((due, timer))
    }

    /// Calls the client back when it wants to be, and says when that was.
    pub(super) fn wake(&mut self) -> Option<(Instant, Timer)> {
        let (due, timer) = self.due()?;
        self.now = due;
        self.client.handle_timeout(due);
        Some((due, timer))
    }

    fn collect(&mut self) {
        while let Some(output) = self.client.poll_output() {
            self.outputs.push(output);
        }
    }

    /// Everything since it was last asked.
    pub(super) fn take(&mut self) -> Vec<Output> {
        self.collect();
        std::mem::take(&mut self.outputs)
    }

    /// The packets sent since it was last asked; all else is dropped.
    pub(super) fn sent(&mut self) -> Vec<Packet> {
        sent(self.take())
    }

    /// Their types.
    pub(super) fn sent_types(&mut self) -> Vec<PacketType> {
        self.sent().iter().map(Packet::packet_type).collect()
    }

    /// The events since it was last asked, without those that are for logs.
    pub(super) fn events(&mut self) -> Vec<Event> {
        let is_news = |event: &Event| !matches!(event, Event::Sending(_) | Event::Received(_));
        let outputs = self.take().into_iter();
        outputs
            .filter_map(|output| match output {
                Output::Event(event) if is_news(&event) => Some(event),
                _ => None,
            })
            .collect()
    }

    /// Why the connection ended, if it did since it was last asked.
    pub(super) fn ended(&mut self) -> Option<DisconnectReason> {
        self.events().into_iter().find_map(|event| match event {
            Event::Disconnected { reason, .. } => Some(reason),
            _ => None,
        })
    }

    pub(super) fn publish(&mut self, qos: QoS, payload: &'static str) -> Token {
        self.client.publish(self.now, message(qos, payload)).expect("the message is fine and there is room")
    }
}

/// The packets sent among these, after checking that the bytes are theirs.
pub(super) fn sent(outputs: Vec<Output>) -> Vec<Packet> {
    outputs
        .into_iter()
        .filter_map(|output| match output {
            Output::Event(Event::Sending(packet)) => Some(packet),
            _ => None,
        })
        .collect()
}

pub(super) fn message(qos: QoS, payload: &'static str) -> Publish {
    Publish { qos, topic: "a/b".into(), payload: Bytes::from_static(payload.as_bytes()), ..Publish::default() }
}

pub(super) fn incoming(qos: QoS, id: u16, payload: &'static str) -> Packet {
    Packet::from(Publish { packet_id: PacketId::new(id), ..message(qos, payload) })
}

pub(super) fn id(id: u16) -> PacketId {
    PacketId::new(id).expect("not 0")
}

pub(super) fn ack(packet_id: u16) -> Ack {
    Ack::new(id(packet_id))
}

pub(super) fn suback(packet_id: u16, reasons: &[u8]) -> Packet {
    Packet::SubAck(SubAck {
        packet_id: id(packet_id),
        reason_string: None,
        user_properties: UserProperties::new(),
        reasons: reasons.iter().copied().map(ReasonCode::new).collect(),
    })
}

/// Each PUBLISH and PUBREL as `PUBLISH 1 dup payload`, all other packets as their names.
pub(super) fn brief(packets: &[Packet]) -> Vec<String> {
    packets
        .iter()
        .map(|packet| match packet {
            Packet::Publish(publish) => {
                let id = publish.packet_id.map_or(0, PacketId::get);
                let dup = if publish.dup { " dup" } else { "" };
                format!("PUBLISH {id}{dup} {}", String::from_utf8_lossy(&publish.payload))
            }
            Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
                format!("{} {}", packet.packet_type(), ack.packet_id)
            }
            Packet::Subscribe(subscribe) => {
                let filters: Vec<_> =
                    subscribe.subscriptions.iter().map(|subscription| &*subscription.filter).collect();
                format!("SUBSCRIBE {} {}", subscribe.packet_id, filters.join(" "))
            }
            Packet::Unsubscribe(unsubscribe) => {
                format!("UNSUBSCRIBE {} {}", unsubscribe.packet_id, unsubscribe.filters.join(" "))
            }
            packet => packet.packet_type().name().to_owned(),
        })
        .collect()
}
