//! Up to where a value stays in its small form: the `*-max-*` directives.

use stoa_stdx::HashSeed;

/// The thresholds, as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `hash-max-listpack-entries`.
    pub hash_max_entries: usize,
    /// `hash-max-listpack-value`.
    pub hash_max_value: usize,
    /// `list-max-listpack-size`: elements of a node, or below zero one of five sizes in bytes.
    pub list_max_size: i32,
    /// `set-max-intset-entries`.
    pub set_max_intset_entries: usize,
    /// `set-max-listpack-entries`.
    pub set_max_entries: usize,
    /// `set-max-listpack-value`.
    pub set_max_value: usize,
    /// `zset-max-listpack-entries`.
    pub zset_max_entries: usize,
    /// `zset-max-listpack-value`.
    pub zset_max_value: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hash_max_entries: 512,
            hash_max_value: 64,
            list_max_size: -2,
            set_max_intset_entries: 512,
            set_max_entries: 128,
            set_max_value: 64,
            zset_max_entries: 128,
            zset_max_value: 64,
        }
    }
}

/// What a value must know to grow: the thresholds, and the secret that orders large tables.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The thresholds.
    pub limits: Limits,
    /// The secret. One for all values of a process, so that they may move between shards.
    pub seed: HashSeed,
}
