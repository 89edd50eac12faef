//! The user name and password of clients that have none.

use bytes::Bytes;

use crate::plan::{Plan, Program};

/// A user name, and its password if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: Option<Bytes>,
}

impl Login {
    /// Gives all clients that have no user name this one.
    pub fn give_to_all(&self, plan: &mut Plan) {
        for node in &mut plan.nodes {
            let connect = match &mut node.program {
                Program::Client(client) => &mut *client.options.connect,
                Program::RawClient(client) => &mut client.connect,
                Program::Broker(_) | Program::RawBroker(_) => continue,
            };
            if connect.username.is_none() {
                connect.username = Some(self.user.as_str().into());
                connect.password = self.password.clone();
            }
        }
    }
}
