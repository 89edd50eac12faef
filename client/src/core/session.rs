use std::collections::VecDeque;

use halfopen_protocol::ReasonCode;
use halfopen_protocol::flow::{Inbox, Outbox};
use halfopen_protocol::packet::{PacketId, Publish, Subscription};

use super::Token;
use super::request::{Request, RequestKind};

/// What outlives a connection: unfinished messages of both directions, and what is subscribed (§4.1).
#[derive(Debug)]
pub(super) struct Session {
    pub(super) outbox: Outbox<Token>,
    pub(super) inbox: Inbox,
    /// Messages that were not sent yet, oldest first.
    pub(super) messages: VecDeque<(Publish, Token)>,
    /// Requests that were not sent yet, oldest first.
    pub(super) requests: VecDeque<Request>,
    /// Requests that were sent and not answered, in the order in which they were sent.
    asked: Vec<(PacketId, Request)>,
    /// What is to be subscribed to when the broker has no session.
    subscriptions: Vec<Subscription>,
}

impl Session {
    pub(super) fn new(subscriptions: Vec<Subscription>) -> Self {
        Self {
            outbox: Outbox::new(u16::MAX),
            inbox: Inbox::new(u16::MAX),
            messages: VecDeque::new(),
            requests: VecDeque::new(),
            asked: Vec::new(),
            subscriptions,
        }
    }

    /// Remembers that this request was sent with this identifier.
    pub(super) fn ask(&mut self, id: PacketId, request: Request) {
        self.asked.push((id, request));
    }

    /// The request that was sent with this identifier; it is no longer waited for.
    pub(super) fn answer(&mut self, id: PacketId) -> Option<Request> {
        let index = self.asked.iter().position(|(asked, _)| *asked == id)?;
        self.outbox.release_id(id);
        Some(self.asked.remove(index).1)
    }

    /// The connection is gone. Requests are no part of the session state: what was not answered is asked again.
    pub(super) fn connection_lost(&mut self) {
        for (id, request) in self.asked.drain(..).rev() {
            self.outbox.release_id(id);
            self.requests.push_front(request);
        }
    }

    /// The broker has no session of us. Everything that it has not acknowledged becomes new, and what was subscribed
    /// is asked for again, before all other requests. Gives the tokens of messages that reached the broker and whose
    /// handshake can no longer be finished.
    pub(super) fn start_over(&mut self) -> Vec<Token> {
        self.inbox.clear();
        let drained = self.outbox.drain();
        for message in drained.unacknowledged.into_iter().rev() {
            self.messages.push_front(message);
        }
        self.requests.retain(|request| request.token != Token::OWN);
        if !self.subscriptions.is_empty() {
            let kind = RequestKind::Subscribe(self.subscriptions.clone());
            self.requests.push_front(Request { token: Token::OWN, kind });
        }
        drained.released
    }

    /// What the broker granted is asked for again when the session is lost.
    pub(super) fn remember(&mut self, subscriptions: &[Subscription], reasons: &[ReasonCode]) {
        for (subscription, reason) in subscriptions.iter().zip(reasons) {
            if reason.is_error() {
                continue;
            }
            match self.subscriptions.iter_mut().find(|known| known.filter == subscription.filter) {
                Some(known) => *known = subscription.clone(),
                None => self.subscriptions.push(subscription.clone()),
            }
        }
    }

    /// What was unsubscribed is not.
    pub(super) fn forget(&mut self, filters: &[bytestring::ByteString]) {
        self.subscriptions.retain(|known| !filters.contains(&known.filter));
    }
}
