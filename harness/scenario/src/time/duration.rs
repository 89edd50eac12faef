use std::time::Duration;

use super::exact::Exact;
use super::token::{Kind, Token, tokens};
use super::{Cursor, TimeError};

/// How deep brackets may be nested.
const MAX_BRACKETS: usize = 32;

/// The longest duration: what a 4-byte field of seconds can hold, 136 years.
const MAX_MILLISECONDS: i128 = 4_294_967_295 * 1_000;

/// A number, or a time in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Quantity {
    Number(Exact),
    Time(Exact),
}

/// Reads a whole text as a duration in milliseconds, negative ones included.
pub(crate) fn quantity(text: &str) -> Result<Exact, TimeError> {
    let end = text.chars().count();
    let tokens = tokens(text)?;
    let mut cursor = Cursor::new(&tokens, end);
    let value = expression(&mut cursor)?;
    if cursor.peek().is_some() {
        return Err(cursor.error("expected `+`, `-`, `*`, `/` or the end of the duration"));
    }
    Ok(value)
}

/// Reads a whole text as a duration that is not negative.
pub(crate) fn duration(text: &str) -> Result<Duration, TimeError> {
    let value = quantity(text)?;
    let end = text.chars().count();
    let milliseconds = whole_milliseconds(value).map_err(|message| TimeError::new(0, end, message))?;
    let milliseconds = u64::try_from(milliseconds)
        .map_err(|_| TimeError::new(0, end, format!("`{text}` is less than nothing: {milliseconds} ms")))?;
    Ok(Duration::from_millis(milliseconds))
}

/// The value as whole milliseconds.
pub(crate) fn whole_milliseconds(value: Exact) -> Result<i64, String> {
    let Some(whole) = value.to_whole() else {
        return Err(format!("this is {value} ms; in the end a time is a whole number of milliseconds"));
    };
    if whole.abs() > MAX_MILLISECONDS {
        return Err("more than 4294967295s, the longest time there is".to_owned());
    }
    i64::try_from(whole).map_err(|_| "more than 4294967295s, the longest time there is".to_owned())
}

/// The shortest usual way to write it: `1.25s`, `65535s`, `250ms`, `0s`.
pub(crate) fn format(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    let (seconds, rest) = (milliseconds / 1_000, milliseconds % 1_000);
    match (seconds, rest) {
        (seconds, 0) => format!("{seconds}s"),
        (0, rest) => format!("{rest}ms"),
        (seconds, rest) => format!("{seconds}.{}s", format!("{rest:03}").trim_end_matches('0')),
    }
}

/// `DURATION` up to where it ends; it must be a time.
pub(super) fn expression(cursor: &mut Cursor<'_>) -> Result<Exact, TimeError> {
    let start = cursor.peek().map(|token| token.from);
    let value = sum(cursor, 0)?;
    match value {
        Quantity::Time(value) => Ok(value),
        Quantity::Number(value) => {
            let from = start.unwrap_or(0);
            let to = cursor.peek().map_or(cursor.end, |token| token.from);
            Err(TimeError::new(from, to.max(from + 1), format!("`{value}` has no unit; write `{value}s`")))
        }
    }
}

fn sum(cursor: &mut Cursor<'_>, depth: usize) -> Result<Quantity, TimeError> {
    let mut value = product(cursor, depth)?;
    loop {
        let from = cursor.error("");
        let minus = cursor.take_sign('-');
        if !minus && !cursor.take_sign('+') {
            return Ok(value);
        }
        let right = product(cursor, depth)?;
        let signed = |right: Exact| if minus { right.negate() } else { Some(right) };
        let fail = |message: &str| TimeError { message: message.to_owned(), ..from.clone() };
        value = match (value, right) {
            (Quantity::Time(left), Quantity::Time(right)) => {
                signed(right).and_then(|right| left.add(right)).map(Quantity::Time)
            }
            (Quantity::Number(left), Quantity::Number(right)) => {
                signed(right).and_then(|right| left.add(right)).map(Quantity::Number)
            }
            _ => return Err(fail("a time and a number without a unit cannot be added")),
        }
        .ok_or_else(|| fail("this is too large to compute"))?;
    }
}

fn product(cursor: &mut Cursor<'_>, depth: usize) -> Result<Quantity, TimeError> {
    use Quantity::{Number, Time};
    let mut value = atom(cursor, depth)?;
    loop {
        let sign = cursor.error("");
        let fail = |message: &str| TimeError { message: message.to_owned(), ..sign.clone() };
        let computed = if cursor.take_sign('*') {
            match (value, atom(cursor, depth)?) {
                (Time(_), Time(_)) => return Err(fail("two times cannot be multiplied")),
                (Time(a), Number(b)) | (Number(a), Time(b)) => a.multiply(b).map(Time),
                (Number(a), Number(b)) => a.multiply(b).map(Number),
            }
        } else if cursor.take_sign('/') {
            match (value, atom(cursor, depth)?) {
                (_, Time(b) | Number(b)) if b.is_zero() => return Err(fail("division by zero")),
                (Number(_), Time(_)) => return Err(fail("a number cannot be divided by a time")),
                (Time(a), Number(b)) => a.divide(b).map(Time),
                (Number(a), Number(b)) | (Time(a), Time(b)) => a.divide(b).map(Number),
            }
        } else {
            return Ok(value);
        };
        value = computed.ok_or_else(|| fail("this is too large to compute"))?;
    }
}

fn atom(cursor: &mut Cursor<'_>, depth: usize) -> Result<Quantity, TimeError> {
    if depth > MAX_BRACKETS {
        return Err(cursor.error("too many brackets"));
    }
    if cursor.take_sign('(') {
        let value = sum(cursor, depth + 1)?;
        return if cursor.take_sign(')') { Ok(value) } else { Err(cursor.error("expected `)`")) };
    }
    if cursor.take_sign('-') {
        return match atom(cursor, depth + 1)? {
            Quantity::Time(value) => value.negate().map(Quantity::Time),
            Quantity::Number(value) => value.negate().map(Quantity::Number),
        }
        .ok_or_else(|| cursor.error("this is too large to compute"));
    }
    if let Some(Token { kind: Kind::Number(value, unit), .. }) = cursor.peek() {
        let value = match unit {
            None => Some(Quantity::Number(*value)),
            Some(unit) => value.multiply(unit.milliseconds()).map(Quantity::Time),
        };
        let Some(value) = value else { return Err(cursor.error("this is too large to compute")) };
        cursor.next();
        // `5 s`: the unit stands apart.
        if let (Quantity::Number(number), Some(Token { kind: Kind::Word(word), .. })) = (value, cursor.peek())
            && matches!(word.as_str(), "ms" | "s" | "min" | "h" | "d")
        {
            return Err(cursor.error(format!("a unit stands at its number; write `{number}{word}`")));
        }
        return Ok(value);
    }
    Err(cursor.error("expected a duration, such as `5s` or `1.5 * 5s`"))
}
