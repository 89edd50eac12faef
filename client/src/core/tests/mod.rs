//! The client against a broker that the test plays itself, in virtual time.

mod bench;
mod connecting;
mod incoming;
mod keep_alive;
mod messages;
mod pair;
mod proptests;
mod reconnect;
mod requests;
