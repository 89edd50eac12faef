use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use halfopen_process::{Event, Process, SocketId};
use halfopen_protocol::Instant;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::adapter::{self, Said};
use super::carried::{ForeignConnection, Then};
use super::{ForeignProgram, ForeignRole, address};
use crate::network::{Network, Peer};
use crate::node::output::{ProgramOutput, shortened};
use crate::node::queue::QueueReceiver;
use crate::node::{Command, Directive, Env, WorldClock, accept, log};
use crate::plan::{Node, NodeId, Plan, Program};
use crate::record::Recorder;

/// Maximum number of bytes that a program has sent and the world's window has not taken yet, in one connection.
const HELD: usize = 64 * 1024;

/// A process, its connections, and the node that it runs on.
pub(super) struct Machine<N: Network, C> {
    plan: Arc<Plan>,
    node: NodeId,
    network: N,
    clock: C,
    recorder: Recorder,
    foreign: ForeignProgram,
    name: String,
    command: String,
    process: Process,
    /// The time by which its clock is ahead of the node's: what it took until it listened.
    boot: Duration,
    listener: Option<SocketId>,
    accepting: Option<Pending>,
    arrivals: (UnboundedSender<Arrival<N>>, UnboundedReceiver<Arrival<N>>),
    /// Connections that the program is opening.
    opening: BTreeMap<SocketId, Opening<N>>,
    carried: BTreeMap<SocketId, ForeignConnection<N>>,
    /// The commands of the script for the adapter.
    commands: QueueReceiver<Directive>,
    /// Lines for which the adapter's standard input had no room.
    input: VecDeque<u8>,
    /// True if the adapter is ready for commands.
    is_adapter_ready: bool,
    /// Time at which the process is to be run again, by the node's clock.
    sleep: Option<(Duration, Pending)>,
    output: ProgramOutput,
    exit: Option<String>,
}

/// A connection that the program can accept.
type Arrival<N> = (<N as Network>::Stream, Peer);

/// A connection that is being opened.
type Opening<N> = Pin<Box<dyn Future<Output = io::Result<Arrival<N>>>>>;

/// Something that goes on beside the process.
type Pending = Pin<Box<dyn Future<Output = ()>>>;

impl<N: Network, C: WorldClock> Machine<N, C> {
    pub(super) fn new(
        env: Env<N, C>,
        foreign: ForeignProgram,
        process: Process,
        name: String,
        command: String,
    ) -> Self {
        let Env { plan, node, network, clock, recorder, commands, .. } = env;
        Self {
            plan,
            node,
            network,
            clock,
            recorder,
            foreign,
            name,
            command,
            process,
            boot: Duration::ZERO,
            listener: None,
            accepting: None,
            arrivals: unbounded_channel(),
            opening: BTreeMap::new(),
            carried: BTreeMap::new(),
            commands,
            input: VecDeque::new(),
            is_adapter_ready: false,
            sleep: None,
            output: ProgramOutput::default(),
            exit: None,
        }
    }

    /// Lets the program run by itself until it is ready: the world begins, or goes on, with a program that is.
    pub(super) fn boot(&mut self) -> Result<(), String> {
        let began = self.clock.now().since_origin();
        let end = began + self.foreign.0.options.ready_within;
        let (mut now, mut fire) = (began, false);
        while !self.is_ready() {
            let events = self.process.run(now, fire, None).map_err(|error| error.to_string())?;
            for event in events {
                match event {
                    Event::Connects { socket, .. } => self.process.connected(socket, Err(CONNECTION_REFUSED)),
                    event => self.take(event)?,
                }
            }
            if let Some(status) = &self.exit {
                let why = self.process.exec_error().map_or_else(|| status.clone(), |error| error.to_string());
                return Err(format!("it ended before it {} ({why})", self.foreign.0.options.role.ready().0));
            }
            if fire && !self.is_ready() {
                match self.process.deadline().filter(|deadline| *deadline <= end) {
                    Some(deadline) => now = deadline,
                    None => {
                        let ready = self.foreign.0.options.role.ready().1;
                        return Err(format!("it does not {ready} within {:?}", end - began));
                    }
                }
            }
            fire = !fire;
        }
        self.boot = now - began;
        self.begin();
        Ok(())
    }

    fn is_ready(&self) -> bool {
        match &self.foreign.0.options.role {
            ForeignRole::Broker { .. } => self.listener.is_some(),
            ForeignRole::Client => self.is_adapter_ready,
        }
    }

    /// Tells a client to connect that does so on its own.
    fn begin(&mut self) {
        let plan = Arc::clone(&self.plan);
        if let Program::Client(client) = &plan.node(self.node).program
            && client.autostart
        {
            self.tell(&Command::Connect { connect: None });
        }
    }

    /// Runs the program whenever something arrives for it or its time has come.
    pub(super) async fn serve(&mut self) -> Result<(), String> {
        let mut fire = false;
        loop {
            let local = self.clock.now().since_origin();
            let quiet = if fire { self.clock.quiet_until().map(|quiet| self.boot + quiet) } else { None };
            let ran = self.process.run(self.boot + local, fire, quiet);
            let events = RefCell::new(ran.map_err(|error| error.to_string())?);
            // It went on by itself while nothing else could happen: the world's time follows.
            let own = self.process.now().saturating_sub(self.boot);
            if own > local {
                self.clock.sleep_until(Instant::new(own)).await;
            }
            poll_fn(|cx| Poll::Ready(events.borrow_mut().drain(..).try_for_each(|event| self.apply(event, cx))))
                .await?;
            self.take_notes();
            if let Some(status) = &self.exit {
                return Err(format!("it ended by itself ({status})"));
            }
            self.set_sleep();
            fire = poll_fn(|cx| self.poll_world(cx)).await;
        }
    }

    /// Takes what concerns no connection.
    fn take(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Listens { socket, at } => {
                // A program that listens on several addresses at this port is reached on the first.
                if matches!(self.foreign.0.options.role, ForeignRole::Broker { port, .. } if port == at.port())
                    && self.listener.is_none()
                {
                    self.listener = Some(socket);
                    self.accepting = Some(Box::pin(accept(self.network.clone(), self.arrivals.0.clone())));
                }
            }
            Event::StoppedListening { socket } => {
                if self.listener == Some(socket) {
                    self.listener = None;
                    self.accepting = None;
                }
            }
            Event::Output(bytes) => self.read_output(&bytes)?,
            Event::Unsupported(what) => {
                let note = format!("{}: the program asked for what is not in a world: {what}", self.name);
                self.foreign.note(note);
            }
            Event::Exited(status) => self.exit = Some(status.to_string()),
            Event::Connects { .. } | Event::Sent { .. } | Event::Finished { .. } | Event::Aborted { .. } => {}
        }
        Ok(())
    }

    /// Brings what the program has done into the world.
    fn apply(&mut self, event: Event, cx: &mut Context<'_>) -> Result<(), String> {
        match event {
            Event::Connects { socket, to } => match address::node(to.ip()).filter(|node| self.is_broker(*node)) {
                Some(node) => {
                    let network = self.network.clone();
                    self.opening.insert(socket, Box::pin(async move { network.connect(node).await }));
                }
                None => self.process.connected(socket, Err(CONNECTION_REFUSED)),
            },
            Event::Sent { socket, bytes } => {
                let Some(carried) = self.carried.get_mut(&socket) else { return Ok(()) };
                carried.out.extend(bytes);
                self.flush(socket, cx);
            }
            Event::Finished { socket, closed } => {
                self.flush(socket, cx);
                if closed {
                    // What does not fit into a window that is full goes with it.
                    self.carried.remove(&socket);
                } else if let Some(carried) = self.carried.get_mut(&socket) {
                    carried.then = Then::Finish;
                    self.flush(socket, cx);
                }
            }
            Event::Aborted { socket } => {
                self.opening.remove(&socket);
                self.flush(socket, cx);
                if let Some(carried) = self.carried.remove(&socket) {
                    self.network.abort(carried.stream);
                }
            }
            event => self.take(event)?,
        }
        Ok(())
    }

    fn is_broker(&self, node: NodeId) -> bool {
        self.plan.nodes.get(node.0).is_some_and(Node::is_broker)
    }

    /// Sends what the program has sent, as far as the window is open, and what follows; returns whether the program can
    /// notice.
    fn flush(&mut self, socket: SocketId, cx: &mut Context<'_>) -> bool {
        let Some(carried) = self.carried.get_mut(&socket) else { return false };
        let was_held = carried.out.len() > HELD;
        if let Poll::Ready(Err(error)) = carried.flush(cx) {
            self.carried.remove(&socket);
            self.process.reset(socket, error_number(&error));
            return true;
        }
        let is_held = carried.out.len() > HELD;
        if is_held != was_held {
            self.process.hold(socket, is_held);
        }
        was_held && !is_held
    }

    /// Brings what arrives to the program; ready when it is to run, with whether time-outs are to be judged.
    fn poll_world(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut stirred = self.take_commands(cx);
        stirred |= self.poll_opening(cx);
        if let Some(accepting) = &mut self.accepting {
            let _ = accepting.as_mut().poll(cx);
        }
        while let Ok((stream, peer)) = self.arrivals.1.try_recv() {
            let address = (address::of(peer.node), 40_000 + peer.number as u16).into();
            // A connection for which nobody listens any more is dropped here.
            if let Some(socket) = self.listener.and_then(|listener| self.process.arrive(listener, address)) {
                self.carried.insert(socket, ForeignConnection::new(stream, peer));
                stirred = true;
            }
        }
        let sockets: Vec<SocketId> = self.carried.keys().copied().collect();
        for socket in sockets {
            stirred |= self.flush(socket, cx);
            stirred |= self.read(socket, cx);
        }
        if stirred {
            return Poll::Ready(false);
        }
        match &mut self.sleep {
            Some((_, sleep)) => sleep.as_mut().poll(cx).map(|()| true),
            None => Poll::Pending,
        }
    }

    /// Brings the end of an attempt to connect to the program; returns whether there was one.
    fn poll_opening(&mut self, cx: &mut Context<'_>) -> bool {
        let Self { opening, process, carried, .. } = self;
        let before = opening.len();
        opening.retain(|socket, opening| match opening.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(Ok((stream, peer))) => {
                carried.insert(*socket, ForeignConnection::new(stream, peer));
                process.connected(*socket, Ok(()));
                false
            }
            Poll::Ready(Err(error)) => {
                process.connected(*socket, Err(error_number(&error)));
                false
            }
        });
        opening.len() < before
    }

    /// Brings what the script says to the adapter; returns whether there was anything.
    fn take_commands(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.is_adapter_ready {
            return false;
        }
        while let Poll::Ready(Some(directive)) = self.commands.poll_recv(cx) {
            self.tell(&directive.command);
        }
        let before = self.input.len();
        while !self.input.is_empty() {
            let count = self.process.write_input(self.input.as_slices().0);
            self.input.drain(..count);
            if count == 0 {
                break;
            }
        }
        self.input.len() < before
    }

    /// Tells the adapter to do something.
    fn tell(&mut self, command: &Command) {
        let Program::Client(client) = &self.plan.node(self.node).program else { return };
        let line = match command {
            Command::Connect { connect } => {
                let connect = connect.as_deref().unwrap_or(&client.options.connect);
                let transport = self.plan.node(client.to).transport();
                Some(adapter::connect_line(connect, client, address::of(client.to), transport))
            }
            command => adapter::command_line(command),
        };
        self.input.extend(line.into_iter().flat_map(String::into_bytes));
    }

    /// Brings the bytes, and the end, of a connection to the program; returns whether there were any.
    fn read(&mut self, socket: SocketId, cx: &mut Context<'_>) -> bool {
        let Some(carried) = self.carried.get_mut(&socket) else { return false };
        let mut stirred = false;
        while carried.reads {
            if !carried.back.is_empty() {
                let count = self.process.receive_bytes(socket, &carried.back);
                carried.back.drain(..count);
                stirred |= count > 0;
                if !carried.back.is_empty() {
                    break;
                }
            }
            let mut buffer = [0; 16 * 1024];
            let mut buffer = ReadBuf::new(&mut buffer);
            match Pin::new(&mut carried.stream).poll_read(cx, &mut buffer) {
                Poll::Pending => break,
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                    carried.reads = false;
                    self.process.receive_fin(socket);
                }
                Poll::Ready(Ok(())) => {
                    carried.back.extend_from_slice(buffer.filled());
                    carried.client_id.learn(buffer.filled());
                }
                Poll::Ready(Err(error)) => {
                    self.process.reset(socket, error_number(&error));
                    self.carried.remove(&socket);
                    return true;
                }
            }
            stirred = true;
        }
        stirred
    }

    /// Sets the alarm for the process. One that goes on is kept, so that what arrives at its very instant comes first.
    fn set_sleep(&mut self) {
        let deadline = self.process.deadline().map(|deadline| deadline.saturating_sub(self.boot));
        if self.sleep.as_ref().map(|(deadline, _)| *deadline) != deadline {
            let sleep = |deadline| -> Pin<Box<dyn Future<Output = ()>>> {
                Box::pin(self.clock.sleep_until(Instant::new(deadline)))
            };
            self.sleep = deadline.map(|deadline| (deadline, sleep(deadline)));
        }
    }

    fn take_notes(&mut self) {
        if let Some(why) = self.process.stats().nondeterminism() {
            self.foreign.note(format!("{}: two runs may differ: {why}", self.name));
        }
    }

    /// Reads what the program prints, line by line.
    fn read_output(&mut self, bytes: &[u8]) -> Result<(), String> {
        for line in self.output.read(bytes) {
            let now = self.clock.world_time(self.clock.now());
            log(&self.plan, self.node, now, || vec![line.clone()]);
            match &self.foreign.0.options.role {
                ForeignRole::Broker { read_log, .. } => {
                    let Some((client_id, because)) = read_log(&line) else { continue };
                    // Of several with the same identifier, the one that is closed is the one that was there first.
                    let of_client = |carried: &&ForeignConnection<N>| carried.client_id.is(&client_id);
                    if let Some(carried) = self.carried.values().find(of_client) {
                        self.recorder.closing(self.node, carried.peer.node, carried.peer.connection, because, None);
                    }
                }
                ForeignRole::Client => self.hear(&line)?,
            }
        }
        Ok(())
    }

    /// Takes a line of the adapter.
    fn hear(&mut self, line: &str) -> Result<(), String> {
        let said =
            Said::read(line).map_err(|why| format!("it says what makes no sense ({why}): {}", shortened(line)))?;
        match said {
            Said::Ready => self.is_adapter_ready = true,
            Said::Connected { session_present } => self.recorder.connected(self.node, session_present),
            Said::Message(message) => self.recorder.delivered(self.node, Arc::from(message)),
            Said::Cannot(why) => self.foreign.refuse(format!("the client of {} cannot do it: {why}", self.name)),
            Said::Note => {}
        }
        Ok(())
    }

    /// Reports that the program failed, with its last lines.
    pub(super) fn fail(&self, trouble: &str) {
        let lines = self.output.last_lines();
        self.foreign.fail(format!("`{}` on {}: {trouble}{lines}", self.command, self.name));
    }
}

/// The death of the process: Linux resets the connections of which it has not read all.
impl<N: Network, C> Drop for Machine<N, C> {
    fn drop(&mut self) {
        for (socket, carried) in std::mem::take(&mut self.carried) {
            if self.process.unread(socket) > 0 || !carried.back.is_empty() {
                self.network.abort(carried.stream);
            }
        }
    }
}

// Linux's numbers, which are the same on all architectures that a process can run on.
const CONNECTION_RESET: i32 = 104;
const TIMED_OUT: i32 = 110;
const CONNECTION_REFUSED: i32 = 111;

/// Returns the number of an error of the world as Linux would say it.
fn error_number(error: &io::Error) -> i32 {
    match error.kind() {
        io::ErrorKind::TimedOut => TIMED_OUT,
        io::ErrorKind::ConnectionRefused => CONNECTION_REFUSED,
        _ => CONNECTION_RESET,
    }
}
