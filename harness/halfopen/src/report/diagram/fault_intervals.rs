//! Faults as shaded bands: how long they last, and between whom.

use std::time::Duration;

use super::scene::{Anchor, Form, Shape};
use super::{Drawing, short};
use crate::plan::{Action, Command, NetworkFault, NodeFault, NodeId, Position, Step, StepId, StepKind, number_text};
use crate::trace::EventKind;

/// A fault, from when it begins.
struct FaultInterval {
    class: &'static str,
    word: String,
    place: Place,
    from: Duration,
    to: Option<Duration>,
    /// The step that began it, if one did.
    step: Option<StepId>,
}

#[derive(PartialEq, Eq)]
enum Place {
    /// Links, or one connection on each of them.
    Links(Vec<(NodeId, NodeId)>, Option<u32>),
    Node(NodeId),
}

impl Drawing<'_> {
    pub(super) fn fault_bands(&mut self) {
        let mut bands: Vec<FaultInterval> = Vec::new();
        for event in &self.trace.events {
            match &event.kind {
                EventKind::Step { step, .. } => {
                    if let Some(step) = self.plan.step(*step) {
                        begin(&mut bands, step, event.at);
                    }
                }
                // What waits for a packet begins with it.
                EventKind::FaultHit { step } => {
                    let waits = self.plan.step(*step).is_some_and(
                        |step| matches!(&step.kind, StepKind::Network(change) if change.fault.starting_with().is_some()),
                    );
                    for band in bands.iter_mut().filter(|band| waits && band.step == Some(*step)) {
                        band.from = event.at;
                    }
                }
                EventKind::Node { node, change } => changed(&mut bands, *node, *change, event.at),
                _ => {}
            }
        }
        for band in bands {
            self.band(&band);
        }
    }

    fn band(&mut self, band: &FaultInterval) {
        let y = self.rows.y(band.from, 0);
        let y2 = self.rows.y(band.to.unwrap_or(self.trace.end), 0);
        let spans: Vec<(i32, i32)> = match &band.place {
            Place::Node(node) => vec![(self.lanes.x(*node) - 22, self.lanes.x(*node) + 22)],
            Place::Links(links, _) => {
                let span = |(a, b): &(NodeId, NodeId)| {
                    let (a, b) = (self.lanes.x(*a), self.lanes.x(*b));
                    (a.min(b) + 16, a.max(b) - 16)
                };
                let mut spans: Vec<(i32, i32)> = links.iter().map(span).collect();
                spans.sort_unstable();
                spans.dedup();
                spans
            }
        };
        let position = band.step.map_or(Position::default(), |step| self.plan.origins.step(step));
        let until = band.to.map_or("the end".to_owned(), |to| format!("{:.3}", to.as_secs_f64()));
        let title = format!("{}, from {:.3} to {until}", band.word, band.from.as_secs_f64());
        for (x, x2) in spans {
            let form = Form::Rect { x, y, w: x2 - x, y2: y2.max(y + 6) };
            let shape = Shape::new(format!("fault {}", band.class), form).titled(&title);
            self.shapes.push(shape.at_line(position));
            let anchor = if matches!(band.place, Place::Node(_)) { Anchor::Middle } else { Anchor::End };
            let x = if anchor == Anchor::Middle { i32::midpoint(x, x2) } else { x2 - 6 };
            let form = Form::Text { x, y: y2.max(y + 6), dy: -5, anchor, text: band.word.clone() };
            self.shapes.push(Shape::new("fault-name", form).at_line(position));
        }
    }
}

/// Returns how far a clock leaps: `by +3600 s`. Nothing for other changes.
pub(super) fn by_how_much(change: NodeFault) -> Option<String> {
    let by_ms = change.leap()?;
    let sign = if by_ms < 0 { '-' } else { '+' };
    Some(format!("by {sign}{} s", short(Duration::from_millis(by_ms.unsigned_abs()))))
}

fn begin(bands: &mut Vec<FaultInterval>, step: &Step, at: Duration) {
    let id = Some(step.id);
    match &step.kind {
        StepKind::Network(change) => {
            let number = change.scope.connection;
            let place = Place::Links(change.scope.links.clone(), number);
            let of = number.map(|number| format!(" #{}", number_text(number))).unwrap_or_default();
            let (class, word) = match change.fault {
                NetworkFault::HalfOpen { .. } => ("cut", "half-open"),
                NetworkFault::Partition { .. } => ("cut", "partition"),
                NetworkFault::Heal => return end(bands, &place, "cut", at),
                NetworkFault::Set(_) => {
                    end(bands, &place, "changed", at);
                    ("changed", if number.is_some() { "connection changed" } else { "link changed" })
                }
                NetworkFault::Reset { .. } => return,
            };
            bands.push(FaultInterval { class, word: format!("{word}{of}"), place, from: at, to: None, step: id });
        }
        StepKind::Node { nodes, actions } => {
            let of = |node: &NodeId| {
                actions.iter().filter_map(|action| Some((*node, action.of(*node)?))).collect::<Vec<_>>()
            };
            for (node, action) in nodes.iter().flat_map(of) {
                match action {
                    Action::Command { command: Command::StopPinging, .. } => bands.push(FaultInterval {
                        class: "silent",
                        word: "does not ping".to_owned(),
                        place: Place::Node(node),
                        from: at,
                        to: None,
                        step: id,
                    }),
                    Action::Command { command: Command::ResumePinging, .. } => {
                        end(bands, &Place::Node(node), "silent", at)
                    }
                    Action::Fault(NodeFault::ClockDrift(ppm)) => {
                        let place = Place::Node(node);
                        end(bands, &place, "clock", at);
                        let word = if *ppm > 0 { "clock too fast" } else { "clock too slow" };
                        if *ppm != 0 {
                            bands.push(FaultInterval {
                                class: "clock",
                                word: word.to_owned(),
                                place,
                                from: at,
                                to: None,
                                step: id,
                            });
                        }
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// Adds the fault of a node, which lasts until its opposite, or until the node dies or starts again.
fn changed(bands: &mut Vec<FaultInterval>, node: NodeId, change: NodeFault, at: Duration) {
    let place = Place::Node(node);
    let (class, word) = match change {
        NodeFault::Crash => ("down", "crashed"),
        NodeFault::PowerLoss => ("down", "no power"),
        NodeFault::Shutdown => ("down", "shut down"),
        NodeFault::Pause(_) => ("still", "stands still"),
        NodeFault::StopReading => ("deaf", "does not read"),
        NodeFault::Resume => return end(bands, &place, "still", at),
        NodeFault::ResumeReading => return end(bands, &place, "deaf", at),
        NodeFault::Restart => {
            return ["down", "still", "deaf"].iter().for_each(|class| end(bands, &place, class, at));
        }
        _ => return,
    };
    if class == "down" {
        ["still", "deaf", "silent"].iter().for_each(|class| end(bands, &place, class, at));
    }
    bands.push(FaultInterval { class, word: word.to_owned(), place, from: at, to: None, step: None });
}

/// Ends what goes on at this place: for links, where they share one with it.
fn end(bands: &mut [FaultInterval], place: &Place, class: &str, at: Duration) {
    let meets = |band: &&mut FaultInterval| match (&band.place, place) {
        (Place::Links(a, one), Place::Links(b, other)) => {
            a.iter().any(|link| b.contains(link)) && (other.is_none() || one == other)
        }
        (a, b) => a == b,
    };
    for band in bands.iter_mut().filter(|band| band.to.is_none() && band.class == class).filter(meets) {
        band.to = Some(at);
    }
}
