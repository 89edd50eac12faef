//! What of a trace is drawn: all of it, except for what repeats and what is too much.

use std::ops::Range;
use std::time::Duration;

use crate::plan::Plan;
use crate::trace::{EventKind, Trace, repetitions};

/// Number of events that are drawn at most: the first half and the last half of these.
const DRAWN: usize = 600;

/// A part of a trace that is not drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hidden {
    /// The events.
    pub(super) events: Range<usize>,
    /// Time at which it begins.
    pub(super) from: Duration,
    /// Time at which it is over.
    pub(super) to: Duration,
    /// The text in its place.
    pub(super) note: String,
}

/// Returns all that is not drawn, in order.
pub(super) fn hidden(plan: &Plan, trace: &Trace) -> Vec<Hidden> {
    let repeated = repetitions(plan, trace).into_iter().filter(|repetition| !repetition.period.is_zero());
    let mut hidden: Vec<Hidden> = repeated
        .map(|repetition| Hidden {
            note: format!(
                "{} more like this, one every {} s, until {:.3}",
                repetition.times - 2,
                short(repetition.period),
                repetition.last.as_secs_f64()
            ),
            events: repetition.hidden,
            from: repetition.second,
            to: repetition.last,
        })
        .collect();
    hidden.extend(too_much(trace, &hidden));
    hidden
}

/// The middle of a trace that has more than can be drawn even so.
fn too_much(trace: &Trace, hidden: &[Hidden]) -> Option<Hidden> {
    let is_hidden = |index: usize| hidden.iter().any(|hidden| hidden.events.contains(&index));
    let drawn = |(index, event): (usize, &crate::trace::Event)| {
        let counts = matches!(event.kind, EventKind::Sent { .. } | EventKind::Step { .. } | EventKind::Closing { .. });
        (counts && !is_hidden(index)).then_some(index)
    };
    if trace.events.len() <= DRAWN {
        return None;
    }
    let drawn: Vec<usize> = trace.events.iter().enumerate().filter_map(drawn).collect();
    if drawn.len() <= DRAWN {
        return None;
    }
    let events = drawn[DRAWN / 2]..drawn[drawn.len() - DRAWN / 2];
    let note = format!("{} more events, too many to draw; the trace has them", events.len());
    Some(Hidden { from: trace.events[events.start].at, to: trace.events[events.end].at, events, note })
}

/// Seconds, with decimals only if there are any.
pub(super) fn short(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => duration.as_secs().to_string(),
        _ => format!("{:.3}", duration.as_secs_f64()),
    }
}

/// A time in the largest units that it has: `18 h 12 min`, `7.490 s`.
pub(super) fn long(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, _) => format!("{} s", short(duration)),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}
