//! What must be true of the story.

use super::link::ConnectionName;
use super::list::{Named, OneOrMore};
use super::macros::{group, map, words};
use super::packet::{MessagePattern, Pattern};
use super::reading::Reading;
use super::scalar::{Count, Name, NodeName, Reason, Text};
use super::step::line;
use super::time::{DurationExpr, Gap, Moment, Moments};
use super::value::{Fill, Group, Param, Place, Raw, Value};
use crate::keys::{Key, Table, ValueKind, key};
use crate::plan::Because;
use crate::reference::see;
use crate::suggest::nearest;
use crate::tree::{Node, NodeKind};

words! {
    /// The state of a client.
    State = "state" {
        Connected = "connected" => "between CONNACK and the end of the connection";
        Connecting = "connecting" => "between the opening of a connection and CONNACK";
        Disconnected = "disconnected" => "neither connected nor connecting nor down";
        Down = "down" => "crashed or without power";
    }
}

words! {
    /// The way in which a connection has ended.
    How = "way to end" {
        Fin = "fin" => "in order";
        Rst = "rst" => "by abort";
        Timeout = "timeout" => "no answer for too long";
    }
}

words! {
    /// The programs that an expectation judges only if they are the project's own.
    BuiltinPrograms = "choice of `only_builtin`" {
        Both = "true" => "the broker and the clients";
        Broker = "broker" => "the broker; clients of others are judged";
        Client = "client" => "the clients; brokers of others are judged";
        Neither = "false" => "programs of others are judged";
    }
}

words! {
    /// The word for the absence of a DISCONNECT.
    NothingWord = "reason" {
        Nothing = "nothing" => "there is none";
    }
}

map! {
    /// The content of a broker's memory.
    Holding = "what a broker has" {
        session: Param<Text> => "the client identifier: that there is a session, and what the others but `retained` are about";
        subscriptions: Param<Count> => "how many topic filters: 2, `2..`, `..4`";
        queued: Param<Count> => "how many messages wait";
        in_flight: Param<Count> => "how many messages of QoS 1 and 2 are not acknowledged";
        will: Param<bool> => "whether there is a will";
        retained: Param<Count> => "how many messages the broker retains, of all topics";
    }
}

line! {
    /// The verb of an expectation.
    Verb {
        Receives(Param<OneOrMore<Param<Pattern>>>) = "receives" => "packets arrive at the node: a pattern, or a list, which is an order with others between";
        Sends(Param<OneOrMore<Param<Pattern>>>) = "sends" => "packets leave the node";
        Delivers(Param<OneOrMore<Param<MessagePattern>>>) = "delivers" => "a client hands a message to its application: fields, or a list, which is an order; a raw client every message that it takes, one of QoS 2 once";
        Closes(Param<NodeName>) = "closes" => "ends its connection with this peer";
        Loses(Param<NodeName>) = "loses" => "sees its connection with this peer end";
        Attempts(Param<NodeName>) = "attempts" => "tries to open a connection to this peer, whether it is accepted or not";
        Is(Param<State>) = "is" => "a client is connected, connecting, disconnected or down";
        Has(Param<Holding>) = "has" => "a broker holds this";
    }
}

group! {
    /// The qualifiers of an expectation.
    Qualifiers {
        count: Param<Count> = "at least once" => "how often: 2, `2..`, `..4`";
        gap: Param<Gap> => "the time between neighbours: 5s, `..4s`, `1s .. 2s`";
        to: Param<NodeName> => "only what goes to this node";
        from: Param<NodeName> => "only what comes from this node";
        connection: Param<ConnectionName> = "any" => "only what happens on this connection: `sensor#2`";
        at: Param<Moment> => "each at this moment";
        within: Param<Moment> => "each in this time after an event: `50ms after close of sensor`";
        between: Param<Moments> => "each between two moments: `50s .. 51s`";
        not_before: Param<Moment> => "each at this moment or later";
        during: Param<Moments> = "the whole run" => "where to look: `start .. MARK`";
        when: Param<Condition> = "always" => "only judged in these runs: axis name and value or values";
        because: Param<Because> => "of closes: why";
        how: Param<How> => "of closes and loses: fin, rst, timeout";
        reason: Param<ClosingReasons> => "of closes, 5.0: the reason of the DISCONNECT before it, which must be there";
        reason_if_any: Param<ClosingReasonsIfAny> => "of closes: the reason of the DISCONNECT before it, if there is one; void in 3.1.1";
        per: Param<DurationExpr> = "the whole run" => "`count` is about any window this long";
        only_builtin: Param<BuiltinPrograms> = "false" => "the standard leaves it open to the broker, the client, or both (`true`): only judged if that is the project's own";
    }
}

/// The keys of an expectation.
pub(crate) const EXPECTATION: Table = Table { what: "an expectation", keys: &[Verb::KEYS, Qualifiers::KEYS] };

/// Keys that may stand around an expectation.
pub(crate) const MODIFIERS: &[Key] = &[
    key("never", "it must not be so").takes(ValueKind::Expectation),
    key("should", "it should be so: a warning, a failure with --strict").takes(ValueKind::Expectation),
    key("any_of", "one of these must be so: lines, or lists of lines")
        .takes(ValueKind::List(&ValueKind::Several(&ValueKind::Expectation))),
];

pub(crate) static CAUSES: [Key; Because::ALL.len()] = {
    let mut keys = [key("", ""); Because::ALL.len()];
    let mut index = 0;
    while index < keys.len() {
        keys[index] = cause(Because::ALL[index]);
        index += 1;
    }
    keys
};

const fn cause(because: Because) -> Key {
    key(because.word(), meaning(because))
}

/// Returns what a cause says, for the reference.
const fn meaning(because: Because) -> &'static str {
    match because {
        Because::KeepAlive => "a broker: nothing came from the client for 1.5 keep-alives",
        Because::NoPingresp => "a client: no PINGRESP came in time",
        Because::NoConnect => "a broker: no CONNECT came in time",
        Because::NoConnack => "a client: no CONNACK came in time",
        Because::Takeover => "a broker: the same client identifier has connected anew",
        Because::Malformed => "what came is no packet",
        Because::ProtocolError => "what came is a packet that may not come here, or not so",
        Because::SessionEnd => "the other side has sent DISCONNECT",
        Because::Quota => "what came is more than was allowed",
        Because::NotAuthorized => "the other side may not do this",
        Because::Shutdown => "a broker: its process ends in order, by `shutdown`",
        Because::Asked => "the script asked for it, as with `disconnect` or `close`",
    }
}

impl Value for Because {
    const TAKES: ValueKind = ValueKind::Words(&CAUSES);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        cx.word(node, "cause", &CAUSES).map(|place| Self::ALL[place])
    }

    fn write(&self, _: Fill<'_>) -> Node {
        Node::word(self.word())
    }
}

/// The reason of a DISCONNECT, or reasons of which it has one.
#[derive(Clone, Debug, PartialEq)]
pub struct ClosingReasons(pub OneOrMore<Param<Reason>>);

impl Value for ClosingReasons {
    const TAKES: ValueKind = ValueKind::Several(&ValueKind::Number(0, 255));

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        if node.text() == Some("nothing") {
            cx.error(
                node,
                "`reason` needs a reason code; that there is no DISCONNECT is written `reason_if_any: nothing`",
            );
            return None;
        }
        OneOrMore::read(cx, node).map(Self)
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        self.0.write(fill)
    }
}

/// The reason of a DISCONNECT, if there is one.
#[derive(Clone, Debug, PartialEq)]
pub enum ClosingReasonsIfAny {
    /// There is no DISCONNECT.
    Nothing,
    /// A list of reasons of which it has one.
    Reasons(ClosingReasons),
}

impl Value for ClosingReasonsIfAny {
    const TAKES: ValueKind = ValueKind::Either(&[<NothingWord as Value>::TAKES, <ClosingReasons as Value>::TAKES]);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        match node.text() {
            Some("nothing") => Some(Self::Nothing),
            _ => ClosingReasons::read(cx, node).map(Self::Reasons),
        }
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        match self {
            Self::Nothing => NothingWord::Nothing.write(fill),
            Self::Reasons(reasons) => reasons.write(fill),
        }
    }
}

/// The runs in which an expectation is judged: axes and values.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub(crate) place: Place,
    /// The values of each axis with which it is judged.
    pub axes: Named<OneOrMore<Raw>>,
}

impl From<Named<OneOrMore<Raw>>> for Condition {
    fn from(axes: Named<OneOrMore<Raw>>) -> Self {
        Self { place: Place::default(), axes }
    }
}

impl Value for Condition {
    const TAKES: ValueKind = ValueKind::Named(&ValueKind::Several(&ValueKind::Anything));

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        if matches!(node.kind, NodeKind::Map(_)) && node.entries().is_empty() {
            cx.error(node, "expected at least one axis with its value, as in `{ qos: 1 }`");
            return None;
        }
        let axes = Named::read_map(cx, node, "a map of axes and values, as in `{ qos: 1 }`")?;
        Some(Self { place: Place::of(node), axes })
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        self.axes.write(fill)
    }
}

/// A verb and its qualifiers.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// The place of the verb.
    pub(crate) verb_key: Place,
    /// The verb.
    pub verb: Verb,
    /// The count, the time, and all else beside the verb.
    pub qualifiers: Qualifiers,
}

impl From<Verb> for Clause {
    fn from(verb: Verb) -> Self {
        Self { verb_key: Place::default(), verb, qualifiers: Qualifiers::default() }
    }
}

impl Value for Clause {
    const TAKES: ValueKind = ValueKind::Map(&EXPECTATION);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let failures = cx.failures.get();
        let (mut verb, mut qualifiers) = (None, Qualifiers::default());
        let mut first: Option<&str> = None;
        for (name, value) in cx.entries_of(node, &EXPECTATION)? {
            let Some(key) = cx.known_key(name, &EXPECTATION) else { continue };
            if !Verb::has(key.name) {
                qualifiers.set(cx, key.name, name, value);
            } else if let Some(first) = first {
                let second = key.name;
                let message =
                    format!("a second verb, `{second}`, beside `{first}`; an expectation has one: make it two lines");
                cx.error(name, message);
            } else {
                first = Some(key.name);
                verb = Verb::read_line(cx, key.name, value).map(|verb| (Place::of(name), verb));
            }
        }
        if first.is_none() && failures == cx.failures.get() {
            let verbs = Verb::KEYS.iter().map(|verb| verb.name).collect::<Vec<_>>().join(", ");
            cx.error(node, format!("no verb; an expectation has one of {verbs}"));
        }
        verb.map(|(verb_key, verb)| Self { verb_key, verb, qualifiers })
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        let mut entries = vec![(self.verb.word(), self.verb_key.clone(), self.verb.write_value(fill))];
        entries.extend(self.qualifiers.entries(fill));
        entries.sort_by_key(|(_, place, _)| place.span.start);
        Node::map(entries.into_iter().map(|(name, _, value)| (Node::word(name), value)))
    }
}

/// A line about a node or a group.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeExpectation {
    /// The node or the group.
    pub node: Name,
    /// The verb and its qualifiers.
    pub clause: Param<Clause>,
}

impl NodeExpectation {
    /// A line about a node.
    pub fn new(node: impl Into<String>, clause: Clause) -> Self {
        Self { node: Name::new(node), clause: Param::new(clause) }
    }

    fn read_entry(cx: &Reading<'_>, key: &Node, value: &Node) -> Option<Self> {
        let word = key.text()?;
        if Verb::has(word) {
            let message = format!("`{word}` is a verb; a line begins with who, as in `- NODE: {{ {word}: … }}`");
            cx.error_with_note(key, message, see("an expectation"));
            return None;
        }
        if let Some((inner, _)) = value.entries().iter().find(|(inner, _)| inner.text().is_some_and(is_around)) {
            let inner_word = inner.text().unwrap_or_default();
            let message = format!("`{inner_word}` stands around a line: `- {inner_word}: {{ {word}: {{ … }} }}`");
            cx.error_with_note(inner, message, see("an expectation"));
            return None;
        }
        let clause = Param::read(cx, value)?;
        if !cx.outline.has_node(word) {
            Self::unknown(cx, key, word);
            return None;
        }
        Some(Self { node: Name::of(key)?, clause })
    }

    /// Reports a word that is no node.
    fn unknown(cx: &Reading<'_>, key: &Node, word: &str) {
        if cx.outline.is_silent(word) {
            return cx.fail();
        }
        if word.split_once('#').is_some_and(|(of, _)| cx.outline.has_node(of)) {
            return cx.unknown_node(key, word);
        }
        let words = MODIFIERS.iter().map(|around| around.name);
        match nearest(word, words.chain(cx.outline.names())) {
            Some(near) if cx.outline.has_node(near) => {
                cx.error(key, format!("unknown node `{word}`; did you mean the node `{near}`?"));
            }
            Some(near) => cx.error(key, format!("unknown node `{word}`; did you mean `{near}`?")),
            None => cx.unknown_node(key, word),
        }
    }

    fn entry(&self, fill: Fill<'_>) -> Node {
        Node::map([(Node::word(fill.name(&self.node.text)), self.clause.write(fill))])
    }
}

impl Value for NodeExpectation {
    const TAKES: ValueKind = ValueKind::Expectation;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let (key, value) = cx.line(node, "the line in `never`")?;
        let word = cx.scalar(key, "a node")?;
        if is_around(word) {
            cx.error(key, format!("`{word}` inside `never`, which is about a node"));
            return None;
        }
        Self::read_entry(cx, key, value)
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        self.entry(fill)
    }
}

/// An expectation without its weight.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// The behaviour must occur.
    Must(NodeExpectation),
    /// The behaviour must not occur.
    Never(Param<NodeExpectation>),
    /// One of the alternatives must hold.
    AnyOf(Place, Param<Alternatives>),
}

impl Statement {
    fn read_entry(cx: &Reading<'_>, key: &Node, value: &Node) -> Option<Self> {
        match cx.scalar(key, "a node, or `never`")? {
            "never" => Param::read(cx, value).map(Self::Never),
            "any_of" => Param::read(cx, value).map(|alternatives| Self::AnyOf(Place::of(key), alternatives)),
            "should" => {
                cx.error(key, "`should` stands outermost, once");
                None
            }
            _ => NodeExpectation::read_entry(cx, key, value).map(Self::Must),
        }
    }
}

impl Value for Statement {
    const TAKES: ValueKind = ValueKind::Expectation;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let (key, value) = cx.line(node, "the line in `should`")?;
        Self::read_entry(cx, key, value)
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        match self {
            Self::Must(about) => about.entry(fill),
            Self::Never(about) => Node::map([(Node::word("never"), about.write(fill))]),
            Self::AnyOf(_, alternatives) => Node::map([(Node::word("any_of"), alternatives.write(fill))]),
        }
    }
}

/// Alternatives, of which each is a line or a list of lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Alternatives(pub Vec<Param<OneOrMore<Param<Alternative>>>>);

impl Value for Alternatives {
    const TAKES: ValueKind = ValueKind::List(&ValueKind::Several(&ValueKind::Expectation));

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let items = cx.list(node, "alternatives, each a line or a list of lines")?;
        if items.is_empty() {
            cx.error(node, "`any_of` nothing: no alternative in here");
        }
        Some(Self(cx.each(items, |item| Param::read(cx, item))))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        Node::list(self.0.iter().map(|alternative| alternative.write(fill)))
    }
}

/// A line of an alternative.
#[derive(Clone, Debug, PartialEq)]
pub enum Alternative {
    /// The behaviour must occur.
    Must(NodeExpectation),
    /// The behaviour must not occur.
    Never(Param<NodeExpectation>),
}

impl Value for Alternative {
    const TAKES: ValueKind = ValueKind::Expectation;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let (key, value) = cx.line(node, "an alternative")?;
        if let Some(word @ ("should" | "any_of")) = key.text() {
            cx.error(key, format!("`{word}` inside `any_of`"));
            return None;
        }
        match Statement::read_entry(cx, key, value)? {
            Statement::Must(about) => Some(Self::Must(about)),
            Statement::Never(about) => Some(Self::Never(about)),
            Statement::AnyOf(..) => None,
        }
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        match self {
            Self::Must(about) => about.entry(fill),
            Self::Never(about) => Node::map([(Node::word("never"), about.write(fill))]),
        }
    }
}

/// An expectation: one line that must hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Expectation {
    /// Otherwise the run fails.
    Required(Statement),
    /// Otherwise there is a warning.
    Advised(Place, Param<Statement>),
}

impl From<NodeExpectation> for Expectation {
    fn from(about: NodeExpectation) -> Self {
        Self::Required(Statement::Must(about))
    }
}

impl Value for Expectation {
    const TAKES: ValueKind = ValueKind::Expectation;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let (key, value) = cx.line(node, "an expectation")?;
        match key.text() {
            Some("should") => Param::read(cx, value).map(|statement| Self::Advised(Place::of(key), statement)),
            _ => Statement::read_entry(cx, key, value).map(Self::Required),
        }
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        match self {
            Self::Required(statement) => statement.write(fill),
            Self::Advised(_, statement) => Node::map([(Node::word("should"), statement.write(fill))]),
        }
    }
}

/// A list of expectations; those that are right.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectations(pub Vec<Param<Expectation>>);

impl Value for Expectations {
    const TAKES: ValueKind = ValueKind::Expectations;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        Some(Self(cx.each(cx.list(node, "expectations")?, |item| Param::read(cx, item))))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        Node::list(self.0.iter().map(|expectation| expectation.write(fill)))
    }
}

fn is_around(word: &str) -> bool {
    MODIFIERS.iter().any(|around| around.name == word)
}

/// Returns whether a word stands beside a verb.
pub(crate) fn is_qualifier(word: &str) -> bool {
    Qualifiers::KEYS.iter().any(|key| key.name == word)
}

/// Returns how a line is written with a qualifier beside its verb: `never: { broker: { …, when: … } }`. None for
/// `any_of`, which has several lines.
pub(crate) fn with_beside_the_verb(first: &str, value: &Node, word: &str) -> Option<String> {
    match first {
        "any_of" => None,
        "never" | "should" => {
            let (inner, value) = value.entries().first()?;
            Some(format!("{first}: {{ {} }}", with_beside_the_verb(inner.text()?, value, word)?))
        }
        node => Some(format!("{node}: {{ …, {word}: … }}")),
    }
}
