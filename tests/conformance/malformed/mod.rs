//! What ends a connection, one row a violation. The bytes follow an accepted CONNECT, or are the first.

mod connect;
mod only_5;
mod packets;

use super::dialogue::FAULTY;
use super::wire::{Connect, Will, field, packet};
use super::{Dialogue, Played, Row};

/// What a broker may say of a topic name, a filter or a topic alias that has no form.
const TOPIC: &[u8] = &[0x81, 0x82, 0x90];
const FILTER: &[u8] = &[0x81, 0x82, 0x8F];
const ALIAS: &[u8] = &[0x81, 0x82, 0x94];

pub(crate) fn rows() -> Vec<Row> {
    [connect::rows(), packets::rows(), only_5::rows()].concat()
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
