//! What outlives a connection, and what is sent again.

use std::time::Duration;

use super::dialogue::{FAULTY, is, same};
use super::wire::{Connect, Got, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL};
use super::{Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "a session is resumed with its subscriptions and what came for it at QoS 1 and 2",
            "3.1.1 MQTT-3.1.2-4, 3.1.1 MQTT-3.1.2-5, 3.1.1 MQTT-3.1.3-2, 3.1.1 MQTT-3.2.2-2, 3.1.1 MQTT-3.2.2-3, 3.1.1 MQTT-4.1.0-1, 3.1.1 MQTT-4.5.0-1, 5.0 MQTT-3.1.2-5, 5.0 MQTT-3.1.2-6, 5.0 MQTT-3.1.2-23, 5.0 MQTT-3.1.3-2, 5.0 MQTT-3.2.2-3, 5.0 MQTT-4.5.0-1",
            |d| {
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
            },
        ),
        row(
            "a clean session forgets what was, and is forgotten",
            "3.1.1 MQTT-3.1.2-6, 3.1.1 MQTT-3.1.4-3, 3.1.1 MQTT-3.2.2-1, 3.1.1 MQTT-3.2.2-3, 5.0 MQTT-3.1.2-4, 5.0 MQTT-3.1.4-4, 5.0 MQTT-3.2.2-2",
            |d| {
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
            },
        ),
        row("a session survives a takeover", "3.1.1 MQTT-3.1.2-4, 3.1.1 MQTT-4.1.0-2, 5.0 MQTT-4.1.0-1", |d| {
            let lasting = Connect::lasting(d.own("a"), d.v5());
            let mut old = d.accept(&lasting)?;
            old.subscribe(&d.own("t"), 1)?;
            let mut new = d.accept(&lasting)?;
            same("Session Present", &new.session_present(), &true)?;
            d.connect("p")?.publish(1, &d.own("t"), "x")?;
            is(&new.message()?, 1, false, &d.own("t"), "x")
        }),
        row("retained messages outlive the session that published them", "3.1.1 MQTT-3.1.2-7", |d| {
            let mut client = d.connect("a")?;
            client.retain(1, &d.own("t"), "kept")?;
            client.leave()?;
            let mut late = d.connect("a")?;
            late.subscribe(&d.own("t"), 1)?;
            is(&late.message()?, 1, true, &d.own("t"), "kept")
        }),
        row("without Session Expiry Interval a session ends with its connection", "5.0 MQTT-4.1.0-2", |d| {
            let connect = Connect { clean: false, ..Connect::new(d.own("a")) };
            d.accept(&connect)?.leave()?;
            same("Session Present", &d.accept(&connect)?.session_present(), &false)
        }),
        row("a session ends when its interval has run out", "5.0 MQTT-3.1.2-23, 5.0 MQTT-4.1.0-2", |d| {
            let connect = Connect { clean: false, ..Connect::new(d.own("a")).expiry(2) };
            d.accept(&connect)?.leave()?;
            let mut other = d.connect("b")?;
            other.quiet(Duration::from_secs(1))?;
            let client = d.accept(&connect)?;
            same("Session Present after 1 of 2 s", &client.session_present(), &true)?;
            client.leave()?;
            other.quiet(Duration::from_secs(4))?;
            same("Session Present after 4 of 2 s", &d.accept(&connect)?.session_present(), &false)
        }),
        row("DISCONNECT may change how long a session lasts", "5.0 MQTT-3.1.2-23, 5.0 MQTT-4.1.0-2", |d| {
            let connect = Connect::lasting(d.own("a"), true);
            d.accept(&connect)?.leave_with(&[0xE0, 7, 0, 5, 0x11, 0, 0, 0, 0])?;
            same("Session Present", &d.accept(&connect)?.session_present(), &false)
        }),
        row("DISCONNECT may not make a session last that was to end", "5.0 MQTT-4.13.1-1", |d| {
            let mut client = d.connect("a")?;
            client.send(&[0xE0, 7, 0, 5, 0x11, 0, 0, 0, 9])?;
            client.closed(FAULTY)
        }),
        row(
            "an unacknowledged QoS 1 message is sent again on the next connection, with DUP and its identifier",
            "3.1.1 MQTT-3.3.1-1, 3.1.1 MQTT-4.3.2-1, 3.1.1 MQTT-4.4.0-1, 5.0 MQTT-3.3.1-1, 5.0 MQTT-4.3.2-2, 5.0 MQTT-4.3.2-3, 5.0 MQTT-4.4.0-1",
            |d| {
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
            },
        ),
        row(
            "an unacknowledged QoS 2 message is sent again, and after PUBREC only PUBREL is",
            "3.1.1 MQTT-4.3.3-1, 3.1.1 MQTT-4.4.0-1, 5.0 MQTT-4.3.3-2, 5.0 MQTT-4.3.3-3, 5.0 MQTT-4.3.3-4, 5.0 MQTT-4.3.3-5, 5.0 MQTT-4.3.3-6, 5.0 MQTT-4.4.0-1",
            |d| {
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
            },
        ),
        row("what is unacknowledged is sent again in its order", "3.1.1 MQTT-4.6.0-6, 5.0 MQTT-4.6.0-5", |d| {
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
        }),
        row("nothing is sent again while the connection stands", "5.0 MQTT-4.4.0-1", |d| {
            let mut client = d.connect("a")?;
            client.subscribe(&d.own("t"), 1)?;
            d.connect("p")?.publish(1, &d.own("t"), "x")?;
            client.get(PUBLISH)?;
            client.quiet(Duration::from_secs(2))
        }),
        row(
            "a QoS 2 publish that breaks off after PUBREC goes on with PUBREL",
            "3.1.1 MQTT-4.3.3-2, 5.0 MQTT-4.3.3-8, 5.0 MQTT-4.3.3-10, 5.0 MQTT-4.3.3-11",
            |d| {
                let mut watcher = d.connect("w")?;
                watcher.subscribe(&d.own("t"), 2)?;
                let connect = Connect::lasting(d.own("a"), d.v5());
                let mut client = d.accept(&connect)?;
                let publish = |client: &super::dialogue::Client, dup: u8| {
                    client.publish_bytes(4 | dup, &d.own("t"), [0, 9], &[], b"x")
                };
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
            },
        ),
        row(
            "an identifier is free again after PUBACK, whatever DUP says",
            "3.1.1 MQTT-4.3.2-2, 5.0 MQTT-4.3.2-4, 5.0 MQTT-4.3.2-5",
            |d| {
                let mut client = d.connect("a")?;
                client.subscribe(&d.own("t"), 0)?;
                for dup in [0, 8] {
                    client.send(&client.publish_bytes(2 | dup, &d.own("t"), [0, 7], &[], b"x"))?;
                    same("PUBACK", &client.get(PUBACK)?.id(), &7)?;
                    client.message()?;
                }
                Ok(())
            },
        ),
        row(
            "an identifier is free again after PUBCOMP, whatever DUP says",
            "3.1.1 MQTT-4.3.3-2, 5.0 MQTT-4.3.3-12",
            |d| {
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
            },
        ),
        row("a PUBREL for nothing is answered all the same", "3.1.1 MQTT-4.3.3-2, 5.0 MQTT-4.3.3-11", |d| {
            let mut client = d.connect("a")?;
            client.send(&[0x62, 2, 0x12, 0x34])?;
            let answer = client.get(PUBCOMP)?;
            same("the identifier", &answer.id(), &0x1234)?;
            same("whether its table has the reason", &[0, 0x92].contains(&answer.reason()), &true)
        }),
        row(
            "a QoS 2 message that a subscriber refuses with PUBREC 0x80 or above is settled",
            "5.0 MQTT-4.4.0-2, 5.0 MQTT-4.3.3-4",
            |d| {
                let connect = Connect::lasting(d.own("a"), true);
                let mut client = d.accept(&connect)?;
                client.subscribe(&d.own("t"), 2)?;
                d.connect("p")?.publish(2, &d.own("t"), "x")?;
                let id = client.get(PUBLISH)?.id().to_be_bytes();
                client.send(&[0x50, 3, id[0], id[1], 0x83])?;
                client.nothing()?;
                client.cut();
                d.accept(&connect)?.nothing()
            },
        ),
        row("topic aliases end with the connection", "5.0 MQTT-3.3.2-7", |d| {
            let connect = Connect::lasting(d.own("a"), true);
            let mut client = d.accept(&connect)?;
            client.topic_aliases()?;
            client.publish_with(2, &d.own("t"), &[0x23, 0, 1], b"x")?;
            client.cut();
            let mut client = d.accept(&connect)?;
            client.send(&client.publish_bytes(2, "", [0, 1], &[0x23, 0, 1], b"x"))?;
            client.closed(&[0x81, 0x82, 0x94])
        }),
    ]
}
