//! Reads, overwrites and inserts of one shard's keys, cold (a million keys at random) as servers see
//! them; reads with and without the stages of prefetch that a batch does.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use stoa_keyspace::{Keyspace, Ttl};
use stoa_stdx::{DbIndex, HashSeed, Rng, UnixMs};

const DB: DbIndex = DbIndex(0);
const NOW: UnixMs = UnixMs(1_000_000);
const KEYS: u64 = 1_000_000;
/// Keys of one batch, as a pipeline of 32.
const BATCH_LEN: usize = 32;

fn name(n: u64) -> Vec<u8> {
    format!("key:{n:012}").into_bytes()
}

fn filled(secret: &HashSeed) -> Keyspace {
    let mut keyspace = Keyspace::new(1, secret.clone(), NOW);
    for n in 0..KEYS {
        let key = name(n);
        keyspace.db(DB, NOW, true).set_string(&secret.key(&key), &[b'v'; 64], Ttl::Clear);
    }
    keyspace
}

fn table(c: &mut Criterion) {
    let secret = HashSeed::new([1, 2, 3, 4]);
    let mut keyspace = filled(&secret);
    let mut rng = Rng::new(1);
    let batches: Vec<Vec<Vec<u8>>> =
        (0..1_000).map(|_| (0..BATCH_LEN).map(|_| name(rng.below(KEYS))).collect()).collect();
    let mut group = c.benchmark_group("table");
    group.throughput(Throughput::Elements(BATCH_LEN as u64));
    let mut at = 0;
    let mut next = || {
        at = (at + 1) % batches.len();
        &batches[at]
    };
    group.bench_function("get_one_by_one", |b| {
        b.iter(|| {
            for bytes in next() {
                let key = secret.key(bytes);
                black_box(keyspace.db(DB, NOW, true).get(&key).is_some());
            }
        });
    });
    group.bench_function("get_prefetched", |b| {
        b.iter(|| {
            let batch = next();
            let keys: Vec<_> = batch.iter().map(|bytes| secret.key(bytes)).collect();
            keyspace.prefetch(DB, keys.iter().map(|key| (key.slot, key.hash)));
            for key in &keys {
                black_box(keyspace.db(DB, NOW, true).get(key).is_some());
            }
        });
    });
    group.bench_function("overwrite", |b| {
        b.iter(|| {
            for bytes in next() {
                let key = secret.key(bytes);
                keyspace.db(DB, NOW, true).set_string(&key, &[b'w'; 64], Ttl::Clear);
            }
        });
    });
    let mut fresh = KEYS;
    group.bench_function("insert_and_remove", |b| {
        b.iter(|| {
            for _ in 0..BATCH_LEN {
                fresh += 1;
                let bytes = name(fresh);
                let key = secret.key(&bytes);
                keyspace.db(DB, NOW, true).set_string(&key, &[b'w'; 64], Ttl::Clear);
                keyspace.db(DB, NOW, true).remove(&key);
            }
        });
    });
    group.finish();
}

criterion_group!(benches, table);
criterion_main!(benches);
