//! Brokers, clients, raw clients and raw brokers as programs of a plan.
#![expect(clippy::unit_arg, reason = "an assignment whose value may be missing is one expression")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use bytestring::ByteString;
use halfopen_protocol::packet::{Connect, Subscription, UserProperties, Will};
use halfopen_protocol::{ReasonCode, Version};

use super::axes::Run;
use super::names::{Declared, Names, Role, Settings};
use super::subscriptions::qos;
use super::{Lower, Shared};
use crate::ast::{self, Env, Place, Reading};
use crate::plan::{
    Acknowledge, Answers, BrokerProgram, BrokerSettings, ClientProgram, ClientSettings, Node as PlanNode, NodeId,
    Program, QueuePolicy, RawBrokerProgram, RawClientProgram, Reconnect, Referral, Transport,
};
use crate::time;
use crate::tree::Node;

/// The reasons that PUBACK and PUBREC may have (§3.4.2.1 and §3.5.2.1 of 5.0).
const ACKNOWLEDGEMENTS: [u8; 9] = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];

/// The fields of a node that parameters may refer to.
type Fields = BTreeMap<String, String>;

/// Makes the nodes in their order; each may refer to fields of those before it. Takes down which broker each has.
pub(super) fn build(
    declared: &[Declared<'_>],
    run: &mut Run,
    names: &mut Names,
    both: bool,
    shared: &Shared,
    reading: &Reading<'_>,
) -> Vec<Option<PlanNode>> {
    let mut built = Vec::with_capacity(declared.len());
    names.has_transport = declared.iter().any(|declared| match declared.settings {
        Settings::Broker(broker) => may_set(broker, |broker| broker.transport.is_some()),
        Settings::RawBroker(raw) => may_set(raw, |raw| raw.transport.is_some()),
        Settings::Default | Settings::Client(_) | Settings::RawClient(_) => false,
    });
    // The settings of the client before, which the next member of its group has, too.
    let mut latest = None;
    for declared in declared {
        if let Some(member) = declared.member {
            run.params.set("i", Node::word(member.to_string()));
        }
        let made = {
            let env = Env { reading, params: &run.params };
            let lower = Lower {
                env: &env,
                version: run.version,
                both,
                names,
                run,
                shared,
                connections: &RefCell::default(),
                origins: &RefCell::default(),
                members: &[],
            };
            lower.program(declared).map(|(program, fields)| ((program, lower.played_by(declared)), fields))
        };
        run.params.remove("i");
        let (mut program, fields) = made.unzip();
        if let Some((Program::Client(client), _)) = &mut program {
            let common = latest.take().filter(|latest| *latest == client.options.common);
            client.options.common = latest.insert(common.unwrap_or_else(|| client.options.common.clone())).clone();
        }
        if let Some((group, "1")) = declared.name.rsplit_once('.') {
            run.params.set_fields(group, fields.clone());
        }
        run.params.set_fields(&declared.name, fields);
        built.push(program.map(|(program, played_by)| PlanNode { name: declared.name.clone(), program, played_by }));
    }
    for (index, node) in built.iter().enumerate() {
        let to = match node.as_ref().map(|node| &node.program) {
            Some(Program::Client(client)) => {
                let is_broker = |id: &NodeId| names.role(*id).is_broker();
                let further: Vec<_> = match client.follows_references {
                    true => names.ids().take_while(is_broker).filter(|id| *id != client.to).collect(),
                    false => client.further.to_vec(),
                };
                if !further.is_empty() {
                    names.further_brokers.insert(NodeId(index), further);
                }
                client.to
            }
            Some(Program::RawClient(raw)) => raw.to,
            Some(Program::Broker(_) | Program::RawBroker(_)) => continue,
            None => {
                // What its link is cannot be known, and the error has been reported. It is taken to be connected to
                // the first broker, so that its links are not reported as well.
                names.broken.insert(declared[index].name.clone());
                if names.role(NodeId(index)).is_broker() {
                    continue;
                }
                NodeId(0)
            }
        };
        names.broker_of.insert(NodeId(index), to);
    }
    built
}

/// Stand-ins while errors are collected: they never reach a plan.
pub(super) fn placeholders(declared: &[Declared<'_>]) -> Vec<PlanNode> {
    let place = |declared: &Declared<'_>| PlanNode {
        name: declared.name.clone(),
        program: Program::RawClient(Box::new(RawClientProgram {
            connect: Connect::new(Version::V5_0, declared.name.as_str()),
            to: NodeId(0),
            subscribe: Vec::new(),
            answers: Answers::default(),
        })),
        played_by: None,
    };
    declared.iter().map(place).collect()
}

/// Returns whether settings have something, or may have it in some run.
fn may_set<T>(settings: &ast::Param<T>, has: impl FnOnce(&T) -> bool) -> bool {
    match &settings.given {
        ast::Given::Is(settings) | ast::Given::Flawed(settings) => has(settings),
        _ => true,
    }
}

fn transport(word: ast::TransportWord) -> Transport {
    match word {
        ast::TransportWord::Tcp => Transport::Tcp,
        ast::TransportWord::WebSocket => Transport::WebSocket,
    }
}

impl Lower<'_> {
    fn program(&self, declared: &Declared<'_>) -> Option<(Program, Fields)> {
        let name = declared.name.as_str();
        match declared.settings {
            Settings::Default => self.broker(&ast::Broker::default(), true),
            Settings::Broker(broker) => self.broker(&*broker.get(self.env)?, broker.is_right()),
            Settings::RawBroker(raw) => self.raw_broker(&*raw.get(self.env)?, raw.is_right()),
            Settings::Client(client) => {
                let read = client.get(self.env)?;
                let lower = self.of_version(&read.common)?;
                lower.client(name, &read, &client.place).filter(|_| client.is_right())
            }
            Settings::RawClient(raw) => {
                let read = raw.get(self.env)?;
                let lower = self.of_version(&read.common)?;
                lower.raw_client(name, &read, &raw.place).filter(|_| raw.is_right())
            }
        }
    }

    /// Returns the program in the place of the project's that a node names. Mistakes are reported with the rest of the
    /// node.
    fn played_by(&self, declared: &Declared<'_>) -> Option<String> {
        let program = match declared.settings {
            Settings::Broker(broker) => broker.get(self.env)?.program.clone(),
            Settings::Client(client) => client.get(self.env)?.own.program.clone(),
            Settings::Default | Settings::RawBroker(_) | Settings::RawClient(_) => None,
        };
        let name = program?.value.get(self.env)?.0.clone();
        (name != "builtin").then_some(name)
    }

    /// The same for a node that speaks a version of its own.
    fn of_version(&self, common: &ast::ClientCommon) -> Option<Self> {
        match &common.mqtt {
            Some(_) => Some(Self { version: *self.get(&common.mqtt)?, both: false, ..*self }),
            None => Some(*self),
        }
    }

    fn broker(&self, broker: &ast::Broker, is_right: bool) -> Option<(Program, Fields)> {
        let program = self.configured(BrokerProgram::default(), broker).filter(|_| is_right)?;
        let fields = fields_of_broker(&program.config);
        Some((Program::Broker(Box::new(program)), fields))
    }

    /// A broker with settings that differ from those of another one.
    pub(super) fn configured(&self, mut program: BrokerProgram, broker: &ast::Broker) -> Option<BrokerProgram> {
        let config = &mut program.config;
        let env = self.env;
        let complete = [
            self.has_keys(broker),
            self.put(&broker.server_keep_alive, |v| Some(config.server_keep_alive = Some(v.value(env)?))),
            self.put(&broker.keep_alive_factor, |v| Some(config.keep_alive_factor = v.0.value())),
            self.put(&broker.connect_timeout, |v| Some(config.connect_timeout = v.value(env)?)),
            self.put(&broker.queue_messages, |v| Some(config.queue_messages = v.to()?)),
            self.put(&broker.receive_maximum, |v| Some(config.receive_maximum = v.to()?)),
            self.put(&broker.maximum_packet_size, |v| Some(config.maximum_packet_size = v.to()?)),
            self.put(&broker.min_keep_alive, |v| Some(config.min_keep_alive = Some(v.value(env)?))),
            self.put(&broker.max_keep_alive, |v| Some(config.max_keep_alive = Some(v.value(env)?))),
            self.put(&broker.max_session_expiry, |v| Some(config.maximum_session_expiry = v.value(env)?)),
            self.put(&broker.topic_alias_maximum, |v| Some(config.topic_alias_maximum = v.to()?)),
            self.put(&broker.maximum_qos, |v| Some(config.maximum_qos = qos(*v))),
            self.put(&broker.retain_available, |v| Some(config.retain_available = *v)),
            self.put(&broker.wildcard_subscription_available, |v| Some(config.wildcard_subscriptions = *v)),
            self.put(&broker.subscription_identifiers_available, |v| Some(config.subscription_identifiers = *v)),
            self.put(&broker.shared_subscription_available, |v| Some(config.shared_subscriptions = *v)),
            self.put(&broker.transport, |v| Some(program.transport = transport(*v))),
            self.put(&broker.durable, |v| Some(program.durable = *v)),
            self.put(&broker.handles, |v| Some(program.handles = Some(v.per_second()))),
            self.put(&broker.queue_bytes, |v| Some(config.queue_bytes = v.bytes()?)),
            self.put(&broker.queue_policy, |v| {
                config.queue_policy = match v {
                    ast::QueuePolicyWord::DropNewest => QueuePolicy::DropNewest,
                    ast::QueuePolicyWord::DropOldest => QueuePolicy::DropOldest,
                };
                Some(())
            }),
            self.put(&broker.in_flight_messages, |v| Some(config.in_flight_messages = v.to()?)),
            self.put(&broker.write_buffer, |v| Some(config.write_buffer = v.bytes()?)),
            self.put(&broker.maximum_outgoing_topic_alias, |v| Some(config.outgoing_topic_aliases = v.to()?)),
            self.put(&broker.maximum_sessions, |v| Some(config.sessions = v.to()?)),
            self.put(&broker.maximum_subscriptions, |v| Some(config.subscriptions = v.to()?)),
            self.put(&broker.retained_messages, |v| Some(config.retained_messages = v.to()?)),
            self.put(&broker.retained_bytes, |v| Some(config.retained_bytes = v.bytes()?)),
            self.put(&broker.subscription_bytes, |v| Some(config.subscription_bytes = v.bytes()?)),
            self.put(&broker.total_bytes, |v| Some(config.total_bytes = v.bytes()?)),
            self.put(&broker.topic_levels, |v| Some(config.topic_levels = v.to()?)),
            self.put(&broker.topic_length, |v| Some(config.topic_length = v.to()?)),
            self.put(&broker.pending_connections, |v| Some(config.pending_connections = v.to()?)),
            self.put(&broker.maximum_connect_size, |v| Some(config.maximum_connect_size = v.to()?)),
            self.put(&broker.response_information, |v| Some(config.response_information = Some(v.0.clone()))),
            self.put(&broker.sys_interval, |v| Some(config.sys_interval = v.value(env)?)),
            self.put(&broker.reason_strings, |v| Some(config.reason_strings = *v)),
            self.put(&broker.server_reference, |v| Some(config.server_reference = Some(v.0.clone()))),
            self.put(&broker.referral, |v| {
                config.referral = match v {
                    ast::ReferralWord::WhenStopping => Referral::WhenStopping,
                    ast::ReferralWord::Temporary => Referral::Temporary,
                    ast::ReferralWord::Permanent => Referral::Permanent,
                };
                Some(())
            }),
            self.put(&broker.auth, |v| Some(program.auth = Some(self.auth(v)?))),
            self.put(&broker.access, |v| Some(program.access = Some(self.access(v)?))),
        ];
        (!complete.contains(&false)).then_some(program)
    }

    fn raw_broker(&self, raw: &ast::RawBroker, is_right: bool) -> Option<(Program, Fields)> {
        let answers = self.answers_or_standard(&raw.answers, Role::RawBroker)?;
        let mut program = RawBrokerProgram { answers, ..RawBrokerProgram::default() };
        let is_complete = self.put(&raw.transport, |v| Some(program.transport = transport(*v)));
        (is_right && is_complete).then(|| (Program::RawBroker(Box::new(program)), Fields::new()))
    }

    fn client(&self, name: &str, client: &ast::Client, place: &Place) -> Option<(Program, Fields)> {
        let mut options = ClientSettings::new(self.version, name);
        let env = self.env;
        let mut connect = self.connect(&client.connect, Connect::clone(&options.connect));
        let mut has_words = true;
        if let (Some(written), Some(connect)) = (&client.own.dialogue, &mut connect) {
            options.dialogue = self.dialogue(written, connect);
            has_words = options.dialogue.is_some();
        }
        options.connect = connect.clone().unwrap_or_else(|| Connect::new(self.version, name)).into();
        let common = self.common(&client.common, name, place);
        let mut program = ClientProgram::new(ClientSettings::new(self.version, name), NodeId(0));
        let own = &client.own;
        let complete = [
            self.has_keys(client),
            has_words,
            self.put(&own.autostart, |v| Some(program.autostart = *v)),
            self.put(&own.follows_references, |v| Some(program.follows_references = *v)),
            self.put(&own.ping_timeout, |v| Some(options.ping_timeout = Some(v.value(env)?))),
            self.put(&own.connect_timeout, |v| Some(options.connect_timeout = v.value(env)?)),
            self.put(&own.queue_messages, |v| Some(options.queue_messages = v.to()?)),
            self.put(&own.acknowledge, |v| {
                Some(options.acknowledge = self.each(&v.0, |one| self.acknowledge(one))?.into())
            }),
            self.put(&own.topic_aliases, |v| Some(options.topic_aliases = v.to()?)),
            self.put(&own.packet_limit, |v| Some(options.packet_limit = Some(v.to()?))),
            self.put(&own.handling, |v| Some(program.handling = v.value(env)?)),
            self.put(&own.reconnect, |v| Some(options.reconnect = self.reconnect(v)?)),
            self.put(&client.common.subscribe, |v| self.check_filters(v)),
        ];
        let (to, subscribe) = common?;
        let connect = connect.filter(|_| !complete.contains(&false))?;
        let mut fields = fields_of_connect(&connect);
        let half = Duration::from_secs(u64::from(connect.keep_alive)) / 2;
        fields.insert("ping_timeout".to_owned(), time::format(options.ping_timeout.unwrap_or(half)));
        fields.insert("connect_timeout".to_owned(), time::format(options.connect_timeout));
        options.subscriptions = subscribe;
        let (to, further) = to.split_first()?;
        let further = further.into();
        Some((Program::Client(ClientProgram { options, to: *to, further, ..program }), fields))
    }

    fn acknowledge(&self, written: &ast::Acknowledge) -> Option<Acknowledge> {
        let mut read = Acknowledge { after: Duration::ZERO, reason: ReasonCode::SUCCESS };
        let complete = [
            self.has_keys(written),
            self.put(&written.after, |v| Some(read.after = v.value(self.env)?)),
            self.put(&written.reason, |v| {
                let is_known = ACKNOWLEDGEMENTS.contains(&v.code.value());
                if !is_known {
                    let place = &written.reason.as_ref()?.value.place;
                    self.error(place, format!("PUBACK and PUBREC have no reason {}", v.code));
                }
                is_known.then(|| read.reason = v.code)
            }),
        ];
        (!complete.contains(&false)).then_some(read)
    }

    fn raw_client(&self, name: &str, raw: &ast::RawClient, place: &Place) -> Option<(Program, Fields)> {
        let complete = self.has_keys(raw);
        let connect = self.connect(&raw.connect, Connect::new(self.version, name));
        let common = self.common(&raw.common, name, place);
        let answers = self.answers_or_standard(&raw.own.answers, Role::RawClient);
        let (to, subscribe) = common?;
        if let [_, second, ..] = to.as_slice() {
            let place = raw.common.to.as_ref().map_or(place, |to| &to.value.place);
            let second = self.names.name(*second);
            self.error(
                place,
                format!("a raw client connects to one broker; for `{second}` declare a second raw client"),
            );
            return None;
        }
        let to = *to.first()?;
        let connect = connect.filter(|_| complete)?;
        let fields = fields_of_connect(&connect);
        let program = RawClientProgram { connect, to, subscribe, answers: answers? };
        Some((Program::RawClient(Box::new(program)), fields))
    }

    fn common(
        &self,
        common: &ast::ClientCommon,
        name: &str,
        place: &Place,
    ) -> Option<(Vec<NodeId>, Vec<Subscription>)> {
        let subscribe = match &common.subscribe {
            Some(_) => self.get(&common.subscribe).and_then(|all| self.subscriptions(&all)),
            None => Some(Vec::new()),
        };
        let to = self.brokers_of(common, name, place);
        Some((to?, subscribe?))
    }

    /// The brokers that `to` names, or the only one there is.
    fn brokers_of(&self, common: &ast::ClientCommon, name: &str, place: &Place) -> Option<Vec<NodeId>> {
        if common.to.is_some() {
            let to = self.get(&common.to)?;
            return self.each(&to.0, |to| {
                let id = self.node(&to.0.text, &to.0.place)?;
                if self.names.role(id).is_broker() {
                    return Some(id);
                }
                self.error(&to.0.place, "this is no broker");
                None
            });
        }
        // They come before all others, of which there may be thousands.
        let brokers: Vec<_> = self.names.ids().take_while(|id| self.names.role(*id).is_broker()).collect();
        match brokers.as_slice() {
            [only] => Some(vec![*only]),
            [] => None,
            _ => {
                self.error(place, format!("there are several brokers; say with `to` which one `{name}` connects to"));
                None
            }
        }
    }

    /// A CONNECT with the fields of another one, where they are not said.
    pub(super) fn connect(&self, fields: &ast::ConnectFields, mut connect: Connect) -> Option<Connect> {
        let env = self.env;
        let text = |text: &ast::Text| ByteString::from(text.0.as_str());
        let complete = [
            self.put(&fields.client_id, |v| Some(connect.client_id = text(v))),
            self.put(&fields.keep_alive, |v| Some(connect.keep_alive = v.value(env)?)),
            self.put(&fields.clean, |v| Some(connect.clean_start = *v)),
            self.put(&fields.session_expiry, |v| Some(connect.session_expiry = Some(v.value(env)?))),
            self.put(&fields.will, |v| Some(connect.will = Some(self.will(v)?.into()))),
            self.put(&fields.username, |v| Some(connect.username = Some(text(v)))),
            self.put(&fields.password, |v| Some(connect.password = Some(self.payload(v)?))),
            self.put(&fields.receive_maximum, |v| Some(connect.receive_maximum = Some(v.to()?))),
            self.put(&fields.maximum_packet_size, |v| Some(connect.maximum_packet_size = Some(v.to()?))),
            self.put(&fields.topic_alias_maximum, |v| Some(connect.topic_alias_maximum = Some(v.to()?))),
            self.put(&fields.request_response_information, |v| Some(connect.request_response_information = Some(*v))),
            self.put(&fields.request_problem_information, |v| Some(connect.request_problem_information = Some(*v))),
            self.put(&fields.user_properties, |v| Some(connect.user_properties = self.user_properties(&v.0)?)),
            self.put(&fields.authentication_method, |v| Some(connect.authentication_method = Some(text(v)))),
            self.put(&fields.authentication_data, |v| Some(connect.authentication_data = Some(self.payload(v)?))),
        ];
        // `clean: false` alone keeps the session for ever in both versions: 5.0 says so with an expiry of its own.
        if fields.clean.is_some() && !connect.clean_start && connect.version.is_v5() {
            connect.session_expiry.get_or_insert(u32::MAX);
        }
        (!complete.contains(&false)).then_some(connect)
    }

    /// A CONNECT that differs from a node's own.
    pub(super) fn connect_with(&self, with: &ast::With, own: Connect) -> Option<Connect> {
        let complete = self.has_keys(with);
        self.connect(&with.connect, own).filter(|_| complete)
    }

    fn will(&self, will: &ast::Will) -> Option<Will> {
        let mut read = Will::default();
        let env = self.env;
        let text = |text: &ast::Text| ByteString::from(text.0.as_str());
        let complete = [
            self.has_keys(will),
            will.topic.is_some(),
            self.put(&will.topic, |v| Some(read.topic = text(v))),
            self.put(&will.payload, |v| Some(read.payload = self.payload(v)?)),
            self.put(&will.qos, |v| Some(read.qos = qos(*v))),
            self.put(&will.retain, |v| Some(read.retain = *v)),
            self.put(&will.delay, |v| Some(read.delay = Some(v.value(env)?))),
            self.put(&will.payload_format, |v| Some(read.payload_format = Some(*v))),
            self.put(&will.message_expiry, |v| Some(read.message_expiry = Some(v.value(env)?))),
            self.put(&will.content_type, |v| Some(read.content_type = Some(text(v)))),
            self.put(&will.response_topic, |v| Some(read.response_topic = Some(text(v)))),
            self.put(&will.correlation_data, |v| Some(read.correlation_data = Some(self.payload(v)?))),
            self.put(&will.user_properties, |v| Some(read.user_properties = self.user_properties(&v.0)?)),
        ];
        (!complete.contains(&false)).then_some(read)
    }

    pub(super) fn user_properties(&self, properties: &ast::UserProperties) -> Option<UserProperties> {
        let mut read = UserProperties::new();
        for (name, values) in &properties.0 {
            for value in &values.get(self.env)?.0 {
                read.push((name.text.as_str().into(), value.0.as_str().into()));
            }
        }
        Some(read)
    }

    fn reconnect(&self, choice: &ast::ReconnectChoice) -> Option<Option<Reconnect>> {
        let ast::ReconnectChoice::With(place, written) = choice else { return Some(None) };
        let mut reconnect = Reconnect::default();
        let env = self.env;
        let complete = [
            self.put(&written.min, |v| Some(reconnect.min = v.value(env)?)),
            self.put(&written.max, |v| Some(reconnect.max = v.value(env)?)),
            self.put(&written.factor, |v| Some(reconnect.factor = v.0.value())),
            self.put(&written.jitter, |v| Some(reconnect.jitter = v.0.value())),
        ];
        if complete.contains(&false) {
            return None;
        }
        // A first pause longer than the default of the longest raises that.
        if written.max.is_none() {
            reconnect.max = reconnect.max.max(reconnect.min);
        }
        if reconnect.max < reconnect.min {
            self.error(place, "`max` is less than `min`");
            return None;
        }
        Some(Some(reconnect))
    }
}

fn fields_of_broker(config: &BrokerSettings) -> Fields {
    let mut fields = Fields::new();
    let mut field = |name: &str, value: Option<String>| fields.extend(value.map(|value| (name.to_owned(), value)));
    let seconds = |value: Option<u16>| value.map(|seconds| format!("{seconds}s"));
    field("server_keep_alive", seconds(config.server_keep_alive));
    field("keep_alive_factor", Some(config.keep_alive_factor.to_string()));
    field("min_keep_alive", seconds(config.min_keep_alive));
    field("max_keep_alive", seconds(config.max_keep_alive));
    field("connect_timeout", Some(time::format(config.connect_timeout)));
    field("queue_messages", Some(config.queue_messages.to_string()));
    field("receive_maximum", Some(config.receive_maximum.to_string()));
    field("maximum_packet_size", Some(config.maximum_packet_size.to_string()));
    fields
}

fn fields_of_connect(connect: &Connect) -> Fields {
    let mut fields = Fields::from([
        ("client_id".to_owned(), connect.client_id.to_string()),
        ("keep_alive".to_owned(), format!("{}s", connect.keep_alive)),
        ("clean".to_owned(), connect.clean_start.to_string()),
    ]);
    if connect.version.is_v5() {
        fields.insert("session_expiry".to_owned(), format!("{}s", connect.session_expiry.unwrap_or(0)));
        fields.insert("receive_maximum".to_owned(), connect.receive_maximum.unwrap_or(u16::MAX).to_string());
    }
    if let Some(will) = &connect.will {
        fields.insert("will_topic".to_owned(), will.topic.to_string());
        fields.insert("will_delay".to_owned(), format!("{}s", will.delay.unwrap_or(0)));
    }
    fields
}
