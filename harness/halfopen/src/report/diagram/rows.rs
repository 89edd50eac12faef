//! Which height an instant has: time runs down, but not evenly. What happens close together is spread so that it can
//! be read; what is quiet is folded, and its length written down.

use std::collections::BTreeMap;
use std::time::Duration;

/// The height of a line of text.
pub(super) const ROW: i32 = 15;
/// Minimum length of a quiet time that is folded.
const QUIET: Duration = Duration::from_millis(250);
/// Height of a folded time.
const FOLDED: i32 = 46;

/// The lines of one instant: things whose ranges meet get lines of their own.
#[derive(Debug, Default)]
struct Instant {
    taken: Vec<(i32, i32, i32)>,
    rows: i32,
    y: i32,
}

/// Collects what happens at which instant, then gives heights.
#[derive(Debug, Default)]
pub(super) struct Rows {
    instants: BTreeMap<Duration, Instant>,
    height: i32,
}

/// A time in which nothing is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quiet {
    pub(super) from: Duration,
    pub(super) to: Duration,
    pub(super) y: i32,
    pub(super) y2: i32,
}

impl Rows {
    /// Takes room at an instant from `x` to `x2`; the line, from 0.
    pub(super) fn take(&mut self, at: Duration, x: i32, x2: i32) -> i32 {
        let instant = self.instants.entry(at).or_default();
        let (x, x2) = (x.min(x2), x.max(x2));
        let meets = instant.taken.iter().filter(|(from, to, _)| *from < x2 && x < *to);
        let row = meets.map(|(.., row)| row + 1).max().unwrap_or(0);
        instant.taken.push((x, x2, row));
        instant.rows = instant.rows.max(row + 1);
        row
    }

    /// Sees to it that an instant has a height.
    pub(super) fn touch(&mut self, at: Duration) {
        self.instants.entry(at).or_default();
    }

    /// All is known: sets heights. `folded` are times from which something was left out.
    pub(super) fn settle(&mut self, folded: &[(Duration, Duration)]) -> Vec<Quiet> {
        let mut quiet = Vec::new();
        let mut y = ROW;
        let mut before: Option<(Duration, i32)> = None;
        for (&at, instant) in &mut self.instants {
            if let Some((from, bottom)) = before {
                let is_folded = folded.iter().any(|(begin, end)| *begin < at && from < *end);
                let gap = at - from;
                y = bottom + if is_folded || gap >= QUIET { FOLDED } else { height(gap) };
                if is_folded || gap >= QUIET {
                    quiet.push(Quiet { from, to: at, y: bottom, y2: y });
                }
            }
            instant.y = y;
            before = Some((at, y + (instant.rows - 1).max(0) * ROW));
        }
        self.height = before.map_or(ROW, |(_, bottom)| bottom) + ROW;
        quiet
    }

    /// The height of a line at an instant, once settled.
    pub(super) fn y(&self, at: Duration, row: i32) -> i32 {
        if let Some(instant) = self.instants.get(&at) {
            return instant.y + row * ROW;
        }
        let before = self.instants.range(..at).next_back();
        let after = self.instants.range(at..).next();
        match (before, after) {
            (Some((from, one)), Some((to, other))) => {
                let bottom = one.y + (one.rows - 1).max(0) * ROW;
                let share = (at - *from).as_secs_f64() / (*to - *from).as_secs_f64();
                bottom + (f64::from(other.y - bottom) * share).round() as i32
            }
            (Some((_, one)), None) => one.y + (one.rows - 1).max(0) * ROW,
            (None, other) => other.map_or(0, |(_, other)| other.y),
        }
    }

    /// Returns all instants and their heights.
    pub(super) fn instants(&self) -> impl Iterator<Item = (Duration, i32)> + '_ {
        self.instants.iter().map(|(at, instant)| (*at, instant.y))
    }

    pub(super) fn height(&self) -> i32 {
        self.height
    }
}

/// Returns how high a short time is: growing with it, and enough for what travels through it to be seen to travel.
fn height(gap: Duration) -> i32 {
    let ms = i32::try_from(gap.as_millis()).unwrap_or(i32::MAX);
    18 + (ms / 4).min(28)
}
