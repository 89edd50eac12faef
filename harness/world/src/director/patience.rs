//! How long a run without `until` waits for what is expected and does not come.
//!
//! All times that the plan knows are waited for, one after the other: three keep-alives, the longest will delay, session
//! expiry, message expiry, reconnect pause and give-up time, and the times in expectations; and an hour more. So what can
//! come of the story comes before the run gives up. A run that still writes event after event (pings, above all) is cut
//! after the three keep-alives and the hour, once it has recorded [`MANY_EVENTS`] more.

use std::time::Duration;

use halfopen_protocol::Packet;
use halfopen_protocol::packet::{Connect, Disconnect, Publish};

use crate::plan::{
    Action, Command, Expectation, LinkSettings, Moment, NetworkFault, Outgoing, Plan, Program, Step, StepKind, Timing,
    Verb,
};

/// The time that is added to the times that the plan knows.
const HOUR: Duration = Duration::from_secs(3600);

/// The longest time that is waited for at all: what is meant to be later has to be said with `until`.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// A run that records more events than this while it waits does not wait for the longer times.
const MANY_EVENTS: usize = 100_000;

/// The time for which a run waits once its script does not move on by itself.
pub(super) struct Patience {
    /// The minimum.
    least: Duration,
    /// The maximum, as long as little happens.
    most: Duration,
    /// Time since which the run waits, and how many events it had then.
    since: Option<(Duration, usize)>,
}

impl Patience {
    pub(super) fn new(plan: &Plan) -> Self {
        let known = Known::of(plan);
        let least = 3 * seconds(known.keep_alive) + HOUR;
        Self { least, most: least.saturating_add(known.others()).min(LONGEST.max(least)), since: None }
    }

    /// Notes whether the run only waits; `events` is how many it has recorded.
    pub(super) fn note(&mut self, is_quiet: bool, now: Duration, events: usize) {
        self.since = is_quiet.then(|| self.since.unwrap_or((now, events)));
    }

    /// The instant at which the run gives up, if it waits.
    pub(super) fn end(&self, events: usize) -> Option<Duration> {
        let (since, before) = self.since?;
        Some(since + if events - before > MANY_EVENTS { self.least } else { self.most })
    }
}

/// The longest times of each kind that a plan speaks of; seconds where MQTT has seconds.
#[derive(Default)]
struct Known {
    keep_alive: u32,
    will_delay: u32,
    session_expiry: u32,
    message_expiry: u32,
    reconnect: Duration,
    give_up: Duration,
    expectation_ms: i64,
}

impl Known {
    fn of(plan: &Plan) -> Self {
        let mut known = Self::default();
        for node in &plan.nodes {
            match &node.program {
                Program::Broker(broker) => {
                    known.keep_alive = known.keep_alive.max(broker.config.server_keep_alive.unwrap_or(0).into());
                }
                Program::Client(client) => {
                    known.connect(&client.options.connect);
                    let pause = client.options.reconnect.as_ref().map_or(Duration::ZERO, |reconnect| reconnect.max);
                    known.reconnect = known.reconnect.max(pause);
                }
                Program::RawClient(client) => known.connect(&client.connect),
                Program::RawBroker(_) => {}
            }
        }
        plan.links.iter().for_each(|(.., link)| known.link(link.give_up));
        known.link(plan.network.give_up);
        known.steps(&plan.steps);
        plan.expectations.iter().for_each(|expectation| known.expectation(expectation));
        known
    }

    fn others(&self) -> Duration {
        let expectation = Duration::from_millis(self.expectation_ms.max(0).unsigned_abs());
        let of_mqtt = [self.will_delay, self.session_expiry, self.message_expiry].map(seconds);
        of_mqtt
            .into_iter()
            .chain([self.reconnect, self.give_up, expectation])
            .fold(Duration::ZERO, |sum, time| sum + time)
    }

    fn connect(&mut self, connect: &Connect) {
        self.keep_alive = self.keep_alive.max(connect.keep_alive.into());
        self.session_expiry(connect.session_expiry);
        if let Some(will) = &connect.will {
            self.will_delay = self.will_delay.max(will.delay.unwrap_or(0));
            self.message_expiry = self.message_expiry.max(will.message_expiry.unwrap_or(0));
        }
    }

    /// Takes note of a session expiry; one that never ends is not waited for.
    fn session_expiry(&mut self, seconds: Option<u32>) {
        let expiry = seconds.filter(|seconds| *seconds != u32::MAX).unwrap_or(0);
        self.session_expiry = self.session_expiry.max(expiry);
    }

    fn publish(&mut self, publish: &Publish) {
        self.message_expiry = self.message_expiry.max(publish.message_expiry.unwrap_or(0));
    }

    fn disconnect(&mut self, disconnect: &Disconnect) {
        self.session_expiry(disconnect.session_expiry);
    }

    /// The usual give-up time is a part of the hour.
    fn link(&mut self, give_up: Duration) {
        self.give_up = self.give_up.max(give_up.saturating_sub(LinkSettings::default().give_up));
    }

    fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            match &step.kind {
                StepKind::Node { actions, .. } => {
                    actions.iter().flat_map(Action::commands).for_each(|command| self.command(command));
                }
                StepKind::Network(change) => self.network(&change.fault),
                StepKind::Every { steps, .. } | StepKind::Repeat { steps, .. } | StepKind::Whenever { steps, .. } => {
                    self.steps(steps);
                }
                StepKind::Wait(_) | StepKind::At(_) | StepKind::Mark(_) => {}
            }
        }
    }

    fn command(&mut self, command: &Command) {
        match command {
            Command::Connect(connect) => connect.with.values().for_each(|connect| self.connect(connect)),
            Command::Publish(publish) => self.publish(publish),
            Command::Disconnect(disconnect) => self.disconnect(disconnect),
            Command::Send(items) => {
                for item in items {
                    match item {
                        Outgoing::Packet(Packet::Connect(connect)) => self.connect(connect),
                        Outgoing::Packet(Packet::Publish(publish)) => self.publish(publish),
                        Outgoing::Packet(Packet::Disconnect(disconnect)) => self.disconnect(disconnect),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn network(&mut self, fault: &NetworkFault) {
        if let NetworkFault::Set(change) = fault {
            change.give_up.into_iter().for_each(|give_up| self.link(give_up));
        }
    }

    fn expectation(&mut self, expectation: &Expectation) {
        if let Verb::AnyOf(alternatives) = &expectation.verb {
            alternatives.iter().flatten().for_each(|expectation| self.expectation(expectation));
        }
        let mut moments: Vec<(&Moment, Duration)> = Vec::new();
        if let Some((from, to)) = &expectation.during {
            moments.extend([(from, Duration::ZERO), (to, Duration::ZERO)]);
        }
        match &expectation.timing {
            Some(Timing::At(moment) | Timing::NotBefore(moment)) => moments.push((moment, Duration::ZERO)),
            Some(Timing::Between(from, to)) => moments.extend([(from, Duration::ZERO), (to, Duration::ZERO)]),
            Some(Timing::Within { after, duration }) => moments.push((after, *duration)),
            None => {}
        }
        for (moment, more) in moments {
            let more = i64::try_from(more.as_millis()).unwrap_or(i64::MAX);
            self.expectation_ms = self.expectation_ms.max(moment.offset_ms.saturating_add(more));
        }
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}
