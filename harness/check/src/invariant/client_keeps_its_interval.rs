//! [MQTT-3.1.2-23] (3.1.1), [MQTT-3.1.2-20] (5.0): the time from one packet of the client to its next is at most the
//! keep-alive. Does not bind a client while the story has told it to stop pinging.

use std::time::Duration;

use super::view::Connection;
use super::{Breach, Scene, shown};
use crate::plan::{Action, Command, NodeId, StepKind};
use crate::story::find;
use crate::trace::EventKind;

pub(super) fn breaches(scene: &Scene<'_>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for view in scene.clients() {
        let stops = stops(scene, view.node);
        for connection in &view.connections {
            breaches.extend(breach(scene, view.node, connection, &stops));
        }
    }
    breaches
}

fn breach(
    scene: &Scene<'_>,
    node: NodeId,
    connection: &Connection<'_>,
    stops: &[(Duration, Duration)],
) -> Option<Breach> {
    let keep_alive = connection.keep_alive()?;
    let (accepted, _) = connection.connack()?;
    let end = connection.ended.unwrap_or(scene.trace.end);
    let sent = connection.packets.iter().filter(|seen| seen.is_sent).map(|seen| seen.at);
    let times: Vec<Duration> = sent.chain([end]).collect();
    times.windows(2).find_map(|pair| {
        let (last, next) = (pair[0], pair[1]);
        // Nothing may be sent before CONNACK has come.
        let due = (last + keep_alive).max(accepted);
        let is_bound = stops.iter().all(|&(from, to)| from > due || last >= to);
        (is_bound && next > due + scene.plan.tolerance).then(|| {
            let name = scene.name(node);
            let actual = if next == end { "none until then" } else { "the next one came then" };
            Breach::new(
                format!("{name} sends a packet by {} ({} after its last)", shown(due), shown(keep_alive)),
                format!("{actual}: {}", shown(next)),
            )
        })
    })
}

/// From when to when the story has told the client to be silent.
fn stops(scene: &Scene<'_>, node: NodeId) -> Vec<(Duration, Duration)> {
    let mut stops = Vec::new();
    let mut since = None;
    for event in &scene.trace.events {
        let EventKind::Step { position, .. } = &event.kind else { continue };
        let Some(StepKind::Node { nodes, actions }) = find(&scene.plan.steps, *position).map(|step| &step.kind) else {
            continue;
        };
        if !nodes.contains(&node) {
            continue;
        }
        for command in actions.iter().filter_map(Action::command) {
            match command {
                Command::StopPinging => drop(since.get_or_insert(event.at)),
                Command::ResumePinging => stops.extend(since.take().map(|since| (since, event.at))),
                _ => {}
            }
        }
    }
    stops.extend(since.map(|since| (since, Duration::MAX)));
    stops
}
