use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::{fs, process};

use halfopen_broker::auth::{Passwords, hash_password, scram_verifier, with_user, without_user};

use crate::Failure;
use crate::access::in_file;

/// Changes a password file for one user. The file is replaced as a whole, so that a broker that starts meanwhile reads
/// either the old one or the new one.
pub(crate) fn change(file: &Path, user: &str, scram: bool, delete: bool) -> Result<(), Failure> {
    let before = match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !delete => String::new(),
        text => text.map_err(|error| Failure::input(format!("cannot read {}: {error}", file.display())))?,
    };
    // What is there already must not be made worse.
    Passwords::parse(&before).map_err(|errors| in_file(file, &errors))?;
    let after = if delete {
        let after = without_user(&before, user);
        if after == before {
            return Err(Failure::input(format!("{} has no user {user}", file.display())));
        }
        after
    } else {
        with_user(&before, user, &hashes(&read_password()?, scram)?).map_err(Failure::input)?
    };
    Ok(replace(file, &after).map_err(|error| io::Error::other(format!("cannot write {}: {error}", file.display())))?)
}

fn hashes(password: &str, scram: bool) -> Result<Vec<String>, Failure> {
    let mut hashes = vec![hash_password(password.as_bytes(), &crate::random()?).map_err(invalid)?];
    if scram {
        hashes.push(scram_verifier(password, &crate::random()?).map_err(invalid)?);
    }
    Ok(hashes)
}

fn invalid(error: impl std::fmt::Display) -> Failure {
    Failure::input(format!("this password cannot be used: {error}"))
}

fn read_password() -> Result<String, Failure> {
    let password = if io::stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ")?;
        if rpassword::prompt_password("Once more: ")? != password {
            return Err(Failure::input("the two are different"));
        }
        password
    } else {
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        line.trim_end_matches(['\n', '\r']).to_owned()
    };
    if password.is_empty() { Err(Failure::input("a password is not empty")) } else { Ok(password) }
}

fn replace(file: &Path, text: &str) -> io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", process_id()));
    let new = file.with_file_name(name);
    let written = write_new(&new, text).and_then(|()| {
        if let Ok(old) = fs::metadata(file) {
            fs::set_permissions(&new, old.permissions())?;
        }
        fs::rename(&new, file)
    });
    if written.is_err() {
        // The error that is told is the first one.
        let _ = fs::remove_file(&new);
    }
    written
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Hashes are nobody else's business.
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[expect(clippy::disallowed_methods, reason = "names a file that no other program is to write at the same time")]
fn process_id() -> u32 {
    process::id()
}
