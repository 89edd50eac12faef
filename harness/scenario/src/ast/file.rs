//! A scenario file, and a fragment of one.

use halfopen_protocol::Version;

use super::expect::Expectations;
use super::link::{LinkPath, LinkSettings, Middlebox};
use super::list::{Named, OneOrMore};
use super::macros::{map, words};
use super::matrix::{Exclude, Lets, Matrix, Pairs, Rows};
use super::node::{Broker, Client, RawBroker, RawClient};
use super::reading::Reading;
use super::scalar::{Name, Number, Text};
use super::step::Steps;
use super::time::{DurationExpr, Moment};
use super::value::{Field, Fill, Param, Place, Value};
use crate::keys::{Key, Table, ValueKind, key};
use crate::plan::{Feature, Invariant};
use crate::reference::see;
use crate::suggest::{did_you_mean, one_of};
use crate::tree::{Node, NodeKind};

words! {
    /// An engine.
    Engine = "engine" {
        Sim = "sim" => "the event-driven engine";
        Turmoil = "turmoil" => "turmoil::Sim, with its tick of 1 ms";
        ! "live" => "`live` is no engine to choose in a file; `halfopen run --live BROKER` plays scenarios in real time, and says which ones it cannot";
    }
}

map! {
    /// The engines that can run a file.
    OnlyOn = "`only_on`" needs "engines", "because" {
        engines: Param<OneOrMore<Param<Engine>>> => "the engines that can run it";
        because: Param<Text> => "why it cannot be run on the others";
    }
}

map! {
    /// The statements of the standards that a file checks.
    Clauses = "`clauses`" {
        v3_1_1 as "3.1.1": Ids => "ids of statements of 3.1.1, as `MQTT-3.1.2-24`";
        v5_0 as "5.0": Ids => "ids of statements of 5.0, as `MQTT-3.1.2-22`";
    }
}

map! {
    /// A scenario file.
    File = "a scenario" {
        grammar: Grammar = "1" => "the version of this language: 1";
        mqtt: Versions = "both" => "`3.1.1`, `5.0` or a list";
        about: Text => "a sentence for reports";
        tags: OneOrMore<Text> => "words to select by";
        reports: Ids => "bug reports that this is about: ids of field reports, URLs, or references of your own";
        clauses: Clauses => "version → ids of the statements that this checks";
        matrix: Matrix => "name → list: axes; the runs are their product";
        pairs: Pairs => "name → list: axes of which each two values meet in a run; far fewer runs than the product";
        table: Rows => "a list of rows: one axis with several names; `case` names the run";
        values as "let": Lets => "name → value: values that are no axis";
        seeds: Seeds = "1" => "how many random seeds, or a list";
        brokers: Nodes<Broker> = "one called `broker`" => "name → broker";
        clients: Nodes<Client> => "name → client";
        raw_clients: Nodes<RawClient> => "name → raw client";
        network: Param<LinkSettings> => "what all links are like";
        links: Param<Links> => "`a -> b` or `a <-> b` → what one link is like";
        middleboxes: Param<Named<Param<Middlebox>>> => "name → a middlebox on some links";
        steps: Param<Steps> => "the script";
        expect: Param<Expectations> => "what must be true of it";
        until: Param<Moment> = "when all is decided, and 1s more" => "the end of the run";
        tolerance: Param<DurationExpr> = "0ms" => "how much earlier or later than expected something may come";
        waive: Waive => "invariant → the reason why it does not hold here";
        requires: Param<OneOrMore<Param<Feature>>> => "optional features of the broker without which the run is skipped";
        include: OneOrMore<Text> => "paths of fragments, from the folder of this file: their nodes, links, values and waivers are added, their steps go first";
        exclude: Exclude => "combinations of values that are left out: name → value or values; a list for several";
        raw_brokers: Nodes<RawBroker> => "name → raw broker";
        only_on: Param<OnlyOn> = "all" => "the engines that can run it";
    }
}

map! {
    /// A fragment of a scenario.
    Fragment = "a fragment" {
        grammar: Grammar = "1" => "the version of this language: 1";
        about: Text => "a sentence";
        include: OneOrMore<Text> => "further fragments, from the folder of this one";
        values as "let": Lets => "name → value";
        brokers: Nodes<Broker> => "name → broker";
        clients: Nodes<Client> => "name → client";
        raw_clients: Nodes<RawClient> => "name → raw client";
        raw_brokers: Nodes<RawBroker> => "name → raw broker";
        links: Param<Links> => "`a -> b` or `a <-> b` → what one link is like";
        middleboxes: Param<Named<Param<Middlebox>>> => "name → a middlebox on some links";
        steps: Param<Steps> => "what comes before the scenario's own steps";
        waive: Waive => "invariant → the reason why it does not hold";
    }
}

/// The version of this language, of which there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grammar;

const GRAMMAR: &[Key] = &[key("1", "the first")];

impl Value for Grammar {
    const TAKES: ValueKind = ValueKind::Words(GRAMMAR);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        if node.text() != Some("1") {
            cx.error(node, "this version knows grammar 1");
            return None;
        }
        Some(Self)
    }

    fn write(&self, _: Fill<'_>) -> Node {
        Node::word("1")
    }
}

/// Ids of statements or of cases, which are written as a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Ids(pub Vec<Id>);

impl Value for Ids {
    const TAKES: ValueKind = ValueKind::Several(&ValueKind::Text);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        OneOrMore::read(cx, node).map(|ids| Self(ids.0))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        Node::list(self.0.iter().map(|id| id.write(fill)))
    }
}

/// An id of a statement or of a case, which knows its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Id(pub(crate) Place, pub String);

impl From<&str> for Id {
    fn from(id: &str) -> Self {
        Self(Place::default(), id.to_owned())
    }
}

impl Value for Id {
    const TAKES: ValueKind = ValueKind::Text;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        Text::read(cx, node).map(|text| Self(Place::of(node), text.0))
    }

    fn write(&self, _: Fill<'_>) -> Node {
        Node::quoted(&*self.1)
    }
}

/// The nodes of a role, by their names.
#[derive(Clone, Debug, PartialEq)]
pub struct Nodes<T>(pub Vec<(Name, Param<T>)>);

impl<T: Value> Value for Nodes<T> {
    const TAKES: ValueKind = ValueKind::Named(&T::TAKES);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        // That it is no map has been reported with the other keys of the file.
        let NodeKind::Map(entries) = &node.kind else { return None };
        // What belongs to a name that is none may be something else as well.
        let named =
            entries.iter().filter(|(name, _)| name.text().is_some_and(|name| !cx.outline.broken.contains(name)));
        Some(Self(named.filter_map(|(name, node)| Name::of(name).zip(Param::read(cx, node))).collect()))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        Node::map(self.0.iter().map(|(name, node)| (Node::word(&*name.text), node.write(fill))))
    }
}

/// The settings of links.
#[derive(Clone, Debug, PartialEq)]
pub struct Links(pub Vec<(Param<LinkPath>, Param<LinkSettings>)>);

impl Value for Links {
    const TAKES: ValueKind = ValueKind::Named(&<LinkSettings as Value>::TAKES);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let entries = cx.map(node, "a map of links, as in `{ a -> b: { latency: 1s } }`")?;
        Some(Self(entries.iter().filter_map(|(a, b)| Some((Param::read(cx, a)?, Param::read(cx, b)?))).collect()))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        Node::map(self.0.iter().map(|(link, settings)| (link.write(fill), settings.write(fill))))
    }
}

/// Invariants that do not hold here, and why.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Waive(pub Vec<(Place, Invariant, String)>);

pub(crate) const WAIVE: Table = Table { what: "`waive`", keys: &[INVARIANTS] };

const INVARIANTS: &[Key] = &{
    let mut keys = [key("", "").takes(ValueKind::Text); Invariant::ALL.len()];
    let mut index = 0;
    while index < keys.len() {
        keys[index].name = Invariant::ALL[index].name();
        keys[index].about = statement(Invariant::ALL[index]);
        index += 1;
    }
    keys
};

/// Returns what an invariant says, for the reference.
const fn statement(invariant: Invariant) -> &'static str {
    match invariant {
        Invariant::ClientKeepsItsInterval => "a client leaves no silence longer than its keep-alive",
        Invariant::BrokerKeepsItsDeadline => "a broker closes a silent client at 1.5 keep-alives",
        Invariant::Qos1AtLeastOnce => "what was published at QoS 1 arrives",
        Invariant::Qos2ExactlyOnce => "what was published at QoS 2 arrives once",
        Invariant::TopicOrder => "messages of a topic arrive in their order",
        Invariant::PacketIds => "a packet id is in use once at a time",
        Invariant::ReceiveMaximum => "nobody sends more ahead than the other side allows",
        Invariant::NothingAfterDisconnect => "nobody sends after DISCONNECT",
        Invariant::ResendOnlyOnResume => "packets are sent again only when a session is resumed",
        Invariant::BrokerAnswers => "a broker answers what has an answer, and nothing else",
        Invariant::BrokerKeepsSessions => "a broker has the sessions that there should be",
        Invariant::BrokerDelivers => "a broker passes on what was published, as it was published, and nothing else",
        Invariant::BrokerSettles => "a broker settles what it has sent, and sends again what a session left",
        Invariant::ClientAnswers => "a client answers what has an answer, and nothing else",
        Invariant::ClientDelivers => "a client hands each message to its application",
        Invariant::ClientSettles => "a client settles what it has sent, and sends again what a session left",
        Invariant::ClientObeysLimits => "a client obeys what CONNACK announces",
        Invariant::ClientGivesUp => "a client does not wait for ever for CONNACK and PINGRESP",
        Invariant::ClientReconnects => "a client connects again after its pause",
        Invariant::ClientPublishes => "a client publishes what its application gives it",
    }
}

impl Value for Waive {
    const TAKES: ValueKind = ValueKind::Map(&WAIVE);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let what =
            "a map of invariants and reasons, as in `{ client_keeps_its_interval: The device is silent on purpose. }`";
        let NodeKind::Map(entries) = &node.kind else {
            cx.error(node, format!("expected {what}"));
            return None;
        };
        let waiver = |(name, reason): &(Node, Node)| {
            let text = name.text()?;
            let Some(invariant) = Invariant::named(text) else {
                let names = || WAIVE.all().map(|key| key.name);
                let hint = did_you_mean(text, names());
                let note = format!("one of {}; {}", one_of(names()), see(WAIVE.what));
                cx.error_with_note(name, format!("unknown invariant `{text}`{hint}"), note);
                return None;
            };
            match reason.text().filter(|_| !reason.is_null()) {
                Some(reason) => Some((Place::of(name), invariant, reason.to_owned())),
                None => {
                    let message = format!("`{text}` is waived without a reason; say why it does not hold here");
                    cx.error(reason, message);
                    None
                }
            }
        };
        Some(Self(entries.iter().filter_map(waiver).collect()))
    }

    fn write(&self, _: Fill<'_>) -> Node {
        Node::map(self.0.iter().map(|(_, invariant, why)| (Node::word(invariant.name()), Node::quoted(&**why))))
    }
}

/// The optional features of a broker.
pub(crate) const FEATURES: &[Key] = &{
    let mut keys = [key("", "a broker of 5.0 may be without it"); Feature::ALL.len()];
    let mut index = 0;
    while index < keys.len() {
        keys[index].name = Feature::ALL[index].word();
        index += 1;
    }
    keys
};

impl Value for Feature {
    const TAKES: ValueKind = ValueKind::Words(FEATURES);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        cx.word(node, "feature", FEATURES).map(|place| Self::ALL[place])
    }

    fn write(&self, _: Fill<'_>) -> Node {
        Node::word(self.word())
    }
}

/// The versions on which a file runs: one at least, each once, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions(pub Vec<Version>);

impl Value for Versions {
    const TAKES: ValueKind = ValueKind::Several(&ValueKind::Version);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let items = match &node.kind {
            NodeKind::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut versions = Vec::new();
        for item in items {
            let version = match item.text() {
                Some("3.1.1") => Version::V3_1_1,
                Some("5.0" | "5") => Version::V5_0,
                _ => {
                    cx.error(item, format!("unknown version `{}`; there are `3.1.1` and `5.0`", item.flow()));
                    return None;
                }
            };
            if versions.contains(&version) {
                cx.error(item, format!("the version {version} twice"));
            } else {
                versions.push(version);
            }
        }
        versions.sort_unstable();
        if versions.is_empty() {
            cx.error(node, "no version; there are `3.1.1` and `5.0`");
            return None;
        }
        Some(Self(versions))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        OneOrMore(self.0.clone()).write(fill)
    }
}

/// The random seeds of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seeds {
    /// The number of seeds, counted from 1.
    Count(u64),
    /// The seeds.
    List(Vec<u64>),
}

/// Number of seeds that a file may have.
pub(super) const MOST_SEEDS: u64 = crate::MAX_RUNS;

impl Seeds {
    /// The seeds.
    pub fn list(&self) -> Vec<u64> {
        match self {
            Self::Count(count) => (1..=*count).collect(),
            Self::List(seeds) => seeds.clone(),
        }
    }
}

impl Value for Seeds {
    const TAKES: ValueKind = ValueKind::Several(&<Number<0, { u64::MAX }> as Value>::TAKES);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let number = |node: &Node| {
            let number = node.text().and_then(|text| text.parse::<u64>().ok());
            if number.is_none() {
                cx.error(node, format!("expected how many seeds, or a list of them; found `{}`", node.flow()));
            }
            number
        };
        if let NodeKind::List(items) = &node.kind {
            let seeds: Vec<_> = items.iter().filter_map(number).collect();
            return (seeds.len() == items.len() && !seeds.is_empty()).then_some(Self::List(seeds));
        }
        let count = number(node)?;
        if !(1..=MOST_SEEDS).contains(&count) {
            cx.error(node, format!("{count} is not between 1 and {MOST_SEEDS}"));
            return None;
        }
        Some(Self::Count(count))
    }

    fn write(&self, _: Fill<'_>) -> Node {
        match self {
            Self::Count(count) => Node::word(count.to_string()),
            Self::List(seeds) => Node::list(seeds.iter().map(|seed| Node::word(seed.to_string()))),
        }
    }
}

impl File {
    /// Reads a file from its tree, whose keys are known already.
    pub(crate) fn of(cx: &Reading<'_>, root: &Node) -> Self {
        read_keys(cx, root)
    }
}

impl Fragment {
    /// Reads a fragment from its tree, whose keys are known already.
    pub(crate) fn of(cx: &Reading<'_>, root: &Node) -> Self {
        read_keys(cx, root)
    }
}

/// Reads the keys that are known and have a value; the others have been reported.
fn read_keys<T: super::value::Map>(cx: &Reading<'_>, root: &Node) -> T {
    let mut read = T::default();
    for (name, value) in root.entries().iter().filter(|(_, value)| !value.is_null()) {
        if let Some(key) = name.text().and_then(|name| T::TABLE.find(name)) {
            read.set(cx, key.name, name, value);
        }
    }
    read
}

/// The value of a field, if it is there.
pub(crate) fn value_of<T>(field: &Option<Field<T>>) -> Option<&T> {
    field.as_ref().map(|field| &field.value)
}
