use bytes::{BufMut, BytesMut};

use super::EncodeError;
use super::header::{put_varint, varint_len};
use crate::Version;

/// Writes the fields of a packet, or only counts and checks them, which is done first (§1.5).
pub(crate) struct Writer<'a> {
    out: Option<&'a mut BytesMut>,
    len: usize,
    version: Version,
}

impl<'a> Writer<'a> {
    /// Counts and checks, and writes nothing.
    pub(crate) fn counting(version: Version) -> Self {
        Self { out: None, len: 0, version }
    }

    /// Writes what was counted before.
    pub(crate) fn writing(version: Version, out: &'a mut BytesMut) -> Self {
        Self { out: Some(out), len: 0, version }
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// The bytes written or counted so far.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    /// A value of up to 268,435,455, which the caller has checked.
    pub(crate) fn varint(&mut self, value: usize) {
        self.len += varint_len(value);
        if let Some(out) = &mut self.out {
            put_varint(value, out);
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
        if let Some(out) = &mut self.out {
            out.put_slice(bytes);
        }
    }

    /// Binary Data (§1.5.6).
    pub(crate) fn binary(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        let len = u16::try_from(bytes.len()).map_err(|_| EncodeError {
            clause: self.version.clause("§1.5.3", "§1.5.6"),
            what: "string or binary data of more than 65,535 bytes",
        })?;
        self.u16(len);
        self.bytes(bytes);
        Ok(())
    }

    /// A UTF-8 Encoded String (§1.5.4 of 5.0, §1.5.3 of 3.1.1).
    pub(crate) fn string(&mut self, text: &str) -> Result<(), EncodeError> {
        // What is written has been checked when it was counted.
        if self.out.is_none() && text.as_bytes().contains(&0) {
            return Err(EncodeError {
                clause: self.version.clause("MQTT-1.5.3-2", "MQTT-1.5.4-2"),
                what: "string that contains U+0000",
            });
        }
        self.binary(text.as_bytes())
    }
}
