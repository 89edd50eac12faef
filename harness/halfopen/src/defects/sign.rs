//! By what a defect is to be known.

use halfopen_broker::core::Defect as Broker;
use halfopen_client::core::Defect as Client;

use super::Defect;

/// What an expectation speaks of that this defect breaks: some of these words stand in its text.
///
/// A test that fails says something about a bug only if it fails because of it: a broker that drops its clients too early also
/// loses messages, but that is not how one would find it.
pub(super) fn of(defect: Defect) -> &'static [&'static str] {
    match defect {
        Defect::Broker(defect) => of_broker(defect),
        Defect::Client(defect) => of_client(defect),
    }
}

fn of_broker(defect: Broker) -> &'static [&'static str] {
    match defect {
        Broker::KeepAliveThreeQuarters
        | Broker::KeepAliveOnce
        | Broker::KeepAliveTwice
        | Broker::KeepAliveSampled
        | Broker::KeepAliveOnOwnTicker
        | Broker::KeepAliveOnGlobalTick
        | Broker::KeepAliveOnIdleLoop
        | Broker::KeepAliveTruncated
        | Broker::KeepAliveCapped
        | Broker::KeepAliveFlatWhenShort
        | Broker::KeepAliveExceeded
        | Broker::KeepAliveNotEnforced
        | Broker::KeepAliveMaximumExpiresAtOnce
        | Broker::KeepAliveGrowsOnResume
        | Broker::RefreshedByOutput
        | Broker::RefreshedByBytes
        | Broker::OnlyPingreqRenews
        | Broker::ServerKeepAliveNotEnforced
        | Broker::ServerKeepAliveOn311
        | Broker::TimeoutWithoutClosing
        | Broker::TimeoutsBatched
        | Broker::BlockedWriteHidesDeadline => &["because: keep_alive"],
        Broker::KeepAliveZeroRejected => &["CONNACK"],
        // Of whoever is alive, or may be silent for ever: it must not be closed at all.
        Broker::KeepAliveZeroExpires | Broker::PublishDoesNotRenew => &["never: { broker: { closes"],
        Broker::ServerKeepAliveNotAnnounced => &["server_keep_alive"],
        Broker::WillLostOnTimeout
        | Broker::WillLost
        | Broker::WillTwice
        | Broker::WillOnCleanDisconnect
        | Broker::WillSuppressedByAnyDisconnect
        | Broker::WillDelayIgnored
        | Broker::WillDelayNotCancelled
        | Broker::WillDelayOutlivesSession
        | Broker::WillLostWithSession
        | Broker::WillDelayBehindLongerOne
        | Broker::GoodbyeLostWithHangUp
        | Broker::TakeoverSkipsWill
        | Broker::TakeoverPublishesNewWill => &["PUBLISH"],
        Broker::TakeoverKeepsOld => &["because: takeover"],
        Broker::TakeoverSaysNothing => &["says: 0x8E"],
        Broker::TakeoverOldTimerKillsNew => &["never: { broker: { closes: new"],
        Broker::TakeoverInheritsEndedSession => &["session"],
        Broker::TakeoverRefused => &["because: takeover"],
        Broker::SessionEndsEarly
        | Broker::SessionEndsLate
        | Broker::SessionNeverEnds
        | Broker::RestartForgetsExpiry
        | Broker::SessionExpiryOverflows
        | Broker::SessionPresentNever
        | Broker::SessionPresentAlways => &["session_present"],
        Broker::ResendMissing | Broker::ResendWithoutDup => &["dup: true"],
        Broker::ReleaseNotResent => &["PUBREL"],
        Broker::ResendsWhileConnected | Broker::QuotaNotReset => &["receives: PUBLISH"],
        Broker::PacketIdInUse => &["receives: { PUBLISH"],
        Broker::Qos2Twice | Broker::Qos2LostOnResume | Broker::SlowSubscriberStallsAll => &["delivers"],
        Broker::AliasesSurviveReconnect => &["topic"],
        Broker::NoConnectTimeout => &["because: no_connect"],
        Broker::CongestedIsClosed => &["closes"],
        Broker::TimersOnWallClock => &["closes", "PUBLISH"],
    }
}

fn of_client(defect: Client) -> &'static [&'static str] {
    match defect {
        Client::PingOnlyWhenNothingReceived
        | Client::PingsRegardlessOfTraffic
        | Client::PingsTooSlowly
        | Client::PingsNotAtOneSecond
        | Client::PingStampFromStart
        | Client::PingsNotWhileCongested
        | Client::SuspendNotCounted
        | Client::ServerKeepAliveIgnored
        | Client::ServerKeepAliveNeedsRequest
        | Client::TimersOnWallClock => &["PINGREQ"],
        Client::PingsOnHalfIntervals => &["packet"],
        Client::SendingHidesDeadPeer
        | Client::NoPingrespDeadline
        | Client::PingTimeoutSwallowed
        | Client::PingrespDeadlineIsInterval
        | Client::PingrespDeadlineIsTwoIntervals
        | Client::PingrespDeadlineIsOneSecond
        | Client::PingrespTakenForLater
        | Client::PingStateSurvivesReconnect => &["because: no_pingresp"],
        Client::PingrespDeadlineStartsEarly
        | Client::PingrespDeadlineIgnoresBytes
        | Client::PingrespNotTaken
        | Client::PingrespMindedWhileDeaf => &["closes"],
        Client::ServerKeepAliveRemembered => &["CONNECT: { keep_alive"],
        Client::NoReconnectAfterPingTimeout
        | Client::NoReconnectAfterRefusal
        | Client::NoReconnectAfterFailure
        | Client::NoBackoff
        | Client::BackoffResetByAcceptance => &["sends: CONNECT", "is: connected"],
        Client::ConnackAwaitedForEver | Client::ConnackDeadlineStartsLate | Client::PingTimerKillsAttempts => {
            &["because: no_connack"]
        }
        Client::NotSubscribedAgain => &["SUBSCRIBE"],
        Client::ResumesWithoutSession
        | Client::UnacknowledgedLost
        | Client::ReceiveMaximumIgnored
        | Client::ReleaseNotRemembered
        | Client::NewBeforeResent => &["PUBLISH"],
        Client::WindowLeaks => &["PUBLISH", "PUBACK"],
        Client::ResendMissing | Client::ResendWithoutDup => &["dup: true"],
        Client::ReleaseNotResent => &["PUBREL"],
        Client::UnknownReleaseIgnored => &["PUBCOMP"],
        Client::OldAcknowledgementsSent => &["PUBACK"],
        Client::Qos2Twice => &["delivers"],
    }
}
