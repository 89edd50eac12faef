//! What planners of a fleet ask of a run: how much happens in a second, and how long it takes until all are connected
//! again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::plan::{Because, NodeId, Plan, Program};
use crate::trace::{Event, EventKind, Trace, Transmission};

/// Number of clients above which a run is about a fleet.
const FLEET: usize = 50;

/// Maximum number of columns that are drawn: a long run has several seconds in each.
const COLUMNS: u64 = 200;

/// The load that a fleet puts on its brokers and networks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Number of clients.
    pub clients: usize,
    /// The second in which the most packets were sent, by all nodes together.
    pub packets: Peak,
    /// The second in which the most connections were begun, those that were refused included.
    pub connections: Peak,
    /// The longest time in which not all clients that wanted to be were connected, after they had been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage: Option<Outage>,
    /// The load over time.
    pub columns: Vec<Column>,
}

/// The second in which the most of something happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peak {
    /// The count.
    pub count: u64,
    /// The second, counted from 0 at the start of the run.
    pub second: u64,
}

/// A time in which not all clients were connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// Time at which the first connection was lost, in milliseconds since the start of the run.
    pub from_ms: u64,
    /// The time at which all were connected again; `None` if they were not before the run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<u64>,
}

/// The counts of one or more seconds of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The first of the seconds.
    pub second: u64,
    /// The most packets in one of them.
    pub packets: u64,
    /// The most beginnings of connections in one of them.
    pub connections: u64,
    /// The fewest clients that were connected at the end of one of them.
    pub connected: usize,
}

impl Load {
    /// Measures a run, if it is about a fleet.
    pub fn of(plan: &Plan, trace: &Trace) -> Option<Self> {
        let mut meter = Meter::of(plan)?;
        trace.events.iter().for_each(|event| meter.event(event));
        Some(meter.finish(trace.end))
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clients, packets, connections, outage, .. } = self;
        write!(
            f,
            "{clients} clients: at most {} packets (at {} s) and {} new connections (at {} s) in a second",
            packets.count, packets.second, connections.count, connections.second
        )?;
        let seconds = |ms: u64| Duration::from_millis(ms).as_secs_f64();
        match outage {
            Some(Outage { from_ms, to_ms: Some(to_ms) }) => {
                let (from, lasted) = (seconds(*from_ms), seconds(to_ms - from_ms));
                write!(f, "; all connected again {lasted:.3} after the first was lost at {from:.3}")
            }
            Some(Outage { from_ms, to_ms: None }) => {
                write!(f, "; not all connected from {:.3} until the end", seconds(*from_ms))
            }
            None => Ok(()),
        }
    }
}

/// Measures a run event by event.
pub(crate) struct Meter {
    is_client: Vec<bool>,
    clients: usize,
    seconds: BTreeMap<u64, Second>,
    connected: BTreeSet<NodeId>,
    /// Clients that were connected, have lost their connection, and want another one.
    lost: BTreeSet<NodeId>,
    lost_since: Option<Duration>,
    outage: Option<(Duration, Option<Duration>)>,
}

#[derive(Clone, Copy, Default)]
struct Second {
    packets: u64,
    connections: u64,
    connected: usize,
}

impl Meter {
    /// Begins to measure a run, if it is about a fleet.
    pub(crate) fn of(plan: &Plan) -> Option<Self> {
        let is_client: Vec<bool> = plan.nodes.iter().map(|node| matches!(node.program, Program::Client(_))).collect();
        let clients = is_client.iter().filter(|is_client| **is_client).count();
        (clients >= FLEET).then(|| Self {
            is_client,
            clients,
            seconds: BTreeMap::new(),
            connected: BTreeSet::new(),
            lost: BTreeSet::new(),
            lost_since: None,
            outage: None,
        })
    }

    /// Takes note of the next event.
    pub(crate) fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Sent { from, item, .. } => {
                match item {
                    Transmission::Packet(_) => self.second(event.at).packets += 1,
                    Transmission::Open => self.second(event.at).connections += 1,
                    _ => {}
                }
                if item.close().is_some() {
                    self.lose(event.at, *from);
                }
            }
            EventKind::Received { to, item, .. } if item.close().is_some() => self.lose(event.at, *to),
            EventKind::Connected { node, .. } => self.connect(event.at, *node),
            EventKind::Closing { node, because: Because::Asked, .. } => self.leave(event.at, *node),
            EventKind::Closing { node, .. } => self.lose(event.at, *node),
            EventKind::Node { node, change } if change.ends_process() => self.leave(event.at, *node),
            _ => {}
        }
    }

    fn second(&mut self, at: Duration) -> &mut Second {
        let connected = self.connected.len();
        self.seconds.entry(at.as_secs()).or_insert(Second { connected, ..Second::default() })
    }

    fn connect(&mut self, at: Duration, node: NodeId) {
        self.connected.insert(node);
        self.lost.remove(&node);
        self.count(at);
    }

    /// A node sees the end of a connection.
    fn lose(&mut self, at: Duration, node: NodeId) {
        if self.is_client[node.0] && self.connected.remove(&node) {
            self.lost.insert(node);
            self.count(at);
        }
    }

    /// A client wants no connection any more, or cannot want one.
    fn leave(&mut self, at: Duration, node: NodeId) {
        if self.is_client[node.0] {
            self.connected.remove(&node);
            self.lost.remove(&node);
            self.count(at);
        }
    }

    fn count(&mut self, at: Duration) {
        let connected = self.connected.len();
        self.second(at).connected = connected;
        match (self.lost_since, self.lost.is_empty()) {
            (None, false) => self.lost_since = Some(at),
            (Some(since), true) => {
                self.lost_since = None;
                self.note(since, Some(at), at);
            }
            _ => {}
        }
    }

    /// Keeps the longest outage.
    fn note(&mut self, since: Duration, until: Option<Duration>, now: Duration) {
        let longest = self.outage.map_or(Duration::ZERO, |(from, to)| to.unwrap_or(now) - from);
        if now - since > longest {
            self.outage = Some((since, until));
        }
    }

    /// Ends the run at this time.
    pub(crate) fn finish(mut self, end: Duration) -> Load {
        if let Some(since) = self.lost_since {
            self.note(since, None, end);
        }
        let peak = |of: fn(&Second) -> u64| {
            let mut peak = Peak::default();
            for (second, load) in &self.seconds {
                if of(load) > peak.count {
                    peak = Peak { count: of(load), second: *second };
                }
            }
            peak
        };
        Load {
            clients: self.clients,
            packets: peak(|second| second.packets),
            connections: peak(|second| second.connections),
            outage: self.outage.map(|(from, to)| Outage { from_ms: ms(from), to_ms: to.map(ms) }),
            columns: columns(&self.seconds, end),
        }
    }
}

/// The load over time, in at most [`COLUMNS`] columns.
fn columns(seconds: &BTreeMap<u64, Second>, end: Duration) -> Vec<Column> {
    let width = (end.as_secs() + 1).div_ceil(COLUMNS);
    let mut connected = 0;
    let column = |number: u64| {
        let first = number * width;
        let mut column = Column { second: first, packets: 0, connections: 0, connected };
        let mut is_first = true;
        for (_, load) in seconds.range(first..first + width) {
            connected = load.connected;
            column.packets = column.packets.max(load.packets);
            column.connections = column.connections.max(load.connections);
            column.connected = if is_first { connected } else { column.connected.min(connected) };
            is_first = false;
        }
        column
    };
    (0..(end.as_secs() + 1).div_ceil(width)).map(column).collect()
}

/// Returns whole milliseconds.
pub(crate) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{ClientProgram, ClientSettings, Node, NodeFault};
    use crate::trace::fixture::{BROKER, SENSOR, TraceBuilder, connect, plan};

    /// A run of a fleet in which only the first client is seen.
    fn fleet() -> Plan {
        let mut plan = plan();
        let program = Program::Client(ClientProgram::new(ClientSettings::new(plan.version, "sensor"), BROKER));
        plan.nodes.truncate(1);
        plan.nodes.resize(FLEET + 1, Node::new("sensor", program));
        plan
    }

    fn connected(story: &mut TraceBuilder, at: u64, connection: u32) {
        story.at(at).connect(connection, SENSOR, connect("sensor", 5));
        story.event(EventKind::Connected { node: SENSOR, session_present: false });
    }

    fn load(story: &mut TraceBuilder) -> Load {
        Load::of(&fleet(), &story.end(60_000)).expect("there are enough clients")
    }

    #[test]
    fn few_clients_are_no_fleet() {
        assert_eq!(Load::of(&plan(), &TraceBuilder::new().end(1000)), None);
    }

    #[test]
    fn outage_lasts_until_all_are_connected_again() {
        let mut story = TraceBuilder::new();
        connected(&mut story, 0, 0);
        story.at(10_000).item(0, BROKER, SENSOR, Transmission::Fin);
        connected(&mut story, 12_500, 1);
        let load = load(&mut story);
        assert_eq!(load.outage, Some(Outage { from_ms: 10_010, to_ms: Some(12_540) }));
        assert_eq!((load.connections.count, load.connections.second), (1, 0));
        let connected =
            |second: u64| load.columns.iter().rfind(|column| column.second <= second).map(|it| it.connected);
        assert_eq!([5, 10, 11, 12].map(connected), [1, 0, 0, 1].map(Some));
    }

    #[test]
    fn outage_may_outlast_the_run() {
        let mut story = TraceBuilder::new();
        connected(&mut story, 0, 0);
        story.at(10_000).item(0, BROKER, SENSOR, Transmission::Rst);
        assert_eq!(load(&mut story).outage, Some(Outage { from_ms: 10_010, to_ms: None }));
    }

    #[test]
    fn client_that_has_no_power_is_not_waited_for() {
        let mut story = TraceBuilder::new();
        connected(&mut story, 0, 0);
        story.at(10_000).change(SENSOR, NodeFault::PowerLoss);
        assert_eq!(load(&mut story).outage, None);
    }
}
