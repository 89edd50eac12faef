use crate::plan::Position;
use serde::{Deserialize, Serialize};

/// A diagram as shapes with their places: what an SVG file and the page are drawn from.
///
/// Coordinates are pixels. `y` counts from the first instant of the run downwards and may be stretched to zoom; what
/// must keep its size (text, symbols) carries a `dy` beside it, which is not stretched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scene {
    /// Total width.
    pub width: i32,
    /// Total height, unstretched.
    pub height: i32,
    /// The heads of all columns.
    pub heads: Vec<Head>,
    /// The shapes, in the order of drawing.
    pub shapes: Vec<Shape>,
}

/// The head of a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The place: the middle of a lane, or the left edge of another column.
    pub x: i32,
    /// The name.
    pub name: String,
    /// The role: `broker`, `client`, `raw client`; empty for a column that is no lane.
    pub role: String,
}

/// A shape to draw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// The form.
    #[serde(flatten)]
    pub form: Form,
    /// The meaning: words for the style sheet.
    #[serde(rename = "c")]
    pub class: String,
    /// The event that it shows: an index into the trace.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub event: Option<usize>,
    /// The line of the scenario that it comes from.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The text for a closer look.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// The kinds of shapes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "lowercase")]
#[expect(missing_docs, reason = "coordinates are what they are called; see `Scene`")]
pub enum Form {
    /// A rectangle from `y` to `y2`.
    Rect { x: i32, y: i32, w: i32, y2: i32 },
    /// A line.
    Line { x: i32, y: i32, x2: i32, y2: i32 },
    /// A filled outline.
    Poly { points: Vec<(i32, i32)> },
    /// Something on its way from one lane to another, with what is written on it; `lost` ends in a cross; `travel` is
    /// how long it takes, `at` how far from its sender the label stands.
    Arrow { x: i32, y: i32, x2: i32, y2: i32, label: String, lost: bool, travel: String, at: i32 },
    /// A text; `anchor` is that of SVG.
    Text { x: i32, y: i32, dy: i32, anchor: Anchor, text: String },
    /// A symbol.
    Sign { x: i32, y: i32, dy: i32, sign: Sign },
}

/// The end of a text that stands at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words of SVG")]
pub enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    /// The word of SVG.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// Symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sign {
    /// A full circle: a connection opens.
    Dot,
    /// A bar across: a connection ends in order.
    Bar,
    /// A cross: an end without a word, something lost, an expectation that is not met.
    Cross,
    /// An expectation that is met.
    Tick,
    /// A ring: something matches an expectation.
    Ring,
    /// A diamond: a message reaches its application.
    Diamond,
    /// A question mark: what could not be judged.
    Unknown,
    /// A zigzag: time that is folded.
    Fold,
}

impl Shape {
    pub(super) fn new(class: impl Into<String>, form: Form) -> Self {
        Self { form, class: class.into(), event: None, line: None, title: None }
    }

    pub(super) fn of(mut self, event: usize) -> Self {
        self.event = Some(event);
        self
    }

    pub(super) fn at_line(mut self, position: Position) -> Self {
        self.line = (position.file == 0 && position.line > 0).then_some(position.line);
        self
    }

    pub(super) fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }
}
