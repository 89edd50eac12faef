use std::fmt::Write as _;

use super::scene::{Form, Scene, Shape, Sign};

/// The style sheet of diagrams, in files and on the page.
pub(crate) const STYLE: &str = include_str!("diagram.css");

/// The height of the heads of the columns.
const HEAD: i32 = 46;
/// The height of the legend.
const FOOT: i32 = 44;

/// The legend of the picture, in two lines.
const LEGEND: [&str; 2] = [
    "bar: a connection as the node of that lane sees it · amber: keep-alive used up, pushed back by each packet, over at the \
     dashed line",
    "× lost · ○ counts for an expectation, dashed: where it should have been · shaded: a fault",
];

/// A scene as an SVG file that needs nothing else: light or dark as its reader prefers.
pub fn svg(scene: &Scene, title: &str) -> String {
    let (width, height) = (scene.width, scene.height + HEAD + FOOT);
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" class=\"diagram\">\n<title>{}</title>\n<style>{STYLE}</style>\n\
         <rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n",
        escaped(title)
    );
    for head in &scene.heads {
        let anchor = if head.role.is_empty() { "start" } else { "middle" };
        let x = head.x;
        let class = if head.role.is_empty() { "column" } else { "head" };
        if head.role.is_empty() {
            let _ = writeln!(out, "<text class=\"{class}\" x=\"{x}\" y=\"26\">{}</text>", escaped(&head.name));
        } else {
            let _ = writeln!(
                out,
                "<text class=\"{class}\" x=\"{x}\" y=\"22\" text-anchor=\"{anchor}\">{}</text>\
                 <text class=\"role\" x=\"{x}\" y=\"36\" text-anchor=\"{anchor}\">{}</text>",
                escaped(&head.name),
                head.role
            );
        }
    }
    let _ = writeln!(out, "<g transform=\"translate(0 {HEAD})\">");
    for shape in &scene.shapes {
        write_shape(&mut out, shape);
    }
    out.push_str("</g>\n");
    for (line, text) in (0..).zip(LEGEND) {
        let _ = writeln!(out, "<text class=\"role\" x=\"8\" y=\"{}\">{text}</text>", height - 22 + line * 14);
    }
    out.push_str("</svg>\n");
    out
}

fn write_shape(out: &mut String, shape: &Shape) {
    let _ = write!(out, "<g class=\"{}\"", shape.class);
    if let Some(event) = shape.event {
        let _ = write!(out, " data-event=\"{event}\"");
    }
    if let Some(line) = shape.line {
        let _ = write!(out, " data-line=\"{line}\"");
    }
    out.push('>');
    if let Some(title) = &shape.title {
        let _ = write!(out, "<title>{}</title>", escaped(title));
    }
    match &shape.form {
        Form::Rect { x, y, w, y2 } => {
            let height = y2 - y;
            let _ = write!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{height}\"/>");
        }
        Form::Line { x, y, x2, y2 } => {
            let _ = write!(out, "<path d=\"M{x} {y}L{x2} {y2}\"/>");
        }
        Form::Poly { points } => {
            let points: Vec<String> = points.iter().map(|(x, y)| format!("{x} {y}")).collect();
            let _ = write!(out, "<path d=\"M{}Z\"/>", points.join("L"));
        }
        Form::Arrow { x, y, x2, y2, label, lost, travel, at } => {
            arrow(out, [*x, *y, *x2, *y2], (label, travel, *at), *lost)
        }
        Form::Text { x, y, dy, anchor, text } => {
            let y = y + dy;
            let _ = write!(out, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{}\">{}</text>", anchor.word(), escaped(text));
        }
        Form::Sign { x, y, dy, sign } => {
            let y = y + dy;
            let _ = write!(out, "<path transform=\"translate({x} {y})\" d=\"{}\"/>", path(*sign));
        }
    }
    out.push_str("</g>\n");
}

fn arrow(out: &mut String, [x, y, x2, y2]: [i32; 4], (label, travel, at): (&str, &str, i32), lost: bool) {
    let (dx, dy) = (f64::from(x2 - x), f64::from(y2 - y));
    let degrees = dy.atan2(dx).to_degrees();
    let _ = write!(out, "<path class=\"shaft\" d=\"M{x} {y}L{x2} {y2}\"/>");
    let tip = if lost { path(Sign::Cross) } else { "M0 0L-8 -3.5L-8 3.5Z" };
    let _ = write!(out, "<path class=\"tip\" transform=\"translate({x2} {y2}) rotate({degrees:.1})\" d=\"{tip}\"/>");
    // The text runs along the arrow, and never upside down.
    let upright = if dx < 0.0 { degrees + 180.0 } else { degrees };
    let share = f64::from(at) / f64::from((x2 - x).abs()).max(1.0);
    let (mx, my) = (f64::from(x) + dx * share, f64::from(y) + dy * share);
    let _ = write!(
        out,
        "<text transform=\"translate({mx:.0} {my:.0}) rotate({upright:.1})\" y=\"-3\" text-anchor=\"middle\">{}\
         <tspan class=\"travel\"> {travel}</tspan></text>",
        escaped(label)
    );
}

/// The outline of a symbol around (0, 0).
pub(crate) const fn path(sign: Sign) -> &'static str {
    match sign {
        Sign::Dot => "M-3.5 0A3.5 3.5 0 1 1 3.5 0A3.5 3.5 0 1 1 -3.5 0Z",
        Sign::Bar => "M-7 0L7 0",
        Sign::Cross => "M-5 -5L5 5M-5 5L5 -5",
        Sign::Tick => "M-5 0L-1.5 4L5 -5",
        Sign::Ring => "M-6 0A6 6 0 1 1 6 0A6 6 0 1 1 -6 0Z",
        Sign::Diamond => "M0 -5L5 0L0 5L-5 0Z",
        Sign::Unknown => "M-3 -3A3 3 0 1 1 0 1L0 3M0 5L0 6",
        Sign::Fold => "M0 -9L4 -5L-4 -1L4 3L0 7",
    }
}

/// Text that cannot be taken for markup. What XML has no place for is replaced.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
