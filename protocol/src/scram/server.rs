use subtle::ConstantTimeEq as _;

use super::ScramError;
use super::message::{attribute, check_nonce, key_from_base64, text, to_base64, unescape};
use super::verifier::{Verifier, hash, sign, xor};

/// The first message of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFirst {
    user: String,
    nonce: String,
    /// The header about channel binding, which the client repeats.
    header: String,
    /// The message without that header.
    bare: String,
}

/// An exchange in which the server has sent its challenge.
#[derive(Debug)]
pub struct ServerExchange {
    verifier: Verifier,
    nonce: String,
    header: String,
    /// Both first messages, which the proofs sign.
    messages: String,
}

impl ClientFirst {
    /// Reads `n,,n=user,r=nonce`.
    ///
    /// # Errors
    /// It is something else, or asks for channel binding.
    pub fn parse(message: &[u8]) -> Result<Self, ScramError> {
        let message = text(message)?;
        let (flag, rest) = message.split_once(',').ok_or(ScramError::Malformed("no header"))?;
        match flag {
            // `y`: the client could bind the channel, and the server cannot, which is so.
            "n" | "y" => {}
            _ if flag.starts_with("p=") => return Err(ScramError::Unsupported("channel binding")),
            _ => return Err(ScramError::Malformed("no header")),
        }
        let (identity, bare) = rest.split_once(',').ok_or(ScramError::Malformed("no header"))?;
        if !identity.is_empty() {
            return Err(ScramError::Unsupported("to act for another user"));
        }
        if bare.starts_with("m=") {
            return Err(ScramError::Unsupported("a mandatory extension"));
        }
        let mut attributes = bare;
        let user = unescape(attribute(&mut attributes, 'n')?)?;
        let nonce = attribute(&mut attributes, 'r')?;
        check_nonce(nonce)?;
        Ok(Self { user, nonce: nonce.to_owned(), header: format!("{flag},,"), bare: bare.to_owned() })
    }

    /// Returns who wants in, as the client writes it.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The answer, and what is needed to judge the next message. `nonce` must never have been used before.
    ///
    /// # Errors
    /// The nonce is not printable ASCII without commas.
    pub fn challenge(self, verifier: Verifier, nonce: &str) -> Result<(String, ServerExchange), ScramError> {
        check_nonce(nonce)?;
        let nonce = self.nonce + nonce;
        let challenge = format!("r={nonce},s={},i={}", to_base64(&verifier.salt), verifier.iterations);
        let messages = format!("{},{challenge}", self.bare);
        Ok((challenge, ServerExchange { verifier, nonce, header: self.header, messages }))
    }
}

impl ServerExchange {
    /// Judges `c=header,r=nonce,p=proof`; gives the last message, with which the server proves that it knows the user.
    ///
    /// # Errors
    /// It is something else, belongs to another exchange, or the client does not know the password.
    pub fn verify(self, message: &[u8]) -> Result<String, ScramError> {
        let message = text(message)?;
        let (unproven, proof) =
            message.rsplit_once(",p=").ok_or(ScramError::Malformed("an attribute is missing or out of order"))?;
        let mut attributes = unproven;
        if attribute(&mut attributes, 'c')? != to_base64(self.header.as_bytes()) {
            return Err(ScramError::Malformed("not the header of the first message"));
        }
        if attribute(&mut attributes, 'r')? != self.nonce {
            return Err(ScramError::Malformed("not the nonce of this exchange"));
        }
        let signed = format!("{},{unproven}", self.messages);
        let signature = sign(&self.verifier.stored_key, &signed);
        let client_key = xor(&key_from_base64(proof)?, &signature);
        if !bool::from(hash(&client_key).ct_eq(&self.verifier.stored_key)) {
            return Err(ScramError::WrongProof);
        }
        Ok(format!("v={}", to_base64(&sign(&self.verifier.server_key, &signed))))
    }
}
