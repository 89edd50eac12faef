//! What any MQTT server has to do, shown by raw bytes over real TCP: one row a rule, each for the versions whose
//! statements it names. The rows know nothing of this project's broker or codec; where Mosquitto is installed they are
//! held against it, too, and both scores are printed. `HALFOPEN_BROKER=HOST:PORT` names another broker, which runs
//! already and is then the only one.
//!
//! A row fails a broker only for what the standard demands. What the standard leaves to the broker, and this one leaves
//! out, is counted apart. Names have something of the run in them: a broker that keeps what it was sent can be played
//! against as often as one likes.

/// A row of the table: the function that plays it, whose name is the rule, and the statements that it shows.
macro_rules! row {
    ($play:ident, $clauses:literal) => {
        crate::Row { name: stringify!($play), clauses: $clauses, play: $play }
    };
}

#[path = "conformance/client.rs"]
mod client;
#[path = "conformance/connect.rs"]
mod connect;
#[path = "conformance/dialogue.rs"]
mod dialogue;
#[path = "conformance/malformed/mod.rs"]
mod malformed;
#[path = "conformance/properties.rs"]
mod properties;
#[path = "conformance/publish.rs"]
mod publish;
#[path = "conformance/retained.rs"]
mod retained;
#[path = "conformance/server.rs"]
mod server;
#[path = "conformance/session.rs"]
mod session;
#[path = "conformance/subscribe.rs"]
mod subscribe;
#[path = "conformance/wire.rs"]
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use halfopen_protocol::{Version, normative};
use libtest_mimic::{Arguments, Trial};

use self::dialogue::{Dialogue, Played, Unmet};
use self::server::{Kind, Server};

/// One rule.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// The rule, in words with underscores between.
    name: &'static str,
    /// The statements that it shows, with their version: `3.1.1 MQTT-…, 5.0 MQTT-…`. It is played for these versions.
    clauses: &'static str,
    play: fn(&Dialogue) -> Played,
}

/// Bytes from their hexadecimal digits; spaces are for the reader.
pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<_> = digits.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("two digits")).collect()
}

fn rows() -> Vec<Row> {
    let of_messages = [publish::rows(), retained::rows(), properties::rows()].concat();
    [connect::rows(), session::rows(), of_messages, subscribe::rows(), malformed::rows()].concat()
}

/// A row for one version.
#[derive(Clone, Copy)]
struct Case {
    row: Row,
    version: Version,
    number: usize,
}

impl Case {
    fn all() -> Vec<Self> {
        let cases = rows().into_iter().enumerate().flat_map(|(number, row)| {
            let names = move |version: &Version| row.clauses.contains(&format!("{version} MQTT-"));
            Version::ALL.into_iter().filter(names).map(move |version| Self { row, version, number })
        });
        cases.collect()
    }

    fn name(&self) -> String {
        format!("{}/{}", self.version, self.row.name)
    }

    fn play(&self, broker: SocketAddr) -> Played {
        (self.row.play)(&Dialogue { broker, version: self.version, number: self.number })
    }
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They mostly wait.
    arguments.test_threads = arguments.test_threads.or(Some(16));
    let judged: Vec<_> = match servers() {
        Ok(servers) => servers.into_iter().map(Judged::new).collect(),
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let mut trials = vec![
        Trial::test("every row names statements that exist", || Ok(clauses_exist()?)),
        Trial::test("a broker that cannot be played against is one line", || Ok(server::wrong_brokers()?)),
    ];
    trials.extend(judged.iter().flat_map(Judged::trials));
    let conclusion = libtest_mimic::run(&arguments, trials);
    judged.iter().for_each(|judged| judged.say());
    conclusion.exit_code()
}

#[expect(clippy::disallowed_methods, reason = "names the broker to judge, on a real port")]
fn servers() -> Result<Vec<Server>, String> {
    match std::env::var("HALFOPEN_BROKER") {
        Ok(address) => Ok(vec![Server::at(&address)?]),
        Err(_) => Ok([Some(Server::halfopen()?), Server::mosquitto()].into_iter().flatten().collect()),
    }
}

/// A broker and how it did.
struct Judged {
    server: Arc<Server>,
    outcomes: Arc<Mutex<Outcomes>>,
}

/// How the rows ended, by name.
#[derive(Default)]
struct Outcomes {
    passed: usize,
    violations: BTreeMap<String, String>,
    not_offered: BTreeMap<String, String>,
}

impl Judged {
    fn new(server: Server) -> Self {
        Self { server: Arc::new(server), outcomes: Arc::default() }
    }

    fn trials(&self) -> impl Iterator<Item = Trial> {
        Case::all().into_iter().map(|case| {
            let (server, outcomes) = (self.server.clone(), self.outcomes.clone());
            Trial::test(format!("{}/{}", server.name, case.name()), move || {
                let played = case.play(server.address);
                let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                match played {
                    Ok(()) => outcomes.passed += 1,
                    Err(Unmet::Violation(what)) => {
                        outcomes.violations.insert(case.name(), what.clone());
                        if server.kind != Kind::Compared {
                            return Err(what.into());
                        }
                    }
                    Err(Unmet::NotOffered(what)) => {
                        outcomes.not_offered.insert(case.name(), what.clone());
                        if server.kind == Kind::Ours {
                            return Err(format!("not offered: {what}").into());
                        }
                    }
                }
                Ok(())
            })
        })
    }

    fn say(&self) {
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        let Outcomes { passed, violations, not_offered } = &*outcomes;
        let all = passed + violations.len() + not_offered.len();
        println!("{} passes {passed} of {all} rows and fails {}.", self.server.name, violations.len());
        violations.iter().for_each(|(name, what)| println!("  {name}: {what}"));
        if !not_offered.is_empty() {
            println!(
                "  {} could not be played, since the broker does not offer what they are about:",
                not_offered.len()
            );
            not_offered.iter().for_each(|(name, what)| println!("  {name}: {what}"));
        }
    }
}

fn clauses_exist() -> Result<(), String> {
    for row in rows() {
        for clause in row.clauses.split(", ") {
            let known = clause.split_once(' ').is_some_and(|(version, id)| {
                let version = Version::ALL.into_iter().find(|known| known.to_string() == version);
                version.is_some_and(|version| normative::ids(version).any(|known| known == id))
            });
            if !known {
                return Err(format!("{:?} names {clause:?}", row.name));
            }
        }
    }
    Ok(())
}
