use std::collections::VecDeque;

use halfopen_protocol::packet::{PacketId, Publish, QoS};
use halfopen_protocol::{Empty, ReasonCode};

/// Names a message that waits for [`Client::acknowledge`](super::Client::acknowledge). It ends with the connection: the
/// broker then sends the message again, and it comes with a new ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// Messages that were handed on and that the application has yet to acknowledge, on one connection.
///
/// PUBACKs go out in the order in which their messages came [MQTT-4.6.0-2], and PUBRECs [MQTT-4.6.0-3], whatever the
/// order in which the application decides.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    last: u64,
    at_least_once: VecDeque<Pending>,
    exactly_once: VecDeque<Pending>,
}

impl Empty for Receipts {
    const EMPTY: &'static Self = &Self { last: 0, at_least_once: VecDeque::new(), exactly_once: VecDeque::new() };
}

#[derive(Debug)]
struct Pending {
    /// `None` for one of QoS 2 that was acknowledged before, and came again.
    ticket: Option<Ticket>,
    id: PacketId,
    /// The decision of the application.
    reason: Option<ReasonCode>,
}

/// An acknowledgement whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) qos: QoS,
    pub(super) id: PacketId,
    pub(super) reason: ReasonCode,
}

impl Receipts {
    /// Keeps the acknowledgement of a message back. `None` for one of QoS 0, which has none.
    pub(super) fn hold(&mut self, publish: &Publish) -> Option<Ticket> {
        let id = publish.packet_id?;
        self.last += 1;
        let ticket = Ticket(self.last);
        self.queue(publish.qos)?.push_back(Pending { ticket: Some(ticket), id, reason: None });
        Some(ticket)
    }

    /// A message of QoS 2 came again that was acknowledged before. Returns whether its answer has to wait for its turn.
    pub(super) fn wait_again(&mut self, id: PacketId) -> bool {
        if self.exactly_once.is_empty() {
            return false;
        }
        self.exactly_once.push_back(Pending { ticket: None, id, reason: Some(ReasonCode::SUCCESS) });
        true
    }

    /// The broker has released a message of QoS 2: it wants no further answer to its PUBLISH.
    pub(super) fn released(&mut self, id: PacketId) {
        self.exactly_once.retain(|pending| pending.ticket.is_some() || pending.id != id);
    }

    /// Returns whether the application has this message and has not acknowledged it. Then it is not to be handed on
    /// again.
    pub(super) fn holds(&self, publish: &Publish) -> bool {
        let queue = match publish.qos {
            QoS::AtMostOnce => return false,
            QoS::AtLeastOnce => &self.at_least_once,
            QoS::ExactlyOnce => &self.exactly_once,
        };
        queue.iter().any(|pending| Some(pending.id) == publish.packet_id)
    }

    /// Returns how many messages of QoS 1 wait: they use up our Receive Maximum. (Those of QoS 2 are counted by the
    /// inbox.)
    pub(super) fn open_at_least_once(&self) -> usize {
        self.at_least_once.len()
    }

    /// The application has decided. False if nothing waits under this ticket any more.
    pub(super) fn settle(&mut self, ticket: Ticket, reason: ReasonCode) -> bool {
        let mut all = self.at_least_once.iter_mut().chain(&mut self.exactly_once);
        let Some(pending) = all.find(|pending| pending.ticket == Some(ticket) && pending.reason.is_none()) else {
            return false;
        };
        pending.reason = Some(reason);
        true
    }

    /// The next acknowledgement that may go out.
    pub(super) fn next_ready(&mut self) -> Option<Ready> {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let queue = self.queue(qos)?;
            if let Some(&Pending { id, reason: Some(reason), .. }) = queue.front() {
                queue.pop_front();
                return Some(Ready { qos, id, reason });
            }
        }
        None
    }

    /// The connection is gone, and with it every acknowledgement that was not sent. Gives the messages of QoS 2, which
    /// are to be handed on again when they come again.
    pub(super) fn clear(&mut self) -> Vec<PacketId> {
        self.at_least_once.clear();
        self.exactly_once.drain(..).filter(|pending| pending.ticket.is_some()).map(|pending| pending.id).collect()
    }

    fn queue(&mut self, qos: QoS) -> Option<&mut VecDeque<Pending>> {
        match qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce => Some(&mut self.at_least_once),
            QoS::ExactlyOnce => Some(&mut self.exactly_once),
        }
    }
}
