//! Messages on their way: QoS, retained ones, and their properties.

use std::collections::BTreeSet;
use std::time::Duration;

use super::dialogue::{Client, Played, Unmet, is, same};
use super::wire::{CONNACK, Connect, Got, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, field};
use super::{Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "each QoS is answered as it demands, and each is delivered at the lower of two",
            "3.1.1 MQTT-2.3.1-6, 3.1.1 MQTT-3.3.4-1, 3.1.1 MQTT-3.8.4-6, 3.1.1 MQTT-4.3.1-1, 3.1.1 MQTT-2.3.1-4, 3.1.1 MQTT-2.3.1-5, 5.0 MQTT-2.2.1-2, 5.0 MQTT-2.2.1-4, 5.0 MQTT-2.2.1-5, 5.0 MQTT-3.3.4-1, 5.0 MQTT-3.8.4-8, 5.0 MQTT-4.3.1-1",
            |d| {
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
            },
        ),
        row("a QoS 0 message has no answer", "3.1.1 MQTT-3.3.4-1, 5.0 MQTT-3.3.4-1", |d| {
            let mut client = d.connect("a")?;
            client.publish(0, &d.own("t"), "x")?;
            client.nothing()
        }),
        row("DUP of the publisher goes no further", "3.1.1 MQTT-3.3.1-3, 5.0 MQTT-3.3.1-3", |d| {
            let mut client = d.connect("a")?;
            client.subscribe(&d.own("t"), 2)?;
            for flags in [0x0A, 0x0C] {
                client.publish_with(flags, &d.own("t"), &[], b"x")?;
                same("DUP", &client.message()?.dup(), &false)?;
            }
            Ok(())
        }),
        // In 5.0 it is the client that must not send again while the connection stands [MQTT-4.4.0-1].
        row("a repeated QoS 2 message is answered, and passed on once", "3.1.1 MQTT-4.3.3-2", |d| {
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
        }),
        row(
            "messages keep their order",
            "3.1.1 MQTT-4.6.0-5, 3.1.1 MQTT-4.6.0-6, 5.0 MQTT-4.6.0-5, 5.0 MQTT-4.6.0-6",
            |d| {
                let mut watcher = d.connect("w")?;
                watcher.subscribe(&d.own("t"), 2)?;
                let mut client = d.connect("a")?;
                for qos in 0..3 {
                    let texts: Vec<_> = (0..50).map(|n| n.to_string()).collect();
                    texts.iter().try_for_each(|text| client.publish(qos, &d.own("t"), text))?;
                    texts.iter().try_for_each(|text| is(&watcher.message()?, qos, false, &d.own("t"), text))?;
                }
                Ok(())
            },
        ),
        row(
            "identifiers of the broker are unused ones",
            "3.1.1 MQTT-2.3.1-4, 3.1.1 MQTT-4.3.2-1, 5.0 MQTT-2.2.1-4, 5.0 MQTT-4.3.2-1, 5.0 MQTT-4.3.3-1",
            |d| {
                let mut client = d.connect("a")?;
                client.subscribe(&d.own("t"), 2)?;
                let mut publisher = d.connect("p")?;
                (0..16).try_for_each(|n| publisher.publish(1 + n % 2, &d.own("t"), "x"))?;
                // How many may be unacknowledged is the broker's choice.
                let all: Vec<u16> = client.messages()?.iter().map(Got::id).collect();
                let different: BTreeSet<u16> = all.iter().copied().collect();
                same("how many different identifiers", &different.len(), &all.len())?;
                same("whether one is 0 or there is none", &(all.contains(&0) || all.is_empty()), &false)
            },
        ),
        row(
            "retained messages come with RETAIN to new subscribers, at the lower QoS, and without to old ones",
            "3.1.1 MQTT-3.3.1-5, 3.1.1 MQTT-3.3.1-6, 3.1.1 MQTT-3.3.1-8, 3.1.1 MQTT-3.3.1-9, 5.0 MQTT-3.3.1-5, 5.0 MQTT-3.3.1-9, 5.0 MQTT-3.3.1-12",
            |d| {
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
            },
        ),
        row("a retained QoS 0 message replaces what was retained", "3.1.1 MQTT-3.3.1-7, 5.0 MQTT-3.3.1-5", |d| {
            let mut client = d.connect("a")?;
            client.retain(2, &d.own("t"), "first")?;
            client.retain(0, &d.own("t"), "last")?;
            client.subscribe(&d.own("t"), 2)?;
            retained(&mut client, 0, 2, &d.own("t"))
        }),
        row(
            "an empty retained message is delivered, removes the one retained, and is not retained",
            "3.1.1 MQTT-3.3.1-10, 3.1.1 MQTT-3.3.1-11, 5.0 MQTT-3.3.1-6, 5.0 MQTT-3.3.1-7",
            |d| {
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
            },
        ),
        row("a message without RETAIN leaves the retained one alone", "3.1.1 MQTT-3.3.1-12, 5.0 MQTT-3.3.1-8", |d| {
            let mut client = d.connect("a")?;
            client.publish(1, &d.own("none"), "x")?;
            client.retain(1, &d.own("t"), "kept")?;
            client.publish(1, &d.own("t"), "passing")?;
            client.publish(1, &d.own("t"), "")?;
            client.subscribe(&d.own("none"), 1)?;
            client.subscribe(&d.own("t"), 1)?;
            is(&client.message()?, 1, true, &d.own("t"), "kept")?;
            client.nothing()
        }),
        row(
            "payloads of all sizes arrive whole, also those of a megabyte",
            "3.1.1 MQTT-7.1.1-1, 5.0 MQTT-4.2-1",
            |d| {
                let mut client = d.connect("a")?;
                client.subscribe(&d.own("t"), 1)?;
                let limit =
                    client.connack().one(0x27).map_or(u32::MAX, |it| u32::from_be_bytes([it[0], it[1], it[2], it[3]]));
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
            },
        ),
        row(
            "packets may come byte by byte, and many at once without waiting for CONNACK",
            "3.1.1 MQTT-7.1.1-1, 3.1.1 MQTT-3.2.0-1, 5.0 MQTT-4.2-1, 5.0 MQTT-3.2.0-1",
            |d| {
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
            },
        ),
        row(
            "a byte order mark and all other characters stay as they are",
            "3.1.1 MQTT-1.5.3-3, 3.1.1 MQTT-4.7.3-4, 3.1.1 MQTT-3.3.2-1, 5.0 MQTT-1.5.4-3, 5.0 MQTT-4.7.3-4, 5.0 MQTT-3.3.2-1",
            |d| {
                let mut client = d.connect("a")?;
                for name in
                    ["\u{FEFF}x\u{FEFF}", "Å A\u{30A} \u{212B}", "é e\u{301}", " x ", "\u{1F980}", "ACCOUNTS Accounts"]
                {
                    let topic = format!("{name}/{}", d.own("t"));
                    client.subscribe(&topic, 0)?;
                    client.publish(0, &topic, "x")?;
                    is(&client.message()?, 0, false, &topic, "x")?;
                }
                client.publish(0, &format!("x/{}", d.own("t")), "not normalised")?;
                client.publish(0, &format!("accounts accounts/{}", d.own("t")), "not normalised")?;
                client.nothing()
            },
        ),
        row("topics of 65535 bytes and of a hundred levels are carried", "3.1.1 MQTT-4.7.3-3, 5.0 MQTT-4.7.3-3", |d| {
            let own = d.own("t");
            for topic in [format!("{own}{}", "x".repeat(65_535 - own.len())), format!("{own}{}", "/x".repeat(99))] {
                let mut client = d.connect("a")?;
                client.subscribe(&topic, 1)?;
                client.publish(1, &topic, "x")?;
                is(&client.message()?, 1, false, &topic, "x")?;
            }
            Ok(())
        }),
        row(
            "properties of a message are passed on as they are",
            "5.0 MQTT-3.3.2-4, 5.0 MQTT-3.3.2-15, 5.0 MQTT-3.3.2-16, 5.0 MQTT-3.3.2-17, 5.0 MQTT-3.3.2-18, 5.0 MQTT-3.3.2-20",
            |d| {
                let mut client = d.connect("a")?;
                client.subscribe(&d.own("t"), 2)?;
                let pairs = [("z", "1"), ("a", "2"), ("z", "1"), ("", "")].map(|(k, v)| [field(k), field(v)].concat());
                let users: Vec<_> = pairs.iter().flat_map(|pair| [&[0x26][..], pair].concat()).collect();
                let rest =
                    [vec![1, 1, 3], field("text/plain"), vec![8], field("re/ply"), vec![9], field([0, 255])].concat();
                let with = [rest, users].concat();
                for flags in [0, 2, 4] {
                    client.publish_with(flags, &d.own("t"), &with, b"x")?;
                    let message = client.message()?;
                    same("user properties", &message.all(0x26), &pairs.to_vec())?;
                    let rest = (message.one(1), message.one(3), message.one(8), message.one(9));
                    let expected =
                        (Some(vec![1]), Some(b"text/plain".to_vec()), Some(b"re/ply".to_vec()), Some(vec![0, 255]));
                    same("the others", &rest, &expected)?;
                }
                Ok(())
            },
        ),
        row("a retained message keeps its properties", "5.0 MQTT-3.3.2-17", |d| {
            let mut client = d.connect("a")?;
            let with = [vec![0x26], field("k"), field("v"), vec![1, 0]].concat();
            client.publish_with(3, &d.own("t"), &with, b"x")?;
            client.subscribe(&d.own("t"), 1)?;
            let message = client.message()?;
            same("the properties", &(message.all(0x26).len(), message.one(1)), &(1, Some(vec![0])))
        }),
        row(
            "a message that expired is not delivered, and one that waited has less time left",
            "5.0 MQTT-3.3.2-5, 5.0 MQTT-3.3.2-6",
            |d| {
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
            },
        ),
        row("a client may use every topic alias that CONNACK allows, and change it", "5.0 MQTT-3.3.2-12", |d| {
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
        }),
        row(
            "a topic alias above the maximum of CONNACK ends the connection",
            "5.0 MQTT-3.2.2-17, 5.0 MQTT-3.3.2-9, 5.0 MQTT-4.13.1-1",
            |d| {
                let mut client = d.connect("a")?;
                let most = client.connack().one(0x22).map_or(0, |most| u16::from_be_bytes([most[0], most[1]]));
                let Some(above) = most.checked_add(1) else { return Unmet::not_offered("a limit on topic aliases") };
                let above = above.to_be_bytes();
                client.send(&client.publish_bytes(0, &d.own("t"), [0, 0], &[0x23, above[0], above[1]], b"x"))?;
                client.closed(&[0x81, 0x82, 0x94])
            },
        ),
        row("the broker sets no topic alias where none was allowed", "5.0 MQTT-3.1.2-27", |d| {
            let mut client = d.connect("a")?;
            client.subscribe(&d.own("t"), 0)?;
            for _ in 0..3 {
                client.publish(0, &d.own("t"), "x")?;
                let message = client.message()?;
                same("topic and alias", &(message.topic(), message.one(0x23)), &(d.own("t"), None))?;
            }
            Ok(())
        }),
        row(
            "the broker sets topic aliases up to the client's maximum, and names the topic once",
            "5.0 MQTT-3.1.2-26, 5.0 MQTT-3.3.2-11, 5.0 MQTT-3.3.2-8",
            |d| {
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
            },
        ),
        row(
            "a client's Receive Maximum holds back PUBLISH, and nothing else",
            "5.0 MQTT-3.3.4-9, 5.0 MQTT-3.3.4-10, 5.0 MQTT-4.9.0-1, 5.0 MQTT-4.9.0-2, 5.0 MQTT-4.9.0-3",
            |d| {
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
            },
        ),
        row(
            "more open QoS 2 messages than the Receive Maximum of CONNACK end the connection with 0x93",
            "5.0 MQTT-3.3.4-7, 5.0 MQTT-4.13.1-1",
            |d| {
                let mut client = d.connect("a")?;
                let most = client.connack().one(0x21).map_or(65_535, |most| u16::from_be_bytes([most[0], most[1]]));
                let Some(above) = most.checked_add(1) else { return Unmet::not_offered("a Receive Maximum") };
                // The broker may close before all is written.
                let _ = (1..=above)
                    .try_for_each(|id| client.send(&client.publish_bytes(4, &d.own("t"), id.to_be_bytes(), &[], b"x")));
                client.closed_after(PUBREC, &[0x81, 0x82, 0x93])
            },
        ),
        row(
            "a packet that is too large for a client is left out, as if it had been delivered",
            "5.0 MQTT-3.1.2-24, 5.0 MQTT-3.1.2-25",
            |d| {
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
            },
        ),
        row(
            "acknowledgements have only what fits, and codes of their tables",
            "5.0 MQTT-3.4.2-1, 5.0 MQTT-3.4.2-2, 5.0 MQTT-3.4.2-3, 5.0 MQTT-3.5.2-1, 5.0 MQTT-3.5.2-2, 5.0 MQTT-3.5.2-3, 5.0 MQTT-3.7.2-1, 5.0 MQTT-3.7.2-2, 5.0 MQTT-3.7.2-3, 5.0 MQTT-3.1.2-29",
            |d| {
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
            },
        ),
    ]
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
