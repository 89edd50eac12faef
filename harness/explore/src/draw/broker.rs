//! Draws the broker of a story, and the middlebox before it.

use std::time::Duration;

use halfopen_scenario::ast::{
    AccessList, AccessRights, Auth, Broker, Dialogue, Expiry, Factor, Field, IdleLimit, Middlebox, Name, Named, Number,
    OneOrMore, Param, Payload, PositiveFactor, QueuePolicyWord, Text, WhenFullWord,
};

use super::{Draw, SPARE};
use crate::make::{all_links, given};

/// The users and their passwords.
pub(super) const USERS: [(&str, &str); 2] = [("alice", "a"), ("bob", "b")];
/// The enhanced authentication, and what is said in it in turn, by the client first.
pub(super) const METHOD: &str = "LORE";
pub(super) const DIALOGUE: [&str; 4] = ["knock", "who is there", "Arthur", "welcome"];

impl Draw {
    /// Draws a broker. Scripted clients do not heed what it announces.
    pub(super) fn broker(&mut self, is_heeded: bool) -> Broker {
        let durable = if self.swarm.is_durable { given(true) } else { None };
        let mut broker = Broker { durable, ..Broker::default() };
        if self.swarm.has_windows && self.random.chance(60) {
            broker.receive_maximum = given(Number::new(self.random.pick(&[1, 2, 3])));
        }
        if self.swarm.has_access {
            broker.access = given(access());
        }
        if self.swarm.has_refusals && is_heeded {
            self.refuse(&mut broker);
        }
        if self.swarm.has_limits {
            self.limit(&mut broker);
        }
        if self.swarm.has_users || self.swarm.has_dialogue {
            broker.auth = given(self.auth());
        }
        if self.swarm.has_spare && self.swarm.is_v5 && self.random.chance(50) {
            broker.server_reference = given(Text(format!("{SPARE}:1883")));
        }
        broker
    }

    /// Draws who may connect. Who names nobody may.
    fn auth(&mut self) -> Auth {
        let mut auth = Auth { anonymous: given(true), ..Auth::default() };
        if self.swarm.has_users {
            let user = |(name, password): (&str, &str)| (Name::new(name), Param::new(Payload::text(password)));
            auth.users = given(Named(USERS.into_iter().map(user).collect()));
        }
        if self.swarm.has_dialogue {
            let words = if self.random.chance(50) { &DIALOGUE[..3] } else { &DIALOGUE[..] };
            self.dialogue = given(Dialogue(words.iter().map(|word| Param::new(Payload::text(*word)).into()).collect()));
            auth.method = given(Text(METHOD.to_owned()));
            auth.dialogue = self.dialogue.clone();
        }
        auth
    }

    /// Draws what a broker does not take.
    fn refuse(&mut self, broker: &mut Broker) {
        match self.random.below(5) {
            0 => broker.maximum_qos = given(Number::new(self.random.below(2))),
            1 => broker.retain_available = given(false),
            2 => broker.wildcard_subscription_available = given(false),
            3 => broker.subscription_identifiers_available = given(false),
            _ => broker.maximum_packet_size = given(Number::new(self.random.pick(&[60, 200]))),
        }
    }

    /// Draws the limits of a broker.
    fn limit(&mut self, broker: &mut Broker) {
        let is_v5 = self.swarm.is_v5;
        let keep_alive = |draw: &mut Self| {
            let seconds = draw.random.pick(&[1, 2, 5, 10, 60]);
            draw.times.push(Duration::from_millis(seconds * 1_500));
            Duration::from_secs(seconds)
        };
        // Clients of both versions: what binds one of 5.0 may not bind one of 3.1.1.
        // A quiet story of days is over at once; one with a packet a second is millions of events.
        if is_v5 && !self.swarm.is_long && self.random.chance(50) {
            match self.random.below(4) {
                0 => broker.server_keep_alive = given(Duration::ZERO.into()),
                1 => broker.server_keep_alive = given(keep_alive(self).into()),
                2 => broker.min_keep_alive = given(keep_alive(self).into()),
                _ => broker.max_keep_alive = given(keep_alive(self).into()),
            }
        }
        if self.random.chance(25) {
            broker.connect_timeout = given(Duration::from_secs(3).into());
            self.times.push(Duration::from_secs(3));
        }
        if self.random.chance(25) {
            broker.keep_alive_factor = given(PositiveFactor(Factor::times(2)));
        }
        if self.random.chance(25) {
            let most = Duration::from_secs(self.random.pick(&[5, 20]));
            self.times.push(most);
            broker.max_session_expiry = given(Expiry::After(most.into()));
        }
        if is_v5 && self.random.chance(15) {
            broker.topic_alias_maximum = given(Number::new(self.random.below(3)));
        }
        if self.random.chance(20) {
            broker.in_flight_messages = given(Number::new(self.random.pick(&[1, 2, 3])));
        }
        if self.random.chance(15) {
            broker.queue_messages = given(Number::new(self.random.pick(&[1, 2, 5])));
            if self.random.chance(50) {
                broker.queue_policy = given(QueuePolicyWord::DropOldest);
            }
        }
        if self.random.chance(10) {
            broker.retained_messages = given(Number::new(self.random.pick(&[1, 2])));
        }
        if self.random.chance(10) {
            broker.maximum_sessions = given(Number::new(self.random.pick(&[1, 2, 3])));
        }
        if self.random.chance(10) {
            broker.maximum_subscriptions = given(Number::new(self.random.pick(&[1, 2])));
        }
        if is_v5 && self.random.chance(10) {
            broker.maximum_outgoing_topic_alias = given(Number::new(self.random.below(3)));
        }
    }

    /// Draws a middlebox on the links of the server, which forgets connections that are idle or too many.
    pub(super) fn middleboxes(&mut self) -> Option<Field<Param<Named<Param<Middlebox>>>>> {
        if !self.swarm.has_middlebox {
            return None;
        }
        let links = given(OneOrMore(vec![Param::new(all_links(self.server()))]));
        let mut middlebox = Middlebox { links, ..Middlebox::default() };
        if self.random.chance(75) {
            let limit = Duration::from_secs(self.random.pick(&[2, 5, 10, 60]));
            self.times.push(limit);
            middlebox.idle_limit = given(IdleLimit::After(limit.into()));
        } else {
            middlebox.connections = given(Number::new(1 + self.random.below(2)));
            middlebox.when_full = given(WhenFullWord::ForgetOldest);
        }
        given(Named(vec![(Name::new("nat"), Param::new(middlebox))]))
    }
}

/// Rights to everything but one topic.
pub(super) fn access() -> AccessList {
    let filters = |filter: &str| given(OneOrMore(vec![Param::new(Text(filter.to_owned()))]));
    let rights = AccessRights { read: filters("#"), write: filters("#"), deny: filters("s") };
    AccessList { everybody: given(rights), ..AccessList::default() }
}
