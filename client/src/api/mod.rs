//! A client for applications, over Tokio: a handle to ask with, and the messages that come.

mod answer;
mod error;
mod options;
mod task;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::ReasonCode;
use halfopen_protocol::packet::{ConnAck, Disconnect, Publish, QoS, Subscription};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

pub use self::answer::{Published, Refusal, Subscribed, Unsubscribed};
pub use self::error::Error;
pub use self::options::ConnectOptions;
use self::task::{Incoming, PendingRequests, Reply, TaskCommand, TaskRequest};
use crate::core::{DisconnectReason, SubscribeRequest, Ticket, UnsubscribeRequest};
use crate::driver::Command;

/// A handle to a connection. Clones are handles to the same.
///
/// What is asked while the connection is lost waits for the next one, and for an answer as long as it takes, unless
/// [`ConnectOptions::request_timeout`] says otherwise. Dropping a future that was polled takes nothing back.
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
    state: watch::Receiver<State>,
}

/// The state of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The first attempt is under way.
    Connecting,
    /// The broker has accepted, with this.
    Connected(Arc<ConnAck>),
    /// There is no connection.
    Disconnected {
        /// The reason.
        reason: DisconnectReason,
        /// True if it stays so; otherwise it is tried again.
        is_over: bool,
    },
}

impl Client {
    /// Publishes, and completes when the handshake of the QoS is complete; for QoS 0, when the message is on its way.
    ///
    /// # Errors
    /// The message is malformed, or the broker refuses it, or the client is disconnected for good before it is done, or
    /// it takes too long.
    pub async fn publish(
        &self,
        topic: impl Into<ByteString>,
        qos: QoS,
        payload: impl Into<Bytes>,
    ) -> Result<Published, Error> {
        self.publish_with(Publish { topic: topic.into(), qos, payload: payload.into(), ..Publish::default() }).await
    }

    /// [`publish`](Self::publish) with everything that a message can have: retain, expiry, response topic …
    ///
    /// # Errors
    /// As there.
    pub async fn publish_with(&self, publish: Publish) -> Result<Published, Error> {
        let handle = &self.handle;
        handle
            .in_time(async {
                let permit = Arc::clone(&handle.room).acquire_owned().await.map_err(|_| Error::Closed)?;
                handle.ask(|reply| TaskRequest::Publish(publish, reply, permit)).await
            })
            .await
    }

    /// Subscribes, and gives the QoS that the broker grants.
    ///
    /// # Errors
    /// The filter is malformed, or the broker refuses it, or the client is disconnected for good before it is done, or
    /// it takes too long.
    pub async fn subscribe(&self, filter: impl Into<ByteString>, qos: QoS) -> Result<QoS, Error> {
        self.subscribe_with(vec![Subscription::new(filter, qos)]).await?.one()
    }

    /// Subscribes to several filters, with options and properties, and gives for each the QoS or why not.
    ///
    /// # Errors
    /// A filter is malformed, or the client is disconnected for good before it is done, or it takes too long.
    pub async fn subscribe_with(&self, request: impl Into<SubscribeRequest>) -> Result<Subscribed, Error> {
        let request = request.into();
        let asked = self.handle.ask(|reply| TaskRequest::Subscribe(request, reply));
        let (reasons, details) = self.handle.in_time(asked).await?;
        Ok(Subscribed::new(&reasons, details))
    }

    /// Unsubscribes.
    ///
    /// # Errors
    /// The filter is malformed, or the broker refuses, or the client is disconnected for good before it is done, or it
    /// takes too long.
    pub async fn unsubscribe(&self, filter: impl Into<ByteString>) -> Result<(), Error> {
        self.unsubscribe_with(vec![filter.into()]).await?.one()
    }

    /// Unsubscribes several filters, and gives the broker's reason for each; nothing in 3.1.1.
    ///
    /// # Errors
    /// A filter is malformed, or the client is disconnected for good before it is done, or it takes too long.
    pub async fn unsubscribe_with(&self, request: impl Into<UnsubscribeRequest>) -> Result<Unsubscribed, Error> {
        let request = request.into();
        let asked = self.handle.ask(|reply| TaskRequest::Unsubscribe(request, reply));
        let (reasons, details) = self.handle.in_time(asked).await?;
        Ok(Unsubscribed { reasons, details })
    }

    /// Authenticates again on the connection that is up (5.0).
    ///
    /// # Errors
    /// There is no connection or no mechanism, or the broker or the mechanism does not agree, or it takes too long:
    /// then the connection ends, at the latest after [`ConnectOptions::connect_timeout`].
    pub async fn reauthenticate(&self) -> Result<(), Error> {
        self.handle.in_time(self.handle.ask(TaskRequest::Reauthenticate)).await
    }

    /// Sends DISCONNECT and closes, for good. What is still waiting fails. A broker that does not read is given five
    /// seconds to take what was written before.
    ///
    /// # Errors
    /// None that is not one of the task.
    pub async fn disconnect(&self) -> Result<(), Error> {
        self.disconnect_with(Disconnect::default()).await
    }

    /// [`disconnect`](Self::disconnect) with a reason, a session expiry and more (5.0).
    ///
    /// # Errors
    /// It has no form in the version, or sets a session expiry where CONNECT had none.
    pub async fn disconnect_with(&self, disconnect: Disconnect) -> Result<(), Error> {
        self.handle.ask(|reply| TaskRequest::Disconnect(disconnect, reply)).await?;
        // The client has closed; the driver takes no order before it has written what it can.
        self.handle.ask(TaskRequest::Settled).await
    }

    /// Returns where the connection stands, and a way to wait for changes of it.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }
}

/// The messages that come.
pub struct Messages {
    incoming: mpsc::UnboundedReceiver<Incoming>,
    handle: Arc<Handle>,
    is_manual: bool,
}

impl Messages {
    /// The next message; `None` when the client is disconnected for good. Taking one of QoS 1 or 2 acknowledges it,
    /// unless that is [manual](ConnectOptions::manual_acknowledgement). Cancel safe.
    pub async fn recv(&mut self) -> Option<Message> {
        let message = Message::new(self.incoming.recv().await?, &self.handle);
        if !self.is_manual {
            message.acknowledge();
        }
        self.handle.send(TaskRequest::Plain(Command::Allow(1)));
        Some(message)
    }
}

/// A message that came.
pub struct Message {
    publish: Publish,
    ticket: Option<Ticket>,
    handle: Arc<Handle>,
}

impl Message {
    /// Acknowledges it; without effect a second time, for QoS 0, and when its connection has ended: then it comes
    /// again.
    pub fn acknowledge(&self) {
        self.settle(ReasonCode::SUCCESS);
    }

    /// Refuses it with a reason of 0x80 and above (5.0; without effect in 3.1.1).
    pub fn refuse(&self, reason: ReasonCode) {
        self.settle(reason);
    }

    /// The message itself.
    pub fn into_publish(self) -> Publish {
        self.publish
    }

    fn settle(&self, reason: ReasonCode) {
        if let Some(ticket) = self.ticket {
            self.handle.send(TaskRequest::Plain(Command::Acknowledge(ticket, reason)));
        }
    }
}

impl Deref for Message {
    type Target = Publish;

    fn deref(&self) -> &Publish {
        &self.publish
    }
}

/// The state that the handles share. When the last is dropped, the connection is closed.
struct Handle {
    orders: mpsc::UnboundedSender<TaskCommand>,
    waiting: Arc<PendingRequests>,
    /// Permits for the messages that the client's queue still takes.
    room: Arc<Semaphore>,
    timeout: Option<Duration>,
}

impl Handle {
    fn send(&self, what: TaskRequest) {
        // Without a receiver the task has ended with its runtime.
        let _ = self.orders.send(TaskCommand::new(what, &self.waiting));
    }

    async fn ask<T>(&self, what: impl FnOnce(Reply<T>) -> TaskRequest) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.send(what(reply));
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// The time for a request bounds all of it.
    async fn in_time<T>(&self, request: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match self.timeout {
            Some(timeout) => tokio::time::timeout(timeout, request).await.unwrap_or(Err(Error::TimedOut)),
            None => request.await,
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.send(TaskRequest::Plain(Command::Close));
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("state", &*self.state.borrow()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").finish_non_exhaustive()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Message").field(&self.publish).finish()
    }
}
