use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::fixture::*;
use crate::trace::{EventKind, Transmission};

#[test]
fn what_is_written_is_read_a_latency_later() {
    let outcome = World::new()
        .node(echo)
        .node(|host| async move {
            let mut stream = host.connect().await;
            host.note("connected");
            host.write(&mut stream, b"one").await;
            host.until(1_000).await;
            host.write(&mut stream, b"two").await;
            host.until(2_000).await;
            stream.shutdown().await.expect("open");
            host.read_all(&mut stream).await;
        })
        .run();
    assert_eq!(
        outcome.notes,
        [
            "20 client: connected",
            "30 server: accepted",
            "30 server: read one",
            "1010 server: read two",
            "2000 client: read onetwo",
            "2010 server: end",
            "2020 client: end",
        ]
    );
}

#[test]
fn the_trace_pairs_what_arrives_with_what_was_sent() {
    let outcome = World::new()
        .node(echo)
        .node(|host| async move {
            let mut stream = host.connect().await;
            host.write(&mut stream, b"\xff\xff").await;
            let mut buffer = [0; 2];
            stream.read_exact(&mut buffer).await.expect("an echo");
        })
        .run();
    let arrivals: Vec<(u128, Transmission, Option<u128>)> = outcome
        .trace
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Sent { item, arrival, .. } => {
                Some((event.at.as_millis(), item.clone(), arrival.map(|at| at.as_millis())))
            }
            _ => None,
        })
        .collect();
    let kinds: Vec<(u128, bool, Option<u128>)> =
        arrivals.iter().map(|(at, item, arrival)| (*at, item.close().is_some(), *arrival)).collect();
    assert_eq!(arrivals[0], (0, Transmission::Open, Some(30)));
    let fins: Vec<_> = arrivals.iter().filter(|(_, item, _)| *item == Transmission::Fin).collect();
    // The second one arrives at a kernel whose program is gone: it is not lost.
    assert_eq!(fins, [&(40, Transmission::Fin, Some(50)), &(50, Transmission::Fin, Some(60))], "{kinds:?}");
}

#[test]
fn a_connection_to_nobody_is_refused() {
    let outcome = World::new()
        .node(|host| async move {
            host.until(5_000).await;
            echo(host).await;
        })
        .node(|host| async move {
            try_connect(&host).await;
            host.until(6_000).await;
            try_connect(&host).await;
        })
        .run();
    assert_eq!(
        outcome.notes,
        ["20 client: connection refused", "6020 client: connected", "6030 server: accepted", "6030 server: end"]
    );
    let items: Vec<_> = outcome.trace.events.iter().take(3).map(|event| (event.at, &event.kind)).collect();
    assert!(
        matches!(items[1], (at, EventKind::Sent { item: Transmission::Rst, from: SERVER, .. }) if at == Duration::from_millis(10))
    );
    assert!(
        matches!(items[2], (at, EventKind::Received { item: Transmission::Rst, sent: Some(1), .. }) if at == Duration::from_millis(20))
    );
}

#[test]
fn what_arrives_is_read_before_time_outs_are_judged() {
    let outcome = World::new()
        .node(|host| async move {
            serve(host, |host, mut stream| async move {
                let mut buffer = [0; 16];
                loop {
                    let deadline = halfopen_protocol::Clock::now(&host.clock) + Duration::from_secs(5);
                    tokio::select! {
                        biased;
                        () = halfopen_protocol::Clock::sleep_until(&host.clock, deadline) => return host.note("time-out"),
                        result = stream.read(&mut buffer) => host.note(format!("read {}", result.expect("open"))),
                    }
                }
            })
            .await;
        })
        .node(|host| async move {
            let mut stream = host.connect().await;
            // Arrives at 5030, when the time-out of the connection accepted at 30 is due.
            host.until(5_020).await;
            host.write(&mut stream, b"x").await;
            host.read_all(&mut stream).await;
        })
        .run();
    assert_eq!(outcome.of("server"), ["30 server: accepted", "5030 server: read 1", "10030 server: time-out"]);
}

#[test]
fn a_slow_reader_gets_all_of_a_big_transfer() {
    const SIZE: usize = 1_000_000;
    let outcome = World::new()
        .node(|host| async move {
            serve(host, |host, mut stream| async move {
                let mut total = 0;
                let mut buffer = [0; 10_000];
                while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                    assert!(buffer[..count].iter().enumerate().all(|(i, byte)| *byte == (total + i) as u8));
                    total += count;
                    let pause = halfopen_protocol::Clock::now(&host.clock) + Duration::from_millis(50);
                    halfopen_protocol::Clock::sleep_until(&host.clock, pause).await;
                }
                host.note(total);
            })
            .await;
        })
        .node(|host| async move {
            let mut stream = host.connect().await;
            let bytes: Vec<u8> = (0..SIZE).map(|i| i as u8).collect();
            host.write(&mut stream, &bytes).await;
            host.note("written");
        })
        .run();
    let written: u64 = outcome.of("client")[0].split(' ').next().expect("a time").parse().expect("a number");
    // 100 reads of at most 10,000 bytes, 50 ms apart; all but what two buffers of 64 KiB hold had to be read before.
    assert!((4_000..5_000).contains(&written), "{written}");
    assert_eq!(outcome.of("server")[1].split(' ').nth(2), Some("1000000"));
}

#[test]
fn a_jittered_link_keeps_the_order_and_is_the_same_for_the_same_seed() {
    let run = |seed| {
        World::new()
            .seed(seed)
            .network(|link| link.jitter = Duration::from_millis(50))
            .node(echo)
            .node(|host| async move {
                let mut stream = host.connect().await;
                for i in 0..20_u8 {
                    host.until(1_000 + u64::from(i) * 5).await;
                    host.write(&mut stream, &[b'a' + i]).await;
                }
                host.read_all(&mut stream).await;
            })
            .run()
            .notes
    };
    let (first, again, other) = (run(1), run(1), run(2));
    assert_eq!(first, again);
    assert_ne!(first, other);
    let read: String = first.iter().filter_map(|note| Some(note.split_once("server: read ")?.1)).collect();
    assert_eq!(read, "abcdefghijklmnopqrst");
}

#[test]
fn an_abort_reaches_the_peer_as_a_reset() {
    let outcome = World::new()
        .node(echo)
        .node(|host| async move {
            let mut stream = host.connect().await;
            host.write(&mut stream, b"hello").await;
            host.until(1_000).await;
            crate::network::Network::abort(&host.network, stream);
            for_ever().await.expect("never");
        })
        .run();
    assert_eq!(outcome.of("server"), ["30 server: accepted", "30 server: read hello", "1010 server: connection reset"]);
}

#[test]
fn data_for_a_closed_socket_is_answered_with_a_reset() {
    let outcome = World::new()
        .node(|host| async move {
            serve(host, |host, stream| async move {
                host.until(1_000).await;
                drop(stream);
            })
            .await;
        })
        .node(|host| async move {
            let mut stream = host.connect().await;
            host.until(2_000).await;
            host.write(&mut stream, b"anybody?").await;
            host.until(3_000).await;
            host.write(&mut stream, b"hello?").await;
            host.read_all(&mut stream).await;
        })
        .run();
    assert_eq!(outcome.of("client"), ["3000 client: cannot write: connection reset", "3000 client: connection reset"]);
}

#[test]
fn programs_may_use_the_time_of_tokio_as_well() {
    let outcome = World::new()
        .node(echo)
        .node(|host| async move {
            tokio::time::sleep(Duration::from_millis(1234)).await;
            host.note("slept");
        })
        .run();
    assert_eq!(outcome.notes, ["1234 client: slept"]);
}

#[test]
fn a_panic_in_a_program_leaves_the_thread_fit_for_another_world() {
    let world = || World::new().node(echo).node(listen_only).until(1_000);
    let broken = std::panic::catch_unwind(|| {
        World::new()
            .node(echo)
            .node(|host| async move {
                let _stream = host.connect().await;
                panic!("a defect");
            })
            .run();
    });
    assert!(broken.is_err());
    assert_eq!(world().run().notes, ["30 server: accepted"]);
}

#[test]
fn an_end_that_has_come_is_seen_at_the_latest_when_the_program_closes() {
    let outcome = World::new()
        .node(|host| async move {
            serve(host, |host, mut stream| async move { host.write(&mut stream, b"bye").await }).await;
        })
        .node(|host| async move {
            let mut stream = host.connect().await;
            let mut buffer = [0; 3];
            stream.read_exact(&mut buffer).await.expect("a farewell");
        })
        .run();
    let ends: Vec<_> = outcome
        .trace
        .events
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::Received { item: Transmission::Fin, to, .. } => Some((event.at.as_millis(), to)),
            _ => None,
        })
        .collect();
    // The client's own end comes to a kernel whose program is gone: nobody sees it.
    assert_eq!(ends, [(40, CLIENT)]);
}
