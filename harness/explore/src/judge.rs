//! One story: from the drawn file to what the invariants found.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use halfopen_check::{Completion, Outcome, check};
use halfopen_plan::trace::Trace;
use halfopen_plan::{CountRange, Expectation, Holding, NodeId, Plan, Program, Source, Verb, Weight};
use halfopen_scenario::ast::File;
use halfopen_scenario::{Comments, Errors, PlanOptions, parse};
use halfopen_world::{Defect, Engine, EngineError, ProgramsUnderTest, RunOptions};

use crate::reached::Reached;

/// Number of events after which a story ends: one in which a client pings each second for weeks shows nothing more.
pub const STORY_EVENTS: usize = 250_000;

/// The programs that are explored.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// A defect that is switched on in the project's programs, to see whether it is found.
    pub defect: Option<Defect>,
    /// Programs that take the place of the project's.
    pub programs: Option<OtherPrograms>,
}

/// A story that programs can be asked, and those programs; or why they cannot.
pub type Adapted = Result<(Arc<Plan>, ProgramsUnderTest), String>;

/// Programs that take the place of the project's: what makes a story one that they can be asked.
#[derive(Clone)]
pub struct OtherPrograms(Arc<Adapt>);

type Adapt = dyn Fn(&Arc<Plan>) -> Adapted + Send + Sync;

impl OtherPrograms {
    /// Programs that `adapt` starts for each story.
    pub fn new(adapt: impl Fn(&Arc<Plan>) -> Adapted + Send + Sync + 'static) -> Self {
        Self(Arc::new(adapt))
    }

    /// Returns a story as these programs can be asked it, and the programs.
    ///
    /// # Errors
    /// Returns the reason why they cannot be asked.
    pub fn adapt(&self, plan: &Arc<Plan>) -> Adapted {
        (self.0)(plan)
    }
}

impl fmt::Debug for OtherPrograms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OtherPrograms")
    }
}

/// The kind of a finding. Two findings of one kind are one: they differ in names, times and numbers alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FindingKind {
    /// The name of the invariant that does not hold, or `engine` if the run could not go on.
    pub invariant: String,
    /// The expected behaviour, without names and numbers.
    pub pattern: String,
}

/// The name in the place of an invariant of a run that could not go on.
const ENGINE: &str = "engine";

impl FindingKind {
    /// Returns whether the run could not go on.
    pub fn is_of_engine(&self) -> bool {
        self.invariant == ENGINE
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.pattern)
    }
}

/// Something that an invariant found in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The kind.
    pub kind: FindingKind,
    /// The expected behaviour, on one line.
    pub expected: String,
    /// The actual behaviour, on one line.
    pub actual: String,
}

impl Finding {
    /// Returns a line about a further finding of the same run.
    pub(crate) fn also(&self) -> String {
        format!("The same run shows `{}`, too: {}; actual: {}", self.kind.invariant, self.expected, self.actual)
    }
}

/// The result of a story.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// The findings of the invariants; the first of each kind.
    pub findings: Vec<Finding>,
    /// Number of expectations of the file that do not hold. A story that was drawn has none.
    pub unmet: usize,
    /// True if some step of the story met nothing. That is no finding: it says that the story was poor.
    pub is_vacuous: bool,
    /// Number of events of the run.
    pub events: usize,
    /// True if the run was ended after [`STORY_EVENTS`].
    pub is_cut: bool,
    /// The states and marks that the run reached.
    pub reached: Reached,
    /// True if the programs could not be asked the story, so that nothing was run.
    pub is_unasked: bool,
    /// The notes of programs that are not the project's: what they asked for in vain, and why two runs may differ.
    pub notes: BTreeSet<String>,
}

impl Judged {
    /// A story that the programs could not be asked.
    pub(crate) fn unasked() -> Self {
        Self { is_unasked: true, ..Self::default() }
    }
}

/// Returns the plan of a file that has one run.
///
/// # Errors
/// With all that is wrong in the file, or if it has several runs. A story that was drawn has no errors.
pub fn plan_of(name: &str, text: String) -> Result<Arc<Plan>, String> {
    let read = || {
        let scenario = parse(name.to_owned(), Source { path: format!("{name}.yaml"), text, ..Source::default() })?;
        scenario.plans(PlanOptions::default())
    };
    let mut plans = read().map_err(|errors: Errors| errors.to_string())?;
    match (plans.pop(), plans.len()) {
        (Some(plan), 0) => Ok(Arc::new(plan)),
        (_, more) => Err(format!("a story has one run, this file has {}", more + 1)),
    }
}

/// Returns the plan of a story, by way of its text: what is explored is what the file says.
///
/// # Errors
/// As [`plan_of`].
pub fn plan_of_story(file: &File) -> Result<Arc<Plan>, String> {
    plan_of("story", file.to_yaml(&Comments::default()))
}

impl Target {
    /// Runs a plan, and judges it by the invariants alone.
    pub fn judge(&self, plan: &Arc<Plan>) -> Judged {
        let (plan, programs) = match self.programs.as_ref().map(|programs| programs.adapt(plan)) {
            None => (Arc::clone(plan), ProgramsUnderTest::default()),
            Some(Ok((plan, programs))) => (plan, programs),
            // The programs cannot be asked this.
            Some(Err(_)) => return Judged::unasked(),
        };
        let judged = self.judge_with(&plan, programs.clone());
        Judged { notes: programs.take_notes().into_iter().collect(), ..judged }
    }

    fn judge_with(&self, plan: &Arc<Plan>, programs: ProgramsUnderTest) -> Judged {
        match self.record(plan, programs) {
            Ok(trace) => {
                let outcome = check(plan, &trace);
                judged(plan, &trace, &outcome)
            }
            // It is found out only in the run that the programs cannot be asked this.
            Err(NotRun::NotFor) => Judged::unasked(),
            Err(NotRun::Broken(why)) => {
                let kind = FindingKind { invariant: ENGINE.to_owned(), pattern: pattern(plan, &why) };
                let finding = Finding { kind, expected: "the run goes on".to_owned(), actual: why };
                Judged { findings: vec![finding], ..Judged::default() }
            }
        }
    }

    /// Runs a plan.
    ///
    /// # Errors
    /// Why there is no run, or why it could not go on.
    fn record(&self, plan: &Arc<Plan>, programs_under_test: ProgramsUnderTest) -> Result<Trace, NotRun> {
        let work = || {
            let options = RunOptions {
                keeps_trace: true,
                defect: self.defect,
                programs_under_test,
                event_limit: Some(STORY_EVENTS),
                ..RunOptions::new(Box::new(Completion::new(plan)))
            };
            halfopen_world::run(&watched(plan), Engine::Sim, options)
        };
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(trace)) => Ok(trace),
            Ok(Err(EngineError::NotFor(_))) => Err(NotRun::NotFor),
            Ok(Err(error)) => Err(NotRun::Broken(error.to_string())),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                Err(NotRun::Broken(format!("panic: {}", text.unwrap_or_default())))
            }
        }
    }
}

/// Returns a plan that asks what the project's brokers hold of each client and how much they retain, so that the trace tells it.
fn watched(plan: &Arc<Plan>) -> Arc<Plan> {
    let is_broker = |node: &NodeId| matches!(plan.node(*node).program, Program::Broker(_));
    let brokers: Vec<NodeId> = plan.node_ids().filter(is_broker).collect();
    let clients = plan.nodes.iter().filter_map(|node| match &node.program {
        Program::Client(client) => Some(client.options.connect.client_id.to_string()),
        Program::RawClient(client) => Some(client.connect.client_id.to_string()),
        Program::Broker(_) | Program::RawBroker(_) => None,
    });
    let of_session = |session| Holding { session: Some(session), ..Holding::default() };
    let of_retained = Holding { retained: Some(CountRange { min: 0, max: None }), ..Holding::default() };
    let mut watched = Plan::clone(plan);
    for holding in clients.map(of_session).chain([of_retained]) {
        watched.expectations.push(asks(&brokers, holding));
    }
    Arc::new(watched)
}

/// Returns an expectation that asks brokers for something that they hold.
fn asks(brokers: &[NodeId], holding: Holding) -> Expectation {
    Expectation { weight: Weight::Advised, ..Expectation::new(brokers.to_vec(), Verb::Has(holding)) }
}

/// The reason why there is no trace of a run.
enum NotRun {
    /// The programs cannot be asked it.
    NotFor,
    /// It could not go on.
    Broken(String),
}

fn judged(plan: &Plan, trace: &Trace, outcome: &Outcome) -> Judged {
    let mut findings: Vec<Finding> = Vec::new();
    let mut unmet = 0;
    for violation in &outcome.violations {
        let Some(invariant) = violation.text.strip_prefix("invariant `").and_then(|text| text.strip_suffix('`')) else {
            // A step that could not be done is the story's own failure.
            unmet += usize::from(plan.expectations.iter().any(|expectation| expectation.text == violation.text));
            continue;
        };
        let kind = FindingKind { invariant: invariant.to_owned(), pattern: pattern(plan, &violation.expected) };
        if findings.iter().all(|known| known.kind != kind) {
            let (expected, actual) = (violation.expected.clone(), violation.actual.clone());
            findings.push(Finding { kind, expected, actual });
        }
    }
    let reached = Reached::of(plan, trace);
    let events = trace.events.len();
    let is_cut = events >= STORY_EVENTS;
    let is_vacuous = !outcome.vacuous.is_empty();
    Judged { findings, unmet, is_vacuous, events, is_cut, reached, ..Judged::default() }
}

/// A line without what differs from run to run: names of nodes, topics, numbers and quoted texts. What stands in brackets is
/// the clause, and stays.
fn pattern(plan: &Plan, line: &str) -> String {
    let (mut words, mut is_topic) = (Vec::new(), false);
    for word in line.split_whitespace() {
        let is_clause = word.starts_with('[') || word.starts_with("MQTT-");
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let is_name = plan.nodes.iter().any(|node| node.name == bare)
            || bare == "one"
            || bare.split_once('#').is_some_and(|(name, _)| plan.nodes.iter().any(|node| node.name == name));
        let has_digits = bare.chars().any(|c| c.is_ascii_digit());
        let is_text = word.contains(['"', '`', '/']);
        let is_kept = is_clause || !(is_name || has_digits || is_text || is_topic);
        words.push(if is_kept { word } else { "…" });
        is_topic = word == "on";
    }
    words.dedup_by(|a, b| a == b && *a == "…");
    words.join(" ")
}
