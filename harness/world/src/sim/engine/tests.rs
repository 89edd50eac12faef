use std::cell::Ref;

use super::*;

impl<S, F> Engine<S, F> {
    /// What is between the kernels.
    pub(in crate::sim) fn wires(&self) -> Ref<'_, Wires> {
        self.wires.borrow()
    }
}
