//! The messages of QoS 1 and 2 that a node sends, over all connections of a session.

use std::collections::BTreeMap;

use halfopen_protocol::Packet;
use halfopen_protocol::packet::{PacketId, Publish, QoS};

use super::Scene;
use super::view::{Connection, Seen, View, sessions};
use crate::trace::ConnectionId;

/// A PUBLISH, SUBSCRIBE or UNSUBSCRIBE that went out, and what its identifier stood for until then.
pub(super) struct Transmission<'v, 'a> {
    pub(super) view: &'v View<'a>,
    pub(super) seen: &'v Seen<'a>,
    pub(super) connection: ConnectionId,
    pub(super) id: PacketId,
    /// Whether the session was resumed on the connection.
    pub(super) is_resumed: bool,
    pub(super) before: Before,
}

/// What an identifier stood for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing.
    Free,
    /// The same message, sent on an earlier connection, as the so-manieth of the session.
    SameEarlier(usize),
    /// The same message, sent on this connection.
    SameHere,
    /// The same message, which the other side has taken over with PUBREC.
    SameTakenOver,
    /// Something else.
    Another,
}

/// What a session had left to send again, and was not sent again on a connection that lasted.
pub(super) struct Owed<'v, 'a> {
    pub(super) view: &'v View<'a>,
    pub(super) connection: &'v Connection<'a>,
    pub(super) id: PacketId,
    pub(super) qos: QoS,
    /// PUBREL rather than PUBLISH.
    pub(super) is_release: bool,
}

/// What nodes of the project sent, and what they did not.
pub(super) struct Flows<'v, 'a> {
    pub(super) transmissions: Vec<Transmission<'v, 'a>>,
    pub(super) owed: Vec<Owed<'v, 'a>>,
}

/// How long a connection must have lasted for what is owed to be missed.
const SOON: std::time::Duration = std::time::Duration::from_secs(1);

pub(super) fn flows<'v, 'a>(scene: &'v Scene<'a>) -> Flows<'v, 'a> {
    let mut flows = Flows { transmissions: Vec::new(), owed: Vec::new() };
    for view in &scene.views {
        for connections in sessions(view).into_values() {
            let mut session = Session::default();
            for (connection, is_resumed) in connections {
                session.begin(is_resumed);
                for seen in &connection.packets {
                    flows.transmissions.extend(session.packet(view, connection.id, seen, is_resumed));
                }
                let lasted = connection
                    .ended
                    .unwrap_or(scene.trace.end)
                    .saturating_sub(connection.connack().map_or(scene.trace.end, |(accepted, _)| accepted));
                if is_resumed && lasted >= SOON && session.sent_here() < connection.window() {
                    flows.owed.extend(session.owed(view, connection));
                }
                session.end();
            }
        }
    }
    flows
}

/// What one session has under way.
#[derive(Default)]
struct Session<'v> {
    in_use: BTreeMap<PacketId, Flight<'v>>,
    sent: usize,
}

#[derive(Clone, Copy)]
struct Flight<'a> {
    what: What<'a>,
    /// Whether it went out on the present connection.
    is_here: bool,
    /// Which message of the session it is.
    place: usize,
}

#[derive(Clone, Copy)]
enum What<'a> {
    Message(&'a str, &'a Publish),
    TakenOver(&'a str, &'a Publish),
    Request,
}

impl<'v> Session<'v> {
    fn begin(&mut self, is_resumed: bool) {
        if !is_resumed {
            self.in_use.clear();
        }
        for flight in self.in_use.values_mut() {
            flight.is_here = false;
        }
    }

    /// Requests do not outlive their connection.
    fn end(&mut self) {
        self.in_use.retain(|_, flight| !matches!(flight.what, What::Request));
    }

    fn sent_here(&self) -> usize {
        self.in_use.values().filter(|flight| flight.is_here).count()
    }

    fn packet<'a>(
        &mut self,
        view: &'v View<'a>,
        connection: ConnectionId,
        seen: &'v Seen<'a>,
        is_resumed: bool,
    ) -> Option<Transmission<'v, 'a>> {
        if !seen.is_sent {
            self.answer(seen.packet);
            return None;
        }
        let (id, what) = match seen.packet {
            Packet::Publish(publish) => (publish.packet_id?, What::Message(&seen.topic, publish)),
            Packet::Subscribe(subscribe) => (subscribe.packet_id, What::Request),
            Packet::Unsubscribe(unsubscribe) => (unsubscribe.packet_id, What::Request),
            Packet::PubRel(ack) => {
                if let Some(flight) = self.in_use.get_mut(&ack.packet_id) {
                    flight.is_here = true;
                }
                return None;
            }
            _ => return None,
        };
        let known = self.in_use.get(&id).copied();
        let before = known.map_or(Before::Free, |known| known.before(what));
        let is_same = matches!(before, Before::SameEarlier(_) | Before::SameHere | Before::SameTakenOver);
        self.sent += usize::from(!is_same);
        let place = known.filter(|_| is_same).map_or(self.sent, |known| known.place);
        self.in_use.insert(id, Flight { what, is_here: true, place });
        Some(Transmission { view, seen, connection, id, is_resumed, before })
    }

    fn answer(&mut self, packet: &Packet) {
        match packet {
            Packet::PubAck(ack) => self.free(ack.packet_id, |what| matches!(what, What::Message(..))),
            Packet::PubRec(ack) if ack.reason.is_error() => self.free(ack.packet_id, |_| true),
            Packet::PubRec(ack) => {
                if let Some(flight) = self.in_use.get_mut(&ack.packet_id)
                    && let What::Message(topic, publish) = flight.what
                {
                    flight.what = What::TakenOver(topic, publish);
                }
            }
            Packet::PubComp(ack) => self.free(ack.packet_id, |what| matches!(what, What::TakenOver(..))),
            Packet::SubAck(ack) => self.free(ack.packet_id, |what| matches!(what, What::Request)),
            Packet::UnsubAck(ack) => self.free(ack.packet_id, |what| matches!(what, What::Request)),
            _ => {}
        }
    }

    fn free(&mut self, id: PacketId, is_its: impl Fn(What<'v>) -> bool) {
        if self.in_use.get(&id).is_some_and(|flight| is_its(flight.what)) {
            self.in_use.remove(&id);
        }
    }

    fn owed<'a>(&self, view: &'v View<'a>, connection: &'v Connection<'a>) -> Vec<Owed<'v, 'a>> {
        let owed = |(&id, flight): (&PacketId, &Flight<'v>)| {
            let (qos, is_release) = match flight.what {
                What::Message(_, publish) => (publish.qos, false),
                What::TakenOver(_, publish) => (publish.qos, true),
                What::Request => return None,
            };
            (!flight.is_here).then_some(Owed { view, connection, id, qos, is_release })
        };
        self.in_use.iter().filter_map(owed).collect()
    }
}

impl<'a> Flight<'a> {
    fn before(self, next: What<'a>) -> Before {
        match (self.what, next) {
            (What::Message(old, message), What::Message(new, again)) if is_same(old, message, new, again) => {
                if self.is_here { Before::SameHere } else { Before::SameEarlier(self.place) }
            }
            (What::TakenOver(old, message), What::Message(new, again)) if is_same(old, message, new, again) => {
                Before::SameTakenOver
            }
            _ => Before::Another,
        }
    }
}

fn is_same(old: &str, message: &Publish, new: &str, again: &Publish) -> bool {
    old == new && message.payload == again.payload && message.qos == again.qos
}
