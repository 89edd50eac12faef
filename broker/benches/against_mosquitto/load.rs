use std::cell::Cell;
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

const TOPIC: &[u8] = b"bench/topic";
const PAYLOAD: [u8; 64] = [b'x'; 64];
/// Number of threads that open connections.
const OPENERS: u32 = 2;
/// Number of connections of one thread that wait for CONNACK at once.
const CONNECTING: usize = 16;

/// One publisher and the given number of subscribers.
pub(crate) struct Load {
    pub(crate) port: u16,
    pub(crate) qos: u8,
    pub(crate) subscribers: u32,
    pub(crate) window: u32,
}

/// What publisher and subscribers know of each other.
#[derive(Default)]
struct Progress {
    /// Deliveries to all subscribers together.
    delivered: Cell<u64>,
    more: Notify,
}

impl Load {
    /// How many messages reach subscribers in a second.
    pub(crate) async fn run(&self, warm_up: Duration, time: Duration) -> f64 {
        let progress = Rc::new(Progress::default());
        let mut tasks = JoinSet::new();
        for number in 0..self.subscribers {
            let mut stream = connect(self.port, &format!("sub{number}")).await;
            let length = u8::try_from(TOPIC.len()).expect("a short topic");
            let subscribe = [&[0x82, length + 5, 0, 1, 0, length], TOPIC, &[self.qos]].concat();
            stream.write_all(&subscribe).await.expect("the broker reads");
            stream.read_exact(&mut [0; 5]).await.expect("SUBACK comes");
            tasks.spawn_local(subscribe_for_ever(stream, Rc::clone(&progress)));
        }
        let publisher = connect(self.port, "pub").await;
        let (qos, window, subscribers) = (self.qos, self.window, self.subscribers);
        let shared = Rc::clone(&progress);
        tasks.spawn_local(async move { publish_for_ever(publisher, qos, window, subscribers, &shared).await });

        tokio::time::sleep(warm_up).await;
        let (start, before) = (Instant::now(), progress.delivered.get());
        tokio::time::sleep(time).await;
        let count = progress.delivered.get() - before;
        assert!(count > 0, "nothing arrives");
        count as f64 / start.elapsed().as_secs_f64()
    }
}

/// Opens the given number of connections, each up to CONNACK, and returns the rate per second and the connections.
///
/// The connections come from several threads, with blocking sockets and as few system calls as can be: a client has as much to do as the
/// broker, and if it took longer it would be all that is measured.
pub(crate) fn open_connections(port: u16, count: u32) -> (f64, Vec<std::net::TcpStream>) {
    let start = Instant::now();
    let open = std::thread::scope(|scope| {
        let openers: Vec<_> = (0..OPENERS).map(|opener| scope.spawn(move || open_some(port, opener, count))).collect();
        openers.into_iter().flat_map(|opener| opener.join().expect("the broker accepts all")).collect()
    });
    (f64::from(count) / start.elapsed().as_secs_f64(), open)
}

/// Opens every `OPENERS`-th of the connections.
fn open_some(port: u16, opener: u32, count: u32) -> Vec<std::net::TcpStream> {
    let mut open = Vec::new();
    let mut accepted = 0;
    for number in (opener..count).step_by(OPENERS as usize) {
        let mut stream = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the broker listens");
        stream.write_all(&connect_packet(&format!("idle{number:05}"))).expect("the broker reads");
        open.push(stream);
        if open.len() - accepted == CONNECTING {
            await_connack(&mut open[accepted]);
            accepted += 1;
        }
    }
    open[accepted..].iter_mut().for_each(await_connack);
    open
}

fn await_connack(stream: &mut std::net::TcpStream) {
    let mut connack = [0; 4];
    stream.read_exact(&mut connack).expect("CONNACK comes");
    assert_eq!(connack, CONNACK);
}

/// A connection of 3.1.1 with a clean session and without keep-alive.
async fn connect(port: u16, id: &str) -> TcpStream {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("the broker listens");
    stream.set_nodelay(true).expect("a TCP socket");
    stream.write_all(&connect_packet(id)).await.expect("the broker reads");
    let mut connack = [0; 4];
    stream.read_exact(&mut connack).await.expect("CONNACK comes");
    assert_eq!(connack, CONNACK);
    stream
}

const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

fn connect_packet(id: &str) -> Vec<u8> {
    let length = u8::try_from(id.len()).expect("a short identifier");
    [b"\x10", &[length + 12], &b"\0\x04MQTT\x04\x02\0\0\0"[..], &[length], id.as_bytes()].concat()
}

async fn subscribe_for_ever(mut stream: TcpStream, progress: Rc<Progress>) {
    let mut input = Input::default();
    let mut answers = Vec::new();
    while input.read(&mut stream).await {
        let mut delivered = 0;
        while let Some((first, body)) = input.packet() {
            match first & 0xF6 {
                0x30 => delivered += 1,
                0x32 => {
                    delivered += 1;
                    answers.extend([0x40, 2, body[TOPIC.len() + 2], body[TOPIC.len() + 3]]);
                }
                0x34 => answers.extend([0x50, 2, body[TOPIC.len() + 2], body[TOPIC.len() + 3]]),
                0x62 => {
                    delivered += 1;
                    answers.extend([0x70, 2, body[0], body[1]]);
                }
                _ => {}
            }
        }
        progress.delivered.set(progress.delivered.get() + delivered);
        progress.more.notify_one();
        if !answers.is_empty() && stream.write_all(&answers).await.is_err() {
            return;
        }
        answers.clear();
    }
}

async fn publish_for_ever(mut stream: TcpStream, qos: u8, window: u32, subscribers: u32, progress: &Progress) {
    let mut input = Input::default();
    let mut output = Vec::new();
    let (mut sent, mut acknowledged) = (0_u64, 0_u64);
    loop {
        let arrived = progress.delivered.get() / u64::from(subscribers);
        let done = if qos == 0 { arrived } else { arrived.min(acknowledged) };
        while sent - done < u64::from(window) {
            put_publish(&mut output, qos, sent);
            sent += 1;
        }
        if !output.is_empty() && stream.write_all(&output).await.is_err() {
            return;
        }
        output.clear();
        tokio::select! {
            biased;
            open = input.read(&mut stream) => if !open { return },
            () = progress.more.notified() => {}
        }
        while let Some((first, body)) = input.packet() {
            match first {
                0x40 | 0x70 => acknowledged += 1,
                0x50 => output.extend([0x62, 2, body[0], body[1]]),
                _ => {}
            }
        }
    }
}

fn put_publish(output: &mut Vec<u8>, qos: u8, number: u64) {
    let id = (number % 60_000) as u16 + 1;
    let id = id.to_be_bytes();
    let id = if qos == 0 { &[][..] } else { &id };
    let length = 2 + TOPIC.len() + id.len() + PAYLOAD.len();
    output.extend([0x30 | qos << 1, length as u8, 0, TOPIC.len() as u8]);
    output.extend_from_slice(TOPIC);
    output.extend_from_slice(id);
    output.extend_from_slice(&PAYLOAD);
}

/// What has arrived. All packets here are shorter than 128 bytes.
struct Input {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Default for Input {
    fn default() -> Self {
        Self { bytes: vec![0; 16 * 1024], start: 0, end: 0 }
    }
}

impl Input {
    /// Reads more. False: the connection has ended.
    async fn read(&mut self, stream: &mut TcpStream) -> bool {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        match stream.read(&mut self.bytes[self.end..]).await {
            Ok(0) | Err(_) => false,
            Ok(length) => {
                self.end += length;
                true
            }
        }
    }

    /// The next whole packet: its first byte and what follows the fixed header.
    fn packet(&mut self) -> Option<(u8, &[u8])> {
        let [first, length, rest @ ..] = &self.bytes[self.start..self.end] else { return None };
        let length = usize::from(*length);
        let body = rest.get(..length)?;
        self.start += 2 + length;
        Some((*first, body))
    }
}
