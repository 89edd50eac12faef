//! The form of what a client writes: see [`broken_form`].

use halfopen_protocol::{Role, Version};

use super::Client;
use crate::model::finding::{Findings, shown};
use crate::model::form::broken_form;
use crate::plan::Invariant;

impl Client {
    /// Judges bytes that the client writes and that are no packet.
    pub(super) fn send_bytes(&self, bytes: &[u8], findings: &mut Findings) {
        let connect = self.connection.as_ref().and_then(|connection| connection.connect.as_ref());
        // CONNECT is read in the version that it names.
        let version = connect.map_or(Version::V5_0, |connect| connect.version);
        if let Some(error) = broken_form(bytes, version, Role::Server) {
            let owed = format!("{} writes packets as they are defined", self.name);
            let actual = format!("{}, at {}", error.what, shown(self.now));
            findings.push(Invariant::ClientAnswers, error.clause, &owed, actual);
        }
    }
}
