//! What clients of a node see fits one serial order, whatever stalls, is late or leaves.

use stoa_sim::mix::{Mix, Torn};
use stoa_sim::trial::{Plan, run};

#[expect(clippy::disallowed_methods, reason = "the nightly run says so from outside")]
fn seeds(count: u64) -> std::ops::Range<u64> {
    let times = std::env::var("STOA_SIM_TIMES").ok().and_then(|times| times.parse().ok());
    0..count * times.unwrap_or(1)
}

#[test]
fn one_shard_is_one_thread() {
    for seed in seeds(150) {
        let plan = Plan { shards: 1, ..Plan::of(seed) };
        let trial = run(&plan, false).unwrap_or_else(|error| panic!("{error}"));
        assert!(trial.verdicts.is_pass(), "seed {seed}: {}\n{}", trial.verdicts, trial.history);
    }
}

#[test]
fn several_shards_are_one_thread_too() {
    for seed in seeds(400) {
        let trial = run(&Plan::of(seed), false).unwrap_or_else(|error| panic!("{error}"));
        assert!(trial.verdicts.is_pass(), "seed {seed}: {}\n{}", trial.verdicts, trial.history);
    }
}

#[test]
fn a_key_reaches_its_deadline_at_one_moment_for_all_shards() {
    for seed in seeds(200) {
        let trial = run(&Plan::of_deadlines(seed), false).unwrap_or_else(|error| panic!("{error}"));
        assert!(trial.verdicts.is_pass(), "seed {seed}: {}\n{}", trial.verdicts, trial.history);
    }
}

#[test]
fn every_rare_turn_is_taken_often() {
    let mut taken = [0; stoa_shard::SITES];
    for seed in 0..60 {
        let mut plan = Plan { shards: 2 + seed as u16 % 2, ..Plan::of(seed) };
        plan.chaos.rare_one_in = 4;
        let trial = run(&plan, false).unwrap_or_else(|error| panic!("{error}"));
        assert!(trial.verdicts.is_pass(), "seed {seed}: {}\n{}", trial.verdicts, trial.history);
        taken.iter_mut().zip(trial.taken).for_each(|(sum, one)| *sum += one);
    }
    assert!(taken.iter().all(|taken| *taken >= 20), "{taken:?}");
}

/// How many of `seeds` the checkers find wrong, when clients lie.
fn found(torn: Torn, seeds: u64) -> usize {
    let is_found = |seed: &u64| {
        let plan = Plan { shards: 1, ..Plan::of(*seed) };
        let plan = Plan { mix: Mix { torn, ..plan.mix.clone() }, ..plan };
        run(&plan, false).unwrap_or_else(|error| panic!("{error}")).verdicts.is_fail()
    };
    (0..seeds).filter(is_found).count()
}

#[test]
fn a_read_of_many_keys_that_is_many_reads_is_found() {
    assert!(found(Torn::Reads, 200) > 20, "{} of 200", found(Torn::Reads, 200));
}

#[test]
fn a_write_of_many_keys_that_is_many_writes_is_found() {
    assert!(found(Torn::Writes, 200) > 20, "{} of 200", found(Torn::Writes, 200));
}

#[test]
fn the_same_seed_is_the_same_trial_to_the_byte() {
    for seed in seeds(20) {
        let [one, two] = [0; 2].map(|_| run(&Plan::of(seed), true).expect("it does not hang"));
        assert!(one.trace == two.trace && one.history == two.history, "seed {seed}");
        let other = run(&Plan::of(seed + 1_000_000), true).expect("it does not hang");
        assert!(one.history != other.history, "seed {seed} does not matter");
    }
}
