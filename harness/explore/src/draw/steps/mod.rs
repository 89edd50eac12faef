//! Draws the steps of a story.

mod fake;
mod faults;
mod offences;

use std::time::Duration;

use halfopen_plan::Feature;
use halfopen_protocol::PacketType;
use halfopen_scenario::ast::{
    ActionKind, ByteText, CloseWord, ConnectArgs, ConnectFields, ConnectKeys, Expiry, FieldValue, Filter, Name,
    NetworkChange, Number, OneOrMore, Outgoing, Param, Payload, Reason, Step, Subscription, SubscriptionKeys, Text,
    With,
};

use crate::draw::broker::{DIALOGUE, USERS};
use crate::draw::nodes::auth;
use crate::draw::swarm::Deed;
use crate::draw::{Draw, FAKE, Peer};
use crate::make::{act, acts, connect, every, field, given, link, network, number, packet, send, sized, text, wait};

/// A message as the fields of a PUBLISH.
type Message = Vec<(Name, Param<FieldValue>)>;

impl Draw {
    /// Brings the nodes to where the story begins.
    pub(super) fn begin(&mut self) {
        for place in 0..self.peers.len() {
            let waits = !self.swarm.is_fake && self.random.chance(85);
            if !self.peers[place].is_connected && (self.swarm.is_fake || self.random.chance(85)) {
                self.connect(place, waits);
            }
        }
        if self.swarm.is_fake && self.random.chance(80) {
            self.steps.push(wait(Duration::from_millis(self.random.pick(&[50, 500, 1_000]))));
        }
    }

    /// Tells one thing that happens, if it can be.
    pub(super) fn tell(&mut self, deed: Deed) {
        match deed {
            Deed::Publish => self.publish(),
            Deed::Burst => self.burst(),
            Deed::Periodic => self.periodic(),
            Deed::Subscribe => self.subscribe(),
            Deed::Unsubscribe => self.unsubscribe(),
            Deed::Connect => self.connect_one(),
            Deed::Disconnect => self.disconnect(),
            Deed::Close => self.close(),
            Deed::Goodbye => self.goodbye(),
            Deed::Ping => self.ping(),
            Deed::Part => self.part(),
            Deed::OpenOnly => self.open_only(),
            Deed::Repeat => self.repeat(),
            Deed::StopPinging => self.stop_pinging(),
            Deed::Crash => self.fail(ActionKind::Crash),
            Deed::PowerLoss => self.fail(ActionKind::PowerLoss),
            Deed::BrokerFails => self.broker_fails(),
            Deed::LoseDisk => self.lose_disk(),
            Deed::Pause => self.pause(),
            Deed::PauseBroker => self.pause_broker(),
            Deed::StopReading => self.stop_reading(),
            Deed::SetWallClock => self.set_wall_clock(),
            Deed::ClockLeaps => self.clock_leaps(),
            Deed::Configure => self.configure(),
            Deed::OtherConnect => self.connect_otherwise(),
            Deed::Renew => self.renew(),
            Deed::Offend => self.offend(),
            Deed::Partition => self.partition(),
            Deed::HalfOpen => self.half_open(),
            Deed::Reset => self.reset(),
            Deed::SetLink => self.set_link(),
            Deed::Answer => self.change_answers(),
            Deed::TakeOver => self.take_over(),
            Deed::Site => self.site(),
            Deed::Expire => self.expire(),
            Deed::Window => self.window(),
            Deed::FakeSilent => self.fake_silent(),
            Deed::FakeSends => self.fake_sends(),
            Deed::FakeCloses => self.fake_closes(),
        }
    }

    /// Ends all that is broken: links, nodes that are down, and clients that read nothing.
    pub(super) fn heal(&mut self) {
        let server = self.server();
        for name in std::mem::take(&mut self.parted) {
            self.push(network(NetworkChange::Heal(Param::new(link(name, server, true)))));
        }
        for place in 0..self.peers.len() {
            let name = self.name(place);
            if self.peers[place].is_deaf {
                self.push(act(name, ActionKind::ResumeReading));
                self.peers[place].is_deaf = false;
            }
            if !self.peers[place].is_up {
                self.push(act(name, ActionKind::Restart));
                self.peers[place].is_up = true;
                self.connect_after_restart(place, false);
            }
        }
    }

    /// Connects a client that has started again. The project's connect by themselves, but those of a scripted broker.
    pub(super) fn connect_after_restart(&mut self, place: usize, waits: bool) {
        if self.peers[place].is_raw || self.swarm.is_fake {
            return self.connect(place, waits);
        }
        if waits {
            self.push(wait(Duration::from_millis(500)));
        }
        let peer = &mut self.peers[place];
        (peer.is_connected, peer.is_silent) = (true, false);
        peer.connections += 1;
    }

    /// Draws a client with a property; its place.
    fn peer(&mut self, is: impl Fn(&Peer) -> bool) -> Option<usize> {
        let fit: Vec<usize> = (0..self.peers.len()).filter(|place| is(&self.peers[*place])).collect();
        if fit.is_empty() { None } else { Some(self.random.pick(&fit)) }
    }

    fn name(&self, place: usize) -> &'static str {
        self.peers[place].name
    }

    fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Connects a client. A step that waits for an answer which never comes would hold up the story.
    fn connect(&mut self, place: usize, waits: bool) {
        let name = self.name(place);
        let waits = waits
            && !self.peers[place].authenticates
            && self.broker_is_up
            && !self.parted.contains(&name)
            && !self.peers[place].is_deaf;
        self.push(act(name, connect(waits)));
        let peer = &mut self.peers[place];
        peer.is_connected = true;
        peer.is_silent = false;
        peer.connections += 1;
    }

    fn message(&mut self, is_v5: bool) -> Message {
        let topic = self.topic();
        let payload = match self.random.below(10) {
            0 => Payload::text(""),
            1 => Payload::text("same"),
            // Sizes about the limits of packets.
            2..=4 if self.swarm.has_limits => {
                sized(self.random.pick(&[8, 10, 11, 12, 13, 14, 15, 16, 20, 40, 50, 180]))
            }
            _ => {
                self.payloads += 1;
                Payload::text(format!("m{}", self.payloads))
            }
        };
        let payload = if self.swarm.has_large && self.random.chance(50) {
            sized(self.random.pick(&[1_000, 64_000, 256_000]))
        } else {
            payload
        };
        let mut fields = vec![field("topic", text(topic)), field("payload", FieldValue::Payload(payload))];
        let qos = self.qos();
        if qos > 0 {
            fields.push(field("qos", FieldValue::Qos(Number::new(qos))));
        }
        if self.retains() {
            fields.push(field("retain", FieldValue::Bool(true)));
        }
        if is_v5 && self.swarm.has_expiry && self.random.chance(50) {
            let expiry = Duration::from_secs(self.random.pick(&[1, 2, 5, 10]));
            self.times.push(expiry);
            fields.push(field("message_expiry", FieldValue::Duration(expiry.into())));
        }
        if is_v5 && self.swarm.has_properties {
            fields.extend(self.properties());
        }
        fields
    }

    /// A message of a scripted client has an identifier of the story's own: the client itself takes the same for all
    /// that it sends at one instant.
    pub(super) fn publish(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_connected && peer.is_up) else { return };
        let step = self.publication(place, true);
        self.push(step);
    }

    /// Draws a PUBLISH of a client.
    fn publication(&mut self, place: usize, may_be_acknowledged: bool) -> Step {
        let (name, is_raw, is_v5) = (self.name(place), self.peers[place].is_raw, self.peers[place].is_v5);
        let mut message = self.message(is_v5);
        if !is_raw {
            return act(name, ActionKind::Publish(Param::new(message.into())));
        }
        if may_be_acknowledged && message.iter().any(|(name, _)| name.text == "qos") {
            message.push(field("id", number(self.next_id())));
        } else {
            message.retain(|(name, _)| name.text != "qos");
        }
        act(name, send(vec![packet(PacketType::Publish, message)]))
    }

    /// An identifier that nothing else of the story uses; those below are for SUBSCRIBE.
    fn next_id(&mut self) -> u64 {
        self.ids += 1;
        100 + self.ids
    }

    /// A message whose acknowledgement never comes, since the connection ends, is sent again on the next.
    fn repeat(&mut self) {
        let may = |peer: &Peer| peer.is_raw && peer.is_up && peer.keeps_session && peer.is_connected;
        let Some(place) = self.peer(may) else { return };
        let name = self.name(place);
        self.payloads += 1;
        let (id, qos) = (self.next_id(), self.random.pick(&[1, 2, 2]));
        let (topic, payload) = (self.topic(), format!("m{}", self.payloads));
        let again = |dup| send(vec![by_hand(id, qos, topic, &payload, dup)]);
        // 5.0 has no repetition on a live connection [MQTT-4.4.0-1].
        if !self.peers[place].is_v5 && self.random.chance(40) {
            self.push(act(name, again(false)));
            let time = self.random.pick(&[1, 21, 500]);
            self.push(wait(Duration::from_millis(time)));
            self.push(act(name, again(true)));
            return;
        }
        let end = ActionKind::Close(Param::new(self.random.pick(&[CloseWord::Fin, CloseWord::Fin, CloseWord::Rst])));
        self.push(acts(name, vec![again(false), end]));
        let time = if self.random.chance(60) { Duration::from_millis(100) } else { self.time() };
        self.push(wait(time));
        self.connect(place, true);
        self.push(act(name, again(true)));
        match self.random.below(4) {
            0 => self.unsubscribe(),
            1 => self.subscribe(),
            _ => {}
        }
    }

    fn burst(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_connected && peer.is_up) else { return };
        let count = 2 + self.random.below(4);
        for _ in 0..count {
            // A scripted client does not count what the broker lets it send ahead.
            let step = self.publication(place, !self.swarm.has_windows);
            self.push(step);
        }
    }

    /// Something again and again in the background, with a period near a keep-alive.
    fn periodic(&mut self) {
        if self.swarm.is_long {
            return;
        }
        let Some(place) = self.peer(|peer| peer.is_connected && peer.is_up) else { return };
        let (name, is_raw) = (self.name(place), self.peers[place].is_raw);
        let keep_alive = self.peers[place].keep_alive.max(Duration::from_secs(1));
        let (part, of) = self.random.pick(&[(1, 4), (1, 2), (9, 10), (1, 1), (3, 2), (14, 10)]);
        let period = keep_alive * part / of;
        let times = 2 + self.random.below(12);
        let step = if is_raw && self.random.chance(40) {
            act(name, send(vec![packet(PacketType::PingReq, Vec::new())]))
        } else if self.swarm.is_fake && self.random.chance(60) {
            let outgoing = self.fake_says(false);
            act(FAKE, send(outgoing))
        } else {
            self.publication(place, false)
        };
        self.push(every(period, times, vec![step]));
        if self.random.chance(70) {
            let rest = period * u32::try_from(times).unwrap_or(1);
            self.push(wait(rest));
        }
    }

    fn subscribe(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_connected && peer.is_up && !peer.is_deaf) else { return };
        let name = self.name(place);
        if self.parted.contains(&name) || !self.broker_is_up || self.swarm.is_fake {
            return;
        }
        let is_v5 = self.peers[place].is_v5;
        let filters = self.filters();
        let mut subscriptions: Vec<Subscription> =
            filters.into_iter().map(|filter| self.subscription(filter, is_v5)).collect();
        if is_v5 && self.swarm.has_ids && self.random.chance(70) {
            self.uses.insert(Feature::SubscriptionIdentifiers);
            let id = 1 + self.random.below(3);
            if let Some(first) = subscriptions.first_mut() {
                *first = identified(first, id);
            }
        }
        let subscriptions = subscriptions.into_iter().map(Param::new).collect();
        self.push(act(name, ActionKind::Subscribe(Param::new(OneOrMore(subscriptions)))));
    }

    /// Draws the filters of one packet.
    fn filters(&mut self) -> Vec<String> {
        let count = if self.swarm.has_lists { 1 + self.random.below(3) } else { 1 };
        let mut filters = Vec::new();
        for _ in 0..count {
            let filter = self.filter();
            if !filters.contains(&filter) {
                filters.push(filter);
            }
        }
        filters
    }

    fn unsubscribe(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_connected && peer.is_up && !peer.is_deaf) else { return };
        let name = self.name(place);
        if self.parted.contains(&name) || !self.broker_is_up || self.swarm.is_fake {
            return;
        }
        let filters = self.filters().iter().map(|filter| Param::new(Filter::from(&**filter))).collect();
        self.push(act(name, ActionKind::Unsubscribe(Param::new(OneOrMore(filters)))));
    }

    fn connect_one(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_up && (peer.is_raw || !peer.reconnects)) else { return };
        let peer = &self.peers[place];
        // A client that is connected already would do nothing.
        if peer.is_connected && !peer.is_raw {
            return;
        }
        let waits = !self.swarm.is_fake && self.random.chance(60);
        self.connect(place, waits);
        if !waits {
            let time = self.random.pick(&[1, 21, 100, 500]);
            self.push(wait(Duration::from_millis(time)));
        }
    }

    /// A client connects with another CONNECT than its own.
    fn connect_otherwise(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_up && (peer.is_raw || !peer.is_connected)) else { return };
        let is_v5 = self.peers[place].is_v5;
        let mut fields = ConnectFields::default();
        match self.random.below(if is_v5 { 5 } else { 3 }) {
            _ if self.swarm.has_users && self.random.chance(50) => {
                let (user, password) = self.random.pick(&[USERS[0], USERS[1], (USERS[0].0, "guessed")]);
                fields.username = given(Text(user.to_owned()));
                fields.password = given(Payload::text(password));
            }
            0 => fields.clean = given(true),
            1 => fields.clean = given(false),
            2 => fields.client_id = given(Text("one".to_owned())),
            3 => {
                let expiry = Duration::from_secs(self.random.pick(&[0, 2, 5]));
                self.times.push(expiry);
                fields.session_expiry = given(Expiry::After(expiry.into()));
            }
            _ => fields.receive_maximum = given(Number::new(self.random.pick(&[1, 2]))),
        }
        self.connect_with(place, fields);
        let time = self.random.pick(&[1, 100, 500]);
        self.push(wait(Duration::from_millis(time)));
    }

    /// Connects a client with these fields of CONNECT instead of its own.
    fn connect_with(&mut self, place: usize, fields: ConnectFields) {
        let keys = ConnectKeys { with: given(With { connect: fields }), wait: given(false), ..ConnectKeys::default() };
        self.push(act(self.name(place), ActionKind::Connect(Some(Param::new(ConnectArgs(keys))))));
        let peer = &mut self.peers[place];
        (peer.is_connected, peer.is_silent) = (true, false);
        peer.connections += 1;
    }

    /// A client authenticates anew on the connection that it has.
    fn renew(&mut self) {
        // A scripted client answers each AUTH, also the last one, which it must not.
        let may_offend = self.swarm.has_offences;
        let may = |peer: &Peer| {
            let may_speak = peer.is_connected && peer.is_up && !peer.is_deaf;
            peer.authenticates && may_speak && (may_offend || !peer.is_raw)
        };
        let Some(place) = self.peer(may) else { return };
        let again = match self.peers[place].is_raw {
            true => send(vec![auth(0x19, DIALOGUE[0])]),
            false => ActionKind::Reauthenticate,
        };
        self.push(act(self.name(place), again));
    }

    fn disconnect(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_connected && peer.is_up) else { return };
        let is_v5 = self.peers[place].is_v5;
        let fields = match self.random.below(4) {
            0 if is_v5 => Some(vec![field("reason", FieldValue::Reason(Reason::new(0x04)))]),
            // An expiry of 0 can be made no longer (§3.14.2.2.2).
            1 if is_v5 && self.peers[place].expiry.is_some() => {
                let expiry = Duration::from_secs(self.random.pick(&[0, 2, 5, 60]));
                self.times.push(expiry);
                let mut fields = vec![field("session_expiry", FieldValue::Duration(expiry.into()))];
                if self.random.chance(30) {
                    fields.push(field("reason", FieldValue::Reason(Reason::new(0x04))));
                }
                Some(fields)
            }
            _ => None,
        };
        let fields = fields.map(|fields| Param::new(fields.into()));
        self.push(act(self.name(place), ActionKind::Disconnect(fields)));
        self.peers[place].is_connected = false;
    }

    fn close(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_connected && peer.is_up) else { return };
        let end = self.random.pick(&[CloseWord::Fin, CloseWord::Rst]);
        self.push(act(self.name(place), ActionKind::Close(Param::new(end))));
        self.peers[place].is_connected = false;
    }

    /// DISCONNECT and the end of the connection in one breath.
    fn goodbye(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_connected && peer.is_up && peer.is_raw) else { return };
        let end = self.random.pick(&[CloseWord::Fin, CloseWord::Rst]);
        let actions = vec![send(vec![packet(PacketType::Disconnect, Vec::new())]), ActionKind::Close(Param::new(end))];
        self.push(acts(self.name(place), actions));
        self.peers[place].is_connected = false;
    }

    fn ping(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_connected && peer.is_up && peer.is_raw) else { return };
        self.push(act(self.name(place), send(vec![packet(PacketType::PingReq, Vec::new())])));
    }

    /// A part of a packet, whose rest may come much later or never.
    fn part(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_connected && peer.is_up && peer.is_raw) else { return };
        let name = self.name(place);
        let bytes = |bytes: &[u8]| send(vec![Outgoing::Bytes(Param::new(ByteText::from(bytes)))]);
        self.push(act(name, bytes(&[0xc0])));
        let time = self.time();
        self.push(wait(time));
        if self.random.chance(50) {
            self.push(act(name, bytes(&[0x00])));
        } else {
            self.peers[place].is_connected = false;
        }
    }

    /// A connection without a CONNECT.
    fn open_only(&mut self) {
        let Some(place) = self.peer(|peer| !peer.is_connected && peer.is_up && peer.is_raw) else { return };
        let name = self.name(place);
        if !self.broker_is_up || self.parted.contains(&name) {
            return;
        }
        self.push(act(name, ActionKind::Open));
        self.peers[place].connections += 1;
        let time = self.random.pick(&[2, 11, 12]);
        self.push(wait(Duration::from_secs(time)));
    }

    fn stop_pinging(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_connected && peer.is_up && !peer.is_raw && !peer.is_silent) else {
            return;
        };
        self.push(act(self.name(place), ActionKind::StopPinging));
        self.peers[place].is_silent = true;
    }

    /// A scripted client connects although it is connected, or one with the same identifier is.
    fn take_over(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_raw && peer.is_up) else { return };
        self.connect(place, false);
        let time = self.random.pick(&[1, 50, 500]);
        self.push(wait(Duration::from_millis(time)));
    }
}

/// A subscription with an identifier.
fn identified(subscription: &Subscription, id: u64) -> Subscription {
    let mut keys = match subscription {
        Subscription::With(keys) => (**keys).clone(),
        Subscription::Filter(_, filter) => {
            SubscriptionKeys { filter: given(filter.clone()), ..SubscriptionKeys::default() }
        }
    };
    keys.subscription_id = given(Number::new(id));
    Subscription::With(Box::new(keys))
}

/// A PUBLISH with an identifier of the story's own.
fn by_hand(id: u64, qos: u64, topic: &str, payload: &str, dup: bool) -> Outgoing {
    let mut fields = vec![
        field("topic", text(topic)),
        field("payload", FieldValue::Payload(Payload::text(payload))),
        field("qos", FieldValue::Qos(Number::new(qos))),
        field("id", number(id)),
    ];
    if dup {
        fields.push(field("dup", FieldValue::Bool(true)));
    }
    packet(PacketType::Publish, fields)
}
