//! [MQTT-3.1.2-24] (3.1.1), [MQTT-3.1.2-22] (5.0): who is silent for 1.5 times its keep-alive is closed, at that instant,
//! and nobody is closed for silence before. What arrives at that very instant is in time. The factor is the node's, if it
//! says that it has another.

use std::time::Duration;

use super::view::Connection;
use super::{Breach, Scene, shown};
use crate::plan::{Because, BrokerProgram, NodeId, Program};

pub(super) fn breaches(scene: &Scene<'_>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for view in scene.brokers() {
        for connection in &view.connections {
            breaches.extend(breach(scene, view.node, connection));
        }
    }
    breaches
}

fn breach(scene: &Scene<'_>, node: NodeId, connection: &Connection<'_>) -> Option<Breach> {
    let Program::Broker(BrokerProgram { config, .. }) = &scene.plan.node(node).program else { return None };
    let names = || format!("{} closes {}", scene.name(node), connection.client_id());
    let end = connection.ended.unwrap_or(scene.trace.end);
    let says_silence = connection.closing == Some(Because::KeepAlive);
    if says_silence && connection.end_sent.is_none() && !connection.died {
        return Some(Breach::new(names(), format!("it only says so, at {}", shown(end))));
    }
    let Some(keep_alive) = connection.keep_alive() else {
        return says_silence.then(|| Breach::new(format!("never: {}", names()), format!("closed at {}", shown(end))));
    };
    let limit = Duration::from_millis((keep_alive.as_millis() as f64 * config.keep_alive_factor).round() as u64);
    let heard = connection.packets.iter().filter(|seen| !seen.is_sent).map(|seen| seen.at);
    let times: Vec<Duration> = heard.chain([end]).collect();
    let tolerance = scene.plan.tolerance;
    let mut waits = times.windows(2).map(|pair| (pair[0], pair[1]));
    let late = waits.clone().find(|&(last, next)| next > last + limit + tolerance);
    let early = waits.next_back().filter(|&(last, _)| says_silence && end + tolerance < last + limit);
    let (last, next) = late.or(early)?;
    let is_closed = next == end && connection.ended.is_some();
    let at = format!("{} at {}", if is_closed { "closed" } else { "it was still open" }, shown(next));
    Some(Breach::new(format!("{} at {} ({} after its last packet)", names(), shown(last + limit), shown(limit)), at))
}
