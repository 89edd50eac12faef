//! Topic names and topic filters (§4.7), shared subscriptions (§4.8.2 of 5.0).

use crate::Version;

/// A topic name or filter that breaks a rule of §4.7 or §4.8.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} [{clause}]")]
pub struct TopicError {
    /// The statement that is broken.
    pub clause: &'static str,
    /// Description of the violation.
    pub what: &'static str,
}

/// A shared subscription in its parts: `$share/{group}/{filter}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shared<'a> {
    /// The ShareName.
    pub group: &'a str,
    /// The topic filter without `$share` and group, to be used with [`matches()`].
    pub filter: &'a str,
}

/// Returns whether `filter` matches the topic name `topic` (§4.7.1, §4.7.2): `+` one level, `#` all that follow and the
/// level itself, neither of them a first level that begins with `$` [MQTT-4.7.2-1].
///
/// Both are taken to be valid. The group of a shared subscription is no part of the filter here.
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut topic_levels = topic.split('/');
    for level in filter.split('/') {
        match (level, topic_levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (level, Some(name)) if level == name => {}
            _ => return false,
        }
    }
    topic_levels.next().is_none()
}

/// Returns whether `name` is a topic name: not empty, without wildcards and U+0000, of at most 65,535 bytes.
///
/// # Errors
/// The rule that is broken, by its number in `version`.
pub fn check_name(name: &str, version: Version) -> Result<(), TopicError> {
    check_text(name)?;
    if name.contains(['+', '#']) {
        let clause = version.clause("MQTT-4.7.1-1", "MQTT-4.7.0-1");
        return Err(TopicError { clause, what: "topic name with a wildcard" });
    }
    Ok(())
}

/// Returns whether `filter` is a topic filter: as a name, but wildcards that fill a level are allowed, `#` only at the
/// end. In 5.0 one that begins with `$share/` must name a group and a filter; in 3.1.1 it is a filter like any other.
///
/// # Errors
/// The rule that is broken, by its number in `version`.
pub fn check_filter(filter: &str, version: Version) -> Result<(), TopicError> {
    check_text(filter)?;
    if version.is_v5() && filter.starts_with(SHARE) {
        let shared = parse_shared(filter)?;
        return check_levels(shared.filter, version);
    }
    check_levels(filter, version)
}

/// The parts of the filter of a shared subscription (5.0); `None` for an ordinary filter.
///
/// The filter is taken to be valid. 3.1.1 has no shared subscriptions: there nobody should ask.
pub fn shared(filter: &str) -> Option<Shared<'_>> {
    if filter.starts_with(SHARE) { parse_shared(filter).ok() } else { None }
}

const SHARE: &str = "$share/";

fn parse_shared(filter: &str) -> Result<Shared<'_>, TopicError> {
    let rest = &filter[SHARE.len()..];
    let (group, filter) = rest
        .split_once('/')
        .ok_or(TopicError { clause: "MQTT-4.8.2-2", what: "shared subscription without a topic filter" })?;
    if group.is_empty() {
        return Err(TopicError { clause: "MQTT-4.8.2-1", what: "shared subscription with an empty group" });
    }
    if group.contains(['+', '#']) {
        return Err(TopicError { clause: "MQTT-4.8.2-2", what: "group of a shared subscription with a wildcard" });
    }
    if filter.is_empty() {
        return Err(TopicError { clause: "MQTT-4.8.2-2", what: "shared subscription without a topic filter" });
    }
    Ok(Shared { group, filter })
}

fn check_text(text: &str) -> Result<(), TopicError> {
    if text.is_empty() {
        return Err(TopicError { clause: "MQTT-4.7.3-1", what: "empty topic name or filter" });
    }
    if text.as_bytes().contains(&0) {
        return Err(TopicError { clause: "MQTT-4.7.3-2", what: "topic name or filter that contains U+0000" });
    }
    if text.len() > usize::from(u16::MAX) {
        return Err(TopicError { clause: "MQTT-4.7.3-3", what: "topic name or filter of more than 65,535 bytes" });
    }
    Ok(())
}

fn check_levels(filter: &str, version: Version) -> Result<(), TopicError> {
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        if level.contains('#') && (level != "#" || levels.peek().is_some()) {
            let clause = version.clause("MQTT-4.7.1-2", "MQTT-4.7.1-1");
            return Err(TopicError { clause, what: "# that does not stand alone in the last level" });
        }
        if level.contains('+') && level != "+" {
            let clause = version.clause("MQTT-4.7.1-3", "MQTT-4.7.1-2");
            return Err(TopicError { clause, what: "+ that does not stand alone in its level" });
        }
    }
    Ok(())
}
