//! Requests of one kind through a shard in place, sixteen a connection and pass as a pipelining client
//! sends them: what is left of a command's cost without sockets.
//!
//! ```text
//! cargo build --release -p stoa --example per_command
//! valgrind --tool=callgrind --toggle-collect='*per_command::measured*' \
//!     target/release/examples/per_command lpush 20000
//! ```
//!
//! Callgrind's sum over the number of requests is instructions a request, which no neighbour on the
//! machine disturbs. Without valgrind it prints nanoseconds of wall time, which they do.

use std::sync::Arc;
use std::time::Instant;

use stoa_config::Config;
use stoa_engine::Facts;
use stoa_shard::{Moment, Pass, PeerFacts, Setup, Shard};
use stoa_stdx::{ConnId, HashSeed, MonoNs, Rng, ShardId, UnixMs};

const CONNECTIONS: usize = 8;
const PIPELINE: usize = 16;
const KEYS: u64 = 100_000;
const NOW: Moment = Moment { mono: MonoNs(1_000_000_000), unix: UnixMs(1_700_000_000_000) };

/// How a run is prepared, and what is sent then. `#` is a number by chance.
const KINDS: &[(&str, &str, &str)] = &[
    ("get", "SET key:# xxx", "GET key:#"),
    ("set", "SET key:# xxx", "SET key:# xxx"),
    ("incr", "INCR n:#", "INCR n:#"),
    ("lpush", "LPUSH mylist xxx", "LPUSH mylist xxx"),
    ("rpush", "RPUSH mylist xxx", "RPUSH mylist xxx"),
    ("lpop", "LPUSH mylist xxx", "LPOP mylist"),
    ("rpop", "LPUSH mylist xxx", "RPOP mylist"),
    ("lpop-none", "PING", "LPOP mylist"),
    ("sadd", "SADD myset element:#", "SADD myset element:#"),
    ("spop", "SADD myset element:#", "SPOP myset"),
    ("spop-none", "PING", "SPOP myset"),
    ("hset", "HSET myhash element:# xxx", "HSET myhash element:# xxx"),
    ("zadd", "ZADD myzset # element:#", "ZADD myzset # element:#"),
    ("zrank", "ZADD myzset # element:#", "ZRANK myzset element:#"),
    ("zrange", "ZADD myzset # element:#", "ZRANGE myzset # +inf BYSCORE LIMIT 0 10"),
    ("zpopmin", "ZADD myzset # element:#", "ZPOPMIN myzset"),
    ("zpopmin-none", "PING", "ZPOPMIN myzset"),
    ("lrange", "LPUSH mylist xxx", "LRANGE mylist 0 99"),
    ("xadd", "PING", "XADD mystream * myfield xxx"),
];

fn main() {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_else(|| "get".to_owned());
    let count: usize = words.next().and_then(|text| text.parse().ok()).unwrap_or(200_000);
    let Some((_, before, request)) = KINDS.iter().find(|(kind, ..)| *kind == name) else {
        let known: Vec<&str> = KINDS.iter().map(|(kind, ..)| *kind).collect();
        eprintln!("{name} is not among {}", known.join(" "));
        std::process::exit(2);
    };
    let mut shard = shard();
    let mut rng = Rng::new(3);
    for batch in batches(before, count.max(if name == "get" { 300_000 } else { 0 }), &mut rng) {
        pass(&mut shard, &batch);
    }
    for batch in batches(request, CONNECTIONS * PIPELINE, &mut rng) {
        pass(&mut shard, &batch);
    }
    while shard.busy() {
        pass(&mut shard, &[]);
    }
    let made = batches(request, count, &mut rng);
    let began = Instant::now();
    measured(&mut shard, &made);
    let each = began.elapsed().as_nanos() as usize / (made.len() * CONNECTIONS * PIPELINE);
    println!("{name}: {} requests, {each} ns each", made.len() * CONNECTIONS * PIPELINE);
}

#[inline(never)]
fn measured(shard: &mut Shard, made: &[Vec<Vec<u8>>]) {
    for batch in made {
        pass(shard, batch);
    }
}

fn shard() -> Shard {
    let mut shard = Shard::new(Setup {
        id: ShardId(0),
        shards: 1,
        table: stoa_commands::table(),
        config: Config::default(),
        facts: Arc::new(Facts::default()),
        seed: HashSeed::new([1, 2, 3, 4]),
        chance: 5,
        now: NOW,
        clock: || MonoNs(0),
    });
    for number in 0..CONNECTIONS {
        let peer = PeerFacts {
            addr: format!("embedded:{number}"),
            laddr: "embedded:0".to_owned(),
            is_unix: false,
            is_local: true,
            clients: number + 1,
        };
        assert!(shard.open(conn(number), peer, NOW, &mut Vec::new()), "within maxclients");
    }
    shard
}

const fn conn(number: usize) -> ConnId {
    ConnId { index: number as u32, generation: 0 }
}

/// Requests by pass and connection, at least `count`.
fn batches(request: &str, count: usize, rng: &mut Rng) -> Vec<Vec<Vec<u8>>> {
    let words: Vec<&str> = request.split(' ').collect();
    let mut one = || {
        let mut bytes = format!("*{}\r\n", words.len());
        for word in &words {
            let word = word.replace('#', &format!("{:012}", rng.below(KEYS)));
            bytes.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        bytes
    };
    let passes = count.div_ceil(CONNECTIONS * PIPELINE);
    let mut batch = || (0..PIPELINE).map(|_| one()).collect::<String>().into_bytes();
    (0..passes).map(|_| (0..CONNECTIONS).map(|_| batch()).collect()).collect()
}

fn pass(shard: &mut Shard, batch: &[Vec<u8>]) {
    let data: Vec<(ConnId, &[u8])> =
        batch.iter().enumerate().map(|(number, bytes)| (conn(number), &bytes[..])).collect();
    let mut messages = Vec::new();
    let mut round = |shard: &mut Shard, data: &[(ConnId, &[u8])], sent: &[(ConnId, usize)]| {
        shard.pass(&mut Pass { data, sent, ended: &[], closed: &[], messages: &mut messages }, NOW);
    };
    round(shard, &data, &[]);
    let mut sent = Vec::new();
    while let Some(action) = shard.poll() {
        if let stoa_shard::Action::Send(id) = action {
            let output = shard.take_output(id, Vec::new());
            assert!(!output.starts_with(b"-"), "{}", String::from_utf8_lossy(&output));
            sent.push((id, output.len()));
        }
    }
    round(shard, &[], &sent);
}
