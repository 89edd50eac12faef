use bytestring::ByteString;
use halfopen_protocol::topic;

use super::access::{Operation, Who};
use super::session::SessionKey;
use super::{Broker, ConnectionId, Event};

impl Broker {
    /// Returns whether the client of a session may do this.
    pub(super) fn allows(&self, key: SessionKey, operation: Operation, topic: &str) -> bool {
        let (Some(authorizer), Some(session)) = (&self.access.authorizer, self.sessions.get(key)) else {
            return true;
        };
        authorizer.allows(Who { client_id: &session.client_id, user: session.user.as_deref() }, operation, topic)
    }

    /// The same, and states it if not.
    pub(super) fn permits(
        &mut self,
        connection: ConnectionId,
        key: SessionKey,
        operation: Operation,
        topic: &ByteString,
    ) -> bool {
        let allowed = self.allows(key, operation, topic);
        if !allowed {
            let client_id = self.client_id(connection);
            self.tell(Event::Denied { connection, client_id, operation, topic: topic.clone() });
        }
        allowed
    }

    /// Returns whether a filter may be subscribed to; that of a shared subscription is judged without its group.
    pub(super) fn permits_filter(&mut self, connection: ConnectionId, key: SessionKey, filter: &ByteString) -> bool {
        match topic::shared(filter) {
            Some(shared) => self.permits(connection, key, Operation::Subscribe, &shared.filter.into()),
            None => self.permits(connection, key, Operation::Subscribe, filter),
        }
    }
}
