//! A scenario as typed values that cannot hold nonsense.
//!
//! A file is read once. Parameters are values here: [`Param`] is a value or what stands for it, and the computations of
//! [`DurationExpr`] have a place for them. What depends on their values is known in a run, and lowered to a plan there.
//!
//! Each type knows how it is read from the tree, how it is written to it, and what may stand there: reading, messages,
//! the schema for editors and the tables of the reference come from the same definition, the macros `map!`, `group!`,
//! `words!`, `line!` and `actions!` and the implementations of `Value`.

mod action;
mod expect;
mod file;
mod link;
mod list;
mod macros;
mod matrix;
mod node;
mod packet;
mod reading;
mod scalar;
mod step;
mod time;
mod value;

pub use self::action::{Action, ActionKind, Actions, Configured, ConnectArgs, ConnectKeys, Filter};
pub(crate) use self::action::{CONNECTION, DONE_ON_ONE};
pub use self::expect::{
    Alternative, Alternatives, BuiltinPrograms, Clause, ClosingReasons, ClosingReasonsIfAny, Condition, Expectation,
    Expectations, Holding, How, NodeExpectation, NothingWord, Qualifiers, State, Statement, Verb,
};
pub(crate) use self::expect::{CAUSES, EXPECTATION, MODIFIERS};
pub(crate) use self::file::value_of;
pub use self::file::{Clauses, Engine, File, Fragment, Grammar, Id, Ids, Links, Nodes, OnlyOn, Seeds, Versions, Waive};
pub use self::link::{
    ConnectionName, Ends, IdleLimit, LinkFault, LinkPath, LinkProperties, LinkSettings, Middlebox, SetLink,
    WhenFullWord, WhichLink,
};
pub use self::list::{Named, OneOrMore};
pub use self::matrix::{Axis, Combination, Exclude, Lets, Matrix, Pairs, Row, RowClauses, Rows};
pub use self::node::{
    AccessList, AccessRights, Acknowledge, AllAnswers, Answer, AnswerKeys, AnswerLine, AnswerWord, Answered, Answers,
    Auth, Broker, Client, ClientCommon, ClientOnly, CloseWord, ConnectFields, Dialogue, GroupSize, GrowthFactor,
    NeverWord, PositiveFactor, Properties, QueuePolicyWord, RawBroker, RawClient, RawClientOnly, Reconnect,
    ReconnectChoice, ReferralWord, Subscription, SubscriptionKeys, Subscriptions, TransportWord, Will, With,
};
pub use self::packet::{
    ByteText, ConnackPattern, FieldPatterns, FieldValue, FieldValues, FieldsOf, Matcher, MatcherKeys, MessagePattern,
    OfDisconnect, OfPublish, Outgoing, PacketFields, PacketOf, Pattern, PatternFields, Payload, PayloadKeys, Sent,
    UserProperties,
};
pub(crate) use self::reading::{Outline, Reading, found};
pub use self::scalar::{
    Bandwidth, Count, Drift, Factor, Hex, Memory, Name, NodeName, Number, QosLevel, Rate, Reason, Share, Size, Text,
};
pub use self::step::{
    AnyOrderSteps, Every, FaultyLink, FilledSteps, MarkName, NetworkChange, OnlyWhen, Period, Repeat, SetProperties,
    Step, StepKind, StepWord, Steps, Sweep, SweptFault, Whenever,
};
pub use self::time::{
    CharRange, DurationExpr, Event, EventNode, Expiry, Gap, GapRange, Interval, KeepAlive, Leap, Moment, Moments,
    PacketWord, Seconds, When,
};
pub(crate) use self::value::{Env, Fill, Group, Map, Value};
pub use self::value::{Field, Given, Param, Place, Raw};
