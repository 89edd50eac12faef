//! The connections of a server, by their numbers.

use halfopen_protocol::Pages;

use super::connection::Connection;
use crate::trace::ConnectionId;

/// The connections of a server. To find one costs the same however many there are.
#[derive(Default)]
pub(super) struct Connections(Pages<Option<Box<Connection>>>);

impl Connections {
    /// Returns a connection.
    pub(super) fn get(&self, id: &ConnectionId) -> Option<&Connection> {
        self.0.get(id.0 as usize)?.as_deref()
    }

    /// Returns a connection, to be changed.
    pub(super) fn get_mut(&mut self, id: &ConnectionId) -> Option<&mut Connection> {
        self.0.get_mut(id.0 as usize)?.as_deref_mut()
    }

    /// Returns whether there is this connection.
    pub(super) fn contains(&self, id: &ConnectionId) -> bool {
        self.get(id).is_some()
    }

    /// Adds a connection.
    pub(super) fn insert(&mut self, id: ConnectionId, connection: Box<Connection>) {
        let place = id.0 as usize;
        while self.0.len() <= place {
            self.0.push(None);
        }
        self.0[place] = Some(connection);
    }

    /// Removes a connection, and returns it.
    pub(super) fn remove(&mut self, id: &ConnectionId) -> Option<Box<Connection>> {
        self.0.get_mut(id.0 as usize)?.take()
    }

    /// Returns the numbers of all connections, in their order.
    pub(super) fn ids(&self) -> impl Iterator<Item = ConnectionId> {
        let there = self.0.iter().enumerate().filter(|(_, connection)| connection.is_some());
        there.map(|(place, _)| ConnectionId(u32::try_from(place).expect("the number of a connection")))
    }

    /// Returns all connections in their order, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Connection> {
        self.0.iter_mut().flatten().map(|connection| &mut **connection)
    }
}
