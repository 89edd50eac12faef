//! What is over before it begins: steps that wait for a time that is past, and what comes after the end of the run.

use std::time::Duration;

use super::Lower;
use crate::Scenario;
use crate::ast::{Place, StepKind as NodeKind, StepWord, Steps, value_of};
use crate::error::Span;
use crate::plan::{EventRef, Expectation, Moment, Position, Step, StepKind, Timing};
use crate::time;

/// Reports each `at` that is over by the time the story reaches it, as far as waiting alone tells.
pub(super) fn times(lower: &Lower<'_>, scenario: &Scenario, steps: &[Step]) {
    let mut elapsed = Duration::ZERO;
    for step in steps {
        if let StepKind::At(moment) = &step.kind
            && moment.event == EventRef::Start
        {
            let at = milliseconds(moment.offset_ms);
            if at < elapsed
                && let Some(place) = place_of(lower, scenario, lower.origins.borrow().step(step.id))
            {
                let (at, elapsed) = (time::format(at), time::format(elapsed));
                lower.error(
                    &place,
                    format!(
                        "{at} is over by then: the steps before end at {elapsed} or later; `wait` goes on from there"
                    ),
                );
            }
        }
        elapsed = elapsed_after(elapsed, step);
    }
}

/// The place of the moment of an `at` that begins at a position.
fn place_of(lower: &Lower<'_>, scenario: &Scenario, position: Position) -> Option<Place> {
    let stories = scenario.parts.iter().map(|fragment| &fragment.steps).chain([&scenario.file.steps]);
    let find = |steps: &Steps| {
        steps.0.iter().find_map(|step| {
            let step = step.literal().filter(|step| step.head.span.start == position)?;
            match &step.kind {
                NodeKind::Word(StepWord::At(moment)) => Some(moment.get(lower.env)?.place.clone()),
                _ => None,
            }
        })
    };
    stories.filter_map(|steps| value_of(steps)?.literal()).find_map(find)
}

/// Reports what comes after the end of the run, as far as times alone tell.
pub(super) fn end(lower: &Lower<'_>, until: &Moment, steps: &[Step], expectations: &[(Expectation, Option<Place>)]) {
    if until.event != EventRef::Start || until.offset_ms < 0 {
        return;
    }
    let end = milliseconds(until.offset_ms);
    let after = |at: Duration| {
        let (end, at) = (time::format(end), time::format(at));
        format!("the run is over before: it ends at {end} (`until`), and this comes at {at} or later")
    };
    let mut elapsed = Duration::ZERO;
    for step in steps {
        if elapsed > end {
            let start = lower.origins.borrow().step(step.id);
            let next = Position { column: start.column + 1, ..start };
            lower.diagnostics().push(Span { start, end: next }, after(elapsed), None);
            break;
        }
        elapsed = elapsed_after(elapsed, step);
    }
    for (expectation, place) in expectations {
        let begin = match &expectation.timing {
            Some(Timing::At(moment) | Timing::NotBefore(moment) | Timing::Between(moment, _)) => moment,
            Some(Timing::Within { after, .. }) => after,
            None => continue,
        };
        let at = milliseconds(begin.offset_ms);
        if begin.event == EventRef::Start
            && at > end
            && let Some(place) = place
        {
            lower.error(place, after(at));
        }
    }
}

fn milliseconds(offset: i64) -> Duration {
    Duration::from_millis(u64::try_from(offset).unwrap_or_default())
}

/// The earliest time at which a step is over.
fn elapsed_after(elapsed: Duration, step: &Step) -> Duration {
    match &step.kind {
        StepKind::Wait(duration) => elapsed.saturating_add(*duration),
        StepKind::At(moment) if moment.event == EventRef::Start => elapsed.max(milliseconds(moment.offset_ms)),
        StepKind::Repeat { times, steps } => {
            let once = steps.iter().fold(Duration::ZERO, |elapsed, step| match &step.kind {
                StepKind::Wait(duration) => elapsed.saturating_add(*duration),
                _ => elapsed,
            });
            elapsed.saturating_add(once.saturating_mul(u32::try_from(*times).unwrap_or(u32::MAX)))
        }
        _ => elapsed,
    }
}
