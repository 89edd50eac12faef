use std::future::pending;

use halfopen_protocol::Clock;
use tokio::sync::mpsc::Receiver;

use super::hub::Hub;
use super::{Change, Listener, Observer};

/// Changes the broker as it is asked to, for ever.
pub(super) async fn run<L, C, O>(mut changes: Receiver<Change>, hub: &Hub<L, C, O>)
where
    L: Listener,
    C: Clock,
    O: Observer<L::Peer>,
{
    while let Some(change) = changes.recv().await {
        hub.make(change);
    }
    // Nobody is left to ask.
    pending().await
}
