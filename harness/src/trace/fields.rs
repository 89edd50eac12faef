use halfopen_protocol::Packet;

use crate::plan::Value;

/// One field of a packet: what traces print and patterns match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The standard's name in snake_case, everyday names short: `id`, `reason`, `clean`, `session_expiry`.
    pub name: &'static str,
    /// Its value.
    pub value: Value,
    /// Whether it says nothing: it has the value that it has when nobody sets it, and is not printed.
    pub is_default: bool,
}

/// The fields of a packet, in the order in which they are printed.
pub fn fields(packet: &Packet) -> Vec<Field> {
    let _ = packet;
    Vec::new()
}
