//! The body of CONNECT: §3.1.2 and §3.1.3.

use super::QoS;
use super::connect::{Connect, Will};
use super::publish::check_response_topic;
use crate::codec::{DecodeError, EncodeError, Property, Reader, Writer};
use crate::{ReasonCode, Version, topic};

const PROTOCOL_NAME: &str = "MQTT";

/// The Connect Flags (§3.1.2.3).
#[derive(Clone, Copy)]
struct Flags(u8);

impl Flags {
    const RESERVED: u8 = 1;
    const CLEAN_START: u8 = 1 << 1;
    const WILL: u8 = 1 << 2;
    const WILL_RETAIN: u8 = 1 << 5;
    const PASSWORD: u8 = 1 << 6;
    const USERNAME: u8 = 1 << 7;

    fn parse(flags: u8, version: Version) -> Result<Self, DecodeError> {
        let flags = Self(flags);
        let malformed = |v3_1_1, v5_0, what| Err(DecodeError::malformed(version.clause(v3_1_1, v5_0), what));
        if flags.has(Self::RESERVED) {
            return malformed("MQTT-3.1.2-3", "MQTT-3.1.2-3", "reserved connect flag");
        }
        if !flags.has(Self::WILL) && flags.will_qos_level() != 0 {
            return malformed("MQTT-3.1.2-13", "MQTT-3.1.2-11", "will QoS without a will");
        }
        if !flags.has(Self::WILL) && flags.has(Self::WILL_RETAIN) {
            return malformed("MQTT-3.1.2-15", "MQTT-3.1.2-13", "will retain without a will");
        }
        if flags.will_qos_level() == 3 {
            return malformed("MQTT-3.1.2-14", "MQTT-3.1.2-12", "will QoS 3");
        }
        if !version.is_v5() && flags.has(Self::PASSWORD) && !flags.has(Self::USERNAME) {
            return Err(DecodeError::malformed("MQTT-3.1.2-22", "password without user name"));
        }
        Ok(flags)
    }

    fn of(connect: &Connect) -> Self {
        let mut flags = 0;
        if connect.clean_start {
            flags |= Self::CLEAN_START;
        }
        if let Some(will) = &connect.will {
            flags |= Self::WILL | will.qos.level() << 3;
            if will.retain {
                flags |= Self::WILL_RETAIN;
            }
        }
        if connect.username.is_some() {
            flags |= Self::USERNAME;
        }
        if connect.password.is_some() {
            flags |= Self::PASSWORD;
        }
        Self(flags)
    }

    fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    fn will_qos_level(self) -> u8 {
        self.0 >> 3 & 0b11
    }
}

impl Connect {
    /// Takes the version from the packet and tells it to the reader.
    pub(crate) fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let version = decode_version(reader)?;
        reader.set_version(version);
        let flags = Flags::parse(reader.u8()?, version)?;
        let mut connect = Self::new(version, "");
        connect.clean_start = flags.has(Flags::CLEAN_START);
        connect.keep_alive = reader.u16()?;
        let mut properties = reader.properties()?;
        while let Some(property) = properties.next_property()? {
            connect.decode_property(property, &mut properties)?;
        }
        connect.client_id = reader.string()?;
        if flags.has(Flags::WILL) {
            connect.will = Some(Will::decode(flags, reader)?.into());
        }
        if flags.has(Flags::USERNAME) {
            connect.username = Some(reader.string()?);
        }
        if flags.has(Flags::PASSWORD) {
            connect.password = Some(reader.binary()?);
        }
        connect.check()?;
        Ok(connect)
    }

    /// # Errors
    /// Also if the version asked for is not the one that the packet names.
    pub(crate) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        let version = writer.version();
        if self.version != version {
            return Err(EncodeError { clause: "§3.1.2.2", what: "CONNECT that names the other version" });
        }
        self.check()?;
        let flags = Flags::parse(Flags::of(self).0, version)?;
        // A server must see such a CONNECT to refuse it [MQTT-3.1.3-8], but no client may send it.
        if !version.is_v5() && self.client_id.is_empty() && !self.clean_start {
            return Err(EncodeError { clause: "MQTT-3.1.3-7", what: "empty client identifier with a session to keep" });
        }
        writer.string(PROTOCOL_NAME)?;
        writer.u8(version.level());
        writer.u8(flags.0);
        writer.u16(self.keep_alive);
        writer.properties(|writer| self.encode_properties(writer))?;
        writer.string(&self.client_id)?;
        if let Some(will) = &self.will {
            will.encode(writer)?;
        }
        if let Some(username) = &self.username {
            writer.string(username)?;
        }
        if let Some(password) = &self.password {
            writer.binary(password)?;
        }
        Ok(())
    }

    fn decode_property(&mut self, property: Property, value: &mut Reader) -> Result<(), DecodeError> {
        match property {
            Property::SessionExpiry => value.once(&mut self.session_expiry, "§3.1.2.11.2", Reader::u32),
            Property::ReceiveMaximum => value.once(&mut self.receive_maximum, "§3.1.2.11.3", Reader::u16),
            Property::MaximumPacketSize => value.once(&mut self.maximum_packet_size, "§3.1.2.11.4", Reader::u32),
            Property::TopicAliasMaximum => value.once(&mut self.topic_alias_maximum, "§3.1.2.11.5", Reader::u16),
            Property::RequestResponseInformation => {
                value.flag_once(&mut self.request_response_information, "§3.1.2.11.6")
            }
            Property::RequestProblemInformation => {
                value.flag_once(&mut self.request_problem_information, "§3.1.2.11.7")
            }
            Property::User => {
                self.user_properties.push(value.pair()?);
                Ok(())
            }
            Property::AuthenticationMethod => {
                value.once(&mut self.authentication_method, "§3.1.2.11.9", Reader::string)
            }
            Property::AuthenticationData => value.once(&mut self.authentication_data, "§3.1.2.11.10", Reader::binary),
            other => Err(other.not_allowed()),
        }
    }

    fn encode_properties(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.property_u32(Property::SessionExpiry, self.session_expiry);
        writer.property_u16(Property::ReceiveMaximum, self.receive_maximum);
        writer.property_u32(Property::MaximumPacketSize, self.maximum_packet_size);
        writer.property_u16(Property::TopicAliasMaximum, self.topic_alias_maximum);
        writer.property_flag(Property::RequestResponseInformation, self.request_response_information);
        writer.property_flag(Property::RequestProblemInformation, self.request_problem_information);
        writer.user_properties(&self.user_properties)?;
        writer.property_string(Property::AuthenticationMethod, self.authentication_method.as_ref())?;
        writer.property_binary(Property::AuthenticationData, self.authentication_data.as_ref())
    }

    fn check(&self) -> Result<(), DecodeError> {
        if self.receive_maximum == Some(0) {
            return Err(DecodeError::protocol("§3.1.2.11.3", "receive maximum 0"));
        }
        if self.maximum_packet_size == Some(0) {
            return Err(DecodeError::protocol("§3.1.2.11.4", "maximum packet size 0"));
        }
        if self.authentication_data.is_some() && self.authentication_method.is_none() {
            return Err(DecodeError::protocol("§3.1.2.11.10", "authentication data without authentication method"));
        }
        self.will.as_ref().map_or(Ok(()), |will| will.check(self.version))
    }
}

/// The will stands in the payload behind the client identifier (§3.1.3.2 to §3.1.3.4 of 5.0).
impl Will {
    fn decode(flags: Flags, reader: &mut Reader) -> Result<Self, DecodeError> {
        let qos = QoS::new(flags.will_qos_level()).unwrap_or_default();
        let mut will = Self { qos, retain: flags.has(Flags::WILL_RETAIN), ..Self::default() };
        let mut properties = reader.properties()?;
        while let Some(property) = properties.next_property()? {
            will.decode_property(property, &mut properties)?;
        }
        will.topic = reader.string()?;
        will.payload = reader.binary()?;
        Ok(will)
    }

    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.properties(|writer| {
            writer.property_u32(Property::WillDelay, self.delay);
            writer.property_flag(Property::PayloadFormat, self.payload_format);
            writer.property_u32(Property::MessageExpiry, self.message_expiry);
            writer.property_string(Property::ContentType, self.content_type.as_ref())?;
            writer.property_string(Property::ResponseTopic, self.response_topic.as_ref())?;
            writer.property_binary(Property::CorrelationData, self.correlation_data.as_ref())?;
            writer.user_properties(&self.user_properties)
        })?;
        writer.string(&self.topic)?;
        writer.binary(&self.payload)
    }

    fn decode_property(&mut self, property: Property, value: &mut Reader) -> Result<(), DecodeError> {
        match property {
            Property::WillDelay => value.once(&mut self.delay, "§3.1.3.2.2", Reader::u32),
            Property::PayloadFormat => value.flag_once(&mut self.payload_format, "§3.1.3.2.3"),
            Property::MessageExpiry => value.once(&mut self.message_expiry, "§3.1.3.2.4", Reader::u32),
            Property::ContentType => value.once(&mut self.content_type, "§3.1.3.2.5", Reader::string),
            Property::ResponseTopic => value.once(&mut self.response_topic, "§3.1.3.2.6", Reader::string),
            Property::CorrelationData => value.once(&mut self.correlation_data, "§3.1.3.2.7", Reader::binary),
            Property::User => {
                self.user_properties.push(value.pair()?);
                Ok(())
            }
            other => Err(other.not_allowed()),
        }
    }

    fn check(&self, version: Version) -> Result<(), DecodeError> {
        topic::check_name(&self.topic, version)?;
        self.response_topic.as_ref().map_or(Ok(()), |topic| check_response_topic(topic))
    }
}

fn decode_version(reader: &mut Reader) -> Result<Version, DecodeError> {
    let unsupported = |clause, what| DecodeError { reason: ReasonCode::UNSUPPORTED_PROTOCOL_VERSION, clause, what };
    if reader.binary()? != PROTOCOL_NAME.as_bytes() {
        return Err(unsupported("MQTT-3.1.2-1", "protocol name other than MQTT"));
    }
    Version::from_level(reader.u8()?)
        .ok_or_else(|| unsupported("MQTT-3.1.2-2", "protocol level of neither 3.1.1 nor 5.0"))
}
