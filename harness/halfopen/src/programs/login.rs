//! The user name and password that a broker wants of all clients.

use std::sync::Arc;

use bytes::Bytes;
use halfopen_protocol::Packet;
use halfopen_protocol::packet::Connect;

use crate::plan::{Action, Command, Outgoing, Plan, Program, Step, StepKind};

/// A user name, and its password if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: Option<Bytes>,
}

impl Login {
    /// Puts the user name and the password into each CONNECT of a plan.
    ///
    /// # Errors
    /// Returns the reason why that is not possible: a CONNECT has others, which the broker need not know.
    pub fn give_to_all(&self, plan: &mut Plan) -> Result<(), String> {
        let mut has_others = false;
        each_connect(plan, &mut |connect| {
            if connect.username.is_some() || connect.password.is_some() {
                has_others = true;
            } else {
                connect.username = Some(self.user.as_str().into());
                connect.password = self.password.clone();
            }
        });
        let why = "a client has a user name or a password of its own, which the broker need not know";
        if has_others { Err(why.to_owned()) } else { Ok(()) }
    }
}

fn each_connect(plan: &mut Plan, change: &mut impl FnMut(&mut Connect)) {
    for node in &mut plan.nodes {
        match &mut node.program {
            Program::Client(client) => change(&mut client.options.connect),
            Program::RawClient(client) => change(&mut client.connect),
            Program::Broker(_) | Program::RawBroker(_) => {}
        }
    }
    in_steps(&mut plan.steps, change);
}

fn in_steps(steps: &mut [Step], change: &mut impl FnMut(&mut Connect)) {
    for step in steps {
        match &mut step.kind {
            StepKind::Node { actions, .. } => actions.iter_mut().for_each(|action| in_action(action, change)),
            StepKind::Every { steps, .. } | StepKind::Repeat { steps, .. } | StepKind::Whenever { steps, .. } => {
                in_steps(steps, change);
            }
            StepKind::Wait(_) | StepKind::At(_) | StepKind::Mark(_) | StepKind::Network(_) => {}
        }
    }
}

fn in_action(action: &mut Action, change: &mut impl FnMut(&mut Connect)) {
    match action {
        Action::Command { command: Command::Connect(connect), .. } => connect.with.values_mut().for_each(change),
        Action::Command { command: Command::Send(items), .. } => {
            for item in items {
                if let Outgoing::Packet(Packet::Connect(connect)) = item {
                    change(Arc::make_mut(connect));
                }
            }
        }
        Action::Each(actions) => actions.values_mut().for_each(|action| in_action(action, change)),
        Action::Command { .. } | Action::Fault(_) => {}
    }
}
