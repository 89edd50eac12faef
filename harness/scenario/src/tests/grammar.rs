//! Fragments, axes, and what else a file may say about its runs.

use halfopen_protocol::packet::PacketId;
use halfopen_protocol::{Packet, Version};

use super::folder::Folder;
use super::plans;
use crate::plan::{Action, Command, Feature, Outgoing, Plan, Source, StepKind, Verb};
use crate::{PlanOptions, load, load_all};

fn names(plans: &[Plan]) -> Vec<String> {
    plans.iter().map(|plan| plan.run.to_string()).collect()
}

fn story(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.text.as_str()).collect()
}

fn messages(folder: &Folder, file: &str) -> Vec<String> {
    let errors =
        load(folder.path().join(file)).and_then(|scenario| scenario.plans(PlanOptions::default())).unwrap_err();
    let place = |error: &crate::Error| {
        let line = error.span.map_or(0, |span| span.start.line);
        let path = error.source_file.path.replace('\\', "/");
        format!(
            "{}:{line}: {}",
            path.rsplit_once("/grammar_").map_or("", |(_, path)| path).split_once('/').unwrap().1,
            error.message
        )
    };
    errors.iter().map(place).collect()
}

#[test]
fn what_a_fragment_brings_is_there_and_its_steps_come_first() {
    let folder = Folder::new("grammar_include");
    folder
        .write("lib/watcher.yaml", "about: Watches.\ninclude: values.yaml\nclients: { watcher: { subscribe: <topic> } }\nlinks: { watcher -> broker: { latency: 1s } }\nsteps: [ { wait: 7s } ]\nwaive: { topic_order: Not here. }\n")
        .write("lib/values.yaml", "let: { topic: s/1, unused: 1s }\n")
        .write("a.yaml", "matrix: { t: [<topic>] }\ninclude: [lib/watcher.yaml]\nclients: { sensor: { will: { topic: <t> } } }\nsteps: [ { wait: 1s } ]\n");
    let scenario = load(folder.path().join("a.yaml")).unwrap();
    let plans = scenario.plans(PlanOptions::default()).unwrap();
    let plan = &plans[0];
    assert_eq!(plan.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["broker", "watcher", "sensor"]);
    assert_eq!(story(plan), ["wait 7s", "wait 1s"]);
    assert_eq!(plan.links[0].2.latency.as_secs(), 1);
    let waived: Vec<_> =
        scenario.about.waived.iter().map(|waiver| (waiver.invariant.name(), &*waiver.reason)).collect();
    assert_eq!(waived, [("topic_order", "Not here.")]);
    let position = |step: usize| plan.origins.step(plan.steps[step].id);
    let files: Vec<_> = (0..plan.steps.len()).map(|step| (position(step).file, position(step).line)).collect();
    assert_eq!(files, [(1, 5), (0, 4)]);
    assert!(plan.source_of(position(0)).path.ends_with("lib/watcher.yaml"));
    assert!(plan.source_of(position(1)).path.ends_with("a.yaml"));
}

#[test]
fn values_of_fragments_that_include_others_are_all_there() {
    let folder = Folder::new("grammar_values");
    folder
        .write("lib/a.yaml", "include: b.yaml\nlet: { x: 2 * <y> }\n")
        .write("lib/b.yaml", "let: { y: 3s }\n")
        .write("a.yaml", "include: lib/a.yaml\nlet: { z: <x> + <y> }\nsteps: [ { wait: <z> } ]\n");
    let plans = load(folder.path().join("a.yaml")).unwrap().plans(PlanOptions::default()).unwrap();
    assert_eq!(story(&plans[0]), ["wait 9s"]);
}

#[test]
fn mistakes_of_fragments_stand_in_their_own_file() {
    let folder = Folder::new("grammar_mistakes");
    folder
        .write("lib/a.yaml", "clients: { watcher: { subscribe: s } }\nlet: { k: 1s }\nexpect: []\nsteps:\n  - wait: 5\n")
        .write("lib/circle.yaml", "include: circle.yaml\n")
        .write("lib/b.yaml", "include: c.yaml\n")
        .write("lib/c.yaml", "include: b.yaml\n")
        .write("x.yaml", "include: [lib/a.yaml, lib/none.yaml, lib/circle.yaml, lib/b.yaml, /etc/passwd.yaml, [a]]\nclients:\n  watcher: {}\nlet: { k: 2s }\nsteps: [ { wait: <k> }, { nobody: crash }, { watcher: crsh } ]\n");
    assert_eq!(
        messages(&folder, "x.yaml"),
        [
            "x.yaml:1: `FOLDER/lib/none.yaml`: no such file or folder",
            "x.yaml:1: a path begins at the folder of this file, as in `lib/watcher.yaml`",
            "x.yaml:1: expected the path of a fragment, as in `lib/watcher.yaml`",
            "x.yaml:3: a second node called `watcher`; the first is FOLDER/lib/a.yaml:1",
            "x.yaml:4: a second parameter called `k`; the first is FOLDER/lib/a.yaml:2",
            "x.yaml:5: unknown action `crsh`; did you mean `crash`?",
            "lib/a.yaml:3: `expect` cannot stand in a fragment; it belongs to the scenario",
            "lib/a.yaml:5: `5` has no unit; write `5s`",
            "lib/circle.yaml:1: `circle.yaml` includes this file, so neither would ever end",
            "lib/c.yaml:1: `b.yaml` includes this file, so neither would ever end",
        ]
        .map(|line| line.replace("FOLDER", &folder.path().display().to_string()))
    );
}

#[test]
fn a_fragment_that_comes_twice_is_there_once() {
    let folder = Folder::new("grammar_diamond");
    folder
        .write("lib/base.yaml", "clients: { watcher: {} }\n")
        .write("lib/a.yaml", "include: base.yaml\n")
        .write("lib/b.yaml", "include: base.yaml\n")
        .write("x.yaml", "include: [lib/a.yaml, lib/b.yaml]\nsteps: [ { watcher: crash } ]\n");
    let plans = load_all(&[folder.path().join("x.yaml")], PlanOptions::default()).unwrap().remove(0).1;
    assert_eq!(plans[0].nodes.len(), 2);
}

#[test]
fn combinations_are_left_out() {
    let plans = plans(
        "mqtt: 5.0\nmatrix: { k: [1s, 2s, 3s], p: [0s, 1000ms] }\nexclude: [ { k: [1s, 2s], p: 1s }, { k: 3s, mqtt: 5.0, p: 0s } ]\nsteps: [ { wait: <k> }, { wait: <p> } ]\n",
    );
    assert_eq!(names(&plans), ["a[5.0 k=1s p=0s]", "a[5.0 k=2s p=0s]", "a[5.0 k=3s p=1000ms]"]);
}

#[test]
fn a_range_of_the_matrix_may_use_the_names_above_it() {
    let plans = plans(
        "mqtt: 5.0\nmatrix: { k: [2s, 4s], phase: 0s .. <k> step 2s, n: 1 .. 1 step 1 }\nclients: { a: { count: <n> } }\nsteps: [ { wait: <phase> } ]\n",
    );
    let expected = ["k=2s phase=0s", "k=2s phase=2s", "k=4s phase=0s", "k=4s phase=2s", "k=4s phase=4s"];
    assert_eq!(names(&plans), expected.map(|run| format!("a[5.0 {run} n=1]")));
}

#[test]
fn of_pairs_each_two_values_meet() {
    let plans = plans(
        "mqtt: 5.0\npairs: { k: [1s, 2s, 3s], q: [0, 1], away: [1s, 9s, 2s] }\nmatrix: { m: [a] }\nexclude: { k: 3s, q: 1 }\n\
         clients: { dev: { keep_alive: <k>, subscribe: { filter: <m>, qos: <q> } } }\nsteps: [ { wait: <away> } ]\n",
    );
    let names = names(&plans);
    for (k, away) in ["1s", "2s", "3s"].into_iter().flat_map(|k| ["1s", "9s", "2s"].map(|away| (k, away))) {
        let met = |name: &String| name.contains(&format!("k={k} ")) && name.contains(&format!("away={away} "));
        assert!(names.iter().any(met), "{k} {away}: {names:?}");
    }
    assert!(names.iter().all(|name| !name.contains("k=3s q=1")), "{names:?}");
    assert_eq!(names[0], "a[5.0 k=1s q=0 away=1s m=a]");
    // Of 18 runs, or 15 that may be.
    assert_eq!(names.len(), 9);
}

#[test]
fn a_race_runs_in_all_orders() {
    let plans = plans(
        "mqtt: 5.0\nraw_clients: { a: {}, b: {} }\nsteps:\n  - clients: crash\n  - a: open\n  - any_order: [ { a: { close: fin } }, { b: crash }, { network: { half_open: b } } ]\n  - repeat: { times: 2, steps: [ { any_order: [ { a: crash }, { b: restart } ] } ] }\n"
            .replace("  - clients: crash\n", "")
            .as_str(),
    );
    assert_eq!(plans.len(), 12);
    assert_eq!(plans[0].run.to_string(), "a[5.0 any_order=1-2-3 any_order=1-2]");
    assert_eq!(plans[7].run.to_string(), "a[5.0 any_order=2-3-1 any_order=2-1]");
    assert_eq!(story(&plans[7])[1..4], ["b: crash", "network: { half_open: b }", "a: { close: fin }"]);
    let StepKind::Repeat { steps, .. } = &plans[7].steps[4].kind else { panic!("no repeat") };
    assert_eq!(steps.iter().map(|step| step.text.as_str()).collect::<Vec<_>>(), ["b: restart", "a: crash"]);
}

#[test]
fn a_group_as_the_other_end_is_each_member_also_in_times() {
    let plans = plans(
        "mqtt: 5.0\nclients: { fleet: { count: 2 }, fleet-x: {} }\nsteps: [ { wait: 1s } ]\nexpect:\n\
         - broker: { closes: fleet, between: 1s after close of fleet .. 2s after close of fleet-x }\n\
         - never: { broker: { loses: fleet } }\n\
         - should: { fleet: { closes: broker, at: 1s after last packet from fleet } }\n\
         - fleet: { closes: broker, at: 1s after last packet from fleet-x }\n\
         - any_of: [ { broker: { loses: fleet } }, { broker: { receives: PINGREQ, from: clients } } ]\n",
    );
    let texts: Vec<_> = plans[0].expectations.iter().map(|expectation| expectation.text.as_str()).collect();
    assert_eq!(
        texts[..7],
        [
            "broker: { closes: fleet.1, between: 1s after close of fleet.1 .. 2s after close of fleet-x }",
            "broker: { closes: fleet.2, between: 1s after close of fleet.2 .. 2s after close of fleet-x }",
            "never: { broker: { loses: fleet.1 } }",
            "never: { broker: { loses: fleet.2 } }",
            "should: { fleet.1: { closes: broker, at: 1s after last packet from fleet.1 } }",
            "should: { fleet.2: { closes: broker, at: 1s after last packet from fleet.2 } }",
            "fleet: { closes: broker, at: 1s after last packet from fleet-x }",
        ]
    );
    let Verb::AnyOf(alternatives) = &plans[0].expectations[7].verb else { panic!("no alternatives") };
    assert_eq!(alternatives.iter().map(Vec::len).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn of_a_group_at_the_other_end_those_count_that_have_a_link() {
    let plans = plans(
        "mqtt: 5.0\nbrokers: { east: {}, west: {} }\nclients: { a: { to: east }, b: { to: west }, c: { to: east } }\n\
         steps: [ { wait: 1s } ]\nexpect: [ { brokers: { closes: clients } }, { west: { loses: clients } } ]\n",
    );
    let texts: Vec<_> = plans[0].expectations.iter().map(|expectation| expectation.text.as_str()).collect();
    assert_eq!(texts, ["east: { closes: a }", "east: { closes: c }", "west: { closes: b }", "west: { loses: b }"]);
}

#[test]
fn conditions_are_for_those_who_run_it() {
    let plans = plans(
        "only_on: { engines: [turmoil], because: No jumps. }\nrequires: [shared_subscriptions, qos_2]\nsteps: [ { wait: 1s } ]\n",
    );
    let conditions = &plans[0].conditions;
    assert_eq!(conditions.only_on.as_ref().unwrap().engines, ["turmoil"]);
    assert_eq!(conditions.requires, [Feature::SharedSubscriptions, Feature::Qos2]);
    assert_eq!(plans[1].version, Version::V5_0);
}

#[test]
fn a_packet_that_begins_an_exchange_has_an_id_of_its_own() {
    let plans = plans(
        "matrix: { qos: [0, 1, 2] }\nmqtt: 5.0\nraw_clients: { r: {} }\nsteps:\n\
         - r: { send: { PUBLISH: { topic: t, qos: <qos> } } }\n- r: { send: { SUBSCRIBE: { filters: [a] } } }\n",
    );
    let ids = |plan: &Plan| {
        let sent = plan.steps.iter().map(|step| match &step.kind {
            StepKind::Node { actions, .. } => match actions.as_slice() {
                [Action::Command { command: Command::Send(items), .. }] => match items.as_slice() {
                    [Outgoing::Packet(Packet::Publish(publish))] => publish.packet_id.map(PacketId::get),
                    [Outgoing::Packet(Packet::Subscribe(subscribe))] => Some(subscribe.packet_id.get()),
                    _ => panic!("no packet: {items:?}"),
                },
                _ => panic!("no send: {actions:?}"),
            },
            _ => panic!("no action"),
        });
        sent.collect::<Vec<_>>()
    };
    let all: Vec<_> = plans.iter().map(ids).collect();
    assert_eq!(all, [[None, Some(1)], [Some(1), Some(1)], [Some(1), Some(1)]]);
}

#[test]
fn reports_are_ids_of_the_list_or_references_of_ones_own() {
    let text = "reports: [rumqttd-outbound-traffic-renews-keepalive, 'https://example.org/issues/7', 'ABC-7', 'a call of Monday']\n\
                clients: { a: {} }\nsteps: [ { wait: 1s } ]\n";
    let source = Source { path: "a.yaml".to_owned(), text: text.to_owned(), ..Source::default() };
    let scenario = crate::parse("a".to_owned(), source).unwrap();
    assert_eq!(scenario.about.reports.len(), 4);
}
