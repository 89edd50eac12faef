//! A broker for bob alone.

use std::sync::Arc;

use halfopen_broker::auth::{Passwords, Scram, scram_verifier, with_user};
use halfopen_broker::core::Mechanism;
use halfopen_broker::{Access, Broker, Config};

/// A broker that lets nobody in but bob, who proves by SCRAM that he knows his password, `secret`.
pub(crate) fn broker_of_bob() -> Broker {
    let verifier = scram_verifier("secret", &[7; 16]).expect("the password is plain");
    let users = with_user("", "bob", &[verifier]).expect("the name is plain");
    let passwords = Arc::new(Passwords::parse(&users).expect("it was just made"));
    let mut count = 0;
    let nonce = move || {
        count += 1;
        format!("nonce{count}")
    };
    let mechanisms: Vec<Box<dyn Mechanism>> = vec![Box::new(Scram::new(passwords, [3; 32], nonce))];
    Broker::with_access(
        Config::default(),
        Access { anonymous: false, passwords: false, mechanisms, authorizer: None },
        [0; 32],
    )
}
