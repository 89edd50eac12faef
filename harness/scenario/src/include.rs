//! Fragments: files that bring nodes, links, values, waivers and steps for several scenarios.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::ast::{Fragment, Map};
use super::error::Diagnostics;
use super::files;
use super::header;
use super::tree::{self, Node, NodeKind};
use crate::plan::Source;

/// Number of fragments that a scenario may include, those of fragments among them.
const MAX_FRAGMENTS: usize = 64;

/// The trees of the fragments that a file includes, each behind those that it includes itself; what cannot be read is
/// reported, and marked as broken in the tree that includes it.
pub(super) fn fragments(root: &mut Node, source: &Source, diagnostics: &Diagnostics) -> Vec<Node> {
    let mut reading =
        Reading { stack: vec![PathBuf::from(&source.path)], done: Vec::new(), read: Vec::new(), diagnostics };
    reading.includes(root, &folder(&source.path));
    reading.read
}

fn folder(path: &str) -> PathBuf {
    Path::new(path).parent().unwrap_or(Path::new("")).to_owned()
}

struct Reading<'a> {
    /// The file that is read, and those that led to it.
    stack: Vec<PathBuf>,
    done: Vec<PathBuf>,
    read: Vec<Node>,
    diagnostics: &'a Diagnostics,
}

impl Reading<'_> {
    fn includes(&mut self, root: &mut Node, folder: &Path) {
        let Some(list) = root.get("include").cloned() else { return };
        let paths = match &list.kind {
            NodeKind::List(items) => items.as_slice(),
            _ => std::slice::from_ref(&list),
        };
        for path in paths {
            if self.one(path, folder).is_err() {
                broken(root);
            }
        }
    }

    /// Reads one fragment with what it includes, unless it is in already.
    fn one(&mut self, path: &Node, folder: &Path) -> Result<(), ()> {
        let fail = |message: String| {
            self.diagnostics.push(path.span, message, None);
            Err(())
        };
        let is_path = |name: &&str| name.ends_with(".yaml") || name.ends_with(".yml");
        let Some(name) = path.text().filter(is_path) else {
            if path.kind == NodeKind::Broken {
                return Err(());
            }
            return fail("expected the path of a fragment, as in `lib/watcher.yaml`".to_owned());
        };
        if Path::new(name).is_absolute() {
            return fail("a path begins at the folder of this file, as in `lib/watcher.yaml`".to_owned());
        }
        let file = tidy(&folder.join(name));
        if self.stack.iter().any(|above| tidy(above) == file) {
            return fail(format!("`{name}` includes this file, so neither would ever end"));
        }
        if self.done.contains(&file) {
            return Ok(());
        }
        if self.done.len() >= MAX_FRAGMENTS {
            return fail(format!("more than {MAX_FRAGMENTS} fragments"));
        }
        let text = match files::read(&file) {
            Ok(text) => text,
            Err(error) => return fail(format!("`{}`: {}", files::shown(&file), error.message)),
        };
        self.done.push(file.clone());
        let source = Arc::new(Source { path: files::shown(&file), text, ..Source::default() });
        let number = self.diagnostics.add_fragment(Arc::clone(&source));
        let Some(mut root) = tree::parse(&source.text, number, self.diagnostics) else { return Err(()) };
        header::check_keys(&root, Fragment::TABLE, self.diagnostics);
        self.stack.push(file.clone());
        self.includes(&mut root, &folder_of(&file));
        self.stack.pop();
        self.read.push(root);
        Ok(())
    }
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).to_owned()
}

/// `a/../b` as `b`, without looking at any folder.
pub fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if tidy.file_name().is_some() => drop(tidy.pop()),
            other => tidy.push(other),
        }
    }
    tidy
}

/// Takes note that a file is without a fragment which may bring names.
fn broken(root: &mut Node) {
    if let NodeKind::Map(entries) = &mut root.kind
        && let Some((_, value)) = entries.iter_mut().find(|(key, _)| key.text() == Some("include"))
    {
        value.kind = NodeKind::Broken;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("a/./b.yaml", "a/b.yaml")]
    #[case("a/../b.yaml", "b.yaml")]
    #[case("../b.yaml", "../b.yaml")]
    fn paths_are_compared_without_detours(#[case] path: &str, #[case] expected: &str) {
        assert_eq!(tidy(Path::new(path)), PathBuf::from(expected));
    }
}
