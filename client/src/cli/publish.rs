use std::cell::RefCell;
use std::io::{Write, stdout};

use bytes::Bytes;
use halfopen_client::core::Event;
use halfopen_client::driver::{Command, TokioClock, run as drive};
use halfopen_protocol::packet::{Disconnect, Publish};
use halfopen_protocol::{Instant, ReasonCode};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::Semaphore;

use super::args::Pub;
use super::log::Log;
use super::text::printable;
use super::trouble::{Advice, Patience, Trouble, warning};
use super::{Remote, signal};

/// Number of lines of stdin that may be on their way at once.
const LINES: usize = 100;

/// Publishes what the arguments say; completes when every message's handshake is complete and DISCONNECT is written.
pub(crate) async fn run(args: Pub) -> Result<(), String> {
    let seed = super::seed();
    let options = args.options(seed)?;
    let message = args.message()?;
    let farewell = args.connection.farewell()?;
    let patience = args.connection.connect_attempts.map_or(Patience::FirstConnack, Patience::Attempts);
    let trouble = Trouble::new(options.connect.version, patience);
    let (client, log, tcp) = super::client(&args.connection, options, seed)?;
    let (remote, receiver) = Remote::new();
    let room = Semaphore::new(LINES);
    let publisher = RefCell::new(Publisher {
        args: &args,
        farewell,
        remote,
        log,
        trouble,
        open: 0,
        is_all: false,
        result: Ok(()),
        room: &room,
    });

    publisher.borrow().remote.send(Command::Connect { clean_start: None });
    let driving =
        drive(client, tcp, TokioClock::new(), receiver, |now, event| publisher.borrow_mut().event(now, &event));
    let stop = signal::stop().map_err(|error| error.to_string())?;
    tokio::pin!(driving, stop);
    let reading = feed(&args, message, &publisher, &room);
    tokio::pin!(reading);
    let mut is_reading = true;
    let mut is_stopped = false;
    loop {
        tokio::select! {
            biased;
            () = &mut driving => break,
            () = &mut stop, if !is_stopped => {
                is_stopped = true;
                publisher.borrow_mut().interrupt();
            }
            () = &mut reading, if is_reading => is_reading = false,
        }
    }
    publisher.borrow().result.clone()
}

/// Gives the client what is to be published, as it has room.
async fn feed(args: &Pub, message: Publish, publisher: &RefCell<Publisher<'_>>, room: &Semaphore) {
    if args.reads_lines() {
        return read_lines(&message, publisher, room).await;
    }
    for time in 0..args.repeat {
        if time > 0 {
            tokio::time::sleep(args.repeat_delay).await;
        }
        match room.acquire().await {
            Ok(permit) => permit.forget(),
            Err(_) => return,
        }
        publisher.borrow_mut().publish(message.clone());
    }
    publisher.borrow_mut().all_is_published();
}

async fn read_lines(message: &Publish, publisher: &RefCell<Publisher<'_>>, room: &Semaphore) {
    let mut input = BufReader::new(tokio::io::stdin());
    loop {
        // Given back when the message is done.
        match room.acquire().await {
            Ok(permit) => permit.forget(),
            Err(_) => return,
        }
        let mut line = Vec::new();
        match input.read_until(b'\n', &mut line).await {
            Ok(0) => return publisher.borrow_mut().all_is_published(),
            Ok(_) => {}
            Err(error) => return publisher.borrow_mut().fail(format!("stdin: {error}")),
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        publisher.borrow_mut().publish(Publish { payload: Bytes::from(line), ..message.clone() });
    }
}

struct Publisher<'a> {
    args: &'a Pub,
    farewell: Disconnect,
    remote: Remote,
    log: Log,
    trouble: Trouble,
    /// Messages that were given to the client and are not done.
    open: u64,
    /// True if no more will be given.
    is_all: bool,
    result: Result<(), String>,
    room: &'a Semaphore,
}

impl Publisher<'_> {
    fn publish(&mut self, message: Publish) {
        self.open += 1;
        self.remote.send(Command::Publish(message));
    }

    fn all_is_published(&mut self) {
        self.is_all = true;
        self.leave_when_done();
    }

    fn event(&mut self, now: Instant, event: &Event) {
        let mut out = stdout().lock();
        for line in self.log.lines(event) {
            // The reader of the log may be gone; the message still counts.
            let _ = writeln!(out, "{line}");
        }
        match self.trouble.judge(event) {
            Advice::GoOn => {}
            Advice::Wait(why, at) => super::warn(&self.args.connection, &warning(&why, now, at)),
            Advice::GiveUp(why) => self.fail(why),
        }
        if let Event::Published { reason, details, .. } = event {
            self.open -= 1;
            self.room.add_permits(1);
            if reason.is_error() {
                let what = reason.name().unwrap_or("unknown reason");
                let said = details.reason_string.as_deref().map(|said| format!(": {}", printable(said)));
                self.fail(format!(
                    "the message was not taken: {what} ({}){}",
                    reason.value(),
                    said.unwrap_or_default()
                ));
            }
            self.leave_when_done();
        }
    }

    fn leave_when_done(&mut self) {
        if self.is_all && self.open == 0 {
            self.remote.finish(Command::DisconnectWith(self.farewell.clone()));
        }
    }

    fn interrupt(&mut self) {
        self.fail("interrupted before everything was published".to_owned());
    }

    fn fail(&mut self, what: String) {
        if !self.remote.is_finished() {
            self.result = Err(what);
            self.remote.finish(Command::Disconnect(ReasonCode::SUCCESS));
        }
    }
}
