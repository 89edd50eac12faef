//! Named defects that can be switched on, to show that the harness catches them. Each models a case from the field.
//!
//! The rules know nothing of them. Where a defect may take the place of a rule, the rule is called by a function that ends
//! in `_or_defect`. There are few: a packet that came, a CONNECT that is accepted, a timer, a packet that goes out, and a
//! client that is lost are all that a defect needs. What each does stands in `apply`.
//!
//! Without the cargo feature `defects`, which only the harness enables, there is no defect, and these functions do nothing
//! but call the rules (`none`). With it there is no other way to one than [`with_defect`](super::Broker::with_defect).

mod apply;

pub(super) use self::apply::Defects;

halfopen_protocol::defects! {
/// A defect of the broker.
pub enum Defect {
    KeepAliveThreeQuarters "keep_alive_three_quarters": "silent clients are closed after 0.75 keep-alives",
        models ["closed-before-one-and-a-half-keepalives"], known_by ["because: keep_alive"];
    KeepAliveOnce "keep_alive_once": "silent clients are closed after one keep-alive",
        models ["closed-before-one-and-a-half-keepalives"], known_by ["because: keep_alive"];
    KeepAliveTwice "keep_alive_twice": "silent clients are closed after two keep-alives",
        models ["emqx-multiplier-counted-twice"], known_by ["because: keep_alive"];
    KeepAliveSampled "keep_alive_sampled":
        "silence is looked for every half keep-alive, from the opening of the connection on",
        models ["emqx-late-by-extra-interval", "sampled-check-makes-lateness-phase-dependent"], known_by ["because: keep_alive"];
    KeepAliveOnOwnTicker "keep_alive_on_own_ticker":
        "silence is looked for once a keep-alive, from the opening of the connection on",
        models ["mqtt5-broker-ticker-restarts-read-timeout"], known_by ["because: keep_alive"];
    KeepAliveOnGlobalTick "keep_alive_on_global_tick": "silence is looked for every 10 s",
        models ["nanomq-global-tick"], known_by ["because: keep_alive"];
    KeepAliveOnIdleLoop "keep_alive_on_idle_loop": "an idle broker looks for silence every 5 s",
        models ["mosquitto-idle-loop-sleeps-past-expiry"], known_by ["because: keep_alive"];
    KeepAliveTruncated "keep_alive_truncated": "1.5 keep-alives are cut to whole seconds",
        models ["odd-keepalive-rounded-down", "weak-wifi-flips-availability"], known_by ["because: keep_alive"];
    KeepAliveCapped "keep_alive_capped": "1.5 keep-alives are at most 65535 s",
        models ["rmqtt-large-keepalive-saturates"], known_by ["because: keep_alive"];
    KeepAliveFlatWhenShort "keep_alive_flat_when_short": "below 6 s the limit is the keep-alive and 3 s",
        models ["rmqtt-large-keepalive-saturates"], known_by ["because: keep_alive"];
    KeepAliveExceeded "keep_alive_exceeded": "1.5 keep-alives must be exceeded by a millisecond",
        models ["mosquitto-reach-versus-exceed"], known_by ["because: keep_alive"];
    KeepAliveNotEnforced "keep_alive_not_enforced": "nobody is closed for silence",
        models ["mosquitto-websocket-clients-never-expired", "middlebox-forgets-silently"], known_by ["because: keep_alive"];
    KeepAliveMaximumExpiresAtOnce "keep_alive_maximum_expires_at_once":
        "a keep-alive that is the longest possible ends at once",
        models ["mosquitto-max-keepalive-equal-expires-at-once"], known_by ["because: keep_alive"];
    KeepAliveGrowsOnResume "keep_alive_grows_on_resume": "each resumed session has a second more",
        models ["hbmqtt-keepalive-grows-on-reconnect"], known_by ["because: keep_alive"];
    KeepAliveZeroRejected "keep_alive_zero_rejected": "keep-alive 0 is refused",
        models ["mosquitto-zero-keepalive-rejected"], known_by ["CONNACK"];
    KeepAliveZeroExpires "keep_alive_zero_expires": "keep-alive 0 ends after 300 s",
        models ["keepalive-zero-zombies"], known_by ["never: { broker: { closes"];
    RefreshedByOutput "refreshed_by_output": "what is sent to a client keeps it alive",
        models ["rumqttd-outbound-traffic-renews-keepalive"], known_by ["because: keep_alive"];
    RefreshedByBytes "refreshed_by_bytes": "a part of a packet keeps a client alive",
        models ["partial-packet-counts-as-alive"], known_by ["because: keep_alive"];
    OnlyPingreqRenews "only_pingreq_renews": "only PINGREQ keeps a client alive",
        models ["mosca-only-pingreq-renews"], known_by ["because: keep_alive"];
    PublishDoesNotRenew "publish_does_not_renew": "PUBLISH does not keep a client alive",
        models ["vernemq-expired-while-flooding"], known_by ["never: { broker: { closes"];
    ServerKeepAliveNotEnforced "server_keep_alive_not_enforced":
        "the broker's own keep-alive is announced, the client's enforced",
        models ["mqtt5-broker-ignores-own-server-keep-alive"], known_by ["because: keep_alive"];
    ServerKeepAliveOn311 "server_keep_alive_on311": "the broker's own keep-alive binds clients of 3.1.1, too",
        models ["emqx-server-keepalive-applied-to-v311"], known_by ["because: keep_alive"];
    TimeoutWithoutClosing "timeout_without_closing": "after a time-out the session is gone, the connection stays",
        models ["rumqttd-timeout-without-closing-socket"], known_by ["because: keep_alive"];
    TimeoutsBatched "timeouts_batched": "silent clients are closed one at a time, every 100 ms",
        models ["hivemq-ce-mass-timeouts-batched"], known_by ["because: keep_alive"];
    BlockedWriteHidesDeadline "blocked_write_hides_deadline":
        "nobody is closed for silence while there is something to write to it",
        models ["half-open-subscriber-with-full-buffer"], known_by ["because: keep_alive"];
    WillLostOnTimeout "will_lost_on_timeout": "the will of a silent client is not published",
        models ["mosquitto-websocket-clients-never-expired"], known_by ["PUBLISH"];
    WillLost "will_lost": "no will is ever published",
        models ["emqx-late-by-extra-interval"], known_by ["PUBLISH"];
    WillTwice "will_twice": "wills are published twice",
        models ["will-delay-twin-effects"], known_by ["PUBLISH"];
    WillOnCleanDisconnect "will_on_clean_disconnect": "DISCONNECT 0x00 does not delete the will",
        models ["will-sent-after-clean-disconnect"], known_by ["PUBLISH"];
    WillSuppressedByAnyDisconnect "will_suppressed_by_any_disconnect": "DISCONNECT 0x04 deletes the will",
        models ["disconnect-with-will-suppressed"], known_by ["PUBLISH"];
    WillDelayIgnored "will_delay_ignored": "a will with a delay is published at once",
        models ["will-delay-longer-than-session"], known_by ["PUBLISH"];
    WillDelayNotCancelled "will_delay_not_cancelled": "a will that waits is published although the client is back",
        models ["will-delay-not-cancelled-by-resume"], known_by ["PUBLISH"];
    WillDelayOutlivesSession "will_delay_outlives_session": "a session that ends first does not end the delay",
        models ["will-delay-longer-than-session"], known_by ["PUBLISH"];
    WillLostWithSession "will_lost_with_session": "a will that waits is lost when its session ends",
        models ["will-delay-longer-than-session"], known_by ["PUBLISH"];
    WillDelayBehindLongerOne "will_delay_behind_longer_one": "a will waits for those whose delay began before",
        models ["will-delay-queue-sorted-by-interval"], known_by ["PUBLISH"];
    TakeoverKeepsOld "takeover_keeps_old": "the old connection stays at takeover",
        models ["takeover-leaves-both-connected", "offline-after-online"], known_by ["because: takeover"];
    TakeoverSaysNothing "takeover_says_nothing": "the old connection is not told why it is closed",
        models ["takeover-without-reason"], known_by ["reason: 0x8E"];
    TakeoverSkipsWill "takeover_skips_will": "the will of the old connection is lost at takeover",
        models ["takeover-skips-the-will"], known_by ["PUBLISH"];
    TakeoverPublishesNewWill "takeover_publishes_new_will": "the will of the new connection is published at takeover",
        models ["takeover-publishes-the-new-clients-will"], known_by ["PUBLISH"];
    TakeoverOldTimerKillsNew "takeover_old_timer_kills_new": "the deadline of the old connection closes the new one",
        models ["old-timeout-kills-new-connection"], known_by ["never: { broker: { closes: new"];
    TakeoverInheritsEndedSession "takeover_inherits_ended_session":
        "a session that ends with its connection is handed over at takeover",
        models ["takeover-of-expiry-zero-session-is-a-race"], known_by ["session"];
    TakeoverRefused "takeover_refused": "who is connected already is refused",
        models ["new-connection-refused-until-old-expires", "takeover-wedge-or-loop"], known_by ["because: takeover"];
    SessionEndsEarly "session_ends_early": "a session ends a second early",
        models ["session-expiry-moved-or-overflowing"], known_by ["session_present"];
    SessionEndsLate "session_ends_late": "a session ends a second late",
        models ["session-expiry-moved-or-overflowing"], known_by ["session_present"];
    SessionNeverEnds "session_never_ends": "a session never ends",
        models ["session-never-expires"], known_by ["session_present"];
    RestartForgetsExpiry "restart_forgets_expiry":
        "after a restart, sessions that had no connection before it never end",
        models ["session-expiry-forgotten-over-restart"], known_by ["session_present"];
    SessionExpiryOverflows "session_expiry_overflows": "a session expiry in milliseconds has 32 bits",
        models ["session-expiry-moved-or-overflowing"], known_by ["session_present"];
    SessionPresentNever "session_present_never": "CONNACK never says that there is a session",
        models ["session-present-wrong-or-misread"], known_by ["session_present"];
    SessionPresentAlways "session_present_always": "CONNACK always says that there is a session",
        models ["session-present-wrong-or-misread"], known_by ["session_present"];
    ResendMissing "resend_missing": "what is unacknowledged is not sent again",
        models ["unacked-outbound-lost-on-teardown"], known_by ["dup: true"];
    ResendWithoutDup "resend_without_dup": "what is sent again has no DUP",
        models ["dup-missing-on-retransmission"], known_by ["dup: true"];
    ReleaseNotResent "release_not_resent": "a PUBREL that is owed is not sent again",
        models ["owed-pubrel-not-resent"], known_by ["PUBREL"];
    Qos2Twice "qos2_twice": "a message of QoS 2 that is sent again is passed on again",
        models ["qos2-replay-delivered-twice"], known_by ["delivers"];
    QuotaNotReset "quota_not_reset": "what was sent before still uses up the window of a new connection",
        models ["send-quota-not-reset-on-reconnect"], known_by ["receives: PUBLISH"];
    SlowSubscriberStallsAll "slow_subscriber_stalls_all": "one client that does not read stops messages to all",
        models ["slow-subscriber-stalls-the-broker"], known_by ["delivers"];
    CongestedIsClosed "congested_is_closed": "a client that does not read is closed at once",
        models ["congested-subscriber-dropped-as-busy"], known_by ["closes"];
    NoConnectTimeout "no_connect_timeout": "who never sends CONNECT is never closed",
        models [], known_by ["because: no_connect"];
    GoodbyeLostWithHangUp "goodbye_lost_with_hang_up": "DISCONNECT is lost if the end of the connection comes with it",
        models ["disconnect-then-reset-loses-the-goodbye"], known_by ["PUBLISH"];
    ResendsWhileConnected "resends_while_connected": "what is unacknowledged is sent again with each PINGRESP",
        models ["retransmission-inside-a-live-connection"], known_by ["receives: PUBLISH"];
    PacketIdInUse "packet_id_in_use": "a message gets the identifier of the oldest that is unacknowledged",
        models ["packet-id-collision-after-resume"], known_by ["receives: { PUBLISH"];
    Qos2LostOnResume "qos2_lost_on_resume": "a message of QoS 2 that comes again is acknowledged and not passed on",
        models ["qos2-messages-lost-after-cable-pull"], known_by ["delivers"];
    AliasesSurviveReconnect "aliases_survive_reconnect":
        "what is sent again has an alias of the connection before in the place of its topic",
        models ["topic-alias-replayed-after-reconnect"], known_by ["topic"];
    ServerKeepAliveNotAnnounced "server_keep_alive_not_announced":
        "the broker's own keep-alive is enforced and not announced",
        models ["server-idle-limit-below-keepalive"], known_by ["server_keep_alive"];
    /// A core reads no clock, so it is the world that lets its clock leap with the date.
    TimersOnWallClock "timers_on_wall_clock": "timers follow the date",
        models ["wall-clock-jump-kills-connections", "will-delay-and-expiry-on-wall-clock"], known_by ["closes", "PUBLISH"];

}
}
