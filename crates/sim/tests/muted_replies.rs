//! CLIENT REPLY: what is skipped, and what is heard all the same, on the shard of the key or another.

use stoa_sim::{Options, World};

/// The reply stream to `calls`, sent at once.
fn heard(shards: u16, calls: &[&[&str]]) -> String {
    let mut world = World::new(&Options::calm(shards, 1));
    let client = world.connect();
    for call in calls {
        world.call(client, call);
    }
    assert!(world.settle(1_000_000), "{calls:?} on {shards} shards: nothing moves");
    let mut all = Vec::new();
    while let Some(reply) = world.next_reply(client) {
        all.extend(reply);
    }
    String::from_utf8(all).expect("text")
}

#[test]
fn a_skipped_command_is_the_only_one_not_heard() {
    const SKIP: &[&str] = &["CLIENT", "REPLY", "SKIP"];
    const ON: &[&str] = &["CLIENT", "REPLY", "ON"];
    const OFF: &[&str] = &["CLIENT", "REPLY", "OFF"];
    const PING: &[&str] = &["PING"];
    const SET: &[&str] = &["SET", "a", "1"];
    const BAD: &[&str] = &["NOSUCH"];
    let cases: &[(&[&[&str]], &str)] = &[
        (&[SKIP, PING, PING], "+PONG\r\n"),
        (&[SKIP, SET, PING], "+PONG\r\n"),
        (&[SKIP, BAD, PING], "+PONG\r\n"),
        (&[SKIP, ON, PING], "+OK\r\n+PONG\r\n"),
        (&[SKIP, SKIP, PING, PING], "+PONG\r\n"),
        (&[SKIP, OFF, PING, ON, SET], "+OK\r\n+OK\r\n"),
        (&[OFF, SKIP, PING, PING, ON, PING], "+OK\r\n+PONG\r\n"),
        (&[SKIP, &["CLIENT", "LIST"], PING], "+PONG\r\n"),
        (&[SKIP, &["RESET"], PING], "+PONG\r\n"),
        (&[OFF, &["RESET"], PING], "+RESET\r\n+PONG\r\n"),
    ];
    for shards in [1, 2, 7] {
        for (calls, want) in cases {
            assert_eq!(heard(shards, calls), *want, "{calls:?} on {shards} shards");
        }
    }
}

#[test]
fn a_request_without_words_uses_up_a_skipped_reply() {
    // As redis-server: it forgets the skip with the request, whatever that was.
    for empty in ["*0\r\n", "\r\n", "*-1\r\n"] {
        for shards in [1, 3] {
            let mut world = World::new(&Options::calm(shards, 1));
            let client = world.connect();
            let bytes = format!("CLIENT REPLY SKIP\r\n{empty}PING\r\nECHO a\r\n{empty}ECHO b\r\n");
            world.write(client, bytes.as_bytes());
            assert!(world.settle(1_000_000), "nothing moves");
            let replies = std::iter::from_fn(|| world.next_reply(client)).flatten().collect();
            let text = String::from_utf8(replies).expect("text");
            assert_eq!(text, "+PONG\r\n$1\r\na\r\n$1\r\nb\r\n", "{empty:?}, {shards} shards");
        }
    }
}
