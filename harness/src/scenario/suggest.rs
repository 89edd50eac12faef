//! "Did you mean …?"

/// No word of the language is as long; a distance to it would cost much and say nothing.
const LONGEST: usize = 64;

// How many words were held against others, so that tests see work that grows with the square of a file.
#[cfg(test)]
std::thread_local! {
    pub(super) static COMPARED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The candidate nearest to what was written, if one is near enough to be a slip of the fingers.
pub(super) fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > LONGEST {
        return None;
    }
    #[cfg(test)]
    let candidates = candidates.into_iter().inspect(|_| COMPARED.with(|compared| compared.set(compared.get() + 1)));
    let plain = |word: &str| word.to_lowercase().replace('-', "_");
    let written = plain(written);
    let allowed = (written.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&written, &plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `; did you mean …?`, or nothing.
pub(super) fn did_you_mean<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
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
}
