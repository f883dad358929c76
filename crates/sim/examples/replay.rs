//! Shows what a seed does: `cargo run -p stoa-sim --example replay -- SEED`.
//!
//! Prints the program, whether all numbers of shards agree, and if not the smallest program that
//! shows it.

use stoa_sim::Grammar;
use stoa_sim::law::{check, is_compared, program_of};

fn main() -> Result<(), String> {
    let seed = std::env::args().nth(1).and_then(|seed| seed.parse().ok());
    let seed = seed.ok_or("say which seed: cargo run -p stoa-sim --example replay -- SEED")?;
    let grammar = Grammar::of(stoa_commands::table(), is_compared);
    let (program, shards, pace) = program_of(&grammar, seed);
    println!("seed {seed}: {shards} shards against one, {pace:?}\n{}", program.text());
    check(&grammar, seed)?;
    println!("the replies agree");
    Ok(())
}
