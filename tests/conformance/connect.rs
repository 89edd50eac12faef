//! CONNECT, CONNACK, keep-alive, DISCONNECT and the will.

use std::time::Duration;

use super::dialogue::{Client, Ended, FAULTY, Played, Unmet, is, same};
use super::wire::{Connect, DISCONNECT, PINGRESP, Will, field, packet};
use super::{Dialogue, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "a CONNECT is accepted with code 0",
            "3.1.1 MQTT-3.1.4-4, 3.1.1 MQTT-3.2.0-1, 3.1.1 MQTT-7.1.1-1, 5.0 MQTT-3.1.4-5, 5.0 MQTT-3.2.0-1, 5.0 MQTT-3.2.2-1, 5.0 MQTT-4.2-1",
            |d| {
                let client = d.connect("a")?;
                same("the flags and the code", &client.connack().body[..2].to_vec(), &vec![0, 0])
            },
        ),
        row(
            "a second CONNECT ends the connection, without a second CONNACK",
            "3.1.1 MQTT-3.1.0-2, 5.0 MQTT-3.1.0-2, 5.0 MQTT-3.2.0-2",
            |d| {
                let mut client = d.connect("a")?;
                client.send(&Connect::new(d.own("a")).bytes(d.v5()))?;
                client.closed(FAULTY)
            },
        ),
        row(
            "a connection that does not begin with CONNECT is closed",
            "3.1.1 MQTT-3.1.0-1, 5.0 MQTT-3.1.0-1, 5.0 MQTT-3.14.0-1",
            |d| {
                let subscribe = if d.v5() { "820700010000016100" } else { "82060001000161 00" };
                for first in ["C000", "E000", "3003000161", "40020001", "A2050001000161", subscribe] {
                    let mut client = d.open()?;
                    client.send(&super::hex(first))?;
                    client.closed(FAULTY).map_err(|unmet| unmet.about(first))?;
                }
                Ok(())
            },
        ),
        row("a protocol name that is unknown is not served", "3.1.1 MQTT-3.1.2-1, 5.0 MQTT-3.1.2-1", |d| {
            let mut client = d.open()?;
            client.send(&super::hex(if d.v5() {
                "100C 00026D71 05 02 003C 00 0002 7878"
            } else {
                "100B 0002686A 04 02 003C 0001 78"
            }))?;
            client.closed(&[0x81, 0x82, 0x84])
        }),
        row("an unknown protocol level is answered with 0x01", "3.1.1 MQTT-3.1.2-2", |d| {
            let mut client = d.open()?;
            client.send(&super::hex("100D 00044D515454 09 02 003C 0001 78"))?;
            let answer = client.next()?;
            // A broker of both standards may answer in the form of the other one.
            if answer.body.get(..2) != Some(&[0, 0x84]) {
                same("the answer", &(answer.first, answer.body), &(0x20, vec![0, 1]))?;
            }
            client.closed(&[])
        }),
        row("an unknown protocol version ends the connection", "5.0 MQTT-3.1.2-2, 5.0 MQTT-4.13.2-1", |d| {
            let mut client = d.open()?;
            client.send(&super::hex("100E 00044D515454 06 02 003C 00 0001 78"))?;
            // What is said before is in the form of either version.
            let _ = client.next();
            match client.next() {
                Err(Ended::Closed) => Ok(()),
                other => Err(format!("it was to be closed, but {other:?}").into()),
            }
        }),
        row(
            "all letters and digits are accepted in an identifier of up to 23 bytes",
            "3.1.1 MQTT-3.1.3-5, 5.0 MQTT-3.1.3-5",
            |d| {
                let all: Vec<char> = ('0'..='9').chain('a'..='z').chain('A'..='Z').collect();
                let own = d.own("");
                for part in all.chunks(23 - own.len()) {
                    d.accept(&Connect::new(part.iter().chain(&own.chars().collect::<Vec<_>>()).collect::<String>()))?
                        .leave()?;
                }
                Ok(())
            },
        ),
        row("an empty identifier with a fresh session gets one", "3.1.1 MQTT-3.1.3-6, 3.1.1 MQTT-3.1.3-7", |d| {
            let (mut one, mut other) = (unnamed(d, Connect::new(""))?, unnamed(d, Connect::new(""))?);
            one.nothing()?;
            other.nothing()
        }),
        row(
            "an empty identifier with a session to keep is refused with 0x02",
            "3.1.1 MQTT-3.1.3-8, 3.1.1 MQTT-3.1.3-9, 3.1.1 MQTT-3.2.2-4, 3.1.1 MQTT-3.2.2-5",
            |d| {
                let mut client = d.answer(&Connect { clean: false, ..Connect::new("") })?;
                same("the answer", &client.connack().body, &vec![0, 2])?;
                client.closed(&[])
            },
        ),
        row("what comes behind a refused CONNECT is ignored", "3.1.1 MQTT-3.1.4-5", |d| {
            let mut watcher = d.connect("w")?;
            watcher.subscribe(&d.own("t"), 0)?;
            let mut client = d.open()?;
            let publish = client.publish_bytes(0, &d.own("t"), [0, 0], &[], b"x");
            client.send(&[Connect { clean: false, ..Connect::new("") }.bytes(false), publish].concat())?;
            same("the code", &client.next()?.reason(), &2)?;
            client.closed(&[])?;
            watcher.nothing()
        }),
        row(
            "an empty identifier is replaced by one that CONNACK tells, another for each",
            "5.0 MQTT-3.1.3-6, 5.0 MQTT-3.1.3-7, 5.0 MQTT-3.2.2-16",
            |d| {
                let one = unnamed(d, Connect::new(""))?;
                let other = unnamed(d, Connect { clean: false, ..Connect::new("") })?;
                let ids = (one.connack().one(0x12), other.connack().one(0x12));
                match &ids {
                    (Some(one), Some(other)) if one != other && !one.is_empty() && !other.is_empty() => Ok(()),
                    _ => Err(format!("the identifiers are {ids:?}").into()),
                }
            },
        ),
        row("an assigned identifier leads back to its session", "5.0 MQTT-3.1.3-2, 5.0 MQTT-3.1.3-7", |d| {
            let first = unnamed(d, Connect::lasting("", true))?;
            let id = first.connack().one(0x12).ok_or("no identifier")?;
            first.cut();
            same("Session Present", &d.accept(&Connect::lasting(id, true))?.session_present(), &true)
        }),
        row("a client that connects again takes over from itself", "3.1.1 MQTT-3.1.4-2, 5.0 MQTT-3.1.4-3", |d| {
            let mut old = d.connect("a")?;
            let mut new = d.connect("a")?;
            if d.v5() {
                same("the reason", &old.get(DISCONNECT)?.reason(), &0x8E)?;
            }
            old.closed(&[])?;
            new.nothing()
        }),
        row(
            "silence for one and a half keep-alives is the end",
            "3.1.1 MQTT-3.1.2-24, 5.0 MQTT-3.1.2-22, 5.0 MQTT-3.2.2-22",
            |d| {
                // Two, a second apart: a broker that looks at its clients now and then is in time for one at most. There
                // is a second of grace for a busy machine; nothing forbids to give up on a silent client earlier.
                for name in ["a", "b"] {
                    d.connect("other")?.quiet(Duration::from_secs(1))?;
                    let mut client = d.accept(&Connect::new(d.own(name)).keep_alive(1))?;
                    client.patience(Duration::from_millis(2_500))?;
                    client.closed(&[0x8D])?;
                }
                Ok(())
            },
        ),
        row("any packet resets the silence", "3.1.1 MQTT-3.1.2-24, 5.0 MQTT-3.1.2-22", |d| {
            let mut client = d.accept(&Connect::new(d.own("a")).keep_alive(1))?;
            for _ in 0..3 {
                client.quiet(Duration::from_millis(900))?;
                client.publish(0, &d.own("t"), "alive")?;
            }
            client.nothing()
        }),
        row("a PINGREQ is answered", "3.1.1 MQTT-3.12.4-1, 5.0 MQTT-3.12.4-1", |d| {
            let mut client = d.connect("a")?;
            client.send(&[0xC0, 0, 0xC0, 0])?;
            for _ in 0..2 {
                same("the answer", &client.next()?.kind(), &PINGRESP)?;
            }
            Ok(())
        }),
        row(
            "a will is published when the connection breaks, and once",
            "3.1.1 MQTT-3.1.2-8, 3.1.1 MQTT-3.1.2-10, 3.1.1 MQTT-3.1.2-16, 5.0 MQTT-3.1.2-7, 5.0 MQTT-3.1.2-8, 5.0 MQTT-3.1.2-10, 5.0 MQTT-3.1.2-14",
            |d| {
                let mut watcher = watch(d)?;
                let will = Will { qos: 2, ..Will::new(d.own("w")) };
                d.accept(&Connect::new(d.own("a")).will(will))?.cut();
                is(&watcher.message()?, 2, false, &d.own("w"), "gone")?;
                d.connect("a")?.cut();
                watcher.nothing()?;
                let mut late = d.connect("late")?;
                late.subscribe(&d.own("w"), 2)?;
                late.nothing()
            },
        ),
        row("a will is published after silence", "3.1.1 MQTT-3.1.2-8, 5.0 MQTT-3.1.2-8", |d| {
            let mut watcher = watch(d)?;
            let mut client =
                d.accept(&Connect::new(d.own("a")).keep_alive(1).will(Will { qos: 1, ..Will::new(d.own("w")) }))?;
            // Another row judges when it is closed.
            client.patience(Duration::from_secs(10))?;
            client.closed(&[0x8D])?;
            is(&watcher.message()?, 1, false, &d.own("w"), "gone")
        }),
        row("a will is published after a protocol error", "3.1.1 MQTT-3.1.2-8, 5.0 MQTT-3.1.2-8", |d| {
            let mut watcher = watch(d)?;
            let mut client = d.accept(&Connect::new(d.own("a")).will(Will::new(d.own("w"))))?;
            client.send(&[0xF1, 0])?;
            client.closed(FAULTY)?;
            is(&watcher.message()?, 0, false, &d.own("w"), "gone")
        }),
        row("a will is published after a takeover", "3.1.1 MQTT-3.1.2-8, 5.0 MQTT-3.1.2-8", |d| {
            let mut watcher = watch(d)?;
            let _old = d.accept(&Connect::new(d.own("a")).will(Will::new(d.own("w"))))?;
            let _new = d.connect("a")?;
            is(&watcher.message()?, 0, false, &d.own("w"), "gone")
        }),
        row(
            "DISCONNECT deletes the will",
            "3.1.1 MQTT-3.1.2-10, 3.1.1 MQTT-3.14.4-3, 5.0 MQTT-3.1.2-10, 5.0 MQTT-3.14.4-3",
            |d| {
                let mut watcher = watch(d)?;
                d.accept(&Connect::new(d.own("a")).will(Will::new(d.own("w"))))?.leave()?;
                watcher.nothing()
            },
        ),
        row("DISCONNECT with 0x04 lets the will be published", "5.0 MQTT-3.1.2-8", |d| {
            let mut watcher = watch(d)?;
            let mut client = d.accept(&Connect::new(d.own("a")).will(Will::new(d.own("w"))))?;
            client.send(&[0xE0, 1, 4])?;
            is(&watcher.message()?, 0, false, &d.own("w"), "gone")
        }),
        row("without a will nothing is published", "3.1.1 MQTT-3.1.2-12", |d| {
            let mut watcher = d.connect("w")?;
            watcher.subscribe(&format!("{}/#", d.own("w")), 0)?;
            d.connect("a")?.cut();
            watcher.nothing()
        }),
        row("a will with Will Retain is retained", "3.1.1 MQTT-3.1.2-17, 5.0 MQTT-3.1.2-15", |d| {
            let mut watcher = watch(d)?;
            d.accept(&Connect::new(d.own("a")).will(Will { retain: true, qos: 1, ..Will::new(d.own("w")) }))?.cut();
            is(&watcher.message()?, 1, false, &d.own("w"), "gone")?;
            let mut late = d.connect("late")?;
            late.subscribe(&d.own("w"), 2)?;
            is(&late.message()?, 1, true, &d.own("w"), "gone")
        }),
        row("an empty will with Will Retain removes what was retained", "3.1.1 MQTT-3.3.1-10, 5.0 MQTT-3.3.1-6", |d| {
            let mut watcher = watch(d)?;
            d.connect("p")?.retain(1, &d.own("w"), "there")?;
            is(&watcher.message()?, 1, false, &d.own("w"), "there")?;
            let will = Will { retain: true, payload: Vec::new(), ..Will::new(d.own("w")) };
            d.accept(&Connect::new(d.own("a")).will(will))?.cut();
            is(&watcher.message()?, 0, false, &d.own("w"), "")?;
            let mut late = d.connect("late")?;
            late.subscribe(&d.own("w"), 2)?;
            late.nothing()
        }),
        row("a delayed will waits, and a return in time cancels it", "5.0 MQTT-3.1.2-8, 5.0 MQTT-3.1.3-9", |d| {
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
        }),
        row("a delayed will does not outlive its session", "5.0 MQTT-3.1.2-8", |d| {
            let mut watcher = watch(d)?;
            let will = Will { properties: vec![0x18, 0, 0, 0, 60], ..Will::new(d.own("w")) };
            d.accept(&Connect::new(d.own("a")).expiry(1).will(will))?.cut();
            is(&watcher.message()?, 0, false, &d.own("w"), "gone")
        }),
        row(
            "a will has its properties, in order",
            "5.0 MQTT-3.1.3-10, 5.0 MQTT-3.3.2-4, 5.0 MQTT-3.3.2-15, 5.0 MQTT-3.3.2-16, 5.0 MQTT-3.3.2-20",
            |d| {
                let mut watcher = watch(d)?;
                let pairs = [("k", "1"), ("a", "2"), ("k", "1")].map(|(k, v)| [field(k), field(v)].concat());
                let users: Vec<_> = pairs.iter().flat_map(|pair| [&[0x26][..], pair].concat()).collect();
                let rest = [vec![1, 1, 3], field("text"), vec![8], field("re/ply"), vec![9], field([0, 255])].concat();
                let will = Will { properties: [users, rest].concat(), ..Will::new(d.own("w")) };
                d.accept(&Connect::new(d.own("a")).will(will))?.cut();
                let message = watcher.message()?;
                same("user properties", &message.all(0x26), &pairs.to_vec())?;
                let rest = (message.one(1), message.one(3), message.one(8), message.one(9));
                same(
                    "the others",
                    &rest,
                    &(Some(vec![1]), Some(b"text".to_vec()), Some(b"re/ply".to_vec()), Some(vec![0, 255])),
                )
            },
        ),
        row(
            "a DISCONNECT from the broker has no Session Expiry Interval and is its last packet",
            "5.0 MQTT-3.14.2-1, 5.0 MQTT-3.14.2-2, 5.0 MQTT-3.14.4-1, 5.0 MQTT-3.14.4-2",
            |d| {
                let mut old = d.connect("a")?;
                let _new = d.connect("a")?;
                let Ok(goodbye) = old.get(DISCONNECT) else { return Unmet::not_offered("DISCONNECT at a takeover") };
                same("Session Expiry Interval", &goodbye.one(0x11), &None)?;
                old.closed(&[])
            },
        ),
        row(
            "an unknown authentication method is refused",
            "5.0 MQTT-4.12.0-1, 5.0 MQTT-3.1.4-2, 5.0 MQTT-3.2.2-7, 5.0 MQTT-3.2.2-8",
            |d| {
                let method = [vec![0x15], field("NO-SUCH-METHOD")].concat();
                let mut client = d.open()?;
                client.send(&Connect::new(d.own("a")).properties(&method).bytes(true))?;
                client.closed(&[0x8C, 0x87])
            },
        ),
        row(
            "without a method AUTH is no packet to send, and CONNACK names none",
            "5.0 MQTT-4.12.0-6, 5.0 MQTT-4.12.0-7",
            |d| {
                let mut client = d.connect("a")?;
                same("the method", &client.connack().one(0x15), &None)?;
                client.send(&packet(0xF0, &[&[0x19], &[0]]))?;
                client.closed(&[0x81, 0x82, 0x87, 0x8C])
            },
        ),
        row("Response Information comes only to whom asked", "5.0 MQTT-3.1.2-28", |d| {
            same("unasked", &d.connect("a")?.connack().one(0x1A), &None)?;
            same("not wanted", &d.accept(&Connect::new(d.own("b")).properties(&[0x19, 0]))?.connack().one(0x1A), &None)
        }),
    ]
}

/// A client without an identifier that is accepted. A broker may refuse to name its clients [MQTT-3.1.3-6].
fn unnamed(d: &Dialogue, connect: Connect) -> Played<Client> {
    match d.answer(&connect)?.connack().reason() {
        2 | 0x85 => Unmet::not_offered("identifiers that the broker assigns"),
        _ => d.accept(&connect),
    }
}

/// A subscriber of the topic `w` of this row.
fn watch(d: &Dialogue) -> Played<Client> {
    let mut watcher = d.connect("watcher")?;
    watcher.subscribe(&d.own("w"), 2)?;
    Ok(watcher)
}
