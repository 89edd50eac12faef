use std::cell::RefCell;
use std::rc::Rc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Told;
use crate::plan::NodeId;

/// The lines over which the story speaks to the programs that run. What is said is boxed, because each line reserves room for
/// many things, and most nodes are never told any.
#[derive(Clone)]
pub(crate) struct Switchboard(Rc<RefCell<Vec<Option<Line>>>>);

type Line = UnboundedSender<Box<Told>>;

impl Switchboard {
    /// For this many nodes, none of which runs yet.
    pub(crate) fn new(nodes: usize) -> Self {
        Self(Rc::new(RefCell::new(vec![None; nodes])))
    }

    /// A program begins to run on `node`: its end of a new line.
    pub(crate) fn plug_in(&self, node: NodeId) -> UnboundedReceiver<Box<Told>> {
        let (sender, receiver) = unbounded_channel();
        self.0.borrow_mut()[node.0] = Some(sender);
        receiver
    }

    /// Tells the program on `node` to do something; false if none runs there.
    pub(crate) fn send(&self, node: NodeId, told: Told) -> bool {
        self.0.borrow()[node.0].as_ref().is_some_and(|line| line.send(Box::new(told)).is_ok())
    }
}
