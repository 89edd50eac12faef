//! A client under whatever its server, its network and its application do.

use std::collections::BTreeSet;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use bytes::BytesMut;
use halfopen_client::Options;
use halfopen_client::core::{Client, Event, Output, Reconnect, Token, Transport};
use halfopen_protocol::{DecodeOptions, Instant, Packet, ReasonCode, Role, Version, decode};

use super::packets::{FromServer, Message, Opening, Wish, filter};

/// What happens next.
#[derive(Arbitrary, Debug)]
enum Step {
    Connect(Option<bool>),
    /// What was to be opened is open, or cannot be.
    Opened(bool),
    /// The server sends something, all of it or its first bytes only.
    Receive(FromServer, Option<u8>),
    Closed(u8),
    Written,
    Publish(Message),
    Subscribe(Vec<Wish>),
    Unsubscribe(Vec<u8>),
    Disconnect(bool),
    Close,
    Pinging(bool),
    /// So many powers of two of milliseconds pass.
    Pass(u8),
    /// The next deadline comes.
    Due,
}

/// Reads the steps from the bytes and does them.
///
/// # Panics
/// A rule of the client does not hold.
pub fn run(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok((opening, reconnects)) = <(Opening, bool)>::arbitrary(&mut input) else { return };
    let mut world = World::new(&opening, reconnects);
    while !input.is_empty() {
        let Ok(step) = Step::arbitrary(&mut input) else { break };
        world.step(step);
        world.drain();
    }
}

struct World {
    client: Client,
    version: Version,
    now: Instant,
    link: Link,
    pending: BTreeSet<Token>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Link {
    None,
    Opening,
    /// Open; CONNECT is still to come.
    Fresh,
    Open,
}

impl World {
    fn new(opening: &Opening, reconnects: bool) -> Self {
        let version = opening.version();
        let mut options = Options::new(version, "");
        options.connect = opening.connect();
        options.reconnect = reconnects.then(Reconnect::default);
        options.queue_limit = 4;
        let client = Client::new(options, 1);
        Self { client, version, now: Instant::ZERO, link: Link::None, pending: BTreeSet::new() }
    }

    fn step(&mut self, step: Step) {
        let now = self.now;
        let is_open = matches!(self.link, Link::Fresh | Link::Open);
        match step {
            Step::Connect(None) => self.client.connect(now),
            Step::Connect(Some(clean_start)) => self.client.connect_with(now, clean_start),
            Step::Opened(well) if self.link == Link::Opening => {
                self.link = if well { Link::Fresh } else { Link::None };
                match well {
                    true => self.client.handle_connected(now),
                    false => self.client.handle_connect_failed(now, "refused".to_owned()),
                }
            }
            Step::Receive(packet, cut) if is_open => {
                let mut bytes = packet.bytes(self.version);
                bytes.truncate(cut.map_or(usize::MAX, usize::from));
                self.client.handle_bytes(now, &bytes);
            }
            Step::Closed(how) if is_open => {
                self.link = Link::None;
                let how = [Transport::Eof, Transport::Reset, Transport::TimedOut][usize::from(how % 3)];
                self.client.handle_closed(now, how);
            }
            Step::Written if is_open => self.client.handle_written(now),
            Step::Opened(_) | Step::Receive(..) | Step::Closed(_) | Step::Written => {}
            Step::Publish(message) => {
                let token = self.client.publish(now, message.publish(self.version)).ok();
                self.expect(token);
            }
            Step::Subscribe(wishes) => {
                let subscriptions: Vec<_> = wishes.iter().map(|wish| wish.subscription(self.version)).collect();
                let token = self.client.subscribe(now, subscriptions).ok();
                self.expect(token);
            }
            Step::Unsubscribe(filters) => {
                let filters: Vec<_> = filters.iter().map(|&number| filter(number)).collect();
                let token = self.client.unsubscribe(now, filters).ok();
                self.expect(token);
            }
            Step::Disconnect(with_will) => {
                self.client.disconnect(now, ReasonCode::new(if with_will { 0x04 } else { 0 }));
            }
            Step::Close => self.client.close(now),
            Step::Pinging(true) => self.client.resume_pinging(now),
            Step::Pinging(false) => self.client.stop_pinging(),
            Step::Pass(power) => self.pass(now + Duration::from_millis(1 << (power % 36))),
            Step::Due => {
                if let Some((due, _)) = self.client.poll_timeout() {
                    self.pass(due.max(now));
                }
            }
        }
    }

    fn expect(&mut self, token: Option<Token>) {
        assert!(token.is_none_or(|token| self.pending.insert(token)), "a token is used once");
    }

    fn pass(&mut self, now: Instant) {
        self.now = now;
        for _ in 0..100 {
            self.client.handle_timeout(now);
            self.drain();
            if self.client.poll_timeout().is_none_or(|(at, _)| at > now) {
                return;
            }
        }
        panic!("what is due is never done: {:?}", self.client.poll_timeout());
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Connect => {
                    assert_eq!(self.link, Link::None, "one connection at a time");
                    self.link = Link::Opening;
                }
                Output::Close => {
                    assert_ne!(self.link, Link::None, "only what is there is closed");
                    self.link = Link::None;
                }
                Output::Send(bytes) => self.sent(&bytes),
                Output::Event(Event::Published { token, .. }) => {
                    assert!(self.pending.remove(&token), "a message is acknowledged once");
                }
                Output::Event(Event::Subscribed { token, .. } | Event::Unsubscribed { token, .. }) => {
                    assert!(self.pending.remove(&token) || token == Token::OWN, "a request is answered once");
                }
                Output::Event(_) => {}
            }
        }
    }

    /// Whole packets that a client may send, CONNECT first and only first.
    fn sent(&mut self, bytes: &[u8]) {
        let options = DecodeOptions { version: self.version, reader: Role::Server, maximum_packet_size: u32::MAX };
        let mut rest = BytesMut::from(bytes);
        while let Some(packet) = decode(&mut rest, &options).unwrap_or_else(|error| panic!("{bytes:?}: {error}")) {
            let expected = if matches!(packet, Packet::Connect(_)) { Link::Fresh } else { Link::Open };
            assert_eq!(self.link, expected, "{packet:?}");
            self.link = Link::Open;
        }
        assert!(rest.is_empty(), "whole packets");
    }
}
