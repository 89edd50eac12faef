//! Nothing outlives its session, and no session its end: a client has one connection ([MQTT-3.1.4-2] (3.1.1),
//! [MQTT-3.1.4-3] (5.0)), Session Present says the truth ([MQTT-3.2.2-1] to [MQTT-3.2.2-3]), and nobody gets what it has not
//! subscribed to in this session.

use std::time::Duration;

use super::routes::granted;
use super::view::{Connection, View, sessions};
use super::{Breach, Scene, shown};
use crate::plan::{BrokerProgram, Program};
use halfopen_protocol::{Packet, Version};

type Connections<'v, 'a> = [(&'v Connection<'a>, bool)];

pub(super) fn breaches(scene: &Scene<'_>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for view in scene.brokers() {
        for connections in sessions(view).into_values() {
            for pair in connections.windows(2) {
                breaches.extend(two_at_once(scene, view, pair[0].0, pair[1].0));
                breaches.extend(wrong_session_present(scene, view, pair[0].0, pair[1].0));
            }
            breaches.extend(connections.first().and_then(|(first, _)| present_from_the_start(scene, view, first)));
            breaches.extend(not_subscribed_to(scene, view, &connections));
        }
    }
    breaches
}

fn two_at_once(scene: &Scene<'_>, view: &View<'_>, old: &Connection<'_>, new: &Connection<'_>) -> Option<Breach> {
    let (accepted, _) = new.connack()?;
    old.is_up(accepted).then(|| {
        Breach::new(
            format!("{} has one connection with {}", scene.name(view.node), new.client_id()),
            format!("two at {}", shown(accepted)),
        )
    })
}

fn present_from_the_start(scene: &Scene<'_>, view: &View<'_>, first: &Connection<'_>) -> Option<Breach> {
    let (accepted, connack) = first.connack().filter(|(_, connack)| connack.session_present)?;
    debug_assert!(connack.session_present);
    Some(Breach::new(
        format!("{} has no session of {}, which comes for the first time", scene.name(view.node), first.client_id()),
        format!("session present at {}", shown(accepted)),
    ))
}

fn wrong_session_present(
    scene: &Scene<'_>,
    view: &View<'_>,
    old: &Connection<'_>,
    new: &Connection<'_>,
) -> Option<Breach> {
    let Program::Broker(BrokerProgram { config, durable, .. }) = &scene.plan.node(view.node).program else {
        return None;
    };
    let ((accepted, connack), (_, connect)) = (new.connack()?, new.connect()?);
    // A durable broker that was not there when the connection ended counts from its restart. What was kept for one user is
    // not handed to another.
    let knows = old.generation == new.generation || *durable && !old.died;
    if !knows || old.connect()?.1.username != connect.username {
        return None;
    }
    let ended = old.ended?.min(accepted);
    let expiry = expiry(old)?.min(config.maximum_session_expiry);
    let ends = (expiry != u32::MAX).then(|| ended + Duration::from_secs(expiry.into()));
    // At that very instant either is right, but for one that ends with its connection.
    if expiry > 0 && ends == Some(accepted) && !connect.clean_start {
        return None;
    }
    let is_there = !connect.clean_start && ends.is_none_or(|ends| ends > accepted);
    (is_there != connack.session_present).then(|| {
        let ended = ends.map_or("never ends".to_owned(), |ends| format!("ends at {}", shown(ends)));
        Breach::new(
            format!(
                "{}: session present {is_there} for {}, whose session {ended}",
                scene.name(view.node),
                new.client_id()
            ),
            format!("{} at {}", connack.session_present, shown(accepted)),
        )
    })
}

/// For how long the session outlives its connection, in seconds.
fn expiry(connection: &Connection<'_>) -> Option<u32> {
    let (_, connect) = connection.connect()?;
    if connect.version == Version::V3_1_1 {
        return Some(if connect.clean_start { 0 } else { u32::MAX });
    }
    let said = connection.packets.iter().find_map(|seen| match seen.packet {
        Packet::Disconnect(disconnect) if !seen.is_sent => disconnect.session_expiry,
        _ => None,
    });
    let asked = connect.session_expiry.unwrap_or(0);
    let granted = connection.connack().and_then(|(_, connack)| connack.session_expiry).unwrap_or(asked);
    // It cannot be raised from 0.
    Some(said.filter(|_| asked > 0).unwrap_or(granted))
}

fn not_subscribed_to(scene: &Scene<'_>, view: &View<'_>, connections: &Connections<'_, '_>) -> Option<Breach> {
    let granted = granted(connections);
    let mut begun = Duration::ZERO;
    for (connection, is_resumed) in connections {
        if !is_resumed {
            begun = connection.connack()?.0;
        }
        let stray = connection.packets.iter().find(|seen| {
            let covers = |granted: &super::routes::Granted| {
                (begun..=seen.at).contains(&granted.since) && granted.covers(&seen.topic)
            };
            // Retained messages may come before the SUBACK.
            let asked = |topic: &str| {
                connection.packets.iter().any(|other| match other.packet {
                    Packet::Subscribe(subscribe) if !other.is_sent && other.at <= seen.at => subscribe
                        .subscriptions
                        .iter()
                        .any(|subscription| halfopen_protocol::topic::matches(&subscription.filter, topic)),
                    _ => false,
                })
            };
            seen.sent_publish().is_some() && !granted.iter().any(covers) && !asked(&seen.topic)
        });
        if let Some(stray) = stray {
            return Some(Breach::new(
                format!("{} sends {} what it has subscribed to", scene.name(view.node), connection.client_id()),
                format!("a message on {} at {}", stray.topic, shown(stray.at)),
            ));
        }
    }
    None
}
