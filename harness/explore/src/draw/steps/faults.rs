//! Draws what goes wrong.

use std::time::Duration;

use halfopen_plan::Invariant;
use halfopen_protocol::PacketType;
use halfopen_scenario::ast::{
    ActionKind, AllAnswers, Answers, Bandwidth, Broker, CloseWord, Configured, Drift, Expiry, Factor, FieldValue, Leap,
    LinkProperties, NetworkChange, Number, Param, SetLink, SetProperties, Share, WhichLink,
};

use crate::draw::broker::access;
use crate::draw::{BROKER, Draw, FAKE};
use crate::make::{act, acts, faulty, field, given, link, network, packet, repeat, send, sized, text, wait};

impl Draw {
    /// A client dies, and mostly comes back later.
    pub(super) fn fail(&mut self, how: ActionKind) {
        let Some(place) = self.peer(|peer| peer.is_up) else { return };
        let name = self.name(place);
        self.push(act(name, how));
        self.peers[place].is_connected = false;
        if self.random.chance(75) {
            let time = self.time();
            self.push(wait(time));
            self.push(act(name, ActionKind::Restart));
            if self.random.chance(85) {
                self.connect_after_restart(place, true);
            }
        } else {
            self.peers[place].is_up = false;
        }
        self.peers[place].is_deaf = false;
    }

    pub(super) fn broker_fails(&mut self) {
        let how = self.random.pick(&[ActionKind::Crash, ActionKind::PowerLoss, ActionKind::Shutdown]);
        self.push(act(BROKER, how));
        let time = if self.random.chance(50) { Duration::from_millis(500) } else { self.time() };
        self.push(wait(time));
        self.push(act(BROKER, ActionKind::Restart));
        for peer in &mut self.peers {
            peer.is_connected = peer.reconnects && peer.is_connected;
        }
    }

    pub(super) fn lose_disk(&mut self) {
        if !self.swarm.is_durable {
            return;
        }
        let actions = vec![ActionKind::Crash, ActionKind::LoseDisk, ActionKind::Restart];
        self.push(acts(BROKER, actions));
        for peer in &mut self.peers {
            peer.is_connected = peer.reconnects && peer.is_connected;
        }
    }

    /// The broker takes other settings while it runs.
    pub(super) fn configure(&mut self) {
        if !self.broker_is_up {
            return;
        }
        let mut settings = Broker::default();
        match self.random.below(4) {
            0 => settings.queue_messages = given(Number::new(self.random.pick(&[1, 2]))),
            1 => settings.in_flight_messages = given(Number::new(self.random.pick(&[1, 2]))),
            2 => {
                let most = Duration::from_secs(self.random.pick(&[2, 5]));
                self.times.push(most);
                settings.max_session_expiry = given(Expiry::After(most.into()));
            }
            _ => settings.access = given(access()),
        }
        self.push(act(BROKER, ActionKind::Configure(Param::new(Configured(Box::new(settings))))));
    }

    pub(super) fn pause(&mut self) {
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

    pub(super) fn pause_broker(&mut self) {
        let time = self.time();
        self.push(act(BROKER, ActionKind::Pause(Some(Param::new(time.into())))));
        self.does_not_hold(Invariant::BrokerKeepsItsDeadline, "A broker that is paused closes nobody.");
        self.push(wait(time));
    }

    /// Several clients lose power at once.
    pub(super) fn site(&mut self) {
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
    pub(super) fn expire(&mut self) {
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
    pub(super) fn window(&mut self) {
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

    pub(super) fn stop_reading(&mut self) {
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

    pub(super) fn set_wall_clock(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_up) else { return };
        let name = if !self.swarm.is_fake && self.random.chance(60) { BROKER } else { self.name(place) };
        let by = self.random.pick(&[-3_600_000, 3_600_000, -5_000, 5_000]);
        self.push(act(name, ActionKind::SetWallClock(Param::new(Leap::new(by)))));
    }

    pub(super) fn clock_leaps(&mut self) {
        let Some(place) = self.peer(|peer| peer.is_up && !peer.is_raw) else { return };
        let kind = match self.random.chance(50) {
            true => ActionKind::ClockJump(Param::new(Leap::new(self.random.pick(&[-5_000, 5_000])))),
            false => ActionKind::ClockDrift(Param::new(Drift(self.random.pick(&[-200_000, 200_000])))),
        };
        self.push(act(self.name(place), kind));
        self.does_not_hold(Invariant::ClientKeepsItsInterval, "The clock of a client is wrong.");
    }

    pub(super) fn partition(&mut self) {
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
    pub(super) fn armed(&mut self, place: usize) -> Option<PacketType> {
        use PacketType::{PingReq, PubAck, PubComp, PubRec, PubRel, Publish};
        if !self.random.chance(35) || !self.peers[place].is_connected {
            return None;
        }
        Some(self.random.pick(&[Publish, Publish, PubAck, PubRec, PubRel, PubComp, PingReq]))
    }

    pub(super) fn publish_from(&mut self, place: usize) {
        let peer = &self.peers[place];
        if peer.is_connected && peer.is_up {
            let step = self.publication(place, true);
            self.push(step);
        }
    }

    pub(super) fn half_open(&mut self) {
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

    pub(super) fn reset(&mut self) {
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

    pub(super) fn set_link(&mut self) {
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

    pub(super) fn change_answers(&mut self) {
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
}
