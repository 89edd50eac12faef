//! What every value of a scenario has in common: its place, how it is read from the tree and written to it, and the
//! parameters that may stand in its stead.

use std::borrow::Cow;

use super::reading::Reading;
use crate::error::Span;
use crate::keys::{Key, Table, ValueKind};
use crate::lower::params::{Params, has_parameters};
use crate::tree::{Node, NodeKind, Origin};

/// The place of a value in the text. All places are equal to each other: a value that was read and one that was made
/// are the same if they say the same.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The first character, and the one after the last.
    pub span: Span,
    /// The number of characters between the start of the span and the text, if that stands there letter by letter.
    offset: Option<u32>,
    /// The parameter that brought the value here.
    used_as: Option<Origin>,
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

impl Place {
    /// The place of a node of the tree.
    pub(crate) fn of(node: &Node) -> Self {
        let offset = match &node.kind {
            NodeKind::Scalar(scalar) => scalar.offset,
            _ => None,
        };
        Self { span: node.span, offset, used_as: node.used_as.clone() }
    }

    /// The range `from..to` of the characters of the text, or the whole where that is not known.
    pub(crate) fn part(&self, from: usize, to: usize) -> Span {
        match self.offset {
            Some(offset) => self.span.part(offset as usize + from, offset as usize + to),
            None => self.span,
        }
    }

    pub(crate) fn used_as(&self) -> Option<&Origin> {
        self.used_as.as_ref()
    }
}

/// The value of a key of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Field<T> {
    /// The place of the key.
    pub key: Place,
    /// The value.
    pub value: T,
}

impl<T> Field<T> {
    /// A field that was not read from a file.
    pub fn new(value: T) -> Self {
        Self { key: Place::default(), value }
    }
}

/// A value, or the parameters that stand for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Param<T> {
    /// The place of the value.
    pub place: Place,
    /// The value, as far as the file alone tells it.
    pub given: Given<T>,
}

/// The value of a key in a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Given<T> {
    /// The value itself.
    Is(T),
    /// A value with parts that are wrong; they have been reported and are left out.
    Flawed(T),
    /// Parameters: the value is known in a run.
    Parameters(Raw),
    /// A value that could not be read; that has been reported.
    Broken,
}

/// A piece of YAML whose type is not known, or not known yet: the value of an axis, `<name>`, `site/<i>`.
#[derive(Clone, Debug)]
pub struct Raw(pub(crate) Node);

impl Raw {
    /// A plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self(Node::word(text))
    }

    /// The value on one line, as it would be written in flow style without quotes.
    pub fn flow(&self) -> String {
        self.0.flow()
    }
}

impl PartialEq for Raw {
    fn eq(&self, other: &Self) -> bool {
        self.0.says_the_same(&other.0)
    }
}

/// The values of the parameters in a run.
pub(crate) struct Env<'a> {
    pub(crate) reading: &'a Reading<'a>,
    pub(crate) params: &'a Params,
}

impl Env<'_> {
    /// Returns what a piece of YAML says in this run; nothing if one of its parameters is wrong, which is reported.
    pub(crate) fn fill(&self, raw: &Raw) -> Option<Node> {
        let node = self.params.substitute(&raw.0, self.reading.diagnostics);
        (node.kind != NodeKind::Broken).then_some(node)
    }

    /// The texts of the parameters in what stands at a place.
    pub(crate) fn values<'p>(&'p self, place: &'p Place) -> impl Fn(&str, super::CharRange) -> Option<String> + 'p {
        |name, at| self.params.text(name, place.part(at.from, at.to), self.reading.diagnostics)
    }
}

/// The form in which values are written: as they stand in the file, or as they are in a run.
#[derive(Clone, Copy, Default)]
pub(crate) struct Fill<'a> {
    /// The run, to write values in the place of parameters.
    pub(crate) env: Option<&'a Env<'a>>,
    /// Groups that stand for one of their members here: name of the group, name of the member.
    pub(crate) members: &'a [(String, String)],
}

impl Fill<'_> {
    /// The name of the member if this group stands for one, otherwise the name itself.
    pub(crate) fn name<'n>(&'n self, name: &'n str) -> &'n str {
        self.members.iter().find(|(group, _)| group == name).map_or(name, |(_, member)| member)
    }
}

/// A type of the language.
pub(crate) trait Value: Sized + Clone {
    /// The kind of value, for the schema and the reference.
    const TAKES: ValueKind;

    /// Reads the value; nothing if it is wrong, which is reported.
    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self>;

    /// Reads a text that has parameters, if the type has a place for them; nothing, without a report, if it has not.
    fn read_with_parameters(_: &Reading<'_>, _: &Node) -> Option<Self> {
        None
    }

    /// The tree of the value.
    fn write(&self, fill: Fill<'_>) -> Node;
}

impl<T> Param<T> {
    /// A value that was not read from a file.
    pub fn new(value: T) -> Self {
        Self { place: Place::default(), given: Given::Is(value) }
    }

    /// The parameter `<name>` in the stead of a value.
    pub fn parameter(name: &str) -> Self {
        Self { place: Place::default(), given: Given::Parameters(Raw::text(format!("<{name}>"))) }
    }

    /// The value, if no parameter stands for it.
    pub fn literal(&self) -> Option<&T> {
        match &self.given {
            Given::Is(value) | Given::Flawed(value) => Some(value),
            Given::Parameters(_) | Given::Broken => None,
        }
    }

    /// Returns whether no error has been reported for it.
    pub(crate) fn is_right(&self) -> bool {
        matches!(self.given, Given::Is(_) | Given::Parameters(_))
    }

    /// Reads a value as `read` does, unless it is known only in a run.
    pub(crate) fn read_as(cx: &Reading<'_>, node: &Node, read: impl FnOnce(&Reading<'_>, &Node) -> Option<T>) -> Self {
        let failures = cx.failures.get();
        let given = match has_parameters(node) {
            true => Given::Parameters(Raw(node.clone())),
            false => match read(cx, node) {
                Some(value) if failures == cx.failures.get() => Given::Is(value),
                Some(value) => Given::Flawed(value),
                None => Given::Broken,
            },
        };
        Self { place: Place::of(node), given }
    }

    /// The value in a run, as `read` reads it if it is a parameter's.
    pub(crate) fn get_as(
        &self,
        env: &Env<'_>,
        read: impl FnOnce(&Reading<'_>, &Node) -> Option<T>,
    ) -> Option<Cow<'_, T>>
    where
        T: Clone,
    {
        match &self.given {
            Given::Is(value) | Given::Flawed(value) => Some(Cow::Borrowed(value)),
            Given::Parameters(raw) => read(env.reading, &env.fill(raw)?).map(Cow::Owned),
            Given::Broken => None,
        }
    }

    /// The tree of the value, as `write` writes it.
    pub(crate) fn write_as(
        &self,
        fill: Fill<'_>,
        read: impl FnOnce(&Reading<'_>, &Node) -> Option<T>,
        write: impl FnOnce(&T, Fill<'_>) -> Node,
    ) -> Node
    where
        T: Clone,
    {
        match (&self.given, fill.env) {
            (Given::Parameters(raw), None) => raw.0.clone(),
            (Given::Parameters(raw), Some(env)) if fill.members.is_empty() => env.fill(raw).unwrap_or_default(),
            (_, env) => match env.map_or_else(|| self.literal().map(Cow::Borrowed), |env| self.get_as(env, read)) {
                Some(value) => write(&value, fill),
                None => Node::default(),
            },
        }
    }
}

#[allow(private_bounds, reason = "only this crate reads values")]
impl<T: Value> Param<T> {
    /// The value in a run; nothing if it is wrong, which is reported.
    pub(crate) fn get(&self, env: &Env<'_>) -> Option<Cow<'_, T>> {
        self.get_as(env, T::read)
    }
}

impl<T: Value> Value for Param<T> {
    const TAKES: ValueKind = T::TAKES;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        if has_parameters(node)
            && let Some(value) = T::read_with_parameters(cx, node)
        {
            return Some(Self { place: Place::of(node), given: Given::Is(value) });
        }
        Some(Self::read_as(cx, node, T::read))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        self.write_as(fill, T::read, T::write)
    }
}

impl Value for Raw {
    const TAKES: ValueKind = ValueKind::Anything;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        if node.kind == NodeKind::Broken {
            cx.fail();
            return None;
        }
        Some(Self(node.clone()))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        match fill.env {
            Some(env) => env.fill(self).unwrap_or_default(),
            None => self.0.clone(),
        }
    }
}

/// A group of keys of a map, as the fields of a struct.
pub(crate) trait Group: Default {
    /// The keys in the order of the reference.
    const KEYS: &'static [Key];

    /// Reads the value of a key; `false` if the key is none of these.
    fn set(&mut self, cx: &Reading<'_>, name: &str, key: &Node, value: &Node) -> bool;

    /// The keys that are there, with their places and written values, in the order of the reference.
    fn entries(&self, fill: Fill<'_>) -> Vec<(&'static str, Place, Node)>;

    /// The keys that are there, and their places.
    fn present(&self) -> Vec<(&'static Key, &Place)>;
}

/// A map with keys that the language names.
pub(crate) trait Map: Default + Clone {
    /// The keys.
    const TABLE: &'static Table;
    /// The keys without which the map says nothing.
    const REQUIRED: &'static [&'static str];

    fn set(&mut self, cx: &Reading<'_>, name: &str, key: &Node, value: &Node);
    fn entries(&self, fill: Fill<'_>) -> Vec<(&'static str, Place, Node)>;
    fn present(&self) -> Vec<(&'static Key, &Place)>;
}

impl<T: Map> Value for T {
    const TAKES: ValueKind = ValueKind::Map(T::TABLE);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let entries = cx.entries_of(node, T::TABLE)?;
        let (mut map, mut known) = (Self::default(), true);
        for (index, (name, value)) in entries.iter().enumerate() {
            match cx.known_key(name, T::TABLE) {
                Some(key) if cx.is_first(name, key.name, &entries[..index]) => map.set(cx, key.name, name, value),
                _ => known = false,
            }
        }
        for name in T::REQUIRED {
            if known && node.get(name).is_none() {
                cx.error(node, format!("{} needs `{name}`", T::TABLE.what));
            }
        }
        Some(map)
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        let mut entries = Map::entries(self, fill);
        // As they were written, or in the order of the reference.
        entries.sort_by_key(|(_, place, _)| place.span.start);
        Node::map(entries.into_iter().map(|(name, _, value)| (Node::word(name), value)))
    }
}
