//! What the broker publishes about itself under `$SYS`.

use std::collections::BTreeMap;

use halfopen_broker::Config;
use halfopen_broker::core::ConnectionId;
use halfopen_protocol::packet::{QoS, Subscription};
use halfopen_protocol::{Packet, Version};

use crate::fixture::{World, lasting, message, secs};

const V5: Version = Version::V5_0;

fn counting() -> World {
    let mut world = World::with(Config { sys_interval: secs(10), retained_messages: 1, ..Config::default() });
    world.broker.handle_start(world.now);
    world.drain();
    world
}

fn statistics(packets: Vec<Packet>) -> BTreeMap<String, (String, bool)> {
    let entry = |packet| match packet {
        Packet::Publish(message) => {
            let payload = String::from_utf8_lossy(&message.payload).into_owned();
            (message.topic.to_string(), (payload, message.retain))
        }
        other => panic!("{other:?}"),
    };
    packets.into_iter().map(entry).collect()
}

fn watch(world: &mut World) -> (ConnectionId, BTreeMap<String, (String, bool)>) {
    let watcher = world.client(V5, "watcher");
    let retained = world.subscribe(watcher, Subscription::new("$SYS/#", QoS::AtMostOnce));
    (watcher, statistics(retained))
}

#[test]
fn statistics_are_retained_from_the_start_on_and_brought_up_to_date_where_they_change() {
    let mut world = counting();
    let (watcher, first) = watch(&mut world);
    assert_eq!(first["$SYS/broker/version"], (concat!("halfopen-broker ", env!("CARGO_PKG_VERSION")).to_owned(), true));
    assert_eq!(first["$SYS/broker/uptime"], ("0 seconds".to_owned(), true));
    assert_eq!(first["$SYS/broker/clients/connected"].0, "0");
    let away = world.connect(lasting(V5, "away", 15));
    world.cut(away);
    world.send(watcher, Packet::from(message("t", "12345")));
    world.send(watcher, Packet::from(message("$SYS/broker/uptime", "forged")));

    world.advance(secs(10));
    let next = statistics(world.received(watcher));
    let number = |name: &str| next[&format!("$SYS/broker/{name}")].clone();
    assert_eq!(number("uptime"), ("10 seconds".to_owned(), false));
    assert_eq!(number("clients/connected").0, "1");
    assert_eq!(number("clients/disconnected").0, "1");
    assert_eq!(number("clients/total").0, "2");
    assert_eq!(number("clients/maximum").0, "2");
    assert_eq!(number("subscriptions/count").0, "1");
    assert_eq!(number("publish/messages/received").0, "2");
    assert_eq!(number("publish/messages/dropped").0, "1");
    assert_eq!(number("publish/bytes/received").0, "11");
    // Two CONNECTs, SUBSCRIBE and two PUBLISHs.
    assert_eq!(number("messages/received").0, "5");
    assert!(number("bytes/sent").0.parse::<u64>().is_ok_and(|bytes| bytes > 100));
    assert_eq!(number("messages/stored").0, number("store/messages/count").0);
    // All began in these ten seconds: six times as much would be in a minute.
    assert_eq!(number("load/publish/received/1min").0, format!("{:.2}", 12.0 * (1.0 - (-1.0_f64 / 6.0).exp())));
    assert_eq!(number("load/publish/received/15min").0, format!("{:.2}", 12.0 * (1.0 - (-1.0_f64 / 90.0).exp())));
    assert_eq!(number("load/connections/5min").0, format!("{:.2}", 12.0 * (1.0 - (-1.0_f64 / 30.0).exp())));
    assert!(!next.contains_key("$SYS/broker/version"), "has not changed");

    world.advance(secs(10));
    let next = statistics(world.received(watcher));
    assert_eq!(next["$SYS/broker/clients/expired"].0, "1");
    assert_eq!(next["$SYS/broker/clients/total"].0, "1");
    let fallen = 12.0 * (1.0 - (-1.0_f64 / 6.0).exp()) * (-1.0_f64 / 6.0).exp();
    assert_eq!(next["$SYS/broker/load/publish/received/1min"].0, format!("{fallen:.2}"));
}

#[test]
fn without_an_interval_there_are_none_and_nothing_wakes_the_broker() {
    let mut world = World::new();
    world.broker.handle_start(world.now);
    let (watcher, first) = watch(&mut world);
    assert_eq!(first, BTreeMap::new());
    assert_eq!(world.broker.poll_timeout(), None);
    world.advance(secs(100_000));
    assert_eq!(world.received(watcher), []);
}
