//! Payloads that real servers wrote, damaged at random: refused, or values that stand any traffic.

mod traffic;

use stoa_rdb::restore;
use stoa_stdx::{HashSeed, Rng};
use stoa_value::{Limits, Rules};

/// Made by Redis 7.0.15 and 7.4.1, and by hand after the published descriptions of older layouts.
/// One line each: a name, then the payload in hexadecimal.
const SAMPLES: &str = include_str!("samples.txt");

fn samples() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let bytes = |hex: &str| -> Vec<u8> {
        let pairs = hex.as_bytes().chunks_exact(2);
        let digit = |digit: u8| (digit as char).to_digit(16).expect("hexadecimal") as u8;
        pairs.map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
    };
    let lines = SAMPLES.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(' ')).map(move |(name, hex)| (name, bytes(hex)))
}

fn rules(rng: &mut Rng) -> Rules {
    let mut limits = Limits::default();
    if rng.one_in(2) {
        (limits.hash_max_entries, limits.set_max_entries, limits.zset_max_entries) = (3, 3, 3);
        (limits.set_max_intset_entries, limits.list_max_size) = (3, 3);
    }
    Rules { limits, seed: HashSeed::new([1, 2, 3, 4]) }
}

#[test]
fn what_real_servers_wrote_is_read_and_stands_any_traffic() {
    for (name, payload) in samples() {
        for seed in 0..20 {
            let mut rng = Rng::new(seed);
            let rules = rules(&mut rng);
            let loaded = restore(&payload, true, &rules);
            let loaded = loaded.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            traffic::exercise(loaded, &rules, &mut rng, 40);
        }
    }
}

#[test]
fn damaged_payloads_are_refused_or_stand_any_traffic() {
    let samples: Vec<_> = samples().collect();
    let (mut refused, mut taken) = (0, 0);
    for seed in 0..30_000 {
        let mut rng = Rng::new(seed);
        let rules = rules(&mut rng);
        let (_, sample) = rng.pick(&samples);
        let mut payload = sample.clone();
        let end = payload.len() as u64 - 10;
        for _ in 0..1 + rng.below(4) {
            let at = rng.below(end.max(1)) as usize;
            match rng.below(6) {
                0 => payload[at] ^= 1 << rng.below(8),
                1 => payload[at] = rng.next() as u8,
                2 => payload[at] = *rng.pick(&[0, 1, 0x40, 0x7f, 0x80, 0x81, 0xc3, 0xfe, 0xff]),
                3 => payload.insert(at, rng.next() as u8),
                4 if payload.len() > 11 => drop(payload.remove(at.min(payload.len() - 11))),
                _ => {
                    let from = rng.below(end.max(1)) as usize;
                    payload[at] = payload[from.min(payload.len() - 11)];
                }
            }
        }
        match restore(&payload, false, &rules) {
            Err(_) => refused += 1,
            Ok(loaded) => {
                taken += 1;
                traffic::exercise(loaded, &rules, &mut rng, 12);
            }
        }
    }
    assert!(refused > 5_000 && taken > 3_000, "{refused} refused, {taken} taken");
}
