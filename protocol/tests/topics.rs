//! Topic names, topic filters, matching and shared subscriptions.

use halfopen_protocol::Version;
use halfopen_protocol::topic::{Shared, check_filter, check_name, matches, shared};
use rstest::rstest;

use Version::{V3_1_1, V5_0};

#[rstest]
#[case("a/b", "a/b", true)]
#[case("a/b", "a/c", false)]
#[case("a/b", "a", false)]
#[case("a/b", "a/b/c", false)]
#[case("a/b", "A/b", false)]
#[case("#", "a/b/c", true)]
#[case("#", "/", true)]
#[case("#", "$SYS/x", false)]
#[case("+/x", "$SYS/x", false)]
#[case("+", "$SYS", false)]
#[case("$SYS/#", "$SYS/x", true)]
#[case("$SYS/+", "$SYS/x", true)]
#[case("a/#", "a/$b", true)]
#[case("a/#", "a", true)]
#[case("a/#", "a/b/c", true)]
#[case("a/#", "ab", false)]
#[case("a/b/#", "a", false)]
#[case("+", "a", true)]
#[case("+", "/a", false)]
#[case("/+", "/a", true)]
#[case("+/+", "/a", true)]
#[case("+/+", "a", false)]
#[case("a/+", "a", false)]
#[case("a/+", "a/", true)]
#[case("a/+/c", "a/b/c", true)]
#[case("a/+/c", "a//c", true)]
#[case("a/+/#", "a/b", true)]
#[case("a//b", "a/b", false)]
#[case("a/", "a", false)]
// No character is altered [MQTT-4.7.3-4]: the same letter, composed and decomposed.
#[case("\u{e9}", "e\u{301}", false)]
fn matching(#[case] filter: &str, #[case] topic: &str, #[case] expected: bool) {
    assert_eq!(matches(filter, topic), expected);
}

#[rstest]
#[case("a", None, None)]
#[case("/", None, None)]
#[case("a b/\u{feff}/", None, None)]
#[case("", Some("MQTT-4.7.3-1"), Some("MQTT-4.7.3-1"))]
#[case("a\0", Some("MQTT-4.7.3-2"), Some("MQTT-4.7.3-2"))]
#[case("a/+", Some("MQTT-4.7.1-1"), Some("MQTT-4.7.0-1"))]
#[case("a#", Some("MQTT-4.7.1-1"), Some("MQTT-4.7.0-1"))]
fn names(#[case] name: &str, #[case] broken_in_3_1_1: Option<&str>, #[case] broken_in_5_0: Option<&str>) {
    assert_eq!(check_name(name, V3_1_1).err().map(|error| error.clause), broken_in_3_1_1);
    assert_eq!(check_name(name, V5_0).err().map(|error| error.clause), broken_in_5_0);
}

// Shows 3.1.1 MQTT-4.7.1-2, 3.1.1 MQTT-4.7.1-3, 5.0 MQTT-4.7.1-1, 5.0 MQTT-4.7.1-2, 5.0 MQTT-4.8.2-1,
// 5.0 MQTT-4.8.2-2.
#[rstest]
#[case("#", None, None)]
#[case("+", None, None)]
#[case("/+/a/#", None, None)]
#[case("+/+/+", None, None)]
#[case("", Some("MQTT-4.7.3-1"), Some("MQTT-4.7.3-1"))]
#[case("a/\0", Some("MQTT-4.7.3-2"), Some("MQTT-4.7.3-2"))]
#[case("a#", Some("MQTT-4.7.1-2"), Some("MQTT-4.7.1-1"))]
#[case("#/a", Some("MQTT-4.7.1-2"), Some("MQTT-4.7.1-1"))]
#[case("a/#/", Some("MQTT-4.7.1-2"), Some("MQTT-4.7.1-1"))]
#[case("##", Some("MQTT-4.7.1-2"), Some("MQTT-4.7.1-1"))]
#[case("+#", Some("MQTT-4.7.1-2"), Some("MQTT-4.7.1-1"))]
#[case("a+", Some("MQTT-4.7.1-3"), Some("MQTT-4.7.1-2"))]
#[case("+a/b", Some("MQTT-4.7.1-3"), Some("MQTT-4.7.1-2"))]
#[case("a/++", Some("MQTT-4.7.1-3"), Some("MQTT-4.7.1-2"))]
#[case("$share/g/a/#", None, None)]
#[case("$share", None, None)]
#[case("$share/", None, Some("MQTT-4.8.2-2"))]
#[case("$share/g", None, Some("MQTT-4.8.2-2"))]
#[case("$share/g/", None, Some("MQTT-4.8.2-2"))]
#[case("$share//a", None, Some("MQTT-4.8.2-1"))]
#[case("$share/+/a", None, Some("MQTT-4.8.2-2"))]
#[case("$share/g#/a", Some("MQTT-4.7.1-2"), Some("MQTT-4.8.2-2"))]
#[case("$share/g/a#", Some("MQTT-4.7.1-2"), Some("MQTT-4.7.1-1"))]
fn filters(#[case] filter: &str, #[case] broken_in_3_1_1: Option<&str>, #[case] broken_in_5_0: Option<&str>) {
    assert_eq!(check_filter(filter, V3_1_1).err().map(|error| error.clause), broken_in_3_1_1);
    assert_eq!(check_filter(filter, V5_0).err().map(|error| error.clause), broken_in_5_0);
}

#[rstest]
#[case(65_535, None)]
#[case(65_536, Some("MQTT-4.7.3-3"))]
fn lengths_count_in_bytes(#[case] len: usize, #[case] broken: Option<&str>) {
    let text = "a".repeat(len - 2) + "\u{e9}";
    assert_eq!(check_name(&text, V5_0).err().map(|error| error.clause), broken);
    assert_eq!(check_filter(&text, V5_0).err().map(|error| error.clause), broken);
}

#[rstest]
#[case("$share/g/a/+", Some(Shared { group: "g", filter: "a/+" }))]
#[case("$share/g//a", Some(Shared { group: "g", filter: "/a" }))]
#[case("$share", None)]
#[case("a/$share/g", None)]
#[case("$shared/g/a", None)]
fn shared_subscriptions(#[case] filter: &str, #[case] expected: Option<Shared<'_>>) {
    assert_eq!(shared(filter), expected);
}
