//! Programs of others: profiles that say how each is started, configured and read.

mod limit;
mod parse;
mod pattern;
mod settings;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod start;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
#[path = "elsewhere.rs"]
mod start;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use self::limit::VirtualLimit;
use self::pattern::Pattern;
use self::settings::settings;
use crate::plan::{Because, BrokerProgram, Feature, Source};
use crate::scenario::Errors;

/// The profiles that come with the program, by name.
const SHIPPED: &[(&str, &str)] = &[("mosquitto", include_str!("../../../../programs/mosquitto.toml"))];

/// How a program of somebody else is started, configured and read.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// What it is called: the name of its file without the extension.
    pub name: String,
    /// The program, and its arguments with placeholders.
    command: String,
    args: Vec<String>,
    environment: BTreeMap<String, String>,
    /// Port on which it accepts connections.
    port: u16,
    /// How long it may take until it listens, by its own clock.
    ready_within: Duration,
    config: Option<ConfigFile>,
    /// What a scenario may set, and what is added to the configuration then.
    settings: BTreeMap<String, String>,
    lacks: BTreeSet<Feature>,
    closes: Vec<Close>,
}

/// The file that a program is configured by.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ConfigFile {
    file: String,
    text: String,
}

/// What a program prints when it closes a connection for some cause.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Close {
    because: Because,
    prints: Pattern,
}

impl Profile {
    /// Finds a profile that comes with the program, or reads one from a file: what contains `/` or ends with `.toml`.
    ///
    /// # Errors
    /// With all that is wrong with the file, or with the names that there are.
    pub fn find(name_or_path: &str) -> Result<Self, ProfileError> {
        let path = Path::new(name_or_path);
        if name_or_path.contains('/') || path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(path)
                .map_err(|error| ProfileError::Unreadable { path: path.to_owned(), error })?;
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            return Ok(Self::parse(&name, name_or_path, &text)?);
        }
        let shipped = SHIPPED.iter().find(|(name, _)| *name == name_or_path);
        let (name, text) = shipped.ok_or_else(|| ProfileError::Unknown {
            name: name_or_path.to_owned(),
            known: SHIPPED.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "),
        })?;
        Ok(Self::parse(name, &format!("programs/{name}.toml"), text)?)
    }

    /// Reads the text of a profile.
    fn parse(name: &str, path: &str, text: &str) -> Result<Self, Errors> {
        let source = Source { path: path.to_owned(), text: text.to_owned() };
        parse::parse(name, &Arc::new(source))
    }

    /// Returns what a scenario sets on a broker and this program cannot be told, if there is anything.
    pub fn does_not_take(&self, program: &BrokerProgram) -> Option<String> {
        let (name, _) = settings(program).into_iter().find(|(name, _)| !self.settings.contains_key(*name))?;
        Some(format!("it sets `{name}` on a broker, which {} does not take", self.name))
    }

    /// Returns the causes of closes that its log tells.
    pub fn reasons(&self) -> BTreeSet<Because> {
        self.closes.iter().map(|close| close.because).collect()
    }

    /// Returns why it cannot be what a plan's broker is, if it lacks what the plan requires.
    pub fn lacks(&self, features: &[Feature]) -> Option<String> {
        let missing = features.iter().find(|feature| self.lacks.contains(feature))?;
        Some(format!("{} has no {}", self.name, missing.word().replace('_', " ")))
    }
}

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// None has this name.
    #[error(
        "there is no profile `{name}`: known are {known}; a profile of your own is given by its path, as `./{name}.toml`"
    )]
    Unknown {
        /// The name.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// The file cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The file has errors.
    #[error("{0}")]
    Wrong(#[from] Errors),
}

#[cfg(test)]
mod tests;
