//! What of a file concerns those who run it: `only_on`, `requires`.

use super::keys::{Key, Table, Takes, key, never};
use super::reader::Reader;
use super::tree::Node;
use crate::plan::{Feature, OnlyOn};

pub(super) const ONLY_ON: Table = Table {
    what: "`only_on`",
    keys: &[&[
        key("engines", "the engines that can run it").takes(Takes::Several(&Takes::Words(ENGINES))),
        key("because", "why it cannot be run on the others").takes(Takes::Text),
    ]],
};

const ENGINES: &[Key] = &[
    key("sim", "the event-driven engine"),
    key("turmoil", "turmoil::Sim, with its tick of 1 ms"),
    never("live", "there is no engine `live`: scenarios run in a simulated network and clock only"),
];

/// The optional features of a broker.
pub(super) const FEATURES: &[Key] = &{
    let mut keys = [key("", "a broker of 5.0 may be without it"); Feature::ALL.len()];
    let mut index = 0;
    while index < keys.len() {
        keys[index].name = Feature::ALL[index].word();
        index += 1;
    }
    keys
};

impl Reader<'_> {
    /// The engines that can run it.
    pub(super) fn only_on(&self, node: &Node) -> Option<OnlyOn> {
        let fields = self.fields(node, &ONLY_ON)?;
        let engines = self.required(node, &fields, "engines").and_then(|engines| {
            let items = self.one_or_more(engines);
            let read: Vec<_> = items.iter().filter_map(|item| self.word(item, "engine", ENGINES)).collect();
            (read.len() == items.len()).then(|| read.into_iter().map(str::to_owned).collect())
        });
        let because = self.required(node, &fields, "because").and_then(|because| self.scalar(because, "a reason"));
        Some(OnlyOn { engines: engines?, because: because?.to_owned() })
    }

    /// The features that brokers must have.
    pub(super) fn requires(&self, node: &Node) -> Option<Vec<Feature>> {
        let items = self.one_or_more(node);
        let words: Vec<_> = items.iter().filter_map(|item| self.word(item, "feature", FEATURES)).collect();
        let found = Feature::ALL.into_iter().filter(|feature| words.contains(&feature.word())).collect();
        (words.len() == items.len()).then_some(found)
    }
}
