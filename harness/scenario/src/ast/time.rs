//! Durations, moments and ranges of both, with the parameters and the arithmetic in them.

use std::time::Duration;

use super::reading::Reading;
use super::scalar::signed;
use super::value::{Env, Fill, Place, Value};
use crate::keys::ValueKind;
use crate::plan::{Ordinal, PacketKind, Point, number_text};
use crate::time::{self, Expr, TimeError, Values, without_parameters};
use crate::tree::Node;

/// A duration, as it is written: `5s`, `1.5 * <keep_alive>`.
#[derive(Clone, Debug, PartialEq)]
pub struct DurationExpr {
    pub(crate) place: Place,
    pub(crate) expr: Expr,
}

impl From<Duration> for DurationExpr {
    fn from(duration: Duration) -> Self {
        Self { place: Place::default(), expr: Expr::of(duration) }
    }
}

impl DurationExpr {
    fn parse(node: &Node, text: &str) -> Result<Self, TimeError> {
        let expr = time::expression_of(text)?;
        let read = Self { place: Place::of(node), expr };
        if !read.expr.has_parameters() {
            read.compute(&without_parameters)?;
        }
        Ok(read)
    }

    fn compute(&self, values: Values<'_>) -> Result<Duration, TimeError> {
        time::whole_duration(&self.expr, values)
    }

    /// The duration, if it has no parameters.
    pub(crate) fn literal(&self) -> Option<Duration> {
        self.compute(&without_parameters).ok()
    }

    /// The duration in a run; nothing if it is none, which is reported.
    pub(crate) fn value(&self, env: &Env<'_>) -> Option<Duration> {
        self.compute(&env.values(&self.place)).map_err(|error| env.reading.part_error(&self.place, &error, "time")).ok()
    }
}

impl Value for DurationExpr {
    const TAKES: ValueKind = ValueKind::Duration;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let text = cx.scalar(node, "a duration, such as `5s`")?;
        Self::parse(node, text).map_err(|error| cx.part_error(&Place::of(node), &error, "time")).ok()
    }

    fn read_with_parameters(_: &Reading<'_>, node: &Node) -> Option<Self> {
        let text = node.text()?;
        Self::parse(node, text).ok().filter(|read| !read.expr.is_parameter())
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        Node::word(shown(&self.expr, fill))
    }
}

/// An expression with its parameters, or with their values.
fn shown(expr: &Expr, fill: Fill<'_>) -> String {
    expr.shown(&|name, _| {
        fill.env.and_then(|env| env.params.text(name, crate::Span::default(), env.reading.diagnostics))
    })
}

/// A duration that a field of a packet carries in whole seconds, in the given number of bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Seconds<const MOST: u64>(pub DurationExpr);

impl<const MOST: u64> From<Duration> for Seconds<MOST> {
    fn from(duration: Duration) -> Self {
        Self(duration.into())
    }
}

impl<const MOST: u64> Seconds<MOST> {
    /// The number of seconds in a run; nothing if the field cannot carry it, which is reported.
    pub(crate) fn value<T: TryFrom<u64>>(&self, env: &Env<'_>) -> Option<T> {
        let duration = self.0.value(env)?;
        T::try_from(Self::checked(env.reading, &self.0.place, duration)?).ok()
    }

    fn checked(cx: &Reading<'_>, place: &Place, duration: Duration) -> Option<u64> {
        let seconds = duration.as_secs();
        let message = if duration.subsec_nanos() != 0 {
            format!("{} is no whole number of seconds, which the field carries", time::format(duration))
        } else if seconds > MOST {
            let bytes = if MOST <= u64::from(u16::MAX) { 2 } else { 4 };
            format!("{seconds}s is more than {MOST}s, the most that the {bytes}-byte field can hold")
        } else {
            return Some(seconds);
        };
        cx.error_at(place, place.span, message, None);
        None
    }
}

impl<const MOST: u64> Value for Seconds<MOST> {
    const TAKES: ValueKind = ValueKind::Duration;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let duration = DurationExpr::read(cx, node)?;
        let value = duration.literal()?;
        Self::checked(cx, &duration.place, value).map(|_| Self(duration))
    }

    fn read_with_parameters(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        DurationExpr::read_with_parameters(cx, node).map(Self)
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        self.0.write(fill)
    }
}

/// The keep-alive of a client, in two bytes.
pub type KeepAlive = Seconds<65_535>;

/// An interval of four bytes.
pub type Interval = Seconds<4_294_967_295>;

/// The lifetime of a session or the like: `never` ends it, or an interval does.
#[derive(Clone, Debug, PartialEq)]
pub enum Expiry {
    /// The lifetime has no end.
    Never,
    /// The lifetime is this interval.
    After(Interval),
}

impl Expiry {
    pub(crate) fn value(&self, env: &Env<'_>) -> Option<u32> {
        match self {
            Self::Never => Some(u32::MAX),
            Self::After(interval) => interval.value(env),
        }
    }
}

impl Value for Expiry {
    const TAKES: ValueKind = ValueKind::Duration;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        match node.text() {
            Some("never") => Some(Self::Never),
            _ => Interval::read(cx, node).map(Self::After),
        }
    }

    fn read_with_parameters(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        Interval::read_with_parameters(cx, node).map(Self::After)
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        match self {
            Self::Never => Node::word("never"),
            Self::After(interval) => interval.write(fill),
        }
    }
}

/// The distance by which a clock is set: `-1h`, `+5s`.
#[derive(Clone, Debug, PartialEq)]
pub struct Leap {
    is_back: bool,
    length: Expr,
}

impl Leap {
    /// Creates a leap in milliseconds, back if negative.
    pub fn new(milliseconds: i64) -> Self {
        let length = Duration::from_millis(milliseconds.unsigned_abs());
        Self { is_back: milliseconds < 0, length: Expr::of(length) }
    }

    /// The number of milliseconds, negative for back; nothing if it is 0 or more than 100 years.
    pub fn milliseconds(&self) -> Option<i64> {
        let length = time::whole_duration(&self.length, &without_parameters).ok()?;
        let length = i64::try_from(length.as_millis()).ok()?;
        // Farther than any run goes on, so that no sum of them overflows.
        let is_possible = (1..=100 * 365 * 24 * 3_600_000).contains(&length);
        is_possible.then_some(if self.is_back { -length } else { length })
    }
}

impl Value for Leap {
    const TAKES: ValueKind = ValueKind::Text;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let text = cx.scalar(node, "a leap, such as `-1h`")?;
        let (sign, digits) = signed(text);
        let leap = time::expression_of(digits).ok().map(|length| Self { is_back: sign < 0, length });
        let leap = leap.filter(|leap| leap.milliseconds().is_some());
        if leap.is_none() {
            cx.error(node, format!("expected a leap of at most 100 years, such as `-1h` or `+5s`, found `{text}`"));
        }
        leap
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        Node::word(format!("{}{}", if self.is_back { "-" } else { "+" }, shown(&self.length, fill)))
    }
}

/// A node, or one of its connections: `sensor`, `sensor#2`.
#[derive(Clone, Debug, PartialEq)]
pub struct EventNode {
    /// The name of the node.
    pub name: String,
    /// The number of the connection, from 1; all if `None`.
    pub connection: Option<u32>,
    /// The characters of the name in the text.
    pub(crate) at: CharRange,
}

impl EventNode {
    /// A node by its name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), connection: None, at: CharRange::default() }
    }

    pub(crate) fn shown(&self, fill: Fill<'_>) -> String {
        let name = fill.name(&self.name);
        self.connection.map_or_else(|| name.to_owned(), |number| format!("{name}#{}", number_text(number)))
    }
}

/// Something that happens, and that a moment may refer to.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The start of the run.
    Start,
    /// The end of the run.
    End,
    /// An instant that the story names.
    Mark {
        /// The name.
        name: String,
        /// The characters of the name in the text.
        at: CharRange,
    },
    /// A packet, at its sender or its receiver.
    Packet {
        /// The ordinal.
        ordinal: Ordinal,
        /// The packet.
        packet: PacketKind,
        /// The sender.
        from: Option<EventNode>,
        /// The receiver.
        to: Option<EventNode>,
        /// Through whose eyes, where that is said.
        at: Option<EventNode>,
    },
    /// Something that happens to a node.
    Point {
        /// The ordinal.
        ordinal: Ordinal,
        /// The point.
        point: Point,
        /// The node.
        of: EventNode,
        /// Through whose eyes, where that is said.
        at: Option<EventNode>,
    },
}

/// A range of characters of a text. All ranges are equal, as all places are.
#[derive(Clone, Copy, Debug, Default)]
pub struct CharRange {
    pub(crate) from: usize,
    pub(crate) to: usize,
}

impl PartialEq for CharRange {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Event {
    /// An instant that the story names.
    pub fn mark(name: impl Into<String>) -> Self {
        Self::Mark { name: name.into(), at: CharRange::default() }
    }

    /// The nodes that the event names.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &EventNode> {
        let nodes = match self {
            Self::Packet { from, to, at, .. } => [from.as_ref(), to.as_ref(), at.as_ref()],
            Self::Point { of, at, .. } => [Some(of), at.as_ref(), None],
            Self::Start | Self::End | Self::Mark { .. } => [None; 3],
        };
        nodes.into_iter().flatten()
    }

    fn shown(&self, fill: Fill<'_>) -> String {
        let mut text = String::new();
        let mut word = |word: &str| {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        };
        match self {
            Self::Start => word("start"),
            Self::End => word("end"),
            Self::Mark { name, .. } => word(name),
            Self::Packet { ordinal, packet, from, to, at } => {
                time::ordinal_word(*ordinal).into_iter().for_each(&mut word);
                word(&packet.to_string());
                for (preposition, node) in [("from", from), ("to", to), ("at", at)] {
                    if let Some(node) = node {
                        word(preposition);
                        word(&node.shown(fill));
                    }
                }
            }
            Self::Point { ordinal, point, of, at } => {
                time::ordinal_word(*ordinal).into_iter().for_each(&mut word);
                word(time::point_word(*point));
                word("of");
                word(&of.shown(fill));
                if let Some(at) = at {
                    word("at");
                    word(&at.shown(fill));
                }
            }
        }
        text
    }
}

/// A time relative to an event.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// The time of the event.
    At(Event),
    /// The time after the start of the run.
    Since(Expr),
    /// The time after the event.
    After(Expr, Event),
    /// The time before the event.
    Before(Expr, Event),
}

/// A point in time.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    pub(crate) place: Place,
    /// The time.
    pub when: When,
}

impl From<When> for Moment {
    fn from(when: When) -> Self {
        Self { place: Place::default(), when }
    }
}

impl Moment {
    /// The event that the moment refers to, the start of the run among them.
    pub fn event(&self) -> &Event {
        match &self.when {
            When::At(event) | When::After(_, event) | When::Before(_, event) => event,
            When::Since(_) => &Event::Start,
        }
    }

    /// The duration before or after the event.
    pub(crate) fn expr(&self) -> Option<&Expr> {
        match &self.when {
            When::Since(expr) | When::After(expr, _) | When::Before(expr, _) => Some(expr),
            When::At(_) => None,
        }
    }

    /// The moment in one line.
    pub(crate) fn shown(&self, fill: Fill<'_>) -> String {
        match &self.when {
            When::At(event) => event.shown(fill),
            When::Since(expr) => shown(expr, fill),
            When::After(expr, event) => format!("{} after {}", shown(expr, fill), event.shown(fill)),
            When::Before(expr, event) => format!("{} before {}", shown(expr, fill), event.shown(fill)),
        }
    }
}

impl Value for Moment {
    const TAKES: ValueKind = ValueKind::Moment;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let text = cx.scalar(node, "a moment, such as `20s` or `1s after MARK`")?;
        let place = Place::of(node);
        time::moment(text, &place, cx.outline).map_err(|error| cx.part_error(&place, &error, "time")).ok()
    }

    fn read_with_parameters(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let moment = time::moment(node.text()?, &Place::of(node), cx.outline).ok()?;
        moment
            .expr()
            .is_none_or(|expr| !expr.is_parameter() || !matches!(moment.when, When::Since(_)))
            .then_some(moment)
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        Node::word(self.shown(fill))
    }
}

/// A period from one moment to another; without the first from the start of the run, without the second to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    pub(crate) place: Place,
    /// The first moment.
    pub from: Option<Moment>,
    /// The last moment.
    pub to: Option<Moment>,
}

impl Moments {
    /// Creates a period from one moment to another.
    pub fn new(from: When, to: When) -> Self {
        Self { place: Place::default(), from: Some(from.into()), to: Some(to.into()) }
    }
}

impl Value for Moments {
    const TAKES: ValueKind = ValueKind::Moments;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let text = cx.scalar(node, "a range of moments, as in `50s .. 51s`")?;
        let place = Place::of(node);
        time::moments(text, &place, cx.outline).map_err(|error| cx.part_error(&place, &error, "time")).ok()
    }

    fn read_with_parameters(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let moments = time::moments(node.text()?, &Place::of(node), cx.outline).ok()?;
        // What is a parameter alone may be an event as well.
        let alone = |moment: &Option<Moment>| {
            moment.as_ref().is_some_and(|moment| matches!(&moment.when, When::Since(expr) if expr.is_parameter()))
        };
        (!alone(&moments.from) && !alone(&moments.to)).then_some(moments)
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        let shown = |moment: &Option<Moment>| moment.as_ref().map(|moment| moment.shown(fill));
        Node::word(match (shown(&self.from), shown(&self.to)) {
            (Some(from), Some(to)) => format!("{from} .. {to}"),
            (Some(from), None) => format!("{from} .."),
            (None, to) => format!(".. {}", to.unwrap_or_default()),
        })
    }
}

/// A duration or a range of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    pub(crate) place: Place,
    /// The range.
    pub range: GapRange,
}

/// A range of durations: both ends included.
#[derive(Clone, Debug, PartialEq)]
pub enum GapRange {
    /// `5s`
    Exactly(Expr),
    /// `5s..`
    AtLeast(Expr),
    /// `..4s`
    AtMost(Expr),
    /// `1s .. 2s`
    Between(Expr, Expr),
}

impl From<GapRange> for Gap {
    fn from(range: GapRange) -> Self {
        Self { place: Place::default(), range }
    }
}

impl Gap {
    fn parse(node: &Node, text: &str) -> Result<Self, TimeError> {
        let range = match text.split_once("..") {
            None => GapRange::Exactly(time::expression_of(text)?),
            Some((min, max)) => {
                let second = min.chars().count() + 2;
                let bound = |part: &str, offset| {
                    time::expression_of(part).map(|expr| expr.moved(offset)).map_err(|error| error.moved(offset))
                };
                match (min.trim().is_empty(), max.trim().is_empty()) {
                    (false, false) => GapRange::Between(bound(min, 0)?, bound(max, second)?),
                    (false, true) => GapRange::AtLeast(bound(min, 0)?),
                    (true, _) => GapRange::AtMost(bound(max, second)?),
                }
            }
        };
        Ok(Self { place: Place::of(node), range })
    }

    /// The shortest and the longest in a run; nothing if they are none, which is reported.
    pub(crate) fn values(&self, env: &Env<'_>) -> Option<(Duration, Option<Duration>)> {
        self.computed(env.reading, &env.values(&self.place))
    }

    fn computed(&self, cx: &Reading<'_>, values: Values<'_>) -> Option<(Duration, Option<Duration>)> {
        let value = |expr: &Expr| {
            time::whole_duration(expr, values).map_err(|error| cx.part_error(&self.place, &error, "time")).ok()
        };
        match &self.range {
            GapRange::Exactly(exact) => value(exact).map(|exact| (exact, Some(exact))),
            GapRange::AtLeast(min) => value(min).map(|min| (min, None)),
            GapRange::AtMost(max) => value(max).map(|max| (Duration::ZERO, Some(max))),
            GapRange::Between(min, max) => {
                let (min, max) = (value(min), value(max));
                let (min, max) = (min?, max?);
                if max < min {
                    cx.error_at(&self.place, self.place.span, "the range ends before it begins", None);
                    return None;
                }
                Some((min, Some(max)))
            }
        }
    }
}

impl Value for Gap {
    const TAKES: ValueKind = ValueKind::Gap;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let text = cx.scalar(node, "a duration or a range, as in `5s` or `..4s`")?;
        let gap = Self::parse(node, text).map_err(|error| cx.part_error(&Place::of(node), &error, "time")).ok()?;
        gap.computed(cx, &without_parameters).map(|_| gap)
    }

    fn read_with_parameters(_: &Reading<'_>, node: &Node) -> Option<Self> {
        let is_parameter = |range: &GapRange| matches!(range, GapRange::Exactly(expr) if expr.is_parameter());
        Self::parse(node, node.text()?).ok().filter(|gap| !is_parameter(&gap.range))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        Node::word(match &self.range {
            GapRange::Exactly(exact) => shown(exact, fill),
            GapRange::AtLeast(min) => format!("{}..", shown(min, fill)),
            GapRange::AtMost(max) => format!("..{}", shown(max, fill)),
            GapRange::Between(min, max) => format!("{} .. {}", shown(min, fill), shown(max, fill)),
        })
    }
}

/// The name of a packet: `PINGREQ`, or `packet` for any.
#[derive(Clone, Debug, PartialEq)]
pub struct PacketWord {
    pub(crate) place: Place,
    /// The kind.
    pub kind: PacketKind,
}

impl From<PacketKind> for PacketWord {
    fn from(kind: PacketKind) -> Self {
        Self { place: Place::default(), kind }
    }
}
