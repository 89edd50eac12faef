//! SIGHUP: the files are read again.

use std::io;

use halfopen_broker::{Access, Change, Config};
use tokio::sync::mpsc::Sender;

use crate::access::{Current, Gate};
use crate::args::Args;
use crate::terminal;

/// Hands on what the signal changes, as it comes. A file that cannot be read or understood changes nothing.
#[cfg(unix)]
pub(crate) fn watch(args: Args, passwords: Current, changes: Sender<Change>) -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            match read(args.clone(), &passwords) {
                Ok((config, access)) => {
                    let change: Change = Box::new(move |broker, now| {
                        broker.handle_access(access);
                        broker.handle_config(now, config);
                        terminal::log("Read all files again.");
                    });
                    // A broker that stops needs no change.
                    let _ = changes.send(change).await;
                }
                Err(error) => terminal::log(&format!("Nothing is reloaded: {error}")),
            }
        }
    })
}

/// There is no such signal here.
#[cfg(not(unix))]
pub(crate) fn watch(_: Args, _: Current, _: Sender<Change>) -> io::Result<impl Future<Output = ()>> {
    Ok(std::future::ready(()))
}

#[cfg(unix)]
fn read(args: Args, passwords: &Current) -> io::Result<(Config, Access)> {
    let settings = args.settings().map_err(io::Error::other)?;
    let access = Gate::open(&settings.access)?.replace(passwords);
    Ok((settings.config, access))
}
