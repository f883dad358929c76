//! The rules of the house, as functions from the tracked files to a list of breaches.
//!
//! A rule that lives in a document is forgotten; one that lives in a test is met by whoever breaks
//! it, on the change that breaks it. `tests/house.rs` runs each rule over this repository, and the
//! tests below each rule prove on a few made-up lines that it fires: a rule that never fires is
//! decoration.
//!
//! Rules look at text, not at syntax trees: a pass over the whole tree has to cost less than a
//! second, and what is worth forbidding here can be seen in the text once comments and literals
//! are blanked out ([`source::code`]).

pub mod clippy_config;
pub mod layers;
pub mod links;
pub mod prose;
pub mod shape;
pub mod source;
pub mod tree;
pub mod workflows;

use std::fmt;

/// One place that breaks a rule, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Path from the root of the repository.
    pub path: String,
    /// Line, from 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// What is wrong and what to do instead.
    pub advice: String,
}

impl Breach {
    /// A breach in line `line` of `path`.
    #[must_use]
    pub fn new(path: &str, line: usize, advice: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, advice: advice.into() }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.advice)
    }
}

/// Stops a test with the whole list, so that one run shows everything there is to mend.
///
/// # Panics
///
/// If there is any breach.
pub fn expect_none(rule: &str, breaches: &[Breach]) {
    let list: String = breaches.iter().map(|breach| format!("\n  {breach}")).collect();
    assert!(breaches.is_empty(), "{rule}: {} to mend{list}", breaches.len());
}
