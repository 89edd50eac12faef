//! Brokers, clients, raw clients and raw brokers as programs of a plan.
#![expect(clippy::unit_arg, reason = "an assignment whose value may be missing is one expression")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::packet::{Connect, QoS, RetainHandling, Subscription, UserProperties, Will};
use halfopen_protocol::{PacketType, ReasonCode, Version, topic};

use super::axes::Run;
use super::names::{Declared, Names, Role, Settings};
use super::{Lower, Shared};
use crate::ast::{self, Answered, Env, Field, Param, Place, QosLevel, Reading, value_of};
use crate::plan::{
    AccessList, AccessRights, Acknowledge, Answer, AnswerKind, Answers, BrokerAuth, BrokerProgram, BrokerSettings,
    ClientProgram, ClientSettings, CloseHow, Dialogue, Node as PlanNode, NodeId, Program, QueuePolicy,
    RawBrokerProgram, RawClientProgram, Reconnect, Referral,
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
        let (program, fields) = made.unzip();
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

    fn access(&self, access: &ast::AccessList) -> Option<AccessList> {
        let mut read = AccessList::default();
        let complete = [
            self.put(&access.everybody, |v| Some(read.everybody = self.rights(v)?)),
            self.put(&access.anonymous, |v| Some(read.anonymous = self.rights(v)?)),
            self.put(&access.users, |users| {
                for (name, rights) in &users.0 {
                    if name.text.trim() != name.text || name.text.is_empty() || name.text.contains(['#', '\n']) {
                        self.error(&name.place, format!("`{}` cannot be a user of an access list", name.text));
                        return None;
                    }
                    read.users.insert(name.text.clone(), self.rights(&*rights.get(self.env)?)?);
                }
                Some(())
            }),
        ];
        (!complete.contains(&false)).then_some(read)
    }

    fn rights(&self, rights: &ast::AccessRights) -> Option<AccessRights> {
        let filters = |field: &Option<Field<Param<ast::OneOrMore<Param<ast::Text>>>>>| match field {
            None => Some(Vec::new()),
            Some(_) => {
                let written = self.get(field)?;
                let mut read = Vec::new();
                for item in &written.0 {
                    let text = item.get(self.env)?.0.clone();
                    self.check_filter(&text, &item.place)?;
                    read.push(text);
                }
                Some(read)
            }
        };
        Some(AccessRights {
            read: filters(&rights.read)?,
            write: filters(&rights.write)?,
            deny: filters(&rights.deny)?,
        })
    }

    fn auth(&self, auth: &ast::Auth) -> Option<BrokerAuth> {
        let mut read = BrokerAuth::default();
        let mut complete = self.has_keys(auth) && self.put(&auth.anonymous, |v| Some(read.anonymous = *v));
        complete &= self.put(&auth.users, |users| {
            for (name, password) in &users.0 {
                read.users.insert(name.text.clone(), self.payload(&*password.get(self.env)?)?);
            }
            Some(())
        });
        read.dialogue = match (&auth.method, &auth.dialogue) {
            (None, None) => None,
            (Some(_), Some(_)) => {
                let method = self.get(&auth.method)?.0.clone();
                let words = self.words(&*self.get(&auth.dialogue)?)?;
                Some(Dialogue { method, words })
            }
            (Some(Field { value, .. }), None) => return self.alone(&value.place),
            (None, Some(Field { value, .. })) => return self.alone(&value.place),
        };
        complete.then_some(read)
    }

    /// Reads the words of a dialogue.
    fn words(&self, dialogue: &ast::Dialogue) -> Option<Vec<Vec<Bytes>>> {
        dialogue.0.iter().map(|choice| self.each(&choice.0, |word| self.payload(word))).collect()
    }

    /// Reads the dialogue of a client, whose first word stands in its CONNECT.
    fn dialogue(&self, written: &Field<Param<ast::Dialogue>>, connect: &mut Connect) -> Option<Arc<[Vec<Bytes>]>> {
        let words = self.words(&*written.value.get(self.env)?)?;
        if connect.authentication_method.is_none() {
            self.error(
                &written.key,
                "`dialogue` needs `authentication_method`, the name of the authentication".to_owned(),
            );
            return None;
        }
        if connect.authentication_data.is_some() {
            let message = "the first word of `dialogue` is the `authentication_data`; leave that out".to_owned();
            self.error(&written.key, message);
            return None;
        }
        connect.authentication_data = words.first().and_then(|choice| choice.first().cloned());
        Some(words.into())
    }

    fn alone(&self, place: &Place) -> Option<BrokerAuth> {
        self.error(place, "`method` and `dialogue` go together");
        None
    }

    fn raw_broker(&self, raw: &ast::RawBroker, is_right: bool) -> Option<(Program, Fields)> {
        let answers = self.answers_or_standard(&raw.answers, Role::RawBroker)?;
        is_right.then(|| (Program::RawBroker(Box::new(RawBrokerProgram { answers })), Fields::new()))
    }

    fn client(&self, name: &str, client: &ast::Client, place: &Place) -> Option<(Program, Fields)> {
        let mut options = ClientSettings::new(self.version, name);
        let env = self.env;
        let mut connect = self.connect(&client.connect, options.connect.into_inner());
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
            self.put(&own.acknowledge, |v| Some(options.acknowledge = Some(self.acknowledge(v)?))),
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

    /// Filters with their options.
    pub(super) fn subscriptions(&self, subscriptions: &ast::Subscriptions) -> Option<Vec<Subscription>> {
        self.each(&subscriptions.0, |subscription| self.subscription(subscription))
    }

    /// The same with the identifier that its SUBSCRIBE carries: one for all of them.
    pub(super) fn subscribe(&self, subscriptions: &ast::Subscriptions) -> Option<(Vec<Subscription>, Option<u32>)> {
        let read = self.subscriptions(subscriptions)?;
        let mut id = None;
        for item in &subscriptions.0 {
            let item = item.get(self.env)?;
            let ast::Subscription::With(keys) = &*item else { continue };
            let Some(field) = &keys.subscription_id else { continue };
            let own: u32 = field.value.get(self.env)?.to()?;
            if id.is_some_and(|id| id != own) {
                let message = "one SUBSCRIBE has one identifier; subscribe with several of them";
                self.error(&field.value.place, message);
                return None;
            }
            id = Some(own);
        }
        Some((read, id))
    }

    fn subscription(&self, subscription: &ast::Subscription) -> Option<Subscription> {
        let keys = match subscription {
            ast::Subscription::Filter(_, text) => return Some(Subscription::new(text.0.as_str(), QoS::AtMostOnce)),
            ast::Subscription::With(keys) => keys,
        };
        let mut read = Subscription::new(self.get(&keys.filter)?.0.as_str(), QoS::AtMostOnce);
        let complete = [
            self.has_keys(&**keys),
            self.put(&keys.qos, |v| Some(read.qos = qos(*v))),
            self.put(&keys.no_local, |v| Some(read.no_local = *v)),
            self.put(&keys.retain_as_published, |v| Some(read.retain_as_published = *v)),
            self.put(&keys.retain_handling, |v| {
                read.retain_handling = match v.value {
                    0 => RetainHandling::Send,
                    1 => RetainHandling::SendIfNew,
                    _ => RetainHandling::DoNotSend,
                };
                Some(())
            }),
        ];
        (!complete.contains(&false)).then_some(read)
    }

    /// Reports filters that the project's client would not send.
    pub(super) fn check_filters(&self, subscriptions: &ast::Subscriptions) -> Option<()> {
        let mut right = Some(());
        for item in &subscriptions.0 {
            let item = item.get(self.env)?;
            let checked = match &*item {
                ast::Subscription::Filter(place, text) => self.check_filter(&text.0, place),
                ast::Subscription::With(keys) => match &keys.filter {
                    Some(filter) => self.check_filter(&filter.value.get(self.env)?.0, &filter.value.place),
                    None => None,
                },
            };
            right = right.and(checked);
        }
        right
    }

    /// Reports a filter that the project's client would not send.
    pub(super) fn check_filter(&self, text: &str, place: &Place) -> Option<()> {
        let Err(wrong) = topic::check_filter(text, self.version) else { return Some(()) };
        let message = format!("`{text}` is no topic filter: {}; a client does not send it", wrong.what);
        let note = format!("{}; a raw client may `send` a SUBSCRIBE with it", wrong.clause);
        self.error_with_note(place, message, note);
        None
    }

    fn answers_or_standard(&self, answers: &Option<Field<Param<ast::Answers>>>, role: Role) -> Option<Answers> {
        match value_of(answers) {
            Some(written) => self.answers(&*written.get(self.env)?, role).filter(|_| written.is_right()),
            None => Some(Answers::default()),
        }
    }

    /// Returns what a raw peer answers.
    pub(super) fn answers(&self, answers: &ast::Answers, role: Role) -> Option<Answers> {
        let lines = match answers {
            ast::Answers::All(all) => return Some(Answers::all(*all == ast::AllAnswers::Standard)),
            ast::Answers::Some(lines) => lines,
        };
        let mut read = Answers::all(true);
        let mut complete = true;
        for line in lines {
            complete &= self.answer_line(line, role, &mut read).is_some();
        }
        complete.then_some(read)
    }

    fn answer_line(&self, line: &ast::AnswerLine, role: Role, answers: &mut Answers) -> Option<()> {
        let packet = match line.to {
            Answered::Open if !role.is_broker() => {
                let message = "a connection is opened by the client; a raw broker may answer `open`";
                self.error(&line.place, message);
                return None;
            }
            Answered::Open => None,
            Answered::Packet(packet) => Some(packet),
        };
        if let Some(packet) = packet {
            self.has_packet(packet, &line.place)?;
            if !comes_to(role, packet) {
                self.error(&line.place, format!("{packet} never comes to {}", role.with_article()));
                return None;
            }
        }
        let read = self.each(&line.answers.get(self.env)?.0, |answer| self.answer(answer, packet))?;
        match packet {
            None => answers.open = read,
            Some(packet) => drop(answers.packets.insert(packet, read)),
        }
        Some(())
    }

    fn answer(&self, answer: &ast::Answer, packet: Option<PacketType>) -> Option<Answer> {
        let keys = match answer {
            ast::Answer::Word(place, word) => return self.answer_word(*word, place, packet).map(Answer::now),
            ast::Answer::With(keys) => keys,
        };
        let after = match &keys.after {
            Some(_) => self.get(&keys.after)?.value(self.env)?,
            None => Duration::ZERO,
        };
        let kind = if keys.send.is_some() {
            AnswerKind::Send(self.sent(&*self.get(&keys.send)?, &Connect::new(self.version, ""), true)?)
        } else if keys.close.is_some() {
            AnswerKind::Close(close_how(*self.get(&keys.close)?))
        } else {
            AnswerKind::Standard
        };
        Some(Answer { after, kind })
    }

    fn answer_word(&self, word: ast::AnswerWord, place: &Place, packet: Option<PacketType>) -> Option<AnswerKind> {
        match (word, packet) {
            (ast::AnswerWord::Standard, _) => Some(AnswerKind::Standard),
            (ast::AnswerWord::Nothing, _) => Some(AnswerKind::Nothing),
            (ast::AnswerWord::Ignore, None) => Some(AnswerKind::Ignore),
            (ast::AnswerWord::Ignore, Some(_)) => {
                let message = "`ignore` is for `open`, whose SYN is lost; a packet is answered with `nothing`";
                self.error(place, message);
                None
            }
            (ast::AnswerWord::Refuse, Some(packet)) if !can_refuse(packet, self.version.is_v5()) => {
                self.error(place, format!("MQTT {} has no way to refuse a {packet}", self.version));
                None
            }
            (ast::AnswerWord::Refuse, _) => Some(AnswerKind::Refuse),
        }
    }
}

/// The level of QoS, of which there are three.
pub(super) fn qos(level: QosLevel) -> QoS {
    level.to().and_then(QoS::new).unwrap_or_default()
}

pub(super) fn close_how(word: ast::CloseWord) -> CloseHow {
    match word {
        ast::CloseWord::Fin => CloseHow::Fin,
        ast::CloseWord::Rst => CloseHow::Rst,
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

/// Returns whether a packet can come to a peer of this role [MQTT-2.1.2 of both standards].
fn comes_to(role: Role, packet: PacketType) -> bool {
    match packet {
        PacketType::Connect | PacketType::Subscribe | PacketType::Unsubscribe | PacketType::PingReq => role.is_broker(),
        PacketType::ConnAck | PacketType::SubAck | PacketType::UnsubAck | PacketType::PingResp => !role.is_broker(),
        _ => true,
    }
}

fn can_refuse(packet: PacketType, is_v5: bool) -> bool {
    match packet {
        PacketType::Connect | PacketType::Subscribe => true,
        PacketType::Unsubscribe | PacketType::Publish | PacketType::PubRec | PacketType::PubRel => is_v5,
        _ => false,
    }
}
