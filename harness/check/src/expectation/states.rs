//! `is` and `has`: a state at a moment, in a range, or at the end.

use std::time::Duration;

use super::{Judge, Window, millis, seconds};
use crate::Findings;
use crate::plan::{Mode, Program, Verb};
use crate::trace::{EventKind, Transmission};
use crate::verb::{Timeline, accepts};

impl Judge<'_> {
    /// Judges a state: with `at` in the state at that moment, with a range at some time in it; with `during` all the
    /// time; without either at the end of the run. `never` is the opposite of each, and without either is about all the
    /// time from the first CONNACK on.
    pub(super) fn state(&self, states: &Timeline, findings: &mut Findings) {
        let name = || &self.plan.node(self.node).name;
        if matches!(self.expectation.verb, Verb::Has(_))
            && !matches!(self.plan.node(self.node).program, Program::Broker(_))
        {
            let why = format!("not judged: what {} holds is seen only by itself, and it does not say it", name());
            return self.vacuous(why, findings);
        }
        let end = millis(self.trace.end);
        if let Some(clocked) = self.clocked() {
            match clocked.latest() {
                None => self.vacuous(format!("`{}` never came", clocked.text()), findings),
                Some(window) if window.due() > end => {
                    let due = seconds(window.due());
                    self.vacuous(format!("never reached: it was due at {due}, {}", self.ended()), findings);
                }
                Some(window) => self.in_window(states, window, &clocked.text(), findings),
            }
        } else if self.expectation.during.is_some() {
            match self.during() {
                Err(why) => self.vacuous(why, findings),
                Ok((from, to)) => self.all_the_time(states, Window { from, to: Some(to) }, findings),
            }
        } else if self.expectation.mode == Mode::Never {
            match self.first_connected() {
                None => self.vacuous(format!("{} never had a connection", name()), findings),
                Some(from) => self.all_the_time(states, Window { from: millis(from), to: Some(end) }, findings),
            }
        } else {
            self.in_window(states, Window { from: end, to: Some(end) }, "end", findings);
        }
    }

    /// Returns when a client first had a CONNACK, or a broker its first connection.
    fn first_connected(&self) -> Option<Duration> {
        let is_has = matches!(self.expectation.verb, Verb::Has(_));
        self.trace.at(self.index, self.node).find_map(|(_, event)| match &event.kind {
            EventKind::Received { item, .. } if accepts(item) => Some(event.at),
            EventKind::Received { item: Transmission::Open, .. } if is_has => Some(event.at),
            _ => None,
        })
    }

    /// The state is there at some time in the window, or for `never` at none. A tolerance makes both easier: where the
    /// window is may be off by it.
    fn in_window(&self, states: &Timeline, window: Window, text: &str, findings: &mut Findings) {
        let tolerance = millis(self.plan.tolerance);
        let to = window.to.unwrap_or(millis(self.trace.end));
        let (widest_from, widest_to) =
            (time(window.from.saturating_sub(tolerance)), time(to.saturating_add(tolerance)));
        match self.expectation.mode {
            Mode::Must if states.first(true, widest_from, widest_to).is_none() => {
                let expected = format!("{} {} ({text})", self.subject(), window.text());
                let actual = format!("was {} at {}", states.text(widest_to), seconds(millis(widest_to)));
                self.violation(expected, actual, findings);
            }
            Mode::Never => {
                let (from, to) = (time(window.from.saturating_add(tolerance)), time(to.saturating_sub(tolerance)));
                let was = if from <= to {
                    states.first(true, from, to)
                } else {
                    // No time is in the window wherever it is. A state that is there all the while is.
                    states.first(false, to, from).is_none().then_some(to)
                };
                if let Some(at) = was {
                    let expected = format!("never: {} {} ({text})", self.subject(), window.text());
                    let actual = format!("was {} at {}", states.text(at), seconds(millis(at)));
                    self.violation(expected, actual, findings);
                }
            }
            Mode::Must => {}
        }
    }

    /// The state is there at every time in the window, or for `never` at none.
    fn all_the_time(&self, states: &Timeline, window: Window, findings: &mut Findings) {
        let (from, to) = (time(window.from), window.to.map_or(self.trace.end, time));
        let (never, wrong) = match self.expectation.mode {
            Mode::Must => ("", states.first(false, from, to)),
            Mode::Never => ("never: ", states.first(true, from, to)),
        };
        if let Some(at) = wrong {
            let expected = format!("{never}{} {}", self.subject(), window.text());
            let actual = format!("was {} at {}", states.text(at), seconds(millis(at)));
            self.violation(expected, actual, findings);
        }
    }
}

fn time(ms: i64) -> Duration {
    Duration::from_millis(ms.max(0).unsigned_abs())
}
