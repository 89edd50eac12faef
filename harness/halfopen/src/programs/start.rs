//! From a profile to a program that runs in a world.

use std::cell::RefCell;
use std::fs;
use std::io;
use std::path::Path;

use halfopen_process::Launch;
use tempfile::TempDir;

use super::settings::settings;
use super::{ConfigFile, Profile};
use crate::plan::{Because, BrokerProgram};
use crate::world::{ForeignOptions, ForeignProgram, Guest};

impl Profile {
    /// Returns the program as it stands in the place of the project's broker, for one run: with an empty folder for each
    /// node, which goes with it.
    ///
    /// # Errors
    /// If there is no room for folders.
    pub fn guest(&self) -> io::Result<Guest> {
        let folder = tempfile::Builder::new().prefix("halfopen-").tempdir()?;
        let (profile, closes) = (self.clone(), self.closes.clone());
        let folder = RefCell::new(folder);
        let options = ForeignOptions {
            launch: Box::new(move |node, program, starts| profile.launch(&folder.borrow(), node, program, starts)),
            port: self.port,
            ready_within: self.ready_within,
            read_log: Box::new(move |line| -> Option<(String, Because)> {
                closes.iter().find_map(|close| Some((close.prints.client(line)?.to_owned(), close.because)))
            }),
        };
        Ok(Guest::foreign(ForeignProgram::new(options)))
    }

    fn launch(&self, root: &TempDir, node: &str, program: &BrokerProgram, starts: u64) -> io::Result<Launch> {
        let folder = root.path().join(node);
        // What is not durable is gone with the process.
        if starts > 0 && !program.durable {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let config_path = self.config.as_ref().map(|config| folder.join(&config.file));
        let fill = |text: &str, value: &str| {
            let config = config_path.as_deref().unwrap_or(Path::new("")).to_string_lossy();
            text.replace("{port}", &self.port.to_string())
                .replace("{dir}", &folder.to_string_lossy())
                .replace("{config}", &config)
                .replace("{value}", value)
        };
        if let (Some(ConfigFile { text, .. }), Some(path)) = (&self.config, &config_path) {
            let mut text = fill(text, "");
            for (name, value) in settings(program) {
                if let Some(line) = self.settings.get(name) {
                    text.push_str(&fill(line.trim(), &value));
                    text.push('\n');
                }
            }
            fs::write(path, text)?;
        }
        let mut launch = Launch::new(&self.command, &folder);
        launch.args = self.args.iter().map(|arg| fill(arg, "")).collect();
        launch.env.extend(self.environment.iter().map(|(name, value)| (name.clone(), fill(value, ""))));
        Ok(launch)
    }

    /// Returns whether the command is there to be started.
    ///
    /// # Errors
    /// If it is not, with what is to be done.
    pub fn check_command(&self) -> Result<(), String> {
        let mut launch = Launch::new(&self.command, "/");
        launch.env.extend(self.environment.clone());
        launch.find().map(drop).map_err(|error| format!("profile {}: {error}; install it, or name its path", self.name))
    }
}
