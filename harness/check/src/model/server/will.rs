//! Wills (§3.1.2.5, §3.1.3.2): published when a connection ends without DISCONNECT 0x00, after their delay, once.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::packet::{Publish, Will};
use halfopen_protocol::{Instant, ReasonCode};

use super::connection::Connection;
use super::owed::Content;
use super::publication::Publication;
use super::session::Session;
use super::{Server, Timer};

/// The will of a session.
#[derive(Clone, Debug)]
pub(super) struct PendingWill {
    will: Box<Will>,
    /// Time at which it is published, once its connection has ended.
    pub(super) due: Option<Instant>,
}

impl PendingWill {
    /// The will of a connection that is up.
    pub(super) fn new(will: Box<Will>) -> Self {
        Self { will, due: None }
    }

    /// Returns its topic and its payload.
    pub(super) fn content(&self) -> Content {
        (self.will.topic.clone(), self.will.payload.clone())
    }

    /// Returns whether it waits for its delay to pass.
    pub(super) fn waits(&self) -> bool {
        self.due.is_some()
    }
}

/// Wills of which it is not known whether a server has published them, or publishes them later.
#[derive(Default)]
pub(super) struct PossibleWills {
    contents: BTreeSet<Content>,
    /// The bytes of all of them.
    bytes: usize,
    /// The latest time at which one was added.
    latest: Option<Instant>,
}

impl PossibleWills {
    /// Adds wills of which it becomes uncertain at `now` whether they are published.
    pub(super) fn add(&mut self, now: Instant, contents: impl IntoIterator<Item = Content>) {
        for content in contents {
            let size = content.0.len() + content.1.len();
            self.bytes += if self.contents.insert(content) { size } else { 0 };
            self.latest = Some(now);
        }
    }

    /// Returns the number of wills, and their bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.contents.len(), self.bytes)
    }

    /// Returns whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.contents.is_empty()
    }

    /// Returns whether there is one with this content.
    pub(super) fn contains(&self, content: &Content) -> bool {
        self.contents.contains(content)
    }

    /// Returns whether there is one on this topic.
    pub(super) fn is_on(&self, topic: &ByteString) -> bool {
        self.contents.range((topic.clone(), Bytes::new())..).next().is_some_and(|(of, _)| of == topic)
    }

    /// Returns whether one was added at this instant that this session is to be sent if it is published.
    pub(super) fn are_new_to(&self, session: &Session, now: Instant) -> bool {
        self.latest == Some(now) && self.contents.iter().any(|(topic, _)| session.is_subscribed(topic))
    }
}

impl Server {
    /// The connection has ended: the will is deleted by DISCONNECT 0x00 [MQTT-3.1.2-10] (3.1.1), [MQTT-3.14.4-3] (5.0),
    /// and otherwise published [MQTT-3.1.2-8].
    pub(super) fn start_will(&mut self, client_id: &ByteString, connection: &Connection) {
        let now = self.now;
        let Some(session) = self.sessions.get_mut(client_id) else { return };
        let Some(will) = &mut session.will else { return };
        let is_deleted = match connection.disconnect {
            Some(reason) => !connection.is_v5() || reason == ReasonCode::SUCCESS,
            None => false,
        };
        if is_deleted {
            session.will = None;
            return;
        }
        let due = now + Duration::from_secs(will.will.delay.unwrap_or(0).into());
        will.due = Some(due);
        if due <= now {
            self.will_is_due(client_id);
        } else {
            self.timers.insert((due, Timer::Will(client_id.clone())));
        }
    }

    /// A DISCONNECT is read at the instant at which its connection was lost: the will may have been published before it, or not.
    pub(super) fn doubt_will(&mut self, client_id: &ByteString) {
        let is_its = |one: &&Rc<Publication>| one.is_will && one.publisher == *client_id;
        let published: Vec<Rc<Publication>> = self.at_this_instant.iter().filter(is_its).cloned().collect();
        self.doubt(&published);
        if let Some(will) =
            self.sessions.get_mut(client_id).and_then(|session| session.will.take_if(|will| will.waits()))
        {
            self.possible_wills.add(self.now, [will.content()]);
        }
    }

    /// Returns whether the will of a client is published at this time.
    pub(super) fn is_will_due_at(&self, client_id: &ByteString, due: Instant) -> bool {
        let will = self.sessions.get(client_id).and_then(|session| session.will.as_ref());
        will.is_some_and(|will| will.due == Some(due))
    }

    /// Publishes the will of a client now, and returns it.
    pub(super) fn will_is_due(&mut self, client_id: &ByteString) -> Option<Rc<Publication>> {
        let PendingWill { will, due } = self.sessions.get_mut(client_id)?.will.take()?;
        if let Some(due) = due {
            self.timers.remove(&(due, Timer::Will(client_id.clone())));
        }
        let publish = Publish {
            qos: will.qos,
            retain: will.retain,
            topic: will.topic.clone(),
            payload_format: will.payload_format,
            message_expiry: will.message_expiry,
            response_topic: will.response_topic,
            correlation_data: will.correlation_data,
            user_properties: will.user_properties,
            content_type: will.content_type,
            payload: will.payload,
            ..Publish::default()
        };
        if self.stops_at == Some(self.now) && self.settings.is_durable {
            // It may be left for the process that starts next.
            self.possible_wills.add(self.now, [(publish.topic.clone(), publish.payload.clone())]);
        }
        let publication = self.take_in(client_id, will.topic, &publish, true);
        if self.has_odd_clock {
            self.doubt(&[Rc::clone(&publication)]);
        }
        Some(publication)
    }
}
