use halfopen_plan::Seed;
use halfopen_scenario::Comments;

use crate::{plan_of_story, seed_of, story};

#[test]
fn every_story_that_is_drawn_is_a_scenario_without_errors() {
    for run in 0..2_000 {
        let file = story(seed_of(1, run), true);
        if let Err(errors) = plan_of_story(&file) {
            panic!("run {run}:\n{errors}\n{}", file.to_yaml(&Comments::default()));
        }
    }
}

#[test]
fn the_same_seed_draws_the_same_story() {
    let text = |seed| story(Seed(seed), true).to_yaml(&Comments::default());
    assert_eq!(text(5), text(5));
    assert_ne!(text(5), text(6));
}
