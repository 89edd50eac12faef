use std::time::Duration;

use crate::connection::{Program, State};
use crate::network::Arrival;
use crate::segment::{Flag, Segment};
use crate::{ConnectionId, Event, HostId, Network, Side, Socket, StreamEnd, SynDecision};

/// The arrival of segments.
impl Network {
    /// Lets one segment arrive that is due, and returns whether there was one. `decide` says what becomes of a SYN at a
    /// host whose program listens; it is asked anew each time the SYN arrives.
    pub fn handle_arrival(&mut self, now: Duration, decide: impl FnOnce(HostId, ConnectionId) -> SynDecision) -> bool {
        if self.arrivals.first_key().is_none_or(|at| at > now) {
            return false;
        }
        if let Some(arrival) = self.arrivals.pop() {
            self.arrive(now, arrival, decide);
        }
        true
    }

    /// Returns whether the next segment that is due is an RST, after which what a program answers does not leave any
    /// more.
    pub fn abort_is_due(&self, now: Duration) -> bool {
        self.arrivals.first().is_some_and(|(at, arrival)| at <= now && arrival.segment.flag == Flag::Rst)
    }

    fn arrive(
        &mut self,
        now: Duration,
        Arrival { segment, from, left }: Arrival,
        decide: impl FnOnce(HostId, ConnectionId) -> SynDecision,
    ) {
        let (to, left) = (from.peer(), left.into());
        let (Some(host), Some(sender)) = (self.host_of(to), self.end_mut(from)) else { return };
        sender.sender.in_flight -= 1;
        self.ending.push(from.connection);
        if self.host(host).is_down {
            return self.lose(now, from, segment, left);
        }
        if segment.is_opening() {
            let is_listening = self.host(host).is_listening;
            match if is_listening { decide(host, from.connection) } else { SynDecision::Reset } {
                SynDecision::Accept => {}
                SynDecision::Drop => return self.lose(now, from, segment, left),
                SynDecision::Reset => {
                    self.events.push_back(Event::EndArrived { sender: from, end: StreamEnd::Refused });
                    return self.answer_with_rst(now, from, segment, left);
                }
            }
        }
        if self.is_for_nobody(to, &segment) {
            self.events.push_back(Event::ArrivedUnread { sender: from, bytes: segment.stream_offset() });
            if segment.flag == Flag::Fin {
                self.events.push_back(Event::EndArrived { sender: from, end: StreamEnd::Fin });
            }
            self.fail(to, State::Reset);
            return self.answer_with_rst(now, from, segment, left);
        }
        self.receive(now, from, segment);
    }

    /// Returns whether a host answers a segment with RST, because it does not know the connection or nobody will ever
    /// read the bytes.
    fn is_for_nobody(&self, to: Socket, segment: &Segment) -> bool {
        let Some(end) = self.end(to) else { return false };
        let takes_sequence = segment.length() > 0 && matches!(segment.flag, Flag::None | Flag::Fin);
        match end.is_gone() {
            true => takes_sequence,
            false => end.program == Program::Closed && !segment.payload.is_empty(),
        }
    }

    /// Answers a segment with RST. A sender that never gets that answer sends again.
    fn answer_with_rst(&mut self, now: Duration, from: Socket, segment: Segment, left: Duration) {
        let to = from.peer();
        let in_flight = |network: &Self| network.end(to).map(|end| end.sender.in_flight);
        let before = in_flight(self);
        self.depart(now, to, Segment::rst());
        if in_flight(self) == before {
            self.lose(now, from, segment, left);
            if let Some(end) = self.end_mut(from) {
                end.sender.lost_the_answer();
            }
        }
    }

    /// Hands a segment to the TCP of the host at which it has arrived.
    fn receive(&mut self, now: Duration, from: Socket, segment: Segment) {
        let to = from.peer();
        let stream_end = match segment.flag {
            Flag::Fin => Some(StreamEnd::Fin),
            Flag::Rst => Some(StreamEnd::Rst),
            Flag::None | Flag::Syn | Flag::Probe => None,
        };
        self.events.extend(stream_end.map(|end| Event::EndArrived { sender: from, end }));
        if segment.flag == Flag::Rst {
            return self.fail(to, State::Reset);
        }
        let Some(connection) = self.connection_mut(from.connection) else { return };
        if let Some(up_to) = segment.acknowledgement {
            connection.end_mut(to.side).sender.acknowledged(up_to, now);
        }
        match to.side {
            Side::Client if segment.flag == Flag::Syn => connection.is_established = true,
            Side::Server if segment.acknowledgement.is_some() => connection.is_confirmed = true,
            _ => {}
        }
        let end = connection.end(to.side);
        match end.state {
            // The host knows nothing of the connection, unless its program is yet to see how it failed.
            State::Reset | State::TimedOut if end.program == Program::Closed => self.send_control(to, Segment::rst()),
            State::Reset | State::TimedOut => {}
            State::Absent if segment.is_opening() => self.answer_syn(to, &segment),
            State::Absent => {}
            State::Opening => self.finish_handshake(to, &segment),
            State::Synchronized => self.receive_stream(to, segment),
        }
    }

    /// A server answers SYN.
    fn answer_syn(&mut self, to: Socket, segment: &Segment) {
        let rank = self.take_rank();
        let Some(end) = self.end_mut(to) else { return };
        end.state = State::Opening;
        end.rank = rank;
        end.receiver.next = 1;
        end.sender.window = segment.window;
        let answer = Segment { flag: Flag::Syn, acknowledgement: Some(1), window: u16::MAX, ..Segment::default() };
        self.send_control(to, answer);
    }

    /// A client receives the answer to its SYN, or a server the acknowledgement of that answer.
    fn finish_handshake(&mut self, to: Socket, segment: &Segment) {
        let is_expected =
            segment.acknowledgement == Some(1) && (segment.flag == Flag::Syn) == (to.side == Side::Client);
        let Some(end) = self.end_mut(to).filter(|_| is_expected) else { return };
        end.state = State::Synchronized;
        end.sender.window = segment.window;
        match to.side {
            Side::Client => {
                end.receiver.next = 1;
                let is_awaited = end.program == Program::Waiting;
                let acknowledgement = end.acknowledgement();
                self.events.extend(is_awaited.then_some(Event::Connected(to.connection)));
                self.send_control(to, acknowledgement);
            }
            Side::Server => {
                let host = end.host;
                self.host_mut(host).served_mut().backlog.push_back(to.connection);
                self.events.push_back(Event::Acceptable(host));
            }
        }
    }

    /// An open connection receives an acknowledgement, bytes, or FIN.
    fn receive_stream(&mut self, to: Socket, segment: Segment) {
        let Some(end) = self.end_mut(to) else { return };
        let after_payload = segment.sequence + segment.payload.len() as u64;
        if segment.acknowledgement.is_some() {
            end.sender.window = segment.window;
            end.sender.probe_answered();
        }
        let is_probe = segment.flag == Flag::Probe;
        let has_stored = end.receiver.store(segment.sequence, segment.payload);
        let has_finished = segment.flag == Flag::Fin && end.receiver.store_fin(after_payload);
        let is_news = has_stored || has_finished;
        let acknowledgement = (is_news || is_probe).then(|| end.acknowledgement());
        let may_send = end.sender.has_unsent();
        self.wake(to, is_news, segment.acknowledgement.is_some());
        if let Some(acknowledgement) = acknowledgement {
            self.send_control(to, acknowledgement);
        }
        if may_send {
            self.queue_writer(to);
        }
    }
}
