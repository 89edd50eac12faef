use std::fmt;

use subtle::ConstantTimeEq as _;

use super::ScramError;
use super::message::{attribute, check_nonce, escape, from_base64, key_from_base64, prepare, text, to_base64};
use super::verifier::{client_key, hash, salted_password, server_key, sign, xor};

/// The header of SCRAM: no channel binding, no other user to act for.
const HEADER: &str = "n,,";

/// The client's side of an exchange, until the server's challenge.
pub struct ClientExchange {
    password: String,
    nonce: String,
    /// The first message without its header.
    bare: String,
}

/// The signature that the server has to prove in the end.
#[derive(Clone)]
pub struct ServerProof([u8; 32]);

impl ClientExchange {
    /// Begins. `nonce` must never have been used before.
    ///
    /// # Errors
    /// A character of user name or password is not allowed, or the nonce is not printable ASCII without commas.
    pub fn new(user: &str, password: &str, nonce: &str) -> Result<Self, ScramError> {
        check_nonce(nonce)?;
        let user = escape(&prepare(user, "a user name")?);
        prepare(password, "a password")?;
        Ok(Self { password: password.to_owned(), nonce: nonce.to_owned(), bare: format!("n={user},r={nonce}") })
    }

    /// The message to begin with.
    pub fn first(&self) -> String {
        format!("{HEADER}{}", self.bare)
    }

    /// Answers the challenge `r=nonce,s=salt,i=iterations`. Takes long on purpose, in proportion to the iterations.
    ///
    /// # Errors
    /// It is something else, does not belong to this exchange, or asks for too few or too many iterations.
    pub fn answer(self, challenge: &[u8]) -> Result<(String, ServerProof), ScramError> {
        let challenge = text(challenge)?;
        if challenge.starts_with("m=") {
            return Err(ScramError::Unsupported("a mandatory extension"));
        }
        let mut attributes = challenge;
        let nonce = attribute(&mut attributes, 'r')?;
        if nonce.len() <= self.nonce.len() || !nonce.starts_with(&self.nonce) {
            return Err(ScramError::Malformed("not the nonce of this exchange"));
        }
        let salt = from_base64(attribute(&mut attributes, 's')?)?;
        let iterations = attribute(&mut attributes, 'i')?;
        let iterations = iterations.parse().map_err(|_| ScramError::Malformed("not a number of iterations"))?;

        let salted = salted_password(&self.password, &salt, iterations)?;
        let unproven = format!("c={},r={nonce}", to_base64(HEADER.as_bytes()));
        let signed = format!("{},{challenge},{unproven}", self.bare);
        let client_key = client_key(&salted);
        let proof = xor(&client_key, &sign(&hash(&client_key), &signed));
        let expected = ServerProof(sign(&server_key(&salted), &signed));
        Ok((format!("{unproven},p={}", to_base64(&proof)), expected))
    }
}

impl ServerProof {
    /// Judges the server's last message, `v=proof`.
    ///
    /// # Errors
    /// It is something else, refuses, or the server does not know the user.
    pub fn check(&self, message: &[u8]) -> Result<(), ScramError> {
        let mut attributes = text(message)?;
        if attributes.starts_with("e=") {
            return Err(ScramError::Refused);
        }
        let proof = key_from_base64(attribute(&mut attributes, 'v')?)?;
        if bool::from(proof.ct_eq(&self.0)) { Ok(()) } else { Err(ScramError::WrongProof) }
    }
}

/// Tells no secret.
impl fmt::Debug for ClientExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientExchange").field("first", &self.first()).finish_non_exhaustive()
    }
}

/// Tells no secret.
impl fmt::Debug for ServerProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerProof").finish_non_exhaustive()
    }
}
