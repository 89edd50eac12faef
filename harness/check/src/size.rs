//! The size of packets, as far as it can be told from their messages.

/// Number of bytes that the properties and the header of a message surely fit into.
const PROPERTIES: usize = 512;

/// Returns whether a PUBLISH of this message has at most `maximum` bytes, whatever its properties.
pub(crate) fn surely_fits(topic: &str, payload: &[u8], maximum: usize) -> bool {
    topic.len() + payload.len() + PROPERTIES <= maximum
}
