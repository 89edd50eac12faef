//! Our tree and `serde_yaml` read the same value from every valid file.

use std::sync::Arc;

use serde_yaml::{Mapping, Value};

use super::{here, scenarios};
use crate::error::Diagnostics;
use crate::plan::Source;
use crate::tree::{self, Node, NodeKind};
use crate::{files, find};

fn value(node: &Node) -> Value {
    match &node.kind {
        NodeKind::Scalar(scalar) if scalar.quoted => Value::String(scalar.text.clone()),
        // What a plain scalar is, YAML decides by its text alone.
        NodeKind::Scalar(scalar) => {
            serde_yaml::from_str(&scalar.text).unwrap_or_else(|_| Value::String(scalar.text.clone()))
        }
        NodeKind::List(items) => Value::Sequence(items.iter().map(value).collect()),
        NodeKind::Map(entries) => {
            Value::Mapping(entries.iter().map(|(key, item)| (value(key), value(item))).collect::<Mapping>())
        }
        NodeKind::Broken => panic!("broken"),
    }
}

#[test]
fn every_valid_file_is_the_same_value_to_both() {
    let found = find(&[here("good"), scenarios()]).unwrap();
    assert!(found.len() > 20);
    for file in found {
        let text = files::read(&file.path).unwrap();
        let source = Source { path: file.name.clone(), text: text.clone(), ..Source::default() };
        let ours = tree::parse(&text, 0, &Diagnostics::new(Arc::new(source))).expect(&file.name);
        let theirs: Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(value(&ours), theirs, "{}", file.name);
    }
}
