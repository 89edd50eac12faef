//! The section of a page that tells of a campaign of exploration: how what it reached grew, and what it did not reach.

use std::fmt::Write as _;

use crate::report::diagram::escaped;

/// The width and the height of the curve, and the room around it, in pixels.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 120.0;
const MARGIN: f64 = 34.0;

/// The summary of a campaign of exploration on a page.
#[derive(Clone, Debug, Default)]
pub struct CampaignSummary {
    /// The number of stories, the time that they took, and what was found, on one line.
    pub line: String,
    /// Number of different states that were reached after a number of stories, in the order of the stories.
    pub growth: Vec<(u64, usize)>,
    /// The marks that were reached.
    pub reached: Vec<String>,
    /// The marks that were not reached.
    pub missing: Vec<String>,
}

impl CampaignSummary {
    /// Returns the section.
    pub(super) fn section(&self) -> String {
        let marks = |title: &str, marks: &[String]| {
            let items: String = marks.iter().map(|mark| format!("<li>{}</li>", escaped(mark))).collect();
            format!("<details><summary>{title}: {}</summary><ul>{items}</ul></details>", marks.len())
        };
        format!(
            "<section id=\"campaign\"><figure>{}<figcaption>States of connections under faults, by the number of stories. \
             A curve that still rises says that more stories reach more.</figcaption></figure>\
             <div><h2>Exploration</h2><p>{}</p>{}{}</div></section>",
            self.curve(),
            escaped(&self.line),
            marks("Marks that were reached", &self.reached),
            marks("Marks that were not reached", &self.missing),
        )
    }

    /// Draws the curve: the stories on a scale that doubles, as they are counted.
    fn curve(&self) -> String {
        let (Some((stories, _)), Some(most)) =
            (self.growth.last(), self.growth.iter().map(|(_, states)| *states).max())
        else {
            return String::new();
        };
        let scale = |runs: u64| (runs.max(1) as f64).log2();
        let x = |runs: u64| MARGIN + WIDTH * scale(runs) / scale(*stories).max(1.0);
        let y = |states: usize| 10.0 + HEIGHT * (1.0 - states as f64 / most.max(1) as f64);
        let (mut line, mut points) = (String::new(), String::new());
        for (runs, states) in &self.growth {
            let (x, y) = (x(*runs), y(*states));
            let _ = write!(line, "{x:.1},{y:.1} ");
            let _ = write!(
                points,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"><title>{states} states after {runs} stories</title></circle>"
            );
        }
        let (width, height, bottom) = (WIDTH + 2.0 * MARGIN, HEIGHT + MARGIN, 10.0 + HEIGHT);
        format!(
            "<svg class=\"growth\" width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"growth of states\">\
             <path d=\"M{MARGIN} 10V{bottom}H{end}\"/><polyline points=\"{line}\"/>{points}\
             <text x=\"{MARGIN}\" y=\"{label}\">1 story</text>\
             <text x=\"{end}\" y=\"{label}\" text-anchor=\"end\">{stories} stories</text>\
             <text x=\"{end}\" y=\"{top:.1}\" text-anchor=\"end\" dy=\"-6\">{most}</text></svg>",
            end = MARGIN + WIDTH,
            label = bottom + 16.0,
            top = y(most).max(18.0),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_shows_each_point_and_each_mark() {
        let campaign = CampaignSummary {
            line: "4 stories <in> 1 s".to_owned(),
            growth: vec![(1, 3), (2, 5), (4, 9)],
            reached: vec!["a takeover".to_owned()],
            missing: vec!["a full window".to_owned()],
        };
        let section = campaign.section();
        assert_eq!(section.matches("<circle").count(), 3);
        for part in ["9 states after 4 stories", "4 stories &lt;in&gt; 1 s", "a takeover", "a full window"] {
            assert!(section.contains(part), "{part}: {section}");
        }
    }

    #[test]
    fn campaign_without_a_story_has_no_curve() {
        assert!(!CampaignSummary::default().section().contains("<svg"));
    }
}
