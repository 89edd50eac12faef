//! The CI templates do what they say: each of their commands is run as CI would run it, in a project of its own.
//!
//! What belongs to the CI system is played here: checking out, building (there is a program already), and carrying
//! artifacts from job to job.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "all of this is a test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rstest::rstest;
use serde_yaml::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_halfopen");

/// Closed 500 ms after this expects it.
const FAILING: &str = "
mqtt: 5.0
clients:
  sensor: { keep_alive: 5s }
steps:
  - sensor: stop_pinging
expect:
  - broker: { closes: sensor, because: keep_alive, at: 1.4 * <sensor.keep_alive> after last packet from sensor }
";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn template(name: &str) -> Value {
    let text = fs::read_to_string(root().join("templates").join(name)).unwrap();
    serde_yaml::from_str(&text).unwrap()
}

/// Somebody's project, with scenarios of its own.
struct Project(PathBuf);

impl Project {
    fn new(name: &str, fails: bool) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("templates").join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("scenarios/will")).unwrap();
        fs::create_dir_all(path.join("scenarios/lib")).unwrap();
        fs::create_dir_all(path.join("bin")).unwrap();
        fs::copy(root().join("scenarios/will/power_loss.yaml"), path.join("scenarios/will/power_loss.yaml")).unwrap();
        if fails {
            fs::write(path.join("scenarios/late.yaml"), FAILING).unwrap();
        }
        // In the place of a build that takes minutes.
        let build = "#!/bin/sh\nset -e\n\
            test \"$*\" = 'build --release --locked --manifest-path halfopen-source/Cargo.toml -p halfopen'\n\
            mkdir -p halfopen-source/target/release\n";
        let build = format!("{build}cp '{PROGRAM}' halfopen-source/target/release/halfopen\n");
        fs::write(path.join("bin/cargo"), build).unwrap();
        fs::set_permissions(path.join("bin/cargo"), fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink(PROGRAM, path.join("bin/halfopen")).unwrap();
        Self(path)
    }

    /// Runs a script in a folder of the project as a CI system does.
    fn run(&self, folder: &Path, script: &str, variables: &[(&str, &str)]) -> Output {
        let script = format!("PATH='{}':\"$PATH\"\n{script}", self.0.join("bin").display());
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &script]);
        command.envs(variables.iter().copied()).current_dir(folder).output().unwrap()
    }

    /// A fresh checkout for a job.
    fn checkout(&self, job: &str) -> PathBuf {
        let folder = self.0.join(job);
        fs::create_dir_all(&folder).unwrap();
        copy(&self.0.join("scenarios"), &folder.join("scenarios"));
        folder
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
}

/// The files in a folder that a pattern with at most one star stands for.
fn fitting(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return Some(PathBuf::from(pattern)).filter(|path| folder.join(path).exists()).into_iter().collect();
    };
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let mut found: Vec<PathBuf> =
        names.filter(|name| name.starts_with(before) && name.ends_with(after)).map(PathBuf::from).collect();
    found.sort();
    found
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// How many test cases, and how many failures.
fn junit(path: &Path) -> (usize, usize) {
    let text = fs::read_to_string(path).unwrap();
    (text.matches("<testcase ").count(), text.matches("<failure ").count())
}

/// Carries out the steps of a job of GitHub's; the exit code of the first that fails, or 0. `artifacts` is where what a
/// job uploads is kept.
fn github_job(project: &Project, job: &Value, folder: &Path, part: Option<&str>, artifacts: &Path) -> i32 {
    let filled = |text: &str| match part {
        Some(part) => text.replace("${{ matrix.part }}", part),
        None => text.to_owned(),
    };
    let mut failed = 0;
    for step in job["steps"].as_sequence().unwrap() {
        let is_always = step.get("if").is_some_and(|when| text(when).starts_with("always()"));
        if failed != 0 && !is_always
            || step.get("if").is_some_and(|when| text(when).ends_with("== 1")) && part != Some("1")
        {
            continue;
        }
        if let Some(script) = step.get("run") {
            let output = project.run(folder, &filled(text(script)), &[]);
            failed = code(&output);
            assert!(failed <= 1, "{}", said(&output));
            continue;
        }
        let action = text(&step["uses"]).split('@').next().unwrap();
        let with = |key: &str| filled(text(&step["with"][key]));
        match action {
            "actions/checkout" | "actions/cache" => {}
            "actions/upload-artifact" => upload(folder, &with("path"), &artifacts.join(with("name"))),
            "actions/download-artifact" => {
                assert_eq!(step["with"]["merge-multiple"], Value::Bool(true), "all into one folder");
                for entry in fs::read_dir(artifacts).unwrap() {
                    copy(&entry.unwrap().path(), &folder.join(with("path")));
                }
            }
            other => panic!("what does `{other}` do?"),
        }
    }
    failed
}

/// Of one path its file is kept, of several what they have in common is left out.
fn upload(folder: &Path, paths: &str, to: &Path) {
    let paths: Vec<&str> = paths.lines().collect();
    let found: Vec<PathBuf> = paths.iter().flat_map(|pattern| fitting(folder, pattern)).collect();
    assert!(!found.is_empty(), "there is nothing to upload: {paths:?}");
    for path in found {
        assert!(!path.starts_with("."), "hidden files are not uploaded: {}", path.display());
        let name = if paths.len() == 1 { Path::new(path.file_name().unwrap()) } else { path.as_path() };
        copy(&folder.join(&path), &to.join(name));
    }
}

#[rstest]
#[case::all_is_well("github_good", false)]
#[case::something_is_wrong("github_bad", true)]
fn the_workflow_of_github_does_what_it_says(#[case] name: &str, #[case] fails: bool) {
    let project = Project::new(name, fails);
    let workflow = template("github-actions.yml");
    let artifacts = project.0.join("artifacts");
    let job = &workflow["jobs"]["part"];
    let parts = job["strategy"]["matrix"]["part"].as_sequence().unwrap();
    let mut codes = Vec::new();
    for part in parts {
        let part = part.as_u64().unwrap().to_string();
        let folder = project.checkout(&format!("part-{part}"));
        codes.push(github_job(&project, job, &folder, Some(&part), &artifacts));
        assert!(artifacts.join(format!("part-{part}/part-{part}.json")).is_file(), "part {part} keeps its report");
    }
    assert_eq!(codes.iter().filter(|code| **code == 1).count(), usize::from(fails), "{codes:?}");
    let left = |part: usize| artifacts.join(format!("part-{part}/target/halfopen/late_5.0/report.html")).is_file();
    assert_eq!((1..=parts.len()).any(left), fails, "what a failing run left is kept");

    let folder = project.checkout("report");
    let code = github_job(&project, &workflow["jobs"]["report"], &folder, None, &artifacts);
    assert_eq!(code, i32::from(fails));
    assert_reports(&artifacts.join("halfopen-report"), fails);
}

fn assert_reports(folder: &Path, fails: bool) {
    assert_eq!(junit(&folder.join("halfopen.xml")), (12 + usize::from(fails), usize::from(fails)));
    let page = fs::read_to_string(folder.join("halfopen.html")).unwrap();
    assert!(page.contains("will/power_loss[3.1.1 keep_alive=65535s]"), "the page has the runs of all parts");
}

#[rstest]
#[case::all_is_well("gitlab_good", false)]
#[case::something_is_wrong("gitlab_bad", true)]
fn the_jobs_of_gitlab_do_what_they_say(#[case] name: &str, #[case] fails: bool) {
    let project = Project::new(name, fails);
    let jobs = template("gitlab-ci.yml");
    let stages: Vec<&str> = jobs["stages"].as_sequence().unwrap().iter().map(text).collect();
    let (part, report) = (&jobs["halfopen"], &jobs["halfopen-report"]);
    assert_eq!(stages, [text(&part["stage"]), text(&report["stage"])]);
    let total = part["parallel"].as_u64().unwrap();
    let last = project.checkout("report");
    let script = |job: &Value| job["script"].as_sequence().unwrap().iter().map(text).collect::<Vec<_>>().join("\n");
    let patterns = |job: &Value| -> Vec<String> {
        job["artifacts"]["paths"].as_sequence().unwrap().iter().map(|path| text(path).to_owned()).collect()
    };
    let (mut codes, mut cases) = (Vec::new(), 0);
    for index in 1..=total {
        let folder = project.checkout(&format!("part-{index}"));
        let variables = [("CI_NODE_INDEX", index.to_string()), ("CI_NODE_TOTAL", total.to_string())];
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let output = project.run(&folder, &script(part), &variables);
        assert!(code(&output) <= 1, "{}", said(&output));
        codes.push(code(&output));
        for path in patterns(part).iter().flat_map(|pattern| fitting(&folder, pattern)) {
            copy(&folder.join(&path), &last.join(&path));
        }
        let found = fitting(&folder, text(&part["artifacts"]["reports"]["junit"]));
        assert_eq!(found.len(), 1, "one JUnit file for GitLab to show");
        cases += junit(&folder.join(&found[0])).0;
    }
    assert_eq!(codes.iter().filter(|code| **code == 1).count(), usize::from(fails), "{codes:?}");
    assert_eq!(cases, 12 + usize::from(fails), "each run is in one part");
    assert_eq!(last.join("target/halfopen/late_5.0/report.html").is_file(), fails);

    let output = project.run(&last, &script(report), &[]);
    assert_eq!(code(&output), i32::from(fails), "{}", said(&output));
    for pattern in patterns(report) {
        assert_eq!(fitting(&last, &pattern).len(), 1, "`{pattern}` is there to be kept");
    }
    let page = fs::read_to_string(last.join("halfopen.html")).unwrap();
    assert!(page.contains("will/power_loss[3.1.1 keep_alive=65535s]"), "the page has the runs of all parts");
}

#[test]
fn the_hook_reads_the_scenarios_of_a_commit() {
    let project = Project::new("hook", false);
    let config = template("pre-commit-config.yaml");
    let hook = &config["repos"][0]["hooks"][0];
    assert_eq!(text(&hook["language"]), "system", "the program is there");
    let check = |file: &str| project.run(&project.0, &format!("{} {file}", text(&hook["entry"])), &[]);
    let good = check("scenarios/will/power_loss.yaml");
    assert_eq!((code(&good), said(&good).contains("no errors")), (0, true), "{}", said(&good));
    fs::write(project.0.join("scenarios/bad.yaml"), FAILING.replace("keep_alive: 5s", "keepalive: 5s")).unwrap();
    let bad = check("scenarios/bad.yaml");
    assert_eq!((code(&bad), said(&bad).contains("did you mean `keep_alive`")), (2, true), "{}", said(&bad));
    // Which files those are: the patterns are simple enough to be looked at.
    assert_eq!((text(&hook["files"]), text(&hook["exclude"])), (r"^scenarios/.*\.ya?ml$", "/lib/"));
}
