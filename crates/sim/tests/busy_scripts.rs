//! Scripts that run for too long, on any number of shards: everybody hears of it, may end it, and sees
//! nothing of what is half done.

use std::cell::Cell;

use stoa_sim::{ClientId, Options, World};
use stoa_stdx::{MonoNs, Rng};

const SHARDS: [u16; 3] = [1, 2, 3];
const BUSY: &str = "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN \
                    NOSAVE.\r\n";
const BUSY_FUNCTION: &str = "-BUSY Redis is busy running a script. You can only call FUNCTION KILL or \
                             SHUTDOWN NOSAVE.\r\n";
const LIBRARY: &str =
    "#!lua name=lib\nredis.register_function('spin', function() while true do end end)";

thread_local! {
    static LOOKS: Cell<u64> = const { Cell::new(0) };
}

/// A millisecond a look.
fn clock() -> MonoNs {
    LOOKS.with(|looks| {
        looks.set(looks.get() + 1);
        MonoNs(looks.get() * 1_000_000)
    })
}

fn world(shards: u16, seed: u64) -> World {
    let rough = Options::rough(shards, seed);
    let mut options = if seed.is_multiple_of(3) { rough } else { Options::calm(shards, seed) };
    options.directives.push(("busy-reply-threshold", "3"));
    options.clock = clock;
    LOOKS.with(|looks| looks.set(0));
    World::new(&options)
}

/// What runs for ever: by whom it is ended, and what others are told.
const ENDLESS: &[(&[&str], &str, &str)] = &[
    (&["EVAL \"while true do end\" 0"], "SCRIPT", BUSY),
    (&["EVAL \"redis.call('get', KEYS[1]) while true do end\" 1 a"], "SCRIPT", BUSY),
    (&["EVAL \"redis.call('get', KEYS[1]) while true do end\" 1 b"], "SCRIPT", BUSY),
    (&["EVAL \"redis.call('mget', unpack(KEYS)) while true do end\" 4 a b c d"], "SCRIPT", BUSY),
    (&["EVAL \"redis.call('get', ARGV[1]) while true do end\" 0 c"], "SCRIPT", BUSY),
    (&["MULTI", "INCR b", "EVAL \"while true do end\" 1 a", "INCR a", "EXEC"], "SCRIPT", BUSY),
    (&["FCALL spin 0"], "FUNCTION", BUSY_FUNCTION),
    (&["FCALL spin 3 a b c"], "FUNCTION", BUSY_FUNCTION),
];

#[test]
fn whoever_runs_it_all_are_told_and_each_may_end_it() {
    for shards in SHARDS {
        for (case, (lines, kind, busy)) in ENDLESS.iter().enumerate() {
            for seed in 0..2 {
                let mut rng = Rng::new(seed);
                let mut world = world(shards, seed);
                let clients: Vec<ClientId> = (0..4).map(|_| world.connect()).collect();
                let at = format!("{shards} shards, case {case}, seed {seed}");
                world.ask(clients[0], &format!("FUNCTION LOAD \"{LIBRARY}\"").replace('\n', "\\n"));
                world.ask(clients[0], "MSET a 1 b 2 c 3 d 4");
                // New scripts run where all shards take part; once they are known, where their keys are.
                for round in 0..2 {
                    for line in *lines {
                        world.say(clients[0], line);
                    }
                    for _ in 1..lines.len() {
                        world.answer(clients[0]).expect("it is queued");
                    }
                    world.run(60);
                    for client in &clients[1..] {
                        for line in ["GET a", "PING", "MGET a b c d", "EXEC", "DBSIZE"] {
                            let told = world.ask(*client, line);
                            let want = match line {
                                "EXEC" => busy.replace(
                                    "-BUSY",
                                    "-EXECABORT Transaction discarded because of: BUSY",
                                ),
                                _ => (*busy).to_owned(),
                            };
                            assert_eq!(told, want, "{at}, {round}: {line}");
                        }
                        assert_eq!(world.ask(*client, "MULTI"), "+OK\r\n", "{at}");
                        assert_eq!(world.ask(*client, "SET a 7"), *busy, "{at}");
                        assert_eq!(world.ask(*client, "DISCARD"), "+OK\r\n", "{at}");
                    }
                    let ends = *rng.pick(&clients[1..]);
                    let stats = world.ask(ends, "FUNCTION STATS");
                    assert_eq!(
                        stats.contains("\r\nspin\r\n"),
                        *kind == "FUNCTION",
                        "{at}: {stats}"
                    );
                    let other = if *kind == "SCRIPT" { "FUNCTION" } else { "SCRIPT" };
                    assert_eq!(world.ask(ends, &format!("{other} KILL")), *busy, "{at}");
                    let killed = world.ask(ends, &format!("{kind} KILL"));
                    assert_eq!(killed, "+OK\r\n", "{at}, {round}");
                    assert!(world.settle(100_000), "{at}: no rest");
                    let told = world.answer(clients[0]).expect("it is over");
                    assert!(told.contains("Script killed by user"), "{at}, {round}: {told}");
                    let idle = world.ask(ends, &format!("{kind} KILL"));
                    assert!(idle.starts_with("-NOTBUSY"), "{at}: {idle}");
                }
                let (a, b) = if lines.len() > 1 { (3, 4) } else { (1, 2) };
                for client in &clients {
                    let want = format!("*4\r\n$1\r\n{a}\r\n$1\r\n{b}\r\n$1\r\n3\r\n$1\r\n4\r\n");
                    assert_eq!(world.ask(*client, "MGET a b c d"), want, "{at}");
                }
            }
        }
    }
}

#[test]
fn a_script_that_wrote_ends_by_itself_and_till_then_is_not_to_be_ended() {
    // It goes through its own keys only, or through one it did not declare.
    for line in [
        "EVAL \"redis.call('incr', KEYS[1]) for i = 1, 30000000 do end return redis.call('incr', KEYS[2])\" 2 a b",
        "EVAL \"redis.call('incr', KEYS[1]) for i = 1, 30000000 do end return redis.call('incr', ARGV[1])\" 1 a b",
    ] {
        for shards in SHARDS {
            let mut world = world(shards, 5);
            let clients: Vec<ClientId> = (0..4).map(|_| world.connect()).collect();
            for round in 1..=3 {
                world.say(clients[0], line);
                while world.ask(clients[1], "GET a") != BUSY {}
                for client in &clients[1..] {
                    let killed = world.ask(*client, "SCRIPT KILL");
                    assert!(killed.starts_with("-UNKILLABLE"), "{shards} shards: {killed}");
                }
                assert_eq!(world.ask(clients[2], "SHUTDOWN"), BUSY, "{shards} shards");
                // An undeclared key may make it begin anew.
                let told = world.answer(clients[0]).expect("it ends");
                assert_eq!(told, format!(":{round}\r\n"), "{shards} shards");
                let both = world.ask(clients[3], "MGET a b");
                assert_eq!(both, format!("*2\r\n$1\r\n{round}\r\n$1\r\n{round}\r\n"), "{shards}");
            }
        }
    }
}

/// What one client of a crowd says at once, and how many replies it gets.
fn deed(rng: &mut Rng) -> (&'static [&'static str], Does) {
    match rng.below(12) {
        0 => (
            &[
                "EVAL \"redis.call('incr', KEYS[1]) for i = 1, 1500000 do end return redis.call('incr', KEYS[2])\" 2 a b",
            ],
            Does::Both,
        ),
        1 => (
            &[
                "EVAL \"redis.call('incr', 'b') for i = 1, 1500000 do end return redis.call('incr', 'a')\" 0",
            ],
            Does::Both,
        ),
        2 => (
            &[
                "EVAL \"redis.call('rpush', 'q', 'half') for i = 1, 1500000 do end return redis.call('lpop', 'q')\" 1 q",
            ],
            Does::Nothing,
        ),
        3 => (
            &["MULTI", "INCR a", "EVAL \"for i = 1, 1500000 do end\" 0", "INCR b", "EXEC"],
            Does::Both,
        ),
        4 | 5 => (&["MULTI", "INCR b", "INCR a", "EXEC"], Does::Both),
        6 => (
            &["EVAL \"redis.call('incr', KEYS[1]) return redis.call('incr', KEYS[2])\" 2 b a"],
            Does::Both,
        ),
        7 | 8 => (&["INCR c"], Does::Other),
        9 => (&["EXISTS a b q c"], Does::Nothing),
        _ => (&["MGET a b"], Does::Reads),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Both,
    Other,
    Reads,
    Nothing,
}

#[test]
fn nothing_is_lost_and_nothing_is_seen_half_done() {
    let mut refused = 0;
    for shards in SHARDS {
        for seed in 0..15 {
            let at = format!("{shards} shards, seed {seed}");
            let mut rng = Rng::new(seed);
            let mut world = world(shards, seed);
            let waits = world.connect();
            world.ask(waits, "MSET a 0 b 0 c 0");
            world.say(waits, "BLPOP q q2 0");
            assert!(world.settle(100_000), "{at}");
            let clients: Vec<ClientId> = (0..6).map(|_| world.connect()).collect();
            let (mut both, mut other) = (0, 0);
            let mut left = 60;
            let mut doing: Vec<Option<(usize, Does, String)>> = vec![None; clients.len()];
            for step in 0.. {
                assert!(step < 400_000, "{at}: somebody is never answered");
                for (client, doing) in clients.iter().zip(&mut doing) {
                    if let Some((replies, does, last)) = doing {
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
                        let told = last.contains("BUSY") || last.starts_with("-EXECABORT");
                        assert!(good || told, "{at}: {last}");
                        both += usize::from(good && *does == Does::Both);
                        other += usize::from(good && *does == Does::Other);
                        if good && *does == Does::Reads {
                            let words: Vec<&str> = last.split("\r\n").collect();
                            assert_eq!(words.get(2), words.get(4), "{at}: {last}");
                        }
                        *doing = None;
                    }
                    if left > 0 {
                        left -= 1;
                        let (lines, does) = deed(&mut rng);
                        lines.iter().for_each(|line| world.say(*client, line));
                        *doing = Some((lines.len(), does, String::new()));
                    }
                }
                if left == 0 && doing.iter().all(Option::is_none) {
                    break;
                }
                world.step();
            }
            let counts = world.ask(clients[0], "MGET a b c");
            let counts: Vec<&str> = counts.split("\r\n").collect();
            let number = |at: usize| counts.get(at).and_then(|word| word.parse().ok()).unwrap_or(0);
            let found: (usize, usize, usize) = (number(2), number(4), number(6));
            assert_eq!(found, (both, both, other), "{at}: {counts:?}");
            world.ask(clients[0], "RPUSH q whole");
            let served = world.answer(waits).expect("it waited for that");
            assert_eq!(served, "*2\r\n$1\r\nq\r\n$5\r\nwhole\r\n", "{at}");
        }
    }
    assert!(refused > 100, "{refused} requests met a busy server");
}
