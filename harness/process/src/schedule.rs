//! Which thread of a program goes on: at most one runs at a time, until it asks for something.

use std::collections::VecDeque;

/// A thread, numbered in the order of births, so that what is sorted by it is the same in every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ThreadId(pub(crate) u32);

/// Decides who runs, without knowing what a thread or a call is.
///
/// The caller reports who was let go on ([`release`](Self::release)), who has asked, who is gone, and asks
/// [`next`](Self::next) who is to go on. Nobody goes on while anybody runs.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    /// The threads that were let go on since none was running last, in order, and whether each still runs.
    batch: Vec<(ThreadId, bool)>,
    /// Number of threads that are about to be born.
    unborn: usize,
    /// The threads that can go on, in the order in which they will.
    queue: VecDeque<ThreadId>,
}

impl Schedule {
    /// Takes note that a thread runs.
    pub(crate) fn release(&mut self, thread: ThreadId) {
        self.queue.retain(|queued| *queued != thread);
        match self.batch.iter_mut().find(|(member, _)| *member == thread) {
            Some((_, runs)) => *runs = true,
            None => self.batch.push((thread, true)),
        }
    }

    /// A thread that runs is about to make another one, which will run, too.
    pub(crate) fn expect_birth(&mut self) {
        self.unborn += 1;
    }

    /// The thread that was expected is there.
    pub(crate) fn handle_birth(&mut self, thread: ThreadId) {
        self.unborn = self.unborn.saturating_sub(1);
        self.release(thread);
    }

    /// The threads that were expected will not come.
    pub(crate) fn give_up_births(&mut self) {
        self.unborn = 0;
        self.settle();
    }

    /// A thread has asked for something, and stands still.
    pub(crate) fn handle_asked(&mut self, thread: ThreadId) {
        match self.batch.iter_mut().find(|(member, _)| *member == thread) {
            Some((_, runs)) => *runs = false,
            // One that nobody counted on.
            None => self.queue.push_back(thread),
        }
        self.settle();
    }

    /// A thread has ended, or stands still in the kernel.
    pub(crate) fn handle_gone(&mut self, thread: ThreadId) {
        self.batch.retain(|(member, _)| *member != thread);
        self.queue.retain(|queued| *queued != thread);
        self.settle();
    }

    /// A thread that waited can go on.
    pub(crate) fn push_back(&mut self, thread: ThreadId) {
        self.queue.push_back(thread);
    }

    /// Takes the thread whose turn it is; none while one runs.
    pub(crate) fn next(&mut self) -> Option<ThreadId> {
        if self.is_running() { None } else { self.queue.pop_front() }
    }

    /// Returns whether anybody runs.
    pub(crate) fn is_running(&self) -> bool {
        self.unborn > 0 || self.batch.iter().any(|(_, runs)| *runs)
    }

    /// Returns whether nobody but the one that was taken last could run.
    pub(crate) fn is_queue_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Returns those that run.
    pub(crate) fn running(&self) -> impl Iterator<Item = ThreadId> {
        self.batch.iter().filter(|(_, runs)| *runs).map(|(thread, _)| *thread)
    }

    /// Returns how many births are expected.
    pub(crate) fn unborn(&self) -> usize {
        self.unborn
    }

    /// Once nobody runs: the first that was let go on stays at it, the others go to the end of the queue. In which
    /// order they asked does not matter, because it differs from run to run.
    fn settle(&mut self) {
        if self.is_running() {
            return;
        }
        let mut batch = self.batch.drain(..).map(|(thread, _)| thread);
        if let Some(first) = batch.next() {
            self.queue.push_front(first);
        }
        self.queue.extend(batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: ThreadId = ThreadId(1);
    const CHILD: ThreadId = ThreadId(2);
    const OTHER: ThreadId = ThreadId(3);

    #[test]
    fn the_one_that_runs_stays_at_it() {
        let mut schedule = Schedule::default();
        schedule.release(MAIN);
        schedule.push_back(OTHER);
        assert_eq!(schedule.next(), None, "one runs");
        schedule.handle_asked(MAIN);
        assert_eq!(schedule.next(), Some(MAIN));
        schedule.release(MAIN);
        schedule.handle_gone(MAIN);
        assert_eq!(schedule.next(), Some(OTHER));
    }

    #[rstest::rstest]
    #[case::parent_first(true)]
    #[case::child_first(false)]
    fn a_newborn_comes_last_in_either_order(#[case] parent_first: bool) {
        let mut schedule = Schedule::default();
        schedule.push_back(OTHER);
        schedule.release(MAIN);
        schedule.expect_birth();
        if parent_first {
            schedule.handle_asked(MAIN);
            assert_eq!(schedule.next(), None, "the child is still to come");
        }
        schedule.handle_birth(CHILD);
        schedule.handle_asked(CHILD);
        if !parent_first {
            assert_eq!(schedule.next(), None, "the parent still runs");
            schedule.handle_asked(MAIN);
        }
        assert_eq!(schedule.next(), Some(MAIN));
        assert_eq!(schedule.next(), Some(OTHER));
        assert_eq!(schedule.next(), Some(CHILD));
        assert_eq!(schedule.next(), None);
    }

    #[test]
    fn a_birth_that_failed_is_given_up() {
        let mut schedule = Schedule::default();
        schedule.release(MAIN);
        schedule.expect_birth();
        schedule.handle_asked(MAIN);
        assert_eq!(schedule.next(), None);
        schedule.give_up_births();
        assert_eq!(schedule.next(), Some(MAIN));
    }

    #[test]
    fn one_that_was_blocked_in_the_kernel_queues_up() {
        let mut schedule = Schedule::default();
        schedule.release(MAIN);
        schedule.handle_gone(MAIN);
        schedule.release(OTHER);
        schedule.handle_asked(MAIN);
        assert_eq!(schedule.next(), None);
        schedule.handle_asked(OTHER);
        assert_eq!([schedule.next(), schedule.next()], [Some(OTHER), Some(MAIN)]);
    }
}
