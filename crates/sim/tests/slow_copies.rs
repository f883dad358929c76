//! Copies of large values, on any number of shards: others go on meanwhile, who wants their keys waits,
//! and what comes of them is what one step would have made.

use stoa_sim::{ClientId, Options, World};
use stoa_stdx::Rng;

const SHARDS: [u16; 3] = [1, 2, 3];
/// Each makes a value of some megabytes at KEYS[1].
const VALUES: [&str; 6] = [
    "for n = 1, 60000 do redis.call('sadd', KEYS[1], 'member:' .. n) end",
    "for n = 1, 60000 do redis.call('zadd', KEYS[1], n % 977, 'member:' .. n) end",
    "for n = 1, 60000 do redis.call('rpush', KEYS[1], 'element:' .. n .. string.rep('e', 30)) end",
    "for n = 1, 60000 do redis.call('hset', KEYS[1], 'field:' .. n, 'value:' .. n) end",
    "for n = 1, 60000 do redis.call('xadd', KEYS[1], n, 'field', 'value:' .. n) end",
    "redis.call('set', KEYS[1], string.rep('0123456789', 300000))",
];
/// Steps a shard after which a request that came is under way; a copy takes some forty portions.
const BEGUN: u64 = 3;
/// Of several slots: some pairs are of one shard, some of two.
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn fill(world: &mut World, client: ClientId, script: &str, key: &str) {
    world.ask(client, &format!("EVAL \"{script}\" 1 {key}"));
}

fn digest(world: &mut World, client: ClientId, key: &str) -> String {
    world.ask(client, &format!("DEBUG DIGEST-VALUE {key}"))
}

#[test]
fn others_go_on_while_a_large_value_is_copied_and_who_wants_its_keys_waits() {
    for shards in SHARDS {
        for (number, script) in VALUES.iter().enumerate() {
            for (from, to) in [("a", "b"), ("d", "a")] {
                let at = format!("{shards} shards, value {number}, {from} to {to}");
                let mut world = World::new(&Options::calm(shards, 1));
                let [one, two, three] = [0; 3].map(|_| world.connect());
                fill(&mut world, one, script, from);
                world.ask(two, &format!("EXPIRE {from} 1000"));
                let was = digest(&mut world, two, from);
                world.say(one, &format!("COPY {from} {to}"));
                world.run(BEGUN * u64::from(shards));
                world.say(three, &format!("DEL {from}"));
                // Both ways take some tens of passes, and nobody has answered the first yet.
                assert_eq!(world.ask(two, "SET other 1"), "+OK\r\n", "{at}");
                assert_eq!(world.next_reply(one), None, "{at}: it is not done so soon");
                assert_eq!(world.next_reply(three), None, "{at}: the key is held");
                assert_eq!(world.answer(one).as_deref(), Some(":1\r\n"), "{at}");
                assert_eq!(world.answer(three).as_deref(), Some(":1\r\n"), "{at}");
                assert_eq!(digest(&mut world, two, to), was, "{at}");
                assert_eq!(world.ask(two, &format!("TTL {to}")), ":1000\r\n", "{at}");
                assert_eq!(world.ask(two, "DBSIZE"), ":2\r\n", "{at}");
                assert_eq!(world.ask(two, "FLUSHALL"), "+OK\r\n", "{at}");
                assert!(world.settle(20_000), "{at}: it comes to rest");
            }
        }
    }
}

#[test]
fn what_names_no_key_does_not_take_one_away_that_is_being_copied() {
    let takes = [
        ("FLUSHALL", "+OK\r\n"),
        ("FLUSHDB", "+OK\r\n"),
        ("SWAPDB 0 1", "+OK\r\n"),
        ("EVAL \"return redis.call('DEL', 'a')\" 0", ":1\r\n"),
        ("EVAL \"redis.call('DEL', 'a') return redis.call('SADD', 'a', 'x')\" 1 other", ":1\r\n"),
        ("EVAL \"return redis.call('FLUSHALL')\" 0", "+OK\r\n"),
    ];
    for shards in SHARDS {
        for ((take, said), within) in takes.iter().flat_map(|it| [(it, false), (it, true)]) {
            let at = format!("{shards} shards, {take}, in EXEC: {within}");
            let mut world = World::new(&Options::calm(shards, 1));
            let [one, two] = [0; 2].map(|_| world.connect());
            fill(&mut world, one, VALUES[2], "a");
            if within {
                world.ask(two, "MULTI");
                world.ask(two, take);
            }
            world.say(one, "COPY a b");
            world.run(BEGUN * u64::from(shards));
            world.say(two, if within { "EXEC" } else { take });
            assert_eq!(world.answer(one).as_deref(), Some(":1\r\n"), "{at}");
            let answer = world.answer(two).expect("it waited for the copy only");
            assert!(answer.ends_with(said), "{at}: {answer}");
            assert!(world.settle(200_000), "{at}: it comes to rest");
            let left = if take.contains("'DEL'") { ":1\r\n" } else { ":0\r\n" };
            assert_eq!(world.ask(one, "EXISTS b"), left, "{at}");
        }
    }
}

#[test]
fn reloading_all_keys_and_their_digest_wait_for_those_that_are_being_copied() {
    for shards in SHARDS {
        for (to, within) in [("b", false), ("c", false), ("b", true)] {
            let at = format!("{shards} shards, a to {to}, in EXEC: {within}");
            let mut world = World::new(&Options::calm(shards, 1));
            let [one, two, three] = [0; 3].map(|_| world.connect());
            fill(&mut world, one, VALUES[1], "a");
            let was = digest(&mut world, one, "a");
            for client in [two, three].iter().filter(|_| within) {
                world.ask(*client, "MULTI");
            }
            let said = [(two, "DEBUG RELOAD", "+OK\r\n"), (three, "DEBUG DIGEST", "\r\n")];
            for (client, line, _) in said.iter().filter(|_| within) {
                world.ask(*client, line);
            }
            world.say(one, &format!("COPY a {to}"));
            world.run(BEGUN * u64::from(shards));
            for (client, line, _) in said {
                world.say(client, if within { "EXEC" } else { line });
            }
            world.run(BEGUN * u64::from(shards));
            assert_eq!(said.map(|(client, ..)| world.next_reply(client)), [None, None], "{at}");
            assert_eq!(world.answer(one).as_deref(), Some(":1\r\n"), "{at}");
            let mut told = String::new();
            for (client, _, end) in said {
                told = world.answer(client).expect("it waited for the copy only");
                assert!(told.ends_with(end) && !told.contains("-ERR"), "{at}: {told}");
            }
            assert!(told.ends_with(&world.ask(one, "DEBUG DIGEST")), "{at}: it saw both keys");
            for key in ["a", to] {
                assert_eq!(digest(&mut world, one, key), was, "{at}, {key}");
            }
            assert!(world.settle(200_000), "{at}: it comes to rest");
        }
    }
}

#[test]
fn a_copy_happens_at_the_moment_it_was_asked_for() {
    for shards in SHARDS {
        for (from, to) in [("a", "b"), ("a", "c"), ("d", "a")] {
            let at = format!("{shards} shards, {from} to {to}");
            let mut world = World::new(&Options::calm(shards, 1));
            let [one, two] = [0; 2].map(|_| world.connect());
            // Two thirds are left when time passes.
            fill(&mut world, one, &VALUES[3].replace("60000", "120000"), from);
            world.ask(two, &format!("HPEXPIRE {from} 100 FIELDS 2 field:1 field:2"));
            world.ask(two, &format!("PEXPIRE {from} 5000"));
            world.say(one, &format!("COPY {from} {to}"));
            world.run(3 * BEGUN * u64::from(shards));
            world.say(two, &format!("HLEN {to}"));
            world.advance(200);
            assert_eq!(world.answer(one).as_deref(), Some(":1\r\n"), "{at}");
            world.answer(two).expect("it waited for the copy only");
            for key in [from, to] {
                assert_eq!(world.ask(two, &format!("HLEN {key}")), ":119998\r\n", "{at}");
            }
            // Its deadline passes while it is copied: it was there, and so the copy was.
            world.ask(one, &format!("DEL {to}"));
            world.say(one, &format!("COPY {from} {to}"));
            world.run(3 * BEGUN * u64::from(shards));
            world.advance(6_000);
            assert_eq!(world.answer(one).as_deref(), Some(":1\r\n"), "{at}");
            assert_eq!(world.ask(two, &format!("EXISTS {from} {to}")), ":0\r\n", "{at}");
            assert_eq!(world.ask(two, "DBSIZE"), ":0\r\n", "{at}");
        }
    }
}

#[test]
fn a_client_that_leaves_takes_nothing_with_it_and_others_may_ask_for_the_same_key() {
    for shards in SHARDS {
        for seed in 0..6 {
            let at = format!("{shards} shards, seed {seed}");
            let mut rng = Rng::new(seed);
            let mut world = World::new(&Options::rough(shards, seed));
            let clients: Vec<ClientId> = (0..4).map(|_| world.connect()).collect();
            let other = world.connect();
            fill(&mut world, other, VALUES[0], "a");
            let was = digest(&mut world, other, "a");
            for (client, to) in clients.iter().zip(&NAMES[1..]) {
                world.say(*client, &format!("COPY a {to} REPLACE"));
                if rng.one_in(2) {
                    world.run(rng.below(20));
                }
            }
            world.disconnect(clients[1]);
            assert!(world.settle(200_000), "{at}: it comes to rest");
            for to in &NAMES[1..] {
                // Who left so early that its request was not read has asked for nothing.
                let copied = digest(&mut world, other, to);
                assert!(copied == was || *to == NAMES[2], "{at}, {to}: {copied}");
            }
        }
    }
}

#[test]
fn within_a_transaction_or_a_script_a_copy_is_made_whole() {
    for shards in SHARDS {
        let mut world = World::new(&Options::calm(shards, 1));
        let [one, two] = [0; 2].map(|_| world.connect());
        fill(&mut world, one, VALUES[1], "a");
        let was = digest(&mut world, one, "a");
        for line in ["MULTI", "COPY a b", "ZADD a 1 more", "ZCARD b"] {
            world.ask(one, line);
        }
        assert_eq!(world.ask(one, "EXEC"), "*3\r\n:1\r\n:1\r\n:60000\r\n");
        assert_eq!(digest(&mut world, two, "b"), was);
        let script = "EVAL \"return redis.call('copy', KEYS[1], KEYS[2])\" 2 b c";
        assert_eq!(world.ask(one, script), ":1\r\n", "{shards} shards");
        assert_eq!(digest(&mut world, two, "c"), was, "{shards} shards");
    }
}
