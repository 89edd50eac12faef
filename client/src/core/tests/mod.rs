//! The client against a broker that the test plays itself, in virtual time.

mod ack_details;
mod auth;
mod bench;
mod connecting;
mod hostile;
mod incoming;
mod keep_alive;
mod malformed;
mod messages;
mod pair;
mod properties;
mod proptests;
mod queue;
mod receipts;
mod reconnect;
mod requests;
