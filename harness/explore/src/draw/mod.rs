//! Draws whole stories: scenario files that are right, from a seed.
//!
//! A run first draws what it may use (a *swarm*): few kinds of nodes, features and faults, so that what is drawn meets
//! often. Clients and brokers scripted here keep to the standard, so that whatever a program does wrong is its own fault; in some
//! stories a scripted client breaks a rule that the server has to end its connection for. Times cluster where bugs are: at 1.5 keep-alives, at expiries, at limits, and 1 ms beside
//! them. Faults are drawn where they meet something, by a rough idea of the state of each node.

mod answers;
mod broker;
mod disturb;
mod nodes;
mod steps;
mod swarm;

use std::collections::BTreeSet;
use std::time::Duration;

use halfopen_plan::{Feature, Invariant, Seed};
use halfopen_protocol::Version;
use halfopen_scenario::ast::{
    Dialogue, Field, File, LinkProperties, LinkSettings, Name, Nodes, OneOrMore, Param, Place, Step, Steps, Versions,
    Waive,
};

pub use self::disturb::disturbed;
use self::swarm::{MOST_STEPS, Swarm};
use crate::make::{given, some, wait};
use crate::random::Random;

/// The broker of a story.
const BROKER: &str = "broker";
/// The broker to which clients go when they lose the first.
const SPARE: &str = "spare";
/// The scripted broker that takes the place of the first.
const FAKE: &str = "fake";
/// The clients.
const CLIENTS: [&str; 3] = ["sensor", "app", "panel"];
/// The scripted clients.
const RAW: [&str; 3] = ["device", "probe", "tablet"];
/// The topics: few, so that they meet. One has an empty level.
const TOPICS: [&str; 5] = ["t", "t/a", "t/b", "s", "t/"];

/// The parameters that a story is drawn from: the same recipe is the same story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The seed that all of it follows from, up to the first turn.
    pub seed: Seed,
    /// The numbers of steps from which on the story follows from another seed, in ascending order.
    pub turns: Vec<(u64, Seed)>,
}

impl Recipe {
    /// Returns the recipe of the story of a seed.
    pub fn new(seed: Seed) -> Self {
        Self { seed, turns: Vec::new() }
    }

    /// Returns the recipe of a story that begins as this one, and goes on otherwise after a step that is drawn.
    pub fn mutated(&self, seed: Seed) -> Self {
        let from = Random::new(seed.derive("turn")).below(MOST_STEPS);
        let mut turns = self.turns.clone();
        turns.retain(|(step, _)| *step < from);
        turns.push((from, seed));
        Self { seed: self.seed, turns }
    }
}

/// Draws the story of a recipe. Without a swarm every story may use everything.
pub fn story(recipe: &Recipe, is_swarm_on: bool) -> File {
    let mut random = Random::new(recipe.seed.derive("story"));
    let swarm = Swarm::draw(&mut random, !is_swarm_on);
    Draw {
        random,
        swarm,
        turns: recipe.turns.clone(),
        peers: Vec::new(),
        times: Vec::new(),
        steps: Vec::new(),
        dialogue: None,
        waived: Vec::new(),
        payloads: 0,
        ids: 0,
        parted: Vec::new(),
        broker_is_up: true,
        recovery: Duration::from_secs(2),
        uses: BTreeSet::new(),
    }
    .file()
}

/// A client of a story, and what is known of it while the story is drawn.
#[derive(Clone, Debug)]
struct Peer {
    name: &'static str,
    is_raw: bool,
    is_v5: bool,
    keep_alive: Duration,
    reconnects: bool,
    keeps_session: bool,
    /// True if it authenticates in a dialogue.
    authenticates: bool,
    /// Time for which its session outlives its connections, if it does.
    expiry: Option<Duration>,
    is_up: bool,
    is_connected: bool,
    is_deaf: bool,
    is_silent: bool,
    connections: u32,
}

/// A story that is being drawn.
struct Draw {
    random: Random,
    swarm: Swarm,
    turns: Vec<(u64, Seed)>,
    peers: Vec<Peer>,
    /// Times at which something is due: keep-alives, expiries, time-outs.
    times: Vec<Duration>,
    steps: Vec<Step>,
    /// The words of the broker's authentication, if it has one.
    dialogue: Option<Field<Param<Dialogue>>>,
    waived: Vec<(Invariant, &'static str)>,
    payloads: u64,
    ids: u64,
    /// Links that are parted now.
    parted: Vec<&'static str>,
    broker_is_up: bool,
    /// The time in which all is well again once nothing is broken any more.
    recovery: Duration,
    /// The optional features of a broker that the story uses.
    uses: BTreeSet<Feature>,
}

impl Draw {
    fn file(mut self) -> File {
        let mut file = File::default();
        let version = if self.swarm.is_v5 { Version::V5_0 } else { Version::V3_1_1 };
        file.mqtt = some(Versions(vec![version]));
        self.declare(&mut file);
        file.middleboxes = self.middleboxes();
        if let Some(latency) = self.swarm.latency {
            let properties = LinkProperties { latency: given(latency.into()), ..LinkProperties::default() };
            file.network = given(LinkSettings { properties });
        }
        self.begin();
        // What goes on otherwise goes on, also where the story would have been over.
        let steps = self.turns.iter().map(|(step, _)| step + 1).chain([self.swarm.steps]).max().unwrap_or_default();
        for place in 0..steps {
            if let Some((_, seed)) = self.turns.iter().find(|(step, _)| *step == place) {
                self.random = Random::new(seed.derive("story"));
            }
            let deeds = self.swarm.deeds.clone();
            if let Some(deed) = self.random.weighted(&deeds) {
                self.tell(deed);
            }
            if self.random.chance(65) {
                let time = self.time();
                self.steps.push(wait(time));
            }
        }
        self.end();
        self.waive(&mut file);
        // A broker that lacks one is not asked the story.
        let uses: Vec<_> = self.uses.iter().map(|feature| Param::new(*feature)).collect();
        file.requires = if uses.is_empty() || self.swarm.is_fake { None } else { given(OneOrMore(uses)) };
        file.steps = given(Steps(self.steps.into_iter().map(Param::new).collect()));
        file
    }

    /// Draws how long is waited: a time at which something is due, or a little beside it, or any.
    fn time(&mut self) -> Duration {
        let any = [1, 10, 11, 20, 100, 500, 1_000, 2_500, 5_000, 30_000].map(Duration::from_millis);
        if self.times.is_empty() || self.random.chance(30) {
            return self.random.pick(&any);
        }
        let times = self.times.clone();
        let time = self.random.pick(&times);
        let beside = self.random.pick(&[0, 0, 1, 1, 10, 20, 21, 500, 1_000, 1_001, 2_000]);
        let beside = Duration::from_millis(beside);
        let time = if self.random.chance(50) { time.saturating_sub(beside) } else { time + beside };
        time.max(Duration::from_millis(1))
    }

    /// Lets the story end: what is due comes, and mostly everything heals before. Then what is published reaches
    /// everybody in a time that is computed from the story: a pause before a new connection, the wait for a connection
    /// that is lost in it, and the handshakes.
    fn end(&mut self) {
        let longest = self.times.iter().max().copied().unwrap_or_default();
        let rest = longest + Duration::from_secs(12);
        if self.random.chance(70) {
            self.heal();
            let recovery = self.recovery;
            self.steps.push(wait(recovery));
            self.publish();
            self.publish();
        }
        self.steps.push(wait(rest));
    }

    fn waive(&mut self, file: &mut File) {
        if self.swarm.has_large {
            self.does_not_hold(Invariant::ClientKeepsItsInterval, "A large message may not get out.");
        }
        let waivers: Vec<_> =
            self.waived.iter().map(|(invariant, why)| (Place::default(), *invariant, (*why).to_owned())).collect();
        file.waive = (!waivers.is_empty()).then(|| Field::new(Waive(waivers)));
    }

    /// Takes note that an invariant cannot hold here, once.
    fn does_not_hold(&mut self, invariant: Invariant, why: &'static str) {
        if self.waived.iter().all(|(known, _)| *known != invariant) {
            self.waived.push((invariant, why));
        }
    }

    /// The node to which all clients connect.
    fn server(&self) -> &'static str {
        if self.swarm.is_fake { FAKE } else { BROKER }
    }
}

/// The nodes of a role, or nothing if there are none.
fn nodes<T>(nodes: Vec<(&'static str, T)>) -> Option<Field<Nodes<T>>> {
    let nodes: Vec<_> = nodes.into_iter().map(|(name, node)| (Name::new(name), Param::new(node))).collect();
    if nodes.is_empty() { None } else { some(Nodes(nodes)) }
}
