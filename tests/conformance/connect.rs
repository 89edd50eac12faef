//! CONNECT, CONNACK, keep-alive, DISCONNECT and the will.

use std::time::Duration;

use super::client::Client;
use super::dialogue::{Ended, FAULTY, Played, Unmet, is, same};
use super::wire::{Connect, DISCONNECT, PINGRESP, Will, field, packet};
use super::{Dialogue, Row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!(
            a_connect_is_accepted_with_code_0,
            "3.1.1 MQTT-3.1.4-4, 3.1.1 MQTT-3.2.0-1, 3.1.1 MQTT-7.1.1-1, 5.0 MQTT-3.1.4-5, 5.0 MQTT-3.2.0-1, 5.0 MQTT-3.2.2-1, 5.0 MQTT-4.2-1"
        ),
        row!(
            a_second_connect_ends_the_connection_without_a_second_connack,
            "3.1.1 MQTT-3.1.0-2, 5.0 MQTT-3.1.0-2, 5.0 MQTT-3.2.0-2"
        ),
        row!(
            a_connection_that_does_not_begin_with_connect_is_closed,
            "3.1.1 MQTT-3.1.0-1, 5.0 MQTT-3.1.0-1, 5.0 MQTT-3.14.0-1"
        ),
        row!(a_protocol_name_that_is_unknown_is_not_served, "3.1.1 MQTT-3.1.2-1, 5.0 MQTT-3.1.2-1"),
        row!(an_unknown_protocol_level_is_answered_with_0x01, "3.1.1 MQTT-3.1.2-2"),
        row!(an_unknown_protocol_version_ends_the_connection, "5.0 MQTT-3.1.2-2, 5.0 MQTT-4.13.2-1"),
        row!(
            all_letters_and_digits_are_accepted_in_an_identifier_of_up_to_23_bytes,
            "3.1.1 MQTT-3.1.3-5, 5.0 MQTT-3.1.3-5"
        ),
        row!(an_empty_identifier_with_a_fresh_session_gets_one, "3.1.1 MQTT-3.1.3-6, 3.1.1 MQTT-3.1.3-7"),
        row!(
            an_empty_identifier_with_a_session_to_keep_is_refused_with_0x02,
            "3.1.1 MQTT-3.1.3-8, 3.1.1 MQTT-3.1.3-9, 3.1.1 MQTT-3.2.2-4, 3.1.1 MQTT-3.2.2-5"
        ),
        row!(what_comes_behind_a_refused_connect_is_ignored, "3.1.1 MQTT-3.1.4-5"),
        row!(
            an_empty_identifier_is_replaced_by_one_that_connack_tells_another_for_each,
            "5.0 MQTT-3.1.3-6, 5.0 MQTT-3.1.3-7, 5.0 MQTT-3.2.2-16"
        ),
        row!(an_assigned_identifier_leads_back_to_its_session, "5.0 MQTT-3.1.3-2, 5.0 MQTT-3.1.3-7"),
        row!(a_client_that_connects_again_takes_over_from_itself, "3.1.1 MQTT-3.1.4-2, 5.0 MQTT-3.1.4-3"),
        row!(
            silence_for_one_and_a_half_keep_alives_is_the_end,
            "3.1.1 MQTT-3.1.2-24, 5.0 MQTT-3.1.2-22, 5.0 MQTT-3.2.2-22"
        ),
        row!(any_packet_resets_the_silence, "3.1.1 MQTT-3.1.2-24, 5.0 MQTT-3.1.2-22"),
        row!(a_pingreq_is_answered, "3.1.1 MQTT-3.12.4-1, 5.0 MQTT-3.12.4-1"),
        row!(
            a_will_is_published_when_the_connection_breaks_and_once,
            "3.1.1 MQTT-3.1.2-8, 3.1.1 MQTT-3.1.2-10, 3.1.1 MQTT-3.1.2-16, 5.0 MQTT-3.1.2-7, 5.0 MQTT-3.1.2-8, 5.0 MQTT-3.1.2-10, 5.0 MQTT-3.1.2-14"
        ),
        row!(a_will_is_published_after_silence, "3.1.1 MQTT-3.1.2-8, 5.0 MQTT-3.1.2-8"),
        row!(a_will_is_published_after_a_protocol_error, "3.1.1 MQTT-3.1.2-8, 5.0 MQTT-3.1.2-8"),
        row!(a_will_is_published_after_a_takeover, "3.1.1 MQTT-3.1.2-8, 5.0 MQTT-3.1.2-8"),
        row!(
            disconnect_deletes_the_will,
            "3.1.1 MQTT-3.1.2-10, 3.1.1 MQTT-3.14.4-3, 5.0 MQTT-3.1.2-10, 5.0 MQTT-3.14.4-3"
        ),
        row!(disconnect_with_0x04_lets_the_will_be_published, "5.0 MQTT-3.1.2-8"),
        row!(without_a_will_nothing_is_published, "3.1.1 MQTT-3.1.2-12"),
        row!(a_will_with_will_retain_is_retained, "3.1.1 MQTT-3.1.2-17, 5.0 MQTT-3.1.2-15"),
        row!(an_empty_will_with_will_retain_removes_what_was_retained, "3.1.1 MQTT-3.3.1-10, 5.0 MQTT-3.3.1-6"),
        row!(a_delayed_will_waits_and_a_return_in_time_cancels_it, "5.0 MQTT-3.1.2-8, 5.0 MQTT-3.1.3-9"),
        row!(a_delayed_will_does_not_outlive_its_session, "5.0 MQTT-3.1.2-8"),
        row!(
            a_will_has_its_properties_in_order,
            "5.0 MQTT-3.1.3-10, 5.0 MQTT-3.3.2-4, 5.0 MQTT-3.3.2-15, 5.0 MQTT-3.3.2-16, 5.0 MQTT-3.3.2-20"
        ),
        row!(
            a_disconnect_from_the_broker_has_no_session_expiry_interval_and_is_its_last_packet,
            "5.0 MQTT-3.14.2-1, 5.0 MQTT-3.14.2-2, 5.0 MQTT-3.14.4-1, 5.0 MQTT-3.14.4-2"
        ),
        row!(
            an_unknown_authentication_method_is_refused,
            "5.0 MQTT-4.12.0-1, 5.0 MQTT-3.1.4-2, 5.0 MQTT-3.2.2-7, 5.0 MQTT-3.2.2-8"
        ),
        row!(without_a_method_auth_is_no_packet_to_send_and_connack_names_none, "5.0 MQTT-4.12.0-6, 5.0 MQTT-4.12.0-7"),
        row!(response_information_comes_only_to_whom_asked, "5.0 MQTT-3.1.2-28"),
    ]
}

fn a_connect_is_accepted_with_code_0(d: &Dialogue) -> Played {
    let client = d.connect("a")?;
    same("the flags and the code", &client.connack().body[..2].to_vec(), &vec![0, 0])
}

fn a_second_connect_ends_the_connection_without_a_second_connack(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    client.send(&Connect::new(d.own("a")).bytes(d.v5()))?;
    client.closed(FAULTY)
}

fn a_connection_that_does_not_begin_with_connect_is_closed(d: &Dialogue) -> Played {
    let subscribe = if d.v5() { "820700010000016100" } else { "82060001000161 00" };
    for first in ["C000", "E000", "3003000161", "40020001", "A2050001000161", subscribe] {
        let mut client = d.open()?;
        client.send(&super::hex(first))?;
        client.closed(FAULTY).map_err(|unmet| unmet.about(first))?;
    }
    Ok(())
}

fn a_protocol_name_that_is_unknown_is_not_served(d: &Dialogue) -> Played {
    let mut client = d.open()?;
    client.send(&super::hex(if d.v5() {
        "100C 00026D71 05 02 003C 00 0002 7878"
    } else {
        "100B 0002686A 04 02 003C 0001 78"
    }))?;
    client.closed(&[0x81, 0x82, 0x84])
}

fn an_unknown_protocol_level_is_answered_with_0x01(d: &Dialogue) -> Played {
    let mut client = d.open()?;
    client.send(&super::hex("100D 00044D515454 09 02 003C 0001 78"))?;
    let answer = client.next()?;
    // A broker of both standards may answer in the form of the other one.
    if answer.body.get(..2) != Some(&[0, 0x84]) {
        same("the answer", &(answer.first, answer.body), &(0x20, vec![0, 1]))?;
    }
    client.closed(&[])
}

fn an_unknown_protocol_version_ends_the_connection(d: &Dialogue) -> Played {
    let mut client = d.open()?;
    client.send(&super::hex("100E 00044D515454 06 02 003C 00 0001 78"))?;
    // What is said before is in the form of either version.
    let _ = client.next();
    match client.next() {
        Err(Ended::Closed) => Ok(()),
        other => Err(format!("it was to be closed, but {other:?}").into()),
    }
}

fn all_letters_and_digits_are_accepted_in_an_identifier_of_up_to_23_bytes(d: &Dialogue) -> Played {
    let all: Vec<char> = ('0'..='9').chain('a'..='z').chain('A'..='Z').collect();
    let own = d.own("");
    for part in all.chunks(23 - own.len()) {
        d.accept(&Connect::new(part.iter().chain(&own.chars().collect::<Vec<_>>()).collect::<String>()))?.leave()?;
    }
    Ok(())
}

fn an_empty_identifier_with_a_fresh_session_gets_one(d: &Dialogue) -> Played {
    let (mut one, mut other) = (unnamed(d, &Connect::new(""))?, unnamed(d, &Connect::new(""))?);
    one.nothing()?;
    other.nothing()
}

fn an_empty_identifier_with_a_session_to_keep_is_refused_with_0x02(d: &Dialogue) -> Played {
    let mut client = d.answer(&Connect { clean: false, ..Connect::new("") })?;
    same("the answer", &client.connack().body, &vec![0, 2])?;
    client.closed(&[])
}

fn what_comes_behind_a_refused_connect_is_ignored(d: &Dialogue) -> Played {
    let mut watcher = d.connect("w")?;
    watcher.subscribe(&d.own("t"), 0)?;
    let mut client = d.open()?;
    let publish = client.publish_bytes(0, &d.own("t"), [0, 0], &[], b"x");
    client.send(&[Connect { clean: false, ..Connect::new("") }.bytes(false), publish].concat())?;
    same("the code", &client.next()?.reason(), &2)?;
    client.closed(&[])?;
    watcher.nothing()
}

fn an_empty_identifier_is_replaced_by_one_that_connack_tells_another_for_each(d: &Dialogue) -> Played {
    let one = unnamed(d, &Connect::new(""))?;
    let other = unnamed(d, &Connect { clean: false, ..Connect::new("") })?;
    let ids = (one.connack().one(0x12), other.connack().one(0x12));
    match &ids {
        (Some(one), Some(other)) if one != other && !one.is_empty() && !other.is_empty() => Ok(()),
        _ => Err(format!("the identifiers are {ids:?}").into()),
    }
}

fn an_assigned_identifier_leads_back_to_its_session(d: &Dialogue) -> Played {
    let first = unnamed(d, &Connect::lasting("", true))?;
    let id = first.connack().one(0x12).ok_or("no identifier")?;
    first.cut();
    same("Session Present", &d.accept(&Connect::lasting(id, true))?.session_present(), &true)
}

fn a_client_that_connects_again_takes_over_from_itself(d: &Dialogue) -> Played {
    let mut old = d.connect("a")?;
    let mut new = d.connect("a")?;
    if d.v5() {
        same("the reason", &old.get(DISCONNECT)?.reason(), &0x8E)?;
    }
    old.closed(&[])?;
    new.nothing()
}

fn silence_for_one_and_a_half_keep_alives_is_the_end(d: &Dialogue) -> Played {
    // Two, a second apart: a broker that looks at its clients now and then is in time for one at most. There
    // is a second of grace for a busy machine; nothing forbids to give up on a silent client earlier.
    for name in ["a", "b"] {
        d.connect("other")?.quiet(Duration::from_secs(1))?;
        let mut client = d.accept(&Connect::new(d.own(name)).keep_alive(1))?;
        client.patience(Duration::from_millis(2_500))?;
        client.closed(&[0x8D])?;
    }
    Ok(())
}

fn any_packet_resets_the_silence(d: &Dialogue) -> Played {
    let mut client = d.accept(&Connect::new(d.own("a")).keep_alive(1))?;
    for _ in 0..3 {
        client.quiet(Duration::from_millis(900))?;
        client.publish(0, &d.own("t"), "alive")?;
    }
    client.nothing()
}

fn a_pingreq_is_answered(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    client.send(&[0xC0, 0, 0xC0, 0])?;
    for _ in 0..2 {
        same("the answer", &client.next()?.kind(), &PINGRESP)?;
    }
    Ok(())
}

fn a_will_is_published_when_the_connection_breaks_and_once(d: &Dialogue) -> Played {
    let mut watcher = watch(d)?;
    let will = Will { qos: 2, ..Will::new(d.own("w")) };
    d.accept(&Connect::new(d.own("a")).will(will))?.cut();
    is(&watcher.message()?, 2, false, &d.own("w"), "gone")?;
    d.connect("a")?.cut();
    watcher.nothing()?;
    let mut late = d.connect("late")?;
    late.subscribe(&d.own("w"), 2)?;
    late.nothing()
}

fn a_will_is_published_after_silence(d: &Dialogue) -> Played {
    let mut watcher = watch(d)?;
    let mut client =
        d.accept(&Connect::new(d.own("a")).keep_alive(1).will(Will { qos: 1, ..Will::new(d.own("w")) }))?;
    // Another row judges when it is closed.
    client.patience(Duration::from_secs(10))?;
    client.closed(&[0x8D])?;
    is(&watcher.message()?, 1, false, &d.own("w"), "gone")
}

fn a_will_is_published_after_a_protocol_error(d: &Dialogue) -> Played {
    let mut watcher = watch(d)?;
    let mut client = d.accept(&Connect::new(d.own("a")).will(Will::new(d.own("w"))))?;
    client.send(&[0xF1, 0])?;
    client.closed(FAULTY)?;
    is(&watcher.message()?, 0, false, &d.own("w"), "gone")
}

fn a_will_is_published_after_a_takeover(d: &Dialogue) -> Played {
    let mut watcher = watch(d)?;
    let _old = d.accept(&Connect::new(d.own("a")).will(Will::new(d.own("w"))))?;
    let _new = d.connect("a")?;
    is(&watcher.message()?, 0, false, &d.own("w"), "gone")
}

fn disconnect_deletes_the_will(d: &Dialogue) -> Played {
    let mut watcher = watch(d)?;
    d.accept(&Connect::new(d.own("a")).will(Will::new(d.own("w"))))?.leave()?;
    watcher.nothing()
}

fn disconnect_with_0x04_lets_the_will_be_published(d: &Dialogue) -> Played {
    let mut watcher = watch(d)?;
    let mut client = d.accept(&Connect::new(d.own("a")).will(Will::new(d.own("w"))))?;
    client.send(&[0xE0, 1, 4])?;
    is(&watcher.message()?, 0, false, &d.own("w"), "gone")
}

fn without_a_will_nothing_is_published(d: &Dialogue) -> Played {
    let mut watcher = d.connect("w")?;
    watcher.subscribe(&format!("{}/#", d.own("w")), 0)?;
    d.connect("a")?.cut();
    watcher.nothing()
}

fn a_will_with_will_retain_is_retained(d: &Dialogue) -> Played {
    let mut watcher = watch(d)?;
    d.accept(&Connect::new(d.own("a")).will(Will { retain: true, qos: 1, ..Will::new(d.own("w")) }))?.cut();
    is(&watcher.message()?, 1, false, &d.own("w"), "gone")?;
    let mut late = d.connect("late")?;
    late.subscribe(&d.own("w"), 2)?;
    is(&late.message()?, 1, true, &d.own("w"), "gone")
}

fn an_empty_will_with_will_retain_removes_what_was_retained(d: &Dialogue) -> Played {
    let mut watcher = watch(d)?;
    d.connect("p")?.retain(1, &d.own("w"), "there")?;
    is(&watcher.message()?, 1, false, &d.own("w"), "there")?;
    let will = Will { retain: true, payload: Vec::new(), ..Will::new(d.own("w")) };
    d.accept(&Connect::new(d.own("a")).will(will))?.cut();
    is(&watcher.message()?, 0, false, &d.own("w"), "")?;
    let mut late = d.connect("late")?;
    late.subscribe(&d.own("w"), 2)?;
    late.nothing()
}

fn a_delayed_will_waits_and_a_return_in_time_cancels_it(d: &Dialogue) -> Played {
    let mut watcher = watch(d)?;
    let will = Will { properties: vec![0x18, 0, 0, 0, 1], ..Will::new(d.own("w")) };
    let connect = Connect::lasting(d.own("a"), true).will(will);
    d.accept(&connect)?.cut();
    watcher.quiet(Duration::from_millis(500))?;
    let back = d.accept(&connect)?;
    watcher.quiet(Duration::from_millis(1_500))?;
    back.cut();
    watcher.quiet(Duration::from_millis(800))?;
    is(&watcher.message()?, 0, false, &d.own("w"), "gone")
}

fn a_delayed_will_does_not_outlive_its_session(d: &Dialogue) -> Played {
    let mut watcher = watch(d)?;
    let will = Will { properties: vec![0x18, 0, 0, 0, 60], ..Will::new(d.own("w")) };
    d.accept(&Connect::new(d.own("a")).expiry(1).will(will))?.cut();
    is(&watcher.message()?, 0, false, &d.own("w"), "gone")
}

fn a_will_has_its_properties_in_order(d: &Dialogue) -> Played {
    let mut watcher = watch(d)?;
    let pairs = [("k", "1"), ("a", "2"), ("k", "1")].map(|(k, v)| [field(k), field(v)].concat());
    let users: Vec<_> = pairs.iter().flat_map(|pair| [&[0x26][..], pair].concat()).collect();
    let rest = [vec![1, 1, 3], field("text"), vec![8], field("re/ply"), vec![9], field([0, 255])].concat();
    let will = Will { properties: [users, rest].concat(), ..Will::new(d.own("w")) };
    d.accept(&Connect::new(d.own("a")).will(will))?.cut();
    let message = watcher.message()?;
    same("user properties", &message.all(0x26), &pairs.to_vec())?;
    let rest = (message.one(1), message.one(3), message.one(8), message.one(9));
    same("the others", &rest, &(Some(vec![1]), Some(b"text".to_vec()), Some(b"re/ply".to_vec()), Some(vec![0, 255])))
}

fn a_disconnect_from_the_broker_has_no_session_expiry_interval_and_is_its_last_packet(d: &Dialogue) -> Played {
    let mut old = d.connect("a")?;
    let _new = d.connect("a")?;
    let Ok(goodbye) = old.get(DISCONNECT) else { return Unmet::not_offered("DISCONNECT at a takeover") };
    same("Session Expiry Interval", &goodbye.one(0x11), &None)?;
    old.closed(&[])
}

fn an_unknown_authentication_method_is_refused(d: &Dialogue) -> Played {
    let method = [vec![0x15], field("NO-SUCH-METHOD")].concat();
    let mut client = d.open()?;
    client.send(&Connect::new(d.own("a")).properties(&method).bytes(true))?;
    client.closed(&[0x8C, 0x87])
}

fn without_a_method_auth_is_no_packet_to_send_and_connack_names_none(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    same("the method", &client.connack().one(0x15), &None)?;
    client.send(&packet(0xF0, &[&[0x19], &[0]]))?;
    client.closed(&[0x81, 0x82, 0x87, 0x8C])
}

fn response_information_comes_only_to_whom_asked(d: &Dialogue) -> Played {
    same("unasked", &d.connect("a")?.connack().one(0x1A), &None)?;
    same("not wanted", &d.accept(&Connect::new(d.own("b")).properties(&[0x19, 0]))?.connack().one(0x1A), &None)
}

/// A client without an identifier that is accepted. A broker may refuse to name its clients [MQTT-3.1.3-6].
fn unnamed(d: &Dialogue, connect: &Connect) -> Played<Client> {
    match d.answer(connect)?.connack().reason() {
        2 | 0x85 => Unmet::not_offered("identifiers that the broker assigns"),
        _ => d.accept(connect),
    }
}

/// A subscriber of the topic `w` of this row.
fn watch(d: &Dialogue) -> Played<Client> {
    let mut watcher = d.connect("watcher")?;
    watcher.subscribe(&d.own("w"), 2)?;
    Ok(watcher)
}
