//! An MQTT 3.1.1 and 5.0 broker.
//!
//! [`serve`] runs one on whatever sockets and clock the caller has, here a port of tokio's:
//!
//! ```no_run
//! use halfopen_broker::{Broker, Config, TokioClock, serve};
//! use tokio::net::TcpListener;
//!
//! # async fn example() -> std::io::Result<()> {
//! let listener = TcpListener::bind("127.0.0.1:1883").await?;
//! let broker = Broker::new(Config { max_keep_alive: Some(600), ..Config::default() }, [0; 32]);
//! serve(broker, listener, TokioClock::new(), (), std::future::pending()).await
//! # }
//! ```
//!
//! Below it, [`Broker`] is the protocol: a synchronous state machine without sockets or a clock. Bytes and the time go
//! in; what is to be done comes out, and when to come back and why:
//!
//! ```
//! use std::time::Duration;
//!
//! use halfopen_broker::core::{Output, Timer};
//! use halfopen_broker::{Broker, Config};
//! use halfopen_protocol::Instant;
//!
//! let mut broker = Broker::new(Config::default(), [0; 32]);
//! let now = Instant::ZERO;
//! let connection = broker.handle_open(now);
//! // CONNECT of 3.1.1 with a keep-alive of 2 s.
//! broker.handle_bytes(now, connection, b"\x10\x0f\0\x04MQTT\x04\x02\0\x02\0\x03cat");
//! let connack = Output::Send { connection, bytes: b"\x20\x02\0\0"[..].into() };
//! assert!(std::iter::from_fn(|| broker.poll_output()).any(|output| output == connack));
//!
//! let due = now + Duration::from_secs(3);
//! assert_eq!(broker.poll_timeout(), Some((due, Timer::KeepAlive)));
//! broker.handle_timeout(due);
//! assert!(std::iter::from_fn(|| broker.poll_output()).any(|output| output == Output::Close { connection }));
//! ```
//!
//! Who may connect and do what is [`Access`]; [`auth`] has password files and access lists for it. The program
//! `halfopen-broker` is all of this behind a configuration file.

pub mod auth;
pub mod core;
pub mod driver;
pub mod log;

pub use crate::core::{Access, Broker, Config, QueuePolicy, Referral};
pub use crate::driver::{Change, Listener, Observer, TokioClock, serve, serve_verifying};
