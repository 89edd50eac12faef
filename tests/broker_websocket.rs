//! The real program on a real port for WebSocket, with a WebSocket client that others wrote. Nothing sleeps.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use halfopen_protocol::packet::{Connect, Publish, QoS, Subscribe, Subscription, Will};
use halfopen_protocol::{DecodeOptions, Packet, ReasonCode, Role, Version, decode, encode};
use rstest::rstest;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};
use tungstenite::{Message, WebSocket};

/// Only a guard against a test that never ends.
const PATIENCE: Duration = Duration::from_secs(30);

/// The broker with one port for TCP and one for WebSocket. It is killed when this is dropped.
struct Program {
    child: Child,
    log: BufReader<ChildStderr>,
    tcp: u16,
    websocket: u16,
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_halfopen-broker"))
            .args(["--listen", "127.0.0.1:0", "--websocket", "127.0.0.1:0"])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the broker starts");
        let log = BufReader::new(child.stderr.take().expect("piped"));
        let mut program = Self { child, log, tcp: 0, websocket: 0 };
        program.tcp = program.port("ipv4");
        program.websocket = program.port("websockets");
        program
    }

    fn port(&mut self, kind: &str) -> u16 {
        let line = self.wait_for(&format!("Opening {kind} listen socket on port "));
        line.rsplit(' ').next().and_then(|port| port.trim_end_matches('.').parse().ok()).expect("a port")
    }

    /// The next line of the log with these words.
    fn wait_for(&mut self, words: &str) -> String {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert!(self.log.read_line(&mut line).expect("text") > 0, "the broker has ended before it said {words:?}");
        }
        line.trim_end().to_owned()
    }

    fn connect(&self, version: Version) -> Client {
        let request = tungstenite::http::Request::get("ws://broker/mqtt")
            .header("Host", "broker")
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("Sec-WebSocket-Protocol", "mqtt")
            .body(())
            .expect("a request");
        let (socket, response) = tungstenite::client(request, tcp(self.websocket)).expect("the upgrade");
        // [MQTT-6.0.0-4]
        assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "mqtt");
        Client { socket, version, received: BytesMut::new() }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client of MQTT on a foreign WebSocket.
struct Client {
    socket: WebSocket<TcpStream>,
    version: Version,
    received: BytesMut,
}

impl Client {
    /// One packet in one frame.
    fn send(&mut self, packet: &Packet) {
        let bytes = self.encode(packet);
        self.socket.send(Message::Binary(bytes)).expect("the broker reads");
    }

    fn encode(&self, packet: &Packet) -> Bytes {
        let mut bytes = BytesMut::new();
        encode(packet, self.version, &mut bytes).expect("it has a form");
        bytes.freeze()
    }

    /// The next packet, or how the connection was closed.
    fn receive(&mut self) -> Result<Packet, Option<CloseFrame>> {
        let options = DecodeOptions { version: self.version, reader: Role::Client, maximum_packet_size: u32::MAX };
        loop {
            if let Some(packet) = decode(&mut self.received, &options).expect("a valid packet") {
                return Ok(packet);
            }
            match self.socket.read() {
                Ok(Message::Binary(bytes)) => self.received.extend_from_slice(&bytes),
                Ok(Message::Close(frame)) => return Err(frame),
                Ok(Message::Pong(_)) => {
                    // Again at once: so it never falls silent.
                    let _ = self.socket.send(Message::Ping(Bytes::new()));
                }
                Ok(other) => panic!("{other:?}"),
                Err(error) => panic!("closed without a close frame: {error}"),
            }
        }
    }

    fn hello(&mut self, connect: Connect) {
        self.send(&Packet::from(connect));
        assert!(matches!(self.receive(), Ok(Packet::ConnAck(_))));
    }
}

fn tcp(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("the broker listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time that is not zero");
    stream
}

fn connect(version: Version, client_id: &'static str) -> Connect {
    Connect { clean_start: true, ..Connect::new(version, client_id) }
}

fn subscribe(filter: &'static str) -> Packet {
    Packet::Subscribe(Subscribe {
        packet_id: 1.try_into().expect("not zero"),
        subscription_id: None,
        user_properties: Vec::new(),
        subscriptions: vec![Subscription::new(filter, QoS::AtMostOnce)],
    })
}

fn publish(payload: impl Into<Bytes>) -> Packet {
    Packet::from(Publish { topic: "t".into(), payload: payload.into(), ..Publish::default() })
}

/// 3.1.1 MQTT-6.0.0-2, 5.0 MQTT-6.0.0-2
#[rstest]
fn packets_may_share_a_frame_and_span_frames(#[values(Version::V3_1_1, Version::V5_0)] version: Version) {
    let broker = Program::start(&[]);
    let mut client = broker.connect(version);
    let together = [Packet::from(connect(version, "a")), subscribe("t"), publish("one")];
    let together: Vec<_> = together.iter().flat_map(|packet| client.encode(packet)).collect();
    client.socket.send(Message::Binary(together.into())).expect("the broker reads");
    assert!(matches!(client.receive(), Ok(Packet::ConnAck(_))));
    assert!(matches!(client.receive(), Ok(Packet::SubAck(_))));
    assert_eq!(payload(client.receive()), "one");

    // Each byte in a frame, the first half of them parts of one message, with pings between them.
    let bytes = client.encode(&publish("two"));
    let half = bytes.len() / 2;
    for (index, byte) in bytes.iter().enumerate() {
        let data = if (1..=half).contains(&index) { Data::Continue } else { Data::Binary };
        let frame = Frame::message(vec![*byte], OpCode::Data(data), index >= half);
        client.socket.send(Message::Frame(frame)).expect("the broker reads");
        if index == half {
            client.socket.send(Message::Ping("still there?".into())).expect("the broker reads");
        }
    }
    assert_eq!(payload(client.receive()), "two");

    let large = vec![7; 1_000_000];
    client.send(&publish(large.clone()));
    assert_eq!(payload(client.receive()), large);
}

fn payload(packet: Result<Packet, Option<CloseFrame>>) -> Bytes {
    let Ok(Packet::Publish(publish)) = packet else { panic!("{packet:?}") };
    publish.payload.clone()
}

/// As on TCP, and pings of WebSocket are no packets of MQTT: 3.1.1 MQTT-3.1.2-24, 5.0 MQTT-3.1.2-22
#[rstest]
fn a_client_that_sends_no_packets_is_closed_and_its_will_published(
    #[values(Version::V3_1_1, Version::V5_0)] version: Version,
    #[values(false, true)] pings: bool,
) {
    let mut broker = Program::start(&[]);
    let mut watcher = broker.connect(version);
    watcher.hello(connect(version, "watcher"));
    watcher.send(&subscribe("t"));
    assert!(matches!(watcher.receive(), Ok(Packet::SubAck(_))));
    let will = Will { topic: "t".into(), payload: "gone".into(), ..Will::default() };
    let mut silent = broker.connect(version);
    let start = tokio::time::Instant::now();
    silent.hello(Connect { keep_alive: 1, will: Some(will.into()), ..connect(version, "silent") });
    if pings {
        silent.socket.send(Message::Ping(Bytes::new())).expect("the broker reads");
    }
    let mut end = silent.receive();
    if version.is_v5() {
        assert!(matches!(&end, Ok(Packet::Disconnect(why)) if why.reason == ReasonCode::new(0x8D)), "{end:?}");
        end = silent.receive();
    }
    assert!(matches!(&end, Err(Some(frame)) if frame.code == CloseCode::Normal), "{end:?}");
    assert!(start.elapsed() >= Duration::from_millis(1500), "{:?}", start.elapsed());
    assert_eq!(payload(watcher.receive()), "gone");
    broker.wait_for("Client silent has exceeded timeout, disconnecting.");
}

/// 3.1.1 MQTT-6.0.0-1, 5.0 MQTT-6.0.0-1
#[rstest]
fn a_text_frame_ends_the_connection(#[values(Version::V3_1_1, Version::V5_0)] version: Version) {
    let broker = Program::start(&[]);
    let mut client = broker.connect(version);
    client.hello(connect(version, "a"));
    client.socket.send(Message::text("\u{30}\u{3}")).expect("the broker reads");
    let end = client.receive();
    assert!(matches!(&end, Err(Some(frame)) if frame.code == CloseCode::Unsupported), "{end:?}");
    assert!(client.socket.read().is_err());
}

#[rstest]
#[case::page(b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n", "HTTP/1.1 426 ")]
#[case::other_subprotocol(
    b"GET / HTTP/1.1\r\nHost: broker\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
    "HTTP/1.1 400 "
)]
#[case::mqtt_without_websocket(b"\x10\x0D\0\x04MQTT\x04\x02\0\0\0\x01a", "HTTP/1.1 400 ")]
#[case::endless(&[&b"GET / HTTP/1.1\r\nCookie: "[..], &[b'x'; 100_000]].concat(), "HTTP/1.1 431 ")]
fn who_speaks_something_else_gets_an_answer_of_http(#[case] request: &[u8], #[case] expected: &str) {
    let broker = Program::start(&[]);
    let mut stream = tcp(broker.websocket);
    stream.write_all(request).expect("the broker reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("closed in order");
    assert!(answer.starts_with(expected), "{answer}");
    // It lives on.
    broker.connect(Version::V5_0).hello(connect(Version::V5_0, "a"));
    let mut plain = tcp(broker.tcp);
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("the broker reads");
    assert_eq!(plain.read_to_string(&mut answer).expect("closed in order"), 0);
}

#[rstest]
#[case::nothing(b"")]
#[case::half_a_request(b"GET / HTTP/1.1\r\nHost: bro")]
fn the_connect_timeout_covers_the_upgrade(#[case] request: &[u8]) {
    let broker = Program::start(&["--connect-timeout", "200ms"]);
    let mut stream = tcp(broker.websocket);
    stream.write_all(request).expect("the broker reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("closed in order");
    assert_eq!(answer, b"");
}

#[test]
fn the_connect_timeout_covers_what_comes_before_connect() {
    let broker = Program::start(&["--connect-timeout", "200ms"]);
    let end = broker.connect(Version::V5_0).receive();
    assert!(matches!(&end, Err(Some(frame)) if frame.code == CloseCode::Normal), "{end:?}");
}
