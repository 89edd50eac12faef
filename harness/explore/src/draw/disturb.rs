//! Adds faults to a scenario that exists, instead of drawing a whole story.

use std::time::Duration;

use halfopen_plan::{Invariant, Seed};
use halfopen_protocol::Version;
use halfopen_scenario::Comments;
use halfopen_scenario::ast::{
    ActionKind, CloseWord, Field, File, NetworkChange, Nodes, Param, Place, Step, Steps, Versions, Waive,
};

use crate::make::{act, acts, connect, faulty, given, link, network, some, wait};
use crate::random::Random;

/// Number of faults that are added at most.
const MOST_FAULTS: u64 = 4;

/// Time for which a story goes on after its last step.
const REST: Duration = Duration::from_secs(120);

/// Draws faults and puts them between the steps of a scenario. Its expectations are taken away, since they are about
/// the story without faults; the invariants judge. Returns nothing if it has several runs, or no steps to be seen.
pub fn disturbed(file: &File, seed: Seed) -> Option<File> {
    let has_axes = file.matrix.is_some() || file.pairs.is_some() || file.table.is_some() || file.values.is_some();
    if has_axes || file.include.is_some() {
        return None;
    }
    let mut random = Random::new(seed.derive("disturb"));
    let mut file = File { expect: None, until: None, seeds: None, tags: None, clauses: None, ..file.clone() };
    let versions = file.mqtt.as_ref().map_or(vec![Version::V3_1_1, Version::V5_0], |field| field.value.0.clone());
    file.mqtt = some(Versions(vec![random.pick(&versions)]));
    let mut steps = file.steps.as_ref()?.value.literal()?.0.clone();
    let (clients, raw) = (names(file.clients.as_ref()), names(file.raw_clients.as_ref()));
    let brokers = match names(file.brokers.as_ref()) {
        names if names.is_empty() && file.raw_brokers.is_none() => vec!["broker".to_owned()],
        names => names,
    };
    let (mut waived, count) = (Vec::new(), 1 + random.below(MOST_FAULTS));
    for _ in 0..count {
        let place = random.place(steps.len() + 1);
        let added = fault(&mut random, &clients, &raw, &brokers, &mut waived);
        steps.splice(place..place, added.into_iter().map(Param::new));
    }
    let text = file.to_yaml(&Comments::default());
    // What a fault leaves out may be the end of a pause.
    if text.contains("pause") {
        waived.push((Invariant::BrokerKeepsItsDeadline, "A broker that is paused does nothing.".to_owned()));
        waived.push((Invariant::ClientKeepsItsInterval, "A client that is paused does nothing.".to_owned()));
    }
    if text.contains("size:") {
        waived.push((Invariant::ClientKeepsItsInterval, "A large message may not get out.".to_owned()));
    }
    steps.push(Param::new(wait(REST)));
    file.steps = given(Steps(steps));
    let before = file.waive.take().map(|field| field.value.0).unwrap_or_default();
    let mut waivers = before;
    for (invariant, why) in waived {
        if waivers.iter().all(|(_, known, _)| *known != invariant) {
            waivers.push((Place::default(), invariant, why));
        }
    }
    file.waive = (!waivers.is_empty()).then(|| Field::new(Waive(waivers)));
    Some(file)
}

fn names<T>(nodes: Option<&Field<Nodes<T>>>) -> Vec<String> {
    nodes.into_iter().flat_map(|field| field.value.0.iter().map(|(name, _)| name.text.clone())).collect()
}

/// Draws a fault and, mostly, its end.
fn fault(
    random: &mut Random,
    clients: &[String],
    raw: &[String],
    brokers: &[String],
    waived: &mut Vec<(Invariant, String)>,
) -> Vec<Step> {
    let times = [1, 20, 500, 1_000, 1_500, 5_000, 15_000, 90_000].map(Duration::from_millis);
    let time = random.pick(&times);
    let (kind, is_of_link) = (random.below(10), random.chance(60));
    if is_of_link && !clients.is_empty() | !raw.is_empty() && !brokers.is_empty() {
        let ends: Vec<&String> = clients.iter().chain(raw).collect();
        let (client, broker) = (random.pick(&ends), random.pick(brokers));
        let path = match random.below(3) {
            0 => link(client, &broker, false),
            1 => link(&broker, client, false),
            _ => link(client, &broker, true),
        };
        return match kind {
            0..4 => vec![
                network(NetworkChange::Partition(Param::new(faulty(path.clone(), None)))),
                wait(time),
                network(NetworkChange::Heal(Param::new(path))),
            ],
            4..8 => vec![network(NetworkChange::HalfOpen(Param::new(faulty(path, None))))],
            _ => vec![network(NetworkChange::Reset(Param::new(faulty(path, None))))],
        };
    }
    let nodes: Vec<(&String, u8)> = clients
        .iter()
        .map(|it| (it, 0))
        .chain(raw.iter().map(|it| (it, 1)))
        .chain(brokers.iter().map(|it| (it, 2)))
        .collect();
    if nodes.is_empty() {
        return Vec::new();
    }
    let (node, role) = random.pick(&nodes);
    match kind {
        0..3 => {
            let (invariant, who) = match role {
                2 => (Invariant::BrokerKeepsItsDeadline, "A broker"),
                _ => (Invariant::ClientKeepsItsInterval, "A client"),
            };
            waived.push((invariant, format!("{who} that is paused does nothing.")));
            vec![act(node, ActionKind::Pause(Some(Param::new(time.into())))), wait(time)]
        }
        3..5 if role == 0 => vec![act(node, ActionKind::Close(Param::new(CloseWord::Rst))), act(node, connect(false))],
        3..5 if role == 1 => vec![acts(node, vec![ActionKind::Close(Param::new(CloseWord::Fin)), connect(false)])],
        5..7 if role < 2 => vec![act(node, ActionKind::StopReading), wait(time), act(node, ActionKind::ResumeReading)],
        _ => {
            let how = random.pick(&[ActionKind::Crash, ActionKind::PowerLoss]);
            let mut steps = vec![act(node, how), wait(time), act(node, ActionKind::Restart)];
            // A client connects by itself, unless the scenario says otherwise.
            if role == 1 {
                steps.push(act(node, connect(false)));
            }
            steps
        }
    }
}
