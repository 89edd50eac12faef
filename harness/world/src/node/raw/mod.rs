//! Scripted peers: a client that writes what it is told, a broker that answers as it is told; both give the standard
//! answers unless told otherwise.

mod answers;
mod line;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use halfopen_protocol::packet::{Connect, PacketId, QoS, Subscribe, Subscription, Unsubscribe, UserProperties};
use halfopen_protocol::{Clock, Instant, Packet, PacketType, ReasonCode, Role, Version};

use self::answers::{AnswerScript, RawAcceptPolicy, id_of, refusal, standard};
use self::line::{Line, READ_BUFFER};
use super::{Command, Directive, Env, port};
use crate::carrying::TextFrames;
use crate::network::{AcceptPolicy, Network, Peer};
use crate::plan::{Answer, AnswerKind, CloseHow, NthConnection, RawBrokerProgram, RawClientProgram, number_text};
use crate::trace::ConnectionId;

/// Number of packets that may wait for a story that answers them late.
const MOST_OWED: usize = 100_000;

/// A scripted client: it opens its connections itself.
pub(super) async fn run_client<N: Network<Stream: TextFrames>, C: Clock>(env: Env<N, C>, program: &RawClientProgram) {
    let mut peer = RawPeer::new(env, Role::Client, program.connect.version, AnswerScript::new(program.answers.clone()));
    peer.program = Some(program);
    loop {
        let event = poll_fn(|cx| peer.poll(cx)).await;
        peer.handle(event).await;
    }
}

/// A scripted broker: it takes every connection.
pub(super) async fn run_broker<N: Network<Stream: TextFrames>, C: Clock>(env: Env<N, C>, program: &RawBrokerProgram) {
    let mut listener = port(&env.network).await;
    let network = env.network.clone();
    let version = env.plan.version;
    let mut peer = RawPeer::new(env, Role::Server, version, AnswerScript::new(program.answers.clone()));
    let policy = RawAcceptPolicy::new(&program.answers);
    network.set_accept_policy(Rc::clone(&policy) as Rc<dyn AcceptPolicy>);
    peer.policy = Some(Rc::clone(&policy));
    loop {
        tokio::select! {
            biased;
            event = poll_fn(|cx| peer.poll(cx)) => peer.handle(event).await,
            accepted = network.accept(&mut listener) => {
                // A listener of the world does not fail.
                if let Ok((stream, from)) = accepted {
                    peer.accepted(stream, from).await;
                }
            }
        }
    }
}

struct RawPeer<'a, N: Network, C> {
    env: Env<N, C>,
    side: Role,
    version: Version,
    script: AnswerScript,
    /// The accept policy of a raw broker.
    policy: Option<Rc<RawAcceptPolicy>>,
    /// The settings of a raw client.
    program: Option<&'a RawClientProgram>,
    /// The CONNECT of the latest connection, whose answer may lead to a SUBSCRIBE.
    subscribe_on_connack: bool,
    /// Connections, the latest last.
    lines: Vec<Line<N::Stream>>,
    dialing: Option<Dialing<N::Stream>>,
    /// True if the latest connection was ended by the other side.
    ended_by_peer: bool,
    /// The packets that have not been answered, in order.
    owed: VecDeque<(ConnectionId, Packet)>,
    /// Answers that are given later.
    later: Vec<Later>,
    alarm: Option<(Instant, Alarm)>,
    buffer: Box<[u8]>,
    last_id: PacketId,
}

/// Completes when the next of the later answers is due.
type Alarm = Pin<Box<dyn Future<Output = ()>>>;

struct Later {
    at: Instant,
    line: ConnectionId,
    /// The packet that is answered; a connection if `None`.
    packet: Option<Packet>,
    kind: AnswerKind,
}

/// The result of opening a connection.
type Opened<S> = io::Result<(S, Peer)>;

/// A connection that is being opened.
struct Dialing<S> {
    stream: Pin<Box<dyn Future<Output = Opened<S>>>>,
    version: Version,
    /// The packet that is sent as soon as the connection is open.
    connect: Option<Arc<Connect>>,
}

enum Event<S> {
    Dialed(Opened<S>),
    Arrived(usize),
    Ended(usize),
    Due(Later),
    Directive(Directive),
    /// The story has ended, the node lives on until the world does.
    NoMoreCommands,
}

impl<'a, N: Network<Stream: TextFrames>, C: Clock> RawPeer<'a, N, C> {
    fn new(env: Env<N, C>, side: Role, version: Version, script: AnswerScript) -> Self {
        Self {
            env,
            side,
            version,
            script,
            policy: None,
            program: None,
            subscribe_on_connack: false,
            lines: Vec::new(),
            dialing: None,
            ended_by_peer: false,
            owed: VecDeque::new(),
            later: Vec::new(),
            alarm: None,
            buffer: vec![0; READ_BUFFER].into(),
            last_id: PacketId::MAX,
        }
    }

    /// Returns what arrives comes before what is to be done, so that an order sees the state of its instant.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event<N::Stream>> {
        for (place, line) in self.lines.iter_mut().enumerate() {
            match line.poll(cx, &mut self.buffer) {
                Poll::Ready(Ok(1..)) => return Poll::Ready(Event::Arrived(place)),
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Event::Ended(place)),
                Poll::Pending => {}
            }
        }
        if let Some(dialing) = &mut self.dialing {
            // What it is told meanwhile is about the connection that it opens.
            return match dialing.stream.as_mut().poll(cx) {
                Poll::Ready(outcome) => Poll::Ready(Event::Dialed(outcome)),
                Poll::Pending => self.poll_later(cx),
            };
        }
        if let Poll::Ready(told) = self.env.commands.poll_recv(cx) {
            return Poll::Ready(told.map_or(Event::NoMoreCommands, Event::Directive));
        }
        self.poll_later(cx)
    }

    fn poll_later(&mut self, cx: &mut Context<'_>) -> Poll<Event<N::Stream>> {
        let Some(place) = (0..self.later.len()).min_by_key(|place| self.later[*place].at) else {
            self.alarm = None;
            return Poll::Pending;
        };
        let at = self.later[place].at;
        if self.alarm.as_ref().is_none_or(|(alarm, _)| *alarm != at) {
            self.alarm = Some((at, Box::pin(self.env.clock.sleep_until(at))));
        }
        let Some((_, alarm)) = &mut self.alarm else { return Poll::Pending };
        ready!(alarm.as_mut().poll(cx));
        self.alarm = None;
        Poll::Ready(Event::Due(self.later.remove(place)))
    }

    async fn handle(&mut self, event: Event<N::Stream>) {
        match event {
            Event::Arrived(place) => {
                let line = &mut self.lines[place];
                let (id, is_mute) = (line.peer.connection, line.is_mute);
                for packet in line.take_packets() {
                    if !is_mute {
                        self.arrived(id, packet).await;
                    }
                }
            }
            // The standard answer to the end of a connection is to close one's own side.
            Event::Ended(place) => {
                self.ended_by_peer = true;
                self.lines.remove(place);
            }
            Event::Dialed(outcome) => {
                if let Err(why) = self.dialed(outcome) {
                    self.complain(&why);
                }
            }
            Event::Due(later) => {
                if let Err(why) = self.react(later.line, later.packet, later.kind).await {
                    self.complain(&why);
                }
            }
            Event::Directive(told) => {
                let (step, in_background) = (told.step, told.in_background);
                if let Err(why) = self.act(told.command, &told.on).await
                    // What is done over and over in the background cannot know when the other side has had enough.
                    && !(in_background && self.ended_by_peer && self.lines.is_empty())
                {
                    self.env.recorder.step_failed(step, why);
                }
            }
            Event::NoMoreCommands => std::future::pending().await,
        }
    }

    async fn accepted(&mut self, stream: N::Stream, peer: Peer) {
        self.lines.push(Line::new(stream, peer, self.side, self.version));
        let Some(policy) = &self.policy else { return };
        let Answer { after, kind } = policy.admit(peer.connection);
        self.answer(peer.connection, None, after, kind).await;
    }

    async fn arrived(&mut self, line: ConnectionId, packet: Packet) {
        if let Packet::ConnAck(connack) = &packet
            && std::mem::take(&mut self.subscribe_on_connack)
            && connack.reason == ReasonCode::SUCCESS
            && !connack.session_present
            && let Some(program) = self.program.filter(|program| !program.subscribe.is_empty())
        {
            // The loader has made sure that it can be encoded.
            let of_line = self.lines.iter().find(|one| one.peer.connection == line).map(|one| self.name_of(one.peer));
            let _ = self.subscribe(program.subscribe.clone(), None, of_line.as_slice());
        }
        let Answer { after, kind } = self.script.next(packet.packet_type());
        self.answer(line, Some(packet), after, kind).await;
    }

    async fn answer(
        &mut self,
        line: ConnectionId,
        packet: Option<Packet>,
        after: std::time::Duration,
        kind: AnswerKind,
    ) {
        if after.is_zero() {
            if let Err(why) = self.react(line, packet, kind).await {
                self.complain(&why);
            }
        } else {
            self.later.push(Later { at: self.env.clock.now() + after, line, packet, kind });
        }
    }

    /// Answers a packet, or a connection if there is none.
    async fn react(&mut self, id: ConnectionId, packet: Option<Packet>, kind: AnswerKind) -> Result<(), String> {
        let Some(place) = self.lines.iter().position(|line| line.peer.connection == id) else { return Ok(()) };
        let line = &mut self.lines[place];
        match (kind, packet) {
            (AnswerKind::Standard, None) => Ok(()),
            (AnswerKind::Nothing, None) => {
                line.is_mute = true;
                Ok(())
            }
            // They never became connections.
            (AnswerKind::Refuse, None) | (AnswerKind::Ignore, _) => Ok(()),
            (AnswerKind::Standard, Some(Packet::Disconnect(_))) if self.side == Role::Server => {
                self.close(place, CloseHow::Fin).await;
                Ok(())
            }
            (AnswerKind::Standard, Some(packet)) => {
                standard(self.side, &packet, line.version).map_or(Ok(()), |answer| line.write(&answer))
            }
            (AnswerKind::Nothing, Some(packet)) => {
                if self.owed.len() < MOST_OWED && standard(self.side, &packet, line.version).is_some() {
                    self.owed.push_back((id, packet));
                }
                Ok(())
            }
            (AnswerKind::Refuse, Some(packet)) => {
                let answer = refusal(&packet, line.version);
                let answer = answer.ok_or_else(|| format!("there is no way to refuse a {}", packet.packet_type()))?;
                line.write(&answer)
            }
            (AnswerKind::Send(items), packet) => line.send(&items, None, packet.as_ref().and_then(id_of)),
            (AnswerKind::Close(how), _) => {
                self.close(place, how).await;
                Ok(())
            }
        }
    }

    /// An answer that could not be given is a failure of the story, though no step gave it.
    fn complain(&self, why: &str) {
        let step = self.env.plan.steps.first().map(|step| step.id).unwrap_or_default();
        let name = &self.env.plan.node(self.env.node).name;
        self.env.recorder.step_failed(step, format!("an answer of {name}: {why}"));
    }

    /// Does what it is told, on the latest of these connections; on the latest of all if there are none.
    async fn act(&mut self, command: Command, on: &[NthConnection]) -> Result<(), String> {
        match command {
            Command::Connect { connect } => {
                let own = self.program.map(|program| &program.connect);
                let Some(connect) = connect.map(Arc::unwrap_or_clone).or_else(|| own.cloned()) else { return Ok(()) };
                self.subscribe_on_connack = true;
                self.dial(connect.version, Some(Arc::new(connect)));
                Ok(())
            }
            Command::Open => {
                self.dial(self.version, None);
                Ok(())
            }
            Command::Subscribe { subscriptions, subscription_id } => self.subscribe(subscriptions, subscription_id, on),
            Command::Unsubscribe(filters) => {
                let packet_id = self.next_id();
                let user_properties = UserProperties::new();
                self.write(&Packet::Unsubscribe(Unsubscribe { packet_id, user_properties, filters }), on)
            }
            Command::Publish(mut publish) => {
                if publish.qos != QoS::AtMostOnce && publish.packet_id.is_none() {
                    publish.packet_id = Some(self.next_id());
                }
                self.write(&Packet::from(publish), on)
            }
            Command::Disconnect(disconnect) => {
                self.write(&Packet::Disconnect(*disconnect), on)?;
                self.close_one(CloseHow::Fin, on).await
            }
            Command::Close(how) => self.close_one(how, on).await,
            Command::Send(items) => {
                let own = self.program.map(|program| Packet::from(program.connect.clone()));
                self.line(on)?.send(&items, own.as_ref(), None)
            }
            Command::Answer(change) => {
                if let Some(policy) = &self.policy {
                    policy.change(&change);
                }
                self.script.change(change);
                self.pay().await
            }
            Command::SetReading(reads) => {
                self.line(on)?.reads = reads;
                Ok(())
            }
            // There is nothing that it would do on its own, and the rest is for brokers.
            Command::StopPinging
            | Command::ResumePinging
            | Command::Reauthenticate
            | Command::Shutdown
            | Command::Configure(_) => Ok(()),
        }
    }

    /// Answers what is owed and is not to stay unanswered any more.
    async fn pay(&mut self) -> Result<(), String> {
        for (line, packet) in std::mem::take(&mut self.owed) {
            let packet_type: PacketType = packet.packet_type();
            if self.script.is_silent_on(packet_type) {
                self.owed.push_back((line, packet));
            } else {
                let Answer { after, kind } = self.script.next(packet_type);
                self.answer(line, Some(packet), after, kind).await;
            }
        }
        Ok(())
    }

    /// Begins to open a connection beside those that there are.
    fn dial(&mut self, version: Version, connect: Option<Arc<Connect>>) {
        self.ended_by_peer = false;
        let Some(program) = self.program else { return };
        let (network, to) = (self.env.network.clone(), program.to);
        let stream = Box::pin(async move { network.connect(to).await });
        self.dialing = Some(Dialing { stream, version, connect });
    }

    /// A connection is open. That it was refused stands in the trace, and the step waits for its answer in vain.
    fn dialed(&mut self, outcome: Opened<N::Stream>) -> Result<(), String> {
        let (Some(dialing), Ok((stream, peer))) = (self.dialing.take(), outcome) else { return Ok(()) };
        let mut line = Line::new(stream, peer, self.side, dialing.version);
        let written = dialing.connect.map_or(Ok(()), |connect| line.write(&Packet::Connect(connect)));
        self.lines.push(line);
        written
    }

    async fn close_one(&mut self, how: CloseHow, on: &[NthConnection]) -> Result<(), String> {
        let place = self.place(on)?;
        self.close(place, how).await;
        Ok(())
    }

    async fn close(&mut self, place: usize, how: CloseHow) {
        let line = self.lines.remove(place);
        match how {
            CloseHow::Rst => self.env.network.abort(line.into_stream()),
            CloseHow::Fin | CloseHow::Timeout => line.close().await,
        }
        self.ended_by_peer = false;
    }

    fn subscribe(
        &mut self,
        subscriptions: Vec<Subscription>,
        subscription_id: Option<u32>,
        on: &[NthConnection],
    ) -> Result<(), String> {
        let packet_id = self.next_id();
        let user_properties = UserProperties::new();
        self.write(&Packet::Subscribe(Subscribe { packet_id, subscription_id, user_properties, subscriptions }), on)
    }

    /// Queues a packet.
    fn write(&mut self, packet: &Packet, on: &[NthConnection]) -> Result<(), String> {
        self.line(on)?.write(packet)
    }

    fn line(&mut self, on: &[NthConnection]) -> Result<&mut Line<N::Stream>, String> {
        let place = self.place(on)?;
        Ok(&mut self.lines[place])
    }

    /// Returns where the latest of these connections stands; the latest of all if there are none.
    fn place(&self, on: &[NthConnection]) -> Result<usize, String> {
        let is_meant = |line: &Line<N::Stream>| {
            let name = self.name_of(line.peer);
            on.is_empty() || on.contains(&name) || on.contains(&NthConnection::latest_of(name.client))
        };
        self.lines.iter().rposition(is_meant).ok_or_else(|| {
            let name = |id| &self.env.plan.node(id).name;
            let own = name(self.env.node);
            match on.iter().find(|one| one.client == self.env.node).or(on.first()) {
                Some(one) => {
                    format!("{own} has no connection {}#{}", name(one.client), number_text(one.number))
                }
                None => format!("{own} has no connection"),
            }
        })
    }

    fn name_of(&self, peer: Peer) -> NthConnection {
        let client = if self.side == Role::Client { self.env.node } else { peer.node };
        NthConnection { client, number: peer.number }
    }

    fn next_id(&mut self) -> PacketId {
        self.last_id = self.last_id.checked_add(1).unwrap_or(PacketId::MIN);
        self.last_id
    }
}
