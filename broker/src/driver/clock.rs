use std::future::Future;

use halfopen_protocol::{Clock, Instant};

/// The clock of tokio, which starts at zero when this is made.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock(tokio::time::Instant);

impl TokioClock {
    /// Reads zero now.
    #[expect(clippy::new_without_default, reason = "two of them are different, as a default would not be")]
    pub fn new() -> Self {
        Self(tokio::time::Instant::now())
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        Instant::new(self.0.elapsed())
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + 'static {
        let deadline = self.0.checked_add(deadline.since_origin());
        async move {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        }
    }
}
