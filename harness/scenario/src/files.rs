//! Finding scenario files and reading them, with guards against what is none.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::{Error, Errors};

/// The largest file that is read. A scenario of a thousand lines has about 100 KiB.
const MAX_SIZE: u64 = 1024 * 1024;

/// Maximum depth to which folders are searched.
const MAX_FOLDERS: usize = 32;

/// A scenario file that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct File {
    /// The path as the user gave it, or as it was found below that.
    pub path: PathBuf,
    /// The scenario's name: the path below the folder given, or below a folder named `scenarios`, without its ending.
    pub name: String,
}

/// The scenario files that the paths stand for: files as they are, folders with all `*.yaml` and `*.yml` below them
/// in the order of their names. A folder named `lib` holds fragments and is skipped, hidden ones are, too. A file that
/// is named twice is found once.
///
/// # Errors
/// For each path that does not exist or cannot be read, and for each folder without a scenario.
pub fn find<P: AsRef<Path>>(paths: &[P]) -> Result<Vec<File>, Errors> {
    let mut found: Vec<File> = Vec::new();
    let mut errors = Vec::new();
    for path in paths {
        match find_one(path.as_ref()) {
            Ok(files) => {
                for file in files {
                    if !found.iter().any(|other| other.path == file.path) {
                        found.push(file);
                    }
                }
            }
            Err(error) => errors.push(Errors::from(error)),
        }
    }
    Errors::collect(errors).map_or(Ok(found), Err)
}

fn find_one(path: &Path) -> Result<Vec<File>, Error> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !metadata.is_dir() {
        return Ok(vec![File { path: path.to_owned(), name: name_of(path) }]);
    }
    let mut paths = Vec::new();
    walk(path, 0, &mut paths)?;
    if paths.is_empty() {
        return Err(Error::of_file(&shown(path), "no scenario in this folder: no file ends with .yaml or .yml"));
    }
    Ok(paths.into_iter().map(|file| File { name: name_below(path, &file), path: file }).collect())
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    if depth > MAX_FOLDERS {
        return Err(Error::of_file(&shown(folder), format!("more than {MAX_FOLDERS} folders deep")));
    }
    let entries = fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(|error| unreadable(folder, &error))?.path());
    }
    paths.sort();
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            if name != "lib" {
                walk(&path, depth + 1, found)?;
            }
        } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
            found.push(path);
        }
    }
    Ok(())
}

/// The name of a scenario that was given as a file.
pub(super) fn name_of(path: &Path) -> String {
    below_scenarios(path).unwrap_or_else(|| joined(Path::new(path.file_name().unwrap_or(path.as_os_str()))))
}

fn name_below(folder: &Path, file: &Path) -> String {
    below_scenarios(file).unwrap_or_else(|| joined(file.strip_prefix(folder).unwrap_or(file)))
}

fn below_scenarios(path: &Path) -> Option<String> {
    let parts: Vec<_> = path.components().collect();
    let folders = &parts[..parts.len().saturating_sub(1)];
    let index = folders.iter().rposition(|part| part.as_os_str() == "scenarios")?;
    Some(joined(&parts[index + 1..].iter().collect::<PathBuf>()))
}

/// Returns the path with `/` on every system, and without its ending.
fn joined(path: &Path) -> String {
    let path = path.with_extension("");
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

/// The text of a scenario file.
pub(super) fn read(path: &Path) -> Result<String, Error> {
    let fail = |message: String| Error::of_file(&shown(path), message);
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if metadata.is_dir() {
        return Err(fail("this is a folder; a scenario is a file".to_owned()));
    }
    if metadata.len() > MAX_SIZE {
        let size = metadata.len();
        return Err(fail(format!("{size} bytes; a scenario has at most {MAX_SIZE}")));
    }
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    decode(bytes).map_err(fail)
}

/// The text behind the bytes of a file, which grew or is a device if it is larger than it was said to be.
fn decode(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.len() as u64 > MAX_SIZE {
        return Err(format!("more than {MAX_SIZE} bytes, the most that a scenario has"));
    }
    if let Some(index) = bytes.iter().position(|byte| *byte == 0) {
        let line = line_of(&bytes, index);
        return Err(format!("line {line} has a NUL byte; this is no text file"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let index = error.utf8_error().valid_up_to();
        let bytes = error.into_bytes();
        let line = line_of(&bytes, index);
        let byte = bytes.get(index).copied().unwrap_or_default();
        format!("line {line} has the byte 0x{byte:02X}, which is no UTF-8")
    })?;
    Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
}

fn line_of(bytes: &[u8], index: usize) -> usize {
    bytes[..index].iter().filter(|byte| **byte == b'\n').count() + 1
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let message = match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        std::io::ErrorKind::PermissionDenied => "no permission to read this".to_owned(),
        _ => format!("cannot be read: {error}"),
    };
    Error::of_file(&shown(path), message)
}

pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("scenarios/keep_alive/silent.yaml", "keep_alive/silent")]
    #[case("/x/scenarios/a/b.yml", "a/b")]
    #[case("some/where/silent.yaml", "silent")]
    fn a_file_is_named_by_its_path_below_scenarios(#[case] path: &str, #[case] name: &str) {
        assert_eq!(name_of(Path::new(path)), name);
    }

    #[test]
    fn a_file_of_a_folder_is_named_by_its_path_below_the_folder() {
        assert_eq!(name_below(Path::new("a/b"), Path::new("a/b/c/d.yaml")), "c/d");
    }

    #[rstest]
    #[case(b"a: 1\n\x00".as_slice(), "line 2 has a NUL byte; this is no text file")]
    #[case(b"a\n\nb\xff".as_slice(), "line 3 has the byte 0xFF, which is no UTF-8")]
    fn bytes_that_are_no_text_are_refused_with_their_line(#[case] bytes: &[u8], #[case] message: &str) {
        assert_eq!(decode(bytes.to_vec()).unwrap_err(), message);
    }

    #[test]
    fn a_byte_order_mark_is_no_text() {
        assert_eq!(decode("\u{feff}a: 1".as_bytes().to_vec()).unwrap(), "a: 1");
    }
}
