//! Plans and traces made by hand, for the tests of what reads them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use halfopen_protocol::packet::{Connect, Publish};
use halfopen_protocol::{Packet, PacketType, ReasonCode, Version};

use super::{ConnectionId, Event, EventKind, NodeFault, Since, Trace, Transmission};
use crate::{
    Because, Conditions, CountRange, EventRef, Expectation, ExpectationId, LinkSettings, Moment, Node, NodeId, Ordinal,
    Origins, PacketKind, PacketPattern, Plan, Point, Position, Program, RawClientProgram, RunName, Seed, Source, Step,
    StepId, StepKind, Verb,
};

/// The only broker of the plan.
pub const BROKER: NodeId = NodeId(0);
/// A client.
pub const SENSOR: NodeId = NodeId(1);
/// Another client.
pub const WATCHER: NodeId = NodeId(2);

/// A plan with the three nodes, no steps and no expectations.
pub fn plan() -> Plan {
    let raw = |name: &str| {
        let program = RawClientProgram {
            connect: Connect::new(Version::V5_0, name),
            to: BROKER,
            subscribe: Vec::new(),
            answers: crate::Answers::default(),
        };
        Node::new(name, Program::RawClient(Box::new(program)))
    };
    let broker = Node::new("broker", Program::Broker(Box::default()));
    Plan {
        run: RunName { scenario: "area/story".to_owned(), version: Version::V5_0, parameters: Vec::new() },
        source: Arc::new(Source {
            path: "scenarios/area/story.yaml".to_owned(),
            text: String::new(),
            ..Source::default()
        }),
        version: Version::V5_0,
        seed: Seed(1),
        nodes: vec![broker, raw("sensor"), raw("watcher")],
        links: Vec::new(),
        network: LinkSettings::default(),
        middleboxes: Vec::new(),
        steps: Vec::new(),
        expectations: Vec::new(),
        waived: Vec::new(),
        clauses: Vec::new(),
        until: None,
        tolerance: Duration::ZERO,
        origins: origins(),
        fragments: Vec::new(),
        conditions: Conditions::default(),
    }
}

/// The step and the expectation with the id n stand in line n.
fn origins() -> Origins {
    let mut origins = Origins::default();
    for line in 0..100 {
        origins.add_step(position(line));
        origins.add_expectation(position(line));
    }
    origins
}

/// A step that stands in this line.
pub fn step(line: u32, text: &str, kind: StepKind) -> Step {
    Step { id: StepId(line), text: text.to_owned(), kind }
}

/// Returns a place in this line of the scenario.
pub fn position(line: u32) -> Position {
    Position::new(line, 3)
}

/// Writes a trace as a story: what is sent arrives 10 ms later unless it is lost.
#[derive(Default)]
pub struct TraceBuilder {
    now: Duration,
    /// Events with the time at which they happen, not yet in order. Those sent name their arrival by the same number.
    events: Vec<(Duration, Option<usize>, EventKind)>,
    sent: usize,
}

impl TraceBuilder {
    /// Creates a story in which nothing has happened yet, at 0 ms.
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on at this time, in milliseconds.
    pub fn at(&mut self, ms: u64) -> &mut Self {
        self.now = Duration::from_millis(ms);
        self
    }

    /// Adds an event at the current time.
    pub fn event(&mut self, kind: EventKind) -> &mut Self {
        self.events.push((self.now, None, kind));
        self
    }

    /// Adds the beginning of the step in this line.
    pub fn step(&mut self, line: u32, text: &str) -> &mut Self {
        self.event(EventKind::Step { step: StepId(line), text: text.to_owned() })
    }

    /// Adds a named instant.
    pub fn mark(&mut self, name: &str) -> &mut Self {
        self.event(EventKind::Mark(name.to_owned()))
    }

    /// Adds a change of a node.
    pub fn change(&mut self, node: NodeId, change: NodeFault) -> &mut Self {
        self.event(EventKind::Node { node, change })
    }

    /// Sends an item that arrives after 10 ms.
    pub fn item(&mut self, connection: u32, from: NodeId, to: NodeId, item: Transmission) -> &mut Self {
        let arrival = self.now + Duration::from_millis(10);
        self.item_until(connection, from, to, item, Some(arrival))
    }

    /// Sends an item that never arrives.
    pub fn lost(&mut self, connection: u32, from: NodeId, to: NodeId, item: Transmission) -> &mut Self {
        self.item_until(connection, from, to, item, None)
    }

    /// Sends a packet that arrives after 10 ms.
    pub fn packet(&mut self, connection: u32, from: NodeId, to: NodeId, packet: Packet) -> &mut Self {
        self.item(connection, from, to, Transmission::from(packet))
    }

    /// Adds the statement of a node that it closes a connection. `since` is the packet from which a time-out was
    /// counted, when that was and when the time-out was due, in milliseconds.
    pub fn closing(
        &mut self,
        connection: u32,
        node: NodeId,
        peer: NodeId,
        because: Because,
        since: Option<(PacketType, u64, u64)>,
    ) -> &mut Self {
        let since = since.map(|(packet, at, due)| Since {
            packet: Some(packet),
            at: Duration::from_millis(at),
            due: Duration::from_millis(due),
        });
        self.event(EventKind::Closing { node, peer, connection: ConnectionId(connection), because, since })
    }

    /// A client connects: 40 ms pass, as they do in the simulated world.
    pub fn connect(&mut self, connection: u32, client: NodeId, packet: Connect) -> &mut Self {
        let begun = ms(self.now);
        self.item(connection, client, BROKER, Transmission::Open);
        self.at(begun + 20).packet(connection, client, BROKER, Packet::from(packet));
        self.at(begun + 30).packet(connection, BROKER, client, Packet::ConnAck(Default::default()));
        self.at(begun + 40)
    }

    /// The trace, over at this time in milliseconds.
    pub fn end(&mut self, end: u64) -> Trace {
        let mut events = std::mem::take(&mut self.events);
        events.sort_by_key(|(at, ..)| *at);
        let place = |number: usize, is_sent: bool| {
            events
                .iter()
                .position(|(_, n, kind)| *n == Some(number) && matches!(kind, EventKind::Sent { .. }) == is_sent)
        };
        let mut finished = Vec::new();
        for (at, number, kind) in &events {
            let mut kind = kind.clone();
            if let EventKind::Received { sent, .. } = &mut kind {
                *sent = number.and_then(|number| place(number, true));
            }
            finished.push(Event { at: *at, kind });
        }
        Trace { events: finished, end: Duration::from_millis(end) }
    }

    fn item_until(
        &mut self,
        connection: u32,
        from: NodeId,
        to: NodeId,
        item: Transmission,
        arrival: Option<Duration>,
    ) -> &mut Self {
        let connection = ConnectionId(connection);
        self.sent += 1;
        self.events.push((
            self.now,
            Some(self.sent),
            EventKind::Sent { connection, from, to, item: item.clone(), arrival },
        ));
        if let Some(arrival) = arrival {
            self.events.push((
                arrival,
                Some(self.sent),
                EventKind::Received { connection, from, to, item, sent: None },
            ));
        }
        self
    }
}

fn ms(duration: Duration) -> u64 {
    duration.as_millis().try_into().expect("a time of a test fits")
}

/// A CONNECT with this keep-alive in seconds.
pub fn connect(client_id: &str, keep_alive: u16) -> Connect {
    Connect { keep_alive, ..Connect::new(Version::V5_0, client_id) }
}

/// A PUBLISH at QoS 0.
pub fn publish(topic: &str, payload: &str) -> Packet {
    Packet::from(Publish {
        topic: topic.into(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        ..Publish::default()
    })
}

/// A DISCONNECT with this reason.
pub fn disconnect(reason: u8) -> Packet {
    Packet::Disconnect(halfopen_protocol::packet::Disconnect::new(ReasonCode::new(reason)))
}

/// A pattern of a type, whatever its fields.
pub fn any(packet: PacketType) -> PacketPattern {
    PacketPattern { packet: PacketKind::Type(packet), fields: Vec::new() }
}

/// `last packet from NODE`, or of a type.
pub fn packet_from(ordinal: Ordinal, packet: PacketKind, from: NodeId) -> EventRef {
    EventRef::Packet { ordinal, packet, from: Some(from), to: None, at: None, on: None }
}

/// `POINT of NODE`.
pub fn point(point: Point, of: NodeId) -> EventRef {
    EventRef::Point { ordinal: Ordinal::Nearest, point, of, at: None, on: None }
}

/// Returns the moment the given number of milliseconds after an event.
pub fn after(offset_ms: i64, event: EventRef, text: &str) -> Moment {
    Moment { event, offset_ms, text: text.to_owned() }
}

/// The story of one client that falls silent, as its clauses have it: closed at 7.530.
pub fn silent_client() -> TraceBuilder {
    let mut story = TraceBuilder::new();
    story.at(0).connect(0, SENSOR, connect("sensor", 5));
    story.at(40).step(5, "sensor: stop_pinging");
    story.at(7530).closing(0, BROKER, SENSOR, Because::KeepAlive, Some((PacketType::Connect, 30, 7530)));
    story.packet(0, BROKER, SENSOR, disconnect(0x8d)).item(0, BROKER, SENSOR, Transmission::Fin);
    story.at(7540).item(0, SENSOR, BROKER, Transmission::Fin);
    story
}

/// The node must do so at least once; it stands in line 8.
pub fn expect(node: NodeId, verb: Verb) -> Expectation {
    Expectation { id: ExpectationId(8), text: "the expectation".to_owned(), ..Expectation::new(vec![node], verb) }
}

/// `closes: peer, because: …`.
pub fn closes(peer: NodeId, because: Option<Because>) -> Verb {
    Verb::Closes { peer, because, how: None, reason: None, reason_if_any: None }
}

/// Exactly the given number.
pub fn exactly(n: u64) -> Option<CountRange> {
    Some(CountRange { min: n, max: Some(n) })
}
