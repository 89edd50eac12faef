//! Where in the documentation something is explained: `see reference/nodes#client` beside an error.

/// The page and heading of the reference for a kind of map, or a kind of word, as errors call it.
pub(super) fn page(what: &str) -> &'static str {
    match what {
        "a scenario" => "file",
        "a fragment" => "file#include",
        "`clauses`" => "file#clauses",
        "`only_on`" | "engine" => "file#only_on",
        "feature" => "file#requires",
        "`waive`" => "invariants",
        "a client" => "nodes#client",
        "a raw client" => "nodes#raw-client",
        "a broker" => "nodes#broker",
        "a raw broker" => "nodes#raw-broker",
        "a will" => "nodes#will",
        "a subscription" => "nodes#subscription",
        "reconnect" => "nodes#reconnect",
        "answer" | "an answer" => "nodes#answers",
        "connect" | "`with`" => "actions#connect",
        "disconnect" => "actions#disconnect",
        "way to close" | "action" => "actions",
        "a step" | "node" => "steps",
        "`every`" => "steps#every",
        "`repeat`" => "steps#repeat",
        "`sweep`" => "steps#sweep",
        "a link" | "a change of a link" | "a fault of a link" => "faults#links",
        "`half_open`" => "faults#half_open",
        "change of the network" => "faults",
        "an expectation" => "expectations",
        "state" => "expectations#is",
        "what a broker has" => "expectations#has",
        "cause" => "expectations#because",
        "a payload" => "packets#payload",
        "what a field must be" => "packets#patterns",
        "a CONNECT" | "packet" => "packets",
        "time" => "time",
        _ => "",
    }
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
        for table in crate::scenario::header::FILE.reachable() {
            assert_ne!(page(table.what), "", "{} has no page; add it to `reference::page`", table.what);
        }
    }
}
