//! The story.

use std::time::Duration;

use halfopen_protocol::PacketType;

use crate::plan::{EventRef, NetworkChange, NetworkFault, PacketKind, Position, Scope, Step, StepKind, Sweep};

use super::action::{ACTIONS, Owners, is_action};
use super::keys::{Key, Table, Takes, key};
use super::link::SET;
use super::names::check_name;
use super::packet::pattern;
use super::reader::{Fields, Reader};
use super::reference::see;
use super::suggest::{nearest, one_of};
use super::time;
use super::tree::{Kind, Node};

/// The words that a step may begin with, besides nodes.
pub(super) const WORDS: &[Key] = &[
    key("wait", "goes on so much later").takes(Takes::Duration),
    key("at", "goes on at that moment").takes(Takes::Moment),
    key("mark", "names this instant").takes(Takes::Text),
    key("network", "half_open, partition, heal, reset: a link; set").takes(Takes::Line(NETWORK)),
    key("repeat", "times, steps: one after the other").takes(Takes::Map(&REPEAT)),
    key("every", "period, times, until, steps: in the background, first at once").takes(Takes::Map(&EVERY)),
    key("race", "happens at one instant, in all orders: an axis").takes(Takes::Steps),
    key("sweep", "a fault right after each packet of a range leaves or arrives: an axis").takes(Takes::Map(&SWEEP)),
];

const EVERY: Table = Table {
    what: "`every`",
    keys: &[&[
        key("period", "from one beginning to the next").takes(Takes::Duration),
        key("times", "how often").takes(Takes::Number(0, u32::MAX as u64)).or("without end"),
        key("until", "no beginning after this moment").takes(Takes::Moment),
        key("steps", "what is done each time").takes(Takes::Steps),
    ]],
};

const REPEAT: Table = Table {
    what: "`repeat`",
    keys: &[&[
        key("times", "how often").takes(Takes::Number(0, u32::MAX as u64)),
        key("steps", "what is done each time").takes(Takes::Steps),
    ]],
};

const SWEEP: Table = Table {
    what: "`sweep`",
    keys: &[&[
        key("fault", "what is done: a step, or a list of them").takes(Takes::Either(&[Takes::Step, Takes::Steps])),
        key("during", "where, in a run without it: `PUBLISH from pub .. PUBCOMP at pub`").takes(Takes::Moments),
    ]],
};

pub(super) const NETWORK: &[Key] = &[
    key("half_open", "the established connections of a link are forgotten by the path")
        .takes(Takes::Either(&[Takes::Link, Takes::Map(&LINK_FAULT)])),
    key("partition", "all packets of a link vanish").takes(Takes::Either(&[Takes::Link, Takes::Map(&LINK_FAULT)])),
    key("reset", "a middlebox sends RST to the end of the established connections at which the link leads")
        .takes(Takes::Either(&[Takes::Link, Takes::Map(&LINK_FAULT)])),
    key("heal", "ends partition").takes(Takes::Link),
    key("set", "latency, jitter, loss, bandwidth, give_up of a link from now on").takes(Takes::Map(&SET)),
];

const LINK_FAULT: Table = Table {
    what: "a fault of a link",
    keys: &[&[
        key("link", "which").takes(Takes::Link),
        key("starting_with", "not before a packet of this type leaves").takes(Takes::Packet),
    ]],
};

impl Reader<'_> {
    /// The story: its steps, those that are right, and its sweep.
    pub(super) fn story(&self, node: &Node, own: &Owners<'_>) -> (Vec<Step>, Option<Sweep>) {
        let (mut steps, mut sweep) = (Vec::new(), None);
        for item in self.list(node, "steps") {
            match item.entries() {
                [(key, value)] if key.text() == Some("sweep") => {
                    if sweep.is_some() {
                        self.error(key, "a second sweep; a story has one at most");
                        continue;
                    }
                    sweep = Some(self.sweep(key, value, steps.len(), own));
                }
                _ => steps.extend(self.line_of_story(item, own).into_iter().flatten()),
            }
        }
        (steps, sweep.flatten())
    }

    fn sweep(&self, key: &Node, value: &Node, before: usize, own: &Owners<'_>) -> Option<Sweep> {
        let fields = self.fields(value, &SWEEP)?;
        let fault = self.required(value, &fields, "fault").and_then(|fault| match fault.kind {
            Kind::List(_) => self.filled(fault, own),
            _ => self.line_of_story(fault, own),
        });
        let during = self.required(value, &fields, "during").and_then(|during| self.moments(during));
        let (from, to) = during?;
        Some(Sweep { position: key.span.start, before, fault: fault?, from, to })
    }

    /// The steps of a list, those that are right.
    pub(super) fn steps(&self, node: &Node, own: &Owners<'_>) -> Vec<Step> {
        self.list(node, "steps").iter().filter_map(|item| self.line_of_story(item, own)).flatten().collect()
    }

    /// A step; a race is several.
    fn line_of_story(&self, node: &Node, own: &Owners<'_>) -> Option<Vec<Step>> {
        match node.entries() {
            [(key, value)] if key.text() == Some("race") => {
                // What is no list has been reported with the axes.
                let Kind::List(items) = &value.kind else { return None };
                let steps: Vec<_> = items.iter().map(|item| self.step(item, own).map(|step| vec![step])).collect();
                self.race(value, steps.into_iter().collect::<Option<_>>()?)
            }
            _ => self.step(node, own).map(|step| vec![step]),
        }
    }

    fn step(&self, node: &Node, own: &Owners<'_>) -> Option<Step> {
        let (key, value) = self.line(node, "a step")?;
        let word = self.scalar(key, "a node or a step word")?;
        let kind = match WORDS.iter().find(|known| known.name == word) {
            Some(known) if self.usable(key, known) => self.step_word(known.name, value, own)?,
            Some(_) => return None,
            None => {
                let nodes = self.acting(key, word)?;
                let actions = self.actions(&nodes, value, own)?;
                StepKind::Node { nodes, actions }
            }
        };
        Some(Step { position: key.span.start, text: heading(word, value, &kind), kind })
    }

    fn acting(&self, key: &Node, word: &str) -> Option<Vec<crate::plan::NodeId>> {
        if let Some(ids) = self.names.nodes.get(word) {
            return Some(ids.clone());
        }
        if self.names.is_silent(word) {
            return None;
        }
        if word.split_once('#').is_some_and(|(of, _)| self.names.nodes.contains_key(of)) {
            self.nodes(key);
            return None;
        }
        if let Some(action) = ACTIONS.iter().find(|action| action.name == word) {
            let example = match action.takes {
                Takes::Nothing => format!("- NODE: {word}"),
                _ => format!("- NODE: {{ {word}: … }}"),
            };
            let message = format!("`{word}` is an action; a line begins with who does it, as in `{example}`");
            self.error_with_note(key, message, see("action"));
            return None;
        }
        if NETWORK.iter().any(|change| change.name == word) {
            let message = format!("`{word}` is a change of the network, and written `- network: {{ {word}: … }}`");
            self.error_with_note(key, message, see("change of the network"));
            return None;
        }
        let words = || WORDS.iter().map(|word| word.name);
        let (hint, note) = match nearest(word, words().chain(self.names.of_nodes())) {
            Some(near) if self.names.nodes.contains_key(near) => {
                (format!("; did you mean the node `{near}`?"), see("a step"))
            }
            Some(near) => (format!("; did you mean `{near}`?"), see("a step")),
            None => (String::new(), format!("a node, or one of {}; {}", one_of(words()), see("a step"))),
        };
        self.error_with_note(key, format!("unknown node or step word `{word}`{hint}"), note);
        None
    }

    fn step_word(&self, word: &str, value: &Node, own: &Owners<'_>) -> Option<StepKind> {
        Some(match word {
            "wait" => StepKind::Wait(self.duration(value)?),
            "at" => StepKind::At(self.moment(value)?),
            "mark" => {
                self.scalar(value, "a name for this instant")?;
                if !check_name(value, "a mark", self.sink) {
                    return None;
                }
                let name = value.text()?;
                if self.names.nodes.contains_key(name) {
                    self.error(value, format!("`{name}` is a node already; a mark needs a name of its own"));
                    return None;
                }
                StepKind::Mark(name.to_owned())
            }
            "network" => StepKind::Network(self.network_change(value)?),
            "sweep" => {
                self.error(value, "a sweep is a line of the story itself, and cannot be inside of another step");
                return None;
            }
            "race" => {
                self.error(value, "a race inside of a race; put its steps into the other");
                return None;
            }
            "repeat" => {
                let fields = self.fields(value, &REPEAT)?;
                let steps = self.inner_steps(value, &fields, own);
                let times = self.required(value, &fields, "times").and_then(|times| self.number(times, 0..=1_000_000));
                StepKind::Repeat { times: times?, steps: steps? }
            }
            _ => self.every(value, own)?,
        })
    }

    fn every(&self, value: &Node, own: &Owners<'_>) -> Option<StepKind> {
        let fields = self.fields(value, &EVERY)?;
        let steps = self.inner_steps(value, &fields, own);
        let period = self.required(value, &fields, "period").and_then(|period| {
            let duration = self.duration(period)?;
            if duration.is_zero() {
                self.error(period, "a period of nothing would never let time go on");
                return None;
            }
            Some(duration)
        });
        let times = match fields.get("times") {
            Some(times) => Some(self.number(times, 0..=u64::from(u32::MAX))?),
            None => None,
        };
        let until = match fields.get("until") {
            Some(until) => Some(self.moment(until)?),
            None => None,
        };
        Some(StepKind::Every { period: period?, times, until, steps: steps? })
    }

    fn inner_steps(&self, node: &Node, fields: &Fields<'_>, own: &Owners<'_>) -> Option<Vec<Step>> {
        self.filled(self.required(node, fields, "steps")?, own)
    }

    /// The steps of a list, of which there must be one.
    fn filled(&self, inner: &Node, own: &Owners<'_>) -> Option<Vec<Step>> {
        let steps = self.steps(inner, own);
        if matches!(&inner.kind, Kind::List(items) if items.is_empty()) {
            self.error(inner, "no step in here");
        }
        (!steps.is_empty()).then_some(steps)
    }

    /// The value of a key without which the map says nothing.
    pub(super) fn required<'n>(&self, node: &Node, fields: &Fields<'n>, name: &str) -> Option<&'n Node> {
        let value = fields.get(name);
        if value.is_none() && !fields.broken {
            self.error(node, format!("`{name}` is missing"));
        }
        value
    }

    fn network_change(&self, node: &Node) -> Option<NetworkChange> {
        let (key, value) = self.line(node, "a change of the network")?;
        if let Some(action) = key.text().filter(|word| is_action(word)) {
            let message = format!("`{action}` is an action of a node, and written `- NODE: {action}`");
            self.error_with_note(key, message, see("action"));
            return None;
        }
        let word = self.word(key, "change of the network", NETWORK)?;
        Some(match word {
            "half_open" => {
                let (scope, starting_with) = self.link_fault(value)?;
                NetworkChange { scope, fault: NetworkFault::HalfOpen { starting_with } }
            }
            "partition" => {
                let (scope, starting_with) = self.link_fault(value)?;
                NetworkChange { scope, fault: NetworkFault::Partition { starting_with } }
            }
            "reset" => {
                let (scope, starting_with) = self.link_fault(value)?;
                NetworkChange { scope, fault: NetworkFault::Reset { starting_with } }
            }
            "heal" => NetworkChange { scope: self.scope(value)?, fault: NetworkFault::Heal },
            _ => {
                let fields = self.fields(value, &SET)?;
                let scope = self.required(value, &fields, "link").and_then(|link| self.scope(link));
                let change = self.link_change(value, &SET)?;
                if change == crate::plan::LinkChange::default() {
                    self.error(value, "nothing is set; as in `{ link: a -> b, latency: 1s }`");
                    return None;
                }
                NetworkChange { scope: scope?, fault: NetworkFault::Set(change) }
            }
        })
    }

    /// A link alone, or with the type of the packet that the fault begins with.
    fn link_fault(&self, node: &Node) -> Option<(Scope, Option<PacketType>)> {
        let Kind::Map(_) = node.kind else {
            return Some((self.scope(node)?, None));
        };
        let fields = self.fields(node, &LINK_FAULT)?;
        let scope = self.required(node, &fields, "link").and_then(|link| self.scope(link));
        let starting_with = match fields.get("starting_with") {
            None => None,
            Some(word) => match pattern(self, word)? {
                crate::plan::PacketPattern { packet: PacketKind::Type(packet), fields } if fields.is_empty() => {
                    Some(packet)
                }
                _ => {
                    self.error(word, "expected the type of a packet, such as `PUBACK`");
                    return None;
                }
            },
        };
        Some((scope?, starting_with))
    }

    /// A moment in the names of the run.
    pub(super) fn moment(&self, node: &Node) -> Option<crate::plan::Moment> {
        let text = self.scalar(node, "a moment, such as `20s` or `1s after MARK`")?;
        let moment = time::moment(text, self.names.scope()).map_err(|error| self.time_error(node, &error)).ok()?;
        self.of_moment(node, moment)
    }

    /// Reports each `at` that is over by the time the story reaches it, as far as waiting alone tells.
    pub(super) fn check_times(&self, steps: &[Step], items: &Node) {
        let Kind::List(items) = &items.kind else { return };
        let mut elapsed = Duration::ZERO;
        for step in steps {
            if let StepKind::At(moment) = &step.kind
                && moment.event == EventRef::Start
            {
                let at = Duration::from_millis(u64::try_from(moment.offset_ms).unwrap_or_default());
                if at < elapsed {
                    self.past(items, step, at, elapsed);
                }
            }
            elapsed = elapsed_after(elapsed, step);
        }
    }

    fn past(&self, items: &[Node], step: &Step, at: Duration, elapsed: Duration) {
        if let Some(value) = line_at(items, step.position) {
            let (at, elapsed) = (time::format(at), time::format(elapsed));
            self.error(
                value,
                format!("{at} is over by then: the steps before end at {elapsed} or later; `wait` goes on from there"),
            );
        }
    }
}

/// Whether a word is an argument of a fault of a link, beside the link.
pub(super) fn is_of_link_fault(word: &str) -> bool {
    LINK_FAULT.find(word).is_some()
}

/// Whether a step word takes a map that has this key.
pub(super) fn has_argument(step: &str, word: &str) -> bool {
    WORDS.iter().any(|key| key.name == step && matches!(key.takes, Takes::Map(table) if table.find(word).is_some()))
}

/// What stands behind the key at a position, of the lines of a list.
pub(super) fn line_at(items: &[Node], position: Position) -> Option<&Node> {
    let mut lines = items.iter().filter_map(|item| item.entries().first());
    lines.find(|(key, _)| key.span.start == position).map(|(_, value)| value)
}

/// The earliest time at which a step is over.
pub(super) fn elapsed_after(elapsed: Duration, step: &Step) -> Duration {
    match &step.kind {
        StepKind::Wait(duration) => elapsed.saturating_add(*duration),
        StepKind::At(moment) if moment.event == EventRef::Start => {
            elapsed.max(Duration::from_millis(u64::try_from(moment.offset_ms).unwrap_or_default()))
        }
        StepKind::Repeat { times, steps } => {
            let once = steps.iter().fold(Duration::ZERO, |elapsed, step| match &step.kind {
                StepKind::Wait(duration) => elapsed.saturating_add(*duration),
                _ => elapsed,
            });
            elapsed.saturating_add(once.saturating_mul(u32::try_from(*times).unwrap_or(u32::MAX)))
        }
        _ => elapsed,
    }
}

/// What the trace calls a step: `wait 12.5s`, `sensor: power_loss`.
fn heading(word: &str, value: &Node, kind: &StepKind) -> String {
    match kind {
        StepKind::Wait(_) => match value.text().map(time::duration) {
            // As it was written where nothing was computed: `wait 1h`.
            Some(Ok(_)) if value.text().is_some_and(|text| !text.contains([' ', '*', '/', '+', '-'])) => {
                format!("wait {}", value.flow())
            }
            Some(Ok(duration)) => format!("wait {}", time::format(duration)),
            _ => format!("wait {}", value.flow()),
        },
        StepKind::At(_) | StepKind::Mark(_) => format!("{word} {}", value.flow()),
        _ => format!("{word}: {}", value.flow()),
    }
}
