use std::collections::BTreeMap;

use super::Timeline;
use crate::plan::{CountRange, Holding, NodeId};
use crate::trace::{Event, EventKind, Held, SessionState};

/// Returns what a broker holds over time, as it reports itself. The end of its process ends all of it.
pub(super) fn timeline<'a>(holding: &Holding, node: NodeId, events: impl IntoIterator<Item = &'a Event>) -> Timeline {
    let mut known = Known::default();
    let mut timeline = Timeline::new(known.matches(holding), known.text(holding));
    for event in events {
        match &event.kind {
            EventKind::Holds { node: at, held } if *at == node => known.note(held),
            EventKind::Node { node: at, change } if change.ends_process() && *at == node => {
                known = Known::default();
            }
            _ => continue,
        }
        timeline.change(event.at, known.matches(holding), known.text(holding));
    }
    timeline
}

/// The known content of a broker's memory.
#[derive(Default)]
struct Known {
    sessions: BTreeMap<String, SessionState>,
    retained: u64,
}

impl Known {
    fn note(&mut self, held: &Held) {
        match held {
            Held::Session(client_id, Some(state)) => drop(self.sessions.insert(client_id.clone(), *state)),
            Held::Session(client_id, None) => drop(self.sessions.remove(client_id)),
            Held::Retained(count) => self.retained = *count,
        }
    }

    fn matches(&self, holding: &Holding) -> bool {
        let fits = |range: Option<CountRange>, number| range.is_none_or(|range| range.contains(number));
        let session = holding.session.as_ref().map(|client_id| self.sessions.get(client_id));
        fits(holding.retained, self.retained)
            && session.is_none_or(|session| {
                session.is_some_and(|state| {
                    fits(holding.subscriptions, state.subscriptions)
                        && fits(holding.queued, state.queued)
                        && fits(holding.in_flight, state.in_flight)
                        && holding.will.is_none_or(|will| will == state.has_will)
                })
            })
    }

    /// "holding a session of dev, subscriptions 2, queued 0, in_flight 0, will false; retained 1".
    fn text(&self, holding: &Holding) -> String {
        let session = holding.session.as_ref().map(|client_id| match self.sessions.get(client_id) {
            None => format!("no session of {client_id}"),
            Some(state) => format!(
                "a session of {client_id}, subscriptions {}, queued {}, in_flight {}, will {}",
                state.subscriptions, state.queued, state.in_flight, state.has_will
            ),
        });
        let retained = holding.retained.map(|_| format!("retained {}", self.retained));
        let parts: Vec<String> = session.into_iter().chain(retained).collect();
        format!("holding {}", parts.join("; "))
    }
}

/// Returns the text in the scenario, on one line.
pub(super) fn text(holding: &Holding) -> String {
    let mut parts: Vec<String> = holding.session.iter().map(|session| format!("session: {session}")).collect();
    let numbers = [
        ("subscriptions", holding.subscriptions),
        ("queued", holding.queued),
        ("in_flight", holding.in_flight),
        ("retained", holding.retained),
    ];
    for (name, range) in numbers {
        parts.extend(range.map(|range| format!("{name}: {}", range_text(range))));
    }
    parts.extend(holding.will.map(|will| format!("will: {will}")));
    format!("{{ {} }}", parts.join(", "))
}

fn range_text(range: CountRange) -> String {
    match (range.min, range.max) {
        (min, Some(max)) if min == max => min.to_string(),
        (0, Some(max)) => format!("..{max}"),
        (min, Some(max)) => format!("{min}..{max}"),
        (min, None) => format!("{min}.."),
    }
}
