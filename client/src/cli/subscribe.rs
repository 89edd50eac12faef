use std::cell::RefCell;
use std::io::{self, Write, stdout};

use halfopen_client::core::Event;
use halfopen_client::driver::{Command, TokioClock, run as drive};
use halfopen_protocol::Instant;
use halfopen_protocol::packet::{Disconnect, Publish};

use super::args::Sub;
use super::format::format;
use super::log::Log;
use super::trouble::{Advice, Patience, Trouble, warning};
use super::{Remote, flush, signal};

/// The last line of output after `-W`.
pub(crate) const TIMED_OUT: &str = "Timed out";

/// Prints what comes until it is stopped, or as many messages as the arguments say.
pub(crate) async fn run(args: Sub) -> Result<(), String> {
    let seed = super::seed();
    let options = args.options(seed)?;
    let request = args.request()?;
    let farewell = args.connection.farewell()?;
    for subscription in &request.subscriptions {
        halfopen_protocol::topic::check_filter(&subscription.filter, options.connect.version)
            .map_err(|error| format!("'{}': {error}", subscription.filter))?;
    }
    let patience = args.connection.connect_attempts.map_or(Patience::FirstPort, Patience::Attempts);
    let trouble = Trouble::new(options.connect.version, patience);
    let (client, log, tcp) = super::client(&args.connection, options, seed)?;
    let (remote, receiver) = Remote::new();
    remote.send(Command::Connect { clean_start: None });
    let subscriber =
        RefCell::new(Subscriber { args: &args, farewell, remote, log, trouble, left: args.count, result: Ok(()) });
    if !request.subscriptions.is_empty() {
        subscriber.borrow().remote.send(Command::SubscribeWith(request));
    }
    if !args.unsubscribe().is_empty() {
        subscriber.borrow().remote.send(Command::Unsubscribe(args.unsubscribe()));
    }

    let driving =
        drive(client, tcp, TokioClock::new(), receiver, |now, event| subscriber.borrow_mut().event(now, &event));
    let stop = signal::stop().map_err(|error| error.to_string())?;
    let timeout = tokio::time::sleep(args.timeout.unwrap_or_default());
    tokio::pin!(driving, stop, timeout);
    let mut is_stopped = false;
    loop {
        tokio::select! {
            biased;
            () = &mut driving => break,
            () = &mut stop, if !is_stopped => {
                is_stopped = true;
                subscriber.borrow_mut().disconnect();
            }
            () = &mut timeout, if args.timeout.is_some() && !is_stopped => {
                is_stopped = true;
                subscriber.borrow_mut().fail(TIMED_OUT.to_owned());
            }
        }
    }
    let result = subscriber.borrow().result.clone();
    result.and_then(|()| flush(&mut stdout()))
}

struct Subscriber<'a> {
    args: &'a Sub,
    farewell: Disconnect,
    remote: Remote,
    log: Log,
    trouble: Trouble,
    /// Number of messages that are still wanted; `None`: all.
    left: Option<u64>,
    result: Result<(), String>,
}

impl Subscriber<'_> {
    fn event(&mut self, now: Instant, event: &Event) {
        if let Err(error) = self.print(event) {
            self.fail(super::words(&error.to_string()).to_owned());
        }
        match self.trouble.judge(event) {
            Advice::GoOn => {}
            Advice::Wait(why, at) => super::warn(&self.args.connection, &warning(&why, now, at)),
            Advice::GiveUp(why) => self.fail(why),
        }
        match event {
            Event::Subscribed { reasons, .. } if reasons.iter().all(|reason| reason.is_error()) => {
                self.fail("all subscriptions were refused".to_owned());
            }
            Event::Subscribed { .. } if self.args.exit_after_subscribing => self.disconnect(),
            Event::Message(_) if self.left == Some(0) => self.disconnect(),
            _ => {}
        }
    }

    fn print(&mut self, event: &Event) -> io::Result<()> {
        let mut out = stdout().lock();
        for line in self.log.lines(event) {
            writeln!(out, "{line}")?;
        }
        if let (Event::Message(message), false) = (event, self.remote.is_finished())
            && self.args.wants(message)
        {
            self.left = self.left.map(|left| left.saturating_sub(1));
            match &self.args.format {
                Some(pattern) => out.write_all(&format(pattern, message, now()))?,
                None => write_message(&mut out, message, self.args.verbose)?,
            }
            if !self.args.no_line_break {
                writeln!(out)?;
            }
            // An empty one is what removes, and comes back where retained messages are shown as published.
            if self.args.remove_retained && message.retain && !message.payload.is_empty() {
                let topic = message.topic.clone();
                self.remote.send(Command::Publish(Publish { topic, retain: true, ..Publish::default() }));
            }
        }
        Ok(())
    }

    fn disconnect(&mut self) {
        self.remote.finish(Command::DisconnectWith(self.farewell.clone()));
    }

    fn fail(&mut self, what: String) {
        if !self.remote.is_finished() {
            self.result = Err(what);
            self.disconnect();
        }
    }
}

/// The time since 1970.
#[expect(clippy::disallowed_types, reason = "a program for people, not part of a world")]
fn now() -> (u64, u32) {
    use std::time::{SystemTime, UNIX_EPOCH};
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (now.as_secs(), now.subsec_nanos())
}

/// A message, its payload as it came.
fn write_message(out: &mut impl Write, message: &Publish, verbose: bool) -> io::Result<()> {
    if verbose {
        write!(out, "{} ", message.topic)?;
    }
    out.write_all(&message.payload)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(false, b"\xFF!")]
    #[case(true, b"a/b \xFF!")]
    fn payloads_are_printed_as_they_came(#[case] verbose: bool, #[case] expected: &[u8]) {
        let payload = bytes::Bytes::from_static(b"\xFF!");
        let message = Publish { topic: "a/b".into(), payload, ..Publish::default() };
        let mut out = Vec::new();
        write_message(&mut out, &message, verbose).expect("a vector takes everything");
        assert_eq!(out, expected);
    }
}
