//! Lists and maps of values.

use super::reading::Reading;
use super::scalar::Name;
use super::value::{Fill, Value};
use crate::keys::ValueKind;
use crate::tree::{Node, NodeKind};

/// A value or a list of values, of which there is one at least.
#[derive(Clone, Debug, PartialEq)]
pub struct OneOrMore<T>(pub Vec<T>);

impl<T> From<T> for OneOrMore<T> {
    fn from(value: T) -> Self {
        Self(vec![value])
    }
}

impl<T: Value> Value for OneOrMore<T> {
    const TAKES: ValueKind = ValueKind::Several(&T::TAKES);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let items = cx.each(cx.one_or_more(node), |item| T::read(cx, item));
        (!items.is_empty()).then_some(Self(items))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        match self.0.as_slice() {
            [only] => {
                let written = only.write(fill);
                // A list of one that holds a list would be taken for that list.
                if matches!(written.kind, NodeKind::List(_)) { Node::list([written]) } else { written }
            }
            items => Node::list(items.iter().map(|item| item.write(fill))),
        }
    }
}

/// A map with names of the author's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<T>(pub Vec<(Name, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Value> Value for Named<T> {
    const TAKES: ValueKind = ValueKind::Named(&T::TAKES);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        Self::read_map(cx, node, "a map of names and values")
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        Node::map(self.0.iter().map(|(name, value)| (Node::quoted(&*name.text), value.write(fill))))
    }
}

#[allow(private_bounds, reason = "only this crate reads values")]
impl<T: Value> Named<T> {
    /// Reads the map, which is called `what` in messages.
    pub(crate) fn read_map(cx: &Reading<'_>, node: &Node, what: &str) -> Option<Self> {
        let mut named = Vec::new();
        for (name, value) in cx.map(node, what)? {
            if let (Some(name), Some(value)) = (Name::of(name), T::read(cx, value)) {
                named.push((name, value));
            }
        }
        Some(Self(named))
    }
}
