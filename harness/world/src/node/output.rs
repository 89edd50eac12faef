//! Reads what a program prints, line by line.

use std::collections::VecDeque;

/// Number of last lines that are shown of a program that failed.
const LAST_LINES: usize = 10;
/// Longest line that is read: a message of an adapter, in hex.
const LINE: usize = 64 * 1024 * 1024;
/// Maximum number of characters of a line that are shown.
const SHOWN: usize = 300;

/// Returns the beginning of a line, for a message.
pub(super) fn shortened(line: &str) -> String {
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// The output of a program.
#[derive(Default)]
pub(super) struct ProgramOutput {
    /// The beginning of a line.
    line: Vec<u8>,
    last: VecDeque<String>,
}

impl ProgramOutput {
    /// Takes what the program has printed, and returns the lines that are whole with it.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for byte in bytes {
            if *byte == b'\n' {
                let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
                if self.last.len() == LAST_LINES {
                    self.last.pop_front();
                }
                self.last.push_back(shortened(&line));
                lines.push(line);
            } else if self.line.len() < LINE {
                self.line.push(*byte);
            }
        }
        lines
    }

    /// Returns the last lines as the end of a message; nothing if there were none.
    pub(super) fn last_lines(&self) -> String {
        let lines: Vec<&str> = self.last.iter().map(String::as_str).collect();
        if lines.is_empty() { String::new() } else { format!("; its last lines:\n  {}", lines.join("\n  ")) }
    }
}
