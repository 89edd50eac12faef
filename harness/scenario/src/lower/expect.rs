//! What must be true of the story.
#![expect(clippy::unit_arg, reason = "an assignment whose value may be missing is one expression")]

use std::collections::BTreeSet;
use std::time::Duration;

use halfopen_protocol::{PacketType, ReasonCode};

use super::Lower;
use super::names::Role;
use super::params::{MEMBER, mentions};
use crate::ast::{
    self, Alternative, Clause, ClosingReasons, Count, Fill, Group, Moment as WrittenMoment, Moments, Name,
    NodeExpectation, Param, Place, Qualifiers, Statement, Value, Verb as WrittenVerb,
};
use crate::plan::{
    ClientState, CloseHow, CountRange, DurationRange, Expectation, Holding, Mode, Moment, NodeId, OnlyBuiltin,
    PacketKind, Timing, Verb, Weight,
};
use crate::suggest::one_of;
use crate::tree::NodeKind;

/// An expectation, and where it says when.
pub(super) type Placed = (Expectation, Option<Place>);

impl Lower<'_> {
    /// The expectations of a list, those that are right and hold for this run.
    pub(super) fn expectations(&self, lines: &ast::Expectations) -> Vec<Placed> {
        let mut all = Vec::new();
        for line in lines.0.iter().filter_map(|line| line.get(self.env)) {
            match &*line {
                ast::Expectation::Required(statement) => all.extend(self.statement(statement)),
                ast::Expectation::Advised(place, statement) => {
                    let Some(statement) = statement.get(self.env) else { continue };
                    all.extend(self.statement(&statement).into_iter().map(|(mut expectation, when)| {
                        expectation.weight = Weight::Advised;
                        expectation.id = self.origins.borrow_mut().add_expectation(place.span.start);
                        expectation.text = format!("should: {{ {} }}", expectation.text);
                        (expectation, when)
                    }));
                }
            }
        }
        all
    }

    fn statement(&self, statement: &Statement) -> Vec<Placed> {
        match statement {
            Statement::Must(about) => self.about(about, Mode::Must),
            Statement::Never(about) => {
                about.get(self.env).map_or_else(Vec::new, |about| self.about(&about, Mode::Never))
            }
            Statement::AnyOf(place, alternatives) => {
                self.any_of(place, alternatives).map(|read| (read, None)).into_iter().collect()
            }
        }
    }

    /// Alternatives of which each is a line or a list of lines. What `when` leaves out is no alternative.
    fn any_of(&self, place: &Place, alternatives: &Param<ast::Alternatives>) -> Option<Expectation> {
        let before = self.env.reading.failures.get();
        let written = alternatives.get(self.env)?;
        let mut read = Vec::new();
        for lines in &written.0 {
            let Some(lines) = lines.get(self.env) else { continue };
            let of_line = |line: &Alternative| match line {
                Alternative::Must(about) => self.about(about, Mode::Must),
                Alternative::Never(about) => {
                    about.get(self.env).map_or_else(Vec::new, |about| self.about(&about, Mode::Never))
                }
            };
            let lines = lines.0.iter().filter_map(|line| line.get(self.env)).flat_map(|line| of_line(&line));
            let lines: Vec<Expectation> = lines.map(|(expectation, _)| expectation).collect();
            if !lines.is_empty() {
                read.push(lines);
            }
        }
        if read.is_empty() || self.env.reading.failures.get() != before {
            return None;
        }
        let text = format!("any_of: {}", alternatives.write(self.fill()).flow());
        let id = self.origins.borrow_mut().add_expectation(place.span.start);
        Some(Expectation { id, text, ..blank(Verb::AnyOf(read)) })
    }

    /// A line about a node or a group, in all runs in which it is judged: one for each member of a group that is its
    /// other end, or that its times are about.
    fn about(&self, about: &NodeExpectation, mode: Mode) -> Vec<Placed> {
        let Some(clause) = about.clause.get(self.env) else { return Vec::new() };
        if let Some(when) = &clause.qualifiers.when {
            let holds = when.value.get(self.env).and_then(|condition| self.holds(&condition));
            if holds != Some(true) {
                return Vec::new();
            }
        }
        self.of_members(about, &clause, mode)
    }

    fn of_members(&self, about: &NodeExpectation, clause: &Clause, mode: Mode) -> Vec<Placed> {
        let is_numbered = mentions(&clause.write(Fill::default()), MEMBER, &[]);
        let subject = || Some((about.node.clone(), self.group(&about.node.text).filter(|_| is_numbered)?.clone()));
        let Some((group, members)) = self.group_of(about, clause).or_else(subject) else {
            let only = self.known(self.fill().name(&about.node.text)).filter(|ids| is_numbered && ids.len() == 1);
            let one = || self.expectation(about, clause, mode).into_iter().collect();
            // Of a line that is said of each member of its other end, that is the member.
            let is_bound = !self.members.is_empty();
            return match only {
                Some(ids) if !is_bound || self.members.iter().any(|(group, _)| *group == about.node.text) => {
                    self.numbered(ids[0], one)
                }
                _ => one(),
            };
        };
        let of = |id: NodeId| {
            let mut bound = self.members.to_vec();
            bound.push((group.text.clone(), self.names.name(id).to_owned()));
            self.numbered(id, || Lower { members: &bound, ..*self }.of_members(about, clause, mode))
        };
        members.into_iter().flat_map(of).collect()
    }

    /// The group of whose members a line is said one by one, and those of them that count: if any has a link with the
    /// subject, those alone.
    fn group_of(&self, about: &NodeExpectation, clause: &Clause) -> Option<(Name, Vec<NodeId>)> {
        let ends = self.other_ends(clause);
        let is_group = |name: &Name| self.group(&name.text).is_some();
        // The subject may stay a group if nothing depends on which member it is.
        let matters = ends.iter().any(is_group) || self.is_timed(clause, &about.node.text);
        let subject = Some(&about.node).filter(|_| matters);
        let (group, members) =
            subject.into_iter().chain(&ends).find_map(|name| Some((name, self.group(&name.text)?)))?;
        let others: BTreeSet<NodeId> = self.known(&about.node.text).into_iter().flatten().copied().collect();
        let brokers: BTreeSet<NodeId> = others.iter().flat_map(|id| self.names.brokers_of(*id)).collect();
        let is_linked = |id: &NodeId| brokers.contains(id) || self.names.brokers_of(*id).any(|to| others.contains(&to));
        let linked: Vec<NodeId> = members.iter().copied().filter(is_linked).collect();
        Some((group.clone(), if linked.is_empty() { members.clone() } else { linked }))
    }

    /// The members of a group that is not bound to one of them, and no node by itself.
    fn group(&self, name: &str) -> Option<&Vec<NodeId>> {
        let fill = self.fill();
        let name = fill.name(name);
        let members = self.names.nodes.get(name)?;
        (!members.iter().all(|id| self.names.name(*id) == name)).then_some(members)
    }

    /// The nodes and groups that are the other end of what is expected.
    fn other_ends(&self, clause: &Clause) -> Vec<Name> {
        let peer = match &clause.verb {
            WrittenVerb::Closes(peer) | WrittenVerb::Loses(peer) | WrittenVerb::Attempts(peer) => {
                Some((&clause.verb_key, peer))
            }
            _ => None,
        };
        let of = |field| Option::map(Option::as_ref(field), |field: &ast::Field<_>| (&field.key, &field.value));
        let mut ends: Vec<_> = peer.into_iter().collect();
        ends.extend(of(&clause.qualifiers.to));
        ends.extend(of(&clause.qualifiers.from));
        ends.sort_by_key(|(key, _)| key.span.start);
        ends.into_iter().filter_map(|(_, name)| Some(name.get(self.env)?.0.clone())).collect()
    }

    /// Returns whether a time of the line names this node or group.
    fn is_timed(&self, clause: &Clause, name: &str) -> bool {
        let q = &clause.qualifiers;
        let names = |moment: &WrittenMoment| moment.event().nodes().any(|node| node.name == name);
        let moments = [&q.at, &q.within, &q.not_before].into_iter().filter_map(|field| self.get(field));
        let ranges = [&q.between, &q.during].into_iter().filter_map(|field| self.get(field));
        moments.into_iter().any(|moment| names(&moment))
            || ranges.into_iter().any(|range| [&range.from, &range.to].into_iter().flatten().any(names))
    }

    fn expectation(&self, about: &NodeExpectation, clause: &Clause, mode: Mode) -> Option<Placed> {
        let nodes = self.nodes(&about.node.text, &about.node.place);
        let nodes = nodes?;
        let q = &clause.qualifiers;
        self.fitting(clause);
        let verb = self.verb(clause, &nodes);
        let timing = self.timing(q);
        let mut expectation = Expectation {
            id: self.origins.borrow_mut().add_expectation(about.node.place.span.start),
            text: self.text(about, clause, mode),
            mode,
            nodes,
            ..blank(Verb::Is(ClientState::Down))
        };
        let (timing, when) = timing.unzip();
        let is_timed = q.at.is_some() || q.within.is_some() || q.between.is_some() || q.not_before.is_some();
        let mut complete = timing.is_some() || !is_timed;
        expectation.timing = timing;
        complete &= self.qualifiers(q, mode, &mut expectation).is_some();
        expectation.verb = verb?;
        if let Some(connection) = self.get(&q.connection).filter(|_| complete) {
            self.is_between(&connection, &expectation)?;
        }
        (complete && about.clause.is_right()).then_some((expectation, when))
    }

    /// The line as it is written, but on one line and without `when`, for messages.
    fn text(&self, about: &NodeExpectation, clause: &Clause, mode: Mode) -> String {
        let mut written = clause.write(self.fill());
        if let NodeKind::Map(entries) = &mut written.kind {
            // Once it is judged, `when` says nothing more.
            entries.retain(|(key, _)| key.text() != Some("when"));
        }
        let line = format!("{}: {}", self.fill().name(&about.node.text), written.flow());
        match mode {
            Mode::Never => format!("never: {{ {line} }}"),
            Mode::Must => line,
        }
    }

    fn verb(&self, clause: &Clause, nodes: &[NodeId]) -> Option<Verb> {
        let q = &clause.qualifiers;
        let env = self.env;
        Some(match &clause.verb {
            WrittenVerb::Receives(patterns) => {
                Verb::Receives(self.each(&patterns.get(env)?.0, |pattern| self.pattern(pattern))?)
            }
            WrittenVerb::Sends(patterns) => {
                Verb::Sends(self.each(&patterns.get(env)?.0, |pattern| self.pattern(pattern))?)
            }
            WrittenVerb::Delivers(patterns) => {
                if nodes.iter().any(|id| self.names.role(*id).is_broker()) {
                    self.are(Role::Client, &patterns.place, nodes, "delivers")?;
                }
                let publish = PacketKind::Type(PacketType::Publish);
                let lower = |pattern: &ast::MessagePattern| self.field_patterns(publish, &pattern.0);
                Verb::Delivers(self.each(&patterns.get(env)?.0, lower)?)
            }
            WrittenVerb::Closes(peer) => {
                let peer = peer.get(env).and_then(|peer| self.node(&peer.0.text, &peer.0.place));
                let because = self.maybe(&q.because, |because| Some(*because));
                let how = self.how(q);
                let reason = self.reason(q, nodes);
                let reason_if_any = self.reason_if_any(q, nodes);
                Verb::Closes {
                    peer: peer?,
                    because: because?,
                    how: how?,
                    reason: reason?,
                    reason_if_any: reason_if_any?,
                }
            }
            WrittenVerb::Loses(peer) => {
                let peer = peer.get(env).and_then(|peer| self.node(&peer.0.text, &peer.0.place));
                let how = self.how(q);
                Verb::Loses { peer: peer?, how: how? }
            }
            WrittenVerb::Attempts(peer) => {
                let peer = peer.get(env).and_then(|peer| self.node(&peer.0.text, &peer.0.place))?;
                if let Some(id) = nodes.iter().find(|id| self.names.role(**id).is_broker()) {
                    let name = self.names.name(*id);
                    self.error(&clause.verb_key, format!("`{name}` opens no connections; `attempts` is for clients"));
                    return None;
                }
                Verb::Attempts { peer }
            }
            WrittenVerb::Has(holding) => {
                self.are(Role::Broker, &holding.place, nodes, "has")?;
                Verb::Has(self.holding(&*holding.get(env)?, &holding.place)?)
            }
            WrittenVerb::Is(state) => {
                self.are(Role::Client, &state.place, nodes, "is")?;
                Verb::Is(match *state.get(env)? {
                    ast::State::Connected => ClientState::Connected,
                    ast::State::Connecting => ClientState::Connecting,
                    ast::State::Disconnected => ClientState::Disconnected,
                    ast::State::Down => ClientState::Down,
                })
            }
        })
    }

    /// The value of a field, if it is there; `None` if it is wrong.
    fn maybe<T: Value, U>(
        &self,
        field: &Option<ast::Field<Param<T>>>,
        lower: impl FnOnce(&T) -> Option<U>,
    ) -> Option<Option<U>> {
        match field {
            Some(_) => lower(&*self.get(field)?).map(Some),
            None => Some(None),
        }
    }

    /// Reports nodes that cannot tell what is asked: only a client knows its state, only a broker what it holds.
    fn are(&self, wanted: Role, place: &Place, nodes: &[NodeId], verb: &str) -> Option<()> {
        let Some(role) = nodes.iter().map(|id| self.names.role(*id)).find(|role| *role != wanted) else {
            return Some(());
        };
        self.error(place, format!("`{verb}` is for {}; this is {}", wanted.with_article(), role.with_article()));
        None
    }

    fn holding(&self, written: &ast::Holding, place: &Place) -> Option<Holding> {
        let mut holding = Holding::default();
        let complete = [
            self.put(&written.session, |id| Some(holding.session = Some(id.0.clone()))),
            self.put(&written.subscriptions, |count| Some(holding.subscriptions = Some(range(*count)))),
            self.put(&written.queued, |count| Some(holding.queued = Some(range(*count)))),
            self.put(&written.in_flight, |count| Some(holding.in_flight = Some(range(*count)))),
            self.put(&written.will, |will| Some(holding.will = Some(*will))),
            self.put(&written.retained, |count| Some(holding.retained = Some(range(*count)))),
        ];
        let of_session = written.present().into_iter().filter(|(key, _)| !matches!(key.name, "session" | "retained"));
        if let (None, Some((key, place))) = (&written.session, of_session.min_by_key(|(_, place)| place.span.start)) {
            self.error(place, format!("`{}` of which session? add `session: CLIENT_ID`", key.name));
            return None;
        }
        if *written == ast::Holding::default() {
            self.error(place, "nothing is asked for; `session` or `retained` at least");
            return None;
        }
        (!complete.contains(&false)).then_some(holding)
    }

    fn how(&self, q: &Qualifiers) -> Option<Option<CloseHow>> {
        self.maybe(&q.how, |how| {
            Some(match how {
                ast::How::Fin => CloseHow::Fin,
                ast::How::Rst => CloseHow::Rst,
                ast::How::Timeout => CloseHow::Timeout,
            })
        })
    }

    fn reason(&self, q: &Qualifiers, nodes: &[NodeId]) -> Option<Option<Vec<ReasonCode>>> {
        if let Some(reason) = q.reason.as_ref().filter(|_| !self.version.is_v5()) {
            let message = "`reason` belongs to 5.0, where the broker may send DISCONNECT; add `when: { mqtt: 5.0 }`, or write `reason_if_any`";
            self.error(&reason.value.place, message);
            return None;
        }
        self.maybe(&q.reason, |reasons| self.reasons(reasons, nodes))
    }

    fn reason_if_any(&self, q: &Qualifiers, nodes: &[NodeId]) -> Option<Option<Vec<ReasonCode>>> {
        let codes = self.maybe(&q.reason_if_any, |reasons| match reasons {
            ast::ClosingReasonsIfAny::Nothing => Some(Vec::new()),
            ast::ClosingReasonsIfAny::Reasons(reasons) => self.reasons(reasons, nodes),
        })?;
        Some(codes.filter(|_| self.version.is_v5()))
    }

    /// Reason codes, of which only a raw peer says those that the standard does not know.
    fn reasons(&self, reasons: &ClosingReasons, nodes: &[NodeId]) -> Option<Vec<ReasonCode>> {
        let is_raw = nodes.iter().all(|id| self.names.role(*id).is_raw());
        let mut codes = Vec::new();
        for reason in &reasons.0.0 {
            let code = reason.get(self.env)?.code;
            if code.name().is_none() && !is_raw {
                self.error(&reason.place, format!("MQTT 5.0 has no reason {code}, so nobody says it"));
                return None;
            }
            codes.push(code);
        }
        Some(codes)
    }

    /// Reports qualifiers that mean something only beside certain verbs.
    fn fitting(&self, clause: &Clause) {
        let verb = clause.verb.word();
        for (key, place) in clause.qualifiers.present() {
            let verbs: &[&str] = match key.name {
                "because" | "reason" | "reason_if_any" => &["closes"],
                "how" => &["closes", "loses"],
                "to" => &["sends"],
                "from" => &["receives"],
                "connection" => &["receives", "sends", "closes", "loses", "attempts"],
                "count" | "gap" | "per" => &["receives", "sends", "delivers", "closes", "loses", "attempts"],
                _ => continue,
            };
            if !verbs.contains(&verb) {
                let verbs = one_of(verbs.iter().copied());
                self.error(place, format!("`{}` belongs to {verbs}, not to `{verb}`", key.name));
            }
        }
    }

    /// Returns when each that counts comes, and where that is said.
    fn timing(&self, q: &Qualifiers) -> Option<(Timing, Place)> {
        let is_timing = |name: &str| matches!(name, "at" | "within" | "between" | "not_before");
        let mut timings: Vec<_> = q.present().into_iter().filter(|(key, _)| is_timing(key.name)).collect();
        timings.sort_by_key(|(_, place)| place.span.start);
        let (first, ..) = *timings.first()?;
        for (second, place) in &timings[1..] {
            let message = format!("`{}` beside `{}`; an expectation says once when", second.name, first.name);
            self.error(place, message);
        }
        match first.name {
            "at" => self.at(&q.at, Timing::At),
            "within" => {
                let written = self.get(&q.within)?;
                Some((self.within(&written)?, written.place.clone()))
            }
            "between" => {
                let written: std::borrow::Cow<'_, Moments> = self.get(&q.between)?;
                let (from, to) = self.moments(&written)?;
                Some((Timing::Between(from, to), written.place.clone()))
            }
            _ => self.at(&q.not_before, Timing::NotBefore),
        }
    }

    fn at(
        &self,
        field: &Option<ast::Field<Param<WrittenMoment>>>,
        timing: fn(Moment) -> Timing,
    ) -> Option<(Timing, Place)> {
        let written = self.get(field)?;
        Some((timing(self.moment(&written)?), written.place.clone()))
    }

    fn within(&self, written: &WrittenMoment) -> Option<Timing> {
        let moment = self.moment(written)?;
        let Ok(milliseconds) = u64::try_from(moment.offset_ms) else {
            self.error(&written.place, "`within` counts from an event on; for the time before it write `between`");
            return None;
        };
        if milliseconds == 0 {
            let message = "`within` needs a duration and an event, as in `50ms after close of sensor`";
            self.error(&written.place, message);
            return None;
        }
        let after = Moment { offset_ms: 0, ..moment };
        Some(Timing::Within { after, duration: Duration::from_millis(milliseconds) })
    }

    fn qualifiers(&self, q: &Qualifiers, mode: Mode, expectation: &mut Expectation) -> Option<()> {
        let mut complete = true;
        if let Some(count) = q.count.as_ref().filter(|_| mode == Mode::Never) {
            self.error(&count.key, "`count` inside `never`; write the count alone, `count: 0` is never");
            complete = false;
        } else {
            complete &= self.put(&q.count, |count| Some(expectation.count = Some(range(*count))));
        }
        if let Some(per) = q.per.as_ref().filter(|_| q.count.is_none()) {
            self.error(&per.key, "`per` without `count`; it says in which window to count");
            complete = false;
        } else {
            complete &= self.put(&q.per, |per| Some(expectation.per = Some(per.value(self.env)?)));
        }
        complete &= self.put(&q.gap, |gap| {
            let (min, max) = gap.values(self.env)?;
            Some(expectation.gap = Some(DurationRange { min, max }))
        });
        let node = |name: &ast::NodeName| self.node(&name.0.text, &name.0.place);
        complete &= self.put(&q.to, |to| Some(expectation.to = Some(node(to)?)));
        complete &= self.put(&q.from, |from| Some(expectation.from = Some(node(from)?)));
        complete &= self.put(&q.connection, |on| Some(expectation.on = self.connection(on)?));
        complete &= self.put(&q.during, |during| Some(expectation.during = Some(self.moments(during)?)));
        complete &= self.put(&q.only_builtin, |only| Some(expectation.only_builtin = only_builtin(*only)));
        complete.then_some(())
    }
}

/// Returns whose choice an expectation is about.
const fn only_builtin(only: ast::BuiltinPrograms) -> OnlyBuiltin {
    match only {
        ast::BuiltinPrograms::Neither => OnlyBuiltin::Neither,
        ast::BuiltinPrograms::Broker => OnlyBuiltin::Broker,
        ast::BuiltinPrograms::Client => OnlyBuiltin::Client,
        ast::BuiltinPrograms::Both => OnlyBuiltin::Both,
    }
}

/// An expectation that says nothing besides its verb.
fn blank(verb: Verb) -> Expectation {
    Expectation::new(Vec::new(), verb)
}

fn range(count: Count) -> CountRange {
    match count {
        Count::Exactly(count) => CountRange { min: count, max: Some(count) },
        Count::AtLeast(min) => CountRange { min, max: None },
        Count::AtMost(max) => CountRange { min: 0, max: Some(max) },
        Count::Between(min, max) => CountRange { min, max: Some(max) },
    }
}
