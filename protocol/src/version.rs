use std::fmt;

/// A version of the protocol, as the Protocol Level byte of CONNECT names it (§3.1.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// MQTT 3.1.1, protocol level 4.
    V3_1_1,
    /// MQTT 5.0, protocol level 5.
    V5_0,
}

impl Version {
    /// Both versions, the older first.
    pub const ALL: [Self; 2] = [Self::V3_1_1, Self::V5_0];

    /// The Protocol Level byte of CONNECT: 4 or 5.
    pub fn level(self) -> u8 {
        match self {
            Self::V3_1_1 => 4,
            Self::V5_0 => 5,
        }
    }

    /// The version with this Protocol Level; `None` if it is neither.
    pub fn from_level(level: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.level() == level)
    }

    /// Returns whether this is 5.0, the version that has properties, reason codes and DISCONNECT from the server.
    pub fn is_v5(self) -> bool {
        self == Self::V5_0
    }

    /// Both standards number their statements anew: the clause of this version.
    pub(crate) fn clause(self, v3_1_1: &'static str, v5_0: &'static str) -> &'static str {
        match self {
            Self::V3_1_1 => v3_1_1,
            Self::V5_0 => v5_0,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V3_1_1 => "3.1.1",
            Self::V5_0 => "5.0",
        })
    }
}
