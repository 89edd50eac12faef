//! The model plays a case.

use std::collections::VecDeque;
use std::time::Duration;

use halfopen_tcp::{
    ConnectionId, FaultId, HostId, LinkSettings, Network, Read, Scope, Side, Socket, SocketError, SynDecision, Write,
};

use crate::case::{Act, Case, End, GIVE_UP, Note, Way, What, note};

const SERVER: HostId = HostId(0);
const CLIENT: HostId = HostId(1);

/// Both programs and the network between them. A program has one connection; a client that opens another keeps the old
/// one without looking at it again.
struct Model {
    network: Network,
    now: u64,
    notes: Vec<Note>,
    connecting: Option<ConnectionId>,
    sockets: [Option<Socket>; 2],
    reads: [bool; 2],
    accepts: bool,
    unwritten: [(usize, bool); 2],
    fault: u32,
}

/// Plays a case and returns what the programs saw.
pub(crate) fn play(case: &Case) -> Vec<Note> {
    let settings = LinkSettings { latency: Duration::from_millis(1), give_up: GIVE_UP, ..LinkSettings::default() };
    let mut model = Model {
        network: Network::new(2, settings, |_| 0),
        now: 0,
        notes: Vec::new(),
        connecting: None,
        sockets: [None; 2],
        reads: [true; 2],
        accepts: true,
        unwritten: [(0, false); 2],
        fault: 0,
    };
    let mut acts: VecDeque<(u64, Act)> = case.acts.iter().copied().collect();
    loop {
        model.settle();
        while let Some((_, act)) = acts.pop_front_if(|(at, _)| *at <= model.now) {
            model.act(act);
            model.settle();
        }
        let next = model.network.poll_timeout().map(|at| u64::try_from(at.as_millis()).unwrap_or(u64::MAX));
        let next = next.into_iter().chain(acts.front().map(|(at, _)| *at)).min();
        match next.filter(|next| *next < case.end) {
            Some(next) => model.now = next,
            None => return model.notes,
        }
    }
}

impl Model {
    fn time(&self) -> Duration {
        Duration::from_millis(self.now)
    }

    /// Lets programs and network go on until nothing happens any more at this instant.
    fn settle(&mut self) {
        loop {
            let before = self.notes.len();
            self.run_programs();
            self.network.flush(self.time());
            let mut any = self.notes.len() > before;
            while self.network.handle_arrival(self.time(), |_, _| SynDecision::Accept) {
                any = true;
            }
            any = any || self.network.handle_timeout(self.time());
            while self.network.poll_event().is_some() {}
            if !any {
                return;
            }
        }
    }

    fn run_programs(&mut self) {
        if let Some(id) = self.connecting
            && let Some(result) = self.network.connect_result(id)
        {
            self.connecting = None;
            match result {
                Ok(()) => {
                    self.sockets[End::Client as usize] = Some(Socket::new(id, Side::Client));
                    self.reads[End::Client as usize] = true;
                    self.note(End::Client, What::Connected);
                }
                Err(error) => self.note(End::Client, failure(error)),
            }
        }
        if self.accepts
            && let Some(id) = self.network.accept(SERVER)
        {
            self.sockets[End::Server as usize] = Some(Socket::new(id, Side::Server));
            self.note(End::Server, What::Accepted);
        }
        for end in End::BOTH {
            self.write(end);
            self.read(end);
        }
    }

    fn read(&mut self, end: End) {
        let mut buffer = [0; 4096];
        while let Some(socket) = self.sockets[end as usize].filter(|_| self.reads[end as usize]) {
            match self.network.read(socket, &mut buffer) {
                Read::Bytes(count) => self.note(end, What::Read(count)),
                Read::End => {
                    self.note(end, What::End);
                    self.reads[end as usize] = false;
                }
                Read::Blocked => return,
                Read::Failed(error) => {
                    self.note(end, failure(error));
                    self.reads[end as usize] = false;
                }
            }
        }
    }

    fn write(&mut self, end: End) {
        let Some(socket) = self.sockets[end as usize] else { return };
        while self.unwritten[end as usize].0 > 0 {
            let size = self.unwritten[end as usize].0.min(10_000);
            match self.network.write(socket, &vec![0; size]) {
                Write::Bytes(count) => self.unwritten[end as usize].0 -= count,
                Write::Blocked => {
                    if !std::mem::replace(&mut self.unwritten[end as usize].1, true) {
                        self.note(end, What::Blocked);
                    }
                    return;
                }
                Write::Failed(error) => {
                    self.unwritten[end as usize] = (0, false);
                    self.note(end, failure(error));
                    self.reads[end as usize] = false;
                }
            }
        }
        if std::mem::take(&mut self.unwritten[end as usize].1) {
            self.note(end, What::Written);
        }
    }

    fn note(&mut self, end: End, what: What) {
        note(&mut self.notes, self.now, end, what);
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Listen => self.network.listen(SERVER).expect("nobody listens"),
            Act::StopListening => self.network.stop_listening(SERVER),
            Act::StopAccepting => self.accepts = false,
            Act::ResumeAccepting => self.accepts = true,
            Act::Connect => self.connecting = Some(self.network.connect(CLIENT, SERVER)),
            Act::Write(end, count) => {
                self.unwritten[end as usize].0 = count;
                self.write(end);
            }
            Act::Shutdown(end) => {
                if let Some(socket) = self.sockets[end as usize] {
                    self.network.shutdown(socket).expect("open");
                }
            }
            Act::Close(end) => self.take(end).into_iter().for_each(|socket| self.network.close(socket)),
            Act::Abort(end) => self.take(end).into_iter().for_each(|socket| self.network.abort(socket)),
            Act::StopReading(end) => self.reads[end as usize] = false,
            Act::ResumeReading(end) => self.reads[end as usize] = true,
            Act::Cut(way) => self.fault(way, |network, _, fault, scope| network.partition(fault, scope)),
            Act::Heal => self.fault(Way::Both, |network, _, fault, scope| network.heal(fault, scope)),
            Act::Forget(way) => self.fault(way, |network, _, fault, scope| network.half_open(fault, scope)),
            Act::Reset(way) => self.fault(way, Network::reset),
            Act::PowerLoss => {
                let now = self.time();
                self.network.power_off(now, SERVER);
                self.sockets[End::Server as usize] = None;
            }
            Act::Restart => {
                self.network.power_on(SERVER);
                self.network.listen(SERVER).expect("nobody listens");
                self.reads[End::Server as usize] = true;
            }
        }
    }

    fn take(&mut self, end: End) -> Option<Socket> {
        self.unwritten[end as usize] = (0, false);
        self.sockets[end as usize].take()
    }

    fn fault(&mut self, way: Way, begin: impl FnOnce(&mut Network, Duration, FaultId, Scope<'_>)) {
        let mut links = Vec::new();
        links.extend(way.leads_to(End::Server).then_some((CLIENT, SERVER)));
        links.extend(way.leads_to(End::Client).then_some((SERVER, CLIENT)));
        self.fault += 1;
        let now = self.time();
        begin(&mut self.network, now, FaultId(self.fault), Scope { links: &links, connection: None });
    }
}

fn failure(error: SocketError) -> What {
    match error {
        SocketError::Refused => What::Refused,
        SocketError::Reset => What::Reset,
        SocketError::TimedOut => What::TimedOut,
        SocketError::ShutDown => What::BrokenPipe,
        SocketError::AddressInUse => unreachable!("nobody listens twice"),
    }
}
