//! Rules for all text, code and documents alike: length, and words that belong to one machine.

use crate::Breach;
use crate::tree::File;

/// Longest file. The pleasant ones have 400 to 650 lines; past this one a file is a coordinator
/// that learned everything and wants splitting.
pub const FILE_LINES_MAX: usize = 1_000;

/// Files that may be longer, each with its reason. An entry that is no longer needed is a breach.
pub const LONG_FILES: [(&str, &str); 0] = [];

/// What the length rule counts: text that people write and read.
const WRITTEN: [&str; 10] = ["rs", "md", "toml", "sh", "py", "yml", "yaml", "conf", "lua", ""];

/// Paths that exist on the machine of whoever wrote the line and nowhere else. Written in halves,
/// so that this file does not break its own rule.
const MACHINE_PATHS: [&str; 3] =
    [concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/tmp/", "bash")];

/// No file is longer than a reader's patience.
#[must_use]
pub fn length(files: &[File]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in files.iter().filter(|file| WRITTEN.contains(&file.extension())) {
        let lines = file.text.lines().count();
        let excused = LONG_FILES.iter().any(|(path, _)| *path == file.path);
        if lines > FILE_LINES_MAX && !excused {
            let advice = format!(
                "{lines} lines, at most {FILE_LINES_MAX}: split it by concern; a generated file is entered in LONG_FILES with its reason"
            );
            breaches.push(Breach::new(&file.path, lines, advice));
        }
    }
    let is_long = |path: &str| {
        files.iter().any(|file| file.path == path && file.text.lines().count() > FILE_LINES_MAX)
    };
    for (path, _) in LONG_FILES.iter().filter(|(path, _)| !is_long(path)) {
        breaches.push(Breach::new(path, 0, "not longer than others: remove it from LONG_FILES"));
    }
    breaches
}

/// No line names a path of one person's machine.
#[must_use]
pub fn no_machine_paths(files: &[File]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in files {
        for (at, line) in file.text.lines().enumerate() {
            if let Some(path) = MACHINE_PATHS.iter().find(|path| names_path(line, path)) {
                let advice = format!("`{path}` exists on one machine only; name it from the root");
                breaches.push(Breach::new(&file.path, at + 1, advice));
            }
        }
    }
    breaches
}

/// Whether an absolute path in `line` begins with `path`: nothing of a longer path stands before.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found_and_a_long_lock_file_is_not() {
        let text = "x\n".repeat(FILE_LINES_MAX + 1);
        let breaches = length(&[File::new("docs/a.md", &text), File::new("Cargo.lock", &text)]);
        assert_eq!(breaches.len(), 1);
        assert_eq!(breaches[0].path, "docs/a.md");
        assert!(length(&[File::new("a.rs", &"x\n".repeat(FILE_LINES_MAX))]).is_empty());
    }

    #[test]
    fn a_machine_path_is_found_and_a_folder_of_that_name_is_not() {
        for path in MACHINE_PATHS {
            let bad = File::new("a.sh", &format!("cd '{path}x'\n"));
            let good = File::new("a.sh", &format!("cd target{path}x\n"));
            assert_eq!(no_machine_paths(&[bad]).len(), 1, "{path}");
            assert!(no_machine_paths(&[good]).is_empty(), "{path}");
        }
    }
}
