//! `per`: how many there are in any window of some length.

use std::time::Duration;

use super::{Findings, Judge, VerbMatch, count_text, millis, seconds};
use crate::plan::CountRange;

impl Judge<'_> {
    /// Judges a count per period: no window has more, and none that begins right after one that counts and lies in the
    /// run has fewer. Windows are half-open: what comes exactly one length later is in the next one.
    pub(super) fn windows(&self, matches: &[VerbMatch], count: CountRange, per: Duration, findings: &mut Findings) {
        let at = |found: &VerbMatch| found.at;
        let most = matches.iter().enumerate().map(|(index, first)| {
            let end = at(first) + per;
            (matches[index..].partition_point(|found| at(found) < end) as u64, at(first))
        });
        let too_many = most.filter(|(most, _)| count.max.is_some_and(|max| *most > max)).max_by_key(|(most, _)| *most);
        let look_until = self
            .during()
            .map_or(self.trace.end, |(_, to)| self.trace.end.min(Duration::from_millis(to.max(0).unsigned_abs())));
        let least =
            matches.iter().enumerate().filter(|(_, first)| at(first) + per <= look_until).map(|(index, first)| {
                let end = at(first) + per;
                (matches[index + 1..].partition_point(|found| at(found) <= end) as u64, at(first))
            });
        let too_few = least.filter(|(least, _)| *least < count.min).min_by_key(|(least, _)| *least);
        for (number, from) in too_many.into_iter().chain(too_few) {
            let expected = format!("{} {} in any {}", self.subject(), count_text(count), seconds(millis(per)));
            let actual = format!("{number} in the {} from {} on", seconds(millis(per)), seconds(millis(from)));
            self.violation(expected, actual, findings);
        }
    }
}
