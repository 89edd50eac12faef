//! Named defects that can be switched on, to show that the harness catches them. Each models a case from the field.
//!
//! Without the cargo feature `defects`, which only the harness enables, no defect can be switched on and the compiler
//! leaves out what asks for it. With it there is no other way to one than [`with_defect`](super::Client::with_defect).

use std::time::Duration;

use halfopen_protocol::DefectSwitch;

#[cfg(feature = "defects")]
use super::Client;
use super::DisconnectReason;

/// A defect of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(not(feature = "defects"), expect(unreachable_pub, reason = "public only with the feature"))]
pub enum Defect {
    /// What comes in puts the PINGREQ off.
    PingOnlyWhenNothingReceived,
    /// Who only sends never asks whether anybody is there.
    SendingHidesDeadPeer,
    /// PINGRESP is waited for without limit.
    NoPingrespDeadline,
    /// A PINGRESP that is late ends the keep-alive, not the connection.
    PingTimeoutSwallowed,
    /// PINGRESP is waited for a whole keep-alive.
    PingrespDeadlineIsInterval,
    /// PINGRESP is missed at three keep-alives.
    PingrespDeadlineIsTwoIntervals,
    /// PINGRESP is waited for a second.
    PingrespDeadlineIsOneSecond,
    /// The time for PINGRESP runs from the packet before PINGREQ.
    PingrespDeadlineStartsEarly,
    /// Bytes that come in are no sign of life while PINGRESP is waited for.
    PingrespDeadlineIgnoresBytes,
    /// A PINGRESP does not settle the question.
    PingrespNotTaken,
    /// A PINGRESP that was not asked for settles a later question.
    PingrespTakenForLater,
    /// PINGRESP is missed though the client itself does not read.
    PingrespMindedWhileDeaf,
    /// PINGREQ goes out once a keep-alive whatever else is sent.
    PingsRegardlessOfTraffic,
    /// PINGREQ goes out after 1.5 keep-alives.
    PingsTooSlowly,
    /// A ping is looked at every half keep-alive.
    PingsOnHalfIntervals,
    /// With a keep-alive of one second there are no pings.
    PingsNotAtOneSecond,
    /// No PINGREQ while there is much to write.
    PingsNotWhileCongested,
    /// An unanswered PINGREQ is still waited for on the next connection.
    PingStateSurvivesReconnect,
    /// The broker's keep-alive is not adopted.
    ServerKeepAliveIgnored,
    /// The broker's keep-alive is not adopted by who asked for 0.
    ServerKeepAliveNeedsRequest,
    /// The broker's keep-alive is asked for from then on.
    ServerKeepAliveRemembered,
    /// After a missing PINGRESP nothing is tried again.
    NoReconnectAfterPingTimeout,
    /// After a refusal nothing is tried again.
    NoReconnectAfterRefusal,
    /// After a connection that failed nothing is tried again.
    NoReconnectAfterFailure,
    /// Each attempt follows at once.
    NoBackoff,
    /// A connection that is accepted starts the pauses over.
    BackoffResetByAcceptance,
    /// Connection and CONNACK are waited for without limit.
    ConnackAwaitedForEver,
    /// The time for CONNACK begins with the open connection.
    ConnackDeadlineStartsLate,
    /// After a missing PINGRESP each attempt has only a millisecond.
    PingTimerKillsAttempts,
    /// What was subscribed to is not asked for again.
    NotSubscribedAgain,
    /// What is unacknowledged is sent again though there is no session.
    ResumesWithoutSession,
    /// What is unacknowledged is lost with the session.
    UnacknowledgedLost,
    /// The broker's Receive Maximum does not bind.
    ReceiveMaximumIgnored,
    /// What was under way uses up the window for ever.
    WindowLeaks,
    /// What is unacknowledged is not sent again.
    ResendMissing,
    /// What is sent again has no DUP.
    ResendWithoutDup,
    /// A PUBREL that is owed is not sent again.
    ReleaseNotResent,
    /// A message of QoS 2 that comes again is handed on again.
    Qos2Twice,
    /// On each connection the first PINGREQ is due a keep-alive after the start of the program.
    PingStampFromStart,
    /// The time for which a process stands still does not count. It is the world that lets its clock stand still, too.
    #[cfg_attr(not(feature = "defects"), expect(dead_code, reason = "no core asks for it"))]
    SuspendNotCounted,
    /// PUBLISH is sent again in the place of a PUBREL that is owed.
    ReleaseNotRemembered,
    /// A PUBREL for an unknown message is not answered.
    UnknownReleaseIgnored,
    /// The acknowledgements of one connection are sent on the next.
    OldAcknowledgementsSent,
    /// New messages go before those that are sent again.
    NewBeforeResent,
    /// Timers follow the date. A core reads no clock, so it is the world that lets its clock leap with the date.
    #[cfg_attr(not(feature = "defects"), expect(dead_code, reason = "no core asks for it"))]
    TimersOnWallClock,
}

#[cfg(feature = "defects")]
impl Defect {
    /// All of them.
    pub const ALL: [Self; 45] = [
        Self::PingOnlyWhenNothingReceived,
        Self::SendingHidesDeadPeer,
        Self::NoPingrespDeadline,
        Self::PingTimeoutSwallowed,
        Self::PingrespDeadlineIsInterval,
        Self::PingrespDeadlineIsTwoIntervals,
        Self::PingrespDeadlineIsOneSecond,
        Self::PingrespDeadlineStartsEarly,
        Self::PingrespDeadlineIgnoresBytes,
        Self::PingrespNotTaken,
        Self::PingrespTakenForLater,
        Self::PingrespMindedWhileDeaf,
        Self::PingsRegardlessOfTraffic,
        Self::PingsTooSlowly,
        Self::PingsOnHalfIntervals,
        Self::PingsNotAtOneSecond,
        Self::PingsNotWhileCongested,
        Self::PingStateSurvivesReconnect,
        Self::ServerKeepAliveIgnored,
        Self::ServerKeepAliveNeedsRequest,
        Self::ServerKeepAliveRemembered,
        Self::NoReconnectAfterPingTimeout,
        Self::NoReconnectAfterRefusal,
        Self::NoReconnectAfterFailure,
        Self::NoBackoff,
        Self::BackoffResetByAcceptance,
        Self::ConnackAwaitedForEver,
        Self::ConnackDeadlineStartsLate,
        Self::PingTimerKillsAttempts,
        Self::NotSubscribedAgain,
        Self::ResumesWithoutSession,
        Self::UnacknowledgedLost,
        Self::ReceiveMaximumIgnored,
        Self::WindowLeaks,
        Self::ResendMissing,
        Self::ResendWithoutDup,
        Self::ReleaseNotResent,
        Self::Qos2Twice,
        Self::PingStampFromStart,
        Self::SuspendNotCounted,
        Self::ReleaseNotRemembered,
        Self::UnknownReleaseIgnored,
        Self::OldAcknowledgementsSent,
        Self::NewBeforeResent,
        Self::TimersOnWallClock,
    ];

    /// Its name, what it does, and the field cases that it models.
    pub const fn describe(self) -> (&'static str, &'static str, &'static [&'static str]) {
        match self {
            Self::PingOnlyWhenNothingReceived => (
                "ping_only_when_nothing_received",
                "what comes in puts the PINGREQ off",
                &["client-receive-traffic-suppresses-pingreq"],
            ),
            Self::SendingHidesDeadPeer => (
                "sending_hides_dead_peer",
                "who only sends never asks whether anybody is there",
                &["client-publish-traffic-suppresses-dead-peer-check"],
            ),
            Self::NoPingrespDeadline => (
                "no_pingresp_deadline",
                "PINGRESP is waited for without limit",
                &["client-no-pingresp-deadline", "middlebox-forgets-silently"],
            ),
            Self::PingTimeoutSwallowed => (
                "ping_timeout_swallowed",
                "a PINGRESP that is late ends the keep-alive, not the connection",
                &["mqttnet-ping-timeout-swallowed"],
            ),
            Self::PingrespDeadlineIsInterval => (
                "pingresp_deadline_is_interval",
                "PINGRESP is waited for a whole keep-alive",
                &[
                    "pingresp-deadline-too-short-or-too-long",
                    "paho-c-loss-reported-at-2-5-keepalives",
                    "rumqttc-unconditional-pings-and-2k-detection",
                ],
            ),
            Self::PingrespDeadlineIsTwoIntervals => (
                "pingresp_deadline_is_two_intervals",
                "PINGRESP is missed at three keep-alives",
                &["mqtt5-client-exact-boundary-adds-a-tick"],
            ),
            Self::PingrespDeadlineIsOneSecond => (
                "pingresp_deadline_is_one_second",
                "PINGRESP is waited for a second",
                &["pingresp-deadline-too-short-or-too-long"],
            ),
            Self::PingrespDeadlineStartsEarly => (
                "pingresp_deadline_starts_early",
                "the time for PINGRESP runs from the packet before PINGREQ",
                &["esp-mqtt-response-clock-starts-early"],
            ),
            Self::PingrespDeadlineIgnoresBytes => (
                "pingresp_deadline_ignores_bytes",
                "bytes that come in are no sign of life while PINGRESP is waited for",
                &["large-inbound-message-delays-pingresp"],
            ),
            Self::PingrespNotTaken => {
                ("pingresp_not_taken", "a PINGRESP does not settle the question", &["false-ping-timeouts"])
            }
            Self::PingrespTakenForLater => (
                "pingresp_taken_for_later",
                "a PINGRESP that was not asked for settles a later question",
                &["false-ping-timeouts"],
            ),
            Self::PingrespMindedWhileDeaf => (
                "pingresp_minded_while_deaf",
                "PINGRESP is missed though the client itself does not read",
                &["client-side-zero-window", "blocked-callback-starves-keepalive"],
            ),
            Self::PingsRegardlessOfTraffic => (
                "pings_regardless_of_traffic",
                "PINGREQ goes out once a keep-alive whatever else is sent",
                &["rumqttc-unconditional-pings-and-2k-detection"],
            ),
            Self::PingsTooSlowly => (
                "pings_too_slowly",
                "PINGREQ goes out after 1.5 keep-alives",
                &["client-pings-slower-than-its-keepalive", "middlebox-idle-timeout-equals-keepalive"],
            ),
            Self::PingsOnHalfIntervals => {
                ("pings_on_half_intervals", "a ping is looked at every half keep-alive", &["paho-go-boundary-slip"])
            }
            Self::PingsNotAtOneSecond => (
                "pings_not_at_one_second",
                "with a keep-alive of one second there are no pings",
                &["paho-go-one-second-keepalive-panics"],
            ),
            Self::PingsNotWhileCongested => (
                "pings_not_while_congested",
                "no PINGREQ while there is much to write",
                &["mqtt5-ping-behind-writer-lock"],
            ),
            Self::PingStateSurvivesReconnect => (
                "ping_state_survives_reconnect",
                "an unanswered PINGREQ is still waited for on the next connection",
                &["ping-state-survives-reconnect"],
            ),
            Self::ServerKeepAliveIgnored => (
                "server_keep_alive_ignored",
                "the broker's keep-alive is not adopted",
                &["client-ignores-server-keep-alive"],
            ),
            Self::ServerKeepAliveNeedsRequest => (
                "server_keep_alive_needs_request",
                "the broker's keep-alive is not adopted by who asked for 0",
                &["mqttjs-server-keep-alive-needs-nonzero-request"],
            ),
            Self::ServerKeepAliveRemembered => (
                "server_keep_alive_remembered",
                "the broker's keep-alive is asked for from then on",
                &["mqttjs-server-keep-alive-needs-nonzero-request"],
            ),
            Self::NoReconnectAfterPingTimeout => (
                "no_reconnect_after_ping_timeout",
                "after a missing PINGRESP nothing is tried again",
                &["paho-c-lost-callback-never-fires", "paho-python-ping-write-error-kills-loop"],
            ),
            Self::NoReconnectAfterRefusal => (
                "no_reconnect_after_refusal",
                "after a refusal nothing is tried again",
                &["no-reconnect-after-refusal-or-crash"],
            ),
            Self::NoReconnectAfterFailure => (
                "no_reconnect_after_failure",
                "after a connection that failed nothing is tried again",
                &["no-reconnect-after-refusal-or-crash", "browser-timer-throttling"],
            ),
            Self::NoBackoff => {
                ("no_backoff", "each attempt follows at once", &["backoff-reset-by-accepted-connection"])
            }
            Self::BackoffResetByAcceptance => (
                "backoff_reset_by_acceptance",
                "a connection that is accepted starts the pauses over",
                &["backoff-reset-by-accepted-connection", "duplicate-id-flap-without-backoff"],
            ),
            Self::ConnackAwaitedForEver => (
                "connack_awaited_for_ever",
                "connection and CONNACK are waited for without limit",
                &["connack-never-arrives"],
            ),
            Self::ConnackDeadlineStartsLate => (
                "connack_deadline_starts_late",
                "the time for CONNACK begins with the open connection",
                &["connack-never-arrives"],
            ),
            Self::PingTimerKillsAttempts => (
                "ping_timer_kills_attempts",
                "after a missing PINGRESP each attempt has only a millisecond",
                &["reconnect-loop-while-offline"],
            ),
            Self::NotSubscribedAgain => (
                "not_subscribed_again",
                "what was subscribed to is not asked for again",
                &["session-lost-client-does-not-resubscribe"],
            ),
            Self::ResumesWithoutSession => (
                "resumes_without_session",
                "what is unacknowledged is sent again though there is no session",
                &["session-present-wrong-or-misread"],
            ),
            Self::UnacknowledgedLost => (
                "unacknowledged_lost",
                "what is unacknowledged is lost with the session",
                &["unacked-outbound-lost-on-teardown"],
            ),
            Self::ReceiveMaximumIgnored => (
                "receive_maximum_ignored",
                "the broker's Receive Maximum does not bind",
                &["client-exceeds-receive-maximum"],
            ),
            Self::WindowLeaks => (
                "window_leaks",
                "what was under way uses up the window for ever",
                &["publisher-window-leaks", "collision-slot-livelock"],
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
            Self::PingStampFromStart => (
                "ping_stamp_from_start",
                "on each connection the first PINGREQ is due a keep-alive after the start of the program",
                &["sntp-sync-after-boot-loops-keepalive"],
            ),
            Self::SuspendNotCounted => (
                "suspend_not_counted",
                "the time for which a process stands still does not count",
                &["suspend-not-counted"],
            ),
            Self::ReleaseNotRemembered => (
                "release_not_remembered",
                "PUBLISH is sent again in the place of a PUBREL that is owed",
                &["qos2-publish-replayed-after-pubrel"],
            ),
            Self::UnknownReleaseIgnored => (
                "unknown_release_ignored",
                "a PUBREL for an unknown message is not answered",
                &["resume-starting-with-pubrel"],
            ),
            Self::OldAcknowledgementsSent => (
                "old_acknowledgements_sent",
                "the acknowledgements of one connection are sent on the next",
                &["stale-ack-sent-on-new-connection"],
            ),
            Self::NewBeforeResent => (
                "new_before_resent",
                "new messages go before those that are sent again",
                &["resend-order-and-new-messages"],
            ),
            Self::TimersOnWallClock => {
                ("timers_on_wall_clock", "timers follow the date", &["client-clock-backwards-stops-pings"])
            }
            Self::Qos2Twice => (
                "qos2_twice",
                "a message of QoS 2 that comes again is handed on again",
                &["qos2-replay-delivered-twice"],
            ),
        }
    }
}

#[cfg(feature = "defects")]
impl Client {
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

    /// How long PINGRESP is waited for where it should be `agreed`.
    pub(super) fn ping_timeout(self, interval: Duration, agreed: Duration) -> Duration {
        match () {
            () if self.has(Defect::PingrespDeadlineIsInterval) => interval,
            () if self.has(Defect::PingrespDeadlineIsTwoIntervals) => interval * 2,
            () if self.has(Defect::PingrespDeadlineIsOneSecond) => Duration::from_secs(1),
            () if self.has(Defect::NoPingrespDeadline) => Duration::from_secs(u64::from(u32::MAX)),
            () => agreed,
        }
    }

    /// The keep-alive in seconds that is kept where `agreed` should be; the client asked for `own`.
    pub(super) fn keep_alive(self, own: u16, agreed: u16) -> u16 {
        match () {
            () if self.has(Defect::ServerKeepAliveIgnored) => own,
            () if self.has(Defect::ServerKeepAliveNeedsRequest) && own == 0 => own,
            () if self.has(Defect::PingsNotAtOneSecond) && agreed == 1 => 0,
            () => agreed,
        }
    }

    /// Whether nothing is tried again after this.
    pub(super) fn gives_up(self, reason: &DisconnectReason) -> bool {
        match reason {
            DisconnectReason::NoPingresp { .. } => self.has(Defect::NoReconnectAfterPingTimeout),
            DisconnectReason::Refused(_) => self.has(Defect::NoReconnectAfterRefusal),
            DisconnectReason::ConnectFailed(_) | DisconnectReason::Closed(_) => {
                self.has(Defect::NoReconnectAfterFailure)
            }
            _ => false,
        }
    }

    /// How long an attempt to connect may take where it should be `agreed`.
    pub(super) fn connect_timeout(self, agreed: Duration, after_ping: bool) -> Duration {
        match () {
            () if self.has(Defect::ConnackAwaitedForEver) => Duration::from_secs(u64::from(u32::MAX)),
            () if self.has(Defect::PingTimerKillsAttempts) && after_ping => Duration::from_millis(1),
            () => agreed,
        }
    }
}
