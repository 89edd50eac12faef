//! Verdicts for people: the terminal.
