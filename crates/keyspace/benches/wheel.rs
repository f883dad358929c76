//! What arming and expiring a deadline costs, beside `std`'s binary heap holding the same items.
//! The one-off experiment with its worst portions is `examples/wheel_vs_heap.rs`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use stoa_keyspace::wheel::Wheel;
use stoa_stdx::{Rng, UnixMs};

const NOW: u64 = 1_790_000_000_123;
const HOUR_MS: u64 = 3_600_000;
/// Items already armed when measuring starts.
const ARMED: u64 = 1_000_000;
/// Items added or expired in one measurement.
const BATCH: u64 = 10_000;

fn full_wheel() -> Wheel {
    let (mut rng, mut wheel) = (Rng::new(1), Wheel::new(UnixMs(NOW)));
    for cookie in 0..ARMED {
        wheel.add(UnixMs(NOW + rng.below(HOUR_MS)), 0, cookie);
    }
    wheel
}

fn full_heap() -> BinaryHeap<Reverse<(u64, u64)>> {
    let mut rng = Rng::new(1);
    (0..ARMED).map(|cookie| Reverse((NOW + rng.below(HOUR_MS), cookie))).collect()
}

fn add(c: &mut Criterion) {
    let mut group = c.benchmark_group("add_to_1M");
    group.throughput(Throughput::Elements(BATCH)).sample_size(20);
    group.bench_function("wheel", |b| {
        b.iter_batched_ref(
            || (full_wheel(), Rng::new(2)),
            |(wheel, rng)| {
                for cookie in 0..BATCH {
                    wheel.add(UnixMs(NOW + rng.below(HOUR_MS)), 0, cookie);
                }
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("heap", |b| {
        b.iter_batched_ref(
            || (full_heap(), Rng::new(2)),
            |(heap, rng)| {
                for cookie in 0..BATCH {
                    heap.push(Reverse((NOW + rng.below(HOUR_MS), cookie)));
                }
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn expire(c: &mut Criterion) {
    let mut group = c.benchmark_group("expire_from_1M");
    group.throughput(Throughput::Elements(BATCH)).sample_size(20);
    let until = NOW + HOUR_MS * BATCH / ARMED;
    group.bench_function("wheel", |b| {
        b.iter_batched_ref(
            || (full_wheel(), Vec::with_capacity(256)),
            |(wheel, due)| {
                for now in NOW..until {
                    while wheel.advance(UnixMs(now), 256, due) {}
                    black_box(&due);
                    due.clear();
                }
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("heap", |b| {
        b.iter_batched_ref(
            full_heap,
            |heap| {
                for now in NOW..until {
                    while heap.peek().is_some_and(|Reverse((at, _))| *at <= now) {
                        black_box(heap.pop());
                    }
                }
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, add, expire);
criterion_main!(benches);
