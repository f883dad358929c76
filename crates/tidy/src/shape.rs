//! The shape of the repository: what stands in its root, and what every manifest says.

use toml::{Table, Value};

use crate::Breach;
use crate::tree::File;

/// What may stand in the root, besides hidden files of tools. A new entry is a decision about
/// where people look first, so it is made here.
const ROOT: [&str; 18] = [
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "Makefile",
    "README.md",
    "cmd",
    "configs",
    "crates",
    "deny.toml",
    "deploy",
    "docs",
    "fuzz",
    "rustfmt.toml",
    "scripts",
];

/// Nothing unexpected stands in the root.
#[must_use]
pub fn root_is_fixed(files: &[File]) -> Vec<Breach> {
    let first = |file: &File| file.path.split('/').next().unwrap_or_default().to_owned();
    let mut entries: Vec<String> = files.iter().map(first).collect();
    entries.dedup();
    entries
        .iter()
        .filter(|entry| !entry.starts_with('.') && !ROOT.contains(&entry.as_str()))
        .map(|entry| Breach::new(entry, 0, "the root is fixed: put it in a folder that fits"))
        .collect()
}

/// Every package is named for its folder, says what it is, and takes lints, edition and licence
/// from the workspace: a manifest that forgets the lints line is checked by none of them.
///
/// # Panics
///
/// If a manifest is not TOML.
#[must_use]
pub fn manifests_inherit(files: &[File]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in files {
        let Some(dir) = file.package_dir() else { continue };
        if file.path[dir.len()..] != *"/Cargo.toml" {
            continue;
        }
        let manifest: Table =
            file.text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.path));
        for advice in wrong_in(&manifest, dir) {
            breaches.push(Breach::new(&file.path, 0, advice));
        }
    }
    breaches
}

fn wrong_in(manifest: &Table, dir: &str) -> Vec<String> {
    let inherits = |table: Option<&Value>| {
        let inherited = table.and_then(|table| table.get("workspace")).and_then(Value::as_bool);
        inherited == Some(true)
    };
    let mut wrong = Vec::new();
    if !inherits(manifest.get("lints")) {
        wrong.push("take the lints: `[lints]` with `workspace = true`".to_owned());
    }
    for key in ["version", "edition", "rust-version", "license", "publish"] {
        if !inherits(manifest["package"].get(key)) {
            wrong.push(format!("take `{key}` from the workspace: `{key}.workspace = true`"));
        }
    }
    if manifest["package"].get("description").and_then(Value::as_str).is_none() {
        wrong.push("say in `description` what the crate is, in one sentence".to_owned());
    }
    // The embedded library is what people depend on: it has the plain name.
    if let Some(folder) = dir.strip_prefix("crates/").filter(|&folder| folder != "stoa") {
        let want = format!("stoa-{folder}");
        if manifest["package"]["name"].as_str() != Some(&want) {
            wrong.push(format!("the package in `{dir}` is named `{want}`"));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stray_file_in_the_root_is_found_and_hidden_ones_are_not() {
        let names = ["notes.txt", ".gitignore", "crates/a/src/lib.rs", "Makefile"];
        let files: Vec<File> = names.iter().map(|name| File::new(name, "")).collect();
        let breaches = root_is_fixed(&files);
        assert_eq!(breaches.len(), 1);
        assert_eq!(breaches[0].path, "notes.txt");
    }

    #[test]
    fn a_manifest_of_its_own_mind_is_found() {
        let good = "[package]\nname = \"stoa-a\"\ndescription = \"A.\"\nversion.workspace = true\n\
                    edition.workspace = true\nrust-version.workspace = true\n\
                    license.workspace = true\npublish.workspace = true\n[lints]\nworkspace = true\n";
        let file = |text: &str| [File::new("crates/a/Cargo.toml", text)];
        assert_eq!(manifests_inherit(&file(good)), []);
        for (from, to) in [
            ("stoa-a", "a"),
            ("description = \"A.\"\n", ""),
            ("edition.workspace = true", "edition = \"2021\""),
            ("[lints]\nworkspace = true\n", ""),
        ] {
            assert_eq!(manifests_inherit(&file(&good.replace(from, to))).len(), 1, "{from}");
        }
    }
}
