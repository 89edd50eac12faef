//! Connections that are over are over for the wires and for both kernels, however they ended; and who they are of.

use std::time::Duration;

use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::fixture::*;
use crate::network::Network as _;
use crate::plan::{NetworkChange, NetworkFault, NodeFault, NodeId};
use crate::script::{EngineCommand, NodeFuture};

/// How the client ends its connection at 2000 ms, after it has written a letter at 1000 ms.
#[derive(Clone, Copy)]
enum End {
    /// It drops the socket.
    Closes,
    /// It shuts it down and reads on.
    ShutsDown,
    Aborts,
    /// It goes on reading for ever.
    Never,
    /// It writes again.
    Writes,
}

/// A server that sends everything back and a client that ends like this.
fn world(end: End) -> World {
    World::new()
        .network(|link| link.give_up = Duration::from_secs(10))
        .node(echo)
        .node(move |host| async move {
            if let Some(stream) = try_connect(&host).await {
                talk(&host, stream, end).await;
            }
            for_ever().await.expect("never");
        })
        .until(90_000)
}

async fn talk(host: &Host, mut stream: Stream, end: End) {
    host.until(1_000).await;
    host.write(&mut stream, b"a").await;
    host.until(1_500).await;
    if !matches!(end, End::Aborts) {
        let mut letter = [0];
        tokio::select! {
            biased;
            _ = stream.read(&mut letter) => {}
            () = host.until(1_900) => {}
        }
    }
    host.until(2_000).await;
    match end {
        End::Closes => return,
        End::Aborts => return host.network.abort(stream),
        End::ShutsDown => {
            let _fails_if_it_is_over = stream.shutdown().await;
        }
        End::Writes => host.write(&mut stream, b"b").await,
        End::Never => {}
    }
    host.read_all(&mut stream).await;
}

fn half_open(links: Vec<(NodeId, NodeId)>) -> NetworkChange {
    NetworkFault::HalfOpen { starting_with: None }.on(links)
}

fn reset(links: Vec<(NodeId, NodeId)>) -> NetworkChange {
    NetworkFault::Reset { starting_with: None }.on(links)
}

const NOTHING: Left = Left { connections: 0, sockets: 0 };

#[test]
fn a_connection_that_is_open_is_there_at_both_ends() {
    assert_eq!(world(End::Never).run().left, Left { connections: 1, sockets: 2 });
}

#[rstest]
#[case::closes(End::Closes)]
#[case::shuts_down(End::ShutsDown)]
#[case::aborts(End::Aborts)]
fn nothing_is_left_of_a_connection_that_its_client_ends(#[case] end: End) {
    assert_eq!(world(end).run().left, NOTHING);
}

#[rstest]
#[case::server_crashes(EngineCommand::Node(SERVER, NodeFault::Crash))]
#[case::client_crashes(EngineCommand::Node(CLIENT, NodeFault::Crash))]
#[case::both_are_reset(network(1, reset(both_ways())))]
fn nothing_is_left_of_a_connection_that_ends_with(
    #[case] order: EngineCommand,
    #[values(End::Never, End::Closes, End::ShutsDown, End::Writes)] end: End,
    #[values(1_000, 1_005, 1_700, 2_000, 2_005, 2_015)] at: u64,
) {
    assert_eq!(world(end).at(at, order).run().left, NOTHING);
}

#[rstest]
#[case::server(&[EngineCommand::Node(SERVER, NodeFault::PowerLoss), EngineCommand::Node(CLIENT, NodeFault::PowerLoss)])]
#[case::client(&[EngineCommand::Node(CLIENT, NodeFault::PowerLoss), EngineCommand::Node(SERVER, NodeFault::PowerLoss)])]
#[case::restarts(&[EngineCommand::Node(SERVER, NodeFault::PowerLoss), EngineCommand::Node(SERVER, NodeFault::Restart), EngineCommand::Node(CLIENT, NodeFault::Crash)])]
#[case::closes_for_nobody(&[EngineCommand::Node(SERVER, NodeFault::PowerLoss), EngineCommand::Node(CLIENT, NodeFault::Crash)])]
#[case::closes_for_nobody_either(&[EngineCommand::Node(CLIENT, NodeFault::PowerLoss), EngineCommand::Node(SERVER, NodeFault::Crash)])]
fn nothing_is_left_of_a_connection_whose_hosts_lose_power(
    #[case] orders: &[EngineCommand],
    #[values(0, 5, 15, 25, 1_000, 1_005, 1_015, 1_700)] from: u64,
    #[values(0, 3_000)] apart: u64,
) {
    let mut world = world(End::Never);
    for (at, order) in (0..).map(|nth| from + nth * apart).zip(orders) {
        world = world.at(at, order.clone());
    }
    assert_eq!(world.run().left, NOTHING);
}

#[rstest]
#[case::half_open(half_open(both_ways()))]
#[case::half_open_to_the_server(half_open(to_server()))]
#[case::half_open_to_the_client(half_open(to_client()))]
#[case::partition(partition(both_ways()))]
#[case::partition_to_the_server(partition(to_server()))]
#[case::partition_to_the_client(partition(to_client()))]
fn nothing_is_left_of_a_connection_on_which_both_gave_up(
    #[case] change: NetworkChange,
    #[values(End::Closes, End::ShutsDown, End::Aborts, End::Writes)] end: End,
    #[values(500, 1_005, 1_700, 1_995, 2_005, 2_015, 2_025)] at: u64,
) {
    // The server learns of it at the latest when its program dies; what it says then nobody hears.
    let outcome = world(end)
        .at(at, network(1, change))
        .at(60_000, EngineCommand::Node(SERVER, NodeFault::Crash))
        .at(60_000, EngineCommand::Node(CLIENT, NodeFault::Crash))
        .run();
    assert_eq!(outcome.left, NOTHING);
}

#[rstest]
#[case::is_refused(&[(0, EngineCommand::Node(SERVER, NodeFault::Crash))])]
#[case::is_never_answered(&[(0, network(1, partition(both_ways()))), (50_000, EngineCommand::Node(CLIENT, NodeFault::Crash))])]
#[case::is_answered_for_nobody(&[(5, network(1, partition(to_client()))), (50_000, EngineCommand::Node(CLIENT, NodeFault::Crash))])]
#[case::is_given_up(&[(5, EngineCommand::Node(CLIENT, NodeFault::Crash))])]
#[case::is_given_up_later(&[(15, EngineCommand::Node(CLIENT, NodeFault::Crash))])]
#[case::is_opened_for_nobody(&[(15, EngineCommand::Node(SERVER, NodeFault::Crash))])]
#[case::is_aborted_when_it_is_open(&[(25, EngineCommand::Node(SERVER, NodeFault::Crash))])]
#[case::is_unaccepted(&[(0, EngineCommand::Node(SERVER, NodeFault::Pause(None))), (100, EngineCommand::Node(SERVER, NodeFault::Crash))])]
fn nothing_is_left_of_an_attempt_that(#[case] orders: &[(u64, EngineCommand)]) {
    let mut world = world(End::Closes);
    for (at, order) in orders {
        world = world.at(*at, order.clone());
    }
    assert_eq!(world.run().left, NOTHING);
}

#[rstest]
fn nothing_is_left_of_an_attempt_that_its_program_gives_up(#[values(0, 5, 10, 15, 19)] gives_up: u64) {
    let outcome = World::new()
        .node(echo)
        .node(move |host| async move {
            tokio::select! {
                biased;
                _ = try_connect(&host) => {}
                () = host.until(gives_up) => {}
            }
            for_ever().await.expect("never");
        })
        .run();
    assert_eq!(outcome.left, NOTHING);
    assert_eq!(outcome.notes, [""; 0]);
}

#[test]
fn a_crash_aborts_only_what_its_own_program_has_not_accepted() {
    let listens = |host: Host| async move {
        let _listener = host.network.listen().await.expect("free");
        for_ever().await.expect("never");
    };
    let outcome = World::new()
        .node(listens)
        .node(listen_only)
        .node(listens)
        .at(1_000, EngineCommand::Node(NodeId(2), NodeFault::Crash))
        .run();
    assert_eq!(outcome.notes, [""; 0]);
    assert_eq!(outcome.left.connections, 1);
}

#[rstest]
#[case::none_that_is_gone(to_client(), &[1], &[])]
#[case::one_that_is_there(to_server(), &[1, 2], &["20010 server: connection reset"])]
fn a_reset_meets_ends_that_are_there(
    #[case] links: Vec<(NodeId, NodeId)>,
    #[case] hits: &[u32],
    #[case] server: &[&str],
) {
    // The client has given up at 12 s, and the server knows nothing of it.
    let outcome = world(End::Writes)
        .at(1_700, network(1, half_open(to_server())))
        .at(20_000, network(2, reset(links)))
        .until(30_000)
        .run();
    assert_eq!(outcome.hits(), hits);
    let notes = outcome.of("server");
    assert_eq!(notes[..2], ["30 server: accepted", "1010 server: read a"]);
    assert_eq!(notes[2..], *server);
}

#[test]
fn attempts_of_one_instant_keep_their_order() {
    async fn connection(host: Host, letter: u8) {
        let mut stream = host.connect().await;
        host.write(&mut stream, &[letter]).await;
        host.read_all(&mut stream).await;
    }
    let outcome = World::new()
        .node(|host| async move {
            let mut listener = host.network.listen().await.expect("free");
            loop {
                let (mut stream, peer) = host.network.accept(&mut listener).await.expect("a listener accepts");
                let letter = stream.read_u8().await.expect("a letter");
                host.note(format!("{} says {}", peer.number, char::from(letter)));
            }
        })
        .node(|host| {
            let program: NodeFuture = Box::pin(async move {
                tokio::select! {
                    biased;
                    // The first one is given up before it leaves.
                    _ = host.connect() => {}
                    () = async {} => {}
                }
                tokio::join!(biased; connection(host.clone(), b'b'), connection(host.clone(), b'c'));
            });
            program
        })
        .until(1_000)
        .run();
    assert_eq!(outcome.of("server"), ["30 server: 2 says b", "30 server: 3 says c"]);
}
