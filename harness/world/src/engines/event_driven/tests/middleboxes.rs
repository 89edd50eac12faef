//! Middleboxes: what they remember, and what becomes of what they do not know.

use std::num::NonZeroU32;
use std::time::Duration;

use rstest::rstest;

use super::fixture::*;
use crate::plan::{MiddleboxRules, WhenFull};

/// Three clients that open a connection a second apart, note when it is open, write a letter at 100 s and read the echo.
fn three(rules: MiddleboxRules) -> Vec<String> {
    let mut world = World::new().node(echo);
    for place in 1..=3 {
        world = world.node(move |host| async move {
            host.until(place * 1_000).await;
            let mut stream = host.connect().await;
            host.until(100_000).await;
            host.write(&mut stream, b"x").await;
            host.read_all(&mut stream).await;
        });
    }
    world.middlebox(rules).until(110_000).run().notes
}

fn room_for(connections: u32) -> MiddleboxRules {
    MiddleboxRules { connections: NonZeroU32::new(connections), ..MiddleboxRules::default() }
}

#[rstest]
#[case::room_for_all(room_for(3), &["1030 server: accepted", "2030 server: accepted", "3030 server: accepted"], 3)]
#[case::no_room_for_the_third(room_for(2), &["1030 server: accepted", "2030 server: accepted"], 2)]
#[case::forgets_the_first(
    MiddleboxRules { when_full: WhenFull::ForgetOldest, ..room_for(2) },
    &["1030 server: accepted", "2030 server: accepted", "3030 server: accepted"],
    2
)]
#[case::forgets_the_idle(
    MiddleboxRules { idle_limit: Some(Duration::from_secs(97)), ..room_for(3) },
    &["1030 server: accepted", "2030 server: accepted", "3030 server: accepted"],
    1
)]
#[case::room_after_the_idle(
    // The SYN of the third is sent again at 4 s, 6 s and 10 s.
    MiddleboxRules { idle_limit: Some(Duration::from_secs(7)), ..room_for(2) },
    &["1030 server: accepted", "2030 server: accepted", "10030 server: accepted"],
    0
)]
fn a_middlebox_remembers(#[case] rules: MiddleboxRules, #[case] accepted: &[&str], #[case] echoes: usize) {
    let notes = three(rules);
    let of = |what: &str| notes.iter().filter(|note| note.contains(what)).cloned().collect::<Vec<_>>();
    assert_eq!(of("accepted"), accepted);
    assert_eq!(of("read x").len(), 2 * echoes, "each echo is read at both ends: {notes:#?}");
}

#[test]
fn connections_begin_at_most_so_often() {
    let mut world = World::new().node(echo);
    for _ in 0..5 {
        world = world.node(|host| async move {
            let _stream = host.connect().await;
            std::future::pending().await
        });
    }
    let rules = MiddleboxRules { new_per_second: NonZeroU32::new(2), ..MiddleboxRules::default() };
    let outcome = world.middlebox(rules).until(20_000).run();
    // Two pass at once, two when they are sent again after one second, the last after two more.
    let accepted = ["30", "30", "1030", "1030", "3030"].map(|at| format!("{at} server: accepted"));
    assert_eq!(outcome.of("server"), accepted.each_ref().map(String::as_str));
}
