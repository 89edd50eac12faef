use std::cell::Ref;

use super::*;

impl<S, F> EventDrivenEngine<S, F> {
    /// Returns the network of the world.
    pub(in crate::engines::event_driven) fn fabric(&self) -> Ref<'_, Fabric> {
        self.fabric.borrow()
    }
}
