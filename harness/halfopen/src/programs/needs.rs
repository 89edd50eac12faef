//! The optional features of a broker that a run makes use of, beside those that its file names with `requires`.

use std::collections::BTreeSet;

use halfopen_protocol::packet::{Connect, Publish, QoS, Subscription};
use halfopen_protocol::{Packet, topic};

use crate::plan::{Command, Feature, Outgoing, Plan, Program, Step, StepKind};

/// Returns the features without which a broker cannot do what the clients of a run ask of it.
///
/// A feature that the run's own settings take from a broker is none of them: the run shows what follows from that.
pub(super) fn needs(plan: &Plan) -> BTreeSet<Feature> {
    let mut needs = Needs { features: BTreeSet::new(), is_v5: plan.version.is_v5() };
    for node in &plan.nodes {
        match &node.program {
            Program::Client(client) => {
                needs.connect(&client.options.connect);
                needs.subscriptions(&client.options.subscriptions);
            }
            Program::RawClient(client) => {
                needs.connect(&client.connect);
                needs.subscriptions(&client.subscribe);
            }
            Program::Broker(_) | Program::RawBroker(_) => {}
        }
    }
    needs.steps(&plan.steps);
    for node in &plan.nodes {
        if let Program::Broker(broker) = &node.program {
            needs.features.retain(|feature| feature.is_of(&broker.config));
        }
    }
    needs.features.extend(&plan.conditions.requires);
    needs.features
}

/// The features that were needed so far.
struct Needs {
    features: BTreeSet<Feature>,
    is_v5: bool,
}

impl Needs {
    fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            match &step.kind {
                StepKind::Node { actions, .. } => {
                    let commands = actions.iter().flat_map(|action| action.commands());
                    commands.for_each(|command| self.command(command));
                }
                StepKind::Every { steps, .. } | StepKind::Repeat { steps, .. } | StepKind::Whenever { steps, .. } => {
                    self.steps(steps);
                }
                StepKind::Wait(_) | StepKind::At(_) | StepKind::Mark(_) | StepKind::Network(_) => {}
            }
        }
    }

    fn command(&mut self, command: &Command) {
        match command {
            Command::Connect(connect) => connect.with.values().for_each(|connect| self.connect(connect)),
            Command::Subscribe { subscriptions, subscription_id } => {
                self.subscriptions(subscriptions);
                self.add_if(subscription_id.is_some(), Feature::SubscriptionIdentifiers);
            }
            Command::Publish(publish) => self.publish(publish),
            Command::Send(sent) => sent.iter().for_each(|sent| self.sent(sent)),
            _ => {}
        }
    }

    fn sent(&mut self, sent: &Outgoing) {
        match sent {
            Outgoing::Packet(Packet::Connect(connect)) => self.connect(connect),
            Outgoing::Packet(Packet::Publish(publish)) => self.publish(publish),
            Outgoing::Packet(Packet::Subscribe(subscribe)) => {
                self.subscriptions(&subscribe.subscriptions);
                self.add_if(subscribe.subscription_id.is_some(), Feature::SubscriptionIdentifiers);
            }
            Outgoing::Packet(Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_)) => self.qos(QoS::ExactlyOnce),
            _ => {}
        }
    }

    fn connect(&mut self, connect: &Connect) {
        if let Some(will) = &connect.will {
            self.qos(will.qos);
            self.add_if(will.retain, Feature::RetainedMessages);
        }
    }

    fn publish(&mut self, publish: &Publish) {
        self.qos(publish.qos);
        self.add_if(publish.retain, Feature::RetainedMessages);
        self.add_if(publish.topic_alias.is_some(), Feature::TopicAliases);
    }

    /// A broker may grant a lower QoS than was asked for, but what a run expects is what was asked for.
    fn subscriptions(&mut self, subscriptions: &[Subscription]) {
        for subscription in subscriptions {
            self.qos(subscription.qos);
            let filter: &str = &subscription.filter;
            self.add_if(filter.contains(['+', '#']), Feature::WildcardSubscriptions);
            self.add_if(self.is_v5 && topic::shared(filter).is_some(), Feature::SharedSubscriptions);
        }
    }

    fn qos(&mut self, qos: QoS) {
        self.add_if(qos >= QoS::AtLeastOnce, Feature::Qos1);
        self.add_if(qos == QoS::ExactlyOnce, Feature::Qos2);
    }

    fn add_if(&mut self, is_needed: bool, feature: Feature) {
        if is_needed {
            self.features.insert(feature);
        }
    }
}
