use std::cell::RefCell;
use std::num::NonZero;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::{fs, thread};

use halfopen_broker::Access;
use halfopen_broker::auth::{Acl, FileError, Passwords, Scram};
use halfopen_broker::core::{Authorize, Login, Mechanism};
use tokio::sync::Semaphore;

use crate::Failure;
use crate::settings::AccessSettings;

/// The access control of this broker: who may connect, who may do what, and how passwords are checked.
pub(crate) struct Gate {
    pub(crate) access: Access,
    passwords: Arc<Passwords>,
}

/// The passwords that count at the moment.
pub(crate) type Current = Rc<RefCell<Arc<Passwords>>>;

impl Gate {
    /// Reads the files that are named.
    ///
    /// # Errors
    /// Everything that is wrong in them.
    pub(crate) fn open(settings: &AccessSettings) -> Result<Self, Failure> {
        let passwords = read(settings.password_file.as_deref(), Passwords::parse);
        let acl = read(settings.acl_file.as_deref(), Acl::parse);
        let (passwords, acl) = match (passwords, acl) {
            (Ok(passwords), Ok(acl)) => (passwords, acl),
            (passwords, acl) => {
                return Err(Failure::Input([passwords.err(), acl.err()].into_iter().flatten().flatten().collect()));
            }
        };
        let has_passwords = passwords.is_some();
        let passwords = Arc::new(passwords.unwrap_or_default());
        let mut mechanisms: Vec<Box<dyn Mechanism>> = Vec::new();
        if passwords.has_verifiers() {
            mechanisms.push(Box::new(Scram::new(Arc::clone(&passwords), crate::random()?, nonce)));
        }
        let access = Access {
            anonymous: settings.allow_anonymous.unwrap_or(!has_passwords),
            passwords: has_passwords,
            mechanisms,
            authorizer: acl.map(|acl| Box::new(acl) as Box<dyn Authorize>),
        };
        Ok(Self { access, passwords })
    }

    /// Returns what this says about clients, and its passwords in the place of those that count.
    pub(crate) fn replace(self, current: &Current) -> Access {
        *current.borrow_mut() = self.passwords;
        self.access
    }

    /// Returns what this says about clients, and its passwords.
    pub(crate) fn split(self) -> (Access, Current) {
        (self.access, Rc::new(RefCell::new(self.passwords)))
    }
}

/// Judges passwords on threads of their own, as many at a time as there are processors: each takes some 50 ms and
/// 19 MiB, and the others wait in turn.
pub(crate) fn judge_by(current: Current) -> impl Fn(Login) -> Verdict + 'static {
    let permits = Rc::new(Semaphore::new(thread::available_parallelism().map_or(1, NonZero::get)));
    move |login| Box::pin(judge(Arc::clone(&current.borrow()), Rc::clone(&permits), login))
}

type Verdict = std::pin::Pin<Box<dyn Future<Output = bool>>>;

#[expect(clippy::disallowed_methods, reason = "a hash takes long, and a real program has other clients to serve")]
async fn judge(passwords: Arc<Passwords>, permits: Rc<Semaphore>, login: Login) -> bool {
    let Ok(_permit) = permits.acquire().await else { return false };
    tokio::task::spawn_blocking(move || passwords.fits(&login)).await.unwrap_or(false)
}

/// Returns a text that cannot be foreseen. Empty, which SCRAM refuses, if the system has no randomness.
fn nonce() -> String {
    let bytes: [u8; 18] = crate::random().unwrap_or_default();
    if bytes == [0; 18] {
        return String::new();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read<T>(path: Option<&Path>, parse: impl Fn(&str) -> Result<T, Vec<FileError>>) -> Result<Option<T>, Vec<String>> {
    let Some(path) = path else { return Ok(None) };
    let text = fs::read_to_string(path).map_err(|error| vec![format!("cannot read {}: {error}", path.display())])?;
    parse(&text).map(Some).map_err(|errors| in_file(path, &errors))
}

/// Mistakes with the name of their file.
pub(crate) fn in_file(path: &Path, errors: &[FileError]) -> Vec<String> {
    errors.iter().map(|error| format!("{}:{error}", path.display())).collect()
}
