//! What INFO counts of commands: the same on any number of shards, and by Redis's rules.

use stoa_sim::{Options, World};

/// One client's calls, one at a time, then what `INFO` says in `sections`.
fn counted(shards: u16, calls: &[&str], sections: &[&str]) -> String {
    let mut world = World::new(&Options::calm(shards, 1));
    let client = world.connect();
    for call in calls {
        world.ask_to_rest(client, &call.split(' ').collect::<Vec<_>>());
    }
    let info = world.ask_to_rest(client, &[&["INFO"], sections].concat());
    // The bulk's length says how many digits there are; nothing else may differ.
    info.lines().skip(1).collect::<Vec<_>>().join("\n")
}

/// Commands of every way through the shards, good, bad and refused.
const CALLS: &[&str] = &[
    "SET a 1",
    "SET b x",
    "SET c 3 NONSENSE",
    "GET a",
    "GET",
    "INCR b",
    "MSET a 1 b 2 c 3 d 4",
    "MSET a 1 b",
    "MGET a b c d e f",
    "DEL a b c d e f",
    "EXISTS a b c d",
    "SET a 1",
    "SET b 2",
    "RENAME a zz",
    "RENAME nosuch zz",
    "COPY zz a",
    "COPY zz a WRONG",
    "BITOP AND k a b zz",
    "DBSIZE",
    "KEYS *",
    "SCAN 0",
    "SCAN nonsense",
    "SCAN 0 COUNT 0",
    "RANDOMKEY",
    "PING",
    "PING 1 2",
    "NOSUCH",
    "CONFIG SET maxclients 100",
    "CONFIG SET maxclients x",
    "CONFIG SET nosuch 1",
    "CONFIG NOSUCH",
    "CLIENT LIST TYPE nosuch",
    "CLIENT KILL ID nosuch",
    "HELLO 9",
    "EXPIRE a 1 NONSENSE",
    "FLUSHALL",
    "TOUCH a b c",
    "UNLINK a b c",
];

#[test]
fn the_counts_do_not_tell_how_many_shards_there_are() {
    let sections = ["commandstats", "errorstats"];
    let alone = counted(1, CALLS, &sections);
    for shards in [2, 3, 7, 16] {
        assert_eq!(counted(shards, CALLS, &sections), alone, "{shards} shards");
    }
}

/// Commands inside EXEC and inside scripts, which fail in every way there is.
const NESTED: &[&str] = &[
    "SET s 1",
    "SET a 1",
    "MULTI",
    "SET t 1",
    "LPUSH s x",
    "INCR a",
    "EVALSHA 0123 0",
    "EVAL return{redis.pcall('LPUSH','s','x'),redis.pcall('GET'),redis.error_reply('MY')} 1 s",
    "EXEC",
    "EXEC",
    "MULTI",
    "SET",
    "EXEC",
    // An EXEC that is refused ends its transaction.
    "MULTI",
    "SET t 2",
    "EXEC 1",
    "EXEC",
    "EVAL return(redis.call('LPUSH',KEYS[1],'x')) 1 s",
    "EVAL return(redis.pcall('LPUSH',KEYS[1],'x')) 1 s",
    "EVAL redis.pcall('LPUSH',KEYS[1],'x')redis.pcall('NOSUCH')return(1) 1 s",
    "EVAL return(redis.call('SUBSCRIBE','x')) 0",
    "EVAL_RO return(redis.call('SET',KEYS[1],'x')) 1 s",
    "EVAL redis.pcall('INCR',KEYS[1])redis.call('SET','elsewhere',1)redis.call('DEL','else','where')return({err='OWN'}) 1 s",
    "EVAL error('x') 0",
];

#[test]
fn what_runs_inside_others_counts_once_on_any_number_of_shards() {
    let sections = ["commandstats", "errorstats"];
    let alone = counted(1, NESTED, &sections);
    for (name, calls, rejected, failed) in [
        ("lpush", 5, 0, 5),
        ("get", 0, 1, 0),
        ("set", 4, 2, 0),
        // What ran and failed inside, each of three errors of an answer, and its own.
        ("eval", 7, 0, 8),
        ("eval_ro", 1, 0, 1),
        ("exec", 4, 1, 3),
        ("evalsha", 1, 0, 1),
        ("subscribe", 0, 1, 0),
    ] {
        let line = alone.lines().find(|line| line.starts_with(&format!("cmdstat_{name}:")));
        let line = line.unwrap_or_else(|| panic!("{name} is missing: {alone}"));
        assert!(line.contains(&format!(":calls={calls},")), "{calls}: {line}");
        let refused = format!("rejected_calls={rejected},failed_calls={failed}");
        assert!(line.contains(&refused), "{refused}: {line}");
    }
    for (word, count) in [("WRONGTYPE", 5), ("ERR", 10), ("NOSCRIPT", 1), ("EXECABORT", 2)] {
        assert!(alone.contains(&format!("errorstat_{word}:count={count}")), "{word}: {alone}");
    }
    for shards in [2, 3, 7] {
        assert_eq!(counted(shards, NESTED, &sections), alone, "{shards} shards");
    }
}

#[test]
fn a_wait_counts_when_it_ends() {
    for shards in [1, 2, 5] {
        for keys in ["a", "a b c d e"] {
            let mut world = World::new(&Options::calm(shards, 1));
            let [waits, other] = [(); 2].map(|()| world.connect());
            let id = world.ask_to_rest(waits, &["CLIENT", "ID"]);
            let id = id.trim_start_matches(':').trim_end();
            for (how, seconds) in [("ERROR", "0"), ("TIMEOUT", "0"), ("", "1")] {
                let line = format!("BLPOP {keys} {seconds}");
                world.call(waits, &line.split(' ').collect::<Vec<_>>());
                assert!(world.settle(1_000_000), "{line}: nothing moves");
                if how.is_empty() {
                    world.advance(1_001);
                } else {
                    world.ask_to_rest(other, &["CLIENT", "UNBLOCK", id, how]);
                }
                assert!(world.settle(1_000_000), "{line}: nothing moves");
                world.next_reply(waits).expect("the end of its wait");
            }
            let info = world.ask_to_rest(other, &["INFO", "commandstats", "errorstats"]);
            let blpop = info.lines().find(|line| line.starts_with("cmdstat_blpop:")).expect(&info);
            assert!(blpop.contains(":calls=3,"), "{shards} shards, {keys}: {blpop}");
            assert!(blpop.contains("rejected_calls=0,failed_calls=1"), "{shards}, {keys}: {blpop}");
            assert!(info.contains("errorstat_UNBLOCKED:count=1"), "{shards}, {keys}: {info}");
        }
    }
}

#[test]
fn a_command_counts_once_whatever_it_takes() {
    for shards in [1, 3, 16] {
        let info = counted(shards, CALLS, &["commandstats", "stats"]);
        for (name, calls, rejected, failed) in [
            ("mget", 1, 0, 0),
            ("del", 1, 0, 0),
            ("get", 1, 1, 0),
            ("set", 5, 0, 1),
            ("incr", 1, 0, 1),
            // An odd number of words is found by the command itself, as in Redis.
            ("mset", 2, 0, 1),
            ("rename", 2, 0, 1),
            ("copy", 2, 0, 1),
            ("bitop", 1, 0, 0),
            ("scan", 3, 0, 2),
            ("ping", 2, 0, 1),
            ("dbsize", 1, 0, 0),
            ("config|set", 3, 0, 2),
            ("client|list", 1, 0, 1),
            ("hello", 1, 0, 1),
            ("expire", 1, 0, 1),
            ("flushall", 1, 0, 0),
        ] {
            let line = info.lines().find(|line| line.starts_with(&format!("cmdstat_{name}:")));
            let line = line.unwrap_or_else(|| panic!("{name} is missing: {info}"));
            assert!(line.contains(&format!(":calls={calls},")), "{shards} shards, {calls}: {line}");
            let refused = format!("rejected_calls={rejected},failed_calls={failed}");
            assert!(line.contains(&refused), "{shards} shards, {refused}: {line}");
        }
        let processed = info.lines().find_map(|l| l.strip_prefix("total_commands_processed:"));
        // All but those that were refused before they ran: GET and the two without a name.
        assert_eq!(processed, Some((CALLS.len() - 3).to_string().as_str()), "{shards} shards");
    }
}

#[test]
fn rates_are_those_of_the_last_moments_on_all_shards() {
    let mut world = World::new(&Options::calm(3, 1));
    let client = world.connect();
    // Every key's shard is seen by INFO, wherever its client is.
    for turn in 0..200 {
        world.advance(20);
        world.ask_to_rest(client, &["SET", &format!("k{turn}"), "v", "PX", "100000"]);
    }
    let number = |info: &str, name: &str| -> f64 {
        let value = info.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name}: {info}"))
    };
    let info = world.ask_to_rest(client, &["INFO", "stats", "keyspace"]);
    let ops = number(&info, "instantaneous_ops_per_sec");
    assert!((40.0..=55.0).contains(&ops), "{ops} of 50");
    // Some 46 bytes each, 50 times a second.
    let input = number(&info, "instantaneous_input_kbps");
    assert!((1.8..3.0).contains(&input), "{input}");
    let output = number(&info, "instantaneous_output_kbps");
    assert!((0.1..0.5).contains(&output), "{output}");
    let ttl = info.split("avg_ttl=").nth(1).and_then(|rest| rest.split(',').next());
    let ttl: u64 = ttl.and_then(|ttl| ttl.parse().ok()).expect(&info);
    assert!((97_000..=99_000).contains(&ttl), "{ttl} of 98,000: {info}");
    // Nobody was woken meanwhile.
    world.advance(10_000);
    let info = world.ask_to_rest(client, &["INFO", "stats"]);
    assert!(number(&info, "instantaneous_ops_per_sec") < 1.0, "{info}");
}
