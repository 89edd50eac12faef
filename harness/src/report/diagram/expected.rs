//! What was expected, where it was decided.

use super::lanes::EXPECTED_WIDTH;
use super::scene::{Anchor, Form, Shape, Sign};
use super::{Drawing, cut};
use crate::check::Verdict;
use crate::plan::NodeId;

/// With more of them than that, only those that are not met are shown.
const MANY: usize = 60;

impl Drawing<'_> {
    pub(super) fn make_room_for_expected(&mut self) {
        let is_much = self.judged.len() > MANY;
        self.judged.retain(|judged| !is_much || judged.verdict != Verdict::Pass);
        self.judged.truncate(MANY);
        let x = self.lanes.expected();
        for judged in &self.judged {
            self.rows.take(judged.at, x, x + EXPECTED_WIDTH);
        }
    }

    pub(super) fn expected(&mut self) {
        let judged = std::mem::take(&mut self.judged);
        let mut rows: std::collections::BTreeMap<std::time::Duration, i32> = std::collections::BTreeMap::new();
        let x = self.lanes.expected();
        for judged in &judged {
            let Some(expectation) = self.plan.expectations.get(judged.expectation) else { continue };
            let row = rows.entry(judged.at).or_default();
            let y = self.rows.y(judged.at, *row);
            *row += 1;
            let (class, sign) = match judged.verdict {
                Verdict::Pass => ("good", Sign::Tick),
                Verdict::Fail => ("bad", Sign::Cross),
                Verdict::Vacuous => ("vacuous", Sign::Unknown),
            };
            let line = expectation.position;
            let mut title = expectation.text.clone();
            for finding in &judged.findings {
                title.push('\n');
                title.push_str(finding);
            }
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
            let form = Form::Sign { x, y, dy: 0, sign };
            self.shapes.push(Shape::new(class, form).at_line(line).titled(&title));
            let text = cut(&expectation.text, EXPECTED_WIDTH - 24);
            let form = Form::Text { x: x + 12, y, dy: 4, anchor: Anchor::Start, text };
            self.shapes.push(Shape::new(format!("expectation {class}"), form).at_line(line).titled(title));
        }
        self.judged = judged;
    }

    fn is_far(&self, index: usize) -> bool {
        self.hidden.iter().any(|hidden| hidden.events.contains(&index))
    }
}
