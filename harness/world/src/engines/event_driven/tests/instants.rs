//! What happens at one instant, and in which order: what arrives, then the story, then timers.

use std::time::Duration;

use halfopen_protocol::{Clock, Instant};
use rstest::rstest;
use tokio::io::AsyncReadExt;

use super::faults::writes_at;
use super::fixture::*;
use crate::network::Network as _;
use crate::plan::{NetworkFault, NodeFault, NodeId};
use crate::script::EngineCommand;
use crate::trace::EventKind;

/// Serves: notes what comes, and each time at which nothing has come for five seconds of its own clock.
async fn impatient(host: Host) {
    serve(host, |host, mut stream| async move {
        let mut buffer = [0; 16];
        let mut timer = Box::pin(host.clock.sleep_until(host.clock.now() + Duration::from_secs(5)));
        loop {
            tokio::select! {
                biased;
                () = &mut timer => {
                    host.recorder.mark("time-out".into());
                    timer = Box::pin(host.clock.sleep_until(host.clock.now() + Duration::from_secs(5)));
                }
                result = stream.read(&mut buffer) => match result {
                    Ok(1..) => host.recorder.mark("read".into()),
                    _ => return,
                },
            }
        }
    })
    .await;
}

/// The marks of a run with the world's times.
fn marks(outcome: &Outcome) -> Vec<(u128, &str)> {
    let mark = |event: &'_ crate::trace::Event| match &event.kind {
        EventKind::Mark(_) => Some(event.at.as_millis()),
        _ => None,
    };
    let text = |event: &'_ crate::trace::Event| match &event.kind {
        EventKind::Mark(text) => text == "read",
        _ => false,
    };
    let name = |is_read| if is_read { "read" } else { "time-out" };
    outcome.trace.events.iter().filter_map(|event| Some((mark(event)?, name(text(event))))).collect()
}

fn changes(outcome: &Outcome) -> Vec<(u128, NodeId, NodeFault)> {
    let change = |event: &crate::trace::Event| match event.kind {
        EventKind::Node { node, change } => Some((event.at.as_millis(), node, change)),
        _ => None,
    };
    outcome.trace.events.iter().filter_map(change).collect()
}

// The timer is begun at 30 and due at 5030; at 2010 its program wakes for what has come.
#[rstest]
#[case::not_at_all(EngineCommand::Node(SERVER, NodeFault::ClockDrift(0)), 5_030)]
#[case::of_another_node(EngineCommand::Node(CLIENT, NodeFault::ClockDrift(0)), 5_030)]
#[case::leaps_ahead(EngineCommand::Node(SERVER, NodeFault::ClockJump(500)), 4_530)]
#[case::leaps_back(EngineCommand::Node(SERVER, NodeFault::ClockJump(-500)), 5_530)]
// 4030 ms of its own at 1.25 and at half the speed.
#[case::gains(EngineCommand::Node(SERVER, NodeFault::ClockDrift(250_000)), 4_224)]
#[case::loses(EngineCommand::Node(SERVER, NodeFault::ClockDrift(-500_000)), 9_060)]
// While it stands still nothing is read either.
#[case::stands_still(EngineCommand::Node(SERVER, NodeFault::Pause(Some(Duration::from_millis(500)))), 5_030)]
fn a_timer_that_a_clock_has_moved_stays_there_when_its_program_wakes_for_something_else(
    #[case] change: EngineCommand,
    #[case] due: u128,
) {
    let outcome = World::new().node(impatient).node(writes_at(&[2_000])).at(1_000, change).until(9_100).run();
    assert_eq!(marks(&outcome)[..2], [(2_010, "read"), (due, "time-out")]);
}

#[test]
fn a_timer_moves_with_each_change_of_its_clock() {
    let outcome = World::new()
        .node(impatient)
        .node(writes_at(&[1_500, 2_500, 3_500]))
        .at(1_000, EngineCommand::Node(SERVER, NodeFault::ClockJump(1_000)))
        .at(2_000, EngineCommand::Node(SERVER, NodeFault::ClockDrift(-500_000)))
        .at(3_000, EngineCommand::Node(SERVER, NodeFault::ClockJump(-1_000)))
        .until(9_000)
        .run();
    // It shows 3000 at 2000, and 2500 (3500 less 1000) at 3000; as it never goes back, only what is due moves: 2530 of
    // its milliseconds are left at half the speed.
    assert_eq!(marks(&outcome), [(1_510, "read"), (2_510, "read"), (3_510, "read"), (8_060, "time-out")]);
}

#[rstest]
#[case::before(1_999, &[(2_009, "read"), (5_030, "time-out")])]
#[case::at_the_instant(5_020, &[(5_030, "read"), (5_030, "time-out")])]
#[case::after(5_021, &[(5_030, "time-out"), (5_031, "read")])]
fn what_arrives_at_the_instant_of_a_timer_is_read_first(#[case] writes: u64, #[case] expected: &[(u128, &str)]) {
    let outcome = World::new()
        .node(impatient)
        .node(move |host| async move {
            let mut stream = host.connect().await;
            host.until(writes).await;
            host.write(&mut stream, b"x").await;
            for_ever().await.expect("never");
        })
        .until(5_100)
        .run();
    assert_eq!(marks(&outcome), expected);
}

#[rstest]
#[case::crash(EngineCommand::Node(SERVER, NodeFault::Crash), NodeFault::Crash)]
#[case::power_loss(EngineCommand::Node(SERVER, NodeFault::PowerLoss), NodeFault::PowerLoss)]
#[case::pause(EngineCommand::Node(SERVER, NodeFault::Pause(None)), NodeFault::Pause(None))]
fn what_the_story_does_at_the_instant_of_a_timer_comes_before_it(
    #[case] order: EngineCommand,
    #[case] change: NodeFault,
) {
    // What arrives at that instant has been read by then.
    let outcome = World::new().node(impatient).node(writes_at(&[5_020])).at(5_030, order).until(6_000).run();
    assert_eq!(marks(&outcome), [(5_030, "read")]);
    assert_eq!(changes(&outcome), [(5_030, SERVER, change)]);
}

#[test]
fn what_was_written_before_an_abort_is_read_before_it() {
    let outcome = World::new()
        .node(echo)
        .node(|host| async move {
            let mut stream = host.connect().await;
            host.until(1_000).await;
            host.write(&mut stream, b"hello").await;
            host.network.abort(stream);
            for_ever().await.expect("never");
        })
        .run();
    assert_eq!(
        outcome.of("server"),
        ["30 server: accepted", "1010 server: read hello", "1010 server: connection reset"]
    );
}

#[test]
fn an_abort_that_arrives_later_takes_nothing_that_was_read() {
    let outcome = World::new()
        .node(
            |host| async move { serve(host, |host, mut stream| async move { host.read_all(&mut stream).await }).await },
        )
        .node(|host| async move {
            let mut stream = host.connect().await;
            for at in [1_000, 1_001] {
                host.until(at).await;
                host.write(&mut stream, b"x").await;
            }
            host.network.abort(stream);
            for_ever().await.expect("never");
        })
        .run();
    assert_eq!(
        outcome.of("server"),
        ["30 server: accepted", "1010 server: read x", "1011 server: read x", "1011 server: connection reset"]
    );
}

#[test]
fn each_node_goes_on_at_its_own_time() {
    let pause = |node, ms| EngineCommand::Node(node, NodeFault::Pause(Some(Duration::from_millis(ms))));
    let nodes = || {
        World::new().node(|_| async { for_ever().await.expect("never") }).node(|_| async {
            for_ever().await.expect("never");
        })
    };
    for (first, second) in [(SERVER, CLIENT), (CLIENT, SERVER)] {
        let outcome = nodes().at(1_000, pause(first, 4_000)).at(1_500, pause(second, 1_000)).run();
        let expected = [
            (1_000, first, NodeFault::Pause(Some(Duration::from_secs(4)))),
            (1_500, second, NodeFault::Pause(Some(Duration::from_secs(1)))),
            (2_500, second, NodeFault::Resume),
            (5_000, first, NodeFault::Resume),
        ];
        assert_eq!(changes(&outcome), expected);
    }
}

#[test]
fn a_pause_that_is_ended_early_does_not_end_the_next_one() {
    let outcome = World::new()
        .node(|_| async { for_ever().await.expect("never") })
        .at(1_000, EngineCommand::Node(SERVER, NodeFault::Pause(Some(Duration::from_secs(5)))))
        .at(2_000, EngineCommand::Node(SERVER, NodeFault::Resume))
        .at(3_000, EngineCommand::Node(SERVER, NodeFault::Pause(Some(Duration::from_secs(10)))))
        .run();
    let times: Vec<_> = changes(&outcome).into_iter().map(|(at, _, change)| (at, change)).collect();
    assert_eq!(
        times,
        [
            (1_000, NodeFault::Pause(Some(Duration::from_secs(5)))),
            (2_000, NodeFault::Resume),
            (3_000, NodeFault::Pause(Some(Duration::from_secs(10)))),
            (13_000, NodeFault::Resume)
        ]
    );
}

#[rstest]
#[case::a_crash(EngineCommand::Node(SERVER, NodeFault::Crash), &[NodeFault::StopReading, NodeFault::Crash, NodeFault::Restart])]
#[case::a_power_loss(EngineCommand::Node(SERVER, NodeFault::PowerLoss), &[NodeFault::StopReading, NodeFault::PowerLoss, NodeFault::Restart])]
#[case::nothing_else(
    EngineCommand::Node(SERVER, NodeFault::Restart),
    &[NodeFault::StopReading, NodeFault::Crash, NodeFault::Restart, NodeFault::Crash, NodeFault::Restart],
)]
fn a_program_that_did_not_read_reads_again_after(#[case] order: EngineCommand, #[case] expected: &[NodeFault]) {
    let outcome = World::new()
        .node(impatient)
        .node(|host| async move {
            host.until(3_000).await;
            let mut stream = host.connect().await;
            host.write(&mut stream, b"x").await;
            for_ever().await.expect("never");
        })
        .at(1_000, EngineCommand::Node(SERVER, NodeFault::StopReading))
        .at(1_500, order)
        .at(2_000, EngineCommand::Node(SERVER, NodeFault::Restart))
        .until(4_000)
        .run();
    assert_eq!(marks(&outcome), [(3_030, "read")]);
    assert_eq!(changes(&outcome).into_iter().map(|(_, _, change)| change).collect::<Vec<_>>(), expected);
}

#[test]
fn a_host_without_power_loses_it_no_second_time() {
    let outcome = World::new()
        .node(echo)
        .node(writes_at(&[2_000]))
        .at(1_000, EngineCommand::Node(SERVER, NodeFault::PowerLoss))
        .at(1_500, EngineCommand::Node(SERVER, NodeFault::PowerLoss))
        .at(1_600, EngineCommand::Node(SERVER, NodeFault::Crash))
        .run();
    assert_eq!(changes(&outcome), [(1_000, SERVER, NodeFault::PowerLoss)]);
}

#[test]
fn a_power_loss_at_the_instant_of_a_crash_lets_the_ends_leave() {
    let outcome = World::new()
        .node(echo)
        .node(listen_only)
        .at(1_000, EngineCommand::Node(SERVER, NodeFault::Crash))
        .at(1_000, EngineCommand::Node(SERVER, NodeFault::PowerLoss))
        .run();
    assert_eq!(outcome.of("client"), ["1010 client: end"]);
}

#[rstest]
#[case::nobody(&[], 1_000, 1_000)]
#[case::the_server(&[SERVER], 4_000, 1_000)]
#[case::the_client(&[CLIENT], 1_000, 4_000)]
#[case::both(&[SERVER, CLIENT], 4_000, 4_000)]
fn what_is_done_to_a_clock_is_done_to_that_of_its_node(
    #[case] nodes: &'static [NodeId],
    #[case] server: u64,
    #[case] client: u64,
) {
    // It is a second behind, and then it takes two seconds for each: 1.0 s is shown at 4.0 s.
    let sleeper = |host: Host| async move {
        host.clock.sleep_until(Instant::from_millis(1_000)).await;
        host.recorder.mark(host.id.0.to_string());
    };
    let mut world = World::new().node(sleeper).node(sleeper);
    for node in nodes {
        world = world
            .at(0, EngineCommand::Node(*node, NodeFault::ClockDrift(-500_000)))
            .at(0, EngineCommand::Node(*node, NodeFault::ClockJump(-1_000)));
    }
    let outcome = world.run();
    let at = |id: NodeId| {
        let is_it =
            |event: &&crate::trace::Event| matches!(&event.kind, EventKind::Mark(text) if *text == id.0.to_string());
        outcome.trace.events.iter().find(is_it).map(|event| event.at.as_millis())
    };
    assert_eq!((at(SERVER), at(CLIENT)), (Some(u128::from(server)), Some(u128::from(client))));
}

#[test]
fn what_is_answered_without_delay_is_read_before_the_story_goes_on() {
    let outcome = World::new()
        .node(echo)
        .node(writes_at(&[990]))
        .at(500, network(1, NetworkFault::Set(latency(0)).on(to_client())))
        // The letter arrives and is answered at this instant, and so is the answer there.
        .at(1_000, EngineCommand::Node(CLIENT, NodeFault::PowerLoss))
        .run();
    assert_eq!(outcome.of("client"), ["1000 client: read a"]);
}

#[test]
fn a_socket_fails_before_a_timer_of_that_instant_is_due() {
    let outcome = World::new()
        .network(|link| link.give_up = Duration::from_secs(10))
        .node(echo)
        .node(|host| async move {
            let mut stream = host.connect().await;
            host.until(2_000).await;
            host.write(&mut stream, b"a").await;
            tokio::select! {
                biased;
                () = host.until(12_000) => host.note("waits no longer"),
                () = host.read_all(&mut stream) => {}
            }
        })
        .at(1_000, network(1, partition(both_ways())))
        .run();
    assert_eq!(outcome.of("client"), ["12000 client: timed out"]);
}

#[test]
fn who_waits_in_the_time_of_tokio_finds_what_has_come_by_then() {
    let outcome = World::new()
        .node(|host| async move {
            serve(host, |host, mut stream| async move {
                let mut letter = [0];
                tokio::select! {
                    biased;
                    read = stream.read(&mut letter) => host.note(format!("reads {}", read.is_ok())),
                    () = tokio::time::sleep(Duration::from_secs(5)) => host.note("waits no longer"),
                }
            })
            .await;
        })
        .node(writes_at(&[5_020]))
        .run();
    assert_eq!(outcome.of("server"), ["30 server: accepted", "5030 server: reads true"]);
}

#[test]
fn who_goes_on_at_an_instant_can_be_made_to_stand_still_at_it() {
    let pause = |seconds| EngineCommand::Node(SERVER, NodeFault::Pause(Some(Duration::from_secs(seconds))));
    let outcome =
        World::new().node(|_| async { for_ever().await.expect("never") }).at(1_000, pause(3)).at(4_000, pause(2)).run();
    let times: Vec<_> = changes(&outcome).into_iter().map(|(at, _, change)| (at, change)).collect();
    assert_eq!(
        times,
        [
            (1_000, NodeFault::Pause(Some(Duration::from_secs(3)))),
            (4_000, NodeFault::Resume),
            (4_000, NodeFault::Pause(Some(Duration::from_secs(2)))),
            (6_000, NodeFault::Resume)
        ]
    );
}
