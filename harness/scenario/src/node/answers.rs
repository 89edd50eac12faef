use std::time::Duration;

use halfopen_protocol::PacketType;
use halfopen_protocol::packet::Connect;

use crate::keys::{Key, Table, Takes, key};
use crate::names::Role;
use crate::packet::{packet, replies};
use crate::plan::{Answer, AnswerKind, Answers, CloseHow, PacketKind};
use crate::reader::Reader;
use crate::tree::{Kind, Node};

/// What may stand under `answers` and `answer`.
pub(crate) const ANSWERS: Takes = Takes::Either(&[
    Takes::Words(ALL),
    Takes::Named(&Takes::Several(&Takes::Either(&[Takes::Words(ONE), Takes::Map(&ANSWER)]))),
]);

const ALL: &[Key] = &[key("usual", "what the flows of the standard ask for"), key("nothing", "none at all")];

const ONE: &[Key] = &[
    key("usual", "what the flows of the standard ask for"),
    key("nothing", "none; it is owed until another answer is set"),
    key("refuse", "the answer that says no; of `open` RST to the SYN"),
    key("ignore", "of `open` alone: the SYN is lost, however often it is sent again"),
];

pub(crate) const ANSWER: Table = Table {
    what: "an answer",
    keys: &[&[
        key("after", "how long after what it answers").takes(Takes::Duration).or("0s"),
        key("send", "packets or bytes in one piece; ids are those of what is answered").takes(Takes::Outgoing),
        key("close", "ends the connection").takes(Takes::Words(CLOSE)),
    ]],
};

pub(crate) const CLOSE: &[Key] = &[key("fin", "in order"), key("rst", "by abort")];

/// `usual` or `nothing` for everything, or a map.
pub(crate) fn answers(reader: &Reader<'_>, node: &Node, role: Role) -> Option<Answers> {
    if !matches!(node.kind, Kind::Map(_)) {
        return reader.word(node, "answer", ALL).map(|word| Answers::all(word == "usual"));
    }
    let mut answers = Answers::all(true);
    let mut broken = false;
    let entries = reader.map(node, "a map of packets, as in `{ PINGREQ: nothing }`");
    if entries.is_empty() {
        reader.error(node, "nothing is answered in here; as in `{ PINGREQ: nothing }`");
        return None;
    }
    for (name, value) in entries {
        broken |= entry(reader, name, value, role, &mut answers).is_none();
    }
    (!broken).then_some(answers)
}

fn entry(reader: &Reader<'_>, name: &Node, value: &Node, role: Role, answers: &mut Answers) -> Option<()> {
    if name.text() == Some("open") {
        if !role.is_broker() {
            reader.error(name, "a connection is opened by the client; a raw broker may answer `open`");
            return None;
        }
        answers.open = each(reader, value, None)?;
        return Some(());
    }
    let PacketKind::Type(packet) = packet(reader, name)? else {
        reader.error(name, "expected a type of packet; for all of them write `usual` or `nothing` alone");
        return None;
    };
    if !comes_to(role, packet) {
        reader.error(name, format!("{packet} never comes to {}", role.with_article()));
        return None;
    }
    answers.packets.insert(packet, each(reader, value, Some(packet))?);
    Some(())
}

fn each(reader: &Reader<'_>, value: &Node, packet: Option<PacketType>) -> Option<Vec<Answer>> {
    let items = reader.one_or_more(value);
    let read: Vec<_> = items.iter().filter_map(|item| one(reader, item, packet)).collect();
    (read.len() == items.len() && !read.is_empty()).then_some(read)
}

fn one(reader: &Reader<'_>, node: &Node, packet: Option<PacketType>) -> Option<Answer> {
    if !matches!(node.kind, Kind::Map(_)) {
        let kind = match reader.word(node, "answer", ONE)? {
            "usual" => AnswerKind::Usual,
            "nothing" => AnswerKind::Nothing,
            "ignore" if packet.is_none() => AnswerKind::Ignore,
            "ignore" => {
                reader.error(node, "`ignore` is for `open`, whose SYN is lost; a packet is answered with `nothing`");
                return None;
            }
            _ if packet.is_none_or(|packet| can_refuse(packet, reader.version.is_v5())) => AnswerKind::Refuse,
            _ => {
                let packet = packet.map(|packet| packet.to_string()).unwrap_or_default();
                reader.error(node, format!("MQTT {} has no way to refuse a {packet}", reader.version));
                return None;
            }
        };
        return Some(Answer::now(kind));
    }
    let fields = reader.fields(node, &ANSWER)?;
    let after = match fields.get("after") {
        Some(after) => reader.duration(after)?,
        None => Duration::ZERO,
    };
    let kind = match (fields.get("send"), fields.get("close")) {
        (None, None) if fields.get("after").is_some() => AnswerKind::Usual,
        (Some(send), None) => AnswerKind::Send(replies(reader, send, &Connect::new(reader.version, ""))?),
        (None, Some(close)) => AnswerKind::Close(match reader.word(close, "way to close", CLOSE)? {
            "fin" => CloseHow::Fin,
            _ => CloseHow::Rst,
        }),
        _ => {
            if !fields.broken {
                reader.error(node, "an answer is to `send` or to `close`; `after` may stand beside it, or alone");
            }
            return None;
        }
    };
    (!fields.broken).then_some(Answer { after, kind })
}

/// Whether a packet can come to a peer of this role [MQTT-2.1.2 of both standards].
fn comes_to(role: Role, packet: PacketType) -> bool {
    match packet {
        PacketType::Connect | PacketType::Subscribe | PacketType::Unsubscribe | PacketType::PingReq => role.is_broker(),
        PacketType::ConnAck | PacketType::SubAck | PacketType::UnsubAck | PacketType::PingResp => !role.is_broker(),
        _ => true,
    }
}

fn can_refuse(packet: PacketType, is_v5: bool) -> bool {
    match packet {
        PacketType::Connect | PacketType::Subscribe => true,
        PacketType::Unsubscribe | PacketType::Publish | PacketType::PubRec | PacketType::PubRel => is_v5,
        _ => false,
    }
}
