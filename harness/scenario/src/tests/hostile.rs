//! Whatever a file holds, reading it ends with plans or errors.

use proptest::prelude::*;

use crate::plan::Source;
use crate::suggest::COMPARED;
use crate::{PlanOptions, parse};

fn read(text: &str) -> Result<usize, String> {
    let source = Source { path: "a.yaml".into(), text: text.into(), ..Source::default() };
    let read = parse("a".into(), source).and_then(|scenario| scenario.plans(PlanOptions::default()));
    read.map(|plans| plans.len()).map_err(|errors| errors.to_string())
}

const WORDS: &[&str] = &[
    "mqtt",
    "5.0",
    "3.1.1",
    "matrix",
    "pairs",
    "table",
    "let",
    "seeds",
    "brokers",
    "clients",
    "raw_clients",
    "network",
    "links",
    "steps",
    "expect",
    "until",
    "tolerance",
    "waive",
    "about",
    "clauses",
    "case",
    "a",
    "b",
    "broker",
    "fleet.1",
    "<a>",
    "<i>",
    "<a.keep_alive>",
    "<broker.connect_timeout>",
    "count",
    "keep_alive",
    "clean",
    "will",
    "topic",
    "payload",
    "size",
    "5kB",
    "hex",
    "00 ff",
    "subscribe",
    "filter",
    "qos",
    "reconnect",
    "jitter",
    "50%",
    "wait",
    "at",
    "mark",
    "m",
    "repeat",
    "every",
    "sweep",
    "fault",
    "times",
    "period",
    "half_open",
    "partition",
    "set",
    "link",
    "a -> broker",
    "a <-> b",
    "a",
    "latency",
    "connect",
    "open",
    "send",
    "bytes",
    "c0 r300",
    "PUBLISH",
    "PINGREQ",
    "packet",
    "receive",
    "crash",
    "never",
    "closes",
    "receives",
    "sends",
    "delivers",
    "is",
    "down",
    "because",
    "reason",
    "reason_if_any",
    "0x8D",
    "nothing",
    "gap",
    "..4s",
    "2..",
    "within",
    "between",
    "during",
    "when",
    "5s",
    "1.5 * <a>",
    "5s after last packet from a",
    "1s .. 2s",
    "start .. m",
    "true",
    "false",
    "0",
    "7",
    "99999999999999999999",
    "''",
    "",
];

/// A value in flow style, made of the words of the language.
fn yaml() -> impl Strategy<Value = String> {
    let word = || prop::sample::select(WORDS).prop_map(str::to_owned);
    word().prop_recursive(6, 64, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec((word(), inner), 0..5).prop_map(|entries| {
                let entries: Vec<_> = entries.into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
                format!("{{ {} }}", entries.join(", "))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = read(&text);
    }

    #[test]
    fn no_yaml_makes_it_panic(
        entries in prop::collection::vec((prop::sample::select(&WORDS[..20]), yaml()), 0..6),
    ) {
        let text: String = entries.into_iter().map(|(key, value)| format!("{key}: {value}\n")).collect();
        if let Err(errors) = read(&text) {
            prop_assert!(!errors.is_empty());
        }
    }

    /// A file that is right, with one character changed: close to what people write.
    #[test]
    fn no_slip_makes_it_panic(at in 0_usize..400, character in any::<char>()) {
        let text = include_str!("good/session__expiry_to_the_millisecond.yaml");
        let changed: String = text.chars().enumerate().map(|(i, c)| if i == at { character } else { c }).collect();
        let _ = read(&changed);
    }
}

#[test]
fn deep_nesting_is_an_error() {
    let text = format!("steps: {}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(read(&text).is_err());
    let text = format!("steps: [ {{ wait: {}1s{} }} ]", "(".repeat(10_000), ")".repeat(10_000));
    assert!(read(&text).unwrap_err().contains("too many brackets"));
}

#[test]
fn a_large_file_of_errors_ends_soon() {
    let text = format!("steps:\n{}", "  - wait: 5\n".repeat(50_000));
    let errors = read(&text).unwrap_err();
    assert!(errors.lines().count() < 500);
}

/// Each of them would take minutes or gigabytes if it were followed, or if each key were held against all others.
#[test]
fn what_is_made_to_take_long_ends_soon() {
    let bombs =
        (1..20).map(|n| format!("  a{n}: &a{n} [{}]\n", format!("*a{}, ", n - 1).repeat(9))).collect::<String>();
    let many = |line: fn(usize) -> String| (0..10_000).map(line).collect::<String>();
    let files = [
        format!("let:\n  a0: &a0 [x]\n{bombs}steps: [ {{ wait: 1s }} ]\n"),
        many(|n| format!("key_{n}: 1\n")),
        format!("let:\n{}", many(|n| format!("  name_{n}: 1s\n"))),
        format!("clients:\n{}", (0..2_000).map(|n| format!("  c{n}: {{}}\n")).collect::<String>()),
        format!("table:\n{}steps: [ {{ wait: <t> }} ]\n", many(|n| format!("  - {{ case: c{n}, t: 1s }}\n"))),
        format!("steps:\n{}", many(|_| "  - nobody: crash\n".to_owned())),
        format!("{}: 1\n", "x".repeat(900_000)),
        format!("steps: [ {{ wait: {}s }} ]\n", "9".repeat(500_000)),
        format!("steps: [ {{ wait: 1s{} }} ]\n", " + 1s".repeat(100_000)),
        format!("matrix: {{ {} }}\nsteps: [ {{ wait: <a> }} ]\n", "a: [1s, 2s], ".repeat(30_000)),
        format!(
            "matrix: {{ {} }}\nsteps: [ {{ wait: 1s }} ]\n",
            (0..64).map(|n| format!("a{n}: [1s, 2s]")).collect::<Vec<_>>().join(", ")
        ),
        format!(
            "pairs: {{ {} }}\nsteps: [ {{ wait: 1s }} ]\n",
            (0..500).map(|n| format!("a{n}: [{}1s]", "2s, ".repeat(99))).collect::<Vec<_>>().join(", ")
        ),
        format!(
            "pairs: {{ {} }}\nexclude: [ {} ]\nsteps: [ {{ wait: 1s }} ]\n",
            (0..20)
                .map(|n| format!("a{n}: [{}]", (1..21).map(|s| format!("{s}s")).collect::<Vec<_>>().join(", ")))
                .collect::<Vec<_>>()
                .join(", "),
            (0..500)
                .map(|n| format!("{{ a{}: 1s, a{}: [{}s, 2s] }}", n % 20, (n + 7) % 20, n % 19 + 1))
                .collect::<Vec<_>>()
                .join(", ")
        ),
        format!("clients: {{ a: {{ client_id: {} }} }}\nsteps: [ {{ a: crash }} ]\n", "<a".repeat(200_000)),
        format!("steps: {}\n", "{ a: ".repeat(100_000)),
        format!("steps:\n{}", (0..2_000).map(|n| format!("{}-\n", " ".repeat(n % 500))).collect::<String>()),
    ];
    for (place, text) in files.iter().enumerate() {
        COMPARED.set(0);
        // Some are only strange.
        let errors = read(text).err().unwrap_or_default();
        assert!(errors.len() < 100_000, "{place}: {} bytes of errors", errors.len());
        let compared = COMPARED.get();
        assert!(compared < 1_000_000, "{place}: {compared} words were held against others");
    }
}
