use std::future::{pending, poll_fn};
use std::task::Poll;

use halfopen_protocol::Clock;

use super::Observer;
use super::hub::Hub;

/// Waits for the broker's deadlines, for ever.
pub(super) async fn run<P, C: Clock, O: Observer<P>>(hub: Hub<P, C, O>) {
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
        // What arrived at this instant is read first: a packet on the deadline is in time.
        let_others_run().await;
        hub.timeout();
    }
}

/// Lets every task that is ready have its turn. Unlike tokio's own, does not wait for a round of the runtime, which a
/// simulated world may not have.
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
