//! Instructions of pipelined requests, own and forwarded: run under callgrind.
//!
//! ```text
//! cargo build --release -p stoa --example forward
//! valgrind --tool=callgrind --toggle-collect='forward::measured*' target/release/examples/forward 2 get
//! ```
//!
//! Shards without sockets or threads, each with 25 clients that send pipelines of 16 requests for random
//! keys. What is counted is the shards' own work from bytes to bytes, mail included; the last line of
//! output says for how many requests.

use std::sync::Arc;

use stoa_config::Config;
use stoa_engine::Facts;
use stoa_shard::{Action, Message, Moment, Pass, PeerFacts, Setup, Shard};
use stoa_stdx::{ConnId, HashSeed, MonoNs, Rng, ShardId, UnixMs};

const KEYS: u64 = 100_000;
const CLIENTS: u32 = 25;
const PIPELINE: usize = 16;
const ROUNDS: usize = 100;

struct Seat {
    shard: Shard,
    mail: Vec<(ShardId, Message)>,
    sent: Vec<(ConnId, usize)>,
    outputs: Vec<Vec<u8>>,
}

fn main() {
    let mut words = std::env::args().skip(1);
    let shards = words.next().and_then(|word| word.parse().ok()).unwrap_or(2);
    let what = words.next().unwrap_or_else(|| "get".to_owned());
    let mut seats: Vec<Seat> = (0..shards).map(|number| seat(number, shards)).collect();
    let mut rng = Rng::new(1);
    let mut key = 0;
    for _ in 0..KEYS / (u64::from(shards) * u64::from(CLIENTS) * PIPELINE as u64) {
        let fill = inputs(&mut seats, || {
            key += 1;
            request("set", key)
        });
        round(&mut seats, &fill);
    }
    let mut next = || inputs(&mut seats, || request(&what, rng.below(KEYS)));
    let rounds: Vec<Vec<Vec<Vec<u8>>>> = (0..ROUNDS).map(|_| next()).collect();
    round(&mut seats, &rounds[0]);
    measured(&mut seats, &rounds);
    println!("{} requests", ROUNDS * PIPELINE * CLIENTS as usize * usize::from(shards));
}

fn seat(number: u16, shards: u16) -> Seat {
    let setup = Setup {
        id: ShardId(number),
        shards,
        table: stoa_commands::table(),
        config: Config::default(),
        facts: Arc::new(Facts::default()),
        seed: HashSeed::new([1, 2, 3, 4]),
        chance: u64::from(number),
        now: moment(),
        clock: || MonoNs(0),
    };
    let mut shard = Shard::new(setup);
    for index in 0..CLIENTS {
        let peer = PeerFacts { is_local: true, clients: 1, ..PeerFacts::default() };
        shard.open(conn(index), peer, moment(), &mut Vec::new());
    }
    let outputs = (0..CLIENTS).map(|_| Vec::new()).collect();
    Seat { shard, mail: Vec::new(), sent: Vec::new(), outputs }
}

const fn conn(index: u32) -> ConnId {
    ConnId { index, generation: 0 }
}

const fn moment() -> Moment {
    Moment { mono: MonoNs(1_000_000_000), unix: UnixMs(1_700_000_000_000) }
}

fn request(what: &str, key: u64) -> Vec<u8> {
    let key = format!("key:{key:012}");
    match what {
        "get" => format!("*2\r\n$3\r\nGET\r\n$16\r\n{key}\r\n").into_bytes(),
        "lpush" => b"*3\r\n$5\r\nLPUSH\r\n$6\r\nmylist\r\n$3\r\nVXK\r\n".to_vec(),
        "rpop" => b"*2\r\n$4\r\nRPOP\r\n$6\r\nmylist\r\n".to_vec(),
        "ping" => b"*1\r\n$4\r\nPING\r\n".to_vec(),
        "set" => format!("*3\r\n$3\r\nSET\r\n$16\r\n{key}\r\n$64\r\n{:064}\r\n", 7).into_bytes(),
        other => panic!("no request is called {other}: get, set, lpush, rpop or ping"),
    }
}

fn inputs(seats: &mut [Seat], mut next: impl FnMut() -> Vec<u8>) -> Vec<Vec<Vec<u8>>> {
    let mut pipeline = || (0..PIPELINE).flat_map(|_| next()).collect();
    seats.iter().map(|_| (0..CLIENTS).map(|_| pipeline()).collect()).collect()
}

#[inline(never)]
fn measured(seats: &mut [Seat], rounds: &[Vec<Vec<Vec<u8>>>]) {
    for inputs in rounds {
        round(seats, inputs);
    }
}

/// All clients send, and all answers come.
fn round(seats: &mut [Seat], inputs: &[Vec<Vec<u8>>]) {
    for (number, inputs) in inputs.iter().enumerate() {
        let data: Vec<(ConnId, &[u8])> =
            (0..).map(conn).zip(inputs.iter().map(Vec::as_slice)).collect();
        pass(seats, number, &data);
    }
    while let Some(number) = seats.iter().position(|seat| !seat.mail.is_empty()) {
        pass(seats, number, &[]);
    }
}

fn pass(seats: &mut [Seat], number: usize, data: &[(ConnId, &[u8])]) {
    let seat = &mut seats[number];
    let mut messages = std::mem::take(&mut seat.mail);
    let sent = std::mem::take(&mut seat.sent);
    let mut input = Pass { data, sent: &sent, ended: &[], closed: &[], messages: &mut messages };
    seat.shard.pass(&mut input, moment());
    while let Some(action) = seats[number].shard.poll() {
        match action {
            Action::Send(conn) => {
                let seat = &mut seats[number];
                let mut spare = std::mem::take(&mut seat.outputs[conn.index as usize]);
                spare.clear();
                let out = seat.shard.take_output(conn, spare);
                seat.sent.push((conn, out.len()));
                seat.outputs[conn.index as usize] = out;
            }
            Action::Request { to, message } | Action::Reply { to, message } => {
                seats[to.0 as usize].mail.push((ShardId(number as u16), message));
            }
            other => panic!("nothing else was asked for: {other:?}"),
        }
    }
}
