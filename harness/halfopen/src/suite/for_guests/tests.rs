use rstest::rstest;

use super::*;
use crate::plan::Source;
use crate::scenario::{PlanOptions, parse};

/// Returns what a program in this role is asked of these lines.
fn asked(role: Role, lines: &str) -> Result<Vec<Expectation>, String> {
    let text = format!("clients: {{ a: {{ keep_alive: 5s }} }}\nsteps:\n  - wait: 12s\nexpect:\n{lines}");
    let scenario = parse("x".to_owned(), Source { path: "x.yaml".to_owned(), text, ..Source::default() })
        .expect("it is a scenario");
    let plan = scenario.plans(PlanOptions::default()).expect("it has a run").remove(0);
    let nodes = plan.node_ids().filter(|node| role.is_of(&plan.node(*node).program)).collect();
    let does_not_take = |_: &Program| None;
    let abilities = Abilities { nodes, role, does_not_take: &does_not_take, has_clock: true, reasons: BTreeSet::new() };
    adapted(&plan, &abilities).map(|adapted| adapted.plan.expectations)
}

#[rstest]
#[case::of_all("false", true, true)]
#[case::of_neither("true", false, false)]
#[case::of_clients("broker", false, true)]
#[case::of_brokers("client", true, false)]
fn choice_is_asked_of_the_other_role(#[case] only: &str, #[case] of_broker: bool, #[case] of_client: bool) {
    let line = format!("  - a: {{ receives: CONNACK, only_builtin: {only} }}\n");
    assert_eq!(asked(Role::Broker, &line).is_ok(), of_broker);
    assert_eq!(asked(Role::Client, &line).is_ok(), of_client);
}

#[rstest]
#[case::sent("a: { sends: PINGREQ, count: 2, gap: 5s }")]
#[case::at_its_time("a: { sends: PINGREQ, count: 2, at: 5s }")]
#[case::received("broker: { receives: PINGREQ, from: a, count: 2, gap: 5s }")]
#[case::answered("broker: { sends: PINGRESP, to: a, count: 2, gap: 5s }")]
#[case::answer_received("a: { receives: PINGRESP, count: 2, gap: 5s }")]
fn client_may_ping_earlier(#[case] line: &str) {
    let line = asked(Role::Client, &format!("  - {line}\n")).expect("something is left").remove(0);
    let count = line.count.expect("a count");
    assert_eq!((count.min, count.max), (2, None));
    assert_eq!(line.gap.map(|gap| gap.min), line.gap.map(|_| Duration::ZERO));
    assert!(line.timing.is_none());
}

#[rstest]
#[case::of_a_broker(Role::Broker, "a: { sends: PINGREQ, count: 2 }", Some(2))]
#[case::of_other_packets(Role::Client, "a: { sends: packet, count: 2 }", Some(2))]
#[case::none(Role::Client, "a: { sends: PINGREQ, count: 0 }", None)]
fn only_pings_of_the_client_are_its_choice(#[case] role: Role, #[case] line: &str, #[case] max: Option<u64>) {
    let left = asked(role, &format!("  - {line}\n"));
    assert_eq!(left.ok().and_then(|lines| lines[0].count?.max), max);
}
