//! One connection, and what a row may say and expect on it.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::dialogue::{Ended, Played, Unmet, same};
use super::wire::{
    CONNACK, DISCONNECT, Got, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, UNSUBACK, field, packet,
    properties,
};

/// How long a broker may take for an answer. Only rows that fail wait so long.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a connection must be silent before everything that was sent to it counts as received.
const SETTLED: Duration = Duration::from_millis(500);

/// One connection.
pub(crate) struct Client {
    socket: TcpStream,
    pub(crate) v5: bool,
    /// The answer to CONNECT, once it is there.
    pub(crate) connack: Option<Got>,
    /// Read while something else was waited for.
    waiting: VecDeque<Got>,
    next_id: u16,
}

impl Client {
    /// Opens a connection on which nothing was sent yet.
    pub(crate) fn open(broker: SocketAddr, v5: bool) -> Played<Self> {
        let socket = TcpStream::connect(broker).map_err(|error| format!("no connection: {error}"))?;
        socket.set_nodelay(true).map_err(|error| error.to_string())?;
        let mut client = Self { socket, v5, connack: None, waiting: VecDeque::new(), next_id: 0 };
        client.patience(PATIENCE)?;
        Ok(client)
    }

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

    /// The next packet of this kind; others wait until they are asked for.
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
