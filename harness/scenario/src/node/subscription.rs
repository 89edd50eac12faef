use halfopen_protocol::packet::{QoS, RetainHandling, Subscription};
use halfopen_protocol::topic;

use crate::keys::{Key, Table, Takes, key, since_5};
use crate::reader::Reader;
use crate::tree::{Kind, Node};

pub(crate) const SUBSCRIPTION: Table = Table { what: "a subscription", keys: &[KEYS] };

/// A filter, or filters with options, or a list of both.
pub(crate) const SUBSCRIPTIONS: Takes = Takes::Several(&Takes::Either(&[Takes::Text, Takes::Map(&SUBSCRIPTION)]));

const KEYS: &[Key] = &[
    key("filter", "the topic filter").takes(Takes::Text),
    key("qos", "the highest QoS at which the broker may send").takes(Takes::Number(0, 2)).or("0"),
    since_5("no_local", "not what this client publishes itself").takes(Takes::Bool).or("false"),
    since_5("retain_as_published", "keep the RETAIN flag").takes(Takes::Bool).or("false"),
    since_5("retain_handling", "retained messages: 0 send, 1 send if new, 2 do not send")
        .takes(Takes::Number(0, 2))
        .or("0"),
    since_5("subscription_id", "of the action: a number that comes back with each message")
        .takes(Takes::Number(1, 268_435_455)),
];

/// A filter, a map with its options, or a list of both.
pub(crate) fn subscriptions(reader: &Reader<'_>, node: &Node) -> Option<Vec<Subscription>> {
    let items = reader.one_or_more(node);
    let read: Vec<_> = items.iter().filter_map(|item| subscription(reader, item)).collect();
    (read.len() == items.len() && !read.is_empty()).then_some(read)
}

/// The same with the identifier that its SUBSCRIBE carries: one for all of them.
pub(crate) fn subscribe(reader: &Reader<'_>, node: &Node) -> Option<(Vec<Subscription>, Option<u32>)> {
    let subscriptions = subscriptions(reader, node)?;
    let mut id = None;
    for value in reader.one_or_more(node).iter().filter_map(|item| item.get("subscription_id")) {
        let read = reader.number_u32(value, 1..=268_435_455)?;
        if id.is_some_and(|id| id != read) {
            reader.error(value, "one SUBSCRIBE has one identifier; subscribe with several of them");
            return None;
        }
        id = Some(read);
    }
    Some((subscriptions, id))
}

fn subscription(reader: &Reader<'_>, node: &Node) -> Option<Subscription> {
    if !matches!(node.kind, Kind::Map(_)) {
        return Some(Subscription::new(filter(reader, node)?, QoS::AtMostOnce));
    }
    let fields = reader.fields(node, &SUBSCRIPTION)?;
    let Some(name) = fields.get("filter") else {
        if !fields.broken {
            reader.error(node, "a subscription needs a `filter`");
        }
        return None;
    };
    let mut subscription = Subscription::new(filter(reader, name)?, QoS::AtMostOnce);
    let mut broken = fields.broken;
    for (name, _, value) in fields.iter() {
        broken |= set(reader, &mut subscription, name, value).is_none();
    }
    (!broken).then_some(subscription)
}

fn set(reader: &Reader<'_>, subscription: &mut Subscription, name: &str, value: &Node) -> Option<()> {
    match name {
        "qos" => subscription.qos = reader.qos(value)?,
        "no_local" => subscription.no_local = reader.boolean(value)?,
        "retain_as_published" => subscription.retain_as_published = reader.boolean(value)?,
        "retain_handling" => {
            subscription.retain_handling = match reader.number(value, 0..=2)? {
                0 => RetainHandling::Send,
                1 => RetainHandling::SendIfNew,
                _ => RetainHandling::DoNotSend,
            };
        }
        _ => {}
    }
    Some(())
}

/// Reports filters that the project's client would not send. `node` is a filter, a map with it, or a list of both.
pub(crate) fn check_filters(reader: &Reader<'_>, node: &Node) -> Option<()> {
    let items = match &node.kind {
        Kind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut right = Some(());
    for filter in
        items.iter().filter_map(|item| if item.entries().is_empty() { Some(item) } else { item.get("filter") })
    {
        let checked = filter.text().map(|text| topic::check_filter(text, reader.version));
        if let Some(Err(wrong)) = checked {
            let text = filter.text().unwrap_or_default();
            let message = format!("`{text}` is no topic filter: {}; a client does not send it", wrong.what);
            let note = format!("{}; a raw client may `send` a SUBSCRIBE with it", wrong.clause);
            reader.error_with_note(filter, message, note);
            right = None;
        }
    }
    right
}

/// A topic filter as it is: a raw client sends what it is told to, and what the broker makes of it is the story.
pub(crate) fn filter(reader: &Reader<'_>, node: &Node) -> Option<String> {
    reader.scalar(node, "a topic filter").map(str::to_owned)
}
