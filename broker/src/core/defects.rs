//! Named defects that can be switched on, to show that the harness catches them. Each models a case from the field.
//!
//! Without the cargo feature `defects`, which only the harness enables, no defect can be switched on and the compiler
//! leaves out what asks for it. With it there is no other way to one than [`with_defect`](super::Broker::with_defect).

use std::time::Duration;

use halfopen_protocol::packet::Connect;
use halfopen_protocol::{DefectSwitch, Instant};

#[cfg(feature = "defects")]
use super::Broker;
use super::Config;

/// A defect of the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(not(feature = "defects"), expect(unreachable_pub, reason = "public only with the feature"))]
pub enum Defect {
    /// Silent clients are closed after 0.75 keep-alives.
    KeepAliveThreeQuarters,
    /// Silent clients are closed after one keep-alive.
    KeepAliveOnce,
    /// Silent clients are closed after two keep-alives.
    KeepAliveTwice,
    /// Silence is looked for every half keep-alive, from the opening of the connection on.
    KeepAliveSampled,
    /// Silence is looked for once a keep-alive, from the opening of the connection on.
    KeepAliveOnOwnTicker,
    /// Silence is looked for every 10 s.
    KeepAliveOnGlobalTick,
    /// An idle broker looks for silence every 5 s.
    KeepAliveOnIdleLoop,
    /// 1.5 keep-alives are cut to whole seconds.
    KeepAliveTruncated,
    /// 1.5 keep-alives are at most 65535 s.
    KeepAliveCapped,
    /// Below 6 s the limit is the keep-alive and 3 s.
    KeepAliveFlatWhenShort,
    /// 1.5 keep-alives must be exceeded by a millisecond.
    KeepAliveExceeded,
    /// Nobody is closed for silence.
    KeepAliveNotEnforced,
    /// A keep-alive that is the longest possible ends at once.
    KeepAliveMaximumExpiresAtOnce,
    /// Each resumed session has a second more.
    KeepAliveGrowsOnResume,
    /// Keep-alive 0 is refused.
    KeepAliveZeroRejected,
    /// Keep-alive 0 ends after 300 s.
    KeepAliveZeroExpires,
    /// What is sent to a client keeps it alive.
    RefreshedByOutput,
    /// A part of a packet keeps a client alive.
    RefreshedByBytes,
    /// Only PINGREQ keeps a client alive.
    OnlyPingreqRenews,
    /// PUBLISH does not keep a client alive.
    PublishDoesNotRenew,
    /// The broker's own keep-alive is announced, the client's enforced.
    ServerKeepAliveNotEnforced,
    /// The broker's own keep-alive binds clients of 3.1.1, too.
    ServerKeepAliveOn311,
    /// After a time-out the session is gone, the connection stays.
    TimeoutWithoutClosing,
    /// Silent clients are closed one at a time, every 100 ms.
    TimeoutsBatched,
    /// Nobody is closed for silence while there is something to write to it.
    BlockedWriteHidesDeadline,
    /// The will of a silent client is not published.
    WillLostOnTimeout,
    /// No will is ever published.
    WillLost,
    /// Wills are published twice.
    WillTwice,
    /// DISCONNECT 0x00 does not delete the will.
    WillOnCleanDisconnect,
    /// DISCONNECT 0x04 deletes the will.
    WillSuppressedByAnyDisconnect,
    /// A will with a delay is published at once.
    WillDelayIgnored,
    /// A will that waits is published although the client is back.
    WillDelayNotCancelled,
    /// A session that ends first does not end the delay.
    WillDelayOutlivesSession,
    /// A will that waits is lost when its session ends.
    WillLostWithSession,
    /// A will waits for those whose delay began before.
    WillDelayBehindLongerOne,
    /// The old connection stays at takeover.
    TakeoverKeepsOld,
    /// The old connection is not told why it is closed.
    TakeoverSaysNothing,
    /// The will of the old connection is lost at takeover.
    TakeoverSkipsWill,
    /// The will of the new connection is published at takeover.
    TakeoverPublishesNewWill,
    /// The deadline of the old connection closes the new one.
    TakeoverOldTimerKillsNew,
    /// A session that ends with its connection is handed over at takeover.
    TakeoverInheritsEndedSession,
    /// Who is connected already is refused.
    TakeoverRefused,
    /// A session ends a second early.
    SessionEndsEarly,
    /// A session ends a second late.
    SessionEndsLate,
    /// A session never ends.
    SessionNeverEnds,
    /// After a restart, sessions that had no connection before it never end.
    RestartForgetsExpiry,
    /// A session expiry in milliseconds has 32 bits.
    SessionExpiryOverflows,
    /// CONNACK never says that there is a session.
    SessionPresentNever,
    /// CONNACK always says that there is a session.
    SessionPresentAlways,
    /// What is unacknowledged is not sent again.
    ResendMissing,
    /// What is sent again has no DUP.
    ResendWithoutDup,
    /// A PUBREL that is owed is not sent again.
    ReleaseNotResent,
    /// A message of QoS 2 that is sent again is passed on again.
    Qos2Twice,
    /// What was sent before still uses up the window of a new connection.
    QuotaNotReset,
    /// One client that does not read stops messages to all.
    SlowSubscriberStallsAll,
    /// A client that does not read is closed at once.
    CongestedIsClosed,
    /// Who never sends CONNECT is never closed.
    NoConnectTimeout,
    /// DISCONNECT is lost if the end of the connection comes with it.
    GoodbyeLostWithHangUp,
    /// What is unacknowledged is sent again with each PINGRESP.
    ResendsWhileConnected,
    /// A message gets the identifier of the oldest that is unacknowledged.
    PacketIdInUse,
    /// A message of QoS 2 that comes again is acknowledged and not passed on.
    Qos2LostOnResume,
    /// What is sent again has an alias of the connection before in the place of its topic.
    AliasesSurviveReconnect,
    /// The broker's own keep-alive is enforced and not announced.
    ServerKeepAliveNotAnnounced,
    /// Timers follow the date. A core reads no clock, so it is the world that lets its clock leap with the date.
    #[cfg_attr(not(feature = "defects"), expect(dead_code, reason = "no core asks for it"))]
    TimersOnWallClock,
}

#[cfg(feature = "defects")]
impl Defect {
    /// All of them.
    pub const ALL: [Self; 64] = [
        Self::KeepAliveThreeQuarters,
        Self::KeepAliveOnce,
        Self::KeepAliveTwice,
        Self::KeepAliveSampled,
        Self::KeepAliveOnOwnTicker,
        Self::KeepAliveOnGlobalTick,
        Self::KeepAliveOnIdleLoop,
        Self::KeepAliveTruncated,
        Self::KeepAliveCapped,
        Self::KeepAliveFlatWhenShort,
        Self::KeepAliveExceeded,
        Self::KeepAliveNotEnforced,
        Self::KeepAliveMaximumExpiresAtOnce,
        Self::KeepAliveGrowsOnResume,
        Self::KeepAliveZeroRejected,
        Self::KeepAliveZeroExpires,
        Self::RefreshedByOutput,
        Self::RefreshedByBytes,
        Self::OnlyPingreqRenews,
        Self::PublishDoesNotRenew,
        Self::ServerKeepAliveNotEnforced,
        Self::ServerKeepAliveOn311,
        Self::TimeoutWithoutClosing,
        Self::TimeoutsBatched,
        Self::BlockedWriteHidesDeadline,
        Self::WillLostOnTimeout,
        Self::WillLost,
        Self::WillTwice,
        Self::WillOnCleanDisconnect,
        Self::WillSuppressedByAnyDisconnect,
        Self::WillDelayIgnored,
        Self::WillDelayNotCancelled,
        Self::WillDelayOutlivesSession,
        Self::WillLostWithSession,
        Self::WillDelayBehindLongerOne,
        Self::TakeoverKeepsOld,
        Self::TakeoverSaysNothing,
        Self::TakeoverSkipsWill,
        Self::TakeoverPublishesNewWill,
        Self::TakeoverOldTimerKillsNew,
        Self::TakeoverInheritsEndedSession,
        Self::TakeoverRefused,
        Self::SessionEndsEarly,
        Self::SessionEndsLate,
        Self::SessionNeverEnds,
        Self::RestartForgetsExpiry,
        Self::SessionExpiryOverflows,
        Self::SessionPresentNever,
        Self::SessionPresentAlways,
        Self::ResendMissing,
        Self::ResendWithoutDup,
        Self::ReleaseNotResent,
        Self::Qos2Twice,
        Self::QuotaNotReset,
        Self::SlowSubscriberStallsAll,
        Self::CongestedIsClosed,
        Self::NoConnectTimeout,
        Self::GoodbyeLostWithHangUp,
        Self::ResendsWhileConnected,
        Self::PacketIdInUse,
        Self::Qos2LostOnResume,
        Self::AliasesSurviveReconnect,
        Self::ServerKeepAliveNotAnnounced,
        Self::TimersOnWallClock,
    ];

    /// Its name, what it does, and the field cases that it models.
    pub const fn describe(self) -> (&'static str, &'static str, &'static [&'static str]) {
        match self {
            Self::KeepAliveThreeQuarters => (
                "keep_alive_three_quarters",
                "silent clients are closed after 0.75 keep-alives",
                &["closed-before-one-and-a-half-keepalives"],
            ),
            Self::KeepAliveOnce => (
                "keep_alive_once",
                "silent clients are closed after one keep-alive",
                &["closed-before-one-and-a-half-keepalives"],
            ),
            Self::KeepAliveTwice => (
                "keep_alive_twice",
                "silent clients are closed after two keep-alives",
                &["emqx-multiplier-counted-twice"],
            ),
            Self::KeepAliveSampled => (
                "keep_alive_sampled",
                "silence is looked for every half keep-alive, from the opening of the connection on",
                &["emqx-late-by-extra-interval", "sampled-check-makes-lateness-phase-dependent"],
            ),
            Self::KeepAliveOnOwnTicker => (
                "keep_alive_on_own_ticker",
                "silence is looked for once a keep-alive, from the opening of the connection on",
                &["mqtt5-broker-ticker-restarts-read-timeout"],
            ),
            Self::KeepAliveOnGlobalTick => {
                ("keep_alive_on_global_tick", "silence is looked for every 10 s", &["nanomq-global-tick"])
            }
            Self::KeepAliveOnIdleLoop => (
                "keep_alive_on_idle_loop",
                "an idle broker looks for silence every 5 s",
                &["mosquitto-idle-loop-sleeps-past-expiry"],
            ),
            Self::KeepAliveTruncated => (
                "keep_alive_truncated",
                "1.5 keep-alives are cut to whole seconds",
                &["odd-keepalive-rounded-down", "weak-wifi-flips-availability"],
            ),
            Self::KeepAliveCapped => {
                ("keep_alive_capped", "1.5 keep-alives are at most 65535 s", &["rmqtt-large-keepalive-saturates"])
            }
            Self::KeepAliveFlatWhenShort => (
                "keep_alive_flat_when_short",
                "below 6 s the limit is the keep-alive and 3 s",
                &["rmqtt-large-keepalive-saturates"],
            ),
            Self::KeepAliveExceeded => (
                "keep_alive_exceeded",
                "1.5 keep-alives must be exceeded by a millisecond",
                &["mosquitto-reach-versus-exceed"],
            ),
            Self::KeepAliveNotEnforced => (
                "keep_alive_not_enforced",
                "nobody is closed for silence",
                &["mosquitto-websocket-clients-never-expired", "middlebox-forgets-silently"],
            ),
            Self::KeepAliveMaximumExpiresAtOnce => (
                "keep_alive_maximum_expires_at_once",
                "a keep-alive that is the longest possible ends at once",
                &["mosquitto-max-keepalive-equal-expires-at-once"],
            ),
            Self::KeepAliveGrowsOnResume => (
                "keep_alive_grows_on_resume",
                "each resumed session has a second more",
                &["hbmqtt-keepalive-grows-on-reconnect"],
            ),
            Self::KeepAliveZeroRejected => {
                ("keep_alive_zero_rejected", "keep-alive 0 is refused", &["mosquitto-zero-keepalive-rejected"])
            }
            Self::KeepAliveZeroExpires => {
                ("keep_alive_zero_expires", "keep-alive 0 ends after 300 s", &["keepalive-zero-zombies"])
            }
            Self::RefreshedByOutput => (
                "refreshed_by_output",
                "what is sent to a client keeps it alive",
                &["rumqttd-outbound-traffic-renews-keepalive"],
            ),
            Self::RefreshedByBytes => {
                ("refreshed_by_bytes", "a part of a packet keeps a client alive", &["partial-packet-counts-as-alive"])
            }
            Self::OnlyPingreqRenews => {
                ("only_pingreq_renews", "only PINGREQ keeps a client alive", &["mosca-only-pingreq-renews"])
            }
            Self::PublishDoesNotRenew => {
                ("publish_does_not_renew", "PUBLISH does not keep a client alive", &["vernemq-expired-while-flooding"])
            }
            Self::ServerKeepAliveNotEnforced => (
                "server_keep_alive_not_enforced",
                "the broker's own keep-alive is announced, the client's enforced",
                &["mqtt5-broker-ignores-own-server-keep-alive"],
            ),
            Self::ServerKeepAliveOn311 => (
                "server_keep_alive_on311",
                "the broker's own keep-alive binds clients of 3.1.1, too",
                &["emqx-server-keepalive-applied-to-v311"],
            ),
            Self::TimeoutWithoutClosing => (
                "timeout_without_closing",
                "after a time-out the session is gone, the connection stays",
                &["rumqttd-timeout-without-closing-socket"],
            ),
            Self::TimeoutsBatched => (
                "timeouts_batched",
                "silent clients are closed one at a time, every 100 ms",
                &["hivemq-ce-mass-timeouts-batched"],
            ),
            Self::BlockedWriteHidesDeadline => (
                "blocked_write_hides_deadline",
                "nobody is closed for silence while there is something to write to it",
                &["half-open-subscriber-with-full-buffer"],
            ),
            Self::WillLostOnTimeout => (
                "will_lost_on_timeout",
                "the will of a silent client is not published",
                &["mosquitto-websocket-clients-never-expired"],
            ),
            Self::WillLost => ("will_lost", "no will is ever published", &["emqx-late-by-extra-interval"]),
            Self::WillTwice => ("will_twice", "wills are published twice", &["will-delay-twin-effects"]),
            Self::WillOnCleanDisconnect => (
                "will_on_clean_disconnect",
                "DISCONNECT 0x00 does not delete the will",
                &["will-sent-after-clean-disconnect"],
            ),
            Self::WillSuppressedByAnyDisconnect => (
                "will_suppressed_by_any_disconnect",
                "DISCONNECT 0x04 deletes the will",
                &["disconnect-with-will-suppressed"],
            ),
            Self::WillDelayIgnored => {
                ("will_delay_ignored", "a will with a delay is published at once", &["will-delay-longer-than-session"])
            }
            Self::WillDelayNotCancelled => (
                "will_delay_not_cancelled",
                "a will that waits is published although the client is back",
                &["will-delay-not-cancelled-by-resume"],
            ),
            Self::WillDelayOutlivesSession => (
                "will_delay_outlives_session",
                "a session that ends first does not end the delay",
                &["will-delay-longer-than-session"],
            ),
            Self::WillLostWithSession => (
                "will_lost_with_session",
                "a will that waits is lost when its session ends",
                &["will-delay-longer-than-session"],
            ),
            Self::WillDelayBehindLongerOne => (
                "will_delay_behind_longer_one",
                "a will waits for those whose delay began before",
                &["will-delay-queue-sorted-by-interval"],
            ),
            Self::TakeoverKeepsOld => (
                "takeover_keeps_old",
                "the old connection stays at takeover",
                &["takeover-leaves-both-connected", "offline-after-online"],
            ),
            Self::TakeoverSaysNothing => (
                "takeover_says_nothing",
                "the old connection is not told why it is closed",
                &["takeover-without-reason"],
            ),
            Self::TakeoverSkipsWill => (
                "takeover_skips_will",
                "the will of the old connection is lost at takeover",
                &["takeover-skips-the-will"],
            ),
            Self::TakeoverPublishesNewWill => (
                "takeover_publishes_new_will",
                "the will of the new connection is published at takeover",
                &["takeover-publishes-the-new-clients-will"],
            ),
            Self::TakeoverOldTimerKillsNew => (
                "takeover_old_timer_kills_new",
                "the deadline of the old connection closes the new one",
                &["old-timeout-kills-new-connection"],
            ),
            Self::TakeoverInheritsEndedSession => (
                "takeover_inherits_ended_session",
                "a session that ends with its connection is handed over at takeover",
                &["takeover-of-expiry-zero-session-is-a-race"],
            ),
            Self::TakeoverRefused => (
                "takeover_refused",
                "who is connected already is refused",
                &["new-connection-refused-until-old-expires", "takeover-wedge-or-loop"],
            ),
            Self::SessionEndsEarly => {
                ("session_ends_early", "a session ends a second early", &["session-expiry-moved-or-overflowing"])
            }
            Self::SessionEndsLate => {
                ("session_ends_late", "a session ends a second late", &["session-expiry-moved-or-overflowing"])
            }
            Self::SessionNeverEnds => ("session_never_ends", "a session never ends", &["session-never-expires"]),
            Self::RestartForgetsExpiry => (
                "restart_forgets_expiry",
                "after a restart, sessions that had no connection before it never end",
                &["session-expiry-forgotten-over-restart"],
            ),
            Self::SessionExpiryOverflows => (
                "session_expiry_overflows",
                "a session expiry in milliseconds has 32 bits",
                &["session-expiry-moved-or-overflowing"],
            ),
            Self::SessionPresentNever => (
                "session_present_never",
                "CONNACK never says that there is a session",
                &["session-present-wrong-or-misread"],
            ),
            Self::SessionPresentAlways => (
                "session_present_always",
                "CONNACK always says that there is a session",
                &["session-present-wrong-or-misread"],
            ),
            Self::ResendMissing => {
                ("resend_missing", "what is unacknowledged is not sent again", &["unacked-outbound-lost-on-teardown"])
            }
            Self::ResendWithoutDup => {
                ("resend_without_dup", "what is sent again has no DUP", &["dup-missing-on-retransmission"])
            }
            Self::ReleaseNotResent => {
                ("release_not_resent", "a PUBREL that is owed is not sent again", &["owed-pubrel-not-resent"])
            }
            Self::Qos2Twice => (
                "qos2_twice",
                "a message of QoS 2 that is sent again is passed on again",
                &["qos2-replay-delivered-twice"],
            ),
            Self::QuotaNotReset => (
                "quota_not_reset",
                "what was sent before still uses up the window of a new connection",
                &["send-quota-not-reset-on-reconnect"],
            ),
            Self::SlowSubscriberStallsAll => (
                "slow_subscriber_stalls_all",
                "one client that does not read stops messages to all",
                &["slow-subscriber-stalls-the-broker"],
            ),
            Self::CongestedIsClosed => (
                "congested_is_closed",
                "a client that does not read is closed at once",
                &["congested-subscriber-dropped-as-busy"],
            ),
            Self::NoConnectTimeout => ("no_connect_timeout", "who never sends CONNECT is never closed", &[]),
            Self::GoodbyeLostWithHangUp => (
                "goodbye_lost_with_hang_up",
                "DISCONNECT is lost if the end of the connection comes with it",
                &["disconnect-then-reset-loses-the-goodbye"],
            ),
            Self::ResendsWhileConnected => (
                "resends_while_connected",
                "what is unacknowledged is sent again with each PINGRESP",
                &["retransmission-inside-a-live-connection"],
            ),
            Self::PacketIdInUse => (
                "packet_id_in_use",
                "a message gets the identifier of the oldest that is unacknowledged",
                &["packet-id-collision-after-resume"],
            ),
            Self::Qos2LostOnResume => (
                "qos2_lost_on_resume",
                "a message of QoS 2 that comes again is acknowledged and not passed on",
                &["qos2-messages-lost-after-cable-pull"],
            ),
            Self::AliasesSurviveReconnect => (
                "aliases_survive_reconnect",
                "what is sent again has an alias of the connection before in the place of its topic",
                &["topic-alias-replayed-after-reconnect"],
            ),
            Self::ServerKeepAliveNotAnnounced => (
                "server_keep_alive_not_announced",
                "the broker's own keep-alive is enforced and not announced",
                &["server-idle-limit-below-keepalive"],
            ),
            Self::TimersOnWallClock => (
                "timers_on_wall_clock",
                "timers follow the date",
                &["wall-clock-jump-kills-connections", "will-delay-and-expiry-on-wall-clock"],
            ),
        }
    }
}

#[cfg(feature = "defects")]
impl Broker {
    /// Switches a defect on.
    #[must_use]
    pub fn with_defect(mut self, defect: Defect) -> Self {
        self.defects = Defects(DefectSwitch::on(defect));
        self
    }
}

/// The defect that is switched on, if any.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Defects(DefectSwitch<Defect>);

impl Defects {
    /// Whether this defect is switched on: never without the feature.
    #[inline]
    pub(super) fn has(self, defect: Defect) -> bool {
        self.0.has(&defect)
    }

    /// The keep-alive in seconds that is enforced where `agreed` should be.
    pub(super) fn keep_alive(self, config: &Config, connect: &Connect, agreed: u16) -> u16 {
        match config.server_keep_alive {
            _ if self.has(Defect::ServerKeepAliveNotEnforced) => connect.keep_alive,
            Some(own) if self.has(Defect::ServerKeepAliveOn311) => own,
            _ if self.has(Defect::KeepAliveZeroExpires) && agreed == 0 => 200,
            _ => agreed,
        }
    }

    /// The time in milliseconds after which silence ends a connection, where it should be `millis`.
    pub(super) fn timeout(self, config: &Config, keep_alive: u16, millis: u64) -> Option<u64> {
        let whole = u64::from(keep_alive) * 1000;
        let longest = config.max_keep_alive.unwrap_or(u16::MAX);
        Some(match () {
            () if self.has(Defect::KeepAliveThreeQuarters) => whole * 3 / 4,
            () if self.has(Defect::KeepAliveOnce) => whole,
            () if self.has(Defect::KeepAliveTwice) => whole * 2,
            () if self.has(Defect::KeepAliveTruncated) => millis / 1000 * 1000,
            () if self.has(Defect::KeepAliveCapped) => millis.min(65_535_000),
            () if self.has(Defect::KeepAliveFlatWhenShort) && keep_alive < 6 => whole + 3000,
            () if self.has(Defect::KeepAliveExceeded) => millis + 1,
            () if self.has(Defect::KeepAliveNotEnforced) => return None,
            () if self.has(Defect::KeepAliveMaximumExpiresAtOnce) && keep_alive == longest => 1000,
            () => millis,
        })
    }

    /// When silence is noticed that should be noticed when it is `due`, on a connection that was `opened` and may be
    /// silent for so long.
    pub(super) fn noticed(self, opened: Instant, timeout: Duration, due: Instant) -> Instant {
        let (since, period) = match () {
            () if self.has(Defect::KeepAliveSampled) => (opened, timeout / 3),
            () if self.has(Defect::KeepAliveOnOwnTicker) => (opened, timeout * 2 / 3),
            () if self.has(Defect::KeepAliveOnGlobalTick) => (Instant::new(Duration::ZERO), Duration::from_secs(10)),
            () if self.has(Defect::KeepAliveOnIdleLoop) => (Instant::new(Duration::ZERO), Duration::from_secs(5)),
            () => return due,
        };
        let period = period.max(Duration::from_millis(1)).as_millis();
        let ticks = due.saturating_since(since).as_millis().div_ceil(period);
        since + Duration::from_millis(u64::try_from(ticks * period).unwrap_or(u64::MAX))
    }

    /// The session expiry in seconds that is kept where `secs` should be.
    pub(super) fn expiry(self, secs: u32) -> u32 {
        match secs {
            0 | u32::MAX => secs,
            _ if self.has(Defect::SessionEndsEarly) => secs - 1,
            _ if self.has(Defect::SessionEndsLate) => secs + 1,
            _ if self.has(Defect::SessionNeverEnds) => u32::MAX,
            _ if self.has(Defect::SessionExpiryOverflows) => secs.wrapping_mul(1000) / 1000,
            _ => secs,
        }
    }
}
