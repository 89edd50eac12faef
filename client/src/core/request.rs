use bytestring::ByteString;
use halfopen_protocol::packet::{PacketId, Subscribe, Subscription, Unsubscribe, UserProperties};
use halfopen_protocol::{Packet, ReasonCode};

use super::Token;

/// The content of a SUBSCRIBE. A list of subscriptions alone is one without the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscribeRequest {
    /// The filters with their options; at least one.
    pub subscriptions: Vec<Subscription>,
    /// 5.0: comes back with each message of these subscriptions; 1 to 268,435,455 (§3.8.2.1.2).
    pub subscription_id: Option<u32>,
    /// 5.0: User Properties.
    pub user_properties: UserProperties,
}

/// The content of an UNSUBSCRIBE. A list of filters alone is one without the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnsubscribeRequest {
    /// The filters, as they were subscribed to; at least one.
    pub filters: Vec<ByteString>,
    /// 5.0: User Properties.
    pub user_properties: UserProperties,
}

impl From<Vec<Subscription>> for SubscribeRequest {
    fn from(subscriptions: Vec<Subscription>) -> Self {
        Self { subscriptions, ..Self::default() }
    }
}

impl From<Vec<ByteString>> for UnsubscribeRequest {
    fn from(filters: Vec<ByteString>) -> Self {
        Self { filters, ..Self::default() }
    }
}

/// A SUBSCRIBE or UNSUBSCRIBE that waits to be sent or answered.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) token: Token,
    pub(super) kind: RequestKind,
}

#[derive(Clone, Debug)]
pub(super) enum RequestKind {
    Subscribe(SubscribeRequest),
    Unsubscribe(UnsubscribeRequest),
}

/// A request that was sent. The broker sees only those filters that it takes.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) id: PacketId,
    pub(super) request: Request,
    /// The reason why each filter was not sent; `None` if it was.
    pub(super) refusals: Vec<Option<ReasonCode>>,
}

impl Request {
    /// The packet with all filters.
    pub(super) fn packet(&self, packet_id: PacketId) -> Packet {
        self.packet_without(packet_id, &[])
    }

    /// The packet without those filters that are refused.
    pub(super) fn packet_without(&self, packet_id: PacketId, refusals: &[Option<ReasonCode>]) -> Packet {
        match self.kind.clone() {
            RequestKind::Subscribe(SubscribeRequest { mut subscriptions, subscription_id, user_properties }) => {
                let mut refusals = refusals.iter();
                subscriptions.retain(|_| refusals.next().is_none_or(Option::is_none));
                Packet::Subscribe(Subscribe { packet_id, subscription_id, user_properties, subscriptions })
            }
            RequestKind::Unsubscribe(UnsubscribeRequest { filters, user_properties }) => {
                Packet::Unsubscribe(Unsubscribe { packet_id, user_properties, filters })
            }
        }
    }

    /// Returns how many filters it has.
    pub(super) fn len(&self) -> usize {
        match &self.kind {
            RequestKind::Subscribe(request) => request.subscriptions.len(),
            RequestKind::Unsubscribe(request) => request.filters.len(),
        }
    }

    /// Two halves of what the client asks for on its own, if there is more than one filter. What the application asks
    /// for stays one request, since it gets one answer.
    pub(super) fn split(&mut self) -> Option<Self> {
        match &mut self.kind {
            RequestKind::Subscribe(request) if self.token == Token::OWN && request.subscriptions.len() > 1 => {
                let half = request.subscriptions.len() / 2;
                let subscriptions = request.subscriptions.split_off(half);
                let kind = RequestKind::Subscribe(SubscribeRequest { subscriptions, ..request.clone() });
                Some(Self { token: self.token, kind })
            }
            _ => None,
        }
    }
}

impl Asked {
    /// Returns how many filters the broker has to answer.
    pub(super) fn sent(&self) -> usize {
        self.request.len() - self.refusals.iter().flatten().count()
    }

    /// The broker's answers and our own refusals, one per filter.
    pub(super) fn merge(&self, answers: Vec<ReasonCode>) -> Vec<ReasonCode> {
        let mut answers = answers.into_iter();
        let refusals = self.refusals.iter().copied();
        refusals.map(|refusal| refusal.or_else(|| answers.next()).unwrap_or(ReasonCode::UNSPECIFIED_ERROR)).collect()
    }
}
