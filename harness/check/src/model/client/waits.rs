//! For how long a client waits (§3.1.2.10, §4.13): for CONNACK, for PINGRESP, and before it connects again.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::Client;
use crate::model::finding::{Findings, shown, shown_time};
use crate::plan::{Because, ClientProgram, CommonSettings, Invariant};
use halfopen_protocol::{Instant, Shared};

/// The waits of one client, and what it waits for now.
pub(super) struct Waits {
    /// The settings of the client, which its plan has, too.
    settings: Shared<CommonSettings>,
    /// True if the program is not the project's: how long it waits is its own choice.
    is_foreign: bool,
    /// True if the application takes its time with each message: that a connection has ended the client may learn later than from what it
    /// could read, or not before it is told to connect again.
    is_busy: bool,
    /// The next pause before chance, in seconds.
    pause: f64,
    /// The shortest and the longest that the present pause may be.
    pauses: Option<Box<(Duration, Duration)>>,
    /// Time at which the server accepted the connection.
    accepted_at: Option<Instant>,
    /// The keep-alive in seconds.
    keep_alive: u16,
    /// Time since which it waits for CONNACK.
    opening_since: Option<Instant>,
    /// Time since which it waits for PINGRESP: since PINGREQ, or since something came after it.
    ping_since: Option<Instant>,
    /// Number of PINGREQs that have no PINGRESP.
    pings: u32,
    /// Time since which it has had no connection and has to make one.
    lost_at: Option<Instant>,
    /// Time of the scenario's latest command.
    told_at: Rc<Cell<Option<Instant>>>,
    /// Time at which it last wrote a packet, and at which it last did so at the very instant at which it read something.
    wrote_at: Option<Instant>,
    answered_at: Option<Instant>,
    /// Time at which it last wrote a packet that may not have been written at once.
    large_at: Option<Instant>,
    heard_at: Option<Instant>,
    /// The process has stood still, or its clock is not the world's: times are not known.
    is_disturbed: bool,
    odd_clock: bool,
}

impl Waits {
    /// The waits of the client on a node.
    pub(super) fn of(program: &ClientProgram, is_foreign: bool, told_at: &Rc<Cell<Option<Instant>>>) -> Self {
        let options = &program.options;
        Self {
            settings: options.common.clone(),
            is_foreign,
            is_busy: !program.handling.is_zero(),
            pause: options.reconnect.as_ref().map_or(0.0, |reconnect| reconnect.min.as_secs_f64()),
            pauses: None,
            accepted_at: None,
            keep_alive: 0,
            opening_since: None,
            ping_since: None,
            pings: 0,
            lost_at: None,
            told_at: Rc::clone(told_at),
            wrote_at: None,
            answered_at: None,
            large_at: None,
            heard_at: None,
            is_disturbed: false,
            odd_clock: false,
        }
    }

    /// A connection is being opened.
    pub(super) fn opened(&mut self, now: Instant) {
        if self.opening_since.is_some() {
            // The attempt before has failed, and no trace shows when.
            self.next_pause(false);
        }
        self.opening_since = Some(now);
        self.stop_pinging();
        self.lost_at = None;
        self.is_disturbed = false;
    }

    /// CONNECT is sent with this keep-alive in seconds.
    pub(super) fn asked_to_connect(&mut self, keep_alive: u16) {
        self.keep_alive = keep_alive;
    }

    /// CONNACK has accepted the client, perhaps with another keep-alive [MQTT-3.2.2-21].
    pub(super) fn accepted(&mut self, now: Instant, server_keep_alive: Option<u16>) {
        self.opening_since = None;
        self.accepted_at = Some(now);
        if let Some(seconds) = server_keep_alive {
            self.keep_alive = seconds;
        }
    }

    fn keep_alive(&self) -> Duration {
        Duration::from_secs(self.keep_alive.into())
    }

    /// A packet is sent; the end of a large one says nothing of when it could have been written.
    pub(super) fn wrote(&mut self, now: Instant, is_large: bool) {
        self.wrote_at = Some(now);
        if is_large {
            self.large_at = Some(now);
        }
        if self.heard_at == Some(now) && self.large_at != Some(now) {
            self.answered_at = Some(now);
        }
    }

    /// PINGREQ is sent.
    pub(super) fn pinged(&mut self, now: Instant) {
        self.pings += 1;
        self.ping_since.get_or_insert(now);
    }

    /// Returns when the client last answered something at once: then it could write.
    pub(super) fn answered_at(&self) -> Option<Instant> {
        self.answered_at
    }

    /// The client waits for no PINGRESP any more.
    pub(super) fn stop_pinging(&mut self) {
        (self.ping_since, self.pings) = (None, 0);
    }

    /// PINGRESP comes, for the oldest PINGREQ that has none.
    pub(super) fn ponged(&mut self) {
        self.pings = self.pings.saturating_sub(1);
        if self.pings == 0 {
            self.ping_since = None;
        }
    }

    /// The client reads again: what has happened to its connection meanwhile it learns only now.
    pub(super) fn reads_again(&mut self) {
        self.is_disturbed |= self.lost_at.is_some();
    }

    /// Something comes: the server is alive.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard_at = Some(now);
        if let Some(since) = &mut self.ping_since {
            *since = now;
        }
    }

    /// The connection has ended: a pause begins, unless the client was asked to end it.
    pub(super) fn lost(&mut self, now: Instant, is_asked: bool) {
        self.opening_since = None;
        self.stop_pinging();
        let lasted = self.accepted_at.take().map(|accepted| now.saturating_since(accepted));
        if let Some(reconnect) = &self.settings.reconnect
            && lasted.is_some_and(|lasted| lasted >= reconnect.stable)
        {
            self.pause = reconnect.min.as_secs_f64();
        }
        if is_asked {
            return self.stop();
        }
        self.lost_at = Some(now);
        self.next_pause(lasted.is_some());
    }

    /// A pause begins: each is longer than the one before by the same factor, up to a longest one, and the first again
    /// after a connection that has lasted.
    ///
    /// Another program may connect again at once when it has lost a connection that was accepted (`had_one`), and when its pauses begin
    /// with the first again is its own choice.
    fn next_pause(&mut self, had_one: bool) {
        let Some(reconnect) = &self.settings.reconnect else { return };
        let longest = reconnect.max.as_secs_f64();
        let base = self.pause.min(longest);
        self.pause = (base * reconnect.factor.max(1.0)).min(longest);
        let jitter = reconnect.jitter.clamp(0.0, 1.0);
        let within = |pause: f64, share: f64| Duration::from_secs_f64(pause * share);
        let first = reconnect.min.as_secs_f64().min(longest);
        let (least, most) = match (self.is_foreign, had_one) {
            (true, true) => (0.0, longest),
            (true, false) => (first, longest),
            (false, _) if self.is_busy => (first, longest),
            (false, _) => (base, base),
        };
        self.pauses = Some(Box::new((within(least, 1.0 - jitter), within(most, 1.0 + jitter))));
    }

    /// The process is a new one, and has waited for nothing.
    pub(super) fn forget(&mut self) {
        self.stop();
        self.accepted_at = None;
        self.pause = self.settings.reconnect.as_ref().map_or(0.0, |reconnect| reconnect.min.as_secs_f64());
    }

    /// The client need not connect again.
    pub(super) fn stop(&mut self) {
        self.lost_at = None;
        self.opening_since = None;
        self.stop_pinging();
        self.is_disturbed = true;
    }

    /// The process has stood still.
    pub(super) fn disturbed(&mut self) {
        self.is_disturbed = true;
    }

    /// The client's clock is not the world's any more.
    pub(super) fn has_odd_clock(&mut self) {
        self.odd_clock = true;
    }

    /// Returns whether the client is a program of others.
    pub(super) fn is_foreign(&self) -> bool {
        self.is_foreign
    }

    /// Returns whether the times of the client are known.
    pub(super) fn is_known(&self) -> bool {
        !self.is_disturbed && !self.odd_clock
    }
}

impl Client {
    /// Judges whether the client has waited too long on its connection.
    pub(super) fn judge_waits(&self, findings: &mut Findings) {
        let waits = &self.waits;
        if waits.is_foreign || !waits.is_known() || self.running_since.is_none() || !self.is_reading || self.is_slow {
            return;
        }
        if let Some(since) =
            waits.opening_since.filter(|since| self.now > *since + waits.settings.connect_timeout + self.tolerance)
        {
            let due = since + waits.settings.connect_timeout;
            let owed = format!("{} closes a connection without CONNACK by {}", self.name, shown(due));
            findings.push(Invariant::ClientGivesUp, "§4.13", &owed, format!("it waited until {}", shown(self.now)));
        }
        let Some(since) = waits.ping_since.filter(|_| waits.keep_alive > 0) else { return };
        let timeout = waits.settings.ping_timeout.unwrap_or(waits.keep_alive() / 2);
        // What waited to be written and gets out puts the time-out off, and so does a packet that is still arriving, which is
        // not seen before it is whole.
        let since = since.max(waits.wrote_at.filter(|_| self.writes_large).unwrap_or_default());
        let is_exact = !self.writes_large && !self.may_have_a_part();
        let slack = if is_exact { Duration::from_millis(1) } else { waits.keep_alive().max(timeout) };
        if self.now > since + timeout + slack + self.tolerance {
            let owed = format!("{} closes a connection without PINGRESP by {}", self.name, shown(since + timeout));
            findings.push(Invariant::ClientGivesUp, "§3.1.2.10", &owed, format!("it waited until {}", shown(self.now)));
        }
    }

    /// Judges whether the client gives up before it has waited as long as it is set to.
    pub(super) fn judge_haste(&self, because: Because, findings: &mut Findings) {
        let waits = &self.waits;
        if !waits.is_known() || self.running_since.is_none() || !self.is_reading || self.is_slow {
            return;
        }
        let (what, clause, since, timeout) = match because {
            Because::NoPingresp => {
                let timeout = waits.settings.ping_timeout.unwrap_or(waits.keep_alive() / 2);
                ("PINGRESP", "§3.1.2.10", waits.ping_since, timeout)
            }
            Because::NoConnack => ("CONNACK", "§4.13", waits.opening_since, waits.settings.connect_timeout),
            _ => return,
        };
        let slack = self.tolerance + Duration::from_millis(1);
        match since {
            Some(since) if self.now + slack < since + timeout => {
                let owed = format!("{} waits for {what} until {}", self.name, shown(since + timeout));
                findings.push(Invariant::ClientGivesUp, clause, &owed, format!("until {}", shown(self.now)));
            }
            Some(_) => {}
            // A PINGREQ behind a large message has not got out, and stands in no trace.
            None if self.writes_large => {}
            // Who has not been able to write for a keep-alive may wait for the answer to what did not get out.
            None if waits.wrote_at.is_none_or(|wrote| self.now >= wrote + waits.keep_alive()) => {}
            None => {
                let owed = format!("{} misses {what} only where it waits for one", self.name);
                findings.push(Invariant::ClientGivesUp, clause, &owed, format!("none was due at {}", shown(self.now)));
            }
        }
    }

    /// Judges the pause before a new connection: where one is opened, or where none can be opened any more.
    pub(super) fn judge_pause(&self, is_opening: bool, findings: &mut Findings) {
        let waits = &self.waits;
        let (Some(lost_at), Some((shortest, longest))) = (waits.lost_at, waits.pauses.as_deref().copied()) else {
            return;
        };
        if !waits.is_known()
            || self.running_since.is_none()
            || !self.is_reading
            || waits.told_at.get().is_some_and(|told| told >= lost_at)
        {
            return;
        }
        let pause = self.now.saturating_since(lost_at);
        let slack = self.tolerance + Duration::from_millis(1);
        if pause > longest + slack {
            let owed = format!("{} connects again within {} of {}", self.name, shown_time(longest), shown(lost_at));
            findings.push(Invariant::ClientReconnects, "§4.1", &owed, format!("not until {}", shown(self.now)));
        } else if is_opening && pause + slack < shortest {
            let owed = format!("{} waits at least {} before it connects again", self.name, shown_time(shortest));
            findings.push(Invariant::ClientReconnects, "§4.1", &owed, format!("after {}", shown_time(pause)));
        }
    }
}
