//! Changes the rules of protocol, broker and client in many small ways, all in one program, and counts which changes the
//! scenarios notice, module by module.
//!
//! `cargo run -p halfopen-mutants` judges all of them and writes `docs/mutants.md`; `--sample 60` takes only that many, chosen
//! evenly; with `--check` it fails if the share that is caught is smaller than the page says, and writes nothing.

mod build;
mod find;
mod judge;
mod page;
mod write;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::judge::Fate;

/// Changes the rules of protocol, broker and client in many small ways and counts which the scenarios notice.
#[derive(Parser)]
struct Args {
    /// Judge only so many changes, chosen evenly
    #[arg(long)]
    sample: Option<usize>,
    /// Compare the share that is caught with the page instead of writing it
    #[arg(long)]
    check: bool,
    /// Judge only the changes of files whose path contains this, and print instead of writing the page
    #[arg(long)]
    only: Option<String>,
    /// How many programs run at once
    #[arg(long, short, default_value_t = 2)]
    jobs: usize,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("mutants: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let program = build::build(&root, &root.join("target/mutants"))?;
    let wanted = |file: &str| args.only.as_ref().is_none_or(|only| file.contains(only.as_str()));
    let all: Vec<&build::Change> = program.changes.iter().filter(|change| wanted(&change.file)).collect();
    let count = all.len();
    let step = args.sample.map_or(1, |sample| all.len().div_ceil(sample.max(1)).max(1));
    let chosen: Vec<_> = all.into_iter().step_by(step).collect();
    let fates = judge::judge(&program, &chosen, args.jobs)?;
    let page = page::page(&fates, count);
    let path = root.join("docs/mutants.md");
    if args.only.is_some() {
        print!("{page}");
        return Ok(ExitCode::SUCCESS);
    }
    let share = page::share(&fates);
    if !args.check {
        std::fs::write(path, page)?;
        println!("{share:.1} % of the changes that are reached are caught");
        return Ok(ExitCode::SUCCESS);
    }
    for (change, fate) in fates.iter().filter(|(_, fate)| *fate == Fate::Survived) {
        println!("{fate:?}: {}:{} {}", change.file, change.line, change.what);
    }
    let written = page::written_share(&std::fs::read_to_string(path)?).ok_or("docs/mutants.md says no share")?;
    // A sample may lie as far off as its size lets it: two standard deviations.
    let size = fates.iter().filter(|(_, fate)| *fate != Fate::NotReached).count();
    #[expect(clippy::cast_precision_loss, reason = "a count of some hundreds")]
    let off = 2.0 * (written * (100.0 - written) / size.max(1) as f64).sqrt();
    println!(
        "{share:.1} % of {size} changes are caught; docs/mutants.md says {written:.1} %, and a sample may be {off:.1} less"
    );
    Ok(if share + off < written { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
