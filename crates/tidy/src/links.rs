//! Links in the documents lead somewhere: files exist, headings exist, commands exist.
//!
//! Only links inside the repository are followed: a test must not need the network, nor fail
//! because a foreign site is down.

use std::collections::BTreeSet;

use crate::Breach;
use crate::tree::File;

/// Every relative link of every Markdown file leads to a tracked file or folder, and its fragment
/// to a heading there.
#[must_use]
pub fn resolve(files: &[File]) -> Vec<Breach> {
    let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let mut breaches = Vec::new();
    for file in files.iter().filter(|file| file.extension() == "md") {
        for (line, target) in links(&file.text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((&target, ""));
            let path = if path.is_empty() { file.path.clone() } else { join(&file.path, path) };
            if !exists(&paths, &path) {
                let advice = format!("the link to `{target}` leads nowhere: no `{path}`");
                breaches.push(Breach::new(&file.path, line, advice));
            } else if !heading.is_empty() && !has_heading(files, &path, heading) {
                let advice = format!("`{path}` has no heading `#{heading}`");
                breaches.push(Breach::new(&file.path, line, advice));
            }
        }
    }
    breaches
}

/// Every path below `docs/` and `scripts/` and every make target that `page` names exists.
#[must_use]
pub fn named_things_exist(page: &File, files: &[File], make_targets: &[String]) -> Vec<Breach> {
    let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let mut breaches = Vec::new();
    for (at, line) in page.text.lines().enumerate() {
        for word in line.split(|c: char| c.is_whitespace() || "`()[]<>,;:\"'".contains(c)) {
            let path = word.trim_end_matches('.');
            let ours = path.starts_with("docs/") || path.starts_with("scripts/");
            if ours && !path.contains(['*', '{']) && !exists(&paths, path) {
                let advice = format!("`{path}` is named here and does not exist");
                breaches.push(Breach::new(&page.path, at + 1, advice));
            }
        }
        for target in makes(line) {
            if !make_targets.contains(&target) {
                let advice = format!("the Makefile has no target `{target}`");
                breaches.push(Breach::new(&page.path, at + 1, advice));
            }
        }
    }
    breaches
}

/// Every page below `docs/` that a source or a script refers to exists: a comment that says "see
/// there" is worth what it finds there.
#[must_use]
pub fn pages_named_in_code_exist(files: &[File]) -> Vec<Breach> {
    let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let mut breaches = Vec::new();
    let code = |file: &&File| matches!(file.extension(), "rs" | "py" | "sh" | "toml" | "yml");
    // The rules' own tests name pages that are not there.
    for file in files.iter().filter(code).filter(|file| !file.path.starts_with("crates/tidy/")) {
        for (at, line) in file.text.lines().enumerate() {
            for word in line.split(|c: char| !c.is_alphanumeric() && !"/._-".contains(c)) {
                let page = word.trim_end_matches('.');
                if page.starts_with("docs/") && page.ends_with(".md") && !exists(&paths, page) {
                    let advice = format!("`{page}` is named here and does not exist");
                    breaches.push(Breach::new(&file.path, at + 1, advice));
                }
            }
        }
    }
    breaches
}

/// Targets of `make` commands set in code in one line of text.
fn makes(line: &str) -> Vec<String> {
    let mut inside = line.split('`').skip(1).step_by(2).collect::<Vec<_>>();
    inside.push(line.trim_start());
    let target = |code: &str| {
        let words = code.strip_prefix("make ")?.split_whitespace();
        let first = words.into_iter().find(|word| !word.contains('='))?;
        first.chars().all(|c| c.is_ascii_lowercase() || c == '-').then(|| first.to_owned())
    };
    // Prose may begin a line with "make sure"; only a line in a code block has no full sentence,
    // and a lone command is one or two words long.
    inside.retain(|code| code.split_whitespace().count() <= 3);
    inside.into_iter().filter_map(target).collect()
}

fn exists(paths: &BTreeSet<&str>, path: &str) -> bool {
    let folder = format!("{}/", path.trim_end_matches('/'));
    let first_below = paths.range(folder.as_str()..).next();
    path.is_empty()
        || paths.contains(path)
        || first_below.is_some_and(|below| below.starts_with(&folder))
}

/// Inline links outside code, with their lines.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
        for (start, _) in prose.match_indices("](") {
            let rest = &prose[start + 2..];
            let Some(end) = rest.find(')') else { continue };
            let target = rest[..end].split_whitespace().next().unwrap_or_default();
            found.push((at + 1, target.to_owned()));
        }
    }
    found
}

/// `target` as seen from `page`, from the root.
fn join(page: &str, target: &str) -> String {
    let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

fn has_heading(files: &[File], path: &str, heading: &str) -> bool {
    let Some(file) = files.iter().find(|file| file.path == path) else { return false };
    file.text.lines().filter(|line| line.starts_with('#')).any(|line| slug(line) == heading)
}

/// A heading as hosts turn it into a fragment: lower case, spaces to dashes, punctuation dropped.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let keep = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
        _ => None,
    };
    text.chars().filter_map(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_to_files_folders_and_headings() {
        let files = [
            File::new(
                "README.md",
                "[a](docs/a.md#the-way-of-a-request) [b](docs) [c](#top)\n# Top",
            ),
            File::new(
                "docs/a.md",
                "## The way of a request\n[r](../README.md) [x](https://x.org)\n",
            ),
        ];
        assert_eq!(resolve(&files), []);
    }

    #[test]
    fn a_link_to_nothing_is_found_and_code_is_no_link() {
        let text = "[a](gone.md)\n```\n[b](gone.md)\n```\n`[c](gone.md)`\n[d](#gone)\n";
        let lines: Vec<usize> =
            resolve(&[File::new("docs/a.md", text)]).iter().map(|breach| breach.line).collect();
        assert_eq!(lines, [1, 6]);
    }

    #[test]
    fn a_comment_that_points_to_no_page_is_found() {
        let code = File::new("crates/a/src/lib.rs", "//! See `docs/a.md`, docs/b.md.\n");
        let page = File::new("docs/a.md", "");
        assert_eq!(pages_named_in_code_exist(&[code, page]).len(), 1);
    }

    #[test]
    fn a_page_names_only_what_exists() {
        let page = File::new(
            "README.md",
            "Run `make run`, then\nmake gone\nmake sure that you read docs/gone.md and docs/*.svg.\n",
        );
        let breaches = named_things_exist(&page, &[], &["run".to_owned()]);
        let lines: Vec<usize> = breaches.iter().map(|breach| breach.line).collect();
        assert_eq!(lines, [2, 3]);
    }
}
