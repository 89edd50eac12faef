use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::settings::{AccessSettings, Address, Limits, LogDetail, Settings, Source, read};

/// An MQTT 3.1.1 and 5.0 broker.
///
/// Holds everything in memory. Logs to stderr, each line with the seconds since 1970. SIGINT and SIGTERM stop it in
/// order. Every flag, except --config, --port and --verbose, is also a key of the configuration file, with `_`
/// for `-`.
#[derive(Clone, Debug, Parser)]
#[command(name = "halfopen-broker", version, args_conflicts_with_subcommands = true, after_long_help = FILES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Settings in TOML; flags go before what is written there
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// The address or host name and the port to listen on, several times for several; port 0 takes a free one and logs
    /// it [default: 127.0.0.1:1883 and, where there is IPv6, [::1]:1883]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<Vec<Address>>,

    /// The same as `--listen 127.0.0.1:PORT --listen [::1]:PORT`
    #[arg(short, long, conflicts_with = "listen")]
    port: Option<u16>,

    /// The address or host name and the port to listen on for MQTT over WebSocket, besides --listen; several times for
    /// several [default: none]
    #[arg(long, value_name = "ADDRESS")]
    websocket: Option<Vec<Address>>,

    /// What is logged [default: connections]
    #[arg(long, value_name = "DETAIL")]
    log: Option<LogDetail>,

    /// The same as `--log packets`
    #[arg(short, long, conflicts_with = "log")]
    verbose: bool,

    #[command(flatten, next_help_heading = "Access")]
    access: AccessSettings,

    #[command(flatten, next_help_heading = "Protocol and limits")]
    limits: Limits,
}

/// The commands of the program besides running a broker.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Adds a user to a password file, or changes the password.
    ///
    /// The password is asked for, or read as the first line of stdin if that is no terminal. A broker that runs already
    /// reads the file again at SIGHUP.
    Passwd {
        /// The password file; made if there is none
        file: PathBuf,
        /// The name of the user
        user: String,
        /// Let the user log in by SCRAM-SHA-256, too, the enhanced authentication of MQTT 5.0
        #[arg(long, conflicts_with = "delete")]
        scram: bool,
        /// Remove the user instead
        #[arg(long)]
        delete: bool,
    },
}

const FILES: &str = "\
Files:
  At SIGHUP all files are read again, and the log says which settings were taken. What needs a restart is what CONNACK
  has told clients (the largest packet, the receive maximum, the topic aliases, the highest QoS, and what is not
  available), the connect timeout, the log and the ports. A file with a mistake in it changes nothing.

  The configuration file has `listen`, `websocket` and `log` at its top, the settings of access in a table [access],
  and those of the protocol in a table [mqtt]:

      listen = [\"0.0.0.0:1883\", \"[::]:1883\"]
      [access]
      password_file = \"passwords\"
      [mqtt]
      queue_messages = 1000

  The access file is read as Mosquitto reads its acl_file. What no line allows is forbidden, and `deny` wins. A filter
  with spaces needs a right in front of it:

      topic read public/#          before the first user: for clients without a user
      user ann
      topic home/#                 read and write; also `read`, `write`, `readwrite` and `deny`
      pattern write device/%c/#    for everybody; %c is the client identifier, %u the user name";

impl Args {
    /// Returns what holds: the flags, and what they leave open from the file.
    ///
    /// # Errors
    /// Everything that is wrong in the file, or settings that contradict each other, a line each.
    pub(crate) fn settings(self) -> Result<Settings, Vec<String>> {
        let file = self.config.as_deref().map_or(Ok(Source::default()), read)?;
        let log = if self.verbose { Some(LogDetail::Packets) } else { self.log };
        let listen = self.listen.or(self.port.map(Settings::this_machine));
        let flags = Source { listen, websocket: self.websocket, log, access: self.access, limits: self.limits };
        flags.or(file).settings()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use halfopen_broker::Config;
    use halfopen_broker::log::Detail;

    use super::*;
    use crate::settings::SYS_INTERVAL;

    fn settings(arguments: &[&str]) -> Settings {
        let arguments = [&["halfopen-broker"], arguments].concat();
        Args::try_parse_from(arguments).expect("valid flags").settings().expect("no file")
    }

    #[test]
    fn a_port_is_that_of_the_machine_itself_in_both_families() {
        let listen: Vec<String> = settings(&["-p", "7"]).listen.iter().map(ToString::to_string).collect();
        assert_eq!(listen, ["127.0.0.1:7", "[::1]:7"]);
        assert!(Args::try_parse_from(["halfopen-broker", "-p", "7", "--listen", "0.0.0.0:7"]).is_err());
    }

    #[test]
    fn the_flags_fit_together_and_give_the_default_configuration() {
        Args::command().debug_assert();
        let settings = settings(&[]);
        assert_eq!(settings.config, Config { sys_interval: SYS_INTERVAL, ..Config::default() });
        assert_eq!(settings.detail, Detail::Connections);
        assert_eq!(Ok(settings), Source::default().settings());
    }

    #[test]
    fn flags_are_heard() {
        let settings = settings(&["-v", "--listen", "[::1]:1", "--listen", "[::1]:2", "--queue-messages", "3"]);
        assert_eq!(settings.listen.len(), 2);
        assert_eq!(settings.detail, Detail::Packets);
        assert_eq!(settings.config, Config { queue_messages: 3, sys_interval: SYS_INTERVAL, ..Config::default() });
    }

    /// A flag says its default in words, since one that is not given must not hide the file.
    #[test]
    fn help_says_the_default_of_each_setting() {
        for argument in Args::command().get_arguments() {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            let is_setting = !["config", "port", "verbose", "help", "version"].contains(&argument.get_id().as_str());
            assert_eq!(help.contains("[default: "), is_setting, "--{}: {help}", argument.get_id());
        }
    }
}
