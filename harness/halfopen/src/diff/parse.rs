use crate::report::model::Report;

/// The trace of a run as its text tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Its name, and its seed where that is said.
    pub name: String,
    /// Its verdict, where that is said.
    pub verdict: Option<String>,
    /// Its lines, steps among them.
    pub lines: Vec<Line>,
}

/// One line of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it was, in milliseconds since the start of the run.
    pub at_ms: i64,
    /// How long it travelled, in milliseconds, if it is something that arrived.
    pub travel_ms: Option<i64>,
    /// Whether it is a step of the story.
    pub is_heading: bool,
    /// All that it says but the time.
    pub text: String,
}

const VERDICTS: [&str; 5] = ["ok", "FAILED", "VACUOUS", "BROKEN", "skipped"];

/// The runs in a printed trace, a snapshot, or a report as JSON.
pub fn parse(text: &str) -> Vec<Run> {
    if text.trim_start().starts_with('{')
        && let Ok(report) = Report::read(text)
    {
        return of_report(&report);
    }
    let mut runs: Vec<Run> = Vec::new();
    let mut base = 0;
    for line in body(text).lines() {
        if let Some(run) = header(line) {
            base = 0;
            runs.push(run);
        } else if let Some(run) = runs.last_mut() {
            run.lines.extend(Line::parse(line, &mut base));
        }
    }
    runs
}

fn of_report(report: &Report) -> Vec<Run> {
    let run = |record: &crate::report::model::RunRecord| {
        let trace = record.text.as_deref().map(parse).and_then(|runs| runs.into_iter().next()).unwrap_or_default();
        let name = format!("{} seed={}", record.name, record.seed);
        Run { name, verdict: Some(format!("{:?}", record.verdict).to_lowercase()), lines: trace.lines }
    };
    report.runs.iter().map(run).collect()
}

/// The text of a snapshot without the head that says where it comes from.
fn body(text: &str) -> &str {
    let after = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n"));
    after.map_or(text, |(_, body)| body)
}

/// `ok keep_alive/idle[5.0] seed=1`: what begins a run.
fn header(line: &str) -> Option<Run> {
    if line.starts_with(' ') || line.is_empty() {
        return None;
    }
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (verdict, name) =
        if VERDICTS.contains(&first) { (Some(first.to_owned()), rest.trim()) } else { (None, line.trim()) };
    name.contains('[').then(|| Run { name: name.to_owned(), verdict, lines: Vec::new() })
}

impl Line {
    /// A line, timed from the heading above it.
    fn parse(line: &str, base: &mut i64) -> Option<Self> {
        let (time, text) = line.trim_start().split_once(' ').unwrap_or((line.trim(), ""));
        let is_heading = !time.starts_with('+');
        let at = milliseconds(time.trim_start_matches('+'))?;
        if is_heading {
            *base = at;
            return Some(Self { at_ms: at, travel_ms: None, is_heading, text: text.trim().to_owned() });
        }
        let travel_ms = text.split_whitespace().next().and_then(|travel| travel.parse().ok());
        Some(Self { at_ms: *base + at, travel_ms, is_heading, text: text.trim().to_owned() })
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.at_ms == other.at_ms && self.text == other.text
    }

    /// What it says without times: neither when nor how long it travelled, nor the times of a time-out or a repetition.
    pub(super) fn words(&self) -> String {
        let words = self.text.split_whitespace().filter(|word| !is_time(word));
        words.collect::<Vec<_>>().join(" ")
    }

    pub(super) fn shown(&self) -> String {
        let [seconds, rest] = [self.at_ms / 1000, self.at_ms % 1000];
        let words: Vec<&str> = self.text.split_whitespace().collect();
        let travel = if self.travel_ms.is_some() { 1 } else { 0 };
        let travels = if travel == 1 { format!(" ({} ms)", words[0]) } else { String::new() };
        format!("{seconds}.{rest:03} {}{travels}", words.get(travel..).unwrap_or_default().join(" "))
    }

    /// When what it tells of arrived, if it did.
    fn arrival_ms(&self) -> Option<i64> {
        self.travel_ms.map(|travel| self.at_ms + travel)
    }

    /// What a time-out is counted from, and when that was: `7.500 since CONNECT`.
    fn since(&self) -> Option<(&str, i64)> {
        let (before, after) = self.text.split_once(" since ")?;
        let length = milliseconds(before.rsplit(' ').next()?)?;
        Some((after.split([',', ' ']).next()?, self.at_ms - length))
    }

    fn says(&self, word: &str) -> bool {
        self.text.split_whitespace().any(|other| other == word)
    }

    /// The node that a line is about, and the one that it reaches.
    fn nodes(&self) -> (Option<&str>, Option<&str>) {
        let skipped =
            usize::from(self.travel_ms.is_some() || self.text.starts_with("lost ") || self.text.starts_with("held "));
        let words: Vec<&str> = self.text.split_whitespace().skip(skipped).take(3).collect();
        match words[..] {
            [from, "->", to] => (Some(from), Some(to)),
            [node, ..] => (Some(node), None),
            [] => (None, None),
        }
    }
}

impl Run {
    /// The line that let this one happen, as far as it shows: what its time-out was counted from, what reached its node or
    /// what the node did at that instant, the step that began then; for a PINGREQ what its node sent last.
    pub(super) fn cause(&self, at: usize) -> Option<usize> {
        let line = &self.lines[at];
        if line.is_heading {
            return None;
        }
        let (node, _) = line.nodes();
        if let Some((packet, since_ms)) = line.since() {
            return self.earlier(at, |earlier| {
                let (from, to) = earlier.nodes();
                let left = from == node && earlier.at_ms == since_ms;
                let came = to == node && earlier.arrival_ms() == Some(since_ms);
                (left || came) && earlier.says(packet)
            });
        }
        // A step comes when all is quiet: what a node does then is not because of what came before.
        let step = self.earlier(at, |earlier| earlier.is_heading).filter(|step| self.lines[*step].at_ms == line.at_ms);
        let reaches = |earlier: &Line| {
            let (of, to) = earlier.nodes();
            let arrives = to.is_some() && to == node && earlier.arrival_ms() == Some(line.at_ms);
            arrives || (to.is_none() && !earlier.is_heading && of == node && earlier.at_ms == line.at_ms)
        };
        let reached = self.earlier(at, reaches).filter(|reached| step.is_none_or(|step| *reached > step));
        let sent_last = || {
            let is_packet = |earlier: &Line| {
                let (of, to) = earlier.nodes();
                of == node
                    && to.is_some()
                    && !earlier.is_heading
                    && !["open", "FIN", "RST"].iter().any(|it| earlier.says(it))
            };
            line.says("PINGREQ").then(|| self.earlier(at, is_packet)).flatten()
        };
        reached.or(step).or_else(sent_last)
    }

    /// The latest line before this one that fits.
    fn earlier(&self, at: usize, fits: impl Fn(&Line) -> bool) -> Option<usize> {
        (0..at).rev().find(|&other| fits(&self.lines[other]))
    }
}

fn milliseconds(text: &str) -> Option<i64> {
    let (seconds, rest) = text.split_once('.')?;
    let is_time = rest.len() == 3 && rest.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: i64 = seconds.parse().ok()?;
    is_time.then(|| rest.parse::<i64>().ok().map(|rest| seconds * 1000 + rest)).flatten()
}

/// Whether a word is a time: `7.500`, `+3599.980`, `30`, `-0.001`.
fn is_time(word: &str) -> bool {
    let digits = word.trim_end_matches([',', ')']).trim_start_matches(['+', '-']);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}
