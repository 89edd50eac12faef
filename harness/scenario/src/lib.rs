//! The YAML file as typed values, or all of its errors at once.
//!
//! `text` → `tree` (values with their places) → `axes` (the runs) → for each run: `params` filled in, then nodes, links,
//! steps and expectations typed by a `reader` → [`Plan`]. Nothing stops at the first error: each reader
//! reports and goes on, and what hangs on something that is wrong already stays silent.
//!
//! # The language, as far as it works
//!
//! Every line of the story and every expectation is a map of one key, which says who. A scalar is the main argument, a
//! map has the arguments by name, a list is several in order.
//!
//! ```yaml
//! # will/power_loss.yaml · A device loses power. Nothing is sent, so the broker can only learn it from silence.
//! matrix: { keep_alive: [1s, 5s, 60s, 65535s] }
//! clients: { watcher: { subscribe: s/+ }, sensor: { keep_alive: <keep_alive>, will: { topic: s/1, payload: offline } } }
//! steps:
//!   - wait: 2.5 * <keep_alive>
//!   - sensor: power_loss
//! expect:
//!   - broker: { closes: sensor, because: keep_alive, at: 1.5 * <keep_alive> after last packet from sensor }
//!   - watcher: { receives: { PUBLISH: { payload: offline } }, count: 1, within: 50ms after close of sensor }
//! ```
//!
//! ## Keys of a file
//! | key | value · default |
//! |---|---|
//! | `mqtt` | `3.1.1`, `5.0` or a list · both: each version is a run |
//! | `grammar` | 1: the version of this language |
//! | `about` `tags` `cases` | a sentence; words to select by; ids of cases from the field, those of `harness/field-cases.yaml`, or references of your own |
//! | `clauses` | version → ids, as `{ 3.1.1: [MQTT-3.1.2-24] }`, those of `protocol/normative` |
//! | `include` | paths of fragments, from the folder of the file that names them |
//! | `matrix` | name → list, or `A .. B step C` of durations or whole numbers: axes; the runs are their product, at most 10,000; a value may use the names above it |
//! | `table` | list of rows, one axis with several names; columns `case` (required), `mqtt`, `clause` are the harness's |
//! | `exclude` | a map of axes (`case`, `mqtt`, `race` among them) and values, or a list of such maps: runs that have one of the values of each axis of a map are left out; a map that leaves nothing out is an error |
//! | `let` | name → value that is no axis |
//! | `seeds` | how many, or a list · 1 |
//! | `brokers` `raw_brokers` `clients` `raw_clients` | name → node; each is also a group of that name · one broker called `broker` |
//! | `network`; `links` | `{ latency, jitter, loss, bandwidth, give_up }` · 10ms, 0ms, 0%, unlimited, 924s; `a -> b` or `a <-> b` → the same |
//! | `steps` `expect` | the story; what must be true of it |
//! | `until`; `tolerance` | moment · all decided and 1s more; duration · 0ms |
//! | `requires` | `shared_subscriptions` `wildcard_subscriptions` `subscription_identifiers` `retained_messages` `qos_1` `qos_2` `topic_aliases`: features without which the run is skipped |
//! | `only_on` | `{ engines: [sim, turmoil], because: a reason }`; on others the runs are skipped |
//! | `waive` | invariant ([`crate::plan::Invariant`]) → the reason why it does not hold here; one that holds in all runs of the file is an error of the run |
//!
//! A fragment has the keys `grammar` `about` `include` `let` `brokers` `clients` `raw_clients` `links` `steps` `waive`. What it names is
//! added to what the file names itself, and a name met twice is an error; its steps come first. One that is included by
//! two others is there once. Fragments stand in folders called `lib`, which are not searched for scenarios.
//!
//! A parameter is `<name>`, a field of a node that stands above `<sensor.keep_alive>`; of a group `<fleet.keep_alive>`.
//! Fields to refer to: of clients `client_id` `keep_alive` `clean` `ping_timeout` `connect_timeout` `session_expiry`
//! `receive_maximum` `will_topic` `will_delay`, of brokers those of the table below. `<x>` alone stands for any value, also
//! a map; inside a text for a word; inside a duration as if in brackets. A parameter that nobody uses is an error.
//!
//! ## Time
//! ```text
//! duration  5s  250ms  1.5 * <k>  <k> / 4  30s - 1ms  (2 * <k>) + 1s     units ms s min h d; exact; whole milliseconds in the end
//! moment    20s | EVENT | DURATION after EVENT | DURATION before EVENT   a bare duration counts from the start of the run
//! EVENT     start | end | MARK | [ORD] PACKET from NODE [to NODE] [at NODE] | [ORD] PACKET at NODE | [ORD] POINT of NODE [at NODE]
//! ORD       first | second | third | last
//! PACKET    packet | CONNECT … AUTH
//! POINT     open | close | crash | power_loss | restart | pause | resume
//! range     A .. B | A .. | .. B
//! ```
//!
//! ## Nodes
//! | node | keys · default |
//! |---|---|
//! | client and raw client | `client_id` the node's name · `keep_alive` 60s, raw 0s · `clean` true (false alone keeps the session for ever) · `will { topic, payload, qos, retain }` · `username` `password` · `subscribe` filter, `{ filter, qos }` or a list · `to` the only broker · `count` a group `fleet.1` …, `<i>` inside · `mqtt` |
//! | the same, 5.0 only | `session_expiry` (or `never`) `receive_maximum` `maximum_packet_size` `topic_alias_maximum` `request_response_information` `request_problem_information` `user_properties` `authentication_method` `authentication_data`; of a will `delay` `payload_format` `message_expiry` `content_type` `response_topic` `correlation_data` `user_properties`; of a subscription `no_local` `retain_as_published` `retain_handling` |
//! | client only | `autostart` true · `ping_timeout` half of keep_alive · `connect_timeout` 10s · `reconnect` never, or `{ min: 1s, max: 30s, factor: 2, jitter: 0% }` |
//! | raw client and raw broker | `answers`: `usual`, `nothing`, or packet, of a raw broker also `open`, → `usual` `nothing` `refuse` `{ after }` `{ after, send }` `{ after, close }`, or a list in turn (the last stays) |
//! | broker | `server_keep_alive` (5.0) none · `keep_alive_factor` 1.5 · `connect_timeout` 10s · `queue_messages` 1000 · `receive_maximum` 1000 · `maximum_packet_size` 16777216 · `max_session_expiry` never · `maximum_qos` 2 · `retain_available` `wildcard_subscription_available` `shared_subscription_available` true · `durable` false · `auth` everybody, or `{ anonymous, users: { NAME: PASSWORD } }`, 5.0 also `method` and `dialogue: [client, broker, …]`; 5.0 only: `min_keep_alive` `max_keep_alive` none · `topic_alias_maximum` 10 · `subscription_identifiers_available` true |
//!
//! A restart loses what was only in memory: of a broker that is not `durable` everything, of a client what was under way.
//!
//! A payload is a text, `{ size: 64kB }` or `{ hex: 00 ff }`.
//!
//! ## Steps
//! | step | value |
//! |---|---|
//! | `wait` `at` `mark` | duration; moment; name |
//! | *node* or *group* | an action or a list of them |
//! | `network` | `{ half_open: LINK }`, `{ partition: LINK }`, `{ reset: LINK }`, each also `{ link, starting_with: PACKET }`; `{ heal: LINK }`, `{ set: { link, latency, jitter, loss, bandwidth, give_up } }`; LINK is `a -> b`, `a <-> b`, or a node alone for all of its links both ways |
//! | `repeat` | `{ times, steps }` |
//! | `race` | a list of 2 to 5 steps that take no time: all happen at one instant, and each of their orders is a run, `race=2-1` |
//! | `every` | `{ period, times, until, steps }` |
//! | `sweep` | `{ fault: a step or a list, during: A .. B }`, once in a file: an axis, `sweep=after PUBREC at pub`; the fault comes right after each instant of the range at which a packet leaves or arrives in a run without it, at most 10,000 runs in all; `halfopen` makes the runs |
//!
//! Actions of all: `crash` `power_loss` `restart` `pause` (`pause: 30s`, or until `resume`) `stop_reading` `resume_reading`
//! `clock_drift: +40%` `clock_jump: -1h` `set_date: -1h`. Of clients and raw clients: `connect`, `connect: { connack: { … }, with: {
//! fields of CONNECT }, wait }`, `disconnect`, `disconnect: { reason: 0x04 }`, `subscribe`, `unsubscribe`, `publish: { topic, payload, qos,
//! retain, … }`, `close: fin` or `rst`. Of clients: `stop_pinging` `resume_pinging`. Of raw clients: `open`. Of raw clients and raw
//! brokers, which speak on their latest connection: `answer` (as `answers`; what is owed is answered now), `send: PINGREQ`,
//! `send: { PUBLISH: { … } }`, `send: { bytes: 30 r5 s3 'a/b' }`, a list is one write; `receive: PINGRESP` or with a pattern.
//! Bytes: hex pairs, `'text'`, `r12` a remaining length, `s3` `m7` `k10` two bytes.
//!
//! ## Expectations
//! `node: { one verb, qualifiers }`, of a group: each member, also where it is the other end and in times; or around such a line `never:` or `should:` (a warning;
//! `halfopen run --strict` fails), or `any_of:` with a list of lines or of lists of lines, of which one must be true.
//!
//! | verb or qualifier | value |
//! |---|---|
//! | `receives` `sends` | a pattern, or a list, which is an order with others between |
//! | `delivers` | fields of a PUBLISH, or a list, which is an order with others between; of clients |
//! | `closes` `loses` | the peer |
//! | `is` | `connected` `connecting` `disconnected` `down`; of clients |
//! | `has` | `{ session: CLIENT_ID, subscriptions, queued, in_flight, will, retained }`, numbers as in `count`; of brokers |
//! | `count` `per` `gap` | `2`, `2..`, `..4` · at least one; in any window this long; between neighbours `5s`, `..4s` |
//! | `to` `from` | of `sends`; of `receives` |
//! | `at` `within` `between` `not_before` | when each that counts comes: moment; `1s after X`; `A .. B`; moment |
//! | `during` | where to look: `A .. B` |
//! | `when` | name of an axis, `case`, `mqtt` or `seed` → value or values: else not judged; one that never holds is an error |
//! | `because` | of `closes`: `keep_alive` `no_pingresp` `no_connect` `no_connack` `takeover` `malformed` `protocol_error` `session_end` `quota` `not_authorized` `asked` |
//! | `how` | of `closes` and `loses`: `fin` `rst` `timeout` |
//! | `says` `may_say` | of `closes`: reason or reasons of the DISCONNECT before it, which must be there (5.0; add `when: { mqtt: 5.0 }`) or may; `may_say: nothing`; `may_say` is void in 3.1.1 |
//!
//! A pattern is `PINGREQ` or `{ PUBLISH: { field: value } }`; the fields are those of [`crate::trace::fields`], a value or
//! one of `{ not }` `{ one_of }` `{ at_least }` `{ at_most }` `{ present }`.

mod action;
mod axes;
mod conditions;
mod connection;
mod each;
mod error;
mod expect;
pub mod field_cases;
mod files;
mod header;
mod idle;
mod include;
mod judged;
mod keys;
mod link;
mod names;
mod node;
mod packet;
mod params;
mod plans;
mod race;
mod range;
mod reader;
mod reference;
mod schema;
mod step;
mod suggest;
mod tables;
mod time;
mod tree;
mod warn;

use halfopen_plan::{self as plan, trace};
use std::path::Path;
use std::sync::Arc;

use self::axes::Axes;
pub use self::axes::MAX_RUNS;
use self::error::Sink;
pub use self::error::{Error, Errors, Span};
pub use self::files::{File, find};
pub use self::header::About;
pub use self::include::tidy;
pub use self::plans::MAX_NODES;
pub use self::plans::PlanOptions;
pub use self::schema::schema;
pub use self::tables::with_tables;
use self::tree::{Kind, Node};
use crate::plan::{Plan, Source};

/// A scenario file whose outline is right: its header, its parameters, its runs.
///
/// Everything else depends on the values of the parameters and is read with them, by [`plans`](Self::plans).
#[derive(Debug)]
pub struct Scenario {
    /// The path below the scenarios' folder, without ending: `keep_alive/silent_client`.
    pub name: String,
    /// The file.
    pub source: Arc<Source>,
    /// What the file says about itself.
    pub about: About,
    /// Fragments that it includes, in the order of their numbers in positions.
    pub fragments: Vec<Arc<Source>>,
    root: Node,
    axes: Axes,
}

/// Reads a scenario file.
///
/// # Errors
/// If it cannot be read, or with all that is wrong in it that does not depend on how it is run: its runs are tried out
/// before errors are given back, so that all come at once.
pub fn load(path: impl AsRef<Path>) -> Result<Scenario, Errors> {
    let path = path.as_ref();
    load_file(&File { path: path.to_owned(), name: files::name_of(path) })
}

/// Reads a scenario file that [`find`] has found.
///
/// # Errors
/// As [`load`].
pub fn load_file(file: &File) -> Result<Scenario, Errors> {
    let text = files::read(&file.path)?;
    parse(file.name.clone(), Source { path: files::shown(&file.path), text })
}

/// Reads a scenario from its text.
///
/// # Errors
/// As [`load`].
pub fn parse(name: String, source: Source) -> Result<Scenario, Errors> {
    let source = Arc::new(source);
    let sink = Sink::new(source.clone());
    let scenario = tree::parse(&source.text, 0, &sink).map(|mut root| {
        header::check_keys(&root, &header::FILE, &sink);
        include::include(&mut root, &source, &sink);
        let about = About::read(&root, &source.text, &sink);
        let axes = Axes::read(&root, &sink);
        Scenario { name, source, about, fragments: sink.fragments(), root, axes }
    });
    if let Some(scenario) = &scenario
        && !sink.is_empty()
    {
        plans::collect(scenario, PlanOptions::default(), &sink);
    }
    let scenario = sink.finish(scenario)?;
    Ok(scenario.expect("a file that is not read has an error"))
}

/// Reads all scenarios that the paths stand for, with their plans.
///
/// # Errors
/// With all errors of all files.
pub fn load_all<P: AsRef<Path>>(paths: &[P], options: PlanOptions) -> Result<Vec<(Scenario, Vec<Plan>)>, Errors> {
    let mut loaded = Vec::new();
    let mut errors = Vec::new();
    for file in find(paths)? {
        let read = load_file(&file).and_then(|scenario| {
            let plans = scenario.plans(options)?;
            Ok((scenario, plans))
        });
        match read {
            Ok(read) => loaded.push(read),
            Err(error) => errors.push(error),
        }
    }
    Errors::collect(errors).map_or(Ok(loaded), Err)
}

impl Scenario {
    /// All runs of the scenario.
    ///
    /// # Errors
    /// With all that is wrong in any of them; what is wrong in several is said once.
    pub fn plans(&self, options: PlanOptions) -> Result<Vec<Plan>, Errors> {
        let sink = Sink::with_fragments(self.source.clone(), &self.fragments);
        let plans = plans::collect(self, options, &sink);
        sink.finish(plans)
    }

    /// What is right but may not mean what was meant, in its plans.
    pub fn warnings(&self, plans: &[Plan]) -> Vec<Error> {
        warn::warnings(plans)
    }

    /// Whether a part of it could not be read at all, so that names may exist which nobody knows.
    fn is_incomplete(&self) -> bool {
        let is_map = |value: &Node| matches!(value.kind, Kind::Map(_)) || value.is_null();
        self.root.entries().iter().any(|(key, value)| {
            value.kind == Kind::Broken || key.text().is_some_and(header::is_section) && !is_map(value)
        })
    }
}

#[cfg(test)]
mod tests;
