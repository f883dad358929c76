//! Instructions of one request: run under `valgrind --tool=callgrind --toggle-collect='*measured*'`.
//!
//! ```text
//! cargo build --release -p stoa --example cost
//! valgrind --tool=callgrind --toggle-collect='cost::measured*' target/release/examples/cost 2 mget
//! ```
//!
//! No sockets, no threads: what is counted is the shards' own work, message and all.

use stoa::Db;

const KEYS: usize = 10_000;
const PER_REQUEST: usize = 10;
const REQUESTS: usize = 2_000;

fn main() {
    let mut words = std::env::args().skip(1);
    let shards = words.next().and_then(|word| word.parse().ok()).unwrap_or(2);
    let what = words.next().unwrap_or_else(|| "mget".to_owned());
    let db = Db::builder().shards(shards).seed(1).open_memory().expect("memory opens");
    let names: Vec<String> = (0..KEYS).map(|n| format!("key:{n:06}")).collect();
    let value = "v".repeat(64);
    for name in &names {
        db.set(name.as_bytes(), value.as_bytes()).expect("SET is answered");
    }
    let requests: Vec<Vec<&[u8]>> = (0..REQUESTS)
        .map(|n| {
            let key = |at: usize| names[(n * 7_919 + at * 6_733) % KEYS].as_str();
            let keys = (0..PER_REQUEST).map(key);
            let words: Vec<&str> = match what.as_str() {
                "mget" => ["MGET"].into_iter().chain(keys).collect(),
                "mset" => ["MSET"].into_iter().chain(keys.flat_map(|key| [key, &value])).collect(),
                "eval" => vec!["EVAL", "return redis.call('incr', KEYS[1])", "1", "n"],
                "get" => vec!["GET", key(0)],
                "set" => vec!["SET", key(0), &value],
                other => panic!("no request is called {other}: mget, mset, eval, get or set"),
            };
            words.into_iter().map(str::as_bytes).collect()
        })
        .collect();
    measured(&db, &requests[..200]);
    measured(&db, &requests);
}

#[inline(never)]
fn measured(db: &Db, requests: &[Vec<&[u8]>]) {
    for request in requests {
        std::hint::black_box(db.execute(request).expect("it is answered"));
    }
}
