//! Outbox and Inbox, connected by a path that breaks at any point: nothing is lost, nothing of QoS 2 comes twice.

#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers with it")]

use std::collections::{BTreeSet, VecDeque};

use halfopen_protocol::flow::{Inbox, Outbox, PubRecOutcome};
use halfopen_protocol::packet::{Publish, QoS};
use halfopen_protocol::{Packet, ReasonCode, Version};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The application sends a message.
    Publish(QoS),
    /// One packet arrives at the receiver, or at the sender.
    Forth,
    Back,
    /// One PUBLISH arrives, and the receiver refuses it (5.0).
    Refuse,
    /// The connection breaks; what is on the way is lost. The session is resumed with this receive maximum.
    Break(u16),
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_qos_2_comes_once(
        steps in vec(any_step(), 0..80),
        version in prop_oneof![Just(Version::V3_1_1), Just(Version::V5_0)],
    ) {
        let mut pair = Pair::new(version);
        for step in &steps {
            pair.step(*step);
        }
        // In the end the path holds, and everything comes to rest.
        pair.step(Step::Break(2));
        while pair.step(Step::Forth) | pair.step(Step::Back) {}

        prop_assert!(pair.outbox.is_empty() && pair.inbox.is_empty() && pair.queue.is_empty());
        for number in 0..pair.sent.len() {
            let times = pair.received.iter().filter(|(received, _)| *received == number).count();
            let refused = pair.refused.contains(&number);
            match pair.sent[number] {
                QoS::ExactlyOnce => prop_assert_eq!(times, usize::from(!refused), "message {}", number),
                _ => prop_assert!(times >= 1 || refused, "message {number} was lost"),
            }
        }
        prop_assert_eq!(pair.settled, pair.sent.len(), "each message is reported as settled once");
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let mut first_times: Vec<usize> = Vec::new();
            for (number, of) in &pair.received {
                if *of == qos && !pair.ever_refused.contains(number) && !first_times.contains(number) {
                    first_times.push(*number);
                }
            }
            prop_assert!(first_times.is_sorted(), "out of order: {first_times:?}");
        }
    }
}

struct Pair {
    version: Version,
    outbox: Outbox<usize>,
    inbox: Inbox,
    /// Messages that wait for room in the window.
    queue: VecDeque<(Publish, usize)>,
    forth: VecDeque<Packet>,
    back: VecDeque<Packet>,
    /// The QoS of each message, by its number.
    sent: Vec<QoS>,
    received: Vec<(usize, QoS)>,
    /// Not handed on, as the receiver said last.
    refused: BTreeSet<usize>,
    /// Refused at some time, but perhaps accepted when it came again.
    ever_refused: BTreeSet<usize>,
    settled: usize,
}

impl Pair {
    fn new(version: Version) -> Self {
        Self {
            version,
            outbox: Outbox::new(2),
            inbox: Inbox::new(2),
            queue: VecDeque::new(),
            forth: VecDeque::new(),
            back: VecDeque::new(),
            sent: Vec::new(),
            received: Vec::new(),
            refused: BTreeSet::new(),
            ever_refused: BTreeSet::new(),
            settled: 0,
        }
    }

    /// False if the step had nothing to act on.
    fn step(&mut self, step: Step) -> bool {
        match step {
            Step::Publish(qos) => {
                let number = self.sent.len();
                self.sent.push(qos);
                let payload = number.to_string().into();
                let publish = Publish { qos, topic: "t".into(), payload, ..Publish::default() };
                self.queue.push_back((publish, number));
                self.send_queued();
            }
            Step::Forth => return self.arrives_at_receiver(false),
            Step::Refuse => return self.arrives_at_receiver(true),
            Step::Back => return self.arrives_at_sender(),
            Step::Break(window) => {
                self.forth.clear();
                self.back.clear();
                self.inbox.set_maximum(window);
                self.outbox.set_window(window);
                self.forth.extend(self.outbox.resend());
                self.send_queued();
            }
        }
        true
    }

    fn send_queued(&mut self) {
        self.forth.extend(std::iter::from_fn(|| self.outbox.poll_resend()));
        while self.outbox.has_room() {
            let Some((publish, number)) = self.queue.pop_front() else { return };
            self.forth.push_back(self.outbox.send(publish, number).unwrap());
        }
    }

    fn arrives_at_receiver(&mut self, refuse: bool) -> bool {
        match self.forth.pop_front() {
            None => return false,
            Some(Packet::Publish(publish)) => {
                // An error here would be a window that was overrun.
                let receipt = self.inbox.handle_publish(&publish).unwrap();
                let number = number(&publish);
                if receipt.deliver && refuse && self.version.is_v5() {
                    self.refused.insert(number);
                    self.ever_refused.insert(number);
                    self.back.extend(self.inbox.refuse(&publish, ReasonCode::QUOTA_EXCEEDED));
                    return true;
                }
                if receipt.deliver {
                    self.refused.remove(&number);
                    self.received.push((number, publish.qos));
                }
                self.back.extend(receipt.answer);
            }
            Some(Packet::PubRel(pubrel)) => self.back.push_back(self.inbox.handle_pubrel(&pubrel, self.version)),
            Some(other) => panic!("the sender sent {other:?}"),
        }
        true
    }

    fn arrives_at_sender(&mut self) -> bool {
        match self.back.pop_front() {
            None => return false,
            Some(Packet::PubAck(puback)) => {
                self.settled += usize::from(self.outbox.handle_puback(&puback).unwrap().is_some());
            }
            Some(Packet::PubRec(pubrec)) => match self.outbox.handle_pubrec(&pubrec, self.version).unwrap() {
                PubRecOutcome::Release(pubrel) => self.forth.push_back(pubrel),
                PubRecOutcome::Refused(..) => self.settled += 1,
                PubRecOutcome::Nothing => panic!("{pubrec:?} acknowledges nothing"),
            },
            Some(Packet::PubComp(pubcomp)) => {
                self.settled += usize::from(self.outbox.handle_pubcomp(&pubcomp).unwrap().is_some());
            }
            Some(other) => panic!("the receiver sent {other:?}"),
        }
        self.send_queued();
        true
    }
}

fn number(publish: &Publish) -> usize {
    std::str::from_utf8(&publish.payload).unwrap().parse().unwrap()
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop_oneof![Just(QoS::AtLeastOnce), Just(QoS::ExactlyOnce)].prop_map(Step::Publish),
        4 => Just(Step::Forth),
        4 => Just(Step::Back),
        1 => Just(Step::Refuse),
        1 => (1_u16..4).prop_map(Step::Break),
    ]
}
