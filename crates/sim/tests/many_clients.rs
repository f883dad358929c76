//! Many clients at once: nothing is lost, swapped or left over, and the same seed is the same run.

use stoa_command::{FindKeys, Group, RequestPolicy, Spec};
use stoa_sim::crowd::{Habits, run, shards};
use stoa_sim::law::is_compared;
use stoa_sim::{Grammar, Options, World};

#[expect(clippy::disallowed_methods, reason = "the nightly run says so from outside")]
fn seeds(count: u64) -> std::ops::Range<u64> {
    let times = std::env::var("STOA_SIM_TIMES").ok().and_then(|times| times.parse().ok());
    0..count * times.unwrap_or(1)
}

/// Whether a call may name several keys that need not lie together.
fn takes_several_keys(spec: &Spec) -> bool {
    let range = |find| !matches!(find, FindKeys::Range { last: 0, .. });
    spec.request == RequestPolicy::Keys
        && (spec.keys.len() > 1 || spec.keys.iter().any(|keys| range(keys.find)))
}

/// Clients here know replies by what they say after each request, which must not be queued.
fn is_answered_at_once(spec: &Spec) -> bool {
    is_compared(spec) && spec.group != Group::Transactions
}

#[test]
fn every_request_gets_its_reply_in_its_turn() {
    let grammar = Grammar::of(stoa_commands::table(), is_answered_at_once);
    for seed in seeds(150) {
        for (name, habits) in Habits::ALL {
            let options = Options::rough(shards(seed), seed);
            if let Err(error) = run(&grammar, &options, habits) {
                panic!("seed {seed} {name}: {error}");
            }
        }
    }
}

#[test]
fn keys_brought_together_from_several_shards_never_block_each_other_for_good() {
    let also =
        ["get", "set", "del", "mget", "mset", "append", "expire", "keys", "dbsize", "flushall"];
    let grammar = Grammar::of(stoa_commands::table(), |spec| {
        is_compared(spec) && (takes_several_keys(spec) || also.contains(&spec.name))
    });
    for seed in seeds(250) {
        for habits in [Habits::PATIENT, Habits::RESTLESS, Habits::SLEEPY, Habits::DEADLY] {
            let options = Options::rough(shards(seed), seed);
            if let Err(error) = run(&grammar, &options, Habits { clients: 10, ..habits }) {
                panic!("seed {seed}, {habits:?}: {error}");
            }
        }
    }
}

#[test]
fn the_same_seed_is_the_same_run_to_the_byte() {
    let grammar = Grammar::of(stoa_commands::table(), is_answered_at_once);
    for seed in seeds(20) {
        let options = Options::rough(shards(seed), seed);
        let [one, two] = [0; 2].map(|_| run(&grammar, &options, Habits::RESTLESS));
        assert!(one.is_ok(), "seed {seed}: {one:?}");
        assert!(one == two, "seed {seed}: two runs differ");
        let other = Options::rough(shards(seed), seed + 1_000_000);
        assert!(one != run(&grammar, &other, Habits::RESTLESS), "seed {seed} does not matter");
    }
}

#[test]
fn a_client_that_does_not_read_is_closed_at_its_limit_and_nobody_waits_for_it() {
    for seed in seeds(30) {
        let mut options = Options::rough(shards(seed), seed);
        options.directives.push(("client-output-buffer-limit", "normal 65536 0 0"));
        let mut world = World::new(&options);
        let [deaf, other] = [0; 2].map(|_| world.connect());
        world.set_reads(deaf, false);
        world.call(other, &["SET", "big", &"x".repeat(10_000)]);
        assert!(world.settle(1_000_000), "seed {seed}: no rest");
        for number in 0..40 {
            world.call(deaf, &["GET", "big"]);
            world.call(other, &["ECHO", &format!("{number:02}")]);
            // What it is owed grows little by little, too.
            world.run(seed % 7);
        }
        assert!(world.settle(1_000_000), "seed {seed}: no rest");
        assert!(world.is_closed(deaf), "seed {seed}: still there");
        assert_eq!(world.next_reply(other), Some(b"+OK\r\n".to_vec()), "seed {seed}");
        for number in 0..40 {
            let want = format!("$2\r\n{number:02}\r\n").into_bytes();
            assert_eq!(world.next_reply(other), Some(want), "seed {seed}");
        }
    }
}
