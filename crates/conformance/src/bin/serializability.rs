//! `make serializability`: is a running server strictly serializable?
//!
//! Starts it, lets clients loose on it, has the checkers judge, and ends with what was done, a line a
//! kind. From the environment: SEED (1), TXNS in all (1000000), SHARDS to try (`1 2 3 8`; `0` says
//! nothing of shards, for servers that have none), SERVER (target/release/stoa-server).

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use stoa_conformance::counters::Sums;
use stoa_conformance::{Server, counters, live};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("serializability: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let seed = number("SEED", 1)?;
    let txns = number("TXNS", 1_000_000)?;
    let shards: Vec<u16> = text("SHARDS", "1 2 3 8")
        .split_whitespace()
        .map(|word| word.parse().map_err(|_| format!("SHARDS: {word} is no number of shards")))
        .collect::<Result<_, String>>()?;
    if shards.is_empty() {
        return Err("SHARDS: name at least one number of shards".to_owned());
    }
    let program = PathBuf::from(text("SERVER", "target/release/stoa-server"));
    let mut wrong = Vec::new();
    for count in &shards {
        let arguments: Vec<String> = match count {
            0 => Vec::new(),
            count => vec!["--shards".to_owned(), count.to_string()],
        };
        let server = Server::start(&program, &arguments).map_err(|error| error.to_string())?;
        let options =
            live::Options { seed, txns: txns.div_ceil(shards.len() as u64), ..Default::default() };
        let begin = Instant::now();
        let outcome = live::run(server.endpoint(), &options);
        let seconds = begin.elapsed().as_secs_f64();
        match outcome {
            Ok(tally) => println!("{count} shards, {seconds:.1} s: 0 anomalies\n{tally}"),
            Err(failure) => {
                println!("{count} shards, after {seconds:.1} s: {failure}");
                wrong.push(*count);
                continue;
            }
        }
        match counters::run(server.endpoint(), seed, 64, 200).map_err(|error| error.to_string())? {
            None => println!("  no EVAL: counting in scripts is left out"),
            Some(sums) => {
                let Sums { asked, counted, refused } = sums;
                println!(
                    "  64 clients counted {counted} in scripts, asked {asked}, refused {refused}"
                );
                if counted != asked || refused > 0 {
                    wrong.push(*count);
                }
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("not serializable on {wrong:?} shards")) }
}

fn text(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

fn number(name: &str, default: u64) -> Result<u64, String> {
    text(name, &default.to_string()).parse().map_err(|_| format!("{name}: give a number"))
}
