//! How long one insert can take while a database grows: thread CPU time of each, so that what other
//! processes do to the clock on the wall does not count.
//!
//! `cargo run --release -p stoa-keyspace --example inserts -- [keys]`

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use rustix::time::{ClockId, clock_gettime};
use stoa_keyspace::{Keyspace, Ttl};
use stoa_stdx::{DbIndex, HashSeed, UnixMs};

fn cpu_ns() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn main() {
    let keys = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10_000_000_u64);
    let (secret, now) = (HashSeed::new([1, 2, 3, 4]), UnixMs(1));
    let mut keyspace = Keyspace::new(1, secret.clone(), now);
    let mut took: Vec<u64> = Vec::with_capacity(keys as usize);
    let mut compacting_max = 0;
    for n in 0..keys {
        let bytes = format!("key:{n:012}").into_bytes();
        let start = cpu_ns();
        let key = secret.key(&bytes);
        keyspace.db(DbIndex(0), now, true).set_string(&key, &[b'v'; 64], Ttl::Clear);
        let end = cpu_ns();
        took.push(end - start);
        if n % 32 == 0 {
            keyspace.compact(64);
            compacting_max = compacting_max.max(cpu_ns() - end);
        }
    }
    print("inserts", took);
    println!("slowest portion of compaction: {compacting_max} ns");
    // What the machine does to a loop that keeps nothing: reads, the largest part of an insert.
    let mut took: Vec<u64> = Vec::with_capacity(keys as usize);
    for n in 0..keys {
        let bytes = format!("key:{n:012}").into_bytes();
        let start = cpu_ns();
        let key = secret.key(&bytes);
        std::hint::black_box(keyspace.db(DbIndex(0), now, true).get(&key).is_some());
        took.push(cpu_ns() - start);
    }
    print("reads", took);
}

fn print(what: &str, mut took: Vec<u64>) {
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!("{} {what}, nanoseconds of thread CPU each, two clock reads included", took.len());
    for share in [0.5, 0.99, 0.999, 0.999_9, 0.999_99, 0.999_999, 1.0] {
        println!("{:>9.4} % {:>9}", share * 100.0, at(share));
    }
}
