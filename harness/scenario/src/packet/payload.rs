use ::bytes::Bytes;
use halfopen_protocol::packet::UserProperties;

use super::PAYLOAD;
use super::bytes::hex;
use crate::reader::Reader;
use crate::suggest::one_of;
use crate::tree::{Kind, Node};

/// The largest payload: what a PUBLISH can carry at most is 256 MB, which nobody needs here.
const MAX_PAYLOAD: u64 = 64 * 1024 * 1024;

const UNITS: [(&str, u64); 6] =
    [("B", 1), ("kB", 1_000), ("MB", 1_000_000), ("KiB", 1_024), ("MiB", 1_048_576), ("", 1)];

/// A text, `{ size: 64kB }` or `{ hex: 00 ff }`.
pub(crate) fn payload(reader: &Reader<'_>, node: &Node) -> Option<Bytes> {
    if !matches!(node.kind, Kind::Map(_)) {
        if node.text() == Some("") {
            return Some(Bytes::new());
        }
        return reader
            .scalar(node, "a text, `{ size: 64kB }` or `{ hex: 00 ff }`")
            .map(|text| Bytes::from(text.to_owned()));
    }
    let fields = reader.fields(node, &PAYLOAD)?;
    match (fields.get("size"), fields.get("hex")) {
        (Some(value), None) => size(reader, value).map(|size| filled(reader, size)),
        (None, Some(value)) => hex(reader, value).map(Bytes::from),
        _ if fields.broken => None,
        _ => {
            reader.error(node, "a payload is a text, `{ size: 64kB }` or `{ hex: 00 ff }`");
            None
        }
    }
}

fn size(reader: &Reader<'_>, node: &Node) -> Option<usize> {
    let text = reader.scalar(node, "a size, such as `64kB`")?;
    match parse_size(text) {
        Ok(size) if size <= MAX_PAYLOAD => usize::try_from(size).ok(),
        Ok(_) => {
            reader.error(node, format!("`{text}` is more than {MAX_PAYLOAD} bytes, the most there is"));
            None
        }
        Err(message) => {
            reader.error(node, message);
            None
        }
    }
}

/// `64kB` in bytes, or what is wrong with it.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit.trim()) else {
        let units = one_of(UNITS.iter().map(|(name, _)| *name).filter(|name| !name.is_empty()));
        return Err(format!("unknown size `{text}`; units are {units}"));
    };
    let size = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor));
    size.ok_or_else(|| format!("expected a size, such as `64kB`, found `{text}`"))
}

/// All runs of a file share the bytes of one size.
fn filled(reader: &Reader<'_>, size: usize) -> Bytes {
    reader.payloads.borrow_mut().entry(size).or_insert_with(|| Bytes::from(vec![b'x'; size])).clone()
}

/// A map of names and texts; a list for several values of one name.
pub(crate) fn user_properties(reader: &Reader<'_>, node: &Node) -> Option<UserProperties> {
    let mut properties = UserProperties::new();
    let entries = reader.map(node, "a map of user properties, as in `{ name: value }`");
    for (name, values) in entries {
        for value in reader.one_or_more(values) {
            let name = reader.scalar(name, "a name")?;
            properties.push((name.into(), reader.scalar(value, "a text")?.into()));
        }
    }
    (!entries.is_empty()).then_some(properties)
}
