use smallvec::SmallVec;

/// The bytes of a segment. Few of them, as most packets of MQTT are, take no room of their own.
pub(crate) type Payload = SmallVec<[u8; 23]>;

/// A TCP segment. Sequence numbers count from the SYN, which has number 0, so that the first byte of the stream has
/// number 1; they do not wrap.
#[derive(Clone, Debug, Default)]
pub(crate) struct Segment {
    pub(crate) sequence: u64,
    /// The sequence number that is expected next, unless this is the first SYN or an RST.
    pub(crate) acknowledgement: Option<u64>,
    pub(crate) window: u16,
    pub(crate) payload: Payload,
    pub(crate) flag: Flag,
}

/// The flag of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Flag {
    #[default]
    None,
    Syn,
    Fin,
    Rst,
    /// Asks for the window of the other end, which answers with it. TCP has no flag for it.
    Probe,
}

impl Segment {
    /// Returns an RST.
    pub(crate) fn rst() -> Self {
        Self { flag: Flag::Rst, ..Self::default() }
    }

    /// Returns how many sequence numbers the segment takes.
    pub(crate) fn length(&self) -> u64 {
        self.payload.len() as u64 + u64::from(matches!(self.flag, Flag::Syn | Flag::Fin))
    }

    /// Returns how many bytes of the stream have been sent up to the end of this segment.
    pub(crate) fn stream_offset(&self) -> u64 {
        (self.sequence + self.payload.len() as u64).saturating_sub(1)
    }

    /// Returns whether this is the segment that opens a connection.
    pub(crate) fn is_opening(&self) -> bool {
        self.flag == Flag::Syn && self.acknowledgement.is_none()
    }
}
