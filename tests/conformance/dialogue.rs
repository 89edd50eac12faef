//! Connections to a broker, and what a row may say and expect on them.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use halfopen_protocol::Version;

use super::wire::{
    CONNACK, Connect, DISCONNECT, Got, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, UNSUBACK, field,
    packet, properties,
};

/// What a row ends with: an error says what was not as it should be.
pub(crate) type Played<T = ()> = Result<T, String>;

/// How long a broker may take for an answer. Only rows that fail wait so long.
const PATIENCE: Duration = Duration::from_secs(3);

/// One row under way: a broker, a version, and names that no other row uses.
pub(crate) struct Dialogue {
    pub(crate) broker: SocketAddr,
    pub(crate) version: Version,
    pub(crate) number: usize,
}

impl Dialogue {
    pub(crate) fn v5(&self) -> bool {
        self.version.is_v5()
    }

    /// A client identifier or topic that is this row's alone. Letters and digits only.
    pub(crate) fn own(&self, name: &str) -> String {
        format!("r{}v{}{name}", self.number, self.version.level())
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

    /// Sends this CONNECT and expects to be accepted.
    pub(crate) fn accept(&self, connect: &Connect) -> Played<Client> {
        let client = self.answer(connect)?;
        match client.connack().reason() {
            0 => Ok(client),
            reason => Err(format!("refused with {reason:#04X}")),
        }
    }

    /// Sends this CONNECT and expects a CONNACK of any kind.
    pub(crate) fn answer(&self, connect: &Connect) -> Played<Client> {
        let mut client = self.open()?;
        client.send(&connect.bytes(self.v5()))?;
        let connack = client.next()?;
        if connack.kind() != CONNACK {
            return Err(format!("the first packet is no CONNACK: {connack:?}"));
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

    fn patience(&mut self, patience: Duration) -> Played {
        self.socket.set_read_timeout(Some(patience)).map_err(|error| error.to_string())
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Played {
        self.socket.write_all(bytes).map_err(|error| format!("cannot send: {error}"))
    }

    /// Dies without a word.
    pub(crate) fn cut(self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// DISCONNECT, and waits for the broker's close, so that what follows comes after it.
    pub(crate) fn leave(mut self) -> Played {
        self.send(&[0xE0, 0])?;
        self.closed(&[])
    }

    /// The next packet from the socket.
    fn read(&mut self) -> Played<Got> {
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

    fn fill(&mut self, bytes: &mut [u8]) -> Played {
        self.socket.read_exact(bytes).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => "nothing came".to_owned(),
            _ => "the connection is closed".to_owned(),
        })
    }

    pub(crate) fn next(&mut self) -> Played<Got> {
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
            let packet = self.read().map_err(|error| format!("waiting for packet type {kind}: {error}"))?;
            if packet.kind() == kind {
                return Ok(packet);
            }
            self.waiting.push_back(packet);
        }
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
        if packet.kind() == PINGRESP { Ok(()) } else { Err(format!("nothing was to come, but {packet:?}")) }
    }

    /// That nothing comes for so long.
    pub(crate) fn quiet(&mut self, time: Duration) -> Played {
        self.patience(time)?;
        let read = self.next();
        self.patience(PATIENCE)?;
        match read {
            Err(error) if error == "nothing came" => Ok(()),
            Err(error) => Err(error),
            Ok(packet) => Err(format!("nothing was to come, but {packet:?}")),
        }
    }

    /// That the broker closes. Before it 5.0 may have a DISCONNECT (or the CONNACK that is due) with one of these
    /// reasons; 3.1.1 has nothing.
    pub(crate) fn closed(&mut self, reasons: &[u8]) -> Played {
        loop {
            match self.next() {
                Ok(packet) if self.v5 && packet.kind() == if self.connack.is_some() { DISCONNECT } else { CONNACK } => {
                    if !reasons.contains(&packet.reason()) {
                        return Err(format!("closed with reason {:#04X}, not {reasons:02X?}", packet.reason()));
                    }
                }
                Ok(packet) => return Err(format!("it was to be closed, but {packet:?}")),
                Err(error) if error == "nothing came" => return Err("it was not closed".to_owned()),
                Err(_) => return Ok(()),
            }
        }
    }

    pub(crate) fn fresh_id(&mut self) -> [u8; 2] {
        self.next_id += 1;
        self.next_id.to_be_bytes()
    }

    /// Subscribes and gives the code.
    pub(crate) fn subscribe(&mut self, filter: &str, options: u8) -> Played<u8> {
        self.subscribe_with(&[], &[(filter, options)]).map(|codes| codes[0])
    }

    /// Subscribes with these properties and gives the codes.
    pub(crate) fn subscribe_with(&mut self, with: &[u8], filters: &[(&str, u8)]) -> Played<Vec<u8>> {
        let id = self.fresh_id();
        let filters: Vec<_> =
            filters.iter().map(|(filter, options)| [field(filter), vec![*options]].concat()).collect();
        self.send(&packet(0x82, &[&id, &properties(self.v5, with), &filters.concat()]))?;
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
        if reason < 0x80 { Ok(()) } else { Err(format!("PUBLISH is refused with {reason:#04X}")) }
    }

    pub(crate) fn retain(&mut self, qos: u8, topic: &str, payload: &str) -> Played {
        self.publish_with(qos << 1 | 1, topic, &[], payload.as_bytes())?;
        // A QoS 0 message has no answer; the next one has.
        self.nothing()
    }
}

/// That something is as it is to be.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, expected: &T) -> Played {
    if got == expected { Ok(()) } else { Err(format!("{what}: {got:?} instead of {expected:?}")) }
}

/// That a message is this one: QoS, RETAIN, topic and payload.
pub(crate) fn is(message: &Got, qos: u8, retain: bool, topic: &str, payload: &str) -> Played {
    let got = (message.qos(), message.retain(), message.topic(), message.payload());
    same("the message", &got, &(qos, retain, topic.to_owned(), payload.as_bytes().to_vec()))
}
