use std::cell::RefCell;
use std::rc::Rc;

use super::Directive;
use super::queue::{QueueReceiver, QueueSender, queue};
use crate::plan::NodeId;

/// The lines over which the story speaks to the programs that run.
#[derive(Clone)]
pub(crate) struct Switchboard(Rc<RefCell<Vec<Option<QueueSender<Directive>>>>>);

impl Switchboard {
    /// Creates the switchboard for this many nodes, none of which runs yet.
    pub(crate) fn new(nodes: usize) -> Self {
        Self(Rc::new(RefCell::new(vec![None; nodes])))
    }

    /// A program begins to run on `node`: its end of a new line.
    pub(crate) fn plug_in(&self, node: NodeId) -> QueueReceiver<Directive> {
        let (sender, receiver) = queue();
        self.0.borrow_mut()[node.0] = Some(sender);
        receiver
    }

    /// Tells the program on `node` to do something; false if none runs there.
    pub(crate) fn send(&self, node: NodeId, told: Directive) -> bool {
        self.0.borrow()[node.0].as_ref().is_some_and(|line| line.send(told))
    }
}
