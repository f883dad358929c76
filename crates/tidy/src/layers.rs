//! Who may know whom: the order of the crates, and what must not be in a crate's tree at all.
//!
//! The order is what keeps the core free of I/O and the router free of special cases, and it is
//! lost one convenient dependency at a time; so it is a constant here and the manifests are held
//! against it. Dependencies of tests count too: what a test needs from above belongs to a crate
//! above.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use crate::Breach;
use crate::tree::File;

/// The crates from the ground up. A crate knows layers below its own, and its neighbours in its
/// layer unless [`STRANGERS`] says otherwise. A new crate is entered here in the change that makes
/// it; entries may stand here before their crate does.
pub const LAYERS: [(&str, &[&str]); 8] = [
    ("ground", &["crates/stdx"]),
    ("vocabulary", &["crates/resp", "crates/command", "crates/value", "crates/config"]),
    (
        "parts",
        &[
            "crates/keyspace",
            "crates/rdb",
            "crates/acl",
            "crates/pubsub",
            "crates/scripting",
            "crates/persistence",
            "crates/replication",
            "crates/cluster",
            "crates/observability",
            "crates/json",
            "crates/tls",
        ],
    ),
    ("engine", &["crates/engine"]),
    ("one core", &["crates/commands", "crates/shard"]),
    ("drivers", &["crates/uring", "crates/sim", "crates/stoa"]),
    ("around", &["crates/http", "crates/server", "crates/client", "crates/conformance"]),
    ("programs", &["cmd/stoa-server", "cmd/stoa-cli", "cmd/stoa-check"]),
];

/// Crates that know none of ours, and that none of ours knows.
pub const APART: [&str; 1] = ["crates/tidy"];

/// Neighbours that must not see each other: no command is special-cased in the router, and no
/// command knows that other shards exist.
pub const STRANGERS: [(&str, &str); 1] = [("crates/commands", "crates/shard")];

/// What must not be anywhere in a crate's tree, and why.
pub const ABSENT: [(&str, &str, &str); 4] = [
    ("crates/engine", "stoa-resp", "a reply is a value until the shard encodes it"),
    ("crates/engine", "serde_json", "the engine reads no text formats"),
    ("crates/engine", "io-uring", "the core runs under any driver"),
    ("crates/shard", "io-uring", "the core runs under any driver"),
];

/// One package of the workspace, as its manifest tells it.
#[derive(Clone, Debug)]
pub struct Package {
    /// Folder: `crates/NAME`.
    pub dir: String,
    /// Name in its manifest.
    pub name: String,
    /// What ships with it: ordinary and build dependencies.
    pub ships: BTreeSet<String>,
    /// What its tests need besides.
    pub tests: BTreeSet<String>,
}

/// The packages of `crates/` and `cmd/`.
///
/// # Panics
///
/// If a manifest is not TOML or has no name: cargo would have refused it before.
#[must_use]
pub fn packages(files: &[File]) -> Vec<Package> {
    let manifest = |file: &&File| {
        file.package_dir().is_some_and(|dir| file.path[dir.len()..] == *"/Cargo.toml")
    };
    files.iter().filter(manifest).map(package).collect()
}

fn package(file: &File) -> Package {
    let table: Table = file.text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.path));
    let name = table["package"]["name"].as_str().expect("a package has a name").to_owned();
    let mut ships = BTreeSet::new();
    let mut tests = BTreeSet::new();
    let per_target = table.get("target").and_then(Value::as_table);
    let sections = per_target.into_iter().flat_map(|all| all.values()).filter_map(Value::as_table);
    for section in std::iter::once(&table).chain(sections) {
        ships.extend(names(section, "dependencies"));
        ships.extend(names(section, "build-dependencies"));
        tests.extend(names(section, "dev-dependencies"));
    }
    Package { dir: file.package_dir().unwrap_or_default().to_owned(), name, ships, tests }
}

/// The packages a section names, renamed ones by their own name.
fn names(section: &Table, kind: &str) -> Vec<String> {
    let Some(dependencies) = section.get(kind).and_then(Value::as_table) else { return Vec::new() };
    let name = |(key, value): (&String, &Value)| {
        value.get("package").and_then(Value::as_str).unwrap_or(key).to_owned()
    };
    dependencies.iter().map(name).collect()
}

/// Every crate has its place, and knows only what lies below it.
#[must_use]
pub fn order(packages: &[Package]) -> Vec<Breach> {
    let dirs: BTreeMap<&str, &str> =
        packages.iter().map(|package| (package.name.as_str(), package.dir.as_str())).collect();
    let mut breaches = Vec::new();
    for package in packages {
        let manifest = format!("{}/Cargo.toml", package.dir);
        let mut breach = |advice: String| breaches.push(Breach::new(&manifest, 0, advice));
        if layer(&package.dir).is_none() && !APART.contains(&package.dir.as_str()) {
            breach(format!("enter `{}` in LAYERS of crates/tidy/src/layers.rs", package.dir));
            continue;
        }
        for dependency in package.ships.union(&package.tests) {
            if let Some(below) = dirs.get(dependency.as_str())
                && let Some(wrong) = edge(&package.dir, below)
            {
                breach(wrong);
            }
        }
    }
    breaches
}

fn layer(dir: &str) -> Option<usize> {
    LAYERS.iter().position(|(_, dirs)| dirs.contains(&dir))
}

/// What is wrong with `from` knowing `to`, if anything.
fn edge(from: &str, to: &str) -> Option<String> {
    let (Some(above), Some(below)) = (layer(from), layer(to)) else {
        return Some(format!("`{from}` and `{to}` must not know each other"));
    };
    if below > above {
        let (here, there) = (LAYERS[above].0, LAYERS[below].0);
        return Some(format!(
            "`{from}` ({here}) must not know `{to}` ({there}), which lies above it: move what is needed down, or the user of it up"
        ));
    }
    STRANGERS
        .iter()
        .any(|&(a, b)| (from, to) == (a, b) || (from, to) == (b, a))
        .then(|| format!("`{from}` and `{to}` are strangers: what both need belongs in the engine"))
}

/// What [`ABSENT`] forbids is not in the tree of the crate it names. `lock` is `Cargo.lock`, which
/// knows what packages from outside depend on.
///
/// # Panics
///
/// If `lock` is not a lock file.
#[must_use]
pub fn absences(packages: &[Package], lock: &str) -> Vec<Breach> {
    let outside = lock_edges(lock);
    let ours: BTreeMap<&str, &Package> =
        packages.iter().map(|package| (package.name.as_str(), package)).collect();
    let mut breaches = Vec::new();
    for (dir, name, why) in ABSENT {
        let Some(package) = packages.iter().find(|package| package.dir == dir) else { continue };
        if let Some(road) = road(package, name, &ours, &outside) {
            let advice = format!("`{name}` is in its tree ({road}): {why}");
            breaches.push(Breach::new(&format!("{dir}/Cargo.toml"), 0, advice));
        }
    }
    breaches
}

fn lock_edges(lock: &str) -> BTreeMap<String, Vec<String>> {
    let table: Table = lock.parse().expect("Cargo.lock is TOML");
    let packages = table["package"].as_array().expect("Cargo.lock lists packages");
    let mut edges: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages {
        let name = package["name"].as_str().expect("a locked package has a name");
        let dependencies = package.get("dependencies").and_then(Value::as_array);
        // "name", or "name version" where several versions are locked.
        let first_word = |value: &Value| Some(value.as_str()?.split(' ').next()?.to_owned());
        let names = dependencies.into_iter().flatten().filter_map(first_word);
        edges.entry(name.to_owned()).or_default().extend(names);
    }
    edges
}

/// How `from` comes to `to`, if it does: our own crates by what they ship, others by the lock.
fn road(
    from: &Package,
    to: &str,
    ours: &BTreeMap<&str, &Package>,
    outside: &BTreeMap<String, Vec<String>>,
) -> Option<String> {
    let mut came_from: BTreeMap<String, String> = BTreeMap::new();
    let mut open = vec![from.name.clone()];
    while let Some(name) = open.pop() {
        if name == to {
            let mut road = name.clone();
            let mut at = &name;
            while let Some(before) = came_from.get(at) {
                road = format!("{before} -> {road}");
                at = before;
            }
            return Some(road);
        }
        let next: Vec<String> = match ours.get(name.as_str()) {
            Some(package) => package.ships.iter().cloned().collect(),
            None => outside.get(&name).cloned().unwrap_or_default(),
        };
        for dependency in next {
            if dependency != from.name && !came_from.contains_key(&dependency) {
                came_from.insert(dependency.clone(), name.clone());
                open.push(dependency);
            }
        }
    }
    None
}

/// Everything locked comes from the public registry or from here, so that a clean clone builds
/// anywhere.
///
/// # Panics
///
/// If `lock` is not a lock file.
#[must_use]
pub fn locked_sources(lock: &str) -> Vec<Breach> {
    const PUBLIC: &str = "registry+https://github.com/rust-lang/crates.io-index";
    let table: Table = lock.parse().expect("Cargo.lock is TOML");
    let packages = table["package"].as_array().expect("Cargo.lock lists packages");
    let elsewhere = |package: &&Value| {
        package.get("source").and_then(Value::as_str).is_some_and(|source| source != PUBLIC)
    };
    let breach = |package: &Value| {
        let name = package["name"].as_str().unwrap_or_default();
        Breach::new("Cargo.lock", 0, format!("`{name}` does not come from crates.io"))
    };
    packages.iter().filter(elsewhere).map(breach).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(dir: &str, name: &str, rest: &str) -> File {
        let text = format!("[package]\nname = \"{name}\"\n{rest}");
        File::new(&format!("{dir}/Cargo.toml"), &text)
    }

    fn order_of(files: &[File]) -> Vec<String> {
        order(&packages(files)).into_iter().map(|breach| breach.advice).collect()
    }

    #[test]
    fn a_crate_may_know_what_lies_below_and_beside_it() {
        let files = [
            manifest("crates/stdx", "stoa-stdx", ""),
            manifest("crates/resp", "stoa-resp", "[dependencies]\nstoa-stdx.workspace = true"),
            manifest("crates/config", "stoa-config", "[dev-dependencies]\nstoa-resp = {}"),
        ];
        assert_eq!(order_of(&files), Vec::<String>::new());
    }

    #[test]
    fn knowing_what_lies_above_is_a_breach_in_tests_and_under_another_name_too() {
        for rest in [
            "[dependencies]\nstoa-engine.workspace = true",
            "[dev-dependencies]\nstoa-engine = { path = \"x\" }",
            "[dependencies]\nother = { package = \"stoa-engine\", path = \"x\" }",
            "[target.'cfg(unix)'.dependencies]\nstoa-engine = { path = \"x\" }",
        ] {
            let files = [
                manifest("crates/engine", "stoa-engine", ""),
                manifest("crates/value", "stoa-value", rest),
            ];
            assert_eq!(order_of(&files).len(), 1, "{rest}");
        }
    }

    #[test]
    fn commands_and_shard_are_strangers() {
        let files = [
            manifest("crates/commands", "stoa-commands", ""),
            manifest("crates/shard", "stoa-shard", "[dev-dependencies]\nstoa-commands = {}"),
        ];
        assert_eq!(order_of(&files).len(), 1);
    }

    #[test]
    fn a_crate_without_a_place_is_a_breach() {
        let files = [manifest("crates/new", "stoa-new", "")];
        assert!(order_of(&files)[0].contains("LAYERS"));
    }

    #[test]
    fn an_absent_package_is_found_however_far_away() {
        let files = [
            manifest("crates/engine", "stoa-engine", "[dependencies]\nstoa-value = {}"),
            manifest("crates/value", "stoa-value", "[dependencies]\nouter = \"1\""),
        ];
        let lock = "[[package]]\nname = \"outer\"\ndependencies = [\"serde_json 1.0\"]\n\
                    [[package]]\nname = \"serde_json\"\n";
        let breaches = absences(&packages(&files), lock);
        assert_eq!(breaches.len(), 1);
        assert!(breaches[0].advice.contains("stoa-value -> outer -> serde_json"));
    }

    #[test]
    fn a_package_locked_from_elsewhere_is_found() {
        let lock = "[[package]]\nname = \"a\"\nsource = \"registry+https://example.org/index\"\n\
                    [[package]]\nname = \"b\"\n";
        assert_eq!(locked_sources(lock).len(), 1);
    }

    #[test]
    fn every_crate_has_one_place() {
        let mut seen = BTreeSet::new();
        for dir in LAYERS.iter().flat_map(|(_, dirs)| dirs.iter()).chain(&APART) {
            assert!(seen.insert(dir), "{dir} stands twice");
        }
    }
}
