use std::time::Duration;

use rstest::rstest;
use tokio::io::AsyncReadExt;

use super::fixture::*;
use crate::plan::{LinkChange, NetworkFault, NodeFault, NodeId};
use crate::script::EngineCommand;
use crate::trace::{EventKind, Transmission};

/// A client that writes one letter at each of these times and notes all that comes back.
pub(super) fn writes_at(times: &'static [u64]) -> impl Fn(Host) -> crate::script::NodeFuture {
    move |host| {
        Box::pin(async move {
            let mut stream = host.connect().await;
            let mut letters = b'a'..;
            for &at in times {
                host.until(at).await;
                let letter = letters.next().expect("fewer than 128 times");
                host.write(&mut stream, &[letter]).await;
            }
            host.read_all(&mut stream).await;
        })
    }
}

#[test]
fn a_crash_closes_the_connections_in_order() {
    let outcome =
        World::new().node(echo).node(writes_at(&[500])).at(1_000, EngineCommand::Node(SERVER, NodeFault::Crash)).run();
    assert_eq!(outcome.of("client"), ["520 client: read a", "1010 client: end"]);
    let changes: Vec<_> =
        outcome.trace.events.iter().filter(|event| matches!(event.kind, EventKind::Node { .. })).collect();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].at, Duration::from_secs(1));
}

#[test]
fn a_crash_aborts_a_connection_with_unread_data() {
    let outcome = World::new()
        .node(|host| async move {
            serve(host, |_, stream| async move {
                let _keeps_it_unread = stream;
                for_ever().await.expect("never");
            })
            .await;
        })
        .node(writes_at(&[500]))
        .at(1_000, EngineCommand::Node(SERVER, NodeFault::Crash))
        .run();
    assert_eq!(outcome.of("client"), ["1010 client: connection reset"]);
    let rst = outcome.trace.events.iter().find(|event| {
        matches!(event.kind, EventKind::Sent { item: Transmission::Rst, from: SERVER, arrival: Some(at), .. } if at == Duration::from_millis(1_010))
    });
    assert!(rst.is_some());
}

#[test]
fn a_crash_aborts_a_connection_whose_data_the_program_had_read_only_in_part() {
    let outcome = World::new()
        .node(|host| async move {
            serve(host, |_, mut stream| async move {
                stream.read_u8().await.expect("a letter");
                for_ever().await.expect("never");
            })
            .await;
        })
        .node(|host| async move {
            let mut stream = host.connect().await;
            host.write(&mut stream, b"ab").await;
            host.read_all(&mut stream).await;
        })
        .at(1_000, EngineCommand::Node(SERVER, NodeFault::Crash))
        .run();
    assert_eq!(outcome.of("client"), ["1010 client: connection reset"]);
}

#[test]
fn a_crash_aborts_what_nobody_has_accepted() {
    let outcome = World::new()
        .node(|host| async move {
            let _listener = crate::network::Network::listen(&host.network).await.expect("free");
            for_ever().await.expect("never");
        })
        .node(listen_only)
        .at(1_000, EngineCommand::Node(SERVER, NodeFault::Crash))
        .at(2_000, EngineCommand::Node(SERVER, NodeFault::Restart))
        .run();
    assert_eq!(outcome.notes, ["1010 client: connection reset"]);
}

#[test]
fn a_crashed_node_refuses_until_it_is_restarted_on_the_same_address() {
    let outcome = World::new()
        .node(echo)
        .node(|host| async move {
            // Never closed: the server's kernel keeps its half of it across the restart.
            let _lingers = host.connect().await;
            host.until(1_500).await;
            try_connect(&host).await;
            host.until(2_500).await;
            let mut stream = try_connect(&host).await.expect("restarted");
            host.write(&mut stream, b"a").await;
            host.read_all(&mut stream).await;
        })
        .at(1_000, EngineCommand::Node(SERVER, NodeFault::Crash))
        .at(2_000, EngineCommand::Node(SERVER, NodeFault::Restart))
        .run();
    assert_eq!(
        outcome.of("client"),
        ["1520 client: connection refused", "2520 client: connected", "2540 client: read a"]
    );
    let changes: Vec<_> = outcome
        .trace
        .events
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::Node { change, .. } => Some((event.at.as_millis(), change)),
            _ => None,
        })
        .collect();
    assert_eq!(changes, [(1_000, NodeFault::Crash), (2_000, NodeFault::Restart)]);
}

#[test]
fn a_restart_of_a_running_program_crashes_it_first() {
    let outcome =
        World::new().node(echo).node(listen_only).at(1_000, EngineCommand::Node(SERVER, NodeFault::Restart)).run();
    assert_eq!(outcome.of("client"), ["1010 client: end"]);
}

#[test]
fn nobody_hears_of_a_power_loss() {
    let outcome = World::new()
        .node(echo)
        .node(listen_only)
        .at(1_000, EngineCommand::Node(SERVER, NodeFault::PowerLoss))
        .until(10_000_000)
        .run();
    assert_eq!(outcome.notes, ["30 server: accepted"]);
    let ends = outcome
        .trace
        .events
        .iter()
        .filter(|event| matches!(&event.kind, EventKind::Sent { item, .. } if item.close().is_some()));
    // Not the last one: the client's own end of it, when the world ends.
    assert_eq!(ends.count(), 0);
}

#[test]
fn a_socket_fails_when_there_was_no_answer_for_the_give_up_time() {
    let outcome = World::new()
        .node(echo)
        .node(writes_at(&[2_000]))
        .at(1_000, EngineCommand::Node(SERVER, NodeFault::PowerLoss))
        .until(10_000_000)
        .run();
    assert_eq!(outcome.of("client"), ["926000 client: timed out"]);
    let received = outcome.trace.events.iter().any(|event| {
        matches!(event.kind, EventKind::Received { item: Transmission::TimedOut, to: CLIENT, sent: None, .. })
            && event.at == Duration::from_secs(926)
    });
    assert!(received);
}

#[test]
fn what_is_sent_again_after_a_restart_is_answered_with_a_reset() {
    let outcome = World::new()
        .node(echo)
        .node(writes_at(&[2_000]))
        .at(1_000, EngineCommand::Node(SERVER, NodeFault::PowerLoss))
        .at(10_000, EngineCommand::Node(SERVER, NodeFault::Restart))
        .until(1_000_000)
        .run();
    // 2.0, then 0.2, 0.4, 0.8, 1.6, 3.2 and 6.4 s later.
    assert_eq!(outcome.of("client"), ["14620 client: connection reset"]);
}

#[test]
fn who_sends_nothing_does_not_notice_a_power_loss_and_a_restart() {
    let outcome = World::new()
        .node(echo)
        .node(writes_at(&[500, 5_000_000]))
        .at(1_000, EngineCommand::Node(SERVER, NodeFault::PowerLoss))
        .at(2_000, EngineCommand::Node(SERVER, NodeFault::Restart))
        .until(5_000_100)
        .run();
    assert_eq!(outcome.of("client"), ["5000000 client: read a", "5000020 client: connection reset"]);
}

#[test]
fn a_server_answers_new_connections_after_a_power_loss() {
    let outcome = World::new()
        .node(echo)
        .node(|host| async move {
            let _lost = host.connect().await;
            host.until(1_500).await;
            try_connect(&host).await;
        })
        .at(1_000, EngineCommand::Node(SERVER, NodeFault::PowerLoss))
        .at(2_000, EngineCommand::Node(SERVER, NodeFault::Restart))
        .run();
    // The SYN of 1.5 s vanishes and is sent again a second later.
    assert_eq!(outcome.of("client"), ["2520 client: connected"]);
}

#[test]
fn a_power_loss_while_a_connection_is_being_opened_leaves_nothing_behind() {
    let outcome = World::new()
        .node(echo)
        .node(|host| async move {
            try_connect(&host).await;
            host.until(20_000).await;
            try_connect(&host).await;
        })
        // The SYN has arrived, the end of the handshake has not.
        .at(25, EngineCommand::Node(SERVER, NodeFault::PowerLoss))
        .at(5_000, EngineCommand::Node(SERVER, NodeFault::Restart))
        .run();
    assert_eq!(
        outcome.notes,
        ["20 client: connected", "20020 client: connected", "20030 server: accepted", "20030 server: end"]
    );
}

#[rstest]
#[case::both_ways(both_ways(), &["30 server: accepted"], &["502000 client: timed out"])]
#[case::to_the_server(to_server(), &["30 server: accepted"], &["502000 client: timed out"])]
// The server's answers are late for ever, and its acknowledgements with them.
#[case::to_the_client(
    to_client(),
    &["30 server: accepted", "2010 server: read a", "502010 server: timed out"],
    &["502000 client: timed out"],
)]
fn a_half_open_connection_loses_what_is_sent_in_these_directions(
    #[case] links: Vec<(NodeId, NodeId)>,
    #[case] server: &[&str],
    #[case] client: &[&str],
) {
    let outcome = World::new()
        .network(|link| link.give_up = Duration::from_secs(500))
        .node(echo)
        .node(writes_at(&[2_000]))
        .at(1_000, network(7, NetworkFault::HalfOpen { starting_with: None }.on(links)))
        .until(1_000_000)
        .run();
    assert_eq!(outcome.of("server"), server);
    assert_eq!(outcome.of("client"), client);
    assert_eq!(outcome.hits(), [7]);
}

#[test]
fn a_new_connection_is_not_half_open() {
    let outcome = World::new()
        .node(echo)
        .node(|host| async move {
            let mut old = host.connect().await;
            host.until(2_000).await;
            host.write(&mut old, b"lost").await;
            let mut new = host.connect().await;
            host.write(&mut new, b"found").await;
            host.read_all(&mut new).await;
        })
        .at(1_000, network(3, NetworkFault::HalfOpen { starting_with: None }.on(both_ways())))
        .run();
    assert_eq!(outcome.of("client"), ["2040 client: read found"]);
}

#[test]
fn a_fault_that_meets_nothing_is_not_hit() {
    let outcome = World::new()
        .node(echo)
        .node(listen_only)
        .at(1_000, network(3, NetworkFault::HalfOpen { starting_with: None }.on(both_ways())))
        .at(1_000, network(4, partition(both_ways())))
        .run();
    assert_eq!(outcome.hits(), [0_u32; 0]);
}

#[rstest]
// Written at 2.0: sent again 0.2, 0.4, 0.8, 1.6 s later each.
#[case(2_100, 2_210)]
#[case(2_200, 2_210)]
#[case(2_201, 2_610)]
#[case(3_000, 3_410)]
#[case(4_000, 5_010)]
#[case(600_000, 686_610)]
fn a_healed_partition_brings_the_bytes_with_the_next_retransmission(#[case] heal: u64, #[case] arrives: u64) {
    let outcome = World::new()
        .node(echo)
        .node(writes_at(&[2_000, 2_050]))
        .at(1_000, network(5, partition(both_ways())))
        .at(heal, network(6, NetworkFault::Heal.on(both_ways())))
        .until(1_000_000)
        .run();
    // Both letters, one after the other: one read takes them.
    assert_eq!(outcome.of("server"), ["30 server: accepted", &format!("{arrives} server: read ab")]);
    assert_eq!(outcome.of("client"), [format!("{} client: read ab", arrives + 10)]);
    assert_eq!(outcome.hits(), [5, 6]);
}

#[test]
fn what_is_under_way_when_a_partition_begins_still_arrives() {
    let outcome = World::new().node(echo).node(writes_at(&[1_000])).at(1_005, network(5, partition(both_ways()))).run();
    assert_eq!(outcome.of("server"), ["30 server: accepted", "1010 server: read a"]);
}

#[rstest]
#[case(500, 1_120)]
#[case(1_500, 3_120)]
#[case(5_000, 7_120)]
#[case(15_100, 15_120)]
#[case(15_101, 31_120)]
fn a_connection_attempt_is_repeated_after_1_3_7_15_seconds(#[case] heal: u64, #[case] connected: u64) {
    let outcome = World::new()
        .node(echo)
        .node(|host| async move {
            host.until(100).await;
            try_connect(&host).await;
        })
        .at(50, network(5, partition(both_ways())))
        .at(heal, network(6, NetworkFault::Heal.on(both_ways())))
        .run();
    assert_eq!(outcome.of("client"), [format!("{connected} client: connected")]);
}

#[test]
fn a_connection_attempt_that_is_given_up_is_not_repeated() {
    let outcome = World::new()
        .node(echo)
        .node(|host| async move {
            host.until(1_000).await;
            tokio::select! {
                biased;
                _ = try_connect(&host) => {}
                () = host.until(6_000) => host.note("gave up"),
            }
        })
        .at(500, network(5, partition(both_ways())))
        .at(7_000, network(6, NetworkFault::Heal.on(both_ways())))
        .run();
    assert_eq!(outcome.notes, ["6000 client: gave up"]);
}

#[test]
fn acknowledgements_that_cannot_come_back_fail_the_sender() {
    let outcome = World::new()
        .node(|host| async move {
            serve(host, |host, mut stream| async move { host.read_all(&mut stream).await }).await;
        })
        .node(writes_at(&[2_000]))
        .at(1_000, network(5, partition(to_client())))
        .until(2_000_000)
        .run();
    assert_eq!(outcome.of("server"), ["30 server: accepted", "2010 server: read a"]);
    assert_eq!(outcome.of("client"), ["926000 client: timed out"]);
}

#[test]
fn acknowledgements_are_repeated_once_they_can_come_back() {
    let outcome = World::new()
        .network(|link| link.give_up = Duration::from_secs(10))
        .node(|host| async move {
            serve(host, |host, mut stream| async move { host.read_all(&mut stream).await }).await;
        })
        .node(writes_at(&[2_000]))
        .at(1_000, network(5, partition(to_client())))
        .at(11_000, network(6, NetworkFault::Heal.on(to_client())))
        .run();
    assert_eq!(outcome.of("client"), ["12000 client: timed out"], "the next repetition would be at 14.61 s");
    let outcome = World::new()
        .network(|link| link.give_up = Duration::from_secs(10))
        .node(|host| async move {
            serve(host, |host, mut stream| async move { host.read_all(&mut stream).await }).await;
        })
        .node(writes_at(&[2_000]))
        .at(1_000, network(5, partition(to_client())))
        .at(8_000, network(6, NetworkFault::Heal.on(to_client())))
        .run();
    assert_eq!(outcome.of("client"), [""; 0]);
}

#[test]
fn a_changed_latency_holds_for_what_leaves_from_then_on_and_nothing_overtakes() {
    let outcome = World::new()
        .node(|host| async move {
            serve(host, |host, mut stream| async move { host.read_all(&mut stream).await }).await;
        })
        .node(writes_at(&[1_000, 2_000, 2_100, 4_000]))
        .at(1_500, network(5, NetworkFault::Set(latency(1_000)).on(to_server())))
        .at(2_050, network(6, NetworkFault::Set(latency(5)).on(to_server())))
        .run();
    assert_eq!(
        outcome.of("server"),
        ["30 server: accepted", "1010 server: read a", "3000 server: read bc", "4005 server: read d"]
    );
    assert_eq!(outcome.hits(), [5, 6]);
}

#[test]
fn a_changed_give_up_time_holds_for_what_leaves_from_then_on() {
    let change = LinkChange { give_up: Some(Duration::from_secs(5)), ..LinkChange::default() };
    let outcome = World::new()
        .node(echo)
        .node(writes_at(&[2_000]))
        .at(500, network(5, NetworkFault::Set(change).on(both_ways())))
        .at(1_000, network(6, partition(both_ways())))
        .run();
    assert_eq!(outcome.of("client"), ["7000 client: timed out"]);
}

#[test]
fn a_close_in_a_partition_is_late_as_everything_else() {
    let outcome = World::new()
        .node(echo)
        .node(|host| async move {
            let mut stream = host.connect().await;
            host.until(2_000).await;
            host.write(&mut stream, b"bye").await;
        })
        .at(1_000, network(5, partition(both_ways())))
        .at(2_500, network(6, NetworkFault::Heal.on(both_ways())))
        .run();
    assert_eq!(outcome.of("server"), ["30 server: accepted", "2610 server: read bye", "2610 server: end"]);
}

#[test]
fn a_reset_in_a_partition_is_lost_and_the_next_data_meets_another() {
    let outcome = World::new()
        .node(|host| async move {
            serve(host, |host, mut stream| async move {
                host.until(5_000).await;
                host.write(&mut stream, b"x").await;
                host.read_all(&mut stream).await;
            })
            .await;
        })
        .node(|host| async move {
            let stream = host.connect().await;
            host.until(2_000).await;
            crate::network::Network::abort(&host.network, stream);
        })
        .at(1_000, network(5, partition(both_ways())))
        .at(3_000, network(6, NetworkFault::Heal.on(both_ways())))
        .run();
    assert_eq!(outcome.of("server"), ["30 server: accepted", "5020 server: connection reset"]);
}
