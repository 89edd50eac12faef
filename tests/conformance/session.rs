//! What outlives a connection, and what is sent again.

use std::time::Duration;

use super::dialogue::{FAULTY, is, same};
use super::wire::{Connect, Got, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL};
use super::{Dialogue, Played, Row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!(
            a_session_is_resumed_with_its_subscriptions_and_messages,
            "3.1.1 MQTT-3.1.2-4, 3.1.1 MQTT-3.1.2-5, 3.1.1 MQTT-3.1.3-2, 3.1.1 MQTT-3.2.2-2, 3.1.1 MQTT-3.2.2-3, 3.1.1 MQTT-4.1.0-1, 3.1.1 MQTT-4.5.0-1, 5.0 MQTT-3.1.2-5, 5.0 MQTT-3.1.2-6, 5.0 MQTT-3.1.2-23, 5.0 MQTT-3.1.3-2, 5.0 MQTT-3.2.2-3, 5.0 MQTT-4.5.0-1"
        ),
        row!(
            a_clean_session_forgets_what_was_and_is_forgotten,
            "3.1.1 MQTT-3.1.2-6, 3.1.1 MQTT-3.1.4-3, 3.1.1 MQTT-3.2.2-1, 3.1.1 MQTT-3.2.2-3, 5.0 MQTT-3.1.2-4, 5.0 MQTT-3.1.4-4, 5.0 MQTT-3.2.2-2"
        ),
        row!(a_session_survives_a_takeover, "3.1.1 MQTT-3.1.2-4, 3.1.1 MQTT-4.1.0-2, 5.0 MQTT-4.1.0-1"),
        row!(retained_messages_outlive_the_session_that_published_them, "3.1.1 MQTT-3.1.2-7"),
        row!(without_session_expiry_interval_a_session_ends_with_its_connection, "5.0 MQTT-4.1.0-2"),
        row!(a_session_ends_when_its_interval_has_run_out, "5.0 MQTT-3.1.2-23, 5.0 MQTT-4.1.0-2"),
        row!(disconnect_may_change_how_long_a_session_lasts, "5.0 MQTT-3.1.2-23, 5.0 MQTT-4.1.0-2"),
        row!(disconnect_may_not_make_a_session_last_that_was_to_end, "5.0 MQTT-4.13.1-1"),
        row!(
            an_unacknowledged_qos_1_message_is_sent_again_on_the_next_connection,
            "3.1.1 MQTT-3.3.1-1, 3.1.1 MQTT-4.3.2-1, 3.1.1 MQTT-4.4.0-1, 5.0 MQTT-3.3.1-1, 5.0 MQTT-4.3.2-2, 5.0 MQTT-4.3.2-3, 5.0 MQTT-4.4.0-1"
        ),
        row!(
            an_unacknowledged_qos_2_message_is_sent_again_and_after_pubrec_only_pubrel_is,
            "3.1.1 MQTT-4.3.3-1, 3.1.1 MQTT-4.4.0-1, 5.0 MQTT-4.3.3-2, 5.0 MQTT-4.3.3-3, 5.0 MQTT-4.3.3-4, 5.0 MQTT-4.3.3-5, 5.0 MQTT-4.3.3-6, 5.0 MQTT-4.4.0-1"
        ),
        row!(what_is_unacknowledged_is_sent_again_in_its_order, "3.1.1 MQTT-4.6.0-6, 5.0 MQTT-4.6.0-5"),
        row!(nothing_is_sent_again_while_the_connection_stands, "5.0 MQTT-4.4.0-1"),
        row!(
            a_qos_2_publish_that_breaks_off_after_pubrec_goes_on_with_pubrel,
            "3.1.1 MQTT-4.3.3-2, 5.0 MQTT-4.3.3-8, 5.0 MQTT-4.3.3-10, 5.0 MQTT-4.3.3-11"
        ),
        row!(
            an_identifier_is_free_again_after_puback_whatever_dup_says,
            "3.1.1 MQTT-4.3.2-2, 5.0 MQTT-4.3.2-4, 5.0 MQTT-4.3.2-5"
        ),
        row!(an_identifier_is_free_again_after_pubcomp_whatever_dup_says, "3.1.1 MQTT-4.3.3-2, 5.0 MQTT-4.3.3-12"),
        row!(a_pubrel_for_nothing_is_answered_all_the_same, "3.1.1 MQTT-4.3.3-2, 5.0 MQTT-4.3.3-11"),
        row!(
            a_qos_2_message_that_a_subscriber_refuses_with_pubrec_0x80_or_above_is_settled,
            "5.0 MQTT-4.4.0-2, 5.0 MQTT-4.3.3-4"
        ),
        row!(topic_aliases_end_with_the_connection, "5.0 MQTT-3.3.2-7"),
    ]
}

fn a_session_is_resumed_with_its_subscriptions_and_messages(d: &Dialogue) -> Played {
    let connect = Connect::lasting(d.own("a"), d.v5());
    let mut client = d.accept(&connect)?;
    same("Session Present", &client.session_present(), &false)?;
    client.subscribe(&d.own("t"), 2)?;
    client.leave()?;
    let mut publisher = d.connect("p")?;
    publisher.publish(1, &d.own("t"), "one")?;
    publisher.publish(2, &d.own("t"), "two")?;
    let mut client = d.accept(&connect)?;
    same("Session Present", &client.session_present(), &true)?;
    // Their order is not laid down, since their QoS are different ones.
    let mut both = [client.message()?, client.message()?];
    both.sort_by_key(Got::qos);
    is(&both[0], 1, false, &d.own("t"), "one")?;
    is(&both[1], 2, false, &d.own("t"), "two")?;
    publisher.publish(1, &d.own("t"), "three")?;
    is(&client.message()?, 1, false, &d.own("t"), "three")
}

fn a_clean_session_forgets_what_was_and_is_forgotten(d: &Dialogue) -> Played {
    let lasting = Connect::lasting(d.own("a"), d.v5());
    let mut client = d.accept(&lasting)?;
    client.subscribe(&d.own("t"), 1)?;
    client.leave()?;
    let mut publisher = d.connect("p")?;
    publisher.publish(1, &d.own("t"), "lost")?;
    let mut client = d.connect("a")?;
    same("Session Present", &client.session_present(), &false)?;
    publisher.publish(1, &d.own("t"), "lost, too")?;
    client.nothing()?;
    client.leave()?;
    same("Session Present", &d.accept(&lasting)?.session_present(), &false)
}

fn a_session_survives_a_takeover(d: &Dialogue) -> Played {
    let lasting = Connect::lasting(d.own("a"), d.v5());
    let mut old = d.accept(&lasting)?;
    old.subscribe(&d.own("t"), 1)?;
    let mut new = d.accept(&lasting)?;
    same("Session Present", &new.session_present(), &true)?;
    d.connect("p")?.publish(1, &d.own("t"), "x")?;
    is(&new.message()?, 1, false, &d.own("t"), "x")
}

fn retained_messages_outlive_the_session_that_published_them(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    client.retain(1, &d.own("t"), "kept")?;
    client.leave()?;
    let mut late = d.connect("a")?;
    late.subscribe(&d.own("t"), 1)?;
    is(&late.message()?, 1, true, &d.own("t"), "kept")
}

fn without_session_expiry_interval_a_session_ends_with_its_connection(d: &Dialogue) -> Played {
    let connect = Connect { clean: false, ..Connect::new(d.own("a")) };
    d.accept(&connect)?.leave()?;
    same("Session Present", &d.accept(&connect)?.session_present(), &false)
}

fn a_session_ends_when_its_interval_has_run_out(d: &Dialogue) -> Played {
    let connect = Connect { clean: false, ..Connect::new(d.own("a")).expiry(2) };
    d.accept(&connect)?.leave()?;
    let mut other = d.connect("b")?;
    other.quiet(Duration::from_secs(1))?;
    let client = d.accept(&connect)?;
    same("Session Present after 1 of 2 s", &client.session_present(), &true)?;
    client.leave()?;
    other.quiet(Duration::from_secs(4))?;
    same("Session Present after 4 of 2 s", &d.accept(&connect)?.session_present(), &false)
}

fn disconnect_may_change_how_long_a_session_lasts(d: &Dialogue) -> Played {
    let connect = Connect::lasting(d.own("a"), true);
    d.accept(&connect)?.leave_with(&[0xE0, 7, 0, 5, 0x11, 0, 0, 0, 0])?;
    same("Session Present", &d.accept(&connect)?.session_present(), &false)
}

fn disconnect_may_not_make_a_session_last_that_was_to_end(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    client.send(&[0xE0, 7, 0, 5, 0x11, 0, 0, 0, 9])?;
    client.closed(FAULTY)
}

fn an_unacknowledged_qos_1_message_is_sent_again_on_the_next_connection(d: &Dialogue) -> Played {
    let connect = Connect::lasting(d.own("a"), d.v5());
    let mut client = d.accept(&connect)?;
    client.subscribe(&d.own("t"), 1)?;
    d.connect("p")?.publish(1, &d.own("t"), "x")?;
    let first = client.get(PUBLISH)?;
    same("DUP", &first.dup(), &false)?;
    client.cut();
    let mut client = d.accept(&connect)?;
    let again = client.message()?;
    same("DUP and identifier", &(again.dup(), again.id()), &(true, first.id()))?;
    client.nothing()?;
    client.cut();
    d.accept(&connect)?.nothing()
}

fn an_unacknowledged_qos_2_message_is_sent_again_and_after_pubrec_only_pubrel_is(d: &Dialogue) -> Played {
    let connect = Connect::lasting(d.own("a"), d.v5());
    let mut client = d.accept(&connect)?;
    client.subscribe(&d.own("t"), 2)?;
    d.connect("p")?.publish(2, &d.own("t"), "x")?;
    let first = client.get(PUBLISH)?;
    same("QoS and DUP", &(first.qos(), first.dup()), &(2, false))?;
    client.cut();
    let mut client = d.accept(&connect)?;
    let again = client.get(PUBLISH)?;
    same("DUP and identifier", &(again.dup(), again.id()), &(true, first.id()))?;
    let id = again.id().to_be_bytes();
    client.send(&[0x50, 2, id[0], id[1]])?;
    same("PUBREL", &client.get(PUBREL)?.id(), &first.id())?;
    client.cut();
    let mut client = d.accept(&connect)?;
    let release = client.next()?;
    same("the first packet and its identifier", &(release.first, release.id()), &(0x62, first.id()))?;
    client.send(&[0x70, 2, id[0], id[1]])?;
    client.nothing()?;
    client.cut();
    d.accept(&connect)?.nothing()
}

fn what_is_unacknowledged_is_sent_again_in_its_order(d: &Dialogue) -> Played {
    let connect = Connect::lasting(d.own("a"), d.v5());
    let mut client = d.accept(&connect)?;
    client.subscribe(&d.own("t"), 1)?;
    let mut publisher = d.connect("p")?;
    let texts: Vec<_> = (0..10).map(|n| n.to_string()).collect();
    texts.iter().try_for_each(|text| publisher.publish(1, &d.own("t"), text))?;
    client.get(PUBLISH)?;
    client.cut();
    let mut client = d.accept(&connect)?;
    texts.iter().try_for_each(|text| is(&client.message()?, 1, false, &d.own("t"), text))
}

fn nothing_is_sent_again_while_the_connection_stands(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    client.subscribe(&d.own("t"), 1)?;
    d.connect("p")?.publish(1, &d.own("t"), "x")?;
    client.get(PUBLISH)?;
    client.quiet(Duration::from_secs(2))
}

fn a_qos_2_publish_that_breaks_off_after_pubrec_goes_on_with_pubrel(d: &Dialogue) -> Played {
    let mut watcher = d.connect("w")?;
    watcher.subscribe(&d.own("t"), 2)?;
    let connect = Connect::lasting(d.own("a"), d.v5());
    let mut client = d.accept(&connect)?;
    let publish =
        |client: &super::client::Client, dup: u8| client.publish_bytes(4 | dup, &d.own("t"), [0, 9], &[], b"x");
    client.send(&publish(&client, 0))?;
    same("PUBREC", &client.get(PUBREC)?.id(), &9)?;
    client.cut();
    let mut client = d.accept(&connect)?;
    client.send(&publish(&client, 8))?;
    same("PUBREC", &client.get(PUBREC)?.id(), &9)?;
    client.send(&[0x62, 2, 0, 9])?;
    same("PUBCOMP", &client.get(PUBCOMP)?.id(), &9)?;
    is(&watcher.message()?, 2, false, &d.own("t"), "x")?;
    watcher.nothing()
}

fn an_identifier_is_free_again_after_puback_whatever_dup_says(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    client.subscribe(&d.own("t"), 0)?;
    for dup in [0, 8] {
        client.send(&client.publish_bytes(2 | dup, &d.own("t"), [0, 7], &[], b"x"))?;
        same("PUBACK", &client.get(PUBACK)?.id(), &7)?;
        client.message()?;
    }
    Ok(())
}

fn an_identifier_is_free_again_after_pubcomp_whatever_dup_says(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    client.subscribe(&d.own("t"), 0)?;
    for dup in [0, 8] {
        client.send(&client.publish_bytes(4 | dup, &d.own("t"), [0, 7], &[], b"x"))?;
        client.get(PUBREC)?;
        client.send(&[0x62, 2, 0, 7])?;
        client.get(PUBCOMP)?;
        client.message()?;
    }
    Ok(())
}

fn a_pubrel_for_nothing_is_answered_all_the_same(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    client.send(&[0x62, 2, 0x12, 0x34])?;
    let answer = client.get(PUBCOMP)?;
    same("the identifier", &answer.id(), &0x1234)?;
    same("whether its table has the reason", &[0, 0x92].contains(&answer.reason()), &true)
}

fn a_qos_2_message_that_a_subscriber_refuses_with_pubrec_0x80_or_above_is_settled(d: &Dialogue) -> Played {
    let connect = Connect::lasting(d.own("a"), true);
    let mut client = d.accept(&connect)?;
    client.subscribe(&d.own("t"), 2)?;
    d.connect("p")?.publish(2, &d.own("t"), "x")?;
    let id = client.get(PUBLISH)?.id().to_be_bytes();
    client.send(&[0x50, 3, id[0], id[1], 0x83])?;
    client.nothing()?;
    client.cut();
    d.accept(&connect)?.nothing()
}

fn topic_aliases_end_with_the_connection(d: &Dialogue) -> Played {
    let connect = Connect::lasting(d.own("a"), true);
    let mut client = d.accept(&connect)?;
    client.topic_aliases()?;
    client.publish_with(2, &d.own("t"), &[0x23, 0, 1], b"x")?;
    client.cut();
    let mut client = d.accept(&connect)?;
    client.send(&client.publish_bytes(2, "", [0, 1], &[0x23, 0, 1], b"x"))?;
    client.closed(&[0x81, 0x82, 0x94])
}
