//! The core's Clippy configuration: one text, present in every crate of the core.
//!
//! Clippy reads the `clippy.toml` nearest to a manifest, so what is forbidden in the core only
//! has to lie in each crate of the core. Copies drift; the master is beside this crate's manifest
//! and every core crate has a symbolic link to it.

use crate::Breach;
use crate::tree::File;

/// The master text.
pub const MASTER: &str = "crates/tidy/clippy-core.toml";

/// Crates that take time, chance and the world as arguments.
pub const CORE: [&str; 19] = [
    "crates/stdx",
    "crates/resp",
    "crates/command",
    "crates/value",
    "crates/config",
    "crates/keyspace",
    "crates/rdb",
    "crates/acl",
    "crates/pubsub",
    "crates/scripting",
    "crates/persistence",
    "crates/replication",
    "crates/cluster",
    "crates/observability",
    "crates/tls",
    "crates/engine",
    "crates/commands",
    "crates/shard",
    "crates/sim",
];

/// Every crate of the core that exists has the master's text as its `clippy.toml`.
#[must_use]
pub fn core_crates_share_one(files: &[File]) -> Vec<Breach> {
    let text = |path: &str| files.iter().find(|file| file.path == path).map(|file| &file.text);
    let Some(master) = text(MASTER) else {
        return vec![Breach::new(MASTER, 0, "the master of the core's lints is missing")];
    };
    let advice = "link the core's lints: `ln -s ../tidy/clippy-core.toml clippy.toml` in the crate";
    CORE.iter()
        .filter(|dir| text(&format!("{dir}/Cargo.toml")).is_some())
        .map(|dir| format!("{dir}/clippy.toml"))
        .filter(|path| text(path) != Some(master))
        .map(|path| Breach::new(&path, 0, advice))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_crate_without_the_masters_text_is_found() {
        let files = [
            File::new(MASTER, "x"),
            File::new("crates/stdx/Cargo.toml", ""),
            File::new("crates/stdx/clippy.toml", "x"),
            File::new("crates/resp/Cargo.toml", ""),
            File::new("crates/value/Cargo.toml", ""),
            File::new("crates/value/clippy.toml", "y"),
            File::new("crates/server/Cargo.toml", ""),
        ];
        let breaches = core_crates_share_one(&files);
        let paths: Vec<&str> = breaches.iter().map(|breach| breach.path.as_str()).collect();
        assert_eq!(paths, ["crates/resp/clippy.toml", "crates/value/clippy.toml"]);
    }
}
