//! The user name and password of clients that have none.

use bytes::Bytes;

use crate::cli::options::LiveArgs;
use crate::cli::output::Failure;
use crate::plan::{Plan, Program};

/// The environment variable with the password, which no list of processes shows.
const VARIABLE: &str = "HALFOPEN_PASSWORD";

/// A user name, and its password if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: Option<Bytes>,
}

impl Login {
    /// Takes the login from the arguments, and the password from a file or the environment if they do not have it.
    ///
    /// # Errors
    /// If the file cannot be read.
    #[expect(clippy::disallowed_methods, reason = "a password that stands in no list of processes")]
    pub(super) fn of(args: &LiveArgs) -> Result<Option<Self>, Failure> {
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
        Ok(Some(Self { user: user.clone(), password: password.map(Into::into) }))
    }

    /// Gives all clients that have no user name this one.
    pub(super) fn give_to_all(&self, plan: &mut Plan) {
        for node in &mut plan.nodes {
            let connect = match &mut node.program {
                Program::Client(client) => &mut *client.options.connect,
                Program::RawClient(client) => &mut client.connect,
                Program::Broker(_) | Program::RawBroker(_) => continue,
            };
            if connect.username.is_none() {
                connect.username = Some(self.user.as_str().into());
                connect.password = self.password.clone();
            }
        }
    }
}
