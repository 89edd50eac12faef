use bytestring::ByteString;
use halfopen_protocol::packet::{Publish, Subscription};
use halfopen_protocol::{Instant, ReasonCode};

use super::{CommandError, Options, Output, Timer, Token, Transport};

/// One client: its connection, if it has one, and its session.
///
/// After every call, take what [`poll_output`](Self::poll_output) has until it is `None`, and then ask
/// [`poll_timeout`](Self::poll_timeout) when to call [`handle_timeout`](Self::handle_timeout).
#[derive(Debug)]
pub struct Client {
    options: Options,
}

#[allow(missing_docs, unused_variables, clippy::needless_pass_by_value)]
impl Client {
    pub fn new(options: Options, seed: u64) -> Self {
        Self { options }
    }
    pub fn options(&self) -> &Options {
        &self.options
    }
    pub fn connect(&mut self, now: Instant) {}
    pub fn connect_with(&mut self, now: Instant, clean_start: bool) {}
    pub fn publish(&mut self, now: Instant, publish: Publish) -> Result<Token, CommandError> {
        Err(CommandError::QueueFull)
    }
    pub fn subscribe(&mut self, now: Instant, subscriptions: Vec<Subscription>) -> Result<Token, CommandError> {
        Err(CommandError::QueueFull)
    }
    pub fn unsubscribe(&mut self, now: Instant, filters: Vec<ByteString>) -> Result<Token, CommandError> {
        Err(CommandError::QueueFull)
    }
    pub fn disconnect(&mut self, now: Instant, reason: ReasonCode) {}
    pub fn close(&mut self, now: Instant) {}
    pub fn stop_pinging(&mut self) {}
    pub fn resume_pinging(&mut self, now: Instant) {}
    pub fn handle_connected(&mut self, now: Instant) {}
    pub fn handle_connect_failed(&mut self, now: Instant, message: String) {}
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {}
    pub fn handle_closed(&mut self, now: Instant, transport: Transport) {}
    pub fn handle_timeout(&mut self, now: Instant) {}
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        None
    }
    pub fn is_idle(&self) -> bool {
        true
    }
}
