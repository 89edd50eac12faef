use bytes::{Buf, Bytes};
use bytestring::ByteString;

use super::header::{parse_varint, varint_len};
use super::{DecodeError, Role};
use crate::Version;
use crate::packet::PacketId;

/// Reads the fields of one packet, or of the properties in it (§1.5). Strings and binary data are slices of it.
pub(crate) struct Reader {
    bytes: Bytes,
    version: Version,
    reader: Role,
    /// The rule that is broken when a field goes beyond the end.
    end: &'static str,
}

impl Reader {
    pub(crate) fn new(bytes: Bytes, version: Version, reader: Role) -> Self {
        Self { bytes, version, reader, end: version.clause("§2.2.3", "§2.1.4") }
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// CONNECT says itself which version it is of.
    pub(crate) fn set_version(&mut self, version: Version) {
        *self = Self::new(std::mem::take(&mut self.bytes), version, self.reader);
    }

    /// The side that reads.
    pub(crate) fn reader(&self) -> Role {
        self.reader
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Everything that is left.
    pub(crate) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.bytes)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.bytes.try_get_u8().map_err(|_| self.too_short())
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.bytes.try_get_u16().map_err(|_| self.too_short())
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.bytes.try_get_u32().map_err(|_| self.too_short())
    }

    /// A Variable Byte Integer of 5.0 (§1.5.5).
    pub(crate) fn varint(&mut self) -> Result<u32, DecodeError> {
        let (value, len) = parse_varint(&self.bytes, "§1.5.5")?.ok_or_else(|| self.too_short())?;
        if len != varint_len(value as usize) {
            return Err(DecodeError::malformed("MQTT-1.5.5-1", "integer takes more bytes than it needs"));
        }
        self.bytes.advance(len);
        Ok(value)
    }

    pub(crate) fn slice(&mut self, len: usize) -> Result<Bytes, DecodeError> {
        if len > self.bytes.len() {
            return Err(self.too_short());
        }
        Ok(self.bytes.split_to(len))
    }

    /// Binary Data: two bytes of length, then as many bytes (§1.5.6).
    pub(crate) fn binary(&mut self) -> Result<Bytes, DecodeError> {
        let len = self.u16()?;
        self.slice(usize::from(len))
    }

    /// A UTF-8 Encoded String (§1.5.4 of 5.0, §1.5.3 of 3.1.1).
    pub(crate) fn string(&mut self) -> Result<ByteString, DecodeError> {
        let text = ByteString::try_from(self.binary()?).map_err(|_| {
            let clause = self.version.clause("MQTT-1.5.3-1", "MQTT-1.5.4-1");
            DecodeError::malformed(clause, "string that is not valid UTF-8")
        })?;
        if text.as_bytes().contains(&0) {
            let clause = self.version.clause("MQTT-1.5.3-2", "MQTT-1.5.4-2");
            return Err(DecodeError::malformed(clause, "string that contains U+0000"));
        }
        Ok(text)
    }

    pub(crate) fn packet_id(&mut self) -> Result<PacketId, DecodeError> {
        PacketId::new(self.u16()?).ok_or_else(|| {
            // 5.0 numbers this rule for each side apart.
            let v5_0 = match self.reader {
                Role::Server => "MQTT-2.2.1-3",
                Role::Client => "MQTT-2.2.1-4",
            };
            DecodeError::protocol(self.version.clause("MQTT-2.3.1-1", v5_0), "packet identifier 0")
        })
    }

    /// The fields that follow a length in bytes, to be read apart.
    pub(crate) fn split(&mut self, len: usize, end: &'static str) -> Result<Self, DecodeError> {
        Ok(Self { bytes: self.slice(len)?, version: self.version, reader: self.reader, end })
    }

    /// Returns an error if bytes are left over.
    pub(crate) fn finish(&self) -> Result<(), DecodeError> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::malformed(self.end, "bytes after the last field of the packet"))
        }
    }

    fn too_short(&self) -> DecodeError {
        DecodeError::malformed(self.end, "field goes beyond the end of the packet or of its properties")
    }
}
