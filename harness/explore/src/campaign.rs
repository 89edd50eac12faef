//! Many runs: draws stories, judges them on several threads, and keeps one find of each kind.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

use halfopen_plan::{Plan, Program, Seed};
use halfopen_scenario::ast::File;
use halfopen_world::Defect;

use crate::draw::story;
use crate::judge::{Finding, FindingKind, Judged, Target, plan_of_story};

/// Size of the stack of a thread in bytes.
const STACK: usize = 8 * 1024 * 1024;

/// How a campaign is run.
#[derive(Clone, Debug)]
pub struct CampaignOptions {
    /// From which all stories follow.
    pub seed: u64,
    /// The number of stories at most.
    pub runs: u64,
    /// The number of threads.
    pub jobs: NonZero<usize>,
    /// Whether each story draws first what it may use.
    pub is_swarm_on: bool,
    /// What is explored.
    pub target: Target,
}

/// Something that was found, and the first story that shows it.
#[derive(Clone, Debug)]
pub struct Find {
    /// The number of the story in the campaign, from 0.
    pub run: u64,
    /// The story.
    pub file: File,
    /// What was found.
    pub finding: Finding,
}

/// What a campaign came to.
#[derive(Clone, Debug, Default)]
pub struct CampaignResult {
    /// The number of stories that were run.
    pub runs: u64,
    /// How many of them had a step that met nothing.
    pub vacuous: u64,
    /// The number of events of all of them.
    pub events: u64,
    /// How many stories showed each kind of finding.
    pub kinds: BTreeMap<FindingKind, u64>,
    /// The first find of each kind, in the order in which they were found.
    pub finds: Vec<Find>,
}

/// Returns the seed of a story of a campaign.
pub fn seed_of(campaign: u64, run: u64) -> Seed {
    Seed(campaign).derive(&format!("run {run}"))
}

/// Runs a campaign until its runs are over or `is_over` says so. `found` is told of each new kind of finding at once, and
/// `progress` of each run; both are called in the order of the stories, so that they do not depend on the threads.
///
/// # Panics
/// If the system has no thread for it.
pub fn explore(
    options: &CampaignOptions,
    is_over: &(dyn Fn() -> bool + Sync),
    found: &mut dyn FnMut(&Find),
    progress: &mut dyn FnMut(&CampaignResult),
) -> CampaignResult {
    let next = AtomicU64::new(0);
    let is_stopped = AtomicBool::new(false);
    let mut result = CampaignResult::default();
    let (sender, receiver) = mpsc::sync_channel::<(u64, Judged)>(10_000);
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.get() {
            let (sender, next, is_stopped) = (sender.clone(), &next, &is_stopped);
            let work = move || {
                while !is_stopped.load(Ordering::Relaxed) && !is_over() {
                    let run = next.fetch_add(1, Ordering::Relaxed);
                    if run >= options.runs || sender.send((run, judge(options, run))).is_err() {
                        break;
                    }
                }
            };
            std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).expect("a thread to explore");
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        for (run, judged) in receiver {
            waiting.insert(run, judged);
            while let Some(judged) = waiting.remove(&result.runs) {
                take(options, &mut result, judged, found);
                progress(&result);
            }
        }
        is_stopped.store(true, Ordering::Relaxed);
    });
    result
}

fn judge(options: &CampaignOptions, run: u64) -> Judged {
    let file = story(seed_of(options.seed, run), options.is_swarm_on);
    match plan_of_story(&file) {
        Ok(plan) => options.target.judge(&plan),
        Err(errors) => {
            let kind = FindingKind { invariant: "drawing".to_owned(), pattern: errors.clone() };
            let finding = Finding { kind, expected: "a story without errors".to_owned(), actual: errors };
            Judged { findings: vec![finding], ..Judged::default() }
        }
    }
}

fn take(options: &CampaignOptions, result: &mut CampaignResult, judged: Judged, found: &mut dyn FnMut(&Find)) {
    let run = result.runs;
    result.runs += 1;
    result.vacuous += u64::from(judged.is_vacuous);
    result.events += judged.events as u64;
    for finding in judged.findings {
        let count = result.kinds.entry(finding.kind.clone()).or_insert(0);
        *count += 1;
        if *count == 1 {
            let file = story(seed_of(options.seed, run), options.is_swarm_on);
            let find = Find { run, file, finding };
            found(&find);
            result.finds.push(find);
        }
    }
}

/// A defect that a campaign has found.
#[derive(Clone, Debug)]
pub struct DefectFound {
    /// The number of the story that shows it, from 0.
    pub run: u64,
    /// What was found.
    pub finding: Finding,
}

/// What comes of hiding each defect from a campaign.
#[derive(Clone, Debug, Default)]
pub struct Yardstick {
    /// The number of stories that were drawn.
    pub stories: u64,
    /// The number of runs of all programs together.
    pub runs: u64,
    /// How many stories had a step that met nothing.
    pub vacuous: u64,
    /// Stories in which the program without a defect was found wrong, and why.
    pub false_alarms: Vec<(u64, Finding)>,
    /// The defects that were found.
    pub found: BTreeMap<Defect, DefectFound>,
}

/// Draws stories, and runs each without a defect and with each defect that was not found yet.
///
/// # Panics
/// If the system has no thread for it.
pub fn measure(
    options: &CampaignOptions,
    defects: &[Defect],
    is_over: &(dyn Fn() -> bool + Sync),
    progress: &mut dyn FnMut(&Yardstick),
) -> Yardstick {
    let mut result = Yardstick::default();
    let batch = 64.min(options.runs.max(1));
    while result.stories < options.runs && !is_over() {
        let count = batch.min(options.runs - result.stories);
        let open: Vec<Defect> = defects.iter().copied().filter(|it| !result.found.contains_key(it)).collect();
        let first = result.stories;
        for measured in measure_batch(options, first, count, &open) {
            result.runs += measured.runs;
            result.vacuous += u64::from(measured.is_vacuous);
            result.false_alarms.extend(measured.false_alarms.into_iter().map(|finding| (measured.run, finding)));
            for (defect, finding) in measured.found {
                result.found.entry(defect).or_insert(DefectFound { run: measured.run, finding });
            }
        }
        result.stories += count;
        progress(&result);
    }
    result
}

struct Measured {
    run: u64,
    runs: u64,
    is_vacuous: bool,
    false_alarms: Vec<Finding>,
    found: Vec<(Defect, Finding)>,
}

fn measure_batch(options: &CampaignOptions, first: u64, count: u64, open: &[Defect]) -> Vec<Measured> {
    let next = AtomicU64::new(first);
    let worker = || {
        let take = || {
            let run = next.fetch_add(1, Ordering::Relaxed);
            (run < first + count).then(|| measure_one(options, run, open))
        };
        std::iter::from_fn(take).collect::<Vec<_>>()
    };
    let mut measured: Vec<Measured> = std::thread::scope(|scope| {
        let spawn = |_| std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, worker);
        let workers: Vec<_> = (0..options.jobs.get()).map(spawn).collect();
        workers.into_iter().flat_map(|it| it.expect("a thread").join().expect("a worker that ends")).collect()
    });
    measured.sort_by_key(|it| it.run);
    measured
}

fn measure_one(options: &CampaignOptions, run: u64, open: &[Defect]) -> Measured {
    let mut measured = Measured { run, runs: 0, is_vacuous: false, false_alarms: Vec::new(), found: Vec::new() };
    let Ok(plan) = plan_of_story(&story(seed_of(options.seed, run), options.is_swarm_on)) else { return measured };
    let clean = options.target.judge(&plan);
    measured.runs += 1;
    measured.is_vacuous = clean.is_vacuous;
    let known: BTreeSet<FindingKind> = clean.findings.iter().map(|finding| finding.kind.clone()).collect();
    measured.false_alarms = clean.findings;
    for &defect in open.iter().filter(|defect| concerns(&plan, **defect)) {
        let judged = Target { defect: Some(defect) }.judge(&plan);
        measured.runs += 1;
        if let Some(finding) = judged.findings.into_iter().find(|finding| !known.contains(&finding.kind)) {
            measured.found.push((defect, finding));
        }
    }
    measured
}

/// Whether a plan has a program that the defect is of.
fn concerns(plan: &Arc<Plan>, defect: Defect) -> bool {
    let is_of = |program: &Program| match defect {
        Defect::Broker(_) => matches!(program, Program::Broker(_)),
        Defect::Client(_) => matches!(program, Program::Client(_)),
        Defect::Breach(breach) => breach.is_of(program),
    };
    plan.nodes.iter().any(|node| is_of(&node.program))
}
