//! The keyspace against a plain map, over seeded random programs.

use std::collections::BTreeMap;

use stoa_stdx::{DbIndex, HashSeed, Key, Rng, SLOT_COUNT, UnixMs};

use crate::db::BLOCK_LEN;
use crate::{DEADLINE_MAX, Keyspace, ScanCursor, Str, Ttl};

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

const DB: DbIndex = DbIndex(0);

fn value_of(rng: &mut Rng) -> Vec<u8> {
    match rng.below(6) {
        0 => rng.below(1_000_000).to_string().into_bytes(),
        1 => Vec::new(),
        2 => vec![b'v'; rng.below(3_000) as usize],
        3 => b"-0012".to_vec(),
        _ => vec![rng.next() as u8; rng.below(100) as usize],
    }
}

/// Soon, or so late that no wheel waits for it.
fn deadline_of(rng: &mut Rng, now: u64) -> u64 {
    match rng.below(8) {
        0 => DEADLINE_MAX.0 - rng.below(3),
        1 => (1 << 48) - 3 + rng.below(6),
        _ => now + rng.below(500),
    }
}

/// All keys in one slot when `tagged`, so that tables become nodes.
fn key_of(rng: &mut Rng, keys: u64, tagged: bool) -> Vec<u8> {
    let n = rng.below(keys);
    if tagged { format!("{{t}}{n}").into_bytes() } else { format!("key:{n}").into_bytes() }
}

fn check(keyspace: &mut Keyspace, model: &Model, now: u64, case: &str) {
    let mut seen = Model::new();
    let mut db = keyspace.db(DB, UnixMs(now), true);
    db.for_each(&mut |entry| {
        let value = entry.string().expect("only strings").with(<[u8]>::to_vec);
        let deadline = entry.deadline().map(|at| at.0);
        assert!(seen.insert(entry.key().to_vec(), (value, deadline)).is_none(), "{case}: twice");
    });
    assert_eq!(&seen, model, "{case}");
    let database = &keyspace.databases[DB.0 as usize];
    let slots = database.slots.as_ref().map_or(&[][..], |slots| &slots[..]);
    for (slots, counted) in slots.chunks(BLOCK_LEN).zip(&database.blocks) {
        let there: usize = slots.iter().map(crate::table::Slot::len).sum();
        assert_eq!(there, *counted as usize, "{case}: a block's keys");
    }
}

fn run(seed: u64, steps: u64, keys: u64, tagged: bool) {
    let mut rng = Rng::new(seed);
    let mut now = 1_000_000;
    let secret = HashSeed::new([seed, 1, 2, 3]);
    let mut keyspace = Keyspace::new(2, secret.clone(), UnixMs(now));
    let mut model = Model::new();
    for step in 0..steps {
        let case = format!("seed {seed}, step {step}");
        let bytes = key_of(&mut rng, keys, tagged);
        let key = secret.key(&bytes);
        now += rng.below(20);
        model.retain(|_, (_, deadline)| deadline.is_none_or(|at| now <= at));
        let mut db = keyspace.db(DB, UnixMs(now), true);
        match rng.below(12) {
            0..=3 => {
                let value = value_of(&mut rng);
                let old = model.get(&bytes).and_then(|(_, deadline)| *deadline);
                let (ttl, deadline) = match rng.below(4) {
                    0 => (Ttl::Keep, old),
                    1 => {
                        let at = deadline_of(&mut rng, now);
                        (Ttl::At(UnixMs(at)), Some(at))
                    }
                    _ => (Ttl::Clear, None),
                };
                db.set_string(&key, &value, ttl);
                model.insert(bytes, (value, deadline));
            }
            4 | 5 => {
                assert_eq!(db.remove(&key), model.remove(&bytes).is_some(), "{case}");
            }
            6 => {
                let at = (!rng.one_in(3)).then(|| deadline_of(&mut rng, now));
                let there = db.set_deadline(&key, at.map(UnixMs));
                assert_eq!(there, model.contains_key(&bytes), "{case}");
                if let Some(entry) = model.get_mut(&bytes) {
                    entry.1 = at;
                }
            }
            7 => {
                let (at, add) = (rng.below(2_000) as usize, value_of(&mut rng));
                let (room, _) = db.string_mut(&key, at + add.len()).expect("only strings");
                room[at..at + add.len()].copy_from_slice(&add);
                let value = &mut model.entry(bytes).or_default().0;
                value.resize(value.len().max(at + add.len()), 0);
                value[at..at + add.len()].copy_from_slice(&add);
            }
            8 => {
                let taken = db.take(&key);
                assert_eq!(taken.is_some(), model.contains_key(&bytes), "{case}");
                if let Some(owned) = taken {
                    db.put(&key, owned);
                }
            }
            9 => {
                keyspace.expire_due(UnixMs(now), 3);
                // As when most of the wheel is stale.
                keyspace.is_sifting |= rng.one_in(4);
                keyspace.sift(rng.below(20) as usize);
            }
            _ => {
                let got = db.get(&key).map(|entry| match entry.string().expect("only strings") {
                    Str::Int(value) => value.to_string().into_bytes(),
                    Str::Bytes(bytes) => bytes.to_vec(),
                });
                assert_eq!(got.as_ref(), model.get(&bytes).map(|(value, _)| value), "{case}");
            }
        }
        if step % 1_000 == 999 {
            check(&mut keyspace, &model, now, &case);
        }
    }
    check(&mut keyspace, &model, now, &format!("seed {seed}, end"));
    while keyspace.expire_due(UnixMs(now + 10_000), 100) {}
    model.retain(|_, (_, deadline)| deadline.is_none_or(|at| at > now + 10_000));
    let expires = model.values().filter(|(_, deadline)| deadline.is_some()).count();
    let counts = keyspace.counts(DB);
    assert_eq!(counts, (model.len(), expires), "seed {seed}: all that is due is reclaimed");
    check(&mut keyspace, &model, now + 10_000, &format!("seed {seed}, after all that was due"));
    keyspace.db(DB, UnixMs(now), true).clear();
    while keyspace.free_condemned(7) {}
    assert_eq!(keyspace.arena.used_bytes(), 0, "seed {seed}: every block came back");
}

#[test]
fn the_keyspace_agrees_with_a_map() {
    for seed in 0..if cfg!(miri) { 1 } else { 40 } {
        run(seed, if cfg!(miri) { 300 } else { 4_000 }, 500, false);
    }
}

#[test]
fn one_slot_may_hold_very_many_keys() {
    for seed in 0..if cfg!(miri) { 0 } else { 3 } {
        run(seed, 60_000, 30_000, true);
    }
}

#[test]
fn a_scan_returns_what_is_there_all_the_while() {
    for seed in 0..if cfg!(miri) { 1 } else { 20 } {
        let mut rng = Rng::new(seed);
        let secret = HashSeed::new([seed, 5, 6, 7]);
        let now = UnixMs(1);
        let mut keyspace = Keyspace::new(1, secret.clone(), now);
        let tagged = seed % 2 == 0;
        let name = |n: u64| {
            if tagged { format!("{{t}}{n}").into_bytes() } else { n.to_string().into_bytes() }
        };
        let keep = if cfg!(miri) { 40 } else { 3_000 };
        for n in 0..keep {
            keyspace.db(DB, now, true).set_string(&secret.key(&name(n)), b"x", Ttl::Clear);
        }
        let mut seen = std::collections::BTreeSet::new();
        let mut cursor = Some(ScanCursor::START);
        while let Some(from) = cursor {
            let mut db = keyspace.db(DB, now, true);
            let wire = ScanCursor::from_wire(from.to_wire());
            assert_eq!(wire, from);
            let mut keep_key = |entry: crate::EntryRef<'_>| {
                seen.insert(entry.key().to_vec());
            };
            (cursor, _) = db.scan(wire, SLOT_COUNT, 1 + rng.below(50) as usize, &mut keep_key);
            // Others come and go, so that tables grow, split and shrink meanwhile.
            for _ in 0..rng.below(200) {
                let bytes = name(keep + rng.below(20_000));
                let key: Key<'_> = secret.key(&bytes);
                if rng.one_in(2) {
                    db.set_string(&key, b"y", Ttl::Clear);
                } else {
                    db.remove(&key);
                }
            }
        }
        for n in 0..keep {
            assert!(seen.contains(&name(n)), "seed {seed}: key {n} of {keep} was not returned");
        }
    }
}

#[test]
fn each_key_is_as_likely_to_be_drawn_as_any_other() {
    let secret = HashSeed::new([1, 2, 3, 4]);
    let now = UnixMs(1);
    let mut keyspace = Keyspace::new(1, secret.clone(), now);
    let mut rng = Rng::new(1);
    // Half of them in one slot, the others alone in theirs.
    let keys = 20;
    for n in 0..keys {
        let name = if n % 2 == 0 { format!("{{t}}{n}") } else { format!("key:{n}") };
        let key = secret.key(name.as_bytes());
        keyspace.db(DB, now, true).set_string(&key, b"v", Ttl::Clear);
    }
    let mut drawn: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
    let draws = if cfg!(miri) { 200 } else { 20_000 };
    for _ in 0..draws {
        let mut db = keyspace.db(DB, now, true);
        let key = db.random(&mut rng).expect("there are keys").key().to_vec();
        *drawn.entry(key).or_default() += 1;
    }
    for (key, count) in &drawn {
        let fair = draws / keys;
        let is_fair = cfg!(miri) || (fair / 2..fair * 2).contains(count);
        assert!(is_fair, "{}: {count}", String::from_utf8_lossy(key));
    }
    assert_eq!(drawn.len(), keys as usize);
}
