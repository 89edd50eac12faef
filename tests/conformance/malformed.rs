//! What ends a connection, one row a violation. The bytes follow an accepted CONNECT, or are the first.

use super::dialogue::{FAULTY, Played};
use super::wire::{Connect, Will, field, packet};
use super::{Dialogue, Row, row};

/// What a broker may say of a topic name, a filter or a topic alias that has no form.
const TOPIC: &[u8] = &[0x81, 0x82, 0x90];
const FILTER: &[u8] = &[0x81, 0x82, 0x8F];
const ALIAS: &[u8] = &[0x81, 0x82, 0x94];

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = first();
    rows.extend(later());
    rows.extend(only_5());
    rows
}

/// A CONNECT that does not fit its format: closed, in 3.1.1 without a CONNACK.
fn first() -> Vec<Row> {
    vec![
        row(
            "the reserved connect flag is set",
            "3.1.1 MQTT-3.1.2-3, 3.1.1 MQTT-3.1.4-1, 5.0 MQTT-3.1.2-3, 5.0 MQTT-3.1.4-1",
            |d| connect(d, 3, b"", b""),
        ),
        row("CONNECT has flags in its first byte", "3.1.1 MQTT-2.2.2-1, 3.1.1 MQTT-2.2.2-2, 5.0 MQTT-2.1.3-1", |d| {
            let mut bytes = Connect::new(d.own("a")).bytes(d.v5());
            bytes[0] = 0x11;
            refused(d, &bytes, FAULTY)
        }),
        row("a will QoS without a will", "3.1.1 MQTT-3.1.2-11, 3.1.1 MQTT-3.1.2-13, 5.0 MQTT-3.1.2-11", |d| {
            connect(d, 0x0A, b"", b"")
        }),
        row("Will Retain without a will", "3.1.1 MQTT-3.1.2-15, 5.0 MQTT-3.1.2-13", |d| connect(d, 0x22, b"", b"")),
        row("a will QoS of 3", "3.1.1 MQTT-3.1.2-14, 5.0 MQTT-3.1.2-12", |d| {
            refused(d, &Connect::new(d.own("a")).will(Will { qos: 3, ..Will::new("w") }).bytes(d.v5()), FAULTY)
        }),
        row("a will that is not there", "3.1.1 MQTT-3.1.2-9, 5.0 MQTT-3.1.2-9", |d| connect(d, 6, b"", b"")),
        row("a will topic that is not UTF-8", "3.1.1 MQTT-3.1.3-10, 5.0 MQTT-3.1.3-11", |d| {
            connect(d, 6, b"", if d.v5() { b"\0\0\x02\xC3\x28\0\0" } else { b"\0\x02\xC3\x28\0\0" })
        }),
        row("a user name that is not there", "3.1.1 MQTT-3.1.2-19, 5.0 MQTT-3.1.2-17", |d| connect(d, 0x82, b"", b"")),
        row("a user name without its flag", "3.1.1 MQTT-3.1.2-18, 5.0 MQTT-3.1.2-16", |d| {
            connect(d, 2, b"", b"\0\x01u")
        }),
        row("a user name that is not UTF-8", "3.1.1 MQTT-3.1.3-11, 5.0 MQTT-3.1.3-12", |d| {
            connect(d, 0x82, b"", b"\0\x02\xC3\x28")
        }),
        row("a password without a user name", "3.1.1 MQTT-3.1.2-22", |d| connect(d, 0x42, b"", b"\0\x01p")),
        row("a password that is not there", "3.1.1 MQTT-3.1.2-21, 5.0 MQTT-3.1.2-19", |d| {
            connect(d, 0xC2, b"", b"\0\x01u")
        }),
        row("a password without its flag", "3.1.1 MQTT-3.1.2-20, 5.0 MQTT-3.1.2-18", |d| {
            connect(d, 0x82, b"", b"\0\x01u\0\x01p")
        }),
        row("no client identifier", "3.1.1 MQTT-3.1.3-3, 5.0 MQTT-3.1.3-3", |d| connect_as(d, b"", 2, b"", b"")),
        row("a client identifier that is not UTF-8", "3.1.1 MQTT-3.1.3-4, 5.0 MQTT-3.1.3-4", |d| {
            connect_as(d, b"\0\x02\xC3\x28", 2, b"", b"")
        }),
        row("a client identifier with U+0000", "3.1.1 MQTT-1.5.3-2, 5.0 MQTT-1.5.4-2", |d| {
            connect_as(d, b"\0\x03x\0y", 2, b"", b"")
        }),
        row("bytes behind the payload of CONNECT", "3.1.1 MQTT-3.1.3-1, 5.0 MQTT-3.1.3-1", |d| {
            connect(d, 2, b"", b"\0")
        }),
        row("a property of CONNECT twice", "5.0 MQTT-3.1.4-1", |d| connect(d, 2, &[0x21, 0, 1, 0x21, 0, 1], b"")),
        row("a Receive Maximum of 0", "5.0 MQTT-3.1.4-1, 5.0 MQTT-4.9.0-1", |d| connect(d, 2, &[0x21, 0, 0], b"")),
        row("a Maximum Packet Size of 0", "5.0 MQTT-3.1.4-1", |d| connect(d, 2, &[0x27, 0, 0, 0, 0], b"")),
        row("a property that CONNECT does not have", "5.0 MQTT-3.1.4-1", |d| connect(d, 2, &[0x23, 0, 1], b"")),
        row("a property that does not exist", "5.0 MQTT-3.1.4-1", |d| connect(d, 2, &[0x7F, 1], b"")),
        row("authentication data without a method", "5.0 MQTT-3.1.4-1", |d| connect(d, 2, &[0x16, 0, 1, 1], b"")),
        row("Request Problem Information of 2", "5.0 MQTT-3.1.4-1", |d| connect(d, 2, &[0x17, 2], b"")),
        row("Request Response Information of 2", "5.0 MQTT-3.1.4-1", |d| connect(d, 2, &[0x19, 2], b"")),
    ]
}

fn later() -> Vec<Row> {
    vec![
        row("packet type 0", "3.1.1 MQTT-4.8.0-1, 5.0 MQTT-4.13.1-1", |d| after(d, &[0, 0], FAULTY)),
        row("packet type 15", "3.1.1 MQTT-4.8.0-1", |d| after(d, &[0xF0, 0], FAULTY)),
        row("packets that only a server sends", "3.1.1 MQTT-4.8.0-1, 5.0 MQTT-4.13.1-1", |d| {
            for bytes in [&[0x20, 2, 0, 0][..], &[0x90, 3, 0, 1, 0], &[0xB0, 2, 0, 1], &[0xD0, 0]] {
                after(d, bytes, FAULTY).map_err(|unmet| unmet.about(format_args!("{bytes:02X?}")))?;
            }
            Ok(())
        }),
        row("a Remaining Length of five bytes", "3.1.1 MQTT-4.8.0-1, 5.0 MQTT-1.5.5-1", |d| {
            after(d, &[0x30, 0x80, 0x80, 0x80, 0x80, 1], FAULTY)
        }),
        row(
            "flags in PINGREQ, acknowledgements and DISCONNECT",
            "3.1.1 MQTT-2.2.2-1, 3.1.1 MQTT-2.2.2-2, 3.1.1 MQTT-3.14.1-1, 5.0 MQTT-2.1.3-1, 5.0 MQTT-3.14.1-1",
            |d| {
                for bytes in [&[0xC1, 0][..], &[0x41, 2, 0, 1], &[0x52, 2, 0, 1], &[0x74, 2, 0, 1], &[0xE1, 0]] {
                    after(d, bytes, FAULTY).map_err(|unmet| unmet.about(format_args!("{bytes:02X?}")))?;
                }
                Ok(())
            },
        ),
        row("PUBREL without its flag", "3.1.1 MQTT-3.6.1-1, 5.0 MQTT-3.6.1-1", |d| {
            [0x60, 0x61, 0x64, 0x6A].iter().try_for_each(|&first| after(d, &[first, 2, 0, 1], FAULTY))
        }),
        row("SUBSCRIBE without its flag", "3.1.1 MQTT-3.8.1-1, 5.0 MQTT-3.8.1-1", |d| {
            [0x80, 0x81, 0x83, 0x8A]
                .iter()
                .try_for_each(|&first| after(d, &subscribe(d, first, [0, 1], b"\0\x01a\0"), FAULTY))
        }),
        row("UNSUBSCRIBE without its flag", "3.1.1 MQTT-3.10.1-1, 5.0 MQTT-3.10.1-1", |d| {
            [0xA0, 0xA1, 0xA3].iter().try_for_each(|&first| after(d, &subscribe(d, first, [0, 1], b"\0\x01a"), FAULTY))
        }),
        row("SUBSCRIBE with identifier 0", "3.1.1 MQTT-2.3.1-1, 5.0 MQTT-2.2.1-3", |d| {
            after(d, &subscribe(d, 0x82, [0, 0], b"\0\x01a\0"), FAULTY)
        }),
        row("UNSUBSCRIBE with identifier 0", "3.1.1 MQTT-2.3.1-1, 5.0 MQTT-2.2.1-3", |d| {
            after(d, &subscribe(d, 0xA2, [0, 0], b"\0\x01a"), FAULTY)
        }),
        row("PUBLISH with identifier 0", "3.1.1 MQTT-2.3.1-1, 5.0 MQTT-2.2.1-3", |d| {
            [2, 4].iter().try_for_each(|&flags| after(d, &publish(d, flags, b"\0\x01a\0\0"), FAULTY))
        }),
        row("SUBSCRIBE without a filter", "3.1.1 MQTT-3.8.3-3, 5.0 MQTT-3.8.3-2", |d| {
            after(d, &subscribe(d, 0x82, [0, 1], b""), FAULTY)
        }),
        row("UNSUBSCRIBE without a filter", "3.1.1 MQTT-3.10.3-2, 5.0 MQTT-3.10.3-2", |d| {
            after(d, &subscribe(d, 0xA2, [0, 1], b""), FAULTY)
        }),
        row("a subscription with QoS 3 or reserved bits", "3.1.1 MQTT-3.8.3-4, 5.0 MQTT-3.8.3-5", |d| {
            let options: &[u8] = if d.v5() { &[3, 0x40, 0x80, 0x30] } else { &[3, 4, 8, 0x10, 0x80] };
            options
                .iter()
                .try_for_each(|&options| after(d, &subscribe(d, 0x82, [0, 1], &[0, 1, b'a', options]), FAULTY))
        }),
        row(
            "a filter that is not UTF-8",
            "3.1.1 MQTT-3.8.3-1, 3.1.1 MQTT-1.5.3-1, 5.0 MQTT-3.8.3-1, 5.0 MQTT-1.5.4-1",
            |d| after(d, &subscribe(d, 0x82, [0, 1], b"\0\x02\xC3\x28\0"), FAULTY),
        ),
        row("a filter to remove that is not UTF-8", "3.1.1 MQTT-3.10.3-1, 5.0 MQTT-3.10.3-1", |d| {
            after(d, &subscribe(d, 0xA2, [0, 1], b"\0\x02\xC3\x28"), FAULTY)
        }),
        row(
            "an empty filter, and filters with misplaced wildcards",
            "3.1.1 MQTT-4.7.1-2, 3.1.1 MQTT-4.7.1-3, 3.1.1 MQTT-4.7.3-1, 5.0 MQTT-4.7.1-1, 5.0 MQTT-4.7.1-2, 5.0 MQTT-4.7.3-1",
            |d| {
                for filter in ["", "a#", "a/#/b", "a+", "+a", "a/b+/c", "#/a"] {
                    let bytes = subscribe(d, 0x82, [0, 1], &[field(filter), vec![0]].concat());
                    after(d, &bytes, FILTER).map_err(|unmet| unmet.about(filter))?;
                }
                Ok(())
            },
        ),
        row(
            "a topic name with wildcards",
            "3.1.1 MQTT-3.3.2-2, 3.1.1 MQTT-4.7.1-1, 5.0 MQTT-3.3.2-2, 5.0 MQTT-4.7.0-1",
            |d| [b"\0\x03a/#", b"\0\x03a/+"].iter().try_for_each(|topic| after(d, &publish(d, 0, *topic), TOPIC)),
        ),
        row("an empty topic name", "3.1.1 MQTT-4.7.3-1, 5.0 MQTT-4.7.3-1", |d| {
            after(d, &publish(d, 0, b"\0\0"), TOPIC)
        }),
        row(
            "a topic name with U+0000",
            "3.1.1 MQTT-1.5.3-2, 3.1.1 MQTT-4.7.3-2, 5.0 MQTT-1.5.4-2, 5.0 MQTT-4.7.3-2",
            |d| after(d, &publish(d, 0, b"\0\x03a\0b"), TOPIC),
        ),
        row(
            "a topic name that is not UTF-8",
            "3.1.1 MQTT-1.5.3-1, 3.1.1 MQTT-3.3.2-1, 5.0 MQTT-1.5.4-1, 5.0 MQTT-3.3.2-1",
            |d| {
                [
                    &b"\0\x02\xC3\x28"[..],
                    b"\0\x03\xED\xA0\x80",
                    b"\0\x02\xC0\x80",
                    b"\0\x04\xF4\x90\x80\x80",
                    b"\0\x01\xFF",
                ]
                .iter()
                .try_for_each(|topic| after(d, &publish(d, 0, topic), TOPIC))
            },
        ),
        row("a topic name that is longer than its packet", "3.1.1 MQTT-4.8.0-1, 5.0 MQTT-4.13.1-1", |d| {
            after(d, &[0x30, 3, 0, 9, b'a'], FAULTY)
        }),
        row("QoS 3", "3.1.1 MQTT-3.3.1-4, 5.0 MQTT-3.3.1-4", |d| after(d, &publish(d, 6, b"\0\x01a\0\x01"), FAULTY)),
        row("DUP at QoS 0", "3.1.1 MQTT-3.3.1-2, 5.0 MQTT-3.3.1-2", |d| after(d, &publish(d, 8, b"\0\x01a"), FAULTY)),
    ]
}

fn only_5() -> Vec<Row> {
    vec![
        row("a topic alias of 0", "5.0 MQTT-3.3.2-8, 5.0 MQTT-4.13.1-1", |d| {
            after(d, &packet(0x30, &[b"\0\x01a", &[3, 0x23, 0, 0]]), ALIAS)
        }),
        row("a topic alias that stands for nothing", "5.0 MQTT-4.13.1-1", |d| {
            after(d, &packet(0x30, &[b"\0\0", &[3, 0x23, 0, 1]]), ALIAS)
        }),
        row("a response topic with a wildcard", "5.0 MQTT-3.3.2-14", |d| {
            after(d, &packet(0x30, &[b"\0\x01a", &[6, 8, 0, 3], b"b/#"]), TOPIC)
        }),
        row("a response topic that is not UTF-8", "5.0 MQTT-3.3.2-13", |d| {
            after(d, &packet(0x30, &[b"\0\x01a", &[5, 8, 0, 2], b"\xC3\x28"]), FAULTY)
        }),
        row("a content type that is not UTF-8", "5.0 MQTT-3.3.2-19", |d| {
            after(d, &packet(0x30, &[b"\0\x01a", &[5, 3, 0, 2], b"\xC3\x28"]), FAULTY)
        }),
        row("a user property that is not UTF-8", "5.0 MQTT-1.5.7-1", |d| {
            after(d, &packet(0x30, &[b"\0\x01a", &[8, 0x26, 0, 2], b"\xC3\x28", b"\0\x01v"]), FAULTY)?;
            after(d, &packet(0x30, &[b"\0\x01a", &[8, 0x26], b"\0\x01k", &[0, 2], b"\xC3\x28"]), FAULTY)
        }),
        row("a subscription identifier from a client", "5.0 MQTT-3.3.4-6", |d| {
            after(d, &packet(0x30, &[b"\0\x01a", &[2, 0x0B, 1]]), FAULTY)
        }),
        row("a subscription identifier of 0", "5.0 MQTT-4.13.1-1", |d| {
            after(d, &packet(0x82, &[&[0, 1, 2, 0x0B, 0], b"\0\x01a\0"]), FAULTY)
        }),
        row("a payload format of 2", "5.0 MQTT-4.13.1-1", |d| {
            after(d, &packet(0x30, &[b"\0\x01a", &[2, 1, 2]]), FAULTY)
        }),
        row("a property twice", "5.0 MQTT-4.13.1-1", |d| {
            after(d, &packet(0x30, &[b"\0\x01a", &[4, 1, 1, 1, 1]]), FAULTY)
        }),
        row("a property of another packet", "5.0 MQTT-4.13.1-1", |d| {
            after(d, &packet(0x30, &[b"\0\x01a", &[3, 0x21, 0, 1]]), FAULTY)
        }),
        row("a Property Length beyond the packet", "5.0 MQTT-2.2.2-1", |d| {
            after(d, &packet(0x30, &[b"\0\x01a", &[9]]), FAULTY)
        }),
        row("no Property Length where one must be", "5.0 MQTT-2.2.2-1", |d| {
            after(d, &packet(0x30, &[b"\0\x01a"]), FAULTY)
        }),
        row(
            "reason codes that their packets do not have",
            "5.0 MQTT-3.4.2-1, 5.0 MQTT-3.5.2-1, 5.0 MQTT-3.6.2-1, 5.0 MQTT-3.7.2-1, 5.0 MQTT-3.14.2-1",
            |d| {
                for bytes in [
                    &[0x40, 4, 0, 1, 0x92, 0][..],
                    &[0x50, 4, 0, 1, 0x92, 0],
                    &[0x62, 4, 0, 1, 0x80, 0],
                    &[0x70, 4, 0, 1, 0x80, 0],
                    &[0xE0, 2, 0x8E, 0],
                ] {
                    after(d, bytes, FAULTY).map_err(|unmet| unmet.about(format_args!("{bytes:02X?}")))?;
                }
                Ok(())
            },
        ),
        row("AUTH with flags", "5.0 MQTT-3.15.1-1", |d| after(d, &[0xF1, 0], FAULTY)),
        row("AUTH with a reason that it does not have", "5.0 MQTT-3.15.2-1", |d| after(d, &[0xF0, 2, 0x80, 0], FAULTY)),
        row("shared filters without a group or a filter", "5.0 MQTT-4.8.2-1, 5.0 MQTT-4.8.2-2", |d| {
            d.connect("b")?.offers_shared_subscriptions()?;
            for filter in ["$share//a", "$share/g/", "$share/g", "$share/+/a", "$share/a#/a"] {
                let bytes = subscribe(d, 0x82, [0, 1], &[field(filter), vec![0]].concat());
                after(d, &bytes, FILTER).map_err(|unmet| unmet.about(filter))?;
            }
            Ok(())
        }),
    ]
}

/// A CONNECT with these flags and properties, and with this behind its client identifier, is refused.
fn connect(d: &Dialogue, flags: u8, with: &[u8], rest: &[u8]) -> Played {
    connect_as(d, &field(d.own("a")), flags, with, rest)
}

fn connect_as(d: &Dialogue, id: &[u8], flags: u8, with: &[u8], rest: &[u8]) -> Played {
    let level = if d.v5() { 5 } else { 4 };
    let with = super::wire::properties(d.v5(), with);
    // 0x85 is for an identifier, and 0x8C for authentication data that no method explains.
    refused(d, &packet(0x10, &[b"\0\x04MQTT", &[level, flags, 0, 60], &with, id, rest]), &[0x81, 0x82, 0x85, 0x8C])
}

fn refused(d: &Dialogue, bytes: &[u8], reasons: &[u8]) -> Played {
    let mut client = d.open()?;
    client.send(bytes)?;
    client.closed(reasons)
}

/// The bytes are sent by a client that was accepted.
fn after(d: &Dialogue, bytes: &[u8], reasons: &[u8]) -> Played {
    let mut client = d.connect("a")?;
    client.send(bytes)?;
    client.closed(reasons)
}

fn subscribe(d: &Dialogue, first: u8, id: [u8; 2], payload: &[u8]) -> Vec<u8> {
    packet(first, &[&id, &super::wire::properties(d.v5(), &[]), payload])
}

fn publish(d: &Dialogue, flags: u8, head: &[u8]) -> Vec<u8> {
    packet(0x30 | flags, &[head, &super::wire::properties(d.v5(), &[])])
}
