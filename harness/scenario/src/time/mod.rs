//! The small language of times: durations, moments and ranges of both.
//!
//! It knows texts only; where in the file a text stands is its caller's business.

mod duration;
mod exact;
mod moment;
mod token;

#[cfg(test)]
mod tests;

pub use self::duration::Expr;
pub(super) use self::duration::{
    Values, duration, expression_of, format, quantity, whole_duration, whole_milliseconds, without_parameters,
};
pub(super) use self::exact::Exact;
pub(super) use self::moment::{PACKET_WORDS, RESERVED, moment, moments, ordinal_word, packet_kind, point_word, split};
pub(super) use self::token::{Token, TokenKind, tokens};

use super::ast::CharRange;

/// An error in a text, with its characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TimeError {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) message: String,
}

impl TimeError {
    pub(super) fn new(from: usize, to: usize, message: impl Into<String>) -> Self {
        Self { from, to, message: message.into() }
    }

    /// Moves the place into a longer text, with the given number of characters before this one.
    pub(super) fn moved(self, by: usize) -> Self {
        Self { from: self.from + by, to: self.to + by, ..self }
    }
}

/// Tokens with a place in them.
pub(super) struct Cursor<'a> {
    tokens: &'a [Token],
    index: usize,
    /// The end of the text, in characters.
    end: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(tokens: &'a [Token], end: usize) -> Self {
        Self { tokens, index: 0, end }
    }

    pub(super) fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.index)
    }

    pub(super) fn next(&mut self) -> Option<&'a Token> {
        let token = self.peek()?;
        self.index += 1;
        Some(token)
    }

    /// An error at the next token, or at the end.
    pub(super) fn error(&self, message: impl Into<String>) -> TimeError {
        match self.peek() {
            Some(token) => TimeError::new(token.from, token.to, message),
            None => TimeError::new(self.end.saturating_sub(1), self.end, message),
        }
    }

    /// Takes the next token if it is this word.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token { kind: TokenKind::Word(next), .. }) if next == word);
        self.index += usize::from(found);
        found
    }

    /// Takes the next token if it is this sign; its place.
    pub(super) fn take_sign(&mut self, sign: char) -> Option<CharRange> {
        let token = self.peek().filter(|token| token.kind == TokenKind::Sign(sign))?;
        self.index += 1;
        Some(CharRange { from: token.from, to: token.to })
    }
}
