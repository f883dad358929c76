//! The table against a map, its scans under change, its chance, and its portions.

use std::collections::{BTreeMap, BTreeSet};

use stoa_stdx::{HashSeed, Rng};

use super::{Length, Shape, Table, key_of, read_len, tail_of};

/// A key with bytes behind it.
struct Pair;

impl Shape for Pair {
    fn tail_len(behind_key: &[u8]) -> usize {
        let (len, head) = read_len(behind_key);
        head + len
    }
}

fn put(table: &mut Table<Pair>, key: &[u8], value: &[u8]) -> bool {
    table.put(key, &[Length::of(value.len()).as_bytes(), value])
}

fn value_of(item: &[u8]) -> &[u8] {
    key_of(tail_of(item))
}

fn table(seed: u64) -> Table<Pair> {
    Table::new(&HashSeed::new([seed, 1, 2, 3]))
}

fn all(table: &Table<Pair>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut all = BTreeMap::new();
    for item in table.iter() {
        assert!(all.insert(key_of(item).to_vec(), value_of(item).to_vec()).is_none(), "twice");
    }
    all
}

fn run(seed: u64, steps: u64, keys: u64) {
    let mut rng = Rng::new(seed);
    let mut table = table(seed);
    let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for step in 0..steps {
        let case = format!("seed {seed}, step {step}");
        let key = format!("key:{}", rng.below(keys)).into_bytes();
        // Fills, then empties.
        let removes = if step < steps / 2 { 2 } else { 6 };
        if rng.below(8) < removes {
            assert_eq!(table.remove(&key), model.remove(&key).is_some(), "{case}");
        } else {
            let len = if rng.one_in(10) { rng.below(600) } else { rng.below(20) };
            let value = vec![rng.next() as u8; len as usize];
            let added = put(&mut table, &key, &value);
            assert_eq!(added, model.insert(key.clone(), value.clone()).is_none(), "{case}");
            assert_eq!(table.find(&key).map(value_of), Some(&value[..]), "{case}");
        }
        assert_eq!(table.len(), model.len(), "{case}");
        if step % (steps / 10) == 0 {
            assert_eq!(all(&table), model, "{case}");
            let ranks: Vec<_> = (0..table.len()).map(|n| table.nth(n).map(key_of)).collect();
            let distinct: BTreeSet<_> = ranks.iter().flatten().collect();
            assert_eq!(distinct.len(), model.len(), "{case}");
        }
    }
    assert_eq!(all(&table), model, "seed {seed}");
    for key in model.keys() {
        assert!(table.remove(key), "seed {seed}");
    }
    assert_eq!(table.len(), 0, "seed {seed}");
    assert_eq!(table.bytes(), size_of::<Table<Pair>>(), "seed {seed}: all memory came back");
}

#[test]
fn a_table_agrees_with_a_map() {
    for seed in 0..if cfg!(miri) { 1 } else { 20 } {
        run(seed, if cfg!(miri) { 300 } else { 6_000 }, 50 + seed * 100);
    }
    if !cfg!(miri) {
        run(100, 120_000, 40_000);
    }
}

#[test]
fn a_scan_returns_what_is_there_all_the_while() {
    for seed in 0..if cfg!(miri) { 1 } else { 20 } {
        let mut rng = Rng::new(seed);
        let mut table = table(seed);
        let keep = if cfg!(miri) { 60 } else { 500 + seed * 300 };
        for n in 0..keep {
            put(&mut table, n.to_string().as_bytes(), b"kept");
        }
        let mut seen = BTreeSet::new();
        let mut from = 0;
        loop {
            let limit = 1 + rng.below(60) as usize;
            let next = table.scan(from, limit, &mut |item| {
                seen.insert(key_of(item).to_vec());
            });
            match next {
                Some(next) => assert!(next > from, "seed {seed}: the cursor moves"),
                None => break,
            }
            from = next.unwrap_or(0);
            for _ in 0..rng.below(300) {
                let key = (keep + rng.below(20_000)).to_string().into_bytes();
                if rng.one_in(2) {
                    put(&mut table, &key, b"other");
                } else {
                    table.remove(&key);
                }
            }
        }
        for n in 0..keep {
            assert!(seen.contains(n.to_string().as_bytes()), "seed {seed}: {n} was not returned");
        }
    }
}

#[test]
fn each_item_is_drawn_as_often_as_any_other() {
    let mut rng = Rng::new(7);
    for size in [10_u64, 900, 3_000] {
        let mut table = table(size);
        for n in 0..size {
            put(&mut table, n.to_string().as_bytes(), b"");
        }
        let draws = if cfg!(miri) { 10 } else { 200 * size };
        let mut counts: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        for _ in 0..draws {
            let item = table.random(&mut rng).expect("not empty");
            *counts.entry(key_of(item).to_vec()).or_default() += 1;
        }
        if !cfg!(miri) {
            let (least, most) = (counts.values().min(), counts.values().max());
            // 200 expected, with a deviation of 14.
            assert!(least > Some(&120) && most < Some(&280), "{size}: {least:?} to {most:?}");
            assert_eq!(counts.len() as u64, size);
        }
    }
}

#[test]
fn a_table_is_freed_in_portions() {
    let mut table = table(1);
    let items = if cfg!(miri) { 1_500 } else { 30_000 };
    for n in 0..items {
        put(&mut table, n.to_string().as_bytes(), &vec![b'v'; if n % 50 == 0 { 500 } else { 5 }]);
    }
    let mut portions = 1;
    while table.free_some(&mut 20) {
        portions += 1;
    }
    // A leaf, the least that is freed at once, has at most a thousand words.
    assert!(portions + 1 >= items / 2_048, "{items} items in {portions} portions");
    assert_eq!(table.bytes(), size_of::<Table<Pair>>() + table.root.bytes());
    assert_eq!(table.len(), 0);
}

#[test]
fn the_order_depends_on_the_content_alone() {
    let (mut a, mut b) = (table(5), table(5));
    let count = if cfg!(miri) { 100 } else { 4_000 };
    for n in 0..count {
        put(&mut a, n.to_string().as_bytes(), b"");
        put(&mut b, (count - 1 - n).to_string().as_bytes(), b"");
        put(&mut b, format!("gone {n}").as_bytes(), b"");
    }
    for n in 0..count {
        b.remove(format!("gone {n}").as_bytes());
    }
    let order =
        |table: &Table<Pair>| table.iter().map(|item| key_of(item).to_vec()).collect::<Vec<_>>();
    assert_eq!(order(&a), order(&b));
}

#[test]
fn a_member_of_sixteen_bytes_takes_about_thirty() {
    if cfg!(miri) {
        return;
    }
    let mut table = table(3);
    let mut most = 0;
    for n in 0..300_000_u32 {
        table.add(format!("member:{n:09}").as_bytes(), &[&[0]]);
        if n > 50_000 && n % 10_000 == 0 {
            most = most.max(table.bytes() / n as usize);
        }
    }
    assert!(most <= 36, "{most} bytes a member of 18 with its lengths");
}
