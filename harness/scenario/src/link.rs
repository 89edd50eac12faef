//! Links: what they are like, and which ones a text names.

use crate::plan::{LinkChange, NodeId, NthConnection, Scope};

use super::connection::{no_opener, split};
use super::keys::{Key, Table, Takes, key};
use super::names::Role;
use super::packet::parse_size;
use super::reader::Reader;
use super::suggest::did_you_mean;
use super::time::{self, Kind, TimeError, Token};
use super::tree::Node;

pub(super) const LINK: Table = Table { what: "a link", keys: &[SETTINGS] };
pub(super) const SET: Table =
    Table { what: "a change of a link", keys: &[&[key("link", "which").takes(Takes::Link)], SETTINGS] };

const SETTINGS: &[Key] = &[
    key("latency", "how long a packet travels one way").takes(Takes::Duration).or("10ms"),
    key("jitter", "up to so much longer").takes(Takes::Duration).or("0ms"),
    key("give_up", "after so long without an answer a socket fails").takes(Takes::Duration).or("924s"),
    key("loss", "which share of the packets is lost at first, to be sent again later").takes(Takes::Factor).or("0%"),
    key("bandwidth", "how many bytes of the streams pass in a second, as `100kB/s`").takes(Takes::Text).or("unlimited"),
];

/// One direction of a link.
pub(super) type Direction = (NodeId, NodeId);

impl Reader<'_> {
    /// The settings in a map; `link` may stand in it, too, and is its caller's.
    pub(super) fn link_change(&self, node: &Node, table: &'static Table) -> Option<LinkChange> {
        let fields = self.fields(node, table)?;
        let mut change = LinkChange::default();
        let mut broken = fields.broken;
        for (name, _, value) in fields.iter() {
            let target = match name {
                "latency" => &mut change.latency,
                "jitter" => &mut change.jitter,
                "give_up" => &mut change.give_up,
                "loss" => {
                    change.loss = self.loss(value);
                    broken |= change.loss.is_none();
                    continue;
                }
                "bandwidth" => {
                    change.bandwidth = self.bandwidth(value);
                    broken |= change.bandwidth.is_none();
                    continue;
                }
                _ => continue,
            };
            *target = self.duration(value);
            broken |= target.is_none();
        }
        (!broken).then_some(change)
    }

    /// `5%`, in millionths.
    fn loss(&self, node: &Node) -> Option<u32> {
        let share = self.factor(node)?;
        if share > 1.0 {
            self.error(node, "a share is between 0% and 100%");
            return None;
        }
        // Between 0 and a million: nothing is cut off.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let millionths = (share * 1e6).round() as u32;
        Some(millionths)
    }

    /// `100kB/s` or `unlimited`.
    fn bandwidth(&self, node: &Node) -> Option<Option<u64>> {
        let text = self.scalar(node, "a bandwidth, such as `100kB/s`")?;
        if text == "unlimited" {
            return Some(None);
        }
        let bytes = text.strip_suffix("/s").and_then(|size| parse_size(size.trim_end()).ok());
        if bytes.is_none_or(|bytes| bytes == 0) {
            self.error(node, format!("expected a bandwidth, such as `100kB/s` or `unlimited`, found `{text}`"));
            return None;
        }
        Some(bytes)
    }

    /// `a -> b`, `a <-> b`, or a lone node: its links both ways.
    pub(super) fn link(&self, node: &Node) -> Option<Vec<Direction>> {
        let path = self.scope(node)?;
        if path.connection.is_some() {
            self.error(
                node,
                "this is what a link is like from the start; one connection is changed by `network: { set: … }`",
            );
            return None;
        }
        Some(path.links)
    }

    /// As [`link`](Self::link), or one connection on it: `a#2 -> b`.
    pub(super) fn scope(&self, node: &Node) -> Option<Scope> {
        let text = self.scalar(node, "a link, such as `a -> b`")?;
        let end = text.chars().count();
        let read = time::tokens(text).and_then(|tokens| self.directions(&tokens, end));
        let path = read.map_err(|error| self.part_error(node, &error, "a link")).ok()?;
        if let Some(number) = path.connection {
            let clients = path.links.iter().flat_map(|(from, to)| [*from, *to]);
            let mut clients: Vec<_> = clients.filter(|id| !self.names.role(*id).is_broker()).collect();
            clients.sort_unstable();
            clients.dedup();
            let named: Vec<_> = clients.into_iter().map(|client| NthConnection { client, number }).collect();
            self.names_connections(node, &named);
        }
        Some(path)
    }

    fn directions(&self, tokens: &[Token], end: usize) -> Result<Scope, TimeError> {
        match tokens {
            [name] => self.of_node(name),
            [from, arrow, to] if arrow.kind == Kind::Arrow || arrow.kind == Kind::BothWays => {
                let ((from_ids, of_from), (to_ids, of_to)) = (self.ends(from)?, self.ends(to)?);
                let mut directions = Vec::new();
                for a in &from_ids {
                    for b in &to_ids {
                        if !self.is_connected(*a, *b) {
                            return Err(TimeError::new(from.from, to.to, self.no_link(*a, *b)));
                        }
                        directions.push((*a, *b));
                        if arrow.kind == Kind::BothWays {
                            directions.push((*b, *a));
                        }
                    }
                }
                Ok(Scope { links: directions, connection: of_from.or(of_to) })
            }
            _ => Err(TimeError::new(
                0,
                end.max(1),
                "expected a link: `a -> b`, `a <-> b`, or a node alone for both ways",
            )),
        }
    }

    /// All links of a node, both ways.
    fn of_node(&self, name: &Token) -> Result<Scope, TimeError> {
        let mut directions = Vec::new();
        let (ids, connection) = self.ends(name)?;
        for id in ids {
            match self.names.broker_of.get(&id) {
                Some(broker) => directions.extend([(id, *broker), (*broker, id)]),
                None => {
                    let others = self.names.ids().filter(|other| self.is_connected(id, *other));
                    directions.extend(others.flat_map(|other| [(id, other), (other, id)]));
                }
            }
        }
        if directions.is_empty() {
            return Err(TimeError::new(name.from, name.to, "nobody connects to this node, so it has no link"));
        }
        Ok(Scope { links: directions, connection })
    }

    /// The nodes at one end, and the number of the connection if one is named.
    fn ends(&self, token: &Token) -> Result<(Vec<NodeId>, Option<u32>), TimeError> {
        let fail = |message: String| Err(TimeError::new(token.from, token.to, message));
        let Kind::Word(word) = &token.kind else { return fail("expected a node".to_owned()) };
        let (name, connection) = split(word).map_err(|message| TimeError::new(token.from, token.to, message))?;
        match self.names.nodes.get(name) {
            Some(ids) if connection.is_some() => match ids.iter().find_map(|id| no_opener(self.names, *id)) {
                Some(message) => fail(message),
                None => Ok((ids.clone(), connection)),
            },
            Some(ids) => Ok((ids.clone(), None)),
            None if self.names.is_silent(name) => fail(String::new()),
            None => fail(format!("unknown node `{name}`{}", did_you_mean(name, self.names.of_nodes()))),
        }
    }

    /// Whether connections run between the two: one of them connects to the other.
    pub(super) fn is_connected(&self, a: NodeId, b: NodeId) -> bool {
        let names = self.names;
        names.broker_of.get(&a) == Some(&b) || names.broker_of.get(&b) == Some(&a)
    }

    fn no_link(&self, a: NodeId, b: NodeId) -> String {
        let name = |id: NodeId| &self.names.list[id.0].0;
        if self.names.role(a) == Role::Broker || self.names.role(b) == Role::Broker {
            return format!(
                "no connection runs between `{}` and `{}`: it is another broker's client",
                name(a),
                name(b)
            );
        }
        format!("no connection runs between `{}` and `{}`: a link has a broker at one end", name(a), name(b))
    }
}
