//! Connections to a broker, and what a row may say and expect on them.

use std::collections::VecDeque;
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::OnceLock;
use std::time::Duration;

use halfopen_protocol::Version;

use super::wire::{
    CONNACK, Connect, DISCONNECT, Got, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, UNSUBACK, field,
    packet, properties,
};

/// What a row ends with.
pub(crate) type Played<T = ()> = Result<T, Unmet>;

/// Why a row does not pass.
#[derive(Debug)]
pub(crate) enum Unmet {
    /// The broker broke a rule of the standard.
    Violation(String),
    /// The row is about something that the standard lets a broker leave out, and this one leaves it out.
    NotOffered(String),
}

/// Why no packet could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Nothing was received in time.
    Silent,
    /// The broker closed the connection.
    Closed,
}

/// How long a broker may take for an answer. Only rows that fail wait so long.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a connection must be silent before everything that was sent to it counts as received.
const SETTLED: Duration = Duration::from_millis(500);

/// The keep-alive of connections whose row is not about it, in seconds.
pub(crate) const KEEP_ALIVE: u16 = 60;

/// The reason codes for what is malformed or breaks the protocol (§4.13 of 5.0 leaves the choice to the sender).
pub(crate) const FAULTY: &[u8] = &[0x81, 0x82];

impl Unmet {
    pub(crate) fn not_offered<T>(what: impl Into<String>) -> Played<T> {
        Err(Self::NotOffered(what.into()))
    }

    /// Names the case of the row in which this happened.
    pub(crate) fn about(self, case: impl fmt::Display) -> Self {
        match self {
            Self::Violation(what) => Self::Violation(format!("{case}: {what}")),
            Self::NotOffered(what) => Self::NotOffered(what),
        }
    }
}

impl From<String> for Unmet {
    fn from(what: String) -> Self {
        Self::Violation(what)
    }
}

impl From<&str> for Unmet {
    fn from(what: &str) -> Self {
        Self::Violation(what.to_owned())
    }
}

impl From<Ended> for Unmet {
    fn from(ended: Ended) -> Self {
        Self::Violation(ended.to_string())
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silent => "nothing came",
            Self::Closed => "the connection is closed",
        })
    }
}

/// Six letters and digits that differ from run to run, so that what an earlier run left at the broker is not met again.
fn run_tag() -> &'static str {
    static TAG: OnceLock<String> = OnceLock::new();
    TAG.get_or_init(|| {
        let mut bytes = [0; 6];
        getrandom::fill(&mut bytes).expect("the system has randomness");
        bytes.iter().map(|byte| char::from(b"abcdefghijklmnopqrstuvwxyz012345"[usize::from(byte % 32)])).collect()
    })
}

/// One row under way: a broker, a version, and names that no other row and no other run uses.
pub(crate) struct Dialogue {
    pub(crate) broker: SocketAddr,
    pub(crate) version: Version,
    pub(crate) number: usize,
}

impl Dialogue {
    pub(crate) fn v5(&self) -> bool {
        self.version.is_v5()
    }

    /// A client identifier or topic that is this row's and this run's alone: letters and digits, and with a short name
    /// not more than the 23 bytes that every broker takes as an identifier [MQTT-3.1.3-5].
    pub(crate) fn own(&self, name: &str) -> String {
        format!("{}{}v{}{name}", run_tag(), self.number, self.version.level())
    }

    /// A connection on which nothing was sent yet.
    pub(crate) fn open(&self) -> Played<Client> {
        let socket = TcpStream::connect(self.broker).map_err(|error| format!("no connection: {error}"))?;
        socket.set_nodelay(true).map_err(|error| error.to_string())?;
        let mut client = Client { socket, v5: self.v5(), connack: None, waiting: VecDeque::new(), next_id: 0 };
        client.patience(PATIENCE)?;
        Ok(client)
    }

    /// A client with a fresh session that is accepted.
    pub(crate) fn connect(&self, name: &str) -> Played<Client> {
        self.accept(&Connect::new(self.own(name)))
    }

    /// Sends this CONNECT and expects to be accepted, with the session expiry and the keep-alive that it asks for:
    /// 5.0 lets a broker impose its own (§3.2.2.3.2, §3.2.2.3.14).
    pub(crate) fn accept(&self, connect: &Connect) -> Played<Client> {
        let client = self.answer(connect)?;
        let connack = client.connack();
        match connack.reason() {
            0 => {}
            0x9A => return Unmet::not_offered("retained wills"),
            0x9B => return Unmet::not_offered("wills of this QoS"),
            reason => return Err(format!("refused with {reason:#04X}").into()),
        }
        if let (Some(asked), Some(granted)) = (connect.expiry, connack.one(0x11))
            && granted != asked.to_be_bytes()
        {
            return Unmet::not_offered(format!("sessions that last {asked} s"));
        }
        if connect.keep_alive != KEEP_ALIVE
            && connack.one(0x13).is_some_and(|it| it != connect.keep_alive.to_be_bytes())
        {
            return Unmet::not_offered(format!("a keep-alive of {} s", connect.keep_alive));
        }
        Ok(client)
    }

    /// Sends this CONNECT and expects a CONNACK of any kind.
    pub(crate) fn answer(&self, connect: &Connect) -> Played<Client> {
        let mut client = self.open()?;
        client.send(&connect.bytes(self.v5()))?;
        let connack = client.next()?;
        if connack.kind() != CONNACK {
            return Err(format!("the first packet is no CONNACK: {connack:?}").into());
        }
        client.connack = Some(connack);
        Ok(client)
    }
}

/// One connection.
pub(crate) struct Client {
    socket: TcpStream,
    pub(crate) v5: bool,
    connack: Option<Got>,
    /// Read while something else was waited for.
    waiting: VecDeque<Got>,
    next_id: u16,
}

impl Client {
    pub(crate) fn connack(&self) -> &Got {
        self.connack.as_ref().expect("the dialogue waited for it")
    }

    pub(crate) fn session_present(&self) -> bool {
        self.connack().body.first() == Some(&1)
    }

    /// Changes how long the broker may take for what comes next.
    pub(crate) fn patience(&mut self, patience: Duration) -> Played {
        Ok(self.socket.set_read_timeout(Some(patience)).map_err(|error| error.to_string())?)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Played {
        Ok(self.socket.write_all(bytes).map_err(|error| format!("cannot send: {error}"))?)
    }

    /// Dies without a word.
    pub(crate) fn cut(self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Disconnects in order, and waits for the end of the connection, so that what follows comes after it.
    pub(crate) fn leave(self) -> Played {
        self.leave_with(&[0xE0, 0])
    }

    /// The same with this DISCONNECT. It is the client that must close after it; the broker only should.
    pub(crate) fn leave_with(mut self, disconnect: &[u8]) -> Played {
        self.send(disconnect)?;
        let _ = self.socket.shutdown(Shutdown::Write);
        while self.next().is_ok() {}
        Ok(())
    }

    /// The next packet from the socket.
    fn read(&mut self) -> Result<Got, Ended> {
        let mut first = [0];
        self.fill(&mut first)?;
        let mut length = 0;
        for at in 0..4 {
            let mut byte = [0];
            self.fill(&mut byte)?;
            length |= usize::from(byte[0] & 0x7F) << (7 * at);
            if byte[0] & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.fill(&mut body)?;
        Ok(Got::new(first[0], body, self.v5))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Ended> {
        self.socket.read_exact(bytes).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Ended::Silent,
            _ => Ended::Closed,
        })
    }

    pub(crate) fn next(&mut self) -> Result<Got, Ended> {
        match self.waiting.pop_front() {
            Some(packet) => Ok(packet),
            None => self.read(),
        }
    }

    /// The next packet of this kind; others wait for whoever asks for them.
    pub(crate) fn get(&mut self, kind: u8) -> Played<Got> {
        if let Some(at) = self.waiting.iter().position(|packet| packet.kind() == kind) {
            return Ok(self.waiting.remove(at).expect("it was found there"));
        }
        loop {
            let packet = self.read().map_err(|ended| format!("waiting for packet type {kind}: {ended}"))?;
            if packet.kind() == kind {
                return Ok(packet);
            }
            self.waiting.push_back(packet);
        }
    }

    /// All messages that are sent to this connection until it falls silent, unacknowledged.
    pub(crate) fn messages(&mut self) -> Played<Vec<Got>> {
        self.patience(SETTLED)?;
        let mut messages = Vec::new();
        let ended = loop {
            match self.next() {
                Ok(packet) if packet.kind() == PUBLISH => messages.push(packet),
                Ok(packet) => return Err(format!("only messages were to come, but {packet:?}").into()),
                Err(ended) => break ended,
            }
        };
        self.patience(PATIENCE)?;
        if ended == Ended::Silent { Ok(messages) } else { Err(ended.into()) }
    }

    /// The next message, acknowledged as its QoS demands.
    pub(crate) fn message(&mut self) -> Played<Got> {
        let message = self.get(PUBLISH)?;
        let id = message.id().to_be_bytes();
        match message.qos() {
            0 => {}
            1 => self.send(&[0x40, 2, id[0], id[1]])?,
            _ => {
                self.send(&[0x50, 2, id[0], id[1]])?;
                let release = self.get(PUBREL)?;
                same("the identifier of PUBREL", &release.id(), &message.id())?;
                self.send(&[0x70, 2, id[0], id[1]])?;
            }
        }
        Ok(message)
    }

    /// That nothing has come before the answer to a PINGREQ.
    pub(crate) fn nothing(&mut self) -> Played {
        self.send(&[0xC0, 0])?;
        let packet = self.next()?;
        if packet.kind() == PINGRESP { Ok(()) } else { Err(format!("nothing was to come, but {packet:?}").into()) }
    }

    /// That nothing comes for so long.
    pub(crate) fn quiet(&mut self, time: Duration) -> Played {
        self.patience(time)?;
        let read = self.next();
        self.patience(PATIENCE)?;
        match read {
            Err(Ended::Silent) => Ok(()),
            Err(Ended::Closed) => Err(Ended::Closed.into()),
            Ok(packet) => Err(format!("nothing was to come, but {packet:?}").into()),
        }
    }

    /// That the broker closes. Before it 5.0 may have a DISCONNECT (or the CONNACK that is due) with one of these
    /// reasons, or with 0x80, by which a broker keeps its reason to itself; 3.1.1 has nothing.
    pub(crate) fn closed(&mut self, reasons: &[u8]) -> Played {
        self.closed_after(0, reasons)
    }

    /// The same, after any number of packets of this kind without an error in them.
    pub(crate) fn closed_after(&mut self, kind: u8, reasons: &[u8]) -> Played {
        loop {
            match self.next() {
                Ok(packet) if packet.kind() == kind && packet.reason() < 0x80 => {}
                Ok(packet) if self.v5 && packet.kind() == if self.connack.is_some() { DISCONNECT } else { CONNACK } => {
                    let reason = packet.reason();
                    if reason != 0x80 && !reasons.contains(&reason) {
                        return Err(format!("closed with reason {reason:#04X}, not {reasons:02X?}").into());
                    }
                }
                Ok(packet) => return Err(format!("it was to be closed, but {packet:?}").into()),
                Err(Ended::Silent) => return Err("it was not closed".into()),
                Err(Ended::Closed) => return Ok(()),
            }
        }
    }

    /// That the broker offers what a property of CONNACK can deny (§3.2.2.3 of 5.0).
    pub(crate) fn offers(&self, property: u8, what: &str) -> Played {
        if self.connack().one(property) == Some(vec![0]) { Unmet::not_offered(what) } else { Ok(()) }
    }

    /// That the broker offers shared subscriptions.
    pub(crate) fn offers_shared_subscriptions(&self) -> Played {
        self.offers(0x2A, "shared subscriptions")
    }

    /// How many topic aliases a client may set, at least one.
    pub(crate) fn topic_aliases(&self) -> Played<u16> {
        match self.connack().one(0x22).map_or(0, |most| u16::from_be_bytes([most[0], most[1]])) {
            0 => Unmet::not_offered("topic aliases of clients"),
            most => Ok(most),
        }
    }

    pub(crate) fn fresh_id(&mut self) -> [u8; 2] {
        self.next_id += 1;
        self.next_id.to_be_bytes()
    }

    /// Subscribes, and expects to be granted the QoS of the options.
    pub(crate) fn subscribe(&mut self, filter: &str, options: u8) -> Played {
        self.subscribe_with(&[], &[(filter, options)])
    }

    /// The same with these properties, to several filters.
    pub(crate) fn subscribe_with(&mut self, with: &[u8], filters: &[(&str, u8)]) -> Played {
        let codes = self.suback(with, filters)?;
        codes.iter().zip(filters).try_for_each(|(&code, (filter, options))| match options & 3 {
            qos if code == qos => Ok(()),
            qos if code < qos => Unmet::not_offered(format!("subscriptions with QoS {qos}")),
            _ if code >= 0x80 => Unmet::not_offered(format!("the subscription to {filter} (refused with {code:#04X})")),
            qos => Err(format!("{filter}: QoS {code} is granted where {qos} was asked for").into()),
        })
    }

    /// Subscribes and gives the codes.
    pub(crate) fn suback(&mut self, with: &[u8], filters: &[(&str, u8)]) -> Played<Vec<u8>> {
        if filters.iter().any(|(filter, _)| filter.contains(['+', '#'])) {
            self.offers(0x28, "subscriptions with wildcards")?;
        }
        if filters.iter().any(|(filter, _)| filter.starts_with("$share/")) {
            self.offers_shared_subscriptions()?;
        }
        if with.first() == Some(&0x0B) {
            self.offers(0x29, "subscription identifiers")?;
        }
        let id = self.fresh_id();
        let fields: Vec<_> = filters.iter().map(|(filter, options)| [field(filter), vec![*options]].concat()).collect();
        self.send(&packet(0x82, &[&id, &properties(self.v5, with), &fields.concat()]))?;
        let answer = self.get(SUBACK)?;
        same("the identifier of SUBACK", &answer.id().to_be_bytes(), &id)?;
        same("how many codes SUBACK has", &answer.codes().len(), &filters.len())?;
        Ok(answer.codes())
    }

    /// Unsubscribes and gives the codes: none in 3.1.1.
    pub(crate) fn unsubscribe(&mut self, filters: &[&str]) -> Played<Vec<u8>> {
        let id = self.fresh_id();
        let filters: Vec<_> = filters.iter().map(field).collect();
        self.send(&packet(0xA2, &[&id, &properties(self.v5, &[]), &filters.concat()]))?;
        let answer = self.get(UNSUBACK)?;
        same("the identifier of UNSUBACK", &answer.id().to_be_bytes(), &id)?;
        Ok(answer.codes())
    }

    /// The bytes of a PUBLISH. `flags` are those of the first byte; the identifier stands only if the QoS has one.
    pub(crate) fn publish_bytes(&self, flags: u8, topic: &str, id: [u8; 2], with: &[u8], payload: &[u8]) -> Vec<u8> {
        let id: &[u8] = if flags & 6 == 0 { &[] } else { &id };
        packet(0x30 | flags, &[&field(topic), id, &properties(self.v5, with), payload])
    }

    /// Publishes, and finishes what the QoS asks for. Gives the reason of the first answer.
    pub(crate) fn publish_with(&mut self, flags: u8, topic: &str, with: &[u8], payload: &[u8]) -> Played<u8> {
        if flags & 1 == 1 {
            self.offers(0x25, "retained messages")?;
        }
        if self.connack().one(0x24).is_some_and(|maximum| maximum[0] < flags >> 1 & 3) {
            return Unmet::not_offered(format!("QoS {}", flags >> 1 & 3));
        }
        let id = self.fresh_id();
        self.send(&self.publish_bytes(flags, topic, id, with, payload))?;
        let kind = match flags >> 1 & 3 {
            0 => return Ok(0),
            1 => PUBACK,
            _ => PUBREC,
        };
        let answer = self.get(kind)?;
        same("the identifier of the answer", &answer.id().to_be_bytes(), &id)?;
        if kind == PUBREC && answer.reason() < 0x80 {
            self.send(&[0x62, 2, id[0], id[1]])?;
            same("the identifier of PUBCOMP", &self.get(PUBCOMP)?.id().to_be_bytes(), &id)?;
        }
        Ok(answer.reason())
    }

    pub(crate) fn publish(&mut self, qos: u8, topic: &str, payload: &str) -> Played {
        let reason = self.publish_with(qos << 1, topic, &[], payload.as_bytes())?;
        if reason < 0x80 { Ok(()) } else { Unmet::not_offered(format!("this PUBLISH (refused with {reason:#04X})")) }
    }

    pub(crate) fn retain(&mut self, qos: u8, topic: &str, payload: &str) -> Played {
        self.publish_with(qos << 1 | 1, topic, &[], payload.as_bytes())?;
        // A QoS 0 message has no answer; the next one has.
        self.nothing()
    }
}

/// That something is as it is to be.
pub(crate) fn same<T: PartialEq + fmt::Debug>(what: &str, got: &T, expected: &T) -> Played {
    if got == expected { Ok(()) } else { Err(format!("{what}: {got:?} instead of {expected:?}").into()) }
}

/// That a message is this one: QoS, RETAIN, topic and payload.
pub(crate) fn is(message: &Got, qos: u8, retain: bool, topic: &str, payload: &str) -> Played {
    let got = (message.qos(), message.retain(), message.topic(), message.payload());
    same("the message", &got, &(qos, retain, topic.to_owned(), payload.as_bytes().to_vec()))
}
