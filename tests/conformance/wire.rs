//! Packets as bytes, made and read here anew: what judges the broker does not share its codec.

use std::fmt;

use super::dialogue::KEEP_ALIVE;

/// A string or binary data with its length in front.
pub(crate) fn field(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    let length = u16::try_from(bytes.len()).expect("a test's field is short enough");
    [&length.to_be_bytes()[..], bytes].concat()
}

/// A Variable Byte Integer.
pub(crate) fn variable(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value % 128).expect("below 128");
        value /= 128;
        bytes.push(if value > 0 { low | 0x80 } else { low });
        if value == 0 {
            return bytes;
        }
    }
}

/// A packet: the first byte, the Remaining Length, and these parts.
pub(crate) fn packet(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [vec![first], variable(body.len()), body].concat()
}

/// Properties with their length in front; nothing in 3.1.1.
pub(crate) fn properties(v5: bool, properties: &[u8]) -> Vec<u8> {
    if v5 { [variable(properties.len()), properties.to_vec()].concat() } else { Vec::new() }
}

/// CONNECT.
#[derive(Clone)]
pub(crate) struct Connect {
    pub(crate) id: Vec<u8>,
    pub(crate) clean: bool,
    pub(crate) keep_alive: u16,
    /// Session Expiry Interval in seconds (5.0).
    pub(crate) expiry: Option<u32>,
    pub(crate) properties: Vec<u8>,
    pub(crate) will: Option<Will>,
}

/// The will of a CONNECT.
#[derive(Clone)]
pub(crate) struct Will {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) properties: Vec<u8>,
}

impl Connect {
    pub(crate) fn new(id: impl AsRef<[u8]>) -> Self {
        let id = id.as_ref().to_vec();
        Self { id, clean: true, keep_alive: KEEP_ALIVE, expiry: None, properties: Vec::new(), will: None }
    }

    /// For a session that outlives its connection.
    pub(crate) fn lasting(id: impl AsRef<[u8]>, v5: bool) -> Self {
        Self { clean: false, expiry: v5.then_some(60), ..Self::new(id) }
    }

    /// With a Session Expiry Interval in seconds (5.0).
    pub(crate) fn expiry(self, seconds: u32) -> Self {
        Self { expiry: Some(seconds), ..self }
    }

    pub(crate) fn keep_alive(self, seconds: u16) -> Self {
        Self { keep_alive: seconds, ..self }
    }

    pub(crate) fn properties(self, properties: &[u8]) -> Self {
        Self { properties: [&self.properties[..], properties].concat(), ..self }
    }

    pub(crate) fn will(self, will: Will) -> Self {
        Self { will: Some(will), ..self }
    }

    pub(crate) fn bytes(&self, v5: bool) -> Vec<u8> {
        let mut flags = u8::from(self.clean) << 1;
        let mut payload = field(&self.id);
        if let Some(will) = &self.will {
            flags |= 4 | will.qos << 3 | u8::from(will.retain) << 5;
            payload.extend(properties(v5, &will.properties));
            payload.extend(field(&will.topic));
            payload.extend(field(&will.payload));
        }
        let head = [0, 4, b'M', b'Q', b'T', b'T', if v5 { 5 } else { 4 }, flags];
        let expiry = self.expiry.map(|seconds| [&[0x11][..], &seconds.to_be_bytes()].concat()).unwrap_or_default();
        let with = properties(v5, &[expiry, self.properties.clone()].concat());
        packet(0x10, &[&head, &self.keep_alive.to_be_bytes(), &with, &payload])
    }
}

impl Will {
    pub(crate) fn new(topic: impl Into<String>) -> Self {
        Self { topic: topic.into(), payload: b"gone".to_vec(), qos: 0, retain: false, properties: Vec::new() }
    }
}

/// What was received.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) first: u8,
    pub(crate) body: Vec<u8>,
    v5: bool,
}

impl fmt::Debug for Got {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X}", self.first)?;
        self.body.iter().take(40).try_for_each(|byte| write!(f, " {byte:02X}"))
    }
}

pub(crate) const CONNACK: u8 = 2;
pub(crate) const PUBLISH: u8 = 3;
pub(crate) const PUBACK: u8 = 4;
pub(crate) const PUBREC: u8 = 5;
pub(crate) const PUBREL: u8 = 6;
pub(crate) const PUBCOMP: u8 = 7;
pub(crate) const SUBACK: u8 = 9;
pub(crate) const UNSUBACK: u8 = 11;
pub(crate) const PINGRESP: u8 = 13;
pub(crate) const DISCONNECT: u8 = 14;

impl Got {
    pub(crate) fn new(first: u8, body: Vec<u8>, v5: bool) -> Self {
        Self { first, body, v5 }
    }

    pub(crate) fn kind(&self) -> u8 {
        self.first >> 4
    }

    pub(crate) fn qos(&self) -> u8 {
        self.first >> 1 & 3
    }

    pub(crate) fn dup(&self) -> bool {
        self.first & 8 != 0
    }

    pub(crate) fn retain(&self) -> bool {
        self.first & 1 != 0
    }

    fn number(&self, at: usize) -> u16 {
        u16::from_be_bytes([self.body.get(at).copied().unwrap_or(0), self.body.get(at + 1).copied().unwrap_or(0)])
    }

    /// The packet identifier; 0 if there is none.
    pub(crate) fn id(&self) -> u16 {
        match self.kind() {
            PUBLISH if self.qos() == 0 => 0,
            PUBLISH => self.number(2 + usize::from(self.number(0))),
            _ => self.number(0),
        }
    }

    pub(crate) fn topic(&self) -> String {
        let topic = self.body.get(2..2 + usize::from(self.number(0))).unwrap_or_default();
        String::from_utf8_lossy(topic).into_owned()
    }

    pub(crate) fn payload(&self) -> Vec<u8> {
        self.after_properties().to_vec()
    }

    /// The codes of SUBACK and UNSUBACK.
    pub(crate) fn codes(&self) -> Vec<u8> {
        self.after_properties().to_vec()
    }

    /// The reason code of an acknowledgement or a DISCONNECT, the return code of a CONNACK.
    pub(crate) fn reason(&self) -> u8 {
        let at = match self.kind() {
            CONNACK => 1,
            DISCONNECT => 0,
            _ => 2,
        };
        self.body.get(at).copied().unwrap_or(0)
    }

    fn properties_at(&self) -> usize {
        match self.kind() {
            CONNACK => 2,
            PUBLISH if self.qos() == 0 => 2 + usize::from(self.number(0)),
            PUBLISH => 4 + usize::from(self.number(0)),
            SUBACK | UNSUBACK => 2,
            DISCONNECT => 1,
            _ => 3,
        }
    }

    /// The length of the properties and where they begin.
    fn property_span(&self) -> (usize, usize) {
        let rest = self.body.get(self.properties_at()..).unwrap_or_default();
        match (self.v5, read_variable(rest)) {
            (true, Some((length, size))) => (length, self.properties_at() + size),
            _ => (0, self.properties_at()),
        }
    }

    fn after_properties(&self) -> &[u8] {
        let (length, at) = self.property_span();
        self.body.get(at + length..).unwrap_or_default()
    }

    /// The values of all properties of this identifier, in order, as bytes without a length in front (pairs: with).
    pub(crate) fn all(&self, id: u8) -> Vec<Vec<u8>> {
        let (length, at) = self.property_span();
        let mut rest = self.body.get(at..at + length).unwrap_or_default();
        let mut found = Vec::new();
        while let Some((&kind, after)) = rest.split_first() {
            let text = |from: usize| 2 + usize::from(u16::from_be_bytes([after[from], after[from + 1]]));
            let (skip, size) = match kind {
                0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2A => (0, 1),
                0x13 | 0x21 | 0x22 | 0x23 => (0, 2),
                0x02 | 0x11 | 0x18 | 0x27 => (0, 4),
                0x0B => (0, read_variable(after).map_or(1, |(_, size)| size)),
                0x26 => (0, text(0) + text(text(0))),
                _ => (2, text(0)),
            };
            if kind == id {
                found.push(after[skip..size].to_vec());
            }
            rest = &after[size..];
        }
        found
    }

    pub(crate) fn one(&self, id: u8) -> Option<Vec<u8>> {
        self.all(id).into_iter().next()
    }
}

/// The value and how many bytes it has.
fn read_variable(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (at, &byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}
