use halfopen_client::core::{DisconnectReason, Event, Transport};
use halfopen_protocol::packet::ConnAck;
use halfopen_protocol::{Instant, Packet, Version};

use super::text::printable;
use super::words;

/// Tells what is to be waited out from what ends the program: a refusal, whatever the client itself does not try again,
/// and attempts to connect that fail, once there were enough of them.
#[derive(Debug)]
pub(crate) struct Trouble {
    version: Version,
    patience: Patience,
    was_connected: bool,
    /// True if the broker has accepted the connection that is under way in CONNACK.
    is_up: bool,
    /// True if the broker's port has accepted it.
    is_open: bool,
    /// Number of attempts in a row that have ended without a CONNACK.
    failed: u32,
}

/// The number of attempts to connect that may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// This number of failures in a row ends the program.
    Attempts(u32),
    /// A first attempt that fails ends it; after a connection nothing does.
    FirstConnack,
    /// A first attempt that finds no open port ends it; after that nothing does. So does mosquitto_sub.
    FirstPort,
}

/// The warning before another attempt.
pub(crate) fn warning(why: &str, now: Instant, retry_at: Instant) -> String {
    format!("Warning: {why}; trying again in {:.1}s", retry_at.saturating_since(now).as_secs_f64())
}

/// The reaction to an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// The event needs no reaction.
    GoOn,
    /// Wait for the next attempt, at this time; the connection ended for this reason.
    Wait(String, Instant),
    /// End the program, for this reason.
    GiveUp(String),
}

impl Trouble {
    pub(crate) fn new(version: Version, patience: Patience) -> Self {
        Self { version, patience, was_connected: false, is_up: false, is_open: false, failed: 0 }
    }

    /// Judges the next event.
    pub(crate) fn judge(&mut self, event: &Event) -> Advice {
        match event {
            Event::Sending(Packet::Connect(_)) => self.is_open = true,
            Event::Connected(_) => (self.was_connected, self.is_up) = (true, true),
            Event::Rejected(error) => return Advice::GiveUp(error.to_string()),
            Event::Disconnected { reason: DisconnectReason::Asked, .. } => {}
            Event::Disconnected { reason, retry_at } => return self.lost(reason, *retry_at),
            _ => {}
        }
        Advice::GoOn
    }

    fn lost(&mut self, reason: &DisconnectReason, retry_at: Option<Instant>) -> Advice {
        let was_open = std::mem::take(&mut self.is_open);
        self.failed = if std::mem::take(&mut self.is_up) { 0 } else { self.failed.saturating_add(1) };
        let is_enough = match self.patience {
            Patience::Attempts(most) => self.failed >= most,
            Patience::FirstConnack => !self.was_connected,
            Patience::FirstPort => !self.was_connected && self.failed == 1 && !was_open,
        };
        let why = match reason {
            DisconnectReason::NoConnack { at, due } if was_open => {
                format!("the broker's port is open, but no CONNACK came within {:?}", due.saturating_since(*at))
            }
            _ => describe(reason, self.version),
        };
        match retry_at {
            Some(at) if !is_enough && !matches!(reason, DisconnectReason::Refused(_)) => Advice::Wait(why, at),
            _ => Advice::GiveUp(why),
        }
    }
}

/// Returns why a connection ended, for people.
pub(crate) fn describe(reason: &DisconnectReason, version: Version) -> String {
    match reason {
        DisconnectReason::Asked => "disconnected".to_owned(),
        DisconnectReason::NoPingresp { .. } => "no PINGRESP from the broker in time".to_owned(),
        DisconnectReason::NoConnack { at, due } => {
            format!("no connection and CONNACK within {:?}", due.saturating_since(*at))
        }
        DisconnectReason::ConnectFailed(message) => words(message).to_owned(),
        DisconnectReason::Refused(connack) => format!("Connection Refused: {}", refusal(connack, version)),
        DisconnectReason::Server(disconnect) => {
            let reason = disconnect.reason;
            let text =
                format!("the broker disconnected: {} ({})", reason.name().unwrap_or("unknown reason"), reason.value());
            with_details(&text, disconnect.reason_string.as_deref(), disconnect.server_reference.as_deref())
        }
        DisconnectReason::NoAuth { at, due } => {
            format!("no answer to AUTH within {:?}", due.saturating_since(*at))
        }
        DisconnectReason::Authentication(error) => format!("authentication failed: {error}"),
        DisconnectReason::Closed(Transport::Eof) => "the broker closed the connection".to_owned(),
        DisconnectReason::Closed(Transport::Reset) => "the connection was reset".to_owned(),
        DisconnectReason::Closed(Transport::TimedOut) => "the connection timed out".to_owned(),
        DisconnectReason::Closed(Transport::Other) => "the connection failed".to_owned(),
        DisconnectReason::Protocol { clause, what, .. } => {
            format!("the broker broke the protocol: {what} [{clause}]")
        }
    }
}

/// The meaning of a CONNACK's code: the return codes of 3.1.1 (§3.2.2.3) are others than the reason codes of 5.0.
fn refusal(connack: &ConnAck, version: Version) -> String {
    let code = connack.reason.value();
    let name = match (version, code) {
        (Version::V3_1_1, 1) => "unacceptable protocol version",
        (Version::V3_1_1, 2) => "identifier rejected",
        (Version::V3_1_1, 3) => "broker unavailable",
        (Version::V3_1_1, 4) => "bad user name or password",
        (Version::V3_1_1, 5) => "not authorised",
        _ => connack.reason.name().unwrap_or("unknown reason"),
    };
    with_details(&format!("{name} ({code})"), connack.reason_string.as_deref(), connack.server_reference.as_deref())
}

/// Returns what the broker says beside its reason, and where else it sends its clients (5.0).
fn with_details(text: &str, reason_string: Option<&str>, server_reference: Option<&str>) -> String {
    let reason_string = reason_string.map(|said| format!(": {}", printable(said))).unwrap_or_default();
    let server_reference = server_reference.map(|other| format!("; use {}", printable(other))).unwrap_or_default();
    format!("{text}{reason_string}{server_reference}")
}

#[cfg(test)]
mod tests {
    use halfopen_protocol::ReasonCode;
    use halfopen_protocol::packet::Connect;
    use rstest::rstest;

    use super::*;

    fn lost(reason: DisconnectReason, is_retried: bool) -> Event {
        Event::Disconnected { reason, retry_at: is_retried.then_some(Instant::ZERO) }
    }

    fn refused(code: u8) -> DisconnectReason {
        DisconnectReason::Refused(ConnAck { reason: ReasonCode::new(code), ..ConnAck::default() }.into())
    }

    fn failed() -> Event {
        lost(DisconnectReason::ConnectFailed("Connection refused (os error 111)".into()), true)
    }

    fn silent() -> Event {
        lost(DisconnectReason::NoConnack { at: Instant::ZERO, due: Instant::from_secs(10) }, true)
    }

    fn reset() -> Event {
        lost(DisconnectReason::Closed(Transport::Reset), true)
    }

    fn open() -> Event {
        Event::Sending(Packet::from(Connect::new(Version::V3_1_1, "1")))
    }

    fn connected() -> Event {
        Event::Connected(Default::default())
    }

    /// The last event is the one that matters; `None` is to wait.
    #[rstest]
    #[case::pub_closed_port(Patience::FirstConnack, &[failed()], Some("Connection refused"))]
    #[case::pub_silent(
        Patience::FirstConnack,
        &[open(), silent()],
        Some("the broker's port is open, but no CONNACK came within 10s")
    )]
    #[case::pub_later(Patience::FirstConnack, &[open(), connected(), reset(), failed(), failed()], None)]
    #[case::sub_closed_port(Patience::FirstPort, &[failed()], Some("Connection refused"))]
    #[case::sub_no_answer_to_syn(Patience::FirstPort, &[silent()], Some("no connection and CONNACK within 10s"))]
    #[case::sub_silent(Patience::FirstPort, &[open(), silent()], None)]
    #[case::sub_silent_again(Patience::FirstPort, &[open(), silent(), open(), silent()], None)]
    #[case::sub_reset(Patience::FirstPort, &[open(), reset()], None)]
    #[case::sub_restarting(Patience::FirstPort, &[open(), reset(), failed(), failed()], None)]
    #[case::sub_later(Patience::FirstPort, &[open(), connected(), reset()], None)]
    #[case::bounded(Patience::Attempts(2), &[failed(), failed()], Some("Connection refused"))]
    #[case::bounded_once(Patience::Attempts(2), &[failed()], None)]
    #[case::bounded_lost(Patience::Attempts(1), &[open(), connected(), reset()], None)]
    #[case::bounded_after_loss(Patience::Attempts(1), &[open(), connected(), reset(), failed()], Some("Connection refused"))]
    #[case::bounded_in_a_row(Patience::Attempts(2), &[failed(), open(), connected(), reset(), failed()], None)]
    #[case::not_retried(
        Patience::FirstPort,
        &[open(), connected(), lost(DisconnectReason::Closed(Transport::Reset), false)],
        Some("the connection was reset")
    )]
    #[case::refused(Patience::Attempts(9), &[open(), lost(refused(5), true)], Some("Connection Refused: not authorised (5)"))]
    fn only_what_time_does_not_mend_ends_the_program(
        #[case] patience: Patience,
        #[case] events: &[Event],
        #[case] expected: Option<&str>,
    ) {
        let mut trouble = Trouble::new(Version::V3_1_1, patience);
        let mut advice: Vec<_> = events.iter().map(|event| trouble.judge(event)).collect();
        let last = advice.pop();
        assert!(advice.iter().all(|advice| !matches!(advice, Advice::GiveUp(_))), "{advice:?}");
        match (last, expected) {
            (Some(Advice::GiveUp(why)), Some(expected)) => assert_eq!(why, expected),
            (Some(Advice::Wait(..)), None) => {}
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn leaving_is_no_trouble() {
        let mut trouble = Trouble::new(Version::V3_1_1, Patience::FirstConnack);
        assert_eq!(trouble.judge(&lost(DisconnectReason::Asked, false)), Advice::GoOn);
    }

    #[test]
    fn codes_of_5_0_have_the_names_of_5_0() {
        let text = describe(&refused(0x87), Version::V5_0);
        assert_eq!(text, "Connection Refused: Not authorized (135)");
    }
}
