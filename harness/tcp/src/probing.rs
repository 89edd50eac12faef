use std::time::Duration;

/// The questions of a sender that has something to send and whose peer has closed its window (RFC 9293, 3.8.6.1).
///
/// The time between two of them doubles, as Linux has it. As long as they are answered the sender waits, however long.
pub(crate) struct Probing {
    next_at: Duration,
    timeout: Duration,
    /// Time of the first question since the last answer.
    unanswered_since: Option<Duration>,
}

/// An action of a sender when the time of a question has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// It asks, and plans the next question.
    Ask {
        /// Time of the next question.
        again_at: Duration,
    },
    /// Nobody has answered for too long.
    GiveUp,
}

impl Probing {
    /// Plans the first question.
    pub(crate) fn new(now: Duration, timeout: Duration) -> Self {
        Self { next_at: now + timeout, timeout, unanswered_since: None }
    }

    /// Returns the time of the next question.
    pub(crate) fn next_at(&self) -> Duration {
        self.next_at
    }

    /// Returns what to do at `now`; `None` if no question is due.
    pub(crate) fn next(&mut self, now: Duration, give_up: Duration, maximum: Duration) -> Option<Probe> {
        if self.next_at > now {
            return None;
        }
        let since = *self.unanswered_since.get_or_insert(now);
        let failure = since.saturating_add(give_up);
        if failure <= now {
            return Some(Probe::GiveUp);
        }
        self.timeout = (self.timeout * 2).min(maximum);
        self.next_at = (now + self.timeout).min(failure);
        Some(Probe::Ask { again_at: self.next_at })
    }

    /// Registers an answer.
    pub(crate) fn answered(&mut self) {
        self.unanswered_since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn ask(at: u64) -> Option<Probe> {
        Some(Probe::Ask { again_at: ms(at) })
    }

    #[test]
    fn times_between_questions_double_up_to_the_maximum_and_an_answer_does_not_shorten_them() {
        let mut probing = Probing::new(ms(100), ms(200));
        assert_eq!(probing.next_at(), ms(300));
        let mut next = |at| probing.next(ms(at), ms(60_000), ms(1000));
        assert_eq!((next(299), next(300), next(700), next(1500)), (None, ask(700), ask(1500), ask(2500)));
        probing.answered();
        assert_eq!(probing.next(ms(2500), ms(60_000), ms(1000)), ask(3500));
    }

    #[test]
    fn the_sender_gives_up_that_long_after_the_first_question_without_an_answer() {
        let mut probing = Probing::new(ms(0), ms(200));
        let next = |probing: &mut Probing, at| probing.next(ms(at), ms(1000), ms(120_000));
        assert_eq!(next(&mut probing, 200), ask(600));
        probing.answered();
        assert_eq!(next(&mut probing, 600), ask(1400));
        assert_eq!((next(&mut probing, 1400), next(&mut probing, 1600)), (ask(1600), Some(Probe::GiveUp)));
    }
}
