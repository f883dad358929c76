//! What routing costs: the same requests through one shard, and through two of which each owns half
//! of the keys, without sockets.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use stoa::Db;

const KEYS: usize = 1_000;

fn router(c: &mut Criterion) {
    let mut group = c.benchmark_group("router");
    group.throughput(Throughput::Elements(KEYS as u64));
    let names: Vec<Vec<u8>> = (0..KEYS).map(|n| format!("key:{n:012}").into_bytes()).collect();
    for shards in [1, 2, 8] {
        let db = Db::builder().shards(shards).seed(1).open_memory().expect("memory opens");
        for name in &names {
            db.set(name, &[b'v'; 64]).expect("SET is answered");
        }
        group.bench_function(format!("get_over_{shards}"), |b| {
            b.iter(|| {
                for name in &names {
                    std::hint::black_box(db.get(name).expect("GET is answered"));
                }
            });
        });
        let all: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        group.bench_function(format!("mget_over_{shards}"), |b| {
            b.iter(|| std::hint::black_box(db.mget(&all).expect("MGET is answered")));
        });
    }
    group.finish();
}

criterion_group!(benches, router);
criterion_main!(benches);
