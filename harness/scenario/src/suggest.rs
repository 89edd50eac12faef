//! "Did you mean …?"

/// Maximum length of a word that is compared: no word of the language is as long.
const LONGEST: usize = 64;

// How many words were held against others, so that tests see work that grows with the square of a file.
#[cfg(test)]
std::thread_local! {
    pub(super) static COMPARED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Words of other tools, the standards and habit, with ours, of which one is right in each place.
const OTHER_WORDS: &[(&str, &[&str])] = &[
    ("after", &["at"]),
    ("alias", &["topic_alias"]),
    ("assertions", &["expect"]),
    ("assigned_client_identifier", &["assigned_client_id"]),
    ("auth_data", &["authentication_data"]),
    ("auth_method", &["authentication_method"]),
    ("by", &["because"]),
    ("client_identifier", &["client_id"]),
    ("data", &["payload"]),
    ("delay", &["wait", "after", "latency"]),
    ("die", &["crash"]),
    ("drop", &["partition", "half_open"]),
    ("each", &["every"]),
    ("host", &["to"]),
    ("id", &["client_id"]),
    ("identifier", &["client_id"]),
    ("is_connected", &["is"]),
    ("kill", &["crash"]),
    ("label", &["mark"]),
    ("loop", &["repeat"]),
    ("max", &["at_most"]),
    ("message", &["payload"]),
    ("message_expiry_interval", &["message_expiry"]),
    ("min", &["at_least"]),
    ("offline", &["disconnected"]),
    ("online", &["connected"]),
    ("packet_id", &["id"]),
    ("packet_identifier", &["id"]),
    ("pairwise", &["pairs"]),
    ("parameters", &["matrix", "let"]),
    ("payload_format_indicator", &["payload_format"]),
    ("ping", &["PINGREQ"]),
    ("pong", &["PINGRESP"]),
    ("reason_code", &["reason"]),
    ("reason_codes", &["reasons"]),
    ("receive_max", &["receive_maximum"]),
    ("reconnecting", &["connecting"]),
    ("reset", &["rst"]),
    ("return_code", &["reason"]),
    ("return_codes", &["reasons"]),
    ("session_expiry_interval", &["session_expiry"]),
    ("sleep", &["wait"]),
    ("sp", &["session_present"]),
    ("subscription_identifier", &["subscription_id", "subscription_ids"]),
    ("subscriptions", &["subscribe"]),
    ("taken_over", &["takeover"]),
    ("test", &["steps"]),
    ("timeout", &["keep_alive"]),
    ("topic", &["filter"]),
    ("topic_filter", &["filter", "filters"]),
    ("topics", &["topic", "filters"]),
    ("user", &["username"]),
    ("vars", &["let"]),
    ("version", &["mqtt"]),
    ("why", &["because"]),
    ("will_delay", &["delay"]),
    ("will_delay_interval", &["delay", "will_delay"]),
];

/// The candidate nearest to what was written, if one is near enough to be a slip of the fingers, or meant by another
/// word.
pub(super) fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > LONGEST {
        return None;
    }
    #[cfg(test)]
    let candidates = candidates.into_iter().inspect(|_| COMPARED.with(|compared| compared.set(compared.get() + 1)));
    let plain = |word: &str| word.to_lowercase().replace('-', "_");
    let written = plain(written);
    let allowed = (written.chars().count() / 3).max(1);
    let place = OTHER_WORDS.binary_search_by_key(&written.as_str(), |(word, _)| word);
    let meant: &[&str] = place.map_or(&[], |place| OTHER_WORDS[place].1);
    candidates
        .into_iter()
        .map(|candidate| match meant.contains(&candidate) {
            true => (0, candidate),
            false => (strsim::damerau_levenshtein(&written, &plain(candidate)), candidate),
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Words that older versions of the language had, and what they are called now.
const RENAMED: &[(&str, &str)] = &[
    ("cases", "reports"),
    ("may_say", "reason_if_any"),
    ("race", "any_order"),
    ("says", "reason"),
    ("set_date", "set_wall_clock"),
    ("usual", "standard"),
];

/// The word among the candidates that this word of an older version was replaced with.
pub(super) fn renamed<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (_, new) = RENAMED.iter().find(|(old, _)| *old == written)?;
    candidates.into_iter().find(|candidate| candidate == new)
}

/// `; did you mean …?`, or what an old word is called now, or nothing.
pub(super) fn did_you_mean<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let candidates: Vec<_> = candidates.into_iter().collect();
    if let Some(new) = renamed(written, candidates.iter().copied()) {
        return format!("; it was renamed to `{new}`");
    }
    nearest(written, candidates).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// `` `a`, `b` or `c` ``.
pub(super) fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<_> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("keepalive", Some("keep_alive"))]
    #[case("keep-alive", Some("keep_alive"))]
    #[case("pingreq", Some("PINGREQ"))]
    #[case("senosr", Some("sensor"))]
    #[case("banana", None)]
    #[case("x", None)]
    fn only_a_slip_of_the_fingers_gets_a_suggestion(#[case] written: &str, #[case] expected: Option<&str>) {
        assert_eq!(nearest(written, ["keep_alive", "PINGREQ", "sensor", "client_id"]), expected);
    }

    #[rstest]
    #[case("sleep", Some("wait"))]
    #[case("topics", Some("topic"))]
    #[case("ping", None)]
    fn the_words_of_others_are_understood_where_ours_would_do(#[case] written: &str, #[case] expected: Option<&str>) {
        assert_eq!(nearest(written, ["clean", "sweep", "wait", "topic"]), expected);
    }

    #[rstest]
    #[case("race", "; it was renamed to `any_order`")]
    #[case("says", "")]
    #[case("any_ordr", "; did you mean `any_order`?")]
    fn an_old_word_is_told_its_new_one_where_that_would_do(#[case] written: &str, #[case] expected: &str) {
        assert_eq!(did_you_mean(written, ["any_order", "wait"]), expected);
    }

    #[test]
    fn the_words_of_others_are_sorted() {
        assert!(OTHER_WORDS.is_sorted_by(|a, b| a.0 < b.0));
    }
}
