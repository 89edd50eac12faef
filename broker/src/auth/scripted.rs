use std::rc::Rc;

use bytes::Bytes;
use bytestring::ByteString;

use crate::core::{Exchange, Mechanism, Step};

/// A method of enhanced authentication that is nothing but a dialogue learnt by heart, for tests and scenarios.
///
/// The client speaks first, in CONNECT, and both take turns; the client may have a choice of words. If the last word is the
/// broker's, it comes with the success. The client is the user that its own last word names.
///
/// ```
/// use halfopen_broker::auth::Scripted;
/// use halfopen_broker::core::{Mechanism, Step};
///
/// let mut test = Scripted::new("TEST", ["hello", "who-are-you", "me"]);
/// let mut exchange = test.begin();
/// assert_eq!(exchange.step(Some(b"hello")), Step::Continue("who-are-you".into()));
/// assert_eq!(exchange.step(Some(b"me")), Step::Accept { user: "me".into(), data: None });
/// ```
#[derive(Clone, Debug)]
pub struct Scripted {
    method: String,
    dialogue: Rc<[Vec<Bytes>]>,
}

#[derive(Debug)]
struct Performance {
    /// The words in turn, and for each what may be said in its place.
    dialogue: Rc<[Vec<Bytes>]>,
    /// Number of words that have been spoken.
    spoken: usize,
}

impl Scripted {
    /// The dialogue by this method's name: client, broker, client and so on.
    pub fn new(method: impl Into<String>, dialogue: impl IntoIterator<Item = impl Into<Bytes>>) -> Self {
        Self::with_choices(method, dialogue.into_iter().map(|word| vec![word.into()]))
    }

    /// Creates the dialogue with a choice of words at each turn, of which the broker says the first.
    pub fn with_choices(method: impl Into<String>, dialogue: impl IntoIterator<Item = Vec<Bytes>>) -> Self {
        Self { method: method.into(), dialogue: dialogue.into_iter().collect() }
    }
}

impl Mechanism for Scripted {
    fn name(&self) -> &str {
        &self.method
    }

    fn begin(&mut self) -> Box<dyn Exchange> {
        Box::new(Performance { dialogue: Rc::clone(&self.dialogue), spoken: 0 })
    }
}

impl Exchange for Performance {
    fn step(&mut self, data: Option<&[u8]>) -> Step {
        // Authentication Data may be left out where there is nothing to say.
        let said = data.unwrap_or_default();
        if !self.dialogue.get(self.spoken).is_some_and(|words| words.iter().any(|word| **word == *said)) {
            return Step::Refuse;
        }
        let answer = self.dialogue.get(self.spoken + 1).and_then(|words| words.first().cloned());
        self.spoken += 2;
        match answer {
            Some(answer) if self.spoken < self.dialogue.len() => Step::Continue(answer),
            data => Step::Accept { user: ByteString::from(String::from_utf8_lossy(said).into_owned()), data },
        }
    }
}
