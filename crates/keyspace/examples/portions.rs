//! How long one portion of freeing or copying a large value takes, and one change of it while it grows: thread CPU
//! time of each, so that what other processes do to the clock on the wall does not count.
//!
//! `cargo run --release -p stoa-keyspace --example portions -- [elements] [type ...]`

use rustix::time::{ClockId, clock_gettime};
use stoa_keyspace::{Copying, Db, Keyspace};
use stoa_stdx::{DbIndex, HashSeed, Key, UnixMs};
use stoa_value::{
    BlockLimits, End, Hash, Limits, List, Pending, Rules, Set, SortedSet, Stream, StreamId,
};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const NOW: UnixMs = UnixMs(1_000);
/// As the shard has it.
const PORTION_LEN: usize = 64;
const COPY_LEN: usize = 8 << 10;

fn cpu_ns() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn timed<R>(took: &mut Vec<u64>, work: impl FnOnce() -> R) -> R {
    let start = cpu_ns();
    let result = work();
    took.push(cpu_ns() - start);
    result
}

/// Adds element `n` of `count`.
fn add(kind: &str, db: Db<'_>, key: &Key<'_>, n: u64, rules: &Rules) {
    let text = format!("member:{n:012}").into_bytes();
    match kind {
        "set" => drop(db.edit_or_new::<Set>(key).expect("a set").add(&text, rules)),
        "zset" => {
            let score = (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f64;
            db.edit_or_new::<SortedSet>(key).expect("a zset").insert(&text, score, rules);
        }
        "list" => {
            let mut list = db.edit_or_new::<List>(key).expect("a list");
            list.expect(&[&text], rules);
            list.push(End::Back, &text, rules);
        }
        "long" => {
            let mut list = db.edit_or_new::<List>(key).expect("a list");
            let text = text.repeat(40);
            list.expect(&[&text], rules);
            list.push(End::Back, &text, rules);
        }
        "hash" | "ttl" => {
            let mut hash = db.edit_or_new::<Hash>(key).expect("a hash");
            hash.set(&text, &text[7..], rules);
            if kind == "ttl" {
                hash.set_deadline(&text, Some(UnixMs(5_000)));
            }
        }
        "large" => {
            let value = text.repeat(20);
            db.edit_or_new::<Hash>(key).expect("a hash").set(&text, &value, rules);
        }
        "stream" | "pending" => {
            let limits = BlockLimits { bytes: 4_096, entries: 100 };
            let id = StreamId { ms: 1 + n, seq: 0 };
            let mut stream = db.edit_or_new::<Stream>(key).expect("a stream");
            stream.push(id, &[b"sensor", b"1", b"value", &text], limits);
            if kind == "pending" {
                let group = stream.groups_mut().entry(b"g"[..].into()).or_default();
                let name = format!("consumer{}", n % 1_000).into_bytes();
                let consumer = group.find(&name).or_else(|| group.add(&name, 1));
                let consumer = consumer.expect("found or added");
                group.deliver(id, Pending { delivered_ms: 1, count: 1, consumer });
            }
        }
        other => panic!("{other} is none of set zset list long hash ttl large stream pending"),
    }
}

fn main() {
    let mut words = std::env::args().skip(1);
    let count: u64 = words.next().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let mut kinds: Vec<String> = words.collect();
    if kinds.is_empty() {
        let all = "set zset list long hash ttl large stream pending";
        kinds = all.split(' ').map(str::to_owned).collect();
    }
    let secret = HashSeed::new([1, 2, 3, 4]);
    let rules = Rules { limits: Limits::default(), seed: secret.clone() };
    println!("{count} elements; nanoseconds of thread CPU");
    for kind in kinds {
        let mut keyspace = Keyspace::new(1, secret.clone(), NOW);
        let (key, copy) = (secret.key(b"big"), secret.key(b"copy"));
        let mut took = Vec::with_capacity(count as usize);
        for n in 0..count {
            let db = keyspace.db(DbIndex(0), NOW, true);
            timed(&mut took, || add(&kind, db, &key, n, &rules));
        }
        print(&format!("{kind}: adds"), took);
        copy_some(&mut keyspace, &kind, &key, &copy);
        let mut took = Vec::new();
        timed(&mut took, || keyspace.db(DbIndex(0), NOW, true).remove(&key));
        while timed(&mut took, || keyspace.free_condemned(PORTION_LEN)) {}
        print(&format!("{kind}: freeing"), took);
        if kind == "ttl" {
            let mut took = Vec::new();
            let late = UnixMs(6_000);
            let look = |keyspace: &mut Keyspace| {
                let db = keyspace.db(DbIndex(0), late, true);
                db.read::<Hash>(&copy).expect("a hash").map(Hash::len)
            };
            timed(&mut took, || look(&mut keyspace));
            while keyspace.counts(DbIndex(0)).0 > 0 && took.len() < 10_000_000 {
                timed(&mut took, || keyspace.expire_due(late, PORTION_LEN));
            }
            print(&format!("{kind}: fields due at once"), took);
        }
    }
}

/// Copies it in the steps of the shard, which looks at the clock between two of them.
fn copy_some(keyspace: &mut Keyspace, kind: &str, key: &Key<'_>, to: &Key<'_>) {
    let mut took = Vec::new();
    let mut copying = timed(&mut took, || {
        let mut db = keyspace.db(DbIndex(0), NOW, true);
        Copying::begin(db.peek(key).expect("it is there").value())
    });
    while timed(&mut took, || {
        let mut db = keyspace.db(DbIndex(0), NOW, true);
        copying.go_on(db.peek(key).expect("it is there").value(), COPY_LEN)
    }) {}
    timed(&mut took, || {
        let mut db = keyspace.db(DbIndex(0), NOW, true);
        let owned = db.peek(key).expect("it is there").with_value(copying);
        db.put(to, owned);
    });
    print(&format!("{kind}: copying"), took);
}

fn print(what: &str, mut took: Vec<u64>) {
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!(
        "{what:<28} {:>9} steps, {:>6} ms in all; median {:>8}, 99.9 % {:>8}, slowest {:>10}",
        took.len(),
        took.iter().sum::<u64>() / 1_000_000,
        at(0.5),
        at(0.999),
        at(1.0)
    );
}
