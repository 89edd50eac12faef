mod filter;

use std::collections::BTreeMap;

use halfopen_protocol::Version;
use halfopen_protocol::topic::{check_filter, matches};

use self::filter::{covers, overlap};
use super::FileError;
use super::passwords::check_user;
use crate::core::{Authorize, Operation, Who};

/// Access control lists read from a file in the form of Mosquitto's `acl_file`.
///
/// ```text
/// topic read public/#                     # before the first user: for clients without a user
/// user ann
/// topic home/#                            # read and write
/// topic write log/ann
/// topic deny home/safe
/// pattern readwrite device/%c/#           # for everybody, %c the client identifier and %u the user
/// ```
///
/// What no line allows is forbidden, and `deny` wins. A filter with spaces needs a right in front of it. A client may
/// subscribe to a filter if there is anything that it could receive by it, and receives only that.
#[derive(Clone, Debug, Default)]
pub struct Acl {
    anonymous: Vec<Rule>,
    users: BTreeMap<String, Vec<Rule>>,
    patterns: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    right: Right,
    filter: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    Deny,
    Allow { read: bool, write: bool },
}

impl Acl {
    /// Reads a file.
    ///
    /// # Errors
    /// All lines that mean nothing.
    pub fn parse(text: &str) -> Result<Self, Vec<FileError>> {
        let mut acl = Self::default();
        let mut user = None;
        FileError::collect(text, |line| acl.add(line, &mut user))?;
        Ok(acl)
    }

    fn add(&mut self, line: &str, user: &mut Option<String>) -> Result<(), String> {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        match word {
            "user" | "topic" | "pattern" if rest.is_empty() => {
                return Err("expected `user NAME`, `topic [RIGHT] FILTER` or `pattern [RIGHT] FILTER`".to_owned());
            }
            "user" => {
                // A user that cannot be in the password file cannot log in.
                check_user(rest)?;
                if rest.contains(" #") {
                    return Err(format!("`{rest}`: a comment has a line of its own"));
                }
                self.users.entry(rest.to_owned()).or_default();
                *user = Some(rest.to_owned());
            }
            "topic" => match user {
                None => self.anonymous.push(rule(rest)?),
                Some(user) => self.users.entry(user.clone()).or_default().push(rule(rest)?),
            },
            "pattern" => self.patterns.push(rule(rest)?),
            _ => return Err(format!("`{word}`: {}", unknown(word, &["user", "topic", "pattern"]))),
        }
        Ok(())
    }

    /// The rules for a client, with the patterns filled in.
    fn rules<'a>(&'a self, who: Who<'a>) -> impl Iterator<Item = (Right, std::borrow::Cow<'a, str>)> {
        let own = match who.user {
            None => Some(&self.anonymous),
            Some(user) => self.users.get(user),
        };
        let own = own.into_iter().flatten().map(|rule| (rule.right, rule.filter.as_str().into()));
        own.chain(self.patterns.iter().filter_map(move |rule| Some((rule.right, rule.fill_in(who)?.into()))))
    }
}

impl Authorize for Acl {
    fn allows(&self, who: Who<'_>, operation: Operation, topic: &str) -> bool {
        let mut allowed = false;
        for (right, filter) in self.rules(who) {
            match (right, operation) {
                (Right::Deny, Operation::Subscribe) if covers(&filter, topic) => return false,
                (Right::Deny, Operation::Publish | Operation::Receive) if matches(&filter, topic) => return false,
                (Right::Allow { write: true, .. }, Operation::Publish) => allowed |= matches(&filter, topic),
                (Right::Allow { read: true, .. }, Operation::Receive) => allowed |= matches(&filter, topic),
                (Right::Allow { read: true, .. }, Operation::Subscribe) => allowed |= overlap(&filter, topic),
                _ => {}
            }
        }
        allowed
    }
}

impl Rule {
    /// Returns the topic with the client's names filled in, or `None` if it says nothing about this client. A name must
    /// not become a wildcard or several levels: what allows does not hold for it then, and what denies holds for all
    /// names.
    fn fill_in(&self, who: Who<'_>) -> Option<String> {
        let mut filter = self.filter.clone();
        for (place, name) in [("%c", Some(who.client_id)), ("%u", who.user)] {
            if !filter.contains(place) {
                continue;
            }
            match name {
                Some(name) if !name.contains(['+', '#', '/']) => filter = filter.replace(place, name),
                _ if self.right == Right::Deny => filter = widen(&filter, place),
                _ => return None,
            }
        }
        Some(filter)
    }
}

/// The filter with a wildcard for each level in which `place` stands.
fn widen(filter: &str, place: &str) -> String {
    let widened: Vec<&str> = filter.split('/').map(|level| if level.contains(place) { "+" } else { level }).collect();
    widened.join("/")
}

const RIGHTS: &[&str] = &["read", "write", "readwrite", "deny"];

/// `[read|write|readwrite|deny] FILTER`. A filter may have spaces, but only behind a right: a misspelt one would be
/// taken for a part of it, and grant where it was to deny.
fn rule(text: &str) -> Result<Rule, String> {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let (right, filter) = match word {
        "read" => (Right::Allow { read: true, write: false }, rest.trim()),
        "write" => (Right::Allow { read: false, write: true }, rest.trim()),
        "readwrite" => (Right::Allow { read: true, write: true }, rest.trim()),
        "deny" => (Right::Deny, rest.trim()),
        _ if rest.is_empty() => (Right::Allow { read: true, write: true }, text),
        _ => return Err(format!("`{word}` is no right: {}", unknown(word, RIGHTS))),
    };
    if filter.is_empty() {
        return Err(format!("expected a filter behind `{word}`"));
    }
    check_filter(filter, Version::V3_1_1).map_err(|error| format!("`{filter}`: {}", error.what))?;
    Ok(Rule { right, filter: filter.to_owned() })
}

/// Returns what to write in the place of an unknown word: what is nearest to it, or all that there are.
fn unknown(word: &str, known: &[&str]) -> String {
    let near = known.iter().map(|it| (strsim::damerau_levenshtein(&word.to_lowercase(), it), it)).min();
    match near.filter(|(distance, _)| *distance <= 2) {
        Some((_, nearest)) => format!("did you mean `{nearest}`?"),
        None => format!("expected `{}`", known.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const FILE: &str = "
        # for clients without a user
        topic read public/#

        user ann
        topic home/#
        topic write log/ann
        topic deny home/safe/#
        topic read $SYS/#
        user bob
        topic read a b/#

        pattern readwrite device/%c/#
        pattern write from/%u
        pattern deny device/+/secret-%c
    ";

    fn allows(user: Option<&str>, client_id: &str, operation: Operation, topic: &str) -> bool {
        Acl::parse(FILE).expect("a valid file").allows(Who { client_id, user }, operation, topic)
    }

    #[rstest]
    #[case(None, Operation::Receive, "public/news", true)]
    #[case(None, Operation::Publish, "public/news", false)]
    #[case(None, Operation::Subscribe, "public/news", true)]
    #[case(None, Operation::Subscribe, "#", true)]
    #[case(None, Operation::Subscribe, "home/#", false)]
    #[case(None, Operation::Publish, "from/ann", false)]
    #[case(None, Operation::Publish, "device/c/x", true)]
    #[case(None, Operation::Publish, "device/d/x", false)]
    #[case(Some("ann"), Operation::Receive, "public/news", false)]
    #[case(Some("ann"), Operation::Publish, "home/kitchen", true)]
    #[case(Some("ann"), Operation::Receive, "home/kitchen", true)]
    #[case(Some("ann"), Operation::Publish, "log/ann", true)]
    #[case(Some("ann"), Operation::Receive, "log/ann", false)]
    #[case(Some("ann"), Operation::Subscribe, "log/ann", false)]
    #[case(Some("ann"), Operation::Publish, "home/safe", false)]
    #[case(Some("ann"), Operation::Receive, "home/safe/door", false)]
    #[case(Some("ann"), Operation::Subscribe, "home/safe/door", false)]
    #[case(Some("ann"), Operation::Subscribe, "home/safe/+", false)]
    #[case(Some("ann"), Operation::Subscribe, "home/#", true)]
    #[case(Some("ann"), Operation::Receive, "$SYS/broker/uptime", true)]
    #[case(Some("ann"), Operation::Publish, "from/ann", true)]
    #[case(Some("ann"), Operation::Publish, "from/bob", false)]
    #[case(Some("ann"), Operation::Publish, "device/c/secret-c", false)]
    #[case(Some("bob"), Operation::Receive, "a b/c", true)]
    #[case(Some("cid"), Operation::Receive, "public/news", false)]
    #[case(Some("cid"), Operation::Publish, "device/c/x", true)]
    fn a_client_may_do_what_a_line_allows_and_none_denies(
        #[case] user: Option<&str>,
        #[case] operation: Operation,
        #[case] topic: &str,
        #[case] expected: bool,
    ) {
        assert_eq!(allows(user, "c", operation, topic), expected);
    }

    #[rstest]
    fn a_name_is_never_a_wildcard(#[values("+", "#", "a/b")] name: &str) {
        for topic in ["device/x/y", &format!("device/{name}/y"), "from/x"] {
            assert!(!allows(Some(name), name, Operation::Publish, topic), "{topic}");
            assert!(!allows(Some(name), name, Operation::Subscribe, topic), "{topic}");
        }
        let acl = Acl::parse("topic open/#\npattern deny open/%c").expect("a valid file");
        assert!(!acl.allows(Who { client_id: name, user: None }, Operation::Publish, "open/x"));
    }

    #[rstest]
    #[case("users ann", "`users`: did you mean `user`?")]
    #[case("acl x", "`acl`: expected `user`, `topic`, `pattern`")]
    #[case("topic", "expected `user NAME`, `topic [RIGHT] FILTER` or `pattern [RIGHT] FILTER`")]
    #[case("topic read", "expected a filter behind `read`")]
    #[case("topic read a#", "`a#`: # that does not stand alone in the last level")]
    #[case("topic dney secret/#", "`dney` is no right: did you mean `deny`?")]
    #[case("pattern READ a/%c", "`READ` is no right: did you mean `read`?")]
    #[case("topic my home/#", "`my` is no right: expected `read`, `write`, `readwrite`, `deny`")]
    #[case("user bob:", "a name has neither `:` nor control characters")]
    #[case("user bob # the builder", "`bob # the builder`: a comment has a line of its own")]
    fn lines_that_mean_nothing_are_named_all_at_once(#[case] line: &str, #[case] expected: &str) {
        let errors = Acl::parse(&format!("user ann\n{line}\ntopic a\n{line}")).expect_err("nonsense");
        let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors, [format!("2: {expected}"), format!("4: {expected}")]);
    }

    #[test]
    fn an_empty_file_allows_nothing() {
        let acl = Acl::parse("").expect("nothing is wrong");
        for operation in [Operation::Publish, Operation::Subscribe, Operation::Receive] {
            assert!(!acl.allows(Who { client_id: "c", user: Some("ann") }, operation, "t"));
        }
    }
}
