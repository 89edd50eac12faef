//! [MQTT-3.3.1-1], [MQTT-4.4.0-1], [MQTT-4.3.2-2], [MQTT-4.3.3-2]: a message is sent again only on a later connection of
//! its session, with DUP; what is new has no DUP.

use super::flows::{Before, flows};
use super::{Breach, Scene, shown};

pub(super) fn breaches(scene: &Scene<'_>) -> Vec<Breach> {
    let sent = flows(scene).transmissions.into_iter();
    sent.filter_map(|sent| {
        let publish = sent.seen.sent_publish()?;
        let what = match sent.before {
            Before::SameHere => "again on the same connection",
            Before::SameEarlier(_) if !publish.dup => "again without DUP",
            // What was about to be sent when the last connection ended has been tried before.
            Before::Free if publish.dup && !sent.is_resumed => "for the first time with DUP",
            _ => return None,
        };
        Some(Breach::new(
            format!("{} sends PUBLISH {} as what it is", scene.name(sent.view.node), sent.id),
            format!("it is sent {what} at {}", shown(sent.seen.at)),
        ))
    })
    .collect()
}
