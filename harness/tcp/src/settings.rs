use std::time::Duration;

/// The settings of one direction of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkSettings {
    /// The one-way travel time, whole milliseconds.
    pub latency: Duration,
    /// Maximum additional travel time, whole milliseconds, uniformly distributed. The order of the segments of one
    /// connection is kept.
    pub jitter: Duration,
    /// Time that a sender retransmits an unacknowledged segment before its socket fails.
    pub give_up: Duration,
    /// Share of the packets that are lost at first, in millionths. TCP sends them again, and what follows them waits.
    pub loss: u32,
    /// Bytes of the streams that pass in a second, in each direction of the link by itself. There is no limit if it is
    /// `None`.
    pub bandwidth: Option<u64>,
    /// Time that the path remembers a connection on which no packet passes either way, as a NAT or a firewall does.
    /// After that it forgets the connection, and what is sent on it vanishes. It never forgets one if it is `None`.
    pub idle_limit: Option<Duration>,
}

impl Default for LinkSettings {
    /// Returns 10 ms one way, no jitter, no losses, no limit of bandwidth or idle time, and Linux's `tcp_retries2` of
    /// 15, with which a socket fails after about 924 s.
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(10),
            jitter: Duration::ZERO,
            give_up: Duration::from_secs(924),
            loss: 0,
            bandwidth: None,
            idle_limit: None,
        }
    }
}

impl LinkSettings {
    /// Returns the settings after the given change.
    #[must_use]
    pub fn changed(self, change: LinkChange) -> Self {
        Self {
            latency: change.latency.unwrap_or(self.latency),
            jitter: change.jitter.unwrap_or(self.jitter),
            give_up: change.give_up.unwrap_or(self.give_up),
            loss: change.loss.unwrap_or(self.loss),
            bandwidth: change.bandwidth.unwrap_or(self.bandwidth),
            idle_limit: change.idle_limit.unwrap_or(self.idle_limit),
        }
    }
}

/// A change of the settings of a link. What is `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkChange {
    /// The one-way travel time.
    pub latency: Option<Duration>,
    /// Maximum additional travel time.
    pub jitter: Option<Duration>,
    /// Time after which a sender's socket fails.
    pub give_up: Option<Duration>,
    /// Share of the packets that are lost at first, in millionths.
    pub loss: Option<u32>,
    /// Bytes that pass in a second; `Some(None)` removes the limit.
    pub bandwidth: Option<Option<u64>>,
    /// Time after which the path forgets a connection without packets; `Some(None)` removes the limit.
    pub idle_limit: Option<Option<Duration>>,
}

impl LinkChange {
    /// Returns one change with the effect of this one followed by `later`.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        Self {
            latency: later.latency.or(self.latency),
            jitter: later.jitter.or(self.jitter),
            give_up: later.give_up.or(self.give_up),
            loss: later.loss.or(self.loss),
            bandwidth: later.bandwidth.or(self.bandwidth),
            idle_limit: later.idle_limit.or(self.idle_limit),
        }
    }
}
