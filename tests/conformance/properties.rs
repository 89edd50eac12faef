//! What 5.0 adds to messages: properties, expiry, topic aliases, Receive Maximum and sizes.

use std::time::Duration;

use super::dialogue::{Unmet, is, same};
use super::wire::{Connect, Got, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, field};
use super::{Dialogue, Played, Row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!(
            properties_of_a_message_are_passed_on_as_they_are,
            "5.0 MQTT-3.3.2-4, 5.0 MQTT-3.3.2-15, 5.0 MQTT-3.3.2-16, 5.0 MQTT-3.3.2-17, 5.0 MQTT-3.3.2-18, 5.0 MQTT-3.3.2-20"
        ),
        row!(
            an_expired_message_is_not_delivered_and_one_that_waited_has_less_time_left,
            "5.0 MQTT-3.3.2-5, 5.0 MQTT-3.3.2-6"
        ),
        row!(a_client_may_use_every_topic_alias_that_connack_allows_and_change_it, "5.0 MQTT-3.3.2-12"),
        row!(
            a_topic_alias_above_the_maximum_of_connack_ends_the_connection,
            "5.0 MQTT-3.2.2-17, 5.0 MQTT-3.3.2-9, 5.0 MQTT-4.13.1-1"
        ),
        row!(the_broker_sets_no_topic_alias_where_none_was_allowed, "5.0 MQTT-3.1.2-27"),
        row!(
            the_broker_sets_topic_aliases_up_to_the_clients_maximum,
            "5.0 MQTT-3.1.2-26, 5.0 MQTT-3.3.2-11, 5.0 MQTT-3.3.2-8"
        ),
        row!(
            a_clients_receive_maximum_holds_back_publish_and_nothing_else,
            "5.0 MQTT-3.3.4-9, 5.0 MQTT-3.3.4-10, 5.0 MQTT-4.9.0-1, 5.0 MQTT-4.9.0-2, 5.0 MQTT-4.9.0-3"
        ),
        row!(more_open_messages_than_the_receive_maximum_end_the_connection, "5.0 MQTT-3.3.4-7, 5.0 MQTT-4.13.1-1"),
        row!(a_packet_that_is_too_large_for_a_client_is_left_out, "5.0 MQTT-3.1.2-24, 5.0 MQTT-3.1.2-25"),
        row!(
            acknowledgements_have_only_what_fits_and_codes_of_their_tables,
            "5.0 MQTT-3.4.2-1, 5.0 MQTT-3.4.2-2, 5.0 MQTT-3.4.2-3, 5.0 MQTT-3.5.2-1, 5.0 MQTT-3.5.2-2, 5.0 MQTT-3.5.2-3, 5.0 MQTT-3.7.2-1, 5.0 MQTT-3.7.2-2, 5.0 MQTT-3.7.2-3, 5.0 MQTT-3.1.2-29"
        ),
    ]
}

fn properties_of_a_message_are_passed_on_as_they_are(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    client.subscribe(&d.own("t"), 2)?;
    let pairs = [("z", "1"), ("a", "2"), ("z", "1"), ("", "")].map(|(k, v)| [field(k), field(v)].concat());
    let users: Vec<_> = pairs.iter().flat_map(|pair| [&[0x26][..], pair].concat()).collect();
    let rest = [vec![1, 1, 3], field("text/plain"), vec![8], field("re/ply"), vec![9], field([0, 255])].concat();
    let with = [rest, users].concat();
    for flags in [0, 2, 4] {
        client.publish_with(flags, &d.own("t"), &with, b"x")?;
        let message = client.message()?;
        same("user properties", &message.all(0x26), &pairs.to_vec())?;
        let rest = (message.one(1), message.one(3), message.one(8), message.one(9));
        let expected = (Some(vec![1]), Some(b"text/plain".to_vec()), Some(b"re/ply".to_vec()), Some(vec![0, 255]));
        same("the others", &rest, &expected)?;
    }
    Ok(())
}

fn an_expired_message_is_not_delivered_and_one_that_waited_has_less_time_left(d: &Dialogue) -> Played {
    let connect = Connect::lasting(d.own("a"), true);
    let mut client = d.accept(&connect)?;
    client.subscribe(&d.own("t"), 1)?;
    client.leave()?;
    let mut publisher = d.connect("p")?;
    publisher.publish_with(2, &d.own("t"), &[2, 0, 0, 0, 1], b"short")?;
    publisher.publish_with(2, &d.own("t"), &[2, 0, 0, 0, 60], b"long")?;
    publisher.publish_with(3, &d.own("r"), &[2, 0, 0, 0, 1], b"short")?;
    publisher.publish_with(3, &d.own("l"), &[2, 0, 0, 0, 60], b"long")?;
    publisher.quiet(Duration::from_millis(3_100))?;
    let left = |message: &Got| message.one(2).and_then(|bytes| bytes.last().copied()).unwrap_or(0);
    let mut client = d.accept(&connect)?;
    for topic in ["t", "l"] {
        let message = client.message()?;
        is(&message, 1, topic == "l", &d.own(topic), "long")?;
        if !(50..60).contains(&left(&message)) {
            return Err(format!("{} s of 60 are left after 3", left(&message)).into());
        }
        client.subscribe(&d.own("l"), 1)?;
    }
    client.message()?;
    client.subscribe(&d.own("r"), 1)?;
    client.nothing()
}

fn a_client_may_use_every_topic_alias_that_connack_allows_and_change_it(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    let most = client.topic_aliases()?.to_be_bytes();
    client.subscribe(&format!("{}/+", d.own("t")), 0)?;
    for (topic, alias, arrives) in [
        ("one", [0, 1], "one"),
        ("", [0, 1], "one"),
        ("two", [0, 1], "two"),
        ("", [0, 1], "two"),
        ("last", most, "last"),
        ("", most, "last"),
    ] {
        let name = if topic.is_empty() { String::new() } else { format!("{}/{topic}", d.own("t")) };
        client.publish_with(0, &name, &[&[0x23][..], &alias].concat(), b"x")?;
        let message = client.message()?;
        same("the topic", &message.topic(), &format!("{}/{arrives}", d.own("t")))?;
        same("the alias of another connection", &message.one(0x23), &None)?;
    }
    Ok(())
}

fn a_topic_alias_above_the_maximum_of_connack_ends_the_connection(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    let most = client.connack().one(0x22).map_or(0, |most| u16::from_be_bytes([most[0], most[1]]));
    let Some(above) = most.checked_add(1) else { return Unmet::not_offered("a limit on topic aliases") };
    let above = above.to_be_bytes();
    client.send(&client.publish_bytes(0, &d.own("t"), [0, 0], &[0x23, above[0], above[1]], b"x"))?;
    client.closed(&[0x81, 0x82, 0x94])
}

fn the_broker_sets_no_topic_alias_where_none_was_allowed(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    client.subscribe(&d.own("t"), 0)?;
    for _ in 0..3 {
        client.publish(0, &d.own("t"), "x")?;
        let message = client.message()?;
        same("topic and alias", &(message.topic(), message.one(0x23)), &(d.own("t"), None))?;
    }
    Ok(())
}

fn the_broker_sets_topic_aliases_up_to_the_clients_maximum(d: &Dialogue) -> Played {
    let mut client = d.accept(&Connect::new(d.own("a")).properties(&[0x22, 0, 1]))?;
    client.subscribe(&format!("{}/+", d.own("t")), 2)?;
    let mut named = None;
    for (qos, name) in [(0, "a"), (1, "a"), (2, "a"), (0, "b")] {
        let topic = format!("{}/{name}", d.own("t"));
        client.publish(qos, &topic, "x")?;
        let message = client.message()?;
        match message.one(0x23) {
            None => same("the topic", &message.topic(), &topic)?,
            Some(alias) => {
                same("the alias", &alias, &vec![0, 1])?;
                if !message.topic().is_empty() {
                    named = Some(message.topic());
                }
                same("the topic", &named, &Some(topic))?;
            }
        }
    }
    // Whether it makes use of them is the broker's choice.
    if named.is_some() { Ok(()) } else { Unmet::not_offered("topic aliases of the broker") }
}

fn a_clients_receive_maximum_holds_back_publish_and_nothing_else(d: &Dialogue) -> Played {
    for qos in [1, 2] {
        let mut client = d.accept(&Connect::new(d.own("a")).properties(&[0x21, 0, 2]))?;
        client.subscribe(&d.own("t"), qos)?;
        let mut publisher = d.connect("p")?;
        (0..3).try_for_each(|_| publisher.publish(qos, &d.own("t"), "x"))?;
        let id = client.get(PUBLISH)?.id().to_be_bytes();
        client.get(PUBLISH)?;
        client.nothing()?;
        client.subscribe(&d.own("other"), 0)?;
        if qos == 1 {
            client.send(&[0x40, 2, id[0], id[1]])?;
        } else {
            client.send(&[0x50, 2, id[0], id[1]])?;
            client.get(PUBREL)?;
            // Only PUBCOMP gives the quota back.
            client.nothing()?;
            client.send(&[0x70, 2, id[0], id[1]])?;
        }
        same("QoS", &client.get(PUBLISH)?.qos(), &qos)?;
    }
    Ok(())
}

fn more_open_messages_than_the_receive_maximum_end_the_connection(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    let most = client.connack().one(0x21).map_or(65_535, |most| u16::from_be_bytes([most[0], most[1]]));
    let Some(above) = most.checked_add(1) else { return Unmet::not_offered("a Receive Maximum") };
    // The broker may close before all is written.
    let _ =
        (1..=above).try_for_each(|id| client.send(&client.publish_bytes(4, &d.own("t"), id.to_be_bytes(), &[], b"x")));
    client.closed_after(PUBREC, &[0x81, 0x82, 0x93])
}

fn a_packet_that_is_too_large_for_a_client_is_left_out(d: &Dialogue) -> Played {
    let mut client = d.accept(&Connect::new(d.own("a")).properties(&[0x27, 0, 0, 0, 64]))?;
    client.subscribe(&d.own("t"), 2)?;
    let mut publisher = d.connect("p")?;
    for qos in 0..3 {
        publisher.publish(qos, &d.own("t"), &"x".repeat(64))?;
        publisher.publish(qos, &d.own("t"), "small")?;
        is(&client.message()?, qos, false, &d.own("t"), "small")?;
        client.nothing()?;
    }
    Ok(())
}

fn acknowledgements_have_only_what_fits_and_codes_of_their_tables(d: &Dialogue) -> Played {
    let mut client = d.accept(&Connect::new(d.own("a")).properties(&[0x17, 0, 0x27, 0, 0, 0, 20]))?;
    client.send(&client.publish_bytes(2, &d.own("t"), [0, 1], &[], b""))?;
    client.send(&client.publish_bytes(4, &d.own("t"), [0, 2], &[], b""))?;
    client.send(&[0x62, 2, 0, 99])?;
    let (one, two, three) = (client.get(PUBACK)?, client.get(PUBREC)?, client.get(PUBCOMP)?);
    same("PUBACK", &[0, 0x10].contains(&one.reason()), &true)?;
    same("PUBREC", &[0, 0x10].contains(&two.reason()), &true)?;
    same("PUBCOMP", &[0, 0x92].contains(&three.reason()), &true)?;
    for packet in [one, two, three] {
        same("properties", &(packet.one(0x1F), packet.one(0x26)), &(None, None))?;
    }
    Ok(())
}
