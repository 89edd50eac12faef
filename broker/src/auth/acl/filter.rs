//! How topic filters relate to each other.

/// Returns whether some topic matches both filters.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    if hides_from(one, other) || hides_from(other, one) {
        return false;
    }
    let mut one = one.split('/');
    let mut other = other.split('/');
    loop {
        match (one.next(), other.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

/// Returns whether every topic that matches `narrow` matches `wide`.
pub(super) fn covers(wide: &str, narrow: &str) -> bool {
    if hides_from(wide, narrow) {
        return false;
    }
    let mut wide = wide.split('/');
    let mut narrow = narrow.split('/');
    loop {
        match (wide.next(), narrow.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(level)) if level != "#" => {}
            (Some(wide), Some(narrow)) if wide == narrow => {}
            _ => return false,
        }
    }
}

/// Returns whether `other` is about topics that begin with `$`, of which a wildcard at the beginning knows nothing
/// [MQTT-4.7.2-1].
fn hides_from(wildcard: &str, other: &str) -> bool {
    wildcard.starts_with(['+', '#']) && other.starts_with('$')
}

#[cfg(test)]
mod tests {
    use halfopen_protocol::topic::matches;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a/b", "a/b", true, true)]
    #[case("a/+", "a/b", true, true)]
    #[case("a/b", "a/+", true, false)]
    #[case("a/#", "a", true, true)]
    #[case("a/#", "a/b/c", true, true)]
    #[case("a/#", "#", true, false)]
    #[case("a/+", "a/#", true, false)]
    #[case("+/b", "a/+", true, false)]
    #[case("a", "a/b", false, false)]
    #[case("a/b", "a", false, false)]
    #[case("a/b", "b/#", false, false)]
    #[case("#", "$SYS/x", false, false)]
    #[case("+/x", "$SYS/x", false, false)]
    #[case("$SYS/#", "$SYS/+", true, true)]
    #[case("$SYS/#", "#", false, false)]
    fn filters_overlap_and_cover(#[case] one: &str, #[case] other: &str, #[case] both: bool, #[case] all: bool) {
        assert_eq!(overlap(one, other), both);
        assert_eq!(overlap(other, one), both);
        assert_eq!(covers(one, other), all);
    }

    fn levels(level: &'static str) -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec(level, 1..4)
    }

    fn filter() -> impl Strategy<Value = String> {
        (levels("[ab+$]"), any::<bool>()).prop_map(|(mut levels, open)| {
            if open {
                levels.push("#".to_owned());
            }
            levels.join("/")
        })
    }

    proptest! {
        #[test]
        fn they_say_of_all_topics_what_matching_says_of_one(
            one in filter(),
            other in filter(),
            topic in levels("[ab$]").prop_map(|levels| levels.join("/")),
        ) {
            if matches(&one, &topic) && matches(&other, &topic) {
                prop_assert!(overlap(&one, &other));
            }
            if covers(&one, &other) && matches(&other, &topic) {
                prop_assert!(matches(&one, &topic));
            }
        }
    }
}
