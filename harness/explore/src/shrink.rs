//! Makes a story small: what is left is needed, each line of it, for the same kind of finding.
//!
//! Values are taken away in the order in which a reader would miss them least: nodes with all that names them, steps, keys
//! of nodes, what stands farther in. Then numbers become round and small. Each candidate is a scenario that is written, read
//! and run; it is kept only if the run shows the *same kind* of finding.

use std::fmt;
use std::time::Duration;

use halfopen_check::without_clause;
use halfopen_scenario::{Comments, Draft, DraftPath};

use crate::campaign::Find;
use crate::expect::candidates;
use crate::judge::{Finding, FindingKind, Target, plan_of};

/// Maximum number of runs for shrinking one find.
pub const SHRINK_RUNS: usize = 400;

/// Maximum number of runs for the range of one number.
const RANGE_RUNS: usize = 12;

/// A find made small.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The shrunk story.
    pub draft: Draft,
    /// The finding in the run of the shrunk story.
    pub finding: Finding,
    /// The comments on its steps, and on numbers of its nodes.
    pub comments: Comments,
    /// The expectation that states the right behaviour, as a line of YAML; it fails in this run.
    pub expectation: Option<String>,
    /// The number of runs that it took.
    pub runs: usize,
    /// True if it is known that nothing more can be taken away.
    pub is_minimal: bool,
    /// Number of parts without which the run shows something else, each with a comment that says what; nothing if there was no
    /// time to look at all of them.
    pub others: Option<usize>,
    /// The other findings of its run.
    pub also: Vec<Finding>,
    /// False if the story was run again and did not show the finding: two runs of the programs may differ.
    pub is_seen_again: bool,
}

impl Shrunk {
    /// A story of which nothing is known but its finding.
    fn of(draft: Draft, finding: Finding, runs: usize) -> Self {
        let comments = Comments::default();
        Self {
            draft,
            finding,
            comments,
            expectation: None,
            runs,
            is_minimal: false,
            others: None,
            also: Vec::new(),
            is_seen_again: true,
        }
    }

    /// Returns the number of lines of the scenario, without those at its head.
    pub fn lines(&self) -> usize {
        self.draft.to_yaml(&Comments::default()).lines().count() + if self.expectation.is_some() { 2 } else { 0 }
    }

    /// Returns the scenario as YAML; `command` reproduces it.
    pub fn to_yaml(&self, command: &str) -> String {
        let minimal = match (self.is_minimal, self.others) {
            (true, Some(0)) if self.also.is_empty() => "No line can be left out: without it nothing is found.",
            (true, Some(_)) if self.also.is_empty() => {
                "No line can be left out: without it nothing is found, or what is said of it."
            }
            (true, _) => "No line can be left out: without it the run does not show this.",
            _ if !self.is_seen_again => {
                "It was seen once, and not when this was run again: two runs of the programs may differ."
            }
            (false, _) => "Some lines may be left out; there was no time to find out which.",
        };
        let mut head = vec![
            format!("Expected: {}", self.finding.expected),
            format!("Actual:   {}", self.finding.actual),
            format!("Found by the invariant `{}`. {command}", self.finding.kind.invariant),
            minimal.to_owned(),
        ];
        head.extend(self.also.iter().map(Finding::also));
        head.extend(self.comments.head.iter().cloned());
        let text = self.draft.to_yaml(&Comments { head, ..self.comments.clone() });
        match &self.expectation {
            Some(expectation) => with_expectation(&text, expectation, without_clause(&self.finding.expected).1),
            None => text,
        }
    }
}

/// Returns a scenario with an expectation, and its clause behind it.
fn with_expectation(text: &str, expectation: &str, clause: Option<&str>) -> String {
    let clause = clause.map_or_else(String::new, |clause| format!(" # [{clause}]"));
    format!("{text}expect:\n  - {expectation}{clause}\n")
}

/// Number of times that a find is run again before it counts as one that is not seen again.
const TRIES: usize = 3;

/// Makes the story of a find small. Once `is_over` says so, what is left is taken as it is.
pub fn shrink(target: &Target, find: &Find, is_over: &dyn Fn() -> bool) -> Shrunk {
    let draft = Draft::from(&find.file);
    let waived =
        find.file.waive.iter().flat_map(|field| &field.value.0).map(|(_, invariant, _)| invariant.name()).collect();
    let mut shrinker = Shrinker {
        target,
        is_over,
        kind: find.finding.kind.clone(),
        waived,
        draft,
        finding: find.finding.clone(),
        runs: 0,
    };
    let draft = shrinker.draft.clone();
    // Two runs of the project's programs are the same.
    if target.programs.is_some() && !(0..TRIES).any(|_| shrinker.shows(&draft).is_some()) {
        return Shrunk { is_seen_again: false, ..Shrunk::of(draft, find.finding.clone(), shrinker.runs) };
    }
    let mut is_minimal = false;
    while !is_minimal && shrinker.has_runs() {
        let before = shrinker.draft.clone();
        shrinker.nodes();
        shrinker.steps();
        shrinker.waits();
        shrinker.pieces();
        shrinker.numbers();
        is_minimal = shrinker.draft == before && shrinker.has_runs();
    }
    let mut comments = shrinker.ranges();
    let also = shrinker.also();
    let others = if is_minimal { shrinker.others(&also, &mut comments) } else { None };
    let expectation = shrinker.expectation();
    let Shrinker { draft, finding, runs, .. } = shrinker;
    Shrunk { comments, expectation, is_minimal, others, also, ..Shrunk::of(draft, finding, runs) }
}

struct Shrinker<'a> {
    target: &'a Target,
    is_over: &'a dyn Fn() -> bool,
    kind: FindingKind,
    /// The invariants that the story waives: what is left of it must not break them unwaived.
    waived: Vec<&'static str>,
    draft: Draft,
    finding: Finding,
    runs: usize,
}

impl Shrinker<'_> {
    fn has_runs(&self) -> bool {
        self.runs < SHRINK_RUNS && !(self.is_over)()
    }

    /// Runs a draft; what it shows, if it is a scenario of one run that shows the same kind of finding.
    fn shows(&mut self, draft: &Draft) -> Option<Finding> {
        let plan = plan_of("story", draft.to_yaml(&Comments::default())).ok()?;
        self.runs += 1;
        let judged = self.target.judge(&plan);
        let is_unwaived = |finding: &Finding| self.waived.iter().any(|waived| finding.kind.invariant == *waived);
        if judged.findings.iter().any(is_unwaived) {
            return None;
        }
        judged.findings.into_iter().find(|finding| finding.kind == self.kind)
    }

    /// Takes a draft in the place of the one before if it shows the same.
    fn accept(&mut self, draft: Draft) -> bool {
        if draft == self.draft || !self.has_runs() {
            return false;
        }
        let Some(finding) = self.shows(&draft) else { return false };
        self.draft = draft;
        self.finding = finding;
        true
    }

    fn nodes(&mut self) {
        for name in self.draft.nodes() {
            let without = self.draft.without_node(&name);
            self.accept(without);
        }
    }

    /// Takes away steps: the half of them, a quarter, and so on to each alone, from the back.
    fn steps(&mut self) {
        let mut size = self.draft.steps().div_ceil(2);
        while size > 0 {
            let mut end = self.draft.steps();
            while end > 0 {
                let start = end.saturating_sub(size);
                let chunk: Vec<usize> = (start..end).collect();
                let without = self.draft.without_steps(&chunk);
                self.accept(without);
                end = start;
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
    }

    /// Two waits in a row are one.
    fn waits(&mut self) {
        let mut place = 1;
        while place < self.draft.steps() {
            let (first, second) = (self.wait_at(place - 1), self.wait_at(place));
            if let (Some((path, first)), Some((_, second))) = (first, second) {
                let draft = self.draft.with_text(&path, &shown(first + second)).without_steps(&[place]);
                if self.accept(draft) {
                    continue;
                }
            }
            place += 1;
        }
    }

    fn wait_at(&self, place: usize) -> Option<(DraftPath, Duration)> {
        let is_it = |path: &DraftPath| path.first() == Some(place) && self.draft.keys_of(path) == ["wait", "steps"];
        let (path, text) = self.draft.texts().into_iter().find(|(path, _)| is_it(path))?;
        Some((path, duration(&text)?))
    }

    /// Takes away whatever else can be.
    fn pieces(&mut self) {
        let mut done = Vec::new();
        while let Some(piece) = self.draft.pieces().into_iter().find(|piece| !done.contains(piece)) {
            if !self.has_runs() {
                return;
            }
            let without = self.draft.without(std::slice::from_ref(&piece));
            if !self.accept(without) {
                done.push(piece);
            }
        }
    }

    /// Makes numbers and durations small and round.
    fn numbers(&mut self) {
        for (path, text) in self.draft.texts() {
            let keys = self.draft.keys_of(&path);
            let is_name = matches!(keys[0].as_str(), "mqtt" | "payload" | "topic" | "filter" | "client_id");
            let candidates = if is_name { Vec::new() } else { simpler(&text) };
            for candidate in candidates {
                let draft = self.draft.with_text(&path, &candidate);
                if self.accept(draft) {
                    break;
                }
            }
        }
    }

    /// Says of each number in which range the run shows the same: of those in steps behind the step, waits first, and of
    /// others at the head of the file.
    fn ranges(&mut self) -> Comments {
        let mut comments = Comments::default();
        let mut numbers: Vec<(DraftPath, Number)> = Vec::new();
        for (path, text) in self.draft.texts() {
            numbers.extend(Number::of(&self.draft.keys_of(&path), &text).map(|number| (path, number)));
        }
        numbers.sort_by_key(|(path, _)| self.draft.keys_of(path) != ["wait", "steps"]);
        for (path, number) in numbers {
            if !self.has_runs() {
                break;
            }
            let Some(range) = self.range(&path, number) else { continue };
            let keys = self.draft.keys_of(&path);
            match (path.key(), path.first()) {
                ("steps", Some(step)) => {
                    let key = if keys[0] == "wait" { String::new() } else { format!("{}: ", keys[0]) };
                    remark(&mut comments, step, &format!("{key}{range}"));
                }
                _ => {
                    let of: String = keys[1..].iter().rev().skip(1).rev().map(|key| format!(" of {key}")).collect();
                    comments.head.push(format!("The number of `{}`{of}: {range}.", keys[0]));
                }
            }
        }
        comments
    }

    /// Says of each part without which the run shows something else what that is: of steps behind them, and of others at the
    /// head of the file. Returns how many there are; nothing if there were no runs left for some. What the run with all its
    /// parts shows, too, is nothing else.
    fn others(&mut self, also: &[Finding], comments: &mut Comments) -> Option<usize> {
        let mut count = 0;
        for piece in self.draft.pieces() {
            let without = self.draft.without(std::slice::from_ref(&piece));
            let Ok(plan) = plan_of("story", without.to_yaml(&Comments::default())) else { continue };
            if !self.has_runs() {
                return None;
            }
            self.runs += 1;
            let is_new = |other: &Finding| also.iter().all(|also| also.kind != other.kind);
            let Some(other) = self.target.judge(&plan).findings.into_iter().find(is_new) else { continue };
            count += 1;
            let what = format!("`{}` finds something else", other.kind.invariant);
            let keys = self.draft.keys_of(&piece);
            match (piece.key(), piece.first(), piece.depth()) {
                ("steps", Some(step), 1) => remark(comments, step, &format!("without it {what}")),
                ("steps", Some(step), _) => remark(comments, step, &format!("without `{}` {what}", keys[0])),
                _ => {
                    let of: String = keys[1..].iter().rev().skip(1).rev().map(|key| format!(" of {key}")).collect();
                    comments.head.push(format!("Without `{}`{of} {what}.", keys[0]));
                }
            }
        }
        Some(count)
    }

    /// Returns in which range of a number the run shows the same; nothing if that is everywhere.
    fn range(&mut self, path: &DraftPath, number: Number) -> Option<String> {
        let far = Number { value: number.value * 4 + number.step(), ..number };
        let least = self.bound(path, number, Number { value: 0, ..number });
        let most = self.bound(path, number, far);
        match (least.value == 0, most.value == far.value) {
            (true, true) => None,
            (true, false) => Some(format!("up to {most} show it")),
            (false, true) => Some(format!("from {least} on")),
            (false, false) if least.value == most.value => Some(format!("only {least} shows it")),
            (false, false) => Some(format!("from {least} to {most}")),
        }
    }

    /// Returns how far a number can go towards an end so that the run still shows the same, to the millisecond or as near
    /// as the runs allow.
    fn bound(&mut self, path: &DraftPath, good: Number, end: Number) -> Number {
        let mut shows = |number: Number| {
            let draft = self.draft.with_text(path, &number.to_string());
            self.shows(&draft).is_some()
        };
        if shows(end) {
            return end;
        }
        let (mut good, mut bad) = (good, end);
        for _ in 0..RANGE_RUNS {
            let middle = Number { value: (good.value + bad.value) / 2, ..good };
            if middle.value == good.value || middle.value == bad.value {
                break;
            }
            if shows(middle) {
                good = middle;
            } else {
                bad = middle;
            }
        }
        good
    }

    /// Returns the other findings of the run.
    fn also(&mut self) -> Vec<Finding> {
        let Ok(plan) = plan_of("story", self.draft.to_yaml(&Comments::default())) else { return Vec::new() };
        self.runs += 1;
        let findings = self.target.judge(&plan).findings;
        findings.into_iter().filter(|finding| finding.kind != self.kind).collect()
    }

    /// Returns the expectation that states the right behaviour and fails in this run, if the language can say it.
    fn expectation(&mut self) -> Option<String> {
        let plan = plan_of("story", self.draft.to_yaml(&Comments::default())).ok()?;
        let nodes: Vec<String> = plan.nodes.iter().map(|node| node.name.clone()).collect();
        candidates(&self.finding.expected, &nodes).into_iter().find(|candidate| {
            let text = with_expectation(&self.draft.to_yaml(&Comments::default()), candidate, None);
            let Ok(plan) = plan_of("story", text) else { return false };
            self.runs += 1;
            let judged = self.target.judge(&plan);
            judged.unmet == 1 && judged.findings.iter().any(|finding| finding.kind == self.kind)
        })
    }
}

/// Adds to the comment of a step.
fn remark(comments: &mut Comments, step: usize, text: &str) {
    let comment = comments.steps.entry(step).or_default();
    if !comment.is_empty() {
        comment.push_str("; ");
    }
    comment.push_str(text);
}

/// A number of a scenario whose range is of interest.
#[derive(Clone, Copy, Debug)]
struct Number {
    /// The number; of a duration the milliseconds.
    value: u64,
    is_duration: bool,
}

/// Keys of numbers that are no durations and whose range is of interest.
const COUNTS: [&str; 6] =
    ["times", "receive_maximum", "maximum_packet_size", "topic_alias_maximum", "queue_messages", "size"];

impl Number {
    /// Returns the number that a text is, behind these keys from the inside outwards.
    fn of(keys: &[String], text: &str) -> Option<Self> {
        let key = keys.first()?.as_str();
        if let Some(time) = duration(text) {
            return Some(Self { value: u64::try_from(time.as_millis()).ok()?, is_duration: true });
        }
        let value = text.parse().ok().filter(|_| COUNTS.contains(&key))?;
        Some(Self { value, is_duration: false })
    }

    /// Returns how far beyond four times the number is looked.
    fn step(self) -> u64 {
        if self.is_duration { 10_000 } else { 10 }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_duration { f.write_str(&shown(Duration::from_millis(self.value))) } else { self.value.fmt(f) }
    }
}

/// Returns simpler texts to be tried in the place of one, the simplest first.
fn simpler(text: &str) -> Vec<String> {
    if let Some(time) = duration(text) {
        let round = [1, 2, 5, 10, 20, 60, 120].map(Duration::from_secs);
        let times = round.into_iter().chain([Duration::from_secs(time.as_secs())]);
        return times.filter(|candidate| *candidate < time && !candidate.is_zero()).map(shown).collect();
    }
    match text.parse::<u64>() {
        Ok(number) => [0, 1, 2, 3, 5, 10].into_iter().filter(|it| *it < number).map(|it| it.to_string()).collect(),
        Err(_) => Vec::new(),
    }
}

/// Returns the duration that a text is, as drawn stories have them.
fn duration(text: &str) -> Option<Duration> {
    let unit = |suffix: &str, milliseconds: f64| {
        let number: f64 = text.strip_suffix(suffix)?.parse().ok()?;
        (0.0..1e12).contains(&number).then(|| Duration::from_millis((number * milliseconds).round() as u64))
    };
    unit("ms", 1.0).or_else(|| unit("min", 60_000.0)).or_else(|| unit("s", 1_000.0)).or_else(|| unit("h", 3_600_000.0))
}

/// Writes a duration as a scenario has it.
fn shown(time: Duration) -> String {
    let milliseconds = time.as_millis();
    match milliseconds {
        0 => "0s".to_owned(),
        1..1_000 => format!("{milliseconds}ms"),
        _ if milliseconds.is_multiple_of(1_000) => format!("{}s", milliseconds / 1_000),
        _ => format!("{}s", milliseconds as f64 / 1_000.0),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::{CampaignOptions, explore};

    #[rstest]
    #[case("10s", Some(10_000))]
    #[case("1.5s", Some(1_500))]
    #[case("20ms", Some(20))]
    #[case("t/a", None)]
    #[case("s", None)]
    fn duration_is_read(#[case] text: &str, #[case] milliseconds: Option<u64>) {
        assert_eq!(duration(text), milliseconds.map(Duration::from_millis));
    }

    #[rstest]
    #[case(0)]
    #[case(20)]
    #[case(1_000)]
    #[case(10_501)]
    fn duration_that_is_written_is_read_again(#[case] milliseconds: u64) {
        let time = Duration::from_millis(milliseconds);
        assert_eq!(duration(&shown(time)), Some(time));
    }

    /// Shrinks the first story of a campaign that shows the invariant with the defect.
    fn shrunk(defect: &str, invariant: &str) -> Shrunk {
        let target = Target { defect: Some(defect.parse().unwrap()), ..Target::default() };
        let options = CampaignOptions::new(1, 500, std::num::NonZero::new(2).unwrap(), target.clone());
        let result = explore(&options, &|| false, &mut |_| (), &mut |_| ());
        let find = result.finds.iter().find(|find| find.finding.kind.invariant == invariant).expect("it is found");
        shrink(&target, find, &|| false)
    }

    #[rstest]
    #[case("broker:keep_alive_twice", "broker_keeps_its_deadline", 12)]
    #[case("broker:session_never_ends", "broker_keeps_sessions", 14)]
    #[case("client:qos2_twice", "qos_2_exactly_once", 12)]
    fn find_becomes_a_short_scenario_that_shows_the_same(
        #[case] defect: &str,
        #[case] invariant: &str,
        #[case] most: usize,
    ) {
        let small = shrunk(defect, invariant);
        assert!(small.lines() <= most, "{}", small.to_yaml(""));
        assert!(small.is_minimal, "{}", small.to_yaml(""));
        let plan = plan_of("small", small.to_yaml("")).unwrap();
        let target = Target { defect: Some(defect.parse().unwrap()), ..Target::default() };
        let shows = |target: Target| target.judge(&plan).findings.iter().any(|it| it.kind == small.finding.kind);
        assert!(shows(target), "what is written shows it");
        assert!(!shows(Target::default()), "the program without the defect is right");
        assert_eq!(Target::default().judge(&plan).unmet, 0, "nor does its expectation fail: {}", small.to_yaml(""));
    }
}
