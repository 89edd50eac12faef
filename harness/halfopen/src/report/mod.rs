//! What runs came to: for people the terminal, the page and pictures, for machines JSON, JUnit and TAP.

pub mod diagram;
mod html;
mod junit;
pub mod model;
mod pcap;
mod summary;
mod tap;
mod terminal;
mod waivers;
mod wrong;

pub use self::html::{CampaignSummary, Pictures, Thin, WhySummary, html, html_of_campaign, html_of_failure};
pub use self::junit::junit;
pub use self::pcap::pcapng;
pub use self::summary::Summary;
pub use self::tap::tap;
pub use self::terminal::{Terminal, Verbosity};
pub use self::waivers::Waivers;
use crate::run::Finished;

#[cfg(test)]
mod tests;
