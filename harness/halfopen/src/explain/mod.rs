//! A scenario in plain words: who is there, what happens when, what must be true. The times are those of a run.

mod moments;
mod peers;
mod tale;

use std::fmt::{self, Write as _};
use std::time::Duration;

use halfopen_protocol::packet::Connect;

use crate::plan::{LinkSettings, MiddleboxRules, Node, NodeId, Plan, Program, WhenFull};
use crate::trace::Trace;

/// Number of runs that are listed by name.
const RUNS: usize = 12;

/// Tells one run, and names the others of its file.
pub(crate) fn explain(plan: &Plan, all: &[Plan], about: &str, trace: &Trace) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = Explained { plan, trace }.write(&mut out, all, about);
    out
}

struct Explained<'a> {
    plan: &'a Plan,
    trace: &'a Trace,
}

impl Explained<'_> {
    fn write(&self, out: &mut String, all: &[Plan], about: &str) -> fmt::Result {
        writeln!(out, "{}", self.plan.run.scenario)?;
        if !about.is_empty() {
            writeln!(out, "{about}")?;
        }
        runs(out, all)?;
        writeln!(out, "\nWhat follows is {}; times are those of this run, in seconds.\n", self.plan.run)?;
        writeln!(out, "Who takes part")?;
        for node in &self.plan.nodes {
            self.node(out, node)?;
        }
        self.network(out)?;
        writeln!(out, "\nWhat happens")?;
        self.tale(out)?;
        writeln!(out, "\nWhat must be true")?;
        if self.plan.expectations.is_empty() {
            writeln!(out, "  nothing in this run; only the script must not fail")?;
        }
        self.plan.expectations.iter().try_for_each(|expectation| self.expectation(out, expectation))
    }

    fn name(&self, id: NodeId) -> &str {
        &self.plan.node(id).name
    }

    fn names(&self, ids: impl Iterator<Item = NodeId>) -> String {
        ids.map(|id| self.name(id)).collect::<Vec<_>>().join(", then ")
    }

    fn node(&self, out: &mut String, node: &Node) -> fmt::Result {
        match &node.program {
            Program::Broker(broker) => {
                let factor = broker.config.keep_alive_factor;
                write!(
                    out,
                    "  {:<10} a broker: closes a client that is silent for {factor} x its keep-alive",
                    node.name
                )?;
                if let Some(server) = broker.config.server_keep_alive {
                    write!(out, ", and tells all of 5.0 to keep {server}s")?;
                }
                if let Some(count) = broker.handles {
                    write!(out, "; handles {count} packets per second")?;
                }
                writeln!(out, "; waits {} for a CONNECT", seconds(broker.config.connect_timeout))
            }
            Program::Client(client) => {
                let connect = &client.options.connect;
                writeln!(
                    out,
                    "  {:<10} a client of {}: {}",
                    node.name,
                    self.names(client.brokers()),
                    of_connect(connect)
                )?;
                if client.follows_references {
                    writeln!(out, "             goes to the broker that a Server Reference names")?;
                }
                if let Some(patience) = client.options.ping_timeout {
                    writeln!(out, "             closes when a PINGREQ has no answer for {}", seconds(patience))?;
                }
                if !client.handling.is_zero() {
                    let busy = "its application is busy with each message for";
                    writeln!(out, "             {busy} {}, and nothing is read until then", seconds(client.handling))?;
                }
                peers::subscriptions(out, &client.options.subscriptions)?;
                told_at_connect(out, connect)
            }
            Program::RawClient(raw) => {
                let what = "does only what is written";
                writeln!(
                    out,
                    "  {:<10} a raw client of {}, {what}: {}",
                    node.name,
                    self.name(raw.to),
                    of_connect(&raw.connect)
                )?;
                peers::subscriptions(out, &raw.subscribe)?;
                peers::answers(out, &raw.answers)?;
                told_at_connect(out, &raw.connect)
            }
            Program::RawBroker(raw) => {
                writeln!(out, "  {:<10} a raw broker: does what is written, and answers as a broker does", node.name)?;
                peers::answers(out, &raw.answers)
            }
        }
    }

    fn network(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "  network    {}", settings(&self.plan.network))?;
        for (from, to, link) in &self.plan.links {
            writeln!(out, "             {} -> {}: {}", self.name(*from), self.name(*to), settings(link))?;
        }
        for middlebox in &self.plan.middleboxes {
            writeln!(out, "  {:<10} a middlebox: {}", middlebox.name, rules(&middlebox.rules))?;
        }
        Ok(())
    }
}

/// Returns what a CONNECT asks the broker to do once the connection has ended.
fn told_at_connect(out: &mut String, connect: &Connect) -> fmt::Result {
    if let Some(will) = &connect.will {
        let delay = will.delay.map(|delay| format!(", {delay}s after its end")).unwrap_or_default();
        writeln!(
            out,
            "             will: a message on {} if the connection ends without DISCONNECT{delay}",
            will.topic
        )?;
    }
    match connect.session_expiry {
        Some(u32::MAX) => writeln!(out, "             session: kept for ever"),
        Some(expiry) if expiry > 0 => writeln!(out, "             session: kept {expiry}s after the connection ends"),
        _ => Ok(()),
    }
}

fn runs(out: &mut String, all: &[Plan]) -> fmt::Result {
    writeln!(out, "{} {}:", all.len(), if all.len() == 1 { "run" } else { "runs" })?;
    for plan in all.iter().take(RUNS) {
        writeln!(out, "  {}", plan.run)?;
    }
    if all.len() > RUNS {
        writeln!(out, "  … and {} more", all.len() - RUNS)?;
    }
    Ok(())
}

fn of_connect(connect: &Connect) -> String {
    let keep_alive = match connect.keep_alive {
        0 => "no keep-alive".to_owned(),
        seconds => format!("keep-alive {seconds}s"),
    };
    let clean = if connect.clean_start { "" } else { ", takes up an earlier session" };
    format!("{keep_alive}{clean}")
}

fn seconds(duration: Duration) -> String {
    match duration.subsec_millis() {
        _ if duration.as_millis() < 1000 => format!("{}ms", duration.as_millis()),
        0 => format!("{}s", duration.as_secs()),
        rest => format!("{}.{}s", duration.as_secs(), format!("{rest:03}").trim_end_matches('0')),
    }
}

/// `10ms one way, up to 5ms more, 1% lost at first, 100000 bytes a second`.
fn settings(link: &LinkSettings) -> String {
    let mut text = format!("{} one way", seconds(link.latency));
    if !link.jitter.is_zero() {
        let _ = write!(text, ", up to {} more", seconds(link.jitter));
    }
    if link.loss > 0 {
        let _ = write!(text, ", {}% lost at first", f64::from(link.loss) / 10_000.0);
    }
    if let Some(bytes) = link.bandwidth {
        let _ = write!(text, ", {bytes} bytes a second");
    }
    if let Some(limit) = link.idle_limit {
        let _ = write!(text, ", forgets a connection after {} without a packet", seconds(limit));
    }
    text
}

/// `remembers 20 connections and forgets the oldest for a new one; lets 10 begin in a second`.
fn rules(rules: &MiddleboxRules) -> String {
    let mut parts = Vec::new();
    if let Some(count) = rules.connections {
        let full = match rules.when_full {
            WhenFull::DropNew => "the SYN of a further one vanishes",
            WhenFull::ForgetOldest => "for a further one it forgets the one without a packet for longest",
        };
        parts.push(format!("remembers {count} connections, {full}"));
    }
    if let Some(count) = rules.new_per_second {
        parts.push(format!("lets {count} begin in a second"));
    }
    if let Some(limit) = rules.idle_limit {
        parts.push(format!("forgets one after {} without a packet", seconds(limit)));
    }
    parts.join("; ")
}
