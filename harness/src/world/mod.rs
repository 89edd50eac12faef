//! Engines: they bring a plan to life and record its trace.

mod network;
mod record;
mod story;
