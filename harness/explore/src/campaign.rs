//! Many runs: draws stories, judges them on several threads, and keeps one find of each kind.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use halfopen_plan::{Plan, Program, Seed};
use halfopen_scenario::ast::File;
use halfopen_world::Defect;

use crate::draw::{Recipe, disturbed, story};
use crate::judge::{Finding, FindingKind, Judged, Target, plan_of_story};
use crate::random::Random;
use crate::reached::Reached;

/// Size of the stack of a thread in bytes.
const STACK: usize = 8 * 1024 * 1024;

/// Options of a campaign.
#[derive(Clone, Debug)]
pub struct CampaignOptions {
    /// The seed from which all stories follow.
    pub seed: u64,
    /// The number of stories at most.
    pub runs: u64,
    /// The number of threads.
    pub jobs: NonZero<usize>,
    /// True if each story first draws what it may use.
    pub is_swarm_on: bool,
    /// True if every second story is a mutation of one that reached a new state.
    pub is_guided: bool,
    /// The part of the stories that is run, from 1, and the number of parts.
    pub shard: (u64, u64),
    /// The runs of each scenario to which faults are added, instead of drawing whole stories. None: whole stories.
    pub bases: Arc<Vec<Vec<File>>>,
    /// The programs that are explored.
    pub target: Target,
}

impl CampaignOptions {
    /// Returns the options of a campaign of whole stories, in one part, without guidance.
    pub fn new(seed: u64, runs: u64, jobs: NonZero<usize>, target: Target) -> Self {
        Self { seed, runs, jobs, is_swarm_on: true, is_guided: false, shard: (1, 1), bases: Arc::default(), target }
    }

    /// Returns the number in the whole campaign of a story of this part, both from 0; nothing if there is none.
    fn number(&self, place: u64) -> Option<u64> {
        let (part, of) = self.shard;
        place.checked_mul(of)?.checked_add(part - 1).filter(|number| *number < self.runs)
    }

    /// Returns the recipe of a story of the campaign.
    fn recipe(&self, number: u64, kept: &[Recipe]) -> Recipe {
        let seed = seed_of(self.seed, number);
        if !self.is_guided || kept.is_empty() || number.is_multiple_of(2) {
            return Recipe::new(seed);
        }
        let place = Random::new(seed.derive("kept")).place(kept.len());
        kept[place].mutated(seed)
    }

    /// Draws the story of a recipe; nothing if the scenario that it is drawn from has no place for faults.
    pub fn file(&self, recipe: &Recipe) -> Option<File> {
        if self.bases.is_empty() {
            return Some(story(recipe, self.is_swarm_on));
        }
        let mut random = Random::new(recipe.seed.derive("base"));
        let runs = &self.bases[random.place(self.bases.len())];
        disturbed(&runs[random.place(runs.len())], recipe.turns.last().map_or(recipe.seed, |(_, seed)| *seed))
    }
}

/// Number of stories after which a campaign looks again at what they reached. It does not depend on the threads, so
/// that what is drawn does not either.
const ROUND: u64 = 256;

/// Number of recipes that are kept at most, because their stories reached a new state.
const KEPT: usize = 2_000;

/// Something that was found, and the first story that shows it.
#[derive(Clone, Debug)]
pub struct Find {
    /// The number of the story in the campaign, from 0.
    pub run: u64,
    /// The story.
    pub file: File,
    /// The finding.
    pub finding: Finding,
}

/// The result of a campaign.
#[derive(Clone, Debug, Default)]
pub struct CampaignResult {
    /// The number of stories that were run.
    pub runs: u64,
    /// Number of stories with a step that met nothing.
    pub vacuous: u64,
    /// Number of stories that the programs could not be asked, however often they were drawn anew.
    pub unasked: u64,
    /// The notes of programs that are not the project's.
    pub notes: BTreeSet<String>,
    /// Number of stories that were ended after [`STORY_EVENTS`](crate::STORY_EVENTS).
    pub cut: u64,
    /// The number of events of all of them.
    pub events: u64,
    /// Number of stories that showed each kind of finding.
    pub kinds: BTreeMap<FindingKind, u64>,
    /// The first find of each kind, in the order in which they were found.
    pub finds: Vec<Find>,
    /// The states and marks that all stories reached.
    pub reached: Reached,
    /// Number of states reached after a number of stories: after each that doubles it, and at the end.
    pub growth: Vec<(u64, usize)>,
    /// The recipes of the first stories that reached a new state.
    pub kept: Vec<Recipe>,
}

/// Returns the seed of a story of a campaign.
pub fn seed_of(campaign: u64, run: u64) -> Seed {
    Seed(campaign).derive(&format!("run {run}"))
}

/// Runs a campaign until its runs are over or `is_over` says so. `found` is told of each new kind of finding at once,
/// and `progress` of each run; both are called in the order of the stories, so that they do not depend on the threads.
///
/// # Panics
/// If the system has no thread for it.
pub fn explore(
    options: &CampaignOptions,
    is_over: &(dyn Fn() -> bool + Sync),
    found: &mut dyn FnMut(&Find),
    progress: &mut dyn FnMut(&CampaignResult),
) -> CampaignResult {
    let mut result = CampaignResult::default();
    let mut first = 0;
    while options.number(first).is_some() && !is_over() {
        let kept = result.kept.clone();
        round(options, first, &kept, is_over, &mut |number, recipe, judged| {
            take(options, &mut result, number, recipe, judged, found);
            progress(&result);
        });
        first += ROUND;
    }
    if result.growth.last().is_none_or(|(runs, _)| *runs < result.runs) {
        result.growth.push((result.runs, result.reached.states.len()));
    }
    result
}

/// Runs the stories of one round, and gives them back in their order.
fn round(
    options: &CampaignOptions,
    first: u64,
    kept: &[Recipe],
    is_over: &(dyn Fn() -> bool + Sync),
    done: &mut dyn FnMut(u64, Recipe, Judged),
) {
    let next = AtomicU64::new(first);
    let (sender, receiver) = mpsc::channel::<(u64, u64, Recipe, Judged)>();
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.get() {
            let (sender, next) = (sender.clone(), &next);
            let work = move || {
                while !is_over() {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(number) = options.number(place).filter(|_| place < first + ROUND) else { break };
                    let (recipe, judged) = judge(options, options.recipe(number, kept));
                    if sender.send((place, number, recipe, judged)).is_err() {
                        break;
                    }
                }
            };
            std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).expect("a thread to explore");
        }
        drop(sender);
        let (mut waiting, mut place) = (BTreeMap::new(), first);
        for (at, number, recipe, judged) in receiver {
            waiting.insert(at, (number, recipe, judged));
            while let Some((number, recipe, judged)) = waiting.remove(&place) {
                done(number, recipe, judged);
                place += 1;
            }
        }
    });
}

/// Number of times that a story is drawn anew which the programs cannot be asked.
const REDRAWS: u64 = 50;

/// Judges the story of a recipe, or of another one if the programs cannot be asked this; returns the recipe of the story.
fn judge(options: &CampaignOptions, recipe: Recipe) -> (Recipe, Judged) {
    let first = recipe.seed;
    let (mut recipe, mut again) = (recipe, 0);
    loop {
        let judged = judge_story(options, &recipe);
        if !judged.is_unasked || again == REDRAWS {
            return (recipe, judged);
        }
        again += 1;
        recipe = Recipe::new(first.derive(&format!("again {again}")));
    }
}

fn judge_story(options: &CampaignOptions, recipe: &Recipe) -> Judged {
    let Some(file) = options.file(recipe) else { return Judged::unasked() };
    match plan_of_story(&file) {
        Ok(plan) => options.target.judge(&plan),
        // Not every fault can be added everywhere.
        Err(_) if !options.bases.is_empty() => Judged::unasked(),
        Err(errors) => {
            let kind = FindingKind { invariant: "drawing".to_owned(), pattern: errors.clone() };
            let finding = Finding { kind, expected: "a story without errors".to_owned(), actual: errors };
            Judged { findings: vec![finding], ..Judged::default() }
        }
    }
}

fn take(
    options: &CampaignOptions,
    result: &mut CampaignResult,
    number: u64,
    recipe: Recipe,
    judged: Judged,
    found: &mut dyn FnMut(&Find),
) {
    result.runs += 1;
    result.vacuous += u64::from(judged.is_vacuous);
    result.unasked += u64::from(judged.is_unasked);
    result.notes.extend(judged.notes);
    result.cut += u64::from(judged.is_cut);
    result.events += judged.events as u64;
    for finding in judged.findings {
        let count = result.kinds.entry(finding.kind.clone()).or_insert(0);
        *count += 1;
        if *count == 1
            && let Some(file) = options.file(&recipe)
        {
            let find = Find { run: number, file, finding };
            found(&find);
            result.finds.push(find);
        }
    }
    if result.reached.add(judged.reached) && result.kept.len() < KEPT {
        result.kept.push(recipe);
    }
    if result.runs.is_power_of_two() {
        result.growth.push((result.runs, result.reached.states.len()));
    }
}

/// A defect that a campaign has found.
#[derive(Clone, Debug)]
pub struct DefectFound {
    /// The number of the story that shows it, from 0.
    pub run: u64,
    /// The finding.
    pub finding: Finding,
}

/// The result of hiding each defect from a campaign.
#[derive(Clone, Debug, Default)]
pub struct Yardstick {
    /// The number of stories that were drawn.
    pub stories: u64,
    /// The number of runs of all programs together.
    pub runs: u64,
    /// Number of stories with a step that met nothing.
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
    let story = story(&Recipe::new(seed_of(options.seed, run)), options.is_swarm_on);
    let Ok(plan) = plan_of_story(&story) else { return measured };
    let clean = options.target.judge(&plan);
    measured.runs += 1;
    measured.is_vacuous = clean.is_vacuous;
    let known: BTreeSet<FindingKind> = clean.findings.iter().map(|finding| finding.kind.clone()).collect();
    measured.false_alarms = clean.findings;
    for &defect in open.iter().filter(|defect| concerns(&plan, **defect)) {
        let judged = Target { defect: Some(defect), ..Target::default() }.judge(&plan);
        measured.runs += 1;
        if let Some(finding) = judged.findings.into_iter().find(|finding| !known.contains(&finding.kind)) {
            measured.found.push((defect, finding));
        }
    }
    measured
}

/// Returns whether a plan has a program that can have the defect.
fn concerns(plan: &Arc<Plan>, defect: Defect) -> bool {
    let is_of = |program: &Program| match defect {
        Defect::Broker(_) => matches!(program, Program::Broker(_)),
        Defect::Client(_) => matches!(program, Program::Client(_)),
        Defect::Breach(breach) => breach.is_of(program),
    };
    plan.nodes.iter().any(|node| is_of(&node.program))
}
