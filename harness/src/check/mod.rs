//! Judges a trace against what its plan expects: pure functions, three-valued verdicts.
