//! Applies each defect: in place of a rule, before it, or after it.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use halfopen_protocol::packet::{Ack, Connect, Disconnect, PacketId, Publish, QoS};
use halfopen_protocol::{Instant, Packet, PacketType, ReasonCode, Version};

use super::Defect;
use super::packets::Remembered;
use crate::core::authenticate::Identity;
use crate::core::keep_alive::{self, KeepAlive};
use crate::core::session::{Expiry, SessionKey};
use crate::core::timers::Subject;
use crate::core::{Broker, CloseReason, ConnectionId, DurableState, Event, Timer};

/// The defect that is switched on, if any, and what it remembers.
#[derive(Debug, Default)]
pub(in crate::core) struct Defects {
    pub(super) on: Option<Defect>,
    /// For [`Defect::TimeoutsBatched`]: the number of silent clients that were looked at, and when.
    batch: (Instant, u32),
    /// For [`Defect::ReleaseNotResent`]: the connection on which each outstanding PUBREL was sent.
    released: BTreeMap<(SessionKey, PacketId), ConnectionId>,
    /// The memory of the defects of single packets.
    pub(super) remembered: Remembered,
}

impl Broker {
    /// Switches a defect on.
    #[must_use]
    pub fn with_defect(mut self, defect: Defect) -> Self {
        self.defects.on = Some(defect);
        self
    }

    fn has(&self, defect: Defect) -> bool {
        self.defects.on == Some(defect)
    }

    pub(in crate::core) fn await_connect_or_defect(&mut self, connection: ConnectionId) {
        if !self.has(Defect::NoConnectTimeout) {
            self.set_deadline(connection, None);
        }
    }

    pub(in crate::core) fn read_packets_or_defect(&mut self, now: Instant, connection: ConnectionId) {
        if self.has(Defect::RefreshedByBytes) {
            self.handle_activity(now, connection, PacketType::Publish);
        }
        self.read_packets(now, connection);
    }

    pub(in crate::core) fn handle_packet_or_defect(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        mut packet: Packet,
    ) {
        let packet_type = packet.packet_type();
        let keep_alive = self.keep_alive_of(connection);
        if let Some(defect) = self.defects.on {
            if self.break_incoming(defect, now, connection, &mut packet) {
                return;
            }
            match &mut packet {
                Packet::Connect(connect) if self.is_refused(defect, connect) => {
                    let is_v5 = connect.version.is_v5();
                    // 0x03 of 3.1.1 is Server unavailable.
                    let reason = if is_v5 { ReasonCode::CLIENT_IDENTIFIER_NOT_VALID } else { ReasonCode::new(3) };
                    return self.refuse(now, connection, connect.version, reason);
                }
                Packet::Publish(publish) if self.is_lost(defect, connection, publish) => return,
                Packet::Disconnect(disconnect) => {
                    let is_lost = self.break_disconnect(defect, now, connection, disconnect);
                    if is_lost {
                        return;
                    }
                }
                Packet::PubComp(pubcomp) => {
                    let released = self.session_of(connection).map(|key| (key, pubcomp.packet_id));
                    released.and_then(|released| self.defects.released.remove(&released));
                }
                _ => {}
            }
        }
        self.handle_packet(now, connection, packet);
        match self.defects.on {
            Some(Defect::OnlyPingreqRenews) if packet_type != PacketType::PingReq => {
                self.restore_keep_alive(connection, keep_alive);
            }
            Some(Defect::PublishDoesNotRenew) if packet_type == PacketType::Publish => {
                self.restore_keep_alive(connection, keep_alive);
            }
            Some(Defect::ResendsWhileConnected) if packet_type == PacketType::PingReq => {
                if let Some(key) = self.session_of(connection) {
                    self.resend(now, key);
                }
            }
            Some(Defect::CongestedIsClosed) if packet_type == PacketType::Publish => {
                for congested in self.congested() {
                    self.close(now, congested, CloseReason::Quota);
                }
            }
            _ => {}
        }
    }

    fn is_refused(&self, defect: Defect, connect: &Connect) -> bool {
        let known = self.sessions.find(&connect.client_id).and_then(|key| self.sessions.get(key));
        match defect {
            Defect::KeepAliveZeroRejected => connect.keep_alive == 0,
            Defect::TakeoverRefused => known.is_some_and(|session| session.connection.is_some()),
            _ => false,
        }
    }

    /// Returns whether the defect loses a received PUBLISH before the rules see it.
    fn is_lost(&mut self, defect: Defect, connection: ConnectionId, publish: &Publish) -> bool {
        if defect == Defect::SlowSubscriberStallsAll {
            return !self.congested().is_empty();
        }
        let session = self.session_of(connection).and_then(|key| self.sessions.get_mut(key));
        if let (Some(session), Some(id), QoS::ExactlyOnce) = (session, publish.packet_id, publish.qos) {
            let inbox = &mut session.flow().inbox;
            match defect {
                Defect::Qos2Twice => drop(inbox.handle_pubrel(&Ack::new(id), Version::V3_1_1)),
                Defect::Qos2LostOnResume if publish.dup => drop(inbox.handle_publish(publish)),
                _ => {}
            }
        }
        false
    }

    /// Returns whether a DISCONNECT is not to be looked at, at least not now.
    fn break_disconnect(
        &mut self,
        defect: Defect,
        now: Instant,
        connection: ConnectionId,
        disconnect: &mut Disconnect,
    ) -> bool {
        let is_clean = disconnect.reason == ReasonCode::SUCCESS;
        match defect {
            Defect::GoodbyeLostWithHangUp if is_clean && self.session_of(connection).is_some() => {
                let later = now + Duration::from_millis(1);
                self.timers.set(Timer::Connect, Subject::Connection(connection), None, Some(later));
                return true;
            }
            Defect::WillOnCleanDisconnect if is_clean => disconnect.reason = ReasonCode::DISCONNECT_WITH_WILL,
            Defect::WillSuppressedByAnyDisconnect => {
                self.session_of(connection).and_then(|key| self.sessions.get_mut(key)?.will.take());
            }
            _ => {}
        }
        false
    }

    /// The connections at which too much waits for more messages to be sent.
    fn congested(&self) -> Vec<ConnectionId> {
        let congested = self.connections.iter().filter(|(_, open)| open.unwritten > self.config.write_buffer);
        congested.map(|(id, _)| id).collect()
    }

    fn keep_alive_of(&self, connection: ConnectionId) -> Option<KeepAlive> {
        Some(self.connections.get(&connection)?.client.as_ref()?.keep_alive)
    }

    fn restore_keep_alive(&mut self, connection: ConnectionId, keep_alive: Option<KeepAlive>) {
        let Some(open) = self.connections.get_mut(&connection) else { return };
        let before = open.deadline(&self.config);
        if let (Some(client), Some(keep_alive)) = (&mut open.client, keep_alive) {
            client.keep_alive = keep_alive;
            self.set_deadline(connection, before);
        }
    }

    pub(in crate::core) fn accept_or_defect(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        mut connect: Connect,
        identity: Identity,
    ) {
        let Some(defect) = self.defects.on else { return self.accept(now, connection, connect, identity) };
        let known = self.sessions.find(&connect.client_id);
        let old = known.and_then(|key| self.sessions.get(key)?.connection);
        let old_deadline = old.and_then(|old| self.connections.get(&old)?.deadline(&self.config));
        self.break_takeover(defect, now, known, &connect);
        self.break_connect(defect, known, &mut connect);
        let broken = self.broken_keep_alive(defect, now, &connect);
        self.accept(now, connection, connect, identity);
        let Some(key) = self.session_of(connection) else { return };
        self.remember_accepted(now, connection, key, known == Some(key));
        self.restore_keep_alive(connection, Some(broken));
        match (defect, old_deadline) {
            (Defect::TakeoverOldTimerKillsNew, Some((due, _))) => {
                self.timers.set(Timer::KeepAlive, Subject::Session(key), None, Some(due));
            }
            (Defect::TakeoverPublishesNewWill, Some(_)) => self.publish_will(now, key),
            _ => {}
        }
    }

    /// Applies the defect to the session and the connection that the client already has, before they are taken over.
    fn break_takeover(&mut self, defect: Defect, now: Instant, known: Option<SessionKey>, connect: &Connect) {
        let Some(key) = known else { return };
        let Some(session) = self.sessions.get_mut(key) else { return };
        let old = session.connection;
        match defect {
            Defect::ShareOfWhoIsAwayLost => {
                drop(session.flow.as_mut().map(|flow| flow.queue.take_shared()));
            }
            Defect::WillDelayNotCancelled if session.will_due.is_some() => self.publish_will(now, key),
            Defect::WillLostWithSession if connect.clean_start && session.will_due.is_some() => session.will = None,
            Defect::WillTwice if connect.clean_start && session.will_due.is_some() => {
                if let Some(will) = session.will.clone() {
                    self.publish_last_will(now, key, *will);
                }
            }
            Defect::TakeoverSkipsWill if old.is_some() => session.will = None,
            Defect::TakeoverInheritsEndedSession if old.is_some() => session.expiry = Expiry::NEVER,
            Defect::TakeoverKeepsOld => session.connection = None,
            Defect::TakeoverSaysNothing => {
                if let Some(open) = old.and_then(|old| self.connections.get_mut(&old)) {
                    // Nothing is said before CONNACK.
                    open.has_connack = false;
                }
            }
            _ => {}
        }
    }

    /// Changes a CONNECT into what the defective broker takes it for.
    fn break_connect(&self, defect: Defect, known: Option<SessionKey>, connect: &mut Connect) {
        let session = known.filter(|_| !connect.clean_start).and_then(|key| self.sessions.get(key));
        match defect {
            Defect::WillLost => connect.will = None,
            Defect::KeepAliveGrowsOnResume if session.is_some() && connect.keep_alive > 0 => {
                connect.keep_alive = connect.keep_alive.saturating_add(1);
            }
            Defect::QuotaNotReset => {
                let kept = session.and_then(|session| session.flow.as_ref()).map_or(0, |flow| flow.outbox.in_flight());
                let window = connect.receive_maximum.unwrap_or(u16::MAX).min(self.config.in_flight_messages);
                connect.receive_maximum = Some(window.saturating_sub(u16::try_from(kept).unwrap_or(u16::MAX)));
            }
            _ => {}
        }
    }

    /// The keep-alive that is enforced.
    fn broken_keep_alive(&self, defect: Defect, now: Instant, connect: &Connect) -> KeepAlive {
        let agreed = keep_alive::wanted(&self.config, connect).unwrap_or(connect.keep_alive);
        let seconds = match defect {
            Defect::ServerKeepAliveNotEnforced => connect.keep_alive,
            Defect::ServerKeepAliveOn311 => self.config.server_keep_alive.unwrap_or(agreed),
            Defect::KeepAliveZeroExpires if agreed == 0 => 200,
            _ => agreed,
        };
        let whole = u64::from(seconds) * 1000;
        let longest = self.config.max_keep_alive.unwrap_or(u16::MAX);
        let mut keep_alive = KeepAlive::new(now, seconds, self.config.keep_alive_factor);
        let Some(millis) = keep_alive.timeout.map(NonZeroU64::get) else { return keep_alive };
        keep_alive.timeout = NonZeroU64::new(match defect {
            Defect::KeepAliveThreeQuarters => whole * 3 / 4,
            Defect::KeepAliveOnce => whole,
            Defect::KeepAliveTwice => whole * 2,
            Defect::KeepAliveTruncated => millis / 1000 * 1000,
            Defect::KeepAliveCapped => millis.min(65_535_000),
            Defect::KeepAliveFlatWhenShort if seconds < 6 => whole + 3000,
            Defect::KeepAliveExceeded => millis + 1,
            Defect::KeepAliveNotEnforced => 0,
            Defect::KeepAliveMaximumExpiresAtOnce if seconds == longest => 1000,
            _ => millis,
        });
        keep_alive
    }

    pub(in crate::core) fn pop_due_or_defect(&mut self, now: Instant) -> Option<(Instant, Timer, Subject)> {
        loop {
            let (due, timer, subject) = self.timers.pop_due(now)?;
            let Some(defect) = self.defects.on else { return Some((due, timer, subject)) };
            match (timer, subject) {
                (Timer::Connect, Subject::Connection(id)) if self.session_of(id).is_some() => {
                    self.handle_disconnect(now, id, &Disconnect::new(ReasonCode::SUCCESS));
                }
                (Timer::KeepAlive, Subject::Session(key)) => {
                    if let Some(connection) = self.sessions.get(key).and_then(|session| session.connection) {
                        return Some((due, timer, Subject::Connection(connection)));
                    }
                }
                (Timer::KeepAlive, Subject::Connection(id)) => {
                    if self.notices_silence(defect, now, id, due) {
                        return Some((due, timer, subject));
                    }
                }
                (Timer::WillDelay | Timer::SessionExpiry, Subject::Session(key)) => {
                    if self.ends_waiting(defect, now, key, timer) {
                        return Some((due, timer, subject));
                    }
                }
                _ => return Some((due, timer, subject)),
            }
        }
    }

    /// Returns whether a client that is silent is closed now, and not later or not at all.
    fn notices_silence(&mut self, defect: Defect, now: Instant, connection: ConnectionId, due: Instant) -> bool {
        let Some(open) = self.connections.get(&connection) else { return false };
        let Some((deadline, _)) = open.deadline(&self.config) else { return false };
        let Some(client) = open.client.as_ref().filter(|_| deadline <= due) else { return false };
        let ((since, at), key) = (client.keep_alive.last_packet(), client.session);
        let later = match defect {
            Defect::BlockedWriteHidesDeadline if open.unwritten > 0 => due + Duration::from_secs(1),
            Defect::TimeoutsBatched => {
                let before = if self.defects.batch.0 == now { self.defects.batch.1 } else { 0 };
                self.defects.batch = (now, before + 1);
                due.max(now + Duration::from_millis(100) * before)
            }
            _ => looked_at(defect, open.opened, deadline.saturating_since(at), deadline),
        };
        if later > due {
            self.timers.set(Timer::KeepAlive, Subject::Connection(connection), None, Some(later));
            return false;
        }
        match defect {
            Defect::WillLostOnTimeout => {
                self.sessions.get_mut(key).and_then(|session| session.will.take());
            }
            Defect::TimeoutWithoutClosing => {
                let reason = CloseReason::KeepAlive { since, at, due };
                self.tell(Event::Closing { connection, client_id: self.client_id(connection), reason });
                self.remove_connection(now, connection);
                return false;
            }
            _ => {}
        }
        true
    }

    /// Returns whether a will's delay or a session ends now that has waited for it.
    fn ends_waiting(&mut self, defect: Defect, now: Instant, key: SessionKey, timer: Timer) -> bool {
        let Some(session) = self.sessions.get_mut(key) else { return true };
        let will_due = session.will_due;
        match defect {
            Defect::WillDelayOutlivesSession if timer == Timer::SessionExpiry && will_due > Some(now) => {
                session.ends = will_due;
                self.timers.set(timer, Subject::Session(key), None, will_due);
                return false;
            }
            Defect::WillLostWithSession if timer == Timer::SessionExpiry && will_due.is_some() => session.will = None,
            Defect::WillTwice => {
                if let Some(will) = session.will.clone() {
                    self.publish_last_will(now, key, *will);
                }
            }
            _ => {}
        }
        true
    }

    pub(in crate::core) fn packet_or_defect(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        mut packet: Packet,
    ) -> Option<Packet> {
        let Some(defect) = self.defects.on else { return Some(packet) };
        let session = self.session_of(connection);
        match (defect, &mut packet) {
            (Defect::RefreshedByOutput, packet) => self.handle_activity(now, connection, packet.packet_type()),
            (Defect::SessionPresentAlways, Packet::ConnAck(connack)) if connack.reason == ReasonCode::SUCCESS => {
                Arc::make_mut(connack).session_present = true;
            }
            (Defect::SessionPresentNever, Packet::ConnAck(connack)) => {
                Arc::make_mut(connack).session_present = false;
            }
            (Defect::ServerKeepAliveNotAnnounced, Packet::ConnAck(connack)) => {
                Arc::make_mut(connack).server_keep_alive = None;
            }
            (Defect::ResendMissing, Packet::Publish(publish)) if publish.dup => return None,
            (Defect::ResendWithoutDup, Packet::Publish(publish)) => Arc::make_mut(publish).dup = false,
            (Defect::AliasesSurviveReconnect, Packet::Publish(publish))
                if publish.dup
                    && self
                        .connections
                        .get(&connection)?
                        .aliases
                        .as_ref()
                        .is_some_and(|aliases| aliases.outgoing.is_allowed()) =>
            {
                Arc::make_mut(publish).topic = String::new().into();
            }
            (Defect::PacketIdInUse, Packet::Publish(publish)) if publish.packet_id.is_some() && !publish.dup => {
                let flow = self.sessions.get(session?)?.flow.as_ref()?;
                let oldest = flow.outbox.unacknowledged().next().and_then(|(oldest, _)| oldest.packet_id);
                Arc::make_mut(publish).packet_id = oldest;
            }
            (Defect::ResendMissing | Defect::ReleaseNotResent, Packet::PubRel(pubrel)) => {
                let first = *self.defects.released.entry((session?, pubrel.packet_id)).or_insert(connection);
                if first != connection {
                    return None;
                }
            }
            _ => {}
        }
        self.break_outgoing(defect, now, connection, packet)
    }

    pub(in crate::core) fn start_expiry_or_defect(&mut self, now: Instant, key: SessionKey) {
        let Some(defect) = self.defects.on else { return self.start_expiry(now, key) };
        let last = self.timers.last_will().filter(|last| *last > now);
        if let Some(session) = self.sessions.get_mut(key)
            && defect == Defect::ShareOfWhoLeftLost
            && session.expiry == Expiry::AT_CLOSE
        {
            session.flow = None;
        }
        if let Some(session) = self.sessions.get_mut(key)
            && let Some(will) = &mut session.will
        {
            let delay = will.delay.unwrap_or(0);
            match (defect, last) {
                (Defect::WillDelayIgnored, _) => will.delay = None,
                // Not at once, whatever it is: the last of those that wait comes first.
                (Defect::WillDelayBehindLongerOne, Some(_)) => will.delay = Some(delay.max(1)),
                (Defect::WillTwice, _) if delay == 0 || session.expiry == Expiry::AT_CLOSE => {
                    let will = will.clone();
                    self.publish_last_will(now, key, *will);
                }
                _ => {}
            }
        }
        self.start_expiry(now, key);
        let Some(session) = self.sessions.get_mut(key) else { return };
        let ends = Expiry::from_secs(expiry(defect, session.expiry.as_secs())).after(now);
        let before = std::mem::replace(&mut session.ends, ends);
        let will_before = session.will_due;
        if defect == Defect::WillDelayBehindLongerOne && will_before.is_some() {
            session.will_due = will_before.max(last);
        }
        let will_due = session.will_due;
        self.timers.set(Timer::SessionExpiry, Subject::Session(key), before, ends);
        self.timers.set(Timer::WillDelay, Subject::Session(key), will_before, will_due);
    }

    pub(in crate::core) fn durable_state_or_defect(&self, mut state: DurableState) -> DurableState {
        if self.has(Defect::RestartForgetsExpiry) {
            for key in state.sessions.keys() {
                let Some(session) = state.sessions.get_mut(key) else { continue };
                session.ends = session.ends.filter(|_| session.connection.is_some());
            }
        }
        state
    }
}

/// Returns when the defective broker notices silence that is `due` to be noticed, on a connection that was `opened` and
/// may be silent for `timeout`.
fn looked_at(defect: Defect, opened: Instant, timeout: Duration, due: Instant) -> Instant {
    let (since, period) = match defect {
        Defect::KeepAliveSampled => (opened, timeout / 3),
        Defect::KeepAliveOnOwnTicker => (opened, timeout * 2 / 3),
        Defect::KeepAliveOnGlobalTick => (Instant::new(Duration::ZERO), Duration::from_secs(10)),
        Defect::KeepAliveOnIdleLoop => (Instant::new(Duration::ZERO), Duration::from_secs(5)),
        _ => return due,
    };
    let period = period.max(Duration::from_millis(1)).as_millis();
    let ticks = due.saturating_since(since).as_millis().div_ceil(period);
    since + Duration::from_millis(u64::try_from(ticks * period).unwrap_or(u64::MAX))
}

/// The session expiry in seconds that is kept where `secs` should be.
fn expiry(defect: Defect, secs: u32) -> u32 {
    match defect {
        _ if matches!(secs, 0 | u32::MAX) => secs,
        Defect::SessionEndsEarly => secs - 1,
        Defect::SessionEndsLate => secs + 1,
        Defect::SessionNeverEnds => u32::MAX,
        Defect::SessionExpiryOverflows => secs.wrapping_mul(1000) / 1000,
        _ => secs,
    }
}
