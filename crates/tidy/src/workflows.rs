//! Continuous integration runs what a person can run: workflows call make targets, nothing else.
//!
//! A step that only the hosted machine knows cannot be tried before the push, and drifts from what
//! the README says.

use crate::Breach;
use crate::tree::File;

/// The targets a Makefile defines, from its text.
#[must_use]
pub fn make_targets(makefile: &str) -> Vec<String> {
    let mut targets = Vec::new();
    for line in makefile.lines().filter(|line| !line.starts_with(['\t', ' ', '#', '.'])) {
        if let Some((names, rest)) = line.split_once(':')
            && !rest.starts_with('=')
            && !names.contains('=')
        {
            targets.extend(names.split_whitespace().map(str::to_owned));
        }
    }
    targets
}

/// Every `run:` of a workflow is one `make` with targets that exist.
#[must_use]
pub fn call_make_only(files: &[File], targets: &[String]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let workflow = |file: &&File| file.path.starts_with(".github/workflows/");
    for file in files.iter().filter(workflow) {
        for (at, line) in file.text.lines().enumerate() {
            let step = line.trim_start().trim_start_matches("- ");
            let Some(command) = step.strip_prefix("run:") else { continue };
            let mut words = command.split_whitespace();
            let is_make = words.next() == Some("make");
            let mut goals = words.filter(|word| !word.contains('=')).peekable();
            let known =
                goals.peek().is_some() && goals.all(|goal| targets.iter().any(|t| t == goal));
            if !is_make || !known {
                let advice =
                    format!("call a target of the Makefile instead of `{}`", command.trim());
                breaches.push(Breach::new(&file.path, at + 1, advice));
            }
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_and_variables_are_not() {
        let makefile = "PORT := 1\nX ?= a:b\n.PHONY: a b\nrun: build\n\tcargo x: y\nlint fmt:\n";
        assert_eq!(make_targets(makefile), ["run", "lint", "fmt"]);
    }

    #[test]
    fn a_step_that_is_no_make_target_is_found() {
        let text = "steps:\n  - run: make test\n  - run: cargo test\n  - name: x\n    run: make gone\n    run: make FOO=1 test\n  - run: |\n";
        let files = [File::new(".github/workflows/ci.yml", text)];
        let breaches = call_make_only(&files, &["test".to_owned()]);
        let lines: Vec<usize> = breaches.iter().map(|breach| breach.line).collect();
        assert_eq!(lines, [3, 5, 7]);
    }
}
