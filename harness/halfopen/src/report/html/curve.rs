//! A curve on a page: points from the left to the right, each with what is said of it.

use std::fmt::Write as _;

use crate::report::diagram::escaped;

/// The width and the height of the curve, and the room around it, in pixels.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 120.0;
const MARGIN: f64 = 34.0;

/// A curve.
pub(super) struct Curve<'a> {
    /// The text for those who do not see the curve.
    pub(super) label: &'a str,
    /// The points from the left to the right: the place across and the height, both from 0 to 1, and a text.
    pub(super) points: Vec<(f64, f64, String)>,
    /// The words below both ends, and at the height of 1.
    pub(super) from: String,
    pub(super) to: String,
    pub(super) top: String,
}

impl Curve<'_> {
    /// Draws it; nothing if there is no point.
    pub(super) fn svg(&self) -> String {
        if self.points.is_empty() {
            return String::new();
        }
        let (mut line, mut points) = (String::new(), String::new());
        for (across, height, said) in &self.points {
            let (x, y) = (MARGIN + WIDTH * across, 18.0 + HEIGHT * (1.0 - height));
            let _ = write!(line, "{x:.1},{y:.1} ");
            let _ =
                write!(points, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"><title>{}</title></circle>", escaped(said));
        }
        let (width, height, bottom) = (WIDTH + 2.0 * MARGIN, HEIGHT + MARGIN + 8.0, 18.0 + HEIGHT);
        format!(
            "<svg class=\"growth\" width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{label}\">\
             <path d=\"M{MARGIN} 18V{bottom}H{end}\"/><polyline points=\"{line}\"/>{points}\
             <text x=\"{MARGIN}\" y=\"{below}\">{from}</text>\
             <text x=\"{end}\" y=\"{below}\" text-anchor=\"end\">{to}</text>\
             <text x=\"{end}\" y=\"12\" text-anchor=\"end\">{top}</text></svg>",
            label = escaped(self.label),
            end = MARGIN + WIDTH,
            below = bottom + 16.0,
            from = escaped(&self.from),
            to = escaped(&self.to),
            top = escaped(&self.top),
        )
    }
}
