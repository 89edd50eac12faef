//! A trace as text, made to be read, compared and searched.
//!
//! ```text
//! keep_alive/silent_client[5.0] seed=1
//!     0.000  start
//!            +0.000    10  sensor   -> broker    open
//!            +0.020    10  sensor   -> broker    CONNECT     client_id=sensor keep_alive=5
//!            +0.030    10  broker   -> sensor    CONNACK
//!     0.040  sensor: stop_pinging
//!            +7.490        broker   closes sensor            keep_alive: 7.500 since CONNECT, margin 0
//! ```
//!
//! Steps are headings with the absolute time; what follows is timed from its heading, so an earlier step that takes
//! longer changes headings and not every line. Next comes the travel time in ms, or `lost`, or `held` for what was
//! still under way when the run ended: one line a packet, at its departure. Widths are fixed: a longer name spoils its
//! own line only. The sender stands first: one pattern finds all that a node said. Not printed: fields at their
//! default, ports, sequence numbers, ids of connections. What repeats three times or more is folded, and so is what
//! three or more members of a group do under one heading:
//!
//! ```text
//!            +0.020    10  fleet.*  -> broker    CONNECT     client_id=fleet.*  ×60, the last at +0.079
//! ```

mod fold;
mod line;
mod members;
mod value;

use std::fmt::Write as _;
use std::time::Duration;

use self::fold::{Block, fold};
use self::line::{Line, lines};
pub use self::line::{details, item_word, since_text};
pub use self::value::field_text;
use super::Trace;
use crate::Plan;

/// The column at which details begin, and the note of how often something repeats.
const DETAILS: usize = 59;

/// The longest line behind which the braces of all lines of a repetition are set; behind a longer one its own is.
const WIDEST: usize = 120;

/// The name of the run and its trace, one line each.
pub fn text(plan: &Plan, trace: &Trace) -> String {
    let lines = members::fold(plan, lines(plan, trace));
    let mut text = format!("{} seed={}\n", plan.run, plan.seed.0);
    let mut base = Base { at: Duration::ZERO, heading: "start" };
    if lines.first().is_none_or(|line| !line.is_heading) {
        heading(&mut text, base.at, base.heading);
    }
    for block in fold(&lines) {
        base.write(&mut text, &lines, block);
    }
    text
}

/// A line of the text of a trace, before lines are folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceLine {
    /// The index of its event in the trace.
    pub event: usize,
    /// Time of the event since the start of the run.
    pub at: Duration,
    /// The text behind the time.
    pub text: String,
}

/// Returns all lines of the text of a trace, of which none is folded.
pub fn trace_lines(plan: &Plan, trace: &Trace) -> Vec<TraceLine> {
    let line = |line: Line| TraceLine { event: line.event, at: line.at, text: line.text };
    lines(plan, trace).into_iter().map(line).collect()
}

/// Repeated lines of a trace that are shown once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repetition {
    /// The events that are not shown: from the second time on to before the last.
    pub hidden: std::ops::Range<usize>,
    /// Start of the second repetition.
    pub second: Duration,
    /// Start of the last repetition.
    pub last: Duration,
    /// Number of repetitions.
    pub times: usize,
    /// The time from one to the next.
    pub period: Duration,
}

/// Returns all that the text folds, in order.
pub fn repetitions(plan: &Plan, trace: &Trace) -> Vec<Repetition> {
    let lines = lines(plan, trace);
    let folded = fold(&lines).into_iter().filter(|block| block.times > 1);
    folded
        .map(|block| Repetition {
            hidden: lines[block.start + block.len].event..lines[block.start + block.len * (block.times - 1)].event,
            second: lines[block.start + block.len].at,
            last: lines[block.start + block.len * (block.times - 1)].at,
            times: block.times,
            period: block.period,
        })
        .collect()
}

/// The event that relative times count from.
struct Base<'a> {
    at: Duration,
    heading: &'a str,
}

impl<'a> Base<'a> {
    fn write(&mut self, text: &mut String, lines: &'a [Line], block: Block) {
        let first = &lines[block.start..block.start + block.len];
        let widths = first.iter().map(|line| line.text.chars().count());
        let width = widths.filter(|width| 17 + width + 2 <= WIDEST).max().unwrap_or(0);
        for (place, line) in first.iter().enumerate() {
            if line.is_heading {
                *self = Base { at: line.at, heading: &line.text };
            }
            let mut shown = if line.is_heading {
                format!("{:>9.3}  {}", line.at.as_secs_f64(), line.text)
            } else {
                format!("{:>17}{}", self.since(line.at), line.text)
            };
            if let Some(members) = &line.members {
                let missing = DETAILS.saturating_sub(shown.chars().count()).max(2);
                let _ = write!(shown, "{:missing$}{}", "", members.text());
                if !members.span.is_zero() {
                    let _ = write!(shown, ", the last at {}", self.since(line.at + members.span));
                }
            }
            if block.times > 1 {
                // Headings stand left of the other lines: the brace goes where those have it.
                let column = (17 + width + 2).max(DETAILS);
                let missing = column.saturating_sub(shown.chars().count()).max(2);
                let _ = write!(shown, "{:missing$}}}", "");
                if place == 0 {
                    let _ = write!(shown, " {}", self.repeated(lines, &block));
                }
            }
            text.push_str(shown.trim_end());
            text.push('\n');
        }
        if block.times > 1 && first.iter().any(|line| line.is_heading) {
            self.resume(text, lines, &block);
        }
    }

    /// Prints the heading again behind a folded one: what follows belongs to its last repetition, which is not shown.
    fn resume(&mut self, text: &mut String, lines: &'a [Line], block: &Block) {
        let end = block.start + block.len * block.times;
        let last = lines[end - block.len..end].iter().rev().find(|line| line.is_heading);
        if let Some(last) = last {
            *self = Base { at: last.at, heading: &last.text };
            if lines.get(end).is_some_and(|next| !next.is_heading) {
                heading(text, self.at, self.heading);
            }
        }
    }

    /// "360 times every 10.000, the last at +3599.980".
    fn repeated(&self, lines: &[Line], block: &Block) -> String {
        let last = &lines[block.start + block.len * (block.times - 1)];
        let first = &lines[block.start];
        let at = if first.is_heading { format!("{:.3}", last.at.as_secs_f64()) } else { self.since(last.at) };
        match block.period {
            Duration::ZERO => format!("{} times", block.times),
            period => format!("{} times every {:.3}, the last at {at}", block.times, period.as_secs_f64()),
        }
    }

    fn since(&self, at: Duration) -> String {
        format!("+{:.3}", at.saturating_sub(self.at).as_secs_f64())
    }
}

fn heading(text: &mut String, at: Duration, heading: &str) {
    let _ = writeln!(text, "{:>9.3}  {heading}", at.as_secs_f64());
}

#[cfg(test)]
mod tests;
