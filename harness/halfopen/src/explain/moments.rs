//! What must be true, and which events its phrases mean.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::{Explained, seconds};
use crate::plan::{EventRef, Expectation, Mode, Moment, NodeId, Ordinal, PacketKind, Point, StepKind, Timing, Verb};
use crate::trace::find::{Perspective, occurrences};

/// Maximum number of times that are listed for an event.
const TIMES: usize = 3;

impl Explained<'_> {
    pub(super) fn expectation(&self, out: &mut String, expectation: &Expectation) -> fmt::Result {
        let position = self.plan.origins.expectation(expectation.id);
        let source = self.plan.source_of(position);
        let line = position.line;
        let place = if position.file == 0 { format!("line {line}") } else { format!("{}:{line}", source.path) };
        writeln!(out, "  {place}: {}", expectation.text)?;
        if expectation.mode == Mode::Must
            && let Some(count) = expectation.count.filter(|count| count.max == Some(0))
        {
            let _ = count;
            writeln!(out, "      so it must not happen at all")?;
        }
        let viewer = expectation.nodes.first().copied();
        match &expectation.timing {
            Some(Timing::At(moment) | Timing::NotBefore(moment)) => self.moment(out, moment, "the latest", viewer)?,
            Some(Timing::Within { after, .. }) => self.moment(out, after, "the latest", viewer)?,
            Some(Timing::Between(from, to)) => {
                self.moment(out, from, "the latest", viewer)?;
                self.moment(out, to, "the latest", viewer)?;
            }
            None => {}
        }
        if let Some((from, to)) = &expectation.during {
            self.moment(out, from, "the latest", viewer)?;
            self.moment(out, to, "the latest", viewer)?;
        }
        if let Verb::AnyOf(lists) = &expectation.verb {
            for inner in lists.iter().flatten() {
                self.expectation(out, inner)?;
            }
        }
        Ok(())
    }

    /// Returns which event a phrase means. `nearest` is what it is without an ordinal.
    fn moment(&self, out: &mut String, moment: &Moment, nearest: &str, viewer: Option<NodeId>) -> fmt::Result {
        let Some(event) = self.event(&moment.event, nearest, viewer) else { return Ok(()) };
        let offset = Duration::from_millis(moment.offset_ms.unsigned_abs());
        let relation = match moment.offset_ms {
            0 => String::new(),
            1.. => format!("{} after ", seconds(offset)),
            _ => format!("{} before ", seconds(offset)),
        };
        let viewer = viewer.map_or(Perspective::Script, Perspective::Node);
        let mut found = occurrences(self.plan, &moment.event, viewer, &self.trace.events);
        let times: Vec<String> = found.by_ref().take(TIMES).map(|one| format!("{:.3}", one.at.as_secs_f64())).collect();
        let more = found.count();
        let when = match (times.len(), more) {
            (0, _) => "not in this run".to_owned(),
            (_, 0) => format!("in this run at {}", times.join(", ")),
            (_, more) => format!("in this run at {} and {more} times more", times.join(", ")),
        };
        writeln!(out, "      `{}`: {relation}{event}; {when}", moment.text)
    }

    fn event(&self, event: &EventRef, nearest: &str, viewer: Option<NodeId>) -> Option<String> {
        let which = |ordinal: &Ordinal| match ordinal {
            Ordinal::Nearest => nearest,
            Ordinal::First => "the first",
            Ordinal::Second => "the second",
            Ordinal::Third => "the third",
            Ordinal::Last => "the latest",
            Ordinal::Nth(_) => "a certain",
        };
        let before = match viewer {
            Some(_) if nearest == "the latest" => " before what is judged",
            _ => "",
        };
        let on = event.connection().map_or_else(String::new, |one| {
            format!(", on the connection #{} of {}", one.number, self.name(one.client))
        });
        let what = match event {
            EventRef::Start | EventRef::End => return None,
            EventRef::Mark(name) => {
                let line =
                    self.plan.steps.iter().find(|step| matches!(&step.kind, StepKind::Mark(mark) if mark == name));
                format!("the instant that line {} names", line.map_or(0, |step| self.plan.origins.step(step.id).line))
            }
            EventRef::Packet { ordinal, packet, from, to, at, .. } => {
                let what = match packet {
                    PacketKind::Any => "whole packet".to_owned(),
                    PacketKind::Type(packet) => packet.name().to_owned(),
                };
                let from = from.map(|node| format!(" of {}", self.name(node))).unwrap_or_default();
                let to = to.map(|node| format!(" for {}", self.name(node))).unwrap_or_default();
                let sees = at.or(viewer);
                let seen = match (sees, event) {
                    (Some(node), EventRef::Packet { from: Some(from), .. }) if node == *from => {
                        " as it leaves".to_owned()
                    }
                    (Some(node), _) => format!(" as it arrives, seen from {}", self.name(node)),
                    (None, _) => " as it leaves".to_owned(),
                };
                format!("{} {what}{from}{to}{before}{seen}", which(ordinal))
            }
            EventRef::Point { ordinal, point, of, .. } => {
                let what = match point {
                    Point::Open => "opening of a connection",
                    Point::Close => "end of a connection",
                    Point::Crash => "crash",
                    Point::PowerLoss => "power loss",
                    Point::Restart => "restart",
                    Point::Pause => "pause",
                    Point::Resume => "resumption",
                };
                format!("{} {what} of {}{before}", which(ordinal), self.name(*of))
            }
        };
        Some(what + &on)
    }
}
