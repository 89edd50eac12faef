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
//! Below it, [`core::Client`] is the protocol: a synchronous state machine without sockets or a clock. [`driver::run`]
//! connects it to any byte stream.

mod api;
pub mod core;
pub mod driver;
mod scram;

pub use halfopen_protocol::packet::{Publish, QoS, Subscription, Will};
pub use halfopen_protocol::{ReasonCode, Version};

pub use crate::api::{
    Client, ConnectOptions, Error, Message, Messages, Published, Refusal, State, Subscribed, Unsubscribed,
};
pub use crate::core::{Options, Remarks};
pub use crate::scram::Scram;
