//! The broker's state machine at its outside: bytes and time in, packets and closes out. No socket, no runtime, and an
//! hour is one addition.

mod aliases;
mod authentication;
mod authorization;
mod available;
mod dropped;
mod durable_state;
mod fixture;
mod flows;
mod hostile;
mod keep_alive;
mod limits;
mod reconfigure;
mod refusals;
mod retained;
mod retained_many;
mod sessions;
mod shared;
mod slow_reader;
mod subscriptions;
mod sys;
mod takeover;
mod total;
mod wills;
