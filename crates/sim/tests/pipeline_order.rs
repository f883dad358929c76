//! In which order the commands of one pipeline take effect, as another client sees it.

use stoa_sim::{Options, World};

const ROUNDS: usize = 30;

/// One client sets several keys to 1, then all to 2 and so on, in one pipeline; another reads them in
/// the opposite order, one by one. How often it saw a later command's work without an earlier one's.
fn surprises(order: &'static str, shards: u16, seed: u64) -> usize {
    const KEYS: [&str; 5] = ["a", "b", "c", "d", "e"];
    let mut options = Options::rough(shards, seed);
    options.directives.push(("pipeline-order", order));
    let mut world = World::new(&options);
    let (writer, reader) = (world.connect(), world.connect());
    for round in 1..=ROUNDS {
        for key in KEYS {
            world.call(writer, &["SET", key, &round.to_string()]);
        }
        // What takes several shards is a command like others.
        world.call(writer, &["MGET", "a", "b", "c"]);
    }
    let mut surprises = 0;
    for _ in 0..ROUNDS {
        let mut before = 0;
        for key in KEYS.iter().rev() {
            world.call(reader, &["GET", key]);
            let reply = loop {
                assert!(world.step() || world.mail_len() > 0, "nothing moves");
                if let Some(reply) = world.next_reply(reader) {
                    break reply;
                }
            };
            let reply = String::from_utf8(reply).expect("text");
            let seen: usize =
                reply.lines().nth(1).map_or(0, |digits| digits.parse().expect("ours"));
            // Keys are set in order, so an earlier key is never behind a later one.
            surprises += usize::from(seen < before);
            before = seen;
        }
    }
    assert!(world.settle(1_000_000), "{order}, {shards} shards, seed {seed}: nothing moves");
    for number in 0..ROUNDS * 6 {
        assert!(world.next_reply(writer).is_some(), "reply {number} of {}", ROUNDS * 6);
    }
    surprises
}

#[test]
fn in_strict_order_nobody_sees_a_later_command_before_an_earlier_one() {
    for shards in [1, 2, 3, 7] {
        for seed in 0..100 {
            assert_eq!(surprises("strict", shards, seed), 0, "{shards} shards, seed {seed}");
        }
    }
}

#[test]
fn by_key_somebody_does_or_the_test_above_proves_nothing() {
    let seen: usize = (0..100).map(|seed| surprises("key", 3, seed)).sum();
    assert!(seen > 0);
}

#[test]
fn the_order_may_be_changed_while_replies_are_owed() {
    for seed in 0..50 {
        let mut world = World::new(&Options::rough(3, seed));
        let client = world.connect();
        let mut calls = 0;
        for order in ["strict", "key", "strict", "key"] {
            world.call(client, &["CONFIG", "SET", "pipeline-order", order]);
            for n in 0..200 {
                world.call(client, &["INCR", &format!("k{}", n % 7)]);
            }
            calls += 201;
        }
        assert!(world.settle(1_000_000), "seed {seed}: nothing moves");
        assert!((0..calls).all(|_| world.next_reply(client).is_some()), "seed {seed}");
    }
}
