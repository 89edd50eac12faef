//! Packets in a scenario: patterns that match them, packets and bytes to send, payloads.

mod build;
mod bytes;
mod pattern;
mod payload;

pub(super) use self::build::{disconnect, outgoing, publish, replies};
pub(super) use self::pattern::{
    MATCHER, fields as field_patterns, is_in_both, packet, pattern, patterns, reason, reasons,
};
pub(super) use self::payload::{parse_size, payload, user_properties};

use super::keys::{Table, Takes, key};

/// What stands for bytes of a given kind instead of a text.
pub(super) const PAYLOAD: Table = Table {
    what: "a payload",
    keys: &[&[
        key("size", "so many bytes: 64kB").takes(Takes::Text),
        key("hex", "these bytes: 00 ff").takes(Takes::Text),
    ]],
};
