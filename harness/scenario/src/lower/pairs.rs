//! Pairwise choice: of the product of some axes, few rows in which each two values of two axes meet (D. R. Kuhn, R. N. Kacker and
//! Y. Lei, *Practical Combinatorial Testing*, NIST SP 800-142). Rows are made one after the other, each for a pair that has not
//! met, and filled up with what makes most other pairs meet and, where nothing does, with the first values, as in D. M. Cohen et al., *The AETG System*, IEEE TSE 23 (1997).

use std::collections::BTreeSet;

/// Number of axes, and number of values of one, that are read.
pub(super) const MAX_AXES: usize = 20;
pub(super) const MAX_VALUES: usize = 20;

/// Number of choices after which a row that some combinations forbid is given up.
const MAX_CHOICES: usize = 1_000;

/// Two values that are to meet: their axes, the smaller first, and their places in them.
type Pair = [(usize, usize); 2];

/// Values that a combination forbids to stand in one row.
pub(super) struct Forbidden {
    /// The place of the combination.
    pub(super) place: usize,
    /// Axes of the pairs, and which of their values have to come together.
    pub(super) axes: Vec<(usize, Vec<bool>)>,
}

impl Forbidden {
    /// Returns whether a row has all of these values.
    pub(super) fn has(&self, row: &[Option<usize>]) -> bool {
        self.axes.iter().all(|(axis, values)| row[*axis].is_some_and(|value| values[value]))
    }
}

/// Returns the least number of rows that axes with these numbers of values can have.
pub(super) fn least(lengths: impl Iterator<Item = usize>) -> usize {
    let mut lengths: Vec<usize> = lengths.collect();
    lengths.sort_unstable_by_key(|length| usize::MAX - length);
    lengths.iter().take(2).product()
}

/// Returns rows with one place for each axis, in which each two values meet that may. `is_allowed` judges rows of which some
/// places are chosen, and says no to all that cannot become allowed by choosing more.
pub(super) fn rows(lengths: &[usize], mut is_allowed: impl FnMut(&[Option<usize>]) -> bool) -> Vec<Vec<usize>> {
    let mut open: BTreeSet<Pair> = BTreeSet::new();
    for (one, &values) in lengths.iter().enumerate() {
        for (other, &others) in lengths.iter().enumerate().skip(one + 1) {
            open.extend((0..values).flat_map(|value| (0..others).map(move |with| [(one, value), (other, with)])));
        }
    }
    let mut rows = Vec::new();
    while let Some(pair) = open.pop_first() {
        let mut row = vec![None; lengths.len()];
        pair.iter().for_each(|&(axis, value)| row[axis] = Some(value));
        let mut choices = MAX_CHOICES;
        if is_allowed(&row) && fill(&mut row, lengths, &open, &mut choices, &mut is_allowed) {
            let row: Vec<usize> = row.into_iter().flatten().collect();
            open.retain(|pair| pair.iter().any(|&(axis, value)| row[axis] != value));
            rows.push(row);
        }
    }
    rows
}

/// Chooses the places that are open, of each axis the one by which most open pairs meet. False if none is allowed.
fn fill(
    row: &mut Vec<Option<usize>>,
    lengths: &[usize],
    open: &BTreeSet<Pair>,
    choices: &mut usize,
    is_allowed: &mut impl FnMut(&[Option<usize>]) -> bool,
) -> bool {
    let Some(axis) = row.iter().position(Option::is_none) else { return true };
    let meets = |value: usize| {
        let chosen = row.iter().enumerate().filter_map(|(other, place)| Some((other, (*place)?)));
        chosen.filter(|&other| open.contains(&ordered((axis, value), other))).count()
    };
    let mut values: Vec<usize> = (0..lengths[axis]).collect();
    values.sort_by_cached_key(|&value| usize::MAX - meets(value));
    for value in values {
        if *choices == 0 {
            break;
        }
        *choices -= 1;
        row[axis] = Some(value);
        if is_allowed(row) && fill(row, lengths, open, choices, is_allowed) {
            return true;
        }
    }
    row[axis] = None;
    false
}

fn ordered(one: (usize, usize), other: (usize, usize)) -> Pair {
    if one < other { [one, other] } else { [other, one] }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::two_axes(&[3, 2], 6)]
    #[case::four_axes_of_three_values(&[3, 3, 3, 3], 12)]
    #[case::many_axes(&[5, 4, 4, 3, 3, 3, 2, 2, 2], 34)]
    #[case::one_axis_has_one_value(&[1, 4], 4)]
    fn each_two_values_meet(#[case] lengths: &[usize], #[case] most: usize) {
        let rows = rows(lengths, |_| true);
        for (one, &values) in lengths.iter().enumerate() {
            for (other, &others) in lengths.iter().enumerate().skip(one + 1) {
                for (value, with) in (0..values).flat_map(|value| (0..others).map(move |with| (value, with))) {
                    let met = rows.iter().any(|row| row[one] == value && row[other] == with);
                    assert!(met, "{one}={value} and {other}={with} in {rows:?}");
                }
            }
        }
        assert!(rows.len() <= most, "{} rows", rows.len());
        assert!(rows.len() >= least(lengths.iter().copied()));
    }

    #[test]
    fn what_is_forbidden_is_in_no_row_and_the_rest_meets() {
        // Value 0 of the first axis goes with value 0 of the second alone, and that not with 1 of the third.
        let is_allowed = |row: &[Option<usize>]| !matches!(row, [Some(0), Some(1..), _] | [_, Some(0), Some(1)]);
        let rows = rows(&[2, 3, 2], is_allowed);
        assert!(rows.iter().all(|row| !matches!(row[..], [0, 1 | 2, _] | [_, 0, 1])), "{rows:?}");
        for (axes, values) in [([0, 1], [0, 0]), ([0, 2], [0, 0]), ([1, 2], [2, 1]), ([0, 1], [1, 0]), ([0, 2], [1, 1])]
        {
            assert!(rows.iter().any(|row| axes.map(|axis| row[axis]) == values), "{axes:?} {values:?} {rows:?}");
        }
    }
}
