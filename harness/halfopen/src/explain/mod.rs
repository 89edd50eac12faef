//! A scenario in plain words: who is there, what happens when, what must be true, with the times that follow from the
//! rules beside it. Nothing is run.

mod left_out;
mod moments;
mod peers;
mod state;

use std::fmt::{self, Write as _};
use std::time::Duration;

use halfopen_protocol::packet::Connect;

use self::state::{Due, State};
use crate::plan::{
    Action, Command, EventRef, LinkSettings, NetworkChange, NetworkFault, Node, NodeFault, NodeId, Plan, Program,
    Scope, Step, StepKind,
};

/// How many runs are listed by name.
const RUNS: usize = 12;

/// How much wider than this a step is printed on a line of its own.
const WIDTH: usize = 60;

/// Tells one run, and names the others of its file.
pub(crate) fn explain(plan: &Plan, all: &[Plan], about: &str) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = Explained { plan, now: Now::default(), state: State::default() }.write(&mut out, all, about);
    out
}

struct Explained<'a> {
    plan: &'a Plan,
    now: Now,
    state: State,
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
        let left_out = left_out::left_out(self.plan);
        if !left_out.is_empty() {
            writeln!(out, "\nWhat the times do not count")?;
        }
        left_out.iter().try_for_each(|line| writeln!(out, "  {line}"))
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
                let granted = self.granted(client.to, connect);
                let patience = client.options.ping_timeout.unwrap_or(granted / 2);
                writeln!(out, "  {:<10} a client of {}: {}", node.name, self.name(client.to), of_connect(connect))?;
                if !granted.is_zero() {
                    let pings = "pings when it has sent nothing for";
                    let closes = "and closes when no answer comes for";
                    writeln!(out, "             {pings} {}, {closes} {}", seconds(granted), seconds(patience))?;
                }
                if !client.handling.is_zero() {
                    let busy = "its application is busy with each message for";
                    writeln!(out, "             {busy} {}, and nothing is read until then", seconds(client.handling))?;
                }
                peers::subscriptions(out, &client.options.subscriptions)?;
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
                peers::subscriptions(out, &raw.subscribe)?;
                peers::answers(out, &raw.answers)?;
                self.rules(out, raw.to, &raw.connect)
            }
            Program::RawBroker(raw) => {
                writeln!(out, "  {:<10} a raw broker: does what is written, and answers as a broker does", node.name)?;
                peers::answers(out, &raw.answers)
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

    /// The keep-alive that holds: the client's own, or what the broker tells it (5.0); 0 is none.
    fn granted(&self, broker: NodeId, connect: &Connect) -> Duration {
        let own = connect.keep_alive;
        let seconds = match &self.plan.node(broker).program {
            Program::Broker(broker) if connect.version.is_v5() => {
                let config = &broker.config;
                // None at all is longer than all others.
                let length = |keep_alive: u16| if keep_alive == 0 { u32::MAX } else { keep_alive.into() };
                let raised = config.min_keep_alive.filter(|&min| length(min) > length(own)).unwrap_or(own);
                let lowered = config.max_keep_alive.filter(|&max| length(max) < length(raised)).unwrap_or(raised);
                config.server_keep_alive.unwrap_or(lowered)
            }
            _ => own,
        };
        Duration::from_secs(seconds.into())
    }

    /// For how long the broker bears silence.
    fn deadline(&self, broker: NodeId, connect: &Connect) -> Option<Duration> {
        let keep_alive = self.granted(broker, connect);
        (!keep_alive.is_zero()).then(|| keep_alive.mul_f64(self.factor(broker)))
    }

    fn network(&self, out: &mut String) -> fmt::Result {
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
        self.now = Now { at: longest, or_later: self.is_uneven() };
        writeln!(
            out,
            "  {:>10}  {who}: TCP, CONNECT and CONNACK, and SUBACK where there are subscriptions, until {}",
            "0.000", self.now
        )
    }

    fn round_trip(&self, from: NodeId, to: NodeId) -> Duration {
        self.state.link(self.plan, from, to).latency + self.state.link(self.plan, to, from).latency
    }

    /// Whether packets may take longer than their link's latency.
    fn is_uneven(&self) -> bool {
        let links = std::iter::once(self.plan.network).chain(self.plan.links.iter().map(|(_, _, link)| *link));
        links.into_iter().any(is_uneven)
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
        self.state.pass(self.now.at);
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
        if let Some(told) = self.condition(out, node, action, say) {
            return told;
        }
        let (to, connect) = match &self.plan.node(node).program {
            Program::Client(client) => (client.to, &client.options.connect),
            Program::RawClient(raw) => (raw.to, &raw.connect),
            _ => {
                if action.fault().is_some_and(NodeFault::ends_process) {
                    self.state.break_something();
                }
                return Ok(());
            }
        };
        let trip = self.round_trip(node, to);
        match action {
            Action::Command { command: Command::Connect(_), .. } => self.answered(node, to, trip * 2),
            Action::Command {
                command: Command::Open | Command::Subscribe { .. } | Command::Unsubscribe(_), ..
            } => self.answered(node, to, trip),
            Action::Command { command: Command::Receive(_), .. } => self.now.or_later = true,
            Action::Command { command: Command::StopPinging, .. } if say => {
                return self.silence(out, node, "sends nothing more");
            }
            Action::Fault(NodeFault::PowerLoss) => {
                self.state.break_something();
                return if say { self.silence(out, node, "sends nothing more") } else { Ok(()) };
            }
            Action::Fault(NodeFault::Crash) => {
                self.state.break_something();
                return if say { self.ended(out, to, connect) } else { Ok(()) };
            }
            Action::Command { command: Command::Close(_), .. } if say => return self.ended(out, to, connect),
            _ => {}
        }
        Ok(())
    }

    /// An answer has come, after so long at least.
    fn answered(&mut self, node: NodeId, to: NodeId, after: Duration) {
        self.now.at += after;
        let uneven = |from, to| is_uneven(self.state.link(self.plan, from, to));
        self.now.or_later |= self.state.is_broken() || uneven(node, to) || uneven(to, node);
    }

    /// What an action does to a node, whatever runs on it. `None` if it is another kind of action.
    fn condition(&mut self, out: &mut String, node: NodeId, action: &Action, say: bool) -> Option<fmt::Result> {
        let now = self.now.at;
        let line = match action {
            Action::Fault(NodeFault::Pause(length)) => {
                let until = length.map(|length| now.saturating_add(length));
                self.state.pause(node, until);
                let until = until.map_or_else(|| "`resume`".to_owned(), |until| format!("{:.3}", until.as_secs_f64()));
                format!(
                    "it does nothing until {until}; what comes meanwhile waits, and what is due then is due at once"
                )
            }
            Action::Fault(NodeFault::Resume) => {
                self.state.resume(node);
                "it reads what has come, and then does what was due meanwhile".to_owned()
            }
            Action::Fault(NodeFault::ClockDrift(ppm)) => {
                self.state.drift(node, now, *ppm);
                format!("60s by its clock are over in {}", seconds(self.state.takes(node, Duration::from_secs(60))))
            }
            Action::Fault(NodeFault::ClockJump(by)) => {
                self.state.jump(node, now, *by);
                let length = seconds(self.state.takes(node, Duration::from_millis(by.unsigned_abs())));
                match by {
                    1.. => format!("what it waits for is due {length} sooner"),
                    _ => format!("its clock stands still for {length}, and what it waits for is due so much later"),
                }
            }
            Action::Fault(NodeFault::SetWallClock(_)) => {
                "its timers measure time with another clock, and go on as before".to_owned()
            }
            _ => return None,
        };
        let told = if say { writeln!(out, "  {:>10}    {line}", "") } else { Ok(()) };
        Some(told.and_then(|()| self.consequence(out, node, action, say)))
    }

    /// What follows for keep-alives from what was done to a clock or a process.
    fn consequence(&self, out: &mut String, node: NodeId, action: &Action, say: bool) -> fmt::Result {
        if !say {
            return Ok(());
        }
        match (&self.plan.node(node).program, action) {
            (Program::Client(_) | Program::RawClient(_), Action::Fault(NodeFault::Pause(length))) => {
                let until = length.map(|length| self.now.at.saturating_add(length));
                match (self.missed(node), until) {
                    (Some(Due::At(missed)), Some(until)) if until < missed => {
                        let at = missed.as_secs_f64();
                        writeln!(
                            out,
                            "  {:>10}    it goes on before it is missed, which would be at {at:.3} at the latest",
                            ""
                        )
                    }
                    _ => self.silence(out, node, "sends nothing until then"),
                }
            }
            (Program::Broker(_), Action::Fault(NodeFault::Pause(_))) => {
                writeln!(out, "  {:>10}    it closes nobody meanwhile, and answers no PINGREQ", "")
            }
            (Program::Broker(_), Action::Fault(NodeFault::ClockJump(by))) => {
                let by = Duration::from_millis(u64::try_from(*by).unwrap_or(0));
                let is_over = |id: &NodeId| {
                    let of = self.client(*id).filter(|(to, _)| *to == node);
                    of.and_then(|(to, connect)| self.deadline(to, connect)).is_some_and(|deadline| deadline <= by)
                };
                let over: Vec<_> = self.plan.node_ids().filter(is_over).map(|id| self.name(id)).collect();
                match over.as_slice() {
                    [] => Ok(()),
                    _ => writeln!(out, "  {:>10}    it closes at once: {}", "", over.join(", ")),
                }
            }
            (Program::Client(client), Action::Fault(NodeFault::ClockDrift(_))) => {
                let granted = self.granted(client.to, &client.options.connect);
                let Some(deadline) = self.deadline(client.to, &client.options.connect) else { return Ok(()) };
                let (pings, deadline) = (self.state.takes(node, granted), self.state.takes(client.to, deadline));
                let late = if pings >= deadline { ": too late" } else { "" };
                let (name, to) = (self.name(node), self.name(client.to));
                let (pings, deadline) = (seconds(pings), seconds(deadline));
                writeln!(out, "  {:>10}    {name} pings after {pings} of silence, {to} waits {deadline}{late}", "")
            }
            (Program::Broker(broker), Action::Fault(NodeFault::ClockDrift(_))) => {
                let factor = broker.config.keep_alive_factor;
                let minute = seconds(self.state.takes(node, Duration::from_secs(60).mul_f64(factor)));
                writeln!(out, "  {:>10}    it closes who promised a packet each 60s after {minute} of silence", "")
            }
            _ => Ok(()),
        }
    }

    /// The broker of a client, and what it connects with.
    fn client(&self, node: NodeId) -> Option<(NodeId, &Connect)> {
        match &self.plan.node(node).program {
            Program::Client(client) => Some((client.to, &client.options.connect)),
            Program::RawClient(raw) => Some((raw.to, &raw.connect)),
            _ => None,
        }
    }

    /// When the broker closes a client that has sent its last packet now, if it ever does.
    fn missed(&self, node: NodeId) -> Option<Due> {
        let (to, connect) = self.client(node)?;
        let arrival = self.now.at + self.state.link(self.plan, node, to).latency;
        self.deadline(to, connect).map(|deadline| self.state.due(to, arrival, deadline))
    }

    /// What follows when nothing more comes from a client; `why` is what it does or what happens to what it sends.
    fn silence(&self, out: &mut String, node: NodeId, why: &str) -> fmt::Result {
        let Some((to, connect)) = self.client(node) else { return Ok(()) };
        let (Some(deadline), Some(latest)) = (self.deadline(to, connect), self.missed(node)) else {
            return writeln!(out, "  {:>10}    keep-alive 0: nobody may ever notice", "");
        };
        let (name, broker) = (self.name(node), self.name(to));
        let (when, end) = match latest {
            Due::At(latest) => (format!("at {:.3} at the latest", latest.as_secs_f64()), Some(latest)),
            Due::WhenItGoesOn => (format!("not before {broker} goes on"), None),
        };
        let deadline = seconds(self.state.takes(to, deadline));
        writeln!(out, "  {:>10}    if {name} {why}, {broker} closes it {deadline} after its last packet: {when}", "")?;
        end.map_or(Ok(()), |end| self.after_the_end(out, (to, connect), end, "at the latest"))
    }

    fn ended(&self, out: &mut String, to: NodeId, connect: &Connect) -> fmt::Result {
        self.after_the_end(out, (to, connect), self.now.at, "and the time the end takes to arrive")
    }

    fn after_the_end(
        &self,
        out: &mut String,
        (to, connect): (NodeId, &Connect),
        end: Duration,
        how: &str,
    ) -> fmt::Result {
        let expiry = connect.session_expiry.filter(|_| connect.version.is_v5()).unwrap_or(0);
        let after = |wait: u32| match self.state.due(to, end, Duration::from_secs(wait.into())) {
            Due::At(at) => format!("at {:.3} {how}", at.as_secs_f64()),
            Due::WhenItGoesOn => format!("when {} goes on, or later", self.name(to)),
        };
        if let Some(will) = &connect.will {
            let delay = will.delay.filter(|_| connect.version.is_v5()).unwrap_or(0).min(expiry);
            writeln!(out, "  {:>10}    its will is published {}", "", after(delay))?;
        }
        if expiry > 0 && expiry < u32::MAX {
            writeln!(out, "  {:>10}    its session expires {}", "", after(expiry))?;
        }
        Ok(())
    }

    fn change(&mut self, out: &mut String, change: &NetworkChange) -> fmt::Result {
        let NetworkChange { scope: Scope { links, connection: number }, fault } = change;
        let what = match (fault, number) {
            (NetworkFault::HalfOpen { .. }, _) => {
                "both ends go on believing in the connection, and nothing arrives that goes this way"
            }
            (NetworkFault::Partition { .. }, Some(_)) => {
                "nothing of this connection that goes this way arrives until `heal`; others work"
            }
            (NetworkFault::Partition { .. }, None) => {
                "nothing that goes this way arrives until `heal`, new connections neither"
            }
            (NetworkFault::Reset { .. }, _) => {
                "the end at which this leads loses its connection, and the other does not hear of it"
            }
            (NetworkFault::Heal, _) => {
                return writeln!(out, "  {:>10}    what was not acknowledged arrives when TCP sends it again", "");
            }
            (NetworkFault::Set(change), None) => {
                self.state.change(self.plan, links, *change);
                for &(from, to) in links {
                    let now = settings(&self.state.link(self.plan, from, to));
                    writeln!(out, "  {:>10}    {} -> {}: {now}", "", self.name(from), self.name(to))?;
                }
                return Ok(());
            }
            (_, _) => "",
        };
        self.state.break_something();
        if let Some(packet) = fault.starting_with() {
            writeln!(out, "  {:>10}    not yet, but from the next {} on", "", packet.name())?;
        }
        if !what.is_empty() {
            writeln!(out, "  {:>10}    {what}", "")?;
        }
        if let Some(number) = number {
            // What the client does on its others is not known here.
            return writeln!(out, "  {:>10}    only the connection #{number} is meant, counted from the start", "");
        }
        if fault.starting_with().is_some() || matches!(fault, NetworkFault::Reset { .. }) {
            return Ok(());
        }
        links.iter().try_for_each(|(from, _)| self.silence(out, *from, "is not heard any more"))
    }

    fn end(&self, out: &mut String) -> fmt::Result {
        match &self.plan.until {
            Some(until) => writeln!(out, "  {:>10}  the run ends at {}", "", until.text),
            None => {
                writeln!(out, "  {:>10}  the run ends when everything below is decided, and 1s more", "")?;
                let waits = "for what does not come it waits as long as all times of this file together, and an hour";
                writeln!(out, "  {:>10}  {waits}; `until` sets another end", "")
            }
        }
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
    text
}

fn is_uneven(link: LinkSettings) -> bool {
    !link.jitter.is_zero() || link.loss > 0 || link.bandwidth.is_some()
}
