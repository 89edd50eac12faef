//! Why a run fails: at which of its events the failure became likely, and when certain.
//!
//! A world is deterministic: up to an event, runs with one seed are the same. From there on, each of many runs draws anew what
//! happens by chance. The share of those that fail, from one event to the next, says which of them made the difference.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use crate::check::{Outcome, Violation};
use crate::plan::Seed;
use crate::run::on_all_cores;
use crate::trace::TraceLine;
use crate::world::Variation;

/// Number of runs that begin alike, and how many of them fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// The number of runs.
    pub runs: usize,
    /// The number of those that show the failure.
    pub failed: usize,
}

impl Share {
    /// Returns the share of the runs that fail, from 0 to 1.
    pub fn of_all(self) -> f64 {
        if self.runs == 0 { 0.0 } else { self.failed as f64 / self.runs as f64 }
    }

    /// Returns whether all of the runs fail.
    pub fn is_certain(self) -> bool {
        self.failed == self.runs
    }

    /// Returns whether at least half of the runs fail.
    pub fn is_likely(self) -> bool {
        2 * self.failed >= self.runs
    }
}

/// The cause of the failure of a run, as far as its events tell.
#[derive(Clone, Debug)]
pub struct Why {
    /// The first thing that is broken in the run; the runs that go on otherwise are asked about the same.
    pub failure: Violation,
    /// The shares, by the number of lines of the trace that are the same. With 0, nothing is.
    pub shares: BTreeMap<usize, Share>,
}

/// The effort of finding a cause.
#[derive(Clone, Copy, Debug)]
pub struct WhyOptions {
    /// The number of runs at most.
    pub runs: usize,
    /// The time by which each packet travels longer than its link says, at most.
    pub spread: Duration,
}

/// Number of events from which runs go on at most, as far as there are runs for each.
const POINTS: usize = 20;

/// Maximum number of runs that go on from one event.
const AT_ONE_EVENT: usize = 200;

/// A difference between two shares that chance alone does not make.
const DIFFERENCE: f64 = 0.1;

impl Why {
    /// Finds out what made a run fail. `lines` are the lines of its trace, `outcome` is what it was judged, `again` makes the run
    /// again, going on otherwise from one of its events, and returns what that was judged, or nothing if it cannot be made, and
    /// `progress` is told of the number of runs that are done; it returns false to end early.
    ///
    /// Returns nothing if the run does not fail.
    pub fn find(
        seed: Seed,
        lines: &[TraceLine],
        outcome: &Outcome,
        options: WhyOptions,
        again: &(dyn Fn(Variation) -> Option<Outcome> + Sync),
        progress: &mut dyn FnMut(usize) -> bool,
    ) -> Option<Self> {
        let failure = outcome.violations.first()?.clone();
        let (mut done, batch) = (0, (options.runs / POINTS).clamp(1, AT_ONE_EVENT));
        let measure = |place: usize| {
            if done + batch > options.runs || !progress(done) {
                return None;
            }
            done += batch;
            let after = place.checked_sub(1).map_or(0, |last| lines[last].event + 1);
            let seeds: Vec<u64> = (0..batch as u64).collect();
            let fails = |number: &u64| {
                let seed = seed.derive(&format!("why {number}"));
                // A run that cannot go on shows something else.
                let outcome = again(Variation { after, seed, spread: options.spread });
                outcome.is_some_and(|outcome| shows(&outcome, &failure))
            };
            let failed = on_all_cores(&seeds, fails).into_iter().filter(|fails| *fails).count();
            Some(Share { runs: batch, failed })
        };
        let shares = shares(lines.len(), batch, measure);
        Some(Self { failure, shares })
    }

    /// Returns the lines among which the failure became likely: it is from the last of them on. Nothing if it was from the
    /// beginning.
    pub fn likely(&self) -> Option<Range<usize>> {
        self.turn(Share::is_likely)
    }

    /// Returns the lines among which the failure became certain, likewise.
    pub fn certain(&self) -> Option<Range<usize>> {
        self.turn(Share::is_certain)
    }

    /// Returns the numbers of lines between which all shares begin to be so.
    fn turn(&self, is_so: impl Fn(Share) -> bool) -> Option<Range<usize>> {
        let (before, _) = self.shares.iter().rev().find(|(_, share)| !is_so(**share))?;
        let (from, _) = self.shares.range(before + 1..).next()?;
        Some(*before..*from)
    }
}

/// Measures shares where they differ most: between 0 lines and all of them, and then always in the middle of the two
/// neighbours with the greatest difference, until each difference is that of one line. `measure` returns nothing when there
/// may be no more runs. With all lines every run is the run itself, and fails.
fn shares(lines: usize, batch: usize, mut measure: impl FnMut(usize) -> Option<Share>) -> BTreeMap<usize, Share> {
    let mut shares = BTreeMap::from([(lines, Share { runs: batch, failed: batch })]);
    let Some(first) = measure(0) else { return shares };
    shares.insert(0, first);
    loop {
        let neighbours = shares.iter().zip(shares.iter().skip(1));
        let apart = neighbours.filter(|((from, _), (to, _))| *to - *from > 1);
        let differences = apart.map(|((from, a), (to, b))| ((a.of_all() - b.of_all()).abs(), *from, *to));
        let widest = differences.max_by(|a, b| a.0.total_cmp(&b.0).then((a.2 - a.1).cmp(&(b.2 - b.1))));
        let Some((_, from, to)) = widest.filter(|(difference, ..)| *difference >= DIFFERENCE) else { return shares };
        let middle = usize::midpoint(from, to);
        let Some(share) = measure(middle) else { return shares };
        shares.insert(middle, share);
    }
}

/// Returns whether a run shows the failure.
fn shows(outcome: &Outcome, failure: &Violation) -> bool {
    outcome.violations.iter().any(|one| one.text == failure.text && one.position == failure.position)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Measures with shares that depend on the number of lines alone, and returns them with the number of measurements.
    fn measured(lines: usize, most: usize, failed: impl Fn(usize) -> usize) -> (Why, usize) {
        let mut asked = 0;
        let shares = shares(lines, 50, |place| {
            asked += 1;
            (asked <= most).then(|| Share { runs: 50, failed: failed(place) })
        });
        let failure = Violation {
            position: crate::plan::Position::default(),
            text: String::new(),
            expected: String::new(),
            actual: String::new(),
        };
        (Why { failure, shares }, asked)
    }

    #[test]
    fn the_line_that_makes_the_difference_is_found() {
        let (why, asked) = measured(1_000, 100, |place| if place < 701 { 3 } else { 50 });
        assert_eq!((why.likely(), why.certain()), (Some(700..701), Some(700..701)));
        assert!(asked <= 12, "{asked}");
    }

    #[test]
    fn likely_comes_before_certain() {
        let (why, _) = measured(64, 100, |place| match place {
            0..10 => 0,
            10..40 => 30,
            _ => 50,
        });
        assert_eq!((why.likely(), why.certain()), (Some(9..10), Some(39..40)));
    }

    #[test]
    fn what_fails_whatever_happens_is_certain_from_the_beginning() {
        let (why, asked) = measured(1_000, 100, |_| 50);
        assert_eq!((why.likely(), why.certain(), asked), (None, None, 1));
    }

    #[rstest]
    #[case(0)]
    #[case(1)]
    #[case(4)]
    fn with_few_runs_the_answer_is_less_exact_and_not_wrong(#[case] most: usize) {
        let (why, _) = measured(1_000, most, |place| if place < 701 { 0 } else { 50 });
        let turn = why.certain();
        assert!(turn.is_none_or(|turn| turn.start < 701 && turn.end >= 701));
    }
}
