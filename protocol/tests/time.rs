//! Moments and what lies between them.

use std::time::Duration;

use halfopen_protocol::Instant;

#[test]
fn between_two_moments_lies_the_time_from_the_earlier_to_the_later() {
    let (earlier, later) = (Instant::from_secs(1), Instant::from_millis(1_500));
    assert_eq!(later - earlier, Duration::from_millis(500));
    assert_eq!(later.saturating_since(earlier), Duration::from_millis(500));
}

#[test]
fn a_moment_that_is_later_in_truth_lies_no_time_back() {
    assert_eq!(Instant::from_secs(1) - Instant::from_secs(2), Duration::ZERO);
}

#[test]
fn the_end_of_time_comes_later_than_everything() {
    let end = Instant::new(Duration::MAX);
    let mut moment = end;
    moment += Duration::from_secs(1);
    assert_eq!(moment, end);
    assert_eq!(Instant::from_secs(1) + Duration::from_millis(1), Instant::from_millis(1_001));
}
