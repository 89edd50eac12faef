//! The stories that every peer has to go through, however it is spoken to.

use std::pin::Pin;

use halfopen_protocol::Version;
use libtest_mimic::Trial;

use super::trials::{Presence, trial};

/// Who takes part, and how each story goes with them.
pub(crate) trait Plays: Sized + 'static {
    async fn every_qos_arrives(self);
    async fn a_retained_message_waits_until_it_is_cleared(self);
    async fn a_killed_client_leaves_its_will(self);
    async fn messages_wait_for_a_client_that_is_away(self);
    async fn a_second_client_takes_over(self);
    async fn an_idle_client_pings(self);
}

type Story<C> = fn(C) -> Pin<Box<dyn Future<Output = ()>>>;

fn stories<C: Plays>() -> [(&'static str, Story<C>); 6] {
    [
        ("every_qos_arrives", |cast| Box::pin(cast.every_qos_arrives())),
        ("a_retained_message_waits_until_it_is_cleared", |cast| {
            Box::pin(cast.a_retained_message_waits_until_it_is_cleared())
        }),
        ("a_killed_client_leaves_its_will", |cast| Box::pin(cast.a_killed_client_leaves_its_will())),
        ("messages_wait_for_a_client_that_is_away", |cast| Box::pin(cast.messages_wait_for_a_client_that_is_away())),
        ("a_second_client_takes_over", |cast| Box::pin(cast.a_second_client_takes_over())),
        ("an_idle_client_pings", |cast| Box::pin(cast.an_idle_client_pings())),
    ]
}

/// All stories under both versions, each with a cast of its own.
pub(crate) fn trials<C: Plays, F: Future<Output = C> + 'static>(
    peer: &str,
    presence: &Presence,
    cast: impl Fn(Version) -> F + Copy + Send + 'static,
) -> Vec<Trial> {
    let mut trials = Vec::new();
    for version in Version::ALL {
        for (name, story) in stories::<C>() {
            let name = format!("{peer}/{version}/{name}");
            trials.push(trial(name, presence, move || async move { story(cast(version).await).await }));
        }
    }
    trials
}
