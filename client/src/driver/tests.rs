use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use halfopen_protocol::packet::{Publish, QoS};
use halfopen_protocol::{DecodeOptions, Instant, Packet, PacketType, ReasonCode, Role, Version, decode, encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::wire::{Io, Wire};
use super::{Command, Connector, TokioClock, run};
use crate::core::{Client, DisconnectReason, Event, Options, Reconnect, Transport};

/// Hands out streams that the test has made; without one, the attempt is refused or never ends.
struct Streams {
    ready: Rc<RefCell<VecDeque<DuplexStream>>>,
    hangs: bool,
}

impl Connector for Streams {
    type Stream = DuplexStream;

    async fn connect(&mut self) -> io::Result<DuplexStream> {
        let stream = self.ready.borrow_mut().pop_front();
        match stream {
            Some(stream) => Ok(stream),
            None if self.hangs => std::future::pending().await,
            None => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }
}

/// A running client, and the broker's ends of the streams that it will get.
struct Bench {
    local: LocalSet,
    commands: mpsc::UnboundedSender<Command>,
    events: Rc<RefCell<Vec<(Instant, Event)>>>,
    running: tokio::task::JoinHandle<()>,
    brokers: VecDeque<Broker>,
}

impl Bench {
    fn new(options: Options, streams: usize) -> Self {
        Self::with_buffer(options, streams, 64 * 1024, false)
    }

    fn with_buffer(options: Options, streams: usize, buffer: usize, hangs: bool) -> Self {
        let (ours, theirs): (VecDeque<_>, VecDeque<_>) = (0..streams).map(|_| duplex(buffer)).unzip();
        let (commands, receiver) = mpsc::unbounded_channel();
        let events = Rc::new(RefCell::new(Vec::new()));
        let seen = events.clone();
        let connector = Streams { ready: Rc::new(RefCell::new(ours)), hangs };
        let local = LocalSet::new();
        let client = Client::new(options, 7);
        let running = local.spawn_local(async move {
            run(client, connector, TokioClock::new(), receiver, |now, event| seen.borrow_mut().push((now, event)))
                .await;
        });
        let brokers = theirs.into_iter().map(|stream| Broker { stream, buffer: BytesMut::new() }).collect();
        Self { local, commands, events, running, brokers }
    }

    fn command(&self, command: Command) {
        self.commands.send(command).expect("the client runs");
    }

    fn connect(&self) {
        self.command(Command::Connect { clean_start: None });
    }

    /// The next connection's broker, after CONNECT and CONNACK.
    async fn accept(&mut self) -> Broker {
        let mut broker = self.brokers.pop_front().expect("the test made enough streams");
        assert_eq!(broker.receive().await.map(|packet| packet.packet_type()), Some(PacketType::Connect));
        broker.send(Packet::ConnAck(Default::default())).await;
        broker
    }

    /// When the connections ended, and why.
    fn ends(&self) -> Vec<(Duration, DisconnectReason)> {
        let events = self.events.borrow();
        events
            .iter()
            .filter_map(|(at, event)| match event {
                Event::Disconnected { reason, .. } => Some((at.since_origin(), reason.clone())),
                _ => None,
            })
            .collect()
    }
}

struct Broker {
    stream: DuplexStream,
    buffer: BytesMut,
}

impl Broker {
    async fn send(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        encode(&packet, Version::V3_1_1, &mut bytes).expect("the test's packet is valid");
        self.stream.write_all(&bytes).await.expect("the client reads");
    }

    /// The next packet; `None` at the end of the stream.
    async fn receive(&mut self) -> Option<Packet> {
        let options = DecodeOptions { version: Version::V3_1_1, reader: Role::Server, maximum_packet_size: u32::MAX };
        loop {
            if let Some(packet) = decode(&mut self.buffer, &options).expect("the client sends valid packets") {
                return Some(packet);
            }
            if self.stream.read_buf(&mut self.buffer).await.expect("a duplex stream does not fail") == 0 {
                return None;
            }
        }
    }
}

fn options(keep_alive: u16) -> Options {
    let mut options = Options::new(Version::V3_1_1, "c");
    options.connect.keep_alive = keep_alive;
    options
}

fn message(qos: QoS, size: usize) -> Command {
    Command::Publish(Publish { qos, topic: "t".into(), payload: Bytes::from(vec![0; size]), ..Publish::default() })
}

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[tokio::test(start_paused = true)]
async fn pings_on_time_and_closes_when_nobody_answers() {
    let mut bench = Bench::new(options(10), 1);
    bench.connect();
    let local = std::mem::take(&mut bench.local);
    local
        .run_until(async {
            let began = tokio::time::Instant::now();
            let mut broker = bench.accept().await;
            assert_eq!(broker.receive().await, Some(Packet::PingReq));
            assert_eq!(began.elapsed(), secs(10.0));
            broker.send(Packet::PingResp).await;
            assert_eq!(broker.receive().await, Some(Packet::PingReq));
            assert_eq!(broker.receive().await, None);
            assert_eq!(began.elapsed(), secs(25.0));
        })
        .await;
    assert!(matches!(bench.ends()[..], [(at, DisconnectReason::NoPingresp { .. })] if at == secs(25.0)));
}

#[tokio::test(start_paused = true)]
async fn an_answer_at_the_very_instant_of_the_time_out_counts() {
    let mut bench = Bench::new(options(10), 1);
    bench.connect();
    let local = std::mem::take(&mut bench.local);
    local
        .run_until(async {
            let mut broker = bench.accept().await;
            broker.receive().await;
            tokio::time::sleep(secs(5.0)).await;
            broker.send(Packet::PingResp).await;
            assert_eq!(broker.receive().await, Some(Packet::PingReq));
        })
        .await;
    assert_eq!(bench.ends(), []);
}

#[tokio::test(start_paused = true)]
async fn connects_again_on_its_own() {
    let mut options = options(0);
    options.reconnect = Some(Box::new(Reconnect { jitter: 0.0, ..Reconnect::default() }));
    let mut bench = Bench::new(options, 2);
    bench.connect();
    let local = std::mem::take(&mut bench.local);
    local
        .run_until(async {
            drop(bench.accept().await);
            let began = tokio::time::Instant::now();
            drop(bench.accept().await);
            assert_eq!(began.elapsed(), secs(1.0));
            tokio::time::sleep(secs(6.5)).await;
        })
        .await;
    let refused = DisconnectReason::ConnectFailed("connection refused".to_owned());
    let eof = DisconnectReason::Closed(Transport::Eof);
    let expected = [(0.0, eof.clone()), (1.0, eof), (3.0, refused.clone()), (7.0, refused)];
    assert_eq!(bench.ends(), expected.map(|(at, reason)| (secs(at), reason)));
}

#[tokio::test(start_paused = true)]
async fn gives_up_opening_when_told_and_when_it_takes_too_long() {
    let mut bench = Bench::with_buffer(options(0), 0, 64, true);
    bench.connect();
    let local = std::mem::take(&mut bench.local);
    local
        .run_until(async {
            tokio::time::sleep(secs(3.0)).await;
            bench.command(Command::Close);
            tokio::time::sleep(secs(1.0)).await;
            bench.connect();
            tokio::time::sleep(secs(20.0)).await;
        })
        .await;
    let [(first, DisconnectReason::Asked), (second, DisconnectReason::NoConnack { .. })] = bench.ends()[..] else {
        panic!("{:?}", bench.ends());
    };
    assert_eq!((first, second), (secs(3.0), secs(14.0)));
}

#[tokio::test(start_paused = true)]
async fn a_stuck_write_holds_up_neither_reading_nor_time_outs() {
    let mut bench = Bench::with_buffer(options(10), 1, 256, false);
    bench.connect();
    let local = std::mem::take(&mut bench.local);
    local
        .run_until(async {
            let mut broker = bench.accept().await;
            bench.command(message(QoS::AtMostOnce, 100_000));
            tokio::time::sleep(secs(1.0)).await;
            let publish = Publish { topic: "t".into(), payload: "hi".into(), ..Publish::default() };
            broker.send(Packet::from(publish)).await;
            tokio::time::sleep(secs(30.0)).await;
        })
        .await;
    assert!(bench.events.borrow().iter().any(|(_, event)| matches!(event, Event::Message(_))));
    assert!(matches!(bench.ends()[..], [(at, DisconnectReason::NoPingresp { .. })] if at == secs(15.0)));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_a_large_message_slowly_is_not_given_up() {
    let mut bench = Bench::with_buffer(options(10), 1, 256, false);
    bench.connect();
    let local = std::mem::take(&mut bench.local);
    local
        .run_until(async {
            let mut broker = bench.accept().await;
            tokio::time::sleep(secs(1.0)).await;
            bench.command(message(QoS::AtMostOnce, 10_000));
            let mut taken = [0; 100];
            for _ in 0..100 {
                tokio::time::sleep(secs(1.0)).await;
                broker.stream.read_exact(&mut taken).await.expect("the client writes on");
            }
            assert_eq!(bench.ends(), []);
            tokio::time::sleep(secs(20.0)).await;
        })
        .await;
    // Once all is written, silence counts again.
    assert!(matches!(&bench.ends()[..], [(_, DisconnectReason::NoPingresp { .. })]), "{:?}", bench.ends());
}

#[tokio::test(start_paused = true)]
async fn what_a_peer_can_make_us_hold_by_never_reading_is_bounded() {
    let (ours, mut theirs) = duplex(1000);
    let mut wire = Wire::new(ours);
    wire.push(&vec![0; 5_000_000]);
    theirs.write_all(b"x").await.expect("there is room");
    assert!(tokio::time::timeout(secs(10.0), wire.next(true)).await.is_err(), "nothing is read meanwhile");
    let mut taken = vec![0; 2_000_000];
    let read = async {
        loop {
            if let Ok(Io::Read(bytes)) = wire.next(true).await {
                break bytes.len();
            }
        }
    };
    let read = tokio::select! {
        biased;
        read = read => read,
        _ = theirs.read_exact(&mut taken) => panic!("all was taken and nothing was read"),
    };
    assert_eq!(read, 1);
}

#[tokio::test(start_paused = true)]
async fn disconnect_lets_a_slow_peer_take_what_was_published_before() {
    let mut bench = Bench::with_buffer(options(0), 1, 1000, false);
    bench.connect();
    let local = std::mem::take(&mut bench.local);
    local
        .run_until(async {
            let mut broker = bench.accept().await;
            tokio::time::sleep(secs(0.001)).await;
            bench.command(message(QoS::AtMostOnce, 100_000));
            bench.command(Command::Disconnect(ReasonCode::SUCCESS));
            tokio::time::sleep(secs(4.0)).await;
            let size = match broker.receive().await {
                Some(Packet::Publish(publish)) => publish.payload.len(),
                packet => panic!("{packet:?}"),
            };
            assert_eq!(size, 100_000);
            assert_eq!(broker.receive().await.map(|packet| packet.packet_type()), Some(PacketType::Disconnect));
            assert_eq!(broker.receive().await, None);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn disconnect_waits_for_a_stuck_peer_no_longer_than_five_seconds() {
    let bench = Bench::with_buffer(options(0), 1, 1000, false);
    bench.connect();
    let Bench { local, commands, running, brokers, .. } = bench;
    local
        .run_until(async {
            let began = tokio::time::Instant::now();
            let mut broker = brokers.into_iter().next().expect("one was made");
            broker.receive().await;
            broker.send(Packet::ConnAck(Default::default())).await;
            tokio::time::sleep(secs(1.0)).await;
            commands.send(message(QoS::AtMostOnce, 100_000)).expect("it runs");
            commands.send(Command::Disconnect(ReasonCode::SUCCESS)).expect("it runs");
            drop(commands);
            running.await.expect("it does not panic");
            assert_eq!(began.elapsed(), secs(6.0));
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn ends_when_nobody_can_tell_it_anything_and_it_is_disconnected() {
    let mut bench = Bench::new(options(0), 1);
    bench.connect();
    let local = std::mem::take(&mut bench.local);
    local
        .run_until(async {
            let mut broker = bench.accept().await;
            let Bench { commands, running, .. } = bench;
            drop(commands);
            tokio::time::sleep(secs(1.0)).await;
            assert!(!running.is_finished(), "it is still connected");
            broker.stream.shutdown().await.expect("a duplex stream does not fail");
            running.await.expect("it does not panic");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn goes_on_connecting_when_nobody_can_tell_it_anything() {
    let mut options = options(0);
    options.reconnect = Some(Box::default());
    let mut bench = Bench::new(options, 2);
    bench.connect();
    let local = std::mem::take(&mut bench.local);
    local
        .run_until(async {
            drop(bench.accept().await);
            bench.commands = mpsc::unbounded_channel().0;
            bench.accept().await;
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_drops_the_socket() {
    let mut bench = Bench::new(options(0), 1);
    bench.connect();
    let local = std::mem::take(&mut bench.local);
    local
        .run_until(async {
            let mut broker = bench.accept().await;
            bench.running.abort();
            assert_eq!(broker.receive().await, None);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_not_accepted_is_told() {
    let mut bench = Bench::new(options(0), 0);
    bench.command(Command::Subscribe(vec![]));
    let local = std::mem::take(&mut bench.local);
    local.run_until(tokio::time::sleep(secs(1.0))).await;
    assert!(matches!(bench.events.borrow()[..], [(_, Event::Rejected(_))]));
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_takes_much_at_once_is_given_the_rest_of_the_queue() {
    let mut bench = Bench::with_buffer(options(0), 1, 64 * 1024 * 1024, false);
    for _ in 0..10 {
        bench.command(message(QoS::AtLeastOnce, 1_000_000));
    }
    bench.connect();
    let local = std::mem::take(&mut bench.local);
    local
        .run_until(async {
            let mut broker = bench.accept().await;
            for _ in 0..10 {
                let packet = tokio::time::timeout(secs(10.0), broker.receive()).await.expect("the queue goes on");
                assert_eq!(packet.map(|packet| packet.packet_type()), Some(PacketType::Publish));
            }
        })
        .await;
}
