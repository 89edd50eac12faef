//! The section of a page that tells of a campaign of exploration: how what it reached grew, and what it did not reach.

use super::curve::Curve;
use crate::report::diagram::escaped;

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
        let stories = self.growth.last().map_or(0, |(stories, _)| *stories);
        let most = self.growth.iter().map(|(_, states)| *states).max().unwrap_or(0);
        let scale = |runs: u64| (runs.max(1) as f64).log2();
        let point = |(runs, states): &(u64, usize)| {
            let across = scale(*runs) / scale(stories).max(1.0);
            (across, *states as f64 / most.max(1) as f64, format!("{states} states after {runs} stories"))
        };
        Curve {
            label: "growth of states",
            points: self.growth.iter().map(point).collect(),
            from: "1 story".to_owned(),
            to: format!("{stories} stories"),
            top: most.to_string(),
        }
        .svg()
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
