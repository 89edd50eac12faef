use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::SourceRecord;
use super::event::EventRecord;
use crate::check::{NotJudged, Outcome, Vacuity, Verdict, Violation};
use crate::load::{Load, ms};
use crate::plan::{NodeId, Plan, Position, Program, Waiver};
use crate::report::diagram::{Scene, scene};
use crate::run::{Ending, Finished};
use crate::scenario::About;
use crate::trace::{Event, EventKind, Trace, causes, step_of, text};
use crate::world::Defect;

/// The amount of detail about a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// The trace, event by event.
    pub events: bool,
    /// The picture.
    pub diagram: bool,
    /// The trace as text, also if it passes.
    pub text: bool,
}

/// The record of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The name: `keep_alive/silent_client[5.0 keep_alive=5s]`.
    pub name: String,
    /// The scenario's name.
    pub scenario: String,
    /// The folder that the scenario stands in; empty if in none.
    pub area: String,
    /// The version that its nodes speak unless they say otherwise: `3.1.1` or `5.0`.
    pub mqtt: String,
    /// The description in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Words to select by.
    pub tags: Vec<String>,
    /// The normative statements that it checks, those of its version.
    pub clauses: Vec<String>,
    /// The seed of all that is random in it.
    pub seed: u64,
    /// The verdict.
    pub verdict: Verdict,
    /// The SHA-256 of its trace: the same for two runs exactly if their traces are the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_hash: Option<String>,
    /// The reason why the engine has no trace of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Time that it took in virtual time, in milliseconds.
    pub virtual_ms: u64,
    /// Time that the machine took for it, in microseconds.
    pub wall_us: u64,
    /// The scenario file.
    pub file: String,
    /// The place among the runs of that file, from 0.
    pub place: usize,
    /// The command that runs it again.
    pub command: String,
    /// All that is wrong.
    pub violations: Vec<Finding>,
    /// All that could not be judged.
    pub vacuous: Vec<Finding>,
    /// Advised expectations that do not hold.
    pub warnings: Vec<Finding>,
    /// The invariants that its file waives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waived: Vec<WaiverRecord>,
    /// The parts that its invariants could not judge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_judged: Vec<NotJudgedRecord>,
    /// The load on its brokers and networks; `None` if it is not about a fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,
    /// The nodes.
    pub nodes: Vec<NodeRecord>,
    /// The trace as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The trace, event by event; on the page only the events that are drawn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventRecord>,
    /// The picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagram: Option<Diagram>,
}

/// The picture of a run, as shapes; see [`Scene`].
pub type Diagram = Scene;

/// Something that is wrong, or could not be judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The file: the scenario's, or that of a fragment.
    pub file: String,
    /// The line in it, from 1; 0 if it is about all of it.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
    /// The text of that line; empty if it is about all of the file.
    pub source: String,
    /// The expectation or step, parameters filled in.
    pub text: String,
    /// The expected behaviour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The actual behaviour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<String>,
    /// The reason why it could not be judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Finding {
    /// `file:line:column`, or the file alone for what is about all of it.
    pub(crate) fn place(&self) -> String {
        match self.line {
            0 => self.file.clone(),
            line => format!("{}:{line}:{}", self.file, self.column),
        }
    }
}

/// An invariant that need not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaiverRecord {
    /// The name.
    pub invariant: String,
    /// True if it did not hold in this run.
    pub is_needed: bool,
    /// The waiver.
    pub place: Finding,
}

/// A part of a run that an invariant did not judge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotJudgedRecord {
    /// The invariant's name.
    pub invariant: String,
    /// The part that was not judged, the reason, how often, and when first.
    pub why: String,
}

/// A node of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// The name.
    pub name: String,
    /// `broker`, `client` or `raw`.
    pub role: String,
}

impl RunRecord {
    /// Puts down a finished run; `place` is its place among the runs of its file.
    pub fn new(run: &Finished, about: &About, place: usize, wall: Duration, detail: Detail) -> Self {
        let plan = &run.plan;
        let scenario = plan.run.scenario.clone();
        let mut record = Self {
            name: plan.run.to_string(),
            area: scenario.rsplit_once('/').map(|(area, _)| area.to_owned()).unwrap_or_default(),
            scenario,
            mqtt: plan.version.to_string(),
            about: about.about.clone(),
            tags: about.tags.clone(),
            clauses: plan.clauses.clone(),
            seed: plan.seed.0,
            verdict: run.verdict(),
            trace_hash: run.hash().map(|hash| hash.to_string()),
            error: None,
            virtual_ms: 0,
            wall_us: u64::try_from(wall.as_micros()).unwrap_or(u64::MAX),
            file: plan.source.path.clone(),
            place,
            command: command(plan, run.defect),
            violations: Vec::new(),
            vacuous: Vec::new(),
            warnings: Vec::new(),
            waived: Vec::new(),
            not_judged: Vec::new(),
            load: None,
            nodes: nodes(plan),
            text: None,
            events: Vec::new(),
            diagram: None,
        };
        match &run.ending {
            Ending::Judged(trace, outcome) => {
                record.judged(plan, outcome, trace.end);
                record.load = Load::of(plan, trace);
                record.tell(plan, trace, detail);
            }
            Ending::Passed { end, outcome, load, .. } => {
                record.judged(plan, outcome, *end);
                record.load.clone_from(load);
            }
            Ending::Skipped(error) | Ending::Broken(error) => record.error = Some(error.to_string()),
        }
        record
    }

    /// Returns whether something must be done about it.
    pub fn is_bad(&self) -> bool {
        matches!(self.verdict, Verdict::Fail | Verdict::Vacuous | Verdict::Broken)
    }

    /// Keeps of the events those that the picture shows and what they go back to: for a page.
    pub fn keep_drawn_events(&mut self) {
        let Some(diagram) = &self.diagram else { return self.events.clear() };
        let mut kept: BTreeSet<usize> = diagram.shapes.iter().filter_map(|shape| shape.event).collect();
        let causes: Vec<usize> =
            kept.iter().filter_map(|&index| self.events.get(index).and_then(|event| event.cause)).collect();
        kept.extend(causes);
        self.events.retain(|event| kept.contains(&event.index));
    }

    fn judged(&mut self, plan: &Plan, outcome: &Outcome, end: Duration) {
        self.virtual_ms = ms(end);
        self.violations = folded(outcome.violations.iter().map(|found| violation(plan, found)));
        self.vacuous = folded(outcome.vacuous.iter().map(|found| vacuity(plan, found)));
        self.warnings = folded(outcome.warnings.iter().map(|found| violation(plan, found)));
        self.waived = plan.waived.iter().map(|waiver| waived(plan, waiver, outcome)).collect();
        self.not_judged = outcome.not_judged.iter().map(not_judged).collect();
    }

    fn tell(&mut self, plan: &Plan, trace: &Trace, detail: Detail) {
        if detail.text || self.is_bad() {
            self.text = Some(text(plan, trace));
        }
        if detail.diagram {
            self.diagram = Some(scene(plan, trace));
        }
        if detail.events {
            let causes = causes(trace);
            let record = |(index, event)| {
                let name = |node: NodeId| plan.node(node).name.clone();
                let mut record = EventRecord::new(name, index, event);
                record.cause = causes[index];
                let line = |event: &Event| match &event.kind {
                    EventKind::Step { step, .. }
                    | EventKind::StepFailed { step, .. }
                    | EventKind::FaultHit { step } => {
                        let position = plan.origins.step(*step);
                        (position.file == 0).then_some(position.line)
                    }
                    _ => None,
                };
                let line_of_step = || line(&trace.events[step_of(trace, &causes, index)?]);
                record.line = line(event).or_else(line_of_step);
                record
            };
            self.events = trace.events.iter().enumerate().map(record).collect();
        }
    }
}

impl SourceRecord {
    /// The file that a plan comes from.
    pub fn of(plan: &Plan) -> Self {
        Self { path: plan.source.path.clone(), text: plan.source.text.clone() }
    }
}

/// Number of findings about one line of a file that are told one by one: a line about a group is judged for each member.
const TOLD_OF_A_LINE: usize = 3;

/// Returns the findings with one in the place of all but the first about each line.
fn folded(findings: impl Iterator<Item = Finding>) -> Vec<Finding> {
    let mut told: Vec<Finding> = Vec::new();
    // The number of findings about each line, and the place of the one that stands for the others.
    let mut lines: BTreeMap<(String, u32, u32), (usize, usize)> = BTreeMap::new();
    for finding in findings {
        let (count, place) = lines.entry((finding.file.clone(), finding.line, finding.column)).or_default();
        if finding.line > 0 {
            *count += 1;
        }
        match count.checked_sub(TOLD_OF_A_LINE) {
            None | Some(0) => told.push(finding),
            Some(1) => {
                *place = told.len();
                told.push(finding);
            }
            Some(others) => {
                let Finding { expected, actual, why, .. } = finding;
                let last = &mut told[*place];
                last.text = format!("the same line for {others} others, the last of them:");
                (last.expected, last.actual, last.why) = (expected, actual, why);
            }
        }
    }
    told
}

/// The command that runs a plan again, to be pasted into a shell.
fn command(plan: &Plan, defect: Option<Defect>) -> String {
    let name = plan.run.to_string();
    // A seed that is an axis stands in the name already.
    let seed = match name.contains(" seed=") {
        true => String::new(),
        false => format!(" --seed {}", plan.seed.0),
    };
    let defect = defect.map(|it| format!(" --defect {}", quoted(&it.to_string().replace(' ', "")))).unwrap_or_default();
    let set = plan.source.set.iter().map(|(name, value)| format!(" --set {}", quoted(&format!("{name}={value}"))));
    let set: String = set.collect();
    format!("halfopen run {} --only {}{seed}{set}{defect}", quoted(&plan.source.path), quoted(&name))
}

fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ':');
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn nodes(plan: &Plan) -> Vec<NodeRecord> {
    let role = |program: &Program| match program {
        Program::Broker(_) => "broker",
        Program::Client(_) => "client",
        _ => "raw",
    };
    let record =
        |node: &crate::plan::Node| NodeRecord { name: node.name.clone(), role: role(&node.program).to_owned() };
    plan.nodes.iter().map(record).collect()
}

fn violation(plan: &Plan, found: &Violation) -> Finding {
    Finding {
        expected: Some(found.expected.clone()),
        actual: Some(found.actual.clone()),
        ..finding(plan, found.position, &found.text)
    }
}

fn vacuity(plan: &Plan, found: &Vacuity) -> Finding {
    Finding { why: Some(found.why.clone()), ..finding(plan, found.position, &found.text) }
}

fn not_judged(part: &NotJudged) -> NotJudgedRecord {
    NotJudgedRecord { invariant: part.invariant.name().to_owned(), why: part.why.clone() }
}

fn waived(plan: &Plan, waiver: &Waiver, outcome: &Outcome) -> WaiverRecord {
    let invariant = waiver.invariant.name().to_owned();
    WaiverRecord {
        place: finding(plan, waiver.position, &format!("waive: {{ {invariant}: {} }}", waiver.reason)),
        is_needed: outcome.waived.contains(&waiver.invariant),
        invariant,
    }
}

fn finding(plan: &Plan, position: Position, text: &str) -> Finding {
    let file = plan.source_of(position);
    let Position { line, column, .. } = position;
    // What is about all of a file has no line that could be shown.
    let source = if line == 0 { String::new() } else { file.line(line).trim().to_owned() };
    let file = file.path.clone();
    Finding { file, line, column, source, text: text.to_owned(), expected: None, actual: None, why: None }
}
