//! Bytes as Mosquitto's tests write them: hex pairs, `'text'`, `r12` a remaining length, and two-byte numbers.

use super::suggest::one_of;
use super::time::TimeError;

/// The largest remaining length of four bytes (§1.5.5).
const MAX_REMAINING: u32 = 268_435_455;

/// The largest payload: what a PUBLISH can carry at most is 256 MB, which nobody needs here.
pub(super) const MAX_PAYLOAD: u64 = 64 * 1024 * 1024;

const UNITS: [(&str, u64); 7] =
    [("B", 1), ("kB", 1_000), ("MB", 1_000_000), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1)];

/// Reads a number of bytes, as `64kB`.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit.trim()) else {
        let units = one_of(UNITS.iter().map(|(name, _)| *name).filter(|name| !name.is_empty()));
        return Err(format!("unknown size `{text}`; units are {units}"));
    };
    let size = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor));
    size.ok_or_else(|| format!("expected a size, such as `64kB`, found `{text}`"))
}

/// Reads hex pairs alone.
pub(super) fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    (digits.len().is_multiple_of(2) && digits.is_ascii())
        .then(|| (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect())
        .flatten()
}

/// Reads `30 r5 s3 'a/b'`.
pub(super) fn parse_bytes(text: &str) -> Result<Vec<u8>, TimeError> {
    let characters: Vec<char> = text.chars().collect();
    let mut bytes = Vec::new();
    let mut index = 0;
    while let Some(&c) = characters.get(index) {
        if c.is_whitespace() {
            index += 1;
        } else if c == '\'' {
            let length = characters[index + 1..].iter().position(|c| *c == '\'');
            let Some(length) = length else {
                return Err(TimeError::new(index, characters.len(), "a text without its closing quote"));
            };
            let inner: String = characters[index + 1..index + 1 + length].iter().collect();
            bytes.extend_from_slice(inner.as_bytes());
            index += length + 2;
        } else {
            let end = characters[index..].iter().position(|c| c.is_whitespace() || *c == '\'');
            let end = end.map_or(characters.len(), |length| index + length);
            let word: String = characters[index..end].iter().collect();
            item(&word, &mut bytes).map_err(|message| TimeError::new(index, end, message))?;
            index = end;
        }
    }
    Ok(bytes)
}

fn item(word: &str, bytes: &mut Vec<u8>) -> Result<(), String> {
    let unknown = || {
        let pair = word.strip_prefix("0x").filter(|pair| pair.len() == 2);
        let hint = match (pair, word) {
            (Some(pair), _) => format!("; write `{pair}`"),
            (None, "r") => "; write how many bytes follow, as in `r12`".to_owned(),
            (None, "s" | "m" | "k") => format!("; write the number with it, as in `{word}3`"),
            _ => String::new(),
        };
        format!("`{word}` is neither a hex pair, a text in quotes nor a number such as `r12`, `s3`, `m7`, `k10`{hint}")
    };
    if let Some(digits) = word.strip_prefix('r') {
        let value: u32 = digits.parse().map_err(|_| unknown())?;
        if value > MAX_REMAINING {
            return Err(format!("a remaining length is at most {MAX_REMAINING}; write its bytes in hex"));
        }
        remaining_length(value, bytes);
    } else if let Some(digits) = word.strip_prefix(['s', 'm', 'k']) {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let value: u16 = digits.parse().map_err(|_| match is_number {
            true => format!("`{word}` is more than 65535, the most that two bytes can hold"),
            false => unknown(),
        })?;
        bytes.extend_from_slice(&value.to_be_bytes());
    } else if word.len() == 2 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        bytes.push(u8::from_str_radix(word, 16).map_err(|_| unknown())?);
    } else {
        return Err(unknown());
    }
    Ok(())
}

/// A variable byte integer (§2.2.3 in 3.1.1, §1.5.5 in 5.0).
fn remaining_length(mut value: u32, bytes: &mut Vec<u8>) {
    loop {
        let [low, ..] = (value % 128).to_le_bytes();
        value /= 128;
        bytes.push(if value > 0 { low | 0x80 } else { low });
        if value == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("c0 00", &[0xc0, 0x00])]
    #[case("30 r5 s3 'a/#'", b"\x30\x05\x00\x03a/#")]
    #[case("36 r16 m1 k10", &[0x36, 16, 0, 1, 0, 10])]
    #[case("r127 r128 r268435455", &[0x7f, 0x80, 0x01, 0xff, 0xff, 0xff, 0x7f])]
    #[case("", &[])]
    #[case("'ü'", "ü".as_bytes())]
    fn bytes_are_read_as_they_are_written(#[case] text: &str, #[case] expected: &[u8]) {
        assert_eq!(parse_bytes(text).unwrap(), expected);
    }

    #[rstest]
    #[case("c", 0, 1, "`c` is neither a hex pair, a text in quotes nor a number such as `r12`, `s3`, `m7`, `k10`")]
    #[case("c0 s65536", 3, 9, "`s65536` is more than 65535, the most that two bytes can hold")]
    #[case("30 'a", 3, 5, "a text without its closing quote")]
    #[case("r268435456", 0, 10, "a remaining length is at most 268435455; write its bytes in hex")]
    fn what_is_no_byte_is_pointed_at(
        #[case] text: &str,
        #[case] from: usize,
        #[case] to: usize,
        #[case] message: &str,
    ) {
        assert_eq!(parse_bytes(text).unwrap_err(), TimeError::new(from, to, message));
    }
}
