//! How fast time passes, beside `turmoil::Sim` on the same workload in the same run.
//!
//! The workload is the real thing: the project's broker, the project's clients, each on a host of its own, PINGREQ every
//! 60 s, everything recorded. `cargo bench -p halfopen --bench engines` prints the table, says for each budget whether it
//! is kept, and fails if one is not; with `-- --quick` the runs are short and nothing is judged.

use std::sync::Arc;
use std::time::Duration;

use halfopen::plan::{
    ClientProgram, ClientSettings, Command, Conditions, EventRef, LinkSettings, Moment, Node, NodeId, Origins, Plan,
    Program, RunName, Seed, Source, Step, StepId, StepKind,
};
use halfopen::run::{Ending, Runner};
use halfopen::trace::{Event, EventKind, Transmission};
use halfopen::world::Engine;
use halfopen_protocol::Version;
#[cfg(feature = "mimalloc")]
use mimalloc::MiMalloc;

/// The allocator of the program `halfopen`.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// One line of the table.
struct Row {
    clients: usize,
    keep_alive: u16,
    /// The client falls silent, and the run ends when it has been closed.
    silent: bool,
    /// For how much virtual time each engine runs; none where it would take minutes.
    sim: Duration,
    turmoil: Option<Duration>,
    budget: Budget,
}

enum Budget {
    None,
    /// So many times faster than real time.
    Speed(f64),
    /// The limit of wall time.
    Wall(Duration),
}

/// How many times faster than `turmoil::Sim` one client has to be.
const AGAINST_TURMOIL: f64 = 3000.0;

fn rows() -> Vec<Row> {
    let secs = Duration::from_secs;
    let pinging = |clients, sim, turmoil: Option<u64>, budget| Row {
        clients,
        keep_alive: 60,
        silent: false,
        sim: secs(sim),
        turmoil: turmoil.map(secs),
        budget,
    };
    vec![
        pinging(1, 2_000_000, Some(600), Budget::Speed(1_000_000.0)),
        pinging(10, 100_000, Some(120), Budget::None),
        pinging(50, 40_000, Some(5), Budget::None),
        pinging(100, 20_000, None, Budget::Speed(10_000.0)),
        pinging(1000, 600, None, Budget::Speed(150.0)),
        Row {
            clients: 1,
            keep_alive: 65535,
            silent: true,
            sim: secs(100_000),
            turmoil: None,
            budget: Budget::Wall(Duration::from_millis(5)),
        },
    ]
}

fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let mut kept = true;
    println!(
        "{:>7}  {:>10}  {:>16}  {:>18}  {:>10}  budget",
        "clients", "keep-alive", "event-driven", "turmoil::Sim", "ratio"
    );
    for row in rows() {
        let shorten = |duration: Duration| if quick { duration / 20 } else { duration };
        let runs = if quick { 1 } else { 3 };
        let sim = speed(&row, Engine::Sim, if row.silent { row.sim } else { shorten(row.sim) }, runs);
        let turmoil = row.turmoil.map(|duration| speed(&row, Engine::Turmoil, shorten(duration), 1));
        let ratio = turmoil.as_ref().map(|turmoil| sim.times / turmoil.times);
        let (budget, is_kept) = judge(&row, &sim, ratio);
        kept &= is_kept;
        // What a short run sets up weighs too much in it.
        let budget = if quick { "not judged" } else { &budget };
        println!(
            "{:>7}  {:>8} s  {:>14.0} x  {:>18}  {:>10}  {budget}",
            row.clients,
            row.keep_alive,
            sim.times,
            turmoil.map_or("-".into(), |turmoil| format!("{:.1} x", turmoil.times)),
            ratio.map_or("-".into(), |ratio| format!("{ratio:.0}")),
        );
    }
    println!("\nx: times faster than real time, the best of several runs.");
    kept &= fleets(quick);
    kept &= short_scenarios(quick);
    if !kept && !quick {
        eprintln!("a budget is not kept");
        std::process::exit(1);
    }
}

/// Number of runs of which the best counts: other programs on the machine can only make one slower.
const RUNS: usize = 3;

/// Returns the shortest time of several runs, or that of one.
fn best(quick: bool, run: impl Fn() -> Duration) -> Duration {
    (0..if quick { 1 } else { RUNS }).map(|_| run()).min().unwrap_or_default()
}

/// Packets a second and core that every size of a fleet has to reach, its checks included.
const PACKETS: f64 = 200_000.0;

/// How many times the cost of a packet with 1,000 clients one with 100,000 may have.
const GROWTH: f64 = 2.0;

/// Runs and judges fleets of growing size, and prints what a packet costs; whether the budgets are kept.
fn fleets(quick: bool) -> bool {
    println!(
        "\n{:>7}  {:>12}  {:>9}  {:>9}  {:>16}  budget",
        "clients", "virtual time", "packets", "wall time", "packets a second"
    );
    let mut kept = true;
    let mut cost_of_1000 = None;
    for (clients, seconds) in [(1, 2_000_000), (100, 40_000), (1000, 6000), (10_000, 600), (100_000, 600)] {
        if quick && clients > 1000 {
            continue;
        }
        let row = Row {
            clients,
            keep_alive: 60,
            silent: false,
            sim: Duration::from_secs(if quick { seconds / 20 } else { seconds }),
            turmoil: None,
            budget: Budget::None,
        };
        // All clients do the same, so the packets of one are counted.
        let packets = clients * packets(&plan(&Row { clients: 1, budget: Budget::None, ..row }, row.sim));
        let wall = best(quick, || judged(&plan(&row, row.sim)));
        let rate = packets as f64 / wall.as_secs_f64();
        let cost = rate.recip();
        if clients == 1000 {
            cost_of_1000 = Some(cost);
        }
        let growth = cost_of_1000.filter(|_| clients > 1000).map(|base| cost / base);
        let is_kept = rate >= PACKETS && growth.is_none_or(|growth| growth <= GROWTH);
        kept &= is_kept;
        let word = if quick {
            "not judged"
        } else if is_kept {
            "kept"
        } else {
            "NOT KEPT"
        };
        let growth =
            growth.map_or(String::new(), |growth| format!(", {growth:.1} times the cost with 1000 (at most {GROWTH})"));
        println!(
            "{clients:>7}  {:>10} s  {packets:>9}  {:>7.3} s  {rate:>16.0}  {PACKETS:.0} a second{growth}: {word}",
            row.sim.as_secs(),
            wall.as_secs_f64(),
        );
    }
    kept
}

/// Short scenarios a second and core.
const SHORT: f64 = 5000.0;

/// Runs and judges a short scenario many times; whether the budget is kept.
fn short_scenarios(quick: bool) -> bool {
    let row = Row {
        clients: 2,
        keep_alive: 60,
        silent: false,
        sim: Duration::from_secs(600),
        turmoil: None,
        budget: Budget::None,
    };
    let plan = plan(&row, row.sim);
    let count = if quick { 100 } else { 5000 };
    let packets = packets(&plan);
    let wall = best(quick, || (0..count).map(|_| judged(&plan)).sum());
    let rate = f64::from(count) / wall.as_secs_f64();
    let word = if quick {
        "not judged"
    } else if rate >= SHORT {
        "kept"
    } else {
        "NOT KEPT"
    };
    println!("\n{rate:.0} short scenarios a second (two clients, {packets} packets); {SHORT:.0}: {word}");
    rate >= SHORT
}

/// Runs and judges a plan as `halfopen run` does; how long the machine took.
#[expect(clippy::disallowed_types, reason = "a benchmark measures the machine's time")]
fn judged(plan: &Arc<Plan>) -> Duration {
    let begun = std::time::Instant::now();
    let finished = Runner::new(Engine::Sim).judge(plan);
    let wall = begun.elapsed();
    assert!(matches!(finished.ending, Ending::Passed { .. }), "all is well in this run");
    wall
}

/// Returns how many packets are sent in a run of a plan.
fn packets(plan: &Arc<Plan>) -> usize {
    let trace = Runner::new(Engine::Sim).trace(plan).expect("this engine can express everything");
    let is_packet = |event: &&Event| matches!(&event.kind, EventKind::Sent { item: Transmission::Packet(_), .. });
    trace.events.iter().filter(is_packet).count()
}

fn judge(row: &Row, sim: &Speed, ratio: Option<f64>) -> (String, bool) {
    let word = |kept| if kept { "kept" } else { "NOT KEPT" };
    match row.budget {
        Budget::None => (String::new(), true),
        Budget::Speed(times) => {
            let kept = sim.times >= times;
            match ratio {
                Some(ratio) => {
                    let both = kept && ratio >= AGAINST_TURMOIL;
                    (format!("{times:.0} x and {AGAINST_TURMOIL:.0} times turmoil::Sim: {}", word(both)), both)
                }
                None => (format!("{times:.0} x: {}", word(kept)), kept),
            }
        }
        Budget::Wall(wall) => {
            let kept = sim.wall <= wall;
            (format!("{:.3} ms of wall time, at most {wall:?}: {}", sim.wall.as_secs_f64() * 1e3, word(kept)), kept)
        }
    }
}

struct Speed {
    times: f64,
    wall: Duration,
}

#[expect(clippy::disallowed_types, reason = "a benchmark measures the machine's time")]
fn speed(row: &Row, engine: Engine, duration: Duration, runs: usize) -> Speed {
    let plan = plan(row, duration);
    let once = |_| {
        let begun = std::time::Instant::now();
        let trace = Runner::new(engine).trace(&plan).expect("both engines can express this");
        let wall = begun.elapsed();
        assert!(!trace.events.is_empty(), "nothing happened");
        Speed { times: trace.end.as_secs_f64() / wall.as_secs_f64(), wall }
    };
    (0..runs).map(once).min_by_key(|speed| speed.wall).expect("at least one run")
}

fn plan(row: &Row, duration: Duration) -> Arc<Plan> {
    let version = Version::V5_0;
    let broker = Node::new("broker", Program::Broker(Box::default()));
    // As of the members of a group: what they have in common is held once.
    let settings = ClientSettings::new(version, "fleet");
    let client = |number: usize| {
        let name = format!("fleet.{number}");
        let mut options = settings.clone();
        options.connect.client_id = name.as_str().into();
        options.connect.keep_alive = row.keep_alive;
        let program = ClientProgram::new(options, NodeId(0));
        Node::new(name, Program::Client(program))
    };
    let silence = Step {
        id: StepId(0),
        text: "stop_pinging".into(),
        kind: StepKind::Node { nodes: vec![NodeId(1)], actions: vec![Command::StopPinging.into()] },
    };
    Arc::new(Plan {
        run: RunName { scenario: "bench".into(), version, parameters: Vec::new() },
        source: Arc::new(Source::default()),
        version,
        seed: Seed(1),
        nodes: std::iter::once(broker).chain((1..=row.clients).map(client)).collect(),
        links: Vec::new(),
        network: LinkSettings::default(),
        middleboxes: Vec::new(),
        steps: if row.silent { vec![silence] } else { Vec::new() },
        expectations: Vec::new(),
        waived: Vec::new(),
        clauses: Vec::new(),
        until: Some(Moment {
            event: EventRef::Start,
            offset_ms: i64::try_from(duration.as_millis()).expect("a benchmark is no longer than that"),
            text: format!("{duration:?}"),
        }),
        tolerance: Duration::ZERO,
        origins: Origins::default(),
        fragments: Vec::new(),
        conditions: Conditions::default(),
    })
}
