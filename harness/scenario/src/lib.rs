//! The scenario language: YAML files and the plans that they stand for.
//!
//! `text` → `tree` (values with their places) → `ast` (typed values, read once) → for each run of its `axes`, with the
//! values of its parameters, `lower` → [`Plan`]. Nothing stops at the first error: reading reports and goes on, and
//! what hangs on something that is wrong already stays silent.
//!
//! The language is explained in `docs/reference`, whose tables come from the definitions in [`ast`].

pub mod ast;
mod bytes;
mod draft;
mod error;
pub mod field_cases;
mod files;
pub mod generate;
mod header;
mod include;
mod keys;
mod lints;
mod lower;
mod reference;
mod schema;
mod set;
mod suggest;
mod tables;
mod time;
mod tree;
mod write;

use halfopen_plan::{self as plan, trace};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use self::ast::{File as Ast, Fragment, Map, Outline, Reading};
pub use self::draft::{Draft, DraftPath};
use self::error::Diagnostics;
pub use self::error::{Error, Errors, Span};
pub use self::files::{File, find};
pub use self::header::About;
pub use self::include::tidy;
use self::lower::Axes;
pub use self::lower::{MAX_NODES, MAX_RUNS, PlanOptions};
pub use self::schema::schema;
pub use self::set::check_set;
pub use self::tables::with_tables;
pub use self::time::Expr;
use self::tree::{Node, NodeKind};
pub use self::write::{Comments, WIDTH};
use crate::plan::{Plan, Source};

/// A scenario file, read.
///
/// What depends on the values of its parameters is known in each run of [`plans`](Self::plans).
#[derive(Debug)]
pub struct Scenario {
    /// The path below the scenarios' folder, without ending: `keep_alive/silent_client`.
    pub name: String,
    /// The file.
    pub source: Arc<Source>,
    /// The description of the file by itself.
    pub about: About,
    /// Fragments that it includes, in the order of their numbers in positions.
    pub fragments: Vec<Arc<Source>>,
    /// The file as typed values, without its fragments.
    pub file: Ast,
    /// The fragments as typed values, each behind those that it includes itself.
    parts: Vec<Fragment>,
    outline: Outline,
    axes: Axes,
    /// The place of the file as a whole.
    span: Span,
}

/// Reads a scenario file.
///
/// # Errors
/// If it cannot be read, or with all that is wrong in it that does not depend on how it is run: its runs are tried out
/// before errors are given back, so that all come at once.
pub fn load(path: impl AsRef<Path>) -> Result<Scenario, Errors> {
    let path = path.as_ref();
    load_file(&File { path: path.to_owned(), name: files::name_of(path) }, &BTreeMap::new())
}

/// Reads a scenario file that [`find`] has found, with these values in the place of those that its `let` has.
///
/// # Errors
/// As [`load`].
pub fn load_file(file: &File, set: &BTreeMap<String, String>) -> Result<Scenario, Errors> {
    let text = files::read(&file.path)?;
    let source = Source { path: files::shown(&file.path), text, ..Source::default() };
    parse(file.name.clone(), set::with_values(source, set))
}

/// Reads a scenario from its text.
///
/// # Errors
/// As [`load`].
pub fn parse(name: String, source: Source) -> Result<Scenario, Errors> {
    let source = Arc::new(source);
    let diagnostics = Diagnostics::new(source.clone());
    let scenario = tree::parse(&source.text, 0, &diagnostics).map(|root| of_tree(name, source, root, &diagnostics));
    if let Some(scenario) = &scenario
        && !diagnostics.is_empty()
    {
        lower::plans(scenario, PlanOptions::default(), &diagnostics);
    }
    let scenario = diagnostics.finish(scenario)?;
    Ok(scenario.expect("a file that is not read has an error"))
}

fn of_tree(name: String, source: Arc<Source>, mut root: Node, diagnostics: &Diagnostics) -> Scenario {
    header::check_keys(&root, Ast::TABLE, diagnostics);
    let trees = include::fragments(&mut root, &source, diagnostics);
    let all: Vec<&Node> = trees.iter().chain([&root]).collect();
    let outline = lower::outline(&all, all.iter().any(|tree| is_incomplete(tree)), diagnostics);
    let reading = Reading::new(diagnostics, &outline);
    let parts: Vec<_> = trees.iter().map(|tree| Fragment::of(&reading, tree)).collect();
    let file = Ast::of(&reading, &root);
    let about = About::of(&file, &parts, &source.text, diagnostics);
    let axes = Axes::of(&file, &parts, root.span, diagnostics);
    let (fragments, span) = (diagnostics.fragments(), root.span);
    Scenario { name, source, about, fragments, file, parts, outline, axes, span }
}

/// Returns whether a part of a file could not be read at all, so that names may exist which nobody knows.
fn is_incomplete(tree: &Node) -> bool {
    let is_map = |value: &Node| matches!(value.kind, NodeKind::Map(_)) || value.is_null();
    tree.entries().iter().any(|(key, value)| {
        value.kind == NodeKind::Broken || key.text().is_some_and(header::is_section) && !is_map(value)
    })
}

/// Reads all scenarios that the paths stand for, with their plans.
///
/// # Errors
/// With all errors of all files.
pub fn load_all<P: AsRef<Path>>(paths: &[P], options: PlanOptions) -> Result<Vec<(Scenario, Vec<Plan>)>, Errors> {
    let mut loaded = Vec::new();
    let mut errors = Vec::new();
    for file in find(paths)? {
        let read = load_file(&file, &BTreeMap::new()).and_then(|scenario| {
            let plans = scenario.plans(options)?;
            Ok((scenario, plans))
        });
        match read {
            Ok(read) => loaded.push(read),
            Err(error) => errors.push(error),
        }
    }
    Errors::collect(errors).map_or(Ok(loaded), Err)
}

impl Scenario {
    /// Returns all runs of the scenario.
    ///
    /// # Errors
    /// With all that is wrong in any of them; what is wrong in several is said once.
    pub fn plans(&self, options: PlanOptions) -> Result<Vec<Plan>, Errors> {
        let diagnostics = Diagnostics::with_fragments(self.source.clone(), &self.fragments);
        let plans = lower::plans(self, options, &diagnostics);
        diagnostics.finish(plans)
    }

    /// Returns each run as a file of its own, without axes and expectations; of many runs 100, evenly chosen. Runs that are
    /// more than the values of their axes, such as those of `any_order` and `sweep`, are left out.
    pub fn single_runs(&self) -> Vec<Ast> {
        lower::single::files(self)
    }

    /// Returns what is right but may not mean what was meant, in its plans.
    pub fn warnings(&self, plans: &[Plan]) -> Vec<Error> {
        lints::warnings(plans)
    }
}

#[cfg(test)]
mod tests;
