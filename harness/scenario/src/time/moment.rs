use halfopen_protocol::PacketType;

use super::duration::{expression, whole_milliseconds, without_parameters};
use super::token::{Token, TokenKind, tokens};
use super::{Cursor, TimeError};
use crate::ast::{CharRange, Event, EventNode, Moment, Moments, Outline, Place, When};
use crate::plan::{NthConnection, Ordinal, PacketKind, Point};
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
pub(crate) const RESERVED: [&str; 36] = [
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
    "whenever",
    "when",
    "any_order",
    "sweep",
    "never",
    "should",
    "any_of",
    "nothing",
    "i",
    "round",
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

/// The word for which of several events is meant; none for the nearest.
pub(crate) fn ordinal_word(ordinal: Ordinal) -> Option<&'static str> {
    ORDINALS.iter().find(|(_, known)| *known == ordinal).map(|(word, _)| *word)
}

/// The word for what happens to a node.
pub(crate) fn point_word(point: Point) -> &'static str {
    POINTS.iter().find(|(_, known)| *known == point).map_or("", |(word, _)| word)
}

/// The name of a node, and the number of the connection if one is named.
pub(crate) fn split(word: &str) -> Result<(&str, Option<u32>), String> {
    let Some((name, digits)) = word.split_once('#') else { return Ok((word, None)) };
    match digits.parse::<u32>() {
        _ if digits == "last" => Ok((name, Some(NthConnection::LATEST))),
        Ok(number) if number > 0 && number < NthConnection::LATEST => Ok((name, Some(number))),
        _ => Err(format!(
            "`{word}` names no connection; they are counted from 1, as in `{name}#1`; the latest is `{name}#last`"
        )),
    }
}

/// Reads a whole text as a moment.
pub(crate) fn moment(text: &str, place: &Place, outline: &Outline) -> Result<Moment, TimeError> {
    let tokens = tokens(text)?;
    if let Some(token) = tokens.iter().find(|token| token.kind == TokenKind::To) {
        return Err(TimeError::new(token.from, token.to, "a range, where one moment is expected"));
    }
    of_tokens(&tokens, text.chars().count(), place, outline)
}

/// Reads a whole text as `A .. B`, `A ..` or `.. B`.
pub(crate) fn moments(text: &str, place: &Place, outline: &Outline) -> Result<Moments, TimeError> {
    let tokens = tokens(text)?;
    let end = text.chars().count();
    let mut parts = tokens.split(|token| token.kind == TokenKind::To);
    let (Some(first), Some(second), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(TimeError::new(0, end, "expected a range of moments, as in `50s .. 51s` or `start .. MARK`"));
    };
    let bound = |tokens: &[Token]| match tokens.last() {
        Some(tail) => of_tokens(tokens, tail.to, place, outline).map(Some),
        None => Ok(None),
    };
    match (bound(first)?, bound(second)?) {
        (None, None) => Err(TimeError::new(0, end, "a range has at least one end")),
        (from, to) => Ok(Moments { place: place.clone(), from, to }),
    }
}

fn of_tokens(tokens: &[Token], end: usize, place: &Place, outline: &Outline) -> Result<Moment, TimeError> {
    let mut cursor = Cursor::new(tokens, end);
    let when = match tokens.first().map(|token| &token.kind) {
        None => return Err(TimeError::new(0, end.max(1), "expected a moment, such as `20s` or `1s after MARK`")),
        Some(TokenKind::Number(..) | TokenKind::Sign(_) | TokenKind::Parameter(_)) => {
            let expr = expression(&mut cursor)?;
            if !expr.has_parameters() {
                whole_milliseconds(&expr, &without_parameters)?;
            }
            if cursor.peek().is_none() {
                When::Since(expr)
            } else if cursor.take_word("after") {
                When::After(expr, event(&mut cursor, outline)?)
            } else if cursor.take_word("before") {
                When::Before(expr, event(&mut cursor, outline)?)
            } else {
                return Err(cursor.error("expected `after` or `before` and an event"));
            }
        }
        Some(_) => When::At(event(&mut cursor, outline)?),
    };
    if let Some(token) = cursor.peek() {
        let hint = match token.kind {
            TokenKind::Sign('+' | '-') => {
                "; time after an event is written `5s after EVENT`, time before it `5s before EVENT`"
            }
            _ => "",
        };
        return Err(cursor.error(format!("the moment should end here{hint}")));
    }
    Ok(Moment { place: place.clone(), when })
}

fn event(cursor: &mut Cursor<'_>, outline: &Outline) -> Result<Event, TimeError> {
    let Some(Token { kind: TokenKind::Word(word), from, to }) = cursor.peek() else {
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
        return occurrence(*ordinal, cursor, outline);
    }
    let event = match word.as_str() {
        "start" => Event::Start,
        "end" => Event::End,
        word if outline.may_be_mark(word) && !RESERVED.contains(&word) && packet_kind(word).is_none() => {
            Event::Mark { name: word.to_owned(), at: CharRange { from: *from, to: *to } }
        }
        _ => return occurrence(Ordinal::Nearest, cursor, outline),
    };
    cursor.next();
    Ok(event)
}

/// Reads `PACKET from NODE …` or `POINT of NODE …`.
fn occurrence(ordinal: Ordinal, cursor: &mut Cursor<'_>, outline: &Outline) -> Result<Event, TimeError> {
    let Some(Token { kind: TokenKind::Word(word), .. }) = cursor.peek() else {
        return Err(cursor.error("expected a packet, such as `PINGREQ`, or `open` or `close`"));
    };
    if let Some(packet) = packet_kind(word) {
        cursor.next();
        return packet_event(ordinal, packet, word, cursor, outline);
    }
    if let Some((_, point)) = POINTS.iter().find(|(name, _)| name == word) {
        cursor.next();
        if !cursor.take_word("of") {
            return Err(cursor.error(format!("expected `of` and a node, as in `{word} of NODE`")));
        }
        let of = node(cursor, outline)?;
        if of.connection.is_some() && !matches!(point, Point::Open | Point::Close) {
            return Err(cursor.error(format!("`{word}` happens to a node, not to a connection")));
        }
        let at = if cursor.take_word("at") { Some(whole_node(cursor, outline)?) } else { None };
        return Ok(Event::Point { ordinal, point: *point, of, at });
    }
    if outline.has_node(word) {
        return Err(cursor.error(format!(
            "`{word}` is a node, not an event; what of it? As in `last packet from {word}` or `close of {word}`"
        )));
    }
    if outline.is_silent(word) {
        return Err(cursor.error(""));
    }
    let words = ORDINALS.iter().map(|(word, _)| *word).chain(POINTS.iter().map(|(word, _)| *word));
    let words = words.chain(PACKET_WORDS).chain(["start", "end"]);
    let hint = did_you_mean(word, words.chain(outline.marks.iter().map(String::as_str)));
    Err(cursor.error(format!("unknown event `{word}`{hint}")))
}

fn packet_event(
    ordinal: Ordinal,
    packet: PacketKind,
    word: &str,
    cursor: &mut Cursor<'_>,
    outline: &Outline,
) -> Result<Event, TimeError> {
    let end = |cursor: &mut Cursor<'_>, word: &str| match cursor.take_word(word) {
        true => node(cursor, outline).map(Some),
        false => Ok(None),
    };
    let from = end(cursor, "from")?;
    let to = if from.is_some() { end(cursor, "to")? } else { None };
    let at = end(cursor, "at")?;
    if from.is_none() && at.is_none() {
        return Err(cursor.error(format!("expected `from` or `at` and a node, as in `{word} from NODE`")));
    }
    Ok(Event::Packet { ordinal, packet, from, to, at })
}

/// Reads a node, or one of its connections: `sensor#2`.
fn node(cursor: &mut Cursor<'_>, outline: &Outline) -> Result<EventNode, TimeError> {
    let Some(Token { kind: TokenKind::Word(word), .. }) = cursor.peek() else {
        return Err(cursor.error("expected a node"));
    };
    let (name, connection) = split(word).map_err(|message| cursor.error(message))?;
    named(name, connection, cursor, outline)
}

fn whole_node(cursor: &mut Cursor<'_>, outline: &Outline) -> Result<EventNode, TimeError> {
    let Some(Token { kind: TokenKind::Word(word), .. }) = cursor.peek() else {
        return Err(cursor.error("expected a node"));
    };
    named(word, None, cursor, outline)
}

fn named(
    name: &str,
    connection: Option<u32>,
    cursor: &mut Cursor<'_>,
    outline: &Outline,
) -> Result<EventNode, TimeError> {
    if !outline.has_node(name) {
        return Err(cursor.error(match outline.is_silent(name) {
            true => String::new(),
            false => format!("unknown node `{name}`{}", did_you_mean(name, outline.names())),
        }));
    }
    let at = cursor.next().map_or_else(CharRange::default, |token| CharRange { from: token.from, to: token.to });
    Ok(EventNode { name: name.to_owned(), connection, at })
}
