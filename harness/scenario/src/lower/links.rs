//! Links: what they are like, and which ones a path names.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use super::Lower;
use super::names::Role;
use crate::Scenario;
use crate::ast::{self, Ends, EventNode, IdleLimit, LinkPath, LinkProperties, Name, Param, WhenFullWord, value_of};
use crate::plan::{LinkChange, LinkSettings, Middlebox, MiddleboxRules, NodeId, NthConnection, Scope, WhenFull};
use crate::time::TimeError;

/// A direction of a link.
pub(super) type Direction = (NodeId, NodeId);

type Links = Vec<(NodeId, NodeId, LinkSettings)>;

impl Lower<'_> {
    /// Returns what links are like from the start: all of them, and each that differs.
    pub(super) fn links(&self, scenario: &Scenario) -> (LinkSettings, Links) {
        let network = self.get(&scenario.file.network).and_then(|network| self.link_change(&network.properties));
        let network = LinkSettings::default().changed(network.unwrap_or_default());
        let mut set: BTreeMap<Direction, LinkSettings> = BTreeMap::new();
        let all = scenario.parts.iter().map(|fragment| &fragment.links).chain([&scenario.file.links]);
        for links in all.filter_map(|links| value_of(links)?.get(self.env)) {
            for (path, settings) in &links.0 {
                let directions = path.get(self.env).and_then(|path| self.whole_links(&path));
                let change = settings.get(self.env).and_then(|settings| self.link_change(&settings.properties));
                for direction in directions.unwrap_or_default() {
                    let settings = set.get(&direction).copied().unwrap_or(network);
                    set.insert(direction, settings.changed(change.unwrap_or_default()));
                }
            }
        }
        (network, set.into_iter().map(|((from, to), settings)| (from, to, settings)).collect())
    }

    /// Returns the middleboxes; what is wrong with one is reported.
    pub(super) fn middleboxes(&self, scenario: &Scenario) -> Vec<Middlebox> {
        let all = scenario.parts.iter().map(|fragment| &fragment.middleboxes).chain([&scenario.file.middleboxes]);
        let named = all.filter_map(|boxes| value_of(boxes)?.get(self.env));
        named
            .flat_map(|boxes| boxes.0.iter().filter_map(|(name, read)| self.middlebox(name, read)).collect::<Vec<_>>())
            .collect()
    }

    fn middlebox(&self, name: &Name, written: &Param<ast::Middlebox>) -> Option<Middlebox> {
        let read = written.get(self.env)?;
        let mut rules = MiddleboxRules::default();
        let mut links = Vec::new();
        let complete = [
            self.put(&read.links, |paths| {
                let each = self.each(&paths.0, |path| self.whole_links(path))?;
                links.extend(each.into_iter().flatten());
                Some(())
            }),
            self.put(&read.connections, |count| {
                rules.connections = NonZeroU32::new(count.to()?);
                Some(())
            }),
            self.put(&read.new_connections, |rate| {
                rules.new_per_second = Some(rate.per_second());
                Some(())
            }),
            self.put(&read.idle_limit, |limit| {
                rules.idle_limit = self.idle_limit(limit)?;
                Some(())
            }),
            self.put(&read.when_full, |word| {
                rules.when_full = match word {
                    WhenFullWord::DropNew => WhenFull::DropNew,
                    WhenFullWord::ForgetOldest => WhenFull::ForgetOldest,
                };
                Some(())
            }),
        ];
        if complete.contains(&false) || !written.is_right() {
            return None;
        }
        if rules == MiddleboxRules::default() {
            let message = "a middlebox without a rule; give it `connections`, `new_connections` or `idle_limit`";
            self.error(&name.place, message);
            return None;
        }
        Some(Middlebox { name: name.text.clone(), links, rules })
    }

    fn idle_limit(&self, limit: &IdleLimit) -> Option<Option<Duration>> {
        match limit {
            IdleLimit::Never => Some(None),
            IdleLimit::After(limit) => limit.value(self.env).map(Some),
        }
    }

    /// Returns what of a link changes.
    pub(super) fn link_change(&self, properties: &LinkProperties) -> Option<LinkChange> {
        let mut change = LinkChange::default();
        let complete = [
            self.put(&properties.latency, |latency| {
                change.latency = Some(latency.value(self.env)?);
                Some(())
            }),
            self.put(&properties.jitter, |jitter| {
                change.jitter = Some(jitter.value(self.env)?);
                Some(())
            }),
            self.put(&properties.give_up, |give_up| {
                change.give_up = Some(give_up.value(self.env)?);
                Some(())
            }),
            self.put(&properties.loss, |loss| {
                // Between 0 and a million: nothing is cut off.
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let millionths = (loss.0.value() * 1e6).round() as u32;
                change.loss = Some(millionths);
                Some(())
            }),
            self.put(&properties.idle_limit, |limit| {
                change.idle_limit = Some(self.idle_limit(limit)?);
                Some(())
            }),
            self.put(&properties.bandwidth, |bandwidth| {
                change.bandwidth = Some(bandwidth.limit());
                Some(())
            }),
        ];
        (!complete.contains(&false)).then_some(change)
    }

    fn whole_links(&self, path: &LinkPath) -> Option<Vec<Direction>> {
        let read = self.scope(path)?;
        if read.connection.is_some() {
            let message =
                "this is what a link is like from the start; one connection is changed by `network: { set: … }`";
            self.error(&path.place, message);
            return None;
        }
        Some(read.links)
    }

    /// The directions that a path names; what is wrong with it is reported.
    pub(super) fn scope(&self, path: &LinkPath) -> Option<Scope> {
        let read = self.directions(&path.ends);
        let read = read.map_err(|error| self.env.reading.part_error(&path.place, &error, "a link")).ok()?;
        if let Some(number) = read.connection {
            let clients = read.links.iter().flat_map(|(from, to)| [*from, *to]);
            let mut clients: Vec<_> = clients.filter(|id| !self.names.role(*id).is_broker()).collect();
            clients.sort_unstable();
            clients.dedup();
            let named: Vec<_> = clients.into_iter().map(|client| NthConnection { client, number }).collect();
            self.names_connections(path.place.span, &named);
        }
        Some(read)
    }

    fn directions(&self, ends: &Ends) -> Result<Scope, TimeError> {
        let (from, to, is_both) = match ends {
            Ends::Of(node) => return self.of_node(node),
            Ends::From(from, to) => (from, to, false),
            Ends::Between(a, b) => (a, b, true),
        };
        let (from_ids, to_ids) = (self.end(from)?, self.end(to)?);
        let mut links = Vec::new();
        for a in &from_ids {
            for b in &to_ids {
                if !self.is_connected(*a, *b) {
                    return Err(TimeError::new(from.at.from, to.at.to, self.no_link(*a, *b)));
                }
                links.push((*a, *b));
                if is_both {
                    links.push((*b, *a));
                }
            }
        }
        Ok(Scope { links, connection: from.connection.or(to.connection) })
    }

    /// Returns all links of a node, both ways.
    fn of_node(&self, node: &EventNode) -> Result<Scope, TimeError> {
        let mut links = Vec::new();
        for id in self.end(node)? {
            match self.names.broker_of.contains_key(&id) {
                true => links.extend(self.names.brokers_of(id).flat_map(|broker| [(id, broker), (broker, id)])),
                false => {
                    let others = self.names.ids().filter(|other| self.is_connected(id, *other));
                    links.extend(others.flat_map(|other| [(id, other), (other, id)]));
                }
            }
        }
        if links.is_empty() {
            let message = "nobody connects to this node, so it has no link";
            return Err(TimeError::new(node.at.from, node.at.to, message));
        }
        Ok(Scope { links, connection: node.connection })
    }

    /// The nodes at one end.
    fn end(&self, node: &EventNode) -> Result<Vec<NodeId>, TimeError> {
        let fail = |message: String| Err(TimeError::new(node.at.from, node.at.to, message));
        match self.known(&node.name) {
            Some(ids) if node.connection.is_some() => match ids.iter().find_map(|id| self.no_opener(*id)) {
                Some(message) => fail(message),
                None => Ok(ids.clone()),
            },
            Some(ids) => Ok(ids.clone()),
            None if self.is_silent(&node.name) => fail(String::new()),
            None => fail(self.unknown(&node.name)),
        }
    }

    fn no_link(&self, a: NodeId, b: NodeId) -> String {
        let (name_a, name_b) = (self.names.name(a), self.names.name(b));
        let why = match self.names.role(a) == Role::Broker || self.names.role(b) == Role::Broker {
            true => "it is another broker's client",
            false => "a link has a broker at one end",
        };
        format!("no connection runs between `{name_a}` and `{name_b}`: {why}")
    }
}
