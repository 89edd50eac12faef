//! What is to happen and what must be true of it: a scenario with every name resolved, every parameter filled in and
//! every duration computed. One plan is one run. It knows no engine.

mod answer;
mod conditions;
mod expectation;
mod fault;
mod invariant;
mod link;
mod moment;
mod node;
mod origins;
mod pattern;
mod seed;
mod settings;
mod step;
pub mod trace;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use halfopen_protocol::Version;

pub use self::answer::{Answer, AnswerKind, Answers};
pub use self::conditions::{Conditions, Feature, OnlyOn, Sweep};
pub use self::expectation::{
    Because, ClientState, CountRange, DurationRange, Expectation, Holding, Mode, OnlyBuiltin, Timing, Verb, Weight,
};
pub use self::fault::NodeFault;
pub use self::invariant::{Invariant, Waiver};
pub use self::link::{
    LinkChange, LinkSettings, Middlebox, MiddleboxRules, NetworkChange, NetworkFault, NthConnection, Scope, WhenFull,
    number_text,
};
pub use self::moment::{EventRef, Moment, Ordinal, PacketKind, Point};
pub use self::node::{
    AccessList, AccessRights, BrokerAuth, BrokerProgram, ClientProgram, Dialogue, Node, Program, RawBrokerProgram,
    RawClientProgram, Transport,
};
pub use self::origins::{ExpectationId, Origins, StepId};
pub use self::pattern::{FieldPattern, Matcher, PacketPattern, Value};
pub use self::seed::Seed;
pub use self::settings::{
    Acknowledge, BrokerSettings, ClientSettings, CommonSettings, QueuePolicy, Reconnect, Referral,
};
pub use self::step::{Action, CloseHow, Command, ConnectAction, Outgoing, Step, StepKind};

/// The plan of one run of one scenario.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The name of the run within its scenario.
    pub run: RunName,
    /// The scenario file.
    pub source: Arc<Source>,
    /// The version that every node speaks unless it says otherwise.
    pub version: Version,
    /// The seed of all that is random in the run.
    pub seed: Seed,
    /// All nodes; a [`NodeId`] is an index into this list. Brokers first, then raw brokers, then clients, then raw
    /// clients, each in the order of the file, members of a group one after the other.
    pub nodes: Vec<Node>,
    /// Directed links that differ from [`LinkSettings::default`]: every ordered pair of nodes that the file sets.
    pub links: Vec<(NodeId, NodeId, LinkSettings)>,
    /// The settings of links that are not in `links`.
    pub network: LinkSettings,
    /// The middleboxes. On a direction that several name, the last one stands.
    pub middleboxes: Vec<Middlebox>,
    /// The story.
    pub steps: Vec<Step>,
    /// The expectations.
    pub expectations: Vec<Expectation>,
    /// Invariants that the scenario breaks on purpose.
    pub waived: Vec<Waiver>,
    /// Ids of the normative statements that the run checks.
    pub clauses: Vec<String>,
    /// The end of the run, if the file sets it. Otherwise the run ends a second after everything is decided.
    pub until: Option<Moment>,
    /// The time by which something may come earlier or later than expected.
    pub tolerance: Duration,
    /// The places of its steps and expectations in the file.
    pub origins: Origins,
    /// Further files that the scenario includes; a [`Position`] tells which.
    pub fragments: Vec<Arc<Source>>,
    /// The conditions for running the plan.
    pub conditions: Conditions,
}

/// Runs go to threads, and a plan with them.
const fn is_send<T: Send + Sync>() {}
const _: () = is_send::<Plan>();

impl Plan {
    /// The node with this id.
    ///
    /// # Panics
    /// If the id belongs to another plan.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// Ids of all nodes, in order.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId)
    }

    /// Returns the step with this id, wherever in the story it stands.
    pub fn step(&self, id: StepId) -> Option<&Step> {
        fn find(steps: &[Step], id: StepId) -> Option<&Step> {
            steps.iter().find_map(|step| match &step.kind {
                _ if step.id == id => Some(step),
                StepKind::Every { steps, .. } | StepKind::Repeat { steps, .. } | StepKind::Whenever { steps, .. } => {
                    find(steps, id)
                }
                _ => None,
            })
        }
        find(&self.steps, id)
    }

    /// The file in which a position is.
    pub fn source_of(&self, position: Position) -> &Source {
        let fragment = usize::from(position.file).checked_sub(1);
        fragment.and_then(|index| self.fragments.get(index)).unwrap_or(&self.source)
    }

    /// The settings of the link from one node to another.
    pub fn link(&self, from: NodeId, to: NodeId) -> LinkSettings {
        self.links.iter().rev().find(|(a, b, _)| (*a, *b) == (from, to)).map_or(self.network, |(_, _, link)| *link)
    }
}

/// The scenario file a plan was made from: for messages and headings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The path as the user gave it.
    pub path: String,
    /// The file's text.
    pub text: String,
    /// The values that were given in the place of those of its `let`, by their names. They stand in the text already.
    pub set: BTreeMap<String, String>,
}

impl Source {
    /// The text of a line, counted from 1, without its line break.
    pub fn line(&self, number: u32) -> &str {
        self.text.lines().nth(number.saturating_sub(1) as usize).unwrap_or_default()
    }
}

/// A place in a [`Source`]. Line and column count from 1, the column in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// 0 for the scenario's own file, otherwise the number of the fragment, from 1.
    pub file: u16,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1, in characters.
    pub column: u32,
}

impl Position {
    /// A place in the scenario's own file.
    pub const fn new(line: u32, column: u32) -> Self {
        Self { file: 0, line, column }
    }
}

/// The name of a run: `keep_alive/silent_client[5.0 keep_alive=5s]`.
///
/// The path is below the folder the scenario was found in, without its ending. In brackets stand the version, the
/// table's `case`, and the matrix's values in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunName {
    /// `keep_alive/silent_client`.
    pub scenario: String,
    /// The version of the run.
    pub version: Version,
    /// `case`, then `name=value` for each axis, as printed.
    pub parameters: Vec<String>,
}

impl fmt::Display for RunName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}", self.scenario, self.version)?;
        for parameter in &self.parameters {
            write!(f, " {parameter}")?;
        }
        f.write_str("]")
    }
}

/// An index into [`Plan::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);
