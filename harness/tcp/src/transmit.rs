use std::time::Duration;

use crate::connection::{Program, State};
use crate::network::{Arrival, Timeout};
use crate::path::Path;
use crate::probing::Probe;
use crate::segment::{Flag, Segment};
use crate::{ConnectionId, Event, FaultId, HostId, Network, Side, Socket};

/// Sending, losing and retransmitting segments.
impl Network {
    /// Sends what programs have written and what hosts have to answer: host by host; of each host first the handshakes,
    /// acknowledgements and RSTs, then the bytes of its sockets by the order in which they were created.
    pub fn flush(&mut self, now: Duration) {
        self.send_all(now);
        for socket in std::mem::take(&mut self.aborting) {
            self.abort_now(now, socket);
        }
        for host in std::mem::take(&mut self.stopped_listening) {
            self.abort_unaccepted(now, host);
        }
        self.sweep();
    }

    /// Lets one time-out happen that is due, and returns whether there was one.
    pub fn handle_timeout(&mut self, now: Duration) -> bool {
        let Some((_, timeout)) = self.timeouts.first_key().filter(|(at, _)| *at <= now) else { return false };
        if let Some(socket) = self.timeouts.pop() {
            match timeout {
                Timeout::Retry => self.retry(now, socket),
                Timeout::GiveUp => self.give_up(now, socket),
                Timeout::Probe => self.probe(now, socket),
            }
        }
        true
    }

    fn send_all(&mut self, now: Duration) {
        let (mut control, mut writers) = (std::mem::take(&mut self.control), std::mem::take(&mut self.writers));
        control.sort_by_key(|(host, ..)| *host);
        writers.sort_unstable();
        let (mut control, mut writers) = (control.into_iter().peekable(), writers.into_iter().peekable());
        while let Some(host) =
            control.peek().map(|(host, ..)| *host).into_iter().chain(writers.peek().map(|(host, ..)| *host)).min()
        {
            while let Some((_, socket, segment)) = control.next_if(|(of, ..)| *of == host) {
                self.depart(now, socket, segment);
            }
            while let Some((.., socket)) = writers.next_if(|(of, ..)| *of == host) {
                self.send_stream(now, socket);
            }
        }
    }

    /// Sends as much of the stream of a socket as the window allows.
    fn send_stream(&mut self, now: Duration, socket: Socket) {
        let Some(end) = self.end_mut(socket) else { return };
        end.is_queued = false;
        while let Some(end) = self.end_mut(socket).filter(|end| end.state == State::Synchronized)
            && let Some((payload, flag)) = end.sender.next_segment()
        {
            let segment = Segment { payload, flag, ..end.acknowledgement() };
            self.depart(now, socket, segment);
        }
        if self.end(socket).is_some_and(|end| end.sender.must_begin_probing()) {
            let round_trip = self.round_trip(socket);
            let Some(end) = self.end_mut(socket) else { return };
            let at = end.sender.begin_probing(now, round_trip);
            self.timeouts.push((at, Timeout::Probe), socket);
        }
    }

    /// Lets a segment leave its host.
    pub(crate) fn depart(&mut self, now: Duration, socket: Socket, segment: Segment) {
        let Some(path) = self.path(socket) else { return };
        let give_up = self.path_settings(path).give_up;
        let must_arrive = self.must_arrive(socket, &segment);
        if self.host_of(socket).is_none_or(|host| self.host(host).is_down) {
            return;
        }
        let Some(end) = self.end_mut(socket) else { return };
        if segment.flag == Flag::Rst {
            end.sender.forget();
            if !end.is_gone() {
                end.state = State::Reset;
            }
            self.events.push_back(Event::Aborted(socket));
            return self.send(now, socket, path, segment);
        }
        end.sender.sent(&segment, now, give_up);
        if must_arrive && end.sender.is_held_up() {
            self.lose(now, socket, segment, now);
        } else {
            self.send(now, socket, path, segment);
        }
    }

    /// Puts a segment on its way, unless the path is cut or loses it.
    fn send(&mut self, now: Duration, socket: Socket, path: Path, segment: Segment) {
        self.forget_if_idle(now, socket);
        self.ask_middlebox(now, socket);
        if let Some(fault) = self.obstacle(socket) {
            self.fault_hit(fault);
            return self.lose(now, socket, segment, now);
        }
        if self.path_loses(path) {
            return self.lose(now, socket, segment, now);
        }
        self.put_on_path(now, socket, path, segment);
    }

    /// Puts a segment on its way that nothing holds up.
    pub(crate) fn put_on_path(&mut self, now: Duration, socket: Socket, path: Path, segment: Segment) {
        self.pass_middlebox(now, socket, segment.flag == Flag::Rst);
        let travel_time = self.travel_time(path, now, segment.payload.len());
        let Some(end) = self.end_mut(socket) else { return };
        let sender = &mut end.sender;
        sender.drop_lost_ack();
        sender.in_flight += 1;
        let at = sender.arrives(now + travel_time);
        if self.has_idle_limits
            && let Some(connection) = self.connection_mut(socket.connection)
        {
            connection.passed_at = now.into();
        }
        self.arrivals.push(at, Arrival { segment, from: socket, left: now.into() });
    }

    /// Makes the path forget a connection on which nothing has passed for longer than the path remembers it.
    fn forget_if_idle(&mut self, now: Duration, socket: Socket) {
        if !self.has_idle_limits {
            return;
        }
        let limit = |socket: Socket| self.path_settings(self.path(socket)?).idle_limit;
        let limit = limit(socket).into_iter().chain(limit(socket.peer())).min();
        let Some(connection) = self.connection_mut(socket.connection) else { return };
        let is_over = limit.is_some_and(|limit| now.saturating_sub(connection.passed_at.into()) > limit);
        if connection.is_established && is_over {
            connection.client.sender.forgotten.get_or_insert(FaultId::IDLE);
            connection.server.sender.forgotten.get_or_insert(FaultId::IDLE);
        }
    }

    /// Returns the fault that keeps what this socket sends from arriving.
    fn obstacle(&self, socket: Socket) -> Option<FaultId> {
        let forgotten = self.end(socket)?.sender.forgotten;
        forgotten.or_else(|| self.partition_of(self.path(socket)?)).or_else(|| self.middlebox_obstacle(socket))
    }

    /// Returns whether a segment is sent again until it arrives. An acknowledgement is only what ends the handshake.
    fn must_arrive(&self, socket: Socket, segment: &Segment) -> bool {
        let is_confirmed = || self.connection(socket.connection).is_none_or(|connection| connection.is_confirmed);
        segment.length() > 0 || (socket.side == Side::Client && !is_confirmed())
    }

    /// Loses a segment that left at `left`. It is sent again if it has to arrive.
    pub(crate) fn lose(&mut self, now: Duration, socket: Socket, segment: Segment, left: Duration) {
        let must_arrive = self.must_arrive(socket, &segment);
        let Some(connection) = self.connection(socket.connection) else { return };
        let is_peer_gone = connection.end(socket.side.other()).is_gone();
        let is_gone = connection.end(socket.side).is_gone();
        if matches!(segment.flag, Flag::Rst | Flag::Probe) || is_gone || (!must_arrive && is_peer_gone) {
            return;
        }
        let round_trip = self.round_trip(socket);
        let Some(end) = self.end_mut(socket) else { return };
        let retry = if must_arrive {
            end.sender.lose(segment, left, round_trip)
        } else {
            end.sender.lose_ack(segment, left, round_trip)
        };
        if let Some(at) = retry {
            self.timeouts.push((at.max(now), Timeout::Retry), socket);
        }
        self.watch(now, socket);
        self.watch(now, socket.peer());
    }

    /// Looks again when this socket has waited long enough for an answer.
    fn watch(&mut self, now: Duration, socket: Socket) {
        let Some(end) = self.end_mut(socket) else { return };
        if end.sender.is_watched || end.is_gone() {
            return;
        }
        if let Some(at) = end.sender.failure_due() {
            end.sender.is_watched = true;
            self.timeouts.push((at.max(now), Timeout::GiveUp), socket);
        }
    }

    /// Sends again what was lost.
    fn retry(&mut self, now: Duration, socket: Socket) {
        let Some(path) = self.path(socket) else { return };
        self.forget_if_idle(now, socket);
        self.ask_middlebox(now, socket);
        let obstacle = self.obstacle(socket);
        let has_way_back = self.obstacle(socket.peer()).is_none();
        // An acknowledgement is repeated as an answer, so for as long as the other end asks.
        let give_up = self.path(socket.peer()).map_or(Duration::MAX, |back| self.path_settings(back).give_up);
        let Some(end) = self.end_mut(socket) else { return };
        if !end.sender.begin_retry(now) {
            return;
        }
        if end.sender.ack_lost_since().is_some_and(|since| since.saturating_add(give_up) <= now) {
            end.sender.drop_lost_ack();
            self.ending.push(socket.connection);
        }
        let is_lost = obstacle.is_some() || self.path_loses(path);
        let Some(end) = self.end_mut(socket) else { return };
        // An acknowledgement is repeated only as an answer, so the other end's repetition must get through as well.
        let segments = if is_lost { Vec::new() } else { end.sender.take_lost(has_way_back) };
        if end.sender.has_losses()
            && let Some(at) = end.sender.retry_failed(now)
        {
            self.timeouts.push((at.max(now), Timeout::Retry), socket);
        }
        for segment in segments {
            self.put_on_path(now, socket, path, segment);
        }
    }

    /// Asks whether the other end's window is still closed, or gives up if nobody has answered for too long.
    fn probe(&mut self, now: Duration, socket: Socket) {
        let Some(path) = self.path(socket) else { return };
        let give_up = self.path_settings(path).give_up;
        let Some(end) = self.end_mut(socket).filter(|end| end.state == State::Synchronized) else { return };
        match end.sender.next_probe(now, give_up) {
            None => {}
            Some(Probe::Ask { again_at }) => {
                let probe = Segment { flag: Flag::Probe, ..end.acknowledgement() };
                self.send_control(socket, probe);
                self.timeouts.push((again_at, Timeout::Probe), socket);
            }
            Some(Probe::GiveUp) => {
                self.fail(socket, State::TimedOut);
                self.ending.push(socket.connection);
            }
        }
    }

    fn round_trip(&self, socket: Socket) -> Duration {
        let latency = |path: Option<Path>| path.map_or(Duration::ZERO, |path| self.path_settings(path).latency);
        latency(self.path(socket)) + latency(self.path(socket.peer()))
    }

    /// Makes a socket fail that has waited long enough for an answer.
    fn give_up(&mut self, now: Duration, socket: Socket) {
        let Some(end) = self.end_mut(socket) else { return };
        end.sender.is_watched = false;
        if end.is_gone() {
            return;
        }
        match end.sender.failure_due() {
            Some(due) if due <= now => {
                self.fail(socket, State::TimedOut);
                self.ending.push(socket.connection);
            }
            _ => self.watch(now, socket),
        }
    }

    /// Makes the TCP of a host give up a connection, and its program's calls fail.
    pub(crate) fn fail(&mut self, socket: Socket, state: State) {
        let Some(connection) = self.connection_mut(socket.connection) else { return };
        connection.end_handshake(socket.side);
        let end = connection.end_mut(socket.side);
        if !end.is_gone() {
            end.state = state;
        }
        end.sender.forget();
        if end.program == Program::Closed {
            end.receiver.clear();
        }
        if end.program == Program::Waiting && socket.side == Side::Client {
            self.events.push_back(Event::Connected(socket.connection));
        }
        self.wake(socket, true, true);
    }

    /// Aborts a connection whose program asked for it.
    fn abort_now(&mut self, now: Duration, socket: Socket) {
        self.fail(socket, State::Reset);
        self.depart(now, socket, Segment::rst());
    }

    /// Aborts the connections that nobody will accept any more.
    fn abort_unaccepted(&mut self, now: Duration, host: HostId) {
        let is_waiting = |id: &ConnectionId| {
            let server = self.connection(*id).map(|connection| &connection.server);
            server.is_some_and(|end| {
                let has_answered = matches!(end.state, State::Opening | State::Synchronized);
                end.program == Program::Waiting && has_answered && end.sender.next_sequence() > 0
            })
        };
        let waiting: Vec<ConnectionId> = self.host(host).served().filter(is_waiting).collect();
        for id in waiting {
            let socket = Socket::new(id, Side::Server);
            self.abort_now(now, socket);
            self.close(socket);
        }
        self.host_mut(host).clear_backlog();
    }
}
