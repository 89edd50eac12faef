//! Values that are one piece of text.

use std::num::NonZeroU32;

use bytes::Bytes;
use halfopen_protocol::{ReasonCode, Version};

use super::reading::Reading;
use super::value::{Fill, Place, Value};
use crate::bytes::{MAX_PAYLOAD, parse_hex, parse_size};
use crate::keys::ValueKind;
use crate::suggest::nearest;
use crate::time::Exact;
use crate::tree::Node;

/// A name that the author has chosen, or the name of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// The name.
    pub text: String,
    /// The place.
    pub place: Place,
}

impl Name {
    /// A name that was not read from a file.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), place: Place::default() }
    }

    /// The name that a node of the tree is.
    pub(crate) fn of(node: &Node) -> Option<Self> {
        node.text().map(|text| Self { text: text.to_owned(), place: Place::of(node) })
    }
}

/// The name of a node or of a group of nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeName(pub Name);

impl Value for NodeName {
    const TAKES: ValueKind = ValueKind::Node;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        cx.scalar(node, "a node")?;
        Name::of(node).map(Self)
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        Node::word(fill.name(&self.0.text))
    }
}

/// A text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(pub String);

impl Value for Text {
    const TAKES: ValueKind = ValueKind::Text;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        // An empty text is quoted, or it would be no value at all.
        if node.text() == Some("") && !node.is_null() {
            return Some(Self(String::new()));
        }
        cx.scalar(node, "a text").map(|text| Self(text.to_owned()))
    }

    fn write(&self, _: Fill<'_>) -> Node {
        Node::quoted(&*self.0)
    }
}

/// `true` or `false`.
impl Value for bool {
    const TAKES: ValueKind = ValueKind::Bool;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        match cx.scalar(node, "`true` or `false`")? {
            "true" => Some(true),
            "false" => Some(false),
            other => {
                cx.error(node, format!("expected `true` or `false`, found `{other}`"));
                None
            }
        }
    }

    fn write(&self, _: Fill<'_>) -> Node {
        Node::word(self.to_string())
    }
}

/// A whole number between two others, decimal or as `0x…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<const LEAST: u64, const MOST: u64> {
    /// The number.
    pub value: u64,
    /// True if it is written as `0x…`.
    pub is_hex: bool,
}

impl<const LEAST: u64, const MOST: u64> Number<LEAST, MOST> {
    /// A number that is written in decimal.
    pub const fn new(value: u64) -> Self {
        Self { value, is_hex: false }
    }

    /// The number in a type that holds all of its values.
    pub(crate) fn to<T: TryFrom<u64>>(self) -> Option<T> {
        T::try_from(self.value).ok()
    }
}

impl<const LEAST: u64, const MOST: u64> Value for Number<LEAST, MOST> {
    const TAKES: ValueKind = ValueKind::Number(LEAST, MOST);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let text = cx.scalar(node, "a number")?;
        let parsed = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            None => None,
        };
        match parsed {
            Some(value) if (LEAST..=MOST).contains(&value) => Some(Self { value, is_hex: text.starts_with("0x") }),
            Some(value) => {
                cx.error(node, format!("{value} is not between {LEAST} and {MOST}"));
                None
            }
            None => {
                cx.error(node, format!("expected a whole number, found `{text}`"));
                None
            }
        }
    }

    fn write(&self, _: Fill<'_>) -> Node {
        Node::word(if self.is_hex { format!("0x{:02X}", self.value) } else { self.value.to_string() })
    }
}

/// A level of QoS.
pub type QosLevel = Number<0, 2>;

/// A reason code of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The code.
    pub code: ReasonCode,
    /// True if it is written as `0x…`, as the standard does.
    pub is_hex: bool,
}

impl Reason {
    /// A code as the standard writes it.
    pub const fn new(code: u8) -> Self {
        Self { code: ReasonCode::new(code), is_hex: true }
    }
}

impl Value for Reason {
    const TAKES: ValueKind = ValueKind::Number(0, 255);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let text = cx.scalar(node, "a reason code, as `0x8E`")?;
        if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            // A reader that knows its name reads its number.
            let named = |code: u8| Some((code, ReasonCode::new(code).name()?.to_lowercase().replace([' ', '-'], "_")));
            let names: Vec<_> = (0..=u8::MAX).filter_map(named).collect();
            let near = nearest(text, names.iter().map(|(_, name)| name.as_str()));
            let number = names.iter().find(|(_, name)| Some(name.as_str()) == near);
            let hint = number.map_or_else(String::new, |(code, name)| format!("; `{name}` is 0x{code:02X}"));
            cx.error(node, format!("expected a reason code, as `0x8E`, found `{text}`{hint}"));
            return None;
        }
        let number = Number::<0, 255>::read(cx, node)?;
        Some(Self { code: ReasonCode::new(number.to()?), is_hex: number.is_hex })
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        Number::<0, 255> { value: u64::from(self.code.value()), is_hex: self.is_hex }.write(fill)
    }
}

/// `1.5`, or with `%` a hundredth of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factor {
    written: Exact,
    is_percentage: bool,
}

impl Factor {
    /// Creates a probability from hundredths.
    pub fn percent(value: u32) -> Self {
        Self { written: Exact::whole(i128::from(value)), is_percentage: true }
    }

    /// A whole number.
    pub fn times(value: u32) -> Self {
        Self { written: Exact::whole(i128::from(value)), is_percentage: false }
    }

    /// The value as a number.
    pub fn value(self) -> f64 {
        let divisor = Exact::whole(if self.is_percentage { 100 } else { 1 });
        self.written.divide(divisor).unwrap_or(self.written).to_f64()
    }
}

impl Value for Factor {
    const TAKES: ValueKind = ValueKind::Factor;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let text = cx.scalar(node, "a number")?;
        let (digits, is_percentage) = match text.strip_suffix('%') {
            Some(digits) => (digits.trim_end(), true),
            None => (text, false),
        };
        let written = Exact::parse(digits).filter(|_| !digits.is_empty() && !digits.starts_with('.'));
        if written.and_then(|written| written.divide(Exact::whole(100))).is_none() {
            cx.error(node, format!("expected a number such as `1.5` or `50%`, found `{text}`"));
        }
        Some(Self { written: written?, is_percentage })
    }

    fn write(&self, _: Fill<'_>) -> Node {
        let percent = if self.is_percentage { "%" } else { "" };
        Node::word(format!("{}{percent}", self.written))
    }
}

/// A share of the whole: between 0% and 100%.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share(pub Factor);

impl Value for Share {
    const TAKES: ValueKind = ValueKind::Factor;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let factor = Factor::read(cx, node)?;
        if factor.value() > 1.0 {
            cx.error(node, "a share is between 0% and 100%");
            return None;
        }
        Some(Self(factor))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        self.0.write(fill)
    }
}

/// `100kB/s` or `unlimited`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bandwidth(String);

impl Bandwidth {
    /// Creates a rate without limit.
    pub fn unlimited() -> Self {
        Self("unlimited".to_owned())
    }

    /// Creates a rate of the given bytes per second, one at least.
    pub fn bytes(bytes: u64) -> Self {
        Self(format!("{}B/s", bytes.max(1)))
    }

    /// The number of bytes in a second, if there is a limit.
    pub fn limit(&self) -> Option<u64> {
        self.0.strip_suffix("/s").and_then(|size| parse_size(size.trim_end()).ok())
    }
}

impl Value for Bandwidth {
    const TAKES: ValueKind = ValueKind::Text;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let text = cx.scalar(node, "a bandwidth, such as `100kB/s`")?;
        let bandwidth = Self(text.to_owned());
        if text != "unlimited" && bandwidth.limit().is_none_or(|bytes| bytes == 0) {
            cx.error(node, format!("expected a bandwidth, such as `100kB/s` or `unlimited`, found `{text}`"));
            return None;
        }
        Some(bandwidth)
    }

    fn write(&self, _: Fill<'_>) -> Node {
        Node::word(&*self.0)
    }
}

/// A number of things in a second: `2000 per second`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate(NonZeroU32);

impl Rate {
    /// Creates a rate of this many in a second.
    pub fn new(per_second: NonZeroU32) -> Self {
        Self(per_second)
    }

    /// Returns the number in a second.
    pub fn per_second(&self) -> NonZeroU32 {
        self.0
    }
}

impl Value for Rate {
    const TAKES: ValueKind = ValueKind::Text;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let text = cx.scalar(node, "a number in a second, such as `2000 per second`")?;
        let rate = text.strip_suffix("per second").and_then(|count| count.trim_end().parse().ok());
        if rate.is_none() {
            let what = format!("expected a number in a second, such as `2000 per second`, found `{text}`");
            cx.error(node, what);
        }
        rate.map(Self)
    }

    fn write(&self, _: Fill<'_>) -> Node {
        Node::word(format!("{} per second", self.0))
    }
}

/// A number of bytes, at most as many as a payload has or as `MAX`: `64kB`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size<const MAX: u64 = MAX_PAYLOAD>(String);

/// A number of bytes that a program may hold, up to 64 GiB.
pub type Memory = Size<{ 64 << 30 }>;

impl<const MAX: u64> Size<MAX> {
    /// Creates a size in bytes.
    pub fn new(bytes: u64) -> Self {
        Self(format!("{}B", bytes.min(MAX)))
    }

    pub(crate) fn bytes(&self) -> Option<usize> {
        parse_size(&self.0).ok().and_then(|size| usize::try_from(size).ok())
    }
}

impl<const MAX: u64> Value for Size<MAX> {
    const TAKES: ValueKind = ValueKind::Text;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let text = cx.scalar(node, "a size, such as `64kB`")?;
        match parse_size(text) {
            Ok(size) if size <= MAX => return Some(Self(text.to_owned())),
            Ok(_) => cx.error(node, format!("`{text}` is more than {MAX} bytes, the most there is")),
            Err(message) => cx.error(node, message),
        }
        None
    }

    fn write(&self, _: Fill<'_>) -> Node {
        Node::word(&*self.0)
    }
}

/// Bytes as hex pairs: `00 ff`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hex(pub Bytes);

impl Value for Hex {
    const TAKES: ValueKind = ValueKind::Text;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let text = cx.scalar(node, "hex pairs, such as `00 ff`")?;
        let pairs = parse_hex(text);
        if pairs.is_none() {
            cx.error(node, format!("expected hex pairs, such as `00 ff`, found `{text}`"));
        }
        pairs.map(|pairs| Self(Bytes::from(pairs)))
    }

    fn write(&self, _: Fill<'_>) -> Node {
        let pairs: Vec<_> = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        Node::word(pairs.join(" "))
    }
}

/// The version of a run or of a node: `3.1.1` or `5.0`.
impl Value for Version {
    const TAKES: ValueKind = ValueKind::Version;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        match cx.scalar(node, "`3.1.1` or `5.0`")? {
            "3.1.1" => Some(Self::V3_1_1),
            "5.0" | "5" => Some(Self::V5_0),
            other => {
                cx.error(node, format!("unknown version `{other}`; there are `3.1.1` and `5.0`"));
                None
            }
        }
    }

    fn write(&self, _: Fill<'_>) -> Node {
        Node::word(self.to_string())
    }
}

/// A count: `2`, `2..`, `..4` or `2..4`, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// The exact number.
    Exactly(u64),
    /// The minimum.
    AtLeast(u64),
    /// The maximum.
    AtMost(u64),
    /// The minimum and the maximum.
    Between(u64, u64),
}

impl Value for Count {
    const TAKES: ValueKind = ValueKind::Count;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let text = cx.scalar(node, "a count: `2`, `2..`, `..4` or `2..4`")?;
        let bound = |text: &str| match text.trim() {
            "" => Some(None),
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse::<u64>().ok().map(Some),
            _ => None,
        };
        let count = match text.split_once("..").map(|(min, max)| (bound(min), bound(max))) {
            None => bound(text).flatten().map(Self::Exactly),
            Some((Some(Some(min)), Some(Some(max)))) => Some(Self::Between(min, max)),
            Some((Some(Some(min)), Some(None))) => Some(Self::AtLeast(min)),
            Some((Some(None), Some(Some(max)))) => Some(Self::AtMost(max)),
            Some(_) => None,
        };
        match count {
            Some(Self::Between(min, max)) if max < min => {
                cx.error(node, "the range ends before it begins");
                return None;
            }
            None => cx.error(node, format!("expected a count: `2`, `2..`, `..4` or `2..4`; found `{text}`")),
            Some(_) => {}
        }
        count
    }

    fn write(&self, _: Fill<'_>) -> Node {
        Node::word(match self {
            Self::Exactly(count) => count.to_string(),
            Self::AtLeast(min) => format!("{min}.."),
            Self::AtMost(max) => format!("..{max}"),
            Self::Between(min, max) => format!("{min}..{max}"),
        })
    }
}

/// The rate by which a clock runs faster than the world's: `+40%`, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drift(pub i32);

impl Value for Drift {
    const TAKES: ValueKind = ValueKind::Text;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let text = cx.scalar(node, "a drift, such as `+40%`")?;
        let (sign, digits) = signed(text);
        let share = digits.strip_suffix('%').and_then(|digits| Exact::parse(digits.trim()));
        let millionths = share.and_then(|share| share.multiply(Exact::whole(10_000)));
        let ppm = millionths.and_then(Exact::to_whole).and_then(|ppm| i64::try_from(ppm).ok()).map(|ppm| sign * ppm);
        match ppm {
            Some(ppm) if (-990_000..=9_000_000).contains(&ppm) => return i32::try_from(ppm).ok().map(Self),
            Some(_) => cx.error(node, format!("`{text}` is not between -99% and +900%")),
            None => cx.error(node, format!("expected a drift, such as `+40%` or `-30%`, found `{text}`")),
        }
        None
    }

    fn write(&self, _: Fill<'_>) -> Node {
        let sign = match self.0 {
            0 => "",
            ppm if ppm < 0 => "-",
            _ => "+",
        };
        let share = Exact::new(i128::from(self.0.unsigned_abs()), 10_000);
        Node::word(share.map_or_else(String::new, |share| format!("{sign}{share}%")))
    }
}

/// The sign of a text, and what follows it.
pub(crate) fn signed(text: &str) -> (i64, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (-1, rest.trim_start()),
        None => (1, text.strip_prefix('+').unwrap_or(text).trim_start()),
    }
}
