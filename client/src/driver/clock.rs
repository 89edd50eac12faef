use std::future::Future;

use halfopen_protocol::{Clock, Instant};

/// Tokio's clock, which is the machine's unless a test has paused it. Its origin is when it was made.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    origin: tokio::time::Instant,
}

impl TokioClock {
    /// A clock that begins now.
    #[expect(clippy::new_without_default, reason = "a default that depends on when it is asked for would surprise")]
    pub fn new() -> Self {
        Self { origin: tokio::time::Instant::now() }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        Instant::new(self.origin.elapsed())
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + 'static {
        let deadline = self.origin.checked_add(deadline.since_origin());
        async move {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        }
    }
}
