use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::scenario;
use crate::world::EngineError;

/// All is well.
pub(super) const SUCCESS: u8 = 0;
/// A run failed.
pub(super) const FAILURE: u8 = 1;
/// There is something wrong with what was asked for.
pub(super) const BAD_INPUT: u8 = 2;

/// No run failed, but one was vacuous.
pub(super) const VACUOUS: u8 = 3;
/// The engine itself is in trouble, or something could not be written.
pub(super) const ENGINE_TROUBLE: u8 = 4;

/// The command was interrupted by a signal, numbered as in shells.
pub(super) const INTERRUPTED: u8 = 130;

/// Writes a file, with the folders it stands in.
pub(super) fn write_file(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Failure> {
    write_to(path, |file| file.write_all(content.as_ref()))
}

/// The same a piece at a time.
pub(super) fn write_to(path: &Path, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> Result<(), Failure> {
    let written = || {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = io::BufWriter::new(std::fs::File::create(path)?);
        write(&mut file)?;
        file.flush()
    };
    written().map_err(|error| Failure::Unwritable { path: path.to_owned(), error })
}

/// The reason for which a command could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Scenarios with errors.
    #[error("{0}")]
    Scenarios(#[from] scenario::Errors),
    /// No run has the given name.
    #[error("no run of these scenarios has `{0}` in its name")]
    NothingToRun(String),
    /// The engine has no trace of a run.
    #[error("{0}")]
    Engine(#[from] EngineError),
    /// A file could not be read.
    #[error("{}: {error}", path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// The error.
        error: io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {}: {error}", path.display())]
    Unwritable {
        /// The path.
        path: PathBuf,
        /// The error.
        error: io::Error,
    },
    /// A part of the command could not be done; the rest was.
    #[error("{0}")]
    Trouble(String),
    /// The content of a file is not what it should be, or an option makes no sense.
    #[error("{0}")]
    Input(String),
    /// The output could not be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// Says what is wrong on standard error, as far as that is possible; the exit code.
    pub(super) fn report(self) -> u8 {
        match self {
            // Who reads has seen enough: `halfopen trace … | head`.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => SUCCESS,
            Self::Engine(_) | Self::Output(_) | Self::Unwritable { .. } | Self::Trouble(_) => {
                let _ = writeln!(anstream::stderr(), "{self}");
                ENGINE_TROUBLE
            }
            Self::Scenarios(_) | Self::NothingToRun(_) | Self::File { .. } | Self::Input(_) => {
                let _ = writeln!(anstream::stderr(), "{self}");
                BAD_INPUT
            }
        }
    }
}
