//! What others make of our reports: Chromium of the page, tshark of the captures.

#![expect(clippy::unwrap_used, reason = "all of this is a test")]

#[path = "reports/captures.rs"]
mod captures;
#[path = "interop/trials.rs"]
mod trials;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Arguments;
use serde_json::Value;

use self::trials::{Presence, presence, trial};

/// Each page as a name, the scenarios on it, and what of them.
const PAGES: [(&str, &[&str], &[&str]); 4] = [
    ("a_few_runs", &["scenarios/will/power_loss.yaml"], &["--mqtt", "5.0"]),
    ("many_runs", &["scenarios"], &["--shard", "1/2"]),
    ("a_broken_broker", &["scenarios/will/power_loss.yaml"], &["--defect", "broker:keep_alive_twice"]),
    ("twenty_seven_hours", &["scenarios/will/power_loss.yaml"], &["--only", "keep_alive=65535s"]),
];

fn main() {
    let arguments = Arguments::from_args();
    let chromium = browser().map(drop);
    let tshark = presence("tshark", Command::new("tshark").arg("--version"), &[0]);
    let mut trials = Vec::new();
    let prove = presence("prove", Command::new("prove").arg("--version"), &[0]);
    trials.push(trial("tap_is_read_by_a_reader_of_others".to_owned(), &prove, || async { read_tap() }));
    for (name, paths, more) in PAGES {
        trials.push(trial(format!("page_with_{name}_can_be_used"), &chromium, move || async move {
            use_page(name, paths, more);
        }));
    }
    trials.push(trial("captures_of_all_scenarios_are_read_as_they_were_sent".to_owned(), &tshark, || async {
        captures::read_all(&["scenarios"]);
    }));
    trials.push(trial("captures_name_what_is_malformed".to_owned(), &tshark, || async { captures::find_malformed() }));
    libtest_mimic::run(&arguments, trials).exit();
}

fn browser() -> Result<&'static str, String> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let is_there = |name: &&&str| -> bool { check(name).is_ok() };
    names.iter().find(is_there).copied().ok_or_else(|| "chromium not found".to_owned())
}

fn check(name: &str) -> Presence {
    presence(name, Command::new(name).arg("--version"), &[0])
}

/// An empty folder for one test.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reports").join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("the target folder can be written");
    path
}

fn halfopen(arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_halfopen"))
        .args(["run", "--no-artifacts", "--quiet"])
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .output()
        .expect("the binary was built with this test");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn use_page(name: &str, paths: &[&str], more: &[&str]) {
    let folder = folder(name);
    let page = folder.join("page.html");
    let written = page.to_string_lossy().into_owned();
    halfopen(&[paths, more, &["--html", &written]].concat());
    let text = fs::read_to_string(&page).expect("the page was written");
    let errors =
        "<script>window.errors = []; window.addEventListener('error', (e) => window.errors.push(e.message));</script>";
    let driver = format!("<script>{}</script></body>", include_str!("reports/drive.js"));
    let text = text.replacen("<script type", &format!("{errors}<script type"), 1).replacen("</body>", &driver, 1);
    fs::write(&page, text).expect("the target folder can be written");

    let output = Command::new(browser().expect("the trial runs only where it is"))
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1600,1000"])
        .args(["--virtual-time-budget=20000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("Chromium starts");
    let document = String::from_utf8_lossy(&output.stdout);
    let seen = document.split_once("<pre id=\"seen\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let (seen, _) = seen.unwrap_or_else(|| panic!("the page never came to its end; {} bytes", document.len()));
    let seen: Value =
        serde_json::from_str(&seen.replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&")).unwrap();
    let is = |key: &str| &seen[key];
    let says = |key: &str, word: &str| {
        assert!(is(key).as_str().is_some_and(|text| text.contains(word)), "{key} should have `{word}`: {seen}");
    };

    assert!(seen["error"].is_null() && seen["errors"] == Value::Array(Vec::new()), "{seen}");
    let runs = is("runs").as_u64().unwrap();
    let least = if name == "many_runs" { 500 } else { 2 };
    assert!(runs >= least, "{runs} runs");
    assert_eq!(is("none"), 0, "a filter that nothing fits");
    assert!(is("newer").as_u64().is_some_and(|newer| newer > 0 && (newer < runs || name == "a_few_runs")), "{seen}");
    assert!(is("arrows").as_u64().is_some_and(|arrows| arrows > 5), "{seen}");
    assert!(is("yaml").as_u64().is_some_and(|lines| lines > 3), "{seen}");
    assert_eq!((is("stretched"), is("asItWas"), is("wide")), (&true.into(), &true.into(), &false.into()), "{seen}");
    assert_eq!((is("filter").as_str(), is("list")), (Some("text"), &serde_json::json!([true, true])), "{seen}");
    assert_eq!((is("away"), is("moved"), is("cameBack")), (&true.into(), &true.into(), &true.into()), "{seen}");
    // Where it should have been, and how far that is, is there only if something is wrong.
    let is_broken = name == "a_broken_broker";
    assert_eq!(is("ghosts").as_u64().is_some_and(|ghosts| ghosts > 0), is_broken, "{seen}");
    assert_eq!(is("distance").as_str().is_some_and(|text| text.contains("0.500 s late")), is_broken, "{seen}");
    assert_eq!(is("cut"), &Value::Array(Vec::new()), "no text sticks out");
    says("fields", "CONNACK");
    says("cause", "CONNECT");
    says("causeOfCause", "CONNECT");
    assert!(!is("line").as_str().unwrap_or_default().is_empty(), "a step leads to its line: {seen}");
    says("back", "runs");
}

fn read_tap() {
    let file = folder("tap").join("r.tap");
    let written = file.to_string_lossy().into_owned();
    let arguments = ["scenarios/will/power_loss.yaml", "scenarios/will/clean_disconnect.yaml"];
    halfopen(&[&arguments[..], &["--defect", "broker:will_lost", "--tap", &written]].concat());
    let output =
        Command::new("prove").args(["--exec", "cat", &written]).output().expect("the trial runs only where it is");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = fs::read_to_string(&file).unwrap().lines().filter(|line| line.starts_with("not ok")).count();
    assert!(said.contains(&format!("Failed: {wrong})")) && wrong > 0, "{said}");
    assert!(!said.contains("Parse errors") && said.contains(" 1-12\n"), "{said}");
}
