//! An MQTT 3.1.1 and 5.0 client.
//!
//! [`ConnectOptions`], [`Client`] and [`Messages`] are for applications over Tokio:
//!
//! ```no_run
//! use halfopen_client::{ConnectOptions, QoS};
//!
//! # async fn example() -> Result<(), halfopen_client::Error> {
//! let options = ConnectOptions::new("localhost", 1883).client_id("kitchen").keep_alive(30);
//! let (client, mut messages) = options.connect().await?;
//! client.subscribe("home/+/temperature", QoS::AtLeastOnce).await?;
//! client.publish("home/kitchen/temperature", QoS::AtLeastOnce, "21.5").await?;
//! if let Some(message) = messages.recv().await {
//!     println!("{}: {} bytes", message.topic, message.payload.len());
//! }
//! client.disconnect().await
//! # }
//! ```
//!
//! Below it, [`core::Client`] is the protocol: a synchronous state machine without sockets or a clock. Bytes and the time
//! go in; what is to be done comes out, and when to come back and why. [`driver::run`] connects it to any byte stream.
//!
//! ```
//! use std::time::Duration;
//!
//! use halfopen_client::Version;
//! use halfopen_client::core::{Client, Options, Output, Timer};
//! use halfopen_protocol::Instant;
//!
//! let mut client = Client::new(Options::new(Version::V3_1_1, "kitchen"), 1);
//! let now = Instant::ZERO;
//! client.connect(now);
//! assert_eq!(client.poll_output(), Some(Output::Connect));
//! client.handle_connected(now);
//! let sent = std::iter::from_fn(|| client.poll_output()).any(|output| matches!(output, Output::Send(_)));
//! assert!(sent, "CONNECT");
//! client.handle_written(now);
//! client.handle_bytes(now, b"\x20\x02\0\0");
//! while client.poll_output().is_some() {}
//! let (due, timer) = client.poll_timeout().expect("a keep-alive of 60 s");
//! assert_eq!(timer, Timer::KeepAlive);
//! assert!(due <= now + Duration::from_secs(60));
//! ```

mod api;
pub mod core;
pub mod driver;
mod scram;
mod scripted;

pub use halfopen_protocol::packet::{Publish, QoS, Subscription, Will};
pub use halfopen_protocol::{ReasonCode, Version};

pub use crate::api::{
    Client, ConnectOptions, Error, Message, Messages, Published, Refusal, State, Subscribed, Unsubscribed,
};
pub use crate::core::{AckDetails, Options};
pub use crate::scram::Scram;
pub use crate::scripted::Scripted;
