use std::time::Duration;

use halfopen_protocol::Version;
use halfopen_protocol::packet::QoS;
use rstest::rstest;

use super::{here, plans, scenarios};
use crate::plan::{
    Action, Command, EventRef, LinkSettings, NetworkChange, NetworkFault, NodeId, NthConnection, Outgoing, Plan,
    Program, Scope, StepKind, Timing, Verb,
};
use crate::{PlanOptions, load_all};

#[test]
fn every_file_of_the_subset_becomes_plans() {
    let loaded = load_all(&[here("good"), scenarios()], PlanOptions::default());
    let loaded = loaded.unwrap_or_else(|errors| panic!("{errors}"));
    for (scenario, plans) in &loaded {
        assert!(!plans.is_empty(), "{} has no run", scenario.name);
    }
}

fn connect(plan: &Plan, id: usize) -> &halfopen_protocol::packet::Connect {
    match &plan.node(NodeId(id)).program {
        Program::Client(client) => &client.options.connect,
        Program::RawClient(raw) => &raw.connect,
        Program::Broker(_) | Program::RawBroker(_) => panic!("a broker"),
    }
}

/// The topics that a step publishes to, of all nodes.
fn topics(step: &crate::plan::Step) -> Vec<String> {
    let StepKind::Node { actions, .. } = &step.kind else { return vec![step.text.clone()] };
    let topic = |command: &Command| match command {
        Command::Publish(publish) => publish.topic.to_string(),
        other => format!("{other:?}"),
    };
    actions.iter().flat_map(Action::commands).map(topic).collect()
}

#[test]
fn a_repetition_with_a_number_is_lowered_for_each_time() {
    let text = "mqtt: 5.0\nclients: { a: {}, b: {} }\nsteps:\n  - repeat: { times: 3, steps: [ { a: { publish: { topic: t/<round> } } }, { repeat: { times: 2, steps: [ { b: { publish: { topic: u/<round> } } } ] } } ] }\n  - every: { period: 1s, times: 2, steps: [ { a: { publish: { topic: v/<round> } } } ] }\n  - repeat: { times: 9, steps: [ { a: { publish: { topic: w } } } ] }\n";
    let plan = &plans(text)[0];
    let StepKind::Repeat { times: 1, steps } = &plan.steps[0].kind else { panic!("no repeat") };
    let outer: Vec<_> = steps.iter().step_by(2).flat_map(topics).collect();
    assert_eq!(outer, ["t/1", "t/2", "t/3"]);
    assert_eq!(steps[0].text, "a: { publish: { topic: t/1 } }");
    let StepKind::Repeat { times: 1, steps: inner } = &steps[3].kind else { panic!("no repeat in it") };
    assert_eq!(inner.iter().flat_map(topics).collect::<Vec<_>>(), ["u/1", "u/2"]);
    let StepKind::Every { per_round: Some(1), times: Some(2), steps, .. } = &plan.steps[1].kind else {
        panic!("no rounds")
    };
    assert_eq!(steps.iter().flat_map(topics).collect::<Vec<_>>(), ["v/1", "v/2"]);
    let StepKind::Repeat { times: 9, steps } = &plan.steps[2].kind else { panic!("no repeat") };
    assert_eq!(steps.len(), 1);
}

#[test]
fn what_a_group_does_and_what_is_expected_of_it_may_have_the_number_of_the_member() {
    let text = "mqtt: 5.0\nclients: { fleet: { count: 2 }, boss: {} }\nsteps:\n  - fleet: { publish: { topic: site/<i> } }\n  - fleet.2: { publish: { topic: own/<i> } }\nexpect:\n  - fleet: { delivers: { topic: cmd/<i> } }\n  - broker: { sends: { PUBLISH: { topic: cmd/<i> } }, to: fleet }\n";
    let plan = &plans(text)[0];
    assert_eq!(topics(&plan.steps[0]), ["site/1", "site/2"]);
    assert_eq!(plan.steps[0].text, "fleet: { publish: { topic: site/<i> } }");
    assert_eq!(topics(&plan.steps[1]), ["own/2"]);
    let texts: Vec<_> = plan.expectations.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "fleet.1: { delivers: { topic: cmd/1 } }",
            "fleet.2: { delivers: { topic: cmd/2 } }",
            "broker: { sends: { PUBLISH: { topic: cmd/1 } }, to: fleet.1 }",
            "broker: { sends: { PUBLISH: { topic: cmd/2 } }, to: fleet.2 }",
        ]
    );
}

#[test]
fn steps_for_some_runs_are_in_no_others() {
    let plans = plans(
        "clients: { a: {} }\nsteps:\n  - when: { runs: { mqtt: 5.0 }, steps: [ { wait: 1s }, { wait: 2s } ] }\n  - wait: 3s\n",
    );
    let story = |plan: &Plan| plan.steps.iter().map(|step| step.text.clone()).collect::<Vec<_>>();
    assert_eq!(story(&plans[0]), ["wait 3s"]);
    assert_eq!(story(&plans[1]), ["wait 1s", "wait 2s", "wait 3s"]);
}

#[test]
fn the_words_of_the_standards_for_clean_are_taken() {
    let plans = plans(
        "clients: { a: { clean_start: false } }\nraw_clients: { r: { clean_session: false } }\nsteps: [ { r: { send: { CONNECT: { clean_start: true } } } } ]\nexpect: [ { a: { sends: { CONNECT: { clean_session: false } } } } ]\n",
    );
    for plan in &plans {
        assert!(!connect(plan, 1).clean_start && !connect(plan, 2).clean_start);
        let Verb::Sends(patterns) = &plan.expectations[0].verb else { panic!("another verb") };
        assert_eq!(patterns[0].fields[0].name, "clean");
    }
}

#[test]
fn a_file_runs_on_both_versions_with_the_product_of_its_axes() {
    let plans = plans(
        "matrix: { k: [4s, 60s], phase: [0s, <k> / 4] }\nclients: { a: { keep_alive: <k> } }\nsteps: [ { wait: <phase> } ]\n",
    );
    let names: Vec<_> = plans.iter().map(|plan| plan.run.to_string()).collect();
    assert_eq!(
        names[..5],
        [
            "a[3.1.1 k=4s phase=0s]",
            "a[3.1.1 k=4s phase=1s]",
            "a[3.1.1 k=60s phase=0s]",
            "a[3.1.1 k=60s phase=15s]",
            "a[5.0 k=4s phase=0s]",
        ]
    );
    assert_eq!(names.len(), 8);
    assert!(matches!(plans[3].steps[0].kind, StepKind::Wait(time) if time == Duration::from_secs(15)));
    assert_eq!(connect(&plans[7], 1).keep_alive, 60);
}

#[test]
fn a_row_of_the_table_runs_on_its_version_and_is_named_by_its_case() {
    let plans = plans(
        "table: [ { case: old one, mqtt: 3.1.1, t: 1s }, { case: both, t: 2s } ]\nseeds: [7, 8]\nsteps: [ { wait: <t> } ]\n",
    );
    let names: Vec<_> = plans.iter().map(|plan| plan.run.to_string()).collect();
    assert_eq!(
        names,
        [
            "a[3.1.1 old one seed=7]",
            "a[3.1.1 old one seed=8]",
            "a[3.1.1 both seed=7]",
            "a[3.1.1 both seed=8]",
            "a[5.0 both seed=7]",
            "a[5.0 both seed=8]",
        ]
    );
    assert_eq!(plans[1].seed.0, 8);
}

#[rstest]
#[case("clean: false", Version::V3_1_1, false, None)]
#[case("clean: false", Version::V5_0, false, Some(u32::MAX))]
#[case("clean: true", Version::V5_0, true, None)]
fn clean_false_alone_keeps_the_session_for_ever(
    #[case] field: &str,
    #[case] version: Version,
    #[case] clean: bool,
    #[case] expiry: Option<u32>,
) {
    let plans = plans(&format!("mqtt: {version}\nclients: {{ a: {{ {field} }} }}\nsteps: [ {{ wait: 1s }} ]\n"));
    let connect = connect(&plans[0], 1);
    assert_eq!((connect.clean_start, connect.session_expiry), (clean, expiry));
}

#[test]
fn nodes_have_the_defaults_of_the_reference() {
    let plans = plans(
        "clients: { a: {} }\nraw_clients: { r: {} }\nsteps: [ { a: { publish: { topic: t, payload: <a.ping_timeout>, qos: 1 } } } ]\n",
    );
    let plan = &plans[0];
    let names: Vec<_> = plan.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["broker", "a", "r"]);
    assert_eq!((connect(plan, 1).keep_alive, connect(plan, 2).keep_alive), (60, 0));
    assert_eq!(connect(plan, 1).client_id, "a");
    assert_eq!(plan.network, LinkSettings::default());
    let StepKind::Node { actions, .. } = &plan.steps[0].kind else { panic!("no action") };
    let Some(Command::Publish(publish)) = actions.first().and_then(Action::command) else { panic!("no publish") };
    assert_eq!((publish.payload.as_ref(), publish.qos), (b"30s".as_slice(), QoS::AtLeastOnce));
    assert_eq!(plan.steps[0].text, "a: { publish: { topic: t, payload: 30s, qos: 1 } }");
}

#[test]
fn members_of_a_group_are_numbered_and_act_together() {
    let plans = plans(
        "clients: { fleet: { count: 3, client_id: dev-<i> } }\nsteps: [ { fleet: crash }, { fleet.2: restart }, { clients: crash } ]\n",
    );
    let plan = &plans[0];
    assert_eq!(connect(plan, 2).client_id, "dev-2");
    let who: Vec<Vec<NodeId>> = plan
        .steps
        .iter()
        .map(|step| match &step.kind {
            StepKind::Node { nodes, .. } => nodes.clone(),
            _ => panic!("no action"),
        })
        .collect();
    let all = [NodeId(1), NodeId(2), NodeId(3)];
    assert_eq!(who, [all.to_vec(), vec![NodeId(2)], all.to_vec()]);
}

#[rstest]
#[case("a -> broker", &[(1, 0)])]
#[case("broker <-> a", &[(0, 1), (1, 0)])]
#[case("a", &[(1, 0), (0, 1)])]
#[case("broker", &[(0, 1), (1, 0), (0, 2), (2, 0)])]
fn a_link_is_one_way_both_ways_or_a_node_alone(#[case] link: &str, #[case] expected: &[(usize, usize)]) {
    let plans = plans(&format!("clients: {{ a: {{}}, b: {{}} }}\nsteps: [ {{ network: {{ partition: {link} }} }} ]\n"));
    let StepKind::Network(NetworkChange { scope: Scope { links, .. }, fault: NetworkFault::Partition { .. } }) =
        &plans[0].steps[0].kind
    else {
        panic!("no partition")
    };
    let links: Vec<_> = links.iter().map(|(from, to)| (from.0, to.0)).collect();
    assert_eq!(links, expected);
}

#[test]
fn links_differ_from_the_network_in_what_they_say() {
    let plans = plans(
        "network: { latency: 5ms }\nlinks: { a <-> broker: { jitter: 1ms }, a -> broker: { latency: 1s } }\nclients: { a: {} }\nsteps: [ { wait: 1s } ]\n",
    );
    let link = |from, to| plans[0].link(NodeId(from), NodeId(to));
    let ms = Duration::from_millis;
    assert_eq!((link(1, 0).latency, link(1, 0).jitter), (ms(1000), ms(1)));
    assert_eq!((link(0, 1).latency, link(0, 1).jitter), (ms(5), ms(1)));
}

#[test]
fn what_a_raw_client_sends_is_one_write() {
    let plans = plans(
        "mqtt: 5.0\nraw_clients: { r: { keep_alive: 5s } }\nsteps: [ { r: { send: [CONNECT, { CONNECT: { keep_alive: 9s } }, PINGREQ, { bytes: c0 00 }] } } ]\n",
    );
    let StepKind::Node { actions, .. } = &plans[0].steps[0].kind else { panic!("no action") };
    let Some(Command::Send(sent)) = actions.first().and_then(Action::command) else { panic!("no send") };
    let [
        Outgoing::Connect,
        Outgoing::Packet(halfopen_protocol::Packet::Connect(other)),
        Outgoing::Packet(ping),
        Outgoing::Bytes(bytes),
    ] = sent.as_slice()
    else {
        panic!("{sent:?}")
    };
    assert_eq!((other.keep_alive, other.client_id.as_ref()), (9, "r"));
    assert_eq!((ping, bytes.as_ref()), (&halfopen_protocol::Packet::PingReq, [0xc0, 0x00].as_slice()));
}

#[test]
fn a_connection_is_named_after_the_client_that_opens_it() {
    let plans = plans(
        "mqtt: 5.0\nraw_clients: { r: {} }\nclients: { fleet: { count: 2, reconnect: { min: 1s } } }\nsteps: [ { r: [open, connect] }, { network: { half_open: r#2 } }, { network: { partition: broker -> fleet#3 } }, { network: { heal: broker -> fleet } }, { r: { close: rst, connection: r#1 } } ]\nexpect: [ { fleet: { loses: broker, connection: fleet#3, at: 1s after PINGREQ from fleet.2#1 to broker } } ]\n",
    );
    let scope = |step: usize| match &plans[0].steps[step].kind {
        StepKind::Network(change) => (change.scope.connection, change.scope.links.clone()),
        kind => panic!("no change of the network: {kind:?}"),
    };
    assert_eq!(scope(1), (Some(2), vec![(NodeId(3), NodeId(0)), (NodeId(0), NodeId(3))]));
    assert_eq!(scope(2), (Some(3), vec![(NodeId(0), NodeId(1)), (NodeId(0), NodeId(2))]));
    let StepKind::Node { actions, .. } = &plans[0].steps[4].kind else { panic!("no action") };
    let [Action::Command { command: Command::Close(_), on }] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!(on.as_slice(), [nth(3, 1)]);
    let expectation = &plans[0].expectations[0];
    assert_eq!(expectation.on, [nth(1, 3), nth(2, 3)]);
    let Some(Timing::At(moment)) = &expectation.timing else { panic!("no time") };
    assert!(moment.event.connection() == Some(nth(2, 1)), "{moment:?}");
}

fn nth(client: usize, number: u32) -> NthConnection {
    NthConnection { client: NodeId(client), number }
}

#[test]
fn expectations_are_left_out_where_when_does_not_hold() {
    let plans = plans(
        "matrix: { k: [1s, 2s] }\nclients: { a: { keep_alive: <k> } }\nsteps: [ { a: power_loss } ]\nexpect:\n  - broker: { closes: a, reason: 0x8D, when: { mqtt: 5.0, k: 2000ms } }\n",
    );
    let judged: Vec<_> = plans.iter().map(|plan| plan.expectations.len()).collect();
    assert_eq!(judged, [0, 0, 0, 1]);
    assert_eq!(plans[3].expectations[0].text, "broker: { closes: a, reason: 0x8D }");
}

#[test]
fn reason_if_any_is_void_in_3_1_1() {
    let plans = plans(
        "clients: { a: {} }\nsteps: [ { a: power_loss } ]\nexpect: [ { broker: { closes: a, reason_if_any: nothing } } ]\n",
    );
    let reason_if_any = |plan: &Plan| match &plan.expectations[0].verb {
        Verb::Closes { reason_if_any, .. } => reason_if_any.as_ref().map(Vec::len),
        _ => panic!("no close"),
    };
    assert_eq!((reason_if_any(&plans[0]), reason_if_any(&plans[1])), (None, Some(0)));
}

#[test]
fn within_counts_from_its_event() {
    let plans = plans(
        "clients: { a: {} }\nsteps: [ { mark: fire }, { a: power_loss } ]\nexpect: [ { broker: { closes: a, within: 1.5 * <a.keep_alive> after fire } } ]\n",
    );
    let Some(Timing::Within { after, duration }) = &plans[0].expectations[0].timing else { panic!("no within") };
    assert_eq!((&after.event, after.offset_ms), (&EventRef::Mark("fire".into()), 0));
    assert_eq!(*duration, Duration::from_secs(90));
    assert_eq!(plans[0].origins.expectation(plans[0].expectations[0].id).line, 3);
}

#[test]
fn runs_share_the_bytes_of_a_large_payload() {
    let plans = plans("clients: { a: {} }\nsteps: [ { a: { publish: { topic: t, payload: { size: 1MB } } } } ]\n");
    let payload = |plan: &Plan| match &plan.steps[0].kind {
        StepKind::Node { actions, .. } => match &actions[0] {
            Action::Command { command: Command::Publish(publish), .. } => publish.payload.clone(),
            _ => panic!("no publish"),
        },
        _ => panic!("no action"),
    };
    let (first, second) = (payload(&plans[0]), payload(&plans[1]));
    assert_eq!((first.len(), first.as_ptr()), (1_000_000, second.as_ptr()));
}
