//! Two clients and the project's broker, with connections that are cut, and taken over, at any point: what was acknowledged
//! is not lost, QoS 2 comes exactly once, and messages of one topic and QoS keep their order.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use halfopen_broker::core::{Broker, Config, ConnectionId, Output as BrokerOutput};
use halfopen_protocol::packet::{Publish, QoS, Subscription};
use halfopen_protocol::{Instant, Version};
use proptest::prelude::*;
use rstest::rstest;

use super::bench::options;
use crate::core::{Client, Event, Output, Token, Transport};

/// Messages are of two topics in turn.
fn topic(number: usize) -> &'static str {
    if number.is_multiple_of(2) { "t/even" } else { "t/odd" }
}

const NOW: Instant = Instant::from_secs(100);

/// One client and its connection: what was sent and has not arrived, in chunks as they were sent.
struct End {
    client: Client,
    connection: Option<ConnectionId>,
    /// What is still under way to the broker on connections that the client has given up.
    stale: VecDeque<(ConnectionId, Bytes)>,
    to_broker: VecDeque<Bytes>,
    to_client: VecDeque<Bytes>,
    received: Vec<Publish>,
    done: Vec<Token>,
}

struct World {
    broker: Broker,
    /// The publisher, then the subscriber.
    ends: [End; 2],
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Publish(u8),
    Connect(usize),
    ToBroker(usize),
    ToClient(usize),
    /// What is under way is lost in both directions, and both sides learn that it is.
    Cut(usize),
    /// The client loses its connection and the broker does not learn it: what is under way to the client is lost, what
    /// is under way to the broker may arrive later or never. When the client connects again, it takes over from itself.
    HalfOpen(usize),
    /// Bytes of a connection that was given up arrive.
    Stale(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let end = 0..2_usize;
    prop_oneof![
        3 => (0_u8..3).prop_map(Step::Publish),
        2 => end.clone().prop_map(Step::Connect),
        8 => end.clone().prop_map(Step::ToBroker),
        8 => end.clone().prop_map(Step::ToClient),
        1 => end.clone().prop_map(Step::Cut),
        1 => end.clone().prop_map(Step::HalfOpen),
        2 => end.prop_map(Step::Stale),
    ]
}

impl World {
    fn new(version: Version) -> Self {
        let end = |id: &str, subscriptions| {
            let mut options = options(version, 0);
            options.connect.client_id = id.into();
            options.connect.clean_start = false;
            options.connect.session_expiry = version.is_v5().then_some(u32::MAX);
            options.subscriptions = subscriptions;
            End {
                client: Client::new(options, 7),
                connection: None,
                stale: VecDeque::new(),
                to_broker: VecDeque::new(),
                to_client: VecDeque::new(),
                received: Vec::new(),
                done: Vec::new(),
            }
        };
        let subscriptions = vec![Subscription::new("t/+", QoS::ExactlyOnce)];
        Self { broker: Broker::new(Config::default(), [0; 32]), ends: [end("pub", vec![]), end("sub", subscriptions)] }
    }

    fn publish(&mut self, number: usize, qos: u8) -> Token {
        let qos = QoS::new(qos).expect("below 3");
        let publish =
            Publish { qos, topic: topic(number).into(), payload: number.to_string().into(), ..Publish::default() };
        let token = self.ends[0].client.publish(NOW, publish).expect("there is room");
        self.drain();
        token
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Publish(_) => {}
            Step::Connect(end) => self.ends[end].client.connect(NOW),
            Step::ToBroker(end) => {
                let end = &mut self.ends[end];
                if let (Some(connection), Some(bytes)) = (end.connection, end.to_broker.pop_front()) {
                    self.broker.handle_bytes(NOW, connection, &bytes);
                }
            }
            Step::ToClient(end) => {
                let end = &mut self.ends[end];
                if let Some(bytes) = end.to_client.pop_front() {
                    end.client.handle_bytes(NOW, &bytes);
                }
            }
            Step::Cut(end) => {
                let end = &mut self.ends[end];
                end.to_broker.clear();
                end.to_client.clear();
                if let Some(connection) = end.connection.take() {
                    self.broker.handle_closed(NOW, connection);
                    end.client.handle_closed(NOW, Transport::Reset);
                }
            }
            Step::HalfOpen(end) => {
                let end = &mut self.ends[end];
                end.to_client.clear();
                if let Some(connection) = end.connection.take() {
                    end.stale.extend(end.to_broker.drain(..).map(|bytes| (connection, bytes)));
                    end.client.handle_closed(NOW, Transport::TimedOut);
                }
            }
            Step::Stale(end) => {
                if let Some((connection, bytes)) = self.ends[end].stale.pop_front() {
                    self.broker.handle_bytes(NOW, connection, &bytes);
                }
            }
        }
        self.drain();
    }

    fn drain(&mut self) {
        for end in &mut self.ends {
            while let Some(output) = end.client.poll_output() {
                match output {
                    Output::Connect => {
                        end.connection = Some(self.broker.handle_open(NOW));
                        end.client.handle_connected(NOW);
                    }
                    Output::Send(bytes) => end.to_broker.push_back(bytes),
                    Output::Close => panic!("nobody asked for it"),
                    Output::Event(Event::Message(publish)) => {
                        end.received.push(std::sync::Arc::unwrap_or_clone(publish))
                    }
                    Output::Event(Event::Published { token, reason, .. }) => {
                        assert!(!reason.is_error(), "{reason:?}");
                        end.done.push(token);
                    }
                    Output::Event(_) => {}
                }
            }
        }
        while let Some(output) = self.broker.poll_output() {
            match output {
                BrokerOutput::Send { connection, bytes } => {
                    self.broker.handle_written(NOW, connection, bytes.len());
                    if let Some(end) = self.ends.iter_mut().find(|end| end.connection == Some(connection)) {
                        end.to_client.push_back(bytes);
                    }
                }
                // Taken over: mostly what the client has given up, but a CONNECT that comes late takes over, too.
                BrokerOutput::Close { connection } => {
                    if let Some(end) = self.ends.iter_mut().find(|end| end.connection == Some(connection)) {
                        end.connection = None;
                        end.to_broker.clear();
                        end.to_client.clear();
                        end.client.handle_closed(NOW, Transport::Eof);
                    }
                }
                BrokerOutput::Verify { .. } => panic!("nobody asked for it"),
                BrokerOutput::Event(_) | BrokerOutput::Dropped { .. } => {}
            }
        }
    }

    /// Connects both and lets everything arrive.
    fn settle(&mut self) {
        for end in 0..2 {
            self.step(Step::Connect(end));
        }
        while self.ends.iter().any(|end| !end.to_broker.is_empty() || !end.to_client.is_empty()) {
            for end in 0..2 {
                self.step(Step::ToBroker(end));
                self.step(Step::ToClient(end));
            }
        }
    }

    /// What must hold when all is settled, of messages of these QoS, published with these tokens.
    fn check(&self, published: &[u8], tokens: &[Token]) {
        let mut counts = BTreeMap::new();
        let mut firsts = Vec::new();
        for publish in &self.ends[1].received {
            let number: usize = String::from_utf8_lossy(&publish.payload).parse().expect("the test's own payload");
            let count = counts.entry(number).or_insert(0);
            *count += 1;
            if *count == 1 {
                firsts.push(number);
            }
        }
        for (number, qos) in published.iter().enumerate() {
            let count = counts.get(&number).copied().unwrap_or(0);
            let is_kept = match qos {
                0 => count <= 1,
                1 => count >= 1,
                _ => count == 1,
            };
            assert!(is_kept, "message {number} of QoS {qos} came {count} times");
        }
        for (qos, parity) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)] {
            let is_of = |number: &usize| published[*number] == qos && number % 2 == parity;
            let of_kind: Vec<_> = firsts.iter().copied().filter(is_of).collect();
            assert!(of_kind.is_sorted(), "QoS {qos} of {} out of order: {of_kind:?}", topic(parity));
        }
        let mut done = self.ends[0].done.clone();
        done.sort();
        assert_eq!(done, tokens, "each publish is done once");
    }
}

/// Publishes two messages of each QoS on each topic, and loses the connection of one client when `lost` pieces of it
/// have arrived: with both sides told, or only the client. False if there were fewer.
fn lose_one(version: Version, end: usize, to_broker: bool, lost: usize, is_half_open: bool) -> bool {
    let mut world = World::new(version);
    world.settle();
    let published = [0, 1, 2, 2, 1, 0, 0, 0, 1, 1, 2, 2];
    let tokens: Vec<_> = published.iter().enumerate().map(|(number, qos)| world.publish(number, *qos)).collect();
    let mut arrived = 0;
    let mut is_lost = false;
    while world.ends.iter().any(|end| !end.to_broker.is_empty() || !end.to_client.is_empty()) {
        for (one, is_broker) in [(0, true), (0, false), (1, true), (1, false)] {
            let queue = if is_broker { &world.ends[one].to_broker } else { &world.ends[one].to_client };
            let is_counted = one == end && is_broker == to_broker && !queue.is_empty();
            if is_counted && arrived == lost && !is_lost {
                is_lost = true;
                world.step(if is_half_open { Step::HalfOpen(one) } else { Step::Cut(one) });
                world.step(Step::Connect(one));
                continue;
            }
            arrived += usize::from(is_counted);
            world.step(if is_broker { Step::ToBroker(one) } else { Step::ToClient(one) });
        }
    }
    world.settle();
    world.check(&published, &tokens);
    is_lost
}

#[rstest]
fn any_one_packet_can_be_lost_with_its_connection(
    #[values(Version::V3_1_1, Version::V5_0)] version: Version,
    #[values(0, 1)] end: usize,
    #[values(true, false)] to_broker: bool,
    #[values(true, false)] is_half_open: bool,
) {
    let count = (0..).take_while(|&lost| lose_one(version, end, to_broker, lost, is_half_open)).count();
    assert!(count >= 6, "only {count} packets were there to be lost");
}

proptest! {
    #[test]
    fn no_message_is_lost_and_qos_2_comes_once_wherever_connections_are_lost(
        steps in proptest::collection::vec(step(), 0..200),
        version in prop_oneof![Just(Version::V3_1_1), Just(Version::V5_0)],
    ) {
        let mut world = World::new(version);
        world.settle();
        let mut published = Vec::new();
        let mut tokens = Vec::new();
        for step in steps {
            if let Step::Publish(qos) = step {
                tokens.push(world.publish(published.len(), qos));
                published.push(qos);
            }
            world.step(step);
        }
        world.settle();
        world.check(&published, &tokens);
    }
}
