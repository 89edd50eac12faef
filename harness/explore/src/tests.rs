use std::num::NonZero;
use std::sync::Arc;

use halfopen_plan::Seed;
use halfopen_scenario::Comments;
use halfopen_world::ProgramsUnderTest;

use crate::{
    CampaignOptions, Find, Finding, FindingKind, Mark, OtherPrograms, Recipe, Target, explore, plan_of, plan_of_story,
    seed_of, shrink, story,
};

#[test]
fn every_story_that_is_drawn_is_a_scenario_without_errors() {
    for run in 0..2_000 {
        let file = story(&Recipe::new(seed_of(1, run)), true);
        if let Err(errors) = plan_of_story(&file) {
            panic!("run {run}:\n{errors}\n{}", file.to_yaml(&Comments::default()));
        }
    }
}

#[test]
fn the_same_seed_draws_the_same_story() {
    let text = |seed| story(&Recipe::new(Seed(seed)), true).to_yaml(&Comments::default());
    assert_eq!(text(5), text(5));
    assert_ne!(text(5), text(6));
}

#[test]
fn what_was_once_taken_for_wrong_is_right() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/right");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut wrong = Vec::new();
    for file in &files {
        let plan = plan_of("right", std::fs::read_to_string(file).unwrap()).unwrap();
        let findings = Target::default().judge(&plan).findings;
        let told = |finding: &Finding| format!("{}: {} | {}", finding.kind.invariant, finding.expected, finding.actual);
        wrong.extend(findings.iter().map(|finding| format!("{}\n    {}", file.display(), told(finding))));
    }
    assert!(!files.is_empty());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn options(seed: u64, runs: u64, jobs: usize) -> CampaignOptions {
    CampaignOptions::new(seed, runs, jobs.try_into().unwrap(), Target::default())
}

#[test]
fn the_parts_of_a_campaign_run_each_of_its_stories_once() {
    let reached = |shard, runs| {
        let result = explore(&CampaignOptions { shard, ..options(3, runs, 2) }, &|| false, &mut |_| (), &mut |_| ());
        (result.runs, result.events)
    };
    let parts: Vec<(u64, u64)> = (1..=3).map(|part| reached((part, 3), 100)).collect();
    let sum = parts.iter().fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    assert_eq!((parts.len(), sum), (3, reached((1, 1), 100)));
}

#[test]
fn a_guided_campaign_does_not_depend_on_its_threads() {
    let run = |jobs| {
        let options = CampaignOptions { is_guided: true, ..options(4, 600, jobs) };
        let result = explore(&options, &|| false, &mut |_| (), &mut |_| ());
        (result.reached, result.kept, result.events)
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn a_mutated_story_begins_as_the_one_that_it_is_made_from() {
    let recipe = Recipe::new(Seed(5));
    let text = |recipe: &Recipe| story(recipe, true).to_yaml(&Comments::default());
    let (before, after) = (text(&recipe), text(&recipe.mutated(Seed(6))));
    assert_ne!(before, after);
    let same = before.lines().zip(after.lines()).take_while(|(before, after)| before == after).count();
    assert!(before.lines().take(same).any(|line| line == "steps:"), "{before}\n{after}");
}

#[test]
fn a_campaign_reaches_marks_and_says_how_its_states_grow() {
    let result = explore(&options(1, 300, 2), &|| false, &mut |_| (), &mut |_| ());
    assert!(result.reached.marks.contains(&Mark::ResumedWithExchanges), "{:?}", result.reached.marks);
    assert!(
        result.growth.is_sorted() && result.growth.last().is_some_and(|(runs, states)| *runs == 300 && *states > 50)
    );
}

#[test]
fn steps_that_cause_their_own_event_come_to_an_end() {
    let text = "mqtt: 5.0\nraw_clients: { service: { subscribe: t } }\nsteps:\n  - service: connect\n  - whenever: { event: PUBLISH at \
                service, steps: [{ service: { send: { PUBLISH: { topic: t } } } }] }\n  - service: { send: { PUBLISH: { topic: \
                t } } }\n  - wait: 1s\n";
    let judged = Target::default().judge(&plan_of("story", text.to_owned()).unwrap());
    assert!(judged.events < 10_000, "{} events", judged.events);
}

/// Programs that can be asked few stories: those with two nodes at most.
fn programs() -> OtherPrograms {
    OtherPrograms::new(|plan| match plan.nodes.len() {
        0..=2 => Ok((Arc::clone(plan), ProgramsUnderTest::default())),
        _ => Err("it has too many nodes".to_owned()),
    })
}

#[test]
fn stories_that_programs_cannot_be_asked_are_drawn_anew() {
    let target = Target { programs: Some(programs()), ..Target::default() };
    let options = CampaignOptions::new(1, 40, NonZero::<usize>::MIN, target);
    let result = explore(&options, &|| false, &mut |_| (), &mut |_| ());
    assert_eq!((result.runs, result.unasked), (40, 0));
    assert!(result.events > 0 && result.finds.is_empty());
}

#[test]
fn find_that_is_not_seen_again_says_so() {
    let file = story(&Recipe::new(Seed(5)), true);
    let kind = FindingKind { invariant: "broker_delivers".to_owned(), pattern: "what nobody sees".to_owned() };
    let finding = Finding { kind, expected: "something".to_owned(), actual: "nothing".to_owned() };
    let target = Target {
        programs: Some(OtherPrograms::new(|plan| Ok((Arc::clone(plan), ProgramsUnderTest::default())))),
        ..Target::default()
    };
    let small = shrink(&target, &Find { run: 0, file, finding }, &|| false);
    assert!(!small.is_seen_again && small.runs == 3, "{} runs", small.runs);
    assert!(small.to_yaml("").contains("It was seen once"), "{}", small.to_yaml(""));
}
