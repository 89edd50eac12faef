use std::collections::{BTreeMap, BTreeSet};

use super::FlowError;
use crate::packet::{Ack, PacketId, Publish, QoS};
use crate::{Packet, Rare, ReasonCode, Version};

/// The sending side of QoS 1 and QoS 2 for one session, and the pool of its packet identifiers.
///
/// `T` is what the owner attaches to each message: a token, `()`. How to drive it:
///
/// - At each connection: [`set_window`](Self::set_window) with the peer's Receive Maximum; then, if the session was
///   resumed, write what [`resend`](Self::resend) gives, else settle what [`drain`](Self::drain) gives.
/// - A new message: [`send`](Self::send), or queue it while [`has_room`](Self::has_room) is false.
/// - PUBACK, PUBREC, PUBCOMP: the method of that name. Afterwards write what [`poll_resend`](Self::poll_resend) gives
///   until it gives nothing, then send from the queue.
#[derive(Clone, Debug)]
pub struct Outbox<T> {
    window: u16,
    /// The flows whose PUBLISH went out on this connection: what the send quota of §4.9 is short of the window.
    charged: Rare<BTreeSet<PacketId>>,
    ids: Rare<BTreeMap<PacketId, Use>>,
    /// Unacknowledged packets in the order in which they first went out. A PUBREL takes a new place, behind the
    /// PUBRELs before it [MQTT-4.6.0-4].
    flights: Rare<BTreeMap<Place, Flight<T>>>,
    /// The packets that are still to be sent again on this connection.
    to_resend: Rare<BTreeSet<Place>>,
    next_place: Place,
    last_id: u16,
}

/// The place of a packet in the order of sending.
type Place = u64;

#[derive(Clone, Copy, Debug)]
enum Use {
    /// The identifier is in use by a PUBLISH or PUBREL at this place.
    Flight(Place),
    /// The identifier is in use by a SUBSCRIBE or UNSUBSCRIBE of the owner's.
    Reserved,
}

#[derive(Clone, Debug)]
enum Flight<T> {
    /// A PUBLISH that waits for PUBACK or PUBREC. DUP is false in here, the identifier is set.
    Publish(Publish, T),
    /// A PUBREL that waits for PUBCOMP. The message itself has reached the receiver.
    Release(PacketId, T),
}

/// The consequence of a PUBREC.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum PubRecOutcome<T> {
    /// Write this PUBREL.
    Release(Packet),
    /// The PUBREC refuses what is not in flight: nothing is to be done.
    Nothing,
    /// The receiver refused the message (5.0), which ends its flow [MQTT-4.4.0-2]. Nothing is to be written.
    Refused(Publish, T),
}

/// The exchanges that were unfinished when a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drained<T> {
    /// Messages that the receiver has not acknowledged, oldest first, without identifier and DUP: fit to be sent
    /// anew, at the risk that the receiver gets them twice.
    pub unacknowledged: Vec<(Publish, T)>,
    /// The data attached to QoS 2 messages of which the receiver sent PUBREC: it has them, and only the PUBCOMP
    /// is missing. To send these again would duplicate them.
    pub released: Vec<T>,
}

impl<T: 'static> Outbox<T> {
    /// An empty one that may have `window` messages in flight: the peer's Receive Maximum, 65535 in 3.1.1 or any
    /// smaller number of the owner's choice.
    pub fn new(window: u16) -> Self {
        Self {
            window,
            charged: Rare::new(),
            ids: Rare::new(),
            flights: Rare::new(),
            to_resend: Rare::new(),
            next_place: 0,
            last_id: 0,
        }
    }

    /// A new connection begins, on which `window` messages may be in flight.
    ///
    /// The quota starts anew [MQTT-4.9.0-1]. What is in flight does not count until it is sent again.
    pub fn set_window(&mut self, window: u16) {
        self.window = window;
        self.charged.clear();
        self.to_resend.clear();
    }

    /// Returns whether [`send`](Self::send) would take a message now: there is quota [MQTT-4.9.0-2] and an identifier,
    /// and nothing older has still to be sent again [MQTT-4.6.0-1].
    pub fn has_room(&self) -> bool {
        self.has_quota() && self.to_resend.is_empty() && self.ids.len() < usize::from(u16::MAX)
    }

    /// Returns how many messages are unfinished, those that wait for PUBCOMP included.
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// Returns whether no message is unfinished.
    pub fn is_empty(&self) -> bool {
        self.flights.is_empty()
    }

    /// The unacknowledged PUBLISH packets in the order in which they first went out, as the owner sent them.
    pub fn unacknowledged(&self) -> impl Iterator<Item = (&Publish, &T)> {
        self.flights.values().filter_map(|flight| match flight {
            Flight::Publish(publish, tag) => Some((publish, tag)),
            Flight::Release(..) => None,
        })
    }

    /// Returns what the owner attached to the unfinished message with this identifier.
    pub fn tag(&self, id: PacketId) -> Option<&T> {
        let Some(Use::Flight(place)) = self.ids.get(&id) else { return None };
        self.flights.get(place).map(|flight| match flight {
            Flight::Publish(_, tag) | Flight::Release(_, tag) => tag,
        })
    }

    /// Gives the message an unused identifier, keeps it, and returns the packet to write, with DUP 0
    /// [MQTT-4.3.2-2], [MQTT-4.3.3-2]. A message of QoS 0 is returned as it goes out and not kept, nor is its tag.
    ///
    /// # Errors
    /// There is no room: both are given back for the owner to queue.
    #[expect(clippy::result_large_err, reason = "the error is the message itself, moved back and not lost")]
    pub fn send(&mut self, mut publish: Publish, tag: T) -> Result<Packet, (Publish, T)> {
        publish.dup = false;
        publish.packet_id = None;
        if publish.qos == QoS::AtMostOnce {
            return Ok(Packet::from(publish));
        }
        if !self.has_room() {
            return Err((publish, tag));
        }
        let Some(id) = self.free_id() else { return Err((publish, tag)) };
        publish.packet_id = Some(id);
        self.charged.insert(id);
        self.insert(id, Flight::Publish(publish.clone(), tag));
        Ok(Packet::from(publish))
    }

    /// PUBACK ends a QoS 1 flow, whatever its reason. Gives the message with the identifier that it had; `None` for
    /// an identifier that is not in use, which is no error, since a session may have been lost (§4.13 has no rule).
    ///
    /// # Errors
    /// The identifier belongs to a QoS 2 flow or to a SUBSCRIBE or UNSUBSCRIBE.
    pub fn handle_puback(&mut self, puback: &Ack) -> Result<Option<(Publish, T)>, FlowError> {
        let Some(place) = self.place_of(puback.packet_id)? else { return Ok(None) };
        match self.flights.get(&place) {
            Some(Flight::Publish(publish, _)) if publish.qos == QoS::AtLeastOnce => {}
            _ => return Err(FlowError::protocol("§4.3.3", "PUBACK for a message of QoS 2")),
        }
        Ok(self.finish(puback.packet_id, place).and_then(Flight::into_publish))
    }

    /// PUBREC hands a QoS 2 message over, or refuses it if its reason is an error, as only 5.0 has it.
    ///
    /// One that is repeated, or whose identifier is not in use, is answered with PUBREL, so that the receiver can
    /// finish; in 5.0 with reason 0x92 if the identifier is not in use (§3.6.2.1).
    ///
    /// # Errors
    /// The identifier belongs to a QoS 1 flow or to a SUBSCRIBE or UNSUBSCRIBE; or a message is refused that was
    /// accepted before.
    pub fn handle_pubrec(&mut self, pubrec: &Ack, version: Version) -> Result<PubRecOutcome<T>, FlowError> {
        let id = pubrec.packet_id;
        let Some(place) = self.place_of(id)? else {
            return Ok(if pubrec.reason.is_error() {
                PubRecOutcome::Nothing
            } else if version.is_v5() {
                release(Ack::with_reason(id, ReasonCode::PACKET_IDENTIFIER_NOT_FOUND))
            } else {
                release(Ack::new(id))
            });
        };
        match self.flights.get(&place) {
            Some(Flight::Publish(publish, _)) if publish.qos == QoS::ExactlyOnce => {}
            Some(Flight::Release(..)) if !pubrec.reason.is_error() => return Ok(release(Ack::new(id))),
            Some(Flight::Release(..)) => {
                return Err(FlowError::protocol("§4.3.3", "PUBREC refuses what an earlier one accepted"));
            }
            _ => return Err(FlowError::protocol("§4.3.2", "PUBREC for a message of QoS 1")),
        }
        if pubrec.reason.is_error() {
            let refused = self.finish(id, place).and_then(Flight::into_publish);
            return Ok(refused.map_or(PubRecOutcome::Nothing, |(publish, tag)| PubRecOutcome::Refused(publish, tag)));
        }
        // The PUBLISH is let go of here: after PUBREL it must never be sent again [MQTT-4.3.3-6].
        self.to_resend.remove(&place);
        if let Some(Flight::Publish(_, tag)) = self.flights.remove(&place) {
            self.insert(id, Flight::Release(id, tag));
        }
        Ok(release(Ack::new(id)))
    }

    /// PUBCOMP ends a QoS 2 flow, whatever its reason. Gives what was attached to the message; `None` for an
    /// identifier that is not in use, which is no error.
    ///
    /// # Errors
    /// The identifier belongs to a flow in which no PUBREL was sent, or to a SUBSCRIBE or UNSUBSCRIBE.
    pub fn handle_pubcomp(&mut self, pubcomp: &Ack) -> Result<Option<T>, FlowError> {
        let Some(place) = self.place_of(pubcomp.packet_id)? else { return Ok(None) };
        match self.flights.get(&place) {
            Some(Flight::Release(..)) => {}
            _ => return Err(FlowError::protocol("§4.3.3", "PUBCOMP where no PUBREL was sent")),
        }
        Ok(self.finish(pubcomp.packet_id, place).map(Flight::into_tag))
    }

    /// Ends the flow of a message that cannot be sent any more, for example because the receiver takes no packet of its
    /// size [MQTT-3.1.2-25]. Gives the message with the identifier that it had; `None` if no PUBLISH has the identifier.
    pub fn discard(&mut self, id: PacketId) -> Option<(Publish, T)> {
        let Some(&Use::Flight(place)) = self.ids.get(&id) else { return None };
        let Some(Flight::Publish(..)) = self.flights.get(&place) else { return None };
        self.finish(id, place).and_then(Flight::into_publish)
    }

    /// The session was resumed on a new connection: gives everything unacknowledged again, oldest first, PUBLISH with
    /// DUP and the identifiers that they had [MQTT-4.4.0-1], [MQTT-3.3.1-1].
    ///
    /// Not more PUBLISH packets than the window allows: [`poll_resend`](Self::poll_resend) gives the others in time.
    pub fn resend(&mut self) -> Vec<Packet> {
        self.restart();
        std::iter::from_fn(|| self.poll_resend()).collect()
    }

    /// Like [`resend`](Self::resend), but leaves it to [`poll_resend`](Self::poll_resend) to give the packets, for an
    /// owner that does not want them all at once.
    pub fn restart(&mut self) {
        self.to_resend.clear();
        if !self.flights.is_empty() {
            self.to_resend.extend(self.flights.keys());
        }
    }

    /// The next packet of a resumed session that is to be sent again and for which there is room now.
    pub fn poll_resend(&mut self) -> Option<Packet> {
        // A PUBREL needs no quota and must not be held back for want of it [MQTT-3.3.4-8], [MQTT-3.3.4-10].
        let has_quota = self.has_quota();
        let place = *self
            .to_resend
            .iter()
            .find(|place| has_quota || matches!(self.flights.get(place), Some(Flight::Release(..))))?;
        self.to_resend.remove(&place);
        match self.flights.get(&place)? {
            Flight::Release(id, _) => Some(Packet::PubRel(Ack::new(*id))),
            Flight::Publish(publish, _) => {
                self.charged.extend(publish.packet_id);
                Some(Packet::from(Publish { dup: true, ..publish.clone() }))
            }
        }
    }

    /// The session is gone: takes out what was unfinished. Reserved identifiers stay reserved.
    pub fn drain(&mut self) -> Drained<T> {
        self.to_resend.clear();
        self.charged.clear();
        if let Some(ids) = self.ids.existing() {
            ids.retain(|_, used| matches!(used, Use::Reserved));
        }
        let mut drained = Drained { unacknowledged: Vec::new(), released: Vec::new() };
        for flight in std::mem::take(&mut self.flights).into_inner().into_values() {
            match flight {
                Flight::Publish(publish, tag) => {
                    drained.unacknowledged.push((Publish { packet_id: None, ..publish }, tag));
                }
                Flight::Release(_, tag) => drained.released.push(tag),
            }
        }
        drained
    }

    /// An unused identifier for a SUBSCRIBE or UNSUBSCRIBE [MQTT-2.2.1-3], in use until it is released. `None` when
    /// all 65,535 are in use.
    pub fn reserve_id(&mut self) -> Option<PacketId> {
        let id = self.free_id()?;
        self.ids.insert(id, Use::Reserved);
        Some(id)
    }

    /// Frees an identifier of [`reserve_id`](Self::reserve_id). False if it was not reserved: then the SUBACK or
    /// UNSUBACK that named it answers nothing.
    pub fn release_id(&mut self, id: PacketId) -> bool {
        let reserved = matches!(self.ids.get(&id), Some(Use::Reserved));
        if reserved {
            self.ids.remove(&id);
        }
        reserved
    }

    fn has_quota(&self) -> bool {
        self.charged.len() < usize::from(self.window)
    }

    fn free_id(&mut self) -> Option<PacketId> {
        if self.ids.len() >= usize::from(u16::MAX) {
            return None;
        }
        // Upwards and round, so that an identifier rests for as long as possible before it is used again.
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            match PacketId::new(self.last_id) {
                Some(id) if !self.ids.contains_key(&id) => return Some(id),
                _ => {}
            }
        }
    }

    fn insert(&mut self, id: PacketId, flight: Flight<T>) {
        let place = self.next_place;
        self.next_place += 1;
        self.ids.insert(id, Use::Flight(place));
        self.flights.insert(place, flight);
    }

    fn place_of(&self, id: PacketId) -> Result<Option<Place>, FlowError> {
        match self.ids.get(&id) {
            None => Ok(None),
            Some(Use::Flight(place)) => Ok(Some(*place)),
            Some(Use::Reserved) => {
                Err(FlowError::protocol("§2.2.1", "acknowledges a PUBLISH with the identifier of another packet"))
            }
        }
    }

    fn finish(&mut self, id: PacketId, place: Place) -> Option<Flight<T>> {
        self.ids.remove(&id);
        // A PUBREL that was sent again was never charged, so its PUBCOMP gives nothing back: strictly within §4.9.
        self.charged.remove(&id);
        self.to_resend.remove(&place);
        self.flights.remove(&place)
    }
}

impl<T> Flight<T> {
    fn into_publish(self) -> Option<(Publish, T)> {
        match self {
            Self::Publish(publish, tag) => Some((publish, tag)),
            Self::Release(..) => None,
        }
    }

    fn into_tag(self) -> T {
        match self {
            Self::Publish(_, tag) | Self::Release(_, tag) => tag,
        }
    }
}

fn release<T>(pubrel: Ack) -> PubRecOutcome<T> {
    PubRecOutcome::Release(Packet::PubRel(pubrel))
}
