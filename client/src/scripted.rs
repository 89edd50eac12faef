use bytes::Bytes;
use bytestring::ByteString;

use crate::core::{AuthError, Mechanism};

/// A method of enhanced authentication that is nothing but a dialogue learnt by heart, for tests and scenarios; the broker's
/// half is `Scripted` in `halfopen-broker`.
///
/// The client speaks first, and both take turns. If the last word is the broker's, it comes with the success. Where there is a
/// choice of words, the client says the first, and the broker may say any.
///
/// ```
/// use halfopen_client::Scripted;
/// use halfopen_client::core::Mechanism;
///
/// let mut test = Scripted::new("TEST", ["hello", "who-are-you", "me"].map(|word| vec![word.into()]));
/// assert_eq!(test.start().as_deref(), Some(b"hello".as_slice()));
/// assert_eq!(test.challenge(Some(b"who-are-you")), Ok(Some("me".into())));
/// assert_eq!(test.finish(None), Ok(()));
/// ```
#[derive(Clone, Debug)]
pub struct Scripted {
    method: ByteString,
    dialogue: Vec<Vec<Bytes>>,
    /// Number of words that have been spoken.
    spoken: usize,
}

impl Scripted {
    /// The dialogue by this method's name: client, broker, client and so on, and for each turn the words that may be said.
    pub fn new(method: impl Into<ByteString>, dialogue: impl IntoIterator<Item = Vec<Bytes>>) -> Self {
        Self { method: method.into(), dialogue: dialogue.into_iter().collect(), spoken: 0 }
    }

    fn say(&mut self) -> Option<Bytes> {
        let word = self.dialogue.get(self.spoken)?.first().cloned();
        self.spoken += 1;
        word
    }

    /// Listens to the broker, which may leave out what is empty.
    fn hear(&mut self, data: Option<&[u8]>) -> Result<(), AuthError> {
        let said = data.unwrap_or_default();
        let expected = self.dialogue.get(self.spoken).map(Vec::as_slice).unwrap_or_default();
        if !expected.iter().any(|word| **word == *said) {
            return Err(AuthError::new(format!("\"{}\" does not belong here", said.escape_ascii())));
        }
        self.spoken += 1;
        Ok(())
    }
}

impl Mechanism for Scripted {
    fn name(&self) -> ByteString {
        self.method.clone()
    }

    fn start(&mut self) -> Option<Bytes> {
        self.spoken = 0;
        self.say()
    }

    fn challenge(&mut self, data: Option<&[u8]>) -> Result<Option<Bytes>, AuthError> {
        self.hear(data)?;
        match self.say() {
            Some(word) => Ok(Some(word)),
            None => Err(AuthError::new("a challenge after the last word")),
        }
    }

    fn finish(&mut self, data: Option<&[u8]>) -> Result<(), AuthError> {
        if self.spoken == self.dialogue.len() && data.is_none() {
            return Ok(());
        }
        self.hear(data)?;
        if self.spoken < self.dialogue.len() {
            return Err(AuthError::new("success before the last word"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::as_learnt(&["who"], Some("welcome"), true)]
    #[case::another_word(&["whom"], Some("welcome"), false)]
    #[case::another_welcome(&["who"], Some("begone"), false)]
    #[case::no_welcome(&["who"], None, false)]
    #[case::too_early(&[], Some("who"), false)]
    #[case::too_much(&["who", "welcome"], None, false)]
    fn dialogue_is_as_it_was_learnt(#[case] challenges: &[&str], #[case] end: Option<&str>, #[case] is_right: bool) {
        let words = ["knock", "who", "Arthur", "welcome"];
        let mut client = Scripted::new("LORE", words.map(|word| vec![word.into()]));
        for _ in 0..2 {
            client.start();
            let mut heard = challenges.iter().map(|word| client.challenge(Some(word.as_bytes())).map(drop));
            let answered = heard.try_for_each(|heard| heard);
            let ended = answered.and_then(|()| client.finish(end.map(str::as_bytes)));
            assert_eq!(ended.is_ok(), is_right, "{ended:?}");
        }
    }
}
