//! Files that real servers wrote, damaged at random: refused, or read to an end, within bounds.

use stoa_rdb::{FileReader, Record};
use stoa_stdx::{HashSeed, Rng};
use stoa_value::{Limits, Rules};

/// What SAVE of Redis 7.0.15, Redis 7.4.1 and Valkey 9.1 wrote, and an old one by hand; the fuzzer
/// starts from them, so each has a byte of its own in front.
const FILES: [&[u8]; 4] = [
    include_bytes!("../../../fuzz/seeds/file/redis-7.0"),
    include_bytes!("../../../fuzz/seeds/file/redis-7.4"),
    include_bytes!("../../../fuzz/seeds/file/valkey-9.1"),
    include_bytes!("../../../fuzz/seeds/file/old"),
];

fn rules() -> Rules {
    Rules { limits: Limits::default(), seed: HashSeed::new([1, 2, 3, 4]) }
}

/// Records up to the end; None for a file that is refused.
fn read(file: &[u8], checks_sum: bool, rng: &mut Rng) -> Option<Vec<Record>> {
    let mut reader = FileReader::new(rules(), checks_sum);
    let (mut records, mut left) = (Vec::new(), file);
    loop {
        while let Some(record) = reader.next().ok()? {
            if matches!(record, Record::End { .. }) {
                return Some(records);
            }
            records.push(record);
        }
        assert!(reader.held_bytes() <= 64 * 1024 + 16 * file.len(), "{}", reader.held_bytes());
        if left.is_empty() {
            reader.finish();
        }
        let (piece, rest) = left.split_at(left.len().min(1 + rng.below(3_000) as usize));
        reader.feed(piece);
        left = rest;
    }
}

#[test]
fn what_real_servers_saved_is_read_whole() {
    for (file, keys) in FILES.into_iter().zip([19, 21, 21, 2]) {
        for seed in 0..5 {
            let records = read(&file[1..], true, &mut Rng::new(seed)).expect("it is whole");
            let found = records.iter().filter(|record| matches!(record, Record::Key(_))).count();
            assert_eq!(found, keys);
        }
    }
}

#[test]
fn damaged_files_are_refused_or_read_to_an_end_within_bounds() {
    let (mut refused, mut taken) = (0, 0);
    for seed in 0..if cfg!(miri) { 2 } else { 4_000 } {
        let mut rng = Rng::new(seed);
        let mut file = rng.pick(&FILES)[1..].to_vec();
        for _ in 0..1 + rng.below(3) {
            let at = rng.below(file.len() as u64) as usize;
            match rng.below(5) {
                0 => file[at] ^= 1 << rng.below(8),
                1 => file[at] = *rng.pick(&[0, 0x40, 0x80, 0x81, 0xc3, 0xf7, 0xfa, 0xfe, 0xff]),
                2 => file.insert(at, rng.next() as u8),
                3 => drop(file.remove(at)),
                _ => file.truncate(at.max(1)),
            }
        }
        match read(&file, false, &mut rng) {
            Some(_) => taken += 1,
            None => refused += 1,
        }
    }
    assert!(cfg!(miri) || refused > 1_000 && taken > 100, "{refused} refused, {taken} taken");
}
