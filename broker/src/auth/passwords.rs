use std::collections::BTreeMap;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params, PasswordHasher as _, PasswordVerifier as _};
use halfopen_protocol::scram::{METHOD, ScramError, Verifier};

use super::FileError;
use crate::core::Login;

/// Number of iterations of SCRAM for a password that is set now. RFC 7677 (§4) asks for at least 4096.
const ITERATIONS: u32 = 15_000;

/// Users and the hashes of their passwords, from a password file.
///
/// Each line is `user:hash`, where the hash is one of argon2 in PHC form (`$argon2id$v=19$…`) or a SCRAM verifier in
/// the form of PostgreSQL (`SCRAM-SHA-256$…`). A user may have a line of each. Empty lines and those that begin with
/// `#` mean nothing.
#[derive(Debug, Default)]
pub struct Passwords(BTreeMap<String, Secrets>);

#[derive(Debug, Default)]
struct Secrets {
    hash: Option<Box<PasswordHash>>,
    verifier: Option<Verifier>,
}

impl Passwords {
    /// Reads a password file.
    ///
    /// # Errors
    /// All lines that mean nothing, or could never let anybody in.
    pub fn parse(text: &str) -> Result<Self, Vec<FileError>> {
        let mut users = Self::default();
        FileError::collect(text, |line| users.add(line).map_err(str::to_owned))?;
        Ok(users)
    }

    /// Returns whether this is the user's password. Takes some 50 ms of computation on purpose, for a user that does
    /// not exist as for one that does.
    pub fn fits(&self, login: &Login) -> bool {
        let (secrets, exists) = match self.0.get(&*login.username) {
            Some(secrets) => (secrets, true),
            None => match self.0.values().next() {
                Some(other) => (other, false),
                None => return false,
            },
        };
        secrets.fit(&login.password) && exists
    }

    /// Returns whether any user can log in by SCRAM.
    pub fn has_verifiers(&self) -> bool {
        self.0.values().any(|secrets| secrets.verifier.is_some())
    }

    /// Returns what SCRAM has to know of a user.
    pub(super) fn verifier(&self, user: &str) -> Option<&Verifier> {
        self.0.get(user)?.verifier.as_ref()
    }

    /// Returns how often passwords are hashed for SCRAM.
    pub(super) fn iterations(&self) -> u32 {
        self.0.values().find_map(|secrets| secrets.verifier.as_ref()).map_or(ITERATIONS, Verifier::iterations)
    }

    fn add(&mut self, line: &str) -> Result<(), &'static str> {
        let (user, hash) = line.split_once(':').ok_or("expected `user:hash`")?;
        check_user(user)?;
        let secrets = self.0.entry(user.to_owned()).or_default();
        let replaced = if hash.starts_with("$argon2") {
            let hash = PasswordHash::new(hash).map_err(|_| "not a hash of argon2 in PHC form")?;
            // Verifying would fail for every password.
            if hash.salt.is_none() || hash.hash.is_none() || Params::try_from(&hash).is_err() {
                return Err("a hash of argon2 without a salt, a hash or valid parameters fits no password");
            }
            secrets.hash.replace(Box::new(hash)).is_some()
        } else if hash.starts_with(METHOD) {
            let verifier = hash.parse().map_err(|_| "not a verifier of SCRAM-SHA-256")?;
            secrets.verifier.replace(verifier).is_some()
        } else {
            return Err("a hash begins with `$argon2id$` or `SCRAM-SHA-256$`");
        };
        if replaced { Err("this user has a hash of this kind already") } else { Ok(()) }
    }
}

impl Secrets {
    fn fit(&self, password: &[u8]) -> bool {
        match (&self.hash, &self.verifier) {
            (Some(hash), _) => Argon2::default().verify_password(password, &**hash).is_ok(),
            (None, Some(verifier)) => std::str::from_utf8(password).is_ok_and(|password| verifier.fits(password)),
            (None, None) => false,
        }
    }
}

/// The hash of a password by argon2id in PHC form, with a salt that was never used before.
///
/// # Errors
/// The password is longer than argon2 takes, which nobody can type.
pub fn hash_password(password: &[u8], salt: &[u8; 16]) -> Result<String, argon2::password_hash::Error> {
    Argon2::default().hash_password_with_salt(password, salt).map(|hash| hash.to_string())
}

/// Returns what SCRAM-SHA-256 keeps of a password, with a salt that was never used before.
///
/// # Errors
/// The password has characters that SCRAM does not allow.
pub fn scram_verifier(password: &str, salt: &[u8; 16]) -> Result<String, ScramError> {
    Verifier::new(password, salt, ITERATIONS).map(|verifier| verifier.to_string())
}

/// The text of a password file with these hashes for a user, in the place of those that were there.
///
/// # Errors
/// No user can have this name.
pub fn with_user(text: &str, user: &str, hashes: &[String]) -> Result<String, &'static str> {
    check_user(user)?;
    let (before, behind) = match position(text, user) {
        Some(position) => text.split_at(position),
        None => (text, ""),
    };
    let mut changed = before.to_owned();
    if !changed.is_empty() && !changed.ends_with('\n') {
        changed.push('\n');
    }
    for hash in hashes {
        changed.extend([user, ":", hash, "\n"]);
    }
    changed.push_str(&without_user(behind, user));
    Ok(changed)
}

/// The text of a password file without a user.
pub fn without_user(text: &str, user: &str) -> String {
    text.split_inclusive('\n').filter(|line| !is_of(line, user)).collect()
}

/// Returns where the first line of a user begins.
fn position(text: &str, user: &str) -> Option<usize> {
    let mut start = 0;
    text.split_inclusive('\n').find_map(|line| {
        let at = start;
        start += line.len();
        is_of(line, user).then_some(at)
    })
}

fn is_of(line: &str, user: &str) -> bool {
    line.trim_start().split_once(':').is_some_and(|(name, _)| name == user)
}

pub(super) fn check_user(user: &str) -> Result<(), &'static str> {
    match user {
        "" => Err("a user has a name"),
        _ if user.starts_with('#') => Err("a name that begins with `#` would be a comment"),
        _ if user.trim() != user => Err("a name neither begins nor ends with a space"),
        _ if user.contains(|c: char| c == ':' || c.is_control()) => {
            Err("a name has neither `:` nor control characters")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const SALT: [u8; 16] = [1; 16];

    fn login(username: &'static str, password: &'static str) -> Login {
        Login { username: username.into(), password: password.into() }
    }

    #[test]
    fn a_user_gets_in_with_the_password_of_either_hash_and_nobody_else_does() {
        let text = with_user("", "ann", &[hash_password(b"secret", &SALT).unwrap()]).unwrap();
        let text = with_user(&text, "bob", &[scram_verifier("geheim", &SALT).unwrap()]).unwrap();
        assert!(text.starts_with("ann:$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
        let users = Passwords::parse(&text).unwrap();
        for (username, password, expected) in [
            ("ann", "secret", true),
            ("ann", "geheim", false),
            ("ann", "", false),
            ("bob", "geheim", true),
            ("bob", "secret", false),
            ("cid", "secret", false),
            ("", "secret", false),
        ] {
            assert_eq!(users.fits(&login(username, password)), expected, "{username} {password}");
        }
        assert!(users.has_verifiers());
        assert!(!Passwords::default().fits(&login("ann", "secret")));
    }

    #[test]
    fn a_user_is_changed_in_its_place_and_everything_else_stays() {
        let text = "# ours\nann:1\nbob:2\nann:3\n\ncid:4";
        let hashes = ["5".to_owned(), "6".to_owned()];
        assert_eq!(with_user(text, "ann", &hashes).unwrap(), "# ours\nann:5\nann:6\nbob:2\n\ncid:4");
        assert_eq!(with_user(text, "dan", &hashes).unwrap(), "# ours\nann:1\nbob:2\nann:3\n\ncid:4\ndan:5\ndan:6\n");
        assert_eq!(without_user(text, "ann"), "# ours\nbob:2\n\ncid:4");
        assert_eq!(without_user(text, "an"), text);
    }

    #[rstest]
    #[case::no_hash("ann", "expected `user:hash`")]
    #[case::plain("ann:secret", "a hash begins with `$argon2id$` or `SCRAM-SHA-256$`")]
    #[case::mosquitto("ann:$7$101$x$y", "a hash begins with `$argon2id$` or `SCRAM-SHA-256$`")]
    #[case::argon2("ann:$argon2id$!", "not a hash of argon2 in PHC form")]
    #[case::scram("ann:SCRAM-SHA-256$1:x$y", "not a verifier of SCRAM-SHA-256")]
    #[case::nobody(":$argon2id$", "a user has a name")]
    #[case::cut_off(
        "ann:$argon2id$v=19$m=19456,t=2,p=1$AQEBAQEBAQEBAQEBAQEBAQ",
        "a hash of argon2 without a salt, a hash or valid parameters fits no password"
    )]
    fn lines_that_mean_nothing_are_named_all_at_once(#[case] line: &str, #[case] what: &str) {
        let errors = Passwords::parse(&format!("# first\n\n{line}\n\n{line}")).unwrap_err();
        let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors, [format!("3: {what}"), format!("5: {what}")]);
    }

    #[test]
    fn two_hashes_of_one_kind_are_a_mistake() {
        let hash = hash_password(b"secret", &SALT).unwrap();
        let errors = Passwords::parse(&format!("ann:{hash}\nann:{hash}")).unwrap_err();
        assert_eq!(errors.iter().map(|error| error.line).collect::<Vec<_>>(), [2]);
    }

    #[rstest]
    fn names_that_the_file_cannot_hold_are_refused(#[values("", "#ann", "a:b", "a\nb", " ann")] user: &str) {
        assert!(with_user("", user, &[]).is_err());
    }
}
