//! The yardstick of exploration: each named defect of the broker and the client is hidden from a campaign, and no scenario
//! is known to it. Prints how many are found, after how many stories, and each finding in which the programs without a
//! defect were found wrong.
//!
//! `cargo bench -p halfopen-explore --bench explore -- [--stories N] [--seed S] [--seconds T] [--swarm-off]`

#![expect(clippy::disallowed_types, reason = "the speed is measured outside of any world")]

use std::num::NonZero;
use std::time::{Duration, Instant};

use halfopen_explore::{CampaignOptions, Target, measure};
use halfopen_world::Defect;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str, otherwise: u64| {
        let place = arguments.iter().position(|it| it == name);
        place.and_then(|place| arguments.get(place + 1)?.parse().ok()).unwrap_or(otherwise)
    };
    let options = CampaignOptions {
        seed: number("--seed", 1),
        runs: number("--stories", 5_000),
        jobs: std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN),
        is_swarm_on: !arguments.iter().any(|it| it == "--swarm-off"),
        target: Target::default(),
    };
    let limit = Duration::from_secs(number("--seconds", 600));
    let defects: Vec<Defect> = Defect::all().collect();
    let begun = Instant::now();
    let mut times = Vec::new();
    let result = measure(&options, &defects, &|| begun.elapsed() >= limit, &mut |result| {
        times.resize(result.found.len(), begun.elapsed());
    });
    let took = begun.elapsed();
    println!("{:<42}{:>8}  finding", "defect", "story");
    for defect in &defects {
        match result.found.get(defect) {
            Some(found) => println!("{:<42}{:>8}  {}", defect.to_string(), found.run, found.finding.kind),
            None => println!("{:<42}{:>8}  {}", defect.to_string(), "-", defect.about()),
        }
    }
    let mut alarms = std::collections::BTreeMap::new();
    for (run, finding) in &result.false_alarms {
        alarms.entry(&finding.kind).or_insert_with(Vec::new).push((run, finding));
    }
    for (kind, list) in &alarms {
        let (run, first) = list[0];
        println!("ALARM {} times, first in story {run}: {kind}\n    {} | {}", list.len(), first.expected, first.actual);
    }
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    println!(
        "found {} of {} defects in {} stories ({} runs, {:.0} a second, {:.1} s); half of them by {:.1} s; \
         {} findings without a defect; {} stories with a step that met nothing",
        result.found.len(),
        defects.len(),
        result.stories,
        result.runs,
        result.runs as f64 / took.as_secs_f64(),
        took.as_secs_f64(),
        median.as_secs_f64(),
        result.false_alarms.len(),
        result.vacuous,
    );
}
