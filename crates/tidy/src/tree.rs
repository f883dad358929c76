//! The files the rules look at: what git tracks, and what it would track if it were added now.
//!
//! Files that are new and not yet added count too, so that a breach shows before the commit and
//! not after it. Outside a git checkout (a source archive) there is no list of files, and the rules
//! say so instead of passing over nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

/// One text file.
#[derive(Clone, Debug)]
pub struct File {
    /// Path from the root, with `/`.
    pub path: String,
    /// The whole text.
    pub text: String,
}

impl File {
    /// A file that need not exist on disk: what the rules' own tests are made of.
    #[must_use]
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// What stands behind the last dot, or nothing.
    #[must_use]
    pub fn extension(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    /// `crates/NAME` or `cmd/NAME` that this file belongs to.
    #[must_use]
    pub fn package_dir(&self) -> Option<&str> {
        let mut slashes = self.path.match_indices('/').map(|(at, _)| at);
        let (first, second) = (slashes.next()?, slashes.next()?);
        matches!(&self.path[..first], "crates" | "cmd").then(|| &self.path[..second])
    }

    /// Rust that ships: below a package's `src`.
    #[must_use]
    pub fn is_shipped_rust(&self) -> bool {
        let Some(dir) = self.package_dir() else { return false };
        self.extension() == "rs" && self.path[dir.len()..].starts_with("/src/")
    }
}

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tidy lies in crates/");
    crates.parent().expect("crates/ lies in the root").to_owned()
}

/// Every text file of the repository, in order of path. Files that are not UTF-8 are left out.
///
/// # Panics
///
/// If git cannot list the files.
#[must_use]
pub fn read(root: &Path) -> Vec<File> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"])
        .current_dir(root)
        .output()
        .expect("git is needed to list the files; install it (scripts/setup.sh does)");
    assert!(
        listed.status.success(),
        "git cannot list the files, run the tests in a git checkout: {}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let paths = String::from_utf8(listed.stdout).expect("paths here are UTF-8");
    let mut files: Vec<File> = paths
        .split_terminator('\0')
        // A file deleted but not yet staged is still listed; it has no text to judge.
        .filter_map(|path| Some((path, std::fs::read(root.join(path)).ok()?)))
        .filter_map(|(path, bytes)| Some(File::new(path, &String::from_utf8(bytes).ok()?)))
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_knows_its_package_and_whether_it_ships() {
        let shipped = File::new("crates/resp/src/parse.rs", "");
        assert_eq!(shipped.package_dir(), Some("crates/resp"));
        assert!(shipped.is_shipped_rust());
        assert!(!File::new("crates/resp/tests/split.rs", "").is_shipped_rust());
        assert!(!File::new("scripts/x.rs", "").is_shipped_rust());
        assert_eq!(File::new("Makefile", "").extension(), "");
        assert_eq!(File::new("docs/a.b/Makefile", "").extension(), "");
    }

    #[test]
    fn the_repository_lists_its_own_manifest() {
        let files = read(&root());
        assert!(files.iter().any(|file| file.path == "Cargo.toml"));
        assert!(files.iter().any(|file| file.path == "crates/tidy/src/tree.rs"));
    }
}
