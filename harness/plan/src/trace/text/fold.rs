use std::collections::BTreeMap;
use std::time::Duration;

use super::line::Line;
use super::members::Members;

/// The longest group of lines whose repetition is looked for.
const LONGEST: usize = 64;

/// Minimum number of consecutive repetitions before lines are folded.
const TIMES: usize = 3;

/// Lines that stand for themselves (`times` is 1) or for `times` repetitions of themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The index of the first line.
    pub(super) start: usize,
    /// Number of lines that are shown.
    pub(super) len: usize,
    /// Number of repetitions, one right after the other.
    pub(super) times: usize,
    /// The time from each line to the same line of the next repetition, which is always the same.
    pub(super) period: Duration,
}

/// Finds what repeats: the same lines in the same order with the same time from each to its next repetition. Takes the
/// first repetition there is, of the shortest group; the time is linear in the number of lines.
pub(super) fn fold(lines: &[Line]) -> Vec<Block> {
    let folder = Folder { lines, ids: ids(lines) };
    let mut blocks = Vec::new();
    let mut start = 0;
    while start < lines.len() {
        let block = folder.repetition(start).unwrap_or(Block { start, len: 1, times: 1, period: Duration::ZERO });
        start += block.len * block.times;
        blocks.push(block);
    }
    blocks
}

/// A number for each text, so that comparing lines is cheap.
fn ids(lines: &[Line]) -> Vec<usize> {
    let mut known: BTreeMap<(&str, bool, Option<&Members>), usize> = BTreeMap::new();
    lines
        .iter()
        .map(|line| {
            let next = known.len();
            *known.entry((&line.text, line.is_heading, line.members.as_ref())).or_insert(next)
        })
        .collect()
}

struct Folder<'a> {
    lines: &'a [Line],
    ids: Vec<usize>,
}

impl Folder<'_> {
    fn repetition(&self, start: usize) -> Option<Block> {
        (1..=LONGEST).find_map(|len| {
            // A heading belongs to what follows it.
            let shown = self.lines.get(start..start + len)?;
            if !shown[0].is_heading && shown.iter().any(|line| line.is_heading) {
                return None;
            }
            let period = self.period(start, len)?;
            let mut times = 2;
            while self.repeats(start, len, times, period) {
                times += 1;
            }
            (times >= TIMES).then_some(Block { start, len, times, period })
        })
    }

    /// The time after which `len` lines come a second time, if they do.
    fn period(&self, start: usize, len: usize) -> Option<Duration> {
        let (first, again) = (self.lines.get(start)?, self.lines.get(start + len)?);
        let period = again.at.saturating_sub(first.at);
        self.repeats(start, len, 1, period).then_some(period)
    }

    /// Returns whether the repetition with this number, from 1, is like the one before it.
    fn repeats(&self, start: usize, len: usize, number: usize, period: Duration) -> bool {
        let from = start + len * number;
        from + len <= self.lines.len()
            && (from..from + len).all(|index| {
                self.ids[index] == self.ids[index - len] && self.lines[index].at == self.lines[index - len].at + period
            })
    }
}
