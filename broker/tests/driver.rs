//! The driver over in-memory pipes and a clock that stands still until all wait.

use std::cell::RefCell;
use std::future::{Future, pending};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use halfopen_broker::core::{Event, Login};
use halfopen_broker::{Access, Broker, Config, Listener, Observer, TokioClock, serve, serve_verifying};
use halfopen_protocol::packet::{Connect, Disconnect, PacketId, Publish, QoS, Subscribe, Subscription, Will};
use halfopen_protocol::{Clock, DecodeOptions, Instant, Packet, ReasonCode, Role, Version, decode, encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;

/// Where a test puts the server's ends of its pipes, or errors.
type Door = mpsc::UnboundedSender<io::Result<DuplexStream>>;

struct Pipes(mpsc::UnboundedReceiver<io::Result<DuplexStream>>);

impl Listener for Pipes {
    type Stream = DuplexStream;
    type Peer = ();

    async fn accept(&mut self) -> io::Result<(DuplexStream, ())> {
        match self.0.recv().await {
            Some(stream) => Ok((stream?, ())),
            None => pending().await,
        }
    }
}

/// Keeps what it is told.
#[derive(Clone, Default)]
struct Seen(Rc<RefCell<Vec<(Instant, Event)>>>);

impl Observer<()> for Seen {
    fn event(&mut self, now: Instant, (): &(), event: &Event) {
        self.0.borrow_mut().push((now, event.clone()));
    }
}

fn server(config: Config, seen: Seen, stop: impl Future<Output = ()>) -> (Door, impl Future<Output = io::Result<()>>) {
    let (door, pipes) = mpsc::unbounded_channel();
    (door, serve(Broker::new(config, [0; 32]), Pipes(pipes), TokioClock::new(), seen, stop))
}

/// Runs `test` beside a server that takes 5 s to judge a password, and lets those in whose is `right`.
async fn beside_a_slow_judge<T>(test: impl AsyncFnOnce(Door) -> T) -> T {
    let (door, pipes) = mpsc::unbounded_channel();
    let access = Access { passwords: true, ..Access::default() };
    let broker = Broker::with_access(Config::default(), access, [0; 32]);
    let judge = |login: Login| async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        login.password == "right"
    };
    let server =
        serve_verifying(broker, Pipes(pipes), TokioClock::new(), Seen::default(), judge, mpsc::channel(1).1, pending());
    tokio::select! {
        biased;
        result = test(door) => result,
        ended = server => panic!("the server ended: {ended:?}"),
    }
}

/// Runs `test` beside a server.
async fn beside_a_server<T>(config: Config, test: impl AsyncFnOnce(Door) -> T) -> T {
    let (door, server) = server(config, Seen::default(), pending());
    tokio::select! {
        biased;
        result = test(door) => result,
        ended = server => panic!("the server ended: {ended:?}"),
    }
}

struct Client {
    stream: DuplexStream,
    bytes: BytesMut,
}

impl Client {
    /// Opens a pipe that holds `room` bytes in each direction.
    fn open(door: &Door, room: usize) -> Self {
        let (ours, theirs) = tokio::io::duplex(room);
        door.send(Ok(theirs)).expect("the server listens");
        Self { stream: ours, bytes: BytesMut::new() }
    }

    async fn connect(door: &Door, client_id: &'static str, keep_alive: u16) -> Self {
        Self::connect_with_room(door, client_id, keep_alive, 64 * 1024).await
    }

    async fn connect_with_room(door: &Door, client_id: &'static str, keep_alive: u16, room: usize) -> Self {
        let mut client = Self::open(door, room);
        let connect = Connect { keep_alive, ..Connect::new(Version::V5_0, client_id) };
        client.send(&Packet::from(connect)).await;
        assert!(matches!(client.receive().await, Some(Packet::ConnAck(_))));
        client
    }

    async fn subscribe(&mut self, filter: &'static str) {
        let subscribe = Subscribe {
            packet_id: PacketId::MIN,
            subscription_id: None,
            user_properties: Vec::new(),
            subscriptions: vec![Subscription::new(filter, QoS::AtMostOnce)],
        };
        self.send(&Packet::Subscribe(subscribe)).await;
        assert!(matches!(self.receive().await, Some(Packet::SubAck(_))));
    }

    async fn publish(&mut self, payload: &'static str) {
        let publish = Publish { topic: "t".into(), payload: payload.into(), ..Publish::default() };
        self.send(&Packet::from(publish)).await;
    }

    async fn send(&mut self, packet: &Packet) {
        let mut bytes = BytesMut::new();
        encode(packet, Version::V5_0, &mut bytes).expect("a valid packet");
        self.stream.write_all(&bytes).await.expect("the server reads");
    }

    /// The next packet; `None` when the server has closed.
    async fn receive(&mut self) -> Option<Packet> {
        let options = DecodeOptions { version: Version::V5_0, reader: Role::Client, maximum_packet_size: u32::MAX };
        loop {
            if let Some(packet) = decode(&mut self.bytes, &options).expect("a valid packet") {
                return Some(packet);
            }
            if self.stream.read_buf(&mut self.bytes).await.expect("no error") == 0 {
                return None;
            }
        }
    }
}

fn disconnect(reason: ReasonCode) -> Option<Packet> {
    Some(Packet::Disconnect(Disconnect::new(reason)))
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_closed_on_the_millisecond() {
    beside_a_server(Config::default(), async |door: Door| {
        let clock = TokioClock::new();
        let mut client = Client::connect(&door, "silent", 5).await;
        assert_eq!(client.receive().await, disconnect(ReasonCode::KEEP_ALIVE_TIMEOUT));
        assert_eq!(client.receive().await, None);
        assert_eq!(clock.now(), Instant::from_millis(7_500));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_packet_at_the_instant_of_the_deadline_is_read_first() {
    beside_a_server(Config::default(), async |door: Door| {
        let clock = TokioClock::new();
        let start = tokio::time::Instant::now();
        let mut client = Client::connect(&door, "punctual", 5).await;
        for round in 1..=20 {
            sleep_until(start + round * Duration::from_millis(7_500)).await;
            client.send(&Packet::PingReq).await;
            assert_eq!(client.receive().await, Some(Packet::PingResp), "round {round}");
        }
        assert_eq!(client.receive().await, disconnect(ReasonCode::KEEP_ALIVE_TIMEOUT));
        assert_eq!(clock.now(), Instant::from_millis(21 * 7_500));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn each_of_many_clients_is_closed_at_its_own_time() {
    beside_a_server(Config::default(), async |door: Door| {
        let clock = TokioClock::new();
        let mut clients = Vec::new();
        for keep_alive in (1..=50).rev() {
            clients.push((keep_alive, Client::connect(&door, "", keep_alive).await));
        }
        while let Some((keep_alive, mut client)) = clients.pop() {
            assert_eq!(client.receive().await, disconnect(ReasonCode::KEEP_ALIVE_TIMEOUT));
            assert_eq!(clock.now(), Instant::from_millis(u64::from(keep_alive) * 1_500));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_connect_is_closed_after_its_time() {
    beside_a_server(Config::default(), async |door: Door| {
        let clock = TokioClock::new();
        let mut mute = Client::open(&door, 100);
        assert_eq!(mute.receive().await, None);
        assert_eq!(clock.now(), Instant::from_secs(10));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_holds_up_neither_others_nor_its_own_close() {
    beside_a_server(Config::default(), async |door: Door| {
        let clock = TokioClock::new();
        let mut stuck = Client::connect_with_room(&door, "stuck", 10, 64).await;
        stuck.subscribe("t").await;
        let mut quick = Client::connect(&door, "quick", 0).await;
        quick.subscribe("t").await;
        for _ in 0..100 {
            quick.publish("more than fits into the pipe of the one that is stuck").await;
            assert!(matches!(quick.receive().await, Some(Packet::Publish(_))));
        }
        // What it sends is read all the same, and counts: 14 s are less than its 15 s, 28 s are more.
        for _ in 0..2 {
            sleep_until(tokio::time::Instant::now() + Duration::from_secs(14)).await;
            stuck.send(&Packet::PingReq).await;
        }
        sleep_until(tokio::time::Instant::now() + Duration::from_secs(16)).await;
        // It is closed by now, and its pipe ends behind what had gone in before.
        let mut rest = Vec::new();
        stuck.stream.read_to_end(&mut rest).await.expect("no error");
        assert!(rest.len() <= 64, "{}", rest.len());
        assert_eq!(clock.now(), Instant::from_secs(44));
        quick.send(&Packet::PingReq).await;
        assert_eq!(quick.receive().await, Some(Packet::PingResp));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn all_that_was_held_back_arrives_once_the_peer_reads() {
    beside_a_server(Config::default(), async |door: Door| {
        let mut slow = Client::connect_with_room(&door, "slow", 0, 64).await;
        slow.subscribe("t").await;
        let mut quick = Client::connect(&door, "quick", 0).await;
        for _ in 0..100 {
            quick.publish("more than fits into the pipe of the one that is slow").await;
        }
        quick.send(&Packet::PingReq).await;
        assert_eq!(quick.receive().await, Some(Packet::PingResp));
        for _ in 0..100 {
            assert!(matches!(slow.receive().await, Some(Packet::Publish(_))));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_is_heard_though_the_peer_is_gone_and_cannot_be_written_to() {
    beside_a_server(Config::default(), async |door: Door| {
        let mut watcher = Client::connect(&door, "watcher", 0).await;
        watcher.subscribe("will").await;
        let mut publisher = Client::connect(&door, "publisher", 0).await;
        let mut leaver = Client::open(&door, 64 * 1024);
        let will = Some(Will { topic: "will".into(), payload: "gone".into(), ..Will::default() });
        let connect = Connect { will: will.map(Box::new), ..Connect::new(Version::V5_0, "leaver") };
        leaver.send(&Packet::from(connect)).await;
        assert!(matches!(leaver.receive().await, Some(Packet::ConnAck(_))));
        leaver.subscribe("t").await;

        // All in one burst: the server has something to write before it reads the goodbye.
        publisher.send(&Packet::from(Publish { topic: "t".into(), ..Publish::default() })).await;
        leaver.send(&Packet::Disconnect(Disconnect::default())).await;
        drop(leaver);
        let nothing = tokio::time::timeout(Duration::from_secs(1), watcher.receive()).await;
        assert!(nothing.is_err(), "{nothing:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn want_of_file_descriptors_does_not_stop_the_server() {
    beside_a_server(Config::default(), async |door: Door| {
        for _ in 0..3 {
            door.send(Err(io::Error::other("too many open files"))).expect("the server listens");
        }
        door.send(Err(io::ErrorKind::ConnectionAborted.into())).expect("the server listens");
        Client::connect(&door, "patient", 5).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_broken_listener_ends_the_server_and_clients_are_told() {
    let (door, server) = server(Config::default(), Seen::default(), pending());
    let test = async {
        let mut client = Client::connect(&door, "c", 5).await;
        door.send(Err(io::ErrorKind::InvalidInput.into())).expect("the server listens");
        assert_eq!(client.receive().await, disconnect(ReasonCode::SERVER_SHUTTING_DOWN));
        assert_eq!(client.receive().await, None);
    };
    let (served, ()) = tokio::join!(server, test);
    assert_eq!(served.map_err(|error| error.kind()), Err(io::ErrorKind::InvalidInput));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_tells_the_clients_and_waits_for_no_stuck_one() {
    let (stop, stopped) = oneshot::channel::<()>();
    let (door, server) = server(Config::default(), Seen::default(), async {
        stopped.await.expect("sent below");
    });
    let test = async {
        let mut client = Client::connect(&door, "c", 0).await;
        let mut stuck = Client::connect_with_room(&door, "stuck", 0, 64).await;
        stuck.subscribe("t").await;
        for _ in 0..10 {
            client.publish("more than fits into the pipe of the one that is stuck").await;
        }
        client.send(&Packet::PingReq).await;
        assert_eq!(client.receive().await, Some(Packet::PingResp));
        stop.send(()).expect("the server waits");
        assert_eq!(client.receive().await, disconnect(ReasonCode::SERVER_SHUTTING_DOWN));
        assert_eq!(client.receive().await, None);
        stuck
    };
    let before = tokio::time::Instant::now();
    let (served, _stuck) = tokio::join!(server, test);
    assert!(served.is_ok());
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_server_drops_its_sockets_at_once() {
    let (door, server) = server(Config::default(), Seen::default(), pending());
    let mut server = Box::pin(server);
    let mut client = tokio::select! {
        biased;
        client = Client::connect(&door, "c", 5) => client,
        _ = &mut server => panic!("the server ended"),
    };
    drop(server);
    // Nothing was written, and nobody has to be polled for the end to be seen.
    let mut rest = [0; 1];
    let read = client.stream.read(&mut rest);
    tokio::select! {
        biased;
        read = read => assert_eq!(read.expect("no error"), 0),
        () = std::future::ready(()) => panic!("the socket is still open"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_observer_sees_each_statement_at_its_time() {
    let seen = Seen::default();
    let (door, server) = server(Config::default(), seen.clone(), pending());
    let test = async {
        let mut client = Client::connect(&door, "c", 2).await;
        while client.receive().await.is_some() {}
    };
    tokio::select! {
        biased;
        () = test => {}
        _ = server => panic!("the server ended"),
    }
    let events: Vec<_> = seen
        .0
        .borrow()
        .iter()
        .map(|(at, event)| {
            let what = match event {
                Event::Received { packet, .. } => format!("received {}", packet.packet_type()),
                Event::Sending { packet, .. } => format!("sending {}", packet.packet_type()),
                Event::Closing { client_id, .. } => format!("closing {client_id}"),
                Event::Closed { client_id, .. } => format!("closed {client_id}"),
                Event::Denied { client_id, .. } => format!("denied {client_id}"),
            };
            (at.since_origin().as_millis(), what)
        })
        .collect();
    let expected = [(0, "received CONNECT"), (0, "sending CONNACK"), (3000, "closing c"), (3000, "sending DISCONNECT")];
    assert_eq!(events, expected.map(|(at, what)| (at, what.to_owned())));
}

fn login(client_id: &'static str, password: &'static str) -> Packet {
    let (username, password) = (Some("ann".into()), Some(password.into()));
    Packet::from(Connect { username, password, ..Connect::new(Version::V5_0, client_id) })
}

#[tokio::test(start_paused = true)]
async fn only_the_connection_that_asks_waits_for_its_password_to_be_judged() {
    beside_a_slow_judge(async |door| {
        let start = tokio::time::Instant::now();
        let mut right = Client::open(&door, 1024);
        let mut wrong = Client::open(&door, 1024);
        right.send(&login("right", "right")).await;
        wrong.send(&login("wrong", "wrong")).await;
        right.send(&Packet::PingReq).await;
        Client::connect(&door, "anonymous", 0).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        let Some(Packet::ConnAck(connack)) = right.receive().await else { panic!("no CONNACK") };
        assert_eq!((connack.reason, start.elapsed()), (ReasonCode::SUCCESS, Duration::from_secs(5)));
        assert_eq!(right.receive().await, Some(Packet::PingResp));
        let Some(Packet::ConnAck(connack)) = wrong.receive().await else { panic!("no CONNACK") };
        assert_eq!((connack.reason, start.elapsed()), (ReasonCode::BAD_USER_NAME_OR_PASSWORD, Duration::from_secs(5)));
        assert_eq!(wrong.receive().await, None);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_user_name_is_refused_where_nobody_checks_passwords() {
    let (door, pipes) = mpsc::unbounded_channel();
    let broker = Broker::with_access(Config::default(), Access { passwords: true, ..Access::default() }, [0; 32]);
    let test = async {
        let mut client = Client::open(&door, 1024);
        client.send(&login("c", "right")).await;
        client.receive().await
    };
    tokio::select! {
        biased;
        answer = test => {
            let Some(Packet::ConnAck(connack)) = answer else { panic!("no CONNACK") };
            assert_eq!(connack.reason, ReasonCode::BAD_USER_NAME_OR_PASSWORD);
        }
        ended = serve(broker, Pipes(pipes), TokioClock::new(), Seen::default(), pending()) => panic!("{ended:?}"),
    }
}
