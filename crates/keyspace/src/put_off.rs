//! Items of the wheel whose keys are due and held: they lie here until their holder lets go.
//!
//! Left in the wheel they would come due again and again, and thousands of them would take the turns of
//! all others. So one that comes due is put off once, by the hash of its key or with those of whoever holds all
//! keys; who lets go says so (see [`Held`]), and the wheel's next turn looks at them again. Nothing is
//! looked at meanwhile, and no pass is due for it. Costs 32 bytes an item, or a third more in a thin tree.

use std::collections::BTreeSet;

use crate::held::{Held, Holder};
use crate::wheel::Item;

/// What is put off.
#[derive(Debug, Default)]
pub(crate) struct PutOff {
    /// By the hash of the key that is held.
    by_key: BTreeSet<(u64, Item)>,
    /// Kept for who holds all keys.
    by_all: Vec<Item>,
    /// To be looked at again.
    again: Vec<Item>,
}

impl PutOff {
    pub(crate) fn add(&mut self, item: Item, holder: Holder) {
        match holder {
            Holder::OfKey(hash) => drop(self.by_key.insert((hash, item))),
            Holder::OfAll => self.by_all.push(item),
        }
    }

    /// Whether some are to be looked at again.
    #[inline]
    pub(crate) fn has_freed(&self, held: &Held) -> bool {
        !self.again.is_empty()
            || held.has_freed_keys() && !self.by_key.is_empty()
            || held.has_freed_all() && !self.by_all.is_empty()
    }

    /// Adds up to `limit` of those to `due`.
    pub(crate) fn take_freed(&mut self, held: &mut Held, limit: usize, due: &mut Vec<Item>) {
        if !self.by_all.is_empty() && held.take_freed_all() {
            if self.again.is_empty() {
                // Nothing is copied, however many they are.
                std::mem::swap(&mut self.again, &mut self.by_all);
            } else {
                self.again.append(&mut self.by_all);
            }
        }
        while self.again.len() < limit
            && !self.by_key.is_empty()
            && let Some(hash) = held.take_freed_key()
        {
            self.free_key(hash);
        }
        let kept = self.again.len().saturating_sub(limit);
        due.extend(self.again.drain(kept..));
        if self.again.is_empty() {
            // Nobody knows when there will be so many again.
            self.again = Vec::new();
        }
    }

    /// Items of one key: of itself or its fields, in each database.
    fn free_key(&mut self, hash: u64) {
        while let Some(first) = self.by_key.range((hash, Item::FIRST)..).next().copied()
            && first.0 == hash
        {
            self.by_key.remove(&first);
            self.again.push(first.1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use stoa_stdx::{DbIndex, HashSeed, Rng, UnixMs};
    use stoa_value::{Hash, Limits, Rules};

    use crate::{Keyspace, Ttl};

    const DB: DbIndex = DbIndex(0);
    /// As a shard asks for.
    const PORTION_LEN: usize = 64;

    /// Portions until nothing is due at `now`.
    fn drain(keyspace: &mut Keyspace, now: UnixMs) -> usize {
        drain_by(keyspace, now, PORTION_LEN)
    }

    fn drain_by(keyspace: &mut Keyspace, now: UnixMs, limit: usize) -> usize {
        let mut portions = 0;
        while keyspace.next_deadline().is_some_and(|at| at <= now) {
            keyspace.expire_due(now, limit);
            portions += 1;
            assert!(portions < 1_000_000, "it comes to an end");
        }
        portions
    }

    fn set(keyspace: &mut Keyspace, name: &str, at: u64) -> u64 {
        let secret = keyspace.seed().clone();
        let key = secret.key(name.as_bytes());
        keyspace.db(DB, UnixMs(1), true).set_string(&key, b"v", Ttl::At(UnixMs(at)));
        key.hash
    }

    #[test]
    fn thousands_of_held_keys_that_are_due_leave_all_turns_to_others() {
        let count: usize = if cfg!(miri) { 200 } else { 5_000 };
        let secret = HashSeed::new([1, 2, 3, 4]);
        let mut keyspace = Keyspace::new(1, secret, UnixMs(1));
        let hashes: Vec<u64> =
            (0..count).map(|n| set(&mut keyspace, &format!("held{n}"), 1_000)).collect();
        hashes.iter().for_each(|hash| keyspace.held.hold(*hash));
        for n in 0..count {
            set(&mut keyspace, &format!("free{n}"), 1_000);
        }
        for n in 0..100 {
            set(&mut keyspace, &format!("later{n}"), 2_000 + n);
        }
        let portions = drain(&mut keyspace, UnixMs(1_001));
        // Each is moved once on its way through the wheel, and looked at once.
        assert!(portions <= 4 * count / PORTION_LEN + 10, "{portions} portions");
        assert_eq!(keyspace.counts(DB).0, count + 100, "none is held but those");
        // The wheel moves the later ones down, which is one turn or two.
        let portions: usize = (1_002..2_000).map(|now| drain(&mut keyspace, UnixMs(now))).sum();
        assert!(portions <= 10, "{portions} portions for what is held");
        let portions: usize = (2_000..2_101).map(|now| drain(&mut keyspace, UnixMs(now))).sum();
        assert!(portions <= 200, "{portions} portions for 100 keys");
        assert_eq!((keyspace.counts(DB).0, keyspace.next_deadline()), (count, None));
        // Half of them, then the others: nobody waits for more than a turn.
        for half in hashes.chunks(count / 2) {
            let before = keyspace.counts(DB).0;
            half.iter().for_each(|hash| keyspace.held.release(*hash));
            let portions = drain(&mut keyspace, UnixMs(2_200));
            assert!(portions <= half.len() / PORTION_LEN + 2, "{portions} portions");
            assert_eq!(keyspace.counts(DB).0, before - half.len());
        }
        assert_eq!((keyspace.wheel.len(), keyspace.next_deadline()), (0, None));
    }

    #[test]
    fn due_fields_of_held_hashes_take_no_turns_either() {
        let secret = HashSeed::new([1, 2, 3, 4]);
        let rules = Rules { limits: Limits::default(), seed: secret.clone() };
        let mut keyspace = Keyspace::new(1, secret.clone(), UnixMs(1));
        let names: Vec<String> = (0..200).map(|n| format!("hash{n}")).collect();
        for (number, name) in names.iter().enumerate() {
            let key = secret.key(name.as_bytes());
            let db = keyspace.db(DB, UnixMs(1), true);
            let mut hash = db.edit_or_new::<Hash>(&key).expect("a new key");
            for field in [&b"a"[..], b"b", b"c"].iter().take(2 + number % 2) {
                hash.set(field, b"v", &rules);
            }
            hash.set_deadline(b"a", Some(UnixMs(50)));
            hash.set_deadline(b"b", Some(UnixMs(60)));
            drop(hash);
            keyspace.held.hold(key.hash);
        }
        assert!(drain(&mut keyspace, UnixMs(55)) <= 10);
        for now in 56..200 {
            assert_eq!(drain(&mut keyspace, UnixMs(now)), 0, "no turn is due at {now}");
        }
        assert_eq!((keyspace.stats.expired_fields, keyspace.counts(DB).0), (0, 200));
        names.iter().for_each(|name| keyspace.held.release(secret.key(name.as_bytes()).hash));
        drain(&mut keyspace, UnixMs(200));
        // Those of two fields only are gone with them.
        assert_eq!((keyspace.stats.expired_fields, keyspace.counts(DB).0), (400, 100));
        assert_eq!((keyspace.databases[0].armed_hashes, keyspace.wheel.len()), (0, 0));
    }

    /// What a slow reader of all this knows.
    #[derive(Default)]
    struct Model {
        deadlines: BTreeMap<usize, u64>,
        holds: Vec<usize>,
        /// Who holds all, from when.
        alls: BTreeMap<u32, u64>,
    }

    impl Model {
        fn keeps(&self, key: usize, deadline: u64) -> bool {
            self.holds.contains(&key) || self.alls.values().any(|from| *from <= deadline)
        }

        /// What is past its deadline and nobody holds goes.
        fn drain(&mut self, now: u64) {
            let mut gone = self.deadlines.clone();
            gone.retain(|key, deadline| now > *deadline && !self.keeps(*key, *deadline));
            self.deadlines.retain(|key, _| !gone.contains_key(key));
        }
    }

    #[test]
    fn what_is_due_goes_as_soon_as_nobody_holds_it_and_not_before() {
        for seed in 0..if cfg!(miri) { 5 } else { 1_000 } {
            let mut rng = Rng::new(seed);
            let secret = HashSeed::new([1, 2, 3, 4]);
            let mut keyspace = Keyspace::new(1, secret.clone(), UnixMs(1));
            let names: Vec<String> = (0..12).map(|n| format!("k{n}")).collect();
            let hash = |key: usize| secret.hash(names[key].as_bytes());
            let (mut model, mut now, mut holder) = (Model::default(), 1_000, 0);
            for step in 0..200 {
                let key = rng.below(12) as usize;
                match rng.below(8) {
                    0 | 1 => {
                        let at = now + rng.below(60);
                        let mut db = keyspace.db(DB, UnixMs(now), true);
                        let place = secret.key(names[key].as_bytes());
                        db.set_string(&place, b"v", Ttl::At(UnixMs(at)));
                        model.deadlines.insert(key, at);
                    }
                    2 => {
                        keyspace.held.hold(hash(key));
                        model.holds.push(key);
                    }
                    3 | 4 if !model.holds.is_empty() => {
                        let at = rng.below(model.holds.len() as u64) as usize;
                        keyspace.held.release(hash(model.holds.swap_remove(at)));
                    }
                    5 if model.alls.len() < 2 => {
                        holder += 1;
                        keyspace.held.hold_all(holder, UnixMs(now));
                        model.alls.insert(holder, now);
                    }
                    6 => {
                        if let Some((first, _)) = model.alls.pop_first() {
                            keyspace.held.release_all(first);
                        }
                    }
                    _ => now += rng.below(30),
                }
                drain_by(&mut keyspace, UnixMs(now), 1 + rng.below(9) as usize);
                model.drain(now);
                let left = keyspace.counts(DB).0;
                assert_eq!(left, model.deadlines.len(), "seed {seed}, step {step}");
            }
        }
    }
}
