use std::collections::{BTreeMap, BTreeSet};

use halfopen_protocol::PacketType;

use super::duration::{expression, whole_milliseconds};
use super::exact::Exact;
use super::token::{Kind, Token, tokens};
use super::{Cursor, TimeError};
use crate::connection::split;
use crate::plan::{EventRef, Moment, NodeId, NthConnection, Ordinal, PacketKind, Point};
use crate::suggest::did_you_mean;

const ORDINALS: [(&str, Ordinal); 4] =
    [("first", Ordinal::First), ("second", Ordinal::Second), ("third", Ordinal::Third), ("last", Ordinal::Last)];

const POINTS: [(&str, Point); 7] = [
    ("open", Point::Open),
    ("close", Point::Close),
    ("crash", Point::Crash),
    ("power_loss", Point::PowerLoss),
    ("pause", Point::Pause),
    ("resume", Point::Resume),
    ("restart", Point::Restart),
];

/// Words that no node and no mark may be called, since they mean something in a moment or at the head of a line.
pub(crate) const RESERVED: [&str; 33] = [
    "start",
    "end",
    "first",
    "second",
    "third",
    "last",
    "packet",
    "open",
    "close",
    "crash",
    "power_loss",
    "restart",
    "pause",
    "resume",
    "from",
    "to",
    "at",
    "of",
    "after",
    "before",
    "wait",
    "mark",
    "network",
    "repeat",
    "every",
    "race",
    "sweep",
    "never",
    "should",
    "any_of",
    "nothing",
    "i",
    "mqtt",
];

/// The words for packets: the fifteen types, and `packet` for any.
pub(crate) const PACKET_WORDS: [&str; 16] = [
    "packet",
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "AUTH",
];

/// The packet that a word names.
pub(crate) fn packet_kind(word: &str) -> Option<PacketKind> {
    if word == "packet" {
        return Some(PacketKind::Any);
    }
    PacketType::ALL.into_iter().find(|packet| packet.name() == word).map(PacketKind::Type)
}

/// The names that a moment may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    /// Nodes and groups, and whom they stand for.
    pub(crate) nodes: &'a BTreeMap<String, Vec<NodeId>>,
    /// Instants that the story names.
    pub(crate) marks: &'a BTreeSet<String>,
    /// Names about which an error has been reported: what hangs on them fails with an empty message.
    pub(crate) broken: &'a BTreeSet<String>,
    /// Whether unknown names fail with an empty message, too.
    pub(crate) open: bool,
}

impl Scope<'_> {
    fn is_silent(&self, name: &str) -> bool {
        self.open || self.broken.contains(name)
    }
}

/// Reads a whole text as a moment.
pub(crate) fn moment(text: &str, scope: Scope<'_>) -> Result<Moment, TimeError> {
    let tokens = tokens(text)?;
    if let Some(token) = tokens.iter().find(|token| token.kind == Kind::To) {
        return Err(TimeError::new(token.from, token.to, "a range, where one moment is expected"));
    }
    of_tokens(text, &tokens, text.chars().count(), scope)
}

/// Reads a whole text as `A .. B`, `A ..` or `.. B`; an open end is the start or the end of the run.
pub(crate) fn moments(text: &str, scope: Scope<'_>) -> Result<(Moment, Moment), TimeError> {
    let tokens = tokens(text)?;
    let end = text.chars().count();
    let mut parts = tokens.split(|token| token.kind == Kind::To);
    let (Some(first), Some(second), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(TimeError::new(0, end, "expected a range of moments, as in `50s .. 51s` or `start .. MARK`"));
    };
    let bound = |tokens: &[Token], event: EventRef| match (tokens.first(), tokens.last()) {
        (Some(head), Some(tail)) => {
            let part: String = text.chars().skip(head.from).take(tail.to - head.from).collect();
            of_tokens(&part, tokens, tail.to, scope)
        }
        _ => {
            let text = if event == EventRef::Start { "start" } else { "end" };
            Ok(Moment { event, offset_ms: 0, text: text.to_owned() })
        }
    };
    if first.is_empty() && second.is_empty() {
        return Err(TimeError::new(0, end, "a range has at least one end"));
    }
    Ok((bound(first, EventRef::Start)?, bound(second, EventRef::End)?))
}

fn of_tokens(text: &str, tokens: &[Token], end: usize, scope: Scope<'_>) -> Result<Moment, TimeError> {
    let mut cursor = Cursor::new(tokens, end);
    let offset_ms;
    let event = match tokens.first().map(|token| &token.kind) {
        None => return Err(TimeError::new(0, end.max(1), "expected a moment, such as `20s` or `1s after MARK`")),
        Some(Kind::Number(..) | Kind::Sign(_)) => {
            let value = expression(&mut cursor)?;
            let (value, event) = relation(value, &mut cursor, scope)?;
            let whole = whole_milliseconds(value);
            offset_ms = whole.map_err(|message| TimeError::new(tokens[0].from, end, message))?;
            if event == EventRef::Start && offset_ms < 0 {
                return Err(TimeError::new(tokens[0].from, end, "this is before the run begins"));
            }
            event
        }
        Some(_) => {
            offset_ms = 0;
            event(&mut cursor, scope)?
        }
    };
    if let Some(token) = cursor.peek() {
        let hint = match token.kind {
            Kind::Sign('+' | '-') => {
                "; time after an event is written `5s after EVENT`, time before it `5s before EVENT`"
            }
            _ => "",
        };
        return Err(cursor.error(format!("the moment should end here{hint}")));
    }
    Ok(Moment { event, offset_ms, text: text.trim().to_owned() })
}

/// What follows a duration: nothing, `after EVENT` or `before EVENT`.
fn relation(value: Exact, cursor: &mut Cursor<'_>, scope: Scope<'_>) -> Result<(Exact, EventRef), TimeError> {
    if cursor.peek().is_none() {
        return Ok((value, EventRef::Start));
    }
    if cursor.take_word("after") {
        return Ok((value, event(cursor, scope)?));
    }
    let too_large = cursor.error("this is too large to compute");
    if cursor.take_word("before") {
        return Ok((value.negate().ok_or(too_large)?, event(cursor, scope)?));
    }
    Err(cursor.error("expected `after` or `before` and an event"))
}

fn event(cursor: &mut Cursor<'_>, scope: Scope<'_>) -> Result<EventRef, TimeError> {
    let Some(Token { kind: Kind::Word(word), .. }) = cursor.peek() else {
        return Err(
            cursor.error("expected an event, such as `start`, a mark, `last packet from NODE` or `close of NODE`")
        );
    };
    if let "after" | "before" = word.as_str() {
        let message =
            format!("how long {word} it? As in `5s {word} EVENT`; the event itself is written without `{word}`");
        return Err(cursor.error(message));
    }
    if let Some((_, ordinal)) = ORDINALS.iter().find(|(name, _)| name == word) {
        cursor.next();
        return occurrence(*ordinal, cursor, scope);
    }
    if scope.marks.contains(word) {
        cursor.next();
        return Ok(EventRef::Mark(word.clone()));
    }
    match word.as_str() {
        "start" => {
            cursor.next();
            Ok(EventRef::Start)
        }
        "end" => {
            cursor.next();
            Ok(EventRef::End)
        }
        _ => occurrence(Ordinal::Nearest, cursor, scope),
    }
}

/// `PACKET from NODE …` or `POINT of NODE …`.
fn occurrence(ordinal: Ordinal, cursor: &mut Cursor<'_>, scope: Scope<'_>) -> Result<EventRef, TimeError> {
    let Some(Token { kind: Kind::Word(word), .. }) = cursor.peek() else {
        return Err(cursor.error("expected a packet, such as `PINGREQ`, or `open` or `close`"));
    };
    if let Some(packet) = packet_kind(word) {
        cursor.next();
        return packet_event(ordinal, packet, word, cursor, scope);
    }
    if let Some((_, point)) = POINTS.iter().find(|(name, _)| name == word) {
        cursor.next();
        if !cursor.take_word("of") {
            return Err(cursor.error(format!("expected `of` and a node, as in `{word} of NODE`")));
        }
        let mut connection = None;
        let of = node_or_connection(cursor, scope, &mut connection)?;
        if connection.is_some() && !matches!(point, Point::Open | Point::Close) {
            return Err(cursor.error(format!("`{word}` happens to a node, not to a connection")));
        }
        let at = if cursor.take_word("at") { Some(node(cursor, scope)?) } else { None };
        return Ok(EventRef::Point { ordinal, point: *point, of, at, on: connection });
    }
    if scope.nodes.contains_key(word) {
        return Err(cursor.error(format!(
            "`{word}` is a node, not an event; what of it? As in `last packet from {word}` or `close of {word}`"
        )));
    }
    if scope.is_silent(word) {
        return Err(cursor.error(""));
    }
    let words = ORDINALS.iter().map(|(word, _)| *word).chain(POINTS.iter().map(|(word, _)| *word));
    let words = words.chain(PACKET_WORDS).chain(["start", "end"]);
    let hint = did_you_mean(word, words.chain(scope.marks.iter().map(String::as_str)));
    Err(cursor.error(format!("unknown event `{word}`{hint}")))
}

fn packet_event(
    ordinal: Ordinal,
    packet: PacketKind,
    word: &str,
    cursor: &mut Cursor<'_>,
    scope: Scope<'_>,
) -> Result<EventRef, TimeError> {
    let mut connection = None;
    let mut end = |cursor: &mut Cursor<'_>, word: &str| match cursor.take_word(word) {
        true => node_or_connection(cursor, scope, &mut connection).map(Some),
        false => Ok(None),
    };
    let from = end(cursor, "from")?;
    let to = if from.is_some() { end(cursor, "to")? } else { None };
    let at = end(cursor, "at")?;
    if from.is_none() && at.is_none() {
        return Err(cursor.error(format!("expected `from` or `at` and a node, as in `{word} from NODE`")));
    }
    Ok(EventRef::Packet { ordinal, packet, from, to, at, on: connection })
}

/// A node, or one of its connections: `sensor#2`.
fn node_or_connection(
    cursor: &mut Cursor<'_>,
    scope: Scope<'_>,
    connection: &mut Option<NthConnection>,
) -> Result<NodeId, TimeError> {
    let Some(Token { kind: Kind::Word(word), .. }) = cursor.peek() else {
        return Err(cursor.error("expected a node"));
    };
    let (name, number) = split(word).map_err(|message| cursor.error(message))?;
    let client = named(name, cursor, scope)?;
    *connection = number.map(|number| NthConnection { client, number }).or(*connection);
    Ok(client)
}

fn node(cursor: &mut Cursor<'_>, scope: Scope<'_>) -> Result<NodeId, TimeError> {
    let Some(Token { kind: Kind::Word(word), .. }) = cursor.peek() else {
        return Err(cursor.error("expected a node"));
    };
    named(word, cursor, scope)
}

fn named(word: &str, cursor: &mut Cursor<'_>, scope: Scope<'_>) -> Result<NodeId, TimeError> {
    match scope.nodes.get(word).map(Vec::as_slice) {
        Some([only]) => {
            cursor.next();
            Ok(*only)
        }
        Some(_) => Err(cursor.error(format!("`{word}` is a group; an event is of one node, as in `{word}.1`"))),
        None if scope.is_silent(word) => Err(cursor.error("")),
        None => {
            let hint = did_you_mean(word, scope.nodes.keys().map(String::as_str));
            Err(cursor.error(format!("unknown node `{word}`{hint}")))
        }
    }
}
