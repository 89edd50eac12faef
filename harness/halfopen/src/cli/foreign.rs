//! `--broker` and `--client`: runs against other programs than the project's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::args::ProgramArgs;
use super::output::Failure;
use crate::check::Verdict;
use crate::defects::Defect;
use crate::plan::{Node, NodeId, Plan};
use crate::programs::{Profile, Role};
use crate::run::{Ending, Finished, Runner};
use crate::suite::for_guests::{Abilities, Adapted, adapted};
use crate::suite::identifiers::chosen_otherwise;
use crate::world::{EngineError, ProgramsUnderTest};

/// Maximum number of processes of clients in a run.
const CLIENTS: usize = 20;

/// The programs that take the place of the project's.
#[derive(Clone, Debug)]
pub(super) struct Foreign {
    /// The profiles that stand in the place of all of the project's programs.
    profiles: Vec<Profile>,
    /// The profiles that scenarios name on single nodes.
    named: BTreeMap<String, Profile>,
}

/// A run against a program, and what the verdict leaves out.
pub(super) struct Judged {
    pub(super) finished: Finished,
    /// Number of expectations that the program cannot be asked.
    pub(super) left_out: usize,
    /// True if it was skipped because it takes too long.
    pub(super) is_too_long: bool,
    /// The notes of the program: what it asked for in vain, and why two runs may differ.
    pub(super) notes: Vec<String>,
}

impl Foreign {
    /// Reads the profiles that the arguments and the plans name, if they name any.
    ///
    /// # Errors
    /// If there is none of a name, one has errors or another role, or its command is not there.
    pub(super) fn of(args: &ProgramArgs, plans: &[Arc<Plan>]) -> Result<Option<Self>, Failure> {
        let mut profiles = Vec::new();
        let mut troubles = Vec::new();
        for (option, role, name) in [("--broker", Role::Broker, &args.broker), ("--client", Role::Client, &args.client)]
        {
            let Some(name) = name else { continue };
            match profile(name, role) {
                Ok(profile) => profiles.extend(profile),
                Err(why) => troubles.push(if why.contains('\n') { why } else { format!("{option} {name}: {why}") }),
            }
        }
        let mut named = BTreeMap::new();
        for (plan, node) in plans.iter().flat_map(|plan| plan.nodes.iter().map(move |node| (plan, node))) {
            let Some(name) = profile_name(plan, node) else { continue };
            if named.contains_key(&name) {
                continue;
            }
            let role = if node.is_broker() { Role::Broker } else { Role::Client };
            match profile(&name, role) {
                Ok(profile) => drop(named.insert(name, profile)),
                Err(why) => {
                    troubles.push(format!("{}: `program` of {}: {why}", plan.source.path, node.name));
                    named.insert(name, None);
                }
            }
        }
        let named: BTreeMap<String, Profile> =
            named.into_iter().filter_map(|(name, profile)| Some((name, profile?))).collect();
        if !troubles.is_empty() {
            return Err(Failure::Input(troubles.join("\n")));
        }
        Ok((!profiles.is_empty() || !named.is_empty()).then_some(Self { profiles, named }))
    }

    /// Reads the profile of this name or path; none for `builtin`, the project's own broker.
    ///
    /// # Errors
    /// If there is none, it has errors, or its command is not there.
    pub(super) fn named(name: &str, role: Role) -> Result<Option<Self>, Failure> {
        let profile = profile(name, role).map_err(Failure::Input)?;
        Ok(profile.map(|profile| Self { profiles: vec![profile], named: BTreeMap::new() }))
    }

    /// Refuses defects, which only the project's programs have.
    ///
    /// # Errors
    /// If one is asked for.
    pub(super) fn refuse_defect(&self, defect: Option<Defect>) -> Result<(), Failure> {
        let refusal = "--defect is for the project's own programs, and --broker and --client are not";
        if defect.is_some() { Err(Failure::Input(refusal.to_owned())) } else { Ok(()) }
    }

    /// Returns the variables that the programs have from this process.
    pub(super) fn inherited(&self) -> Vec<(String, String)> {
        self.profiles.iter().chain(self.named.values()).flat_map(Profile::inherited).collect()
    }

    /// Returns a drawn story as one that the programs can be asked, and the programs. They are not asked what takes
    /// longer than the limit.
    ///
    /// # Errors
    /// Returns the reason why they cannot be asked.
    pub(super) fn adapt(&self, args: &ProgramArgs, plan: &Arc<Plan>) -> Result<(Arc<Plan>, ProgramsUnderTest), String> {
        let cast = self.cast(plan);
        if cast.is_empty() {
            return Err("it has no node that the program could be on".to_owned());
        }
        let mut adapted = Plan::clone(plan);
        for (profile, nodes) in &cast {
            adapted = adapted_to(profile, nodes, &adapted)?.plan;
        }
        let trace = Runner::default().trace(plan).map_err(|error| error.to_string())?;
        if args.virtual_limit.is_exceeded_by(trace.end) {
            return Err(format!("it takes {:.0?} of virtual time, more than {}", trace.end, args.virtual_limit));
        }
        adapted.tolerance += args.tolerance;
        let programs = programs_under_test(&cast).map_err(|error| format!("no folder for a program: {error}"))?;
        Ok((Arc::new(adapted), programs))
    }

    /// Runs a plan with the programs in the place of the project's, if it takes no longer than the limit, with the
    /// tolerance that the arguments give.
    pub(super) fn run(&self, own: &Runner, args: &ProgramArgs, plan: &Arc<Plan>) -> Judged {
        let limit = args.virtual_limit;
        let skipped = |why: String| Judged::of(own.finished(plan, Ending::Skipped(EngineError::NotFor(why))));
        let cast = self.cast(plan);
        if cast.is_empty() {
            return Judged::of(own.run(plan));
        }
        let mut adapted = Plan::clone(plan);
        let mut left_out = 0;
        for (profile, nodes) in &cast {
            match adapted_to(profile, nodes, &adapted) {
                Ok(of_profile) => {
                    adapted = of_profile.plan;
                    left_out += of_profile.left_out;
                }
                Err(why) => return skipped(why),
            }
        }
        // The project's own programs tell in no time how long the run takes, and their log is nobody's business.
        let without_log = tracing::subscriber::NoSubscriber::default();
        if let Ok(trace) = tracing::subscriber::with_default(without_log, || own.trace(plan))
            && limit.is_exceeded_by(trace.end)
        {
            let why = format!("it takes {:.0?} of virtual time, more than --virtual-limit {limit}", trace.end);
            return Judged { is_too_long: true, ..skipped(why) };
        }
        adapted.tolerance += args.tolerance;
        let adapted = Arc::new(adapted);
        match programs_under_test(&cast) {
            Ok(programs) => {
                let runner = Runner { programs_under_test: programs.clone(), ..own.clone() };
                let nodes = cast.iter().flat_map(|(_, nodes)| nodes.iter().copied()).collect();
                let finished = own_identifiers_only(runner.run(&adapted), &nodes);
                Judged { left_out, notes: programs.take_notes(), ..Judged::of(finished) }
            }
            Err(error) => {
                let error = EngineError::Program(format!("no folder for a program: {error}"));
                Judged::of(own.finished(&adapted, Ending::Broken(error)))
            }
        }
    }

    /// Returns which program runs on which nodes of a plan.
    fn cast(&self, plan: &Plan) -> Vec<(&Profile, BTreeSet<NodeId>)> {
        let is_named = |node: &NodeId, name: &str| profile_name(plan, plan.node(*node)).as_deref() == Some(name);
        let named = self.named.iter().map(|(name, profile)| {
            (profile, plan.node_ids().filter(|node| is_named(node, name)).collect::<BTreeSet<_>>())
        });
        let named = named.filter(|(_, nodes)| !nodes.is_empty());
        let others = self.profiles.iter().map(|profile| {
            let is_it = |node: &NodeId| {
                let node = plan.node(*node);
                node.played_by.is_none() && profile.role.is_of(&node.program)
            };
            (profile, plan.node_ids().filter(is_it).collect())
        });
        named.chain(others).collect()
    }
}

/// Takes from a run that did not pass what its scenario says, if that names Packet Identifiers which the programs on these nodes
/// did not choose. What the invariants found stays; without such a finding the run is skipped.
pub(super) fn own_identifiers_only(finished: Finished, nodes: &BTreeSet<NodeId>) -> Finished {
    let Ending::Judged(trace, outcome) = &finished.ending else { return finished };
    if finished.verdict() == Verdict::Pass {
        return finished;
    }
    let Some(why) = chosen_otherwise(&finished.plan, trace, nodes) else { return finished };
    let ending = match outcome.of_invariants() {
        Some(outcome) => Ending::Judged(trace.clone(), outcome),
        None => Ending::Skipped(EngineError::NotFor(why)),
    };
    Finished { ending, ..finished }
}

fn programs_under_test(cast: &[(&Profile, BTreeSet<NodeId>)]) -> std::io::Result<ProgramsUnderTest> {
    let mut programs = ProgramsUnderTest::default();
    for (profile, nodes) in cast {
        let program = profile.program_under_test()?;
        nodes.iter().for_each(|node| programs.add(*node, program.clone()));
    }
    Ok(programs)
}

/// Returns the name of the profile that a node names, or its path, as it is found from here.
fn profile_name(plan: &Plan, node: &Node) -> Option<String> {
    let name = node.played_by.as_ref()?;
    if !Profile::is_path(name) {
        return Some(name.clone());
    }
    let folder = Path::new(&plan.source.path).parent().unwrap_or(Path::new(""));
    Some(folder.join(name).display().to_string())
}

/// Reads a profile; none for `builtin`, the project's own program.
fn profile(name: &str, role: Role) -> Result<Option<Profile>, String> {
    if name == "builtin" {
        return Ok(None);
    }
    let profile = Profile::find(name).map_err(|error| error.to_string())?;
    if profile.role != role {
        return Err(format!("profile {}: it is a {}, and not a {role}", profile.name, profile.role));
    }
    profile.check_command()?;
    Ok(Some(profile))
}

/// Returns the plan as the program of a profile can be judged by it.
///
/// # Errors
/// Why it cannot.
fn adapted_to(profile: &Profile, nodes: &BTreeSet<NodeId>, plan: &Plan) -> Result<Adapted, String> {
    let (role, nodes) = (profile.role, nodes.clone());
    if nodes.is_empty() {
        return Err(format!("it has no {role} that the program could be"));
    }
    if role == Role::Client && nodes.len() > CLIENTS {
        return Err(format!("it has {} clients, and more than {CLIENTS} processes are too many", nodes.len()));
    }
    if let Some(why) = profile.does_not_speak(plan).or_else(|| profile.lacks(plan)) {
        return Err(why);
    }
    let does_not_take = |program: &_| profile.does_not_take(program);
    let mut plan = plan.clone();
    for node in &nodes {
        let node = &mut plan.nodes[node.0];
        node.played_by = Some(profile.name.clone());
        profile.set_together(&mut node.program);
    }
    if let Some(login) = profile.login() {
        login.give_to_all(&mut plan)?;
    }
    let abilities =
        Abilities { nodes, role, does_not_take: &does_not_take, has_clock: true, reasons: profile.reasons() };
    let mut adapted = adapted(&plan, &abilities)?;
    abilities.nodes.iter().for_each(|node| profile.fix(&mut adapted.plan.nodes[node.0].program));
    Ok(adapted)
}

impl Judged {
    /// A run of which nothing was left out.
    pub(super) fn of(finished: Finished) -> Self {
        Self { finished, left_out: 0, is_too_long: false, notes: Vec::new() }
    }
}
