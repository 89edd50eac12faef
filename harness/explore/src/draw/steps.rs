//! Draws the steps of a story.

use std::time::Duration;

use halfopen_plan::Invariant;
use halfopen_protocol::PacketType;
use halfopen_scenario::ast::{
    ActionKind, AllAnswers, Answer, AnswerLine, AnswerWord, Answered, Answers, Bandwidth, ByteText, CloseWord, Drift,
    Factor, FieldValue, Filter, Leap, LinkProperties, Name, NetworkChange, Number, OneOrMore, Outgoing, Param, Payload,
    Place, Reason, SetLink, SetProperties, Share, Step, WhichLink,
};

use super::swarm::Deed;
use super::{BROKER, Draw, FAKE};
use crate::make::{
    act, acts, connect, every, faulty, field, given, link, network, number, packet, repeat, send, sized, text, wait,
};

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
                self.connect(place, false);
            }
        }
    }

    /// Draws a client with a property; its place.
    fn peer(&mut self, is: impl Fn(&super::Peer) -> bool) -> Option<usize> {
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
        let waits = waits && self.broker_is_up && !self.parted.contains(&name) && !self.peers[place].is_deaf;
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
        if self.swarm.has_retained && self.random.chance(40) {
            fields.push(field("retain", FieldValue::Bool(true)));
        }
        if is_v5 && self.swarm.has_expiry && self.random.chance(50) {
            let expiry = Duration::from_secs(self.random.pick(&[1, 2, 5, 10]));
            self.times.push(expiry);
            fields.push(field("message_expiry", FieldValue::Duration(expiry.into())));
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
        let may = |peer: &super::Peer| peer.is_raw && peer.is_up && peer.keeps_session && peer.is_connected;
        let Some(place) = self.peer(may) else { return };
        let name = self.name(place);
        self.payloads += 1;
        let (id, qos) = (self.next_id(), self.random.pick(&[1, 2, 2]));
        let (topic, payload) = (self.topic(), format!("m{}", self.payloads));
        let again = |dup| send(vec![by_hand(id, qos, topic, &payload, dup)]);
        let end = ActionKind::Close(Param::new(self.random.pick(&[CloseWord::Fin, CloseWord::Fin, CloseWord::Rst])));
        self.push(acts(name, vec![again(false), end]));
        let time = if self.random.chance(60) { Duration::from_millis(100) } else { self.time() };
        self.push(wait(time));
        self.connect(place, true);
        self.push(act(name, again(true)));
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
        let filter = self.filter();
        let subscription = self.subscription(filter, self.peers[place].is_v5);
        self.push(act(name, ActionKind::Subscribe(Param::new(OneOrMore(vec![Param::new(subscription)])))));
    }

    fn unsubscribe(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_connected && peer.is_up && !peer.is_deaf) else { return };
        let name = self.name(place);
        if self.parted.contains(&name) || !self.broker_is_up || self.swarm.is_fake {
            return;
        }
        let filter = self.filter();
        self.push(act(name, ActionKind::Unsubscribe(Param::new(OneOrMore(vec![Param::new(Filter::from(&*filter))])))));
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

    fn disconnect(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_connected && peer.is_up) else { return };
        let is_v5 = self.peers[place].is_v5;
        let fields = match self.random.below(4) {
            0 if is_v5 => Some(vec![field("reason", FieldValue::Reason(Reason::new(0x04)))]),
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

    /// A client dies, and mostly comes back later.
    fn fail(&mut self, how: ActionKind) {
        let Some(place) = self.peer(|peer| peer.is_up) else { return };
        let name = self.name(place);
        self.push(act(name, how));
        self.peers[place].is_connected = false;
        if self.random.chance(75) {
            let time = self.time();
            self.push(wait(time));
            self.push(act(name, ActionKind::Restart));
            if self.random.chance(85) {
                self.connect(place, true);
            }
        } else {
            self.peers[place].is_up = false;
        }
        self.peers[place].is_deaf = false;
    }

    fn broker_fails(&mut self) {
        let how = self.random.pick(&[ActionKind::Crash, ActionKind::PowerLoss]);
        self.push(act(BROKER, how));
        let time = if self.random.chance(50) { Duration::from_millis(500) } else { self.time() };
        self.push(wait(time));
        self.push(act(BROKER, ActionKind::Restart));
        for peer in &mut self.peers {
            peer.is_connected = peer.reconnects && peer.is_connected;
        }
    }

    fn lose_disk(&mut self) {
        if !self.swarm.is_durable {
            return;
        }
        let actions = vec![ActionKind::Crash, ActionKind::LoseDisk, ActionKind::Restart];
        self.push(acts(BROKER, actions));
        for peer in &mut self.peers {
            peer.is_connected = peer.reconnects && peer.is_connected;
        }
    }

    fn pause(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_up) else { return };
        let time = self.time();
        self.push(act(self.name(place), ActionKind::Pause(Some(Param::new(time.into())))));
        if !self.peers[place].is_raw {
            self.does_not_hold(Invariant::ClientKeepsItsInterval, "A client that is paused sends nothing.");
        }
        if self.random.chance(80) {
            self.push(wait(time));
        }
    }

    fn pause_broker(&mut self) {
        let time = self.time();
        self.push(act(BROKER, ActionKind::Pause(Some(Param::new(time.into())))));
        self.does_not_hold(Invariant::BrokerKeepsItsDeadline, "A broker that is paused closes nobody.");
        self.push(wait(time));
    }

    /// Several clients lose power at once.
    fn site(&mut self) {
        for place in 0..self.peers.len() {
            if self.peers[place].is_up && self.peers[place].is_connected && self.random.chance(80) {
                self.push(act(self.name(place), ActionKind::PowerLoss));
                self.peers[place].is_connected = false;
                self.peers[place].is_up = false;
                if self.random.chance(50) {
                    let time = self.time();
                    self.push(wait(time));
                }
            }
        }
    }

    /// A client leaves, and comes back when its session ends or shortly before or after; the broker may fail in
    /// between.
    fn expire(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_up && peer.is_connected && peer.expiry.is_some()) else { return };
        let name = self.name(place);
        let expiry = self.peers[place].expiry.unwrap_or_default();
        let leave = match self.random.below(4) {
            0 => ActionKind::Disconnect(None),
            1 => ActionKind::Close(Param::new(CloseWord::Rst)),
            _ => ActionKind::Close(Param::new(CloseWord::Fin)),
        };
        self.push(act(name, leave));
        self.peers[place].is_connected = false;
        let mut rest = expiry;
        if self.swarm.is_durable && self.random.chance(40) && expiry > Duration::from_secs(1) {
            self.push(wait(Duration::from_millis(250)));
            self.push(act(BROKER, ActionKind::Crash));
            self.push(wait(Duration::from_millis(500)));
            self.push(act(BROKER, ActionKind::Restart));
            rest -= Duration::from_millis(750);
            for peer in &mut self.peers {
                peer.is_connected = peer.reconnects && peer.is_connected;
            }
        } else if self.random.chance(50) {
            self.publish();
        }
        let beside = Duration::from_millis(self.random.pick(&[0, 1, 10, 31, 500, 1_000, 1_500]));
        let time = if self.random.chance(50) { rest.saturating_sub(beside) } else { rest + beside };
        self.push(wait(time.max(Duration::from_millis(1))));
        self.connect(place, true);
    }

    /// Messages of which a client acknowledges none, and its next connection.
    fn window(&mut self) {
        let may = |peer: &super::Peer| peer.is_raw && peer.is_up && peer.is_connected && peer.keeps_session;
        let Some(place) = self.peer(may) else { return };
        let name = self.name(place);
        self.push(act(name, ActionKind::Answer(Param::new(Answers::All(AllAnswers::Nothing)))));
        let count = 1 + self.random.below(4);
        for _ in 0..count {
            self.publish();
        }
        self.push(wait(Duration::from_millis(500)));
        let end = self.random.pick(&[CloseWord::Fin, CloseWord::Rst]);
        self.push(act(name, ActionKind::Close(Param::new(end))));
        let time = if self.random.chance(70) { Duration::from_millis(500) } else { self.time() };
        self.push(wait(time));
        if self.random.chance(70) {
            self.push(act(name, ActionKind::Answer(Param::new(Answers::All(AllAnswers::Standard)))));
        }
        self.connect(place, true);
        self.publish();
    }

    /// The scripted broker falls silent in one way or another.
    fn fake_silent(&mut self) {
        use PacketType::{Connect, PingReq, Publish};
        let packet = self.random.pick(&[PingReq, PingReq, Connect, Publish]);
        let nothing = Answer::Word(Place::default(), AnswerWord::Nothing);
        let answers = Answers::Some(vec![AnswerLine::new(Answered::Packet(packet), vec![nothing])]);
        self.push(act(FAKE, ActionKind::Answer(Param::new(answers))));
        if packet == Connect {
            let end = self.random.pick(&[CloseWord::Fin, CloseWord::Rst]);
            self.push(act(FAKE, ActionKind::Close(Param::new(end))));
        }
        let time = self.time();
        self.push(wait(time));
        self.push(act(FAKE, ActionKind::Answer(Param::new(Answers::All(AllAnswers::Standard)))));
    }

    fn stop_reading(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_up && peer.is_connected && !peer.is_deaf) else { return };
        let name = self.name(place);
        self.push(act(name, ActionKind::StopReading));
        let other = self.peer(|peer| peer.is_up && peer.is_connected && !peer.is_deaf && peer.name != name);
        if let Some(other) = other.filter(|_| self.swarm.has_large && self.random.chance(60)) {
            // More than a broker cares to write ahead.
            let topic = self.topic();
            let large = vec![field("topic", text(topic)), field("payload", FieldValue::Payload(sized(256_000)))];
            let publish = match self.peers[other].is_raw {
                true => send(vec![packet(PacketType::Publish, large)]),
                false => ActionKind::Publish(Param::new(large.into())),
            };
            self.push(repeat(20, vec![act(self.name(other), publish)]));
            self.push(wait(Duration::from_secs(1)));
        }
        let count = self.random.below(4);
        for _ in 0..count {
            self.publish();
        }
        let time = self.time();
        self.push(wait(time));
        if self.random.chance(80) {
            self.push(act(name, ActionKind::ResumeReading));
        } else {
            self.peers[place].is_deaf = true;
        }
    }

    fn set_wall_clock(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_up) else { return };
        let name = if !self.swarm.is_fake && self.random.chance(60) { BROKER } else { self.name(place) };
        let by = self.random.pick(&[-3_600_000, 3_600_000, -5_000, 5_000]);
        self.push(act(name, ActionKind::SetWallClock(Param::new(Leap::new(by)))));
    }

    fn clock_leaps(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_up && !peer.is_raw) else { return };
        let kind = match self.random.chance(50) {
            true => ActionKind::ClockJump(Param::new(Leap::new(self.random.pick(&[-5_000, 5_000])))),
            false => ActionKind::ClockDrift(Param::new(Drift(self.random.pick(&[-200_000, 200_000])))),
        };
        self.push(act(self.name(place), kind));
        self.does_not_hold(Invariant::ClientKeepsItsInterval, "The clock of a client is wrong.");
    }

    fn partition(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_up) else { return };
        let (name, server) = (self.name(place), self.server());
        if self.parted.contains(&name) {
            return;
        }
        let armed = self.armed(place);
        let path = match self.random.below(3) {
            0 => link(name, server, false),
            1 if armed.is_none() => link(server, name, false),
            _ => link(name, server, true),
        };
        let heal = NetworkChange::Heal(Param::new(path.clone()));
        self.push(network(NetworkChange::Partition(Param::new(faulty(path, armed)))));
        self.parted.push(name);
        if armed.is_some() {
            self.publish_from(place);
        }
        if self.random.chance(80) {
            let time = self.time();
            self.push(wait(time));
            self.push(network(heal));
            self.parted.retain(|parted| *parted != name);
        }
    }

    /// Draws the packet that a fault begins with, if it does not begin at once.
    fn armed(&mut self, place: usize) -> Option<PacketType> {
        use PacketType::{PingReq, PubAck, PubComp, PubRec, PubRel, Publish};
        if !self.random.chance(35) || !self.peers[place].is_connected {
            return None;
        }
        Some(self.random.pick(&[Publish, Publish, PubAck, PubRec, PubRel, PubComp, PingReq]))
    }

    fn publish_from(&mut self, place: usize) {
        let peer = &self.peers[place];
        if peer.is_connected && peer.is_up {
            let step = self.publication(place, true);
            self.push(step);
        }
    }

    fn half_open(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_up && peer.is_connected) else { return };
        let (name, server) = (self.name(place), self.server());
        let armed = self.armed(place);
        let path = match self.random.below(3) {
            0 => link(name, server, false),
            1 => link(server, name, false),
            _ => link(name, server, true),
        };
        self.push(network(NetworkChange::HalfOpen(Param::new(faulty(path, armed)))));
        if self.random.chance(50) || armed.is_some() {
            self.publish_from(place);
        }
    }

    fn reset(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_up && peer.is_connected) else { return };
        let (name, server) = (self.name(place), self.server());
        let path = match self.random.below(3) {
            0 => link(name, server, false),
            1 => link(server, name, false),
            _ => link(name, server, true),
        };
        self.push(network(NetworkChange::Reset(Param::new(faulty(path, None)))));
        let peer = &mut self.peers[place];
        peer.is_connected = peer.reconnects;
    }

    fn set_link(&mut self) {
        let Some(place) = self.peer(|_| true) else { return };
        let (name, server) = (self.name(place), self.server());
        let both = self.random.chance(50);
        let path = if self.random.chance(50) { link(name, server, both) } else { link(server, name, both) };
        let mut properties = LinkProperties::default();
        // Large messages on a slow link take as long as a fault.
        if self.swarm.has_large {
            return;
        }
        match self.random.below(4) {
            0 => properties.latency = given(Duration::from_millis(self.random.pick(&[0, 1, 200, 1_000])).into()),
            1 => properties.jitter = given(Duration::from_millis(self.random.pick(&[1, 20, 100])).into()),
            2 => properties.loss = given(Share(Factor::percent(self.random.pick(&[5, 20])))),
            _ => {
                properties.bandwidth = given(Bandwidth::bytes(self.random.pick(&[1_000, 20_000])));
                self.does_not_hold(Invariant::ClientKeepsItsInterval, "A message may take as long as a keep-alive.");
            }
        }
        let set = SetLink { which: WhichLink { link: given(path) }, properties };
        self.push(network(NetworkChange::Set(Param::new(SetProperties(Box::new(set))))));
    }

    fn change_answers(&mut self) {
        let node = if self.swarm.is_fake {
            FAKE
        } else {
            match self.peer(|peer| peer.is_raw && peer.is_up) {
                Some(place) => self.name(place),
                None => return,
            }
        };
        let answers = self.answers(self.swarm.is_fake);
        let answers = answers.unwrap_or(Answers::All(AllAnswers::Standard));
        self.push(act(node, ActionKind::Answer(Param::new(answers))));
    }

    /// A scripted client connects although it is connected, or one with the same identifier is.
    fn take_over(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_raw && peer.is_up) else { return };
        self.connect(place, false);
        let time = self.random.pick(&[1, 50, 500]);
        self.push(wait(Duration::from_millis(time)));
    }

    /// Returns what a scripted broker may send to a client at any time; nothing with an identifier if it is to be sent
    /// again and again.
    fn fake_says(&mut self, may_be_acknowledged: bool) -> Vec<Outgoing> {
        let id = self.next_id();
        self.payloads += 1;
        let payload = format!("m{}", self.payloads);
        let topic = self.topic();
        let plain = |payload| {
            packet(
                PacketType::Publish,
                vec![field("topic", text(topic)), field("payload", FieldValue::Payload(payload))],
            )
        };
        match self.random.below(if may_be_acknowledged { 9 } else { 4 }) {
            0 => vec![packet(PacketType::PingResp, Vec::new())],
            1 | 2 => vec![plain(Payload::text(payload))],
            3 => vec![plain(sized(20_000))],
            4 | 5 => vec![by_hand(id, 1, topic, &payload, false)],
            6 => vec![by_hand(id, 2, topic, &payload, false)],
            // 5.0 has no repetition on a live connection [MQTT-4.4.0-1].
            7 if !self.swarm.is_v5 => {
                vec![by_hand(id, 2, topic, &payload, false), by_hand(id, 2, topic, &payload, true)]
            }
            _ => vec![packet(PacketType::PubRel, vec![field("id", number(id))])],
        }
    }

    fn fake_sends(&mut self) {
        let outgoing = self.fake_says(true);
        self.push(act(FAKE, send(outgoing)));
    }

    fn fake_closes(&mut self) {
        let end = self.random.pick(&[CloseWord::Fin, CloseWord::Rst]);
        self.push(act(FAKE, ActionKind::Close(Param::new(end))));
        for peer in &mut self.peers {
            peer.is_connected = peer.reconnects && peer.is_connected;
        }
        if self.random.chance(50) {
            let time = self.time();
            self.push(wait(time));
        }
    }
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
