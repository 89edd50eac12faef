//! Engines: they bring a plan to life and record its trace.

mod conversation;
mod network;
mod record;
mod sim;
mod story;
mod tap;
