//! Says which change of the cores is switched on, and records which ones a run reaches.
//!
//! Only the changed copy of the cores calls [`on`]; `halfopen-mutants` writes the calls.

use std::cell::{Cell, RefCell};

thread_local! {
    /// The change that is switched on in this thread.
    static ON: Cell<usize> = const { Cell::new(usize::MAX) };
    static IS_RECORDING: Cell<bool> = const { Cell::new(false) };
    /// The changes that were reached since the recording began, one bit each.
    static REACHED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Returns whether the change with this number is switched on in this thread.
#[inline]
pub fn on(number: usize) -> bool {
    if IS_RECORDING.get() {
        record(number);
    }
    ON.get() == number
}

/// Switches on one change in this thread, and all others off.
pub fn switch_on(number: usize) {
    ON.set(number);
}

/// Switches off all changes in this thread.
pub fn switch_off() {
    ON.set(usize::MAX);
}

/// Calls a function in this thread, and returns its result and the numbers of the changes that it reached, in order.
pub fn reached_by<R>(function: impl FnOnce() -> R) -> (R, Vec<usize>) {
    REACHED.take();
    IS_RECORDING.set(true);
    let result = function();
    IS_RECORDING.set(false);
    let words = REACHED.take();
    let numbers = words.iter().enumerate().flat_map(|(place, word)| {
        let word = *word;
        (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| place * 64 + bit)
    });
    (result, numbers.collect())
}

#[cold]
fn record(number: usize) {
    REACHED.with_borrow_mut(|words| {
        let place = number / 64;
        if words.len() <= place {
            words.resize(place + 1, 0);
        }
        words[place] |= 1 << (number % 64);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_change_is_on_until_it_is_switched_off() {
        assert!(!on(7));
        switch_on(7);
        assert_eq!((on(7), on(8)), (true, false));
        switch_off();
        assert!(!on(7));
    }

    #[test]
    fn what_a_function_reaches_is_recorded_and_no_more() {
        on(1);
        let (result, reached) = reached_by(|| on(130) || on(2) || on(130));
        assert_eq!((result, reached), (false, vec![2, 130]));
        on(3);
        assert_eq!(reached_by(|| ()).1, Vec::<usize>::new());
    }
}
