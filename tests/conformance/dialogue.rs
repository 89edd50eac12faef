//! One row under way: its names, its connections, and how it ends.

use std::fmt;
use std::net::SocketAddr;
use std::sync::OnceLock;

use halfopen_protocol::Version;

use super::client::Client;
use super::wire::{CONNACK, Connect, Got};

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
        Client::open(self.broker, self.v5())
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

/// That something is as it is to be.
pub(crate) fn same<T: PartialEq + fmt::Debug>(what: &str, got: &T, expected: &T) -> Played {
    if got == expected { Ok(()) } else { Err(format!("{what}: {got:?} instead of {expected:?}").into()) }
}

/// That a message is this one: QoS, RETAIN, topic and payload.
pub(crate) fn is(message: &Got, qos: u8, retain: bool, topic: &str, payload: &str) -> Played {
    let got = (message.qos(), message.retain(), message.topic(), message.payload());
    same("the message", &got, &(qos, retain, topic.to_owned(), payload.as_bytes().to_vec()))
}
