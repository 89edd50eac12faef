//! Breaches of single statements of the standards, as a peer sees them: made between a program and its sockets, so that
//! the rules in the cores stay free of them.

mod edit;
mod frames;
mod network;
mod table;

use std::fmt;

use halfopen_protocol::{Role, Version};

use self::edit::Edit;
pub(crate) use self::frames::{FrameBreach, Framed};
pub(crate) use self::network::BreachedNetwork;
use self::table::ROWS;
use crate::plan::Program;

/// A breach that can be switched on: a row of the table, of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Breach {
    row: usize,
    is_of_server: bool,
}

/// The definition of a breach.
struct Row {
    /// The sides whose programs can break the rule.
    sides: &'static [Role],
    name: &'static str,
    /// A sentence without its subject: "sends PINGREQ before CONNECT".
    about: &'static str,
    edit: Edit,
    /// The statements that are broken, of 3.1.1 and of 5.0, as far as they bind the side.
    statements: [&'static [&'static str]; 2],
}

impl Breach {
    /// Returns all breaches, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        let of_row = |(row, sides): (usize, &'static [Role])| {
            sides.iter().map(move |side| Self { row, is_of_server: *side == Role::Server })
        };
        ROWS.iter().map(|row| row.sides).enumerate().flat_map(of_row)
    }

    /// Returns the side whose program breaks the rule.
    pub fn side(self) -> Role {
        if self.is_of_server { Role::Server } else { Role::Client }
    }

    /// Returns whether this program makes it.
    pub fn is_of(self, program: &Program) -> bool {
        match self.side() {
            Role::Server => matches!(program, Program::Broker(_)),
            Role::Client => matches!(program, Program::Client(_)),
        }
    }

    /// Returns what the program does, as a sentence without its subject.
    pub fn about(self) -> &'static str {
        self.row().about
    }

    /// Returns the numbers of the statements of this version that are broken, as far as they bind the side.
    pub fn statements(self, version: Version) -> &'static [&'static str] {
        self.row().statements[usize::from(version.is_v5())]
    }

    /// Returns what it does to the frames of WebSocket, if it shows in them.
    pub(crate) fn of_frames(self) -> Option<FrameBreach> {
        let Edit::Frames(edit) = self.row().edit else { return None };
        Some(FrameBreach { edit, side: self.side() })
    }

    fn row(self) -> &'static Row {
        ROWS[self.row]
    }
}

/// `broker breach: puback_lost`.
impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side() {
            Role::Client => "client",
            Role::Server => "broker",
        };
        write!(f, "{side} breach: {}", self.row().name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use halfopen_protocol::normative::{Side, statements};

    use super::*;

    #[test]
    fn breaches_have_names_of_their_own_and_break_statements_that_bind_one_of_their_sides() {
        let names: BTreeSet<String> = Breach::all().map(|breach| breach.to_string()).collect();
        assert_eq!(names.len(), Breach::all().count());
        for breach in Breach::all() {
            let sides = breach.row().sides.iter();
            let sides: Vec<Side> =
                sides.map(|side| if *side == Role::Client { Side::Client } else { Side::Server }).collect();
            for version in Version::ALL {
                for id in breach.statements(version) {
                    let statement = statements(version).find(|statement| statement.id == format!("MQTT-{id}"));
                    let binds = statement.map(|statement| statement.applies_to);
                    let is_bound = binds.is_some_and(|binds| binds == Side::Both || sides.contains(&binds));
                    assert!(is_bound, "{breach}: {version} {id} binds {binds:?}");
                }
            }
        }
    }
}
