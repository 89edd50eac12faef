//! Retained messages.

use super::client::Client;
use super::dialogue::{is, same};
use super::wire::field;
use super::{Dialogue, Played, Row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!(
            retain_is_set_for_new_subscribers_and_not_for_old_ones,
            "3.1.1 MQTT-3.3.1-5, 3.1.1 MQTT-3.3.1-6, 3.1.1 MQTT-3.3.1-8, 3.1.1 MQTT-3.3.1-9, 5.0 MQTT-3.3.1-5, 5.0 MQTT-3.3.1-9, 5.0 MQTT-3.3.1-12"
        ),
        row!(a_retained_qos_0_message_replaces_what_was_retained, "3.1.1 MQTT-3.3.1-7, 5.0 MQTT-3.3.1-5"),
        row!(
            an_empty_retained_message_is_delivered_and_removes_the_one_retained,
            "3.1.1 MQTT-3.3.1-10, 3.1.1 MQTT-3.3.1-11, 5.0 MQTT-3.3.1-6, 5.0 MQTT-3.3.1-7"
        ),
        row!(a_message_without_retain_leaves_the_retained_one_alone, "3.1.1 MQTT-3.3.1-12, 5.0 MQTT-3.3.1-8"),
        row!(a_retained_message_keeps_its_properties, "5.0 MQTT-3.3.2-17"),
    ]
}

fn retain_is_set_for_new_subscribers_and_not_for_old_ones(d: &Dialogue) -> Played {
    let mut old = d.connect("old")?;
    old.subscribe(&format!("{}/+", d.own("t")), 2)?;
    let mut publisher = d.connect("p")?;
    for qos in 0..3 {
        let topic = format!("{}/{qos}", d.own("t"));
        publisher.retain(qos, &topic, "first")?;
        publisher.retain(qos, &topic, "last")?;
        is(&old.message()?, qos, false, &topic, "first")?;
        is(&old.message()?, qos, false, &topic, "last")?;
        let mut new = d.connect("new")?;
        new.subscribe(&topic, 1)?;
        retained(&mut new, qos, 1, &topic)?;
    }
    Ok(())
}

fn a_retained_qos_0_message_replaces_what_was_retained(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    client.retain(2, &d.own("t"), "first")?;
    client.retain(0, &d.own("t"), "last")?;
    client.subscribe(&d.own("t"), 2)?;
    retained(&mut client, 0, 2, &d.own("t"))
}

fn an_empty_retained_message_is_delivered_and_removes_the_one_retained(d: &Dialogue) -> Played {
    let mut old = d.connect("old")?;
    old.subscribe(&d.own("t"), 1)?;
    let mut publisher = d.connect("p")?;
    for text in ["there", "", ""] {
        publisher.retain(1, &d.own("t"), text)?;
        is(&old.message()?, 1, false, &d.own("t"), text)?;
    }
    let mut new = d.connect("new")?;
    new.subscribe(&d.own("t"), 1)?;
    new.nothing()
}

fn a_message_without_retain_leaves_the_retained_one_alone(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    client.publish(1, &d.own("none"), "x")?;
    client.retain(1, &d.own("t"), "kept")?;
    client.publish(1, &d.own("t"), "passing")?;
    client.publish(1, &d.own("t"), "")?;
    client.subscribe(&d.own("none"), 1)?;
    client.subscribe(&d.own("t"), 1)?;
    is(&client.message()?, 1, true, &d.own("t"), "kept")?;
    client.nothing()
}

fn a_retained_message_keeps_its_properties(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    let with = [vec![0x26], field("k"), field("v"), vec![1, 0]].concat();
    client.publish_with(3, &d.own("t"), &with, b"x")?;
    client.subscribe(&d.own("t"), 1)?;
    let message = client.message()?;
    same("the properties", &(message.all(0x26).len(), message.one(1)), &(1, Some(vec![0])))
}

/// That what is retained under this topic, published with `qos`, comes to a new subscriber for `granted`. What was
/// published with QoS 0 a broker may have discarded (§3.3.1.3), but then with what was there before.
fn retained(client: &mut Client, qos: u8, granted: u8, topic: &str) -> Played {
    if qos > 0 {
        is(&client.message()?, qos.min(granted), true, topic, "last")?;
        return client.nothing();
    }
    match &client.messages()?[..] {
        [] => Ok(()),
        [only] => is(only, 0, true, topic, "last"),
        more => Err(format!("nothing more was to come, but {more:?}").into()),
    }
}
