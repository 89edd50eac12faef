//! [MQTT-3.1.2-24] (3.1.1), [MQTT-3.1.2-22] (5.0): a client that is silent for 1.5 times its keep-alive is closed, at that
//! instant, and nobody is closed for silence before. What arrives at that very instant is in time. The factor is the
//! node's, if it says that it has another.

use std::time::Duration;

use halfopen_protocol::Instant;

use super::index::{ConnectionEnd, EndId, Fact};
use super::report::{Breach, Report};
use super::table::Table;
use super::{Context, Rule, shown};
use crate::plan::{Because, Invariant, Program};

#[derive(Default)]
pub(super) struct BrokerDeadline {
    clients: Table<Heard>,
}

/// The times at which a client was heard.
struct Heard {
    last: Duration,
    /// The first packet that came too late, and the one before it.
    late: Option<Box<(Duration, Duration)>>,
}

impl Rule for BrokerDeadline {
    fn observe(&mut self, fact: &Fact<'_>, context: &Context<'_>, _report: &mut Report) {
        let Fact::Packet(seen) = fact else { return };
        let end = context.index.end(seen.end);
        if seen.is_sent || !end.is_broker {
            return;
        }
        let heard = self.clients.get_or_insert_with(seen.end, || Heard { last: seen.at, late: None });
        if let Some(limit) = limit(end, context)
            && seen.at > heard.last + limit + context.plan.tolerance
        {
            heard.late.get_or_insert_with(|| Box::new((heard.last, seen.at)));
        }
        heard.last = seen.at;
    }

    fn finish(&mut self, run_end: Duration, context: &Context<'_>, report: &mut Report) {
        for (id, end) in context.index.ends().filter(|(_, end)| end.is_broker) {
            if let Some(breach) = self.breach(id, end, run_end, context) {
                report.breach(Invariant::BrokerKeepsItsDeadline, breach);
            }
        }
    }
}

impl BrokerDeadline {
    fn breach(&self, id: EndId, end: &ConnectionEnd, run_end: Duration, context: &Context<'_>) -> Option<Breach> {
        let closes = || format!("{} closes {}", context.name(end.node), end.client_id());
        let over = end.ended.map_or(run_end, Instant::since_origin);
        let says_silence = end.closing == Some(Because::KeepAlive);
        if says_silence && end.over.is_none() && !end.died {
            return Some(Breach::new(closes(), format!("it only says so, at {}", shown(over))));
        }
        let Some(limit) = limit(end, context) else {
            return says_silence
                .then(|| Breach::new(format!("never: {}", closes()), format!("closed at {}", shown(over))));
        };
        let heard = self.clients.get(id)?;
        let tolerance = context.plan.tolerance;
        let is_late = over > heard.last + limit + tolerance;
        let is_early = says_silence && over + tolerance < heard.last + limit;
        let (last, next) = heard.late.as_deref().copied().or((is_late || is_early).then_some((heard.last, over)))?;
        let is_closed = next == over && end.ended.is_some();
        let actual = format!("{} at {}", if is_closed { "closed" } else { "it was still open" }, shown(next));
        let expected = format!("{} at {} ({} after its last packet)", closes(), shown(last + limit), shown(limit));
        Some(Breach::new(expected, actual))
    }
}

fn limit(end: &ConnectionEnd, context: &Context<'_>) -> Option<Duration> {
    let Program::Broker(broker) = &context.plan.node(end.node).program else { return None };
    let keep_alive = end.keep_alive()?;
    Some(Duration::from_millis((keep_alive.as_millis() as f64 * broker.config.keep_alive_factor).round() as u64))
}
