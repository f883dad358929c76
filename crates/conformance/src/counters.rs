//! Scripts that count on keys they did not declare: no increment may be lost, and none count twice.

use stoa_client::{Endpoint, Error, Value};
use stoa_stdx::Rng;

/// Counters that all scripts share.
const COUNTERS: u64 = 16;

const SCRIPT: &str = "for i = 1, #ARGV do redis.call('INCR', ARGV[i]) end return #ARGV";

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// By the clients.
    pub asked: i64,
    /// By the server.
    pub counted: i64,
    /// Scripts that were refused: no script may be, whatever it did not declare.
    pub refused: u64,
}

/// Has `clients` at once run `scripts` scripts each; [`None`] if the server has no EVAL.
///
/// # Errors
/// When the server is gone.
pub fn run(
    endpoint: &Endpoint,
    seed: u64,
    clients: u32,
    scripts: u32,
) -> Result<Option<Sums>, Error> {
    let mut first = crate::connect(endpoint)?;
    if !crate::has(&mut first, "eval") {
        return Ok(None);
    }
    let client = |number: u32| -> Result<Sums, Error> {
        let mut connection = crate::connect(endpoint)?;
        let mut rng = Rng::new(seed ^ (u64::from(number) << 20));
        let mut sums = Sums::default();
        for _ in 0..scripts {
            let mut argv: Vec<String> = ["EVAL", SCRIPT, "0"].map(str::to_owned).to_vec();
            let keys = 1 + rng.below(4);
            argv.extend((0..keys).map(|_| name(rng.below(COUNTERS))));
            match connection.call(&argv)? {
                Value::Int(count) => sums.asked += count,
                _ => sums.refused += 1,
            }
        }
        Ok(sums)
    };
    let client = &client;
    let each: Result<Vec<Sums>, Error> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..clients).map(|number| scope.spawn(move || client(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no client panics")).collect()
    });
    let mut all = Sums::default();
    for sums in each? {
        all.asked += sums.asked;
        all.refused += sums.refused;
    }
    for counter in 0..COUNTERS {
        if let Value::Bulk(text) = first.call(&["GET", &name(counter)])? {
            all.counted += String::from_utf8_lossy(&text).parse::<i64>().unwrap_or(0);
        }
    }
    first.call(&["FLUSHALL"])?;
    Ok(Some(all))
}

fn name(counter: u64) -> String {
    format!("counter:{counter}")
}
