use super::TimeError;
use super::exact::Exact;
use crate::lower::params::is_parameter_name;

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
    /// Minutes.
    Min,
    /// Hours.
    H,
    /// Days.
    D,
}

impl Unit {
    const ALL: [(&'static str, Self); 5] =
        [("ms", Self::Ms), ("s", Self::S), ("min", Self::Min), ("h", Self::H), ("d", Self::D)];

    /// Returns the word as it stands behind a number.
    pub(super) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, unit)| *unit == self).map_or("", |(word, _)| word)
    }

    /// Returns how many milliseconds it has.
    pub(super) fn milliseconds(self) -> Exact {
        Exact::whole(match self {
            Self::Ms => 1,
            Self::S => 1_000,
            Self::Min => 60_000,
            Self::H => 3_600_000,
            Self::D => 86_400_000,
        })
    }
}

/// A word of the language of times.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind {
    Number(Exact, Option<Unit>),
    /// `<name>`
    Parameter(String),
    /// `+ - * / ( )`
    Sign(char),
    Word(String),
    /// `..`
    To,
    /// `->`
    Arrow,
    /// `<->`
    BothWays,
}

/// A word and where it stands, in characters of the text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// Takes a text apart.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, TimeError> {
    let characters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut index = 0;
    while let Some(&c) = characters.get(index) {
        if c.is_whitespace() {
            index += 1;
            continue;
        }
        let (kind, to) = token(&characters, index)?;
        tokens.push(Token { kind, from: index, to });
        index = to;
    }
    Ok(tokens)
}

fn token(text: &[char], from: usize) -> Result<(TokenKind, usize), TimeError> {
    let rest = &text[from..];
    match rest {
        ['<', '-', '>', ..] => Ok((TokenKind::BothWays, from + 3)),
        ['<', ..] if parameter(rest).is_some() => {
            let name = parameter(rest).unwrap_or_default();
            let width = name.chars().count() + 2;
            Ok((TokenKind::Parameter(name), from + width))
        }
        ['-', '>', ..] => Ok((TokenKind::Arrow, from + 2)),
        ['.', '.', ..] => Ok((TokenKind::To, from + 2)),
        [c, ..] if c.is_ascii_digit() => number(text, from),
        [c, ..] if c.is_alphabetic() || *c == '_' => {
            let to = word_end(text, from);
            Ok((TokenKind::Word(text[from..to].iter().collect()), to))
        }
        [c @ ('+' | '-' | '*' | '/' | '(' | ')'), ..] => Ok((TokenKind::Sign(*c), from + 1)),
        _ => Err(TimeError::new(from, from + 1, wrong_character(rest))),
    }
}

/// The name between angle brackets with which a text begins.
fn parameter(text: &[char]) -> Option<String> {
    let length = text.iter().position(|c| *c == '>')?;
    let name: String = text[1..length].iter().collect();
    is_parameter_name(&name).then_some(name)
}

fn wrong_character(rest: &[char]) -> String {
    match rest {
        ['×', ..] => "`×` has no meaning in a time; multiplication is written `*`".to_owned(),
        ['·', ..] => "`·` has no meaning in a time; multiplication is written `*`".to_owned(),
        ['÷', ..] => "`÷` has no meaning in a time; division is written `/`".to_owned(),
        ['−' | '–', ..] => "this is a dash; minus is written `-`".to_owned(),
        ['→', ..] => "`→` has no meaning here; a link is written `a -> b`".to_owned(),
        ['=', '>', ..] => "`=>` has no meaning here; a link is written `a -> b`".to_owned(),
        ['>', ..] => "`>` has no meaning here; what is longer than 5s is written `5s ..`".to_owned(),
        ['<', digit, ..] if digit.is_ascii_digit() => {
            "`<` has no meaning here; what is shorter than 5s is written `..5s`".to_owned()
        }
        ['%', ..] => "`%` has no meaning in a time; write how long, as in `100ms`".to_owned(),
        ['{' | '}', ..] => "a parameter is written `<name>`".to_owned(),
        ['$', ..] => "a parameter is written `<name>`".to_owned(),
        ['<', ..] => "`<` begins a parameter, as in `<name>`, or a link, as in `a <-> b`".to_owned(),
        ['.', ..] => "a number begins with a digit, as in `0.5s`".to_owned(),
        [c, ..] => format!("`{}` has no meaning here", c.escape_debug()),
        [] => "something is missing here".to_owned(),
    }
}

/// Letters, digits, `_`, `-`, and single points and `#` before one of them, up to an arrow or a `..`.
fn word_end(text: &[char], from: usize) -> usize {
    let mut to = from;
    while let Some(&c) = text.get(to) {
        let next = text.get(to + 1);
        let goes_on = match c {
            '-' => next != Some(&'>'),
            '.' | '#' => next.is_some_and(|next| next.is_alphanumeric()),
            c => c.is_alphanumeric() || c == '_',
        };
        if !goes_on {
            break;
        }
        to += 1;
    }
    to
}

fn number(text: &[char], from: usize) -> Result<(TokenKind, usize), TimeError> {
    let mut to = from;
    let mut point = false;
    while let Some(&c) = text.get(to) {
        let fraction = c == '.' && !point && text.get(to + 1).is_some_and(char::is_ascii_digit);
        if !c.is_ascii_digit() && !fraction {
            break;
        }
        point |= fraction;
        to += 1;
    }
    let digits: String = text[from..to].iter().collect();
    if text.get(to) == Some(&',') && text.get(to + 1).is_some_and(char::is_ascii_digit) {
        return Err(TimeError::new(to, to + 1, "a decimal point is written `.`"));
    }
    let Some(value) = Exact::parse(&digits) else {
        return Err(TimeError::new(from, to, "this number has too many digits"));
    };
    let mut end = to;
    while text.get(end).is_some_and(|c| c.is_alphabetic()) {
        end += 1;
    }
    if end == to {
        return Ok((TokenKind::Number(value, None), to));
    }
    let written: String = text[to..end].iter().collect();
    match Unit::ALL.iter().find(|(name, _)| *name == written) {
        Some((_, unit)) => Ok((TokenKind::Number(value, Some(*unit)), end)),
        None => Err(TimeError::new(to, end, unknown_unit(&written))),
    }
}

fn unknown_unit(written: &str) -> String {
    let meant = match written.to_lowercase().as_str() {
        "m" => "; write `min` for minutes or `ms` for milliseconds",
        "sec" | "secs" | "second" | "seconds" => "; write `s`",
        "minute" | "minutes" | "mins" => "; write `min`",
        "hour" | "hours" | "hr" | "hrs" => "; write `h`",
        "day" | "days" => "; write `d`",
        "millis" | "msec" | "milliseconds" | "ms" => "; write `ms`",
        "us" | "µs" | "ns" => "; time is counted in whole milliseconds",
        _ => "; units are `ms`, `s`, `min`, `h` and `d`",
    };
    format!("unknown unit `{written}`{meant}")
}
