//! Scripts find all keys, declared or not, and nobody can tell how many shards there are.

use stoa_sim::law::{Pace, replies};
use stoa_sim::{Item, Program};

/// A request from words; single quotes hold words together.
fn call(line: &str) -> Item {
    let words = stoa_config::split_words(line.as_bytes()).expect("quotes match");
    Item::Call(words)
}

const LINES: &[&str] = &[
    "MSET a 1 b 2 c 3 d 4 e 5",
    // Declared, on one shard or several.
    "EVAL \"return redis.call('get', KEYS[1])\" 1 a",
    "EVAL \"return redis.call('mget', unpack(KEYS))\" 5 a b c d e",
    "EVAL \"redis.call('rename', KEYS[1], KEYS[2]); return redis.call('get', KEYS[2])\" 2 a z",
    // Undeclared, before and after something was written.
    "EVAL \"return redis.call('get', 'b')\" 0",
    "EVAL \"redis.call('incr', KEYS[1]); return redis.call('incr', ARGV[1])\" 1 b c",
    "EVAL \"redis.call('incr', KEYS[1]); return redis.call('incr', ARGV[1])\" 1 b c",
    "EVAL \"redis.call('incr', KEYS[1]); return redis.call('incr', ARGV[1])\" 1 c d",
    "MGET a b c d e z",
    // An error undoes nothing, as everywhere.
    "EVAL \"redis.call('set', 'x', '1'); redis.call('incr', 'z'); return redis.call('nosuch')\" 0",
    "MGET x z",
    // By name, wherever it was run first.
    "EVAL \"return 'hello'\" 1 k1",
    "EVALSHA 1b936e3fe509bcbc9cd0664897bbe8fd0cac101b 1 k2",
    "EVALSHA 1b936e3fe509bcbc9cd0664897bbe8fd0cac101b 1 k3",
    "EVALSHA 1b936e3fe509bcbc9cd0664897bbe8fd0cac101b 0",
    "SCRIPT EXISTS 1b936e3fe509bcbc9cd0664897bbe8fd0cac101b",
    "SCRIPT FLUSH",
    "EVALSHA 1b936e3fe509bcbc9cd0664897bbe8fd0cac101b 1 k2",
    // Commands about all keys.
    "EVAL \"return redis.call('dbsize')\" 0",
    "EVAL \"local k = redis.call('keys', '*'); table.sort(k); return k\" 0",
    "EVAL \"redis.call('set', 'new', '1'); return redis.call('dbsize')\" 1 b",
    "EVAL \"redis.call('flushall'); redis.call('set', 'only', '1'); return redis.call('dbsize')\" 0",
    "DBSIZE",
    // In a transaction, with what a transaction does besides.
    "MSET a 1 b 2 c 3",
    "WATCH a b",
    "MULTI",
    "EVAL \"return redis.call('incr', 'c')\" 0",
    "INCR a",
    "EVAL \"return redis.call('incrby', 'b', redis.call('get', 'a'))\" 1 b",
    "DBSIZE",
    "SCAN 0 COUNT 100",
    "EXEC",
    "MGET a b c",
    // What a script changes breaks a watch.
    "WATCH a",
    "EVAL \"return redis.call('incr', 'a')\" 0",
    "MULTI",
    "GET a",
    "EXEC",
    "WATCH a",
    "EVAL \"return redis.call('get', 'a')\" 0",
    "MULTI",
    "GET a",
    "EXEC",
];

#[test]
fn scripts_answer_the_same_on_any_number_of_shards() {
    let program = Program(LINES.iter().map(|line| call(line)).collect());
    for seed in 0..40 {
        let pace = if seed % 2 == 0 { Pace::OneByOne } else { Pace::Pipelined };
        let want = replies(&program, 1, seed, pace).expect("one shard answers");
        for shards in [2, 3, 5, 8, 16] {
            let got = replies(&program, shards, seed, pace).expect("all shards answer");
            for ((line, want), got) in LINES.iter().zip(&want).zip(&got) {
                let (want, got) = (String::from_utf8_lossy(want), String::from_utf8_lossy(got));
                assert_eq!(got, want, "{shards} shards, seed {seed}, {pace:?}: {line}");
            }
            assert_eq!(got, want, "{shards} shards, seed {seed}, {pace:?}: what is left");
        }
    }
}

#[test]
fn what_a_transaction_tells_all_shards_reaches_all_shards() {
    for shards in [1, 2, 3, 8] {
        let mut world = stoa_sim::World::new(&stoa_sim::Options::calm(shards, 7));
        let clients: Vec<_> = (0..8).map(|_| world.connect()).collect();
        let mut say = |client: usize, line: &str| {
            let words = stoa_config::split_words(line.as_bytes()).expect("quotes match");
            world.call(clients[client], &words);
            assert!(world.settle(10_000), "{line} goes round in circles");
            world.next_reply(clients[client]).expect("it is answered")
        };
        for line in ["MULTI", "CONFIG SET timeout 77", "CLIENT LIST", "DBSIZE"] {
            say(0, line);
        }
        let all = String::from_utf8_lossy(&say(0, "EXEC")).into_owned();
        assert!(all.starts_with("*3\r\n+OK\r\n") && all.ends_with(":0\r\n"), "{shards}: {all}");
        for client in 0..clients.len() {
            let told = say(client, "CONFIG GET timeout");
            assert_eq!(told, b"*2\r\n$7\r\ntimeout\r\n$2\r\n77\r\n", "{shards} shards, {client}");
        }
    }
}

#[test]
fn what_others_said_is_heard_though_a_script_behind_it_is_put_back() {
    const KEYS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
    for shards in [1, 2, 3, 8] {
        for seed in 0..10 {
            let mut world = stoa_sim::World::new(&stoa_sim::Options::calm(shards, seed));
            let (listener, client) = (world.connect(), world.connect());
            let say = |world: &mut stoa_sim::World, client, line: &str| {
                let words = stoa_config::split_words(line.as_bytes()).expect("quotes match");
                world.call(client, &words);
                assert!(world.settle(10_000), "{line} goes round in circles");
            };
            say(&mut world, client, "CONFIG SET notify-keyspace-events Ex");
            say(&mut world, listener, "SUBSCRIBE __keyevent@0__:expired");
            for key in KEYS {
                say(&mut world, client, &format!("SET {key}:due 1 PX 50"));
            }
            // The keys end in the very passes in which scripts find out that they want others.
            world.advance(100);
            for (key, other) in KEYS.iter().zip(&KEYS[1..]) {
                let script =
                    format!("redis.call('incr', KEYS[1]) return redis.call('get', '{other}{key}')");
                world.call(client, &["EVAL", &script, "1", &format!("{{{key}:due}}")]);
            }
            assert!(world.settle(100_000), "the scripts go round in circles");
            let mut heard = Vec::new();
            while let Some(line) = world.next_reply(listener) {
                heard.push(String::from_utf8_lossy(&line).into_owned());
            }
            let count = |key: &&str| {
                let name = format!("\r\n{key}:due\r\n");
                heard.iter().filter(|line| line.ends_with(&name)).count()
            };
            let counts: Vec<usize> = KEYS.iter().map(count).collect();
            assert_eq!(counts, [1; 8], "{shards} shards, seed {seed}: {heard:?}");
        }
    }
}
