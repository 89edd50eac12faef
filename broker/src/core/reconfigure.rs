use halfopen_protocol::Instant;

use super::{Access, Broker, Config};

/// Changes of a broker that runs.
impl Broker {
    /// Replaces the settings. What clients count on stays as it is: what CONNACK has told those of 5.0
    /// (`maximum_packet_size`, `receive_maximum`, `topic_alias_maximum`, `maximum_qos` and what is not available), and
    /// `connect_timeout`, which runs already. A keep-alive and a window hold for the connections that come.
    ///
    /// Nothing that is above a new limit is thrown away; there is only no room for more.
    pub fn handle_config(&mut self, now: Instant, config: Config) {
        let before = &self.config;
        self.config = Config {
            connect_timeout: before.connect_timeout,
            maximum_packet_size: before.maximum_packet_size,
            receive_maximum: before.receive_maximum,
            topic_alias_maximum: before.topic_alias_maximum,
            maximum_qos: before.maximum_qos,
            retain_available: before.retain_available,
            wildcard_subscriptions: before.wildcard_subscriptions,
            subscription_identifiers: before.subscription_identifiers,
            shared_subscriptions: before.shared_subscriptions,
            ..config
        };
        if self.sys.is_started() {
            self.publish_statistics(now);
        }
    }

    /// Replaces access control, also for clients that are connected: they keep
    /// their connections and subscriptions, and get and publish only what they still may.
    pub fn handle_access(&mut self, access: Access) {
        self.access = access;
    }
}
