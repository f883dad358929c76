//! Many runs for the checkers, or one of them to the byte.
//!
//! `--seeds N` judges N seeds, from `--first F` on, on every core, and says what was wrong with each
//! that failed. A seed alone replays it: its plan, all that happened in the node, all that clients did
//! and saw, and the verdict. With `--whole-in-exec` clients also say FLUSHDB and KEYS within MULTI, with
//! `--deadlines` all they do is on keys with deadlines.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a program around the simulator, which itself has no threads and no clock"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use stoa_sim::mix::Whole;
use stoa_sim::trial::{Plan, run};

/// Failures that are told; the others are counted.
const TOLD_MAX: usize = 5;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1)?.parse::<u64>().ok()
    };
    let whole = args.iter().any(|arg| arg == "--whole-in-exec");
    let deadlines = args.iter().any(|arg| arg == "--deadlines");
    let plan = move |seed| {
        let mut plan = if deadlines { Plan::of_deadlines(seed) } else { Plan::of(seed) };
        if whole {
            plan.mix.whole = Whole::InExec;
        }
        plan
    };
    let passed = match (number("--seeds"), args.first().and_then(|seed| seed.parse().ok())) {
        (Some(seeds), _) => many(number("--first").unwrap_or(1), seeds, plan),
        (None, Some(seed)) => replay(&plan(seed)),
        (None, None) => {
            eprintln!("say which seed, or how many: SEED, or --seeds N [--first F]");
            false
        }
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replay(plan: &Plan) -> bool {
    println!("{plan:#?}");
    match run(plan, true) {
        Ok(trial) => {
            println!("\nin the node:\n{}\nclients:\n{}", trial.trace, trial.history);
            println!("seed {}: {} steps, {}", plan.seed, trial.steps, trial.verdicts);
            trial.verdicts.is_pass()
        }
        Err(error) => {
            println!("{error}");
            false
        }
    }
}

/// What one thread saw.
#[derive(Default)]
struct Sum {
    deeds: u64,
    steps: u64,
    inconclusive: Vec<u64>,
    failed: Vec<(u64, String)>,
}

impl Sum {
    fn add(&mut self, plan: &Plan) {
        let seed = plan.seed;
        let trial = match catch_unwind(AssertUnwindSafe(|| run(plan, false))) {
            Ok(Ok(trial)) => trial,
            Ok(Err(error)) => return self.failed.push((seed, error)),
            Err(_) => return self.failed.push((seed, "a panic; its text is above".to_owned())),
        };
        self.deeds += trial.deeds;
        self.steps += trial.steps;
        if trial.verdicts.is_fail() {
            self.failed.push((seed, trial.verdicts.to_string()));
        } else if !trial.verdicts.is_pass() {
            self.inconclusive.push(seed);
        }
    }
}

fn many(first: u64, seeds: u64, plan: impl Fn(u64) -> Plan + Sync) -> bool {
    let begin = Instant::now();
    let next = AtomicU64::new(first);
    let work = || {
        let mut sum = Sum::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + seeds {
                return sum;
            }
            sum.add(&plan(seed));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let sums: Vec<Sum> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("panics are caught")).collect()
    });
    let mut all = Sum::default();
    for sum in sums {
        all.deeds += sum.deeds;
        all.steps += sum.steps;
        all.inconclusive.extend(sum.inconclusive);
        all.failed.extend(sum.failed);
    }
    all.failed.sort();
    all.inconclusive.sort_unstable();
    for (seed, says) in all.failed.iter().take(TOLD_MAX) {
        println!("seed {seed}, `make sim SEED={seed}`: {says}");
    }
    let failed: Vec<u64> = all.failed.iter().map(|(seed, _)| *seed).collect();
    println!(
        "{seeds} seeds, {} transactions, {} steps in {:.1} s: {} failed {}, {} inconclusive {:?}",
        all.deeds,
        all.steps,
        begin.elapsed().as_secs_f64(),
        failed.len(),
        list(&failed),
        all.inconclusive.len(),
        all.inconclusive
    );
    failed.is_empty()
}

/// The first of many.
fn list(seeds: &[u64]) -> String {
    let shown: Vec<String> = seeds.iter().take(20).map(u64::to_string).collect();
    let more = if seeds.len() > 20 { " ..." } else { "" };
    format!("[{}{more}]", shown.join(" "))
}
