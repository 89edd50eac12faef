//! [MQTT-3.3.1-1], [MQTT-4.4.0-1], [MQTT-4.3.2-2], [MQTT-4.3.3-2]: a message is sent again only on a later connection of
//! its session, with DUP; what is new has no DUP.

use super::exchanges::Before;
use super::index::Fact;
use super::report::{Breach, Report};
use super::{Context, Rule, shown};
use crate::plan::Invariant;

pub(super) struct ResendOnlyOnResume;

impl Rule for ResendOnlyOnResume {
    fn observe(&mut self, fact: &Fact<'_>, context: &Context<'_>, report: &mut Report) {
        let Fact::PublishSent(sent) = fact else { return };
        let (Some(publish), Some(id)) = (sent.seen.sent_publish(), sent.id) else { return };
        let end = context.index.end(sent.seen.end);
        let name = context.name(end.node);
        let what = match sent.before {
            Before::SameHere => "again on the same connection",
            Before::SameEarlier if !publish.dup => "again without DUP",
            Before::Free if publish.dup && context.index.session(sent.session).is_resumed => {
                // What was about to be sent when the last connection ended has been tried before, but was not seen.
                let why = format!("{name} sends with DUP what may have been under way when its last connection ended");
                let client = if end.is_broker { "" } else { name };
                return report.not_judged_of(Invariant::ResendOnlyOnResume, sent.seen.at, client, &why);
            }
            Before::Free if publish.dup => "for the first time with DUP",
            _ => return,
        };
        let expected = format!("{name} sends PUBLISH {id} as what it is");
        let actual = format!("it is sent {what} at {}", shown(sent.seen.at));
        report.breach(Invariant::ResendOnlyOnResume, Breach::new(expected, actual));
    }
}
