//! One mistake of each kind: what its author reads. The snapshot is the whole text.

use crate::plan::Source;
use crate::{PlanOptions, parse};

/// What is wrong, and the file.
const BAD: &[(&str, &str)] = &[
    // The file as YAML.
    ("empty file", ""),
    ("nothing but a comment", "# later\n"),
    ("syntax", "steps: [ { wait: 5s }\n"),
    ("tab", "clients:\n\tsensor: {}\n"),
    ("dollar and brace", "clients: { sensor: { keep_alive: ${k} } }\nsteps: [ { wait: 1s } ]\n"),
    ("equal keys", "clients: { sensor: { keep_alive: 5s, keep_alive: 6s } }\nsteps: [ { wait: 1s } ]\n"),
    ("anchor and alias", "let: { a: &x 5s, b: *x }\nsteps: [ { wait: <a> } ]\n"),
    ("tag", "steps: [ { wait: !time 5s } ]\n"),
    ("two documents", "steps: [ { wait: 1s } ]\n---\nsteps: [ { wait: 2s } ]\n"),
    ("a list instead of a scenario", "- wait: 1s\n"),
    ("a word instead of a scenario", "hello\n"),
    ("a key that is no word", "? [a, b]\n: 1\nsteps: [ { wait: 1s } ]\n"),
    // Keys.
    ("misspelt key of a file", "client: { sensor: {} }\nsteps: [ { wait: 1s } ]\n"),
    (
        "misspelt key of a client",
        "clients: { sensor: { keepalive: 5s } }\nsteps: [ { wait: 1s } ]\nuntil: <sensor.keep_alive>\n",
    ),
    ("unknown key", "clients: { sensor: { colour: red } }\nsteps: [ { wait: 1s } ]\n"),
    (
        "half a sweep, a second one, and one inside of another step",
        "raw_brokers: { fake: {} }\nsteps:\n  - sweep: { fault: [] }\n  - sweep: { during: start .. }\n  - repeat: { times: 2, steps: [ { sweep: { fault: { fake: crash }, during: .. end } } ] }\n",
    ),
    ("key without a value", "clients:\nsteps: [ { wait: 1s } ]\n"),
    ("node without a value", "clients:\n  sensor:\nsteps: [ { wait: 1s } ]\n"),
    ("neither steps nor expect", "clients: { sensor: {} }\n"),
    ("another grammar", "grammar: 2\nsteps: [ { wait: 1s } ]\n"),
    // Fragments.
    ("a fragment that is not there", "include: [lib/watcher.yaml, 5, { a: b }]\nsteps: [ { watcher: crash } ]\n"),
    // Values.
    ("no unit", "clients: { sensor: { keep_alive: 5 } }\nsteps: [ { wait: 1s } ]\n"),
    ("too long for its field", "clients: { sensor: { keep_alive: 70000s } }\nsteps: [ { wait: 1s } ]\n"),
    ("half a second in whole seconds", "clients: { sensor: { keep_alive: 1.5s } }\nsteps: [ { wait: 1s } ]\n"),
    ("multiplication sign", "steps: [ { wait: 1.5 × 5s } ]\n"),
    ("no whole milliseconds", "steps: [ { wait: 1s / 3 } ]\n"),
    ("yes for true", "clients: { sensor: { clean: yes } }\nsteps: [ { wait: 1s } ]\n"),
    ("a number out of range", "clients: { sensor: { subscribe: { filter: a, qos: 3 } } }\nsteps: [ { wait: 1s } ]\n"),
    ("a list instead of a word", "clients: { sensor: { client_id: [a] } }\nsteps: [ { wait: 1s } ]\n"),
    ("a share above all", "clients: { sensor: { reconnect: { jitter: 150% } } }\nsteps: [ { wait: 1s } ]\n"),
    (
        "a payload of unknown size",
        "clients: { sensor: { will: { topic: a, payload: { size: 5 GB } } } }\nsteps: [ { wait: 1s } ]\n",
    ),
    ("a will without a topic", "clients: { sensor: { will: { payload: gone } } }\nsteps: [ { wait: 1s } ]\n"),
    // Names.
    ("a reserved name", "clients: { broker: {}, close: {}, 1st: {}, last: {} }\nsteps: [ { wait: 1s } ]\n"),
    ("a node of both kinds", "clients: { a: {} }\nraw_clients: { a: {} }\nsteps: [ { wait: 1s } ]\n"),
    ("which broker", "brokers: { east: {}, west: {} }\nclients: { a: {} }\nsteps: [ { a: crash } ]\n"),
    ("a group that is too large", "clients: { fleet: { count: 1010000 } }\nsteps: [ { wait: 1s } ]\n"),
    ("too many nodes in all runs", "clients: { fleet: { count: 9000 } }\nseeds: 200\nsteps: [ { wait: 1s } ]\n"),
    ("member number outside of a group", "clients: { a: { client_id: dev-<i> } }\nsteps: [ { wait: 1s } ]\n"),
    (
        "unknown parameter",
        "matrix: { keep_alive: [1s] }\nclients: { a: { keep_alive: <keepalive> } }\nsteps: [ { wait: <keep_alive> } ]\n",
    ),
    ("unused parameter", "matrix: { k: [1s, 2s] }\nlet: { x: 1s }\nsteps: [ { wait: 1s } ]\n"),
    ("unknown field of a node", "steps: [ { wait: <broker.keep_alive> } ]\n"),
    ("field of an unknown node", "steps: [ { wait: <brokr.connect_timeout> } ]\n"),
    ("a list inside a text", "let: { l: [a, b] }\nclients: { a: { client_id: x-<l> } }\nsteps: [ { wait: 1s } ]\n"),
    (
        "wrong value of an axis",
        "matrix:\n  k: [1s, 70000s]\nclients:\n  a: { keep_alive: <k> }\nsteps: [ { wait: 1s } ]\n",
    ),
    ("an axis without a list", "matrix: { k: 5s, r: 1s .. 9s step 1s }\nsteps: [ { wait: <k> }, { wait: <r> } ]\n"),
    (
        "ranges",
        "matrix: { a: 9s .. 1s step 1s, b: 1 .. 2 step 0, c: 1s .. 2 step 1s }\nsteps: [ { wait: <a> }, { wait: <c> }, { at: <b> } ]\n",
    ),
    ("a range of too many runs", "matrix: { k: [1s, 10h], t: 0s .. <k> step 1s }\nsteps: [ { wait: <t> } ]\n"),
    ("nothing left out", "matrix: { k: [1s, 2s] }\nexclude: [ { k: 3s }, { kk: 1s }, k ]\nsteps: [ { wait: <k> } ]\n"),
    ("everything left out", "matrix: { k: [1s, 2s] }\nexclude: { k: [1s, 2s] }\nsteps: [ { wait: <k> } ]\n"),
    ("too many runs", "matrix: { a: [1s, 2s] }\nseeds: 9000\nsteps: [ { wait: <a> } ]\n"),
    (
        "rows that differ",
        "table: [ { case: one, a: 1s }, { case: two, b: 1s }, { case: one, a: 1s, b: 1s }, { a: 1s } ]\nsteps: [ { wait: <a> } ]\n",
    ),
    ("unknown version", "mqtt: 3.1\nsteps: [ { wait: 1s } ]\n"),
    (
        "clauses of a row without a version",
        "table: [ { case: a, clause: MQTT-3.1.2-24, t: 1s } ]\nclauses: { 3.1.1: [3.1.2-24] }\nsteps: [ { wait: <t> } ]\n",
    ),
    (
        "unknown clauses and cases",
        "reports: [emqx-late-by-extra-intervall, nonsense]\nclauses: { 3.1.1: [MQTT-3.1.2-24, MQTT-3.1.2-240], 5.0: MQTT-3.1.2-222, 4.0: [] }\nsteps: [ { wait: 1s } ]\n",
    ),
    (
        "unknown engines and features",
        "only_on: { engines: [live, simm] }\nrequires: [shared_subscription, wills]\nsteps: [ { wait: 1s } ]\n",
    ),
    ("waived for no reason", "waive: { no_orphan: Why not., topic_order: }\nsteps: [ { wait: 1s } ]\n"),
    // Of 5.0 only.
    (
        "5.0 in a file for both",
        "clients: { a: { session_expiry: 5s, will: { topic: t, delay: 1s } } }\nsteps: [ { wait: 1s } ]\n",
    ),
    (
        "5.0 in a file for 3.1.1",
        "mqtt: 3.1.1\nraw_clients: { a: {} }\nsteps: [ { a: { send: AUTH } }, { a: { disconnect: { reason: 0x04 } } } ]\n",
    ),
    (
        "says in 3.1.1",
        "clients: { a: {} }\nsteps: [ { a: power_loss } ]\nexpect: [ { broker: { closes: a, reason: 0x8D } } ]\n",
    ),
    // Steps.
    ("unknown node in a step", "clients: { sensor: {} }\nsteps: [ { senosr: crash }, { wiat: 5s } ]\n"),
    ("two keys in a step", "clients: { a: {} }\nsteps:\n  - wait: 1s\n    a: crash\n"),
    ("no map as a step", "steps: [ wait ]\n"),
    (
        "unknown action",
        "clients: { a: {} }\nsteps: [ { a: powerloss }, { a: { resume: 5s } }, { a: close }, { a: { crash: now } } ]\n",
    ),
    (
        "a dialogue without a method, with a first word twice, and none where it is needed",
        "mqtt: 5.0\nclients: { a: { dialogue: [x] }, b: { authentication_method: M, authentication_data: x, dialogue: [x] }, c: {} }\nsteps: [ { c: reauthenticate } ]\n",
    ),
    (
        "action for raw clients",
        "clients: { a: {} }\nraw_clients: { r: {} }\nsteps: [ { a: open }, { r: stop_pinging }, { broker: connect } ]\n",
    ),
    (
        "raw client that would act",
        "raw_clients: { r: { reconnect: { min: 1s }, autostart: true } }\nsteps: [ { r: connect } ]\n",
    ),
    (
        "unknown packet",
        "raw_clients: { r: {} }\nsteps: [ { r: { send: PINREQ } }, { r: { receive: { PUBLISH: { tpoic: a } } } } ]\n",
    ),
    (
        "packets that cannot be",
        "raw_clients: { r: {} }\nsteps: [ { r: { send: { PUBLISH: { topic: a, qos: 1 } } } }, { r: { send: PUBACK } }, { r: { send: { SUBSCRIBE: { id: 1 } } } } ]\n",
    ),
    (
        "bytes",
        "raw_clients: { r: {} }\nsteps: [ { r: { send: { bytes: c0 0 } } }, { r: { send: { bytes: 'text' } } } ]\n",
    ),
    (
        "races",
        "clients: { a: {} }\nraw_clients: { r: {} }\nsteps: [ { any_order: [ { a: crash } ] }, { any_order: [ { a: crash }, { r: [open, connect] } ] }, { any_order: { a: crash } }, { any_order: [ { wait: 1s }, { any_order: [ { a: crash }, { r: crash } ] } ] } ]\n",
    ),
    (
        "after the end",
        "until: 1h\nclients: { a: {} }\nsteps: [ { wait: 2h }, { a: crash } ]\nexpect:\n  - broker: { closes: a, at: 90min }\n  - broker: { closes: a, between: 1h .. 3h }\n  - broker: { closes: a, within: 1s after start }\n",
    ),
    (
        "syntax in one part and mistakes in others",
        "clients: { sensor: { keep_alive: 5s }\nsteps:\n  - wait: 5\n  - sensor: crsh\nexpect: [ { broker: { closes: sensor, form: a } } ]\n",
    ),
    ("tabs in one part and mistakes in others", "clients:\n\tsensor: {}\nsteps:\n  - wait: 5\n"),
    ("a moment that is past", "steps:\n  - wait: 10s\n  - at: 5s\n"),
    ("a mark with the name of a node", "clients: { a: {} }\nsteps: [ { mark: a }, { mark: 1 } ]\n"),
    (
        "steps that never let time go on",
        "clients: { a: {} }\nsteps: [ { every: { period: 0s, steps: [ { a: crash } ] } }, { repeat: { times: 2 } } ]\n",
    ),
    (
        "answers",
        "raw_brokers: { f: { answers: { PINGRESP: standard, PINGREQ: [refuse, later], open: { after: 1 }, UNSUBSCRIBE: {}, packet: standard } } }\nraw_clients: { r: { answers: { open: standard }, to: f } }\nsteps: [ { f: connect }, { f: { answer: never } }, { r: { connect: { wait: false, connack: { reason: 1 } } } } ]\n",
    ),
    // The network.
    ("unknown end of a link", "clients: { sensor: {} }\nsteps: [ { network: { half_open: sensr -> broker } } ]\n"),
    (
        "a link between two clients",
        "clients: { a: {}, b: {} }\nsteps: [ { network: { partition: a -> b } } ]\nlinks: { a to b: { latency: 1s } }\n",
    ),
    ("nothing set", "clients: { a: {} }\nsteps: [ { network: { set: { link: a } } }, { network: { halfopen: a } } ]\n"),
    ("loss and bandwidth", "network: { loss: 105%, bandwidth: 5kB }\nsteps: [ { wait: 1s } ]\n"),
    (
        "clocks",
        "clients: { a: {} }\nsteps: [ { a: { clock_drift: -100% } }, { a: { clock_drift: fast } }, { a: { clock_jump: -1 } }, { a: clock_jump } ]\n",
    ),
    // Expectations.
    (
        "two verbs",
        "clients: { a: {} }\nsteps: [ { a: crash } ]\nexpect: [ { broker: { closes: a, receives: PINGREQ } } ]\n",
    ),
    ("no verb", "clients: { a: {} }\nsteps: [ { a: crash } ]\nexpect: [ { broker: { count: 1 } } ]\n"),
    (
        "a count that must never be",
        "clients: { a: {} }\nsteps: [ { a: crash } ]\nexpect: [ { never: { broker: { closes: a, count: 2 } } } ]\n",
    ),
    (
        "unknown event",
        "clients: { a: {} }\nsteps: [ { a: crash } ]\nexpect: [ { broker: { closes: a, at: 5s after lst packet from a } } ]\n",
    ),
    (
        "unknown mark",
        "clients: { a: {} }\nsteps: [ { mark: fire }, { a: crash } ]\nexpect: [ { broker: { closes: a, within: 5s after fier } } ]\n",
    ),
    (
        "unknown cause",
        "clients: { a: {} }\nsteps: [ { a: crash } ]\nexpect: [ { broker: { closes: a, because: keepalive } } ]\n",
    ),
    (
        "two times",
        "clients: { a: {} }\nsteps: [ { a: crash } ]\nexpect: [ { broker: { closes: a, at: 5s, within: 1s } } ]\n",
    ),
    (
        "qualifiers of other verbs",
        "clients: { a: {} }\nsteps: [ { a: crash } ]\nexpect: [ { a: { is: down, count: 1 } }, { a: { sends: PINGREQ, from: broker, because: asked } }, { broker: { is: connected } } ]\n",
    ),
    (
        "ranges of expectations",
        "clients: { a: {} }\nsteps: [ { a: crash } ]\nexpect: [ { a: { sends: PINGREQ, count: 4..2, gap: 1s .. 5, between: 2s .. 1s } }, { a: { sends: PINGREQ, count: many } } ]\n",
    ),
    (
        "a group where one node must be",
        "clients: { fleet: { count: 2 } }\nsteps: [ { fleet: crash }, { at: crash of fleet } ]\nexpect: [ { broker: { receives: PINGREQ, at: 5s after crash of fleet } }, { clients: { closes: clients } } ]\n",
    ),
    (
        "what a client has, what of no session, per without count, should inside any_of",
        "clients: { a: {} }\nsteps: [ { a: crash } ]\nexpect: [ { a: { has: { session: a } } }, { broker: { has: { queued: 2 } } }, { broker: { has: {} } }, { broker: { receives: PINGREQ, per: 1s } }, { any_of: [ { should: { broker: { closes: a } } } ] }, { never: { should: { broker: { closes: a } } } } ]\n",
    ),
    (
        "when of an unknown axis",
        "matrix: { qos: [0, 1] }\nclients: { a: { subscribe: { filter: t, qos: <qos> } } }\nsteps: [ { a: crash } ]\nexpect: [ { broker: { closes: a, when: { qso: 1 } } } ]\n",
    ),
    (
        "when that never holds",
        "matrix: { qos: [0, 1] }\nclients: { a: { subscribe: { filter: t, qos: <qos> } } }\nsteps: [ { a: crash } ]\nexpect: [ { broker: { closes: a, when: { qos: 2 } } } ]\n",
    ),
    (
        "connections that nobody opens",
        "clients: { a: {}, b: { autostart: false }, c: { reconnect: { min: 1s } } }\nraw_clients: { r: {} }\nsteps: [ { network: { half_open: a#2 } }, { network: { reset: { link: broker -> b#1, starting_with: CONNACK } } }, { network: { partition: c#9 } }, { network: { heal: broker#1 } }, { repeat: { times: 3, steps: [ { r: [connect, { close: fin }] } ] } } ]\nexpect: [ { broker: { closes: r, connection: r#4 } }, { broker: { closes: r, connection: r#3 } }, { broker: { closes: a, at: 1s after close of a#3 } }, { broker: { closes: a, at: 1s after PINGREQ from broker#1 } } ]\n",
    ),
    (
        "what is no connection",
        "clients: { sensor: { to: broker } }\nraw_brokers: { fake: {} }\nraw_clients: { other: { to: fake } }\nlinks: { sensor#1 <-> broker: { latency: 1s } }\nsteps: [ { network: { half_open: sensor#0 } }, { network: { reset: senosr#1 -> broker } }, { network: { set: { link: sensor#x, latency: 1s } } }, { sensor#1: crash } ]\nexpect: [ { broker: { closes: sensor, connection: sensor } }, { broker: { closes: sensor, connection: senosr#1 } }, { broker: { closes: sensor, connection: fake#1 } }, { sensor: { delivers: { topic: a }, connection: sensor#1 } }, { broker: { closes: sensor#1 } }, { broker: { closes: sensor, at: crash of sensor#1 } }, { sensor#1: { loses: broker } } ]\nbrokers: { broker: {} }\n",
    ),
    (
        "a heal of one connection where all were parted",
        "clients: { sensor: {} }\nsteps: [ { network: { partition: sensor } }, { network: { heal: sensor#1 } } ]\n",
    ),
    (
        "connections beside actions",
        "clients: { sensor: { to: broker } }\nbrokers: { broker: {} }\nraw_brokers: { fake: { answers: { PINGREQ: ignore } } }\nraw_clients: { a: { to: fake }, b: { to: broker } }\nsteps: [ { a: open }, { b: open }, { a: { crash: , connection: a#1 } }, { a: { send: PINGREQ, connection: b#1 } }, { fake: { send: PINGRESP, connection: b#1 } }, { sensor: { publish: { topic: t }, connection: sensor#1 } }, { a: { send: PINGREQ, conection: a#1 } }, { fake: { receive: PINGREQ, connection: a } } ]\n",
    ),
    (
        "words of older versions",
        "mqtt: 5.0\ncases: [false-ping-timeouts]\nraw_brokers: { fake: { answers: { PINGREQ: usual } } }\nclients: { a: { to: fake } }\nsteps: [ { race: [ { a: crash }, { fake: crash } ] }, { a: { set_date: -1h } }, { fake: { answer: usual } } ]\nexpect: [ { fake: { closes: a, says: 0x8E } }, { fake: { closes: a, may_say: 0x8E } } ]\n",
    ),
    (
        "one key in two words",
        "mqtt: 5.0\nclients: { a: { clean: false, clean_start: true } }\nsteps: [ { wait: 1s } ]\nexpect: [ { a: { sends: { CONNECT: { clean_start: true, clean: true, clean_session: true } } } } ]\n",
    ),
    (
        "reactions to what is no event that comes again",
        "clients: { a: {} }\nsteps:\n  - mark: m\n  - whenever: { event: start, steps: [ { a: crash } ] }\n  - whenever: { event: m, steps: [ { a: crash } ] }\n  - whenever: { event: second PINGREQ from a, steps: [ { a: crash } ] }\n  - whenever: { event: 1s before PINGREQ from a, steps: [ { a: crash } ] }\n  - whenever: { evnt: PINGREQ from a, steps: [] }\n  - whenever: { event: PINGREQ from a, times: 0, steps: [ { a: crash } ] }\n",
    ),
    (
        "steps for runs that there are not",
        "matrix: { k: [1s, 2s] }\nclients: { a: { keep_alive: <k> }, b: {} }\nsteps:\n  - when: { runs: { k: 3s }, steps: [ { a: crash } ] }\n  - when: { runs: { kk: 1s }, steps: [ { a: crash } ] }\n  - when: { runs: {}, steps: [ { a: crash } ] }\n  - when: { steps: [ { a: crash } ] }\n  - any_order: [ { when: { runs: { k: 1s }, steps: [ { a: crash } ] } }, { b: crash } ]\n",
    ),
    (
        "numbers of members and rounds where there are none",
        "clients: { fleet: { count: 2 }, a: {} }\nsteps:\n  - a: { publish: { topic: t/<i> } }\n  - clients: { publish: { topic: t/<i> } }\n  - a: { publish: { topic: t/<round> } }\n  - every: { period: 1s, steps: [ { a: { publish: { topic: t/<round> } } } ] }\n  - repeat: { times: 20000, steps: [ { a: { publish: { topic: t/<round> } } } ] }\n  - wait: <i>\nexpect: [ { a: { sends: { PUBLISH: { topic: t/<i> } } } } ]\n",
    ),
    (
        "brokers that are told what they cannot do",
        "clients: { a: {} }\nsteps: [ { a: shutdown }, { broker: { configure: {} } }, { broker: { configure: { durable: true } } }, { broker: { configure: { queue_messges: 5 } } }, { broker: configure }, { broker: { shutdown: 5s } } ]\nexpect: [ { broker: { attempts: a } }, { broker: { delivers: {} } }, { a: { closes: broker, attempts: broker } } ]\n",
    ),
    (
        "the latest connection where it is not known, and access that makes no sense",
        "brokers: { broker: { access: { everybody: { read: [a/#/b], wirte: a }, users: { 'a#b': {} } }, queue_policy: drop, referral: later, queue_bytes: many } }\nraw_clients: { r: {} }\nsteps: [ { r: connect }, { r: { send: PINGREQ, connection: r#last } }, { r: { send: PINGREQ, connection: r#latest } } ]\nexpect: [ { r: { sends: PINGREQ, connection: r#last } }, { r: { sends: PINGREQ, at: 1s after PINGREQ from r#last } } ]\nlinks: { r -> broker: { idle_limit: sometimes } }\n",
    ),
    (
        "middleboxes without a rule or a link, and brokers of clients that cannot be",
        "brokers: { main: {}, spare: {} }\nmiddleboxes:\n  nat: { links: a }\n  wall: { conections: 5 }\n  gate: { links: a -> nobody, connections: 0, new_connections: 5, when_full: explode }\nclients:\n  a: { to: [main, a, mian], follows_references: 5 }\nraw_clients:\n  r: { to: [main, spare] }\n  s: { to: main, follows_references: true }\nsteps: [ { wait: 1s } ]\n",
    ),
    // All at once.
    (
        "several mistakes in one file",
        "clients:\n  sensor: { keepalive: 5s }\nsteps:\n  - wait: 10\n  - senosr: power_loss\nexpect:\n  - broker: { closes: sensor, at: 1.5 * <sensor.keep_alive> after lst packet from sensor }\n",
    ),
    (
        "pairs",
        "mqtt: 5.0\npairs: { a: [1s, 1s], b: 1 .. 3 step 1, c: 5s }\nexclude: { a: 3s, bb: 1 }\nsteps: [ { wait: <a> }, { wait: <b> } ]\n",
    ),
    ("one axis alone in pairs", "pairs: { a: [1s, 2s] }\nsteps: [ { wait: <a> } ]\n"),
    (
        "transports that there are not, and text frames without WebSocket",
        "brokers: { broker: {}, other: { transport: quic } }\nclients: { a: { to: broker, transport: websocket } }\nraw_clients: { r: { to: broker } }\nsteps: [ { r: connect }, { broker: { configure: { transport: websocket } } }, { r: { send: { text_frame: c } } } ]\n",
    ),
    (
        "text frames over TCP",
        "raw_clients: { r: {} }\nsteps: [ { r: connect }, { r: { send: { text_frame: c0 00 } } } ]\n",
    ),
];

pub(super) fn errors(text: &str) -> String {
    let source = Source { path: "silent_client.yaml".into(), text: text.into(), ..Source::default() };
    match parse("silent_client".into(), source).and_then(|scenario| scenario.plans(PlanOptions::default())) {
        Ok(plans) => panic!("no error, but {} plans, in\n{text}", plans.len()),
        Err(errors) => errors.to_string(),
    }
}

/// Number of mistakes in one snapshot.
const TOGETHER: usize = 6;
/// Maximum number of lines of a snapshot: more are not read.
const LINES: usize = 150;

/// Holds the messages about these mistakes in snapshots that are short enough to be read.
pub(super) fn assert_explained(name: &str, mistakes: &[(&str, &str)]) {
    for (part, mistakes) in (1..).zip(mistakes.chunks(TOGETHER)) {
        let shown: Vec<_> = mistakes.iter().map(|(what, text)| format!("## {what}\n{}\n", errors(text))).collect();
        let shown = shown.join("\n");
        assert!(shown.lines().count() <= LINES, "part {part} of {name} has more than {LINES} lines");
        insta::assert_snapshot!(format!("{name}_{part:02}"), shown);
    }
}

#[test]
fn every_kind_of_mistake_is_explained() {
    assert_explained("mistakes", BAD);
}

#[test]
fn each_mistake_is_listed_once() {
    let mut names: Vec<_> = BAD.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), BAD.len());
}
