use std::time::Duration;

use halfopen_protocol::Version;
use halfopen_protocol::packet::QoS;

/// Parses `-V`.
pub(crate) fn version(text: &str) -> Result<Version, String> {
    match text {
        "mqttv311" | "311" | "3.1.1" => Ok(Version::V3_1_1),
        "mqttv5" | "5" | "5.0" => Ok(Version::V5_0),
        _ => Err("expected mqttv311 (or 311, 3.1.1) or mqttv5 (or 5, 5.0)".to_owned()),
    }
}

/// The parts of the URL of `-L`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) topic: Option<String>,
}

/// Parses `-L`.
pub(crate) fn url(text: &str) -> Result<Url, String> {
    let rest = text.strip_prefix("mqtt://").ok_or("expected mqtt://[user[:password]@]host[:port][/topic]")?;
    let (authority, topic) = rest.split_once('/').map_or((rest, None), |(authority, topic)| (authority, Some(topic)));
    let (login, address) =
        authority.rsplit_once('@').map_or((None, authority), |(login, address)| (Some(login), address));
    let (user, password) = match login.map(|login| login.split_once(':').ok_or(login)) {
        None => (None, None),
        Some(Ok((user, password))) => (Some(user.to_owned()), Some(password.to_owned())),
        Some(Err(user)) => (Some(user.to_owned()), None),
    };
    // The colons of an address of IPv6 stand in brackets.
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            (host, port.parse().map_err(|_| format!("'{port}' is not a port"))?)
        }
        _ => (address, 1883),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    if host.is_empty() {
        return Err("a host is missing".to_owned());
    }
    let topic = topic.filter(|topic| !topic.is_empty()).map(str::to_owned);
    Ok(Url { host, port, user, password, topic })
}

/// Parses a number of seconds, which may be a fraction.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds: f64| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| "expected a number of seconds, such as 0.5".to_owned())
}

/// Parses `-q`.
pub(crate) fn qos(text: &str) -> Result<QoS, String> {
    text.parse().ok().and_then(QoS::new).ok_or_else(|| "expected 0, 1 or 2".to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("mqttv311", Some(Version::V3_1_1))]
    #[case("311", Some(Version::V3_1_1))]
    #[case("3.1.1", Some(Version::V3_1_1))]
    #[case("mqttv5", Some(Version::V5_0))]
    #[case("5", Some(Version::V5_0))]
    #[case("5.0", Some(Version::V5_0))]
    #[case("mqttv31", None)]
    #[case("", None)]
    fn versions_have_the_names_that_are_in_use(#[case] text: &str, #[case] expected: Option<Version>) {
        assert_eq!(version(text).ok(), expected);
    }

    #[rstest]
    #[case("mqtt://h", ("h", 1883, None, None, None))]
    #[case("mqtt://u:p:q@h:1/a/b", ("h", 1, Some("u"), Some("p:q"), Some("a/b")))]
    #[case("mqtt://u@[::1]:2/", ("::1", 2, Some("u"), None, None))]
    #[case("mqtt://[::1]", ("::1", 1883, None, None, None))]
    fn urls_have_parts(#[case] text: &str, #[case] expected: (&str, u16, Option<&str>, Option<&str>, Option<&str>)) {
        let url = url(text).expect("it is one");
        let parts = (&*url.host, url.port, url.user.as_deref(), url.password.as_deref(), url.topic.as_deref());
        assert_eq!(parts, expected);
    }

    #[rstest]
    #[case("0", Some(QoS::AtMostOnce))]
    #[case("2", Some(QoS::ExactlyOnce))]
    #[case("3", None)]
    #[case("-1", None)]
    #[case("one", None)]
    fn qos_is_0_1_or_2(#[case] text: &str, #[case] expected: Option<QoS>) {
        assert_eq!(qos(text).ok(), expected);
    }
}
