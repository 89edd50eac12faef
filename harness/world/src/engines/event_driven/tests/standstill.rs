//! Processes that stand still, programs that do not read, clocks that go otherwise than the world's.

use std::time::Duration;

use halfopen_protocol::{Clock, Instant};
use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::faults::writes_at;
use super::fixture::*;
use crate::plan::NodeFault;
use crate::plan::NodeId;
use crate::script::EngineCommand;
use crate::trace::EventKind;

fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

/// Notes each of its own seconds at which a timer is due.
async fn ticks(host: Host, count: u64) {
    for tick in 1..=count {
        host.clock.sleep_until(Instant::from_millis(tick * 1_000)).await;
        host.tick(tick);
    }
}

#[rstest]
#[case::for_a_time(EngineCommand::Node(SERVER, NodeFault::Pause(seconds(3))), None)]
#[case::until_it_is_told(
    EngineCommand::Node(SERVER, NodeFault::Pause(None)),
    Some(EngineCommand::Node(SERVER, NodeFault::Resume))
)]
fn a_paused_process_reads_what_has_come_when_it_goes_on(
    #[case] pause: EngineCommand,
    #[case] resume: Option<EngineCommand>,
) {
    let mut world = World::new().node(echo).node(writes_at(&[500, 1_500, 2_500])).at(1_000, pause);
    if let Some(resume) = resume {
        world = world.at(4_000, resume);
    }
    let outcome = world.run();
    // The kernel has acknowledged: nothing was sent again, and all is there at once.
    assert_eq!(outcome.of("server"), ["30 server: accepted", "510 server: read a", "4000 server: read bc"]);
    assert_eq!(outcome.of("client"), ["2500 client: read a", "4010 client: read bc"]);
}

#[test]
fn timers_of_a_paused_process_are_all_due_when_it_goes_on() {
    let outcome = World::new()
        .node(|host| async move { ticks(host, 5).await })
        .at(1_500, EngineCommand::Node(SERVER, NodeFault::Pause(seconds(2))))
        .run();
    assert_eq!(outcome.world_times(), [1_000, 3_500, 3_500, 4_000, 5_000]);
}

#[test]
fn what_has_come_is_read_before_timers_that_have_passed_are_due() {
    let outcome = World::new()
        .node(|host| async move {
            serve(host, |host, mut stream| async move {
                let mut letter = [0];
                tokio::select! {
                    biased;
                    () = host.until(2_000) => host.note("too late"),
                    read = stream.read(&mut letter) => host.note(format!("read {}", read.is_ok())),
                }
            })
            .await;
        })
        .node(writes_at(&[1_900]))
        .at(1_000, EngineCommand::Node(SERVER, NodeFault::Pause(seconds(10))))
        .run();
    assert_eq!(outcome.of("server"), ["30 server: accepted", "11000 server: read true"]);
}

#[test]
fn a_paused_process_takes_connections_when_it_goes_on() {
    let outcome = World::new()
        .node(echo)
        .node(writes_at(&[100]))
        .at(0, EngineCommand::Node(SERVER, NodeFault::Pause(seconds(1))))
        .until(3_000)
        .run();
    // The kernel of a process that listens opens them for it.
    assert_eq!(outcome.of("server"), ["1000 server: accepted", "1000 server: read a"]);
}

#[test]
fn a_crash_ends_a_pause() {
    let outcome = World::new()
        .node(echo)
        .node(writes_at(&[500]))
        .at(400, EngineCommand::Node(SERVER, NodeFault::Pause(None)))
        .at(1_000, EngineCommand::Node(SERVER, NodeFault::Crash))
        .at(2_000, EngineCommand::Node(SERVER, NodeFault::Restart))
        .node(|host| async move {
            host.until(3_000).await;
            let mut stream = host.connect().await;
            host.write(&mut stream, b"x").await;
            host.read_all(&mut stream).await;
        })
        .run();
    assert_eq!(outcome.of("client"), ["1010 client: connection reset"]);
    assert_eq!(outcome.of("2"), ["3040 2: read x"]);
}

#[test]
fn a_pause_of_what_stands_still_already_changes_nothing() {
    let outcome = World::new()
        .node(echo)
        .at(1_000, EngineCommand::Node(SERVER, NodeFault::Pause(seconds(5))))
        .at(2_000, EngineCommand::Node(SERVER, NodeFault::Pause(seconds(1))))
        .at(7_000, EngineCommand::Node(SERVER, NodeFault::Resume))
        .run();
    assert_eq!(outcome.changes(), [(1_000, SERVER, NodeFault::Pause(seconds(5))), (6_000, SERVER, NodeFault::Resume)]);
}

#[test]
fn who_sends_to_a_program_that_does_not_read_fills_its_window_and_then_waits() {
    let outcome = World::new()
        .node(echo)
        .node(|host| async move {
            let mut stream = host.connect().await;
            host.until(2_000).await;
            let mut written = 0;
            let block = [b'x'; 16 * 1024];
            let mut full = std::pin::pin!(async {
                loop {
                    written += stream.write(&block).await.expect("open");
                }
            });
            tokio::select! {
                biased;
                () = &mut full => {}
                () = host.until(5_000) => {}
            }
            host.note(format!("wrote {written}"));
            for_ever().await.expect("never");
        })
        .at(1_000, EngineCommand::Node(SERVER, NodeFault::StopReading))
        .at(6_000, EngineCommand::Node(SERVER, NodeFault::ResumeReading))
        .until(8_000)
        .run();
    // A send buffer and a receive buffer of 64 KiB each.
    assert_eq!(outcome.of("client"), ["5000 client: wrote 131072"]);
    // A single byte is noted as it is, more of them as a number.
    let count =
        |note: &str| note.split_once(": read ").map(|(_, what)| what.trim_end_matches(" bytes").parse().unwrap_or(1));
    let read = outcome.of("server").into_iter().filter_map(count);
    assert_eq!(read.sum::<usize>(), 131_072);
    assert!(
        outcome.of("server").iter().all(|note| note.starts_with("30 ") || note.starts_with("60")),
        "{:?}",
        outcome.notes
    );
}

#[test]
fn a_program_that_does_not_read_does_not_see_the_end_of_a_connection() {
    let outcome = World::new()
        .node(echo)
        .node(|host| async move {
            let stream = host.connect().await;
            host.until(2_000).await;
            drop(stream);
        })
        .at(1_000, EngineCommand::Node(SERVER, NodeFault::StopReading))
        .at(9_000, EngineCommand::Node(SERVER, NodeFault::ResumeReading))
        .run();
    assert_eq!(outcome.of("server"), ["30 server: accepted", "9000 server: end"]);
}

#[rstest]
#[case::fast(250_000, &[1_000, 1_900, 2_700, 3_500])]
#[case::slow(-500_000, &[1_000, 2_500, 4_500, 6_500])]
fn timers_of_a_drifting_clock(#[case] ppm: i32, #[case] times: &[u64]) {
    let outcome = World::new()
        .node(|host| async move { ticks(host, 4).await })
        .at(1_500, EngineCommand::Node(SERVER, NodeFault::ClockDrift(ppm)))
        .run();
    assert_eq!(outcome.world_times(), times);
}

#[test]
fn a_leap_forward_makes_due_what_it_leaps_over() {
    let outcome = World::new()
        .node(|host| async move { ticks(host, 5).await })
        .at(1_500, EngineCommand::Node(SERVER, NodeFault::ClockJump(2_000)))
        .run();
    assert_eq!(outcome.world_times(), [1_000, 1_500, 1_500, 2_000, 3_000]);
}

#[test]
fn a_clock_that_is_set_back_never_shows_an_earlier_time() {
    let outcome = World::new()
        .node(|host| async move {
            let mut before = host.clock.now();
            for ms in [500, 1_000, 1_500, 2_000, 6_000] {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                assert!(host.clock.now() >= before);
                before = host.clock.now();
                host.note("looks");
            }
        })
        .at(1_200, EngineCommand::Node(SERVER, NodeFault::ClockJump(-3_600)))
        .run();
    let shown: Vec<_> = outcome.of("server").iter().map(|note| note.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(shown, ["500", "1200", "1200", "1400", "7400"]);
}

#[test]
fn a_clock_that_is_set_back_makes_its_timers_late() {
    let outcome = World::new()
        .node(|host| async move { ticks(host, 2).await })
        .at(500, EngineCommand::Node(SERVER, NodeFault::ClockJump(-60_000)))
        .run();
    assert_eq!(outcome.world_times(), [61_000, 62_000]);
}

#[test]
fn the_clock_of_a_node_is_its_own() {
    let outcome = World::new()
        .node(|host| async move { ticks(host, 2).await })
        .node(|host| async move { ticks(host, 2).await })
        .at(0, EngineCommand::Node(CLIENT, NodeFault::ClockDrift(-500_000)))
        .run();
    assert_eq!(outcome.world_times(), [1_000, 2_000, 2_000, 4_000]);
}

#[test]
fn a_program_that_is_down_neither_stands_still_nor_stops_reading() {
    let outcome = World::new()
        .node(echo)
        .at(1_000, EngineCommand::Node(SERVER, NodeFault::Crash))
        .at(2_000, EngineCommand::Node(SERVER, NodeFault::Pause(None)))
        .at(3_000, EngineCommand::Node(SERVER, NodeFault::StopReading))
        .run();
    assert_eq!(outcome.changes(), [(1_000, SERVER, NodeFault::Crash)]);
}

impl Host {
    /// Notes a tick, so that the trace has the world's time of it.
    fn tick(&self, tick: u64) {
        self.recorder.mark(tick.to_string());
    }
}

impl Outcome {
    /// The world's times of all ticks.
    fn world_times(&self) -> Vec<u64> {
        let is_tick = |event: &&crate::trace::Event| matches!(event.kind, EventKind::Mark(_));
        self.trace
            .events
            .iter()
            .filter(is_tick)
            .map(|event| u64::try_from(event.at.as_millis()).expect("short"))
            .collect()
    }

    fn changes(&self) -> Vec<(u64, NodeId, NodeFault)> {
        let change = |event: &crate::trace::Event| match event.kind {
            EventKind::Node { node, change } => {
                Some((u64::try_from(event.at.as_millis()).expect("short"), node, change))
            }
            _ => None,
        };
        self.trace.events.iter().filter_map(change).collect()
    }
}
