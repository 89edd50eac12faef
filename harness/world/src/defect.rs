use std::fmt;
use std::str::FromStr;

use crate::breach::Breach;
use crate::plan::Program;

/// A defect of one of the project's programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Defect {
    /// A defect of the broker.
    Broker(halfopen_broker::core::Defect),
    /// A defect of the client.
    Client(halfopen_client::core::Defect),
    /// A breach at the sockets of one of them.
    Breach(Breach),
}

impl From<Breach> for Defect {
    fn from(breach: Breach) -> Self {
        Self::Breach(breach)
    }
}

impl Defect {
    /// Returns all of the cores, those of the broker first. Breaches are apart, in [`Breach::all`].
    pub fn all() -> impl Iterator<Item = Self> {
        let brokers = halfopen_broker::core::Defect::ALL.iter().copied().map(Self::Broker);
        brokers.chain(halfopen_client::core::Defect::ALL.iter().copied().map(Self::Client))
    }

    /// Returns what it does, in a few words.
    pub fn about(self) -> &'static str {
        match self {
            Self::Broker(defect) => defect.about(),
            Self::Client(defect) => defect.about(),
            Self::Breach(breach) => breach.about(),
        }
    }

    /// The cases from the field that it models.
    pub fn cases(self) -> &'static [&'static str] {
        match self {
            Self::Broker(defect) => defect.cases(),
            Self::Client(defect) => defect.cases(),
            Self::Breach(_) => &[],
        }
    }

    /// Returns whether its name contains this text, as `broker: will` or `broker:will`.
    pub fn is_named(self, text: &str) -> bool {
        plain(&self.to_string()).contains(&plain(text))
    }

    /// Returns whether the timers of a program follow the date of its node.
    pub(crate) fn has_timers_on_wall_clock(self, program: &Program) -> bool {
        match program {
            Program::Broker(_) => self == Self::Broker(halfopen_broker::core::Defect::TimersOnWallClock),
            Program::Client(_) => self == Self::Client(halfopen_client::core::Defect::TimersOnWallClock),
            Program::RawClient(_) | Program::RawBroker(_) => false,
        }
    }

    /// Returns whether the clock of a program stands still while its process does.
    pub(crate) fn has_clock_that_sleeps(self, program: &Program) -> bool {
        self == Self::Client(halfopen_client::core::Defect::SuspendNotCounted) && matches!(program, Program::Client(_))
    }

    /// Returns the ids of the expectations that are about what it does, as `will/power_loss#2`.
    pub fn known_by(self) -> &'static [&'static str] {
        match self {
            Self::Broker(defect) => defect.known_by(),
            Self::Client(defect) => defect.known_by(),
            Self::Breach(_) => &[],
        }
    }
}

/// `broker:keep_alive_twice`, with or without a space.
impl FromStr for Defect {
    type Err = UnknownDefect;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = plain(text);
        let known = || Self::all().chain(Breach::all().map(Self::Breach));
        let nearest =
            || known().map(|it| plain(&it.to_string())).min_by_key(|it| strsim::damerau_levenshtein(it, &wanted));
        let found = known().find(|it| plain(&it.to_string()) == wanted);
        found.ok_or_else(|| UnknownDefect { nearest: nearest().unwrap_or_default() })
    }
}

/// Returns the text without spaces: with and without a space is the same.
fn plain(text: &str) -> String {
    text.replace(' ', "")
}

/// The error that no defect has the given name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such defect; did you mean `{nearest}`? `halfopen defects PATH…` lists all")]
pub struct UnknownDefect {
    nearest: String,
}

/// `broker: keep_alive_twice`.
impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broker(defect) => write!(f, "broker: {}", defect.name()),
            Self::Client(defect) => write!(f, "client: {}", defect.name()),
            Self::Breach(breach) => breach.fmt(f),
        }
    }
}
