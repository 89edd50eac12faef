use std::cell::RefCell;
use std::io::{self, Write, stdout};

use halfopen_client::core::Event;
use halfopen_client::driver::{Command, TokioClock, run as drive};
use halfopen_protocol::ReasonCode;
use halfopen_protocol::packet::Publish;

use super::args::Sub;
use super::log::Log;
use super::trouble::Trouble;
use super::{Remote, flush, signal};

/// Prints what comes until it is stopped, or as many messages as the arguments say.
pub(crate) async fn run(args: Sub) -> Result<(), String> {
    let seed = super::seed();
    let options = args.options(seed);
    for subscription in &options.subscriptions {
        halfopen_protocol::topic::check_filter(&subscription.filter, options.connect.version)
            .map_err(|error| format!("'{}': {error}", subscription.filter))?;
    }
    let trouble = Trouble::new(options.connect.version);
    let (client, log, tcp) = super::client(&args.connection, options, seed);
    let (remote, receiver) = Remote::new();
    remote.send(Command::Connect { clean_start: None });
    let subscriber =
        RefCell::new(Subscriber { remote, log, trouble, verbose: args.verbose, left: args.count, result: Ok(()) });

    let driving = drive(client, tcp, TokioClock::new(), receiver, |_, event| subscriber.borrow_mut().event(&event));
    let stop = signal::stop().map_err(|error| error.to_string())?;
    tokio::pin!(driving, stop);
    let mut is_stopped = false;
    loop {
        tokio::select! {
            biased;
            () = &mut driving => break,
            () = &mut stop, if !is_stopped => {
                is_stopped = true;
                subscriber.borrow_mut().leave();
            }
        }
    }
    let result = subscriber.borrow().result.clone();
    result.and_then(|()| flush(&mut stdout()))
}

struct Subscriber {
    remote: Remote,
    log: Log,
    trouble: Trouble,
    verbose: bool,
    /// How many messages are still wanted; `None`: all.
    left: Option<u64>,
    result: Result<(), String>,
}

impl Subscriber {
    fn event(&mut self, event: &Event) {
        if let Err(error) = self.print(event) {
            self.fail(super::words(&error.to_string()).to_owned());
        }
        if let Some(what) = self.trouble.judge(event) {
            self.fail(what);
        }
        match event {
            Event::Subscribed { reasons, .. } if reasons.iter().all(|reason| reason.is_error()) => {
                self.fail("all subscriptions were refused".to_owned());
            }
            Event::Message(_) if self.left == Some(0) => self.leave(),
            _ => {}
        }
    }

    fn print(&mut self, event: &Event) -> io::Result<()> {
        let mut out = stdout().lock();
        for line in self.log.lines(event) {
            writeln!(out, "{line}")?;
        }
        if let (Event::Message(message), false) = (event, self.remote.is_finished()) {
            self.left = self.left.map(|left| left.saturating_sub(1));
            write_message(&mut out, message, self.verbose)?;
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.remote.finish(Command::Disconnect(ReasonCode::SUCCESS));
    }

    fn fail(&mut self, what: String) {
        if !self.remote.is_finished() {
            self.result = Err(what);
            self.leave();
        }
    }
}

/// A message as a line, its payload as it came.
fn write_message(out: &mut impl Write, message: &Publish, verbose: bool) -> io::Result<()> {
    if verbose {
        write!(out, "{} ", message.topic)?;
    }
    out.write_all(&message.payload)?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(false, b"\xFF!\n")]
    #[case(true, b"a/b \xFF!\n")]
    fn payloads_are_printed_as_they_came(#[case] verbose: bool, #[case] expected: &[u8]) {
        let payload = bytes::Bytes::from_static(b"\xFF!");
        let message = Publish { topic: "a/b".into(), payload, ..Publish::default() };
        let mut out = Vec::new();
        write_message(&mut out, &message, verbose).expect("a vector takes everything");
        assert_eq!(out, expected);
    }
}
