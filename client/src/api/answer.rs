use std::fmt;

use halfopen_protocol::ReasonCode;
use halfopen_protocol::packet::QoS;

use super::Error;
use crate::core::AckDetails;

/// A publish that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// What the broker said, always below 0x80: [`ReasonCode::NO_MATCHING_SUBSCRIBERS`] is among them (5.0).
    pub reason: ReasonCode,
    /// And what it said beside that.
    pub remarks: AckDetails,
}

/// What the broker said to a list of subscriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// For each filter the QoS that is granted, or why it is refused.
    pub results: Vec<Result<QoS, ReasonCode>>,
    /// What it said beside that.
    pub remarks: AckDetails,
}

/// What the broker said to a list of filters to unsubscribe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsubscribed {
    /// For each filter a reason; nothing in 3.1.1.
    pub reasons: Vec<ReasonCode>,
    /// What it said beside that.
    pub remarks: AckDetails,
}

/// What the broker refused something with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its reason code, 0x80 or above; or that of the limit in its CONNACK that the request exceeds.
    pub reason: ReasonCode,
    /// And what it said beside that.
    pub remarks: AckDetails,
}

impl Published {
    pub(super) fn new(reason: ReasonCode, remarks: AckDetails) -> Result<Self, Error> {
        if reason.is_error() { Err(Refusal { reason, remarks }.into()) } else { Ok(Self { reason, remarks }) }
    }
}

impl Subscribed {
    pub(super) fn new(reasons: &[ReasonCode], remarks: AckDetails) -> Self {
        let results = reasons.iter().map(|reason| QoS::new(reason.value()).ok_or(*reason)).collect();
        Self { results, remarks }
    }

    /// Where there was one filter: its result.
    pub(super) fn one(self) -> Result<QoS, Error> {
        let result = self.results.into_iter().next().unwrap_or(Err(ReasonCode::UNSPECIFIED_ERROR));
        result.map_err(|reason| Refusal { reason, remarks: self.remarks }.into())
    }
}

impl Unsubscribed {
    /// Where there was one filter: its result. 3.1.1 knows no refusal.
    pub(super) fn one(self) -> Result<(), Error> {
        match self.reasons.into_iter().find(|reason| reason.is_error()) {
            Some(reason) => Err(Refusal { reason, remarks: self.remarks }.into()),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.reason.name().unwrap_or("unknown reason"), self.reason)?;
        match &self.remarks.reason_string {
            Some(said) => write!(f, ": {said}"),
            None => Ok(()),
        }
    }
}
