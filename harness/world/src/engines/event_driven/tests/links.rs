//! Losses, bandwidth, and middleboxes that abort.

use std::time::Duration;

use halfopen_protocol::PacketType;
use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::faults::writes_at;
use super::fixture::*;
use crate::plan::{LinkChange, NetworkChange, NetworkFault, NodeId};
use crate::trace::{EventKind, Transmission};

fn loss(millionths: u32) -> LinkChange {
    LinkChange { loss: Some(millionths), ..LinkChange::default() }
}

fn reset(links: Vec<(NodeId, NodeId)>) -> NetworkChange {
    NetworkFault::Reset { starting_with: None }.on(links)
}

/// Sends the given number of numbers, one every 10 ms, and the server checks that they come in order and notes when
/// each comes.
fn numbers(count: u16, share: u32, seed: u64) -> Outcome {
    World::new()
        .seed(seed)
        .network(|link| link.loss = share)
        .node(move |host| async move {
            serve(host, move |host, mut stream| async move {
                for number in 0..count {
                    assert_eq!(stream.read_u16().await.expect("all arrive"), number);
                    host.note(number);
                }
            })
            .await;
        })
        .node(move |host| async move {
            let mut stream = host.connect().await;
            for number in 0..count {
                host.until(10_000 + 10 * u64::from(number)).await;
                stream.write_u16(number).await.expect("open");
            }
            for_ever().await.expect("never");
        })
        .until(1_000_000)
        .run()
}

#[test]
fn what_is_lost_is_late_and_what_follows_waits_behind_it() {
    let lossy = numbers(500, 100_000, 1);
    let notes = lossy.of("server");
    assert_eq!(notes.len(), 501, "all arrive, in order");
    let late = notes[1..].iter().enumerate().filter(|(number, note)| {
        let at: usize = note.split(' ').next().and_then(|at| at.parse().ok()).expect("a time");
        at > 10_010 + 10 * number
    });
    // Each loss holds up the 200 ms until it is sent again, and so some twenty that follow it.
    assert!(late.count() > 100);
}

#[test]
fn the_same_seed_loses_the_same_and_another_one_others() {
    let notes = |seed| numbers(100, 200_000, seed).notes;
    assert_eq!(notes(1), notes(1));
    assert_ne!(notes(1), notes(2));
}

#[rstest]
#[case::none(0, false)]
#[case::all(1_000_000, true)]
fn a_share_of_losses_hits_when_it_loses(#[case] share: u32, #[case] times_out: bool) {
    let change = LinkChange { give_up: Some(Duration::from_secs(60)), ..loss(share) };
    let outcome = World::new()
        .node(echo)
        .node(writes_at(&[1_500]))
        .at(1_000, network(7, NetworkFault::Set(change).on(to_server())))
        .run();
    let ends = if times_out { "61500 client: timed out" } else { "1520 client: read a" };
    assert_eq!(outcome.of("client"), [ends]);
    assert_eq!(outcome.hits(), [7]);
}

#[test]
fn losses_on_a_link_that_carries_nothing_hit_nothing() {
    let outcome = World::new()
        .node(echo)
        .node(writes_at(&[500]))
        .at(1_000, network(7, NetworkFault::Set(loss(500_000)).on(both_ways())))
        .run();
    assert!(outcome.hits().is_empty());
}

#[test]
fn the_time_out_after_which_a_lost_segment_is_sent_again_doubles() {
    let outcome = World::new()
        .node(echo)
        .node(writes_at(&[1_000]))
        .at(500, network(7, NetworkFault::Set(loss(1_000_000)).on(to_server())))
        .at(5_000, network(8, NetworkFault::Set(loss(0)).on(to_server())))
        .run();
    // At 200, 600, 1400, 3000 and 6200 ms after it was written.
    assert_eq!(outcome.of("server"), ["30 server: accepted", "7210 server: read a"]);
}

#[test]
fn bytes_take_their_time_on_a_narrow_link() {
    let outcome = World::new()
        .network(|link| link.bandwidth = Some(10_000))
        .node(|host| async move {
            serve(host, |host, mut stream| async move {
                let mut all = vec![0; 50_000];
                stream.read_exact(&mut all).await.expect("all arrive");
                host.note("all");
            })
            .await;
        })
        .node(|host| async move {
            let mut stream = host.connect().await;
            host.until(1_000).await;
            host.write(&mut stream, &[b'x'; 50_000]).await;
            host.read_all(&mut stream).await;
        })
        .run();
    assert_eq!(outcome.of("server"), ["30 server: accepted", "6010 server: all"]);
}

#[test]
fn a_narrow_link_is_shared_by_its_connections_and_narrow_one_way_only_where_it_is() {
    let outcome = World::new()
        .node(echo)
        .node(|host| async move {
            let mut large = host.connect().await;
            let mut small = host.connect().await;
            host.until(1_000).await;
            host.write(&mut large, &[b'x'; 1_000]).await;
            host.write(&mut small, b"a").await;
            host.read_all(&mut small).await;
        })
        .at(
            500,
            network(
                7,
                NetworkFault::Set(LinkChange { bandwidth: Some(Some(1_000)), ..LinkChange::default() }).on(to_server()),
            ),
        )
        .run();
    assert_eq!(outcome.of("client"), ["2021 client: read a"]);
    assert_eq!(outcome.hits(), [7]);
}

#[rstest]
#[case::both(both_ways(), &["510 server: connection reset"], &["510 client: connection reset"])]
#[case::at_the_server(to_server(), &["510 server: connection reset"], &["1020 client: connection reset"])]
#[case::at_the_client(to_client(), &[], &["510 client: connection reset"])]
fn a_middlebox_resets(#[case] links: Vec<(NodeId, NodeId)>, #[case] server: &[&str], #[case] client: &[&str]) {
    let outcome = World::new()
        .node(echo)
        .node(|host| async move {
            let mut stream = host.connect().await;
            tokio::select! {
                biased;
                () = host.read_all(&mut stream) => {}
                () = host.until(1_000) => {
                    host.write(&mut stream, b"a").await;
                    host.read_all(&mut stream).await;
                }
            }
            for_ever().await.expect("never");
        })
        .at(500, network(7, reset(links)))
        .run();
    assert_eq!(outcome.of("server")[1..], *server);
    assert_eq!(outcome.of("client"), client);
    assert_eq!(outcome.hits(), [7]);
}

#[test]
fn nobody_has_sent_the_abort_of_a_middlebox() {
    let outcome = World::new().node(echo).node(listen_only).at(500, network(7, reset(to_client()))).run();
    let aborts = outcome.trace.events.iter().filter(|event| {
        matches!(&event.kind, EventKind::Received { to: CLIENT, item: Transmission::Rst, sent: None, .. })
    });
    assert_eq!(aborts.count(), 1);
}

#[test]
fn a_reset_of_nothing_hits_nothing_and_new_connections_work() {
    let outcome = World::new()
        .node(echo)
        .node(|host| async move {
            host.until(1_000).await;
            let mut stream = host.connect().await;
            host.write(&mut stream, b"a").await;
            host.read_all(&mut stream).await;
        })
        .at(500, network(7, reset(both_ways())))
        .run();
    assert!(outcome.hits().is_empty());
    assert_eq!(outcome.of("client"), ["1040 client: read a"]);
}

/// A PINGREQ, for faults that begin with one.
const PINGREQ: &[u8] = &[0xC0, 0];

#[rstest]
#[case::reset(NetworkFault::Reset { starting_with: Some(PacketType::PingReq) }.on(to_server()), "1020 client: connection reset")]
#[case::partition(NetworkFault::Partition { starting_with: Some(PacketType::PingReq) }.on(to_server()), "80000 client: timed out")]
fn a_fault_may_begin_with_a_packet(#[case] change: NetworkChange, #[case] ends: &str) {
    let outcome = World::new()
        .network(|link| link.give_up = Duration::from_secs(79))
        .node(echo)
        .node(|host| async move {
            let mut stream = host.connect().await;
            host.until(1_000).await;
            host.write(&mut stream, PINGREQ).await;
            host.read_all(&mut stream).await;
        })
        .at(500, network(7, change))
        .run();
    assert_eq!(outcome.of("client"), [ends]);
    assert_eq!(outcome.hits(), [7]);
}

/// The client reads only after the last letter, so that only the server's notes tell what arrived and when.
#[rstest]
#[case::while_packets_pass(60_000, &["30 server: accepted", "1010 server: read a", "51010 server: read b", "101010 server: read c"])]
#[case::at_the_limit(49_980, &["30 server: accepted", "1010 server: read a", "51010 server: read b", "101010 server: read c"])]
#[case::after_it(49_979, &["30 server: accepted", "1010 server: read a"])]
fn a_path_forgets_a_connection_without_packets(#[case] limit: u64, #[case] server: &[&str]) {
    let outcome = World::new()
        .network(|link| link.idle_limit = Some(Duration::from_millis(limit)))
        .node(echo)
        .node(writes_at(&[1_000, 51_000, 101_000]))
        .until(2_000_000)
        .run();
    // The last packet in between is the acknowledgement of the echo, 20 ms after the letter.
    assert_eq!(outcome.of("server"), server);
    assert!(outcome.hits().is_empty());
}
