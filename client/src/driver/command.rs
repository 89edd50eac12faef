use std::sync::Arc;
use std::task::{Context, Poll};

use bytestring::ByteString;
use halfopen_protocol::packet::{Connect, Disconnect, Publish, Subscription};
use halfopen_protocol::{Instant, ReasonCode};
use tokio::sync::mpsc;

use crate::core::{Client, CommandError, SubscribeRequest, Ticket, UnsubscribeRequest};

/// An order for a running client. [`Command`] is enough for most.
pub trait Order {
    /// Does it. The driver tells what is not accepted as [`Event::Rejected`](crate::core::Event::Rejected).
    ///
    /// # Errors
    /// The client does not accept it.
    fn perform(self, client: &mut Client, now: Instant) -> Result<(), CommandError>;

    /// Returns whether what is still to be written may take a while after the client has closed.
    fn may_linger(&self) -> bool;
}

/// The source of orders: a channel, mostly.
pub trait Commands {
    /// The type of the orders.
    type Order: Order;

    /// Returns the next order; `None` if there will never be one.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::Order>>;
}

impl<O: Order> Commands for mpsc::UnboundedReceiver<O> {
    type Order = O;

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<O>> {
        self.poll_recv(cx)
    }
}

/// A channel reserves room for many orders; boxes keep that small where there are many clients.
impl<O: Order> Order for Box<O> {
    fn perform(self, client: &mut Client, now: Instant) -> Result<(), CommandError> {
        (*self).perform(client, now)
    }

    fn may_linger(&self) -> bool {
        (**self).may_linger()
    }
}

/// A command of the application to a running client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// [`Client::connect`](crate::core::Client::connect), or
    /// [`Client::connect_with`](crate::core::Client::connect_with) where clean start is given.
    Connect {
        /// Overrides clean start for this connection and those that follow on their own.
        clean_start: Option<bool>,
    },
    /// [`Client::connect_as`](crate::core::Client::connect_as).
    ConnectAs(Arc<Connect>),
    /// [`Client::subscribe`](crate::core::Client::subscribe) with everything that SUBSCRIBE can say.
    SubscribeWith(SubscribeRequest),
    /// [`Client::unsubscribe`](crate::core::Client::unsubscribe) with everything that UNSUBSCRIBE can say.
    UnsubscribeWith(UnsubscribeRequest),
    /// [`Client::disconnect_with`](crate::core::Client::disconnect_with).
    DisconnectWith(Disconnect),
    /// [`Client::acknowledge`](crate::core::Client::acknowledge).
    Acknowledge(Ticket, ReasonCode),
    /// [`Client::allow`](crate::core::Client::allow).
    Allow(usize),
    /// [`Client::reauthenticate`](crate::core::Client::reauthenticate).
    Reauthenticate,
    /// [`Client::publish`](crate::core::Client::publish).
    Publish(Publish),
    /// [`Client::subscribe`](crate::core::Client::subscribe).
    Subscribe(Vec<Subscription>),
    /// [`Client::unsubscribe`](crate::core::Client::unsubscribe).
    Unsubscribe(Vec<ByteString>),
    /// [`Client::disconnect`](crate::core::Client::disconnect).
    Disconnect(ReasonCode),
    /// [`Client::close`](crate::core::Client::close).
    Close,
    /// [`Client::stop_pinging`](crate::core::Client::stop_pinging).
    StopPinging,
    /// [`Client::resume_pinging`](crate::core::Client::resume_pinging).
    ResumePinging,
}

impl Order for Command {
    fn perform(self, client: &mut Client, now: Instant) -> Result<(), CommandError> {
        match self {
            Self::Connect { clean_start: None } => client.connect(now),
            Self::Connect { clean_start: Some(clean_start) } => client.connect_with(now, clean_start),
            Self::ConnectAs(connect) => client.connect_as(now, Arc::unwrap_or_clone(connect)),
            Self::Publish(publish) => drop(client.publish(now, publish)?),
            Self::Subscribe(subscriptions) => drop(client.subscribe(now, subscriptions)?),
            Self::SubscribeWith(request) => drop(client.subscribe(now, request)?),
            Self::Unsubscribe(filters) => drop(client.unsubscribe(now, filters)?),
            Self::UnsubscribeWith(request) => drop(client.unsubscribe(now, request)?),
            Self::Disconnect(reason) => client.disconnect(now, reason),
            Self::DisconnectWith(disconnect) => client.disconnect_with(now, disconnect)?,
            Self::Acknowledge(ticket, reason) => client.acknowledge(now, ticket, reason)?,
            Self::Allow(messages) => client.allow(now, messages),
            Self::Reauthenticate => client.reauthenticate(now)?,
            Self::Close => client.close(now),
            Self::StopPinging => client.stop_pinging(),
            Self::ResumePinging => client.resume_pinging(now),
        }
        Ok(())
    }

    fn may_linger(&self) -> bool {
        matches!(self, Self::Disconnect(_) | Self::DisconnectWith(_))
    }
}
