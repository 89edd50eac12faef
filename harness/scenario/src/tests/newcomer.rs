//! What people write who have read the documentation and nothing else, and what they read then. The snapshot is the
//! whole text.

use super::bad::{assert_explained, errors};

/// What went wrong, and the file.
const MISTAKES: &[(&str, &str)] = &[
    (
        "the words of other tools and of the standards",
        "clients:\n  a: { clean_start: true, will: { topic: t, message: gone }, subscribe: { topic: t } }\nsteps:\n  - sleep: 5s\n  - a: kill\n  - network: { drop: a }\nexpect:\n  - a: { is: offline, after: 5s }\n  - a: { receives: { CONNACK: { return_code: 0, sp: 1 } } }\n  - broker: { closes: a, because: timeout, how: reset }\n",
    ),
    (
        "who does it stands in the wrong place",
        "clients: { a: {} }\nsteps:\n  - crash: a\n  - publish: { topic: t }\n  - half_open: a\n  - network: { crash: broker }\nexpect:\n  - closes: { broker: a }\n  - broker: { never: { closes: a } }\n  - broker: { closes: a }\n    because: keep_alive\n",
    ),
    (
        "a list of clients, and mistakes that have nothing to do with it",
        "clients:\n  - name: a\nsteps:\n  - wait: 10\n  - a: crsh\nexpect:\n  - broker: { closes: a, becaus: keep_alive }\n",
    ),
    ("names alone, and a number", "clients: [a, b]\nraw_brokers: 2\nsteps:\n  - a: crash\n"),
    ("steps and expectations as maps", "steps:\n  wait: 5s\nexpect:\n  -broker: { has: { retained: 0 } }\n"),
    ("a colon is missing", "clients:\n  a: { keep_alive 5s }\nsteps:\n  - wait: 1s\n"),
    ("a colon is missing at the margin", "clients\n  a: { keep_alive: 5s }\nsteps:\n  - wait: 1s\n"),
    (
        "spaces are missing behind colons",
        "clients:\n  a:{ keep_alive: 5s }\n  b: { keep_alive:5s }\nsteps:\n  - wait:1s\n",
    ),
    ("a dash is missing", "clients: { a: {} }\nsteps:\n  - wait: 1s\n  a: crash\n"),
    ("one bracket too many", "clients:\n  a: { keep_alive: 5s } }\nsteps:\n  - wait: 1s\n"),
    ("a quote is not closed", "clients:\n  a: { client_id: \"abc }\nsteps:\n  - wait: 1s\n"),
    ("a tab behind a colon", "clients:\n  a: { keep_alive:\t5 }\nsteps:\n  - wait: 1s\n"),
    ("a line is indented too little", "clients:\n  a:\n    keep_alive: 5s\n   clean: true\nsteps:\n  - wait: 1s\n"),
    ("a colon in a text", "about: a client: silent\nclients: { a: {} }\nsteps:\n  - wait: 1s\n"),
    ("a comment in the middle of a value", "clients: { a: { subscribe: # } }\nsteps:\n  - wait: 1s\n"),
    ("a comment in the middle of a line", "steps:\n  - network: { half_open: a # 1 }\n  - wait: 1s\n"),
    ("an asterisk", "clients: { a: { subscribe: */a } }\nsteps:\n  - wait: 1s\n"),
    (
        "behind tabs, quoted texts and wide characters",
        "clients:\n  fühler:\t{ client_id: '温度計' , keepalive: 5s }\nsteps:\n  - fühler: { publish: { topic: 温度/計, payload: '🌡️' , qoss: 1 } }\n  - wait: '5 × 1s' \n",
    ),
    ("parameters as elsewhere", "matrix: { k: [1s] }\nsteps:\n  - wait: '{{k}}'\n  - wait: <k> + $k\n"),
    ("parameters as in a shell of another system", "matrix: { k: [1s] }\nsteps:\n  - wait: %k%\n"),
    (
        "one key of a group is wrong, and another",
        "clients: { a: { count: -1, keep_alive: 70000s, clientid: x } }\nsteps:\n  - a: crsh\n",
    ),
    ("decimals without a unit", "clients: { a: { ping_timeout: 2.5 } }\nsteps:\n  - wait: 0.125\n"),
    (
        "moments",
        "clients: { a: {} }\nsteps:\n  - mark: fire\n  - at: after fire\n  - at: fire + 5s\n  - at: 5s from fire\n  - at: before\nexpect:\n  - broker: { closes: a, at: after close of a }\n  - never: { broker: { closes: a, during: end .. start } }\n",
    ),
    (
        "less and more",
        "clients: { a: {} }\nsteps:\n  - wait: 1s\nexpect:\n  - a: { sends: PINGREQ, count: >1, gap: <5s }\n  - a: { sends: PINGREQ, count: 1-3, gap: 5s > }\n  - a: { sends: { PUBLISH: { qos: { min: 1 } } } }\n",
    ),
    (
        "values that no packet has",
        "mqtt: 5.0\nclients: { a: {} }\nraw_clients: { r: {} }\nsteps:\n  - a: { publish: { topic: t, qos: 3 } }\n  - r: { send: { PUBLISH: { topic: t, qos: 3, id: 70000 } } }\n  - r: { receive: { PUBLISH: { qos: 4 } } }\n  - a: { disconnect: { reason: 0x77 } }\n  - a: { disconnect: 4 }\n  - r: { disconnect: { reason: 0x77 } }\nexpect:\n  - broker: { closes: a, reason: session_taken_over }\n  - broker: { closes: a, reason_if_any: [0x8E, 0x77] }\n",
    ),
    (
        "an id that does not fit",
        "raw_clients: { r: {} }\nsteps:\n  - r: { send: { PUBLISH: { topic: t, qos: 1, id: 70000 } } }\n",
    ),
    (
        "topics and filters that the client would not send",
        "clients: { a: { subscribe: [a/#/b, { filter: a+ }, ok/#] } }\nraw_clients: { r: { subscribe: a/#/b } }\nsteps:\n  - a: { publish: { topic: a/#, payload: x } }\n  - a: { publish: { topic: '', payload: x } }\n  - a: { unsubscribe: [b#] }\n  - r: { unsubscribe: b# }\n",
    ),
    (
        "bytes",
        "raw_clients: { r: {} }\nsteps:\n  - r: { send: { bytes: 0xc0 0x00 } }\n  - r: { send: { bytes: \"10 r s4 MQTT\" } }\n  - r: { send: { bytes: 30 r5 s } }\n  - r: { send: { hex: c000 } }\n  - r: { send: c000 }\n",
    ),
    (
        "links",
        "clients: { a: {} }\nsteps:\n  - network: { partition: a - broker }\n  - network: { partition: a => broker }\n  - network: { partition: everybody }\n",
    ),
    (
        "what ends nothing",
        "clients: { a: {}, b: {} }\nsteps:\n  - network: { partition: a }\n  - network: { heal: b }\n  - network: { heal: broker -> a }\n  - every: { period: 1s, times: 2, steps: [ { b: resume_pinging } ] }\n",
    ),
    (
        "later than the end",
        "clients: { a: {} }\nuntil: 1min\nsteps:\n  - a: stop_pinging\nexpect:\n  - broker: { closes: a, at: 2min }\n  - a: { is: connected, at: 90s }\n",
    ),
    (
        "values twice, and none",
        "matrix: { k: [1s, 2s, 1000ms], l: [], m: [a, a] }\nsteps:\n  - wait: <k> + <l> + <m>\n",
    ),
    (
        "lists where maps stand",
        "matrix: [1s]\nlet: 5s\nwaive: [topic_order]\nclauses: [MQTT-3.1.2-24]\nabout: [a]\nsteps:\n  - wait: 1s\n",
    ),
    (
        "fields beside `with`",
        "clients: { a: { autostart: false } }\nsteps:\n  - a: { connect: { clean: false } }\n  - a: { connect: { connack: success } }\n  - a: { close: { how: rst } }\n",
    ),
    (
        "a run of a sweep",
        "clients: { a: {} }\nexclude: { sweep: after PINGREQ at broker }\nsteps:\n  - sweep: { fault: { a: crash }, during: start .. end }\n  - wait: 1min\nexpect:\n  - a: { is: down, at: end, when: { sweep: after PINGREQ at broker } }\n",
    ),
    (
        "connections of others",
        "clients: { a: {}, b: {} }\nsteps:\n  - a: { close: rst }\nexpect:\n  - broker: { loses: a, connection: b#1 }\n  - a: { sends: CONNECT, connection: b#1 }\n  - broker: { receives: CONNECT, from: a, connection: b#1 }\n  - broker: { receives: CONNECT, connection: b#1 }\n",
    ),
    ("no line", "clients: { a: {} }\nsteps: []\nexpect: []\n"),
    ("an alternative of nothing", "clients: { a: {} }\nsteps:\n  - wait: 1s\nexpect:\n  - any_of: []\n"),
    (
        "words that nothing resembles",
        "clients: { a: {} }\nsteps:\n  - a: fly\n  - banana: split\n  - a: { subscribe: x, qos: 1 }\nexpect:\n  - banana: { closes: a }\n  - broker: { closes: banana }\n  - a: { sends: BANANA }\n",
    ),
    (
        "a qualifier outside of the braces",
        "matrix: { k: [1s, 2s] }\nclients: { a: { keep_alive: <k> } }\nsteps:\n  - wait: 10s\nexpect:\n  - never: { broker: { closes: a } }\n    when: { k: 1s }\n  - never: { broker: { closes: a }, when: { k: 1s } }\n  - should: { never: { broker: { closes: a }, when: { k: 1s } } }\n  - any_of: [ { broker: { closes: a }, count: 1 } ]\n  - any_of: [ { broker: { closes: a } } ]\n    count: 1\n",
    ),
    (
        "arguments outside of the braces",
        "clients: { a: {} }\nraw_clients: { r: {} }\nsteps:\n  - repeat: { steps: [ { wait: 1s } ] }\n    times: 3\n  - network: { half_open: a, starting_with: PUBLISH }\n  - r: { send: { PUBLISH: { topic: t }, qos: 1 } }\n  - r: { receive: { PUBLISH: { topic: t }, qos: 1 } }\n",
    ),
    (
        "the number of a member in a step",
        "clients: { fleet: { count: 3, client_id: dev-<i> }, boss: {} }\nsteps:\n  - boss: { publish: { topic: t/<i>, payload: x } }\n",
    ),
    (
        "packet ids where there are none, and none where there must be",
        "raw_clients: { r: {} }\nsteps:\n  - r: { send: { PUBLISH: { topic: t, qos: 0, id: 1 } } }\n  - r: { send: { PUBLISH: { topic: t, id: 1 } } }\n  - r: { send: PUBACK }\n",
    ),
    (
        "what no packet of the version has",
        "mqtt: 5.0\nraw_clients: { r: {} }\nsteps:\n  - r: { send: { PUBLISH: { topic: t/#, payload: x } } }\n  - r: { send: { PUBLISH: { topic: t, topic_alias: 0 } } }\n  - r: { send: { SUBSCRIBE: { filters: [a/#/b] } } }\n",
    ),
    (
        "what cannot happen",
        "only_on: { engines: live, because: It needs a real network. }\nclients: { a: {} }\nsteps:\n  - broker: crash\nexpect:\n  - broker: { closes: a, because: shutdown }\n",
    ),
    (
        "cases that are misspelt",
        "reports: [rumqttd-outbound-traffic-renews-keepaliv, '', https://example.org/issues/7, https://example.org/issues/7]\nclients: { a: {} }\nsteps:\n  - wait: 1s\n",
    ),
    ("a field of nothing", "clients: { a: {} }\nsteps:\n  - wait: <a.>\n"),
];

#[test]
fn every_mistake_of_a_newcomer_is_explained() {
    assert_explained("newcomer", MISTAKES);
}

/// What follows from a mistake is no mistake of its own.
#[test]
fn each_place_is_complained_about_once() {
    for (name, text) in MISTAKES {
        let shown = errors(text);
        let heads = shown.lines().filter(|line| line.starts_with("silent_client.yaml:"));
        let places: Vec<_> = heads.map(|line| line.splitn(4, ':').take(3).collect::<Vec<_>>()).collect();
        let once: std::collections::BTreeSet<_> = places.iter().collect();
        assert_eq!(places.len(), once.len(), "{name}:\n{shown}");
    }
}
