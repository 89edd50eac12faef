use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use halfopen_protocol::Rare;

use crate::plan::{Action, Command, EventRef, NodeId, NthConnection, Plan, Step, StepKind};
use crate::trace::find::{Awaited, Occurred};
use crate::trace::{ConnectionIndex, Event, EventKind, RunObserver, Transmission};

/// The events that steps wait for or may wait for, taken as they happen. The trace itself is not needed.
///
/// The events of the run stand here by the node whose steps wait for them, so that no wait looks at the events of
/// others, and go once no wait can ask for them any more. Those of a node for which nothing waits are not kept.
pub(super) struct Inboxes {
    nodes: Vec<Inbox>,
    /// The nodes of the latest events that are kept, in the order of the events.
    latest: Vec<NodeId>,
    /// The number of events before those in `latest`.
    before: usize,
    /// The moments of the plan that steps wait for.
    occurred: Vec<Occurred>,
    /// The connections that have been opened, if a step names one.
    opened: Option<ConnectionIndex>,
}

/// The events of one node.
#[derive(Default)]
struct Inbox {
    /// The number of events that were kept and have gone.
    gone: usize,
    /// The number of waits for something that happens at this node.
    waits: u32,
    /// An idle node holds no buffer: there may be a million of them.
    events: Rare<VecDeque<Event>>,
    /// True if a step may `receive` what came before it began.
    is_read_later: bool,
}

/// The inboxes of a run, which the recorder fills and the script reads.
pub(super) type SharedInboxes = Rc<RefCell<Inboxes>>;

impl Inboxes {
    /// Creates the inboxes of the nodes of a plan.
    pub(super) fn new(plan: &Plan) -> Self {
        let mut inboxes = Self {
            nodes: plan.nodes.iter().map(|_| Inbox::default()).collect(),
            latest: Vec::new(),
            before: 0,
            occurred: Vec::new(),
            opened: None,
        };
        inboxes.look_for(plan, plan.until.as_ref().map(|moment| &moment.event));
        inboxes.prepare(plan, &plan.steps);
        inboxes
    }

    /// Looks for what these steps may wait for from the start of the run on.
    fn prepare(&mut self, plan: &Plan, steps: &[Step]) {
        for step in steps {
            match &step.kind {
                StepKind::At(moment) => self.look_for(plan, Some(&moment.event)),
                StepKind::Every { until, steps, .. } => {
                    self.look_for(plan, until.as_ref().map(|moment| &moment.event));
                    self.prepare(plan, steps);
                }
                StepKind::Whenever { event, steps, .. } => {
                    self.look_for(plan, Some(&event.event));
                    self.prepare(plan, steps);
                }
                StepKind::Repeat { steps, .. } => self.prepare(plan, steps),
                StepKind::Node { nodes, actions } => {
                    let receives = |action: &Action| matches!(action.command(), Some(Command::Receive(_)));
                    if actions.iter().any(receives) {
                        nodes.iter().for_each(|node| self.nodes[node.0].is_read_later = true);
                    }
                    if actions.iter().any(names_connection) {
                        self.opened.get_or_insert_default();
                    }
                }
                StepKind::Wait(_) | StepKind::Mark(_) | StepKind::Network(_) => {}
            }
        }
    }

    /// Begins to keep the events of a node, for one wait more.
    pub(super) fn begin_wait(&mut self, node: NodeId) {
        self.nodes[node.0].waits += 1;
    }

    /// Takes note that one wait for events of a node is over.
    pub(super) fn end_wait(&mut self, node: NodeId) {
        self.nodes[node.0].waits -= 1;
    }

    fn look_for(&mut self, plan: &Plan, event: Option<&EventRef>) {
        if let Some(event) = event.filter(|event| self.occurred(event).is_none()) {
            self.occurred.push(Occurred::new(plan, event));
        }
    }

    /// Returns when an event of a step has occurred so far.
    fn occurred(&self, event: &EventRef) -> Option<&Occurred> {
        self.occurred.iter().find(|occurred| occurred.is_of(event))
    }

    /// Begins to wait for an event of a step.
    pub(super) fn wait_for(&self, event: &EventRef) -> Option<Awaited> {
        self.occurred(event).map(|occurred| Awaited::new(event, occurred))
    }

    /// Returns when the event was that is waited for, once it has come.
    pub(super) fn time(&self, event: &EventRef, awaited: &Awaited) -> Option<std::time::Duration> {
        self.occurred(event).and_then(|occurred| awaited.time(occurred))
    }

    /// Returns an event of a node by its number among the node's events.
    pub(super) fn event(&self, node: NodeId, number: usize) -> Option<&Event> {
        let inbox = &self.nodes[node.0];
        number.checked_sub(inbox.gone).and_then(|place| inbox.events.get(place))
    }

    /// Returns whether an event may count where only what happens on one of these connections does; any does if there are
    /// none.
    pub(super) fn is_on(&self, event: &Event, on: &[NthConnection]) -> bool {
        self.opened.as_ref().is_none_or(|opened| opened.is_on(event, on))
    }

    /// Returns the number of events of a node that were kept.
    pub(super) fn len(&self, node: NodeId) -> usize {
        let inbox = &self.nodes[node.0];
        inbox.gone + inbox.events.len()
    }

    /// Returns the nodes of the kept events after the given number of these, and the number of all.
    pub(super) fn nodes_since(&self, seen: usize) -> (&[NodeId], usize) {
        let first = seen.saturating_sub(self.before).min(self.latest.len());
        (&self.latest[first..], self.before + self.latest.len())
    }

    /// Lets go what all waits have looked at. `unread` has for each node the number of events that steps have read.
    pub(super) fn forget(&mut self, unread: &[usize]) {
        for node in self.latest.drain(..) {
            self.before += 1;
            let inbox = &mut self.nodes[node.0];
            let read = if inbox.is_read_later { unread[node.0] } else { usize::MAX };
            let count = read.saturating_sub(inbox.gone).min(inbox.events.len());
            if count == inbox.events.len() {
                inbox.events.clear();
            } else {
                inbox.events.drain(..count);
            }
            inbox.gone += count;
        }
    }
}

impl RunObserver for Inboxes {
    fn event(&mut self, event: &Event) {
        self.opened.iter_mut().for_each(|opened| opened.feed(event));
        self.occurred.iter_mut().for_each(|occurred| occurred.feed(event));
        let Some(node) = node_of(event) else { return };
        let inbox = &mut self.nodes[node.0];
        if inbox.waits == 0 && !inbox.is_read_later {
            return;
        }
        if inbox.events.is_empty() {
            // Mostly it stays alone, and a queue that grows by itself makes room for four.
            inbox.events = VecDeque::with_capacity(1).into();
        }
        inbox.events.push_back(event.clone());
        self.latest.push(node);
    }
}

/// Returns whether an action is about one connection of a node.
fn names_connection(action: &Action) -> bool {
    match action {
        Action::Command { on, .. } => !on.is_empty(),
        Action::Each(of_nodes) => of_nodes.values().any(names_connection),
        Action::Fault(_) => false,
    }
}

/// Returns the node whose steps may wait for an event.
fn node_of(event: &Event) -> Option<NodeId> {
    match &event.kind {
        EventKind::Sent { from, item: Transmission::Open, .. } => Some(*from),
        EventKind::Established { node, .. } | EventKind::Node { node, .. } => Some(*node),
        EventKind::Received { to, .. } => Some(*to),
        _ => None,
    }
}
