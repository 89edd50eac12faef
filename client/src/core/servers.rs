use halfopen_protocol::ReasonCode;

use super::DisconnectReason;

/// The servers that a client may connect to, in turn: after an attempt that failed, or a connection that the application did
/// not end, the next one is due, and after the last one the first.
///
/// A client of 5.0 may also go where a server sends it (§4.11). A server that is named for a while (0x9C) is taken until a
/// connection to it ends; one that is named for good (0x9D) takes the place of the server that named it.
#[derive(Clone, Debug)]
pub struct Servers<A> {
    first: A,
    further: Box<[A]>,
    /// Place of the server that is due; 0 is the first.
    place: usize,
    /// The server that another one named for a while.
    named: Option<A>,
}

impl<A: Clone> Servers<A> {
    /// Creates a list of a first server and those after it, of which the first is due.
    pub fn new(first: A, further: Vec<A>) -> Self {
        Self { first, further: further.into(), place: 0, named: None }
    }

    /// Returns the server that the next attempt goes to, and during a connection its server.
    pub fn current(&self) -> &A {
        let own = if self.place == 0 { &self.first } else { &self.further[self.place - 1] };
        self.named.as_ref().unwrap_or(own)
    }

    /// Takes note of the end of a connection, or of an attempt. `find` returns the server for a Server Reference if the client
    /// goes where it is sent.
    pub fn ended(&mut self, reason: &DisconnectReason, find: impl FnOnce(&str) -> Option<A>) {
        if *reason == DisconnectReason::Asked {
            return;
        }
        let was_named = self.named.take().is_some();
        match reference(reason).and_then(|(reason, reference)| Some((reason, find(reference)?))) {
            Some((ReasonCode::SERVER_MOVED, server)) if self.place == 0 => self.first = server,
            Some((ReasonCode::SERVER_MOVED, server)) => self.further[self.place - 1] = server,
            Some((_, server)) => self.named = Some(server),
            None if was_named => {}
            None => self.place = (self.place + 1) % (self.further.len() + 1),
        }
    }
}

/// Returns the Server Reference that came with the end of a connection, and for how long it holds.
fn reference(reason: &DisconnectReason) -> Option<(ReasonCode, &str)> {
    let (code, reference) = match reason {
        DisconnectReason::Refused(connack) => (connack.reason, connack.server_reference.as_deref()),
        DisconnectReason::Server(disconnect) => (disconnect.reason, disconnect.server_reference.as_deref()),
        _ => return None,
    };
    let is_about_servers = matches!(code, ReasonCode::USE_ANOTHER_SERVER | ReasonCode::SERVER_MOVED);
    Some((code, reference?)).filter(|_| is_about_servers)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use halfopen_protocol::packet::{ConnAck, Disconnect};
    use rstest::rstest;

    use super::*;
    use crate::core::Transport;

    const LOST: DisconnectReason = DisconnectReason::Closed(Transport::Eof);

    fn sent_away(code: ReasonCode) -> DisconnectReason {
        let disconnect = Disconnect { server_reference: Some("d".into()), ..Disconnect::new(code) };
        DisconnectReason::Server(Box::new(disconnect))
    }

    fn refused(code: ReasonCode) -> DisconnectReason {
        let connack = ConnAck { server_reference: Some("d".into()), reason: code, ..ConnAck::default() };
        DisconnectReason::Refused(Arc::new(connack))
    }

    #[rstest]
    #[case::in_turn(&[LOST, LOST, LOST, LOST], "bcab")]
    #[case::the_same_after_the_applications_own_end(&[LOST, DisconnectReason::Asked, LOST], "bbc")]
    #[case::for_a_while(&[LOST, sent_away(ReasonCode::USE_ANOTHER_SERVER), LOST, LOST], "bdbc")]
    #[case::for_good(&[sent_away(ReasonCode::SERVER_MOVED), LOST, LOST, LOST], "dbcd")]
    #[case::refused_for_a_while(&[refused(ReasonCode::USE_ANOTHER_SERVER), LOST, LOST], "dab")]
    #[case::refused_for_good(&[LOST, refused(ReasonCode::SERVER_MOVED), LOST, LOST, LOST], "bdcad")]
    #[case::another_reason_is_no_reference(&[sent_away(ReasonCode::SERVER_BUSY), LOST], "bc")]
    fn the_next_server_is(#[case] ends: &[DisconnectReason], #[case] servers: &str) {
        let mut all = Servers::new("a", vec!["b", "c"]);
        let mut taken = String::new();
        for end in ends {
            all.ended(end, |_| Some("d"));
            taken += all.current();
        }
        assert_eq!(taken, servers);
    }

    #[test]
    fn who_does_not_go_where_it_is_sent_takes_the_next() {
        let mut all = Servers::new("a", vec!["b"]);
        all.ended(&sent_away(ReasonCode::SERVER_MOVED), |_| None);
        assert_eq!(*all.current(), "b");
    }
}
