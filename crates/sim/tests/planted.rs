//! Bugs planted in the product's shards: the checkers must find each, and nothing without them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use stoa_shard::Planted;
use stoa_sim::trial::{Plan, run};

const SEEDS: u64 = 100;

/// In how many trials the checkers find something wrong with shards that have this bug.
fn found(planted: Planted) -> u64 {
    let is_found = |seed: &u64| {
        let plan = Plan { planted, ..Plan::of_splits(*seed) };
        // A shard may notice by itself that its books are wrong; that is not what is asked here.
        let trial = catch_unwind(AssertUnwindSafe(|| run(&plan, false)));
        trial.is_ok_and(|trial| trial.is_ok_and(|trial| trial.verdicts.is_fail()))
    };
    let count = (0..SEEDS).filter(is_found).count() as u64;
    println!("{planted:?}: found in {count} of {SEEDS} seeds");
    count
}

#[test]
fn shards_without_a_bug_pass() {
    for seed in 0..SEEDS {
        let trial = run(&Plan::of_splits(seed), false).unwrap_or_else(|error| panic!("{error}"));
        assert!(trial.verdicts.is_pass(), "seed {seed}: {}\n{}", trial.verdicts, trial.history);
    }
}

#[test]
fn an_optimistic_read_of_several_shards_is_found() {
    let count = found(Planted::OptimisticRead);
    assert!(count > 0, "in none of {SEEDS} seeds");
}

#[test]
fn a_row_that_does_not_wait_for_what_conflicts_is_found() {
    let count = found(Planted::NoConflictWait);
    assert!(count > 0, "in none of {SEEDS} seeds");
}

#[test]
fn a_commit_that_is_torn_between_shards_is_found() {
    let count = found(Planted::TornCommit);
    assert!(count > 0, "in none of {SEEDS} seeds");
}
