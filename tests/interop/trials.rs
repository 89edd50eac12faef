//! Tests whose peers may be missing on a machine: then they are ignored and say why, or fail where they are required.

use std::process::Stdio;

use libtest_mimic::{Failed, Trial};

/// Whether a program is there, in words if it is not.
pub(crate) type Presence = Result<(), String>;

/// Makes a test of an asynchronous function. Missing peers are named in front of the test's name.
pub(crate) fn trial<F>(name: String, presence: &Presence, test: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    match presence {
        Ok(()) => Trial::test(name, move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(test());
            Ok(())
        }),
        Err(missing) => {
            let failure = Failed::from(missing);
            let trial = Trial::test(name, move || Err(failure)).with_kind(missing.as_str());
            trial.with_ignored_flag(!peers_are_required())
        }
    }
}

/// Whether a program can be started with these words and ends with one of these codes: some give help with an error.
pub(crate) fn presence(name: &str, command: &mut std::process::Command, codes: &[i32]) -> Presence {
    match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) if status.code().is_some_and(|code| codes.contains(&code)) => Ok(()),
        Ok(_) | Err(_) => Err(format!("{name} not found")),
    }
}

/// CI installs all peers and sets `HALFOPEN_INTEROP=required`, so that none can be missing without anybody's notice.
fn peers_are_required() -> bool {
    #[expect(clippy::disallowed_methods, reason = "decides whether tests are ignored, not what they find")]
    let wish = std::env::var("HALFOPEN_INTEROP");
    wish.is_ok_and(|wish| wish == "required")
}
