//! Who may connect: anonymous clients, passwords, and the AUTH exchange (§4.12 of 5.0).

use bytes::Bytes;
use halfopen_broker::auth::Scripted;
use halfopen_broker::core::{CloseReason, ConnectionId};
use halfopen_broker::{Access, Broker, Config};
use halfopen_protocol::packet::{Auth, ConnAck, Connect, Disconnect, QoS};
use halfopen_protocol::{Packet, ReasonCode, Version};
use rstest::rstest;

use crate::fixture::{SEED, World, disconnect, lasting, message, secs, will};

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;

fn refused(code: u8) -> Packet {
    Packet::from(ConnAck { reason: ReasonCode::new(code), ..ConnAck::default() })
}

fn as_user(version: Version, username: &'static str, password: &'static str) -> Connect {
    Connect { username: Some(username.into()), password: Some(password.into()), ..Connect::new(version, "c") }
}

fn connect(world: &mut World, connect: Connect) -> ConnectionId {
    let peer = world.open();
    world.send(peer, Packet::from(connect));
    peer
}

fn with_passwords() -> World {
    World::with_access(Access { anonymous: false, passwords: true, ..Access::default() })
}

fn with_dialogue() -> World {
    let test = Scripted::new("TEST", ["hello", "who-are-you", "me"]);
    World::with_access(Access { mechanisms: vec![Box::new(test)], ..Access::default() })
}

fn by_test(client_id: &'static str) -> Connect {
    Connect {
        authentication_method: Some("TEST".into()),
        authentication_data: Some("hello".into()),
        ..Connect::new(V5, client_id)
    }
}

fn auth(reason: ReasonCode, method: &'static str, data: &'static str) -> Packet {
    Packet::Auth(Auth {
        reason,
        authentication_method: Some(method.into()),
        authentication_data: Some(Bytes::from_static(data.as_bytes())),
        ..Auth::default()
    })
}

fn answer(data: &'static str) -> Packet {
    auth(ReasonCode::CONTINUE_AUTHENTICATION, "TEST", data)
}

/// A client that is let in by the dialogue.
fn authenticated(world: &mut World) -> ConnectionId {
    let peer = connect(world, by_test("c"));
    world.send(peer, answer("me"));
    assert_eq!(world.received(peer).len(), 2);
    peer
}

#[rstest]
#[case(V3, 0x05)]
#[case(V5, 0x87)]
fn a_stranger_is_refused_where_strangers_are(#[case] version: Version, #[case] reason: u8) {
    let mut world = with_passwords();
    let peer = connect(&mut world, Connect::new(version, "c"));
    assert_eq!(world.received(peer), [refused(reason)]);
    assert_eq!(world.why_closed(peer), CloseReason::Refused { reason: ReasonCode::new(reason) });
    assert_eq!(world.broker.session_count(), 0);
}

#[rstest]
fn a_name_means_nothing_where_nobody_judges_it(#[values(V3, V5)] version: Version) {
    let mut world = World::new();
    let peer = connect(&mut world, as_user(version, "ann", "secret"));
    assert!(matches!(&world.received(peer)[..], [Packet::ConnAck(connack)] if connack.reason == ReasonCode::SUCCESS));
    assert!(world.asked.is_empty());
}

#[rstest]
fn a_password_is_judged_before_anything_happens(#[values(V3, V5)] version: Version) {
    let mut world = with_passwords();
    let peer = connect(&mut world, Connect { will: Some(will().into()), ..as_user(version, "ann", "secret") });
    assert_eq!(world.received(peer), []);
    assert_eq!(world.broker.session_count(), 0);
    let (asked, login) = world.asked.pop().expect("a question");
    assert_eq!((asked, &*login.username, &login.password[..]), (peer, "ann", &b"secret"[..]));
    assert!(!format!("{login:?}").contains("secret"));

    world.verified(peer, true);
    assert!(matches!(&world.received(peer)[..], [Packet::ConnAck(connack)] if connack.reason == ReasonCode::SUCCESS));
    assert_eq!(world.broker.session_count(), 1);
}

#[rstest]
#[case(V3, 0x05)]
#[case(V5, 0x86)]
fn a_wrong_password_is_refused_and_leaves_nothing(#[case] version: Version, #[case] reason: u8) {
    let mut world = with_passwords();
    let peer = connect(&mut world, as_user(version, "ann", "wrong"));
    world.verified(peer, false);
    assert_eq!(world.received(peer), [refused(reason)]);
    assert_eq!(world.why_closed(peer), CloseReason::Refused { reason: ReasonCode::new(reason) });
    assert_eq!((world.broker.session_count(), world.broker.connection_count()), (0, 0));
}

#[rstest]
#[case(V3, 0x05)]
#[case(V5, 0x86)]
fn a_user_without_a_password_is_refused_without_a_question(#[case] version: Version, #[case] reason: u8) {
    let mut world = with_passwords();
    let peer = connect(&mut world, Connect { password: None, ..as_user(version, "ann", "") });
    assert_eq!(world.received(peer), [refused(reason)]);
    assert!(world.asked.is_empty());
}

#[test]
fn a_wrong_password_does_not_take_over_a_connection() {
    let mut world = with_passwords();
    let first = connect(&mut world, as_user(V5, "ann", "secret"));
    world.verified(first, true);
    let second = connect(&mut world, as_user(V5, "ann", "wrong"));
    world.verified(second, false);
    assert!(world.is_open(first));
}

// Shows 3.1.1 MQTT-3.1.4-5, 5.0 MQTT-3.1.4-6.
#[rstest]
fn what_comes_behind_the_connect_waits_for_the_verdict(#[values(V3, V5)] version: Version) {
    let mut world = with_passwords();
    let watcher = connect(&mut world, Connect { client_id: "watcher".into(), ..as_user(V3, "bob", "b") });
    world.verified(watcher, true);
    world.received(watcher);
    world.subscribe(watcher, halfopen_protocol::packet::Subscription::new("t", QoS::AtMostOnce));
    for accepted in [false, true] {
        let peer = connect(&mut world, as_user(version, "ann", "secret"));
        // §3.1.4: clients need not wait for CONNACK.
        world.send(peer, Packet::from(message("t", "early")));
        assert_eq!(world.messages(watcher), Vec::<String>::new());
        world.verified(peer, accepted);
        // [MQTT-3.1.4-5] (3.1.1), [MQTT-3.1.4-6] (5.0): nothing behind a CONNECT that is refused.
        assert_eq!(world.messages(watcher), if accepted { vec!["t early"] } else { vec![] });
    }
}

#[test]
fn what_waits_for_the_verdict_is_bounded() {
    let config = Config { maximum_packet_size: 100, ..Config::default() };
    let access = Access { passwords: true, ..Access::default() };
    let mut world = World::of(Broker::with_access(config, access, SEED));
    let peer = connect(&mut world, as_user(V5, "ann", "secret"));
    world.send_bytes(peer, &[0xC0; 100]);
    assert!(world.is_open(peer));
    world.send_bytes(peer, &[0]);
    assert_eq!(world.why_closed(peer), CloseReason::Quota);
}

#[test]
fn a_verdict_that_comes_late_is_for_nobody() {
    let mut world = with_passwords();
    let silent = connect(&mut world, as_user(V5, "ann", "secret"));
    world.advance(secs(10));
    assert!(matches!(world.why_closed(silent), CloseReason::NoConnect { .. }));
    let gone = connect(&mut world, as_user(V5, "ann", "secret"));
    world.cut(gone);
    for peer in [silent, gone] {
        world.verified(peer, true);
        assert_eq!(world.received(peer), []);
    }
    assert_eq!(world.broker.session_count(), 0);
}

#[test]
fn a_verdict_that_nobody_asked_for_changes_nothing() {
    let mut world = with_dialogue();
    let peer = connect(&mut world, by_test("c"));
    world.received(peer);
    world.verified(peer, true);
    assert_eq!(world.received(peer), []);
    assert_eq!(world.broker.session_count(), 0);
}

#[test]
fn a_session_is_not_resumed_by_another_user() {
    let mut world = with_passwords();
    let mut kept = Vec::new();
    for user in ["ann", "ann", "bob"] {
        let lasting = Connect { password: Some("p".into()), username: Some(user.into()), ..lasting(V5, "c", 100) };
        let peer = connect(&mut world, lasting);
        world.verified(peer, true);
        let Some(Packet::ConnAck(connack)) = world.received(peer).pop() else { panic!("no CONNACK") };
        kept.push(connack.session_present);
        world.cut(peer);
    }
    assert_eq!(kept, [false, true, false]);
}

// Shows 5.0 MQTT-4.12.0-2, 5.0 MQTT-4.12.0-5.
#[test]
fn a_method_is_a_question_and_an_answer_until_connack() {
    let mut world = with_dialogue();
    let peer = connect(&mut world, by_test("c"));
    // [MQTT-4.12.0-2], [MQTT-4.12.0-5]
    assert_eq!(world.received(peer), [answer("who-are-you")]);
    assert_eq!(world.broker.session_count(), 0);
    world.send(peer, answer("me"));
    let Some(Packet::ConnAck(connack)) = world.received(peer).pop() else { panic!("no CONNACK") };
    assert_eq!(connack.reason, ReasonCode::SUCCESS);
    assert_eq!(connack.authentication_method.as_deref(), Some("TEST"));
    assert!(world.broker.client("c").is_some());
}

// Shows 5.0 MQTT-4.12.0-4.
#[test]
fn a_wrong_answer_is_refused() {
    let mut world = with_dialogue();
    let peer = connect(&mut world, by_test("c"));
    world.received(peer);
    world.send(peer, answer("you"));
    // [MQTT-4.12.0-4]
    assert_eq!(world.received(peer), [refused(0x87)]);
    assert_eq!(world.why_closed(peer), CloseReason::Refused { reason: ReasonCode::NOT_AUTHORIZED });
    assert_eq!(world.broker.session_count(), 0);
}

#[test]
fn an_unknown_method_is_refused() {
    let mut world = with_dialogue();
    let peer = connect(&mut world, Connect { authentication_method: Some("test".into()), ..by_test("c") });
    // [MQTT-4.12.0-1]
    assert_eq!(world.received(peer), [refused(0x8C)]);
}

#[rstest]
#[case::ping(Packet::PingReq, "MQTT-3.1.2-30")]
#[case::publish(Packet::from(message("t", "early")), "MQTT-3.1.2-30")]
#[case::connect(Packet::from(by_test("c")), "MQTT-3.1.2-30")]
#[case::method(auth(ReasonCode::CONTINUE_AUTHENTICATION, "OTHER", "me"), "MQTT-4.12.0-5")]
#[case::anew(auth(ReasonCode::RE_AUTHENTICATE, "TEST", "hello"), "MQTT-4.12.0-3")]
fn before_connack_only_the_answer_may_come(#[case] packet: Packet, #[case] expected: &str) {
    let mut world = with_dialogue();
    let peer = connect(&mut world, by_test("c"));
    world.received(peer);
    world.send(peer, packet);
    assert_eq!(world.received(peer), [refused(0x82)]);
    let why = world.why_closed(peer);
    assert!(matches!(why, CloseReason::Protocol { clause, .. } if clause == expected), "{why:?}");
    assert_eq!(world.broker.session_count(), 0);
}

#[test]
fn a_connect_of_another_version_in_the_midst_of_a_dialogue_is_not_answered_in_that_version() {
    let mut world = with_dialogue();
    let peer = connect(&mut world, by_test("c"));
    world.received(peer);
    world.send_bytes(peer, b"\x10\x0d\0\x04MQTT\x03\x02\0\0\0\x01c");
    assert_eq!(world.received(peer), []);
    assert!(!world.is_open(peer));
}

#[test]
fn a_client_may_take_its_leave_before_connack() {
    let mut world = with_dialogue();
    let peer = connect(&mut world, by_test("c"));
    world.received(peer);
    world.send(peer, Packet::Disconnect(Disconnect::default()));
    assert_eq!(world.received(peer), []);
    assert_eq!(world.why_closed(peer), CloseReason::Disconnected);
}

#[test]
fn client_that_cannot_take_the_question_is_not_kept_waiting() {
    let mut world = with_dialogue();
    let peer = connect(&mut world, Connect { maximum_packet_size: Some(10), ..by_test("c") });
    assert_eq!(world.received(peer), []);
    assert_eq!(world.why_closed(peer), CloseReason::Refused { reason: ReasonCode::PACKET_TOO_LARGE });
}

#[test]
fn an_answer_that_never_comes_is_not_waited_for() {
    let mut world = with_dialogue();
    let peer = connect(&mut world, by_test("c"));
    world.advance_to_just_before(secs(10));
    assert!(world.is_open(peer));
    world.advance(secs(1));
    assert!(matches!(world.why_closed(peer), CloseReason::NoConnect { .. }));
}

#[test]
fn a_client_authenticates_anew_while_it_works_on() {
    let mut world = with_dialogue();
    let peer = authenticated(&mut world);
    for _ in 0..2 {
        world.send(peer, auth(ReasonCode::RE_AUTHENTICATE, "TEST", "hello"));
        assert_eq!(world.received(peer), [answer("who-are-you")]);
        // §4.12.1: it may use the connection meanwhile.
        world.send(peer, Packet::PingReq);
        assert_eq!(world.received(peer), [Packet::PingResp]);
        world.send(peer, answer("me"));
        let success = Auth { authentication_method: Some("TEST".into()), ..Auth::default() };
        assert_eq!(world.received(peer), [Packet::Auth(success)]);
    }
    assert!(world.is_open(peer));
}

// Shows 5.0 MQTT-4.12.1-2.
#[test]
fn a_re_authentication_that_fails_is_the_end() {
    let mut world = with_dialogue();
    let peer = authenticated(&mut world);
    world.send(peer, auth(ReasonCode::RE_AUTHENTICATE, "TEST", "goodbye"));
    // [MQTT-4.12.1-2]
    assert_eq!(world.received(peer), [disconnect(ReasonCode::NOT_AUTHORIZED)]);
    assert_eq!(world.why_closed(peer), CloseReason::Refused { reason: ReasonCode::NOT_AUTHORIZED });
}

#[rstest]
#[case::method(&[auth(ReasonCode::RE_AUTHENTICATE, "OTHER", "hello")], "MQTT-4.12.1-1")]
#[case::nothing_begun(&[answer("me")], "MQTT-4.12.0-3")]
#[case::twice(
    &[auth(ReasonCode::RE_AUTHENTICATE, "TEST", "hello"), auth(ReasonCode::RE_AUTHENTICATE, "TEST", "hello")],
    "§4.12.1"
)]
fn a_re_authentication_follows_the_rules(#[case] packets: &[Packet], #[case] expected: &str) {
    let mut world = with_dialogue();
    let peer = authenticated(&mut world);
    for packet in packets {
        world.send(peer, packet.clone());
    }
    assert_eq!(world.received(peer).pop(), Some(disconnect(ReasonCode::PROTOCOL_ERROR)));
    let why = world.why_closed(peer);
    assert!(matches!(why, CloseReason::Protocol { clause, .. } if clause == expected), "{why:?}");
}

#[test]
fn a_re_authentication_cannot_change_the_user() {
    let either = Scripted::new("TEST", ["hello"]);
    let mut world = World::with_access(Access { mechanisms: vec![Box::new(Fickle(either, 0))], ..Access::default() });
    let peer = connect(&mut world, by_test("c"));
    world.received(peer);
    world.send(peer, auth(ReasonCode::RE_AUTHENTICATE, "TEST", "hello"));
    assert_eq!(world.received(peer), [disconnect(ReasonCode::NOT_AUTHORIZED)]);
}

#[test]
fn without_a_method_there_is_none_in_connack() {
    let mut world = with_dialogue();
    let (_, connack) = world.connect_and_ack(Connect::new(V5, "plain"));
    // [MQTT-4.12.0-6]
    assert_eq!((connack.authentication_method, connack.authentication_data), (None, None));
}

/// Takes each client for another user.
#[derive(Debug)]
struct Fickle(Scripted, u32);

impl halfopen_broker::core::Mechanism for Fickle {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn begin(&mut self) -> Box<dyn halfopen_broker::core::Exchange> {
        self.1 += 1;
        Box::new(Always(self.1))
    }
}

#[derive(Debug)]
struct Always(u32);

impl halfopen_broker::core::Exchange for Always {
    fn step(&mut self, _: Option<&[u8]>) -> halfopen_broker::core::Step {
        halfopen_broker::core::Step::Accept { user: self.0.to_string().into(), data: None }
    }
}
