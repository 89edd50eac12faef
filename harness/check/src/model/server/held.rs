//! Holds what a server says that it holds against what its connections and sessions justify (§4.1): whether something
//! outlives its session, or is lost without a reason. Other programs than the project's tell nothing of it.

use std::collections::BTreeMap;

use halfopen_protocol::{Instant, Version};

use super::Server;
use super::session::Session;
use crate::model::GRACE;
use crate::model::finding::{Finding, Findings, clause_of, shown};
use crate::plan::Invariant;
use crate::trace::{Held, SessionState};

/// The content of a server's memory, as far as it is watched.
#[derive(Default)]
pub(super) struct Memory {
    /// The sessions by their client identifiers.
    sessions: BTreeMap<String, SessionState>,
    /// Time at which watched sessions ended, and the version of their clients.
    ended: BTreeMap<String, (Instant, Version)>,
    /// Number of retained messages, if that is watched and has changed.
    retained: Option<u64>,
}

impl Memory {
    /// Takes note of what the server tells.
    pub(super) fn note(&mut self, held: &Held) {
        match held {
            Held::Session(client_id, Some(state)) => drop(self.sessions.insert(client_id.clone(), *state)),
            Held::Session(client_id, None) => drop(self.sessions.remove(client_id)),
            Held::Retained(count) => self.retained = Some(*count),
        }
    }

    /// Takes note that the session of a client ends.
    pub(super) fn session_ends(&mut self, now: Instant, client_id: &str, version: Version) {
        if self.sessions.contains_key(client_id) {
            self.ended.insert(client_id.to_owned(), (now, version));
        }
    }

    /// Forgets everything: the process has ended.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Server {
    /// Judges at the end of the run what the server holds.
    pub(super) fn judge_memory(&self, findings: &mut Findings) {
        let is_known = !self.is_down && !self.is_paused && !self.has_odd_clock && !self.has_lost_disk;
        if !is_known || self.now <= self.running_since + GRACE {
            return;
        }
        for (client_id, state) in &self.memory.sessions {
            let finding = match self.sessions.get(client_id.as_str()) {
                None => self.judge_ended(client_id),
                Some(session) => self.judge_session_memory(client_id, session, state),
            };
            finding.into_iter().for_each(|finding| findings.add(finding));
        }
        self.judge_retained(findings);
    }

    fn judge_ended(&self, client_id: &str) -> Option<Finding> {
        let (at, version) = *self.memory.ended.get(client_id)?;
        if self.now <= at + GRACE + self.settings.tolerance {
            return None;
        }
        let owed = format!("{} holds no session of {client_id}, which ended at {}", self.name, shown(at));
        let actual = format!("it does at {}", shown(self.now));
        Some(Finding::new(Invariant::BrokerKeepsSessions, clause_of(version, "§3.1.2.4", "§4.1"), &owed, actual))
    }

    fn judge_session_memory(&self, client_id: &str, session: &Session, state: &SessionState) -> Option<Finding> {
        if !self.is_settled(session) {
            return None;
        }
        let held = |owed: String, actual: String| {
            let owed = format!("{} holds {owed} {client_id}", self.name);
            let actual = format!("{actual} at {}", shown(self.now));
            Some(Finding::new(Invariant::BrokerKeepsSessions, "§4.1", &owed, actual))
        };
        let subscriptions = session.subscriptions.len() as u64;
        if state.subscriptions != subscriptions {
            return held(format!("{subscriptions} subscriptions of"), state.subscriptions.to_string());
        }
        let is_due_now = self.delayed_wills.iter().any(|(client, _)| client == client_id);
        if state.has_will && session.will.is_none() && !is_due_now {
            return held("no will of".to_owned(), "one".to_owned());
        }
        let under_way = session.sender.unsettled() as u64;
        if state.in_flight > under_way && session.maximum_packet_size == usize::MAX {
            return held(format!("at most {under_way} messages under way to"), state.in_flight.to_string());
        }
        let is_in_group = session.subscriptions.values().any(|subscribed| subscribed.filter.group.is_some());
        let waiting = (session.owed.possible() + self.possible_wills.size().0) as u64;
        if state.queued > waiting && !is_in_group && session.while_asked.is_empty() {
            return held(format!("at most {waiting} messages that wait for"), state.queued.to_string());
        }
        None
    }

    /// Returns whether it is known what a session has, and nothing has happened to it just now.
    fn is_settled(&self, session: &Session) -> bool {
        if session.is_uncertain() {
            return false;
        }
        match session.connection.and_then(|id| self.connections.get(&id)) {
            Some(connection) => {
                let is_open = connection.disconnect.is_none() && connection.left_at.is_none();
                let is_answered =
                    connection.requests.subscribes.is_empty() && connection.requests.unsubscribes.is_empty();
                let accepted = connection.accepted_at.unwrap_or(self.now);
                is_open && is_answered && self.is_overdue(connection, accepted.max(connection.heard_at))
            }
            None => !session.has_lost_connection_since(Instant::new(self.now.since_origin().saturating_sub(GRACE))),
        }
    }

    /// Judges whether as many messages are retained as there can be (§3.3.1.3).
    fn judge_retained(&self, findings: &mut Findings) {
        let Some(actual) = self.memory.retained else { return };
        let Some((least, most)) = self.retained.count(self.now).filter(|_| self.possible_wills.is_empty()) else {
            return;
        };
        if (least..=most).contains(&(actual as usize)) {
            return;
        }
        let (bound, count) = if (actual as usize) < least { ("at least", least) } else { ("at most", most) };
        let owed = format!("{} retains {bound} {count} messages", self.name);
        let actual = format!("{actual} at {}", shown(self.now));
        findings.push(Invariant::BrokerDelivers, "§3.3.1.3", &owed, actual);
    }
}
