//! Reads who a client is from what it sends first.

/// Number of bytes of a connection that are kept to find out who the client is.
const FIRST: usize = 4096;

/// The identifier of a client, as soon as its CONNECT has been seen.
#[derive(Default)]
pub(super) struct LearnedClientId {
    /// The first bytes, until they tell who the client is.
    first: Vec<u8>,
    id: Option<String>,
}

impl LearnedClientId {
    /// Takes note of bytes of the client, however many pieces its CONNECT comes in.
    pub(super) fn learn(&mut self, bytes: &[u8]) {
        if self.id.is_none() && self.first.len() < FIRST {
            self.first.extend_from_slice(bytes);
            self.id = client_id(&self.first);
        }
    }

    /// Returns whether the client is known and has this identifier.
    pub(super) fn is(&self, client_id: &str) -> bool {
        self.id.as_deref() == Some(client_id)
    }
}

/// Returns the identifier of the client whose CONNECT these bytes begin with, as far as they are there (§3.1).
fn client_id(bytes: &[u8]) -> Option<String> {
    let variable = |from: usize| bytes.get(from..)?.iter().take(4).position(|byte| byte & 0x80 == 0).map(|at| at + 1);
    let length = |at: usize| Some(usize::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?])));
    if bytes.first()? >> 4 != 1 {
        return None;
    }
    let name = 1 + variable(1)?;
    let version = name + 2 + length(name)?;
    // Version, flags and keep-alive.
    let mut at = version + 4;
    if *bytes.get(version)? == 5 {
        let digits = variable(at)?;
        let properties =
            bytes.get(at..at + digits)?.iter().rev().fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7f));
        at += digits + properties;
    }
    let id = bytes.get(at + 2..at + 2 + length(at)?)?;
    String::from_utf8(id.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::of_3_1_1(b"\x10\x0f\0\x04MQTT\x04\x02\0\x3c\0\x03abc", Some("abc"))]
    #[case::of_5_0_with_properties(b"\x10\x15\0\x04MQTT\x05\x02\0\x3c\x05\x11\0\0\0\x0a\0\x03abc", Some("abc"))]
    #[case::without_its_end(b"\x10\x0f\0\x04MQTT\x04\x02\0\x3c\0\x03ab", None)]
    #[case::of_nothing(b"", None)]
    #[case::of_another_packet(b"\xc0\0", None)]
    #[case::with_a_length_beyond_all(b"\x10\xff\xff\xff\xff\x04MQTT", None)]
    fn client_is_known_by_its_connect(#[case] bytes: &[u8], #[case] id: Option<&str>) {
        assert_eq!(client_id(bytes).as_deref(), id);
    }
}
