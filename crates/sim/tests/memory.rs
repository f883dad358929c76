//! `maxmemory` on several shards: what is refused is refused whole, and everywhere with the same words.

use std::cell::Cell;

use stoa_sim::{ClientId, Options, World};
use stoa_stdx::Rng;

const SHARDS: [u16; 3] = [1, 2, 3];
const OUT: &str = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

fn world(options: Options, limit: &'static str) -> World {
    let mut options = options;
    options.directives.push(("maxmemory", limit));
    World::new(&options)
}

const LINES: &[(&str, &str)] = &[
    ("SET a 1", "+OK\r\n"),
    ("CONFIG SET maxmemory 1", "+OK\r\n"),
    ("SET a 2", OUT),
    ("GET a", "$1\r\n1\r\n"),
    ("DEL nosuch a2", ":0\r\n"),
    ("MSET a 1 b 2 c 3 d 4", OUT),
    ("COPY a b", OUT),
    ("RENAME a a", "+OK\r\n"),
    ("MULTI", "+OK\r\n"),
    ("GET a", OUT),
    ("SET a 3", OUT),
    ("EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n"),
    ("MULTI", "+OK\r\n"),
    ("EXEC", "*0\r\n"),
    ("MULTI", "+OK\r\n"),
    ("DISCARD", "+OK\r\n"),
    (
        "EVAL \"return redis.call('set', KEYS[1], 'x')\" 1 a",
        "-OOM command not allowed when used memory > 'maxmemory'. script: \
         ee5bed0f6963e93a14eebfb64f07c299c1b4313f, on @user_script:1.\r\n",
    ),
    ("EVAL \"return redis.call('get', KEYS[1])\" 1 a", "$1\r\n1\r\n"),
    ("EVAL \"redis.call('del', 'nosuch') return redis.call('set', KEYS[1], 'y')\" 1 a", "+OK\r\n"),
    ("EVAL \"return redis.pcall('set', KEYS[1], 'x')\" 1 b", OUT),
    ("EVAL \"#!lua flags=allow-oom\\nreturn redis.call('mset', 'a', 'z', 'b', 'z')\" 0", "+OK\r\n"),
    ("EVAL \"#!lua\\nreturn redis.call('get', KEYS[1])\" 1 a", OUT),
    ("EVAL \"#!lua flags=no-writes\\nreturn redis.call('get', KEYS[1])\" 1 a", "$1\r\nz\r\n"),
    ("LPUSH q 1", OUT),
    ("FUNCTION LOAD \"#!lua name=l\\nredis.register_function('f', function() end)\"", OUT),
    ("CONFIG SET maxmemory 0", "+OK\r\n"),
    ("MULTI", "+OK\r\n"),
    ("MSET a 8 b 8", "+QUEUED\r\n"),
    ("GET b", "+QUEUED\r\n"),
    ("CONFIG SET maxmemory 1", "+QUEUED\r\n"),
    ("EXEC", "*3\r\n+OK\r\n$1\r\n8\r\n+OK\r\n"),
    ("MSETNX n1 1 n2 2 n3 3", OUT),
    ("EXISTS n1 n2 n3 q", ":0\r\n"),
    ("CONFIG SET maxmemory 0", "+OK\r\n"),
    ("MSETNX n1 1 n2 2 n3 3", ":1\r\n"),
    // Without a limit what was found before counts for nothing.
    ("EVAL \"return redis.call('set', KEYS[1], 'w')\" 1 a", "+OK\r\n"),
];

#[test]
fn what_is_refused_and_how_does_not_hang_on_the_number_of_shards() {
    for shards in SHARDS {
        for seed in 0..4 {
            let mut world = world(Options::calm(shards, seed), "0");
            let clients: Vec<ClientId> = (0..4).map(|_| world.connect()).collect();
            for client in clients {
                world.ask(client, "FLUSHALL");
                for (line, want) in LINES {
                    assert_eq!(world.ask(client, line), *want, "{shards} shards: {line}");
                }
            }
        }
    }
}

#[test]
fn exec_is_refused_whole_when_memory_has_run_out_since_its_commands_were_queued() {
    for shards in SHARDS {
        let mut world = world(Options::calm(shards, 3), "0");
        let (client, other) = (world.connect(), world.connect());
        for (line, want) in [
            ("SET a 1", "+OK\r\n"),
            ("WATCH a", "+OK\r\n"),
            ("MULTI", "+OK\r\n"),
            ("MSET a 2 b 2", "+QUEUED\r\n"),
        ] {
            assert_eq!(world.ask(client, line), want, "{shards} shards");
        }
        world.ask(other, "CONFIG SET maxmemory 1");
        let told = world.ask(client, "EXEC");
        let want = OUT.replace("-OOM", "-EXECABORT Transaction discarded because of: OOM");
        assert_eq!(told, want, "{shards} shards");
        assert_eq!(world.ask(client, "MGET a b"), "*2\r\n$1\r\n1\r\n$-1\r\n", "{shards} shards");
        assert_eq!(world.ask(client, "EXEC"), "-ERR EXEC without MULTI\r\n");
    }
}

#[test]
fn keys_set_together_are_set_all_or_none_up_to_the_limit_and_their_end_makes_room() {
    // Small ones: where the allocator cannot be asked, larger ones are not counted.
    let value = "x".repeat(800);
    for shards in SHARDS {
        // Tables take some of it.
        let mut world = world(Options::calm(shards, 11), "2mb");
        let (writer, reader) = (world.connect(), world.connect());
        for round in 0..2 {
            let mut refused = None;
            for number in 0..1_000 {
                let value = format!("{number}{value}");
                let words: Vec<String> = (0..8).map(|k| format!("{k}:{number} {value}")).collect();
                let told = world.ask(writer, &format!("MSET {}", words.join(" ")));
                let keys: Vec<String> = (0..8).map(|key| format!("{key}:{number}")).collect();
                let found = world.ask(reader, &format!("EXISTS {}", keys.join(" ")));
                let all = if told == OUT { ":0\r\n" } else { ":8\r\n" };
                assert_eq!(found, all, "{shards} shards, {number}: {told}");
                if told == OUT {
                    refused = Some(number);
                    break;
                }
            }
            let refused = refused.expect("two megabytes are full at some time");
            assert!(refused > 60, "{shards} shards, {round}: full after {refused}");
            assert_eq!(world.ask(reader, "SET one more"), OUT, "{shards} shards");
            world.ask(reader, "FLUSHALL");
            assert!(world.settle(1_000_000), "{shards} shards: no rest");
        }
    }
}

thread_local! {
    static CHANCE: Cell<u64> = const { Cell::new(0) };
}

/// Now and then there is none left.
fn fickle() -> Option<i64> {
    let mut rng = Rng::new(CHANCE.get());
    CHANCE.set(rng.next());
    Some(if rng.one_in(8) { 1 << 40 } else { 0 })
}

/// What a client of a crowd says at once, and whether it then sets `a`, `b` and `c` together.
fn deed(rng: &mut Rng, number: u64) -> (Vec<String>, bool) {
    let n = number;
    let one = |line: String| vec![line];
    match rng.below(9) {
        0 | 1 => (one(format!("MSET a {n} b {n} c {n}")), true),
        2 => {
            let lines = ["MULTI".to_owned(), format!("MSET c {n} a {n}"), format!("SET b {n}")];
            ([&lines[..], &["EXEC".to_owned()]].concat(), true)
        }
        3 => (
            one(format!(
                "EVAL \"return redis.call('mset', 'a', '{n}', 'b', '{n}', 'c', '{n}')\" 0"
            )),
            true,
        ),
        4 => (one(format!("MSETNX x{n} 1 y{n} 2 z{n} 3")), false),
        5 => (one(format!("COPY a copy{n}")), false),
        6 => (
            vec![
                "WATCH a b".to_owned(),
                "MULTI".to_owned(),
                "MGET a b c".to_owned(),
                "EXEC".to_owned(),
            ],
            false,
        ),
        _ => (one("MGET a b c".to_owned()), false),
    }
}

#[test]
fn shards_that_refuse_their_share_now_and_then_leave_nothing_behind() {
    let mut refused = 0;
    for shards in SHARDS {
        for seed in 0..10 {
            CHANCE.set(seed);
            let at = format!("{shards} shards, seed {seed}");
            let mut options = if seed % 2 == 0 {
                Options::rough(shards, seed)
            } else {
                Options::calm(shards, seed)
            };
            options.memory = fickle;
            options.directives.extend([("timeout", "1000000"), ("hz", "500")]);
            let mut rng = Rng::new(seed);
            let mut world = world(options, "1gb");
            let clients: Vec<ClientId> = (0..5).map(|_| world.connect()).collect();
            while world.ask(clients[0], "MSET a 0 b 0 c 0") != "+OK\r\n" {}
            let (mut number, mut last_good) = (0, vec![0]);
            let mut doing: Vec<Option<(usize, bool, u64, String)>> = vec![None; clients.len()];
            for step in 0.. {
                assert!(step < 400_000, "{at}: somebody is never answered");
                for (client, doing) in clients.iter().zip(&mut doing) {
                    if let Some((replies, sets, number, last)) = doing {
                        while *replies > 0
                            && let Some(reply) = world.next_reply(*client)
                        {
                            *replies -= 1;
                            *last = String::from_utf8_lossy(&reply).into_owned();
                        }
                        if *replies > 0 {
                            continue;
                        }
                        let good = !last.starts_with('-');
                        refused += usize::from(!good);
                        assert!(
                            good || last.contains("OOM") || last.contains("EXECABORT"),
                            "{at}: {last}"
                        );
                        if good && *sets {
                            last_good.push(*number);
                        }
                        *doing = None;
                    }
                    if number < 60 {
                        number += 1;
                        let (lines, sets) = deed(&mut rng, number);
                        lines.iter().for_each(|line| world.say(*client, line));
                        *doing = Some((lines.len(), sets, number, String::new()));
                    }
                }
                if number == 60 && doing.iter().all(Option::is_none) {
                    break;
                }
                world.step();
                world.advance(1);
            }
            let all = world.ask(clients[0], "MGET a b c");
            let words: Vec<&str> = all.split("\r\n").collect();
            assert!(words[2] == words[4] && words[4] == words[6], "{at}: {all:?}");
            let last: u64 = words[2].parse().expect("a number");
            assert!(last_good.contains(&last), "{at}: {last} was refused");
            for number in 1..=60 {
                let line = format!("EXISTS x{number} y{number} z{number}");
                let found = world.ask(clients[1], &line);
                assert!(found == ":0\r\n" || found == ":3\r\n", "{at}: {number} {found}");
            }
        }
    }
    assert!(refused > 100, "{refused} requests met a shard without memory");
}

#[test]
fn copies_asked_for_together_are_judged_as_if_each_before_them_was_made() {
    let value = "redis.call('set', KEYS[1], string.rep('0123456789', 300000))";
    for shards in SHARDS {
        let mut world = world(Options::calm(shards, 7), "0");
        let clients: Vec<ClientId> = (0..3).map(|_| world.connect()).collect();
        let other = world.connect();
        // Each its own: who wants the same waits for the one before, and is judged after that.
        for from in ["{t}1", "{t}2", "{t}3"] {
            assert_eq!(world.ask(other, &format!("EVAL \"{value}\" 1 {from}")), "$-1\r\n");
        }
        world.ask(other, "CONFIG SET maxmemory 2mb");
        // Keys of one shard first. Accounts of several are known to each other after a turn.
        for (targets, at_most) in [(["{t}b", "{t}c", "{t}d"], 1), (["x", "y", "z"], shards)] {
            for (number, (client, to)) in (1..).zip(clients.iter().zip(targets)) {
                world.say(*client, &format!("COPY {{t}}{number} {to}"));
            }
            // Some tens of portions are left.
            world.run(5 * u64::from(shards));
            assert_eq!(world.ask(other, "SET {t}small 1"), OUT, "{shards} shards, {targets:?}");
            let told: Vec<_> = clients.iter().map(|client| world.answer(*client)).collect();
            let count = |what| told.iter().filter(|told| told.as_deref() == Some(what)).count();
            let (made, refused) = (count(":1\r\n"), count(OUT));
            assert!((1..=at_most.into()).contains(&made), "{shards} shards: {told:?}");
            assert_eq!(made + refused, 3, "{shards} shards: {told:?}");
            // Where the allocator cannot be asked large values are not counted once they are there.
            assert_eq!(world.ask(other, "SET {t}small 1"), "+OK\r\n", "{shards} shards");
        }
        // So it is within one pipeline.
        let pipeline = ["COPY {t}1 {t}p", "COPY {t}2 {t}q", "SET {t}small 1"];
        pipeline.iter().for_each(|line| world.say(other, line));
        let told = [0; 3].map(|_| world.answer(other).expect("a reply"));
        assert!(shards > 1 || told == [":1\r\n", OUT, OUT], "{told:?}");
    }
}
