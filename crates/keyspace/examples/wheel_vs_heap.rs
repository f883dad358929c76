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
/// Rounds of each measurement.
const ROUNDS: usize = 3;
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

/// One pass over one structure. All in nanoseconds of this thread's CPU time.
#[derive(Clone, Copy)]
struct Pass {
    add_sum: u64,
    add_max: u64,
    expire_sum: u64,
    portion_p9999: u64,
    portion_max: u64,
    tick_max: u64,
    bytes: usize,
}

/// Reading the clock costs more than an addition: one pass times whole phases, for the means, and
/// another (`each`) each run of 16 additions and each portion, for the worst.
fn pass<D: Deadlines>(spread: Spread, items: u64, each: bool) -> Pass {
    let lap = |since: u64| if each { cpu_ns() - since } else { 0 };
    let mark = || if each { cpu_ns() } else { 0 };
    let deadlines: Vec<u64> = {
        let mut rng = Rng::new(items);
        (0..items).map(|index| spread.deadline(&mut rng, index, items)).collect()
    };
    let (mut held, mut add_max) = (D::new(), 0);
    let start = cpu_ns();
    for (run, chunk) in deadlines.chunks(16).enumerate() {
        let since = mark();
        for (i, at) in chunk.iter().enumerate() {
            held.add(*at, (run * 16 + i) as u64);
        }
        add_max = add_max.max(lap(since));
    }
    let add_sum = cpu_ns() - start;
    let bytes = held.bytes();
    let (mut out, mut expired) = (Vec::with_capacity(LIMIT), 0);
    let (mut portions, mut tick_max) = (Vec::with_capacity(4_000_000), 0);
    let start = cpu_ns();
    for now in (NOW..=NOW + HOUR_MS + LOOK_MS as u64).step_by(LOOK_MS) {
        let mut tick = 0;
        loop {
            out.clear();
            let since = mark();
            let more = held.expire(now, &mut out);
            let took = lap(since);
            if each {
                portions.push(took);
            }
            tick += took;
            expired += out.len() as u64;
            if !more {
                break;
            }
        }
        tick_max = tick_max.max(tick);
    }
    let expire_sum = cpu_ns() - start;
    assert_eq!(expired, items, "nothing is lost");
    portions.sort_unstable();
    let portion = |rank: usize| portions.get(rank).copied().unwrap_or(0);
    Pass {
        add_sum,
        add_max,
        expire_sum,
        portion_p9999: portion(portions.len() * 9_999 / 10_000),
        portion_max: portion(portions.len().saturating_sub(1)),
        tick_max,
        bytes,
    }
}

/// The least of each figure over the rounds: what others did to the machine only ever adds.
fn least<D: Deadlines>(spread: Spread, items: u64) -> Pass {
    let mut best: Option<Pass> = None;
    for _ in 0..ROUNDS {
        let (sums, maxima) = (pass::<D>(spread, items, false), pass::<D>(spread, items, true));
        let last = best.unwrap_or(Pass { ..sums });
        let first = best.is_none();
        let worst = |old: u64, new: u64| if first { new } else { old.min(new) };
        best = Some(Pass {
            add_sum: last.add_sum.min(sums.add_sum),
            expire_sum: last.expire_sum.min(sums.expire_sum),
            add_max: worst(last.add_max, maxima.add_max),
            portion_p9999: worst(last.portion_p9999, maxima.portion_p9999),
            portion_max: worst(last.portion_max, maxima.portion_max),
            tick_max: worst(last.tick_max, maxima.tick_max),
            bytes: sums.bytes,
        });
    }
    best.expect("at least one round")
}

fn row(name: &str, label: &str, items: u64, best: Pass) {
    let each = |ns: u64| ns as f64 / items as f64;
    println!(
        "| {label} | {items} | {name} | {:.0} | {:.0} | {:.1} | {:.0} | {:.0} | {:.2} | {:.1} |",
        each(best.add_sum),
        each(best.expire_sum),
        best.add_max as f64 / 1e3,
        best.portion_p9999 as f64 / 1e3,
        best.portion_max as f64 / 1e3,
        best.tick_max as f64 / 1e6,
        best.bytes as f64 / items as f64,
    );
}

fn main() {
    let mut sizes: Vec<u64> = std::env::args().skip(1).filter_map(|n| n.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![1_000_000, 10_000_000];
    }
    println!(
        "| deadlines | items | structure | ns per add | ns per expire | worst 16 adds, µs \
         | portion p99.99, µs | worst portion, µs | CPU of the worst tick, ms | bytes per item |"
    );
    println!("|---|--:|---|--:|--:|--:|--:|--:|--:|--:|");
    for items in sizes {
        for (spread, label) in [
            (Spread::Hour, "even over 1 h"),
            (Spread::Sessions, "30 min after writing"),
            (Spread::Burst, "within 1 s"),
        ] {
            row("wheel", label, items, least::<OnWheel>(spread, items));
            row("heap", label, items, least::<OnHeap>(spread, items));
        }
    }
}
