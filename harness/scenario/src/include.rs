//! Fragments: files that bring nodes, links, values, waivers and steps for several scenarios.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::error::{Sink, Span};
use super::files;
use super::header::{self, FRAGMENT};
use super::tree::{self, Kind, Node};
use crate::plan::Source;

/// How many fragments a scenario may include, those of fragments among them.
const MAX_FRAGMENTS: usize = 64;

/// The keys whose entries are added one by one.
const MAPS: [&str; 6] = ["brokers", "clients", "raw_brokers", "raw_clients", "links", "waive"];

/// Adds to the tree of a file what it includes; what cannot be read is reported and marked as broken.
pub(super) fn include(root: &mut Node, source: &Source, sink: &Sink) {
    let mut reading = Reading { stack: vec![PathBuf::from(&source.path)], done: Vec::new(), sink };
    reading.includes(root, &folder(&source.path));
}

fn folder(path: &str) -> PathBuf {
    Path::new(path).parent().unwrap_or(Path::new("")).to_owned()
}

struct Reading<'a> {
    /// The file that is read, and those that led to it.
    stack: Vec<PathBuf>,
    done: Vec<PathBuf>,
    sink: &'a Sink,
}

impl Reading<'_> {
    fn includes(&mut self, root: &mut Node, folder: &Path) {
        let Some(list) = root.get("include").cloned() else { return };
        let paths = match &list.kind {
            Kind::List(items) => items.as_slice(),
            _ => std::slice::from_ref(&list),
        };
        let mut fragments = Vec::new();
        let mut complete = true;
        for path in paths {
            match self.one(path, folder) {
                Ok(fragment) => fragments.extend(fragment),
                Err(()) => complete = false,
            }
        }
        // The first of several comes first.
        for fragment in fragments.into_iter().rev() {
            merge(root, fragment, self.sink);
        }
        if !complete {
            broken(root, "include");
        }
    }

    /// The tree of one fragment with what it includes; nothing if it is in already.
    fn one(&mut self, path: &Node, folder: &Path) -> Result<Option<Node>, ()> {
        let fail = |message: String| {
            self.sink.push(path.span, message, None);
            Err(())
        };
        let is_path = |name: &&str| name.ends_with(".yaml") || name.ends_with(".yml");
        let Some(name) = path.text().filter(is_path) else {
            if path.kind == Kind::Broken {
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
            return Ok(None);
        }
        if self.done.len() >= MAX_FRAGMENTS {
            return fail(format!("more than {MAX_FRAGMENTS} fragments"));
        }
        let text = match files::read(&file) {
            Ok(text) => text,
            Err(error) => return fail(format!("`{}`: {}", files::shown(&file), error.message)),
        };
        self.done.push(file.clone());
        let source = Arc::new(Source { path: files::shown(&file), text });
        let number = self.sink.add_fragment(Arc::clone(&source));
        let Some(mut root) = tree::parse(&source.text, number, self.sink) else { return Err(()) };
        header::check_keys(&root, &FRAGMENT, self.sink);
        self.stack.push(file.clone());
        self.includes(&mut root, &folder_of(&file));
        self.stack.pop();
        Ok(Some(root))
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

fn merge(root: &mut Node, fragment: Node, sink: &Sink) {
    let Kind::Map(mut entries) = fragment.kind else { return };
    let Kind::Map(own) = &mut root.kind else { return };
    for section in MAPS {
        if let Some((key, value)) = take(&mut entries, section) {
            match own.iter_mut().find(|(key, _)| key.text() == Some(section)) {
                Some((_, existing)) => add(existing, value, sink),
                None => own.push((key, value)),
            }
        }
    }
    if let Some((key, value)) = take(&mut entries, "steps") {
        match own.iter_mut().find(|(key, _)| key.text() == Some("steps")) {
            Some((_, existing)) => first(existing, value),
            None => own.push((key, value)),
        }
    }
    // Before all other values, which may use it.
    if let Some(entry) = take(&mut entries, "let") {
        own.insert(0, entry);
    }
    if entries.iter().any(|(key, value)| key.text() == Some("include") && value.kind == Kind::Broken) {
        broken(root, "include");
    }
}

fn take(entries: &mut Vec<(Node, Node)>, name: &str) -> Option<(Node, Node)> {
    let place = entries.iter().position(|(key, _)| key.text() == Some(name))?;
    Some(entries.remove(place))
}

/// The fragment's entries before the file's own.
fn add(existing: &mut Node, fragment: Node, sink: &Sink) {
    let (Kind::Map(own), Kind::Map(mut entries)) = (&mut existing.kind, fragment.kind) else { return };
    entries.retain(|(key, _)| {
        let twice = own.iter().find(|(other, _)| other.text() == key.text());
        if let Some((other, _)) = twice {
            report_twice(other, key.span, sink);
        }
        twice.is_none()
    });
    entries.append(own);
    *own = entries;
}

fn report_twice(own: &Node, fragment: Span, sink: &Sink) {
    let place = sink.place(fragment, own.span);
    let message = format!("`{}` comes from a fragment already, {place}", own.text().unwrap_or_default());
    sink.push(own.span, message, None);
}

fn first(existing: &mut Node, fragment: Node) {
    if let (Kind::List(own), Kind::List(mut steps)) = (&mut existing.kind, fragment.kind) {
        steps.append(own);
        *own = steps;
    }
}

fn broken(root: &mut Node, name: &str) {
    if let Kind::Map(entries) = &mut root.kind
        && let Some((_, value)) = entries.iter_mut().find(|(key, _)| key.text() == Some(name))
    {
        value.kind = Kind::Broken;
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
