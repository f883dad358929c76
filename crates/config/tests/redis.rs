//! The table against facts seen on redis-server 7.0.15: `CONFIG GET *` of a server without a
//! configuration file, and what it answered to CONFIG SET.
//!
//! The files beside this one hold the facts, so the test needs no Redis.

use stoa_config::{Config, Origin, table};

/// Names whose default differs, with the reason.
const EXPLAINED: &[(&str, &str)] = &[];

#[test]
fn every_directive_of_redis_7_0_is_here_with_its_default() {
    let config = Config::default();
    for line in include_str!("redis_7_0_defaults.tsv").lines() {
        let (name, want) = line.split_once('\t').expect("name and default");
        let got = config.value(name).unwrap_or_else(|| panic!("{name} is missing"));
        let got = String::from_utf8(got).expect("text");
        if EXPLAINED.iter().any(|&(explained, _)| explained == name) {
            assert_ne!(got, want, "{name} needs no explanation any more");
        } else {
            assert_eq!(got, want, "{name}");
        }
    }
}

#[test]
fn every_listed_name_of_redis_7_0_is_listed_by_a_pattern() {
    let listed = Config::default().get(&[b"*"]);
    for line in include_str!("redis_7_0_defaults.tsv").lines() {
        let (name, _) = line.split_once('\t').expect("name and default");
        assert!(listed.iter().any(|(listed, _)| listed == name.as_bytes()), "{name}");
    }
}

#[test]
fn config_set_answers_as_redis_7_0() {
    for line in include_str!("redis_7_0_set.tsv").lines() {
        let (pairs, want) = line.split_once('\t').expect("pairs and answer");
        let pairs: Vec<(&[u8], &[u8])> = pairs
            .split('|')
            .map(|pair| pair.split_once(' ').expect("name and value"))
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        let mut config = Config::default();
        let got = match config.set(&pairs, Origin::Remote) {
            Ok(_) => {
                let names: Vec<&[u8]> = pairs.iter().map(|&(name, _)| name).collect();
                let shown: Vec<_> = config
                    .get(&names)
                    .into_iter()
                    .map(|(name, value)| [name, value].join(&b' '))
                    .map(|words| String::from_utf8(words).expect("text"))
                    .collect();
                format!("OK {}", shown.join("|"))
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(got, want, "CONFIG SET {line}");
    }
}

#[test]
fn directives_that_came_after_redis_7_0_are_here() {
    for name in [
        "set-max-listpack-entries",
        "set-max-listpack-value",
        "locale-collate",
        "cluster-announce-human-nodename",
        "max-new-connections-per-cycle",
        "max-new-tls-connections-per-cycle",
        "server-cpulist",
        "hide-user-data-from-log",
    ] {
        assert!(table::find(name.as_bytes()).is_some(), "{name}");
    }
}
