//! The sorted set against a plain ordered set, both forms, from seeds.

use std::collections::{BTreeMap, BTreeSet};

use stoa_stdx::{HashSeed, Rng};

use super::SortedSet;
use crate::{Limits, Rules};

fn rules(entries: usize) -> Rules {
    let limits = Limits { zset_max_entries: entries, ..Limits::default() };
    Rules { limits, seed: HashSeed::new([1, 2, 3, 4]) }
}

/// A score as an ordered integer: the model's order needs one, and the scores drawn are small.
type Model = (BTreeMap<Vec<u8>, i64>, BTreeSet<(i64, Vec<u8>)>);

fn member(rng: &mut Rng, spread: u64) -> Vec<u8> {
    let mut member = rng.below(spread).to_string().into_bytes();
    if rng.one_in(50) {
        member.resize(300, b'm');
    }
    member
}

fn check(set: &SortedSet, model: &Model, rng: &mut Rng, case: &str) {
    let (by_member, by_score) = model;
    assert_eq!(set.len(), by_score.len(), "{case}");
    let all: Vec<(i64, Vec<u8>)> =
        set.iter().map(|(member, score)| (score as i64, member.to_vec())).collect();
    assert!(all.iter().eq(by_score.iter()), "{case}");
    let from = rng.below(all.len() as u64 + 1) as usize;
    let to = from + rng.below((all.len() - from) as u64 + 1) as usize;
    let back: Vec<_> =
        set.range(from, to, true).map(|(member, score)| (score as i64, member.to_vec())).collect();
    assert!(back.iter().eq(all[from..to].iter().rev()), "{case}: {from}..{to} backwards");
    let bound = rng.below(30) as i64;
    let want = by_score.iter().filter(|(score, _)| *score < bound).count();
    assert_eq!(set.count_before_score(|score| score < bound as f64), want, "{case}");
    for (rank, (score, member)) in all.iter().enumerate().step_by(1 + all.len() / 20) {
        assert_eq!(set.rank(member), Some((rank, *score as f64)), "{case}");
        assert_eq!(set.score(member), by_member.get(member).map(|score| *score as f64), "{case}");
    }
}

#[test]
fn it_agrees_with_an_ordered_set() {
    for seed in 0..if cfg!(miri) { 2 } else { 40 } {
        let mut rng = Rng::new(seed);
        let rules = rules(if seed % 4 == 0 { 64 } else { 8 });
        let (mut set, mut model) = (SortedSet::default(), Model::default());
        let (steps, spread) = [(300, 40), (3_000, 500), (6_000, 5_000)][seed as usize % 3];
        // Growing, then shrinking.
        for step in 0..steps {
            let case = format!("seed {seed}, step {step}");
            let name = member(&mut rng, spread);
            let add_share = if step < steps / 2 { 70 } else { 30 };
            if rng.below(100) < add_share {
                // In order now and then, so that the edges of the tree are met.
                let score = match seed % 5 {
                    0 => i64::from(step),
                    1 => -i64::from(step),
                    _ => rng.below(25) as i64,
                };
                let old = model.0.insert(name.clone(), score);
                if let Some(old) = old {
                    model.1.remove(&(old, name.clone()));
                }
                model.1.insert((score, name.clone()));
                let got = set.insert(&name, score as f64, &rules);
                assert_eq!(got, old.map(|old| old as f64), "{case}");
            } else if rng.one_in(8) && !set.is_empty() {
                let from = rng.below(set.len() as u64) as usize;
                let count = rng.below(12) as usize;
                let mut removed = Vec::new();
                set.remove_range(from, count, &mut |member, _| removed.push(member.to_vec()));
                let want: Vec<_> = model.1.iter().skip(from).take(count).cloned().collect();
                assert!(want.iter().map(|(_, name)| name).eq(removed.iter()), "{case}");
                for (score, name) in want {
                    model.0.remove(&name);
                    model.1.remove(&(score, name));
                }
            } else {
                let old = model.0.remove(&name);
                if let Some(old) = old {
                    model.1.remove(&(old, name.clone()));
                }
                assert_eq!(set.remove(&name), old.map(|old| old as f64), "{case}");
            }
            if step % 37 == 0 {
                check(&set, &model, &mut rng, &case);
            }
        }
        check(&set, &model, &mut rng, &format!("seed {seed}, end"));
        assert!(set.clone().same(&set), "seed {seed}");
        while set.free_some(&mut 3) {}
        assert!(set.is_empty(), "seed {seed}");
    }
}

#[test]
fn a_scan_gives_every_member_that_stays_while_others_come_and_go() {
    for seed in 0..if cfg!(miri) { 1 } else { 10 } {
        let mut rng = Rng::new(seed);
        let rules = rules(8);
        let mut set = SortedSet::default();
        let stays: BTreeSet<Vec<u8>> =
            (0..1_000).map(|at| format!("stays{at}").into_bytes()).collect();
        for member in &stays {
            set.insert(member, 1.0, &rules);
        }
        let (mut cursor, mut seen, mut calls) = (0, BTreeSet::new(), 0);
        loop {
            let next = set.scan(cursor, 10, &mut |member, _| {
                seen.insert(member.to_vec());
            });
            calls += 1;
            for _ in 0..rng.below(60) {
                let name = rng.below(20_000).to_string();
                if rng.one_in(3) {
                    set.remove(name.as_bytes());
                } else {
                    set.insert(name.as_bytes(), 2.0, &rules);
                }
            }
            match next {
                Some(next) => cursor = next,
                None => break,
            }
        }
        assert!(stays.is_subset(&seen), "seed {seed}");
        assert!(calls > 50, "seed {seed}: {calls} calls");
    }
}

#[test]
fn a_member_takes_little_memory() {
    let count = if cfg!(miri) { 300 } else { 100_000 };
    let mut set = SortedSet::default();
    let mut rng = Rng::new(7);
    for at in 0..count {
        let member = format!("member:{at:07}");
        set.insert(member.as_bytes(), rng.below(1 << 40) as f64, &rules(128));
    }
    let each = set.bytes() / count;
    assert!(each <= 60 || cfg!(miri), "{each} bytes for a member of 14");
}
