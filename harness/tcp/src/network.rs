use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::connection::{Connection, End};
use crate::host::Host;
use crate::link::{Link, Randomness};
use crate::middlebox::Middlebox;
use crate::path::{PathOverride, PathOverrides};
use crate::schedule::Schedule;
use crate::segment::Segment;
use crate::time::StoredTime;
use crate::{ConnectionId, Event, HostId, LinkSettings, RandomStream, Side, Socket};

/// Identifies a fault, in the numbering of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaultId(pub u32);

impl FaultId {
    /// The fault of a path that has forgotten a connection on which nothing passed for too long; none of the caller's.
    pub const IDLE: Self = Self(u32::MAX);

    /// The fault of a middlebox that does not know a connection; none of the caller's.
    pub const MIDDLEBOX: Self = Self(u32::MAX - 1);
}

/// The decision on a SYN that arrives at a host whose program listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SynDecision {
    /// The SYN is answered, and the connection goes to the program.
    Accept,
    /// The SYN is answered with RST.
    Reset,
    /// The SYN is dropped, as if it had been lost.
    Drop,
}

/// Hosts, the links between them, and their connections.
///
/// The calls fall into three kinds. Programs call [`listen`](Self::listen), [`connect`](Self::connect),
/// [`read`](Self::read) and so on; they never block. The driver calls [`flush`](Self::flush) after programs have run,
/// [`handle_arrival`](Self::handle_arrival) and [`handle_timeout`](Self::handle_timeout) when
/// [`poll_timeout`](Self::poll_timeout) says so, and drains [`poll_event`](Self::poll_event) after every call. Faults
/// are begun and ended with [`partition`](Self::partition), [`half_open`](Self::half_open) and their siblings.
pub struct Network {
    pub(crate) hosts: Vec<Host>,
    pub(crate) randomness: Randomness,
    /// The settings of each link that has no others.
    pub(crate) settings: LinkSettings,
    /// The links that differ from the others. If no link of the network's settings has a state, the first stands for all
    /// those that do not.
    pub(crate) links: Vec<Link>,
    pub(crate) link_places: BTreeMap<(HostId, HostId), u32>,
    pub(crate) overrides: PathOverrides,
    slots: Vec<Slot>,
    free_slots: Vec<u32>,
    pub(crate) next_rank: u32,
    pub(crate) arrivals: Schedule<Duration, Arrival>,
    pub(crate) timeouts: Schedule<(Duration, Timeout), Socket>,
    /// Segments of the handshake, acknowledgements and RSTs that leave their hosts with the next flush.
    pub(crate) control: Vec<(HostId, Socket, Segment)>,
    /// Sockets that may have bytes or FIN to send, with their hosts and ranks.
    pub(crate) writers: Vec<(HostId, u32, Socket)>,
    /// Sockets that end by RST with the next flush.
    pub(crate) aborting: Vec<Socket>,
    /// Hosts whose program has stopped listening.
    pub(crate) stopped_listening: Vec<HostId>,
    /// Connections that may be over.
    pub(crate) ending: Vec<ConnectionId>,
    pub(crate) hit: BTreeSet<FaultId>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) middleboxes: Vec<Middlebox>,
    /// True if some path forgets connections on which nothing passes.
    pub(crate) has_idle_limits: bool,
}

#[derive(Default)]
struct Slot {
    generation: u32,
    connection: Option<Box<Connection>>,
}

/// A segment on its way.
pub(crate) struct Arrival {
    pub(crate) segment: Segment,
    pub(crate) from: Socket,
    /// Time at which it left.
    pub(crate) left: StoredTime,
}

/// A timer of the TCP of a host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timeout {
    /// The retransmission.
    Retry,
    /// The end of all attempts.
    GiveUp,
    /// The question whether the other end's window is still closed.
    Probe,
}

impl Network {
    /// Creates a network of this many hosts, in which every link has these settings. `seeds` returns the seed of each
    /// stream of random numbers.
    pub fn new(hosts: usize, settings: LinkSettings, seeds: impl Fn(RandomStream) -> u64 + 'static) -> Self {
        Self {
            hosts: (0..hosts).map(|_| Host::default()).collect(),
            randomness: Randomness { seeds: Box::new(seeds), spread: Duration::ZERO },
            settings,
            links: is_stateless(&settings)
                .then(|| Link::new(settings, HostId(0), HostId(0), None))
                .into_iter()
                .collect(),
            link_places: BTreeMap::new(),
            overrides: PathOverrides::default(),
            slots: Vec::new(),
            free_slots: Vec::new(),
            next_rank: 0,
            arrivals: Schedule::new(),
            timeouts: Schedule::new(),
            control: Vec::new(),
            writers: Vec::new(),
            aborting: Vec::new(),
            stopped_listening: Vec::new(),
            ending: Vec::new(),
            hit: BTreeSet::new(),
            events: VecDeque::new(),
            middleboxes: Vec::new(),
            has_idle_limits: settings.idle_limit.is_some(),
        }
    }

    /// Draws anew what happens by chance to all that leaves after this call: travel times and losses follow from other
    /// seeds, and each packet travels up to `spread` longer than its link says.
    pub fn vary(&mut self, spread: Duration, seeds: impl Fn(RandomStream) -> u64 + 'static) {
        self.randomness = Randomness { seeds: Box::new(seeds), spread };
        if !self.shares_links() {
            self.separate_links();
        }
        let of_connections = self.overrides.values_mut().map(|own| &mut own.link);
        self.links.iter_mut().chain(of_connections).for_each(Link::forget_streams);
    }

    /// Gives one direction between two hosts other settings than the network's. For a change during a run use
    /// [`change_link`](Self::change_link).
    pub fn set_link(&mut self, from: HostId, to: HostId, settings: LinkSettings) {
        self.has_idle_limits |= settings.idle_limit.is_some();
        self.link_mut(from, to).settings = settings;
    }

    /// Returns what happened, in order. Drain it after every other call.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Returns when [`handle_arrival`](Self::handle_arrival) or [`handle_timeout`](Self::handle_timeout) is due next.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let timeout = self.timeouts.first_key().map(|(at, _)| at);
        self.arrivals.first_key().into_iter().chain(timeout).min()
    }

    /// Returns the host of a socket, while the network knows the connection.
    pub fn host_of(&self, socket: Socket) -> Option<HostId> {
        Some(self.end(socket)?.host)
    }

    /// Returns which of its client's connections this is, from 1.
    pub fn ordinal(&self, connection: ConnectionId) -> Option<u32> {
        Some(self.connection(connection)?.ordinal)
    }

    /// Returns the number of connections that the network knows.
    pub fn connection_count(&self) -> usize {
        self.slots.len() - self.free_slots.len()
    }

    /// Returns the number of ends of connections that the TCP of a host knows, those that are being closed included.
    pub fn socket_count(&self) -> usize {
        let connections = self.slots.iter().filter_map(|slot| slot.connection.as_ref());
        let ends = connections.flat_map(|connection| [&connection.client, &connection.server]);
        ends.filter(|end| end.state != crate::connection::State::Absent && !end.is_gone()).count()
    }

    pub(crate) fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        let slot = self.slots.get(id.index())?;
        slot.connection.as_deref().filter(|_| slot.generation == id.generation)
    }

    pub(crate) fn connection_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        let slot = self.slots.get_mut(id.index())?;
        slot.connection.as_deref_mut().filter(|_| slot.generation == id.generation)
    }

    pub(crate) fn end(&self, socket: Socket) -> Option<&End> {
        Some(self.connection(socket.connection)?.end(socket.side))
    }

    pub(crate) fn end_mut(&mut self, socket: Socket) -> Option<&mut End> {
        Some(self.connection_mut(socket.connection)?.end_mut(socket.side))
    }

    pub(crate) fn host(&self, host: HostId) -> &Host {
        &self.hosts[host.0 as usize]
    }

    pub(crate) fn host_mut(&mut self, host: HostId) -> &mut Host {
        &mut self.hosts[host.0 as usize]
    }

    /// Returns the place of a link: its own, or that of the one that stands for all.
    pub(crate) fn link_place(&mut self, from: HostId, to: HostId) -> u32 {
        match self.link_places.get(&(from, to)) {
            Some(place) => *place,
            None if self.shares_links() => 0,
            None => self.own_link(from, to),
        }
    }

    /// Returns a link to be changed, which so becomes one of its own.
    pub(crate) fn link_mut(&mut self, from: HostId, to: HostId) -> &mut Link {
        let place = match self.link_places.get(&(from, to)) {
            Some(place) => *place,
            None => self.own_link(from, to),
        };
        &mut self.links[place as usize]
    }

    /// Returns whether one link stands for all those that differ in nothing: no draw on one may change another.
    fn shares_links(&self) -> bool {
        is_stateless(&self.settings) && self.randomness.spread.is_zero()
    }

    /// Gives each direction on which there is a connection a link of its own.
    fn separate_links(&mut self) {
        let connections = self.slots.iter().filter_map(|slot| slot.connection.as_deref());
        let directions = connections.flat_map(|it| [it.direction(Side::Client), it.direction(Side::Server)]);
        for (from, to) in directions.collect::<BTreeSet<_>>() {
            self.link_mut(from, to);
        }
    }

    /// Gives a direction a link of its own, and moves its connections to that.
    fn own_link(&mut self, from: HostId, to: HostId) -> u32 {
        let place = self.links.len() as u32;
        self.links.push(Link::new(self.settings, from, to, None));
        self.link_places.insert((from, to), place);
        for (connection, side) in self.connections_on(from, to, None) {
            if let Some(end) = self.end_mut(Socket::new(connection, side)) {
                end.link = place;
            }
        }
        place
    }

    /// Returns what is different for one connection on a link, from this call on.
    pub(crate) fn override_mut(&mut self, from: HostId, to: HostId, ordinal: u32) -> &mut PathOverride {
        let settings = self.settings;
        self.overrides.entry((from, to, ordinal)).or_insert_with(|| PathOverride {
            partition: None,
            change: Default::default(),
            link: Link::new(settings, from, to, Some(ordinal)),
        })
    }

    /// Stores a new connection.
    pub(crate) fn insert(&mut self, ordinal: u32, client: End, server: End) -> ConnectionId {
        let index = self.free_slots.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() as u32 - 1
        });
        let slot = &mut self.slots[index as usize];
        let id = ConnectionId { index, generation: slot.generation };
        let (client_host, server_host) = (client.host, server.host);
        let connection = Connection {
            ordinal,
            client,
            server,
            is_established: false,
            is_confirmed: false,
            passed_at: StoredTime::default(),
        };
        slot.connection = Some(Box::new(connection));
        self.host_mut(client_host).add_opened(ordinal, id);
        self.host_mut(server_host).served_mut().all.insert((client_host, ordinal), id);
        id
    }

    /// Forgets the connections that are over.
    pub(crate) fn sweep(&mut self) {
        while let Some(id) = self.ending.pop() {
            let Some(connection) = self.connection(id).filter(|connection| connection.is_over()) else { continue };
            let (ordinal, client, server) = (connection.ordinal, connection.client.host, connection.server.host);
            self.close_in_middleboxes(id);
            self.host_mut(client).remove_opened(ordinal);
            self.host_mut(server).served_mut().all.remove(&(client, ordinal));
            let slot = &mut self.slots[id.index()];
            slot.connection = None;
            slot.generation += 1;
            self.free_slots.push(id.index);
            self.events.push_back(Event::Forgotten(id));
        }
    }

    /// Records that a fault has had an effect, the first time it has.
    pub(crate) fn fault_hit(&mut self, fault: FaultId) {
        if self.hit.insert(fault) {
            self.events.push_back(Event::FaultHit(fault));
        }
    }

    /// Returns every connection on a link that is meant, with the side that sends in the link's direction.
    pub(crate) fn connections_on(&self, from: HostId, to: HostId, ordinal: Option<u32>) -> Vec<(ConnectionId, Side)> {
        let opened_by = |client: HostId, server: HostId, side: Side| {
            let (first, last) = ordinal.map_or((0, u32::MAX), |ordinal| (ordinal, ordinal));
            let opened = self.host(client).opened(first..=last);
            let is_meant = move |id: &ConnectionId| self.connection(*id).is_some_and(|it| it.server.host == server);
            opened.filter(is_meant).map(move |id| (id, side))
        };
        opened_by(from, to, Side::Client).chain(opened_by(to, from, Side::Server)).collect()
    }
}

/// Returns whether a link of these settings treats each packet as if there were no others.
fn is_stateless(settings: &LinkSettings) -> bool {
    settings.loss == 0 && settings.jitter.is_zero() && settings.bandwidth.is_none()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Returns when the SYN of the second client arrives, with up to 50 ms more on the way; the first connects before it, or
    /// not at all.
    fn arrival(with_another: bool, varies_first: bool) -> Option<Duration> {
        let seeds = |stream: RandomStream| u64::from(stream.from.0 + 100 * stream.to.0);
        let mut network = Network::new(3, LinkSettings::default(), seeds);
        network.listen(HostId(0)).expect("nobody else listens");
        if varies_first {
            network.vary(Duration::from_millis(50), seeds);
        }
        let mut clients = vec![HostId(2)];
        if with_another {
            clients.insert(0, HostId(1));
        }
        let opened: Vec<_> = clients.into_iter().map(|client| network.connect(client, HostId(0))).collect();
        network.vary(Duration::from_millis(50), seeds);
        network.flush(Duration::ZERO);
        while let Some(now) = network.poll_timeout() {
            let mut arrived = None;
            while network.handle_arrival(now, |_, id| {
                arrived = Some(id);
                SynDecision::Accept
            }) {
                if arrived == opened.last().copied() {
                    return Some(now);
                }
            }
            network.flush(now);
        }
        None
    }

    #[rstest]
    fn a_draw_on_one_link_changes_nothing_on_another(#[values(false, true)] varies_first: bool) {
        let alone = arrival(false, varies_first);
        assert!(alone.is_some_and(|at| at > Duration::from_millis(10)), "{alone:?}");
        assert_eq!(arrival(true, varies_first), alone);
    }
}
