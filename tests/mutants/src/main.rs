//! Changes the rules of protocol, broker and client in many small ways, all in one program, and counts which changes the
//! scenarios notice, module by module.
//!
//! `cargo run -p halfopen-mutants` judges all of them and writes `docs/mutants.md`; `--sample 60` takes only that many, chosen
//! evenly; with `--check` it fails if the share that is caught is smaller than the page says, and writes nothing.
//!
//! The changed copy of the workspace is in `target/mutants`. `refused.txt` lists the changes that do not compile, so that one
//! compilation is enough; `equivalent.txt` lists those that no peer can notice.

mod build;
mod equivalent;
mod find;
mod judge;
mod page;
mod write;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::equivalent::Equivalents;
use crate::judge::Fate;

/// Changes the rules of protocol, broker and client in many small ways and counts which the scenarios notice.
#[derive(Parser)]
struct Args {
    /// Judge only this many changes, chosen evenly
    #[arg(long)]
    sample: Option<usize>,
    /// Compare the share that is caught with the page instead of writing it
    #[arg(long)]
    check: bool,
    /// Judge only the changes of files whose path contains one of these, and print instead of writing the page
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Run only these scenarios, files or folders as paths from the root of the workspace, and print
    #[arg(long, value_delimiter = ',')]
    scenarios: Vec<PathBuf>,
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
    let equivalents = Equivalents::parse(&std::fs::read_to_string(root.join(equivalent::PATH))?)?;
    let work = root.join("target/mutants");
    let program = build::build(&root, &work)?;
    let unknown = equivalents.unknown(&program.changes);
    if !unknown.is_empty() {
        return Err(format!("{} lists what is no change any more:\n{}", equivalent::PATH, unknown.join("\n")).into());
    }
    let wanted = |file: &str| args.only.is_empty() || args.only.iter().any(|only| file.contains(only.as_str()));
    let all: Vec<&build::Change> = program.changes.iter().filter(|change| wanted(&change.file)).collect();
    let count = all.len();
    let step = args.sample.map_or(1, |sample| all.len().div_ceil(sample.max(1)).max(1));
    let chosen: Vec<_> = all.into_iter().step_by(step).collect();
    let scenarios = match &args.scenarios[..] {
        [] => vec![program.scenarios.clone()],
        some => some.iter().map(|path| work.join(path)).collect(),
    };
    let fates = judge::judge(&program, &scenarios, &chosen, args.jobs)?;
    for (change, _) in fates.iter().filter(|(change, fate)| equivalents.has(change) && is_caught(fate)) {
        eprintln!("caught, though {} lists it: {}", equivalent::PATH, change.key());
    }
    let page = page::page(&fates, &equivalents, count);
    let path = root.join("docs/mutants.md");
    if !args.only.is_empty() || !args.scenarios.is_empty() {
        print!("{page}");
        return Ok(ExitCode::SUCCESS);
    }
    let share = page::share(&fates, &equivalents);
    let (reached, _) = page::counts(&fates, &equivalents);
    if !args.check {
        std::fs::write(path, page)?;
        println!("{share:.1} % of the {reached} changes that are reached are caught");
        return Ok(ExitCode::SUCCESS);
    }
    for (change, fate) in fates.iter().filter(|(change, _)| !equivalents.has(change)) {
        match fate {
            Fate::Seen(run) => println!("not caught, but seen in {run}: {}", change.key()),
            Fate::Unseen => println!("not caught: {}", change.key()),
            Fate::Caught(_) | Fate::Broke | Fate::NotReached => {}
        }
    }
    let written = page::written_share(&std::fs::read_to_string(path)?).ok_or("docs/mutants.md says no share")?;
    // A sample may lie as far off as its size lets it: two standard deviations.
    #[expect(clippy::cast_precision_loss, reason = "a count of some hundreds")]
    let off = 2.0 * (written * (100.0 - written) / reached.max(1) as f64).sqrt();
    println!(
        "{share:.1} % of {reached} changes are caught; docs/mutants.md says {written:.1} %, and a sample may be {off:.1} less"
    );
    Ok(if share + off < written { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn is_caught(fate: &Fate) -> bool {
    matches!(fate, Fate::Caught(_) | Fate::Broke)
}
