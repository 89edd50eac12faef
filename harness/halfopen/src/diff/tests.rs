use rstest::rstest;

use super::*;

const OLD: &str = "---
source: tests/scenarios.rs
---
ok area/story[5.0] seed=1
    0.000  start
           +0.000    30  sensor   -> broker    open
           +0.020    10  sensor   -> broker    CONNECT     client_id=sensor keep_alive=5
           +0.030    10  broker   -> sensor    CONNACK
    0.040  sensor: stop_pinging
           +7.490        broker   closes sensor            keep_alive: 7.500 since CONNECT, margin 0
           +7.490    10  broker   -> sensor    DISCONNECT  reason=0x8D
           +7.490    10  broker   -> sensor    FIN
";

fn changed(from: &str, to: &str) -> Vec<Difference> {
    assert!(OLD.contains(from), "{from}");
    diff(OLD, &OLD.replace(from, to))
}

#[test]
fn the_same_has_no_difference_whatever_stands_above_it() {
    assert_eq!(changed("source: tests", "expression: other"), []);
}

#[rstest]
#[case::later(
    "+7.490        broker   closes sensor            keep_alive: 7.500",
    "+9.990        broker   closes sensor            keep_alive: 10.000",
    Class::Timing
)]
#[case::slower("+0.030    10  broker", "+0.030    20  broker", Class::Timing)]
#[case::a_step_takes_longer("    0.040  sensor", "    0.050  sensor", Class::Timing)]
#[case::another_order(
    "           +7.490    10  broker   -> sensor    DISCONNECT  reason=0x8D\n           +7.490    10  broker   -> sensor    FIN\n",
    "           +7.490    10  broker   -> sensor    FIN\n           +7.490    10  broker   -> sensor    DISCONNECT  reason=0x8D\n",
    Class::Order
)]
#[case::another_field("reason=0x8D", "reason=0x8E", Class::Content)]
#[case::less("           +7.490    10  broker   -> sensor    FIN\n", "", Class::Content)]
#[case::another_verdict("ok area", "FAILED area", Class::Verdict)]
#[case::another_run("story[5.0]", "story[3.1.1]", Class::Verdict)]
fn a_change_has_a_class(#[case] from: &str, #[case] to: &str, #[case] class: Class) {
    let found = changed(from, to);
    assert!(!found.is_empty());
    assert!(found.iter().all(|found| found.class == class), "{found:?}");
}

#[rstest]
#[case::what_reached_the_node("+0.030    10  broker", "+0.030    20  broker", "0.020 sensor -> broker CONNECT")]
#[case::what_a_time_out_was_counted_from("margin 0", "margin +0.001", "0.020 sensor -> broker CONNECT")]
#[case::what_the_node_said("DISCONNECT  reason=0x8D", "DISCONNECT  reason=0x8E", "7.530 broker closes sensor")]
fn the_first_difference_is_named_with_its_cause(#[case] from: &str, #[case] to: &str, #[case] cause: &str) {
    let found = changed(from, to);
    assert!(found[0].text.contains(&format!("because of {cause}")), "{}", found[0]);
}

#[test]
fn a_difference_reads_as_two_lines_and_a_cause() {
    let found =
        changed("10  broker   -> sensor    CONNACK", "10  broker   -> sensor    CONNACK     session_present=true");
    assert_eq!(
        found[0].to_string(),
        "content: area/story[5.0] seed=1
  - 0.030 broker -> sensor CONNACK (10 ms)
  + 0.030 broker -> sensor CONNACK session_present=true (10 ms)
    because of 0.020 sensor -> broker CONNECT client_id=sensor keep_alive=5 (10 ms)
"
    );
}

const LONGER: &str = "ok area/story[5.0] seed=1
    0.000  start
           +0.020    10  sensor   -> broker    CONNECT     client_id=sensor keep_alive=5
           +0.030    10  broker   -> sensor    CONNACK
           +5.020    10  sensor   -> broker    PINGREQ
           +5.990    10  broker   -> sensor    PUBLISH     topic=b
    6.000  sensor: { publish: a }
           +0.000    10  sensor   -> broker    PUBLISH     topic=a
           +1.020    10  sensor   -> broker    PINGREQ
           +2.000        broker   closes sensor            asked
           +2.020        sensor   closes broker            ping_timeout: 3.000 since PINGREQ, margin 0
";

#[rstest]
#[case::a_ping_is_because_of_the_last_packet("+5.020", "+5.021", "0.020 sensor -> broker CONNECT")]
#[case::a_step_comes_when_all_is_quiet("PUBLISH     topic=a", "PUBLISH     topic=c", "6.000 sensor: { publish: a }")]
#[case::of_several_the_one_that_was_counted_from("margin 0", "margin +0.001", "5.020 sensor -> broker PINGREQ")]
fn a_cause_is_not_just_what_came_before(#[case] from: &str, #[case] to: &str, #[case] cause: &str) {
    let found = diff(LONGER, &LONGER.replace(from, to));
    assert!(found[0].text.contains(&format!("because of {cause}")), "{}", found[0]);
}

#[test]
fn what_has_no_cause_that_shows_is_given_none() {
    let found = diff(LONGER, &LONGER.replace("asked", "protocol_error"));
    assert!(!found[0].text.contains("because"), "{}", found[0]);
}
