//! The client against a broker that the test plays itself, in virtual time.

mod bench;
mod keep_alive;
