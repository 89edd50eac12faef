//! A client of a foreign library in a process of its own, so that it can be killed. Commands go in and events come out,
//! one a line, the words separated by spaces:
//!
//! ```text
//! connect ID CLEAN KEEP_ALIVE [WILL_TOPIC PAYLOAD QOS RETAIN]    connected SESSION_PRESENT
//! subscribe FILTER QOS                                           subscribed CODE
//! publish TOPIC PAYLOAD QOS RETAIN                               published
//! disconnect                                                     closed
//!                                                                message TOPIC PAYLOAD QOS RETAIN
//! ```
//!
//! `closed` comes whichever side closes, and ends the process. Without CLEAN the session is to outlive the connection.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::server::PATIENCE;

/// A started client.
pub(crate) struct Peer {
    child: Child,
    commands: ChildStdin,
    events: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    pub(crate) fn start(mut command: Command, port: u16, level: u8) -> Self {
        command.args([port.to_string(), level.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().expect("the peer starts");
        let commands = child.stdin.take().expect("it is piped");
        let events = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { child, commands, events }
    }

    /// Gives a command and expects this event next.
    pub(crate) async fn told(&mut self, command: &str, event: &str) {
        self.tell(command).await;
        self.expect(event).await;
    }

    pub(crate) async fn tell(&mut self, command: &str) {
        self.commands.write_all(format!("{command}\n").as_bytes()).await.expect("the peer reads");
    }

    pub(crate) async fn expect(&mut self, event: &str) {
        assert_eq!(self.event().await, event);
    }

    /// Expects these two events next, in either order.
    pub(crate) async fn expect_both(&mut self, one: &str, other: &str) {
        let (first, second) = (self.event().await, self.event().await);
        let came = [first.as_str(), second.as_str()];
        assert!(came == [one, other] || came == [other, one], "{came:?} came instead of {one:?} and {other:?}");
    }

    async fn event(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.events.next_line()).await.expect("an event in time");
        line.expect("text").expect("the peer still runs")
    }

    /// As `kill -9` does: no DISCONNECT.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.expect("it can be killed");
    }
}
