use std::fmt;

use halfopen_protocol::ReasonCode;
use halfopen_protocol::packet::QoS;

use super::Error;
use crate::core::AckDetails;

/// A publish that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The reason code of the broker, always below 0x80: [`ReasonCode::NO_MATCHING_SUBSCRIBERS`] is among them (5.0).
    pub reason: ReasonCode,
    /// The reason string and user properties.
    pub details: AckDetails,
}

/// The answer of the broker to a list of subscriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// The granted QoS or the reason of the refusal, for each filter.
    pub results: Vec<Result<QoS, ReasonCode>>,
    /// The reason string and user properties.
    pub details: AckDetails,
}

/// The answer of the broker to a list of filters to unsubscribe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsubscribed {
    /// The reason code for each filter; empty in 3.1.1.
    pub reasons: Vec<ReasonCode>,
    /// The reason string and user properties.
    pub details: AckDetails,
}

/// A refusal by the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason code, 0x80 or above; or that of the limit in its CONNACK that the request exceeds.
    pub reason: ReasonCode,
    /// The reason string and user properties.
    pub details: AckDetails,
}

impl Published {
    pub(super) fn new(reason: ReasonCode, details: AckDetails) -> Result<Self, Error> {
        if reason.is_error() { Err(Refusal { reason, details }.into()) } else { Ok(Self { reason, details }) }
    }
}

impl Subscribed {
    pub(super) fn new(reasons: &[ReasonCode], details: AckDetails) -> Self {
        let results = reasons.iter().map(|reason| QoS::new(reason.value()).ok_or(*reason)).collect();
        Self { results, details }
    }

    /// Returns the result of the only filter.
    pub(super) fn one(self) -> Result<QoS, Error> {
        let result = self.results.into_iter().next().unwrap_or(Err(ReasonCode::UNSPECIFIED_ERROR));
        result.map_err(|reason| Refusal { reason, details: self.details }.into())
    }
}

impl Unsubscribed {
    /// Returns the result of the only filter. 3.1.1 has no refusal.
    pub(super) fn one(self) -> Result<(), Error> {
        match self.reasons.into_iter().find(|reason| reason.is_error()) {
            Some(reason) => Err(Refusal { reason, details: self.details }.into()),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.reason.name().unwrap_or("unknown reason"), self.reason)?;
        match &self.details.reason_string {
            Some(said) => write!(f, ": {said}"),
            None => Ok(()),
        }
    }
}
