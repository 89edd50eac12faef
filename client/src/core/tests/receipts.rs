//! Acknowledgements by the application, and how many messages it takes.

use halfopen_protocol::packet::{ConnAck, QoS};
use halfopen_protocol::{Packet, PacketType, ReasonCode, Version};
use rstest::rstest;

use super::bench::{Bench, ack, brief, incoming, options, sent};
use crate::core::{CommandError, DisconnectReason, Event, Options, Output, Ticket, Timer};

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;

fn manual(version: Version) -> Options {
    Options { manual_acknowledgement: true, ..options(version, 10) }
}

fn tickets(events: Vec<Event>) -> Vec<(String, Ticket)> {
    let ticket = |event| match event {
        Event::Unacknowledged { message, ticket } => {
            Some((String::from_utf8_lossy(&message.payload).into_owned(), ticket))
        }
        _ => None,
    };
    events.into_iter().filter_map(ticket).collect()
}

// Shows 3.1.1 MQTT-4.6.0-2, 3.1.1 MQTT-4.6.0-3, 5.0 MQTT-4.6.0-2, 5.0 MQTT-4.6.0-3.
#[rstest]
fn acknowledgements_go_out_in_the_order_of_the_messages(#[values(V3, V5)] version: Version) {
    let mut bench = Bench::connected(manual(version));
    for (id, qos) in [(1, QoS::AtLeastOnce), (2, QoS::ExactlyOnce), (3, QoS::AtLeastOnce), (4, QoS::ExactlyOnce)] {
        bench.receive(incoming(qos, id, "m"));
    }
    bench.receive(incoming(QoS::AtMostOnce, 0, "0"));
    let tickets = tickets(bench.events());
    assert_eq!(tickets.len(), 4);
    let mut settle = |index: usize| {
        bench.client.acknowledge(bench.now, tickets[index].1, ReasonCode::SUCCESS).expect("it waits");
        brief(&bench.sent())
    };
    assert_eq!(settle(3), [""; 0]);
    assert_eq!(settle(2), [""; 0]);
    assert_eq!(settle(0), ["PUBACK 1", "PUBACK 3"]);
    assert_eq!(settle(1), ["PUBREC 2", "PUBREC 4"]);
    let again = bench.client.acknowledge(bench.now, tickets[0].1, ReasonCode::SUCCESS);
    assert_eq!(again, Err(CommandError::NoTicket));
}

#[rstest]
#[case(QoS::AtLeastOnce)]
#[case(QoS::ExactlyOnce)]
fn what_was_not_acknowledged_before_the_connection_was_lost_comes_again(#[case] qos: QoS) {
    let mut options = manual(V3);
    options.connect.clean_start = false;
    let mut bench = Bench::connected(options);
    bench.receive(incoming(qos, 1, "m"));
    let old = tickets(bench.events());
    // A broker of 3.1.1 may also send it again before that.
    bench.receive(incoming(qos, 1, "m"));
    assert_eq!(bench.events(), []);
    bench.reconnect(true);
    bench.take();
    bench.receive(incoming(qos, 1, "m"));
    let new = tickets(bench.events());
    assert_eq!(new.len(), 1);
    assert_eq!(bench.client.acknowledge(bench.now, old[0].1, ReasonCode::SUCCESS), Err(CommandError::NoTicket));
    assert_eq!(bench.sent(), []);
    bench.client.acknowledge(bench.now, new[0].1, ReasonCode::SUCCESS).expect("it waits");
    assert_eq!(bench.sent().len(), 1);
}

/// A client that is sent message 2 again, which it has acknowledged, while message 1 waits for its application under this ticket.
fn with_a_repetition(version: Version) -> (Bench, Ticket) {
    let mut bench = Bench::connected(manual(version));
    bench.receive(incoming(QoS::ExactlyOnce, 2, "answered"));
    let answered = tickets(bench.events())[0].1;
    bench.client.acknowledge(bench.now, answered, ReasonCode::SUCCESS).expect("it waits");
    assert_eq!(brief(&bench.sent()), ["PUBREC 2"]);
    bench.receive(incoming(QoS::ExactlyOnce, 1, "waits"));
    let waits = tickets(bench.events())[0].1;
    bench.receive(incoming(QoS::ExactlyOnce, 2, "answered"));
    (bench, waits)
}

// Shows 3.1.1 MQTT-4.6.0-3, 5.0 MQTT-4.6.0-3.
#[rstest]
fn a_repeated_message_of_qos_2_is_answered_in_its_turn(#[values(V3, V5)] version: Version) {
    let (mut bench, waits) = with_a_repetition(version);
    assert_eq!(brief(&bench.sent()), [""; 0], "PUBREC 1 first");
    bench.client.acknowledge(bench.now, waits, ReasonCode::SUCCESS).expect("it waits");
    assert_eq!(brief(&bench.sent()), ["PUBREC 1", "PUBREC 2"]);
}

#[test]
fn a_message_with_the_identifier_of_one_that_was_released_is_new_also_if_an_answer_still_waited() {
    let (mut bench, _) = with_a_repetition(V3);
    bench.receive(Packet::PubRel(ack(2)));
    bench.receive(incoming(QoS::ExactlyOnce, 2, "new"));
    let handed: Vec<String> = tickets(bench.events()).into_iter().map(|(payload, _)| payload).collect();
    assert_eq!(handed, ["new"]);
}

// Shows 5.0 MQTT-4.3.3-9.
#[test]
fn a_message_can_be_refused_in_5_0_and_its_identifier_is_free_again() {
    let mut bench = Bench::connected(manual(V5));
    bench.receive(incoming(QoS::ExactlyOnce, 1, "m"));
    let first = tickets(bench.events())[0].1;
    bench.client.acknowledge(bench.now, first, ReasonCode::QUOTA_EXCEEDED).expect("5.0 has it");
    let sent = bench.sent();
    assert!(matches!(&*sent, [Packet::PubRec(pubrec)] if pubrec.reason == ReasonCode::QUOTA_EXCEEDED), "{sent:?}");
    bench.receive(incoming(QoS::ExactlyOnce, 1, "new"));
    assert_eq!(tickets(bench.events())[0].0, "new");
}

#[test]
fn a_message_cannot_be_refused_in_3_1_1() {
    let mut bench = Bench::connected(manual(V3));
    bench.receive(incoming(QoS::AtLeastOnce, 1, "m"));
    let ticket = tickets(bench.events())[0].1;
    let refused = bench.client.acknowledge(bench.now, ticket, ReasonCode::QUOTA_EXCEEDED);
    assert!(matches!(refused, Err(CommandError::Invalid(_))));
    bench.client.acknowledge(bench.now, ticket, ReasonCode::SUCCESS).expect("it still waits");
}

#[rstest]
#[case(QoS::AtLeastOnce, QoS::AtLeastOnce)]
#[case(QoS::AtLeastOnce, QoS::ExactlyOnce)]
#[case(QoS::ExactlyOnce, QoS::AtLeastOnce)]
fn our_receive_maximum_counts_messages_of_both_qos(#[case] first: QoS, #[case] second: QoS) {
    let mut options = manual(V5);
    options.connect.receive_maximum = Some(1);
    let mut bench = Bench::connected(options);
    bench.receive(incoming(first, 1, "1"));
    assert_eq!(bench.ended(), None);
    bench.receive(incoming(second, 2, "2"));
    let Some(DisconnectReason::Protocol { reason, .. }) = bench.ended() else { panic!("it went on") };
    assert_eq!(reason, ReasonCode::RECEIVE_MAXIMUM_EXCEEDED);
}

#[test]
fn nothing_is_read_while_the_application_takes_nothing_and_pings_go_out() {
    let mut bench = Bench::connected(Options { incoming_limit: Some(2), ..options(V5, 10) });
    for payload in ["1", "2", "3", "4"] {
        bench.receive(incoming(QoS::AtMostOnce, 0, payload));
    }
    let count = |events: Vec<Event>| events.iter().filter(|event| matches!(event, Event::Message(_))).count();
    assert_eq!(count(bench.events()), 2);
    assert!(!bench.client.is_listening());
    for round in 1..=5 {
        let due = bench.wake().map(|(_, timer)| timer);
        assert_eq!((due, bench.sent_types()), (Some(Timer::KeepAlive), vec![PacketType::PingReq]), "round {round}");
    }
    bench.client.allow(bench.now, 1);
    assert_eq!(count(bench.events()), 1);
    bench.client.allow(bench.now, 5);
    assert_eq!(count(bench.events()), 1);
    // After this silence counts again.
    assert_eq!(bench.due().map(|(_, timer)| timer), Some(Timer::PingResponse));
}

#[test]
fn messages_wait_in_the_bounded_queue_while_the_driver_has_too_much_to_write() {
    let mut bench = Bench::connected(Options { queue_limit: 1, ..options(V5, 10) });
    bench.client.handle_congestion(bench.now, true);
    bench.publish(QoS::AtMostOnce, "1");
    assert_eq!(bench.sent(), []);
    let full = bench.client.publish(bench.now, super::bench::message(QoS::AtMostOnce, "2"));
    assert_eq!(full, Err(CommandError::QueueFull));
    bench.client.handle_congestion(bench.now, false);
    assert_eq!(brief(&bench.sent()), ["PUBLISH 0 1"]);
}

#[test]
fn reason_strings_that_were_not_asked_for_are_an_error() {
    let mut options = options(V5, 10);
    options.connect.request_problem_information = Some(false);
    let mut bench = Bench::connected_with(options, ConnAck { reason_string: Some("hi".into()), ..ConnAck::default() });
    bench.publish(QoS::AtLeastOnce, "1");
    bench.receive(Packet::PubAck(halfopen_protocol::packet::Ack { reason_string: Some("why".into()), ..ack(1) }));
    assert!(matches!(bench.ended(), Some(DisconnectReason::Protocol { clause: "MQTT-3.1.2-29", .. })));
}

#[test]
fn what_the_application_took_is_not_handed_on_again_until_it_is_released() {
    let mut bench = Bench::connected(manual(V5));
    bench.receive(incoming(QoS::ExactlyOnce, 1, "1"));
    let tickets = tickets(bench.events());
    bench.client.acknowledge(bench.now, tickets[0].1, ReasonCode::SUCCESS).expect("it waits");
    assert_eq!(brief(&bench.sent()), ["PUBREC 1"]);
    bench.receive(incoming(QoS::ExactlyOnce, 1, "1"));
    let outputs = bench.take();
    assert_eq!(brief(&sent(outputs.clone())), ["PUBREC 1"]);
    let is_handed_on =
        |output: &Output| matches!(output, Output::Event(Event::Unacknowledged { .. } | Event::Message(_)));
    assert!(!outputs.iter().any(is_handed_on), "{outputs:?}");
}
