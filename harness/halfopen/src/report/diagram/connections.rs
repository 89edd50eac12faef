//! Connections as they live and die, and the keep-alive that burns down beside them.

use std::collections::BTreeMap;
use std::time::Duration;

use halfopen_protocol::Packet;

use super::lanes::Lanes;
use super::scene::{Form, Shape, Sign};
use super::{Drawing, short};
use crate::plan::{NodeId, Plan, Program};
use crate::trace::{ConnectionEnd, ConnectionId, EventKind, IndexedConnection, Trace, TraceIndex, Transmission};

/// Width of a bar.
const BAR: i32 = 6;
/// Width of the keep-alive gauge when its time is up.
const FUSE: i32 = 30;
/// Number of bars that stand beside each other before they share a place.
const SIDE_BY_SIDE: usize = 6;

/// One end of a connection, as its node sees it.
#[derive(Clone, Debug)]
struct End {
    connection: ConnectionId,
    node: NodeId,
    peer: NodeId,
    opened: (usize, Duration),
    closed: Option<(usize, Sign)>,
    /// The place beside the lane, from 0.
    place: usize,
    /// Time that the other side may be silent, and when it was not; of a broker.
    limit: Option<Duration>,
    heard: Vec<usize>,
}

/// All ends of all connections.
#[derive(Debug, Default)]
pub(super) struct Connections {
    ends: Vec<End>,
    places: BTreeMap<(ConnectionId, NodeId), usize>,
}

impl Connections {
    pub(super) fn new(plan: &Plan, trace: &Trace, lanes: &Lanes) -> Self {
        let index = TraceIndex::new(plan, &trace.events);
        let ends = index.connections().iter().flat_map(|connection| {
            let ends = connection.nodes.into_iter().zip(connection.ends);
            ends.filter_map(|(node, end)| End::new(plan, trace, connection, node, end))
        });
        let mut ends: Vec<End> = ends.collect();
        ends.sort_by_key(|end| end.opened.0);
        place(&mut ends, trace, lanes);
        let places = (0..).zip(&ends).map(|(place, end)| ((end.connection, end.node), place)).collect();
        Self { ends, places }
    }

    /// Returns where what travels on a connection leaves or reaches a node.
    pub(super) fn x(&self, lanes: &Lanes, connection: ConnectionId, node: NodeId) -> i32 {
        let end = self.places.get(&(connection, node)).map(|place| &self.ends[*place]);
        end.map_or_else(|| lanes.x(node), |end| end.x(lanes) + lanes.side(node, end.peer) * BAR / 2)
    }
}

impl End {
    /// Returns the end, or `None` if the connection never came to this node.
    fn new(
        plan: &Plan,
        trace: &Trace,
        connection: &IndexedConnection,
        node: NodeId,
        end: ConnectionEnd,
    ) -> Option<Self> {
        let opened = end.opened? as usize;
        let closed = end.closed.map(|place| (place as usize, sign(&trace.events[place as usize].kind)));
        let over = closed.map_or(usize::MAX, |(place, _)| place);
        let mut drawn = Self {
            connection: connection.id,
            node,
            peer: connection.peer_of(node),
            opened: (opened, trace.events[opened].at),
            closed,
            place: 0,
            limit: None,
            heard: Vec::new(),
        };
        if let Program::Broker(broker) = &plan.node(node).program {
            let places = connection.events.iter().map(|place| *place as usize);
            for place in places.filter(|place| (opened..over).contains(place)) {
                drawn.hear(place, &trace.events[place].kind, broker.config.keep_alive_factor);
            }
        }
        Some(drawn)
    }

    /// Takes note of a packet at a broker, for the keep-alive.
    fn hear(&mut self, place: usize, kind: &EventKind, factor: f64) {
        // The broker says in CONNACK which keep-alive it grants, if another one than was asked for.
        let granted = match kind {
            EventKind::Received { to, item: Transmission::Packet(packet), .. } if *to == self.node => {
                self.heard.push(place);
                if let Packet::Connect(connect) = &**packet { Some(connect.keep_alive) } else { None }
            }
            EventKind::Sent { from, item, .. } if *from == self.node => match item.packet() {
                Some(Packet::ConnAck(connack)) => connack.server_keep_alive,
                _ => None,
            },
            _ => None,
        };
        if let Some(seconds) = granted {
            let limit = Duration::from_secs(seconds.into()).mul_f64(factor.max(0.0));
            self.limit = (!limit.is_zero()).then_some(limit);
        }
    }

    fn x(&self, lanes: &Lanes) -> i32 {
        let place = i32::try_from(self.place).unwrap_or(0);
        lanes.x(self.node) + lanes.side(self.node, self.peer) * (4 + place * (BAR + 2))
    }
}

/// The sign at the end of a bar.
fn sign(kind: &EventKind) -> Sign {
    match kind {
        EventKind::Sent { item: Transmission::Fin, .. } | EventKind::Received { item: Transmission::Fin, .. } => {
            Sign::Bar
        }
        _ => Sign::Cross,
    }
}

/// Gives each bar a place in which no other stands at the same time.
fn place(ends: &mut [End], trace: &Trace, lanes: &Lanes) {
    // Until when each place on each side of each lane is taken.
    let mut taken: BTreeMap<(i32, i32), [Option<Duration>; SIDE_BY_SIDE]> = BTreeMap::new();
    for end in ends {
        let beside = (lanes.x(end.node), lanes.side(end.node, end.peer));
        let taken = taken.entry(beside).or_default();
        let is_free = |until: &Option<Duration>| until.is_none_or(|until| until < end.opened.1);
        end.place = taken.iter().position(is_free).unwrap_or(SIDE_BY_SIDE);
        if let Some(until) = taken.get_mut(end.place) {
            *until = Some(end.closed.map_or(Duration::MAX, |(closed, _)| trace.events[closed].at));
        }
    }
}

impl Drawing<'_> {
    pub(super) fn connection_bars(&mut self) {
        let connections = std::mem::take(&mut self.connections);
        for end in &connections.ends {
            // What begins and ends in a folded time is not drawn, as what it carries is not.
            let is_hidden = |index: usize| self.hidden.iter().any(|hidden| hidden.events.contains(&index));
            let is_closed_there = end.closed.is_some_and(|(closed, _)| is_hidden(closed));
            // Of many that share a place those are enough that are seen to open.
            let is_one_of_many = end.place == SIDE_BY_SIDE && self.alike.leader(end.opened.0).is_some();
            if is_one_of_many || is_hidden(end.opened.0) && (is_closed_there || end.place == SIDE_BY_SIDE) {
                continue;
            }
            self.keep_alive_gauge(end);
            self.bar(end);
        }
        self.connections = connections;
    }

    fn bar(&mut self, end: &End) {
        let x = end.x(&self.lanes);
        let y = self.y(end.opened.0);
        let y2 = end.closed.map_or_else(|| self.rows.y(self.trace.end, 0), |(closed, _)| self.y(closed));
        let class = format!("bar c{}", end.connection.0 % 6);
        let title = format!(
            "connection {} at {}, with {}",
            end.connection.0,
            self.plan.node(end.node).name,
            self.plan.node(end.peer).name
        );
        let form = Form::Rect { x: x - BAR / 2, y, w: BAR, y2: y2.max(y + 2) };
        self.shapes.push(Shape::new(class, form).of(end.opened.0).titled(title));
        let sign = |y: i32, sign: Sign| Form::Sign { x, y, dy: 0, sign };
        self.shapes.push(Shape::new("opened", sign(y, Sign::Dot)).of(end.opened.0));
        if let Some((closed, how)) = end.closed {
            self.shapes.push(Shape::new("closed", sign(y2, how)).of(closed));
        }
    }

    /// The keep-alive: a saw that each packet pushes back, and the dashed line at which its time is up.
    fn keep_alive_gauge(&mut self, end: &End) {
        let (Some(limit), Some(first)) = (end.limit, end.heard.first()) else { return };
        let side = self.lanes.side(end.node, end.peer);
        let x = end.x(&self.lanes) + side * BAR / 2;
        let last = end.closed.map_or(self.trace.events.len(), |(closed, _)| closed);
        let over = self.trace.events.get(last).map_or(self.trace.end, |event| event.at);
        let mut turns: Vec<usize> = end.heard.clone();
        turns.push(last);
        for pair in turns.windows(2) {
            let [from, to] = [pair[0], pair[1]];
            let is_hidden = self.hidden.iter().any(|hidden| hidden.events.contains(&to));
            let begin = self.trace.events[from].at;
            let until = self.trace.events.get(to).map_or(over, |event| event.at);
            if is_hidden || until == begin {
                continue;
            }
            let used = until - begin;
            let share = (used.as_secs_f64() / limit.as_secs_f64()).min(1.0);
            let reach = x + side * (f64::from(FUSE) * share).round() as i32;
            let (y, y2) = (self.y(from), self.y(to));
            let is_up = used >= limit && to == last && end.closed.is_some();
            let class = if is_up { "fuse up" } else { "fuse" };
            let form = Form::Poly { points: vec![(x, y), (reach, y2), (x, y2)] };
            let title = format!("keep-alive: {} of {} s used", short(used), short(limit));
            self.shapes.push(Shape::new(class, form).of(from).titled(title));
        }
        let form = Form::Line { x: x + side * FUSE, y: self.y(*first), x2: x + side * FUSE, y2: self.y(last) };
        let title = format!("deadline: {} s after the last packet", short(limit));
        self.shapes.push(Shape::new("deadline", form).titled(title));
    }
}
