use std::fmt;
use std::sync::Arc;

use bytestring::ByteString;
use halfopen_protocol::scram::{ClientFirst, METHOD, ServerExchange, Verifier};

use super::Passwords;
use crate::core::{Exchange, Mechanism, Step};

/// SCRAM-SHA-256 as a method of enhanced authentication.
///
/// The client's first message comes in CONNECT and the server's last one in CONNACK.
pub struct Scram {
    passwords: Arc<Passwords>,
    secret: [u8; 32],
    nonce: Box<dyn FnMut() -> String>,
}

impl Scram {
    /// Creates the mechanism for these users. `secret` makes up salts for users that do not exist, and `nonce` gives a
    /// text that was never used before and that nobody can foresee, of printable ASCII without commas.
    pub fn new(passwords: Arc<Passwords>, secret: [u8; 32], nonce: impl FnMut() -> String + 'static) -> Self {
        Self { passwords, secret, nonce: Box::new(nonce) }
    }
}

impl Mechanism for Scram {
    fn name(&self) -> &str {
        METHOD
    }

    fn begin(&mut self) -> Box<dyn Exchange> {
        Box::new(Handshake::New { passwords: Arc::clone(&self.passwords), secret: self.secret, nonce: (self.nonce)() })
    }
}

enum Handshake {
    New { passwords: Arc<Passwords>, secret: [u8; 32], nonce: String },
    Challenged { user: ByteString, exchange: ServerExchange },
    Over,
}

impl Exchange for Handshake {
    fn step(&mut self, data: Option<&[u8]>) -> Step {
        let data = data.unwrap_or_default();
        match std::mem::replace(self, Self::Over) {
            Self::New { passwords, secret, nonce } => {
                self.challenge(&passwords, &secret, &nonce, data).unwrap_or(Step::Refuse)
            }
            Self::Challenged { user, exchange } => match exchange.verify(data) {
                Ok(proof) => Step::Accept { user, data: Some(proof.into()) },
                Err(_) => Step::Refuse,
            },
            Self::Over => Step::Refuse,
        }
    }
}

impl Handshake {
    fn challenge(&mut self, passwords: &Passwords, secret: &[u8; 32], nonce: &str, data: &[u8]) -> Option<Step> {
        let first = ClientFirst::parse(data).ok()?;
        let user = ByteString::from(first.user());
        let verifier = passwords.verifier(&user).cloned();
        let verifier = verifier.unwrap_or_else(|| Verifier::unmatchable(&user, secret, passwords.iterations()));
        let (challenge, exchange) = first.challenge(verifier, nonce).ok()?;
        *self = Self::Challenged { user, exchange };
        Some(Step::Continue(challenge.into()))
    }
}

/// Tells no secret.
impl fmt::Debug for Scram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scram").finish_non_exhaustive()
    }
}

/// Tells no secret.
impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New { .. } => "New",
            Self::Challenged { .. } => "Challenged",
            Self::Over => "Over",
        })
    }
}

#[cfg(test)]
mod tests {
    use halfopen_protocol::scram::ClientExchange;

    use super::super::{scram_verifier, with_user};
    use super::*;

    fn scram() -> Scram {
        let text = with_user("", "ann", &[scram_verifier("secret", &[1; 16]).unwrap()]).unwrap();
        Scram::new(Arc::new(Passwords::parse(&text).unwrap()), [2; 32], || "nonceOfTheServer".to_owned())
    }

    /// Returns how an exchange ends.
    fn exchange(user: &str, password: &str) -> Step {
        let client = ClientExchange::new(user, password, "nonceOfTheClient").unwrap();
        let mut server = scram().begin();
        let Step::Continue(challenge) = server.step(Some(client.first().as_bytes())) else { panic!("no challenge") };
        let (answer, proof) = client.answer(&challenge).unwrap();
        let end = server.step(Some(answer.as_bytes()));
        if let Step::Accept { data, .. } = &end {
            assert_eq!(proof.check(data.as_ref().unwrap()), Ok(()));
        }
        assert_eq!(server.step(Some(answer.as_bytes())), Step::Refuse, "an exchange has one end");
        end
    }

    #[test]
    fn both_sides_prove_that_they_know_the_password() {
        assert!(matches!(exchange("ann", "secret"), Step::Accept { user, .. } if user == "ann"));
    }

    #[test]
    fn a_wrong_password_and_an_unknown_user_are_refused_at_the_same_point() {
        assert_eq!(exchange("ann", "guess"), Step::Refuse);
        assert_eq!(exchange("bob", "secret"), Step::Refuse);
    }

    #[test]
    fn what_is_no_message_of_scram_is_refused() {
        for data in [None, Some(&b""[..]), Some(b"hello"), Some(b"n,,n=ann"), Some(b"p=x,,n=ann,r=abc")] {
            assert_eq!(scram().begin().step(data), Step::Refuse, "{data:?}");
        }
    }
}
