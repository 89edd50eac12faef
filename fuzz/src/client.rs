//! A client under whatever its server, its network and its application do.

use std::collections::BTreeSet;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use halfopen_client::Options;
use halfopen_client::core::{AuthError, Client, Event, Mechanism, Output, Ticket, Token, Transport};
use halfopen_protocol::packet::Disconnect;
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
    /// The application acknowledges one of the messages that wait for it, or refuses it.
    Acknowledge(u8, bool),
    /// It takes the given number more.
    Allow(u8),
    /// The socket has enough, or no longer has.
    Congestion(bool),
    Reauthenticate,
    DisconnectWith(Option<u32>),
}

/// What a client may or may not make use of.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Settings {
    reconnects: bool,
    is_manual: bool,
    has_mechanism: bool,
    aliases: u8,
    incoming_limit: Option<u8>,
}

/// Believes everything but `bad`.
#[derive(Debug)]
struct Gullible(ByteString);

impl Mechanism for Gullible {
    fn name(&self) -> ByteString {
        self.0.clone()
    }

    fn start(&mut self) -> Option<Bytes> {
        None
    }

    fn challenge(&mut self, data: Option<&[u8]>) -> Result<Option<Bytes>, AuthError> {
        if data == Some(b"bad") { Err(AuthError::new("bad")) } else { Ok(data.map(Bytes::copy_from_slice)) }
    }

    fn finish(&mut self, _: Option<&[u8]>) -> Result<(), AuthError> {
        Ok(())
    }
}

/// Reads the steps from the bytes and does them.
///
/// # Panics
/// A rule of the client does not hold.
pub fn run(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok((opening, settings)) = <(Opening, Settings)>::arbitrary(&mut input) else { return };
    let mut world = World::new(&opening, settings);
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
    tickets: Vec<Ticket>,
    /// How many messages the application still takes; `None`: any number.
    credit: Option<usize>,
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
    fn new(opening: &Opening, settings: Settings) -> Self {
        let version = opening.version();
        let mut options = Options::new(version, "");
        options.connect = opening.connect().into();
        options.reconnect = settings.reconnects.then(Box::default);
        options.queue_limit = 4;
        options.manual_acknowledgement = settings.is_manual;
        options.topic_aliases = settings.aliases.into();
        options.incoming_limit = settings.incoming_limit.map(usize::from);
        let credit = options.incoming_limit;
        let method = options.connect.authentication_method.clone();
        let mut client = Client::new(options, 1);
        if let Some(method) = method.filter(|_| settings.has_mechanism) {
            client = client.with_mechanism(Box::new(Gullible(method)));
        }
        let (pending, tickets) = (BTreeSet::new(), Vec::new());
        Self { client, version, now: Instant::ZERO, link: Link::None, pending, tickets, credit }
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
            Step::Acknowledge(which, well) => {
                if !self.tickets.is_empty() {
                    let ticket = self.tickets.remove(usize::from(which) % self.tickets.len());
                    let reason = if well { ReasonCode::SUCCESS } else { ReasonCode::QUOTA_EXCEEDED };
                    // One of an earlier connection is no longer known, and 3.1.1 has no refusal.
                    let _ = self.client.acknowledge(now, ticket, reason);
                }
            }
            Step::Allow(messages) => {
                self.credit = self.credit.map(|credit| credit + usize::from(messages));
                self.client.allow(now, messages.into());
            }
            Step::Congestion(is_congested) => self.client.handle_congestion(now, is_congested),
            Step::Reauthenticate => drop(self.client.reauthenticate(now)),
            Step::DisconnectWith(session_expiry) => {
                let disconnect = Disconnect { session_expiry, ..Disconnect::default() };
                drop(self.client.disconnect_with(now, disconnect));
            }
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
                Output::Event(Event::Expired { token }) => {
                    assert!(self.pending.remove(&token), "a message expires once");
                }
                Output::Event(Event::Message(_)) => self.handed_on(),
                Output::Event(Event::Unacknowledged { ticket, .. }) => {
                    self.handed_on();
                    self.tickets.push(ticket);
                }
                Output::Event(_) => {}
            }
        }
    }

    fn handed_on(&mut self) {
        assert_ne!(self.credit, Some(0), "no more messages than the application takes");
        self.credit = self.credit.map(|credit| credit - 1);
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
