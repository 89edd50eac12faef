use halfopen_protocol::Clock;
use tokio::sync::mpsc::Receiver;

use super::hub::Hub;
use super::{Change, Observer};

/// Changes the broker as it is asked to, until nobody is left to ask.
pub(super) async fn run<P, C: Clock, O: Observer<P>>(mut changes: Receiver<Change>, hub: Hub<P, C, O>) {
    while let Some(change) = changes.recv().await {
        hub.change(change);
    }
}
