//! Messages on their way: QoS, order, payloads and topics.

use std::collections::BTreeSet;

use super::client::Client;
use super::dialogue::{is, same};
use super::wire::{CONNACK, Connect, Got, PUBACK, PUBREC, SUBACK, field};
use super::{Dialogue, Played, Row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!(
            each_qos_is_answered_as_it_demands_and_each_is_delivered_at_the_lower_of_two,
            "3.1.1 MQTT-2.3.1-6, 3.1.1 MQTT-3.3.4-1, 3.1.1 MQTT-3.8.4-6, 3.1.1 MQTT-4.3.1-1, 3.1.1 MQTT-2.3.1-4, 3.1.1 MQTT-2.3.1-5, 5.0 MQTT-2.2.1-2, 5.0 MQTT-2.2.1-4, 5.0 MQTT-2.2.1-5, 5.0 MQTT-3.3.4-1, 5.0 MQTT-3.8.4-8, 5.0 MQTT-4.3.1-1"
        ),
        row!(a_qos_0_message_has_no_answer, "3.1.1 MQTT-3.3.4-1, 5.0 MQTT-3.3.4-1"),
        row!(dup_of_the_publisher_goes_no_further, "3.1.1 MQTT-3.3.1-3, 5.0 MQTT-3.3.1-3"),
        row!(a_repeated_qos_2_message_is_answered_and_passed_on_once, "3.1.1 MQTT-4.3.3-2"),
        row!(messages_keep_their_order, "3.1.1 MQTT-4.6.0-5, 3.1.1 MQTT-4.6.0-6, 5.0 MQTT-4.6.0-5, 5.0 MQTT-4.6.0-6"),
        row!(
            identifiers_of_the_broker_are_unused_ones,
            "3.1.1 MQTT-2.3.1-4, 3.1.1 MQTT-4.3.2-1, 5.0 MQTT-2.2.1-4, 5.0 MQTT-4.3.2-1, 5.0 MQTT-4.3.3-1"
        ),
        row!(payloads_of_all_sizes_arrive_whole_also_those_of_a_megabyte, "3.1.1 MQTT-7.1.1-1, 5.0 MQTT-4.2-1"),
        row!(
            packets_may_come_byte_by_byte_and_many_at_once_without_waiting_for_connack,
            "3.1.1 MQTT-7.1.1-1, 3.1.1 MQTT-3.2.0-1, 5.0 MQTT-4.2-1, 5.0 MQTT-3.2.0-1"
        ),
        row!(
            a_byte_order_mark_and_all_other_characters_stay_as_they_are,
            "3.1.1 MQTT-1.5.3-3, 3.1.1 MQTT-4.7.3-4, 3.1.1 MQTT-3.3.2-1, 5.0 MQTT-1.5.4-3, 5.0 MQTT-4.7.3-4, 5.0 MQTT-3.3.2-1"
        ),
        row!(topics_of_65535_bytes_and_of_a_hundred_levels_are_carried, "3.1.1 MQTT-4.7.3-3, 5.0 MQTT-4.7.3-3"),
    ]
}

fn each_qos_is_answered_as_it_demands_and_each_is_delivered_at_the_lower_of_two(d: &Dialogue) -> Played {
    let mut publisher = d.connect("p")?;
    for granted in 0..3 {
        let mut client = d.connect(&format!("s{granted}"))?;
        client.subscribe(&d.own("t"), granted)?;
        for qos in 0..3 {
            publisher.publish(qos, &d.own("t"), "x")?;
            let message = client.message()?;
            is(&message, qos.min(granted), false, &d.own("t"), "x")?;
            same("DUP", &message.dup(), &false)?;
            same("whether there is an identifier", &(message.id() != 0), &(qos.min(granted) > 0))?;
        }
    }
    Ok(())
}

fn a_qos_0_message_has_no_answer(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    client.publish(0, &d.own("t"), "x")?;
    client.nothing()
}

fn dup_of_the_publisher_goes_no_further(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    client.subscribe(&d.own("t"), 2)?;
    for flags in [0x0A, 0x0C] {
        client.publish_with(flags, &d.own("t"), &[], b"x")?;
        same("DUP", &client.message()?.dup(), &false)?;
    }
    Ok(())
}

/// In 5.0 it is the client that must not send again while the connection stands [MQTT-4.4.0-1].
fn a_repeated_qos_2_message_is_answered_and_passed_on_once(d: &Dialogue) -> Played {
    let mut watcher = d.connect("w")?;
    watcher.subscribe(&d.own("t"), 2)?;
    let mut client = d.connect("a")?;
    for dup in [0, 8, 8] {
        client.send(&client.publish_bytes(4 | dup, &d.own("t"), [0, 5], &[], b"x"))?;
        same("PUBREC", &client.get(PUBREC)?.id(), &5)?;
    }
    client.send(&[0x62, 2, 0, 5])?;
    watcher.message()?;
    watcher.nothing()
}

fn messages_keep_their_order(d: &Dialogue) -> Played {
    let mut watcher = d.connect("w")?;
    watcher.subscribe(&d.own("t"), 2)?;
    let mut client = d.connect("a")?;
    for qos in 0..3 {
        let texts: Vec<_> = (0..50).map(|n| n.to_string()).collect();
        texts.iter().try_for_each(|text| client.publish(qos, &d.own("t"), text))?;
        texts.iter().try_for_each(|text| is(&watcher.message()?, qos, false, &d.own("t"), text))?;
    }
    Ok(())
}

fn identifiers_of_the_broker_are_unused_ones(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    client.subscribe(&d.own("t"), 2)?;
    let mut publisher = d.connect("p")?;
    (0..16).try_for_each(|n| publisher.publish(1 + n % 2, &d.own("t"), "x"))?;
    // How many may be unacknowledged is the broker's choice.
    let all: Vec<u16> = client.messages()?.iter().map(Got::id).collect();
    let different: BTreeSet<u16> = all.iter().copied().collect();
    same("how many different identifiers", &different.len(), &all.len())?;
    same("whether one is 0 or there is none", &(all.contains(&0) || all.is_empty()), &false)
}

fn payloads_of_all_sizes_arrive_whole_also_those_of_a_megabyte(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    client.subscribe(&d.own("t"), 1)?;
    let limit = client.connack().one(0x27).map_or(u32::MAX, |it| u32::from_be_bytes([it[0], it[1], it[2], it[3]]));
    let sizes = [0, 1, 127, 128, 16_383, 16_384, 1_048_576, 2_097_152];
    // What comes before the payload fits in a hundred bytes.
    for size in sizes.into_iter().filter(|&size| size as u64 + 100 <= limit.into()) {
        let payload: Vec<u8> = (0..size).map(|at: usize| (at % 251) as u8).collect();
        client.publish_with(2, &d.own("t"), &[], &payload)?;
        let arrived = client.message()?.payload();
        if arrived != payload {
            return Err(format!("{} bytes arrived of {size}", arrived.len()).into());
        }
    }
    Ok(())
}

fn packets_may_come_byte_by_byte_and_many_at_once_without_waiting_for_connack(d: &Dialogue) -> Played {
    let topic = d.own("t");
    let (mut client, mut at_once) = (d.open()?, d.open()?);
    let publish = client.publish_bytes(2, &topic, [0, 2], &[], b"x");
    let options = [field(&topic), vec![0]].concat();
    let subscribe = super::wire::packet(0x82, &[&[0, 1], &super::wire::properties(d.v5(), &[]), &options]);
    let story = [Connect::new(d.own("a")).bytes(d.v5()), subscribe, publish].concat();
    for byte in &story {
        client.send(&[*byte])?;
    }
    let done = |client: &mut Client| {
        same("the first packet", &client.next()?.kind(), &CONNACK)?;
        client.get(SUBACK)?;
        client.get(PUBACK)
    };
    done(&mut client)?;
    client.leave()?;
    at_once.send(&story)?;
    done(&mut at_once).map(|_| ())
}

fn a_byte_order_mark_and_all_other_characters_stay_as_they_are(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    for name in ["\u{FEFF}x\u{FEFF}", "Å A\u{30A} \u{212B}", "é e\u{301}", " x ", "\u{1F980}", "ACCOUNTS Accounts"] {
        let topic = format!("{name}/{}", d.own("t"));
        client.subscribe(&topic, 0)?;
        client.publish(0, &topic, "x")?;
        is(&client.message()?, 0, false, &topic, "x")?;
    }
    client.publish(0, &format!("x/{}", d.own("t")), "not normalised")?;
    client.publish(0, &format!("accounts accounts/{}", d.own("t")), "not normalised")?;
    client.nothing()
}

fn topics_of_65535_bytes_and_of_a_hundred_levels_are_carried(d: &Dialogue) -> Played {
    let own = d.own("t");
    for topic in [format!("{own}{}", "x".repeat(65_535 - own.len())), format!("{own}{}", "/x".repeat(99))] {
        let mut client = d.connect("a")?;
        client.subscribe(&topic, 1)?;
        client.publish(1, &topic, "x")?;
        is(&client.message()?, 1, false, &topic, "x")?;
    }
    Ok(())
}
