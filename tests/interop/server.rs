//! A broker as a program of its own, and its log. The project's broker logs in Mosquitto's words, so one reader does.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

/// Only a guard against a test that never ends.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running broker. It is killed when this is dropped.
pub(crate) struct Server {
    _child: Child,
    log: Lines<BufReader<ChildStderr>>,
    pub(crate) port: u16,
}

impl Server {
    /// Starts a broker that logs to stderr, and waits for the line that says `ready`. The port is the last that it opened
    /// until then.
    pub(crate) async fn start(mut command: Command, ready: &str) -> Result<Self, String> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("the broker does not start: {error}"))?;
        let log = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let mut server = Self { _child: child, log, port: 0 };
        let mut seen = Vec::new();
        while server.port == 0 || !seen.last().is_some_and(|line: &String| line.contains(ready)) {
            let Some(line) = server.read_line().await else {
                return Err(format!("the broker has ended:\n{}", seen.join("\n")));
            };
            if let Some((_, port)) = line.split_once(" listen socket on port ") {
                server.port = port.trim_end_matches('.').parse().map_err(|error| format!("{line}: {error}"))?;
            }
            seen.push(line);
        }
        Ok(server)
    }

    /// Waits for a line of the log with these words, and gives it.
    pub(crate) async fn wait_for(&mut self, words: &str) -> String {
        self.read_until(words).await.pop().unwrap_or_default()
    }

    /// The lines of the log up to one with these words.
    pub(crate) async fn read_until(&mut self, words: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            match tokio::time::timeout(PATIENCE, self.read_line()).await {
                Ok(Some(line)) => {
                    let is_last = line.contains(words);
                    seen.push(line);
                    if is_last {
                        return seen;
                    }
                }
                Ok(None) => panic!("the broker has ended before it said {words:?}; it said:\n{}", seen.join("\n")),
                Err(_) => panic!("the broker never said {words:?}; it said:\n{}", seen.join("\n")),
            }
        }
    }

    async fn read_line(&mut self) -> Option<String> {
        self.log.next_line().await.expect("the log is text")
    }
}
