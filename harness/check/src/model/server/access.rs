//! Access lists: what nothing allows is forbidden, and what is forbidden goes to nobody and comes from nobody.

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::packet::Connect;

use super::Server;
use super::session::Session;
use super::topic::Filter;
use crate::plan::{AccessList, AccessRights, BrokerProgram};

/// The access list of a server.
#[derive(Clone, Debug, Default)]
pub(super) enum Access {
    /// Everybody may do everything.
    #[default]
    Open,
    /// The rights that this list grants.
    List {
        /// The list.
        list: AccessList,
        /// True if a user name is proved by a password; otherwise it has no meaning.
        has_users: bool,
    },
    /// Users were given a meaning while the server ran: who may do what is not known.
    Unknown,
}

/// The permission of a client for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permission {
    Granted,
    Denied,
    /// The trace does not show it.
    Unknown,
}

/// The right that a client needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    Read,
    Write,
}

/// The user that a client is to the access list.
#[derive(Clone, Debug, Default)]
pub(super) enum User {
    #[default]
    Anonymous,
    Named(Box<ByteString>),
    /// The client has proved a name that the trace does not show.
    Unknown,
}

/// The user that a client says it is: its user name, and the method and the first data of an authentication. Two clients that say
/// the same are taken for one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    username: Option<ByteString>,
    method: Option<ByteString>,
    data: Option<Bytes>,
}

impl Identity {
    /// Returns what a CONNECT says, boxed since most of a fleet say nothing.
    pub(super) fn of(connect: &Connect) -> Option<Box<Self>> {
        let Connect { username, authentication_method: method, authentication_data: data, .. } = connect;
        (username.is_some() || method.is_some() || data.is_some())
            .then(|| Box::new(Self { username: username.clone(), method: method.clone(), data: data.clone() }))
    }
}

impl Access {
    /// Returns the access list that a server begins with.
    pub(super) fn of(program: &BrokerProgram) -> Self {
        match &program.access {
            Some(list) => {
                let has_users = program.auth.as_ref().is_some_and(|auth| !auth.users.is_empty());
                Self::List { list: list.clone(), has_users }
            }
            None => Self::Open,
        }
    }

    /// Returns the access list after a change. Who the clients are is not known where nobody had to be anybody before.
    pub(super) fn changed_to(&self, next: Self) -> Self {
        match (self, &next) {
            (Self::Open, Self::List { has_users: true, .. }) | (Self::Unknown, _) => Self::Unknown,
            _ => next,
        }
    }

    /// Returns who a client is that has given this user name, and authenticated by this method.
    pub(super) fn user(&self, username: Option<&ByteString>, method: Option<&ByteString>) -> User {
        match (self, username) {
            (Self::List { .. }, _) if method.is_some() => User::Unknown,
            (Self::List { has_users: true, .. }, Some(name)) => User::Named(Box::new(name.clone())),
            _ => User::Anonymous,
        }
    }

    /// Returns whether a client may read or write this topic.
    pub(super) fn permits(&self, client_id: &str, user: &User, right: Right, topic: &str) -> Permission {
        let (list, user) = match (self, user) {
            (Self::Open, _) => return Permission::Granted,
            (Self::Unknown, _) | (_, User::Unknown) => return Permission::Unknown,
            (Self::List { list, .. }, User::Anonymous) => (list, None),
            (Self::List { list, .. }, User::Named(name)) => (list, Some(&***name)),
        };
        let own = user.map_or(Some(&list.anonymous), |user| list.users.get(user));
        let names = |filter: &String, has_patterns: bool| {
            // A filter with a name that the client has not, or that is no level, matches nothing; which, is not judged.
            let text = match has_patterns {
                true => filter.replace("%c", client_id).replace("%u", user.unwrap_or("%u")),
                false => filter.clone(),
            };
            Filter::new(&text).matches(topic)
        };
        let is_in = |filters: fn(&AccessRights) -> &Vec<String>| {
            filters(&list.everybody).iter().any(|filter| names(filter, true))
                || own.is_some_and(|own| filters(own).iter().any(|filter| names(filter, false)))
        };
        let is_allowed = match right {
            Right::Read => is_in(|rights| &rights.read),
            Right::Write => is_in(|rights| &rights.write),
        };
        if is_allowed && !is_in(|rights| &rights.deny) { Permission::Granted } else { Permission::Denied }
    }
}

impl Server {
    /// Returns whether a client may publish to this topic.
    pub(super) fn may_write(&self, client_id: &ByteString, topic: &str) -> Permission {
        let user = self.sessions.get(client_id).map(|session| session.user.clone()).unwrap_or_default();
        self.access.permits(client_id, &user, Right::Write, topic)
    }

    /// Returns whether the client of a session may be sent messages on this topic.
    pub(super) fn may_read(access: &Access, client_id: &ByteString, session: &Session, topic: &str) -> Permission {
        access.permits(client_id, &session.user, Right::Read, topic)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::allowed(Right::Read, "open/a", Permission::Granted)]
    #[case::nothing_allows_it(Right::Write, "open/a", Permission::Denied)]
    #[case::denied_though_allowed(Right::Read, "open/secret", Permission::Denied)]
    #[case::by_its_own_name(Right::Write, "own/dev/x", Permission::Granted)]
    #[case::by_the_name_of_another(Right::Write, "own/other/x", Permission::Denied)]
    fn list_permits(#[case] right: Right, #[case] topic: &str, #[case] expected: Permission) {
        let filters = |all: &[&str]| all.iter().map(|&filter| filter.to_owned()).collect::<Vec<_>>();
        let everybody = AccessRights { write: filters(&["own/%c/#"]), ..AccessRights::default() };
        let anonymous =
            AccessRights { read: filters(&["open/#"]), deny: filters(&["open/secret"]), ..everybody.clone() };
        let list = AccessList { everybody, anonymous, users: BTreeMap::new() };
        let access = Access::List { list, has_users: false };
        assert_eq!(access.permits("dev", &User::Anonymous, right, topic), expected);
    }
}
