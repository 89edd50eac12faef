/// The name in a line of a log: `Client {client} has exceeded timeout`.
const CLIENT: &str = "{client}";

/// The form of a line in a log: two texts with the identifier of a client between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    before: String,
    after: String,
}

impl Pattern {
    /// Reads a pattern; none if it does not name the client once, or has nothing before it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (before, after) = text.split_once(CLIENT)?;
        let is_clear = !before.is_empty() && !after.contains('{');
        is_clear.then(|| Self { before: before.to_owned(), after: after.to_owned() })
    }

    /// Returns the identifier of the client, if the pattern stands anywhere in a line.
    pub(super) fn client<'a>(&self, line: &'a str) -> Option<&'a str> {
        let (_, rest) = line.split_once(&self.before)?;
        if self.after.is_empty() { Some(rest) } else { Some(rest.split_once(&self.after)?.0) }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::whole("Client a has gone.", Some("a"))]
    #[case::behind_a_time("1893456001: Client a b has gone.", Some("a b"))]
    #[case::of_something_else("Client a has come.", None)]
    fn line_names(#[case] line: &str, #[case] client: Option<&str>) {
        let pattern = Pattern::parse("Client {client} has gone").expect("it names the client");
        assert_eq!(pattern.client(line), client);
    }

    #[rstest]
    #[case::no_client("Client has gone")]
    #[case::nothing_before("{client} has gone")]
    #[case::twice("Client {client} has gone to {client}")]
    fn pattern_is_refused(#[case] text: &str) {
        assert_eq!(Pattern::parse(text), None);
    }
}
