use std::time::Duration;

use super::exact::Exact;
use super::token::{Token, TokenKind, Unit, tokens};
use super::{Cursor, TimeError};
use crate::ast::CharRange;

/// Maximum depth of nested brackets.
const MAX_BRACKETS: usize = 32;

/// The longest duration: what a 4-byte field of seconds can hold, 136 years.
const MAX_MILLISECONDS: i128 = 4_294_967_295 * 1_000;

/// A computation with times and numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    pub(crate) kind: ExprKind,
    /// The characters of the text.
    at: CharRange,
}

/// The kinds of computations.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ExprKind {
    /// A number, with a unit a time.
    Number(Exact, Option<Unit>),
    /// `<name>`
    Parameter(String),
    Brackets(Box<Expr>),
    Negative(Box<Expr>),
    /// The first, and each further one behind its sign.
    Sum(Box<Expr>, Vec<(Sign, Expr)>),
    Product(Box<Expr>, Vec<(Sign, Expr)>),
}

/// `+`, `-`, `*` or `/`, and its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sign {
    sign: char,
    at: CharRange,
}

/// A number, or a time in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Quantity {
    Number(Exact),
    Time(Exact),
}

/// Gives the text of the value of a parameter that stands at these characters; nothing if it is wrong, which it
/// reports.
pub(crate) type Values<'a> = &'a dyn Fn(&str, CharRange) -> Option<String>;

/// Knows no parameter.
pub(crate) fn without_parameters(_: &str, _: CharRange) -> Option<String> {
    None
}

/// Reads a whole text as a computation.
pub(crate) fn expression_of(text: &str) -> Result<Expr, TimeError> {
    let tokens = tokens(text)?;
    let mut cursor = Cursor::new(&tokens, text.chars().count());
    let expr = expression(&mut cursor)?;
    if cursor.peek().is_some() {
        return Err(cursor.error("expected `+`, `-`, `*`, `/` or the end of the duration"));
    }
    Ok(expr)
}

/// Reads a whole text without parameters as a time in milliseconds, negative ones included.
pub(crate) fn quantity(text: &str) -> Result<Exact, TimeError> {
    time_of(&expression_of(text)?, &without_parameters)
}

/// Reads a whole text without parameters as a duration that is not negative.
pub(crate) fn duration(text: &str) -> Result<Duration, TimeError> {
    whole_duration(&expression_of(text)?, &without_parameters)
}

/// Computes a duration that is not negative, in whole milliseconds.
pub(crate) fn whole_duration(expr: &Expr, values: Values<'_>) -> Result<Duration, TimeError> {
    let milliseconds = whole_milliseconds(expr, values)?;
    u64::try_from(milliseconds)
        .map(Duration::from_millis)
        .map_err(|_| expr.error(format!("`{}` is less than nothing: {milliseconds} ms", expr.shown(values))))
}

/// Computes a time in whole milliseconds, negative ones included.
pub(crate) fn whole_milliseconds(expr: &Expr, values: Values<'_>) -> Result<i64, TimeError> {
    let value = time_of(expr, values)?;
    let Some(whole) = value.to_whole() else {
        return Err(expr.error(format!("this is {value} ms; in the end a time is a whole number of milliseconds")));
    };
    match i64::try_from(whole) {
        Ok(whole) if i128::from(whole).abs() <= MAX_MILLISECONDS => Ok(whole),
        _ => Err(expr.error("more than 4294967295s, the longest time there is")),
    }
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

fn time_of(expr: &Expr, values: Values<'_>) -> Result<Exact, TimeError> {
    match expr.value(values)? {
        Quantity::Time(value) => Ok(value),
        Quantity::Number(value) => Err(expr.error(format!("`{value}` has no unit; write `{value}s`"))),
    }
}

impl Expr {
    /// A duration in the shortest usual way.
    pub fn of(duration: Duration) -> Self {
        let milliseconds = i128::try_from(duration.as_millis()).unwrap_or(MAX_MILLISECONDS);
        let (value, unit) = match milliseconds {
            0 => (Some(Exact::whole(0)), Unit::S),
            1..1_000 => (Some(Exact::whole(milliseconds)), Unit::Ms),
            _ => (Exact::new(milliseconds, 1_000), Unit::S),
        };
        Self { kind: ExprKind::Number(value.unwrap_or(Exact::whole(0)), Some(unit)), at: CharRange::default() }
    }

    /// The parameter `<name>`.
    pub fn parameter(name: impl Into<String>) -> Self {
        Self { kind: ExprKind::Parameter(name.into()), at: CharRange::default() }
    }

    /// Returns whether it is a parameter and nothing else.
    pub(crate) fn is_parameter(&self) -> bool {
        matches!(self.kind, ExprKind::Parameter(_))
    }

    pub(crate) fn has_parameters(&self) -> bool {
        match &self.kind {
            ExprKind::Number(..) => false,
            ExprKind::Parameter(_) => true,
            ExprKind::Brackets(inner) | ExprKind::Negative(inner) => inner.has_parameters(),
            ExprKind::Sum(first, rest) | ExprKind::Product(first, rest) => {
                first.has_parameters() || rest.iter().any(|(_, expr)| expr.has_parameters())
            }
        }
    }

    /// Moves the place into a longer text, with the given number of characters before it.
    pub(crate) fn moved(mut self, by: usize) -> Self {
        self.at = self.at.moved(by);
        match &mut self.kind {
            ExprKind::Number(..) | ExprKind::Parameter(_) => {}
            ExprKind::Brackets(inner) | ExprKind::Negative(inner) => **inner = inner.clone().moved(by),
            ExprKind::Sum(first, rest) | ExprKind::Product(first, rest) => {
                **first = first.clone().moved(by);
                for (sign, expr) in rest {
                    sign.at = sign.at.moved(by);
                    *expr = expr.clone().moved(by);
                }
            }
        }
        self
    }

    pub(crate) fn error(&self, message: impl Into<String>) -> TimeError {
        TimeError::new(self.at.from, self.at.to, message)
    }

    /// The computation as text, with the values that are known in the place of their parameters.
    pub(crate) fn shown(&self, values: Values<'_>) -> String {
        match &self.kind {
            ExprKind::Number(value, unit) => format!("{value}{}", unit.map_or("", Unit::word)),
            ExprKind::Parameter(name) => values(name, self.at).unwrap_or_else(|| format!("<{name}>")),
            ExprKind::Brackets(inner) => format!("({})", inner.shown(values)),
            ExprKind::Negative(inner) => format!("-{}", inner.shown(values)),
            ExprKind::Sum(first, rest) | ExprKind::Product(first, rest) => {
                let mut text = first.shown(values);
                for (sign, expr) in rest {
                    text.push_str(&format!(" {} {}", sign.sign, expr.shown(values)));
                }
                text
            }
        }
    }

    fn value(&self, values: Values<'_>) -> Result<Quantity, TimeError> {
        match &self.kind {
            ExprKind::Number(value, None) => Ok(Quantity::Number(*value)),
            ExprKind::Number(value, Some(unit)) => {
                let time = value.multiply(unit.milliseconds()).map(Quantity::Time);
                time.ok_or_else(|| self.error("this is too large to compute"))
            }
            ExprKind::Parameter(name) => {
                let text = values(name, self.at).ok_or_else(|| self.error(""))?;
                let value = expression_of(&text).and_then(|expr| expr.value(&without_parameters));
                value.map_err(|_| {
                    self.error(format!("expected a duration, such as `5s` or `1.5 * 5s`; `<{name}>` is `{text}`"))
                })
            }
            ExprKind::Brackets(inner) => inner.value(values),
            ExprKind::Negative(inner) => match inner.value(values)? {
                Quantity::Time(value) => value.negate().map(Quantity::Time),
                Quantity::Number(value) => value.negate().map(Quantity::Number),
            }
            .ok_or_else(|| self.error("this is too large to compute")),
            ExprKind::Sum(first, rest) => rest.iter().try_fold(first.value(values)?, |left, (sign, right)| {
                let added = sum(left, sign.sign, right.value(values)?);
                added.and_then(|sum| sum.ok_or("this is too large to compute")).map_err(|message| sign.error(message))
            }),
            ExprKind::Product(first, rest) => rest.iter().try_fold(first.value(values)?, |left, (sign, right)| {
                let product = product(left, sign.sign, right.value(values)?);
                product.and_then(|sum| sum.ok_or("this is too large to compute")).map_err(|message| sign.error(message))
            }),
        }
    }
}

impl Sign {
    fn error(&self, message: &str) -> TimeError {
        TimeError::new(self.at.from, self.at.to, message)
    }
}

impl CharRange {
    fn moved(self, by: usize) -> Self {
        Self { from: self.from + by, to: self.to + by }
    }
}

fn sum(left: Quantity, sign: char, right: Quantity) -> Result<Option<Quantity>, &'static str> {
    let add = |left: Exact, right: Exact| if sign == '-' { left.add(right.negate()?) } else { left.add(right) };
    match (left, right) {
        (Quantity::Time(left), Quantity::Time(right)) => Ok(add(left, right).map(Quantity::Time)),
        (Quantity::Number(left), Quantity::Number(right)) => Ok(add(left, right).map(Quantity::Number)),
        _ => Err("a time and a number without a unit cannot be added"),
    }
}

fn product(left: Quantity, sign: char, right: Quantity) -> Result<Option<Quantity>, &'static str> {
    use Quantity::{Number, Time};
    Ok(match (left, sign, right) {
        (Time(_), '*', Time(_)) => return Err("two times cannot be multiplied"),
        (Time(a), '*', Number(b)) | (Number(a), '*', Time(b)) => a.multiply(b).map(Time),
        (Number(a), '*', Number(b)) => a.multiply(b).map(Number),
        (_, _, Time(b) | Number(b)) if b.is_zero() => return Err("division by zero"),
        (Number(_), _, Time(_)) => return Err("a number cannot be divided by a time"),
        (Time(a), _, Number(b)) => a.divide(b).map(Time),
        (Number(a), _, Number(b)) | (Time(a), _, Time(b)) => a.divide(b).map(Number),
    })
}

/// Reads a computation up to where it ends.
pub(super) fn expression(cursor: &mut Cursor<'_>) -> Result<Expr, TimeError> {
    series(cursor, 0, &['+', '-'], ExprKind::Sum, |cursor, depth| {
        series(cursor, depth, &['*', '/'], ExprKind::Product, atom)
    })
}

/// Reads one part and further ones behind these signs.
fn series(
    cursor: &mut Cursor<'_>,
    depth: usize,
    signs: &[char],
    kind: fn(Box<Expr>, Vec<(Sign, Expr)>) -> ExprKind,
    part: impl Fn(&mut Cursor<'_>, usize) -> Result<Expr, TimeError>,
) -> Result<Expr, TimeError> {
    let first = part(cursor, depth)?;
    let mut rest = Vec::new();
    while let Some((sign, at)) = signs.iter().find_map(|sign| cursor.take_sign(*sign).map(|at| (*sign, at))) {
        rest.push((Sign { sign, at }, part(cursor, depth)?));
    }
    match rest.last() {
        None => Ok(first),
        Some((_, last)) => {
            let at = CharRange { from: first.at.from, to: last.at.to };
            Ok(Expr { kind: kind(Box::new(first), rest), at })
        }
    }
}

fn atom(cursor: &mut Cursor<'_>, depth: usize) -> Result<Expr, TimeError> {
    if depth > MAX_BRACKETS {
        return Err(cursor.error("too many brackets"));
    }
    if let Some(open) = cursor.take_sign('(') {
        let inner = series(cursor, depth + 1, &['+', '-'], ExprKind::Sum, |cursor, depth| {
            series(cursor, depth, &['*', '/'], ExprKind::Product, atom)
        })?;
        let Some(close) = cursor.take_sign(')') else { return Err(cursor.error("expected `)`")) };
        let at = CharRange { from: open.from, to: close.to };
        return Ok(Expr { kind: ExprKind::Brackets(Box::new(inner)), at });
    }
    if let Some(minus) = cursor.take_sign('-') {
        let inner = atom(cursor, depth + 1)?;
        let at = CharRange { from: minus.from, to: inner.at.to };
        return Ok(Expr { kind: ExprKind::Negative(Box::new(inner)), at });
    }
    let Some(token) = cursor.peek() else {
        return Err(cursor.error("expected a duration, such as `5s` or `1.5 * 5s`"));
    };
    let kind = match &token.kind {
        TokenKind::Number(value, unit) => ExprKind::Number(*value, *unit),
        TokenKind::Parameter(name) => ExprKind::Parameter(name.clone()),
        _ => return Err(cursor.error("expected a duration, such as `5s` or `1.5 * 5s`")),
    };
    cursor.next();
    // `5 s`: the unit stands apart.
    if let (ExprKind::Number(number, None), Some(Token { kind: TokenKind::Word(word), .. })) = (&kind, cursor.peek())
        && matches!(word.as_str(), "ms" | "s" | "min" | "h" | "d")
    {
        return Err(cursor.error(format!("a unit stands at its number; write `{number}{word}`")));
    }
    Ok(Expr { kind, at: CharRange { from: token.from, to: token.to } })
}
