//! Reads the user name and password that all clients have.

use crate::cli::options::LiveArgs;
use crate::cli::output::Failure;
pub(super) use crate::programs::Login;

/// The environment variable with the password, which no list of processes shows.
const VARIABLE: &str = "HALFOPEN_PASSWORD";

/// Takes the login from the arguments, and the password from a file or the environment if they do not have it.
///
/// # Errors
/// If the file cannot be read.
#[expect(clippy::disallowed_methods, reason = "a password that stands in no list of processes")]
pub(super) fn login(args: &LiveArgs) -> Result<Option<Login>, Failure> {
    let Some(user) = &args.user else { return Ok(None) };
    let password = match (&args.password, &args.password_file) {
        (Some(password), _) => Some(password.clone()),
        (None, Some(path)) => {
            let read = std::fs::read_to_string(path);
            let text = read.map_err(|error| Failure::File { path: path.clone(), error })?;
            Some(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        (None, None) => std::env::var(VARIABLE).ok(),
    };
    Ok(Some(Login { user: user.clone(), password: password.map(Into::into) }))
}
