use std::collections::VecDeque;
use std::io::Read;
use std::task::Waker;

use bytes::Bytes;
use proptest::prelude::*;
use rstest::rstest;
use tungstenite::{Message, WebSocket as Foreign};

use super::answer::{LONGEST_REQUEST, Refusal};
use super::offer::{LONGEST_ANSWER, Refused};
use super::*;

/// A connection whose peer has sent all it will send, which comes and goes in pieces of these sizes.
struct Wire {
    sent: VecDeque<u8>,
    received: Vec<u8>,
    pieces: VecDeque<usize>,
}

impl Wire {
    fn new(sent: &[u8], pieces: &[usize]) -> Self {
        Self { sent: sent.iter().copied().collect(), received: Vec::new(), pieces: pieces.iter().copied().collect() }
    }

    /// How much goes now: nothing, some bytes, or in the end everything.
    fn piece(&mut self) -> usize {
        self.pieces.pop_front().unwrap_or(usize::MAX)
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let piece = self.piece();
        if piece == 0 {
            return Poll::Pending;
        }
        let length = piece.min(buffer.remaining()).min(self.sent.len());
        let bytes: Vec<_> = self.sent.drain(..length).collect();
        buffer.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let length = self.piece().min(bytes.len());
        if length == 0 {
            return Poll::Pending;
        }
        self.received.extend_from_slice(&bytes[..length]);
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

const REQUEST: &str = "GET /mqtt HTTP/1.1\r\nHost: broker\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: mqttv3.1, mqtt\r\n\r\n";
/// The key and its answer are those of RFC 6455 §1.3.
const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nsec-websocket-protocol: mqtt\r\n\r\n";

/// Reads to the end, with a buffer as small as this, and gives what came.
fn read_all(socket: &mut WebSocket<Wire>, buffer: usize) -> io::Result<Vec<u8>> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut all = Vec::new();
    let mut space = vec![0; buffer];
    loop {
        let mut piece = ReadBuf::new(&mut space);
        match Pin::new(&mut *socket).poll_read(&mut cx, &mut piece) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) if piece.filled().is_empty() => return Ok(all),
            Poll::Ready(Ok(())) => all.extend_from_slice(piece.filled()),
            Poll::Ready(Err(error)) => return Err(error),
        }
    }
}

/// One that is open already.
fn open(sent: &[u8], pieces: &[usize]) -> WebSocket<Wire> {
    let stream = Wire::new(sent, pieces);
    WebSocket { phase: Phase::Open(Incoming::new(Role::Server)), ..WebSocket::server(stream) }
}

/// A frame of a client.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("short");
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    let masked = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    [first, 0x80 | length].into_iter().chain(mask).chain(masked).collect()
}

/// What a foreign client writes.
fn written_by_foreign_client(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut client = Foreign::from_raw_socket(io::Cursor::new(Vec::new()), tungstenite::protocol::Role::Client, None);
    for (index, message) in messages.iter().enumerate() {
        if index % 3 == 1 {
            client.write(Message::Ping(vec![1, 2, 3].into())).expect("room");
        }
        client.write(Message::Binary(message.clone().into())).expect("room");
    }
    client.flush().expect("room");
    client.into_inner().into_inner()
}

/// What a foreign client reads from these bytes.
fn read_by_foreign_client(bytes: &[u8]) -> Vec<Message> {
    struct Bytes<'a>(&'a [u8]);
    impl Read for Bytes<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }
    impl io::Write for Bytes<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut client = Foreign::from_raw_socket(Bytes(bytes), tungstenite::protocol::Role::Client, None);
    std::iter::from_fn(|| client.read().ok()).collect()
}

fn pieces() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![2 => Just(0), 8 => 1..9_usize, 1 => 1..70_000_usize], 0..60)
}

fn messages() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let length = prop_oneof![8 => 0..20_usize, 2 => 120..130_usize, 1 => 65_530..65_540_usize];
    let message = (length, any::<u8>()).prop_map(|(length, first)| {
        (0..length).map(|index| (index as u8).wrapping_mul(31).wrapping_add(first)).collect()
    });
    prop::collection::vec(message, 0..8)
}

proptest! {
    #[test]
    fn what_a_foreign_client_puts_into_frames_comes_out_whatever_the_pieces(
        messages in messages(),
        pieces in pieces(),
        buffer in prop_oneof![1..5_usize, Just(65_536)],
    ) {
        let mut socket = open(&written_by_foreign_client(&messages), &pieces);
        prop_assert_eq!(read_all(&mut socket, buffer).expect("nothing is wrong"), messages.concat());
        // An answer may still wait for room at the peer.
        let mut cx = Context::from_waker(Waker::noop());
        while Pin::new(&mut socket).poll_flush(&mut cx).is_pending() {}
        let pings = messages.len().saturating_sub(1).div_ceil(3);
        let answers = read_by_foreign_client(&socket.stream.received);
        prop_assert!(answers.len() <= pings && answers.is_empty() == (pings == 0), "{answers:?}");
        prop_assert!(answers.iter().all(|answer| *answer == Message::Pong(vec![1, 2, 3].into())), "{answers:?}");
    }

    #[test]
    fn what_is_written_comes_out_at_a_foreign_client_whatever_the_pieces(
        messages in messages(),
        pieces in pieces(),
        pings in prop::collection::vec(any::<bool>(), 8),
    ) {
        let mut socket = open(&[], &pieces);
        let mut cx = Context::from_waker(Waker::noop());
        let mut left = messages.concat();
        let mut pings = pings.into_iter();
        while !left.is_empty() {
            if pings.next() == Some(true) {
                socket.outgoing.pong(b"again");
            }
            let pieces = [IoSlice::new(&left[..left.len() / 2]), IoSlice::new(&left[left.len() / 2..])];
            if let Poll::Ready(written) = Pin::new(&mut socket).poll_write_vectored(&mut cx, &pieces) {
                left.drain(..written.expect("the wire takes all"));
            }
        }
        while Pin::new(&mut socket).poll_shutdown(&mut cx).is_pending() {}
        let mut came = read_by_foreign_client(&socket.stream.received);
        let end = came.pop();
        prop_assert!(matches!(&end, Some(Message::Close(Some(frame))) if frame.code == CloseCode::Normal), "{end:?}");
        let data = came.into_iter().filter(Message::is_binary).map(|message| message.into_data().to_vec());
        prop_assert_eq!(data.collect::<Vec<_>>().concat(), messages.concat());
    }

    #[test]
    fn no_bytes_make_it_panic_or_grow(
        mut bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0x82), Just(0x80), Just(0x89)], 0..400),
        pieces in pieces(),
        as_request in any::<bool>(),
    ) {
        if as_request {
            bytes.splice(0..0, REQUEST.bytes());
        }
        for mut socket in [open(&bytes, &pieces), WebSocket::server(Wire::new(&bytes, &pieces))] {
            if let Ok(inside) = read_all(&mut socket, 64) {
                prop_assert!(inside.len() <= bytes.len());
            }
            prop_assert!(socket.stream.received.len() <= 2 * bytes.len() + 300);
        }
    }
}

#[rstest]
#[case::masked_not(&[0x82, 1, b'x'], CloseCode::Protocol)]
#[case::text(&frame(0x81, b"x"), CloseCode::Unsupported)]
#[case::text_in_parts(&frame(0x01, b"x"), CloseCode::Unsupported)]
#[case::nothing_to_continue(&frame(0x80, b"x"), CloseCode::Protocol)]
#[case::message_in_a_message(&[frame(0x02, b"x"), frame(0x82, b"x")].concat(), CloseCode::Protocol)]
#[case::extension(&frame(0xC2, b"x"), CloseCode::Protocol)]
#[case::unknown_data(&frame(0x83, b"x"), CloseCode::Protocol)]
#[case::unknown_control(&frame(0x8B, b"x"), CloseCode::Protocol)]
#[case::ping_in_parts(&frame(0x09, b"x"), CloseCode::Protocol)]
#[case::long_ping(&[0x89, 0xFE, 0, 126, 0, 0, 0, 0], CloseCode::Protocol)]
#[case::longer_than_long(&[0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], CloseCode::Protocol)]
#[case::short_code(&frame(0x88, &[3]), CloseCode::Protocol)]
#[case::reserved_code(&frame(0x88, &1005_u16.to_be_bytes()), CloseCode::Protocol)]
#[case::reason_in_latin_1(&frame(0x88, b"\x03\xE8\xE9"), CloseCode::Invalid)]
fn who_breaks_a_rule_is_told_and_cut_off_after_what_was_right(#[case] bytes: &[u8], #[case] code: CloseCode) {
    let bytes = [&frame(0x82, b"good"), bytes, &frame(0x82, b"late")].concat();
    let mut socket = open(&bytes, &[]);
    let mut cx = Context::from_waker(Waker::noop());
    let mut space = [0; 100];
    let mut first = ReadBuf::new(&mut space);
    assert!(Pin::new(&mut socket).poll_read(&mut cx, &mut first).is_ready());
    assert!(matches!(first.filled(), b"good" | b"goodx"), "{:?}", first.filled());
    assert_eq!(read_all(&mut socket, 100).expect_err("an end").kind(), io::ErrorKind::InvalidData);
    let told = read_by_foreign_client(&socket.stream.received);
    assert!(matches!(&told[..], [Message::Close(Some(frame))] if frame.code == code), "{told:?}");
    assert_eq!(read_all(&mut socket, 100).expect("nothing more"), b"");
}

#[rstest]
#[case::with_a_code(&frame(0x88, b"\x03\xE8bye"), &[0x88, 2, 3, 0xE8])]
#[case::without(&frame(0x88, b""), &[0x88, 0])]
fn a_close_is_answered_and_ends_the_stream(#[case] bytes: &[u8], #[case] answer: &[u8]) {
    let mut socket = open(&[&frame(0x82, b"good"), bytes].concat(), &[]);
    assert_eq!(read_all(&mut socket, 100).expect("in order"), b"good");
    assert_eq!(socket.stream.received, answer);
}

/// A client that only pings, and does not read.
#[test]
fn pings_without_end_and_a_peer_that_takes_no_answer_are_not_collected() {
    let mut outgoing = FrameWriter::default();
    for _ in 0..1000 {
        outgoing.pong(&[7; 125]);
    }
    let mut wire = Wire::new(&[], &[]);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(outgoing.poll_flush(&mut wire, &mut cx).is_ready());
    assert_eq!(wire.received.len(), 2 * (2 + 125));
}

/// 3.1.1 MQTT-6.0.0-4, 5.0 MQTT-6.0.0-4
#[rstest]
fn the_upgrade_selects_mqtt_and_what_follows_is_read(#[values(1, 7, 1000)] piece: usize) {
    let mut socket = WebSocket::server(Wire::new(REQUEST.as_bytes(), &vec![piece; REQUEST.len()]));
    let mut cx = Context::from_waker(Waker::noop());
    let early = Pin::new(&mut socket).poll_write(&mut cx, b"too early");
    assert!(early.is_pending(), "{early:?}");
    assert_eq!(read_all(&mut socket, 100).expect("in order"), b"");
    assert_eq!(String::from_utf8_lossy(&socket.stream.received), RESPONSE);
}

#[rstest]
#[case::mqtt_without_websocket("\x10\x0F\0\x04MQTT", Refusal::NoHttp)]
#[case::tls("\x16\x03\x01\x02\0\x01\0", Refusal::NoHttp)]
#[case::something_behind(&format!("{REQUEST}x"), Refusal::NoHttp)]
#[case::post(&REQUEST.replace("GET", "POST"), Refusal::Method)]
#[case::old(&REQUEST.replace("HTTP/1.1", "HTTP/1.0"), Refusal::NoHttp)]
#[case::browser(&REQUEST.replace("Upgrade: websocket\r\n", ""), Refusal::NoWebSocket)]
#[case::version(&REQUEST.replace("13", "8"), Refusal::Version)]
#[case::key(&REQUEST.replace("dGhl", ""), Refusal::Key)]
#[case::no_subprotocol(&REQUEST.replace("Sec-WebSocket-Protocol: mqttv3.1, mqtt\r\n", ""), Refusal::Subprotocol)]
#[case::other_subprotocol(&REQUEST.replace(", mqtt", ", chat"), Refusal::Subprotocol)]
#[case::endless(&format!("GET / HTTP/1.1\r\nCookie: {}", "x".repeat(2 * LONGEST_REQUEST)), Refusal::TooLong)]
fn other_requests_are_turned_away_in_http(#[case] request: &str, #[case] refusal: Refusal) {
    let mut socket = WebSocket::server(Wire::new(request.as_bytes(), &[]));
    assert_eq!(read_all(&mut socket, 65_536).expect_err("an end").to_string(), refusal.to_string());
    assert_eq!(socket.stream.received, refusal.response());
    assert!(socket.stream.received.starts_with(b"HTTP/1.1 4"));
}

/// The answer of a server to this key, with this in place of the usual subprotocol.
fn answer(key: &str, subprotocol: &str) -> String {
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {subprotocol}\r\n\r\n"
    )
}

/// A client that has sent its request, and the key in it.
fn asking() -> (WebSocket<Wire>, String) {
    let mut client = WebSocket::client(Wire::new(&[], &[]), "broker:8080", "/mqtt", 7);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut client).poll_flush(&mut cx).is_ready());
    let request = String::from_utf8(std::mem::take(&mut client.stream.received)).expect("HTTP is text");
    let key = request.split("Sec-WebSocket-Key: ").nth(1).and_then(|rest| rest.lines().next()).expect("a key");
    let head = "GET /mqtt HTTP/1.1\r\nHost: broker:8080\r\n";
    assert!(request.starts_with(head) && request.contains("Sec-WebSocket-Protocol: mqtt\r\n"), "{request}");
    (client, key.to_owned())
}

proptest! {
    #[test]
    fn the_two_sides_understand_each_other_and_an_observer_does_too(
        messages in messages(),
        pieces in pieces(),
        from_client in any::<bool>(),
    ) {
        let mut cx = Context::from_waker(Waker::noop());
        let mut client = WebSocket { phase: Phase::Open(Incoming::new(Role::Client)), ..asking().0 };
        let mut server = open(&[], &pieces);
        let mut observer = Observer::default();
        observer.push(if from_client { b"GET / HTTP/1.1\r\n\r\n" } else { b"HTTP/1.1 101 \r\n\r\n" });
        client.stream.pieces = pieces.iter().copied().collect();
        let (from, to) = if from_client { (&mut client, &mut server) } else { (&mut server, &mut client) };
        for message in &messages {
            let mut left = &message[..];
            while !left.is_empty() {
                if let Poll::Ready(written) = Pin::new(&mut *from).poll_write(&mut cx, left) {
                    left = &left[written.expect("the wire takes all")..];
                }
            }
        }
        while Pin::new(&mut *from).poll_shutdown(&mut cx).is_pending() {}
        let wire = std::mem::take(&mut from.stream.received);
        to.stream.sent.extend(&wire);
        prop_assert_eq!(read_all(to, 100).expect("in order"), messages.concat());
        for bytes in wire.chunks(7) {
            observer.push(bytes);
        }
        let seen: Vec<Piece> = std::iter::from_fn(|| observer.next_piece()).collect();
        let [Piece::Http(_), data @ .., Piece::Frame(FrameKind::Close, _)] = &seen[..] else { panic!("{seen:?}") };
        let data = data.iter().map(|piece| match piece {
            Piece::Data { bytes, .. } => bytes.to_vec(),
            other => panic!("{other:?}"),
        });
        prop_assert_eq!(data.collect::<Vec<_>>().concat(), messages.concat());
    }

    #[test]
    fn no_answer_makes_a_client_panic_or_grow(
        mut bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0x82), Just(0x80), Just(b'\n')], 0..400),
        pieces in pieces(),
        is_right in any::<bool>(),
    ) {
        let (mut client, key) = asking();
        if is_right {
            bytes.splice(0..0, answer(&key, "mqtt").bytes());
        }
        client.stream.pieces = pieces.iter().copied().collect();
        client.stream.sent.extend(&bytes);
        if let Ok(inside) = read_all(&mut client, 64) {
            prop_assert!(inside.len() <= bytes.len());
        }
        prop_assert!(client.stream.received.len() <= 2 * bytes.len() + 300);
    }
}

/// 3.1.1 MQTT-6.0.0-3, 5.0 MQTT-6.0.0-3
#[rstest]
fn a_client_offers_mqtt_and_reads_what_follows_the_answer_at_once(#[values(1, 7, 1000)] piece: usize) {
    let (mut client, key) = asking();
    let mut cx = Context::from_waker(Waker::noop());
    let early = Pin::new(&mut client).poll_write(&mut cx, b"too early");
    assert!(early.is_pending(), "{early:?}");
    client.stream.pieces = vec![piece; 300].into();
    client.stream.sent.extend(answer(&key, "mqtt").bytes());
    client.stream.sent.extend([0x82, 5, b'e', b'a', b'r', b'l', b'y']);
    assert_eq!(read_all(&mut client, 100).expect("in order"), b"early");
}

#[rstest]
#[case::other_subprotocol(|key: &str| answer(key, "chat"), Refused::Subprotocol)]
#[case::no_subprotocol(|key: &str| answer(key, "").replace("Sec-WebSocket-Protocol: \r\n", ""), Refused::Subprotocol)]
#[case::other_key(|_: &str| answer("another", "mqtt"), Refused::Accept)]
#[case::forbidden(|_: &str| "HTTP/1.1 403 Forbidden\r\n\r\n".to_owned(), Refused::Status(tungstenite::http::StatusCode::FORBIDDEN))]
#[case::mqtt(|_: &str| "\x20\x02\x00\x00\n".to_owned(), Refused::NoHttp)]
#[case::endless(|_: &str| format!("HTTP/1.1 101 {}", "x".repeat(2 * LONGEST_ANSWER)), Refused::TooLong)]
fn an_answer_that_is_none_ends_the_connection(#[case] answer: fn(&str) -> String, #[case] refused: Refused) {
    let (mut client, key) = asking();
    client.stream.sent.extend(answer(&key).bytes());
    assert_eq!(read_all(&mut client, 65_536).expect_err("an end").to_string(), refused.to_string());
}

#[test]
fn a_server_must_not_mask() {
    let mut client = WebSocket { phase: Phase::Open(Incoming::new(Role::Client)), ..asking().0 };
    client.stream.sent.extend(frame(0x82, b"masked"));
    assert_eq!(read_all(&mut client, 100).expect_err("an end").kind(), io::ErrorKind::InvalidData);
    // What a client says is masked.
    assert_eq!(client.stream.received[..2], [0x88, 0x80 | 35]);
}

#[rstest]
#[case::mqtt_alone(b"\x10\x0F\0\x04MQTT", &[Piece::Garbled(Bytes::from_static(b"\x10\x0F\0\x04MQTT"))])]
#[case::refused(b"HTTP/1.1 400 No\r\n\r\nbody", &[Piece::Http(Bytes::from_static(b"HTTP/1.1 400 No\r\n\r\n")), Piece::Garbled(Bytes::from_static(b"body"))])]
#[case::not_whole(b"GET / HTTP/1.1\r\n", &[])]
fn an_observer_sees_what_is_no_websocket(#[case] bytes: &'static [u8], #[case] seen: &[Piece]) {
    let mut observer = Observer::default();
    observer.push(bytes);
    assert_eq!(std::iter::from_fn(|| observer.next_piece()).collect::<Vec<_>>(), seen);
}

#[test]
fn an_observer_sees_a_text_in_parts_and_a_ping_between() {
    let mut observer = Observer::default();
    observer.push(b"GET / HTTP/1.1\r\n\r\n");
    for bytes in [frame(0x01, b"te"), frame(0x89, b"?"), frame(0x80, b"xt"), frame(0x82, b"data")].concat().chunks(3) {
        observer.push(bytes);
    }
    let text = |text: &'static [u8]| Piece::Frame(FrameKind::Text, Bytes::from_static(text));
    let ping = Piece::Frame(FrameKind::Ping, Bytes::from_static(b"?"));
    let seen: Vec<Piece> = std::iter::from_fn(|| observer.next_piece()).skip(1).collect();
    let data: Vec<u8> = seen[3..]
        .iter()
        .flat_map(|piece| match piece {
            Piece::Data { bytes, .. } => bytes.to_vec(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!((&seen[..3], &data[..]), (&[text(b"te"), ping, text(b"xt")][..], &b"data"[..]));
}
