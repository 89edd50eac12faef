//! Named defects that can be switched on, to show that the harness catches them. Each models a case from the field.
//!
//! The rules know nothing of them. Where a defect may take the place of a rule, the rule is called by a function that ends
//! in `_or_defect`. There are few: a packet that came, a packet that goes out, and the times of an attempt, of a ping and
//! of the next attempt are all that a defect needs. What each does stands in `apply` and, for pings, in `keep_alive`.
//!
//! Without the cargo feature `defects`, which only the harness enables, there is no defect, and these functions do nothing
//! but call the rules (`none`). With it there is no other way to one than [`with_defect`](super::Client::with_defect).

mod apply;
mod keep_alive;

pub(super) use self::apply::Defects;
pub(super) use self::keep_alive::KeepAliveOrDefect;

halfopen_protocol::defects! {
/// A defect of the client.
pub enum Defect {
    PingOnlyWhenNothingReceived "ping_only_when_nothing_received": "what comes in puts the PINGREQ off",
        models ["client-receive-traffic-suppresses-pingreq"], known_by ["keep_alive/lesson#6"];
    SendingHidesDeadPeer "sending_hides_dead_peer": "who only sends never asks whether anybody is there",
        models ["client-publish-traffic-suppresses-dead-peer-check"],
        known_by ["half_open/publisher_without_answers#2"];
    NoPingrespDeadline "no_pingresp_deadline": "PINGRESP is waited for without limit",
        models ["client-no-pingresp-deadline", "middlebox-forgets-silently"],
        known_by ["half_open/broker_to_client#2", "half_open/idle_limit_of_a_nat#1"];
    PingTimeoutSwallowed "ping_timeout_swallowed": "a PINGRESP that is late ends the keep-alive, not the connection",
        models ["mqttnet-ping-timeout-swallowed"], known_by ["half_open/broker_vanishes#1"];
    PingrespDeadlineIsInterval "pingresp_deadline_is_interval": "PINGRESP is waited for a whole keep-alive",
        models ["pingresp-deadline-too-short-or-too-long", "paho-c-loss-reported-at-2-5-keepalives", "rumqttc-unconditional-pings-and-2k-detection"],
        known_by ["keep_alive/client_judges_the_answer#2", "half_open/publisher_without_answers#2", "keep_alive/other_packets_are_no_answer#2"];
    PingrespDeadlineIsTwoIntervals "pingresp_deadline_is_two_intervals": "PINGRESP is missed at three keep-alives",
        models ["mqtt5-client-exact-boundary-adds-a-tick"],
        known_by ["keep_alive/answer_is_judged_by_its_own_deadline#1"];
    PingrespDeadlineIsOneSecond "pingresp_deadline_is_one_second": "PINGRESP is waited for a second",
        models ["pingresp-deadline-too-short-or-too-long"], known_by ["keep_alive/client_judges_the_answer#2"];
    PingrespDeadlineStartsEarly "pingresp_deadline_starts_early":
        "the time for PINGRESP runs from the packet before PINGREQ",
        models ["esp-mqtt-response-clock-starts-early"], known_by ["back_pressure/question_waits_behind_a_message#3"];
    PingrespDeadlineIgnoresBytes "pingresp_deadline_ignores_bytes":
        "bytes that come in are no sign of life while PINGRESP is waited for",
        models ["large-inbound-message-delays-pingresp"], known_by ["bandwidth/large_message_holds_up_the_answer#3"];
    PingrespNotTaken "pingresp_not_taken": "a PINGRESP does not settle the question",
        models ["false-ping-timeouts"], known_by ["keep_alive/client_judges_the_answer#2"];
    PingrespTakenForLater "pingresp_taken_for_later": "a PINGRESP that was not asked for settles a later question",
        models ["false-ping-timeouts"], known_by ["keep_alive/client_judges_the_answer#2"];
    PingrespMindedWhileDeaf "pingresp_minded_while_deaf": "PINGRESP is missed though the client itself does not read",
        models ["client-side-zero-window", "blocked-callback-starves-keepalive"],
        known_by ["back_pressure/slow_application#4"];
    PingsRegardlessOfTraffic "pings_regardless_of_traffic": "PINGREQ goes out once a keep-alive whatever else is sent",
        models ["rumqttc-unconditional-pings-and-2k-detection"], known_by ["half_open/busy_client_needs_no_pings#2"];
    PingsTooSlowly "pings_too_slowly": "PINGREQ goes out after 1.5 keep-alives",
        models ["client-pings-slower-than-its-keepalive", "middlebox-idle-timeout-equals-keepalive"],
        known_by ["clock/fast_and_slow_client#2", "reset/short_keep_alive_beats_the_proxy#3"];
    PingsOnHalfIntervals "pings_on_half_intervals": "a ping is looked at every half keep-alive",
        models ["paho-go-boundary-slip"], known_by ["keep_alive/slow_answers#1"];
    PingsNotAtOneSecond "pings_not_at_one_second": "with a keep-alive of one second there are no pings",
        models ["paho-go-one-second-keepalive-panics"], known_by ["keep_alive/idle_client_pings_on_time#1"];
    PingsNotWhileCongested "pings_not_while_congested": "no PINGREQ while there is much to write",
        models ["mqtt5-ping-behind-writer-lock"], known_by ["back_pressure/question_waits_behind_a_message#1"];
    PingStateSurvivesReconnect "ping_state_survives_reconnect":
        "an unanswered PINGREQ is still waited for on the next connection",
        models ["ping-state-survives-reconnect"], known_by ["reconnect/offline_for_five_minutes#1"];
    ServerKeepAliveIgnored "server_keep_alive_ignored": "the broker's keep-alive is not adopted",
        models ["client-ignores-server-keep-alive"], known_by ["server_keep_alive/each_connection_anew#2"];
    ServerKeepAliveNeedsRequest "server_keep_alive_needs_request":
        "the broker's keep-alive is not adopted by who asked for 0",
        models ["mqttjs-server-keep-alive-needs-nonzero-request"],
        known_by ["server_keep_alive/each_connection_anew#2"];
    ServerKeepAliveRemembered "server_keep_alive_remembered": "the broker's keep-alive is asked for from then on",
        models ["mqttjs-server-keep-alive-needs-nonzero-request"],
        known_by ["server_keep_alive/each_connection_anew#1"];
    NoReconnectAfterPingTimeout "no_reconnect_after_ping_timeout": "after a missing PINGRESP nothing is tried again",
        models ["paho-c-lost-callback-never-fires", "paho-python-ping-write-error-kills-loop"],
        known_by ["reconnect/offline_for_five_minutes#3", "reconnect/peer_reads_nothing#3"];
    NoReconnectAfterRefusal "no_reconnect_after_refusal": "after a refusal nothing is tried again",
        models ["no-reconnect-after-refusal-or-crash"], known_by ["reconnect/every_kind_of_failure#3"];
    NoReconnectAfterFailure "no_reconnect_after_failure": "after a connection that failed nothing is tried again",
        models ["no-reconnect-after-refusal-or-crash", "browser-timer-throttling"],
        known_by ["reconnect/every_kind_of_failure#3", "pause/throttled_tab#3"];
    NoBackoff "no_backoff": "each attempt follows at once",
        models ["backoff-reset-by-accepted-connection"], known_by ["reconnect/backoff_grows#4"];
    BackoffResetByAcceptance "backoff_reset_by_acceptance": "a connection that is accepted starts the pauses over",
        models ["backoff-reset-by-accepted-connection", "duplicate-id-flap-without-backoff"],
        known_by ["takeover/twins_with_backoff#2"];
    ConnackAwaitedForEver "connack_awaited_for_ever": "connection and CONNACK are waited for without limit",
        models ["connack-never-arrives"], known_by ["connect/connack_never_comes#1"];
    ConnackDeadlineStartsLate "connack_deadline_starts_late": "the time for CONNACK begins with the open connection",
        models ["connack-never-arrives"], known_by ["connect/connack_never_comes#1"];
    PingTimerKillsAttempts "ping_timer_kills_attempts": "after a missing PINGRESP each attempt has only a millisecond",
        models ["reconnect-loop-while-offline"], known_by ["reconnect/offline_for_five_minutes#2"];
    NotSubscribedAgain "not_subscribed_again": "what was subscribed to is not asked for again",
        models ["session-lost-client-does-not-resubscribe"], known_by ["reconnect/broker_power_loss#3"];
    ResumesWithoutSession "resumes_without_session": "what is unacknowledged is sent again though there is no session",
        models ["session-present-wrong-or-misread"], known_by ["session/unacknowledged_follows_the_flag#2"];
    UnacknowledgedLost "unacknowledged_lost": "what is unacknowledged is lost with the session",
        models ["unacked-outbound-lost-on-teardown"], known_by ["reconnect/broker_power_loss#4"];
    ReceiveMaximumIgnored "receive_maximum_ignored": "the broker's Receive Maximum does not bind",
        models ["client-exceeds-receive-maximum"], known_by ["back_pressure/receive_maximum#1"];
    WindowLeaks "window_leaks": "what was under way uses up the window for ever",
        models ["publisher-window-leaks", "collision-slot-livelock"],
        known_by ["back_pressure/window_does_not_leak#4", "qos/nothing_waits_for_a_lost_session#3"];
    ResendMissing "resend_missing": "what is unacknowledged is not sent again",
        models ["unacked-outbound-lost-on-teardown"], known_by ["qos/puback_lost#1"];
    ResendWithoutDup "resend_without_dup": "what is sent again has no DUP",
        models ["dup-missing-on-retransmission"], known_by ["qos/puback_lost#1"];
    ReleaseNotResent "release_not_resent": "a PUBREL that is owed is not sent again",
        models ["owed-pubrel-not-resent"], known_by ["qos/each_packet_lost_in_turn#2"];
    Qos2Twice "qos2_twice": "a message of QoS 2 that comes again is handed on again",
        models ["qos2-replay-delivered-twice"], known_by ["qos/subscriber_loses_each_packet#4"];
    PingStampFromStart "ping_stamp_from_start":
        "on each connection the first PINGREQ is due a keep-alive after the start of the program",
        models ["sntp-sync-after-boot-loops-keepalive"], known_by ["clock/first_time_sync#1"];
    /// The world lets the client's clock stand still, too.
    SuspendNotCounted "suspend_not_counted": "the time for which a process stands still does not count",
        models ["suspend-not-counted"], known_by ["pause/slept_for_hours#3"];
    ReleaseNotRemembered "release_not_remembered": "PUBLISH is sent again in the place of a PUBREL that is owed",
        models ["qos2-publish-replayed-after-pubrel"], known_by ["qos/each_packet_lost_in_turn#3"];
    UnknownReleaseIgnored "unknown_release_ignored": "a PUBREL for an unknown message is not answered",
        models ["resume-starting-with-pubrel"], known_by ["qos/client_forgot_the_exchange#2"];
    OldAcknowledgementsSent "old_acknowledgements_sent": "the acknowledgements of one connection are sent on the next",
        models ["stale-ack-sent-on-new-connection"], known_by ["qos/old_acknowledgements_die#3"];
    NewBeforeResent "new_before_resent": "new messages go before those that are sent again",
        models ["resend-order-and-new-messages"], known_by ["qos/order_across_a_cut#1"];
    LongestPauseKept "longest_pause_kept":
        "no pause is shorter than one before",
        models ["longest-pause-kept-for-ever"], known_by ["reconnect/longest_pause_is_not_kept#1"];
    PacketSizeIgnored "packet_size_ignored":
        "the broker's Maximum Packet Size does not bind",
        models ["client-ignores-maximum-packet-size"], known_by ["limits/client_keeps_the_packet_size_of_the_server#1"];
    HandlerDeadlock "handler_deadlock":
        "what an application publishes as it takes a message is lost",
        models ["publishing-from-the-handler-deadlocks"], known_by ["qos/published_from_the_handler#1"];
    RefusalKeepsPlace "refusal_keeps_place":
        "a message that is refused keeps its place in the window",
        models ["refused-message-leaks-the-window"], known_by ["limits/client_is_refused_and_goes_on#1"];
    BirthOnlyOnce "birth_only_once":
        "what an application publishes as a connection begins is sent on the first connection alone",
        models ["birth-message-missing-after-a-reconnect"], known_by ["reconnect/birth_message#1"];
    /// A core reads no clock, so it is the world that lets its clock leap with the date.
    TimersOnWallClock "timers_on_wall_clock": "timers follow the date",
        models ["client-clock-backwards-stops-pings"], known_by ["clock/date_of_a_client_is_set#1"];

}
}
