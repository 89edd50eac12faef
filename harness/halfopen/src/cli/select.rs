use std::collections::BTreeSet;
use std::sync::Arc;

use super::artifacts::last_failed;
use super::options::{RunCommand, Shard};
use super::output::Failure;
use crate::plan::{Plan, Seed};
use crate::run::load_set;
use crate::scenario::{About, PlanOptions};

/// A run that is asked for.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) plan: Arc<Plan>,
    pub(super) about: Arc<About>,
    /// The place among the runs of its file.
    pub(super) place: usize,
}

/// The runs that are asked for, in order; at least one, unless they are a part of all.
pub(super) fn choose(command: &RunCommand) -> Result<Vec<Chosen>, Failure> {
    let seeds: Vec<Option<u64>> = match command.select.seeds {
        Some(count) => (1..=count).map(Some).collect(),
        None => vec![command.run.seed],
    };
    let failed = if command.select.failed_last { Some(last_failed(&command.output.artifacts)?) } else { None };
    let mut chosen = Vec::new();
    for seed in seeds {
        for (scenario, plans) in load_set(&command.run.paths, PlanOptions { seed }, &command.run.set.values())? {
            let about = Arc::new(scenario.about.clone());
            for (place, plan) in plans.into_iter().enumerate() {
                if is_wanted(command, &plan, &about, failed.as_ref()) {
                    chosen.push(Chosen { plan: Arc::new(plan), about: Arc::clone(&about), place });
                }
            }
        }
    }
    if chosen.is_empty() && command.select.shard.is_none() && failed.is_none() {
        return Err(Failure::NothingToRun(asked_for(command)));
    }
    Ok(chosen)
}

fn is_wanted(command: &RunCommand, plan: &Plan, about: &About, failed: Option<&BTreeSet<String>>) -> bool {
    let select = &command.select;
    let name = plan.run.to_string();
    let area = plan.run.scenario.rsplit_once('/').map_or("", |(area, _)| area);
    let is_any = |wanted: &[String], has: &dyn Fn(&String) -> bool| wanted.is_empty() || wanted.iter().any(has);
    name.contains(command.run.only.as_deref().unwrap_or_default())
        && is_any(&select.area, &|wanted| area == wanted || area.starts_with(&format!("{wanted}/")))
        && is_any(&select.tag, &|wanted| about.tags.contains(wanted))
        && is_any(&select.clause, &|wanted| plan.clauses.contains(wanted))
        && select.mqtt.as_ref().is_none_or(|wanted| plan.version.to_string() == *wanted)
        && failed.is_none_or(|failed| failed.contains(&name))
        && select.shard.is_none_or(|shard| is_in(shard, &name))
}

/// Returns whether a run is in a part: decided by its name alone, so that other runs come and go without moving it.
fn is_in(shard: Shard, name: &str) -> bool {
    Seed(0).derive(name).0 % shard.of == shard.number - 1
}

/// Returns what no run fits, for a message.
fn asked_for(command: &RunCommand) -> String {
    let select = &command.select;
    let mut words: Vec<String> = command.run.only.iter().cloned().collect();
    let lists = [("area", &select.area), ("tag", &select.tag), ("clause", &select.clause)];
    words.extend(lists.iter().flat_map(|(name, values)| values.iter().map(move |value| format!("{name} {value}"))));
    words.extend(select.mqtt.iter().map(|version| format!("MQTT {version}")));
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_is_in_one_part_and_stays_there() {
        let names: Vec<String> = (0..500).map(|n| format!("area/scenario_{n}[5.0]")).collect();
        let mut sizes = [0; 5];
        for name in &names {
            let parts: Vec<u64> = (1..=5).filter(|&number| is_in(Shard { number, of: 5 }, name)).collect();
            assert_eq!(parts.len(), 1, "{name} is in {parts:?}");
            sizes[usize::try_from(parts[0] - 1).unwrap()] += 1;
        }
        assert!(sizes.iter().all(|size| (60..140).contains(size)), "{sizes:?}");
        assert!(is_in(Shard { number: 4, of: 5 }, "area/scenario_0[5.0]"), "the part of a name never changes");
    }

    #[test]
    fn a_part_is_two_numbers_from_one_on() {
        assert_eq!("3/16".parse(), Ok(Shard { number: 3, of: 16 }));
        for wrong in ["0/3", "4/3", "1", "a/b", "1/0", ""] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
