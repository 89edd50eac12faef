//! The YAML file as typed values, or all of its errors at once.

mod action;
mod axes;
mod error;
mod expect;
mod files;
mod header;
mod judged;
mod keys;
mod link;
mod names;
mod node;
mod packet;
mod params;
mod plans;
mod reader;
mod step;
mod suggest;
mod time;
mod tree;

use std::path::Path;
use std::rc::Rc;

use self::axes::Axes;
use self::error::Sink;
pub use self::error::{Error, Errors, Span};
pub use self::files::{File, find};
pub use self::header::About;
pub use self::plans::PlanOptions;
use self::tree::Node;
use crate::plan::{Plan, Source};

/// A scenario file whose outline is right: its header, its parameters, its runs.
///
/// Everything else depends on the values of the parameters and is read with them, by [`plans`](Self::plans).
#[derive(Debug)]
pub struct Scenario {
    /// The path below the scenarios' folder, without ending: `keep_alive/silent_client`.
    pub name: String,
    /// The file.
    pub source: Rc<Source>,
    /// What the file says about itself.
    pub about: About,
    root: Node,
    axes: Axes,
}

/// Reads a scenario file.
///
/// # Errors
/// If it cannot be read, or with all that is wrong in it that does not depend on how it is run: its runs are tried out
/// before errors are given back, so that all come at once.
pub fn load(path: impl AsRef<Path>) -> Result<Scenario, Errors> {
    let path = path.as_ref();
    load_file(&File { path: path.to_owned(), name: files::name_of(path) })
}

/// Reads a scenario file that [`find`] has found.
///
/// # Errors
/// As [`load`].
pub fn load_file(file: &File) -> Result<Scenario, Errors> {
    let text = files::read(&file.path)?;
    parse(file.name.clone(), Source { path: files::shown(&file.path), text })
}

/// Reads a scenario from its text.
///
/// # Errors
/// As [`load`].
pub fn parse(name: String, source: Source) -> Result<Scenario, Errors> {
    let source = Rc::new(source);
    let sink = Sink::new(source.clone());
    let scenario = tree::parse(&source.text, &sink).map(|root| {
        let about = About::read(&root, &sink);
        let axes = Axes::read(&root, &sink);
        Scenario { name, source, about, root, axes }
    });
    if let Some(scenario) = &scenario
        && !sink.is_empty()
    {
        plans::collect(scenario, PlanOptions::default(), &sink);
    }
    let scenario = sink.finish(scenario)?;
    Ok(scenario.expect("a file that is not read has an error"))
}

/// Reads all scenarios that the paths stand for, with their plans.
///
/// # Errors
/// With all errors of all files.
pub fn load_all<P: AsRef<Path>>(paths: &[P], options: PlanOptions) -> Result<Vec<(Scenario, Vec<Plan>)>, Errors> {
    let mut loaded = Vec::new();
    let mut errors = Vec::new();
    for file in find(paths)? {
        let read = load_file(&file).and_then(|scenario| {
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
    /// All runs of the scenario.
    ///
    /// # Errors
    /// With all that is wrong in any of them; what is wrong in several is said once.
    pub fn plans(&self, options: PlanOptions) -> Result<Vec<Plan>, Errors> {
        let sink = Sink::new(self.source.clone());
        let plans = plans::collect(self, options, &sink);
        sink.finish(plans)
    }
}

#[cfg(test)]
mod tests;
