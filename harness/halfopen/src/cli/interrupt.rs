//! Ctrl-C: what has been run by then is told, and the rest is left out. A second one ends at once.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use super::output::INTERRUPTED;

static CAME: AtomicBool = AtomicBool::new(false);

/// Returns whether it came.
pub(super) fn came() -> bool {
    CAME.load(Ordering::Relaxed)
}

/// Begins to wait for it beside all else. Where that is not possible, the system ends the program as ever.
#[expect(clippy::disallowed_methods, reason = "outside of any world, and for as long as the program lasts")]
pub(super) fn watch() {
    let (sender, is_watching) = mpsc::channel::<()>();
    let wait = move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
        runtime.block_on(async move {
            let mut first = pin!(tokio::signal::ctrl_c());
            // Waiting begins when the future is first polled.
            let came = tokio::select! {
                biased;
                came = &mut first => Some(came),
                () = async { drop(sender) } => None,
            };
            let came = match came {
                Some(came) => came,
                None => first.await,
            };
            if came.is_ok() {
                CAME.store(true, Ordering::Relaxed);
                crate::world::interrupt();
                if tokio::signal::ctrl_c().await.is_ok() {
                    std::process::exit(INTERRUPTED.into());
                }
            }
        });
    };
    drop(std::thread::spawn(wait));
    // Nothing is sent: this ends when the other side waits, or has given up.
    let _ = is_watching.recv();
}
