//! What people and editors do to a file by mistake: whatever comes of it, reading ends, with plans or with errors.

use std::fs;

use proptest::prelude::*;
use proptest::sample::Index;

use super::{here, scenarios};
use crate::plan::Source;
use crate::{PlanOptions, find, parse};

/// One slip.
#[derive(Clone, Debug)]
enum Slip {
    CutLine(Index),
    CutRest(Index),
    RepeatLine(Index),
    SwapLines(Index, Index),
    Replace(Index, char),
    Remove(Index),
    Insert(Index, &'static str),
    Indent(Index, usize),
    Windows,
}

/// What gets into a file by mistake.
const PIECES: [&str; 18] =
    ["\t", "  ", ":", ": ", "- ", "[", "]", "{", "}", "'", "\"", "#", "<", ">", "&a ", "*a", "---\n", "\u{feff}"];

fn slip() -> impl Strategy<Value = Slip> {
    let place = any::<Index>;
    prop_oneof![
        place().prop_map(Slip::CutLine),
        place().prop_map(Slip::CutRest),
        place().prop_map(Slip::RepeatLine),
        (place(), place()).prop_map(|(a, b)| Slip::SwapLines(a, b)),
        (place(), any::<char>()).prop_map(|(at, c)| Slip::Replace(at, c)),
        place().prop_map(Slip::Remove),
        (place(), prop::sample::select(&PIECES[..])).prop_map(|(at, piece)| Slip::Insert(at, piece)),
        (place(), 0_usize..9).prop_map(|(at, width)| Slip::Indent(at, width)),
        Just(Slip::Windows),
    ]
}

fn with(text: &str, slip: &Slip) -> String {
    if text.is_empty() {
        return String::new();
    }
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut characters: Vec<char> = text.chars().collect();
    let line = |at: &Index| at.index(text.lines().count().max(1));
    let character = |at: &Index| at.index(text.chars().count());
    match slip {
        Slip::CutLine(at) => drop(lines.remove(line(at))),
        Slip::RepeatLine(at) => lines.insert(line(at), lines[line(at)].clone()),
        Slip::SwapLines(a, b) => lines.swap(line(a), line(b)),
        Slip::Indent(at, width) => {
            let at = line(at);
            lines[at] = format!("{}{}", " ".repeat(*width), lines[at].trim_start());
        }
        Slip::Windows => return text.replace('\n', "\r\n"),
        Slip::CutRest(at) => return characters[..character(at)].iter().collect(),
        Slip::Replace(at, c) => {
            characters[character(at)] = *c;
            return characters.into_iter().collect();
        }
        Slip::Remove(at) => {
            characters.remove(character(at));
            return characters.into_iter().collect();
        }
        Slip::Insert(at, piece) => {
            let at = character(at);
            let (before, after) = (characters[..at].iter(), characters[at..].iter());
            return before.copied().chain(piece.chars()).chain(after.copied()).collect();
        }
    }
    lines.join("\n") + "\n"
}

/// The smaller of the project's own files: large ones would say the same slower.
fn files() -> Vec<(String, String)> {
    let found = find(&[here("good"), scenarios()]).unwrap();
    let read = |file: crate::File| (file.path.display().to_string(), fs::read_to_string(&file.path).unwrap());
    found.into_iter().map(read).filter(|(_, text)| text.len() < 1500 && !text.contains("count:")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_file_with_slips_ends_with_plans_or_errors(file in any::<Index>(), slips in prop::collection::vec(slip(), 1..4)) {
        let files = files();
        let (path, text) = file.get(&files);
        let text = slips.iter().fold(text.clone(), |text, slip| with(&text, slip));
        let source = Source { path: path.clone(), text, ..Source::default() };
        match parse("mutated".into(), source).and_then(|scenario| scenario.plans(PlanOptions::default())) {
            Ok(plans) => prop_assert!(!plans.is_empty()),
            Err(errors) => {
                prop_assert!(errors.len() > 0);
                prop_assert!(errors.iter().all(|error| !error.message.is_empty()));
                prop_assert!(!errors.to_string().is_empty());
            }
        }
    }
}
