use std::time::Duration;

/// A time as the network stores it, in half the room of a [`Duration`]: there may be a million connections. What is longer than
/// 584 years stands for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoredTime {
    nanoseconds: u64,
}

impl From<Duration> for StoredTime {
    fn from(time: Duration) -> Self {
        Self { nanoseconds: u64::try_from(time.as_nanos()).unwrap_or(u64::MAX) }
    }
}

impl From<StoredTime> for Duration {
    fn from(time: StoredTime) -> Self {
        match time.nanoseconds {
            u64::MAX => Self::MAX,
            nanoseconds => Self::from_nanos(nanoseconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_times_are_what_they_were_made_of() {
        for time in [Duration::ZERO, Duration::new(924, 1), Duration::MAX] {
            assert_eq!(Duration::from(StoredTime::from(time)), time);
        }
    }
}
