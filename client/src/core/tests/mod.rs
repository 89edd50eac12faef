//! The client against a broker that the test plays itself, in virtual time.

mod auth;
mod bench;
mod connecting;
mod incoming;
mod keep_alive;
mod messages;
mod pair;
mod properties;
mod proptests;
mod receipts;
mod reconnect;
mod requests;
