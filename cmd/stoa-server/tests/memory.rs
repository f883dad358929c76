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
