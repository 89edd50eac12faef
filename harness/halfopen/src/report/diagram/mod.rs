//! A run as a picture: a lane for each node, time running down, and what travels between them.
//!
//! ```text
//! story            time    sensor           broker            expected
//! sensor: connect  0.000     |-- CONNECT ---->|
//! ```
//!
//! Pure: plan and trace go in, a [`Scene`] comes out, and an SVG file or the page is drawn from that. On the left
//! stands what the story does, on the right what is expected of it, with a tick or a cross where it was decided.
//! Connections are bars beside the lanes of their two ends, so a connection that only one end believes in is a bar
//! without a partner. Beside a broker's bar burns down the keep-alive: each packet that arrives pushes it back, and
//! where it meets the dashed line the time is up.

mod arrows;
mod connections;
mod expected;
mod fault_intervals;
mod lanes;
mod rows;
mod scene;
mod shown;
mod svg;

use std::collections::BTreeMap;
use std::time::Duration;

use self::connections::Connections;
use self::expected::ExpectationMark;
use self::lanes::{Lanes, RULER, STORY, STORY_WIDTH};
use self::rows::{ROW, Rows};
pub use self::scene::{Anchor, Form, Head, Scene, Shape, Sign};
use self::shown::{Alike, Hidden, hidden, long, short};
pub(super) use self::svg::STYLE;
pub(crate) use self::svg::escaped;
pub use self::svg::svg;
use crate::check::{ExpectationResult, judged};
use crate::plan::{NodeId, Plan};
use crate::trace::{Event, EventKind, Trace, Transmission, since_text};

/// About how wide a character is.
const CHARACTER: i32 = 6;
/// Width of bold text relative to normal text, in percent.
const BOLD: i32 = 116;

/// Draws a run.
pub fn scene(plan: &Plan, trace: &Trace) -> Scene {
    marked_scene(plan, trace, &[])
}

/// Draws a run with a line across at each of these events, and a text on it.
pub fn marked_scene(plan: &Plan, trace: &Trace, marked: &[(usize, String)]) -> Scene {
    let lanes = Lanes::new(plan);
    let alike = Alike::of(trace, &lanes);
    let mut drawing = Drawing {
        plan,
        trace,
        lanes,
        hidden: hidden(plan, trace, &alike),
        alike,
        rows: Rows::default(),
        row_of: BTreeMap::new(),
        connections: Connections::default(),
        judged: judged(plan, trace),
        marks: Vec::new(),
        shapes: Vec::new(),
    };
    drawing.make_room();
    drawing.draw();
    drawing.marked(marked);
    Scene {
        width: drawing.lanes.width(),
        height: drawing.rows.height(),
        heads: drawing.lanes.heads(),
        shapes: drawing.shapes,
    }
}

/// A scene in the making.
struct Drawing<'a> {
    plan: &'a Plan,
    trace: &'a Trace,
    lanes: Lanes,
    hidden: Vec<Hidden>,
    alike: Alike,
    rows: Rows,
    /// The line that an event has at its instant.
    row_of: BTreeMap<usize, i32>,
    connections: Connections,
    judged: Vec<ExpectationResult>,
    marks: Vec<ExpectationMark>,
    shapes: Vec<Shape>,
}

impl Drawing<'_> {
    /// Gives everything its line at its instant, and each instant its height.
    fn make_room(&mut self) {
        let trace = self.trace;
        self.rows.touch(Duration::ZERO);
        self.rows.touch(trace.end);
        for (index, event) in trace.events.iter().enumerate() {
            if !self.is_shown(index, event) {
                continue;
            }
            if let Some((from, to)) = self.span(event) {
                let row = self.rows.take(event.at, from, to);
                self.row_of.insert(index, row);
                for _ in 1..lines(&event.kind) {
                    self.rows.take(event.at, from, to);
                }
            }
            // The end of a connection that no program reads any more reaches the other host all the same.
            if let EventKind::Sent { arrival: Some(arrival), .. } = event.kind
                && !self.is_hidden_time(arrival)
            {
                self.rows.touch(arrival);
            }
        }
        for (index, leader) in self.alike.leaders() {
            if let Some(row) = self.row_of.get(&leader).copied() {
                self.row_of.insert(index, row);
            }
        }
        self.make_room_for_expected();
        let folded: Vec<(Duration, Duration)> = self.hidden.iter().map(|hidden| (hidden.from, hidden.to)).collect();
        let quiet = self.rows.settle(&folded);
        self.connections = Connections::new(self.plan, trace, &self.lanes);
        self.paper(&quiet);
    }

    fn draw(&mut self) {
        self.fault_bands();
        self.lane_lines();
        self.connection_bars();
        self.steps();
        self.arrows();
        self.notes();
        self.expected();
    }

    fn is_shown(&self, index: usize, event: &Event) -> bool {
        let index = match event.kind {
            EventKind::Received { sent: Some(sent), .. } => sent,
            _ => index,
        };
        self.alike.leader(index).is_none() && !self.hidden.iter().any(|hidden| hidden.events.contains(&index))
    }

    fn is_hidden_time(&self, at: Duration) -> bool {
        self.hidden.iter().any(|hidden| hidden.from <= at && at < hidden.to)
    }

    /// The height of an event.
    fn y(&self, index: usize) -> i32 {
        let at = self.trace.events.get(index).map_or(self.trace.end, |event| event.at);
        self.rows.y(at, self.row_of.get(&index).copied().unwrap_or(0))
    }

    /// Returns the range in which an event needs a line of its own, if it does.
    fn span(&self, event: &Event) -> Option<(i32, i32)> {
        let lanes = &self.lanes;
        match &event.kind {
            EventKind::Step { .. } | EventKind::StepFailed { .. } => Some((STORY, RULER)),
            EventKind::Sent { from, to, .. } | EventKind::Received { from, to, sent: Some(_), .. } => {
                Some((lanes.x(*from), lanes.x(*to)))
            }
            EventKind::Received { from, to, sent: None, .. } => Some(self.note_span(*to, *from)),
            EventKind::Closing { node, peer, .. } => Some(self.note_span(*node, *peer)),
            EventKind::Node { node, .. } => Some((lanes.x(*node) - 30, lanes.x(*node) + 30)),
            _ => None,
        }
    }

    fn note_span(&self, node: NodeId, peer: NodeId) -> (i32, i32) {
        let x = self.lanes.x(node);
        (x, x + self.lanes.side(node, peer) * (self.lanes.gap() - 10))
    }

    /// The ruler, with what is folded and how long it is.
    fn paper(&mut self, quiet: &[rows::Quiet]) {
        let (left, right) = self.lanes.range();
        for quiet in quiet {
            let folded = self.hidden.iter().find(|hidden| hidden.from < quiet.to && quiet.from < hidden.to);
            let middle = i32::midpoint(quiet.y, quiet.y2);
            let form = Form::Rect { x: left - 40, y: quiet.y + 8, w: right - left + 80, y2: quiet.y2 - 8 };
            let title = match quiet.from >= self.trace.end {
                true => "the run is over".to_owned(),
                false => format!("nothing happens for {} s", short(quiet.to - quiet.from)),
            };
            self.shapes.push(match folded {
                Some(hidden) => Shape::new("quiet repeated", form).titled(&hidden.note),
                None => Shape::new("quiet", form).titled(title),
            });
            let sign = Form::Sign { x: RULER - 4, y: middle, dy: 0, sign: Sign::Fold };
            self.shapes.push(Shape::new("fold", sign));
            let length = long(quiet.to - quiet.from);
            let form = Form::Text { x: RULER - 14, y: middle, dy: 4, anchor: Anchor::End, text: length };
            self.shapes.push(Shape::new("gap", form));
            if let Some(hidden) = folded {
                let text = hidden.note.clone();
                let form = Form::Text { x: i32::midpoint(left, right), y: middle, dy: 4, anchor: Anchor::Middle, text };
                self.shapes.push(Shape::new("more", form));
            }
        }
        let instants: Vec<(Duration, i32)> = self.rows.instants().collect();
        for (at, y) in instants {
            let form = Form::Line { x: RULER + 4, y, x2: right + 40, y2: y };
            self.shapes.push(Shape::new("instant", form));
            let text = format!("{:.3}", at.as_secs_f64());
            let form = Form::Text { x: RULER, y, dy: 4, anchor: Anchor::End, text };
            self.shapes.push(Shape::new("time", form));
        }
    }

    fn lane_lines(&mut self) {
        let height = self.rows.height();
        for head in self.lanes.heads().iter().filter(|head| !head.role.is_empty()) {
            let form = Form::Line { x: head.x, y: 0, x2: head.x, y2: height };
            self.shapes.push(Shape::new("lane", form));
        }
    }

    /// Draws the steps, on the left.
    fn steps(&mut self) {
        let trace = self.trace;
        for (index, event) in trace.events.iter().enumerate() {
            let (class, text, step) = match &event.kind {
                EventKind::Step { step, text } => ("step", text.clone(), *step),
                EventKind::StepFailed { step, why } => ("step bad", format!("failed: {why}"), *step),
                _ => continue,
            };
            if !self.is_shown(index, event) {
                continue;
            }
            let y = self.y(index);
            let right = self.lanes.range().1 + 40;
            self.shapes.push(Shape::new("step-line", Form::Line { x: RULER + 4, y, x2: right, y2: y }));
            for (row, part) in (0..).zip(story(&text)) {
                let form = Form::Text { x: STORY, y, dy: 4 + row * ROW, anchor: Anchor::Start, text: part };
                let shape = Shape::new(class, form);
                // What is read as one thing is reached as one.
                self.shapes.push(if row == 0 {
                    shape.of(index).at_line(self.plan.origins.step(step)).titled(&text)
                } else {
                    shape
                });
            }
        }
    }

    /// Draws a line across at each of these events, and its text.
    fn marked(&mut self, marked: &[(usize, String)]) {
        let (left, right) = self.lanes.range();
        for (index, text) in marked {
            let y = self.y(*index);
            let form = Form::Line { x: left - 40, y, x2: right + 40, y2: y };
            self.shapes.push(Shape::new("turn", form).of(*index).titled(text));
            let form = Form::Text { x: left - 36, y, dy: -4, anchor: Anchor::Start, text: text.clone() };
            self.shapes.push(Shape::new("turn", form).of(*index));
        }
    }

    /// Draws what happens at nodes and is no packet.
    fn notes(&mut self) {
        let trace = self.trace;
        for (index, event) in trace.events.iter().enumerate() {
            if !self.is_shown(index, event) {
                continue;
            }
            match &event.kind {
                EventKind::Closing { node, peer, because, since, .. } => {
                    let text = self.alike.counted(index, format!("closes: {}", because.word()));
                    self.note(index, *node, *peer, 0, &text);
                    if let Some(since) = since {
                        self.note(index, *node, *peer, 1, &since_text(event.at, *since));
                    }
                }
                EventKind::Received { from, to, item, sent: None, .. } => {
                    let why = if *item == Transmission::TimedOut { "no answer for too long" } else { "aborted" };
                    let text = self.alike.counted(index, format!("loses the connection: {why}"));
                    self.note(index, *to, *from, 0, &text);
                }
                EventKind::Node { node, change } => {
                    let (x, y) = (self.lanes.x(*node), self.y(index));
                    let is_dead = change.ends_process();
                    let class = if is_dead { "change bad" } else { "change" };
                    let texts = std::iter::once(self.alike.counted(index, change.statement().to_owned()));
                    for (row, text) in (0..).zip(texts.chain(fault_intervals::by_how_much(*change))) {
                        let form = Form::Text { x, y, dy: 4 + row * ROW, anchor: Anchor::Middle, text };
                        self.shapes.push(Shape::new(class, form).of(index));
                    }
                    if change.leap().is_some() {
                        let form = Form::Line { x: x - 22, y: y - 9, x2: x + 22, y2: y - 9 };
                        self.shapes.push(Shape::new("leap", form).of(index));
                    }
                }
                EventKind::Delivered { node, .. } => {
                    let (x, y) = (self.lanes.x(*node), self.y(index));
                    let form = Form::Sign { x, y, dy: 0, sign: Sign::Diamond };
                    self.shapes.push(Shape::new("delivered", form).of(index).titled("delivered to the application"));
                }
                _ => {}
            }
        }
    }

    /// A note of a node beside its lane; `row` counts from the line that the event has.
    fn note(&mut self, index: usize, node: NodeId, peer: NodeId, row: i32, text: &str) {
        let (x, y, side) = (self.lanes.x(node), self.y(index), self.lanes.side(node, peer));
        let anchor = if side < 0 { Anchor::End } else { Anchor::Start };
        let class = if row == 0 { "closing" } else { "closing since" };
        let text_shown = cut(text, self.lanes.gap() - 20);
        let form = Form::Text { x: x + side * 18, y, dy: 4 + row * ROW, anchor, text: text_shown };
        self.shapes.push(Shape::new(class, form).of(index).titled(text));
    }
}

/// Returns how many lines an event needs below each other.
fn lines(kind: &EventKind) -> usize {
    match kind {
        EventKind::Step { text, .. } => story(text).len(),
        // Why a deadline is over stands below, and how far a clock leaps.
        EventKind::Closing { since: Some(_), .. } => 2,
        EventKind::Node { change, .. } if change.leap().is_some() => 2,
        _ => 1,
    }
}

/// Returns what the story does, in lines that fit.
fn story(text: &str) -> Vec<String> {
    wrapped(text, STORY_WIDTH, true)
}

/// A text in lines that fit; words that are too long by themselves are broken.
fn wrapped(text: &str, width: i32, is_bold: bool) -> Vec<String> {
    let character = CHARACTER * if is_bold { BOLD } else { 100 };
    let room = usize::try_from(width * 100 / character).unwrap_or(0).max(8);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        if !line.is_empty() && line.chars().count() + 1 + word.len() > room {
            lines.push(std::mem::take(&mut line));
        }
        while word.len() > room {
            let rest = word.split_off(room);
            lines.push(word.into_iter().collect());
            word = rest;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word);
    }
    lines.push(line);
    lines
}

/// Returns as much of a text as has room.
fn cut(text: &str, width: i32) -> String {
    let room = usize::try_from(width / CHARACTER).unwrap_or(0).max(4);
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let mut shown: String = text.chars().take(room - 1).collect();
    shown.push('…');
    shown
}

#[cfg(test)]
mod tests;
