use halfopen_client::core::{DisconnectReason, Event, Transport};
use halfopen_protocol::Version;
use halfopen_protocol::packet::ConnAck;

use super::log::printable;
use super::words;

/// Tells what is to be waited out from what ends the program: a first connection that fails, a refusal, and whatever
/// the client itself does not try again.
#[derive(Debug)]
pub(crate) struct Trouble {
    version: Version,
    was_connected: bool,
}

impl Trouble {
    pub(crate) fn new(version: Version) -> Self {
        Self { version, was_connected: false }
    }

    /// Why to give up, if this is a reason to.
    pub(crate) fn judge(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::Connected(_) => self.was_connected = true,
            Event::Rejected(error) => return Some(error.to_string()),
            Event::Disconnected { reason: DisconnectReason::Asked, .. } => {}
            Event::Disconnected { reason, retry_at } => {
                let is_refusal = matches!(reason, DisconnectReason::Refused(_));
                if is_refusal || !self.was_connected || retry_at.is_none() {
                    return Some(describe(reason, self.version));
                }
            }
            _ => {}
        }
        None
    }
}

/// Why a connection ended, for people.
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

/// What the broker says beside its reason, and where else it sends its clients (5.0).
fn with_details(text: &str, reason_string: Option<&str>, server_reference: Option<&str>) -> String {
    let reason_string = reason_string.map(|said| format!(": {}", printable(said))).unwrap_or_default();
    let server_reference = server_reference.map(|other| format!("; use {}", printable(other))).unwrap_or_default();
    format!("{text}{reason_string}{server_reference}")
}

#[cfg(test)]
mod tests {
    use halfopen_protocol::{Instant, ReasonCode};
    use rstest::rstest;

    use super::*;

    fn lost(reason: DisconnectReason, is_retried: bool) -> Event {
        Event::Disconnected { reason, retry_at: is_retried.then_some(Instant::ZERO) }
    }

    fn refused(code: u8) -> DisconnectReason {
        DisconnectReason::Refused(Box::new(ConnAck { reason: ReasonCode::new(code), ..ConnAck::default() }))
    }

    #[rstest]
    #[case::first(false, lost(DisconnectReason::ConnectFailed("Connection refused (os error 111)".into()), true), Some("Connection refused"))]
    #[case::later(true, lost(DisconnectReason::ConnectFailed("x".into()), true), None)]
    #[case::lost(true, lost(DisconnectReason::Closed(Transport::Reset), true), None)]
    #[case::not_retried(
        true,
        lost(DisconnectReason::Closed(Transport::Reset), false),
        Some("the connection was reset")
    )]
    #[case::refused(true, lost(refused(5), true), Some("Connection Refused: not authorised (5)"))]
    #[case::asked(true, lost(DisconnectReason::Asked, false), None)]
    fn only_what_time_does_not_mend_ends_the_program(
        #[case] was_connected: bool,
        #[case] event: Event,
        #[case] expected: Option<&str>,
    ) {
        let mut trouble = Trouble::new(Version::V3_1_1);
        if was_connected {
            trouble.judge(&Event::Connected(Box::default()));
        }
        assert_eq!(trouble.judge(&event).as_deref(), expected);
    }

    #[test]
    fn codes_of_5_0_have_the_names_of_5_0() {
        let text = describe(&refused(0x87), Version::V5_0);
        assert_eq!(text, "Connection Refused: Not authorized (135)");
    }
}
