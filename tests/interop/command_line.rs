//! Stories for programs with the flags of `mosquitto_pub` and `mosquitto_sub`, against a broker with Mosquitto's log.
//!
//! Nothing sleeps: each step waits for the line that the broker logs about it, or for the end of a program.

use std::process::Stdio;

use halfopen_protocol::Version;
use libtest_mimic::Trial;
use tokio::process::{Child, Command};

use super::plays::{self, Plays};
use super::server::{PATIENCE, Server};
use super::trials::Presence;

/// How to start the publishing and the subscribing program: the program and what comes first.
#[derive(Clone, Copy)]
pub(crate) struct Programs {
    pub(crate) publish: &'static [&'static str],
    pub(crate) subscribe: &'static [&'static str],
    /// The shortest keep-alive that they take, in seconds.
    pub(crate) keep_alive: &'static str,
}

/// Who takes part in a story.
struct Cast {
    server: Server,
    programs: Programs,
    version: Version,
}

/// All stories under both versions, each with a server of its own.
pub(crate) fn trials<F: Future<Output = Server> + 'static>(
    peer: &str,
    presence: &Presence,
    programs: Programs,
    server: fn() -> F,
) -> Vec<Trial> {
    plays::trials(peer, presence, move |version| async move { Cast { server: server().await, programs, version } })
}

impl Cast {
    async fn publish(&self, words: &str) {
        let output = tokio::time::timeout(PATIENCE, self.command(self.programs.publish, words).output()).await;
        let output = output.expect("publishing ends").expect("the program starts");
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Starts the subscriber, and waits until the broker has granted what it asks for.
    async fn subscribe(&mut self, id: &str, words: &str) -> Child {
        let child = self.start(id, words);
        self.server.wait_for(&format!("Sending SUBACK to {id}")).await;
        child
    }

    fn start(&self, id: &str, words: &str) -> Child {
        let words = format!("-i {id} {words}");
        self.command(self.programs.subscribe, &words).spawn().expect("the program starts")
    }

    fn command(&self, program: &[&str], words: &str) -> Command {
        let version = if self.is_v5() { "mqttv5" } else { "mqttv311" };
        let mut command = Command::new(program[0]);
        command
            .args(&program[1..])
            .args(["-h", "127.0.0.1", "-p", &self.server.port.to_string(), "-V", version])
            .args(words.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    fn is_v5(&self) -> bool {
        self.version.is_v5()
    }
}

/// Waits for the end of a subscriber and gives the lines it has printed.
async fn lines_of(child: Child) -> Vec<String> {
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("the subscriber ends");
    let output = output.expect("it can be waited for");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

impl Plays for Cast {
    /// Messages of every QoS reach a subscriber, in order.
    async fn every_qos_arrives(mut self) {
        let subscriber = self.subscribe("sub", "-v -q 2 -C 3 -t home/# -t other").await;
        for qos in 0..=2 {
            self.publish(&format!("-q {qos} -t home/room/{qos} -m message-{qos}")).await;
        }
        assert_eq!(
            lines_of(subscriber).await,
            ["home/room/0 message-0", "home/room/1 message-1", "home/room/2 message-2"]
        );
    }

    /// A retained message waits for subscribers until an empty one removes it.
    async fn a_retained_message_waits_until_it_is_cleared(mut self) {
        for qos in 0..=2 {
            self.publish(&format!("-r -q {qos} -t kept -m kept-{qos}")).await;
            let subscriber = self.subscribe("early", "-q 2 -C 1 -t kept").await;
            assert_eq!(lines_of(subscriber).await, [format!("kept-{qos}")]);
        }
        self.publish("-r -q 1 -t kept -n").await;
        let subscriber = self.subscribe("late", "-q 2 -C 1 -t kept").await;
        self.publish("-q 1 -t kept -m later").await;
        assert_eq!(lines_of(subscriber).await, ["later"]);
    }

    /// A client that dies leaves its will; one that says goodbye does not.
    async fn a_killed_client_leaves_its_will(mut self) {
        let watcher = self.subscribe("watcher", "-v -q 2 -C 1 -t wills/#").await;
        let will = "--will-payload gone --will-qos 1 --will-topic";
        let polite = self.subscribe("polite", &format!("-C 1 -t call {will} wills/polite")).await;
        self.publish("-q 1 -t call -m leave").await;
        lines_of(polite).await;
        self.server.wait_for("Client polite disconnected").await;
        let mut doomed = self.subscribe("doomed", &format!("-t nothing {will} wills/doomed")).await;
        doomed.kill().await.expect("it can be killed");
        assert_eq!(lines_of(watcher).await, ["wills/doomed gone"]);
    }

    /// Messages of QoS 1 and 2 wait for a client whose session is kept.
    async fn messages_wait_for_a_client_that_is_away(mut self) {
        let keep = if self.is_v5() { "-c -x 3600" } else { "-c" };
        let first = self.subscribe("keeper", &format!("{keep} -v -q 2 -C 1 -t later/#")).await;
        self.publish("-q 1 -t later/first -m 0").await;
        assert_eq!(lines_of(first).await, ["later/first 0"]);
        self.server.wait_for("Client keeper disconnected").await;
        // Order is promised within one QoS only: a message of QoS 2 is handed on later than one of QoS 1.
        for (number, qos) in [(1, 1), (2, 2), (3, 2)] {
            self.publish(&format!("-q {qos} -t later/{number} -m {number}")).await;
        }
        let second = self.start("keeper", &format!("{keep} -v -q 2 -C 3 -t later/#"));
        assert_eq!(lines_of(second).await, ["later/1 1", "later/2 2", "later/3 3"]);
    }

    /// A second client with the same identifier takes the connection over.
    async fn a_second_client_takes_over(mut self) {
        let first = self.subscribe("twin", "-t twins").await;
        // Some clients connect again at once, so the second one need not be the last.
        let second = self.start("twin", "-t twins");
        self.server.wait_for("Client twin already connected, closing old connection.").await;
        self.server.wait_for("Sending SUBACK to twin").await;
        drop((first, second));
    }

    /// A client with nothing to say pings, and is not closed.
    async fn an_idle_client_pings(mut self) {
        let idle = self.subscribe("idle", &format!("-C 1 -t call -k {}", self.programs.keep_alive)).await;
        for _ in 0..2 {
            self.server.wait_for("Received PINGREQ from idle").await;
            self.server.wait_for("Sending PINGRESP to idle").await;
        }
        self.publish("-q 1 -t call -m enough").await;
        assert_eq!(lines_of(idle).await, ["enough"]);
    }
}
