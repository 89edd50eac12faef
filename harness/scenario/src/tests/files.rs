use rstest::rstest;

use super::folder::Folder;
use crate::{PlanOptions, find, load, load_all};

#[test]
fn a_folder_stands_for_its_scenarios_in_order() {
    let folder = Folder::new("in_order");
    folder.write("will/z.yaml", "").write("will/lib/part.yaml", "").write("b.yml", "").write("a.yaml", "");
    folder.write("README.md", "").write(".hidden/c.yaml", "");
    let names: Vec<_> = find(&[folder.path()]).unwrap().into_iter().map(|file| file.name).collect();
    assert_eq!(names, ["a", "b", "will/z"]);
}

#[test]
fn a_file_that_is_named_twice_is_found_once() {
    let folder = Folder::new("twice");
    folder.write("a.yaml", "");
    assert_eq!(find(&[folder.path().to_owned(), folder.path().join("a.yaml")]).unwrap().len(), 1);
}

#[test]
fn all_paths_that_are_wrong_are_reported() {
    let folder = Folder::new("wrong");
    folder.write("empty/README.md", "");
    let errors = find(&[folder.path().join("nowhere"), folder.path().join("empty")]).unwrap_err();
    let messages: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(messages, ["no such file or folder", "no scenario in this folder: no file ends with .yaml or .yml"]);
}

#[rstest]
#[case::too_large("large", "steps: [ { wait: 1s } ] # ".repeat(60_000).into_bytes(), "1560000 bytes; a scenario has at most 1048576")]
#[case::binary("binary", b"\x7fELF\x00\x01".to_vec(), "line 1 has a NUL byte; this is no text file")]
#[case::latin_1("latin", b"about: caf\xe9\n".to_vec(), "line 1 has the byte 0xE9, which is no UTF-8")]
fn what_is_no_scenario_is_refused_unread(#[case] name: &str, #[case] content: Vec<u8>, #[case] message: &str) {
    let folder = Folder::new(name);
    folder.write("a.yaml", content);
    let errors = load(folder.path().join("a.yaml")).unwrap_err();
    assert_eq!(errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>(), [message]);
}

#[test]
fn a_folder_is_no_scenario() {
    let errors = load(Folder::new("folder").path()).unwrap_err();
    assert!(errors.to_string().ends_with("this is a folder; a scenario is a file"));
}

#[test]
fn errors_of_all_files_come_together() {
    let folder = Folder::new("together");
    folder
        .write("a.yaml", "steps: [ { wait: 5 } ]")
        .write("b.yaml", "step: 1\nuntil: 5s\n")
        .write("c.yaml", "steps: [ { wait: 1s } ]");
    let errors = load_all(&[folder.path()], PlanOptions::default()).unwrap_err();
    assert_eq!(
        errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>(),
        ["`5` has no unit; write `5s`", "unknown key `step` in a scenario; did you mean `steps`?",]
    );
}
