//! Two clients and the project's broker, with connections that are cut at any point.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use halfopen_broker::core::{Broker, Config, ConnectionId, Output as BrokerOutput};
use halfopen_protocol::packet::{Publish, QoS, Subscription};
use halfopen_protocol::{Instant, Version};
use proptest::prelude::*;

use super::bench::options;
use crate::core::{Client, Event, Output, Token, Transport};

const NOW: Instant = Instant::from_secs(100);

/// One client and its connection: what was sent and has not arrived, in chunks as they were sent.
struct End {
    client: Client,
    connection: Option<ConnectionId>,
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
}

fn step() -> impl Strategy<Value = Step> {
    let end = 0..2_usize;
    prop_oneof![
        3 => (1_u8..3).prop_map(Step::Publish),
        2 => end.clone().prop_map(Step::Connect),
        8 => end.clone().prop_map(Step::ToBroker),
        8 => end.clone().prop_map(Step::ToClient),
        1 => end.prop_map(Step::Cut),
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
                to_broker: VecDeque::new(),
                to_client: VecDeque::new(),
                received: Vec::new(),
                done: Vec::new(),
            }
        };
        let subscriptions = vec![Subscription::new("t", QoS::ExactlyOnce)];
        Self { broker: Broker::new(Config::default()), ends: [end("pub", vec![]), end("sub", subscriptions)] }
    }

    fn publish(&mut self, number: usize, qos: u8) -> Token {
        let qos = QoS::new(qos).expect("below 3");
        let publish = Publish { qos, topic: "t".into(), payload: number.to_string().into(), ..Publish::default() };
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
                    Output::Event(Event::Message(publish)) => end.received.push(publish),
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
                BrokerOutput::Close { .. } | BrokerOutput::Verify { .. } => panic!("nobody asked for it"),
                BrokerOutput::Event(_) => {}
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
}

proptest! {
    #[test]
    fn no_message_is_lost_and_qos_2_comes_once_wherever_connections_are_cut(
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

        let mut counts = BTreeMap::new();
        let mut firsts = Vec::new();
        for publish in &world.ends[1].received {
            let number: usize = String::from_utf8_lossy(&publish.payload).parse().expect("the test's own payload");
            let count = counts.entry(number).or_insert(0);
            *count += 1;
            if *count == 1 {
                firsts.push(number);
            }
        }
        for (number, qos) in published.iter().enumerate() {
            let count = counts.get(&number).copied().unwrap_or(0);
            prop_assert!(if *qos == 2 { count == 1 } else { count >= 1 }, "message {number} of QoS {qos} came {count} times");
        }
        for qos in [1, 2] {
            let of_qos: Vec<_> = firsts.iter().filter(|number| published[**number] == qos).collect();
            prop_assert!(of_qos.is_sorted(), "QoS {qos} out of order: {of_qos:?}");
        }
        let mut done = world.ends[0].done.clone();
        done.sort();
        prop_assert_eq!(done, tokens);
    }
}
