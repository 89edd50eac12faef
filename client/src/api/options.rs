use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::Version;
use halfopen_protocol::packet::{Subscription, Will};

use super::{Client, Error, Messages, State};
use crate::core::{Mechanism, Options, Reconnect};

/// Options for connecting, and for the time after a connection is lost. Every method changes one thing.
#[derive(Debug)]
pub struct ConnectOptions {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) core: Options,
    pub(super) mechanism: Option<Box<dyn Mechanism>>,
    pub(super) capacity: u16,
    pub(super) request_timeout: Option<Duration>,
}

impl ConnectOptions {
    /// MQTT 5.0 over TCP, with a client id that the broker chooses, a keep-alive of 60 s, a clean start, and a
    /// connection that is made again when it is lost.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        let core = Options { reconnect: Some(Box::default()), ..Options::new(Version::V5_0, "") };
        Self { host: host.into(), port, core, mechanism: None, capacity: 100, request_timeout: None }
    }

    /// The version of the protocol.
    #[must_use]
    pub fn version(mut self, version: Version) -> Self {
        self.core.connect.version = version;
        self
    }

    /// The client id. The empty one asks the broker to choose.
    #[must_use]
    pub fn client_id(mut self, id: impl Into<ByteString>) -> Self {
        self.core.connect.client_id = id.into();
        self
    }

    /// Keep-alive in seconds; 0 switches it off.
    #[must_use]
    pub fn keep_alive(mut self, seconds: u16) -> Self {
        self.core.connect.keep_alive = seconds;
        self
    }

    /// User name and password.
    #[must_use]
    pub fn credentials(mut self, user: impl Into<ByteString>, password: impl Into<Bytes>) -> Self {
        self.core.connect.username = Some(user.into());
        self.core.connect.password = Some(password.into());
        self
    }

    /// Enhanced authentication, as by [`Scram`](crate::Scram) (5.0).
    #[must_use]
    pub fn mechanism(mut self, mechanism: impl Mechanism + 'static) -> Self {
        self.mechanism = Some(Box::new(mechanism));
        self
    }

    /// Returns what the broker publishes when the connection is lost.
    #[must_use]
    pub fn will(mut self, will: Will) -> Self {
        self.core.connect.will = Some(will.into());
        self
    }

    /// Takes up an earlier session, and has the broker keep it for the given number of seconds after the connection;
    /// 3.1.1 has no such time and keeps it.
    #[must_use]
    pub fn keep_session(mut self, seconds: u32) -> Self {
        self.core.connect.clean_start = false;
        self.core.connect.session_expiry = Some(seconds);
        self
    }

    /// A subscription that is made whenever the broker has no session of this client.
    #[must_use]
    pub fn subscription(mut self, subscription: Subscription) -> Self {
        self.core.subscriptions.push(subscription);
        self
    }

    /// Returns whether and how to connect again after the connection is lost.
    #[must_use]
    pub fn reconnect(mut self, reconnect: Option<Reconnect>) -> Self {
        self.core.reconnect = reconnect.map(Box::new);
        self
    }

    /// Returns how long opening a connection and CONNACK may take together (10 s by default), and how long
    /// authenticating again.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.core.connect_timeout = timeout;
        self
    }

    /// Returns how long a publish, subscribe, unsubscribe or re-authentication may take, the time included in which
    /// there is no connection; then it fails with [`Error::TimedOut`]. `None`, which is the default: as long as it
    /// takes, since what is published without a connection is to be sent when there is one. The loss of a connection is
    /// noticed without this, by keep-alive.
    #[must_use]
    pub fn request_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.request_timeout = timeout.into();
        self
    }

    /// Acknowledge a message of QoS 1 and 2 only when [`Message::acknowledge`](super::Message::acknowledge) says so,
    /// not when it is taken.
    #[must_use]
    pub fn manual_acknowledgement(mut self) -> Self {
        self.core.manual_acknowledgement = true;
        self
    }

    /// About how many messages may wait in [`Messages`], at least 1.
    ///
    /// Of QoS 1 and 2 the broker may have no more than these unacknowledged (5.0: Receive Maximum). When twice as many
    /// wait, which only messages of QoS 0 or a broker of 3.1.1 can bring about, nothing is read any more until one is
    /// taken: then no answer comes to a publish either, so don't wait for one in the loop that takes the messages.
    #[must_use]
    pub fn capacity(mut self, messages: u16) -> Self {
        self.capacity = messages.max(1);
        self
    }

    /// Everything else: the options of the core. [`Options::incoming_limit`] is the business of
    /// [`capacity`](Self::capacity).
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.core);
        self
    }

    /// Connects, and completes when the broker has accepted.
    ///
    /// The connection is carried by a task of the current Tokio runtime. It ends after
    /// [`Client::disconnect`], or when the last [`Client`] and [`Messages`] is dropped: then without DISCONNECT, so
    /// that the broker publishes the will.
    ///
    /// # Errors
    /// The first attempt failed.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub async fn connect(self) -> Result<(Client, Messages), Error> {
        let (client, messages) = self.start()?;
        let mut state = client.state();
        let outcome = state.wait_for(|state| !matches!(state, State::Connecting)).await;
        match outcome.map(|state| state.clone()) {
            Ok(State::Disconnected { reason, .. }) => Err(Error::Disconnected(reason)),
            Ok(_) => Ok((client, messages)),
            Err(_) => Err(Error::Closed),
        }
    }

    /// Like [`connect`](Self::connect), but goes on trying if the first attempt fails, and does not wait for it:
    /// [`Client::state`] tells.
    ///
    /// # Errors
    /// The operating system gives no random numbers.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn start(self) -> Result<(Client, Messages), Error> {
        let seed = getrandom::u64().map_err(|_| Error::NoRandomness)?;
        Ok(super::task::start(self, seed))
    }
}
