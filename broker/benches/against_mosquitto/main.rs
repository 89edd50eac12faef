//! `halfopen-broker` and Mosquitto on the same machine, in the same run, under the same load.
//!
//! `cargo bench -p halfopen-broker --bench against_mosquitto` prints the table; with `-- --quick` each figure is taken
//! once and briefly, with `-- --memory` only the connections are measured. Each broker runs as a program of its own,
//! with its log switched off; the load comes from one thread of this program over the loopback interface.
//!
//! Every load is a closed loop: the publisher has at most [`WINDOW`] messages under way, counted until the last
//! subscriber has them (for QoS 2: until PUBREL) and, above QoS 0, the publisher has its last acknowledgement. So no
//! broker can win by dropping or by queueing.

mod load;
mod server;

use std::process::ExitCode;
use std::time::Duration;

use self::load::Load;
use self::server::{Server, ServerKind};

/// How many messages the publisher has under way.
const WINDOW: u32 = 100;
/// How many idle connections there are when memory is measured.
const CONNECTIONS: u32 = 5000;

/// What one broker reached, in the order of [`rows`].
type Figures = Vec<f64>;

fn main() -> ExitCode {
    let quick = std::env::args().any(|argument| argument == "--quick");
    if let Err(missing) = ServerKind::Mosquitto.program() {
        println!("{missing}: nothing to compare with");
        return if quick { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let only_memory = std::env::args().any(|argument| argument == "--memory");
    let loads: Vec<_> = if only_memory { Vec::new() } else { loads().collect() };
    let measure = |kind| runtime.block_on(tokio::task::LocalSet::new().run_until(measure(kind, &loads, quick)));
    let rounds = if quick { 1 } else { 3 };
    let (mut ours, mut theirs): (Vec<Figures>, Vec<Figures>) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours.push(measure(ServerKind::Halfopen));
        theirs.push(measure(ServerKind::Mosquitto));
    }
    print_table(&loads, &ours, &theirs);
    ExitCode::SUCCESS
}

/// The throughput rows: QoS and subscribers.
fn loads() -> impl Iterator<Item = (u8, u32)> {
    [1, 100].into_iter().flat_map(|subscribers| (0..=2).map(move |qos| (qos, subscribers)))
}

async fn measure(kind: ServerKind, loads: &[(u8, u32)], quick: bool) -> Figures {
    let mut figures = Figures::new();
    let (warm_up, time) = if quick { (50, 200) } else { (300, 1500) };
    for &(qos, subscribers) in loads {
        let server = Server::start(kind).await;
        let load = Load { port: server.port, qos, subscribers, window: WINDOW };
        figures.push(load.run(Duration::from_millis(warm_up), Duration::from_millis(time)).await);
    }
    let connections = if quick { 200 } else { CONNECTIONS };
    let server = Server::start(kind).await;
    let before = server.resident_bytes();
    let (rate, open) = load::open_connections(server.port, connections);
    figures.push(rate);
    figures.push((server.resident_bytes() - before) / f64::from(connections));
    drop(open);
    figures
}

fn print_table(loads: &[(u8, u32)], ours: &[Figures], theirs: &[Figures]) {
    let names = loads
        .iter()
        .map(|(qos, subscribers)| format!("messages delivered per second, QoS {qos}, 1 to {subscribers}"))
        .chain(["connections per second".to_owned(), "bytes of memory per idle connection".to_owned()]);
    println!("| {:<50} | halfopen-broker | Mosquitto | ours / theirs |", "");
    println!("|{}|----------------:|----------:|--------------:|", "-".repeat(52));
    for (row, name) in names.enumerate() {
        let (ours, theirs) = (median(ours, row), median(theirs, row));
        println!("| {name:<50} | {ours:>15.0} | {theirs:>9.0} | {:>13.2} |", ours / theirs);
    }
}

fn median(rounds: &[Figures], row: usize) -> f64 {
    let mut figures: Vec<f64> = rounds.iter().map(|figures| figures[row]).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
