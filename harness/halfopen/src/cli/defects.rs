use std::collections::BTreeSet;
use std::io::{self, Write};

use super::args::DefectsArgs;
use super::commands::counted;
use super::output::{FAILURE, Failure, SUCCESS};
use crate::defects::{Catch, Defect, Scenarios, Unfit};
use crate::run::load;
use crate::scenario::PlanOptions;

/// Width of the lists of scenarios, in characters.
const WIDTH: usize = 118;

/// Prints for each defect which scenarios catch it and by what, and last those that none catches. Scenarios that do not
/// pass without any defect are named first, and count for nothing.
pub(super) fn defects(args: &DefectsArgs) -> Result<u8, Failure> {
    let scenarios = Scenarios::new(load(&args.paths, PlanOptions::default())?);
    let only = args.only.as_deref().unwrap_or_default();
    let defects: Vec<Defect> = Defect::all().filter(|defect| defect.is_named(only)).collect();
    if defects.is_empty() {
        return Err(Failure::NothingToRun(only.to_owned()));
    }
    let mut out = anstream::stdout().lock();
    let unfit: Vec<Unfit<'_>> = scenarios.unfit().collect();
    for Unfit { scenario, runs } in &unfit {
        writeln!(out, "NOT COUNTED {scenario}: it does not pass without any defect")?;
        for (run, mark) in *runs {
            writeln!(out, "  {:<8} {run}", mark.word())?;
        }
    }
    let mut survivors = Vec::new();
    let mut idle: BTreeSet<&str> = scenarios.names().collect();
    unfit.iter().for_each(|unfit| _ = idle.remove(unfit.scenario));
    if idle.is_empty() {
        writeln!(out, "no scenario is left that could catch a defect")?;
        return Ok(FAILURE);
    }
    for &defect in &defects {
        let mut caught = Vec::new();
        for catch in scenarios.catching(defect) {
            let is_shown = catch.proof.is_some();
            caught.push(catch);
            if args.first && is_shown {
                break;
            }
        }
        for catch in &caught {
            idle.remove(catch.scenario);
        }
        if caught.is_empty() {
            survivors.push(defect);
        }
        print(&mut out, defect, &caught)?;
    }
    if defects.len() == Defect::all().count() && !args.first && !idle.is_empty() {
        writeln!(out, "{} no defect:", if idle.len() == 1 { "1 scenario catches" } else { "these scenarios catch" })?;
        list(&mut out, idle)?;
    }
    for defect in &survivors {
        writeln!(out, "SURVIVES {defect}: {}", defect.about())?;
    }
    writeln!(out, "{}: {} caught", counted(defects.len(), "defect"), defects.len() - survivors.len())?;
    if !unfit.is_empty() {
        writeln!(out, "{} not counted, named above", counted(unfit.len(), "scenario"))?;
    }
    Ok(if survivors.is_empty() && unfit.is_empty() { SUCCESS } else { FAILURE })
}

/// Returns what it does and models, what shows that it is caught, and what else catches it.
fn print(out: &mut impl Write, defect: Defect, caught: &[Catch<'_>]) -> io::Result<()> {
    writeln!(out, "{defect}: {}", defect.about())?;
    if !defect.cases().is_empty() {
        writeln!(out, "  models    {}", defect.cases().join(", "))?;
    }
    let shown = caught.iter().find_map(|catch| Some((catch, catch.proof.as_ref()?)));
    if let Some((_, proof)) = shown {
        writeln!(out, "  shown by  {}\n            {}", proof.run, proof.text)?;
        writeln!(out, "            expected: {}\n            actual:   {}", proof.expected, proof.actual)?;
    }
    let others = caught.iter().map(|catch| catch.scenario).filter(|it| shown.is_none_or(|(by, _)| by.scenario != *it));
    let others: BTreeSet<&str> = others.collect();
    if !others.is_empty() {
        writeln!(
            out,
            "  {}caught by {}:",
            if shown.is_some() { "also " } else { "" },
            counted(others.len(), "scenario")
        )?;
        list(out, others)?;
    }
    writeln!(out)
}

fn list<'a>(out: &mut impl Write, names: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
    let mut line = String::new();
    for name in names {
        if !line.is_empty() && line.len() + name.len() > WIDTH - 13 {
            writeln!(out, "           {line}")?;
            line.clear();
        }
        line.push(' ');
        line.push_str(name);
    }
    writeln!(out, "           {line}")
}
