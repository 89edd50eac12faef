//! SIGHUP: the files are read again.

use std::io;

use halfopen_broker::{Access, Change};
use tokio::sync::mpsc::Sender;

use crate::access::{Current, Gate};
use crate::args::Args;
use crate::settings::{Settings, differences};
use crate::{Failure, terminal};

/// Hands on what the signal changes, as it comes, and logs it. A file that cannot be read or understood changes nothing.
/// `running` is what the program was started with.
#[cfg(unix)]
pub(crate) fn watch(
    args: Args,
    running: Settings,
    passwords: Current,
    changes: Sender<Change>,
) -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            match read(args.clone(), &passwords) {
                Ok((settings, access)) => {
                    let fixed = running.fixed_differences(&settings);
                    let change: Change = Box::new(move |broker, now| {
                        let before = broker.config().clone();
                        broker.handle_access(access);
                        broker.handle_config(now, settings.config.clone());
                        let taken = differences(&before, broker.config());
                        let waiting = [fixed, differences(broker.config(), &settings.config)].concat();
                        terminal::log("Read all files again. Passwords and access rules are those of the files.");
                        log_names("Changed", &taken);
                        log_names("Needs a restart to change", &waiting);
                    });
                    // A broker that stops needs no change.
                    let _ = changes.send(change).await;
                }
                Err(failure) => {
                    terminal::log("Read all files again and changed nothing; what held before still holds:");
                    match failure {
                        Failure::Input(mistakes) => mistakes.iter().for_each(|mistake| terminal::log(mistake)),
                        Failure::System(error) => terminal::log(&error.to_string()),
                    }
                }
            }
        }
    })
}

#[cfg(unix)]
fn log_names(what: &str, names: &[&str]) {
    if !names.is_empty() {
        terminal::log(&format!("{what}: {}.", names.join(", ")));
    }
}

/// There is no such signal here.
#[cfg(not(unix))]
pub(crate) fn watch(_: Args, _: Settings, _: Current, _: Sender<Change>) -> io::Result<impl Future<Output = ()>> {
    Ok(std::future::ready(()))
}

#[cfg(unix)]
fn read(args: Args, passwords: &Current) -> Result<(Settings, Access), Failure> {
    let settings = args.settings()?;
    let access = Gate::open(&settings.access)?.replace(passwords);
    Ok((settings, access))
}
