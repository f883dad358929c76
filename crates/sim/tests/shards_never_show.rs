//! Law 1: the number of shards never shows in a reply.

use stoa_sim::Grammar;
use stoa_sim::law::{check, is_compared};

/// How many programs, unless the nightly run asks for more.
const PROGRAMS: u64 = 4_000;

#[expect(clippy::disallowed_methods, reason = "the nightly run says so from outside")]
fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn random_programs_get_the_same_replies_on_any_number_of_shards() {
    let grammar = Grammar::of(stoa_commands::table(), is_compared);
    let first = from_environment("STOA_SIM_SEED").unwrap_or(1);
    let count = from_environment("STOA_SIM_PROGRAMS").unwrap_or(PROGRAMS);
    let wrong: Vec<String> =
        (first..first + count).filter_map(|seed| check(&grammar, seed).err()).take(5).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
