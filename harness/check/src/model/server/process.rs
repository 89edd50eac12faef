//! Takes note of what befalls the process of a server, and of what the scenario tells it and its peers.

use std::rc::Rc;
use std::time::Duration;

use super::access::Access;
use super::connection::Ended;
use super::groups::Groups;
use super::publication::Publication;
use super::retained::Retained;
use super::subscribers::Subscribers;
use super::will::PendingWill;
use super::{Deaf, Server, Timer};
use crate::model::finding::Findings;
use crate::plan::{Command, Invariant, NodeFault, NodeId};
use crate::trace::ConnectionId;
use halfopen_protocol::Instant;

impl Server {
    /// Takes note that something happens to the server itself.
    pub(in crate::model) fn changed(&mut self, now: Instant, change: NodeFault, findings: &mut Findings) {
        self.advance(now, findings);
        match change {
            NodeFault::Crash | NodeFault::PowerLoss | NodeFault::Shutdown => self.die(findings),
            NodeFault::Pause(_) => self.pause(),
            NodeFault::Resume => {
                self.is_paused = false;
                self.running_since = now;
                if std::mem::take(&mut self.has_not_run) {
                    self.restart_sessions();
                }
                self.fire(now);
            }
            NodeFault::Restart => {
                if !self.is_down {
                    self.die(findings);
                }
                self.is_paused = false;
                self.is_down = false;
                self.running_since = now;
                self.has_not_run = false;
                self.restarted_at = Some(now);
                // At one instant, it was told of after it had started.
                if self.configured_at != Some(now) {
                    (self.settings, self.access) = (*self.declared).clone();
                    self.next_access = None;
                }
                self.restart_sessions();
            }
            NodeFault::ClockDrift(_) | NodeFault::ClockJump(_) => {
                self.has_odd_clock = true;
                let why = "delays of wills, ends of sessions and lifetimes, after the clock was changed".to_owned();
                self.unknown.push((Invariant::BrokerKeepsSessions, now, why));
            }
            NodeFault::LoseDisk => self.lose_disk(),
            NodeFault::StopReading | NodeFault::ResumeReading | NodeFault::SetWallClock(_) => {}
        }
    }

    /// Takes note that the scenario starts the server again, which then has the settings that it is declared with.
    pub(in crate::model) fn told_to_restart(&mut self, now: Instant, findings: &mut Findings) {
        self.advance(now, findings);
        self.configured_at = None;
        let (settings, access) = (*self.declared).clone();
        self.settings = settings;
        self.change_access(|_| access);
    }

    /// Takes note of what the scenario tells the server.
    pub(in crate::model) fn told(&mut self, now: Instant, node: NodeId, command: &Command, findings: &mut Findings) {
        self.advance(now, findings);
        if matches!(command, Command::Shutdown) {
            self.stops_at = Some(now);
        }
        if let Command::Configure(programs) = command
            && let Some(program) = programs.get(&node)
        {
            self.expiry_before = self.settings.maximum_session_expiry;
            self.settings.configure(&program.config, self.names.len());
            self.change_access(|before| before.changed_to(Access::of(program)));
            self.configured_at = Some(now);
        }
    }

    /// Another access list holds, from this instant on: what else happens at it may come before.
    fn change_access(&mut self, next: impl FnOnce(&Access) -> Access) {
        let before = self.next_access.take().unwrap_or_else(|| self.access.clone());
        let next = next(&before);
        if !matches!((&before, &next), (Access::Open, Access::Open)) {
            (self.access, self.next_access) = (Access::Unknown, Some(next));
            // So may a will, whose delay passes at it.
            let wills: Vec<Rc<Publication>> = self.delayed_wills.iter().map(|(_, will)| Rc::clone(will)).collect();
            self.possible_wills.add(self.now, wills.iter().map(|will| (will.topic.clone(), will.payload.clone())));
            self.doubt(&wills);
        }
    }

    /// Takes note that something happens to a node, which may be one that reads nothing any more.
    pub(in crate::model) fn peer_changed(&mut self, now: Instant, node: NodeId, change: NodeFault) {
        let deaf = self.deaf.entry(node).or_default();
        match change {
            NodeFault::StopReading | NodeFault::ResumeReading => deaf.reads_nothing = change == NodeFault::StopReading,
            NodeFault::Pause(_) | NodeFault::PowerLoss | NodeFault::Resume => {
                deaf.stands_still = change != NodeFault::Resume;
            }
            NodeFault::Restart => *deaf = Deaf::default(),
            _ => return,
        }
        let is_deaf = deaf.is_so();
        for connection in self.connections.iter_mut().filter(|connection| connection.client == node) {
            connection.is_deaf = is_deaf;
            connection.reads_since = now;
        }
    }

    /// The process of the server dies: all connections end, and what is not durable is gone.
    fn die(&mut self, findings: &mut Findings) {
        let open: Vec<ConnectionId> = self.connections.ids().collect();
        for id in open {
            self.end(id, Ended::ByDeath, findings);
        }
        if self.settings.is_durable {
            // What was to be sent on may have been lost half-way into the store.
            let why = "messages under way and wills, when a durable broker died".to_owned();
            self.unknown.push((Invariant::BrokerDelivers, self.now, why));
            let latest = self.publications;
            let now = self.now;
            for session in self.sessions.iter_mut() {
                // Of those that had a connection nothing has begun to end yet.
                if session.ends_at == Some(now + Duration::from_secs(session.expiry.into())) {
                    session.may_end_at = session.may_end_at.or(session.ends_at);
                }
                // Those of an earlier death are counted anew, too, when the process starts again.
                if let Some(ends_at) = session.ends_at.filter(|_| session.may_end_at.is_some()) {
                    self.timers.remove(&(ends_at, Timer::SessionEnd(session.client_id.clone())));
                }
                self.possible_wills.add(now, session.will.as_ref().map(PendingWill::content));
                session.doubt_all(latest);
            }
            self.retained.doubt_since(self.now);
            self.groups.doubt_all();
        } else {
            self.forget();
        }
        self.is_down = true;
        self.memory.clear();
    }

    /// Takes note that the process stands still. What its timers owed at this instant may wait until it goes on, and one
    /// that has been started at this instant has not run yet.
    fn pause(&mut self) {
        self.is_paused = true;
        self.has_not_run = self.restarted_at == Some(self.now);
        let delayed: Vec<Rc<Publication>> = self.delayed_wills.iter().map(|(_, will)| Rc::clone(will)).collect();
        self.possible_wills.add(self.now, delayed.iter().map(|will| (will.topic.clone(), will.payload.clone())));
        self.doubt(&delayed);
    }

    /// Takes note that the data of a durable server is lost; one that runs may write it again before it ends.
    fn lose_disk(&mut self) {
        if self.is_down {
            self.forget();
        } else if self.settings.is_durable {
            self.has_lost_disk = true;
            let why = "sessions, after a server that ran lost its disk".to_owned();
            self.unknown.push((Invariant::BrokerKeepsSessions, self.now, why));
        }
    }

    fn forget(&mut self) {
        self.sessions.clear();
        self.unanswered.clear();
        self.subscribers = Subscribers::default();
        self.groups = Groups::default();
        self.retained = Retained::default();
        self.timers.clear();
    }
}
