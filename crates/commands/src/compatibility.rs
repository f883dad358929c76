//! `docs/COMPATIBILITY.md`: which commands of Redis 7.4 are here, made from the table and the facts of
//! the reference, and what fails of the reference's own tests and why.
//!
//! The facts and the report of the last recorded run are files beside the tests, so that the page is
//! made without a server. The price is that they lie in the source of a crate that needs neither to
//! serve; nothing else refers to them, so no program carries them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

const FACTS: &str = include_str!("../tests/reference/commands.tsv");
const SUITE: &str = include_str!("../tests/reference/suite.md");

/// Groups that have a folder here and are not whole yet: what they lack needs no reason.
pub const UNFINISHED: &[&str] = &["generic", "connection", "server"];

/// Commands of our groups that are not here, and why.
pub const MISSING: &[(&str, &str)] = &[
    ("failover", "comes with replication"),
    ("psync", "comes with replication"),
    ("replconf", "comes with replication"),
    ("replicaof", "comes with replication"),
    ("slaveof", "comes with replication"),
    ("sync", "comes with replication"),
    ("wait", "comes with replication"),
    ("waitaof", "comes with the log"),
    ("bgrewriteaof", "comes with the log"),
    ("bgsave", "comes with snapshots"),
    ("save", "comes with snapshots"),
    ("lastsave", "comes with snapshots"),
    ("module", "modules are C plugins, which are not loaded here"),
    ("module|help", "modules are C plugins, which are not loaded here"),
    ("module|list", "modules are C plugins, which are not loaded here"),
    ("module|load", "modules are C plugins, which are not loaded here"),
    ("module|loadex", "modules are C plugins, which are not loaded here"),
    ("module|unload", "modules are C plugins, which are not loaded here"),
];

/// Why a command is not here when its whole group is not.
const GROUPS_TO_COME: &[(&str, &str)] =
    &[("cluster", "comes with cluster mode"), ("sentinel", "comes with sentinel mode")];

/// Families of commands inside groups that are here in part.
const FAMILIES_TO_COME: &[(&str, &str)] = &[
    ("acl", "comes with users and ACL"),
    ("latency", "comes with SLOWLOG, LATENCY and MONITOR"),
    ("slowlog", "comes with SLOWLOG, LATENCY and MONITOR"),
    ("monitor", "comes with SLOWLOG, LATENCY and MONITOR"),
];

/// What of a command that is here is not as in Redis, and why.
const DIFFERENT: &[(&str, &str)] = &[(
    "migrate",
    "refused inside MULTI and scripts, where Redis runs it. It waits for another server, and keys \
     are held and all others served meanwhile; a transaction or a script runs through, so it would \
     stop every client for as long as that server takes. Send it by itself, for several keys with \
     KEYS",
)];

/// What a command that is not here waits for.
fn reason(name: &str, group: &str) -> &'static str {
    let family = name.split('|').next().unwrap_or(name);
    let find = |table: &[(&str, &'static str)], wanted: &str| {
        table.iter().find(|(name, _)| *name == wanted).map(|(_, reason)| *reason)
    };
    find(MISSING, name)
        .or_else(|| find(FAMILIES_TO_COME, family))
        .or_else(|| find(GROUPS_TO_COME, group))
        .unwrap_or("not there yet")
}

/// The text of `docs/COMPATIBILITY.md`.
#[must_use]
pub fn page() -> String {
    let here: BTreeSet<&str> = crate::table().entries().iter().map(|e| e.spec.name).collect();
    let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for line in FACTS.lines().skip(1) {
        let mut columns = line.split('\t');
        let (Some(name), Some(group)) = (columns.next(), columns.next()) else { continue };
        groups.entry(group).or_default().push(name.to_ascii_lowercase().replace(' ', "|"));
    }
    let mut page = String::from(
        "# Compatibility\n\n\
         <!-- Generated from the command table: `cargo run -p stoa-commands --example docs`. -->\n\n\
         The aim is Redis 7.4, to the byte of a reply. Which commands are here follows from the \
         command table; what each does is compared with Redis 7.4.1 by random programs and with \
         the reference's own tests (`make conformance`).\n\n\
         ## Commands\n\n\
         A name with a space is a subcommand.\n\n\
         | group | here | of |\n|---|---:|---:|\n",
    );
    for (group, names) in &groups {
        let count = names.iter().filter(|name| here.contains(name.as_str())).count();
        let _ = writeln!(page, "| {group} | {count} | {} |", names.len());
    }
    for (group, names) in &groups {
        write_group(&mut page, group, names, &here);
    }
    page.push_str(
        "\n## The reference's own tests\n\n\
         Units of the suite of Redis 7.0.15 that are about what is here, as last recorded. The \
         suite is older than the version aimed at, so a few tests fail because Redis changed.\n\n",
    );
    page.push_str(SUITE);
    page
}

fn write_group(page: &mut String, group: &str, names: &[String], here: &BTreeSet<&str>) {
    let printed = |name: &str| format!("`{}`", name.to_ascii_uppercase().replace('|', " "));
    let mut waiting: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut there = Vec::new();
    for name in names {
        if here.contains(name.as_str()) {
            there.push(printed(name));
        } else {
            waiting.entry(reason(name, group)).or_default().push(printed(name));
        }
    }
    let _ = write!(page, "\n### {group}\n");
    if !there.is_empty() {
        let _ = write!(page, "\nHere: {}.\n", there.join(", "));
    }
    for (name, how) in DIFFERENT.iter().filter(|(name, _)| names.iter().any(|it| it == name)) {
        let _ = write!(page, "\nDifferent here: {} is {how}.\n", printed(name));
    }
    for (reason, names) in waiting {
        let _ = write!(page, "\nNot here, {reason}: {}.\n", names.join(", "));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_compatibility_page_is_in_date() {
        let kept = include_str!("../../../docs/COMPATIBILITY.md");
        assert!(
            kept == super::page(),
            "docs/COMPATIBILITY.md is not what the command table says: run `cargo run -p \
             stoa-commands --example docs`, look at the difference and commit it"
        );
    }

    #[test]
    fn what_differs_of_commands_that_are_here_is_told_once_each() {
        let page = super::page();
        assert!(page.contains("Different here: `MIGRATE` is refused inside MULTI and scripts"));
        for (name, how) in super::DIFFERENT {
            let is_here = crate::table().entries().iter().any(|entry| entry.spec.name == *name);
            assert!(is_here && page.matches(how).count() == 1, "{name}");
        }
    }

    #[test]
    fn every_command_that_is_not_here_has_a_reason() {
        assert!(!super::page().contains("not there yet"), "name what they wait for");
    }
}
