//! Who may connect and what they may do, from files: passwords, SCRAM and access lists for a [`Broker`](crate::Broker).

mod scripted;

pub use self::scripted::Scripted;
