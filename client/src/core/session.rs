use std::collections::VecDeque;

use bytestring::ByteString;
use halfopen_protocol::flow::{Inbox, Outbox};
use halfopen_protocol::packet::{PacketId, Publish, QoS, Subscription};
use halfopen_protocol::{Instant, Rare, ReasonCode};

use super::Token;
use super::receipts::Receipts;
use super::request::{Asked, Request, RequestKind, SubscribeRequest};

/// The state that outlives a connection: unfinished messages of both directions, and the subscriptions (§4.1).
#[derive(Debug)]
pub(super) struct Session {
    pub(super) outbox: Outbox<Token>,
    pub(super) inbox: Inbox,
    /// The acknowledgements by the application. They end with the connection.
    pub(super) receipts: Rare<Receipts>,
    /// Messages that were not sent yet, oldest first.
    pub(super) messages: Rare<VecDeque<Waiting>>,
    /// Requests that were not sent yet, oldest first.
    pub(super) requests: Rare<VecDeque<Request>>,
    /// Requests that were sent and not answered, in the order in which they were sent.
    asked: Rare<Vec<Asked>>,
    /// The subscriptions to make when the broker has no session, with their Subscription Identifiers.
    pub(super) subscriptions: Rare<Vec<(Subscription, Option<u32>)>>,
}

/// A message that was not sent yet.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) publish: Publish,
    pub(super) token: Token,
    /// Time since which its expiry interval runs.
    pub(super) since: Instant,
}

impl Waiting {
    /// The message with what is left of its expiry interval (§3.3.2.3.3 of 5.0).
    ///
    /// # Errors
    /// Nothing is left.
    pub(super) fn at(mut self, now: Instant) -> Result<(Publish, Token), Token> {
        if let Some(expiry) = &mut self.publish.message_expiry {
            let seconds = u32::try_from(now.saturating_since(self.since).as_secs()).unwrap_or(u32::MAX);
            if seconds > 0 && seconds >= *expiry {
                return Err(self.token);
            }
            *expiry -= seconds;
        }
        Ok((self.publish, self.token))
    }

    fn is_expired(&self, now: Instant) -> bool {
        let seconds = now.saturating_since(self.since).as_secs();
        seconds > 0 && self.publish.message_expiry.is_some_and(|expiry| seconds >= u64::from(expiry))
    }
}

impl Session {
    pub(super) fn new(subscriptions: &[Subscription]) -> Self {
        let all: Vec<_> = subscriptions.iter().map(|subscription| (subscription.clone(), None)).collect();
        Self {
            outbox: Outbox::new(u16::MAX),
            inbox: Inbox::new(u16::MAX),
            receipts: Rare::new(),
            messages: Rare::new(),
            requests: Rare::new(),
            asked: Rare::new(),
            subscriptions: if all.is_empty() { Rare::new() } else { all.into() },
        }
    }

    /// Remembers that this request was sent.
    pub(super) fn ask(&mut self, asked: Asked) {
        self.asked.push(asked);
    }

    /// The request that was sent with this identifier; it is no longer waited for.
    pub(super) fn answer(&mut self, id: PacketId) -> Option<Asked> {
        let index = self.asked.iter().position(|asked| asked.id == id)?;
        self.outbox.release_id(id);
        Some(self.asked.remove(index))
    }

    /// The connection is gone. Requests are no part of the session state: what was not answered is asked again, but for what
    /// the client subscribes to on its own and the application has given up since. Nor are acknowledgements that were not sent:
    /// the messages come again.
    pub(super) fn connection_lost(&mut self) {
        let given_up: Vec<ByteString> = self.given_up_after(Token::OWN).cloned().collect();
        let own = self.asked.existing().into_iter().flatten().filter(|asked| asked.request.token == Token::OWN);
        for Asked { request, .. } in own {
            if let RequestKind::Subscribe(subscribe) = &mut request.kind {
                subscribe.subscriptions.retain(|one| !given_up.contains(&one.filter));
            }
        }
        for Asked { id, request, .. } in std::mem::take(&mut self.asked).into_inner().into_iter().rev() {
            self.outbox.release_id(id);
            if !matches!(&request.kind, RequestKind::Subscribe(subscribe) if subscribe.subscriptions.is_empty()) {
                self.requests.push_front(request);
            }
        }
        for id in self.receipts.existing().map_or_else(Vec::new, Receipts::clear) {
            let message = Publish { qos: QoS::ExactlyOnce, packet_id: Some(id), ..Publish::default() };
            self.inbox.refuse(&message, ReasonCode::UNSPECIFIED_ERROR);
        }
    }

    /// The broker has no session of us [MQTT-3.2.2-5]. Everything that it has not acknowledged becomes new, and what
    /// was subscribed is asked for again, before all other requests. Gives the tokens of messages that reached the
    /// broker and whose handshake can no longer be finished.
    pub(super) fn start_over(&mut self, now: Instant) -> Vec<Token> {
        self.inbox.clear();
        let drained = self.outbox.drain();
        for (publish, token) in drained.unacknowledged.into_iter().rev() {
            self.messages.push_front(Waiting { publish, token, since: now });
        }
        if let Some(requests) = self.requests.existing() {
            requests.retain(|request| request.token != Token::OWN);
        }
        for request in self.resubscribe().into_iter().rev() {
            self.requests.push_front(Request { token: Token::OWN, kind: RequestKind::Subscribe(request) });
        }
        drained.released
    }

    /// Takes messages out of the queue that have waited for longer than they may.
    pub(super) fn take_expired(&mut self, now: Instant) -> Vec<Token> {
        let mut tokens = Vec::new();
        let Some(messages) = self.messages.existing() else { return tokens };
        messages.retain(|waiting| {
            let is_expired = waiting.is_expired(now);
            if is_expired {
                tokens.push(waiting.token);
            }
            !is_expired
        });
        tokens
    }

    /// Stores what the broker granted, to ask for it again when the session is lost; not what the application has asked to give
    /// up since.
    pub(super) fn remember(&mut self, token: Token, request: &SubscribeRequest, reasons: &[ReasonCode]) {
        for (subscription, reason) in request.subscriptions.iter().zip(reasons) {
            if reason.is_error() || self.given_up_after(token).any(|filter| *filter == subscription.filter) {
                continue;
            }
            let entry = (subscription.clone(), request.subscription_id);
            match self.subscriptions.iter_mut().find(|(known, _)| known.filter == subscription.filter) {
                Some(known) => *known = entry,
                None => self.subscriptions.push(entry),
            }
        }
    }

    /// Returns the filters that later requests than this one, which have no answer yet, unsubscribe from.
    fn given_up_after(&self, token: Token) -> impl Iterator<Item = &ByteString> {
        let open = self.asked.iter().map(|asked| &asked.request).chain(self.requests.iter());
        let later = open.filter(move |later| later.token > token);
        later.flat_map(|later| match &later.kind {
            RequestKind::Unsubscribe(request) => request.filters.as_slice(),
            RequestKind::Subscribe(_) => &[],
        })
    }

    /// Removes what was unsubscribed.
    pub(super) fn forget(&mut self, filters: &[ByteString]) {
        if let Some(subscriptions) = self.subscriptions.existing() {
            subscriptions.retain(|(known, _)| !filters.contains(&known.filter));
        }
    }

    /// Returns what is subscribed, in one request for each Subscription Identifier.
    fn resubscribe(&self) -> Vec<SubscribeRequest> {
        let mut requests: Vec<SubscribeRequest> = Vec::new();
        for (subscription, id) in self.subscriptions.iter() {
            match requests.iter_mut().find(|request| request.subscription_id == *id) {
                Some(request) => request.subscriptions.push(subscription.clone()),
                None => requests.push(SubscribeRequest {
                    subscriptions: vec![subscription.clone()],
                    subscription_id: *id,
                    ..SubscribeRequest::default()
                }),
            }
        }
        requests
    }
}
