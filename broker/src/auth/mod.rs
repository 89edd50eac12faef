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
#[error("line {line}: {what}")]
pub struct FileError {
    /// Which, from 1.
    pub line: usize,
    /// What is wrong, in words.
    pub what: String,
}
