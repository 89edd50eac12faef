use std::time::Duration;

/// Measures the machine's time: how long the kernel takes, or a thread stays silent. What a program sees never depends on
/// it, but for what [`Stats::nondeterminism`](crate::Stats::nondeterminism) reports.
#[derive(Debug)]
pub(crate) struct Stopwatch(
    #[expect(clippy::disallowed_types, reason = "the kernel knows no virtual time")] std::time::Instant,
);

impl Stopwatch {
    #[expect(clippy::disallowed_types, reason = "the kernel knows no virtual time")]
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
