//! The command line.
//!
//! Exit codes: 0 all is well, 1 some run fails, 2 bad input: an error in a scenario, a path that is not there, a flag that
//! does not exist; 3 no failures, but some run was vacuous; 4 the engine failed, or something could not be written;
//! 130 interrupted.

mod args;
mod artifacts;
mod campaigns;
mod commands;
mod compare;
mod coverage;
mod defects;
mod draw;
mod explain;
mod explore;
mod foreign;
mod forms;
mod interrupt;
mod list;
mod live;
mod merge;
mod new;
mod options;
mod output;
mod progress;
mod run;
mod select;
mod side_by_side;
mod why;

use std::process::ExitCode;

use clap::Parser as _;

use self::args::{Args, Command};
use self::merge::ReportCommand;
use self::output::Failure;

/// Runs the command that the arguments of the process name.
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and version are no errors, and say so in their exit code.
            let code = if error.use_stderr() { output::BAD_INPUT } else { output::SUCCESS };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let done = match args.command {
        Command::Run(run) => run::run(&run),
        Command::Trace(trace) => commands::trace(&trace),
        Command::Check(check) => commands::check(&check),
        Command::Defects(args) => defects::defects(&args),
        Command::Coverage(args) => coverage::coverage(&args),
        Command::New(new) => new::new(&new),
        Command::List(list) => list::list(&list),
        Command::Explain(explain) => explain::explain(&explain),
        Command::Explore(command) => explore::run(&command),
        Command::Schema => list::schema(),
        Command::Draw(args) => draw::draw(&args),
        Command::Diff(args) => compare::diff_files(&args),
        Command::Replay(args) => compare::replay(&args),
        Command::Meta(args) => compare::meta(&args),
        Command::Compare(args) => side_by_side::compare(&args),
        Command::Why(command) => why::run(&command),
        Command::Report(ReportCommand::Merge(args)) => merge::merge(&args),
        Command::Report(ReportCommand::Campaigns(args)) => campaigns::merge(&args),
    };
    ExitCode::from(done.unwrap_or_else(Failure::report))
}
