//! Shows what a seed does.
//!
//! `cargo run -p stoa-sim --example replay -- SEED` prints the seed's program, whether all numbers of
//! shards agree on it, and if not the smallest program that shows it. With the name of a habit behind
//! the seed (patient, restless, sleepy, wild, deadly) it prints all that happens in a crowd.

use stoa_sim::crowd::{Habits, run, shards};
use stoa_sim::law::{check, is_compared, program_of};
use stoa_sim::{Grammar, Options};

fn main() -> Result<(), String> {
    let mut args = std::env::args().skip(1);
    let seed = args.next().and_then(|seed| seed.parse().ok());
    let seed = seed.ok_or("say which seed: cargo run -p stoa-sim --example replay -- SEED")?;
    let grammar = Grammar::of(stoa_commands::table(), is_compared);
    if let Some(name) = args.next() {
        let habits = Habits::ALL.iter().find(|(known, _)| *known == name);
        let (_, habits) = habits.ok_or("habits: patient, restless, sleepy, wild, deadly")?;
        let happened = run(&grammar, &Options::rough(shards(seed), seed), *habits)?;
        println!("{}", String::from_utf8_lossy(&happened));
        return Ok(());
    }
    let (program, shards, pace) = program_of(&grammar, seed);
    println!("seed {seed}: {shards} shards against one, {pace:?}\n{}", program.text());
    check(&grammar, seed)?;
    println!("the replies agree");
    Ok(())
}
