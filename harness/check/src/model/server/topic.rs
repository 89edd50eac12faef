//! Topic filters (§4.7), as this model reads the standard: on purpose not the function that broker and client use.

/// A subscription's filter, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Filter {
    /// The ShareName of a shared subscription (§4.8.2).
    pub(super) group: Option<String>,
    levels: Vec<String>,
}

impl Filter {
    /// Takes a filter apart. In 3.1.1 `$share/…` has no meaning of its own, unless the server gives it one.
    pub(super) fn new(text: &str) -> Self {
        let shared = text.strip_prefix("$share/").and_then(|rest| rest.split_once('/'));
        let (group, filter) = shared.map_or((None, text), |(group, filter)| (Some(group.to_owned()), filter));
        Self { group, levels: filter.split('/').map(str::to_owned).collect() }
    }

    /// Returns whether the filter is a topic name: it matches this topic alone.
    pub(super) fn is_topic(&self) -> bool {
        self.group.is_none() && self.levels.iter().all(|level| level != "+" && level != "#")
    }

    /// Returns whether a topic name matches. Filters that begin with a wildcard do not match topics that begin with `$`
    /// [MQTT-4.7.2-1].
    pub(super) fn matches(&self, topic: &str) -> bool {
        !self.is_kept_from(topic) && self.has_levels_of(topic)
    }

    /// Returns whether a topic name matches but for the rule of topics that begin with `$`.
    pub(super) fn matches_against_rule(&self, topic: &str) -> bool {
        self.is_kept_from(topic) && self.has_levels_of(topic)
    }

    fn is_kept_from(&self, topic: &str) -> bool {
        topic.starts_with('$') && self.levels.first().is_some_and(|level| level == "#" || level == "+")
    }

    fn has_levels_of(&self, topic: &str) -> bool {
        let names: Vec<&str> = topic.split('/').collect();
        let (fixed, has_rest) = match self.levels.split_last() {
            Some((last, fixed)) if last == "#" => (fixed, true),
            _ => (&self.levels[..], false),
        };
        // `a/#` matches `a` too, since # includes the parent level (§4.7.1.2).
        let is_long_enough = if has_rest { names.len() >= fixed.len() } else { names.len() == fixed.len() };
        is_long_enough && fixed.iter().zip(names).all(|(level, name)| level == "+" || level == name)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::itself("a/b", "a/b", true)]
    #[case::another("a/b", "a/c", false)]
    #[case::longer_topic("a/b", "a/b/c", false)]
    #[case::one_level("a/+", "a/b", true)]
    #[case::one_level_is_not_two("a/+", "a/b/c", false)]
    #[case::one_level_may_be_empty("a/+", "a/", true)]
    #[case::one_level_is_not_none("a/+", "a", false)]
    #[case::all_below("a/#", "a/b/c", true)]
    #[case::all_below_and_the_parent("a/#", "a", true)]
    #[case::all("#", "/a", true)]
    #[case::all_but_dollar("#", "$SYS/a", false)]
    #[case::one_level_but_dollar("+/a", "$SYS/a", false)]
    #[case::dollar_by_name("$SYS/#", "$SYS/a", true)]
    #[case::shared("$share/g/a/+", "a/b", true)]
    fn filter_matches(#[case] filter: &str, #[case] topic: &str, #[case] expected: bool) {
        assert_eq!(Filter::new(filter).matches(topic), expected);
    }
}
