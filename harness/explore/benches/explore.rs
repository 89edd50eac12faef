//! The yardstick of exploration: each named defect of the broker and the client is hidden from a campaign, and no scenario
//! is known to it. Prints how many are found, after how many stories, and each finding in which the programs without a
//! defect were found wrong.
//!
//! With `--clean` no defect is hidden: all stories are run by the programs as they are, and each finding is a false alarm
//! or a bug. It is made small and printed.
//!
//! `cargo bench -p halfopen-explore --bench explore -- [--stories N] [--seed S] [--seconds T] [--swarm-off] [--guided] [--clean]`

#![expect(clippy::disallowed_types, reason = "the speed is measured outside of any world")]

use std::num::NonZero;
use std::time::{Duration, Instant};

use halfopen_explore::{CampaignOptions, Target, Yardstick, explore, measure, shrink};
use halfopen_world::Defect;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str, otherwise: u64| {
        let place = arguments.iter().position(|it| it == name);
        place.and_then(|place| arguments.get(place + 1)?.parse().ok()).unwrap_or(otherwise)
    };
    let has = |name: &str| arguments.iter().any(|it| it == name);
    let jobs = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let options = CampaignOptions {
        is_swarm_on: !has("--swarm-off"),
        is_guided: has("--guided"),
        ..CampaignOptions::new(number("--seed", 1), number("--stories", 5_000), jobs, Target::default())
    };
    let limit = Duration::from_secs(number("--seconds", 600));
    if has("--clean") {
        return clean(&options, limit);
    }
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
    let mut stories: Vec<u64> = result.found.values().map(|found| found.run).collect();
    stories.sort_unstable();
    println!(
        "found {} of {} defects in {} stories ({} runs, {:.0} a second, {:.1} s); half of them by {:.1} s, and within {} stories; \
         {} findings without a defect; {} stories with a step that met nothing",
        result.found.len(),
        defects.len(),
        result.stories,
        result.runs,
        result.runs as f64 / took.as_secs_f64(),
        took.as_secs_f64(),
        median.as_secs_f64(),
        stories.get(stories.len() / 2).copied().unwrap_or_default(),
        result.false_alarms.len(),
        result.vacuous,
    );
    println!("{}", alone(&options, &result));
}

/// Returns how long campaigns take on one core that look for one of the defects that were found each, and how many lines their
/// finds have once they are small.
fn alone(options: &CampaignOptions, result: &Yardstick) -> String {
    let (mut times, mut lines) = (Vec::new(), Vec::new());
    for (defect, found) in &result.found {
        let target = Target { defect: Some(*defect), ..Target::default() };
        let options = CampaignOptions { runs: found.run + 1, jobs: NonZero::<usize>::MIN, target, ..options.clone() };
        let begun = Instant::now();
        let finds = explore(&options, &|| false, &mut |_| (), &mut |_| ()).finds;
        let small = finds.first().map(|find| shrink(&options.target, find, &|| false).to_yaml(""));
        times.push(begun.elapsed());
        let is_content = |line: &&str| !line.trim_start().starts_with('#');
        lines.extend(small.map(|file| file.lines().filter(is_content).count()));
    }
    times.sort_unstable();
    lines.sort_unstable();
    format!(
        "a campaign for one of them alone, on one core: half of them take at most {:.2} s until the find is small, and {} lines",
        times.get(times.len() / 2).copied().unwrap_or_default().as_secs_f64(),
        lines.get(lines.len() / 2).copied().unwrap_or_default(),
    )
}

/// Runs stories without a defect, and prints what is found and what is reached.
fn clean(options: &CampaignOptions, limit: Duration) {
    let begun = Instant::now();
    let result = explore(options, &|| begun.elapsed() >= limit, &mut |_| (), &mut |_| ());
    let took = begun.elapsed().as_secs_f64();
    for find in &result.finds {
        let small = shrink(&options.target, find, &|| false);
        let name = find.finding.kind.file_name();
        println!(
            "--- {name} {} times, first in story {}\n{}",
            result.kinds[&find.finding.kind],
            find.run,
            small.to_yaml("")
        );
    }
    println!(
        "{} stories of seed {} in {took:.1} s ({:.0} a second): {} kinds of findings in {} stories; states after stories: {:?}; {} marks",
        result.runs,
        options.seed,
        result.runs as f64 / took,
        result.finds.len(),
        result.kinds.values().sum::<u64>(),
        result.growth,
        result.reached.marks.len(),
    );
}
