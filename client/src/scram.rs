use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::scram::{ClientExchange, METHOD, ScramError, ServerProof};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::core::{AuthError, Mechanism};

/// SCRAM-SHA-256 (RFC 7677) as a [`Mechanism`]: the password never goes over the wire, and the broker has to prove that it
/// knows it, too. An answer takes up to some tenths of a second to compute, as the broker wishes.
pub struct Scram {
    user: String,
    password: String,
    nonces: ChaCha20Rng,
    state: State,
}

enum State {
    Idle,
    Asked(ClientExchange),
    Answered(ServerProof),
}

impl Scram {
    /// `seed` is where the nonces come from: nobody else may know it, and it must not be used again.
    ///
    /// # Errors
    /// User name or password have characters that are not allowed in them.
    pub fn new(user: impl Into<String>, password: impl Into<String>, seed: [u8; 32]) -> Result<Self, ScramError> {
        let (user, password) = (user.into(), password.into());
        ClientExchange::new(&user, &password, "nonce")?;
        Ok(Self { user, password, nonces: ChaCha20Rng::from_seed(seed), state: State::Idle })
    }
}

impl Mechanism for Scram {
    fn name(&self) -> ByteString {
        METHOD.into()
    }

    fn start(&mut self) -> Option<Bytes> {
        let nonce = format!("{:016x}{:016x}", self.nonces.next_u64(), self.nonces.next_u64());
        // What could go wrong was tried when this was made.
        let exchange = ClientExchange::new(&self.user, &self.password, &nonce).ok()?;
        let first = exchange.first();
        self.state = State::Asked(exchange);
        Some(first.into())
    }

    fn challenge(&mut self, data: Option<&[u8]>) -> Result<Option<Bytes>, AuthError> {
        let State::Asked(exchange) = std::mem::replace(&mut self.state, State::Idle) else {
            return Err(AuthError::new("a challenge that does not belong here"));
        };
        let (answer, proof) = exchange.answer(data.unwrap_or_default())?;
        self.state = State::Answered(proof);
        Ok(Some(answer.into()))
    }

    fn finish(&mut self, data: Option<&[u8]>) -> Result<(), AuthError> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Answered(proof) => Ok(proof.check(data.unwrap_or_default())?),
            _ => Err(AuthError::new("success without a challenge")),
        }
    }
}

impl From<ScramError> for AuthError {
    fn from(error: ScramError) -> Self {
        Self::new(error.to_string())
    }
}

/// Tells no secret.
impl fmt::Debug for Scram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scram").field("user", &self.user).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use halfopen_protocol::scram::{ClientFirst, Verifier};

    use super::*;

    /// Plays the broker with this password.
    fn exchange(client: &mut Scram, password: &str) -> Result<(), AuthError> {
        let first = client.start().expect("it begins");
        let verifier = Verifier::new(password, b"salt", 4096)?;
        let (challenge, server) = ClientFirst::parse(&first)?.challenge(verifier, "more")?;
        let answer = client.challenge(Some(challenge.as_bytes()))?.expect("it answers");
        let end = server.verify(&answer)?;
        client.finish(Some(end.as_bytes()))
    }

    #[test]
    fn both_sides_know_the_password_or_neither_is_believed() {
        let mut client = Scram::new("user", "pencil", [7; 32]).expect("nothing is wrong with it");
        assert_eq!(exchange(&mut client, "pencil"), Ok(()));
        assert_eq!(exchange(&mut client, "pencil"), Ok(()), "the next exchange has another nonce");
        assert!(exchange(&mut client, "pen").is_err());
        client.start();
        assert!(client.finish(Some(b"v=")).is_err(), "success without a proof");
    }
}
