//! `--live`: runs in real time, against a broker that runs already, or that is started for each run.

mod login;
mod measure;
mod namespace;
mod running;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use self::login::{Login, login};
use self::measure::Measured;
use self::running::Running;
use super::foreign::{Judged, own_identifiers_only};
use super::options::RunCommand;
use super::output::Failure;
use super::select::Chosen;
use crate::plan::{Action, BrokerProgram, Command, NodeFault, Plan, Program, Step, StepKind, Transport};
use crate::programs::{Profile, Role};
use crate::run::{Ending, Runner};
use crate::suite::for_guests::{self, Abilities, Adapted, adapted};
use crate::world::{
    Engine, EngineError, ProgramUnderTest, ProgramsUnderTest, RealTime, RemoteBroker, RemoteOptions, StartedRemote,
    live_means,
};

/// Maximum number of repetitions of a run for which the machine was too busy.
const TRIES: u32 = 3;
/// Additional time that a run may take, compared with the project's broker.
const LONGER: Duration = Duration::from_secs(10);

/// The broker that the scenarios run against, in real time.
pub(super) struct Live {
    target: Target,
    measured: Measured,
    /// The user name and password of all clients.
    login: Option<Login>,
    /// The name that keeps the runs of this command apart from those of others.
    name: String,
}

enum Target {
    /// The project's own broker, to see what real time alone changes.
    Builtin,
    /// A broker that runs already, and the profile that says what it speaks and lacks, if one is given.
    Running(Running, Option<Profile>),
    /// A program that is started for each run.
    Started(Profile),
}

impl Live {
    /// Finds what the command names, and measures the machine.
    ///
    /// # Errors
    /// If there is no such profile, or nothing listens at the address.
    pub(super) fn of(command: &RunCommand) -> Result<Option<Self>, Failure> {
        let Some(text) = &command.live.live else { return Ok(None) };
        let target = Target::of(text, command)?;
        let login = login(&command.live)?.or_else(|| target.profile()?.login().cloned());
        let name = measure::unique_name();
        let running = if let Target::Running(running, _) = &target { Some(running) } else { None };
        let measured = Measured::take(running, &name, login.as_ref());
        let measured = measured.map_err(|why| Failure::Input(format!("--live {text}: {why}")))?;
        Ok(Some(Self { target, measured, login, name }))
    }

    /// Returns what was measured, for people.
    pub(super) fn measured(&self) -> &Measured {
        &self.measured
    }

    /// Number of runs at the same time that make sense: they wait most of the time.
    pub(super) const JOBS: usize = 16;

    /// Puts the shortest runs first, by how long they take with the project's broker.
    pub(super) fn sort(chosen: &mut [Chosen]) {
        chosen.sort_by_cached_key(|chosen| duration(&chosen.plan));
    }

    /// Runs a plan.
    pub(super) fn run(&self, command: &RunCommand, plan: &Arc<Plan>) -> Judged {
        let own = command.run.runner();
        let skipped = |why: String| Judged::of(own.finished(plan, Ending::Skipped(EngineError::NotFor(why))));
        let limit = command.live.time_limit;
        let takes = duration(plan);
        if limit.is_exceeded_by(takes) {
            let why = format!("it takes {takes:.0?}, more than --time-limit {limit}");
            return Judged { is_too_long: true, ..skipped(why) };
        }
        let (mut adapted, left_out) = match self.adapted(plan) {
            Ok(adapted) => adapted,
            Err(why) => return skipped(why),
        };
        adapted.tolerance += self.measured.tolerance();
        if let Some(Err(why)) = self.login.as_ref().map(|login| login.give_to_all(&mut adapted)) {
            return skipped(why);
        }
        if let Target::Running(..) = self.target {
            let name = format!("{}{:x}", self.name, crate::plan::Seed(0).derive(&plan.run.to_string()).0 & 0xff_ffff);
            if let Err(why) = namespace::move_into(&mut adapted, &name) {
                return skipped(format!("{why}: on a broker that others use, too, runs have names of their own"));
            }
        }
        let adapted = Arc::new(adapted);
        let real_time = RealTime { limit: takes + takes / 4 + LONGER, tolerance: self.measured.tolerance() };
        let mut tries = TRIES;
        loop {
            tries -= 1;
            let program_under_test = match self.program_under_test() {
                Ok(program_under_test) => program_under_test,
                Err(error) => {
                    let error = EngineError::Program(error.to_string());
                    return Judged::of(own.finished(&adapted, Ending::Broken(error)));
                }
            };
            let programs_under_test = program_under_test
                .map_or_else(ProgramsUnderTest::default, |program| ProgramsUnderTest::brokers(&adapted, &program));
            let finished = Runner { programs_under_test, engine: Engine::Live(real_time), ..own.clone() }.run(&adapted);
            if tries > 0 && matches!(finished.ending, Ending::Broken(EngineError::TooBusy(_))) {
                continue;
            }
            let finished = own_identifiers_only(finished, &for_guests::brokers(plan));
            return Judged { left_out, ..Judged::of(finished) };
        }
    }

    /// Returns the plan for this broker, and how much was left out.
    fn adapted(&self, plan: &Plan) -> Result<(Plan, usize), String> {
        let profile = self.target.profile();
        let is_started = match self.target {
            Target::Builtin => return Ok((plan.clone(), 0)),
            Target::Running(..) => false,
            Target::Started(_) => true,
        };
        let brokers = plan.nodes.iter().filter(|node| matches!(node.program, Program::Broker(_))).count();
        match (brokers, is_started) {
            (0, _) => return Err("it has no broker that the program could be".to_owned()),
            (2.., false) => return Err("it has several brokers".to_owned()),
            _ => {}
        }
        if let Some(why) = profile.and_then(|profile| profile.does_not_speak(plan).or_else(|| profile.lacks(plan))) {
            return Err(why);
        }
        if let Some(fault) = impossible(&plan.steps, plan, is_started) {
            return Err(fault);
        }
        // Only a program that is started for the run can be told something, and leaves a log that can be read.
        let started = profile.filter(|_| is_started);
        let does_not_take = |program: &Program| match started {
            Some(profile) => profile.does_not_take(program),
            None => self.differs(program),
        };
        let reasons = started.map(Profile::reasons).unwrap_or_default();
        let mut plan = plan.clone();
        let nodes = for_guests::brokers(&plan);
        if let Some(profile) = started {
            nodes.iter().for_each(|node| profile.set_together(&mut plan.nodes[node.0].program));
        }
        let role = Role::Broker;
        let abilities = Abilities { nodes, role, does_not_take: &does_not_take, has_clock: false, reasons };
        let Adapted { mut plan, left_out } = adapted(&plan, &abilities)?;
        if let Some(profile) = profile {
            abilities.nodes.iter().for_each(|node| profile.fix(&mut plan.nodes[node.0].program));
        }
        if let Target::Running(running, _) = &self.target {
            for node in &mut plan.nodes {
                if let Program::Broker(broker) = &mut node.program {
                    broker.transport = running.transport();
                }
            }
        }
        Ok((plan, left_out))
    }

    /// Returns why a broker that runs already is not what a scenario has in its place, if so. Any transport is right where the scenario
    /// names none.
    fn differs(&self, program: &Program) -> Option<String> {
        let Program::Broker(broker) = program else {
            return Some("it sets something on a broker, which runs already".to_owned());
        };
        let speaks =
            |transport| matches!(&self.target, Target::Running(running, _) if running.transport() == transport);
        if broker.transport == Transport::WebSocket && !speaks(Transport::WebSocket) {
            return Some("it needs a port for WebSocket: `--live ws://HOST:PORT`".to_owned());
        }
        let others = BrokerProgram { transport: Transport::Tcp, ..(**broker).clone() };
        (others != BrokerProgram::default()).then(|| "it sets something on a broker, which runs already".to_owned())
    }

    fn program_under_test(&self) -> std::io::Result<Option<ProgramUnderTest>> {
        match &self.target {
            Target::Builtin => Ok(None),
            Target::Started(profile) => profile.live_guest().map(Some),
            Target::Running(running, _) => {
                let (running, address) = (running.clone(), running.address());
                Ok(Some(ProgramUnderTest::remote(RemoteBroker::new(RemoteOptions {
                    start: Box::new(move |_, _, _| Ok(StartedRemote { address, process: None })),
                    connect: Box::new(move |_| {
                        let running = running.clone();
                        Box::pin(async move { running.connect().await })
                    }),
                    ready_within: Duration::ZERO,
                    read_log: Box::new(|_| None),
                }))))
            }
        }
    }
}

impl Target {
    /// Returns the profile that describes the broker, if one does.
    fn profile(&self) -> Option<&Profile> {
        match self {
            Self::Builtin => None,
            Self::Running(_, profile) => profile.as_ref(),
            Self::Started(profile) => Some(profile),
        }
    }

    /// Finds what `--live` names.
    fn of(text: &str, command: &RunCommand) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::Input(format!("--live {text}: {why}"));
        let of_a_broker = |name: &str| {
            let profile = Profile::find(name).map_err(|error| Failure::Input(error.to_string()))?;
            if profile.role == Role::Broker {
                Ok(profile)
            } else {
                Err(wrong(format!("the profile {name} is of a client: in real time there are brokers alone")))
            }
        };
        let is = command.run.program.broker.as_deref();
        if let Some(running) = Running::of(text, &command.live).map_err(wrong)? {
            return Ok(Self::Running(running, is.map(of_a_broker).transpose()?));
        }
        if let Some(is) = is {
            return Err(wrong(format!(
                "`--broker {is}` says what a broker at an address is, as in `--live tcp://HOST:PORT --broker {is}`; \
                 `--live {is}` starts it"
            )));
        }
        if text == "builtin" {
            return Ok(Self::Builtin);
        }
        let profile = of_a_broker(text)?;
        profile.check_command().map_err(Failure::Input)?;
        Ok(Self::Started(profile))
    }
}

/// Returns how long a run takes with the project's broker, which tells it in no time; 0 if that fails.
fn duration(plan: &Arc<Plan>) -> Duration {
    // Its log is nobody's business.
    let without_log = tracing::subscriber::NoSubscriber::default();
    let trace = tracing::subscriber::with_default(without_log, || Runner::default().trace(plan));
    trace.map_or(Duration::ZERO, |trace| trace.end)
}

/// Returns what of the steps cannot be done to this broker, if there is anything.
fn impossible(steps: &[Step], plan: &Plan, is_started: bool) -> Option<String> {
    let of_fault = |fault: NodeFault| {
        let why = live_means(fault, is_started).err()?;
        Some(format!("`{}` of a broker: {why}", fault.word()))
    };
    steps.iter().find_map(|step| match &step.kind {
        StepKind::Node { nodes, actions } => {
            let commands =
                |action: &Action| matches!(action.command(), Some(Command::Shutdown | Command::Configure(_)));
            if actions.iter().any(commands) {
                return Some("it shuts a broker down or configures it while it runs".to_owned());
            }
            let is_of_broker = nodes.iter().any(|node| matches!(plan.node(*node).program, Program::Broker(_)));
            actions.iter().filter(|_| is_of_broker).find_map(|action| of_fault(action.fault()?))
        }
        StepKind::Every { steps, .. } | StepKind::Repeat { steps, .. } | StepKind::Whenever { steps, .. } => {
            impossible(steps, plan, is_started)
        }
        StepKind::Wait(_) | StepKind::At(_) | StepKind::Mark(_) | StepKind::Network(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the table in the documentation.
    fn rows() -> String {
        let faults = [
            NodeFault::Crash,
            NodeFault::PowerLoss,
            NodeFault::Restart,
            NodeFault::LoseDisk,
            NodeFault::Pause(None),
            NodeFault::Resume,
            NodeFault::StopReading,
            NodeFault::ResumeReading,
            NodeFault::ClockDrift(1),
            NodeFault::ClockJump(1),
            NodeFault::SetWallClock(1),
        ];
        let cell = |fault, is_started| {
            live_means(fault, is_started).map_or_else(|why| format!("no: {why}"), |()| "yes".to_owned())
        };
        let row =
            |fault: NodeFault| format!("| `{}` | {} | {} |\n", fault.word(), cell(fault, true), cell(fault, false));
        faults.map(row).concat()
    }

    #[test]
    fn documentation_says_which_faults_of_a_broker_are_skipped() {
        let page = include_str!("../../../../docs/live.md");
        assert!(page.contains(&rows()), "docs/live.md does not have these rows:\n{}", rows());
    }

    #[test]
    fn tolerance_is_never_less_than_what_was_measured() {
        let measured = Measured::take(None, "", None).unwrap();
        assert!(measured.tolerance() >= Duration::from_millis(50), "{measured}");
        assert!(measured.to_string().starts_with("tolerance +-"), "{measured}");
    }
}
