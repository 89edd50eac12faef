//! The story.

use halfopen_protocol::PacketType;

use super::action::{ActionKind, Actions, is_action};
use super::expect::Condition;
use super::link::{LinkFault, LinkPath, SetLink};
use super::list::OneOrMore;
use super::macros::map;
use super::reading::Reading;
use super::scalar::{Name, Number, Text};
use super::time::{DurationExpr, Moment, Moments, PacketWord};
use super::value::{Field, Fill, Param, Place, Value};
use crate::keys::{Key, ValueKind, key};
use crate::lower::check_name;
use crate::plan::PacketKind;
use crate::reference::see;
use crate::suggest::{nearest, one_of, renamed};
use crate::tree::{Node, NodeKind};

map! {
    /// Steps in the background.
    Every = "`every`" needs "period", "steps" {
        period: Param<Period> => "from one beginning to the next";
        times: Param<Number<0, 4_294_967_295>> = "without end" => "how often";
        until: Param<Moment> => "no beginning after this moment";
        steps: Param<FilledSteps> => "what is done each time; `<round>` is the number of the time if `times` is given";
    }
}

map! {
    /// Steps one after the other, again and again.
    Repeat = "`repeat`" needs "times", "steps" {
        times: Param<Number<0, 1_000_000>> => "how often";
        steps: Param<FilledSteps> => "what is done each time; `<round>` is the number of the time";
    }
}

map! {
    /// Steps for some runs only.
    OnlyWhen = "`when`" needs "runs", "steps" {
        runs: Param<Condition> => "the runs in which the steps are done: axis name and value or values, as `{ mqtt: 5.0 }`";
        steps: Param<FilledSteps> => "what is done in them";
    }
}

map! {
    /// Steps that follow an event each time that it happens.
    Whenever = "`whenever`" needs "event", "steps" {
        event: Param<Moment> => "a packet, or what happens to a node or a connection: `CONNACK at z2m`, `1s after close of sensor`";
        times: Param<Number<1, 4_294_967_295>> = "as often as it happens" => "the maximum number of times";
        steps: Param<FilledSteps> => "what is done each time; `<round>` is the number of the time if `times` is given";
    }
}

map! {
    /// A fault right after each packet of a range: an axis.
    Sweep = "`sweep`" needs "fault", "during" {
        fault: Param<SweptFault> => "what is done: a step, or a list of them";
        during: Param<Moments> => "where, in a run without it: `PUBLISH from pub .. PUBCOMP at pub`";
    }
}

/// Defines words with a value behind each, of which one stands in a map: the enum, the rows of the reference, reading
/// and writing.
macro_rules! line {
    ($(#[$doc:meta])* $name:ident { $($variant:ident($type:ty) = $word:literal => $about:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $name {
            $(#[doc = $about] $variant($type),)*
        }

        impl $name {
            pub(crate) const KEYS: &'static [Key] =
                &[$(key($word, $about).takes(<$type as Value>::TAKES)),*];

            /// The word in a scenario.
            pub const fn word(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $word,)*
                }
            }

            fn has(word: &str) -> bool {
                Self::KEYS.iter().any(|key| key.name == word)
            }

            fn read_line(cx: &Reading<'_>, word: &str, value: &Node) -> Option<Self> {
                match word {
                    $($word => <$type as Value>::read(cx, value).map(Self::$variant),)*
                    _ => None,
                }
            }

            pub(crate) fn write_value(&self, fill: Fill<'_>) -> Node {
                match self {
                    $(Self::$variant(value) => value.write(fill),)*
                }
            }
        }
    };
}

line! {
    /// A change of the network.
    NetworkChange {
        HalfOpen(Param<FaultyLink>) = "half_open" => "the established connections of a link are forgotten by the path";
        Partition(Param<FaultyLink>) = "partition" => "all packets of a link vanish";
        Reset(Param<FaultyLink>) = "reset" => "a middlebox sends RST to the end of the established connections at which the link leads";
        Heal(Param<LinkPath>) = "heal" => "ends partition";
        Set(Param<SetProperties>) = "set" => "latency, jitter, loss, bandwidth, give_up of a link after this step";
    }
}

line! {
    /// A step that is no node's.
    StepWord {
        Wait(Param<DurationExpr>) = "wait" => "waits for the given time";
        At(Param<Moment>) = "at" => "goes on at that moment";
        Mark(Param<MarkName>) = "mark" => "names this instant";
        Network(Param<NetworkChange>) = "network" => "half_open, partition, heal, reset: a link; set";
        Repeat(Param<Repeat>) = "repeat" => "times, steps: runs the steps the given number of times, one time after the other";
        Every(Param<Every>) = "every" => "period, times, until, steps: in the background, first at once";
        Whenever(Param<Whenever>) = "whenever" => "event, times, steps: in the background, each time that the event happens";
        When(Param<OnlyWhen>) = "when" => "runs, steps: only in these runs";
        AnyOrder(Param<AnyOrderSteps>) = "any_order" => "happens at one instant, in all orders: an axis";
        Sweep(Param<Sweep>) = "sweep" => "a fault right after each packet of a range leaves or arrives: an axis";
    }
}

/// A step of the script.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The place of the word that it begins with.
    pub(crate) head: Place,
    /// The kind.
    pub kind: StepKind,
}

/// The kinds of steps.
#[derive(Clone, Debug, PartialEq)]
pub enum StepKind {
    /// A step that is no node's.
    Word(StepWord),
    /// A node or the members of a group do something.
    Node(Name, Param<Actions>),
}

impl Step {
    /// A step that is no node's.
    pub fn word(word: StepWord) -> Self {
        Self { head: Place::default(), kind: StepKind::Word(word) }
    }

    /// A node does something.
    pub fn node(name: impl Into<String>, action: ActionKind) -> Self {
        let actions = Param::new(OneOrMore(vec![Param::new(action.into())]));
        Self { head: Place::default(), kind: StepKind::Node(Name::new(name), actions) }
    }

    /// Reports a word that is neither a step nor a node.
    fn unknown(cx: &Reading<'_>, key: &Node, word: &str) {
        if cx.outline.is_silent(word) {
            return cx.fail();
        }
        if let Some((of, _)) = word.split_once('#').filter(|(of, _)| cx.outline.has_node(of)) {
            let message =
                format!("`{word}` is a connection; write the node, `{of}`, and `connection: {word}` beside it");
            return cx.error_with_note(key, message, see("a connection"));
        }
        if let Some(action) = ActionKind::KEYS.iter().find(|action| action.name == word) {
            let example = match action.takes {
                ValueKind::Nothing => format!("- NODE: {word}"),
                _ => format!("- NODE: {{ {word}: … }}"),
            };
            let message = format!("`{word}` is an action; a line begins with who does it, as in `{example}`");
            return cx.error_with_note(key, message, see("action"));
        }
        if NetworkChange::has(word) {
            let message = format!("`{word}` is a change of the network, and written `- network: {{ {word}: … }}`");
            return cx.error_with_note(key, message, see("change of the network"));
        }
        let words = || StepWord::KEYS.iter().map(|word| word.name);
        if let Some(new) = renamed(word, words()) {
            return cx.error_with_note(key, format!("the step `{word}` was renamed to `{new}`"), see("a step"));
        }
        let (hint, note) = match nearest(word, words().chain(cx.outline.names())) {
            Some(near) if cx.outline.has_node(near) => (format!("; did you mean the node `{near}`?"), see("a step")),
            Some(near) => (format!("; did you mean `{near}`?"), see("a step")),
            None => (String::new(), format!("a node, or one of {}; {}", one_of(words()), see("a step"))),
        };
        cx.error_with_note(key, format!("unknown node or step word `{word}`{hint}"), note);
    }
}

impl Value for Step {
    const TAKES: ValueKind = ValueKind::Step;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let (key, value) = cx.line(node, "a step")?;
        let word = cx.scalar(key, "a node or a step word")?;
        let kind = if StepWord::has(word) {
            StepKind::Word(StepWord::read_line(cx, word, value)?)
        } else if cx.outline.has_node(word) {
            if value.is_null() {
                cx.error(value, "what is the node to do? As in `sensor: power_loss`");
                return None;
            }
            cx.acting.set(cx.outline.role(word));
            StepKind::Node(Name::of(key)?, Param::read(cx, value)?)
        } else {
            Self::unknown(cx, key, word);
            return None;
        };
        Some(Self { head: Place::of(key), kind })
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        let (word, value) = match &self.kind {
            StepKind::Word(word) => (word.word(), word.write_value(fill)),
            StepKind::Node(name, actions) => (name.text.as_str(), actions.write(fill)),
        };
        Node::map([(Node::word(word), value)])
    }
}

/// A list of steps; those that are right.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Steps(pub Vec<Param<Step>>);

impl Value for Steps {
    const TAKES: ValueKind = ValueKind::Steps;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        Some(Self(cx.each(cx.list(node, "steps")?, |item| Param::read(cx, item))))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        Node::list(self.0.iter().map(|step| step.write(fill)))
    }
}

/// A list of steps inside of another step, of which there is one at least.
#[derive(Clone, Debug, PartialEq)]
pub struct FilledSteps(pub Steps);

impl Value for FilledSteps {
    const TAKES: ValueKind = ValueKind::Steps;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let steps = Steps::read(cx, node)?;
        if steps.0.is_empty() {
            cx.error(node, "no step in here");
            return None;
        }
        Some(Self(steps))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        self.0.write(fill)
    }
}

/// The fault of a sweep: a step, or a list of them.
#[derive(Clone, Debug, PartialEq)]
pub enum SweptFault {
    /// A single step.
    Step(Box<Step>),
    /// Several.
    Steps(FilledSteps),
}

impl Value for SweptFault {
    const TAKES: ValueKind = ValueKind::Either(&[ValueKind::Step, ValueKind::Steps]);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        match node.kind {
            NodeKind::List(_) => FilledSteps::read(cx, node).map(Self::Steps),
            _ => Step::read(cx, node).map(|step| Self::Step(Box::new(step))),
        }
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        match self {
            Self::Step(step) => step.write(fill),
            Self::Steps(steps) => steps.write(fill),
        }
    }
}

/// The steps of `any_order`, in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct AnyOrderSteps {
    /// The place of the list, by which a run knows the order.
    pub(crate) place: Place,
    /// The steps.
    pub steps: Vec<Param<Step>>,
}

impl From<Vec<Param<Step>>> for AnyOrderSteps {
    fn from(steps: Vec<Param<Step>>) -> Self {
        Self { place: Place::default(), steps }
    }
}

/// The greatest number of steps in `any_order`: 5 have 120 orders.
pub(crate) const MOST_IN_ANY_ORDER: usize = 5;

impl Value for AnyOrderSteps {
    const TAKES: ValueKind = ValueKind::Steps;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        match &node.kind {
            NodeKind::List(items) if (2..=MOST_IN_ANY_ORDER).contains(&items.len()) => {
                Some(Self { place: Place::of(node), steps: cx.each(items, |item| Param::read(cx, item)) })
            }
            NodeKind::Broken => {
                cx.fail();
                None
            }
            _ => {
                let message = format!(
                    "`any_order` is a list of 2 to {MOST_IN_ANY_ORDER} steps, as in `[ {{ a: crash }}, {{ b: crash }} ]`"
                );
                cx.error(node, message);
                None
            }
        }
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        Node::list(self.steps.iter().map(|step| step.write(fill)))
    }
}

/// The name of an instant of the story.
#[derive(Clone, Debug, PartialEq)]
pub struct MarkName(pub Text);

impl Value for MarkName {
    const TAKES: ValueKind = ValueKind::Text;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let name = cx.scalar(node, "a name for this instant")?;
        if !check_name(node, "a mark", cx.diagnostics) {
            cx.fail();
            return None;
        }
        if cx.outline.has_node(name) {
            cx.error(node, format!("`{name}` is a node already; a mark needs a name of its own"));
            return None;
        }
        Some(Self(Text(name.to_owned())))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        self.0.write(fill)
    }
}

/// A duration after which time has gone on.
#[derive(Clone, Debug, PartialEq)]
pub struct Period(pub DurationExpr);

impl Value for Period {
    const TAKES: ValueKind = ValueKind::Duration;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let duration = DurationExpr::read(cx, node)?;
        Self::checked(cx, &duration.place, duration.literal()?)?;
        Some(Self(duration))
    }

    fn read_with_parameters(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        DurationExpr::read_with_parameters(cx, node).map(Self)
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        self.0.write(fill)
    }
}

impl Period {
    fn checked(cx: &Reading<'_>, place: &Place, duration: std::time::Duration) -> Option<std::time::Duration> {
        if duration.is_zero() {
            cx.error_at(place, place.span, "a period of nothing would never let time go on", None);
            return None;
        }
        Some(duration)
    }

    /// The period in a run; nothing if it is none, which is reported.
    pub(crate) fn value(&self, env: &super::value::Env<'_>) -> Option<std::time::Duration> {
        Self::checked(env.reading, &self.0.place, self.0.value(env)?)
    }
}

/// A link with a fault, and the packet that the fault begins with, if one is named.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultyLink {
    /// The fault begins at once.
    AtOnce(LinkPath),
    /// The fault begins with a packet.
    With(Box<LinkFault>),
}

impl Value for FaultyLink {
    const TAKES: ValueKind = ValueKind::Either(&[ValueKind::Link, <LinkFault as Value>::TAKES]);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        match node.kind {
            NodeKind::Map(_) => LinkFault::read(cx, node).map(|fault| Self::With(Box::new(fault))),
            _ => LinkPath::read(cx, node).map(Self::AtOnce),
        }
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        match self {
            Self::AtOnce(link) => link.write(fill),
            Self::With(fault) => fault.write(fill),
        }
    }
}

impl FaultyLink {
    /// A fault of a link that begins with a packet.
    pub fn starting_with(link: LinkPath, packet: PacketType) -> Self {
        let packet: PacketWord = PacketKind::Type(packet).into();
        Self::With(Box::new(LinkFault {
            link: Some(Field::new(Param::new(link))),
            starting_with: Some(Field::new(Param::new(packet))),
        }))
    }
}

/// The settings of a link that change, one at least.
#[derive(Clone, Debug, PartialEq)]
pub struct SetProperties(pub Box<SetLink>);

impl Value for SetProperties {
    const TAKES: ValueKind = <SetLink as Value>::TAKES;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let failures = cx.failures.get();
        let set = SetLink::read(cx, node)?;
        let is_whole = failures == cx.failures.get();
        if set.which.link.is_none() && is_whole {
            cx.error(node, "a change of a link needs `link`");
        }
        if set.properties == super::link::LinkProperties::default() && is_whole {
            cx.error(node, "nothing is set; as in `{ link: a -> b, latency: 1s }`");
        }
        Some(Self(Box::new(set)))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        self.0.write(fill)
    }
}

impl Value for NetworkChange {
    const TAKES: ValueKind = ValueKind::Line(Self::KEYS);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let (key, value) = cx.line(node, "a change of the network")?;
        if let Some(action) = key.text().filter(|word| is_action(word)) {
            let message = format!("`{action}` is an action of a node, and written `- NODE: {action}`");
            cx.error_with_note(key, message, see("action"));
            return None;
        }
        let place = cx.word(key, "change of the network", Self::KEYS)?;
        Self::read_line(cx, Self::KEYS[place].name, value)
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        Node::map([(Node::word(self.word()), self.write_value(fill))])
    }
}

/// Returns whether a word is an argument of a fault of a link, beside the link.
pub(crate) fn is_of_link_fault(word: &str) -> bool {
    <LinkFault as super::value::Map>::TABLE.find(word).is_some()
}

/// Returns whether a step word takes a map that has this key.
pub(crate) fn has_argument(step: &str, word: &str) -> bool {
    let takes = |key: &&Key| matches!(key.takes, ValueKind::Map(table) if table.find(word).is_some());
    StepWord::KEYS.iter().filter(takes).any(|key| key.name == step)
}

pub(crate) use line;
