//! `maxmemory` against the real allocator: memory that one shard takes and another frees is no longer
//! used by anybody.

#[expect(dead_code, reason = "this file uses its part")]
mod node;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use node::Node;

/// Longer than the buffers that shards keep for the next message.
const VALUE_LEN: usize = 400_000;

/// Sends a request, and gives the first line of the answer; a value behind it is read and dropped.
fn ask(client: &mut BufReader<UnixStream>, line: &str) -> String {
    client.get_mut().write_all(format!("{line}\r\n").as_bytes()).expect("it reads");
    let mut said = String::new();
    client.read_line(&mut said).expect("text");
    if let Some(len) = said.strip_prefix('$') {
        let len: usize = len.trim().parse().expect("a length");
        client.read_exact(&mut vec![0; len + 2]).expect("a value");
    }
    said
}

#[test]
fn what_one_shard_takes_and_another_frees_is_free() {
    let node = Node::start("memory", &["--maxmemory", "64mb", "--proto-max-bulk-len", "1mb"]);
    let mut clients: Vec<_> = (0..4).map(|_| BufReader::new(node.unix())).collect();
    for key in ["a", "b", "c", "d"] {
        assert_eq!(
            ask(&mut clients[0], &format!("SETRANGE {key} {} x", VALUE_LEN - 1)),
            format!(":{VALUE_LEN}\r\n")
        );
    }
    // Twenty times the limit goes from shard to shard: as answers, and as keys under other names.
    for _ in 0..200 {
        for client in &mut clients {
            for key in ["a", "b", "c", "d"] {
                assert_eq!(ask(client, &format!("GET {key}")), format!("${VALUE_LEN}\r\n"));
            }
        }
    }
    for number in 0..300 {
        ask(&mut clients[0], &format!("SETRANGE new {} x", VALUE_LEN - 1));
        assert_eq!(ask(&mut clients[1], &format!("RENAME new old{}", number % 5)), "+OK\r\n");
    }
    for (number, client) in clients.iter_mut().enumerate() {
        for key in 0..8 {
            assert_eq!(ask(client, &format!("SET small{number}:{key} 1")), "+OK\r\n");
        }
    }
}

/// A figure of INFO memory.
fn figure(info: &str, name: &str) -> i64 {
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or_else(|| panic!("{name} in {info}"))
}

#[test]
fn the_limit_is_held_against_what_info_says_is_used_less_what_it_says_is_not_counted() {
    // Buffers of the very requests that ask.
    const SLACK: i64 = 1 << 20;
    let node = Node::start("counted", &["--proto-max-bulk-len", "1mb"]);
    let mut client = BufReader::new(node.unix());
    for key in 0..40 {
        ask(&mut client, &format!("SETRANGE key{key} {} x", VALUE_LEN - 1));
    }
    for key in 0..2_000 {
        ask(&mut client, &format!("SET small{key} {key}"));
    }
    // What is given back by small keys is room that does not count.
    for key in 100..2_000 {
        ask(&mut client, &format!("DEL small{key}"));
    }
    let info = node.resp("INFO memory");
    let (used, rest) = (figure(&info, "used_memory"), figure(&info, "mem_not_counted_for_evict"));
    let counted = used - rest;
    assert!(counted > 40 * VALUE_LEN as i64 && rest > 0, "{used} used, {rest} not counted");
    for (limit, says) in [(counted - SLACK, "-OOM"), (counted + SLACK, "+OK")] {
        assert_eq!(ask(&mut client, &format!("CONFIG SET maxmemory {limit}")), "+OK\r\n");
        for key in 0..20 {
            let said = ask(&mut client, &format!("SET small{key} 1"));
            assert!(said.starts_with(says), "limit {limit}, {used} used, {rest} not: {said}");
        }
    }
}

#[test]
fn copies_of_one_pipeline_stop_at_the_limit_as_they_would_one_by_one() {
    const LEN: i64 = 4 << 20;
    let node = Node::start("copies", &["--proto-max-bulk-len", "8mb"]);
    let mut client = BufReader::new(node.unix());
    ask(&mut client, &format!("SETRANGE {{t}}s {} x", LEN - 1));
    // As large, of many blocks.
    let fill =
        "for n = 1, 60000 do redis.call('rpush', KEYS[1], string.rep('e', 60) .. n) end return 1";
    ask(&mut client, &format!("EVAL \"{fill}\" 1 {{t}}l"));
    for from in ["{t}s", "{t}l"] {
        let info = node.resp("INFO memory");
        let counted = figure(&info, "used_memory") - figure(&info, "mem_not_counted_for_evict");
        let limit = counted + 5 * LEN / 2;
        assert_eq!(ask(&mut client, &format!("CONFIG SET maxmemory {limit}")), "+OK\r\n");
        let lines: String = (0..12).map(|n| format!("COPY {from} {from}{n}\r\n")).collect();
        client.get_mut().write_all(lines.as_bytes()).expect("it reads");
        let mut made = 0;
        for _ in 0..12 {
            let mut said = String::new();
            client.read_line(&mut said).expect("text");
            assert!(said == ":1\r\n" || said.starts_with("-OOM"), "{said}");
            made += usize::from(said == ":1\r\n");
        }
        // Two leave room and the third passes the limit; how large a copy is, is an estimate.
        assert!((2..=4).contains(&made), "{made} copies of {from}");
        assert_eq!(ask(&mut client, "CONFIG SET maxmemory 0"), "+OK\r\n");
    }
}

#[test]
fn the_allocators_own_thread_comes_and_goes_with_its_directive() {
    let node = Node::start("thread", &[]);
    let runs = |node: &Node| {
        let report = node.resp("MEMORY MALLOC-STATS");
        let line = report.lines().find_map(|line| line.strip_prefix("Background threads: "));
        let count = line.and_then(|rest| rest.split(',').next()?.parse::<u32>().ok());
        count.unwrap_or_else(|| panic!("no background threads in {report}")) > 0
    };
    assert!(runs(&node), "it is there from the start");
    for (value, is_there) in [("no", false), ("no", false), ("yes", true)] {
        assert!(node.resp(&format!("CONFIG SET jemalloc-bg-thread {value}")).starts_with("+OK"));
        assert_eq!(runs(&node), is_there, "{value}");
    }
}
