//! Topic names and topic filters (§4.7).

/// Whether `filter` matches the topic name `topic` (§4.7.1, §4.7.2): `+` one level, `#` all that follow and the level
/// itself, neither of them a first level that begins with `$` [MQTT-4.7.2-1].
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
