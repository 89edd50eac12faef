use std::rc::Rc;
use std::time::Duration;

use halfopen_client::Options;
use halfopen_protocol::{PacketType, Version};
use rstest::rstest;

use super::{Engine, run};
use crate::plan::{
    Action, ClientProgram, Conditions, LinkSettings, Node, NodeId, Plan, Position, Program, RunName, Seed, Source,
    Step, StepKind,
};
use crate::trace::{EventKind, Item};

const BROKER: NodeId = NodeId(0);
const SENSOR: NodeId = NodeId(1);

fn plan(version: Version, steps: Vec<Step>) -> Rc<Plan> {
    let mut options = Options::new(version, "sensor");
    options.connect.keep_alive = 5;
    Rc::new(Plan {
        run: RunName { scenario: "test".into(), version, parameters: Vec::new() },
        source: Rc::new(Source::default()),
        version,
        seed: Seed(1),
        nodes: vec![
            Node { name: "broker".into(), program: Program::Broker(halfopen_broker::Config::default()) },
            Node {
                name: "sensor".into(),
                program: Program::Client(ClientProgram { options, to: BROKER, autostart: true }),
            },
        ],
        links: Vec::new(),
        network: LinkSettings::default(),
        steps,
        expectations: Vec::new(),
        waived: Vec::new(),
        defect: None,
        until: Some(crate::plan::Moment { event: crate::plan::EventRef::Start, offset_ms: 20_000, text: "20s".into() }),
        tolerance: Duration::ZERO,
        fragments: Vec::new(),
        conditions: Conditions::default(),
    })
}

fn step(kind: StepKind) -> Step {
    Step { position: Position::new(1, 1), text: "step".into(), kind }
}

#[rstest]
fn a_silent_client_is_closed_after_one_and_a_half_keep_alives(
    #[values(Version::V3_1_1, Version::V5_0)] version: Version,
    #[values(Engine::Sim, Engine::Turmoil)] engine: Engine,
) {
    let silence = StepKind::Node { nodes: vec![SENSOR], actions: vec![Action::StopPinging] };
    let plan = plan(version, vec![step(silence)]);
    let trace = run(&plan, engine).expect("both engines can express this");
    let connect = trace.events.iter().find_map(|event| match &event.kind {
        EventKind::Received { item: Item::Packet(packet), .. } if packet.packet_type() == PacketType::Connect => {
            Some(event.at)
        }
        _ => None,
    });
    let closing = trace.events.iter().find(|event| matches!(event.kind, EventKind::Closing { .. })).map(|e| e.at);
    assert_eq!(closing, connect.map(|at| at + Duration::from_millis(7500)));
}
