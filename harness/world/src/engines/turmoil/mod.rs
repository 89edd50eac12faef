//! The cross-check engine: the same plan on `turmoil::Sim`.
//!
//! Written by other people, and another way of making time: all hosts advance by a fixed tick. Where both engines can
//! tell a story, their packets must agree. What `turmoil::Sim` cannot say as this project's faults mean it is refused
//! with a reason ([`expressible`]).

mod expressible;
mod network;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use halfopen_protocol::{Clock, Instant};

use self::network::TickedNetwork;
use super::{EngineError, prepare};
use crate::director::Director;
use crate::node::{Disks, Programs};
use crate::plan::{NetworkChange, NetworkFault, NodeFault, NodeId, Plan};
use crate::record::Recorder;
use crate::script::{EngineCommand, Script};
use crate::trace::Trace;
use crate::{RunOptions, TICK};

/// Runs `plan` on `turmoil::Sim` with a tick of [`TICK`].
///
/// # Errors
/// The plan has something that `turmoil::Sim` cannot express, or the simulation failed.
pub(super) fn run(plan: &Arc<Plan>, options: RunOptions) -> Result<Trace, EngineError> {
    let RunOptions { observer, keeps_trace, defect, programs_under_test, event_limit, variation: _ } = options;
    expressible::check(plan)?;
    let mut sim = simulation(plan);
    // Within a host its own clock counts; between two ticks there is none but this.
    let elapsed = Rc::new(Cell::new(Duration::ZERO));
    let now = Rc::clone(&elapsed);
    let recorder = Recorder::new(move || whole_millis(turmoil::sim_elapsed().unwrap_or(now.get())));
    let programs = Programs::new(plan, defect, programs_under_test);
    prepare(&recorder, observer, keeps_trace);
    let mut director = Director::new(plan, &recorder, programs.switchboard().clone()).ending_after(event_limit);
    let network = TickedNetwork::new(plan, &recorder);
    for id in plan.node_ids() {
        let (programs, recorder, network) = (programs.clone(), recorder.clone(), network.on(id));
        sim.host(plan.node(id).name.clone(), move || {
            let program = programs.start(&recorder, id, network.clone(), TickedClock);
            async move {
                program.await;
                Ok(())
            }
        });
    }
    let disks = programs.disks();
    let mut seen = None;
    loop {
        let is_due = director.next_wake().is_some_and(|at| at <= elapsed.get());
        if is_due || seen != Some(recorder.len()) {
            direct(&mut director, &recorder, &mut sim, plan, disks);
            seen = Some(recorder.len());
        }
        if director.is_over() {
            return Ok(recorder.finish());
        }
        sim.step().map_err(|error| EngineError::Failed(error.to_string()))?;
        elapsed.set(sim.elapsed());
    }
}

fn simulation(plan: &Plan) -> turmoil::Sim<'static> {
    let mut builder = turmoil::Builder::new();
    builder
        .tick_duration(TICK)
        .simulation_duration(Duration::MAX)
        .rng_seed(plan.seed.derive("turmoil").0)
        .tcp_capacity(1024)
        .min_message_latency(plan.network.latency)
        .max_message_latency(plan.network.latency);
    builder.build()
}

/// Asks for orders and carries them out, until there are none at this instant.
fn direct(director: &mut Director, recorder: &Recorder, sim: &mut turmoil::Sim<'_>, plan: &Plan, disks: &Disks) {
    if recorder.len() == 0 {
        for (from, to, link) in &plan.links {
            sim.set_link_latency(plan.node(*from).name.as_str(), plan.node(*to).name.as_str(), link.latency);
        }
    }
    loop {
        let before = recorder.len();
        let orders = director.poll(recorder);
        let is_quiet = orders.is_empty() && recorder.len() == before;
        for order in orders {
            carry_out(order, recorder, sim, plan, disks);
        }
        if is_quiet || director.is_over() {
            return;
        }
    }
}

fn carry_out(order: EngineCommand, recorder: &Recorder, sim: &mut turmoil::Sim<'_>, plan: &Plan, disks: &Disks) {
    let name = |node: NodeId| plan.node(node).name.as_str();
    match order {
        EngineCommand::Node(node, NodeFault::LoseDisk) => {
            if disks.of(node).clear() {
                recorder.node(node, NodeFault::LoseDisk);
            }
        }
        EngineCommand::Node(node, fault) => {
            recorder.node(node, fault);
            match fault {
                NodeFault::Crash => sim.crash(name(node)),
                NodeFault::PowerLoss => {
                    for other in plan.node_ids().filter(|other| *other != node) {
                        sim.partition(name(node), name(other));
                    }
                    sim.crash(name(node));
                }
                NodeFault::Restart => sim.bounce(name(node)),
                _ => unreachable!("refused before the run began"),
            }
        }
        EngineCommand::Network(step, NetworkChange { scope, fault }) => {
            match fault {
                NetworkFault::HalfOpen { .. } => {
                    for (from, to) in scope.links {
                        sim.partition_oneway(name(from), name(to));
                    }
                }
                NetworkFault::Set(change) => {
                    for (from, to) in scope.links {
                        if let Some(latency) = change.latency {
                            sim.set_link_latency(name(from), name(to), latency);
                        }
                    }
                }
                NetworkFault::Partition { .. } | NetworkFault::Reset { .. } | NetworkFault::Heal => {
                    unreachable!("refused before the run began")
                }
            }
            // turmoil does not tell whether a link carried anything: taken on trust here, judged on the other engine.
            recorder.fault_hit(step);
        }
    }
}

/// The clock of a host of `turmoil::Sim`, counted from the start of the simulation.
#[derive(Clone)]
struct TickedClock;

impl Clock for TickedClock {
    fn now(&self) -> Instant {
        Instant::new(whole_millis(turmoil::sim_elapsed().unwrap_or_default()))
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + 'static {
        tokio::time::sleep(deadline - self.now())
    }
}

impl crate::node::WorldClock for TickedClock {}

/// tokio's timers have this resolution, so nothing finer has a meaning.
fn whole_millis(duration: Duration) -> Duration {
    Duration::new(duration.as_secs(), duration.subsec_millis() * 1_000_000)
}
