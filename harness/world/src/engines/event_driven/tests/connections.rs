//! Faults that concern one connection of a link, and SYNs that are refused or ignored.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use halfopen_protocol::PacketType;
use rstest::rstest;
use tokio::io::AsyncReadExt;
use tokio::task::spawn_local;

use super::fixture::*;
use halfopen_tcp::SynDecision;

use crate::network::{AcceptPolicy, Network as _};
use crate::plan::{LinkChange, NetworkChange, NetworkFault, NodeId, Scope};
use crate::trace::{ConnectionId, EventKind, Transmission};

fn of(number: u32, change: NetworkChange) -> NetworkChange {
    NetworkChange { scope: Scope { connection: Some(number), ..change.scope }, ..change }
}

fn half_open(links: Vec<(NodeId, NodeId)>) -> NetworkChange {
    NetworkFault::HalfOpen { starting_with: None }.on(links)
}

fn reset(links: Vec<(NodeId, NodeId)>) -> NetworkChange {
    NetworkFault::Reset { starting_with: None }.on(links)
}

fn set(change: LinkChange) -> NetworkChange {
    NetworkFault::Set(change).on(to_server())
}

/// Two connections of one client, opened at 0 and at 100, each of which writes a PINGREQ at 2000 and at 3000, and notes
/// what comes back, and how it ends.
fn two_connections(orders: Vec<(u64, NetworkChange)>) -> Outcome {
    let mut world = World::new()
        .network(|link| link.give_up = Duration::from_secs(20))
        .node(|host| serve(host, |_, stream| send_back(stream)))
        .node(|host| async move {
            for number in [1, 2] {
                host.until(100 * (number - 1)).await;
                let host = host.clone();
                spawn_local(async move {
                    let Ok((mut stream, peer)) = host.network.connect(SERVER).await else {
                        return host.note(format!("{number} fails"));
                    };
                    assert_eq!(u64::from(peer.number), number);
                    if number == 2 && host.clock_ms() > 120 {
                        host.note("2 is late");
                    }
                    for at in [2_000, 3_000] {
                        host.until(at).await;
                        host.write(&mut stream, &[0xC0, 0]).await;
                    }
                    let mut buffer = [0; 64];
                    loop {
                        match stream.read(&mut buffer).await {
                            Ok(0) => return host.note(format!("{number} ends")),
                            Ok(count) => host.note(format!("{number} reads {count}")),
                            Err(error) => return host.note(format!("{number} {}", error.kind())),
                        }
                    }
                });
            }
            for_ever().await.expect("never");
        });
    for (place, (at, change)) in orders.into_iter().enumerate() {
        world = world.at(at, network(u32::try_from(place).expect("few") + 1, change));
    }
    world.until(60_000).run()
}

async fn send_back(mut stream: Stream) {
    let mut buffer = [0; 64];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        if tokio::io::AsyncWriteExt::write_all(&mut stream, &buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// What the client notes of one connection.
fn notes_of(outcome: &Outcome, number: u32) -> Vec<&str> {
    let prefix = format!(" client: {number} ");
    outcome.notes.iter().filter(|note| note.contains(&prefix)).map(String::as_str).collect()
}

/// What is noted of a connection that nothing befalls; with its number.
fn untouched(number: u32) -> Vec<String> {
    vec![format!("3000 client: {number} reads 2"), format!("3020 client: {number} reads 2")]
}

#[test]
fn without_a_fault_both_work() {
    let outcome = two_connections(Vec::new());
    for number in [1, 2] {
        assert_eq!(notes_of(&outcome, number), untouched(number));
    }
}

#[rstest]
#[case::half_open(half_open(both_ways()), &["22000 client: N timed out"])]
#[case::half_open_to_the_client(half_open(to_client()), &["22000 client: N timed out"])]
#[case::reset(reset(both_ways()), &["3000 client: N connection reset"])]
#[case::reset_at_the_client(reset(to_client()), &["3000 client: N connection reset"])]
#[case::partition(partition(both_ways()), &["22000 client: N timed out"])]
#[case::latency(set(latency(500)), &["3000 client: N reads 2", "3510 client: N reads 2"])]
#[case::jitter(
    set(LinkChange { jitter: Some(Duration::from_secs(1)), ..LinkChange::default() }),
    &["3000 client: N reads 2", "J"],
)]
#[case::loss(set(LinkChange { loss: Some(1_000_000), ..LinkChange::default() }), &["22000 client: N timed out"])]
#[case::bandwidth(
    set(LinkChange { bandwidth: Some(Some(4)), ..LinkChange::default() }),
    &["3000 client: N reads 2", "3520 client: N reads 2"],
)]
fn a_fault_of_one_connection_leaves_the_other_alone(
    #[case] change: NetworkChange,
    #[case] expected: &[&str],
    #[values(1, 2)] number: u32,
) {
    let outcome = two_connections(vec![(1_000, of(number, change))]);
    let notes = notes_of(&outcome, number);
    if expected.last() == Some(&"J") {
        // Something else than without jitter, in the time that jitter has.
        assert_ne!(notes, untouched(number));
        assert_eq!(notes.len(), 2, "{notes:?}");
    } else {
        let expected: Vec<_> = expected.iter().map(|note| note.replace('N', &number.to_string())).collect();
        assert_eq!(notes, expected);
    }
    assert_eq!(notes_of(&outcome, 3 - number), untouched(3 - number));
    assert_eq!(outcome.hits(), [1]);
}

#[test]
fn the_give_up_time_of_one_connection_is_its_own() {
    let patience = LinkChange { give_up: Some(Duration::from_secs(5)), ..LinkChange::default() };
    let outcome = two_connections(vec![(1_000, of(1, set(patience))), (1_000, half_open(both_ways()))]);
    assert_eq!(notes_of(&outcome, 1), ["7000 client: 1 timed out"]);
    assert_eq!(notes_of(&outcome, 2), ["22000 client: 2 timed out"]);
}

#[rstest]
#[case::itself(of(1, NetworkFault::Heal.on(both_ways())), true)]
#[case::its_link(NetworkFault::Heal.on(both_ways()), true)]
#[case::the_other(of(2, NetworkFault::Heal.on(both_ways())), false)]
#[case::one_way(of(1, NetworkFault::Heal.on(to_server())), false)]
fn a_partition_of_one_connection_ends_with(#[case] heal: NetworkChange, #[case] ends: bool) {
    let outcome = two_connections(vec![(1_000, of(1, partition(both_ways()))), (2_700, heal)]);
    let notes = notes_of(&outcome, 1);
    // Sent again 0.2, 0.4 and 0.8 s after each other: for the first time after the heal at 3.4.
    match ends {
        true => assert_eq!(notes, ["3420 client: 1 reads 4"]),
        false => assert_eq!(notes, ["22000 client: 1 timed out"]),
    }
    assert_eq!(notes_of(&outcome, 2), untouched(2));
}

#[test]
fn a_partition_of_the_link_is_not_healed_for_one_connection() {
    let heal = of(1, NetworkFault::Heal.on(both_ways()));
    let outcome = two_connections(vec![(1_000, partition(both_ways())), (2_500, heal)]);
    assert_eq!(notes_of(&outcome, 1), ["22000 client: 1 timed out"]);
    assert_eq!(outcome.hits(), [1]);
}

#[test]
fn what_is_set_for_a_connection_holds_whatever_is_set_for_its_link() {
    let outcome = two_connections(vec![
        (1_000, of(1, set(latency(500)))),
        (1_100, set(latency(100))),
        (1_200, set(LinkChange { bandwidth: Some(Some(20)), ..LinkChange::default() })),
    ]);
    // The link's bandwidth is for all of its connections together: those of the second wait behind those of the first.
    assert_eq!(notes_of(&outcome, 1), ["3000 client: 1 reads 2", "3610 client: 1 reads 2"]);
    assert_eq!(notes_of(&outcome, 2), ["3000 client: 2 reads 2", "3310 client: 2 reads 2"]);
}

#[test]
fn what_is_not_set_for_a_connection_follows_its_link() {
    let lossless = LinkChange { loss: Some(0), ..LinkChange::default() };
    let outcome = two_connections(vec![(1_000, of(1, set(lossless))), (1_100, set(latency(300)))]);
    for number in [1, 2] {
        assert_eq!(notes_of(&outcome, number)[1], format!("3310 client: {number} reads 2"));
    }
}

#[test]
fn a_connection_can_be_cut_before_it_is_opened() {
    let outcome =
        two_connections(vec![(50, of(2, partition(to_server()))), (500, of(2, NetworkFault::Heal.on(to_server())))]);
    // The SYN of 0.1 is sent again after a second.
    assert_eq!(outcome.of("client")[0], "1120 client: 2 is late");
    assert_eq!(notes_of(&outcome, 1), untouched(1));
    assert_eq!(outcome.hits(), [1, 2]);
}

#[rstest]
#[case::half_open(half_open(both_ways()))]
#[case::reset(reset(both_ways()))]
fn what_befalls_an_established_connection_meets_nothing_before_it_is_opened(#[case] change: NetworkChange) {
    let outcome = two_connections(vec![(50, of(2, change))]);
    assert!(outcome.hits().is_empty());
    assert_eq!(notes_of(&outcome, 2)[..], untouched(2));
}

#[rstest]
#[case::half_open(NetworkFault::HalfOpen { starting_with: Some(PacketType::PingReq) }.on(both_ways()), "22000 client: 2 timed out")]
#[case::partition(NetworkFault::Partition { starting_with: Some(PacketType::PingReq) }.on(both_ways()), "22000 client: 2 timed out")]
#[case::reset(NetworkFault::Reset { starting_with: Some(PacketType::PingReq) }.on(both_ways()), "3000 client: 2 connection reset")]
fn a_fault_of_one_connection_waits_for_a_packet_of_that_one(#[case] change: NetworkChange, #[case] ends: &str) {
    // Armed before there is the connection; the other one sends its PINGREQ first.
    let outcome = two_connections(vec![(50, of(2, change))]);
    assert_eq!(notes_of(&outcome, 1), untouched(1));
    assert_eq!(notes_of(&outcome, 2), [ends]);
    assert_eq!(outcome.hits(), [1]);
}

#[rstest]
// Sent again 0.2, 0.6, 1.4 and 3 s after the first time, until the abort gets through.
#[case::healed(Some(4_000), "5020 client: connection reset")]
#[case::for_ever(None, "22000 client: timed out")]
fn who_never_gets_the_abort_that_answers_sends_again(#[case] heal: Option<u64>, #[case] ends: &str) {
    let mut world = World::new()
        .network(|link| link.give_up = Duration::from_secs(20))
        .node(|host| {
            serve(host, |host, stream| async move {
                host.until(1_500).await;
                drop(stream);
            })
        })
        .node(|host| async move {
            let mut stream = host.connect().await;
            host.until(2_000).await;
            host.write(&mut stream, b"a").await;
            host.read_all(&mut stream).await;
            for_ever().await.expect("never");
        })
        .at(1_000, network(1, partition(to_client())));
    if let Some(heal) = heal {
        world = world.at(heal, network(2, NetworkFault::Heal.on(to_client())));
    }
    let outcome = world.until(60_000).run();
    assert_eq!(outcome.of("client"), [ends]);
}

/// Says the same of each connection, and notes who has knocked.
struct TestPolicy(SynDecision, RefCell<Vec<u32>>);

impl AcceptPolicy for TestPolicy {
    fn decide(&self, connection: ConnectionId) -> SynDecision {
        self.1.borrow_mut().push(connection.0);
        if connection.0 == 0 { self.0 } else { SynDecision::Accept }
    }
}

#[rstest]
#[case::open(SynDecision::Accept, &["20 client: connected", "2020 client: connected"], 2, &[0, 1])]
#[case::refused(SynDecision::Reset, &["20 client: connection refused", "2020 client: connected"], 1, &[0, 1])]
// Sent again after 1, 3, 7 and 15 s; the socket fails after 20.
#[case::ignored(SynDecision::Drop, &["20000 client: timed out", "20020 client: connected"], 1, &[0, 0, 0, 0, 0, 1])]
fn a_syn_is(#[case] decide: SynDecision, #[case] client: &[&str], #[case] accepted: usize, #[case] syns: &[u32]) {
    let asked = Rc::new(TestPolicy(decide, RefCell::default()));
    let policy: Rc<dyn AcceptPolicy> = asked.clone();
    let outcome = World::new()
        .network(|link| link.give_up = Duration::from_secs(20))
        .node(move |host| {
            host.network.set_accept_policy(Rc::clone(&policy));
            echo(host)
        })
        .node(|host| async move {
            let first = try_connect(&host).await;
            host.until(2_000).await;
            let second = try_connect(&host).await;
            for_ever().await.expect("never");
            drop((first, second));
        })
        .until(30_000)
        .run();
    assert_eq!(outcome.of("client"), client);
    assert_eq!(outcome.of("server").len(), accepted, "accepted");
    assert_eq!(*asked.1.borrow(), syns);
    let is_refusal =
        |kind: &EventKind| matches!(kind, EventKind::Received { from: SERVER, item: Transmission::Rst, .. });
    let refusals = outcome.trace.events.iter().filter(|event| is_refusal(&event.kind)).count();
    assert_eq!(refusals, usize::from(decide == SynDecision::Reset), "an RST for a SYN, and for nothing else");
}

#[test]
fn nobody_guards_the_door_of_a_program_that_is_gone() {
    let policy: Rc<dyn AcceptPolicy> = Rc::new(TestPolicy(SynDecision::Drop, RefCell::default()));
    let outcome = World::new()
        .node(move |host| {
            host.network.set_accept_policy(Rc::clone(&policy));
            async move {
                drop(host.network.listen().await.expect("the port is free"));
                for_ever().await.expect("never");
            }
        })
        .node(|host| async move {
            try_connect(&host).await;
        })
        .run();
    assert_eq!(outcome.of("client"), ["20 client: connection refused"]);
}
