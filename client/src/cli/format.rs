use std::fmt::Write as _;

use halfopen_protocol::packet::Publish;

/// A message as `-F` wants it: the specifiers of mosquitto_sub, without `%J`, `%d`, `%f` and those that begin with
/// `%@`. `now` is the time since 1970 in seconds and nanoseconds.
pub(crate) fn format(pattern: &str, message: &Publish, now: (u64, u32)) -> Vec<u8> {
    let mut out = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '%' => match characters.next() {
                Some('p') => out.extend_from_slice(&message.payload),
                Some('D') => out.extend_from_slice(message.correlation_data.as_deref().unwrap_or_default()),
                Some(specifier) => out.extend_from_slice(specified(specifier, message, now).as_bytes()),
                None => out.push(b'%'),
            },
            '\\' => out.extend_from_slice(characters.next().map_or("\\".to_owned(), escaped).as_bytes()),
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out
}

/// Returns why a pattern cannot be used.
pub(crate) fn check(pattern: &str) -> Result<String, String> {
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if character == '%' {
            match characters.next() {
                Some(specifier) if "%ACDEFIPRSUXjlmpqrtx".contains(specifier) => {}
                Some(specifier) => return Err(format!("unknown specifier %{specifier}")),
                None => return Err("% without a specifier".to_owned()),
            }
        }
    }
    Ok(pattern.to_owned())
}

fn specified(specifier: char, message: &Publish, now: (u64, u32)) -> String {
    let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    match specifier {
        '%' => "%".to_owned(),
        'A' => number(message.topic_alias.map(u32::from)),
        'C' => message.content_type.as_deref().unwrap_or_default().to_owned(),
        'E' => number(message.message_expiry),
        'F' => number(message.payload_format.map(u32::from)),
        'I' => iso(now.0),
        'P' => {
            let pairs: Vec<_> = message.user_properties.iter().map(|(name, value)| format!("{name}:{value}")).collect();
            pairs.join(" ")
        }
        'R' => message.response_topic.as_deref().unwrap_or_default().to_owned(),
        'S' => message.subscription_ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" "),
        'U' => format!("{}.{:09}", now.0, now.1),
        'X' => hex(&message.payload).to_uppercase(),
        'x' => hex(&message.payload),
        'j' => json(message, now.0),
        'l' => message.payload.len().to_string(),
        'm' => message.packet_id.map_or(0, std::num::NonZero::get).to_string(),
        'q' => message.qos.level().to_string(),
        'r' => u8::from(message.retain).to_string(),
        't' => message.topic.to_string(),
        other => format!("%{other}"),
    }
}

fn escaped(character: char) -> String {
    match character {
        '0' => "\0".to_owned(),
        'a' => "\x07".to_owned(),
        'e' => "\x1B".to_owned(),
        'n' => "\n".to_owned(),
        'r' => "\r".to_owned(),
        't' => "\t".to_owned(),
        'v' => "\x0B".to_owned(),
        '\\' => "\\".to_owned(),
        other => format!("\\{other}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn json(message: &Publish, seconds: u64) -> String {
    let mid = message.packet_id.map(|id| format!(r#""mid":{id},"#)).unwrap_or_default();
    format!(
        r#"{{"tst":{},"topic":{},"qos":{},"retain":{},"payloadlen":{},{mid}"payload":{}}}"#,
        quoted(&iso(seconds)),
        quoted(&message.topic),
        message.qos.level(),
        u8::from(message.retain),
        message.payload.len(),
        quoted(&String::from_utf8_lossy(&message.payload)),
    )
}

fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            character if u32::from(character) < 0x20 => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            character => out.push(character),
        }
    }
    out.push('"');
    out
}

/// The time in UTC, as in `2026-11-22T22:23:08+0000`.
fn iso(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days are counted from 1 March of the year 0, so that the leap day is the last of its year.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}+0000", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use halfopen_protocol::packet::{PacketId, QoS};
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("%t %q %r %m %l %p", "a/b 1 1 7 2 h\"")]
    #[case(r"%x %X\t%%\n", "6822 6822\t%\n")]
    #[case("%C|%D|%E|%F|%R|%S|%P|%A", "text|c|60|1|r|3 4|k:v n:w|")]
    #[case("%I %U", "2024-02-29T23:59:59+0000 1709251199.000000005")]
    #[case(
        "%j",
        r#"{"tst":"2024-02-29T23:59:59+0000","topic":"a/b","qos":1,"retain":1,"payloadlen":2,"mid":7,"payload":"h\""}"#
    )]
    fn specifiers_stand_for_what_they_stand_for_in_mosquitto_sub(#[case] pattern: &str, #[case] expected: &str) {
        let message = Publish {
            topic: "a/b".into(),
            qos: QoS::AtLeastOnce,
            retain: true,
            packet_id: PacketId::new(7),
            payload: "h\"".into(),
            content_type: Some("text".into()),
            correlation_data: Some("c".into()),
            message_expiry: Some(60),
            payload_format: Some(true),
            response_topic: Some("r".into()),
            subscription_ids: vec![3, 4],
            user_properties: vec![("k".into(), "v".into()), ("n".into(), "w".into())],
            ..Publish::default()
        };
        assert_eq!(check(pattern).as_deref(), Ok(pattern));
        let text = format(pattern, &message, (1_709_251_199, 5));
        assert_eq!(String::from_utf8_lossy(&text), expected);
    }

    #[rstest]
    #[case("%y")]
    #[case("100%")]
    fn what_is_not_known_is_refused(#[case] pattern: &str) {
        assert!(check(pattern).is_err());
    }
}
