//! Links: what they are like, and which ones a text names.

use super::list::OneOrMore;
use super::macros::{group, map, words};
use super::reading::Reading;
use super::scalar::{Bandwidth, Number, Rate, Share};
use super::time::{DurationExpr, EventNode, PacketWord};
use super::value::{Fill, Param, Place, Value};
use crate::keys::ValueKind;
use crate::plan::number_text;
use crate::suggest::did_you_mean;
use crate::time::{self, TimeError, Token, TokenKind, split};
use crate::tree::Node;

group! {
    /// The properties of a link.
    LinkProperties {
        latency: Param<DurationExpr> = "10ms" => "how long a packet travels one way";
        jitter: Param<DurationExpr> = "0ms" => "greatest additional time that a packet travels";
        give_up: Param<DurationExpr> = "924s" => "after so long without an answer a socket fails";
        loss: Param<Share> = "0%" => "which share of the packets is lost at first, to be sent again later";
        bandwidth: Param<Bandwidth> = "unlimited" => "how many bytes of the streams pass in a second, as `100kB/s`";
        idle_limit: Param<IdleLimit> = "never" => "after so long without a packet either way the path forgets a connection, as a NAT or a firewall does; or `never`";
    }
}

/// The time for which a path remembers a connection without packets.
#[derive(Clone, Debug, PartialEq)]
pub enum IdleLimit {
    /// The path never forgets a connection.
    Never,
    /// The path forgets a connection after this time.
    After(DurationExpr),
}

impl Value for IdleLimit {
    const TAKES: ValueKind = ValueKind::Duration;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        match node.text() {
            Some("never") => Some(Self::Never),
            _ => DurationExpr::read(cx, node).map(Self::After),
        }
    }

    fn read_with_parameters(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        DurationExpr::read_with_parameters(cx, node).map(Self::After)
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        match self {
            Self::Never => Node::word("never"),
            Self::After(duration) => duration.write(fill),
        }
    }
}

map! {
    /// A middlebox on links.
    Middlebox = "a middlebox" needs "links" {
        links: Param<OneOrMore<Param<LinkPath>>> => "the links that lead through it: `a <-> b`, a node for all of its links, or a list";
        connections: Param<Number<1, 1_000_000>> = "any number" => "maximum number of connections that it remembers";
        new_connections: Param<Rate> = "as many as come" => "how many connections may begin in any second, as `10 per second`; the SYN of others vanishes";
        idle_limit: Param<IdleLimit> = "never" => "after so long without a packet either way it forgets a connection; or `never`";
        when_full: Param<WhenFullWord> = "drop_new" => "what happens to a new connection when it remembers as many as it can";
    }
}

words! {
    /// The treatment of a new connection by a middlebox that is full.
    WhenFullWord = "rule of a full middlebox" {
        DropNew = "drop_new" => "the SYN of a new connection vanishes, to be sent again later";
        ForgetOldest = "forget_oldest" => "it forgets the connection that has been without a packet for longest";
    }
}

group! {
    /// The link that a map is about.
    WhichLink {
        link: Param<LinkPath> => "which";
    }
}

super::macros::composed! {
    /// The settings of a link at the start.
    LinkSettings = "a link" {
        /// The properties.
        properties: LinkProperties,
    }
}

super::macros::composed! {
    /// The settings of a link after a step.
    SetLink = "a change of a link" {
        /// The link.
        which: WhichLink,
        /// The settings that change.
        properties: LinkProperties,
    }
}

map! {
    /// A fault of a link that begins with a packet.
    LinkFault = "a fault of a link" needs "link" {
        link: Param<LinkPath> => "which";
        starting_with: Param<PacketWord> => "not before a packet of this type leaves";
    }
}

/// Links: `a -> b`, `a <-> b`, or a lone node for all of its links both ways; with `a#2` one connection on each.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkPath {
    pub(crate) place: Place,
    /// The links.
    pub ends: Ends,
}

/// The ends of links.
#[derive(Clone, Debug, PartialEq)]
pub enum Ends {
    /// All links of a node, both ways.
    Of(EventNode),
    /// One direction.
    From(EventNode, EventNode),
    /// Both ways.
    Between(EventNode, EventNode),
}

impl From<Ends> for LinkPath {
    fn from(ends: Ends) -> Self {
        Self { place: Place::default(), ends }
    }
}

impl Value for LinkPath {
    const TAKES: ValueKind = ValueKind::Link;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let text = cx.scalar(node, "a link, such as `a -> b`")?;
        let place = Place::of(node);
        let ends = time::tokens(text).and_then(|tokens| ends(cx, &tokens, text.chars().count()));
        let ends = ends.map_err(|error| cx.part_error(&place, &error, "a link")).ok()?;
        Some(Self { place, ends })
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        Node::word(match &self.ends {
            Ends::Of(node) => node.shown(fill),
            Ends::From(from, to) => format!("{} -> {}", from.shown(fill), to.shown(fill)),
            Ends::Between(a, b) => format!("{} <-> {}", a.shown(fill), b.shown(fill)),
        })
    }
}

fn ends(cx: &Reading<'_>, tokens: &[Token], end: usize) -> Result<Ends, TimeError> {
    match tokens {
        [name] => Ok(Ends::Of(node(cx, name)?)),
        [from, Token { kind: TokenKind::Arrow, .. }, to] => Ok(Ends::From(node(cx, from)?, node(cx, to)?)),
        [a, Token { kind: TokenKind::BothWays, .. }, b] => Ok(Ends::Between(node(cx, a)?, node(cx, b)?)),
        _ => {
            let message = "expected a link: `a -> b`, `a <-> b`, or a node alone for both ways";
            Err(TimeError::new(0, end.max(1), message))
        }
    }
}

fn node(cx: &Reading<'_>, token: &Token) -> Result<EventNode, TimeError> {
    let fail = |message: String| Err(TimeError::new(token.from, token.to, message));
    let TokenKind::Word(word) = &token.kind else { return fail("expected a node".to_owned()) };
    let (name, connection) = match split(word) {
        Ok(read) => read,
        Err(message) => return fail(message),
    };
    if !cx.outline.has_node(name) {
        return fail(match cx.outline.is_silent(name) {
            true => String::new(),
            false => format!("unknown node `{name}`{}", did_you_mean(name, cx.outline.names())),
        });
    }
    Ok(EventNode { name: name.to_owned(), connection, at: super::CharRange { from: token.from, to: token.to } })
}

/// A connection: `sensor#2` is the second that sensor opens in the run.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionName {
    pub(crate) place: Place,
    /// The client that opens it, or a group of which it is one of each.
    pub client: String,
    /// The number among those that it opens, from 1.
    pub number: u32,
}

impl ConnectionName {
    /// The connection with this number of a client.
    pub fn new(client: impl Into<String>, number: u32) -> Self {
        Self { place: Place::default(), client: client.into(), number }
    }
}

impl Value for ConnectionName {
    const TAKES: ValueKind = ValueKind::Connection;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let text = cx.scalar(node, "a connection, such as `sensor#2`")?;
        match split(text) {
            Ok((name, Some(number))) => {
                return Some(Self { place: Place::of(node), client: name.to_owned(), number });
            }
            Ok((name, None)) => {
                let hint = if cx.outline.has_node(name) { format!("`{name}#1`") } else { "`sensor#2`".into() };
                cx.error(node, format!("expected a connection, such as {hint}, found `{text}`"));
            }
            Err(message) => cx.error(node, message),
        }
        None
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        Node::word(format!("{}#{}", fill.name(&self.client), number_text(self.number)))
    }
}
