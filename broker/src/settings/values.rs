//! Values as they are written in flags and in the configuration file.

use std::str::FromStr;
use std::time::Duration;

use halfopen_broker::core::{QueuePolicy, Referral};
use halfopen_protocol::packet::QoS;
use serde::Deserialize;

/// A whole number with a unit: `500ms`, `10s`, `2m`, `1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Span(Duration);

/// A span of whole seconds that fits the field of a keep-alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct KeepAlive(u16);

/// A span of whole seconds, or `forever`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Expiry(u32);

/// 0, 1 or 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u8")]
pub(crate) struct MaximumQos(QoS);

/// Any text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Text(String);

/// As [`QueuePolicy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Policy {
    /// It is dropped
    DropNewest,
    /// The oldest that wait are dropped to make room
    DropOldest,
}

/// As [`Referral`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Moment {
    /// When this one stops
    WhenStopping,
    /// At once, for now
    Temporary,
    /// At once and for good
    Permanent,
}

/// A number above 0.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct Factor(f64);

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let millis = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err("expected a whole number with a unit: ms, s, m or h"),
        };
        let number: u64 = number.parse().map_err(|_| "expected a whole number before the unit")?;
        number.checked_mul(millis).map(|millis| Self(Duration::from_millis(millis))).ok_or("too long")
    }
}

impl FromStr for KeepAlive {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let Span(duration) = text.parse()?;
        if duration.subsec_millis() != 0 {
            return Err("expected whole seconds");
        }
        u16::try_from(duration.as_secs()).map(Self).map_err(|_| "expected at most 65535s")
    }
}

impl FromStr for Expiry {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        if text == "forever" {
            return Ok(Self(u32::MAX));
        }
        let Span(duration) = text.parse()?;
        if duration.subsec_millis() != 0 {
            return Err("expected whole seconds");
        }
        // The largest number means for ever.
        match u32::try_from(duration.as_secs()) {
            Ok(secs) if secs < u32::MAX => Ok(Self(secs)),
            _ => Err("expected at most 4294967294s, or forever"),
        }
    }
}

impl FromStr for MaximumQos {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        text.parse::<u8>().map_err(|_| NO_QOS)?.try_into()
    }
}

const NO_QOS: &str = "expected 0, 1 or 2";

impl TryFrom<u8> for MaximumQos {
    type Error = &'static str;

    fn try_from(level: u8) -> Result<Self, &'static str> {
        match level {
            0 => Ok(Self(QoS::AtMostOnce)),
            1 => Ok(Self(QoS::AtLeastOnce)),
            2 => Ok(Self(QoS::ExactlyOnce)),
            _ => Err(NO_QOS),
        }
    }
}

impl FromStr for Text {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Factor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        text.parse::<f64>().map_err(|_| "expected a number")?.try_into()
    }
}

impl TryFrom<f64> for Factor {
    type Error = &'static str;

    fn try_from(factor: f64) -> Result<Self, &'static str> {
        if factor.is_finite() && factor > 0.0 { Ok(Self(factor)) } else { Err("expected a number above 0") }
    }
}

macro_rules! from_text {
    ($($type:ty),*) => {$(
        impl TryFrom<String> for $type {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, &'static str> {
                text.parse()
            }
        }
    )*};
}

from_text!(Span, KeepAlive, Expiry);

impl From<Expiry> for u32 {
    fn from(expiry: Expiry) -> Self {
        expiry.0
    }
}

impl From<MaximumQos> for QoS {
    fn from(qos: MaximumQos) -> Self {
        qos.0
    }
}

impl From<Text> for Option<String> {
    fn from(text: Text) -> Self {
        Some(text.0)
    }
}

impl From<Policy> for QueuePolicy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::DropNewest => Self::DropNewest,
            Policy::DropOldest => Self::DropOldest,
        }
    }
}

impl From<Moment> for Referral {
    fn from(moment: Moment) -> Self {
        match moment {
            Moment::WhenStopping => Self::WhenStopping,
            Moment::Temporary => Self::Temporary,
            Moment::Permanent => Self::Permanent,
        }
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.0
    }
}

impl From<KeepAlive> for Option<u16> {
    fn from(keep_alive: KeepAlive) -> Self {
        Some(keep_alive.0)
    }
}

impl From<Factor> for f64 {
    fn from(factor: Factor) -> Self {
        factor.0
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("500ms", Some(500))]
    #[case("10s", Some(10_000))]
    #[case("2m", Some(120_000))]
    #[case("1h", Some(3_600_000))]
    #[case("10", None)]
    #[case("s", None)]
    #[case("1.5s", None)]
    #[case("-1s", None)]
    #[case("10 s", None)]
    #[case("99999999999999999999s", None)]
    #[case("9999999999999999h", None)]
    fn a_duration_is_a_whole_number_with_a_unit(#[case] text: &str, #[case] millis: Option<u64>) {
        assert_eq!(text.parse().ok(), millis.map(|millis| Span(Duration::from_millis(millis))));
    }

    #[rstest]
    #[case("0s", Some(0))]
    #[case("65535s", Some(65_535))]
    #[case("65536s", None)]
    #[case("1500ms", None)]
    fn a_keep_alive_fits_its_field(#[case] text: &str, #[case] secs: Option<u16>) {
        assert_eq!(text.parse().ok(), secs.map(KeepAlive));
    }

    #[rstest]
    #[case("0s", Some(0))]
    #[case("1h", Some(3600))]
    #[case("4294967294s", Some(4_294_967_294))]
    #[case("4294967295s", None)]
    #[case("forever", Some(u32::MAX))]
    #[case("1500ms", None)]
    fn a_session_ends_after_whole_seconds_or_never(#[case] text: &str, #[case] secs: Option<u32>) {
        assert_eq!(text.parse().ok(), secs.map(Expiry));
    }

    #[rstest]
    #[case("2", Some(QoS::ExactlyOnce))]
    #[case("0", Some(QoS::AtMostOnce))]
    #[case("3", None)]
    #[case("-1", None)]
    fn a_qos_is_one_of_three(#[case] text: &str, #[case] qos: Option<QoS>) {
        assert_eq!(text.parse().ok(), qos.map(MaximumQos));
    }

    #[rstest]
    #[case("1.5", Some(1.5))]
    #[case("2", Some(2.0))]
    #[case("0", None)]
    #[case("-1", None)]
    #[case("inf", None)]
    #[case("NaN", None)]
    fn a_factor_is_above_zero(#[case] text: &str, #[case] factor: Option<f64>) {
        assert_eq!(text.parse().ok(), factor.map(Factor));
    }
}
