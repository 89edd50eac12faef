use std::future::{pending, poll_fn};
use std::task::Poll;

use halfopen_protocol::Clock;

use super::hub::Hub;
use super::{Listener, Observer};

/// Waits for the broker's deadlines, for ever.
pub(super) async fn run<L, C, O>(hub: &Hub<L, C, O>)
where
    L: Listener,
    C: Clock,
    O: Observer<L::Peer>,
{
    loop {
        let deadline = hub.arm();
        let sleep = async {
            match deadline {
                Some(deadline) => hub.clock().sleep_until(deadline).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            () = hub.earlier_deadline() => continue,
            () = sleep => {}
        }
        // What arrived at this instant is read first: a packet on the deadline is in time. The connections have had their
        // turn just now, unless there were too many of them or one of them had too much to say.
        if hub.has_ready_connections() {
            let_others_run().await;
        }
        hub.timeout();
    }
}

/// Lets every task and every connection that is ready have its turn. Unlike tokio's own, does not wait for a round of
/// the runtime, which a simulated world may not have.
async fn let_others_run() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
