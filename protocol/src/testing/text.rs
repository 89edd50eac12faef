use bytes::Bytes;
use bytestring::ByteString;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::Version;
use crate::packet::UserProperties;

/// Any string that MQTT has: without U+0000, and short, but sometimes as long as it may be.
pub fn string() -> impl Strategy<Value = ByteString> {
    prop_oneof![
        30 => proptest::string::string_regex("[^\\x00]{0,12}").expect("a valid expression").prop_map(ByteString::from),
        1 => (65_000_usize..=65_535).prop_map(|len| ByteString::from("x".repeat(len))),
    ]
}

/// Binary Data of any content, mostly short.
pub(super) fn binary() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..20).prop_map(Bytes::from)
}

/// A topic name.
pub fn name() -> impl Strategy<Value = ByteString> {
    proptest::string::string_regex("[^\\x00#+]{1,8}|[ab$]{0,2}(/[ab]{0,2}){1,3}")
        .expect("a valid expression")
        .prop_map(ByteString::from)
}

/// A topic filter; with `shared` also one of a shared subscription.
pub fn filter(shared: bool) -> impl Strategy<Value = ByteString> {
    let level = prop_oneof![Just("+".to_owned()), "[ab$]{0,2}"];
    let plain = (vec(level, 1..4), any::<bool>()).prop_map(|(mut levels, with_rest)| {
        if with_rest {
            levels.push("#".to_owned());
        }
        levels.join("/")
    });
    let not_empty = plain.prop_filter("a filter has at least one character", |filter| !filter.is_empty());
    let group = prop_oneof![4 => Just(None), 1 => "[ab]{1,3}".prop_map(move |group| shared.then_some(group))];
    (not_empty, group).prop_map(|(filter, group)| {
        group.map_or_else(|| filter.clone(), |group| format!("$share/{group}/{filter}")).into()
    })
}

/// User properties, none in 3.1.1.
pub fn user_properties(version: Version) -> BoxedStrategy<UserProperties> {
    if version.is_v5() { vec((string(), string()), 0..3).boxed() } else { Just(UserProperties::new()).boxed() }
}
