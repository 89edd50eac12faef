//! Draws scenario files: typed values that are right, from a seed.
//!
//! The same seed draws the same file. What is drawn can be written with [`File::to_yaml`] and read again.

use std::time::Duration;

use halfopen_protocol::{PacketType, Version};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::ast::{
    ActionKind, Alternative, Alternatives, Answer, AnswerLine, AnswerWord, Answered, Answers, AnyOrderSteps, Axis,
    Broker, ByteText, Clause, Client, CloseWord, ClosingReasons, ClosingReasonsIfAny, Condition, ConnectArgs,
    ConnectFields, ConnectKeys, Count, Drift, DurationExpr, Ends, Event, EventNode, Every, Expectation, Expectations,
    Expiry, Factor, FaultyLink, Field, FieldValue, FilledSteps, Filter, Gap, GapRange, GroupSize, GrowthFactor,
    Holding, How, IdleLimit, KeepAlive, Leap, Lets, LinkPath, LinkProperties, LinkSettings, Links, MarkName, Matcher,
    Matrix, MessagePattern, Middlebox, Moments, Name, Named, NetworkChange, NodeExpectation, NodeName, Nodes, Number,
    OneOrMore, Outgoing, PacketFields, Param, Pattern, PatternFields, Payload, Period, Rate, Raw, RawClient, Reason,
    Reconnect, ReconnectChoice, Repeat, Seeds, Sent, SetLink, SetProperties, Share, Size, State, Statement, Step,
    StepWord, Steps, Subscription, SubscriptionKeys, Text, TransportWord, Verb, Versions, When, WhenFullWord,
    WhichLink, Will,
};
use crate::ast::{File, Place};
use crate::plan::{Because, Ordinal, PacketKind, Point, Seed};
use crate::time::Expr;

/// Draws a scenario file.
pub fn file(seed: Seed) -> File {
    let mut draw =
        Draw { random: ChaCha8Rng::from_seed(seed.derive("scenario").bytes()), is_v5: false, clients: Vec::new() };
    draw.file()
}

fn some<T>(value: T) -> Option<Field<T>> {
    Some(Field::new(value))
}

fn given<T>(value: T) -> Option<Field<Param<T>>> {
    some(Param::new(value))
}

struct Draw {
    random: ChaCha8Rng,
    /// True if all runs are of 5.0.
    is_v5: bool,
    clients: Vec<&'static str>,
}

/// The instant that each story names.
const MARK: &str = "fire";

/// The raw client of each story.
const RAW: &str = "visitor";

const TOPICS: [&str; 4] = ["a/b", "s/1", "jobs", "state"];

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.random.next_u64() % bound.max(1)
    }

    /// Returns whether something happens whose chance is the given number of hundredths.
    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let place = self.below(from.len() as u64);
        from[usize::try_from(place).unwrap_or_default()]
    }

    fn duration(&mut self) -> Duration {
        Duration::from_millis(self.pick(&[1, 20, 250, 1_000, 1_250, 2_000, 5_000, 60_000]))
    }

    fn maybe<T>(&mut self, percent: u64, value: impl FnOnce(&mut Self) -> T) -> Option<Field<Param<T>>> {
        self.chance(percent).then(|| Field::new(Param::new(value(self))))
    }

    fn v5<T>(&mut self, percent: u64, value: impl FnOnce(&mut Self) -> T) -> Option<Field<Param<T>>> {
        if self.is_v5 { self.maybe(percent, value) } else { None }
    }

    fn file(&mut self) -> File {
        let mut file = File::default();
        let versions = [None, Some(vec![Version::V5_0]), Some(vec![Version::V3_1_1]), Some(Version::ALL.to_vec())];
        let place = self.below(4);
        let versions = versions[usize::try_from(place).unwrap_or_default()].clone();
        self.is_v5 = versions.as_deref() == Some(&[Version::V5_0]);
        file.mqtt = versions.map(|versions| Field::new(Versions(versions)));
        file.about =
            self.chance(30).then(|| Field::new(Text("A story that was drawn: by chance, from a seed.".into())));
        file.tags = self.chance(20).then(|| Field::new(OneOrMore(vec![Text("drawn".into()), Text("#1".into())])));
        file.seeds = self.chance(20).then(|| Field::new(Seeds::List(vec![7, 8])));
        let is_axis = self.chance(40);
        if is_axis {
            let values = ["1s", "5s", "60s"].map(Raw::text).to_vec();
            file.matrix = some(Matrix(vec![(Name::new("keep_alive"), Axis::Values(values))]));
        }
        let has_patience = self.chance(30);
        if has_patience {
            file.values = some(Lets(vec![(Name::new("patience"), Raw::text("1s"))]));
        }
        file.network = self.maybe(30, |draw| LinkSettings { properties: draw.properties() });
        let broker = self.maybe(40, Self::broker);
        file.brokers = broker.map(|broker| Field::new(Nodes(vec![(Name::new("broker"), broker.value)])));
        self.clients = if self.chance(50) { vec!["sensor"] } else { vec!["sensor", "app"] };
        let clients = self.clients.clone();
        let mut nodes: Vec<_> = clients
            .iter()
            .map(|name| (Name::new(*name), Param::new(self.client(is_axis && *name == "sensor"))))
            .collect();
        if self.chance(30) {
            let mut fleet = self.client(false);
            fleet.common.count = given(GroupSize(Raw::text("3")));
            fleet.connect.client_id = some(Param { place: Place::default(), ..Param::parameter("i") });
            nodes.push((Name::new("fleet"), Param::new(fleet)));
        }
        file.clients = some(Nodes(nodes));
        let raw = RawClient { connect: self.connect(false), ..RawClient::default() };
        file.raw_clients = some(Nodes(vec![(Name::new(RAW), Param::new(self.raw(raw)))]));
        file.links = self.maybe(30, |draw| {
            let path = LinkPath::from(Ends::From(EventNode::new("sensor"), EventNode::new("broker")));
            Links(vec![(Param::new(path), Param::new(LinkSettings { properties: draw.properties() }))])
        });
        file.middleboxes = self.maybe(10, |draw| {
            let path = LinkPath::from(Ends::Of(EventNode::new("broker")));
            let middlebox = Middlebox {
                links: given(OneOrMore(vec![Param::new(path)])),
                connections: given(Number::new(2)),
                new_connections: draw.maybe(50, |_| Rate::new(std::num::NonZeroU32::MIN)),
                idle_limit: draw.maybe(20, |_| IdleLimit::After(Duration::from_secs(300).into())),
                when_full: draw.maybe(50, |_| WhenFullWord::ForgetOldest),
            };
            Named(vec![(Name::new("nat"), Param::new(middlebox))])
        });
        file.steps = given(Steps(self.story(has_patience)));
        let lines = 1 + self.below(4);
        file.expect = given(Expectations((0..lines).map(|_| Param::new(self.expectation())).collect()));
        file.tolerance = self.maybe(10, |_| DurationExpr::from(Duration::from_millis(1)));
        file
    }

    fn properties(&mut self) -> LinkProperties {
        LinkProperties {
            latency: given(self.duration().into()),
            jitter: self.maybe(30, |draw| draw.duration().into()),
            give_up: self.maybe(10, |_| Duration::from_secs(3_600).into()),
            loss: self.maybe(20, |draw| Share(Factor::percent(u32::try_from(draw.below(20)).unwrap_or(0)))),
            bandwidth: self.maybe(10, |_| crate::ast::Bandwidth::bytes(100_000)),
            idle_limit: self.maybe(5, |_| IdleLimit::After(Duration::from_secs(300).into())),
        }
    }

    fn broker(&mut self) -> Broker {
        Broker {
            server_keep_alive: self.v5(20, |draw| draw.keep_alive()),
            queue_messages: self.maybe(30, |draw| Number::new(draw.below(100))),
            receive_maximum: self.maybe(20, |draw| Number::new(1 + draw.below(20))),
            durable: self.maybe(50, |_| true),
            transport: self.maybe(20, |_| TransportWord::WebSocket),
            handles: self.maybe(10, |_| Rate::new(std::num::NonZeroU32::MIN.saturating_add(999))),
            max_session_expiry: self.maybe(10, |_| Expiry::After(Duration::from_secs(60).into())),
            ..Broker::default()
        }
    }

    fn keep_alive(&mut self) -> KeepAlive {
        let seconds = self.pick(&[0, 1, 5, 60, 65_535]);
        Duration::from_secs(seconds).into()
    }

    fn connect(&mut self, is_axis: bool) -> ConnectFields {
        let keep_alive = match is_axis {
            true => some(Param::parameter("keep_alive")),
            false => self.maybe(70, Self::keep_alive),
        };
        ConnectFields {
            keep_alive,
            clean: self.maybe(40, |draw| draw.chance(50)),
            will: self.maybe(40, |draw| Will {
                topic: given(Text("s/will".into())),
                payload: given(draw.payload()),
                qos: draw.maybe(30, |draw| Number::new(draw.below(3))),
                delay: draw.v5(40, |_| Duration::from_secs(5).into()),
                ..Will::default()
            }),
            session_expiry: self.v5(30, |draw| match draw.chance(30) {
                true => Expiry::Never,
                false => Expiry::After(Duration::from_secs(30).into()),
            }),
            receive_maximum: self.v5(20, |draw| Number::new(1 + draw.below(20))),
            ..ConnectFields::default()
        }
    }

    fn client(&mut self, is_axis: bool) -> Client {
        let mut client = Client { connect: self.connect(is_axis), ..Client::default() };
        client.common.subscribe = self.maybe(60, |draw| {
            let count = 1 + draw.below(2);
            OneOrMore((0..count).map(|_| Param::new(draw.subscription())).collect())
        });
        client.own.ping_timeout = self.maybe(20, |draw| draw.duration().into());
        client.own.reconnect = self.maybe(40, |draw| {
            let reconnect = Reconnect {
                min: given(Duration::from_secs(1).into()),
                factor: draw.maybe(30, |_| GrowthFactor(Factor::times(3))),
                ..Reconnect::default()
            };
            ReconnectChoice::With(Place::default(), Box::new(reconnect))
        });
        client
    }

    fn raw(&mut self, mut raw: RawClient) -> RawClient {
        raw.own.answers = self.maybe(30, |draw| {
            let answer = Answer::Word(Place::default(), draw.pick(&[AnswerWord::Standard, AnswerWord::Nothing]));
            Answers::Some(vec![AnswerLine {
                place: Place::default(),
                to: Answered::Packet(PacketType::Publish),
                answers: Param::new(OneOrMore(vec![Param::new(answer)])),
            }])
        });
        raw
    }

    fn subscription(&mut self) -> Subscription {
        let filter = Text(self.pick(&["a/b", "s/+", "jobs", "#"]).to_owned());
        match self.chance(50) {
            true => Subscription::Filter(Place::default(), filter),
            false => Subscription::With(Box::new(SubscriptionKeys {
                filter: given(filter),
                qos: self.maybe(80, |draw| Number::new(draw.below(3))),
                no_local: self.v5(20, |_| true),
                ..SubscriptionKeys::default()
            })),
        }
    }

    fn payload(&mut self) -> Payload {
        match self.below(4) {
            0 => Payload::Size(Param::new(Size::new(1_000))),
            1 => Payload::text("it's: [not] so, {plain} #1"),
            2 => Payload::text(""),
            _ => Payload::text("work"),
        }
    }

    fn story(&mut self, has_patience: bool) -> Vec<Param<Step>> {
        let raw = |action| Step::node(RAW, action);
        let mut steps =
            vec![raw(ActionKind::Connect(None)), Step::word(StepWord::Mark(Param::new(MarkName(Text(MARK.into())))))];
        let count = 1 + self.below(6);
        for _ in 0..count {
            let step = self.step(0);
            steps.push(step);
        }
        if has_patience {
            let patience = Expr::parameter("patience");
            steps.push(Step::word(StepWord::At(Param::new(When::After(patience, Event::mark(MARK)).into()))));
        }
        steps.into_iter().map(Param::new).collect()
    }

    fn step(&mut self, depth: u64) -> Step {
        let word = match self.below(if depth > 0 { 5 } else { 9 }) {
            0 => StepWord::Wait(Param::new(self.duration().into())),
            1 | 2 => return self.act(),
            3 => StepWord::Network(Param::new(self.network_change())),
            4 => return Step::node(RAW, self.of_raw()),
            5 => StepWord::Repeat(Param::new(Repeat {
                times: given(Number::new(1 + self.below(4))),
                steps: self.inner(),
            })),
            6 => StepWord::Every(Param::new(Every {
                period: given(Period(Duration::from_secs(1).into())),
                times: given(Number::new(1 + self.below(4))),
                until: self.maybe(20, |_| When::After(Expr::of(Duration::from_secs(9)), Event::mark(MARK)).into()),
                steps: self.inner(),
            })),
            7 => StepWord::AnyOrder(Param::new(AnyOrderSteps::from(vec![
                Param::new(Step::node("sensor", ActionKind::Crash)),
                Param::new(Step::node(RAW, ActionKind::Close(Param::new(CloseWord::Fin)))),
            ]))),
            _ => StepWord::At(Param::new(When::After(Expr::of(self.duration()), Event::mark(MARK)).into())),
        };
        Step::word(word)
    }

    fn inner(&mut self) -> Option<Field<Param<FilledSteps>>> {
        let count = 1 + self.below(2);
        given(FilledSteps(Steps((0..count).map(|_| Param::new(self.step(1))).collect())))
    }

    fn node(&mut self) -> &'static str {
        let clients = self.clients.clone();
        self.pick(&clients)
    }

    fn act(&mut self) -> Step {
        let node = self.node();
        let kind = match self.below(16) {
            0 => ActionKind::StopPinging,
            1 => ActionKind::Crash,
            2 => ActionKind::PowerLoss,
            3 => ActionKind::Restart,
            4 => ActionKind::Connect(Some(Param::new(ConnectArgs(ConnectKeys {
                wait: given(false),
                ..ConnectKeys::default()
            })))),
            5 => ActionKind::Disconnect(None),
            6 => ActionKind::Subscribe(Param::new(OneOrMore(vec![Param::new(self.subscription())]))),
            7 => ActionKind::Unsubscribe(Param::new(OneOrMore(vec![Param::new(Filter::from("a/b"))]))),
            8 => ActionKind::Publish(Param::new(self.message().into())),
            9 => ActionKind::Close(Param::new(self.pick(&[CloseWord::Fin, CloseWord::Rst]))),
            10 => ActionKind::Pause(None),
            11 => ActionKind::Pause(Some(Param::new(self.duration().into()))),
            12 => ActionKind::Resume,
            13 => ActionKind::ClockDrift(Param::new(Drift(self.pick(&[-300_000, 400_000, 12_500])))),
            14 => ActionKind::ClockJump(Param::new(Leap::new(self.pick(&[-3_600_000, 5_000])))),
            _ => ActionKind::StopReading,
        };
        Step::node(node, kind)
    }

    fn message(&mut self) -> Vec<(Name, Param<FieldValue>)> {
        let mut fields = vec![
            (Name::new("topic"), Param::new(FieldValue::Text(Text(self.pick(&TOPICS).to_owned())))),
            (Name::new("payload"), Param::new(FieldValue::Payload(self.payload()))),
        ];
        if self.chance(60) {
            fields.push((Name::new("qos"), Param::new(FieldValue::Qos(Number::new(self.below(3))))));
        }
        if self.chance(20) {
            fields.push((Name::new("retain"), Param::new(FieldValue::Bool(true))));
        }
        fields
    }

    fn of_raw(&mut self) -> ActionKind {
        let ping = || Outgoing::Plain(PacketKind::Type(PacketType::PingReq).into());
        let sent = match self.below(3) {
            0 => vec![ping()],
            1 => vec![ping(), Outgoing::Bytes(Param::new(ByteText::from([0xc0, 0x00].as_slice())))],
            _ => {
                let mut fields = self.message();
                fields.retain(|(name, _)| name.text != "qos");
                vec![Outgoing::Packet(PacketKind::Type(PacketType::Publish).into(), Param::new(PacketFields(fields)))]
            }
        };
        ActionKind::Send(Param::new(Sent(OneOrMore(sent.into_iter().map(Param::new).collect()))))
    }

    fn link(&mut self) -> LinkPath {
        let node = self.node();
        let (a, b) = (EventNode::new(node), EventNode::new("broker"));
        LinkPath::from(match self.below(3) {
            0 => Ends::Of(a),
            1 => Ends::From(a, b),
            _ => Ends::Between(b, a),
        })
    }

    fn network_change(&mut self) -> NetworkChange {
        let link = self.link();
        match self.below(4) {
            0 => NetworkChange::HalfOpen(Param::new(FaultyLink::AtOnce(link))),
            1 => NetworkChange::Partition(Param::new(FaultyLink::starting_with(link, PacketType::PingReq))),
            2 => NetworkChange::Reset(Param::new(FaultyLink::AtOnce(link))),
            _ => NetworkChange::Set(Param::new(SetProperties(Box::new(SetLink {
                which: WhichLink { link: given(link) },
                properties: self.properties(),
            })))),
        }
    }

    fn expectation(&mut self) -> Expectation {
        let about = self.about();
        match self.below(6) {
            0 => Expectation::Required(Statement::Never(Param::new(self.without_count(about)))),
            1 => Expectation::Advised(Place::default(), Param::new(Statement::Must(about))),
            2 => {
                let other = self.about();
                let lines = [Alternative::Must(about), Alternative::Must(other)];
                let lines = lines.map(|line| Param::new(OneOrMore(vec![Param::new(line)])));
                Expectation::Required(Statement::AnyOf(Place::default(), Param::new(Alternatives(lines.to_vec()))))
            }
            _ => about.into(),
        }
    }

    fn without_count(&mut self, mut about: NodeExpectation) -> NodeExpectation {
        if let Some(mut clause) = about.clause.literal().cloned() {
            clause.qualifiers.count = None;
            clause.qualifiers.per = None;
            about.clause = Param::new(clause);
        }
        about
    }

    fn event(&mut self) -> Event {
        let node = EventNode::new(self.node());
        match self.below(4) {
            0 => Event::mark(MARK),
            1 => Event::Start,
            2 => Event::Point { ordinal: Ordinal::Nearest, point: Point::Close, of: node, at: None },
            _ => Event::Packet {
                ordinal: self.pick(&[Ordinal::Nearest, Ordinal::First, Ordinal::Last]),
                packet: self.pick(&[PacketKind::Any, PacketKind::Type(PacketType::PingReq)]),
                from: Some(node),
                to: None,
                at: self.chance(30).then(|| EventNode::new("broker")),
            },
        }
    }

    fn about(&mut self) -> NodeExpectation {
        let client = self.node();
        let name = |name: &str| Param::new(NodeName(Name::new(name)));
        let (node, verb) = match self.below(7) {
            0 => ("broker", Verb::Closes(name(client))),
            1 => (client, Verb::Loses(name("broker"))),
            2 => (client, Verb::Receives(Param::new(OneOrMore(vec![Param::new(self.pattern())])))),
            3 => ("broker", Verb::Sends(Param::new(OneOrMore(vec![Param::new(self.pattern())])))),
            4 => (client, Verb::Delivers(Param::new(OneOrMore(vec![Param::new(MessagePattern(self.matchers()))])))),
            5 => (client, Verb::Is(Param::new(self.pick(State::ALL)))),
            _ => {
                let session = given(Text(client.to_owned()));
                let queued = self.maybe(50, |draw| Count::AtMost(draw.below(9)));
                ("broker", Verb::Has(Param::new(Holding { session, queued, ..Holding::default() })))
            }
        };
        let mut clause = Clause::from(verb);
        self.qualify(&mut clause);
        NodeExpectation::new(node, clause)
    }

    fn qualify(&mut self, clause: &mut Clause) {
        let is_counted = !matches!(clause.verb, Verb::Is(_) | Verb::Has(_));
        if is_counted {
            clause.qualifiers.count = self.maybe(60, |draw| match draw.below(4) {
                0 => Count::AtLeast(draw.below(3)),
                1 => Count::AtMost(draw.below(9)),
                2 => Count::Between(1, 1 + draw.below(9)),
                _ => Count::Exactly(draw.below(9)),
            });
            clause.qualifiers.gap = self.maybe(10, |draw| {
                let (short, long) = (Expr::of(Duration::from_millis(1)), Expr::of(draw.duration()));
                Gap::from(match draw.below(3) {
                    0 => GapRange::Exactly(long),
                    1 => GapRange::AtMost(long),
                    _ => GapRange::Between(short, long),
                })
            });
        }
        if matches!(clause.verb, Verb::Closes(_)) {
            clause.qualifiers.because = self.maybe(40, |draw| {
                draw.pick(&[Because::KeepAlive, Because::NoPingresp, Because::Takeover, Because::Asked])
            });
            clause.qualifiers.reason_if_any = self.maybe(20, |draw| match draw.chance(50) {
                true => ClosingReasonsIfAny::Nothing,
                false => ClosingReasonsIfAny::Reasons(ClosingReasons(OneOrMore(vec![
                    Param::new(Reason::new(0x8d)),
                    Param::new(Reason::new(0x8e)),
                ]))),
            });
        }
        if matches!(clause.verb, Verb::Closes(_) | Verb::Loses(_)) {
            clause.qualifiers.how = self.maybe(30, |draw| draw.pick(How::ALL));
        }
        match self.below(4) {
            0 => clause.qualifiers.at = given(When::After(Expr::of(self.duration()), self.event()).into()),
            1 => {
                let (event, duration) = (self.event(), self.duration());
                clause.qualifiers.within = given(When::After(Expr::of(duration), event).into());
            }
            2 if is_counted => {
                clause.qualifiers.during = given(Moments::new(When::At(Event::mark(MARK)), When::At(Event::End)));
            }
            _ => {}
        }
        if self.is_v5 && self.chance(10) {
            let axes = vec![(Name::new("mqtt"), OneOrMore(vec![Raw::text("5.0")]))];
            clause.qualifiers.when = given(Condition::from(Named(axes)));
        }
    }

    fn pattern(&mut self) -> Pattern {
        let packet = self.pick(&[PacketType::Publish, PacketType::PingReq, PacketType::ConnAck]);
        let mut pattern = Pattern::of(PacketKind::Type(packet));
        if packet == PacketType::Publish && self.chance(70) {
            pattern.fields = Some(Param::new(PatternFields(self.matchers())));
        }
        pattern
    }

    fn matchers(&mut self) -> Vec<(Name, Param<Matcher>)> {
        let text = FieldValue::Text(Text(self.pick(&TOPICS).to_owned()));
        let topic = match self.below(3) {
            0 => Matcher::Not(Param::new(text)),
            1 => Matcher::OneOf(vec![Param::new(text), Param::new(FieldValue::Text(Text("b".into())))]),
            _ => Matcher::Is(text),
        };
        let mut matchers = vec![(Name::new("topic"), Param::new(topic))];
        if self.chance(30) {
            let number = Param::new(FieldValue::Number(Number::new(self.below(2))));
            matchers.push((Name::new("qos"), Param::new(Matcher::AtLeast(number))));
        }
        matchers
    }
}
