use rstest::rstest;

use super::*;
use crate::check::Verdict;
use crate::plan::Source;
use crate::run::Runner;
use crate::scenario::{self, PlanOptions};
use crate::trace::Transmission;

const STORY: &str = "\
mqtt: 5.0
clients: { sub: { subscribe: { filter: jobs, qos: 2 } }, pub: { keep_alive: 10s, clean: false, reconnect: { min: 1s } } }
steps:
  - sweep: { fault: FAULT, during: DURING }
  - pub: { publish: { topic: jobs, payload: once, qos: 2 } }
expect:
  - pub: { receives: PUBCOMP }
  - sub: { delivers: { payload: once }, count: 1 }
until: 1min
";

fn runs(fault: &str, during: &str) -> Result<Vec<Plan>, String> {
    let text = STORY.replace("FAULT", fault).replace("DURING", during);
    let scenario = scenario::parse("qos/cut".into(), Source { path: "cut.yaml".into(), text, ..Source::default() });
    let plans = scenario.and_then(|scenario| scenario.plans(PlanOptions::default()));
    runs_of(plans.map_err(|errors| errors.to_string())?)
}

fn runs_of(plans: Vec<Plan>) -> Result<Vec<Plan>, String> {
    expand(plans, &|plan| Runner::default().trace(plan)).map_err(|error| error.message)
}

fn names(during: &str) -> Result<String, String> {
    let runs = runs("{ network: { half_open: pub <-> broker } }", during)?;
    let names = runs.iter().map(|run| run.run.to_string().replace("qos/cut[5.0 sweep=after ", "").replace(']', ""));
    Ok(names.collect::<Vec<_>>().join(", "))
}

#[rstest]
#[case::from_packet_to_packet(
    "PUBLISH from pub .. PUBCOMP at pub",
    Ok("PUBLISH at pub, PUBLISH at broker, PUBREC at pub, PUBREL at broker, PUBCOMP at pub")
)]
#[case::from_here_to_a_time_before_a_packet(
    ".. 1ms before PUBREL from pub at broker",
    Ok("PUBLISH at pub, PUBLISH at broker, PUBREC at pub")
)]
#[case::nothing_in_it("100s .. 101s", Err("no packet leaves or arrives in this range in `qos/cut[5.0]`"))]
#[case::never(
    "DISCONNECT from pub .. end",
    Err("`DISCONNECT from pub` never comes in `qos/cut[5.0]` without the fault")
)]
fn each_instant_of_the_range_with_a_packet_is_a_run(#[case] during: &str, #[case] expected: Result<&str, &str>) {
    let names = names(during);
    assert_eq!(names.as_deref().map_err(String::as_str), expected);
}

#[test]
fn a_fault_comes_right_after_its_packet_and_in_each_run_at_another() {
    let plans = runs("{ network: { half_open: pub <-> broker } }", "PUBLISH from pub .. PUBCOMP at pub").unwrap();
    let mut times = Vec::new();
    for plan in plans {
        let plan = Arc::new(plan);
        let finished = Runner::default().run(&plan);
        assert_eq!(finished.verdict(), Verdict::Pass, "{}", plan.run);
        let trace = Runner::default().trace(&plan).unwrap();
        let is_fault = |kind: &EventKind| matches!(kind, EventKind::Step { text, .. } if text.starts_with("network"));
        let fault = trace.events.iter().find(|event| is_fault(&event.kind)).unwrap();
        let publish = trace.events.iter().find(|event| is_publish(&event.kind)).unwrap();
        times.push((fault.at - publish.at).as_millis());
    }
    assert_eq!(times, [0, 10, 20, 30, 40]);
}

fn is_publish(kind: &EventKind) -> bool {
    let EventKind::Sent { item: Transmission::Packet(packet), .. } = kind else { return false };
    packet.packet_type().name() == "PUBLISH"
}

#[test]
fn more_runs_than_a_file_may_have_are_an_error_that_says_the_product() {
    let text = "mqtt: 5.0\nmatrix: { n: 1 .. 10000 step 1 }\nclients: { a: { client_id: c<n> } }\nsteps:\n  - sweep: { fault: { a: crash }, during: .. PINGRESP at a }\n  - wait: 2min\n";
    let source = Source { path: "many.yaml".into(), text: text.into(), ..Source::default() };
    let plans = scenario::parse("many".into(), source).unwrap().plans(PlanOptions::default()).unwrap();
    // All but the last have one run each already, so that this need not run ten thousand.
    let mut plans: Vec<Plan> = plans;
    let last = plans.pop().unwrap();
    plans.iter_mut().for_each(|plan| plan.conditions.sweep = None);
    plans.push(last);
    let message = runs_of(plans).err().unwrap_or_default();
    assert!(message.starts_with("10000 runs * about "), "{message}");
}
