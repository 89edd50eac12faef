use std::time::Duration;

use super::evidence::Evidence;
use super::moment::{Clocked, Millis, Times, Window, millis, seconds};
use super::verb::{Recognizer, Timeline, VerbMatch, names, past, phrase};
use super::{Findings, Vacuity, Violation};
use crate::plan::{CountRange, Expectation, Mode, NodeId, Plan, Verb, Weight};
use crate::trace::{EventKind, TraceIndex, Transmission};

mod alternatives;
mod result;
mod states;
mod windows;

pub use self::result::{Due, ExpectationResult, judged};

/// Maximum number of times that are listed before the rest is only counted.
const LISTED: usize = 5;

/// Judges all expectations of the plan, each at each of its nodes.
pub(super) fn check(plan: &Plan, trace: &Evidence, findings: &mut Findings) {
    let index = trace.index(plan);
    for expectation in &plan.expectations {
        judge(plan, trace, &index, expectation, findings);
    }
}

fn judge(plan: &Plan, trace: &Evidence, index: &TraceIndex, expectation: &Expectation, findings: &mut Findings) {
    let mut found = Findings::default();
    if let Verb::AnyOf(alternatives) = &expectation.verb {
        alternatives::check(plan, trace, index, expectation, alternatives, &mut found);
    }
    for &node in &expectation.nodes {
        let judge = Judge { plan, trace, index, expectation, node };
        let events = trace.at(index, node).map(|(_, event)| event);
        match Timeline::of(&expectation.verb, node, events) {
            Some(states) => judge.state(&states, &mut found),
            None => judge.events(&mut found),
        }
    }
    findings.vacuous.append(&mut found.vacuous);
    match expectation.weight {
        Weight::Required => findings.violations.append(&mut found.violations),
        Weight::Advised => findings.warnings.append(&mut found.violations),
    }
}

/// One expectation at one node.
struct Judge<'a> {
    plan: &'a Plan,
    trace: &'a Evidence,
    index: &'a TraceIndex,
    expectation: &'a Expectation,
    node: NodeId,
}

/// The reason why something cannot be judged.
type Why = String;

impl Judge<'_> {
    fn events(&self, findings: &mut Findings) {
        let on = &self.expectation.on;
        if !on.is_empty() && !on.iter().any(|connection| self.index.names().has(*connection)) {
            return self.vacuous(format!("{} was never opened", names(self.plan, on)), findings);
        }
        match self.during() {
            Err(why) => self.vacuous(why, findings),
            Ok(during) => {
                let (matches, near) = self.matches(during);
                match self.expectation.mode {
                    Mode::Never => self.never(&matches, findings),
                    Mode::Must => self.must(&matches, near.as_deref(), findings),
                }
            }
        }
    }

    /// Returns where to look, both ends included.
    fn during(&self) -> Result<(Millis, Millis), Why> {
        let Some((from, to)) = &self.expectation.during else { return Ok((0, Millis::MAX)) };
        let [from, to] = [from, to].map(|moment| Times::new(self.plan, self.trace, self.index, moment, self.node));
        let came = |at: Option<Millis>, times: &Times<'_>| at.ok_or_else(|| format!("`{}` never came", times.text()));
        let begin = came(from.first(), &from)?;
        let end = came(to.first_from(begin), &to)?;
        if end > millis(self.trace.end) {
            return Err(format!("`{}` is {}, but {}", to.text(), seconds(end), self.ended()));
        }
        Ok((begin, end))
    }

    /// Returns what matches the verb where it counts, and what came close.
    fn matches(&self, (from, to): (Millis, Millis)) -> (Vec<VerbMatch>, Option<String>) {
        let Some(mut recognizer) = Recognizer::new(self.plan, self.expectation, self.node) else {
            return (Vec::new(), None);
        };
        let counts = |at: Duration| (from..=to).contains(&millis(at));
        let on = &self.expectation.on;
        let events = self.trace.between(self.index, self.node, self.expectation.peer());
        let events = events.filter(|(_, event)| self.index.names().is_on(event, on));
        let found = events.filter_map(|(index, event)| {
            recognizer.feed(index, event, counts(event.at)).filter(|found| counts(found.at))
        });
        let found = found.collect();
        (found, recognizer.near().map(str::to_owned))
    }

    fn never(&self, matches: &[VerbMatch], findings: &mut Findings) {
        let clocked = self.clocked();
        let bad: Vec<&VerbMatch> = matches.iter().filter(|found| self.is_forbidden(found, clocked.as_ref())).collect();
        if !bad.is_empty() {
            let expected = format!("never: {}", self.subject());
            self.violation(expected, format!("{} {}", past(&self.expectation.verb), listed(&bad)), findings);
        } else if let Some(why) = self.no_opportunity() {
            self.vacuous(why, findings);
        } else if let Some(moment) = clocked.as_ref().and_then(Clocked::never_came) {
            self.vacuous(format!("`{moment}` never came"), findings);
        }
    }

    /// Returns whether this is what must never be: it lies in the time, wherever in its tolerance that is, and was said as
    /// `never` has it.
    fn is_forbidden(&self, found: &VerbMatch, clocked: Option<&Clocked<'_>>) -> bool {
        let tolerance = -millis(self.plan.tolerance);
        let in_time = clocked.is_none_or(|clocked| self.miss(found, clocked, tolerance).is_none());
        in_time && self.said_otherwise(found).is_none()
    }

    fn must(&self, matches: &[VerbMatch], near: Option<&str>, findings: &mut Findings) {
        let clocked = self.clocked();
        let count = self.expectation.count.unwrap_or(CountRange { min: 1, max: None });
        if matches.is_empty() {
            if count.min > 0 {
                self.missing(clocked.as_ref(), near, findings);
            } else if let Some(why) = self.no_opportunity() {
                self.vacuous(why, findings);
            }
            return;
        }
        if let Some(per) = self.expectation.per {
            self.windows(matches, count, per, findings);
        } else if !count.contains(matches.len() as u64) {
            let all: Vec<&VerbMatch> = matches.iter().collect();
            let actual = format!("{} {}", past(&self.expectation.verb), listed(&all));
            self.violation(format!("{} {}", self.subject(), count_text(count)), actual, findings);
        }
        if let Some(clocked) = &clocked {
            self.timing(matches, clocked, findings);
        }
        self.gaps(matches, findings);
        self.sayings(matches, findings);
    }

    /// Reports that nothing came at all: a failure if its time has passed, otherwise vacuous.
    fn missing(&self, clocked: Option<&Clocked<'_>>, near: Option<&str>, findings: &mut Findings) {
        let end = millis(self.trace.end);
        let near = near.map(|near| format!("; there was {near}")).unwrap_or_default();
        let actual = format!("never, {}{near}", self.ended());
        let Some(clocked) = clocked else {
            let count = self.expectation.count.unwrap_or(CountRange { min: 1, max: None });
            return self.violation(format!("{} {}", self.subject(), count_text(count)), actual, findings);
        };
        if let Some(moment) = clocked.never_came() {
            return self.vacuous(format!("never reached: {}, for `{moment}` never came", self.subject()), findings);
        }
        match clocked.latest() {
            Some(window) if window.due() > end => {
                let why = format!(
                    "never reached: {}: due {} ({}), but {}{near}",
                    self.subject(),
                    window.text(),
                    clocked.text(),
                    self.ended()
                );
                self.vacuous(why, findings);
            }
            Some(window) => self.violation(self.expected(window, clocked), actual, findings),
            None => {}
        }
    }

    fn timing(&self, matches: &[VerbMatch], clocked: &Clocked<'_>, findings: &mut Findings) {
        if let Some(moment) = clocked.never_came() {
            return self.vacuous(format!("`{moment}` never came"), findings);
        }
        let tolerance = millis(self.plan.tolerance);
        let miss = |found| Some((found, self.miss(found, clocked, tolerance)?));
        let misses: Vec<_> = matches.iter().filter_map(miss).collect();
        let Some((first, (window, by))) = misses.first() else { return };
        let side = if *by < 0 { "early" } else { "late" };
        let by = seconds(by.saturating_abs());
        let others = match (misses.len(), matches.len()) {
            (_, 1) => String::new(),
            (misses, all) => format!(" ({misses} of {all} do not fit)"),
        };
        let actual = format!("{} at {}, {by} {side}{others}", past(&self.expectation.verb), seconds(millis(first.at)));
        self.violation(self.expected(*window, clocked), actual, findings);
    }

    /// Returns by how much a match lies outside all windows that it may lie in, each widened by this tolerance, and the
    /// window to report.
    fn miss(&self, found: &VerbMatch, clocked: &Clocked<'_>, tolerance: Millis) -> Option<(Window, Millis)> {
        let windows = clocked.windows(found.index, found.at);
        let misses: Vec<_> = windows.iter().map(|&window| (window, window.miss(millis(found.at), tolerance))).collect();
        if misses.iter().any(|(_, miss)| miss.is_none()) {
            return None;
        }
        misses.first().and_then(|(window, miss)| Some((*window, (*miss)?)))
    }

    fn gaps(&self, matches: &[VerbMatch], findings: &mut Findings) {
        let Some(gap) = self.expectation.gap else { return };
        if matches.len() < 2 {
            return self.vacuous(format!("{} only once, so there is no gap", self.subject()), findings);
        }
        let window = Window { from: millis(gap.min), to: gap.max.map(millis) };
        let tolerance = millis(self.plan.tolerance);
        let misses: Vec<_> = matches
            .windows(2)
            .filter_map(|pair| {
                let actual = millis(pair[1].at) - millis(pair[0].at);
                Some((&pair[1], actual, window.miss(actual, tolerance)?))
            })
            .collect();
        let Some((found, actual, by)) = misses.first() else { return };
        let wanted = match (window.from, window.to) {
            (from, Some(to)) if from == to => seconds(from),
            (from, Some(to)) => format!("{} to {}", seconds(from), seconds(to)),
            (from, None) => format!("{} or more", seconds(from)),
        };
        let side = if *by < 0 { "short" } else { "long" };
        let actual = format!(
            "a gap of {} before the one at {}, {} too {side} ({} of {} gaps do not fit)",
            seconds(*actual),
            seconds(millis(found.at)),
            seconds(by.saturating_abs()),
            misses.len(),
            matches.len() - 1
        );
        self.violation(format!("{} with gaps of {wanted}", self.subject()), actual, findings);
    }

    fn sayings(&self, matches: &[VerbMatch], findings: &mut Findings) {
        for found in matches {
            if let Some((expected, actual)) = self.said_otherwise(found) {
                let actual = format!("{actual} before the close at {}", seconds(millis(found.at)));
                return self.violation(format!("{}, with {expected} in DISCONNECT", self.subject()), actual, findings);
            }
        }
    }

    /// Returns what should have been said before a close and what was, if they differ. Only 5.0 has words for it.
    fn said_otherwise(&self, found: &VerbMatch) -> Option<(String, String)> {
        let Verb::Closes { reason, reason_if_any, .. } = &self.expectation.verb else { return None };
        if !self.plan.version.is_v5() {
            return None;
        }
        let words = |reasons: &[halfopen_protocol::ReasonCode], nothing: &str| {
            let words: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            if words.is_empty() { nothing.to_owned() } else { words.join(" or ") }
        };
        let said = found.said.map_or("no DISCONNECT".to_owned(), |said| format!("{said:?}"));
        match (reason, reason_if_any) {
            (Some(reason), _) if found.said.is_none_or(|said| !reason.contains(&said)) => {
                Some((words(reason, "no reason"), said))
            }
            (_, Some(reason_if_any)) if found.said.is_some_and(|said| !reason_if_any.contains(&said)) => {
                let expected = if reason_if_any.is_empty() {
                    "no reason".into()
                } else {
                    format!("{} or no reason", words(reason_if_any, ""))
                };
                Some((expected, said))
            }
            _ => None,
        }
    }

    /// Returns why the node could not have done what it must not do, if so.
    fn no_opportunity(&self) -> Option<Why> {
        let name = |id: NodeId| &self.plan.node(id).name;
        let opened = |peer: Option<NodeId>| {
            self.trace.between(self.index, self.node, peer).any(|(_, event)| match &event.kind {
                EventKind::Sent { to: other, item: Transmission::Open, .. }
                | EventKind::Received { from: other, item: Transmission::Open, .. } => {
                    peer.is_none_or(|peer| peer == *other)
                }
                _ => false,
            })
        };
        let peer = match &self.expectation.verb {
            Verb::Closes { peer, .. } | Verb::Loses { peer, .. } => Some(*peer),
            // A node that never tries is what is wanted.
            Verb::Attempts { .. } => return None,
            _ => None,
        };
        if opened(peer) {
            return None;
        }
        let with = peer.map(|peer| format!(" with {}", name(peer))).unwrap_or_default();
        Some(format!("{} never had a connection{with}", name(self.node)))
    }

    /// "the run ended at 3600.000", and what makes it longer where the file does not say it.
    fn ended(&self) -> String {
        let hint = if self.plan.until.is_none() { " (`until` makes it longer)" } else { "" };
        format!("the run ended at {}{hint}", seconds(millis(self.trace.end)))
    }

    fn clocked(&self) -> Option<Clocked<'_>> {
        let timing = self.expectation.timing.as_ref()?;
        Some(Clocked::new(self.plan, self.trace, self.index, timing, self.node))
    }

    /// "broker closes sensor".
    fn subject(&self) -> String {
        format!("{} {}", self.plan.node(self.node).name, phrase(self.plan, self.expectation))
    }

    /// "broker closes sensor at 22.560 (15s after last packet from sensor)".
    fn expected(&self, window: Window, clocked: &Clocked<'_>) -> String {
        let tolerance = match millis(self.plan.tolerance) {
            0 => String::new(),
            tolerance => format!(" +-{}", seconds(tolerance)),
        };
        format!("{} {}{tolerance} ({})", self.subject(), window.text(), clocked.text())
    }

    fn violation(&self, expected: String, actual: String, findings: &mut Findings) {
        let Expectation { id, text, .. } = self.expectation;
        let position = self.plan.origins.expectation(*id);
        findings.violations.push(Violation { position, text: text.clone(), expected, actual });
    }

    fn vacuous(&self, why: Why, findings: &mut Findings) {
        let Expectation { id, text, .. } = self.expectation;
        let position = self.plan.origins.expectation(*id);
        findings.vacuous.push(Vacuity { position, text: text.clone(), why });
    }
}

/// "2 times", "at least once", "1 to 4 times", "never".
fn count_text(count: CountRange) -> String {
    let times = |n: u64| match n {
        1 => "once".to_owned(),
        n => format!("{n} times"),
    };
    match (count.min, count.max) {
        (_, Some(0)) => "never".to_owned(),
        (min, Some(max)) if min == max => times(min),
        (0, Some(max)) => format!("at most {}", times(max)),
        (min, Some(max)) => format!("{min} to {max} times"),
        (min, None) => format!("at least {}", times(min)),
    }
}

/// "once, at 1.000", "7 times, at 1.000, 2.000, 3.000, 4.000, 5.000 and so on".
fn listed(matches: &[&VerbMatch]) -> String {
    let times: Vec<String> = matches.iter().take(LISTED).map(|found| seconds(millis(found.at))).collect();
    let more = if matches.len() > LISTED { " and so on" } else { "" };
    let count = CountRange { min: matches.len() as u64, max: Some(matches.len() as u64) };
    format!("{}, at {}{more}", count_text(count), times.join(", "))
}
