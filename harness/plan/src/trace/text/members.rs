use std::collections::BTreeMap;
use std::time::Duration;

use super::line::Line;
use crate::Plan;

/// Minimum number of members that do the same for their lines to be folded.
const MEMBERS: usize = 3;

/// Maximum length of the list of members that a folded line names, in characters.
const LISTED: usize = 40;

/// The member of a group that a line is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    group: String,
    number: u32,
    /// The line with `*` in place of the member's number, without its travel time.
    pattern: String,
}

impl Member {
    /// Returns the member with this name, of a line whose text has `*` in place of the number in its name.
    pub(super) fn new(name: &str, text: &str) -> Option<Self> {
        let (group, number) = split(name)?;
        Some(Self { group: group.to_owned(), number, pattern: pattern(text, number) })
    }
}

/// Returns `fleet.*` for `fleet.7`.
pub(super) fn masked(name: &str) -> Option<String> {
    Some(format!("{}.*", split(name)?.0))
}

/// The members of a group that one folded line stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Members {
    /// Number of members that it stands for.
    count: usize,
    /// Their numbers, unless it is the whole group.
    which: Option<String>,
    /// The time from the first to the last of them.
    pub(super) span: Duration,
}

impl Members {
    /// "×60", or "×3 (1-2, 9)".
    pub(super) fn text(&self) -> String {
        let which = self.which.as_ref().map(|which| format!(" ({which})")).unwrap_or_default();
        format!("×{}{which}", self.count)
    }
}

/// Folds the lines of the members of a group: lines between two headings that differ in nothing but the member, its
/// number and the travel time become one, in the place of the first. Of what members do several times, the first times
/// make a line, the second times another, and so on.
pub(super) fn fold(plan: &Plan, lines: Vec<Line>) -> Vec<Line> {
    let sizes = group_sizes(plan);
    if sizes.is_empty() {
        return lines;
    }
    let mut folded: Vec<Line> = Vec::new();
    let mut section: Vec<Line> = Vec::new();
    for line in lines {
        if line.is_heading {
            fold_section(&sizes, std::mem::take(&mut section), &mut folded);
            folded.push(line);
        } else {
            section.push(line);
        }
    }
    fold_section(&sizes, section, &mut folded);
    folded
}

fn fold_section(sizes: &BTreeMap<&str, usize>, section: Vec<Line>, folded: &mut Vec<Line>) {
    let mut seen: BTreeMap<(&str, &str, u32), usize> = BTreeMap::new();
    let mut alike: BTreeMap<(&str, &str, usize), Vec<&Line>> = BTreeMap::new();
    for line in &section {
        let Some(Member { group, number, pattern }) = &line.member else { continue };
        let times = seen.entry((pattern, group, *number)).or_default();
        *times += 1;
        alike.entry((pattern, group, *times)).or_default().push(line);
    }
    let mut instead: BTreeMap<usize, Option<Line>> = BTreeMap::new();
    for ((pattern, group, _), lines) in alike.into_iter().filter(|(_, lines)| lines.len() >= MEMBERS) {
        let (first, last) = (lines[0], lines[lines.len() - 1]);
        let numbers = || lines.iter().filter_map(|line| Some(line.member.as_ref()?.number)).collect();
        let members = Members {
            count: lines.len(),
            which: (sizes.get(group) != Some(&lines.len())).then(|| ranges(numbers())),
            span: last.at.saturating_sub(first.at),
        };
        let line = Line { text: with_travel(pattern, &lines), members: Some(members), ..first.clone() };
        instead.extend(lines.iter().skip(1).map(|line| (line.event, None)));
        instead.insert(first.event, Some(line));
    }
    for line in section {
        match instead.remove(&line.event) {
            None => folded.push(line),
            Some(line) => folded.extend(line),
        }
    }
}

/// Returns how many members each group has.
fn group_sizes(plan: &Plan) -> BTreeMap<&str, usize> {
    let mut sizes = BTreeMap::new();
    for (group, _) in plan.nodes.iter().filter_map(|node| split(&node.name)) {
        *sizes.entry(group).or_default() += 1;
    }
    sizes
}

/// Returns the group and the number of `fleet.7`.
fn split(name: &str) -> Option<(&str, u32)> {
    let (group, number) = name.rsplit_once('.')?;
    Some((group, number.parse().ok()?))
}

/// The text without its travel time and with `*` for the number of the member, where that stands behind a letter or one
/// of `.`, `/`, `-` and `_`.
fn pattern(text: &str, number: u32) -> String {
    let number = number.to_string();
    let (travel, rest) = text.split_at_checked(super::line::TRAVEL).unwrap_or(("", text));
    let is_travel = travel.trim().bytes().all(|byte| byte.is_ascii_digit()) && !travel.trim().is_empty();
    let mut pattern = if is_travel { String::new() } else { travel.to_owned() };
    let mut before = ' ';
    let mut left = rest;
    while let Some(next) = left.chars().next() {
        let digits = left.len() - left.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let is_number = digits > 0 && left[..digits] == number;
        let is_behind_a_word = before.is_alphabetic() && before != 'x' || matches!(before, '.' | '/' | '-' | '_');
        let len = if digits > 0 { digits } else { next.len_utf8() };
        match is_number && is_behind_a_word {
            true => pattern.push('*'),
            false => pattern.push_str(&left[..len]),
        }
        before = left[..len].chars().next_back().unwrap_or(' ');
        left = &left[len..];
    }
    pattern
}

/// The pattern with the travel times of all lines in front of it: `10`, or `10..12`.
fn with_travel(pattern: &str, lines: &[&Line]) -> String {
    let travel = |line: &&Line| line.text.get(..super::line::TRAVEL)?.trim().parse::<u64>().ok();
    let times: Vec<u64> = lines.iter().filter_map(travel).collect();
    match (times.iter().min(), times.iter().max()) {
        (Some(min), Some(max)) if min == max => format!("{min:>6}{pattern}"),
        (Some(min), Some(max)) => format!("{:>6}{pattern}", format!("{min}..{max}")),
        _ => pattern.to_owned(),
    }
}

/// "1-3, 5".
fn ranges(mut numbers: Vec<u32>) -> String {
    numbers.sort_unstable();
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, to)) if *to + 1 == number => *to = number,
            _ => ranges.push((number, number)),
        }
    }
    let mut text = String::new();
    for (place, (from, to)) in ranges.iter().enumerate() {
        if text.chars().count() > LISTED {
            return text + ", ...";
        }
        text.push_str(if place == 0 { "" } else { ", " });
        text.push_str(&if from == to { from.to_string() } else { format!("{from}-{to}") });
    }
    text
}
