//! What was expected, where it was decided; and for what was not met, where it should have been.
//!
//! ```text
//! -- lane --      expected
//!    ( )- - - - - - v  due at 7.530
//!                   |
//!                   |  3.750 late
//!                   |
//!     o ----------- x  broker: { closes: sensor, ...
//! ```

use std::time::Duration;

use super::lanes::EXPECTED_WIDTH;
use super::rows::ROW;
use super::scene::{Anchor, Form, Shape, Sign};
use super::{Drawing, wrapped};
use crate::check::{Due, ExpectationResult, Verdict};
use crate::plan::{NodeId, Position};

/// Number of expectations above which only those that are not met are shown.
const MANY: usize = 60;
/// Distance from a symbol to its text.
const INDENT: i32 = 12;
/// One expectation in the picture.
pub(super) struct ExpectationMark {
    judged: ExpectationResult,
    /// The line at its instant that the text begins in.
    row: i32,
    /// The text of the expectation, as many lines as it needs.
    text: Vec<String>,
    /// The actual behaviour, if it was not as expected.
    actual: Vec<String>,
    due_place: Option<DuePlace>,
}

/// The place at which something was due that was not there.
struct DuePlace {
    due: Due,
    /// The line at its instant; none in a time that is folded.
    row: Option<i32>,
}

impl Drawing<'_> {
    pub(super) fn make_room_for_expected(&mut self) {
        let mut judged = std::mem::take(&mut self.judged);
        let is_much = judged.len() > MANY;
        judged.retain(|judged| !is_much || judged.verdict != Verdict::Pass);
        judged.truncate(MANY);
        self.marks = judged.into_iter().filter_map(|judged| self.mark(judged)).collect();
    }

    fn mark(&mut self, judged: ExpectationResult) -> Option<ExpectationMark> {
        let expectation = self.plan.expectations.get(judged.expectation)?;
        let is_bold = judged.verdict == Verdict::Fail;
        let text = wrapped(&expectation.text, EXPECTED_WIDTH - INDENT, is_bold);
        let is_said = |line: &&String| !line.starts_with("expected: ");
        let actual: Vec<String> = judged
            .findings
            .iter()
            .filter(is_said)
            .flat_map(|line| wrapped(line, EXPECTED_WIDTH - INDENT, false))
            .collect();
        let due_place = judged.due.map(|due| self.due_place(due, judged.at));
        let x = self.lanes.expected();
        let mut take = || self.rows.take(judged.at, x, x + EXPECTED_WIDTH);
        let row = take();
        for _ in 1..text.len() + actual.len() {
            take();
        }
        Some(ExpectationMark { judged, row, text, actual, due_place })
    }

    fn due_place(&mut self, due: Due, at: Duration) -> DuePlace {
        let x = self.lanes.expected();
        for edge in [Some(due.from), due.to].into_iter().flatten() {
            if !self.is_hidden_time(edge) {
                self.rows.touch(edge);
            }
        }
        let is_apart = due.edge() != at && !self.is_hidden_time(due.edge());
        DuePlace { due, row: is_apart.then(|| self.rows.take(due.edge(), x, x + EXPECTED_WIDTH)) }
    }

    pub(super) fn expected(&mut self) {
        let marks = std::mem::take(&mut self.marks);
        let taken: Vec<(i32, i32)> = marks.iter().flat_map(|mark| self.heights(mark)).collect();
        for mark in &marks {
            let y = self.rows.y(mark.judged.at, mark.row);
            self.matches(mark, y);
            if let Some(due_place) = &mark.due_place {
                self.missed(due_place, y, &taken);
            }
            self.verdict(mark, y);
        }
    }

    fn position(&self, mark: &ExpectationMark) -> Position {
        let expectation = self.plan.expectations.get(mark.judged.expectation);
        expectation.map_or(Position::default(), |found| self.plan.origins.expectation(found.id))
    }

    /// Returns the heights at which the texts of a mark stand.
    fn heights(&self, mark: &ExpectationMark) -> Vec<(i32, i32)> {
        let y = self.rows.y(mark.judged.at, mark.row);
        let lines = i32::try_from(mark.text.len() + mark.actual.len()).unwrap_or(i32::MAX / ROW);
        let due_place = mark.due_place.as_ref().map(|due_place| self.edge(due_place));
        std::iter::once((y - ROW / 2, y + lines * ROW)).chain(due_place.map(|y| (y - ROW / 2, y + ROW))).collect()
    }

    fn edge(&self, due_place: &DuePlace) -> i32 {
        self.rows.y(due_place.due.edge(), due_place.row.unwrap_or(0))
    }

    /// The events that count, and a line from the one that tells.
    fn matches(&mut self, mark: &ExpectationMark, y: i32) {
        let (class, line, judged) = (class(mark.judged.verdict), self.position(mark), &mark.judged);
        let x = self.lanes.expected();
        for &(node, index) in &judged.matches {
            if self.is_far(index) {
                continue;
            }
            let form = Form::Sign { x: self.lanes.x(node), y: self.y(index), dy: 0, sign: Sign::Ring };
            self.shapes.push(Shape::new(format!("match {class}"), form).of(index).at_line(line));
        }
        let telling = |(_, index): &&(NodeId, usize)| self.trace.events[*index].at == judged.at;
        if let Some(&(node, index)) = judged.matches.iter().find(telling) {
            let form = Form::Line { x: self.lanes.x(node), y: self.y(index), x2: x - 8, y2: y };
            self.shapes.push(Shape::new(format!("leader {class}"), form));
        }
    }

    /// The symbol and the words.
    fn verdict(&mut self, mark: &ExpectationMark, y: i32) {
        let (class, line) = (class(mark.judged.verdict), self.position(mark));
        let sign = match mark.judged.verdict {
            Verdict::Pass => Sign::Tick,
            Verdict::Fail => Sign::Cross,
            Verdict::Vacuous | Verdict::Skipped | Verdict::Broken => Sign::Unknown,
        };
        let x = self.lanes.expected();
        let mut title = self.plan.expectations[mark.judged.expectation].text.clone();
        for finding in &mark.judged.findings {
            title.push('\n');
            title.push_str(finding);
        }
        let form = Form::Sign { x, y, dy: 0, sign };
        self.shapes.push(Shape::new(class, form).at_line(line).titled(&title));
        let words = mark.text.iter().map(|text| ("expectation", text));
        let words = words.chain(mark.actual.iter().map(|text| ("actual", text)));
        for (row, (kind, text)) in (0..).zip(words) {
            let form = Form::Text { x: x + INDENT, y, dy: 4 + row * ROW, anchor: Anchor::Start, text: text.clone() };
            let shape = Shape::new(format!("{kind} {class}"), form);
            // What is read as one thing is reached as one.
            self.shapes.push(if row == 0 { shape.at_line(line).titled(&title) } else { shape });
        }
    }

    /// Draws where it was due, and the distance to where it was.
    fn missed(&mut self, due_place: &DuePlace, y: i32, taken: &[(i32, i32)]) {
        let Due { node, from, to, by_ms } = due_place.due;
        let (x, lane, edge) = (self.lanes.expected(), self.lanes.x(node), self.edge(due_place));
        let mut say = |class: &str, form: Form| self.shapes.push(Shape::new(format!("missed {class}"), form));
        say("ring", Form::Sign { x: lane, y: edge, dy: 0, sign: Sign::Ring });
        say("line", Form::Line { x: lane + 8, y: edge, x2: x - 8, y2: edge });
        let at = |time: Duration| format!("{:.3}", time.as_secs_f64());
        let mut when = match to {
            Some(to) if to == from => format!("due at {}", at(from)),
            Some(to) => format!("due from {} to {}", at(from), at(to)),
            None => format!("due at {} or later", at(from)),
        };
        if to != Some(from) {
            let last = to.unwrap_or(self.trace.end).max(from);
            let (y, y2) = (self.rows.y(from, 0), self.rows.y(last, 0).max(self.rows.y(from, 0) + 4));
            say("window", Form::Rect { x: x - 3, y, w: 6, y2 });
        }
        let Some(by_ms) = by_ms else { return };
        let side = if by_ms < 0 { "early" } else { "late" };
        let by = format!("{:.3} s {side}", Duration::from_millis(by_ms.unsigned_abs()).as_secs_f64());
        if edge == y {
            return;
        }
        say("distance", Form::Line { x, y: edge, x2: x, y2: y });
        say("stop", Form::Sign { x, y: edge, dy: 0, sign: Sign::Bar });
        let middle = i32::midpoint(edge, y);
        let is_free = !taken.iter().any(|(top, bottom)| *top < middle + ROW / 2 && middle - ROW / 2 < *bottom);
        let words = |y: i32, text: String| Form::Text { x: x + INDENT, y, dy: 4, anchor: Anchor::Start, text };
        if is_free {
            say("distance", words(middle, by));
        } else {
            when = format!("{when}, it is {by}");
        }
        if due_place.row.is_some() {
            say("when", words(edge, when));
        }
    }

    fn is_far(&self, index: usize) -> bool {
        self.hidden.iter().any(|hidden| hidden.events.contains(&index))
    }
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "good",
        Verdict::Fail => "bad",
        Verdict::Vacuous | Verdict::Skipped | Verdict::Broken => "vacuous",
    }
}
