use bytestring::ByteString;
use halfopen_protocol::packet::{Ack, SubAck, UnsubAck, UserProperties};

/// The reason string and user properties of an acknowledgement (5.0; nothing in 3.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AckDetails {
    /// The Reason String: for people, not for programs.
    pub reason_string: Option<ByteString>,
    /// The User Properties, in their order.
    pub user_properties: UserProperties,
}

impl AckDetails {
    /// Returns whether it said nothing.
    pub fn is_empty(&self) -> bool {
        self.reason_string.is_none() && self.user_properties.is_empty()
    }
}

impl From<Ack> for AckDetails {
    fn from(Ack { reason_string, user_properties, .. }: Ack) -> Self {
        Self { reason_string, user_properties }
    }
}

impl From<SubAck> for AckDetails {
    fn from(SubAck { reason_string, user_properties, .. }: SubAck) -> Self {
        Self { reason_string, user_properties }
    }
}

impl From<UnsubAck> for AckDetails {
    fn from(UnsubAck { reason_string, user_properties, .. }: UnsubAck) -> Self {
        Self { reason_string, user_properties }
    }
}
