//! Any bytes as the payload of RESTORE: refused, or a value that stands random traffic and goes out and
//! comes in again.
//!
//! The first byte chooses limits and traffic; the rest is kind and content. Footer and checksum are
//! left out: the fuzzer would only learn to count.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stoa_rdb::restore;
use stoa_stdx::{HashSeed, Rng};
use stoa_value::{Limits, Rules};

#[path = "../../crates/rdb/tests/traffic/mod.rs"]
mod traffic;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, content)) = data.split_first() else { return };
    let mut limits = Limits::default();
    if choice & 1 == 1 {
        (limits.hash_max_entries, limits.set_max_entries, limits.zset_max_entries) = (3, 3, 3);
        (limits.set_max_intset_entries, limits.list_max_size) = (3, 3);
    }
    let rules = Rules { limits, seed: HashSeed::new([1, 2, 3, 4]) };
    let payload = [content, &[12, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    if let Ok(loaded) = restore(&payload, false, &rules) {
        traffic::exercise(loaded, &rules, &mut Rng::new(choice.into()), 8);
    }
});
