//! Subscriptions and what they match.

use std::collections::BTreeSet;

use super::dialogue::{FAULTY, is, same};
use super::wire::{Connect, Got, PUBLISH, packet};
use super::{Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "SUBACK has the identifier and one code a filter, in their order",
            "3.1.1 MQTT-2.3.1-7, 3.1.1 MQTT-3.8.4-1, 3.1.1 MQTT-3.8.4-2, 3.1.1 MQTT-3.8.4-4, 3.1.1 MQTT-3.8.4-5, 3.1.1 MQTT-3.9.3-1, 3.1.1 MQTT-3.9.3-2, 5.0 MQTT-2.2.1-6, 5.0 MQTT-3.8.4-1, 5.0 MQTT-3.8.4-2, 5.0 MQTT-3.8.4-5, 5.0 MQTT-3.8.4-6, 5.0 MQTT-3.8.4-7, 5.0 MQTT-3.9.3-1, 5.0 MQTT-3.9.3-2",
            |d| {
                let mut client = d.connect("a")?;
                let (one, two, three) = (d.own("1"), d.own("2"), d.own("3"));
                client.subscribe_with(&[], &[(&one, 2), (&two, 0), (&three, 1), (&one, 0)])
            },
        ),
        row(
            "UNSUBACK has the identifier, also where nothing was subscribed",
            "3.1.1 MQTT-2.3.1-7, 3.1.1 MQTT-3.10.4-4, 3.1.1 MQTT-3.10.4-5, 3.1.1 MQTT-3.10.4-6, 5.0 MQTT-2.2.1-6, 5.0 MQTT-3.10.4-4, 5.0 MQTT-3.10.4-5, 5.0 MQTT-3.10.4-6, 5.0 MQTT-3.11.3-1, 5.0 MQTT-3.11.3-2",
            |d| {
                let mut client = d.connect("a")?;
                client.subscribe(&d.own("t"), 0)?;
                let codes = client.unsubscribe(&[&d.own("none"), &d.own("t"), &d.own("t")])?;
                // Whether it says that there was none is the broker's choice.
                let codes: Vec<_> = codes.into_iter().map(|code| if code == 0x11 { 0 } else { code }).collect();
                same("the codes", &codes, &if d.v5() { vec![0; 3] } else { vec![] })?;
                client.publish(0, &d.own("t"), "x")?;
                client.nothing()
            },
        ),
        row(
            "filters are removed by exact match only",
            "3.1.1 MQTT-3.10.4-1, 3.1.1 MQTT-3.10.4-2, 5.0 MQTT-3.10.4-1, 5.0 MQTT-3.10.4-2",
            |d| {
                let mut client = d.connect("a")?;
                let topic = d.own("T");
                client.subscribe(&format!("{topic}/x"), 0)?;
                client.unsubscribe(&[&format!("{topic}/#"), &format!("{topic}/+"), &format!("{topic}/X"), &topic])?;
                client.publish(0, &format!("{topic}/x"), "still")?;
                client.message()?;
                client.unsubscribe(&[&format!("{topic}/x")])?;
                client.publish(0, &format!("{topic}/x"), "gone")?;
                client.nothing()
            },
        ),
        row("a delivery that had begun is finished after UNSUBSCRIBE", "3.1.1 MQTT-3.10.4-3, 5.0 MQTT-3.10.4-3", |d| {
            let connect = Connect::lasting(d.own("a"), d.v5());
            let mut client = d.accept(&connect)?;
            client.subscribe(&d.own("t"), 2)?;
            d.connect("p")?.publish(2, &d.own("t"), "x")?;
            let first = client.get(PUBLISH)?;
            client.unsubscribe(&[&d.own("t")])?;
            client.cut();
            let again = d.accept(&connect)?.message()?;
            same("DUP and identifier", &(again.dup(), again.id()), &(true, first.id()))
        }),
        row(
            "a filter that is subscribed anew replaces the old subscription and sends what is retained again",
            "3.1.1 MQTT-3.8.4-3, 5.0 MQTT-3.8.4-3, 5.0 MQTT-3.8.4-4",
            |d| {
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
            },
        ),
        row("overlapping subscriptions deliver at the highest QoS", "3.1.1 MQTT-3.3.5-1, 5.0 MQTT-3.3.4-2", |d| {
            let mut client = d.connect("a")?;
            let (all, one) = (format!("{}/#", d.own("t")), format!("{}/+", d.own("t")));
            client.subscribe_with(&[], &[(&all, 2), (&one, 1)])?;
            let topic = format!("{}/x", d.own("t"));
            client.publish(2, &topic, "x")?;
            // Once, or once for each filter.
            let highest = client.messages()?.iter().map(Got::qos).max();
            same("the highest QoS", &highest, &Some(2))
        }),
        row(
            "wildcards match what they should",
            "3.1.1 MQTT-3.3.2-3, 3.1.1 MQTT-4.7.1-2, 3.1.1 MQTT-4.7.1-3, 5.0 MQTT-3.3.2-3, 5.0 MQTT-4.7.1-1, 5.0 MQTT-4.7.1-2",
            |d| {
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
            },
        ),
        row(
            "a filter that begins with a wildcard does not match what begins with $",
            "3.1.1 MQTT-4.7.2-1, 5.0 MQTT-4.7.2-1",
            |d| {
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
            },
        ),
        row("No Local keeps a client's own messages from it", "5.0 MQTT-3.8.3-3", |d| {
            let (mut one, mut other) = (d.connect("a")?, d.connect("b")?);
            one.subscribe(&d.own("t"), 4 | 1)?;
            other.subscribe(&d.own("t"), 4 | 1)?;
            one.publish(1, &d.own("t"), "x")?;
            is(&other.message()?, 1, false, &d.own("t"), "x")?;
            one.nothing()
        }),
        row("Retain As Published keeps the RETAIN flag", "5.0 MQTT-3.3.1-12, 5.0 MQTT-3.3.1-13", |d| {
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
        }),
        row(
            "Retain Handling says when retained messages are sent",
            "5.0 MQTT-3.3.1-9, 5.0 MQTT-3.3.1-10, 5.0 MQTT-3.3.1-11, 5.0 MQTT-3.8.4-4",
            |d| {
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
            },
        ),
        row(
            "messages carry the identifiers of their subscriptions",
            "5.0 MQTT-3.3.4-3, 5.0 MQTT-3.3.4-4, 5.0 MQTT-3.3.4-5",
            |d| {
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
            },
        ),
        row(
            "retained messages carry the identifier of the subscription that they are sent for",
            "5.0 MQTT-3.3.4-3",
            |d| {
                let mut client = d.connect("a")?;
                client.retain(1, &d.own("t"), "kept")?;
                client.subscribe_with(&[0x0B, 7], &[(&d.own("t"), 0)])?;
                same("the identifier", &client.message()?.all(0x0B), &vec![vec![7]])
            },
        ),
        row("members of a shared subscription get each message once, at their own QoS", "5.0 MQTT-4.8.2-3", |d| {
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
        }),
        row("shared subscriptions are sent nothing that is retained", "5.0 MQTT-3.3.1-9", |d| {
            let mut client = d.connect("a")?;
            client.retain(1, &d.own("t"), "kept")?;
            client.subscribe(&format!("$share/g/{}", d.own("t")), 1)?;
            client.nothing()
        }),
        row("No Local on a shared subscription ends the connection", "5.0 MQTT-3.8.3-4", |d| {
            let mut client = d.connect("a")?;
            client.offers_shared_subscriptions()?;
            client.send(&packet(0x82, &[&[0, 1, 0], &super::wire::field(format!("$share/g/{}", d.own("t"))), &[4]]))?;
            client.closed(FAULTY)
        }),
        row("a shared QoS 2 message that was begun is finished with the same member", "5.0 MQTT-4.8.2-4", |d| {
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
        }),
        row("a message that a member refuses is offered to no other", "5.0 MQTT-4.8.2-6", |d| {
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
        }),
    ]
}
