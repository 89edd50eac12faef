//! Who may connect and what they may do: passwords, SCRAM and access lists for a [`Broker`](crate::Broker).
//!
//! All of it is plain computation: what is in a file comes as text, and nonces come from the caller.

mod acl;
mod passwords;
mod scram;
mod scripted;

pub use self::acl::Acl;
pub use self::passwords::{Passwords, hash_password, scram_verifier, with_user, without_user};
pub use self::scram::Scram;
pub use self::scripted::Scripted;

/// A line of a file that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {what}")]
pub struct FileError {
    /// The line, from 1.
    pub line: usize,
    /// Description of the mistake.
    pub what: String,
}

impl FileError {
    /// Reads a file line by line, without the white space around each, and collects what is wrong. Empty lines and
    /// those that begin with `#` are left out.
    fn collect(text: &str, mut read: impl FnMut(&str) -> Result<(), String>) -> Result<(), Vec<Self>> {
        let lines = (1..).zip(text.lines().map(str::trim));
        let lines = lines.filter(|(_, text)| !text.is_empty() && !text.starts_with('#'));
        let wrong: Vec<_> = lines.filter_map(|(line, text)| Some(Self { line, what: read(text).err()? })).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}
