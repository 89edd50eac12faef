//! Stories for foreign client libraries against the project's broker. Nothing sleeps: each step waits for what the
//! clients say or the broker logs.

use halfopen_protocol::Version;
use libtest_mimic::Trial;
use tokio::process::Command;

use super::peer::Peer;
use super::plays::{self, Plays};
use super::server::Server;
use super::trials::Presence;

/// Who takes part in a story.
struct Cast {
    server: Server,
    peer: fn() -> Command,
    version: Version,
}

impl Cast {
    fn start(&self) -> Peer {
        Peer::start((self.peer)(), self.server.port, self.version.level())
    }

    /// A client with a clean session.
    async fn connect(&self, id: &str) -> Peer {
        let mut peer = self.start();
        peer.told(&format!("connect {id} 1 60"), "connected 0").await;
        peer
    }
}

/// Messages for a client that is away: numbers and QoS.
const LATER: [(u8, u8); 4] = [(1, 1), (2, 1), (3, 2), (4, 2)];

/// All stories under both versions, each with a broker of its own.
pub(crate) fn trials<F: Future<Output = Server> + 'static>(
    name: &str,
    presence: &Presence,
    peer: fn() -> Command,
    server: fn() -> F,
) -> Vec<Trial> {
    plays::trials(name, presence, move |version| async move { Cast { server: server().await, peer, version } })
}

impl Plays for Cast {
    async fn every_qos_arrives(self) {
        let mut subscriber = self.connect("sub").await;
        for granted in 0..=2 {
            subscriber
                .told(&format!("subscribe granted/{granted}/# {granted}"), &format!("subscribed {granted}"))
                .await;
        }
        let mut publisher = self.connect("pub").await;
        for granted in 0..=2 {
            for qos in 0..=2 {
                let topic = format!("granted/{granted}/{qos}");
                publisher.told(&format!("publish {topic} hello {qos} 0"), "published").await;
                subscriber.expect(&format!("message {topic} hello {} 0", qos.min(granted))).await;
            }
        }
        publisher.told("disconnect", "closed").await;
        subscriber.told("disconnect", "closed").await;
    }

    async fn a_retained_message_waits_until_it_is_cleared(self) {
        let mut publisher = self.connect("pub").await;
        for qos in 0..=2 {
            publisher.told(&format!("publish kept/{qos} first {qos} 1"), "published").await;
            publisher.told(&format!("publish kept/{qos} second {qos} 1"), "published").await;
        }
        let mut early = self.connect("early").await;
        for qos in 0..=2 {
            // SUBACK may come before or after the message; MQTT.js for one tells of it in either order.
            early.tell(&format!("subscribe kept/{qos} 2")).await;
            early.expect_both("subscribed 2", &format!("message kept/{qos} second {qos} 1")).await;
        }
        for qos in 0..=2 {
            publisher.told(&format!("publish kept/{qos} cleared {qos} 0"), "published").await;
            early.expect(&format!("message kept/{qos} cleared {qos} 0")).await;
        }
        publisher.told("publish kept/0  0 1", "published").await;
        early.expect("message kept/0  0 0").await;
        let mut late = self.connect("late").await;
        late.told("subscribe kept/0 2", "subscribed 2").await;
        publisher.told("publish kept/0 new 2 0", "published").await;
        late.expect("message kept/0 new 2 0").await;
    }

    async fn a_killed_client_leaves_its_will(mut self) {
        let mut watcher = self.connect("watcher").await;
        watcher.told("subscribe wills/# 2", "subscribed 2").await;
        let mut polite = self.start();
        polite.told("connect polite 1 60 wills/polite gone 1 0", "connected 0").await;
        polite.told("disconnect", "closed").await;
        self.server.wait_for("Client polite disconnected").await;
        for qos in 0..=2 {
            let mut doomed = self.start();
            doomed.told(&format!("connect doomed 1 60 wills/doomed gone {qos} 1"), "connected 0").await;
            doomed.kill().await;
            watcher.expect(&format!("message wills/doomed gone {qos} 0")).await;
        }
        let mut late = self.connect("late").await;
        late.tell("subscribe wills/doomed 2").await;
        late.expect_both("subscribed 2", "message wills/doomed gone 2 1").await;
    }

    async fn messages_wait_for_a_client_that_is_away(mut self) {
        let mut keeper = self.start();
        keeper.told("connect keeper 0 60", "connected 0").await;
        keeper.told("subscribe later/# 2", "subscribed 2").await;
        keeper.told("disconnect", "closed").await;
        self.server.wait_for("Client keeper disconnected").await;

        let mut publisher = self.connect("pub").await;
        // Order is promised within one QoS only: a message of QoS 2 is handed on later than one of QoS 1.
        for (number, qos) in LATER {
            publisher.told(&format!("publish later/{number} hello {qos} 0"), "published").await;
        }
        let mut keeper = self.start();
        keeper.told("connect keeper 0 60", "connected 1").await;
        for (number, qos) in LATER {
            keeper.expect(&format!("message later/{number} hello {qos} 0")).await;
        }
        // The subscription has outlived the connection, too.
        publisher.told("publish later/live hello 1 0", "published").await;
        keeper.expect("message later/live hello 1 0").await;
        keeper.told("disconnect", "closed").await;
        self.server.wait_for("Client keeper disconnected").await;

        let mut fresh = self.connect("keeper").await;
        publisher.told("publish later/lost hello 1 0", "published").await;
        fresh.told("disconnect", "closed").await;
    }

    async fn a_second_client_takes_over(mut self) {
        let mut first = self.connect("twin").await;
        let mut second = self.connect("twin").await;
        first.expect("closed").await;
        self.server.wait_for("Client twin already connected, closing old connection.").await;
        second.told("publish alive yes 1 0", "published").await;
    }

    async fn an_idle_client_pings(mut self) {
        let mut idle = self.start();
        idle.told("connect idle 1 1", "connected 0").await;
        for _ in 0..2 {
            self.server.wait_for("Received PINGREQ from idle").await;
            self.server.wait_for("Sending PINGRESP to idle").await;
        }
        idle.told("publish alive yes 1 0", "published").await;
    }
}
