use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::ScramError;

/// Takes `name=value` from the front of a message of comma-separated attributes.
pub(super) fn attribute<'a>(rest: &mut &'a str, name: char) -> Result<&'a str, ScramError> {
    let (first, behind) = rest.split_once(',').unwrap_or((rest, ""));
    let value = first
        .strip_prefix(name)
        .and_then(|first| first.strip_prefix('='))
        .ok_or(ScramError::Malformed("an attribute is missing or out of order"))?;
    *rest = behind;
    Ok(value)
}

pub(super) fn text(bytes: &[u8]) -> Result<&str, ScramError> {
    std::str::from_utf8(bytes).map_err(|_| ScramError::Malformed("not UTF-8"))
}

/// Returns whether a nonce is of printable characters without a comma (§5.1 of RFC 5802).
pub(super) fn check_nonce(nonce: &str) -> Result<(), ScramError> {
    let printable = nonce.bytes().all(|byte| matches!(byte, 0x21..=0x2B | 0x2D..=0x7E));
    if nonce.is_empty() || !printable {
        return Err(ScramError::Prohibited("a nonce"));
    }
    Ok(())
}

pub(super) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(super) fn from_base64(text: &str) -> Result<Vec<u8>, ScramError> {
    STANDARD.decode(text).map_err(|_| ScramError::Malformed("not base64"))
}

pub(super) fn key_from_base64(text: &str) -> Result<[u8; 32], ScramError> {
    from_base64(text)?.try_into().map_err(|_| ScramError::Malformed("not 32 bytes"))
}

/// A user name as it stands in a message: `,` and `=` have another meaning there.
pub(super) fn escape(user: &str) -> String {
    user.replace('=', "=3D").replace(',', "=2C")
}

pub(super) fn unescape(user: &str) -> Result<String, ScramError> {
    let mut name = String::with_capacity(user.len());
    let mut rest = user;
    while let Some((before, behind)) = rest.split_once('=') {
        name.push_str(before);
        rest = match (behind.strip_prefix("2C"), behind.strip_prefix("3D")) {
            (Some(rest), _) => {
                name.push(',');
                rest
            }
            (_, Some(rest)) => {
                name.push('=');
                rest
            }
            _ => return Err(ScramError::Malformed("a user name with a bare `=`")),
        };
    }
    name.push_str(rest);
    Ok(name)
}

/// SASLprep (RFC 4013), so that the same characters typed on different keyboards are the same password.
pub(super) fn prepare(text: &str, what: &'static str) -> Result<String, ScramError> {
    let prepared = stringprep::saslprep(text).map_err(|_| ScramError::Prohibited(what))?;
    if prepared.is_empty() {
        return Err(ScramError::Prohibited(what));
    }
    Ok(prepared.into_owned())
}
