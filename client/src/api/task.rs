use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use halfopen_protocol::{Instant, ReasonCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::{Client, ConnectOptions, Error, Handle, Message, Messages, Published, State};
use crate::core::{self, AckDetails, CommandError, DisconnectReason, Event, Token};
use crate::driver::{self, Command, Tcp, TokioClock};

pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// One reason per filter, and the reason string and user properties.
pub(super) type Answer = (Vec<ReasonCode>, AckDetails);

/// A command from a handle to the task.
pub(super) struct TaskCommand {
    pub(super) what: TaskRequest,
    waiting: Arc<PendingRequests>,
}

pub(super) enum TaskRequest {
    Publish(halfopen_protocol::packet::Publish, Reply<Published>, OwnedSemaphorePermit),
    Subscribe(core::SubscribeRequest, Reply<Answer>),
    Unsubscribe(core::UnsubscribeRequest, Reply<Answer>),
    Disconnect(halfopen_protocol::packet::Disconnect, Reply<()>),
    Reauthenticate(Reply<()>),
    /// Answers when everything before is done, and what was to be written is.
    Settled(Reply<()>),
    Plain(Command),
}

/// The requests that wait for an answer.
#[derive(Default)]
pub(super) struct PendingRequests(Mutex<Table>);

#[derive(Default)]
struct Table {
    publishes: BTreeMap<Token, (Reply<Published>, OwnedSemaphorePermit)>,
    requests: BTreeMap<Token, Reply<Answer>>,
    disconnect: Option<Reply<()>>,
    reauthenticate: Option<Reply<()>>,
}

impl PendingRequests {
    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands an answer to its request. The requester may be gone, then nobody hears it.
    fn event(&self, event: &Event) {
        let mut table = self.table();
        match event {
            Event::Published { token, reason, details } => {
                if let Some((reply, _)) = table.publishes.remove(token) {
                    let _ = reply.send(Published::new(*reason, details.clone()));
                }
            }
            Event::Expired { token } => {
                if let Some((reply, _)) = table.publishes.remove(token) {
                    let _ = reply.send(Err(Error::Expired));
                }
            }
            Event::Subscribed { token, reasons, details } | Event::Unsubscribed { token, reasons, details } => {
                if let Some(reply) = table.requests.remove(token) {
                    let _ = reply.send(Ok((reasons.clone(), details.clone())));
                }
            }
            Event::Reauthenticated => {
                if let Some(reply) = table.reauthenticate.take() {
                    let _ = reply.send(Ok(()));
                }
            }
            Event::Disconnected { reason, retry_at } => table.disconnected(reason, retry_at.is_none()),
            _ => {}
        }
    }
}

impl Table {
    fn disconnected(&mut self, reason: &DisconnectReason, is_over: bool) {
        let error = || Error::Disconnected(reason.clone());
        if let Some(reply) = self.reauthenticate.take() {
            let _ = reply.send(Err(error()));
        }
        if !is_over {
            return;
        }
        for (reply, _) in std::mem::take(&mut self.publishes).into_values() {
            let _ = reply.send(Err(error()));
        }
        for reply in std::mem::take(&mut self.requests).into_values() {
            let _ = reply.send(Err(error()));
        }
        if let Some(reply) = self.disconnect.take() {
            let _ = reply.send(Ok(()));
        }
    }
}

impl TaskCommand {
    pub(super) fn new(what: TaskRequest, waiting: &Arc<PendingRequests>) -> Self {
        Self { what, waiting: Arc::clone(waiting) }
    }
}

impl driver::Order for TaskCommand {
    fn perform(self, client: &mut core::Client, now: Instant) -> Result<(), CommandError> {
        let mut table = self.waiting.table();
        // The requester is told what is not accepted.
        let is_closed = client.is_idle();
        let check = |result: Result<Token, CommandError>| result.map_err(Error::from);
        match self.what {
            TaskRequest::Publish(_, reply, _) if is_closed => drop(reply.send(Err(Error::Closed))),
            TaskRequest::Subscribe(_, reply) | TaskRequest::Unsubscribe(_, reply) if is_closed => {
                drop(reply.send(Err(Error::Closed)));
            }
            TaskRequest::Publish(publish, reply, permit) => match check(client.publish(now, publish)) {
                Ok(token) => drop(table.publishes.insert(token, (reply, permit))),
                Err(error) => drop(reply.send(Err(error))),
            },
            TaskRequest::Subscribe(request, reply) => match check(client.subscribe(now, request)) {
                Ok(token) => drop(table.requests.insert(token, reply)),
                Err(error) => drop(reply.send(Err(error))),
            },
            TaskRequest::Unsubscribe(request, reply) => match check(client.unsubscribe(now, request)) {
                Ok(token) => drop(table.requests.insert(token, reply)),
                Err(error) => drop(reply.send(Err(error))),
            },
            TaskRequest::Disconnect(_, reply) if is_closed => drop(reply.send(Ok(()))),
            TaskRequest::Disconnect(disconnect, reply) => match client.disconnect_with(now, disconnect) {
                Ok(()) => table.disconnect = Some(reply),
                Err(error) => drop(reply.send(Err(error.into()))),
            },
            TaskRequest::Reauthenticate(reply) => match client.reauthenticate(now) {
                Ok(()) => table.reauthenticate = Some(reply),
                Err(error) => drop(reply.send(Err(error.into()))),
            },
            TaskRequest::Settled(reply) => drop(reply.send(Ok(()))),
            TaskRequest::Plain(command) => return command.perform(client, now),
        }
        Ok(())
    }

    fn may_linger(&self) -> bool {
        matches!(self.what, TaskRequest::Disconnect(..))
    }
}

/// Starts the task that carries the connection.
pub(super) fn start(options: ConnectOptions, seed: u64) -> (Client, Messages) {
    let ConnectOptions { host, port, core: mut settings, mechanism, capacity, request_timeout } = options;
    let is_manual = std::mem::replace(&mut settings.manual_acknowledgement, true);
    if settings.connect.version.is_v5() {
        settings.connect.receive_maximum.get_or_insert(capacity);
    } else {
        settings.connect.session_expiry = None;
    }
    settings.incoming_limit = Some(2 * usize::from(capacity));
    let room = Arc::new(Semaphore::new(settings.queue_limit.min(Semaphore::MAX_PERMITS)));
    let mut client = core::Client::new(settings, seed);
    if let Some(mechanism) = mechanism {
        client = client.with_mechanism(mechanism);
    }
    let (orders, receiver) = mpsc::unbounded_channel();
    let (deliver, incoming) = mpsc::unbounded_channel();
    let (tell, state) = watch::channel(State::Connecting);
    let waiting = Arc::new(PendingRequests::default());
    let handle = Arc::new(Handle { orders, waiting: Arc::clone(&waiting), room, timeout: request_timeout });
    handle.send(TaskRequest::Plain(Command::Connect { clean_start: None }));

    let mut deliver = Some(deliver);
    let on_event = move |_, event: Event| {
        waiting.event(&event);
        match event {
            Event::Message(message) => hand_on(deliver.as_ref(), (Arc::unwrap_or_clone(message), None)),
            Event::Unacknowledged { message, ticket } => {
                hand_on(deliver.as_ref(), (Arc::unwrap_or_clone(message), Some(ticket)));
            }
            Event::Connected(connack) => drop(tell.send(State::Connected(connack))),
            Event::Disconnected { reason, retry_at } => {
                let is_over = retry_at.is_none();
                drop(tell.send(State::Disconnected { reason, is_over }));
                if is_over {
                    deliver = None;
                }
            }
            _ => {}
        }
    };
    let task = driver::run(client, Tcp::new(host, port), TokioClock::new(), receiver, on_event);
    #[expect(clippy::disallowed_methods, reason = "for applications; in a world the driver itself is polled")]
    drop(tokio::spawn(task));
    (Client { handle: Arc::clone(&handle), state }, Messages { incoming, handle, is_manual })
}

/// Nobody minds a message if the application has dropped [`Messages`].
fn hand_on(deliver: Option<&mpsc::UnboundedSender<Incoming>>, incoming: Incoming) {
    if let Some(deliver) = deliver {
        let _ = deliver.send(incoming);
    }
}

/// A message and its ticket on the way to the application.
pub(super) type Incoming = (halfopen_protocol::packet::Publish, Option<core::Ticket>);

impl Message {
    pub(super) fn new((publish, ticket): Incoming, handle: &Arc<Handle>) -> Self {
        Self { publish, ticket, handle: Arc::clone(handle) }
    }
}
