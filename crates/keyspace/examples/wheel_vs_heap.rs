//! The experiment behind `docs/perf/wheel-vs-heap.md`: the same random deadlines in the timing
//! wheel and in `std`'s binary heap; thread CPU time of adding, of expiring, and of the worst call.
//!
//! `cargo run --release -p stoa-keyspace --example wheel_vs_heap -- [items ...]`

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustix::time::{ClockId, clock_gettime};
use stoa_keyspace::wheel::{Item, Wheel};
use stoa_stdx::{Rng, UnixMs};

const NOW: u64 = 1_790_000_000_123;
const HOUR_MS: u64 = 3_600_000;
/// What one call may hand over or move: the portion of work a shard does between requests.
const LIMIT: usize = 256;
/// How often the shard looks, in milliseconds of its clock.
const LOOK_MS: usize = 5;

/// What is measured: arm, and hand over at most `LIMIT` that are due.
trait Deadlines {
    fn new() -> Self;
    fn add(&mut self, at: u64, cookie: u64);
    fn expire(&mut self, now: u64, out: &mut Vec<u64>) -> bool;
    fn bytes(&self) -> usize;
}

struct OnWheel(Wheel, Vec<Item>);

impl Deadlines for OnWheel {
    fn new() -> Self {
        Self(Wheel::new(UnixMs(NOW)), Vec::new())
    }

    fn add(&mut self, at: u64, cookie: u64) {
        self.0.add(UnixMs(at), 0, cookie);
    }

    fn expire(&mut self, now: u64, out: &mut Vec<u64>) -> bool {
        self.1.clear();
        let more = self.0.advance(UnixMs(now), LIMIT, &mut self.1);
        out.extend(self.1.iter().map(|item| item.cookie));
        more
    }

    fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

struct OnHeap(BinaryHeap<Reverse<(u64, u64)>>);

impl Deadlines for OnHeap {
    fn new() -> Self {
        Self(BinaryHeap::new())
    }

    fn add(&mut self, at: u64, cookie: u64) {
        self.0.push(Reverse((at << 16, cookie)));
    }

    fn expire(&mut self, now: u64, out: &mut Vec<u64>) -> bool {
        for _ in 0..LIMIT {
            if self.0.peek().is_none_or(|Reverse((when, _))| when >> 16 > now) {
                return false;
            }
            out.extend(self.0.pop().map(|Reverse((_, cookie))| cookie));
        }
        true
    }

    fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(u64, u64)>()
    }
}

fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// How deadlines are spread.
#[derive(Clone, Copy)]
enum Spread {
    /// Evenly over an hour.
    Hour,
    /// A session cache: 30 minutes from the moment of writing, written at an even pace.
    Sessions,
    /// All within one second, half an hour from now: everything was written by one job.
    Burst,
}

impl Spread {
    fn deadline(self, rng: &mut Rng, index: u64, items: u64) -> u64 {
        match self {
            Self::Hour => NOW + 1 + rng.below(HOUR_MS),
            Self::Sessions => NOW + HOUR_MS / 2 + index * HOUR_MS / 2 / items,
            Self::Burst => NOW + HOUR_MS / 2 + rng.below(1_000),
        }
    }
}

fn run<D: Deadlines>(name: &str, spread: Spread, label: &str, items: u64) {
    let (mut rng, mut deadlines) = (Rng::new(items), D::new());
    let (mut add_ns, mut add_max_ns) = (0, 0);
    // Timed in runs of 16: the clock itself costs as much as a few additions.
    for index in (0..items).step_by(16) {
        let run: [u64; 16] =
            std::array::from_fn(|i| spread.deadline(&mut rng, index + i as u64, items));
        let start = cpu_ns();
        for (i, at) in run.into_iter().enumerate() {
            deadlines.add(at, index + i as u64);
        }
        let took = cpu_ns() - start;
        add_ns += took;
        add_max_ns = add_max_ns.max(took);
    }
    let bytes = deadlines.bytes();
    let (mut out, mut expired, mut late_ms_max) = (Vec::with_capacity(LIMIT), 0, 0);
    let (mut expire_ns, mut call_max_ns) = (0, 0);
    let mut calls = 0_u64;
    for now in (NOW..=NOW + HOUR_MS + LOOK_MS as u64).step_by(LOOK_MS) {
        let tick_start_ns = expire_ns;
        loop {
            out.clear();
            let start = cpu_ns();
            let more = deadlines.expire(now, &mut out);
            let took = cpu_ns() - start;
            expire_ns += took;
            calls += 1;
            call_max_ns = call_max_ns.max(took);
            expired += out.len();
            if !more {
                break;
            }
        }
        late_ms_max = late_ms_max.max((expire_ns - tick_start_ns) / 1_000);
    }
    assert_eq!(expired as u64, items.next_multiple_of(16), "{name}: nothing is lost");
    println!(
        "| {label} | {items} | {name} | {:.0} | {:.0} | {:.0} | {:.0} | {:.2} | {:.1} | {calls} |",
        add_ns as f64 / items as f64,
        expire_ns as f64 / items as f64,
        add_max_ns as f64 / 1e3,
        call_max_ns as f64 / 1e3,
        late_ms_max as f64 / 1e3,
        bytes as f64 / items as f64,
    );
}

fn main() {
    let mut sizes: Vec<u64> = std::env::args().skip(1).filter_map(|n| n.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![1_000_000, 10_000_000];
    }
    println!(
        "| deadlines | items | structure | ns per add | ns per expire | worst 16 adds, µs \
         | worst portion, µs | CPU of the worst tick, ms | bytes per item | calls |"
    );
    println!("|---|--:|---|--:|--:|--:|--:|--:|--:|--:|");
    for items in sizes {
        for (spread, label) in [
            (Spread::Hour, "even over 1 h"),
            (Spread::Sessions, "30 min after writing"),
            (Spread::Burst, "within 1 s"),
        ] {
            run::<OnWheel>("wheel", spread, label, items);
            run::<OnHeap>("heap", spread, label, items);
        }
    }
}
