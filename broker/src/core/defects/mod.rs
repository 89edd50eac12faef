//! Named defects that can be switched on, to show that the harness catches them. Each models a case from the field.
//!
//! The rules know nothing of them. Where a defect may take the place of a rule, the rule is called by a function that ends
//! in `_or_defect`. There are few: a packet that came, a CONNECT that is accepted, a timer, a packet that goes out, a
//! client that is lost, and what it is told then are all that a defect needs. What each does stands in `apply`, or in
//! `packets` if it shows in single packets.
//!
//! Without the cargo feature `defects`, which only the harness enables, there is no defect, and these functions do nothing
//! but call the rules (`none`). With it there is no other way to one than [`with_defect`](super::Broker::with_defect).

mod apply;
mod packets;

pub(super) use self::apply::Defects;

halfopen_protocol::defects! {
/// A defect of the broker.
pub enum Defect {
    KeepAliveThreeQuarters "keep_alive_three_quarters": "silent clients are closed after 0.75 keep-alives",
        models ["closed-before-one-and-a-half-keepalives"], known_by ["delay/late_packets#1"];
    KeepAliveOnce "keep_alive_once": "silent clients are closed after one keep-alive",
        models ["closed-before-one-and-a-half-keepalives"], known_by ["delay/late_packets#1"];
    KeepAliveTwice "keep_alive_twice": "silent clients are closed after two keep-alives",
        models ["emqx-multiplier-counted-twice"], known_by ["keep_alive/silent_client#1"];
    KeepAliveSampled "keep_alive_sampled":
        "silence is looked for every half keep-alive, from the opening of the connection on",
        models ["emqx-late-by-extra-interval", "sampled-check-makes-lateness-phase-dependent"],
        known_by ["will/power_loss_amid_traffic#1", "keep_alive/silence_from_any_phase#1"];
    KeepAliveOnOwnTicker "keep_alive_on_own_ticker":
        "silence is looked for once a keep-alive, from the opening of the connection on",
        models ["mqtt5-broker-ticker-restarts-read-timeout"], known_by ["keep_alive/silent_after_connack#1"];
    KeepAliveOnGlobalTick "keep_alive_on_global_tick": "silence is looked for every 10 s",
        models ["nanomq-global-tick"], known_by ["keep_alive/small_values#1"];
    KeepAliveOnIdleLoop "keep_alive_on_idle_loop": "an idle broker looks for silence every 5 s",
        models ["mosquitto-idle-loop-sleeps-past-expiry"], known_by ["keep_alive/silent_after_connack#1"];
    KeepAliveTruncated "keep_alive_truncated": "1.5 keep-alives are cut to whole seconds",
        models ["odd-keepalive-rounded-down", "weak-wifi-flips-availability"],
        known_by ["keep_alive/silence_from_any_phase#1", "pause/stalls_of_a_device#1"];
    KeepAliveCapped "keep_alive_capped": "1.5 keep-alives are at most 65535 s",
        models ["rmqtt-large-keepalive-saturates"], known_by ["keep_alive/at_the_very_deadline#2"];
    KeepAliveFlatWhenShort "keep_alive_flat_when_short": "below 6 s the limit is the keep-alive and 3 s",
        models ["rmqtt-large-keepalive-saturates"], known_by ["keep_alive/at_the_very_deadline#2"];
    KeepAliveExceeded "keep_alive_exceeded": "1.5 keep-alives must be exceeded by a millisecond",
        models ["mosquitto-reach-versus-exceed"], known_by ["keep_alive/at_the_very_deadline#2"];
    KeepAliveNotEnforced "keep_alive_not_enforced": "nobody is closed for silence",
        models ["mosquitto-websocket-clients-never-expired", "middlebox-forgets-silently"],
        known_by ["will/power_loss#1", "half_open/middlebox_forgets#4"];
    KeepAliveMaximumExpiresAtOnce "keep_alive_maximum_expires_at_once":
        "a keep-alive that is the longest possible ends at once",
        models ["mosquitto-max-keepalive-equal-expires-at-once"], known_by ["server_keep_alive/declared_limits#2"];
    KeepAliveGrowsOnResume "keep_alive_grows_on_resume": "each resumed session has a second more",
        models ["hbmqtt-keepalive-grows-on-reconnect"], known_by ["session/keep_alive_is_of_the_connection#1"];
    KeepAliveZeroRejected "keep_alive_zero_rejected": "keep-alive 0 is refused",
        models ["mosquitto-zero-keepalive-rejected"], known_by ["keep_alive/zero_never_pings#2"];
    KeepAliveZeroExpires "keep_alive_zero_expires": "keep-alive 0 ends after 300 s",
        models ["keepalive-zero-zombies"], known_by ["half_open/keep_alive_zero_never_notices#1"];
    RefreshedByOutput "refreshed_by_output": "what is sent to a client keeps it alive",
        models ["rumqttd-outbound-traffic-renews-keepalive"], known_by ["half_open/client_to_broker#1"];
    RefreshedByBytes "refreshed_by_bytes": "a part of a packet keeps a client alive",
        models ["partial-packet-counts-as-alive"], known_by ["bandwidth/upload_slower_than_the_deadline#1"];
    OnlyPingreqRenews "only_pingreq_renews": "only PINGREQ keeps a client alive",
        models ["mosca-only-pingreq-renews"], known_by ["keep_alive/acknowledgements_count#3"];
    PublishDoesNotRenew "publish_does_not_renew": "PUBLISH does not keep a client alive",
        models ["vernemq-expired-while-flooding"], known_by ["bandwidth/busy_publisher#2"];
    ServerKeepAliveNotEnforced "server_keep_alive_not_enforced":
        "the broker's own keep-alive is announced, the client's enforced",
        models ["mqtt5-broker-ignores-own-server-keep-alive"], known_by ["server_keep_alive/binds_both_sides#2"];
    ServerKeepAliveOn311 "server_keep_alive_on311": "the broker's own keep-alive binds clients of 3.1.1, too",
        models ["emqx-server-keepalive-applied-to-v311"],
        known_by ["server_keep_alive/older_clients_keep_their_pace#3"];
    TimeoutWithoutClosing "timeout_without_closing": "after a time-out the session is gone, the connection stays",
        models ["rumqttd-timeout-without-closing-socket"], known_by ["half_open/late_ping_finds_the_door_closed#1"];
    TimeoutsBatched "timeouts_batched": "silent clients are closed one at a time, every 100 ms",
        models ["hivemq-ce-mass-timeouts-batched"], known_by ["keep_alive/many_at_once#1"];
    BlockedWriteHidesDeadline "blocked_write_hides_deadline":
        "nobody is closed for silence while there is something to write to it",
        models ["half-open-subscriber-with-full-buffer"], known_by ["back_pressure/full_window_hides_no_deadline#2"];
    WillLostOnTimeout "will_lost_on_timeout": "the will of a silent client is not published",
        models ["mosquitto-websocket-clients-never-expired"], known_by ["will/power_loss#2"];
    WillLost "will_lost": "no will is ever published",
        models ["emqx-late-by-extra-interval"], known_by ["will/power_loss#2"];
    WillTwice "will_twice": "wills are published twice",
        models ["will-delay-twin-effects"], known_by ["will/ten_times_within_the_delay#1"];
    WillOnCleanDisconnect "will_on_clean_disconnect": "DISCONNECT 0x00 does not delete the will",
        models ["will-sent-after-clean-disconnect"], known_by ["will/clean_disconnect#2"];
    WillSuppressedByAnyDisconnect "will_suppressed_by_any_disconnect": "DISCONNECT 0x04 deletes the will",
        models ["disconnect-with-will-suppressed"], known_by ["will/goodbye_with_will#1"];
    WillDelayIgnored "will_delay_ignored": "a will with a delay is published at once",
        models ["will-delay-longer-than-session"], known_by ["will/keep_alive_then_delay#2"];
    WillDelayNotCancelled "will_delay_not_cancelled": "a will that waits is published although the client is back",
        models ["will-delay-not-cancelled-by-resume"], known_by ["will/resume_cancels_the_delay#1"];
    WillDelayOutlivesSession "will_delay_outlives_session": "a session that ends first does not end the delay",
        models ["will-delay-longer-than-session"], known_by ["will/keep_alive_then_delay#2"];
    WillLostWithSession "will_lost_with_session": "a will that waits is lost when its session ends",
        models ["will-delay-longer-than-session"], known_by ["will/keep_alive_then_delay#2"];
    WillDelayBehindLongerOne "will_delay_behind_longer_one": "a will waits for those whose delay began before",
        models ["will-delay-queue-sorted-by-interval"], known_by ["will/delays_of_several#2"];
    TakeoverKeepsOld "takeover_keeps_old": "the old connection stays at takeover",
        models ["takeover-leaves-both-connected", "offline-after-online"],
        known_by ["takeover/half_open_session#1", "will/availability#1"];
    TakeoverSaysNothing "takeover_says_nothing": "the old connection is not told why it is closed",
        models ["takeover-without-reason"], known_by ["takeover/told_why#2"];
    TakeoverSkipsWill "takeover_skips_will": "the will of the old connection is lost at takeover",
        models ["takeover-skips-the-will", "will-lost-at-takeover-with-clean-start"],
        known_by ["will/each_connection_has_its_own#1", "will/takeover_with_clean_start#2"];
    TakeoverPublishesNewWill "takeover_publishes_new_will": "the will of the new connection is published at takeover",
        models ["takeover-publishes-the-new-clients-will"], known_by ["will/each_connection_has_its_own#3"];
    TakeoverOldTimerKillsNew "takeover_old_timer_kills_new": "the deadline of the old connection closes the new one",
        models ["old-timeout-kills-new-connection"], known_by ["takeover/old_deadline_spares_the_new#3"];
    TakeoverInheritsEndedSession "takeover_inherits_ended_session":
        "a session that ends with its connection is handed over at takeover",
        models ["takeover-of-expiry-zero-session-is-a-race"], known_by ["takeover/fin_and_connect_3_1_1#2"];
    TakeoverRefused "takeover_refused": "who is connected already is refused",
        models ["new-connection-refused-until-old-expires", "takeover-wedge-or-loop"],
        known_by ["takeover/half_open_session#1", "takeover/again_and_again#3"];
    SessionEndsEarly "session_ends_early": "a session ends a second early",
        models ["session-expiry-moved-or-overflowing"], known_by ["session/expiry_to_the_millisecond#1"];
    SessionEndsLate "session_ends_late": "a session ends a second late",
        models ["session-expiry-moved-or-overflowing"], known_by ["session/expiry_to_the_millisecond#1"];
    SessionNeverEnds "session_never_ends": "a session never ends",
        models ["session-never-expires"], known_by ["session/ends_when_it_should#1"];
    RestartForgetsExpiry "restart_forgets_expiry":
        "after a restart, sessions that had no connection before it never end",
        models ["session-expiry-forgotten-over-restart"], known_by ["session/ends_over_a_restart#1"];
    SessionExpiryOverflows "session_expiry_overflows": "a session expiry in milliseconds has 32 bits",
        models ["session-expiry-moved-or-overflowing"], known_by ["session/very_long#2"];
    SessionPresentNever "session_present_never": "CONNACK never says that there is a session",
        models ["session-present-wrong-or-misread"], known_by ["session/kept_by_the_broker#1"];
    SessionPresentAlways "session_present_always": "CONNACK always says that there is a session",
        models ["session-present-wrong-or-misread"], known_by ["session/kept_by_the_broker#1"];
    ResendMissing "resend_missing": "what is unacknowledged is not sent again",
        models ["unacked-outbound-lost-on-teardown"], known_by ["qos/subscriber_loses_each_packet#2"];
    ResendWithoutDup "resend_without_dup": "what is sent again has no DUP",
        models ["dup-missing-on-retransmission"], known_by ["session/survives_a_restart#4"];
    ReleaseNotResent "release_not_resent": "a PUBREL that is owed is not sent again",
        models ["owed-pubrel-not-resent"], known_by ["qos/release_outlives_the_message#1"];
    Qos2Twice "qos2_twice": "a message of QoS 2 that is sent again is passed on again",
        models ["qos2-replay-delivered-twice"], known_by ["qos/publisher_repeats_itself#1"];
    QuotaNotReset "quota_not_reset": "what was sent before still uses up the window of a new connection",
        models ["send-quota-not-reset-on-reconnect"], known_by ["back_pressure/quota_of_the_new_connection#2"];
    SlowSubscriberStallsAll "slow_subscriber_stalls_all": "one client that does not read stops messages to all",
        models ["slow-subscriber-stalls-the-broker"], known_by ["back_pressure/stuck_reader_among_others#1"];
    CongestedIsClosed "congested_is_closed": "a client that does not read is closed at once",
        models ["congested-subscriber-dropped-as-busy"], known_by ["back_pressure/slow_reader#2"];
    NoConnectTimeout "no_connect_timeout": "who never sends CONNECT is never closed",
        models [], known_by ["connect/no_connect#1"];
    GoodbyeLostWithHangUp "goodbye_lost_with_hang_up": "DISCONNECT is lost if the end of the connection comes with it",
        models ["disconnect-then-reset-loses-the-goodbye"], known_by ["will/goodbye_in_the_same_breath#3"];
    ResendsWhileConnected "resends_while_connected": "what is unacknowledged is sent again with each PINGRESP",
        models ["retransmission-inside-a-live-connection"], known_by ["qos/patience#2"];
    PacketIdInUse "packet_id_in_use": "a message gets the identifier of the oldest that is unacknowledged",
        models ["packet-id-collision-after-resume", "identifiers-go-round-onto-one-in-use"],
        known_by ["qos/identifiers_after_resume#2", "qos/window_goes_round#2"];
    Qos2LostOnResume "qos2_lost_on_resume": "a message of QoS 2 that comes again is acknowledged and not passed on",
        models ["qos2-messages-lost-after-cable-pull"], known_by ["qos/cable_pulled_under_load#1"];
    AliasesSurviveReconnect "aliases_survive_reconnect":
        "what is sent again has an alias of the connection before in the place of its topic",
        models ["topic-alias-replayed-after-reconnect"], known_by ["qos/aliases_die_with_the_connection#2"];
    ServerKeepAliveNotAnnounced "server_keep_alive_not_announced":
        "the broker's own keep-alive is enforced and not announced",
        models ["server-idle-limit-below-keepalive"], known_by ["server_keep_alive/within_bounds#1"];
    RetainedLifetimeNotCounted "retained_lifetime_not_counted":
        "who subscribes gets a retained message with its whole lifetime",
        models ["retained-lifetime-not-counted-down"], known_by ["expiry/of_a_retained_message#1"];
    ExpiredExchangeForgotten "expired_exchange_forgotten":
        "a PUBREL that is owed is not sent again if its message had a lifetime",
        models ["expiry-ends-an-exchange-under-way"], known_by ["expiry/not_of_an_exchange_under_way#2"];
    OversizedStallsQueue "oversized_stalls_queue":
        "who takes no message of a size gets no message any more once there was one",
        models ["oversized-message-stalls-the-queue"], known_by ["limits/oversized_message_stalls_nothing#1"];
    ReasonStringTooLarge "reason_string_too_large":
        "refusals have words that the client has no room for",
        models ["reason-string-makes-the-answer-too-large"], known_by ["conformance/acknowledgements_that_fit#1"];
    RefusalKeepsPlace "refusal_keeps_place":
        "a message that is refused keeps its place in the window",
        models ["refused-message-leaks-the-window"], known_by ["limits/refused_message_frees_its_place#1"];
    ReleaseNeedsRoom "release_needs_room":
        "PUBREL waits for room in the window for ever",
        models ["window-of-one-stuck-at-qos-2", "pubrel-queued-behind-a-full-window"], known_by ["limits/window_of_one#1"];
    UnsubscribedExchangeStuck "unsubscribed_exchange_stuck":
        "what is under way when UNSUBSCRIBE comes is never settled",
        models ["unsubscribe-leaves-a-message-stuck"], known_by ["subscribe/unsubscribe_with_a_message_under_way#4"];
    UnsubscribeForgotten "unsubscribe_forgotten":
        "UNSUBSCRIBE is answered and nothing else",
        models ["unsubscription-forgotten"], known_by ["subscribe/unsubscribed_gets_nothing#2"];
    SubscriptionIdentifierKept "subscription_identifier_kept":
        "a subscription that is made anew keeps its first identifier",
        models ["subscription-identifier-of-an-earlier-subscribe"], known_by ["subscribe/new_one_takes_the_place_of_an_old#1"];
    DisconnectLengthensZero "disconnect_lengthens_zero":
        "DISCONNECT may keep a session that was to end with its connection",
        models ["disconnect-lengthens-an-expiry-of-zero"], known_by ["session/expiry_cannot_begin_with_disconnect#1"];
    RetainHandlingIgnored "retain_handling_ignored":
        "each SUBSCRIBE brings the retained messages, whatever Retain Handling says",
        models ["retain-handling-ignored"], known_by ["subscribe/retain_handling#2"];
    RetainedOnlyOnce "retained_only_once":
        "a SUBSCRIBE for a filter that is there brings no retained messages",
        models ["retained-not-sent-on-subscribing-again"], known_by ["subscribe/retained_again_on_every_subscribe#1"];
    DeafAfterTenReconnects "deaf_after_ten_reconnects":
        "who has connected ten times gets no messages any more",
        models ["deaf-after-ten-reconnects"], known_by ["session/new_message_right_after_a_resume#1"];
    FirstReleaseAfterResumeLost "first_release_after_resume_lost":
        "the first PUBREL after a resume is not sent",
        models ["first-message-after-a-resume-gets-no-pubrel"], known_by ["session/new_message_right_after_a_resume#2"];
    UnsubscribeUnansweredAfterDup "unsubscribe_unanswered_after_dup":
        "who has repeated a message gets no UNSUBACK",
        models ["unsubscribe-unanswered-after-repetitions"], known_by ["subscribe/unsubscribe_after_repetitions#1"];
    NewIdentifierOnResume "new_identifier_on_resume":
        "what is sent again has another identifier",
        models ["new-identifiers-on-resume"], known_by ["qos/identifiers_after_resume#1"];
    QueueBehindNews "queue_behind_news":
        "what waited for a client comes behind what is new",
        models ["queue-and-news-out-of-order"], known_by ["session/news_after_what_waited#1"];
    AnswersDroppedWithQueue "answers_dropped_with_queue":
        "SUBACK and UNSUBACK are dropped while the window is full",
        models ["unsuback-dropped-with-the-queue-full"], known_by ["subscribe/unsubscribe_with_the_queue_full#1"];
    RetainedLimitedByQueue "retained_limited_by_queue":
        "a connection gets no more retained messages than the queue has room for",
        models ["a-part-of-the-retained-messages"], known_by ["retained/more_than_a_queue_holds#2"];
    WindowStopsQos0 "window_stops_qos0":
        "messages of QoS 0 are dropped while the window is full",
        models ["full-window-stops-qos-0"], known_by ["limits/full_window_stops_no_qos_0#2"];
    AliasesOfBeforeKnown "aliases_of_before_known":
        "the topic aliases of one connection hold on the next",
        models ["alias-of-the-connection-before-accepted"], known_by ["reset/alias_of_the_connection_before#3"];
    QuotaReasonWrong "quota_reason_wrong":
        "who sends too much ahead is told Quota exceeded",
        models ["quota-exceeded-in-place-of-receive-maximum-exceeded"], known_by ["conformance/window_of_the_broker#1"];
    PacketsBehindConnectLost "packets_behind_connect_lost":
        "what comes with CONNECT in one piece is lost",
        models ["packets-right-behind-connect-lost"], known_by ["connect/packets_right_behind_connect#1"];
    StopSaysWrongReason "stop_says_wrong_reason":
        "a broker that stops in order says Unspecified error",
        models ["orderly-stop-says-the-wrong-reason"], known_by ["broker/orderly_stop#1"];
    ShareOfWhoLeftLost "share_of_who_left_lost":
        "what a member of a group has not acknowledged ends with its session",
        models ["shared-messages-of-an-ended-session-lost"], known_by ["shared/what_an_ended_session_leaves#2"];
    ShareOfWhoIsAwayLost "share_of_who_is_away_lost":
        "what a group was owed while its members were away is not sent",
        models ["shared-messages-for-who-is-away-lost"], known_by ["shared/nobody_is_there#1"];
    StuckMemberHoldsUpGroup "stuck_member_holds_up_group":
        "a group gets no message while one of its members takes none",
        models ["group-idle-behind-a-stuck-member"], known_by ["shared/nobody_waits_behind_a_stuck_member#2"];
    RepetitionNotAnswered "repetition_not_answered":
        "a message that comes again on the same connection is not answered",
        models ["impatient-device-repeats-its-message"], known_by ["qos/impatient_device#1"];
    /// A core reads no clock, so it is the world that lets its clock leap with the date.
    TimersOnWallClock "timers_on_wall_clock": "timers follow the date",
        models ["wall-clock-jump-kills-connections", "will-delay-and-expiry-on-wall-clock"],
        known_by ["clock/date_is_set#1", "clock/date_moves_no_will_and_no_session#1"];

}
}
