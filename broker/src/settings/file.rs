use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use serde::Deserialize;

use super::{AccessSettings, Limits, LogDetail, Source};

/// A configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct File {
    listen: Option<Vec<SocketAddr>>,
    websocket: Option<Vec<SocketAddr>>,
    log: Option<LogDetail>,
    access: AccessSettings,
    mqtt: Limits,
}

/// Why a configuration file is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileTrouble {
    /// It cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    /// It cannot be understood.
    #[error("{}:{error}", path.display())]
    Wrong { path: PathBuf, error: Wrong },
}

/// What is wrong in a file, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    line: usize,
    column: usize,
    what: String,
}

impl File {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Source, FileTrouble> {
        let text =
            fs::read_to_string(path).map_err(|error| FileTrouble::Unreadable { path: path.to_owned(), error })?;
        let file = Self::parse(&text).map_err(|error| FileTrouble::Wrong { path: path.to_owned(), error })?;
        Ok(file.source().in_folder(path.parent().unwrap_or(Path::new(""))))
    }

    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        toml::from_str(text).map_err(|error| {
            let before = &text[..error.span().map_or(0, |span| span.start).min(text.len())];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
            Wrong { line, column, what: explain(error.message()) }
        })
    }

    pub(super) fn source(self) -> Source {
        Source { listen: self.listen, websocket: self.websocket, log: self.log, access: self.access, limits: self.mqtt }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.what)
    }
}

/// Says what is nearest to an unknown key instead of all that there are.
fn explain(message: &str) -> String {
    let message = message.trim().replace('\n', "; ");
    let Some((unknown, known)) =
        message.strip_prefix("unknown field `").and_then(|rest| rest.split_once("`, expected "))
    else {
        return message;
    };
    let known = known.split('`').skip(1).step_by(2);
    let nearest = known.map(|key| (strsim::damerau_levenshtein(unknown, key), key)).min();
    match nearest.filter(|(distance, _)| *distance <= (unknown.chars().count() / 3).max(1)) {
        Some((_, nearest)) => format!("there is no key `{unknown}`; did you mean `{nearest}`?"),
        None => format!("there is no key `{unknown}` (halfopen-broker.toml shows all)"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("lisen = []", "1:1: there is no key `lisen`; did you mean `listen`?")]
    #[case("\n[mqtt]\n  queue_message = 3", "3:3: there is no key `queue_message`; did you mean `queue_messages`?")]
    #[case("[access]\nbanana = 1", "2:1: there is no key `banana` (halfopen-broker.toml shows all)")]
    #[case("[mqtt]\nconnect_timeout = '10'", "2:19: expected a whole number with a unit: ms, s, m or h")]
    #[case("[mqtt]\nkeep_alive_factor = 0.0", "2:21: expected a number above 0")]
    #[case("log = 'all'", "1:7: unknown variant `all`, expected `connections` or `packets`")]
    #[case("listen = ['nowhere']", "1:11: invalid socket address syntax")]
    #[case("[mqtt]\nqueue_bytes = -1", "2:15: invalid value: integer `-1`, expected usize")]
    #[case("[mqtt]\nreceive_maximum = 0", "2:19: invalid value: integer `0`, expected a nonzero u16")]
    #[case("log = 'packets'\nlog = 'packets'", "2:1: duplicate key")]
    fn what_is_wrong_is_said_with_its_place(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(File::parse(text).expect_err("wrong").to_string(), expected);
    }
}
