//! What judging a message by all invariants costs, from 1,000 to 100,000 messages in one run.
//!
//! The events are made as they are fed, so that nothing but the judging is measured. `cargo bench -p halfopen --bench
//! invariants` prints the table and fails if a message among 100,000 costs more than twice what one among 1,000 costs;
//! with `-- --quick` the runs are short and nothing is judged.

use std::sync::Arc;
use std::time::Duration;

use halfopen::check::{Invariants, Verdict};
use halfopen::plan::{NodeId, Plan, Source};
use halfopen::scenario::{PlanOptions, parse};
use halfopen::trace::{ConnectionId, Event, EventKind, Transmission};
use halfopen_protocol::packet::{Ack, ConnAck, Connect, PacketId, Publish, QoS, SubAck, Subscribe, Subscription};
use halfopen_protocol::{Packet, ReasonCode, Version};

const BROKER: NodeId = NodeId(0);
const PUBLISHER: NodeId = NodeId(1);
const LATENCY: Duration = Duration::from_millis(10);

/// How much more a message may cost in the longest run than in the shortest.
const MOST: f64 = 2.0;

/// One line of the table.
struct Row {
    what: &'static str,
    qos: u8,
    /// How many subscribers there are, each with a topic of its own.
    subscribers: usize,
    /// Whether all messages look alike.
    is_one_payload: bool,
}

const ROWS: [Row; 5] = [
    Row { what: "QoS 0, one payload", qos: 0, subscribers: 1, is_one_payload: true },
    Row { what: "QoS 1, one payload", qos: 1, subscribers: 1, is_one_payload: true },
    Row { what: "QoS 2, one payload", qos: 2, subscribers: 1, is_one_payload: true },
    Row { what: "QoS 2, many payloads", qos: 2, subscribers: 1, is_one_payload: false },
    Row { what: "QoS 1, 200 subscribers", qos: 1, subscribers: 200, is_one_payload: true },
];

fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let sizes: &[u32] = if quick { &[1_000] } else { &[1_000, 10_000, 100_000] };
    println!("{:<24}{:>10}{:>12}{:>16}{:>12}", "", "messages", "in all", "per message", "ratio");
    let mut is_kept = true;
    for row in ROWS {
        let plan = plan(row.subscribers);
        let mut first = None;
        for &messages in sizes {
            let runs = if quick { 1 } else { (200_000 / messages).clamp(3, 30) };
            let best = (0..runs).map(|_| judge(&plan, &row, messages)).min().expect("there are runs");
            let each = best / messages;
            let ratio = each.as_secs_f64() / first.get_or_insert(each).as_secs_f64();
            println!("{:<24}{messages:>10}{best:>12.1?}{each:>16.0?}{ratio:>12.2}", row.what);
            is_kept &= ratio <= MOST;
        }
    }
    println!("budget: at most {MOST} times the cost of 1,000 messages: {}", if is_kept { "kept" } else { "NOT KEPT" });
    std::process::exit(i32::from(!is_kept));
}

#[expect(clippy::disallowed_types, reason = "measures the machine")]
fn judge(plan: &Plan, row: &Row, messages: u32) -> Duration {
    let mut invariants = Invariants::new(plan);
    let mut spent = Duration::ZERO;
    let mut feed = |events: Vec<Event>| {
        let begun = std::time::Instant::now();
        events.iter().for_each(|event| invariants.event(event));
        spent += begun.elapsed();
    };
    feed(begin(row));
    for number in 0..messages {
        feed(message(row, number));
    }
    let end = Duration::from_secs(1) + LATENCY * 10 * messages + Duration::from_secs(10);
    let outcome = invariants.finish(end);
    assert_eq!(outcome.verdict, Verdict::Pass, "{:?}", outcome.violations);
    spent
}

fn plan(subscribers: usize) -> Plan {
    let text = format!("mqtt: 3.1.1\nclients: {{ pub: {{}}, sub: {{ count: {subscribers} }} }}\n");
    let source = Source { path: "bench.yaml".into(), text, ..Source::default() };
    let scenario = parse("bench".into(), source).expect("the scenario is right");
    let plans = scenario.plans(PlanOptions::default()).expect("the scenario is right");
    let plan = plans.into_iter().next().expect("one run");
    Plan { waived: Vec::new(), ..plan }
}

/// Everybody connects, and each subscriber subscribes to its topic.
fn begin(row: &Row) -> Vec<Event> {
    let mut story = TraceBuilder { at: Duration::ZERO, events: Vec::new() };
    for client in 0..=row.subscribers {
        let node = NodeId(PUBLISHER.0 + client);
        story.item(client, node, BROKER, Transmission::Open);
        let connect = Connect { keep_alive: 0, ..Connect::new(Version::V3_1_1, format!("c{client}")) };
        story.item(client, node, BROKER, Transmission::from(Packet::from(connect)));
        story.item(client, BROKER, node, Transmission::from(Packet::ConnAck(Arc::<ConnAck>::default())));
        if client > 0 {
            let subscription = Subscription::new(topic(client), QoS::new(row.qos).expect("a QoS"));
            let subscriptions = vec![subscription];
            let packet_id = PacketId::MIN;
            let subscribe = Subscribe { packet_id, subscription_id: None, user_properties: Vec::new(), subscriptions };
            story.item(client, node, BROKER, Transmission::from(Packet::Subscribe(subscribe)));
            let reasons = vec![ReasonCode::new(row.qos)];
            let suback = SubAck { packet_id, reason_string: None, user_properties: Vec::new(), reasons };
            story.item(client, BROKER, node, Transmission::from(Packet::SubAck(suback)));
        }
    }
    story.events
}

/// A message goes through the broker, and all acknowledgements with it.
fn message(row: &Row, number: u32) -> Vec<Event> {
    let mut story = TraceBuilder { at: Duration::from_secs(1) + LATENCY * 10 * number, events: Vec::new() };
    let subscriber = 1 + number as usize % row.subscribers;
    let id = PacketId::new(1 + (number % 60_000) as u16).expect("not 0");
    let payload = if row.is_one_payload { "x".to_owned() } else { number.to_string() };
    let publish = Publish {
        topic: topic(subscriber).into(),
        payload: payload.into(),
        qos: QoS::new(row.qos).expect("a QoS"),
        packet_id: (row.qos > 0).then_some(id),
        ..Publish::default()
    };
    for (client, from, to) in [(0, PUBLISHER, BROKER), (subscriber, BROKER, NodeId(PUBLISHER.0 + subscriber))] {
        story.item(client, from, to, Transmission::from(Packet::from(publish.clone())));
        if to != BROKER {
            let kind = EventKind::Delivered { node: to, message: publish.clone().into() };
            story.events.push(Event { at: story.at, kind });
        }
        let ack = Ack::new(id);
        match row.qos {
            0 => {}
            1 => story.item(client, to, from, Transmission::from(Packet::PubAck(ack))),
            _ => {
                story.item(client, to, from, Transmission::from(Packet::PubRec(ack.clone())));
                story.item(client, from, to, Transmission::from(Packet::PubRel(ack.clone())));
                story.item(client, to, from, Transmission::from(Packet::PubComp(ack)));
            }
        }
    }
    story.events
}

fn topic(subscriber: usize) -> String {
    format!("fleet/{subscriber}/commands")
}

struct TraceBuilder {
    at: Duration,
    events: Vec<Event>,
}

impl TraceBuilder {
    /// Sends an item, which arrives after the latency.
    fn item(&mut self, connection: usize, from: NodeId, to: NodeId, item: Transmission) {
        let connection = ConnectionId(u32::try_from(connection).expect("few"));
        let arrival = Some(self.at + LATENCY);
        let sent = EventKind::Sent { connection, from, to, item: item.clone(), arrival };
        self.events.push(Event { at: self.at, kind: sent });
        self.at += LATENCY;
        self.events.push(Event { at: self.at, kind: EventKind::Received { connection, from, to, item, sent: None } });
    }
}
