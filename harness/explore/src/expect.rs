//! The expectation with which a shrunk find ends: the right behaviour in the words of the scenario language, where it can say
//! it.

use halfopen_check::without_clause;
use halfopen_protocol::PacketType;

/// Returns the expectations that may say what a finding expects, the most exact first, each as one line of YAML.
///
/// `expected` is the line of the finding, and `nodes` the names of the scenario. Whether an expectation fails where the
/// finding is shown has to be tried.
pub(crate) fn candidates(expected: &str, nodes: &[String]) -> Vec<String> {
    let (text, _) = without_clause(expected);
    let words: Vec<&str> = text.split([' ', ',', ':']).filter(|word| !word.is_empty()).collect();
    let is_node = |word: &str| nodes.iter().any(|node| node == word);
    let after = |word: &str| words.iter().position(|it| *it == word).and_then(|place| words.get(place + 1)).copied();
    let [who, rest @ ..] = &words[..] else { return Vec::new() };
    let who = *who;
    if !is_node(who) {
        return Vec::new();
    }
    let to = words.iter().rposition(|it| *it == "to").and_then(|place| words.get(place + 1)).copied();
    let to = to.filter(|to| is_node(to));
    match (rest, to) {
        (["sends", packet, "to", client, ..], _) if is_packet(packet) && is_node(client) => {
            vec![format!("{client}: {{ receives: {packet} }}")]
        }
        (["sends", "the", "message" | "retained" | "will", ..], Some(client)) => {
            let Some(topic) = after("on") else { return Vec::new() };
            let exact = field(text).map(|field| format!("topic: \"{topic}\", {field}"));
            let fields = exact.into_iter().chain([format!("topic: \"{topic}\"")]);
            fields.map(|fields| format!("{client}: {{ receives: {{ PUBLISH: {{ {fields} }} }} }}")).collect()
        }
        (["sends", client, "each" | "nothing", ..], _) if is_node(client) => {
            let Some(topic) = after("on") else { return Vec::new() };
            let count = if rest[2] == "each" { 1 } else { 0 };
            vec![format!("{client}: {{ receives: {{ PUBLISH: {{ topic: \"{topic}\" }} }}, count: {count} }}")]
        }
        (["closes", "the", "connection", "of", client, ..], _) if is_node(client) => {
            vec![format!("{who}: {{ closes: {client} }}")]
        }
        (["still", "has", "the", "session", "of", client, ..], _) if is_node(client) => {
            vec![format!("{client}: {{ receives: {{ CONNACK: {{ session_present: true }} }} }}")]
        }
        (["has", "no", "session", "of", client, ..], _) if is_node(client) => {
            vec![format!("{client}: {{ receives: {{ CONNACK: {{ session_present: true }} }}, count: 0 }}")]
        }
        (["holds" | "retains", ..], _) => held(who, rest).into_iter().collect(),
        (["sends", packet, ..], _) if is_packet(packet) => vec![format!("{who}: {{ sends: {packet} }}")],
        (["publishes", "the", "message", "on", topic, ..], _) => {
            vec![format!("{who}: {{ sends: {{ PUBLISH: {{ topic: \"{topic}\" }} }} }}")]
        }
        _ => Vec::new(),
    }
}

/// Returns the expectation about what a broker holds, from the words behind its name.
fn held(broker: &str, words: &[&str]) -> Option<String> {
    let has = |what: String| format!("{broker}: {{ has: {{ {what} }}, at: end }}");
    let at_most = |count: &str| if count == "0" { "0".to_owned() } else { format!("\"..{count}\"") };
    Some(match *words {
        ["holds", "no", "session", "of", client, ..] => {
            format!("never: {{ {broker}: {{ has: {{ session: {client} }}, at: end }} }}")
        }
        ["holds", "no", "will", "of", client] => has(format!("session: {client}, will: false")),
        ["holds", count, "subscriptions", "of", client] => has(format!("session: {client}, subscriptions: {count}")),
        ["holds", "at", "most", count, "messages", "under", "way", "to", client] => {
            has(format!("session: {client}, in_flight: {}", at_most(count)))
        }
        ["holds", "at", "most", count, "messages", "that", "wait", "for", client] => {
            has(format!("session: {client}, queued: {}", at_most(count)))
        }
        ["retains", "at", "most", count, "messages"] => has(format!("retained: {}", at_most(count))),
        ["retains", "at", "least", count, "messages"] => has(format!("retained: \"{count}..\"")),
        _ => return None,
    })
}

fn is_packet(word: &str) -> bool {
    (1..=15).filter_map(PacketType::new).any(|packet| packet.name() == word)
}

/// Returns the field of a PUBLISH that a line names.
fn field(text: &str) -> Option<String> {
    let number = |after: &str| {
        let (_, rest) = text.split_once(after)?;
        rest.split_whitespace().next()?.parse::<u32>().ok()
    };
    number(" at QoS ").map(|qos| format!("qos: {qos}")).or_else(|| {
        let retain = number(" with RETAIN ").map(|retain| format!("retain: {}", retain == 1));
        retain.or_else(|| number(" with a Message Expiry Interval of ").map(|left| format!("message_expiry: {left}")))
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::answer("broker sends PUBACK to app for its PUBLISH at 0.100 [MQTT-4.3.2-4]", "app: { receives: PUBACK }")]
    #[case::message(
        "broker sends the message on t/a that app published at 0.060 to probe [MQTT-4.5.0-1]",
        "probe: { receives: { PUBLISH: { topic: \"t/a\" } } }"
    )]
    #[case::will(
        "broker sends the will of app on t/a, due at 0.060, to probe once it can [MQTT-3.3.5-1]",
        "probe: { receives: { PUBLISH: { topic: \"t/a\" } } }"
    )]
    #[case::at_a_qos(
        "broker sends the message on s to app at QoS 1 [MQTT-3.8.4-8]",
        "app: { receives: { PUBLISH: { topic: \"s\", qos: 1 } } }"
    )]
    #[case::once(
        "broker sends app each message on s once [MQTT-4.3.3-10]",
        "app: { receives: { PUBLISH: { topic: \"s\" } }, count: 1 }"
    )]
    #[case::session(
        "broker still has the session of app, and sends Session Present 1 [MQTT-3.2.2-3]",
        "app: { receives: { CONNACK: { session_present: true } } }"
    )]
    #[case::ended_session(
        "broker holds no session of app, which ended at 5.050 [§4.1]",
        "never: { broker: { has: { session: app }, at: end } }"
    )]
    #[case::subscriptions(
        "broker holds 1 subscriptions of app [§4.1]",
        "broker: { has: { session: app, subscriptions: 1 }, at: end }"
    )]
    #[case::under_way(
        "broker holds at most 0 messages under way to app [§4.1]",
        "broker: { has: { session: app, in_flight: 0 }, at: end }"
    )]
    #[case::retained("broker retains at most 2 messages [§3.3.1.3]", "broker: { has: { retained: \"..2\" }, at: end }")]
    #[case::of_a_client("app sends PUBREL 1, which it owes since 0.100 [MQTT-4.3.3-4]", "app: { sends: PUBREL }")]
    fn right_behaviour_becomes_an_expectation(#[case] expected: &str, #[case] first: &str) {
        let nodes = ["broker", "app", "probe"].map(str::to_owned);
        assert_eq!(candidates(expected, &nodes).first().map(String::as_str), Some(first));
    }

    #[rstest]
    #[case::no_node("nobody sends PUBACK to app for its PUBLISH")]
    #[case::nothing_that_the_language_says("app waits at least 1.000 before it connects again [§4.1]")]
    fn what_the_language_cannot_say_is_left_out(#[case] expected: &str) {
        let nodes = ["broker", "app"].map(str::to_owned);
        assert_eq!(candidates(expected, &nodes), Vec::<String>::new());
    }
}
