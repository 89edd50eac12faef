//! Applies each defect: in place of a rule, before it, or after it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use halfopen_protocol::packet::{Ack, ConnAck, PacketId, QoS};
use halfopen_protocol::{Empty, Instant, Packet, ReasonCode, Version};

use super::{Defect, KeepAliveOrDefect};
use crate::core::link::{Link, Up};
use crate::core::{Client, DisconnectReason, Event, Output, Timer};

/// The defect that is switched on, if any, and what it remembers.
#[derive(Debug, Default)]
pub(in crate::core) struct Defects {
    on: Option<Defect>,
    /// The PINGREQ that the last connection waited for an answer to.
    stale_ping: Option<Instant>,
    /// For [`Defect::OldAcknowledgementsSent`]: the acknowledgements of the latest connection.
    stale_acks: Vec<Packet>,
    /// For [`Defect::NotSubscribedAgain`]: whether it is not the first time that the broker has no session.
    has_begun: bool,
    /// Number of connections that there have been.
    connections: u64,
    /// For [`Defect::LongestPauseKept`]: the longest pause until now.
    longest: Duration,
    /// For [`Defect::HandlerDeadlock`]: when the latest message came.
    message_at: Option<Instant>,
    /// For [`Defect::ReleaseNotResent`]: the connection on which each outstanding PUBREL was sent.
    released: BTreeMap<PacketId, u64>,
}

impl Empty for Defects {
    const EMPTY: &'static Self = &Self {
        on: None,
        stale_ping: None,
        stale_acks: Vec::new(),
        has_begun: false,
        connections: 0,
        longest: Duration::ZERO,
        message_at: None,
        released: BTreeMap::new(),
    };
}

impl Client {
    /// Switches a defect on.
    #[must_use]
    pub fn with_defect(mut self, defect: Defect) -> Self {
        self.defects.on = Some(defect);
        self
    }

    fn has(&self, defect: Defect) -> bool {
        self.defects.on == Some(defect)
    }

    pub(in crate::core) fn handle_packet_or_defect(&mut self, now: Instant, packet: Packet) {
        let Some(defect) = self.defects.on else { return self.handle_packet(now, packet) };
        match packet {
            Packet::ConnAck(connack) if connack.reason == ReasonCode::SUCCESS && !self.is_up() => {
                self.handle_connack_with(defect, now, connack);
            }
            packet => {
                if !self.is_ignored(defect, now, &packet) {
                    self.handle_packet(now, packet);
                }
            }
        }
    }

    /// Returns what a packet meets before it is looked at: it may vanish, or the session may be changed for it.
    fn is_ignored(&mut self, defect: Defect, now: Instant, packet: &Packet) -> bool {
        let session = &mut self.session;
        match (defect, packet) {
            (Defect::UnknownReleaseIgnored, Packet::PubRel(pubrel)) => {
                let mut inbox = session.inbox.clone();
                inbox.handle_pubrel(pubrel, Version::V3_1_1);
                return inbox.len() == session.inbox.len();
            }
            (Defect::Qos2Twice, Packet::Publish(publish)) if publish.qos == QoS::ExactlyOnce => {
                publish.packet_id.map(|id| session.inbox.handle_pubrel(&Ack::new(id), Version::V3_1_1));
            }
            (Defect::ReleaseNotRemembered, Packet::PubRec(pubrec)) if !pubrec.reason.is_error() => {
                self.write(now, Packet::PubRel(Ack::new(pubrec.packet_id)));
                return true;
            }
            (Defect::ReleaseNotRemembered, Packet::PubComp(pubcomp)) => {
                drop(session.outbox.handle_pubrec(&Ack::new(pubcomp.packet_id), Version::V3_1_1));
            }
            (Defect::RefusalKeepsPlace, Packet::PubAck(ack) | Packet::PubRec(ack)) => return ack.reason.is_error(),
            (Defect::HandlerDeadlock, Packet::Publish(_)) => self.defects.message_at = Some(now),
            (_, Packet::PubComp(pubcomp)) => {
                self.defects.released.remove(&pubcomp.packet_id);
            }
            _ => {}
        }
        false
    }

    fn handle_connack_with(&mut self, defect: Defect, now: Instant, connack: Arc<ConnAck>) {
        let mut connack = Arc::unwrap_or_clone(connack);
        self.defects.connections += 1;
        let own = self.options.connect.keep_alive;
        let agreed = connack.server_keep_alive.unwrap_or(own);
        self.break_session(defect, &mut connack);
        match defect {
            Defect::ServerKeepAliveIgnored => connack.server_keep_alive = None,
            Defect::ServerKeepAliveNeedsRequest if own == 0 => connack.server_keep_alive = None,
            Defect::PingsNotAtOneSecond if agreed == 1 => connack.server_keep_alive = Some(0),
            Defect::ReceiveMaximumIgnored => connack.receive_maximum = None,
            Defect::PacketSizeIgnored => connack.maximum_packet_size = None,
            Defect::WindowLeaks => {
                let leaked = u16::try_from(self.session.outbox.in_flight()).unwrap_or(u16::MAX);
                connack.receive_maximum = Some(connack.receive_maximum.unwrap_or(u16::MAX).saturating_sub(leaked));
            }
            // So that what goes first need not wait for room.
            Defect::NewBeforeResent if !self.session.messages.is_empty() => connack.receive_maximum = None,
            _ => {}
        }
        let stale_acks = std::mem::take(&mut self.defects.stale_acks);
        self.handle_packet(now, Packet::from(connack));
        if !self.is_up() {
            return;
        }
        self.defects.stale_ping = None;
        match defect {
            Defect::ServerKeepAliveRemembered => self.options.connect.keep_alive = agreed,
            Defect::OldAcknowledgementsSent => stale_acks.into_iter().for_each(|ack| self.write(now, ack)),
            Defect::NewBeforeResent => self.put_new_first(),
            Defect::BackoffResetByAcceptance => {
                if let Some(backoff) = &mut self.backoff {
                    backoff.lasted(Duration::MAX);
                }
            }
            _ => {}
        }
    }

    /// Changes what a CONNACK says about the session, and what is left of it.
    fn break_session(&mut self, defect: Defect, connack: &mut ConnAck) {
        if connack.session_present {
            return;
        }
        match defect {
            Defect::ResumesWithoutSession => {
                connack.session_present = true;
                if let Link::Handshake(handshake) = &mut self.link {
                    handshake.clean_start = false;
                }
            }
            Defect::UnacknowledgedLost => drop(self.session.outbox.drain()),
            Defect::NotSubscribedAgain if self.defects.has_begun => self.session.subscriptions.clear(),
            _ => {}
        }
        self.defects.has_begun = true;
    }

    /// Puts what is sent for the first time before what is sent again.
    fn put_new_first(&mut self) {
        let (mut first, mut again) = (Vec::new(), Vec::new());
        let mut is_again = false;
        for output in std::mem::take(&mut self.outputs).into_inner() {
            if let Output::Event(Event::Sending(packet)) = &output {
                is_again = match packet {
                    Packet::Publish(publish) => publish.dup,
                    packet => matches!(packet, Packet::PubRel(_)),
                };
            }
            if is_again { again.push(output) } else { first.push(output) }
        }
        self.outputs = first.into_iter().chain(again).collect::<VecDeque<_>>().into();
    }

    pub(in crate::core) fn packet_or_defect(&mut self, now: Instant, mut packet: Packet) -> Option<Packet> {
        let Some(defect) = self.defects.on else { return Some(packet) };
        match (defect, &mut packet) {
            (Defect::ConnackDeadlineStartsLate, Packet::Connect(_)) => {
                if let Link::Handshake(handshake) = &mut self.link {
                    handshake.attempt.due = now + self.options.connect_timeout;
                }
            }
            (Defect::OldAcknowledgementsSent, Packet::PubAck(_)) => self.defects.stale_acks.push(packet.clone()),
            (Defect::HandlerDeadlock, Packet::Publish(_)) if self.defects.message_at == Some(now) => return None,
            (Defect::BirthOnlyOnce, Packet::Publish(publish)) if !publish.dup && self.has_come_back_at(now) => {
                return None;
            }
            (Defect::ResendMissing, Packet::Publish(publish)) if publish.dup => return None,
            (Defect::ResendWithoutDup, Packet::Publish(publish)) => Arc::make_mut(publish).dup = false,
            (Defect::ResendMissing | Defect::ReleaseNotResent, Packet::PubRel(pubrel)) => {
                let connection = self.defects.connections;
                if *self.defects.released.entry(pubrel.packet_id).or_insert(connection) != connection {
                    return None;
                }
            }
            _ => {}
        }
        Some(packet)
    }

    /// Returns whether a connection that is not the first has begun at `now`.
    fn has_come_back_at(&self, now: Instant) -> bool {
        self.defects.connections > 1 && matches!(&self.link, Link::Up(up) if up.since == now)
    }

    pub(in crate::core) fn keep_alive_or_defect(
        &self,
        seconds: u16,
        last_sent: Instant,
        now: Instant,
    ) -> KeepAliveOrDefect {
        let defect = self.defects.on;
        let mut keep_alive = KeepAliveOrDefect::new(defect, seconds, self.options.ping_timeout, last_sent, now);
        if self.has(Defect::PingStateSurvivesReconnect) {
            keep_alive.inherit(self.defects.stale_ping);
        }
        keep_alive
    }

    pub(in crate::core) fn ping_or_defect(&self, up: &Up) -> Option<(Instant, Timer)> {
        let is_held = up.is_congested && self.has(Defect::PingsNotWhileCongested);
        if is_held { None } else { up.keep_alive.next(self.is_listening()) }
    }

    pub(in crate::core) fn connect_timeout_or_defect(&self) -> Duration {
        match self.defects.on {
            Some(Defect::ConnackAwaitedForEver) => Duration::from_secs(u64::from(u32::MAX)),
            Some(Defect::PingTimerKillsAttempts) if self.defects.stale_ping.is_some() => Duration::from_millis(1),
            _ => self.options.connect_timeout,
        }
    }

    pub(in crate::core) fn end_or_defect(&mut self, now: Instant, reason: DisconnectReason) {
        if self.has(Defect::PingTimeoutSwallowed) && matches!(reason, DisconnectReason::NoPingresp { .. }) {
            return self.stop_pinging();
        }
        self.end(now, reason);
    }

    /// Returns when to try again, where it should be at `retry_at`.
    pub(in crate::core) fn retry_or_defect(
        &mut self,
        now: Instant,
        reason: &DisconnectReason,
        retry_at: Option<Instant>,
    ) -> Option<Instant> {
        if let (Some(_), Link::Up(up)) = (self.defects.on, &self.link) {
            self.defects.stale_ping = up.keep_alive.awaited().map(|awaited| awaited.at);
        }
        let gives_up = match reason {
            DisconnectReason::NoPingresp { .. } => self.has(Defect::NoReconnectAfterPingTimeout),
            DisconnectReason::Refused(_) => self.has(Defect::NoReconnectAfterRefusal),
            DisconnectReason::ConnectFailed(_) | DisconnectReason::Closed(_) => {
                self.has(Defect::NoReconnectAfterFailure)
            }
            _ => false,
        };
        match retry_at {
            Some(_) if gives_up => None,
            Some(_) if self.has(Defect::NoBackoff) => Some(now + Duration::from_millis(1)),
            Some(retry_at) if self.has(Defect::LongestPauseKept) => {
                self.defects.longest = self.defects.longest.max(retry_at.saturating_since(now));
                Some(now + self.defects.longest)
            }
            retry_at => retry_at,
        }
    }
}
