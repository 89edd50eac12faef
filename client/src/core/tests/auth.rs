use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::packet::{Auth, ConnAck, Disconnect};
use halfopen_protocol::{Packet, ReasonCode, Version};
use rstest::rstest;

use super::bench::{Bench, options};
use crate::core::{AuthError, CommandError, DisconnectReason, Event, Mechanism, Output, Timer};

/// Says `hello`, answers `who?` with `me`, and wants to hear `fine` at the end.
#[derive(Debug)]
struct Test;

impl Mechanism for Test {
    fn name(&self) -> ByteString {
        "TEST".into()
    }

    fn start(&mut self) -> Option<Bytes> {
        Some("hello".into())
    }

    fn challenge(&mut self, data: Option<&[u8]>) -> Result<Option<Bytes>, AuthError> {
        if data == Some(b"who?") { Ok(Some("me".into())) } else { Err(AuthError::new("not a question")) }
    }

    fn finish(&mut self, data: Option<&[u8]>) -> Result<(), AuthError> {
        if data == Some(b"fine") { Ok(()) } else { Err(AuthError::new("not fine")) }
    }
}

fn auth(reason: ReasonCode, method: &str, data: &'static str) -> Packet {
    Packet::Auth(Auth {
        reason,
        authentication_method: Some(method.into()),
        authentication_data: Some(data.into()),
        ..Auth::default()
    })
}

fn challenge() -> Packet {
    auth(ReasonCode::CONTINUE_AUTHENTICATION, "TEST", "who?")
}

fn connack(method: Option<&str>, data: Option<&'static str>) -> ConnAck {
    ConnAck {
        authentication_method: method.map(Into::into),
        authentication_data: data.map(Into::into),
        ..ConnAck::default()
    }
}

/// A client that has sent CONNECT.
fn connecting() -> Bench {
    let mut bench = Bench::new(options(Version::V5_0, 10));
    bench.client = bench.client.with_mechanism(Box::new(Test));
    bench.client.connect(bench.now);
    bench.client.handle_connected(bench.now);
    bench
}

fn connected() -> Bench {
    let mut bench = connecting();
    bench.receive(challenge());
    bench.receive(Packet::from(connack(Some("TEST"), Some("fine"))));
    assert!(bench.client.is_up());
    bench.take();
    bench
}

// Shows 5.0 MQTT-3.1.2-30, 5.0 MQTT-4.12.0-3, 5.0 MQTT-4.12.0-5.
#[test]
fn connect_names_the_method_and_auth_answers_what_is_asked() {
    let mut bench = connecting();
    let sent = bench.sent();
    let [Packet::Connect(connect)] = &*sent else { panic!("{sent:?}") };
    assert_eq!(connect.authentication_method.as_deref(), Some("TEST"));
    assert_eq!(connect.authentication_data.as_deref(), Some(&b"hello"[..]));
    // What the application wants waits for CONNACK.
    bench.publish(halfopen_protocol::packet::QoS::AtMostOnce, "early");
    bench.receive(challenge());
    assert_eq!(bench.sent(), [auth(ReasonCode::CONTINUE_AUTHENTICATION, "TEST", "me")]);
    bench.receive(Packet::from(connack(Some("TEST"), Some("fine"))));
    assert!(bench.client.is_up());
}

#[rstest]
#[case::of_another_method(auth(ReasonCode::CONTINUE_AUTHENTICATION, "OTHER", "who?"), "MQTT-4.12.0-5")]
#[case::success_in_place_of_connack(auth(ReasonCode::SUCCESS, "TEST", "fine"), "MQTT-4.12.0-2")]
#[case::connack_of_no_method(Packet::from(connack(None, None)), "MQTT-4.12.0-5")]
#[case::connack_of_another_method(Packet::from(connack(Some("OTHER"), None)), "MQTT-4.12.0-5")]
fn what_does_not_belong_into_the_exchange_is_a_protocol_error(#[case] packet: Packet, #[case] expected: &str) {
    let mut bench = connecting();
    bench.take();
    bench.receive(packet);
    let outputs = bench.events();
    let Some(Event::Disconnected { reason: DisconnectReason::Protocol { clause, .. }, .. }) = outputs.last() else {
        panic!("{outputs:?}")
    };
    assert_eq!(*clause, expected);
}

#[rstest]
#[case::challenge(auth(ReasonCode::CONTINUE_AUTHENTICATION, "TEST", "what?"), "not a question")]
#[case::end(Packet::from(connack(Some("TEST"), Some("bad"))), "not fine")]
fn a_broker_that_the_mechanism_does_not_believe_is_left(#[case] packet: Packet, #[case] what: &'static str) {
    let mut bench = connecting();
    bench.take();
    bench.receive(packet);
    let outputs = bench.take();
    let ended = outputs.iter().find_map(|output| match output {
        Output::Event(Event::Disconnected { reason, .. }) => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(ended, Some(DisconnectReason::Authentication(AuthError::new(what))));
    let farewell = Packet::Disconnect(Disconnect::new(ReasonCode::UNSPECIFIED_ERROR));
    assert_eq!(super::bench::sent(outputs).last(), Some(&farewell));
}

#[rstest]
#[case::auth(challenge())]
#[case::method_in_connack(Packet::from(connack(Some("TEST"), None)))]
fn nobody_who_did_not_ask_is_authenticated(#[case] packet: Packet) {
    let mut bench = Bench::new(options(Version::V5_0, 10));
    bench.client.connect(bench.now);
    bench.client.handle_connected(bench.now);
    bench.receive(packet);
    let Some(DisconnectReason::Protocol { clause, .. }) = bench.ended() else { panic!("it went on") };
    assert_eq!(clause, "MQTT-4.12.0-6");
}

#[test]
fn a_method_without_a_mechanism_leaves_and_says_why() {
    let mut options = options(Version::V5_0, 10);
    options.connect.authentication_method = Some("TEST".into());
    let mut bench = Bench::new(options);
    bench.client.connect(bench.now);
    bench.client.handle_connected(bench.now);
    bench.take();
    bench.receive(challenge());
    let reason = ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR;
    assert_eq!(bench.sent(), [Packet::Disconnect(Disconnect::new(reason))]);
}

#[test]
fn challenges_without_end_do_not_put_off_the_end_of_the_attempt() {
    let mut bench = connecting();
    let begin = bench.now;
    for second in 1..10 {
        bench.jump(begin + Duration::from_secs(second));
        bench.receive(challenge());
    }
    assert_eq!(bench.wake(), Some((begin + Duration::from_secs(10), Timer::Connect)));
    assert!(matches!(bench.ended(), Some(DisconnectReason::NoConnack { .. })));
}

// Shows 5.0 MQTT-4.12.1-1.
#[test]
fn a_connection_authenticates_again_and_goes_on() {
    let mut bench = connected();
    assert_eq!(bench.client.reauthenticate(bench.now), Ok(()));
    assert_eq!(bench.client.reauthenticate(bench.now), Err(CommandError::Authenticating));
    assert_eq!(bench.sent(), [auth(ReasonCode::RE_AUTHENTICATE, "TEST", "hello")]);
    bench.receive(challenge());
    assert_eq!(bench.sent(), [auth(ReasonCode::CONTINUE_AUTHENTICATION, "TEST", "me")]);
    bench.receive(auth(ReasonCode::SUCCESS, "TEST", "fine"));
    assert_eq!(bench.events(), [Event::Reauthenticated]);
    bench.receive(challenge());
    assert!(matches!(bench.ended(), Some(DisconnectReason::Protocol { clause: "MQTT-4.12.0-6", .. })));
}

// Shows 5.0 MQTT-4.12.1-2.
#[test]
fn a_broker_that_fails_to_prove_itself_again_is_left() {
    let mut bench = connected();
    bench.client.reauthenticate(bench.now).expect("it is connected");
    bench.receive(auth(ReasonCode::SUCCESS, "TEST", "bad"));
    assert_eq!(bench.ended(), Some(DisconnectReason::Authentication(AuthError::new("not fine"))));
}

// Shows 5.0 MQTT-4.12.0-7.
#[test]
fn who_is_not_connected_or_has_no_mechanism_cannot_authenticate_again() {
    let mut bench = Bench::new(options(Version::V5_0, 10));
    assert_eq!(bench.client.reauthenticate(bench.now), Err(CommandError::NotConnected));
    let mut bench = Bench::connected(options(Version::V5_0, 10));
    assert_eq!(bench.client.reauthenticate(bench.now), Err(CommandError::NoMechanism));
}

#[test]
fn a_broker_that_does_not_answer_is_left_when_the_time_to_connect_is_over() {
    let mut bench = connected();
    bench.client.stop_pinging();
    let at = bench.now;
    bench.client.reauthenticate(at).expect("it is connected");
    bench.jump(at + Duration::from_secs(3));
    bench.receive(challenge());
    assert_eq!(bench.wake(), Some((at + Duration::from_secs(10), Timer::Authenticate)), "a challenge is not the end");
    assert_eq!(bench.ended(), Some(DisconnectReason::NoAuth { at, due: at + Duration::from_secs(10) }));

    let mut bench = connected();
    bench.client.stop_pinging();
    bench.client.reauthenticate(bench.now).expect("it is connected");
    bench.receive(auth(ReasonCode::SUCCESS, "TEST", "fine"));
    assert_eq!(bench.due(), None);
}

#[test]
fn the_answer_to_auth_and_that_to_pingreq_are_minded_in_their_order() {
    let mut bench = connected();
    let began = bench.now;
    bench.client.options.connect_timeout = Duration::from_secs(5);
    bench.client.reauthenticate(began).expect("it is connected");
    assert_eq!(bench.due(), Some((began + Duration::from_secs(5), Timer::Authenticate)));
    bench.receive(auth(ReasonCode::SUCCESS, "TEST", "fine"));
    bench.client.options.connect_timeout = Duration::from_secs(15);
    bench.client.reauthenticate(began).expect("it is connected");
    assert_eq!(bench.due(), Some((began + Duration::from_secs(10), Timer::KeepAlive)));
}

#[test]
fn a_client_that_reads_nothing_does_not_mind_that_auth_is_not_answered() {
    let mut bench = connected();
    bench.client.credit = Some(0);
    bench.client.reauthenticate(bench.now).expect("it is connected");
    assert_eq!(bench.due(), Some((bench.now + Duration::from_secs(10), Timer::KeepAlive)));
    bench.run(bench.now + Duration::from_secs(100));
    assert_eq!(bench.ended(), None);
}

#[test]
fn a_connection_authenticates_again_by_the_method_of_connect_alone() {
    let mut bench = connected();
    bench.client.reauthenticate(bench.now).expect("it is connected");
    bench.receive(auth(ReasonCode::SUCCESS, "OTHER", "fine"));
    assert!(matches!(bench.ended(), Some(DisconnectReason::Protocol { clause: "MQTT-4.12.0-5", .. })));
}
