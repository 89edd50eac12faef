use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::args::NewArgs;
use super::output::{Failure, SUCCESS};

/// The beginning of a new scenario. It passes.
const BEGINNING: &str = "\
# A device falls silent, and the broker closes it after one and a half keep-alives.
# This first comment says what the scenario shows; `halfopen list` prints it.

# Values to choose: each is a run of its own, and the file uses it as <keep_alive>.
matrix: { keep_alive: [1s, 60s] }

# Who takes part. A broker called `broker` is there without being written.
# Clients are programs: up and connected when the story begins.
clients:
  sensor: { keep_alive: <keep_alive>, will: { topic: sensor/status, payload: gone } }
  watcher: { subscribe: sensor/+ }

# What happens, line by line: `wait`, `at`, `mark`, `network`, or a node and what it does.
# Time moves only at `wait`, at `at`, and while a step waits for its answer.
steps:
  - wait: 2.5 * <keep_alive>
  - sensor: power_loss          # or: stop_pinging, crash, disconnect, { publish: { topic: a/b, payload: hello } }

# What must be true of it. An expectation says who, does what, and when.
expect:
  - broker: { closes: sensor, because: keep_alive, count: 1, at: 1.5 * <keep_alive> after last packet from sensor }
  - watcher: { receives: { PUBLISH: { payload: gone } }, count: 1, at: 10ms after close of sensor }
  - never: { broker: { closes: watcher } }

# `halfopen explain FILE` tells it in plain words, `halfopen run FILE` runs it, `halfopen trace FILE` shows what happened.
";

/// Writes a scenario to begin with.
pub(super) fn new(args: &NewArgs) -> Result<u8, Failure> {
    let has_ending = args.name.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    let path = if has_ending { args.name.clone() } else { PathBuf::from(format!("{}.yaml", args.name.display())) };
    let failed = |error| Failure::File { path: path.clone(), error };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(Failure::Input(format!("{}: this file is there already", path.display())));
        }
        Err(error) => return Err(failed(error)),
    };
    let modeline =
        schema(&path).map(|schema| format!("# yaml-language-server: $schema={schema}\n")).unwrap_or_default();
    write!(file, "{modeline}{BEGINNING}").map_err(failed)?;
    writeln!(anstream::stdout(), "{}: try `halfopen run {}`", path.display(), path.display())?;
    Ok(SUCCESS)
}

/// The path from a new file to the schema: that of this project if the file stands in it, or one beside or above it.
fn schema(path: &Path) -> Option<String> {
    let folder =
        std::fs::canonicalize(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))
            .ok()?;
    let mut up = String::new();
    for above in folder.ancestors() {
        for name in ["scenario.schema.json", "harness/scenario.schema.json"] {
            if above.join(name).is_file() {
                return Some(format!("{up}{name}"));
            }
        }
        up.push_str("../");
    }
    None
}
