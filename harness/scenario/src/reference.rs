//! Where in the documentation something is explained: `see reference/nodes#client` beside an error.

/// The page and heading of each kind of map or word.
pub(super) const PAGES: &[(&str, &str)] = &[
    ("a scenario", "file"),
    ("a fragment", "file#include"),
    ("`clauses`", "file#clauses"),
    ("`only_on`", "file#only_on"),
    ("engine", "file#only_on"),
    ("feature", "file#requires"),
    ("`waive`", "invariants"),
    ("a client", "nodes#client"),
    ("a raw client", "nodes#raw-client"),
    ("a broker", "nodes#broker"),
    ("`auth`", "nodes#auth"),
    ("`access`", "nodes#access"),
    ("`acknowledge`", "nodes#acknowledge"),
    ("rights", "nodes#rights"),
    ("queue policy", "nodes#broker"),
    ("referral", "nodes#broker"),
    ("transport", "nodes#transport"),
    ("a raw broker", "nodes#raw-broker"),
    ("a will", "nodes#will"),
    ("a subscription", "nodes#subscription"),
    ("reconnect", "nodes#reconnect"),
    ("answer", "nodes#answers"),
    ("an answer", "nodes#answers"),
    ("connect", "actions#connect"),
    ("way to close", "actions"),
    ("way to end", "expectations#how"),
    ("action", "actions"),
    ("a step", "steps"),
    ("node", "steps"),
    ("`every`", "steps#every"),
    ("`repeat`", "steps#repeat"),
    ("`whenever`", "steps#whenever"),
    ("`when`", "steps#when"),
    ("`sweep`", "steps#sweep"),
    ("a link", "nodes#link"),
    ("a middlebox", "nodes#middlebox"),
    ("rule of a full middlebox", "nodes#middlebox"),
    ("a connection", "faults#connection"),
    ("a change of a link", "faults#set"),
    ("a fault of a link", "faults#starting_with"),
    ("change of the network", "faults"),
    ("an expectation", "expectations"),
    ("state", "expectations#is"),
    ("what a broker has", "expectations#has"),
    ("cause", "expectations#because"),
    ("a payload", "packets#payload"),
    ("what a field must be", "packets#field"),
    ("a CONNECT", "actions#with"),
    ("packet", "packets"),
    ("time", "time"),
    ("bytes", "packets#bytes"),
    ("name", "file#names"),
];

/// The page and heading of the reference for a kind of map, or a kind of word, as errors call it.
pub(super) fn page(what: &str) -> &'static str {
    PAGES.iter().find(|(known, _)| *known == what).map_or("", |(_, page)| page)
}

/// `see reference/nodes#client`, or the table of contents for what has no page.
pub(super) fn see(what: &str) -> String {
    match page(what) {
        "" => "see reference".to_owned(),
        page => format!("see reference/{page}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_table_of_keys_has_its_page() {
        for table in <crate::ast::File as crate::ast::Map>::TABLE.reachable() {
            assert_ne!(page(table.what), "", "{} has no page; add it to `reference::page`", table.what);
        }
    }
}
