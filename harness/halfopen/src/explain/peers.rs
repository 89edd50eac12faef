//! What a client subscribes to as it connects, and how a raw peer answers.

use std::fmt::{self, Write as _};

use halfopen_protocol::packet::Subscription;

use super::seconds;
use crate::plan::{Answer, AnswerKind, Answers, CloseHow, Outgoing};

/// Number of topic filters that are listed.
const FILTERS: usize = 8;

/// Writes a line about the subscriptions that a client makes after CONNACK, if there are any.
pub(super) fn subscriptions(out: &mut String, subscriptions: &[Subscription]) -> fmt::Result {
    if subscriptions.is_empty() {
        return Ok(());
    }
    let filter = |subscription: &Subscription| format!("{} at QoS {}", subscription.filter, subscription.qos.level());
    let listed: Vec<_> = subscriptions.iter().take(FILTERS).map(filter).collect();
    let more = if subscriptions.len() > FILTERS {
        format!(" and {} more", subscriptions.len() - FILTERS)
    } else {
        String::new()
    };
    writeln!(out, "             subscribes to {}{more} when it has connected", listed.join(", "))
}

/// Writes a line for each kind of packet to which a raw peer gives another answer than the standard asks for.
pub(super) fn answers(out: &mut String, answers: &Answers) -> fmt::Result {
    if !answers.gives_standard {
        writeln!(out, "             answers nothing by itself{}", if has_any(answers) { ", but:" } else { "" })?;
    }
    if !answers.open.is_empty() {
        writeln!(out, "             answers a connection with {}", in_turn(&answers.open))?;
    }
    for (packet, answers) in &answers.packets {
        writeln!(out, "             answers {packet} with {}", in_turn(answers))?;
    }
    Ok(())
}

fn has_any(answers: &Answers) -> bool {
    !answers.open.is_empty() || !answers.packets.is_empty()
}

/// Returns answers in turn as text: `nothing, then PUBACK after 3s, each time`.
fn in_turn(answers: &[Answer]) -> String {
    let all: Vec<String> = answers.iter().map(answer).collect();
    match all.len() {
        0 | 1 => all.concat(),
        _ => format!("{} from then on", all.join(", then ")),
    }
}

fn answer(answer: &Answer) -> String {
    let what = match &answer.kind {
        AnswerKind::Standard => "the standard answer".to_owned(),
        AnswerKind::Nothing => "nothing".to_owned(),
        AnswerKind::Refuse => "a refusal".to_owned(),
        AnswerKind::Ignore => "silence, as if the host were not there".to_owned(),
        AnswerKind::Send(items) => items.iter().map(outgoing).collect::<Vec<_>>().join(" and "),
        AnswerKind::Close(CloseHow::Fin) => "FIN".to_owned(),
        AnswerKind::Close(_) => "RST".to_owned(),
    };
    if answer.after.is_zero() { what } else { format!("{what} {} later", seconds(answer.after)) }
}

fn outgoing(item: &Outgoing) -> String {
    match item {
        Outgoing::Connect => "CONNECT".to_owned(),
        Outgoing::Packet(packet) | Outgoing::Reply(packet) => packet.packet_type().to_string(),
        Outgoing::Bytes(bytes) => format!("{} bytes", bytes.len()),
        Outgoing::Text(bytes) => format!("a text frame of {} bytes", bytes.len()),
    }
}
