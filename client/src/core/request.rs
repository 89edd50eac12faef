use bytestring::ByteString;
use halfopen_protocol::Packet;
use halfopen_protocol::packet::{PacketId, Subscribe, Subscription, Unsubscribe, UserProperties};

use super::Token;

/// A SUBSCRIBE or UNSUBSCRIBE that waits to be sent or answered.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) token: Token,
    pub(super) kind: RequestKind,
}

#[derive(Clone, Debug)]
pub(super) enum RequestKind {
    Subscribe(Vec<Subscription>),
    Unsubscribe(Vec<ByteString>),
}

impl Request {
    pub(super) fn packet(&self, packet_id: PacketId) -> Packet {
        let user_properties = UserProperties::new();
        match self.kind.clone() {
            RequestKind::Subscribe(subscriptions) => {
                Packet::Subscribe(Subscribe { packet_id, subscription_id: None, user_properties, subscriptions })
            }
            RequestKind::Unsubscribe(filters) => {
                Packet::Unsubscribe(Unsubscribe { packet_id, user_properties, filters })
            }
        }
    }
}
