//! Hashes in every form against a map.

use std::collections::BTreeMap;

use stoa_stdx::{HashSeed, Rng, UnixMs};

use super::Hash;
use crate::{Limits, Rules};

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

fn rules() -> Rules {
    Rules { limits: Limits::default(), seed: HashSeed::new([1, 2, 3, 4]) }
}

fn check(hash: &Hash, model: &Model, now: u64, case: &str) {
    let all: Model = hash
        .iter()
        .map(|(field, value, at)| (field.to_vec(), (value.to_vec(), at.map(|at| at.0))))
        .collect();
    assert_eq!(&all, model, "{case}");
    for from in [now, now + 1, now + 150, u64::MAX] {
        let soonest = model.values().filter_map(|(_, at)| at.filter(|at| *at >= from)).min();
        assert_eq!(hash.next_deadline_from(UnixMs(from)).map(|at| at.0), soonest, "{case}");
    }
    let mut rng = Rng::new(now);
    for n in 0..model.len().min(20) {
        for (field, value) in [hash.nth(n), hash.random(&mut rng)].into_iter().flatten() {
            assert_eq!(
                Some(value.to_vec()),
                model.get(&field.to_vec()).map(|it| it.0.clone()),
                "{case}"
            );
        }
    }
    assert!(hash.nth(model.len()).is_none(), "{case}");
    let mut walk = hash.iter();
    let mut whole = hash.iter().collect::<Vec<_>>().into_iter();
    while whole.len() > 0 {
        let far_max = *rng.pick(&[4, 200]);
        let far = rng.below(far_max) as usize;
        assert_eq!(walk.nth(far), whole.nth(far), "{case}, {far} on");
    }
    let mut seen = BTreeMap::new();
    let mut cursor = Some(0);
    while let Some(from) = cursor {
        cursor = hash.scan(from, 5, &mut |field, value| {
            seen.insert(field.to_vec(), value.to_vec());
        });
    }
    assert_eq!(seen.len(), model.len(), "{case}");
}

#[test]
fn a_hash_agrees_with_a_map_in_every_form() {
    for seed in 0..if cfg!(miri) { 3 } else { 80 } {
        let mut rng = Rng::new(seed);
        let rules = rules();
        let mut hash = Hash::default();
        let mut model = Model::new();
        let (mut now, mut seen) = (1_000, 0);
        let fields = if seed % 2 == 0 { 60 } else { 1_200 };
        for step in 0..if cfg!(miri) { 120 } else { 2_000 } {
            let case = format!("seed {seed}, step {step}, {}", hash.encoding());
            let field = format!("f{}", rng.below(fields)).into_bytes();
            now += rng.below(3);
            match rng.below(12) {
                0 => assert_eq!(hash.remove(&field), model.remove(&field).is_some(), "{case}"),
                1 if seed % 3 > 0 => {
                    let at = (!rng.one_in(3)).then(|| now + 1 + rng.below(400));
                    let there = hash.set_deadline(&field, at.map(UnixMs));
                    assert_eq!(there, model.contains_key(&field), "{case}");
                    if let Some(held) = model.get_mut(&field) {
                        held.1 = at;
                    }
                }
                2 => {
                    // Seen, they are gone at once; taken out, some or all of them, later.
                    hash.see(UnixMs(now));
                    seen = now;
                    model.retain(|_, (_, at)| at.is_none_or(|at| at >= now));
                    let (held, due) = (hash.len_with_hidden(), hash.len_with_hidden() - hash.len());
                    let limit = [0, 1, 3, usize::MAX][rng.below(4) as usize];
                    let (removed, last) = hash.expire(UnixMs(now), limit);
                    assert!(removed <= due && (removed == due || removed >= limit), "{case}");
                    assert!(last.0 < now, "{case}");
                    assert_eq!(hash.len_with_hidden(), held - removed, "{case}");
                    assert_eq!(
                        hash.is_over(UnixMs(now)),
                        model.is_empty() && due > removed,
                        "{case}"
                    );
                }
                3 => {
                    let value = rng.below(1_000).to_string().into_bytes();
                    let at = model.get(&field).and_then(|(_, at)| *at);
                    let added = hash.set_keeping_deadline(&field, &value, &rules);
                    assert_eq!(added, model.insert(field.clone(), (value, at)).is_none(), "{case}");
                }
                _ => {
                    let long = if rng.one_in(400) { 200 } else { 0 };
                    let value = vec![b'v'; long + rng.below(30) as usize];
                    let added = hash.set(&field, &value, &rules);
                    let old = model.insert(field.clone(), (value, None));
                    assert_eq!(added, old.is_none(), "{case}");
                }
            }
            let held = model.get(&field);
            assert_eq!(
                hash.get(&field).map(|value| value.to_vec()).as_ref(),
                held.map(|held| &held.0),
                "{case}"
            );
            assert_eq!(hash.contains(&field), held.is_some(), "{case}");
            let at = hash.deadline(&field).map(|at| at.map(|at| at.0));
            assert_eq!(at, held.map(|held| held.1), "{case}");
            assert_eq!(hash.len(), model.len(), "{case}");
            if step % 100 == 0 {
                check(&hash, &model, seen, &case);
            }
        }
        check(&hash, &model, seen, &format!("seed {seed}, end"));
    }
}

#[test]
fn forms_change_where_the_directives_say() {
    let rules = rules();
    let mut hash = Hash::default();
    if cfg!(miri) {
        return;
    }
    for n in 0..512 {
        hash.set(n.to_string().as_bytes(), b"v", &rules);
    }
    assert_eq!(hash.encoding(), "listpack");
    hash.set(b"0", b"changed", &rules);
    assert_eq!(hash.encoding(), "listpack");
    hash.set(b"512", b"v", &rules);
    assert_eq!(hash.encoding(), "hashtable");
    let mut hash = Hash::default();
    hash.set(b"f", &[b'v'; 64], &rules);
    assert_eq!(hash.encoding(), "listpack");
    hash.set_deadline(b"f", Some(UnixMs(5)));
    assert_eq!(hash.encoding(), "listpackex");
    hash.set(b"f", &[b'v'; 65], &rules);
    assert_eq!(hash.encoding(), "hashtable");
}

#[test]
fn deadlines_of_many_fields_are_met_in_portions() {
    let rules = rules();
    let mut hash = Hash::default();
    // Enough for the large form.
    for n in 0..if cfg!(miri) { 520 } else { 1_000_u64 } {
        let field = n.to_string();
        hash.set(field.as_bytes(), b"v", &rules);
        hash.set_deadline(field.as_bytes(), Some(UnixMs(1 + n % 10)));
    }
    assert_eq!(hash.expire(UnixMs(6), 64), (64, UnixMs(1)));
    assert!(!hash.is_over(UnixMs(6)));
    assert!(hash.is_over(UnixMs(11)));
    while hash.expire(UnixMs(11), 64).0 > 0 {}
    assert!(hash.is_empty());
    assert_eq!(hash.next_deadline(), None);
}
