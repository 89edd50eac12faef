use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::message::{from_base64, key_from_base64, prepare, to_base64};
use super::{MAXIMUM_ITERATIONS, METHOD, MINIMUM_ITERATIONS, ScramError};

/// Length of the salt of a user that does not exist: as long as those that RFC 7677 shows.
const SALT: usize = 16;

/// The data that a server keeps of a password: enough to check a proof, not enough to make one.
///
/// Its text is that of PostgreSQL: `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    pub(super) iterations: u32,
    pub(super) salt: Vec<u8>,
    pub(super) stored_key: [u8; 32],
    pub(super) server_key: [u8; 32],
}

impl Verifier {
    /// Creates a verifier of a password, with a salt that is used only once. Takes long on purpose, in proportion to
    /// `iterations`.
    ///
    /// # Errors
    /// The password has characters that are not allowed, or the iterations are out of
    /// [`MINIMUM_ITERATIONS`] to [`MAXIMUM_ITERATIONS`].
    pub fn new(password: &str, salt: &[u8], iterations: u32) -> Result<Self, ScramError> {
        let salted = salted_password(password, salt, iterations)?;
        Ok(Self {
            iterations,
            salt: salt.to_vec(),
            stored_key: hash(&client_key(&salted)),
            server_key: server_key(&salted),
        })
    }

    /// Creates a verifier that fits no password, for a user that does not exist: an exchange with it takes its course
    /// and fails at the end, so that nobody learns who exists. The same user has the same salt for as long as `secret`
    /// is the same, as one that exists would.
    pub fn unmatchable(user: &str, secret: &[u8; 32], iterations: u32) -> Self {
        let salt = sign(secret, user)[..SALT].to_vec();
        // No client key is known whose hash this is.
        Self { iterations, salt, stored_key: [0; 32], server_key: [0; 32] }
    }

    /// Returns how often the password is hashed.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Returns whether this is the password. Takes as long as [`new`](Self::new).
    pub fn fits(&self, password: &str) -> bool {
        Self::new(password, &self.salt, self.iterations)
            .is_ok_and(|other| self.stored_key.ct_eq(&other.stored_key).into())
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [salt, stored, server] = [&self.salt[..], &self.stored_key, &self.server_key].map(to_base64);
        write!(f, "{METHOD}${}:{salt}${stored}:{server}", self.iterations)
    }
}

/// Tells no secret.
impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

impl FromStr for Verifier {
    type Err = ScramError;

    fn from_str(text: &str) -> Result<Self, ScramError> {
        let malformed = ScramError::Malformed("a verifier is METHOD$iterations:salt$StoredKey:ServerKey");
        let mut parts = text.split('$');
        let (Some(METHOD), Some(salting), Some(keys), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed);
        };
        let (iterations, salt) = salting.split_once(':').ok_or(malformed)?;
        let (stored_key, server_key) = keys.split_once(':').ok_or(malformed)?;
        Ok(Self {
            iterations: check_iterations(iterations.parse().map_err(|_| malformed)?)?,
            salt: from_base64(salt)?,
            stored_key: key_from_base64(stored_key)?,
            server_key: key_from_base64(server_key)?,
        })
    }
}

pub(super) fn check_iterations(iterations: u32) -> Result<u32, ScramError> {
    if (MINIMUM_ITERATIONS..=MAXIMUM_ITERATIONS).contains(&iterations) {
        Ok(iterations)
    } else {
        Err(ScramError::Iterations(iterations))
    }
}

/// `SaltedPassword` of RFC 5802 (§3).
pub(super) fn salted_password(password: &str, salt: &[u8], iterations: u32) -> Result<[u8; 32], ScramError> {
    let password = prepare(password, "a password")?;
    Ok(pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), salt, check_iterations(iterations)?))
}

pub(super) fn client_key(salted: &[u8; 32]) -> [u8; 32] {
    sign(salted, "Client Key")
}

pub(super) fn server_key(salted: &[u8; 32]) -> [u8; 32] {
    sign(salted, "Server Key")
}

pub(super) fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

pub(super) fn sign(key: &[u8; 32], message: &str) -> [u8; 32] {
    // A key that is shorter than a block is filled up with zeros (RFC 2104).
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let mut hmac = Hmac::<Sha256>::new(&block.into());
    hmac.update(message.as_bytes());
    hmac.finalize().into_bytes().into()
}

pub(super) fn xor(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    std::array::from_fn(|index| left[index] ^ right[index])
}
