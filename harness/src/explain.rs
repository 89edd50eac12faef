//! A scenario in plain words: who is there, what happens when, what must be true, with the times that follow from the
//! rules beside it. Nothing is run.

use std::fmt::{self, Write as _};
use std::time::Duration;

use halfopen_protocol::packet::Connect;

use crate::plan::{
    Action, EventRef, Expectation, LinkSettings, Mode, Moment, NetworkChange, Node, NodeId, Ordinal, PacketKind, Plan,
    Point, Program, Step, StepKind, Timing, Verb,
};

/// How many runs are listed by name.
const RUNS: usize = 12;

/// How much wider than this a step is printed on a line of its own.
const WIDTH: usize = 60;

/// Tells one run, and names the others of its file.
pub(crate) fn explain(plan: &Plan, all: &[Plan], about: &str) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = Explained { plan, now: Now::default() }.write(&mut out, all, about);
    out
}

struct Explained<'a> {
    plan: &'a Plan,
    now: Now,
}

/// How late it is in the story.
#[derive(Clone, Copy, Debug, Default)]
struct Now {
    at: Duration,
    /// Whether it may be later, since something is waited for whose time is not known before the run.
    or_later: bool,
}

/// `12.560`, or `12.560+` if it may be later.
impl fmt::Display for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}{}", self.at.as_secs_f64(), if self.or_later { "+" } else { "" })
    }
}

impl Explained<'_> {
    fn write(mut self, out: &mut String, all: &[Plan], about: &str) -> fmt::Result {
        writeln!(out, "{}", self.plan.run.scenario)?;
        if !about.is_empty() {
            writeln!(out, "{about}")?;
        }
        runs(out, all)?;
        writeln!(out, "\nWhat follows is {}; times are in seconds, a `+` means: or later.\n", self.plan.run)?;
        writeln!(out, "Who takes part")?;
        for node in &self.plan.nodes {
            self.node(out, node)?;
        }
        self.network(out)?;
        writeln!(out, "\nWhat happens")?;
        self.prologue(out)?;
        for (place, step) in self.plan.steps.iter().enumerate() {
            self.sweep(out, place)?;
            self.step(out, step, 0)?;
        }
        self.sweep(out, self.plan.steps.len())?;
        self.end(out)?;
        writeln!(out, "\nWhat must be true")?;
        if self.plan.expectations.is_empty() {
            writeln!(out, "  nothing in this run; only the story must not fail")?;
        }
        for expectation in &self.plan.expectations {
            self.expectation(out, expectation)?;
        }
        Ok(())
    }

    fn name(&self, id: NodeId) -> &str {
        &self.plan.node(id).name
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
                writeln!(out, "; waits {} for a CONNECT", seconds(broker.config.connect_timeout))
            }
            Program::Client(client) => {
                let connect = &client.options.connect;
                let half = Duration::from_secs(connect.keep_alive.into()) / 2;
                let patience = client.options.ping_timeout.unwrap_or(half);
                writeln!(out, "  {:<10} a client of {}: {}", node.name, self.name(client.to), of_connect(connect))?;
                if connect.keep_alive > 0 {
                    let pings =
                        "pings when it has sent nothing for its keep-alive, and closes when no answer comes for";
                    writeln!(out, "             {pings} {}", seconds(patience))?;
                }
                if !client.handling.is_zero() {
                    let busy = "its application is busy with each message for";
                    writeln!(out, "             {busy} {}, and nothing is read until then", seconds(client.handling))?;
                }
                self.rules(out, client.to, connect)
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
                self.rules(out, raw.to, &raw.connect)
            }
            Program::RawBroker(_) => {
                writeln!(out, "  {:<10} a raw broker: does what is written, and answers as it says", node.name)
            }
        }
    }

    /// What follows from the fields of a CONNECT.
    fn rules(&self, out: &mut String, broker: NodeId, connect: &Connect) -> fmt::Result {
        if let Some(deadline) = self.deadline(broker, connect) {
            let factor = self.factor(broker);
            writeln!(
                out,
                "             deadline: {factor} x keep-alive = {} after its last packet has arrived",
                seconds(deadline)
            )?;
        }
        if let Some(will) = &connect.will {
            let delay = Duration::from_secs(will.delay.unwrap_or(0).into());
            let kept = connect.session_expiry.map(|expiry| Duration::from_secs(expiry.into()));
            let when = match kept {
                _ if delay.is_zero() || !connect.version.is_v5() => {
                    "as soon as the connection ends without DISCONNECT".to_owned()
                }
                None => "as soon as the connection ends: without a session its delay is void".to_owned(),
                Some(kept) if kept < delay => format!(
                    "{} after the end, with the session, which is before its delay of {}",
                    seconds(kept),
                    seconds(delay)
                ),
                Some(_) => {
                    format!("{} after the connection ends without DISCONNECT, unless it is back before", seconds(delay))
                }
            };
            writeln!(out, "             will: a message on {} {when}", will.topic)?;
        }
        let expiry = match (connect.version.is_v5(), connect.session_expiry) {
            (true, Some(u32::MAX)) => "for ever".to_owned(),
            (true, Some(expiry)) if expiry > 0 => format!("{expiry}s after the connection ends"),
            (false, _) if !connect.clean_start => "for ever".to_owned(),
            _ => return Ok(()),
        };
        writeln!(out, "             session: kept {expiry}")
    }

    fn factor(&self, broker: NodeId) -> f64 {
        match &self.plan.node(broker).program {
            Program::Broker(broker) => broker.config.keep_alive_factor,
            _ => 1.5,
        }
    }

    /// For how long the broker bears silence.
    fn deadline(&self, broker: NodeId, connect: &Connect) -> Option<Duration> {
        let granted = match &self.plan.node(broker).program {
            Program::Broker(broker) if connect.version.is_v5() => broker.config.server_keep_alive,
            _ => None,
        };
        let keep_alive = Duration::from_secs(granted.unwrap_or(connect.keep_alive).into());
        (!keep_alive.is_zero()).then(|| keep_alive.mul_f64(self.factor(broker)))
    }

    fn network(&self, out: &mut String) -> fmt::Result {
        let settings = |link: &LinkSettings| {
            let jitter = match link.jitter.is_zero() {
                true => String::new(),
                false => format!(", up to {} more", seconds(link.jitter)),
            };
            format!("{} one way{jitter}", seconds(link.latency))
        };
        writeln!(out, "  network    {}", settings(&self.plan.network))?;
        for (from, to, link) in &self.plan.links {
            writeln!(out, "             {} -> {}: {}", self.name(*from), self.name(*to), settings(link))?;
        }
        Ok(())
    }

    /// The clients connect before the first step.
    fn prologue(&mut self, out: &mut String) -> fmt::Result {
        let mut names = Vec::new();
        let mut longest = Duration::ZERO;
        for id in self.plan.node_ids() {
            if let Program::Client(client) = &self.plan.node(id).program
                && client.autostart
            {
                names.push(self.name(id));
                let trips = if client.options.subscriptions.is_empty() { 2 } else { 3 };
                longest = longest.max(self.round_trip(id, client.to) * trips);
            }
        }
        if names.is_empty() {
            return Ok(());
        }
        let who = if names.len() > 5 { format!("{} clients", names.len()) } else { names.join(", ") };
        self.now = Now { at: longest, or_later: self.is_jittery() };
        writeln!(
            out,
            "  {:>10}  {who}: TCP, CONNECT and CONNACK, and SUBACK where there are subscriptions, until {}",
            "0.000", self.now
        )
    }

    fn round_trip(&self, from: NodeId, to: NodeId) -> Duration {
        self.plan.link(from, to).latency + self.plan.link(to, from).latency
    }

    fn is_jittery(&self) -> bool {
        !self.plan.network.jitter.is_zero() || self.plan.links.iter().any(|(_, _, link)| !link.jitter.is_zero())
    }

    /// The fault that comes at each boundary, if it stands before this step.
    fn sweep(&self, out: &mut String, place: usize) -> fmt::Result {
        let Some(sweep) = self.plan.conditions.sweep.as_ref().filter(|sweep| sweep.before == place) else {
            return Ok(());
        };
        let now = self.now.to_string();
        writeln!(out, "  {now:>10}  sweep: a run for each packet that leaves or arrives, and right after it")?;
        for step in &sweep.fault {
            writeln!(out, "  {:>10}    {}", "", step.text)?;
        }
        writeln!(out, "  {:>10}    from `{}` to `{}` in a run without it", "", sweep.from.text, sweep.to.text)
    }

    fn step(&mut self, out: &mut String, step: &Step, depth: usize) -> fmt::Result {
        let indent = "  ".repeat(depth);
        let mut text: String = step.text.chars().take(2 * WIDTH).collect();
        if text.len() < step.text.len() {
            text.push_str(" …");
        }
        let begun = self.now;
        writeln!(out, "  {:>10}  {indent}{text}", begun.to_string())?;
        match &step.kind {
            StepKind::Wait(duration) => {
                self.now.at = begun.at.saturating_add(*duration);
                writeln!(out, "  {:>10}  {indent}  until {}", "", self.now)
            }
            StepKind::At(moment) => {
                match (&moment.event, u64::try_from(moment.offset_ms)) {
                    (EventRef::Start, Ok(offset)) => {
                        self.now = Now { at: Duration::from_millis(offset).max(begun.at), or_later: false };
                    }
                    _ => self.now.or_later = true,
                }
                self.moment(out, moment, "the next", None)
            }
            StepKind::Node { nodes, actions } => {
                for (place, node) in nodes.iter().enumerate() {
                    for action in actions {
                        self.action(out, *node, action, place == 0)?;
                    }
                }
                Ok(())
            }
            StepKind::Network(change) => self.change(out, change),
            StepKind::Repeat { times, steps } => {
                writeln!(out, "  {:>10}  {indent}  {times} times, the first time:", "")?;
                for step in steps {
                    self.step(out, step, depth + 2)?;
                }
                let once = self.now.at.saturating_sub(begun.at);
                self.now.at = begun.at.saturating_add(once.saturating_mul(u32::try_from(*times).unwrap_or(u32::MAX)));
                Ok(())
            }
            StepKind::Every { period, times, steps, .. } => {
                let last = times
                    .map(|times| period.saturating_mul(u32::try_from(times.saturating_sub(1)).unwrap_or(u32::MAX)));
                let until = match (times, last) {
                    (Some(0), _) => "not once".to_owned(),
                    (_, Some(last)) => format!("the last at {:.3}", (begun.at + last).as_secs_f64()),
                    (_, None) => "without end".to_owned(),
                };
                writeln!(
                    out,
                    "  {:>10}  {indent}  in the background every {}, {until}, each time:",
                    "",
                    seconds(*period)
                )?;
                for step in steps {
                    self.step(out, step, depth + 2)?;
                }
                self.now = begun;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn action(&mut self, out: &mut String, node: NodeId, action: &Action, say: bool) -> fmt::Result {
        let (to, connect) = match &self.plan.node(node).program {
            Program::Client(client) => (client.to, &client.options.connect),
            Program::RawClient(raw) => (raw.to, &raw.connect),
            _ => return Ok(()),
        };
        let trip = self.round_trip(node, to);
        match action.itself() {
            Action::Connect(_) => self.now.at += trip * 2,
            Action::Open => self.now.at += trip,
            Action::Subscribe { .. } | Action::Unsubscribe(_) => self.now.at += trip,
            Action::Receive(_) => self.now.or_later = true,
            Action::PowerLoss | Action::StopPinging if say => return self.silence(out, node, to, connect),
            Action::Crash | Action::Close(_) if say => return self.ended(out, connect),
            _ => {}
        }
        Ok(())
    }

    /// What follows when nothing more comes from a node.
    fn silence(&self, out: &mut String, node: NodeId, to: NodeId, connect: &Connect) -> fmt::Result {
        let Some(deadline) = self.deadline(to, connect) else {
            return writeln!(out, "  {:>10}    keep-alive 0: nobody may ever notice", "");
        };
        let latency = self.plan.link(node, to).latency;
        let latest = self.now.at + latency + deadline;
        let name = self.name(node);
        writeln!(
            out,
            "  {:>10}    if {name} sends nothing more, {} closes it {} after its last packet: at {:.3} at the latest",
            "",
            self.name(to),
            seconds(deadline),
            latest.as_secs_f64(),
        )?;
        self.after_the_end(out, connect, latest, "at the latest")
    }

    fn ended(&self, out: &mut String, connect: &Connect) -> fmt::Result {
        self.after_the_end(out, connect, self.now.at, "and the time the end takes to arrive")
    }

    fn after_the_end(&self, out: &mut String, connect: &Connect, end: Duration, how: &str) -> fmt::Result {
        let expiry = connect.session_expiry.filter(|_| connect.version.is_v5()).unwrap_or(0);
        if let Some(will) = &connect.will {
            let delay = will.delay.filter(|_| connect.version.is_v5()).unwrap_or(0).min(expiry);
            let at = (end + Duration::from_secs(delay.into())).as_secs_f64();
            writeln!(out, "  {:>10}    its will is published at {at:.3} {how}", "")?;
        }
        if expiry > 0 && expiry < u32::MAX {
            let at = (end + Duration::from_secs(expiry.into())).as_secs_f64();
            writeln!(out, "  {:>10}    its session expires at {at:.3} {how}", "")?;
        }
        Ok(())
    }

    fn change(&self, out: &mut String, change: &NetworkChange) -> fmt::Result {
        let (number, kind) = change.parts();
        if !matches!(kind, NetworkChange::HalfOpen { .. } | NetworkChange::Partition { .. }) {
            return Ok(());
        }
        if let Some(packet) = kind.starting_with() {
            writeln!(out, "  {:>10}    not yet, but from the next {} on", "", packet.name())?;
        }
        let what = match (kind, number) {
            (NetworkChange::HalfOpen { .. }, _) => {
                "both ends go on believing in the connection, and nothing arrives that goes this way"
            }
            (_, Some(_)) => "nothing of this connection that goes this way arrives until `heal`; others work",
            (_, None) => "nothing that goes this way arrives until `heal`, new connections neither",
        };
        writeln!(out, "  {:>10}    {what}", "")?;
        if let Some(number) = number {
            // What the client does on its others is not known here.
            return writeln!(out, "  {:>10}    only the connection #{number} is meant, counted from the start", "");
        }
        for (from, _) in kind.links() {
            match &self.plan.node(*from).program {
                Program::Client(client) => self.silence(out, *from, client.to, &client.options.connect)?,
                Program::RawClient(raw) => self.silence(out, *from, raw.to, &raw.connect)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn end(&self, out: &mut String) -> fmt::Result {
        match &self.plan.until {
            Some(until) => writeln!(out, "  {:>10}  the run ends at {}", "", until.text),
            None => writeln!(out, "  {:>10}  the run ends when everything below is decided, and 1s more", ""),
        }
    }

    fn expectation(&self, out: &mut String, expectation: &Expectation) -> fmt::Result {
        let source = self.plan.source_of(expectation.position);
        let line = expectation.position.line;
        let place =
            if expectation.position.file == 0 { format!("line {line}") } else { format!("{}:{line}", source.path) };
        writeln!(out, "  {place}: {}", expectation.text)?;
        if expectation.mode == Mode::Must
            && let Some(count) = expectation.count.filter(|count| count.max == Some(0))
        {
            let _ = count;
            writeln!(out, "      so it must not happen at all")?;
        }
        let viewer = expectation.nodes.first().copied();
        match &expectation.timing {
            Some(Timing::At(moment) | Timing::NotBefore(moment)) => self.moment(out, moment, "the latest", viewer)?,
            Some(Timing::Within { after, .. }) => self.moment(out, after, "the latest", viewer)?,
            Some(Timing::Between(from, to)) => {
                self.moment(out, from, "the latest", viewer)?;
                self.moment(out, to, "the latest", viewer)?;
            }
            None => {}
        }
        if let Some((from, to)) = &expectation.during {
            self.moment(out, from, "the latest", viewer)?;
            self.moment(out, to, "the latest", viewer)?;
        }
        if let Verb::AnyOf(lists) = &expectation.verb {
            for inner in lists.iter().flatten() {
                self.expectation(out, inner)?;
            }
        }
        Ok(())
    }

    /// Which event a phrase means. `nearest` is what it is without an ordinal.
    fn moment(&self, out: &mut String, moment: &Moment, nearest: &str, viewer: Option<NodeId>) -> fmt::Result {
        let Some(event) = self.event(&moment.event, nearest, viewer) else { return Ok(()) };
        let offset = Duration::from_millis(moment.offset_ms.unsigned_abs());
        let relation = match moment.offset_ms {
            0 => String::new(),
            1.. => format!("{} after ", seconds(offset)),
            _ => format!("{} before ", seconds(offset)),
        };
        writeln!(out, "      `{}`: {relation}{event}", moment.text)
    }

    fn event(&self, event: &EventRef, nearest: &str, viewer: Option<NodeId>) -> Option<String> {
        let which = |ordinal: &Ordinal| match ordinal {
            Ordinal::Nearest => nearest,
            Ordinal::First => "the first",
            Ordinal::Second => "the second",
            Ordinal::Third => "the third",
            Ordinal::Last => "the latest",
            Ordinal::Nth(_) => "a certain",
        };
        let before = match viewer {
            Some(_) if nearest == "the latest" => " before what is judged",
            _ => "",
        };
        Some(match event {
            EventRef::Start | EventRef::End => return None,
            EventRef::On(connection, event) => {
                let event = self.event(event, nearest, viewer)?;
                format!("{event}, on the connection #{} of {}", connection.number, self.name(connection.client))
            }
            EventRef::Mark(name) => {
                let line =
                    self.plan.steps.iter().find(|step| matches!(&step.kind, StepKind::Mark(mark) if mark == name));
                format!("the instant that line {} names", line.map_or(0, |step| step.position.line))
            }
            EventRef::Packet { ordinal, packet, from, to, at } => {
                let what = match packet {
                    PacketKind::Any => "whole packet".to_owned(),
                    PacketKind::Type(packet) => packet.name().to_owned(),
                };
                let from = from.map(|node| format!(" of {}", self.name(node))).unwrap_or_default();
                let to = to.map(|node| format!(" for {}", self.name(node))).unwrap_or_default();
                let sees = at.or(viewer);
                let seen = match (sees, event) {
                    (Some(node), EventRef::Packet { from: Some(from), .. }) if node == *from => {
                        " as it leaves".to_owned()
                    }
                    (Some(node), _) => format!(" as it arrives, seen from {}", self.name(node)),
                    (None, _) => " as it leaves".to_owned(),
                };
                format!("{} {what}{from}{to}{before}{seen}", which(ordinal))
            }
            EventRef::Point { ordinal, point, of, .. } => {
                let what = match point {
                    Point::Open => "opening of a connection",
                    Point::Close => "end of a connection",
                    Point::Crash => "crash",
                    Point::PowerLoss => "power loss",
                    Point::Restart => "restart",
                    Point::Pause => "pause",
                    Point::Resume => "resumption",
                };
                format!("{} {what} of {}{before}", which(ordinal), self.name(*of))
            }
        })
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
