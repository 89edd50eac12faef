//! SCRAM-SHA-256 (RFC 5802, RFC 7677), the method of enhanced authentication (§4.12 of MQTT 5.0) that both sides know.
//!
//! Pure computation: nonces and salts come from the caller. Channel binding is not supported.
//!
//! ```text
//! client                                  server
//! ClientExchange::first      → CONNECT  → ClientFirst::parse, ClientFirst::challenge
//! ClientExchange::answer     ← AUTH     ←
//!                            → AUTH     → ServerExchange::verify
//! ServerProof::check         ← CONNACK  ←
//! ```
//!
//! ```
//! use halfopen_protocol::scram::{ClientExchange, ClientFirst, Verifier};
//!
//! let stored = Verifier::new("pencil", b"salt of this user", 4096)?;
//! let client = ClientExchange::new("user", "pencil", "nonceOfTheClient")?;
//! let first = ClientFirst::parse(client.first().as_bytes())?;
//! assert_eq!(first.user(), "user");
//! let (challenge, server) = first.challenge(stored, "nonceOfTheServer")?;
//! let (answer, proof) = client.answer(challenge.as_bytes())?;
//! let end = server.verify(answer.as_bytes())?;
//! proof.check(end.as_bytes())?;
//! # Ok::<(), halfopen_protocol::scram::ScramError>(())
//! ```

mod client;
mod message;
mod server;
mod verifier;

pub use self::client::{ClientExchange, ServerProof};
pub use self::server::{ClientFirst, ServerExchange};
pub use self::verifier::Verifier;

/// The Authentication Method, as it is written in CONNECT.
pub const METHOD: &str = "SCRAM-SHA-256";

/// The fewest iterations that RFC 7677 allows (§4).
pub const MINIMUM_ITERATIONS: u32 = 4096;

/// The most iterations that are computed for a peer: a hostile one must not keep us busy for long.
pub const MAXIMUM_ITERATIONS: u32 = 600_000;

/// The reason for which an exchange or a stored verifier is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScramError {
    /// The message does not follow the grammar of RFC 5802 (§7).
    #[error("not a message of SCRAM: {0}")]
    Malformed(&'static str),
    /// The peer wants what is not supported, as channel binding or an extension.
    #[error("not supported: {0}")]
    Unsupported(&'static str),
    /// A user name or password cannot be prepared (SASLprep, RFC 4013), or a nonce is not printable.
    #[error("a character that is not allowed in {0}")]
    Prohibited(&'static str),
    /// Fewer iterations than [`MINIMUM_ITERATIONS`], or more than [`MAXIMUM_ITERATIONS`].
    #[error("{0} iterations")]
    Iterations(u32),
    /// The proof is wrong: the other side does not know the password, or somebody stands between.
    #[error("the proof does not fit the password")]
    WrongProof,
    /// The server says that it refuses.
    #[error("the server refuses")]
    Refused,
}
