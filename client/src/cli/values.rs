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
    #[case("0", Some(QoS::AtMostOnce))]
    #[case("2", Some(QoS::ExactlyOnce))]
    #[case("3", None)]
    #[case("-1", None)]
    #[case("one", None)]
    fn qos_is_0_1_or_2(#[case] text: &str, #[case] expected: Option<QoS>) {
        assert_eq!(qos(text).ok(), expected);
    }
}
