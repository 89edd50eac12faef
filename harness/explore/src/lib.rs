//! Exploration: stories with faults that nobody has scripted, judged by the invariants.
//!
//! [`draw`](story) makes a whole scenario file from a seed. [`Target::judge`] runs it and judges it by the invariants of
//! `halfopen-check` alone. A [campaign](explore) does this many times and keeps the first story of each kind of finding.
//! [`measure`] hides each named defect of the project's programs from a campaign, and tells which it finds.
//!
//! Nothing here reads a clock: the caller says when a campaign is over.

mod campaign;
mod draw;
mod expect;
mod filed;
mod judge;
mod make;
mod random;
mod reached;
mod shrink;

pub use self::campaign::{CampaignOptions, CampaignResult, DefectFound, Find, Yardstick, explore, measure, seed_of};
pub use self::draw::{Recipe, disturbed, story};
pub use self::judge::{
    Adapted, Finding, FindingKind, Judged, OtherPrograms, STORY_EVENTS, Target, plan_of, plan_of_story,
};
pub use self::reached::{ConnectionStage, ExchangeStage, Mark, Reached, State};
pub use self::shrink::{SHRINK_RUNS, Shrunk, shrink};

#[cfg(test)]
mod tests;
