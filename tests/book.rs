//! What the book in `docs/` shows is what one gets.
//!
//! Every `yaml` block of a page is a whole scenario file, whose first line names it (`# first.yaml · What it is about.`).
//! It must pass, unless its fence says otherwise: `yaml,fails`, `yaml,vacuous`, `yaml,error` (bad input), or
//! `yaml,fragment` (a part that other files include). Every `console` block is run where those files are, and must print
//! what it shows. With `INSTA_UPDATE=always` the pages take over what is printed.

use std::fmt::Write as _;
use std::fs;
use std::iter::repeat;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rstest::rstest;

#[rstest]
fn page_of_the_book_shows_what_one_gets(
    #[files("../docs/**/*.md")]
    #[dirs]
    #[base_dir = "../../docs"]
    page: PathBuf,
) {
    if page.is_dir() {
        return;
    }
    let text = read(&page);
    let folder = Folder::of(&page);
    let seen = replay(&text, &folder);
    #[expect(clippy::disallowed_methods, reason = "decides whether the page is rewritten, not what it should show")]
    let is_taken_over = std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always");
    if seen != text && is_taken_over {
        fs::write(&page, &seen).expect("the page can be written");
    } else if let Some((line, is, shown)) = first_difference(&seen, &text) {
        panic!("{}:{line} shows\n  {shown}\nbut what one gets is\n  {is}", page.display());
    }
}

#[test]
fn every_page_is_in_the_summary_and_every_link_leads_somewhere() {
    let docs = root().join("docs");
    let summary = read(docs.join("SUMMARY.md"));
    for page in pages(&docs) {
        let name = page.strip_prefix(&docs).expect("a page of the book").display().to_string();
        assert!(name == "SUMMARY.md" || summary.contains(&format!("({name})")), "{name} is not in SUMMARY.md");
        for target in links(&read(&page)) {
            let path = page.parent().expect("a page is in a folder").join(target.split('#').next().unwrap_or_default());
            assert!(path.exists(), "{name} links to {target}, which is not there");
        }
    }
}

/// The number of the first line that differs, and the line in both.
fn first_difference(seen: &str, text: &str) -> Option<(usize, String, String)> {
    let both = (1..=seen.lines().count().max(text.lines().count())).zip(seen.lines().chain(repeat("")));
    let mut both = both.zip(text.lines().chain(repeat("")));
    both.find(|((_, is), shown)| is != shown).map(|((line, is), shown)| (line, is.to_owned(), shown.to_owned()))
}

/// The page as it would be if it showed what its commands print. Panics if a scenario has another verdict than it says.
fn replay(text: &str, folder: &Folder) -> String {
    let mut seen = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        writeln!(seen, "{line}").expect("a string can be written");
        let Some(info) = line.strip_prefix("```").filter(|info| !info.is_empty()) else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if info == "console" {
            seen += &folder.console(&block);
        } else {
            let block = block.join("\n") + "\n";
            seen += &block;
            if let Some(expected) = info.strip_prefix("yaml") {
                folder.scenario(&block, expected.trim_start_matches(','));
            }
        }
        seen += "```\n";
    }
    seen
}

/// Where the files of a page are, and its commands run.
struct Folder(PathBuf);

impl Folder {
    fn of(page: &Path) -> Self {
        let name = page.strip_prefix(root().join("docs").canonicalize().expect("docs/ is there"));
        let name = name.unwrap_or(page).display().to_string().replace(['/', '.'], "_");
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("book").join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the target folder can be written");
        Self(path)
    }

    fn halfopen<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_halfopen"));
        command.args(arguments).current_dir(&self.0).output().expect("the binary was built with this test")
    }

    fn scenario(&self, block: &str, expected: &str) {
        let first = block.lines().next().unwrap_or_default();
        let name = first.strip_prefix("# ").and_then(|rest| rest.split_whitespace().next());
        let name = name.filter(|name| name.ends_with(".yaml"));
        let name = name.unwrap_or_else(|| panic!("no file name in the first line of a scenario: {first}"));
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("the target folder can be written");
        fs::write(&path, block).expect("the target folder can be written");
        if expected == "fragment" {
            return;
        }
        let output = self.halfopen(&["run", name]);
        let printed = shown(&output);
        let right = match expected {
            "" => output.status.code() == Some(0),
            "fails" => output.status.code() == Some(1) && printed.contains("FAIL"),
            "vacuous" => printed.contains("VACUOUS") && !printed.contains("FAIL"),
            "error" => output.status.code() == Some(2),
            other => panic!("unknown word on the fence of {name}: {other}"),
        };
        assert!(right, "{name} should be `{expected}` (nothing: pass), but: {printed}");
    }

    /// The block again, with what its commands print now.
    fn console(&self, block: &[&str]) -> String {
        let mut seen = String::new();
        for command in block.iter().filter(|line| line.starts_with("$ ")) {
            let mut words = command.split_whitespace().skip(1);
            assert_eq!(words.next(), Some("halfopen"), "a console block may only call halfopen: {command}");
            let arguments: Vec<&str> = words.collect();
            writeln!(seen, "{command}").expect("a string can be written");
            seen += &shown(&self.halfopen(&arguments));
        }
        seen
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a command printed, without what is measured in wall time.
fn shown(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let mut shown = String::new();
    for line in text.lines() {
        let line = line.split_once(" of virtual time in ").map_or(line, |(before, _)| before);
        writeln!(shown, "{}", line.trim_end()).expect("a string can be written");
    }
    shown
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The targets of the links of a page to other files of the project.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.starts_with('#')).map(str::to_owned).collect()
}
