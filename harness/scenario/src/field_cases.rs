//! Bugs and troubles that people reported about MQTT's liveness, sessions and recovery: `harness/field-cases.yaml`.
//! A scenario names in `reports` those that it would have caught.

const TEXT: &str = include_str!("../../field-cases.yaml");

/// The ids of the cases, in the order of the file.
pub fn ids() -> impl Iterator<Item = &'static str> {
    TEXT.lines().filter_map(|line| line.strip_prefix("- id: "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_ids_are_those_that_a_whole_yaml_reader_reads_and_each_is_used_once() {
        let cases: Vec<serde_yaml::Mapping> = serde_yaml::from_str(TEXT).expect("the list is YAML");
        let expected: Vec<_> = cases.iter().map(|case| case["id"].as_str().expect("a string").to_owned()).collect();
        assert_eq!(expected.len(), 135);
        assert_eq!(ids().collect::<Vec<_>>(), expected);
        assert_eq!(ids().collect::<BTreeSet<_>>().len(), expected.len());
    }
}
