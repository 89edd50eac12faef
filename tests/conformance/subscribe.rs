//! Subscriptions and what they match.

use std::collections::BTreeSet;

use super::dialogue::{FAULTY, is, same};
use super::wire::{Connect, Got, PUBLISH, packet};
use super::{Dialogue, Played, Row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!(
            suback_has_the_identifier_and_one_code_a_filter_in_their_order,
            "3.1.1 MQTT-2.3.1-7, 3.1.1 MQTT-3.8.4-1, 3.1.1 MQTT-3.8.4-2, 3.1.1 MQTT-3.8.4-4, 3.1.1 MQTT-3.8.4-5, 3.1.1 MQTT-3.9.3-1, 3.1.1 MQTT-3.9.3-2, 5.0 MQTT-2.2.1-6, 5.0 MQTT-3.8.4-1, 5.0 MQTT-3.8.4-2, 5.0 MQTT-3.8.4-5, 5.0 MQTT-3.8.4-6, 5.0 MQTT-3.8.4-7, 5.0 MQTT-3.9.3-1, 5.0 MQTT-3.9.3-2"
        ),
        row!(
            unsuback_has_the_identifier_also_where_nothing_was_subscribed,
            "3.1.1 MQTT-2.3.1-7, 3.1.1 MQTT-3.10.4-4, 3.1.1 MQTT-3.10.4-5, 3.1.1 MQTT-3.10.4-6, 5.0 MQTT-2.2.1-6, 5.0 MQTT-3.10.4-4, 5.0 MQTT-3.10.4-5, 5.0 MQTT-3.10.4-6, 5.0 MQTT-3.11.3-1, 5.0 MQTT-3.11.3-2"
        ),
        row!(
            filters_are_removed_by_exact_match_only,
            "3.1.1 MQTT-3.10.4-1, 3.1.1 MQTT-3.10.4-2, 5.0 MQTT-3.10.4-1, 5.0 MQTT-3.10.4-2"
        ),
        row!(a_delivery_that_had_begun_is_finished_after_unsubscribe, "3.1.1 MQTT-3.10.4-3, 5.0 MQTT-3.10.4-3"),
        row!(
            a_filter_that_is_subscribed_anew_replaces_the_old_subscription,
            "3.1.1 MQTT-3.8.4-3, 5.0 MQTT-3.8.4-3, 5.0 MQTT-3.8.4-4"
        ),
        row!(overlapping_subscriptions_deliver_at_the_highest_qos, "3.1.1 MQTT-3.3.5-1, 5.0 MQTT-3.3.4-2"),
        row!(
            wildcards_match_what_they_should,
            "3.1.1 MQTT-3.3.2-3, 3.1.1 MQTT-4.7.1-2, 3.1.1 MQTT-4.7.1-3, 5.0 MQTT-3.3.2-3, 5.0 MQTT-4.7.1-1, 5.0 MQTT-4.7.1-2"
        ),
        row!(
            a_filter_that_begins_with_a_wildcard_does_not_match_what_begins_with,
            "3.1.1 MQTT-4.7.2-1, 5.0 MQTT-4.7.2-1"
        ),
        row!(no_local_keeps_a_clients_own_messages_from_it, "5.0 MQTT-3.8.3-3"),
        row!(retain_as_published_keeps_the_retain_flag, "5.0 MQTT-3.3.1-12, 5.0 MQTT-3.3.1-13"),
        row!(
            retain_handling_says_when_retained_messages_are_sent,
            "5.0 MQTT-3.3.1-9, 5.0 MQTT-3.3.1-10, 5.0 MQTT-3.3.1-11, 5.0 MQTT-3.8.4-4"
        ),
        row!(
            messages_carry_the_identifiers_of_their_subscriptions,
            "5.0 MQTT-3.3.4-3, 5.0 MQTT-3.3.4-4, 5.0 MQTT-3.3.4-5"
        ),
        row!(retained_messages_carry_the_identifier_of_the_subscription_that_they_are_sent_for, "5.0 MQTT-3.3.4-3"),
        row!(members_of_a_shared_subscription_get_each_message_once_at_their_own_qos, "5.0 MQTT-4.8.2-3"),
        row!(shared_subscriptions_are_sent_nothing_that_is_retained, "5.0 MQTT-3.3.1-9"),
        row!(no_local_on_a_shared_subscription_ends_the_connection, "5.0 MQTT-3.8.3-4"),
        row!(a_shared_qos_2_message_that_was_begun_is_finished_with_the_same_member, "5.0 MQTT-4.8.2-4"),
        row!(a_message_that_a_member_refuses_is_offered_to_no_other, "5.0 MQTT-4.8.2-6"),
    ]
}

fn suback_has_the_identifier_and_one_code_a_filter_in_their_order(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    let (one, two, three) = (d.own("1"), d.own("2"), d.own("3"));
    client.subscribe_with(&[], &[(&one, 2), (&two, 0), (&three, 1), (&one, 0)])
}

fn unsuback_has_the_identifier_also_where_nothing_was_subscribed(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    client.subscribe(&d.own("t"), 0)?;
    let codes = client.unsubscribe(&[&d.own("none"), &d.own("t"), &d.own("t")])?;
    // Whether it says that there was none is the broker's choice.
    let codes: Vec<_> = codes.into_iter().map(|code| if code == 0x11 { 0 } else { code }).collect();
    same("the codes", &codes, &if d.v5() { vec![0; 3] } else { vec![] })?;
    client.publish(0, &d.own("t"), "x")?;
    client.nothing()
}

fn filters_are_removed_by_exact_match_only(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    let topic = d.own("T");
    client.subscribe(&format!("{topic}/x"), 0)?;
    client.unsubscribe(&[&format!("{topic}/#"), &format!("{topic}/+"), &format!("{topic}/X"), &topic])?;
    client.publish(0, &format!("{topic}/x"), "still")?;
    client.message()?;
    client.unsubscribe(&[&format!("{topic}/x")])?;
    client.publish(0, &format!("{topic}/x"), "gone")?;
    client.nothing()
}

fn a_delivery_that_had_begun_is_finished_after_unsubscribe(d: &Dialogue) -> Played {
    let connect = Connect::lasting(d.own("a"), d.v5());
    let mut client = d.accept(&connect)?;
    client.subscribe(&d.own("t"), 2)?;
    d.connect("p")?.publish(2, &d.own("t"), "x")?;
    let first = client.get(PUBLISH)?;
    client.unsubscribe(&[&d.own("t")])?;
    client.cut();
    let again = d.accept(&connect)?.message()?;
    same("DUP and identifier", &(again.dup(), again.id()), &(true, first.id()))
}

fn a_filter_that_is_subscribed_anew_replaces_the_old_subscription(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    client.retain(1, &d.own("t"), "kept")?;
    for qos in [0, 1] {
        client.subscribe(&d.own("t"), qos)?;
        is(&client.message()?, qos, true, &d.own("t"), "kept")?;
        client.publish(1, &d.own("t"), "once")?;
        is(&client.message()?, qos, false, &d.own("t"), "once")?;
        client.nothing()?;
    }
    Ok(())
}

fn overlapping_subscriptions_deliver_at_the_highest_qos(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    let (all, one) = (format!("{}/#", d.own("t")), format!("{}/+", d.own("t")));
    client.subscribe_with(&[], &[(&all, 2), (&one, 1)])?;
    let topic = format!("{}/x", d.own("t"));
    client.publish(2, &topic, "x")?;
    // Once, or once for each filter.
    let highest = client.messages()?.iter().map(Got::qos).max();
    same("the highest QoS", &highest, &Some(2))
}

fn wildcards_match_what_they_should(d: &Dialogue) -> Played {
    let own = d.own("t");
    for (filter, topic, matches) in [
        ("T/#", "T", true),
        ("T/#", "T/", true),
        ("T/#", "T/a", true),
        ("T/#", "T/a/b/c", true),
        ("T/#", "Ta", false),
        ("T/+", "T/a", true),
        ("T/+", "T/", true),
        ("T/+", "T", false),
        ("T/+", "T/a/b", false),
        ("+/T", "/T", true),
        ("+/+/T", "//T", true),
        ("T/+/b", "T/a/b", true),
        ("T/+/b", "T//b", true),
        ("T/+/b", "T/a/a/b", false),
        ("+/T/#", "x/T", true),
        ("T/a/+/#", "T/a/b", true),
        ("T/+/#", "T/", true),
        ("/T", "T", false),
        ("T", "/T", false),
        ("T/", "T", false),
        ("T/A", "T/a", false),
        ("T/+/+", "T/a/", true),
    ] {
        let (filter, topic) = (filter.replace('T', &own), topic.replace('T', &own));
        let mut client = d.connect("a")?;
        client.subscribe(&filter, 0)?;
        client.publish(0, &topic, "x")?;
        let outcome = if matches { client.message().map(|_| ()) } else { client.nothing() };
        outcome.map_err(|unmet| unmet.about(format_args!("{filter} and {topic}")))?;
    }
    Ok(())
}

fn a_filter_that_begins_with_a_wildcard_does_not_match_what_begins_with(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    let own = d.own("t");
    client.subscribe_with(&[], &[(&format!("+/{own}"), 0), (&format!("+/{own}/#"), 0)])?;
    // A broker should keep clients from such topics; how it does so is not laid down.
    let mut publisher = d.connect("p")?;
    publisher.publish(0, &format!("$other/{own}"), "hidden")?;
    let _ = publisher.nothing();
    client.publish(0, &format!("other/{own}"), "seen")?;
    let topics: BTreeSet<String> = client.messages()?.iter().map(Got::topic).collect();
    same("the topics", &topics, &BTreeSet::from([format!("other/{own}")]))
}

fn no_local_keeps_a_clients_own_messages_from_it(d: &Dialogue) -> Played {
    let (mut one, mut other) = (d.connect("a")?, d.connect("b")?);
    one.subscribe(&d.own("t"), 4 | 1)?;
    other.subscribe(&d.own("t"), 4 | 1)?;
    one.publish(1, &d.own("t"), "x")?;
    is(&other.message()?, 1, false, &d.own("t"), "x")?;
    one.nothing()
}

fn retain_as_published_keeps_the_retain_flag(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    let mut plain = d.connect("b")?;
    client.subscribe(&d.own("t"), 8)?;
    plain.subscribe(&d.own("t"), 0)?;
    for retain in [0, 1] {
        client.publish_with(retain, &d.own("t"), &[], b"x")?;
        is(&client.message()?, 0, retain == 1, &d.own("t"), "x")?;
        is(&plain.message()?, 0, false, &d.own("t"), "x")?;
    }
    Ok(())
}

fn retain_handling_says_when_retained_messages_are_sent(d: &Dialogue) -> Played {
    d.connect("p")?.retain(1, &d.own("t"), "kept")?;
    for (handling, new, again) in [(0, true, true), (1, true, false), (2, false, false)] {
        let mut client = d.connect("a")?;
        for comes in [new, again] {
            client.subscribe(&d.own("t"), handling << 4)?;
            let outcome = if comes { client.message().map(|_| ()) } else { Ok(()) };
            outcome
                .and_then(|()| client.nothing())
                .map_err(|unmet| unmet.about(format_args!("handling {handling}")))?;
        }
    }
    Ok(())
}

fn messages_carry_the_identifiers_of_their_subscriptions(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    client.subscribe_with(&[0x0B, 0xD5, 0xF0, 0x1B], &[(&d.own("t"), 0)])?;
    client.publish(0, &d.own("t"), "x")?;
    same("the identifier", &client.message()?.all(0x0B), &vec![vec![0xD5, 0xF0, 0x1B]])?;
    client.subscribe_with(&[0x0B, 2], &[(&format!("{}/#", d.own("t")), 0)])?;
    client.publish(0, &d.own("t"), "x")?;
    // In one message, or in one for each subscription.
    let ids = |messages: &[Got]| messages.iter().flat_map(|it| it.all(0x0B)).collect::<BTreeSet<_>>();
    let both = BTreeSet::from([vec![2], vec![0xD5, 0xF0, 0x1B]]);
    same("the identifiers", &ids(&client.messages()?), &both)?;
    client.subscribe(&d.own("t"), 0)?;
    client.publish(0, &d.own("t"), "x")?;
    same("replaced by none", &ids(&client.messages()?), &BTreeSet::from([vec![2]]))
}

fn retained_messages_carry_the_identifier_of_the_subscription_that_they_are_sent_for(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    client.retain(1, &d.own("t"), "kept")?;
    client.subscribe_with(&[0x0B, 7], &[(&d.own("t"), 0)])?;
    same("the identifier", &client.message()?.all(0x0B), &vec![vec![7]])
}

fn members_of_a_shared_subscription_get_each_message_once_at_their_own_qos(d: &Dialogue) -> Played {
    let filter = format!("$share/g/{}", d.own("t"));
    let (mut one, mut other) = (d.connect("a")?, d.connect("b")?);
    let mut plain = d.connect("plain")?;
    one.subscribe(&filter, 0)?;
    other.subscribe(&filter, 1)?;
    plain.subscribe(&d.own("t"), 0)?;
    let mut publisher = d.connect("p")?;
    (0..10).try_for_each(|_| publisher.publish(2, &d.own("t"), "x"))?;
    let mut counts = [0, 0, 0];
    for (count, (client, qos)) in counts.iter_mut().zip([(&mut one, 0), (&mut other, 1), (&mut plain, 0)]) {
        let messages = client.messages()?;
        messages.iter().try_for_each(|message| is(message, qos, false, &d.own("t"), "x"))?;
        *count = messages.len();
    }
    // Which member gets how many is the broker's choice.
    same("all messages of the group, and all of the other", &(counts[0] + counts[1], counts[2]), &(10, 10))
}

fn shared_subscriptions_are_sent_nothing_that_is_retained(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    client.retain(1, &d.own("t"), "kept")?;
    client.subscribe(&format!("$share/g/{}", d.own("t")), 1)?;
    client.nothing()
}

fn no_local_on_a_shared_subscription_ends_the_connection(d: &Dialogue) -> Played {
    let mut client = d.connect("a")?;
    client.offers_shared_subscriptions()?;
    client.send(&packet(0x82, &[&[0, 1, 0], &super::wire::field(format!("$share/g/{}", d.own("t"))), &[4]]))?;
    client.closed(FAULTY)
}

fn a_shared_qos_2_message_that_was_begun_is_finished_with_the_same_member(d: &Dialogue) -> Played {
    let filter = format!("$share/g/{}", d.own("t"));
    let connect = Connect::lasting(d.own("a"), true);
    let mut member = d.accept(&connect)?;
    member.subscribe(&filter, 2)?;
    d.connect("p")?.publish(2, &d.own("t"), "x")?;
    let first = member.get(PUBLISH)?;
    let mut other = d.connect("b")?;
    other.subscribe(&filter, 2)?;
    member.cut();
    let again = d.accept(&connect)?.message()?;
    same("the identifier", &again.id(), &first.id())?;
    other.nothing()
}

fn a_message_that_a_member_refuses_is_offered_to_no_other(d: &Dialogue) -> Played {
    let filter = format!("$share/g/{}", d.own("t"));
    let mut member = d.connect("a")?;
    member.subscribe(&filter, 1)?;
    d.connect("p")?.publish(1, &d.own("t"), "x")?;
    let id = member.get(PUBLISH)?.id().to_be_bytes();
    let mut other = d.connect("b")?;
    other.subscribe(&filter, 1)?;
    member.send(&[0x40, 3, id[0], id[1], 0x80])?;
    member.nothing()?;
    member.cut();
    other.nothing()
}
