//! What is lost and sent again, from either side: when, for how long, and what becomes of it.

use std::time::Duration;

use rstest::rstest;
use tokio::io::AsyncWriteExt;

use super::fixture::*;
use crate::network::Network as _;
use crate::plan::{LinkChange, NetworkFault, NodeFault, NodeId};
use crate::script::{EngineCommand, NodeFuture};
use crate::trace::{EventKind, Transmission};

/// The end that writes.
#[derive(Clone, Copy, PartialEq)]
enum Writer {
    Client,
    Server,
}

use Writer::{Client, Server};

impl Writer {
    fn name(self) -> &'static str {
        match self {
            Client => "client",
            Server => "server",
        }
    }

    fn reader(self) -> &'static str {
        match self {
            Client => "server",
            Server => "client",
        }
    }

    /// The direction in which it writes.
    fn there(self) -> Vec<(NodeId, NodeId)> {
        match self {
            Client => to_server(),
            Server => to_client(),
        }
    }

    /// The direction in which it is answered.
    fn back(self) -> Vec<(NodeId, NodeId)> {
        match self {
            Client => to_client(),
            Server => to_server(),
        }
    }
}

/// A server and a client with one connection: both note what they read, and these write letters at these times.
fn world(writes: &'static [(Writer, u64)]) -> World {
    async fn talk(host: Host, stream: Stream, times: Vec<u64>) {
        let (mut reading, mut writing) = tokio::io::split(stream);
        let writes = async {
            for (at, letter) in times.into_iter().zip(b'a'..) {
                host.until(at).await;
                let _notes_of_the_reader_tell = writing.write_all(&[letter]).await;
            }
        };
        tokio::join!(biased; host.read_all(&mut reading), writes);
    }
    let times = move |of: Writer| writes.iter().filter(|(by, _)| *by == of).map(|(_, at)| *at).collect::<Vec<_>>();
    World::new()
        .network(|link| link.give_up = Duration::from_secs(10))
        .node(move |host| serve(host, move |host, stream| talk(host, stream, times(Server))))
        .node(move |host| async move {
            let stream = host.connect().await;
            talk(host, stream, times(Client)).await;
        })
        .until(100_000)
}

fn cut(line: u32, links: Vec<(NodeId, NodeId)>) -> EngineCommand {
    network(line, partition(links))
}

fn heal(line: u32, links: Vec<(NodeId, NodeId)>) -> EngineCommand {
    network(line, NetworkFault::Heal.on(links))
}

fn latencies(line: u32, links: Vec<(NodeId, NodeId)>, ms: u64) -> EngineCommand {
    network(line, NetworkFault::Set(latency(ms)).on(links))
}

fn patience(line: u32, links: Vec<(NodeId, NodeId)>, seconds: u64) -> EngineCommand {
    let change = LinkChange { give_up: Some(Duration::from_secs(seconds)), ..LinkChange::default() };
    network(line, NetworkFault::Set(change).on(links))
}

/// What a node notes after the connection was accepted.
fn notes<'a>(outcome: &'a Outcome, name: &str) -> Vec<&'a str> {
    outcome.of(name).into_iter().filter(|note| !note.ends_with("accepted")).collect()
}

#[rstest]
fn the_first_time_out_is_three_round_trips_and_at_least_200_ms(
    #[values(Client, Server)] writer: Writer,
    #[values((10, 10, 200), (33, 33, 200), (34, 34, 204), (100, 200, 900), (200, 100, 900), (1, 999, 3_000))] link: (
        u64,
        u64,
        u64,
    ),
) {
    let (there, back, time_out) = link;
    let writes: &[_] = if writer == Client { &[(Client, 20_000)] } else { &[(Server, 20_000)] };
    let outcome = world(writes)
        .at(1_000, latencies(1, writer.there(), there))
        .at(1_000, latencies(2, writer.back(), back))
        .at(19_000, cut(3, writer.there()))
        .at(20_001, heal(4, writer.there()))
        .run();
    assert_eq!(
        notes(&outcome, writer.reader()),
        [format!("{} {}: read a", 20_000 + time_out + there, writer.reader())]
    );
    assert_eq!(notes(&outcome, writer.name()), [""; 0]);
}

#[rstest]
#[case::of_the_client(Client, &[(Client, 20_000)])]
#[case::of_the_server(Server, &[(Server, 20_000)])]
fn time_outs_double_until_two_minutes(#[case] writer: Writer, #[case] writes: &'static [(Writer, u64)]) {
    // 0.2 s × 2ⁿ; after ten attempts it would be more than two minutes.
    let attempts: [u64; 12] =
        [200, 600, 1_400, 3_000, 6_200, 12_600, 25_400, 51_000, 102_200, 204_600, 324_600, 444_600];
    for pair in attempts.windows(2) {
        for (healed, attempt) in [(pair[0] + 1, pair[1]), (pair[1], pair[1])] {
            let outcome = world(writes)
                .network(|link| link.give_up = Duration::from_secs(1_000))
                .at(1_000, cut(1, both_ways()))
                .at(20_000 + healed, heal(2, both_ways()))
                .until(1_000_000)
                .run();
            let read = format!("{} {}: read a", 20_000 + attempt + 10, writer.reader());
            assert_eq!(notes(&outcome, writer.reader()), [read], "healed after {healed} ms");
        }
    }
}

#[rstest]
#[case::of_the_client(Client, &[(Client, 2_000)])]
#[case::of_the_server(Server, &[(Server, 2_000)])]
fn a_socket_waits_for_an_answer_for_as_long_as_its_own_direction_says(
    #[case] writer: Writer,
    #[case] writes: &'static [(Writer, u64)],
    #[values(true, false)] cut_there: bool,
) {
    let outcome = world(writes)
        .at(500, patience(1, writer.there(), 4))
        .at(500, patience(2, writer.back(), 7))
        .at(1_000, cut(3, if cut_there { writer.there() } else { writer.back() }))
        .run();
    assert_eq!(notes(&outcome, writer.name()), [format!("6000 {}: timed out", writer.name())]);
    let read = if cut_there { Vec::new() } else { vec![format!("2010 {}: read a", writer.reader())] };
    assert_eq!(notes(&outcome, writer.reader()), read);
}

#[rstest]
#[case::of_the_client(Client, &[(Client, 2_000), (Client, 8_000)])]
#[case::of_the_server(Server, &[(Server, 2_000), (Server, 8_000)])]
fn an_answer_begins_patience_anew(#[case] writer: Writer, #[case] writes: &'static [(Writer, u64)]) {
    let outcome = world(writes)
        .at(1_000, cut(1, both_ways()))
        // The attempt at 5.0 s gets through.
        .at(4_000, heal(2, both_ways()))
        .at(7_000, cut(3, both_ways()))
        .run();
    assert_eq!(notes(&outcome, writer.reader()), [format!("5010 {}: read a", writer.reader())]);
    assert_eq!(notes(&outcome, writer.name()), [format!("18000 {}: timed out", writer.name())]);
}

#[rstest]
#[case::of_the_client(Client, &[(Client, 2_000), (Client, 5_100)])]
#[case::of_the_server(Server, &[(Server, 2_000), (Server, 5_100)])]
fn an_answer_begins_time_outs_anew(#[case] writer: Writer, #[case] writes: &'static [(Writer, u64)]) {
    let outcome = world(writes)
        .at(1_000, cut(1, writer.there()))
        .at(4_000, heal(2, writer.there()))
        .at(5_050, cut(3, writer.there()))
        .at(5_200, heal(4, writer.there()))
        .run();
    let reader = writer.reader();
    assert_eq!(notes(&outcome, reader), [format!("5010 {reader}: read a"), format!("5310 {reader}: read b")]);
}

#[rstest]
#[case::of_the_client(Client, &[(Client, 2_000)])]
#[case::of_the_server(Server, &[(Server, 2_000)])]
fn a_lost_acknowledgement_comes_with_the_next_repetition(
    #[case] writer: Writer,
    #[case] writes: &'static [(Writer, u64)],
) {
    for (healed, given_up) in [(8_000, false), (11_000, true)] {
        let outcome = world(writes).at(1_000, cut(1, writer.back())).at(healed, heal(2, writer.back())).run();
        let reader = writer.reader();
        assert_eq!(notes(&outcome, reader)[0], format!("2010 {reader}: read a"));
        let failed = format!("12000 {}: timed out", writer.name());
        let failure = if given_up { vec![failed] } else { Vec::new() };
        assert_eq!(notes(&outcome, writer.name()), failure, "healed at {healed} ms");
    }
}

#[rstest]
#[case::of_the_client(Client, &[(Client, 2_000)])]
#[case::of_the_server(Server, &[(Server, 2_000)])]
fn an_acknowledgement_is_not_repeated_to_whom_nobody_hears(
    #[case] writer: Writer,
    #[case] writes: &'static [(Writer, u64)],
) {
    let outcome = world(writes)
        .at(1_000, cut(1, writer.back()))
        .at(2_100, cut(2, writer.there()))
        .at(2_500, heal(3, writer.back()))
        .run();
    assert_eq!(notes(&outcome, writer.name()), [format!("12000 {}: timed out", writer.name())]);
}

#[rstest]
#[case::of_the_server(Server, &[(Client, 2_000), (Server, 10_000)])]
#[case::of_the_client(Client, &[(Server, 2_000), (Client, 10_000)])]
fn an_acknowledgement_does_not_wait_behind_what_was_lost(
    #[case] writer: Writer,
    #[case] writes: &'static [(Writer, u64)],
) {
    // What the other one lost at 2.0 s is sent again at 8.2 and at 14.6 s.
    let outcome = world(writes)
        .at(500, patience(1, writer.back(), 100))
        .at(500, patience(2, writer.there(), 3))
        .at(1_000, cut(3, writer.back()))
        .at(9_000, heal(4, writer.back()))
        .run();
    assert_eq!(notes(&outcome, writer.name()), [format!("14610 {}: read a", writer.name())]);
    assert_eq!(notes(&outcome, writer.reader()), [format!("10010 {}: read a", writer.reader())]);
}

#[rstest]
#[case::there(to_server(), 15, "630")]
#[case::both_ways(both_ways(), 19, "630")]
fn the_end_of_the_handshake_is_sent_again_until_it_arrives(
    #[case] links: Vec<(NodeId, NodeId)>,
    #[case] from: u64,
    #[case] accepted: &str,
) {
    // It leaves at 20, and then 0.2 and 0.6 s later, whether an answer has a way or not.
    let outcome = world(&[]).at(from, cut(1, links)).at(400, heal(2, to_server())).run();
    assert_eq!(outcome.notes, [format!("{accepted} server: accepted")]);
}

#[rstest]
#[case::before_the_first_repetition(500, "1020")]
#[case::at_the_second(3_000, "3020")]
#[case::after_the_second(3_001, "7020")]
#[case::at_the_third(7_000, "7020")]
fn an_answer_to_a_connection_attempt_that_is_lost_is_sent_again(#[case] healed: u64, #[case] connected: &str) {
    // The SYN arrives at 10; its answer leaves then, and 1, 3 and 7 s later.
    let outcome = World::new()
        .node(echo)
        .node(|host| async move {
            let _stream = try_connect(&host).await;
            for_ever().await.expect("never");
        })
        .at(5, cut(1, to_client()))
        .at(healed + 10, heal(2, to_client()))
        .run();
    assert_eq!(outcome.of("client"), [format!("{} client: connected", connected.parse::<u64>().expect("ms"))]);
}

#[rstest]
#[case::nobody_hears(both_ways(), 0)]
#[case::the_answer_is_lost(to_client(), 0)]
#[case::the_answer_is_lost_later(to_client(), 9)]
fn a_connection_attempt_without_an_answer_is_given_up(#[case] links: Vec<(NodeId, NodeId)>, #[case] at: u64) {
    let outcome = World::new()
        .network(|link| link.give_up = Duration::from_secs(30))
        .node(echo)
        .node(|host| async move {
            host.until(5).await;
            try_connect(&host).await;
        })
        .at(at, cut(1, links))
        .run();
    assert_eq!(outcome.notes, ["30005 client: timed out"]);
}

/// The patience of the end that only answers has nothing to say about it.
#[rstest]
#[case::of_the_client(Client, &[(Client, 2_000)])]
#[case::of_the_server(Server, &[(Server, 2_000)])]
fn a_lost_answer_is_repeated_while_the_other_end_asks(
    #[case] writer: Writer,
    #[case] writes: &'static [(Writer, u64)],
) {
    let outcome = world(writes)
        .at(1_000, patience(1, writer.back(), 1))
        .at(1_000, patience(2, writer.there(), 30))
        .at(1_000, cut(3, writer.back()))
        .at(8_000, heal(4, writer.back()))
        .run();
    assert_eq!(notes(&outcome, writer.reader()), [format!("2010 {}: read a", writer.reader())]);
    assert_eq!(notes(&outcome, writer.name()), [""; 0], "it is answered after 8 s and does not give up at 32 s");
}

#[rstest]
#[case::of_the_client(Client)]
#[case::of_the_server(Server)]
fn an_end_that_is_lost_arrives_late(#[case] closer: Writer) {
    async fn close_or_read(host: Host, mut stream: Stream, closes: bool) {
        if closes {
            host.until(2_000).await;
            stream.shutdown().await.expect("open");
        }
        host.read_all(&mut stream).await;
    }
    let outcome = World::new()
        .node(move |host| serve(host, move |host, stream| close_or_read(host, stream, closer == Server)))
        .node(move |host| async move {
            let stream = host.connect().await;
            close_or_read(host, stream, closer == Client).await;
        })
        .at(1_000, cut(1, closer.there()))
        .at(3_000, heal(2, closer.there()))
        .run();
    // 2.0, then 0.2, 0.6 and 1.4 s later; the other one closes when it has read it.
    assert_eq!(notes(&outcome, closer.reader()), [format!("3410 {}: end", closer.reader())]);
    assert_eq!(notes(&outcome, closer.name()), [format!("3420 {}: end", closer.name())]);
}

#[test]
fn nothing_of_who_has_been_aborted_is_sent_again() {
    let outcome = World::new()
        .node(|host| {
            serve(host, |host, stream| async move {
                host.until(2_500).await;
                host.network.abort(stream);
            })
        })
        .node(super::faults::writes_at(&[2_000]))
        .at(1_000, cut(1, to_server()))
        .at(3_000, heal(2, to_server()))
        .run();
    assert_eq!(outcome.of("client"), ["2510 client: connection reset"]);
    assert_eq!(aborts(&outcome), [(2_500, SERVER)]);
}

#[test]
fn nothing_of_who_has_crashed_is_sent_again_after_its_abort() {
    let outcome = World::new()
        .node(|host| {
            serve(host, |host, mut stream| async move {
                host.until(1_500).await;
                host.write(&mut stream, b"lost").await;
                for_ever().await.expect("never");
            })
        })
        // What the server has not read makes its end an abort.
        .node(super::faults::writes_at(&[500]))
        .at(1_000, cut(1, to_client()))
        .at(1_600, EngineCommand::Node(SERVER, NodeFault::Crash))
        .at(3_000, heal(2, to_client()))
        .run();
    assert_eq!(outcome.of("client"), [""; 0]);
    assert_eq!(aborts(&outcome), [(1_600, SERVER)]);
}

#[rstest]
#[case::before_it_leaves(0)]
#[case::before_it_arrives(5)]
#[case::before_its_answer_arrives(15)]
fn a_connection_attempt_may_be_given_up_on_its_way(#[case] gives_up: u64) {
    let outcome = World::new()
        .node(echo)
        .node(move |host| async move {
            tokio::select! {
                biased;
                _ = try_connect(&host) => {}
                () = host.until(gives_up) => host.note("gave up"),
            }
            host.until(100).await;
            let mut stream = host.connect().await;
            host.write(&mut stream, b"a").await;
            host.read_all(&mut stream).await;
        })
        .run();
    assert_eq!(
        outcome.notes,
        [
            format!("{gives_up} client: gave up"),
            "130 server: accepted".into(),
            "130 server: read a".into(),
            "140 client: read a".into()
        ]
    );
}

#[rstest]
fn connections_that_are_opened_while_others_are_answered_are_not_mistaken(#[values(0, 5, 10, 15, 20, 30)] later: u64) {
    async fn connection(host: Host, at: u64, letter: u8) {
        host.until(at).await;
        let mut stream = host.connect().await;
        host.write(&mut stream, &[letter]).await;
        host.read_all(&mut stream).await;
    }
    let outcome = World::new()
        .node(echo)
        .node(move |host| {
            let program: NodeFuture = Box::pin(async move {
                tokio::join!(biased; connection(host.clone(), 0, b'a'), connection(host.clone(), later, b'b'));
            });
            program
        })
        .until(1_000)
        .run();
    assert_eq!(outcome.of("client"), ["40 client: read a".into(), format!("{} client: read b", 40 + later)]);
    let accepted = outcome
        .trace
        .events
        .iter()
        .filter(|event| matches!(event.kind, EventKind::Sent { item: Transmission::Open, arrival: Some(_), .. }));
    let opened: Vec<_> = accepted.map(|event| event.at.as_millis()).collect();
    assert_eq!(opened, [0, u128::from(later)]);
}

/// When an abort left, and whose it was.
fn aborts(outcome: &Outcome) -> Vec<(u128, NodeId)> {
    let abort = |event: &crate::trace::Event| match event.kind {
        EventKind::Sent { item: Transmission::Rst, from, .. } => Some((event.at.as_millis(), from)),
        _ => None,
    };
    outcome.trace.events.iter().filter_map(abort).collect()
}
