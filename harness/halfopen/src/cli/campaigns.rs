//! `halfopen report campaigns`: the results of the parts of a campaign of exploration as one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::commands::counted;
use super::output::{FAILURE, Failure, SUCCESS, VACUOUS, write_file};

#[derive(Debug, Args)]
#[command(after_help = "Exit codes: those of `halfopen explore`, for all parts together.")]
pub(super) struct CampaignsArgs {
    /// Results that `halfopen explore --shard K/N --json FILE` wrote.
    #[arg(required = true, value_name = "FILE")]
    results: Vec<PathBuf>,
    /// Write the result of all parts to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Merges.
pub(super) fn merge(args: &CampaignsArgs) -> Result<u8, Failure> {
    let parts: Result<Vec<Value>, Failure> = args.results.iter().map(|path| read(path)).collect();
    let merged = merged(&parts?).map_err(Failure::Input)?;
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&merged).unwrap_or_default();
        write_file(path, format!("{text}\n"))?;
    }
    let findings = merged["findings"].as_array().map_or(&[][..], Vec::as_slice);
    let mut out = anstream::stdout().lock();
    for finding in findings {
        writeln!(out, "FOUND {} in {} stories", text(&finding["invariant"]), finding["stories"])?;
        writeln!(out, "    expected: {}\n    actual:   {}", text(&finding["expected"]), text(&finding["actual"]))?;
        writeln!(out, "    {}", text(&finding["command"]))?;
    }
    writeln!(
        out,
        "{} stories of seed {} in {} parts: {} of different kinds; at least {} states",
        merged["stories"],
        merged["seed"],
        merged["parts"],
        counted(findings.len(), "finding"),
        merged["states"],
    )?;
    let missing = names(&merged["not_reached"]);
    if !missing.is_empty() {
        writeln!(out, "marks not reached: {}", missing.into_iter().collect::<Vec<_>>().join("; "))?;
    }
    Ok(match () {
        () if !findings.is_empty() => FAILURE,
        () if merged["states"] == 0 => VACUOUS,
        () => SUCCESS,
    })
}

fn read(path: &Path) -> Result<Value, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::File { path: path.to_owned(), error })?;
    let wrong = |why: String| Failure::Input(format!("{}: {why}", path.display()));
    let part: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if part["format"] != 1 || !part["findings"].is_array() {
        return Err(wrong("this is no result of `halfopen explore --json`".to_owned()));
    }
    Ok(part)
}

/// Returns the result of all parts. States have no names in a result, so that those of two parts may be the same: the
/// number of all is at least that of the part that reached most.
fn merged(parts: &[Value]) -> Result<Value, String> {
    let seeds: BTreeSet<u64> = parts.iter().filter_map(|part| part["seed"].as_u64()).collect();
    if seeds.len() != 1 {
        return Err(format!("these are parts of different campaigns, with the seeds {seeds:?}"));
    }
    let shards: BTreeSet<&str> = parts.iter().map(|part| text(&part["shard"])).collect();
    if shards.len() < parts.len() {
        return Err("a part of the campaign is given twice".to_owned());
    }
    let sum = |key: &str| parts.iter().filter_map(|part| part[key].as_u64()).sum::<u64>();
    let most = |key: &str| parts.iter().filter_map(|part| part[key].as_u64()).max().unwrap_or_default();
    let seconds = parts.iter().filter_map(|part| part["seconds"].as_f64()).fold(0.0, f64::max);
    let reached: BTreeSet<String> = parts.iter().flat_map(|part| names(&part["reached"])).collect();
    let missing: BTreeSet<String> = parts.iter().flat_map(|part| names(&part["not_reached"])).collect();
    Ok(json!({
        "format": 1,
        "seed": seeds.first(),
        "parts": parts.len(),
        "stories": sum("stories"),
        "seconds": seconds,
        "met_nothing": sum("met_nothing"),
        "cut": sum("cut"),
        "events": sum("events"),
        "states": most("states"),
        "reached": reached,
        "not_reached": missing.difference(&reached).collect::<Vec<_>>(),
        "findings": findings(parts),
    }))
}

/// Returns the findings of all parts: one of each kind, of the earliest story, with the number of stories of all parts.
fn findings(parts: &[Value]) -> Vec<Value> {
    let mut kinds: BTreeMap<String, Value> = BTreeMap::new();
    for finding in parts.iter().filter_map(|part| part["findings"].as_array()).flatten() {
        // The file is named after the kind.
        let file = Path::new(text(&finding["file"]));
        let kind = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let count = |one: &Value| one["stories"].as_u64().unwrap_or(1);
        match kinds.get_mut(&kind) {
            None => drop(kinds.insert(kind, finding.clone())),
            Some(known) => {
                let stories = count(known) + count(finding);
                if finding["first_story"].as_u64() < known["first_story"].as_u64() {
                    *known = finding.clone();
                }
                known["stories"] = stories.into();
            }
        }
    }
    kinds.into_values().collect()
}

fn names(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(shard: &str, first_story: u64, reached: &[&str], not_reached: &[&str]) -> Value {
        json!({
            "format": 1, "seed": 7, "shard": shard, "stories": 10, "seconds": 1.5, "met_nothing": 2, "events": 100,
            "states": 40, "reached": reached, "not_reached": not_reached,
            "findings": [{ "invariant": "topic_order", "stories": 2, "first_story": first_story, "file": "found/topic_order-1.yaml" }],
        })
    }

    #[test]
    fn parts_become_one_campaign() {
        let parts = [part("1/2", 8, &["a"], &["b", "c"]), part("2/2", 5, &["b"], &["a", "c"])];
        let all = merged(&parts).unwrap();
        assert_eq!((&all["stories"], &all["parts"], &all["states"]), (&json!(20), &json!(2), &json!(40)));
        assert_eq!((&all["reached"], &all["not_reached"]), (&json!(["a", "b"]), &json!(["c"])));
        assert_eq!((&all["findings"][0]["stories"], &all["findings"][0]["first_story"]), (&json!(4), &json!(5)));
    }

    #[test]
    fn what_is_no_part_of_one_campaign_is_refused() {
        let other = json!({ "format": 1, "seed": 8, "shard": "2/2", "findings": [] });
        assert!(merged(&[part("1/2", 8, &[], &[]), other]).unwrap_err().contains("different campaigns"));
        assert!(merged(&[part("1/2", 8, &[], &[]), part("1/2", 8, &[], &[])]).unwrap_err().contains("twice"));
    }
}
