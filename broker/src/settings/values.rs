//! Values as they are written in flags and in the configuration file.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use halfopen_broker::core::{QueuePolicy, Referral};
use halfopen_protocol::packet::QoS;
use toml::de::DeValue;

/// A value as TOML has it. Flags are read by `FromStr`, so that both accept the same.
pub(crate) trait Value: Sized {
    /// Reads the value.
    ///
    /// # Errors
    /// What would be right, in words.
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String>;
}

/// A duration in milliseconds, from `MIN` to `MAX`: a whole number with a unit, `500ms`, `10s`, `2m`, `1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span<const MIN: u64, const MAX: u64>(Duration);

/// A keep-alive: a duration of whole seconds, from `MIN` to what fits its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeepAliveSetting<const MIN: u16>(u16);

/// A duration of whole seconds, or `forever`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExpirySetting(u32);

/// 0, 1 or 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MaximumQos(QoS);

/// A text that fits a string of MQTT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text(String);

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole<const MIN: u64, const MAX: u64>(u64);

/// A multiple of the keep-alive. Below 1, clients that ping in time would be closed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Factor(f64);

/// An address or a host name, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address(String);

/// As [`QueuePolicy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Policy {
    /// It is dropped
    DropNewest,
    /// The oldest that wait are dropped to make room
    DropOldest,
}

/// As [`Referral`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Moment {
    /// When this one stops
    WhenStopping,
    /// At once, for now
    Temporary,
    /// At once and for good
    Permanent,
}

const DURATION: &str = "expected a whole number with a unit: ms, s, m or h";

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(DURATION.to_owned()),
    };
    if number.is_empty() {
        return Err(DURATION.to_owned());
    }
    // A number that is too large for a u64 is too large for every setting.
    let number: u64 = number.parse().unwrap_or(u64::MAX);
    Ok(Duration::from_millis(number.saturating_mul(millis)))
}

fn whole_seconds(text: &str) -> Result<u64, String> {
    let duration = duration(text)?;
    if duration.subsec_millis() == 0 { Ok(duration.as_secs()) } else { Err("expected whole seconds".to_owned()) }
}

/// The shortest way to write a duration.
fn written(millis: u64) -> String {
    match millis {
        _ if millis.is_multiple_of(3_600_000) && millis > 0 => format!("{}h", millis / 3_600_000),
        _ if millis.is_multiple_of(1000) => format!("{}s", millis / 1000),
        _ => format!("{millis}ms"),
    }
}

impl<const MIN: u64, const MAX: u64> FromStr for Span<MIN, MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let duration = duration(text)?;
        if (MIN.into()..=MAX.into()).contains(&duration.as_millis()) {
            Ok(Self(duration))
        } else {
            Err(format!("expected a duration from {} to {}", written(MIN), written(MAX)))
        }
    }
}

impl<const MIN: u16> FromStr for KeepAliveSetting<MIN> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match u16::try_from(whole_seconds(text)?) {
            Ok(seconds) if seconds >= MIN => Ok(Self(seconds)),
            _ => Err(format!("expected whole seconds from {MIN}s to 65535s")),
        }
    }
}

impl FromStr for ExpirySetting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "forever" {
            return Ok(Self(u32::MAX));
        }
        // The largest number means for ever.
        match u32::try_from(whole_seconds(text)?) {
            Ok(seconds) if seconds < u32::MAX => Ok(Self(seconds)),
            _ => Err("expected at most 4294967294s, or forever".to_owned()),
        }
    }
}

impl FromStr for MaximumQos {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "0" => Ok(Self(QoS::AtMostOnce)),
            "1" => Ok(Self(QoS::AtLeastOnce)),
            "2" => Ok(Self(QoS::ExactlyOnce)),
            _ => Err("expected 0, 1 or 2"),
        }
    }
}

impl FromStr for Text {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "" => Err("expected some text"),
            _ if text.len() > usize::from(u16::MAX) => Err("expected at most 65535 bytes"),
            _ if text.contains(char::is_control) => Err("expected text without control characters"),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl<const MIN: u64, const MAX: u64> FromStr for Whole<MIN, MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(number) if (MIN..=MAX).contains(&number) => Ok(Self(number)),
            _ => Err(format!("expected a whole number from {MIN} to {MAX}")),
        }
    }
}

impl FromStr for Factor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text.parse() {
            Ok(factor) if (1.0..=100.0).contains(&factor) => Ok(Self(factor)),
            _ => Err("expected a number from 1 to 100"),
        }
    }
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        if text.parse::<SocketAddr>().is_ok() {
            return Ok(Self(text.to_owned()));
        }
        let is_port = |port: &str| port.parse::<u16>().is_ok();
        match text.rsplit_once(':') {
            Some((host, port)) if host.contains(':') && is_port(port) => {
                Err("expected an IPv6 address in brackets, such as [::1]:1883")
            }
            Some((host, port)) if is_host_name(host) && is_port(port) => Ok(Self(text.to_owned())),
            _ => Err("expected an address or a host name, and a port, such as 0.0.0.0:1883 or localhost:1883"),
        }
    }
}

/// Whether this can be the name of a host (RFC 1123), and is no broken address.
fn is_host_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    text.contains(|c: char| c.is_ascii_alphabetic()) && text.chars().all(is_plain)
}

impl Address {
    /// The addresses to listen on: those of IPv4 first, since a machine may be without IPv6.
    pub(crate) async fn resolve(&self) -> std::io::Result<Vec<SocketAddr>> {
        let mut all: Vec<SocketAddr> = tokio::net::lookup_host(&self.0).await?.collect();
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self(address.to_string())
    }
}

/// Describes a value of the wrong kind.
fn found(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The message for a value of the wrong kind. `expected` says what it is to be.
pub(super) fn wrong_kind(expected: &str, value: &DeValue<'_>) -> String {
    format!("expected {expected}, found {}", found(value))
}

fn from_text<T: FromStr<Err: ToString>>(expected: &str, value: &DeValue<'_>) -> Result<T, String> {
    match value {
        DeValue::String(text) => text.parse().map_err(|error: T::Err| error.to_string()),
        _ => Err(wrong_kind(expected, value)),
    }
}

fn from_number<T: FromStr<Err: ToString>>(expected: &str, value: &DeValue<'_>) -> Result<T, String> {
    let text = match value {
        // One that is too large even for this is too large for every setting.
        DeValue::Integer(it) => i128::from_str_radix(it.as_str(), it.radix()).unwrap_or(i128::MAX).to_string(),
        DeValue::Float(it) if expected != WHOLE => it.as_str().to_owned(),
        _ => return Err(wrong_kind(expected, value)),
    };
    text.parse().map_err(|error: T::Err| error.to_string())
}

const WHOLE: &str = "a whole number";

pub(super) fn choice<T: ValueEnum>(value: &DeValue<'_>) -> Result<T, String> {
    let names: Vec<String> = T::value_variants()
        .iter()
        .filter_map(|it| Some(format!("\"{}\"", it.to_possible_value()?.get_name())))
        .collect();
    let expected = names.join(" or ");
    let DeValue::String(text) = value else { return Err(wrong_kind(&expected, value)) };
    T::from_str(text, false).map_err(|_| format!("expected {expected}"))
}

impl<const MIN: u64, const MAX: u64> Value for Span<MIN, MAX> {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        from_text("a duration in quotes, such as \"10s\"", value)
    }
}

impl<const MIN: u16> Value for KeepAliveSetting<MIN> {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        from_text("a duration in quotes, such as \"60s\"", value)
    }
}

impl Value for ExpirySetting {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        from_text("a duration in quotes, such as \"24h\", or \"forever\"", value)
    }
}

impl Value for Text {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        from_text("text in quotes", value)
    }
}

impl Value for Address {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        from_text("text in quotes, such as \"localhost:1883\"", value)
    }
}

impl Value for PathBuf {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        match from_text::<Self>("the name of a file in quotes", value) {
            Ok(path) if path.as_os_str().is_empty() => Err("expected the name of a file".to_owned()),
            path => path,
        }
    }
}

impl Value for MaximumQos {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        from_number(WHOLE, value)
    }
}

impl<const MIN: u64, const MAX: u64> Value for Whole<MIN, MAX> {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        from_number(WHOLE, value)
    }
}

impl Value for Factor {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        from_number("a number", value)
    }
}

impl Value for bool {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| wrong_kind("true or false (without quotes)", value))
    }
}

impl Value for Policy {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        choice(value)
    }
}

impl Value for Moment {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        choice(value)
    }
}

impl<const MIN: u64, const MAX: u64> From<Whole<MIN, MAX>> for usize {
    fn from(number: Whole<MIN, MAX>) -> Self {
        Self::try_from(number.0).unwrap_or(Self::MAX)
    }
}

impl<const MIN: u64, const MAX: u64> From<Whole<MIN, MAX>> for u32 {
    fn from(number: Whole<MIN, MAX>) -> Self {
        Self::try_from(number.0).unwrap_or(Self::MAX)
    }
}

impl<const MIN: u64, const MAX: u64> From<Whole<MIN, MAX>> for u16 {
    fn from(number: Whole<MIN, MAX>) -> Self {
        Self::try_from(number.0).unwrap_or(Self::MAX)
    }
}

impl From<ExpirySetting> for u32 {
    fn from(expiry: ExpirySetting) -> Self {
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

impl<const MIN: u64, const MAX: u64> From<Span<MIN, MAX>> for Duration {
    fn from(span: Span<MIN, MAX>) -> Self {
        span.0
    }
}

impl<const MIN: u16> From<KeepAliveSetting<MIN>> for Option<u16> {
    fn from(keep_alive: KeepAliveSetting<MIN>) -> Self {
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
    #[case("0s", None)]
    #[case("3600001ms", None)]
    fn a_duration_is_a_whole_number_with_a_unit(#[case] text: &str, #[case] millis: Option<u64>) {
        let expected = millis.map(|millis| Span::<1, 3_600_000>(Duration::from_millis(millis)));
        assert_eq!(text.parse().ok(), expected);
    }

    #[rstest]
    #[case("0s", Some(0))]
    #[case("65535s", Some(65_535))]
    #[case("65536s", None)]
    #[case("1500ms", None)]
    fn a_keep_alive_fits_its_field(#[case] text: &str, #[case] secs: Option<u16>) {
        assert_eq!(text.parse().ok(), secs.map(KeepAliveSetting::<0>));
        assert_eq!(text.parse().ok(), secs.filter(|&secs| secs > 0).map(KeepAliveSetting::<1>));
    }

    #[rstest]
    #[case("0s", Some(0))]
    #[case("1h", Some(3600))]
    #[case("4294967294s", Some(4_294_967_294))]
    #[case("4294967295s", None)]
    #[case("forever", Some(u32::MAX))]
    #[case("1500ms", None)]
    fn a_session_ends_after_whole_seconds_or_never(#[case] text: &str, #[case] secs: Option<u32>) {
        assert_eq!(text.parse().ok(), secs.map(ExpirySetting));
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
    #[case("0.9", None)]
    #[case("0", None)]
    #[case("-1", None)]
    #[case("1e300", None)]
    #[case("inf", None)]
    #[case("NaN", None)]
    fn a_factor_closes_no_client_that_is_in_time(#[case] text: &str, #[case] factor: Option<f64>) {
        assert_eq!(text.parse().ok(), factor.map(Factor));
    }

    #[rstest]
    #[case("1", Some(1))]
    #[case("9", Some(9))]
    #[case("0", None)]
    #[case("10", None)]
    #[case("-1", None)]
    #[case("1.0", None)]
    #[case("99999999999999999999999", None)]
    #[case("", None)]
    fn a_whole_number_is_within_its_bounds(#[case] text: &str, #[case] number: Option<u64>) {
        assert_eq!(text.parse().ok(), number.map(Whole::<1, 9>));
    }

    #[rstest]
    #[case("127.0.0.1:1883", "")]
    #[case("[::1]:0", "")]
    #[case("localhost:1883", "")]
    #[case("my-host.example:1", "")]
    #[case("::1:1883", "expected an IPv6 address in brackets")]
    #[case("localhost", "expected an address or a host name, and a port")]
    #[case("1883", "expected an address or a host name, and a port")]
    #[case(":1883", "expected an address or a host name, and a port")]
    #[case("*:1883", "expected an address or a host name, and a port")]
    #[case("127.0.0.999:1883", "expected an address or a host name, and a port")]
    #[case("localhost:65536", "expected an address or a host name, and a port")]
    #[case("mqtt://localhost:1883", "expected an")]
    fn an_address_has_a_host_and_a_port(#[case] text: &str, #[case] wrong: &str) {
        let what = text.parse::<Address>().err().unwrap_or_default();
        assert!(what.starts_with(wrong) && what.is_empty() == wrong.is_empty(), "{what}");
    }
}
