//! What must be true of the story.

use std::time::Duration;

use crate::plan::{
    Because, ClientState, CloseHow, CountRange, DurationRange, EventRef, Expectation, Holding, Mode, Moment,
    PacketKind, Timing, Verb, Weight,
};
use halfopen_protocol::PacketType;

use super::judged::Judged;
use super::keys::{Key, Table, Takes, key, never};
use super::names::Role;
use super::packet::{field_patterns, patterns, reason, reasons};
use super::reader::{Fields, Reader};
use super::reference::see;
use super::suggest::nearest;
use super::time;
use super::tree::{Kind, Node};

const VERBS: &[Key] = &[
    key("receives", "packets arrive at the node: a pattern, or a list, which is an order with others between")
        .takes(Takes::Several(&Takes::Pattern)),
    key("sends", "packets leave the node").takes(Takes::Several(&Takes::Pattern)),
    key("delivers", "a client hands a message to its application: fields, or a list, which is an order")
        .takes(Takes::Several(&Takes::Fields("PUBLISH"))),
    key("closes", "ends its connection with this peer").takes(Takes::Node),
    key("loses", "sees its connection with this peer end").takes(Takes::Node),
    key("is", "a client is connected, connecting, disconnected or down").takes(Takes::Words(STATES)),
    key("has", "a broker holds this").takes(Takes::Map(&HOLDING)),
];

const QUALIFIERS: &[Key] = &[
    key("count", "how often: 2, `2..`, `..4`").takes(Takes::Count).or("at least once"),
    key("gap", "the time between neighbours: 5s, `..4s`, `1s .. 2s`").takes(Takes::Gap),
    key("to", "only what goes to this node").takes(Takes::Node),
    key("from", "only what comes from this node").takes(Takes::Node),
    key("connection", "only what happens on this connection: `sensor#2`").takes(Takes::Connection).or("any"),
    key("at", "each at this moment").takes(Takes::Moment),
    key("within", "each in this time after an event: `50ms after close of sensor`").takes(Takes::Moment),
    key("between", "each between two moments: `50s .. 51s`").takes(Takes::Moments),
    key("not_before", "each at this moment or later").takes(Takes::Moment),
    key("during", "where to look: `start .. MARK`").takes(Takes::Moments).or("the whole run"),
    key("when", "only judged in these runs: axis name and value or values")
        .takes(Takes::Named(&Takes::Several(&Takes::Anything)))
        .or("always"),
    key("because", "of closes: why").takes(Takes::Words(&CAUSES)),
    key("how", "of closes and loses: fin, rst, timeout").takes(Takes::Words(HOW)),
    key("says", "of closes, 5.0: the reason of the DISCONNECT before it, which must be there")
        .takes(Takes::Several(&Takes::Number(0, 255))),
    key("may_say", "of closes: the reason of the DISCONNECT before it, if there is one; void in 3.1.1")
        .takes(Takes::Either(&[Takes::Words(NOTHING), Takes::Several(&Takes::Number(0, 255))])),
    key("per", "`count` is about any window this long").takes(Takes::Duration).or("the whole run"),
];

pub(super) const EXPECTATION: Table = Table { what: "an expectation", keys: &[VERBS, QUALIFIERS] };

const NOTHING: &[Key] = &[key("nothing", "there is none")];

pub(super) const AROUND: &[Key] = &[
    key("never", "it must not be so").takes(Takes::Expectation),
    key("should", "it should be so: a warning, a failure with --strict").takes(Takes::Expectation),
    key("any_of", "one of these must be so: lines, or lists of lines")
        .takes(Takes::List(&Takes::Several(&Takes::Expectation))),
];

pub(super) const STATES: &[Key] = &[
    key("connected", "between CONNACK and the end of the connection"),
    key("connecting", "between the opening of a connection and CONNACK"),
    key("disconnected", "neither connected nor connecting nor down"),
    key("down", "crashed or without power"),
];

const HOLDING: Table = Table { what: "what a broker has", keys: &[HOLDINGS] };

const HOLDINGS: &[Key] = &[
    key("session", "the client identifier: that there is a session, and what the others but `retained` are about")
        .takes(Takes::Text),
    key("subscriptions", "how many topic filters: 2, `2..`, `..4`").takes(Takes::Count),
    key("queued", "how many messages wait").takes(Takes::Count),
    key("in_flight", "how many messages of QoS 1 and 2 are not acknowledged").takes(Takes::Count),
    key("will", "whether there is a will").takes(Takes::Bool),
    key("retained", "how many messages the broker retains, of all topics").takes(Takes::Count),
];

const HOW: &[Key] = &[key("fin", "in order"), key("rst", "by abort"), key("timeout", "no answer for too long")];

pub(super) static CAUSES: [Key; Because::ALL.len()] = {
    let mut keys = [key("", ""); Because::ALL.len()];
    let mut index = 0;
    while index < keys.len() {
        keys[index] = cause(Because::ALL[index]);
        index += 1;
    }
    keys
};

const fn cause(because: Because) -> Key {
    match because {
        Because::Shutdown => never(
            because.word(),
            "`shutdown` cannot happen yet: no step ends a program in order; `crash` and `power_loss` end it without a word",
        ),
        _ => key(because.word(), meaning(because)),
    }
}

/// What a cause says, for the reference.
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
        Because::Shutdown => "the program ends",
        Because::Asked => "the story asked for it, as with `disconnect` or `close`",
    }
}

impl Reader<'_> {
    /// The expectations of a list, those that are right and hold for this run.
    pub(super) fn expectations(&self, node: &Node, judged: &Judged<'_>) -> Vec<Expectation> {
        let lines = self.list(node, "expectations").iter().flat_map(|item| self.each(item));
        lines.filter_map(|line| self.expectation(&line, judged)).collect()
    }

    fn expectation(&self, node: &Node, judged: &Judged<'_>) -> Option<Expectation> {
        let (key, value) = self.line(node, "an expectation")?;
        if key.text() == Some("should") {
            let (inner, value) = self.line(value, "the line in `should`")?;
            let mut expectation = self.unweighted(inner, value, judged)?;
            expectation.weight = Weight::Advised;
            expectation.position = key.span.start;
            expectation.text = format!("should: {{ {} }}", expectation.text);
            return Some(expectation);
        }
        self.unweighted(key, value, judged)
    }

    fn unweighted(&self, key: &Node, value: &Node, judged: &Judged<'_>) -> Option<Expectation> {
        let word = self.scalar(key, "a node, or `never`")?;
        let Some(around) = AROUND.iter().find(|around| around.name == word) else {
            return self.about_node(key, value, Mode::Must, judged);
        };
        match around.name {
            "never" => {
                let (key, value) = self.line(value, "the line in `never`")?;
                let word = self.scalar(key, "a node")?;
                if AROUND.iter().any(|around| around.name == word) {
                    self.error(key, format!("`{word}` inside `never`, which is about a node"));
                    return None;
                }
                self.about_node(key, value, Mode::Never, judged)
            }
            "any_of" => self.any_of(key, value, judged),
            _ => {
                self.error(key, "`should` stands outermost, once");
                None
            }
        }
    }

    /// Alternatives of which each is a line or a list of lines. What `when` leaves out is no alternative.
    fn any_of(&self, key: &Node, value: &Node, judged: &Judged<'_>) -> Option<Expectation> {
        let before = self.sink.len();
        let mut alternatives = Vec::new();
        for item in self.list(value, "alternatives, each a line or a list of lines") {
            let lines: Vec<Expectation> = self
                .one_or_more(item)
                .iter()
                .flat_map(|line| self.each(line))
                .filter_map(|line| self.alternative(&line, judged))
                .collect();
            if !lines.is_empty() {
                alternatives.push(lines);
            }
        }
        if matches!(&value.kind, Kind::List(items) if items.is_empty()) {
            self.error(value, "`any_of` nothing: no alternative in here");
        }
        if alternatives.is_empty() || self.sink.len() != before {
            return None;
        }
        Some(Expectation {
            position: key.span.start,
            text: format!("any_of: {}", value.flow()),
            mode: Mode::Must,
            weight: Weight::Required,
            nodes: Vec::new(),
            verb: Verb::AnyOf(alternatives),
            count: None,
            per: None,
            gap: None,
            to: None,
            from: None,
            on: Vec::new(),
            timing: None,
            during: None,
        })
    }

    fn alternative(&self, node: &Node, judged: &Judged<'_>) -> Option<Expectation> {
        let (key, value) = self.line(node, "an alternative")?;
        if matches!(key.text(), Some("should" | "any_of")) {
            self.error(key, format!("`{}` inside `any_of`", key.text().unwrap_or_default()));
            return None;
        }
        self.unweighted(key, value, judged)
    }

    fn about_node(&self, key: &Node, value: &Node, mode: Mode, judged: &Judged<'_>) -> Option<Expectation> {
        if VERBS.iter().any(|verb| key.text() == Some(verb.name)) {
            self.subject(key);
            return None;
        }
        if let Some((inner, _)) = value.entries().iter().find(|(inner, _)| is_around(inner)) {
            let (word, node) = (inner.text().unwrap_or_default(), key.text().unwrap_or_default());
            let message = format!("`{word}` stands around a line: `- {word}: {{ {node}: {{ … }} }}`");
            self.error_with_note(inner, message, see("an expectation"));
            return None;
        }
        let fields = self.fields(value, &EXPECTATION);
        let when = fields.as_ref().and_then(|fields| fields.get("when"));
        if when.is_some_and(|when| judged.holds(self, when) != Some(true)) {
            return None;
        }
        let nodes = self.subject(key);
        let fields = fields?;
        let verb_key = self.one_verb(value, &fields)?;
        let nodes = nodes?;
        let verb = self.verb(verb_key, &fields, &nodes);
        self.fitting(verb_key.0, &fields);
        let mut expectation = Expectation {
            position: key.span.start,
            text: text(key, value, mode),
            mode,
            weight: Weight::Required,
            nodes,
            verb: Verb::Is(ClientState::Down),
            count: None,
            per: None,
            gap: None,
            to: None,
            from: None,
            on: Vec::new(),
            timing: self.timing(&fields),
            during: None,
        };
        let complete = self.qualifiers(&fields, mode, &mut expectation);
        expectation.verb = verb?;
        if let Some(connection) = fields.get("connection").filter(|_| complete.is_some()) {
            self.is_between(connection, &expectation)?;
        }
        (complete.is_some() && !fields.broken).then_some(expectation)
    }

    /// The node or group at the head of a line.
    fn subject(&self, key: &Node) -> Option<Vec<crate::plan::NodeId>> {
        let word = key.text()?;
        if self.names.nodes.contains_key(word) || self.names.is_silent(word) {
            return self.nodes(key);
        }
        if let Some(verb) = VERBS.iter().find(|verb| verb.name == word) {
            let word = verb.name;
            let message = format!("`{word}` is a verb; a line begins with who, as in `- NODE: {{ {word}: … }}`");
            self.error_with_note(key, message, see("an expectation"));
            return None;
        }
        if word.split_once('#').is_some_and(|(of, _)| self.names.nodes.contains_key(of)) {
            return self.nodes(key);
        }
        let words = AROUND.iter().map(|around| around.name);
        let hint = match nearest(word, words.chain(self.names.of_nodes())) {
            Some(near) if self.names.nodes.contains_key(near) => format!("; did you mean the node `{near}`?"),
            Some(near) => format!("; did you mean `{near}`?"),
            None => String::new(),
        };
        match hint.is_empty() {
            true => drop(self.nodes(key)),
            false => self.error(key, format!("unknown node `{word}`{hint}")),
        }
        None
    }

    fn one_verb<'n>(&self, node: &Node, fields: &Fields<'n>) -> Option<(&'static str, &'n Node)> {
        let mut verbs = fields.iter().filter(|(name, ..)| VERBS.iter().any(|verb| verb.name == *name));
        let first = verbs.next();
        for (name, key, _) in verbs {
            let (first, ..) = first?;
            self.error(
                key,
                format!("a second verb, `{name}`, beside `{first}`; an expectation has one: make it two lines"),
            );
        }
        if first.is_none() && !fields.broken {
            let verbs = VERBS.iter().filter(|verb| self.is_ready(verb)).map(|verb| verb.name).collect::<Vec<_>>();
            self.error(node, format!("no verb; an expectation has one of {}", verbs.join(", ")));
        }
        first.map(|(name, _, value)| (name, value))
    }

    fn is_ready(&self, key: &Key) -> bool {
        key.status == super::keys::Status::Ready
    }

    fn verb(&self, (name, value): (&str, &Node), fields: &Fields<'_>, nodes: &[crate::plan::NodeId]) -> Option<Verb> {
        Some(match name {
            "receives" => Verb::Receives(patterns(self, value)?),
            "sends" => Verb::Sends(patterns(self, value)?),
            "delivers" => {
                self.are_clients(value, nodes, "delivers")?;
                let items = self.one_or_more(value);
                let publish = PacketKind::Type(PacketType::Publish);
                let read: Vec<_> = items.iter().filter_map(|item| field_patterns(self, publish, item)).collect();
                Verb::Delivers((read.len() == items.len() && !read.is_empty()).then_some(read)?)
            }
            "closes" => {
                let peer = self.node(value);
                let because = match fields.get("because") {
                    None => Some(None),
                    Some(because) => self.because(because).map(Some),
                };
                let how = self.how(fields);
                let says = self.says(fields);
                let may_say = match fields.get("may_say") {
                    None => Some(None),
                    Some(node) => reasons(self, node).map(Some),
                };
                let may_say = may_say?.filter(|_| self.version.is_v5());
                for name in ["says", "may_say"] {
                    self.known_reasons(fields.get(name), nodes)?;
                }
                Verb::Closes { peer: peer?, because: because?, how: how?, says: says?, may_say }
            }
            "loses" => {
                let peer = self.node(value);
                let how = self.how(fields);
                Verb::Loses { peer: peer?, how: how? }
            }
            "has" => Verb::Has(self.holding(value, nodes)?),
            _ => {
                self.are_clients(value, nodes, "is")?;
                Verb::Is(match self.word(value, "state", STATES)? {
                    "connected" => ClientState::Connected,
                    "connecting" => ClientState::Connecting,
                    "disconnected" => ClientState::Disconnected,
                    _ => ClientState::Down,
                })
            }
        })
    }

    /// What only a client itself can tell: whether it is connected, what it delivered.
    fn are_clients(&self, node: &Node, nodes: &[crate::plan::NodeId], verb: &str) -> Option<()> {
        let Some(role) = nodes.iter().map(|id| self.names.role(*id)).find(|role| *role != Role::Client) else {
            return Some(());
        };
        self.error(node, format!("`{verb}` is for a client; this is {}", role.with_article()));
        None
    }

    /// What only a broker itself can tell: what it holds.
    fn holding(&self, node: &Node, nodes: &[crate::plan::NodeId]) -> Option<Holding> {
        if let Some(role) = nodes.iter().map(|id| self.names.role(*id)).find(|role| *role != Role::Broker) {
            self.error(node, format!("`has` is for a broker; this is {}", role.with_article()));
            return None;
        }
        let fields = self.fields(node, &HOLDING)?;
        let mut holding = Holding::default();
        let mut broken = fields.broken;
        let mut of_session = None;
        for (name, key, value) in fields.iter() {
            let read = match name {
                "session" => self.scalar(value, "a client identifier").map(|id| holding.session = Some(id.to_owned())),
                "subscriptions" => self.count(value).map(|count| holding.subscriptions = Some(count)),
                "queued" => self.count(value).map(|count| holding.queued = Some(count)),
                "in_flight" => self.count(value).map(|count| holding.in_flight = Some(count)),
                "will" => self.boolean(value).map(|will| holding.will = Some(will)),
                _ => self.count(value).map(|count| holding.retained = Some(count)),
            };
            broken |= read.is_none();
            if !matches!(name, "session" | "retained") {
                of_session.get_or_insert((name, key));
            }
        }
        if let (None, Some((name, key))) = (&holding.session, of_session) {
            self.error(key, format!("`{name}` of which session? add `session: CLIENT_ID`"));
            return None;
        }
        if holding == Holding::default() && !broken {
            self.error(node, "nothing is asked for; `session` or `retained` at least");
            return None;
        }
        (!broken).then_some(holding)
    }

    fn because(&self, node: &Node) -> Option<Because> {
        let word = self.word(node, "cause", &CAUSES)?;
        Because::ALL.into_iter().find(|because| because.word() == word)
    }

    fn how(&self, fields: &Fields<'_>) -> Option<Option<CloseHow>> {
        let Some(node) = fields.get("how") else { return Some(None) };
        Some(Some(match self.word(node, "way to end", HOW)? {
            "fin" => CloseHow::Fin,
            "rst" => CloseHow::Rst,
            _ => CloseHow::Timeout,
        }))
    }

    fn says(&self, fields: &Fields<'_>) -> Option<Option<Vec<halfopen_protocol::ReasonCode>>> {
        let Some(node) = fields.get("says") else { return Some(None) };
        if !self.version.is_v5() {
            let message = "`says` belongs to 5.0, where the broker may send DISCONNECT; add `when: { mqtt: 5.0 }`, or write `may_say`";
            self.error(node, message);
            return None;
        }
        let codes = reasons(self, node)?;
        if codes.is_empty() {
            self.error(node, "`says` wants a reason; that there is no DISCONNECT is `may_say: nothing`");
            return None;
        }
        Some(Some(codes))
    }

    /// Only a raw peer says what the standard does not know.
    fn known_reasons(&self, codes: Option<&Node>, nodes: &[crate::plan::NodeId]) -> Option<()> {
        let is_raw = |id: &crate::plan::NodeId| matches!(self.names.role(*id), Role::RawClient | Role::RawBroker);
        let Some(node) = codes.filter(|_| !nodes.iter().all(is_raw)) else { return Some(()) };
        for code in self.one_or_more(node) {
            let Some(reason) = code.text().filter(|text| *text != "nothing").and_then(|_| reason(self, code)) else {
                continue;
            };
            if reason.name().is_none() {
                self.error(code, format!("MQTT 5.0 has no reason {reason}, so nobody says it"));
                return None;
            }
        }
        Some(())
    }

    /// Qualifiers that mean something only beside certain verbs.
    fn fitting(&self, verb: &str, fields: &Fields<'_>) {
        for (name, key, _) in fields.iter() {
            let verbs: &[&str] = match name {
                "because" | "says" | "may_say" => &["closes"],
                "how" => &["closes", "loses"],
                "to" => &["sends"],
                "from" => &["receives"],
                "connection" => &["receives", "sends", "closes", "loses"],
                "count" | "gap" | "per" => &["receives", "sends", "delivers", "closes", "loses"],
                _ => continue,
            };
            if !verbs.contains(&verb) {
                let verbs = super::suggest::one_of(verbs.iter().copied());
                self.error(key, format!("`{name}` belongs to {verbs}, not to `{verb}`"));
            }
        }
    }

    fn timing(&self, fields: &Fields<'_>) -> Option<Timing> {
        let mut timings =
            fields.iter().filter(|(name, ..)| matches!(*name, "at" | "within" | "between" | "not_before"));
        let (name, _, value) = timings.next()?;
        for (second, key, _) in timings {
            self.error(key, format!("`{second}` beside `{name}`; an expectation says once when"));
        }
        Some(match name {
            "at" => Timing::At(self.moment(value)?),
            "within" => self.within(value)?,
            "between" => {
                let (from, to) = self.moments(value)?;
                Timing::Between(from, to)
            }
            _ => Timing::NotBefore(self.moment(value)?),
        })
    }

    fn within(&self, node: &Node) -> Option<Timing> {
        let moment = self.moment(node)?;
        let Ok(milliseconds) = u64::try_from(moment.offset_ms) else {
            self.error(node, "`within` counts from an event on; for the time before it write `between`");
            return None;
        };
        if milliseconds == 0 {
            self.error(node, "`within` needs a duration and an event, as in `50ms after close of sensor`");
            return None;
        }
        let after = Moment { offset_ms: 0, ..moment };
        Some(Timing::Within { after, duration: Duration::from_millis(milliseconds) })
    }

    pub(super) fn moments(&self, node: &Node) -> Option<(Moment, Moment)> {
        let text = self.scalar(node, "a range of moments, as in `50s .. 51s`")?;
        let (from, to) = time::moments(text, self.names.scope()).map_err(|error| self.time_error(node, &error)).ok()?;
        let (from, to) = (self.of_moment(node, from)?, self.of_moment(node, to)?);
        let same = from.event == to.event && from.offset_ms > to.offset_ms;
        if same || (from.event == EventRef::End && to.event == EventRef::Start) {
            self.error(node, "the range ends before it begins");
            return None;
        }
        Some((from, to))
    }

    fn qualifiers(&self, fields: &Fields<'_>, mode: Mode, expectation: &mut Expectation) -> Option<()> {
        let mut complete = Some(());
        for (name, key, value) in fields.iter() {
            let read = match name {
                "count" if mode == Mode::Never => {
                    self.error(key, "`count` inside `never`; write the count alone, `count: 0` is never");
                    None
                }
                "count" => self.count(value).map(|count| expectation.count = Some(count)),
                "per" if fields.get("count").is_none() => {
                    self.error(key, "`per` without `count`; it says in which window to count");
                    None
                }
                "per" => self.duration(value).map(|per| expectation.per = Some(per)),
                "gap" => self.gap(value).map(|gap| expectation.gap = Some(gap)),
                "to" => self.node(value).map(|node| expectation.to = Some(node)),
                "from" => self.node(value).map(|node| expectation.from = Some(node)),
                "connection" => self.connection(value).map(|on| expectation.on = on),
                "during" => self.moments(value).map(|during| expectation.during = Some(during)),
                "at" | "within" | "between" | "not_before" => expectation.timing.as_ref().map(|_| ()),
                _ => Some(()),
            };
            if read.is_none() {
                complete = None;
            }
        }
        complete
    }

    fn count(&self, node: &Node) -> Option<CountRange> {
        let text = self.scalar(node, "a count: `2`, `2..`, `..4` or `2..4`")?;
        let bound = |text: &str| match text.trim() {
            "" => Some(None),
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse::<u64>().ok().map(Some),
            _ => None,
        };
        let range = match text.split_once("..") {
            Some((min, max)) => bound(min).zip(bound(max)).filter(|range| *range != (None, None)),
            None => bound(text).filter(Option::is_some).map(|exact| (exact, exact)),
        };
        let Some((min, max)) = range else {
            self.error(node, format!("expected a count: `2`, `2..`, `..4` or `2..4`; found `{text}`"));
            return None;
        };
        let min = min.unwrap_or(0);
        if max.is_some_and(|max| max < min) {
            self.error(node, "the range ends before it begins");
            return None;
        }
        Some(CountRange { min, max })
    }

    fn gap(&self, node: &Node) -> Option<DurationRange> {
        let text = self.scalar(node, "a duration or a range, as in `5s` or `..4s`")?;
        let Some((min, max)) = text.split_once("..") else {
            let exact = self.duration(node)?;
            return Some(DurationRange { min: exact, max: Some(exact) });
        };
        let offset = min.chars().count() + 2;
        let bound = |part: &str, offset: usize| match part.trim() {
            "" => Some(None),
            _ => {
                let shifted = |error: time::TimeError| {
                    let (from, to) = (error.from + offset, error.to + offset);
                    self.time_error(node, &time::TimeError { from, to, ..error });
                };
                time::duration(part).map_err(shifted).ok().map(Some)
            }
        };
        let (min, max) = (bound(min, 0), bound(max, offset));
        let range = DurationRange { min: min?.unwrap_or_default(), max: max? };
        if range.max.is_some_and(|max| max < range.min) {
            self.error(node, "the range ends before it begins");
            return None;
        }
        Some(range)
    }
}

fn is_around(key: &Node) -> bool {
    AROUND.iter().any(|around| key.text() == Some(around.name))
}

/// Whether a word stands beside a verb.
pub(super) fn is_qualifier(word: &str) -> bool {
    QUALIFIERS.iter().any(|key| key.name == word)
}

/// How a line is written with a qualifier beside its verb: `never: { broker: { …, when: … } }`. None for `any_of`, which
/// has several lines.
pub(super) fn with_beside_the_verb(first: &str, value: &Node, word: &str) -> Option<String> {
    match first {
        "any_of" => None,
        "never" | "should" => {
            let (inner, value) = value.entries().first()?;
            Some(format!("{first}: {{ {} }}", with_beside_the_verb(inner.text()?, value, word)?))
        }
        node => Some(format!("{node}: {{ …, {word}: … }}")),
    }
}

/// The line as it is written, but on one line and without `when`, for messages.
fn text(key: &Node, value: &Node, mode: Mode) -> String {
    // Once it is judged, `when` says nothing more.
    let mut value = value.clone();
    if let Kind::Map(entries) = &mut value.kind {
        entries.retain(|(key, _)| key.text() != Some("when"));
    }
    let line = format!("{}: {}", key.flow(), value.flow());
    match mode {
        Mode::Never => format!("never: {{ {line} }}"),
        Mode::Must => line,
    }
}
