use bytes::Bytes;
use halfopen_client::core::Options;
use halfopen_protocol::packet::{Disconnect, Publish, UserProperties, Will};

/// Stands between the words of one `-D`, which clap sees as one value.
const BETWEEN: char = '\u{1F}';

/// One `-D COMMAND PROPERTY VALUE`; for `user-property` a name and a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Property {
    packet: String,
    name: String,
    values: Vec<String>,
}

/// Puts the words that follow a `-D` into one.
pub(crate) fn join(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut words = words.peekable();
    let mut joined = Vec::new();
    while let Some(word) = words.next() {
        let is_property = word == "-D" || word == "--property";
        joined.push(word);
        if is_property {
            let mut value: Vec<String> = words.by_ref().take(2).collect();
            let count = if value.get(1).is_some_and(|name| name == "user-property") { 2 } else { 1 };
            value.extend(words.by_ref().take(count));
            joined.push(value.join(&BETWEEN.to_string()));
        }
    }
    joined
}

/// Parses the value of `-D`.
pub(crate) fn parse(text: &str) -> Result<Property, String> {
    let mut words = text.split(BETWEEN).map(str::to_owned);
    let (packet, name) = (words.next().unwrap_or_default().to_lowercase(), words.next().unwrap_or_default());
    let property = Property { packet, name, values: words.collect() };
    let expected = if property.name == "user-property" { 2 } else { 1 };
    if property.values.len() != expected {
        return Err("expected COMMAND PROPERTY VALUE, or COMMAND user-property NAME VALUE".to_owned());
    }
    // Tried on something that is thrown away, so that mistakes are found before anything is sent.
    Properties(vec![property.clone()]).apply_all()?;
    Ok(property)
}

/// All of them.
pub(crate) struct Properties(pub(crate) Vec<Property>);

impl Properties {
    /// Returns those of CONNECT and of the will.
    pub(crate) fn connect(&self, options: &mut Options) -> Result<(), String> {
        let connect = &mut options.connect;
        for property in self.of("connect") {
            match &*property.name {
                "session-expiry-interval" => connect.session_expiry = Some(property.number()?),
                "receive-maximum" => connect.receive_maximum = Some(property.number()?),
                "maximum-packet-size" => connect.maximum_packet_size = Some(property.number()?),
                "topic-alias-maximum" => connect.topic_alias_maximum = Some(property.number()?),
                "request-response-information" => connect.request_response_information = Some(property.flag()?),
                "request-problem-information" => connect.request_problem_information = Some(property.flag()?),
                _ => property.user(&mut connect.user_properties)?,
            }
        }
        for property in self.of("will") {
            let Some(will) = &mut connect.will else { return Err("a property of a will without a topic".to_owned()) };
            property.set_will(will)?;
        }
        Ok(())
    }

    /// Returns those of PUBLISH.
    pub(crate) fn publish(&self, publish: &mut Publish) -> Result<(), String> {
        for property in self.of("publish") {
            match &*property.name {
                "payload-format-indicator" => publish.payload_format = Some(property.flag()?),
                "message-expiry-interval" => publish.message_expiry = Some(property.number()?),
                "response-topic" => publish.response_topic = Some(property.text()),
                "correlation-data" => publish.correlation_data = Some(property.data()),
                "content-type" => publish.content_type = Some(property.text()),
                _ => property.user(&mut publish.user_properties)?,
            }
        }
        Ok(())
    }

    /// Returns those of SUBSCRIBE: the identifier, and user properties.
    pub(crate) fn subscribe(&self) -> Result<(Option<u32>, UserProperties), String> {
        let (mut id, mut user) = (None, UserProperties::new());
        for property in self.of("subscribe") {
            match &*property.name {
                "subscription-identifier" => id = Some(property.number()?),
                _ => property.user(&mut user)?,
            }
        }
        Ok((id, user))
    }

    /// Returns those of DISCONNECT.
    pub(crate) fn disconnect(&self) -> Result<Disconnect, String> {
        let mut disconnect = Disconnect::default();
        for property in self.of("disconnect") {
            match &*property.name {
                "session-expiry-interval" => disconnect.session_expiry = Some(property.number()?),
                _ => property.user(&mut disconnect.user_properties)?,
            }
        }
        Ok(disconnect)
    }

    fn apply_all(&self) -> Result<(), String> {
        let known = ["connect", "publish", "subscribe", "disconnect", "will"];
        if let Some(property) = self.0.iter().find(|property| !known.contains(&&*property.packet)) {
            return Err(format!("'{}': expected one of {}", property.packet, known.join(", ")));
        }
        let mut options = Options::new(halfopen_protocol::Version::V5_0, "");
        options.connect.will = Some(Box::default());
        self.connect(&mut options)?;
        self.publish(&mut Publish::default())?;
        self.subscribe()?;
        self.disconnect().map(drop)
    }

    fn of(&self, packet: &str) -> impl Iterator<Item = &Property> {
        self.0.iter().filter(move |property| property.packet == packet)
    }
}

impl Property {
    fn set_will(&self, will: &mut Will) -> Result<(), String> {
        match &*self.name {
            "will-delay-interval" => will.delay = Some(self.number()?),
            "payload-format-indicator" => will.payload_format = Some(self.flag()?),
            "message-expiry-interval" => will.message_expiry = Some(self.number()?),
            "response-topic" => will.response_topic = Some(self.text()),
            "correlation-data" => will.correlation_data = Some(self.data()),
            "content-type" => will.content_type = Some(self.text()),
            _ => self.user(&mut will.user_properties)?,
        }
        Ok(())
    }

    fn value(&self) -> &str {
        self.values.first().map(String::as_str).unwrap_or_default()
    }

    fn text(&self) -> bytestring::ByteString {
        self.value().into()
    }

    fn data(&self) -> Bytes {
        self.value().to_owned().into()
    }

    fn number<T: std::str::FromStr>(&self) -> Result<T, String> {
        self.value().parse().map_err(|_| format!("'{}' is no value for {}", self.value(), self.name))
    }

    fn flag(&self) -> Result<bool, String> {
        match self.value() {
            "0" | "false" => Ok(false),
            "1" | "true" => Ok(true),
            other => Err(format!("'{other}' is no value for {}", self.name)),
        }
    }

    fn user(&self, properties: &mut UserProperties) -> Result<(), String> {
        match (&*self.name, &*self.values) {
            ("user-property", [name, value]) => {
                properties.push((name.as_str().into(), value.as_str().into()));
                Ok(())
            }
            _ => Err(format!("{} has no property '{}' that can be set here", self.packet.to_uppercase(), self.name)),
        }
    }
}
