//! MQTT over WebSocket (§6), of both sides: binary frames, and the subprotocol `mqtt`.

use halfopen_protocol::Instant;

use super::finding::{Findings, shown};
use crate::plan::Invariant;
use crate::trace::WebSocketItem;

/// The subprotocol of MQTT ([MQTT-6.0.0-3], [MQTT-6.0.0-4]).
const SUBPROTOCOL: &str = "mqtt";

/// Returns whether a request offers the subprotocol that a server must select.
pub(super) fn offers_mqtt(item: &WebSocketItem) -> bool {
    matches!(item, WebSocketItem::Request(_)) && item.subprotocols().iter().any(|one| one == SUBPROTOCOL)
}

/// Judges what a side called `name` sends. `was_offered`: the client has offered the subprotocol.
pub(super) fn judge(
    invariant: Invariant,
    name: &str,
    item: &WebSocketItem,
    was_offered: bool,
    now: Instant,
    findings: &mut Findings,
) {
    let (clause, owed, actual) = match item {
        WebSocketItem::Text(_) => ("MQTT-6.0.0-1", "sends packets in binary frames", "a text frame".to_owned()),
        WebSocketItem::Request(_) if !offers_mqtt(item) => {
            ("MQTT-6.0.0-3", "offers the subprotocol mqtt", format!("{:?}", item.subprotocols()))
        }
        WebSocketItem::Response(_)
            if was_offered && item.status() == Some(101) && item.subprotocols() != [SUBPROTOCOL] =>
        {
            ("MQTT-6.0.0-4", "selects the subprotocol mqtt", format!("{:?}", item.subprotocols()))
        }
        _ => return,
    };
    findings.push(invariant, clause, &format!("{name} {owed}"), format!("{actual} at {}", shown(now)));
}
