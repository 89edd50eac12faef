//! A broker under whatever clients and networks do.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use bytes::BytesMut;
use halfopen_broker::auth::Scripted;
use halfopen_broker::core::{ConnectionId, Event, Output};
use halfopen_broker::{Access, Broker, Config};
use halfopen_protocol::{DecodeOptions, Instant, Packet, Role, Version, decode, encode};

use super::packets::{FromClient, Opening, client_id, method};

/// What happens next.
#[derive(Arbitrary, Debug)]
enum Step {
    /// A transport is opened.
    Open,
    /// A client sends something, all of it or its first bytes only.
    Send(u8, FromClient, Option<u8>),
    /// The network closes a transport.
    Closed(u8),
    /// Bytes have left for the network.
    Written(u8, u16),
    /// So many powers of two of milliseconds pass.
    Pass(u8),
    /// The next deadline comes.
    Due,
    /// A client connects with a user name, and a password if it has one.
    Login(u8, Opening, Option<u8>),
    /// The first that asked is told whether the password is right.
    Verdict(bool),
    /// Another configuration holds: how many bytes and messages may wait.
    Configure(u8, u8),
}

/// Small limits, so that they are reached.
const QUEUE: usize = 4;
const ALL_BYTES: usize = 16 * 1024;
/// What a message counts for in a queue at least.
const MESSAGE: usize = 256;
const SESSIONS: usize = 6;
const WINDOW: u16 = 4;
const WRITE_BUFFER: usize = 4096;
const LARGEST: u32 = 2048;
/// The connections that are open at once.
const CONNECTIONS: usize = 8;
/// One packet may go over the limit before it is noticed, and DISCONNECT follows it.
const SLACK: usize = 8192;

/// Reads the steps from the bytes and does them.
///
/// # Panics
/// A rule of the broker does not hold.
pub fn run(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let mut world = World::new();
    while !input.is_empty() {
        let Ok(step) = Step::arbitrary(&mut input) else { break };
        world.step(step);
    }
    world.broker.handle_shutdown(world.now);
    world.drain();
    assert!(world.open.is_empty(), "at a shutdown all connections are closed");
    assert_eq!(world.broker.connection_count(), 0);
}

struct World {
    broker: Broker,
    now: Instant,
    open: BTreeMap<ConnectionId, Wire>,
    /// Whose password is to be judged.
    asked: VecDeque<ConnectionId>,
}

/// What one client sees.
#[derive(Default)]
struct Wire {
    /// As its CONNECT said.
    version: Option<Version>,
    unwritten: usize,
}

impl World {
    fn new() -> Self {
        let access = Access {
            passwords: true,
            mechanisms: vec![Box::new(Scripted::new(method(0), ["", "go on", ""]))],
            ..Access::default()
        };
        Self {
            broker: Broker::with_access(config(), access, [0; 32]),
            now: Instant::ZERO,
            open: BTreeMap::new(),
            asked: VecDeque::new(),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Open if self.open.len() < CONNECTIONS => {
                let id = self.broker.handle_open(self.now);
                assert!(self.open.insert(id, Wire::default()).is_none(), "an identifier is used once");
            }
            Step::Open => {}
            Step::Send(number, packet, cut) => {
                let Some(id) = self.pick(number) else { return };
                let version = self.open[&id].version.unwrap_or(Version::V5_0);
                let mut bytes = packet.bytes(version);
                bytes.truncate(cut.map_or(usize::MAX, usize::from));
                self.broker.handle_bytes(self.now, id, &bytes);
            }
            Step::Login(number, opening, password) => {
                let Some(id) = self.pick(number) else { return };
                let mut connect = opening.connect();
                connect.username = Some("user".into());
                connect.password = password.map(|byte| vec![byte].into());
                let mut bytes = BytesMut::new();
                if encode(&Packet::from(connect), opening.version(), &mut bytes).is_ok() {
                    self.broker.handle_bytes(self.now, id, &bytes);
                }
            }
            Step::Verdict(accepted) => {
                let Some(id) = self.asked.pop_front() else { return };
                self.broker.handle_verified(self.now, id, accepted);
            }
            Step::Configure(bytes, messages) => {
                let queue_messages = QUEUE.min(messages.into());
                let config = Config { queue_bytes: bytes.into(), queue_messages, ..config() };
                self.broker.handle_config(self.now, config);
            }
            Step::Closed(number) => {
                let Some(id) = self.pick(number) else { return };
                self.open.remove(&id);
                self.broker.handle_closed(self.now, id);
            }
            Step::Written(number, bytes) => {
                let Some(id) = self.pick(number) else { return };
                let Some(wire) = self.open.get_mut(&id) else { return };
                let bytes = wire.unwritten.min(bytes.into());
                wire.unwritten -= bytes;
                self.broker.handle_written(self.now, id, bytes);
            }
            Step::Pass(power) => self.pass(self.now + Duration::from_millis(1 << (power % 36))),
            Step::Due => {
                if let Some((due, _)) = self.broker.poll_timeout() {
                    self.pass(due.max(self.now));
                }
            }
        }
        self.drain();
        assert!(self.broker.session_count() <= SESSIONS, "the sessions are bounded");
        let little = CONNECTIONS * (2 * 64 * 1024 + LARGEST as usize);
        assert!(self.broker.held_bytes() <= ALL_BYTES + little, "what is held in all is bounded");
        for number in 0..4 {
            if let Some(client) = self.broker.client(&client_id(number)) {
                assert!(client.queued * MESSAGE <= ALL_BYTES, "the queue is bounded");
                assert!(client.in_flight <= WINDOW.into(), "the window is bounded");
            }
        }
    }

    fn pass(&mut self, now: Instant) {
        self.now = now;
        self.broker.handle_timeout(now);
        let next = self.broker.poll_timeout();
        assert!(next.is_none_or(|(at, _)| at > now), "what is due is done: {next:?} at {now:?}");
    }

    fn pick(&self, number: u8) -> Option<ConnectionId> {
        self.open.keys().nth(usize::from(number) % self.open.len().max(1)).copied()
    }

    fn drain(&mut self) {
        while let Some(output) = self.broker.poll_output() {
            if let Output::Send { connection, bytes } = &output {
                let wire = self.open.get_mut(connection).expect("nothing is sent to a closed connection");
                wire.unwritten += bytes.len();
                assert!(wire.unwritten <= 2 * WRITE_BUFFER + LARGEST as usize + SLACK, "what waits is bounded");
                is_readable(bytes, wire.version);
            } else if let Output::Close { connection } = &output {
                assert!(self.open.remove(connection).is_some(), "a connection is closed once");
            } else if let Output::Verify { connection, .. } = &output {
                assert!(self.open.contains_key(connection), "nobody else is asked about");
                self.asked.push_back(*connection);
            } else if let Output::Event(Event::Received { connection, packet: Packet::Connect(connect), .. }) = &output
            {
                let wire = self.open.get_mut(connection).expect("nothing is received on a closed connection");
                // A second one changes nothing.
                wire.version.get_or_insert(connect.version);
            }
        }
    }
}

fn config() -> Config {
    Config {
        queue_messages: QUEUE,
        total_bytes: ALL_BYTES,
        sessions: SESSIONS,
        in_flight_messages: WINDOW,
        receive_maximum: WINDOW,
        write_buffer: WRITE_BUFFER,
        maximum_packet_size: LARGEST,
        ..Config::default()
    }
}

/// Whole packets that a server may send, in the version of the connection, or in one of both before it is known.
fn is_readable(bytes: &[u8], version: Option<Version>) {
    let readable = |version: &Version| {
        let options = DecodeOptions { version: *version, reader: Role::Client, maximum_packet_size: u32::MAX };
        let mut bytes = BytesMut::from(bytes);
        while let Ok(Some(_)) = decode(&mut bytes, &options) {}
        bytes.is_empty()
    };
    let versions = version.map_or(Version::ALL.to_vec(), |version| vec![version]);
    assert!(versions.iter().any(readable), "{bytes:?} is no packet of {versions:?}");
}
