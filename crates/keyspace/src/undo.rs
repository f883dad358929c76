//! What keys were before a script touched them, to be put back if it turns out that it must run where
//! more keys are.
//!
//! A key is copied when it is first touched. So the copies are as large as what the script changes;
//! [`Keyspace::undo_would_cost`] says how much a key would add, and whoever runs scripts rather brings
//! all keys together at once than copy a large value.

use std::collections::BTreeMap;

use stoa_stdx::{DbIndex, Key, UnixMs};

use crate::Keyspace;
use crate::db::{EntryRef, Owned};
use crate::entry::Value;

/// Keys as they were.
#[derive(Debug, Default)]
pub(crate) struct Undo {
    saved: Saved,
}

/// By database and key; None: it was not there.
pub(crate) type Saved = BTreeMap<(u16, Vec<u8>), Option<Owned>>;

/// So many copies are freed at once when a script ends; more go in portions.
const FREED_AT_ONCE: usize = 16;

impl Keyspace {
    /// From now on keys are copied before they change.
    pub fn begin_undo(&mut self) {
        self.undo = Some(Box::default());
        self.watch_all_touches();
    }

    /// What changed stays so. What takes long to free of the copies is freed in portions.
    pub fn end_undo(&mut self) {
        let mut saved = self.undo.take().unwrap_or_default().saved;
        self.watch_all_touches();
        for _ in 0..FREED_AT_ONCE {
            let Some((_, copy)) = saved.pop_first() else { return };
            self.condemn_copy(copy);
        }
        if !saved.is_empty() {
            self.condemned_copies.push(saved);
        }
    }

    /// Frees about `left` copies, and takes them off it.
    pub(crate) fn free_copies(&mut self, left: &mut usize) {
        while *left > 0
            && let Some(saved) = self.condemned_copies.last_mut()
        {
            *left -= 1;
            match saved.pop_first() {
                Some((_, copy)) => self.condemn_copy(copy),
                None => drop(self.condemned_copies.pop()),
            }
        }
    }

    fn condemn_copy(&mut self, copy: Option<Owned>) {
        if let Some(Owned { value: Value::Object(object), .. }) = copy
            && !object.as_ref().is_light()
        {
            self.condemned_objects.push(object);
        }
    }

    /// Puts all keys back as they were.
    pub fn roll_back(&mut self, now: UnixMs) {
        let undo = self.undo.take().unwrap_or_default();
        self.watch_all_touches();
        let seed = self.seed().clone();
        for ((db, bytes), old) in undo.saved {
            let key = seed.key(&bytes);
            let mut db = self.db(DbIndex(db), now, false);
            match old {
                Some(owned) => db.put(&key, owned),
                None => drop(db.remove(&key)),
            }
        }
        self.forget_notes();
    }

    /// Bytes that copying `key` would take; none if it was copied already.
    #[must_use]
    pub fn undo_would_cost(&self, db: DbIndex, key: &Key<'_>) -> usize {
        let known = |undo: &Undo| undo.saved.contains_key(&(db.0, key.bytes.to_vec()));
        if self.undo.as_deref().is_none_or(known) {
            return 0;
        }
        let entry = self.databases[db.0 as usize].find(key);
        entry.map_or(0, |entry| EntryRef::new(entry, UnixMs(0)).bytes())
    }

    pub(crate) fn save_for_undo(&mut self, db: DbIndex, bytes: &[u8]) {
        let Some(mut undo) = self.undo.take() else { return };
        undo.saved.entry((db.0, bytes.to_vec())).or_insert_with(|| {
            let found = self.databases[db.0 as usize].find(&self.seed.key(bytes));
            found.map(|entry| EntryRef::new(entry, UnixMs(0)).to_owned())
        });
        self.undo = Some(undo);
    }
}

#[cfg(test)]
mod tests {
    use stoa_stdx::{DbIndex, HashSeed, Key, UnixMs};
    use stoa_value::{Limits, Rules, Set};

    use crate::{Keyspace, Ttl};

    #[test]
    fn all_that_was_touched_is_as_it_was() {
        let (db, now) = (DbIndex(0), UnixMs(1_000));
        let secret = HashSeed::new([1, 2, 3, 4]);
        let mut keyspace = Keyspace::new(2, secret.clone(), now);
        let (old, new, due) = (secret.key(b"old"), secret.key(b"new"), secret.key(b"due"));
        keyspace.db(db, now, true).set_string(&old, b"before", Ttl::Clear);
        keyspace.db(db, now, true).set_string(&due, b"1", Ttl::At(UnixMs(9_000)));
        keyspace.begin_undo();
        keyspace.db(db, now, true).set_string(&old, b"after", Ttl::Clear);
        keyspace.db(db, now, true).set_string(&old, b"twice", Ttl::At(UnixMs(5_000)));
        keyspace.db(db, now, true).set_string(&new, b"v", Ttl::Clear);
        keyspace.db(db, now, true).remove(&due);
        keyspace.roll_back(now);
        let mut view = keyspace.db(db, now, true);
        let text = |entry: Option<crate::EntryRef<'_>>| {
            entry.map(|entry| (entry.string().expect("a string").to_vec(), entry.deadline()))
        };
        assert_eq!(text(view.peek(&old)), Some((b"before".to_vec(), None)));
        assert_eq!(text(view.peek(&due)), Some((b"1".to_vec(), Some(UnixMs(9_000)))));
        assert_eq!(text(view.peek(&new)), None);
    }

    #[test]
    fn copies_of_large_values_and_of_many_keys_are_freed_in_portions() {
        let (db, now) = (DbIndex(0), UnixMs(1_000));
        let secret = HashSeed::new([1, 2, 3, 4]);
        let rules = Rules { limits: Limits::default(), seed: secret.clone() };
        let mut keyspace = Keyspace::new(1, secret.clone(), now);
        let large = secret.key(b"large");
        let members = |keyspace: &mut Keyspace, range: std::ops::Range<u32>| {
            let mut set = keyspace.db(db, now, true).edit_or_new::<Set>(&large).expect("no other");
            for n in range {
                set.add(format!("member:{n}").as_bytes(), &rules);
            }
        };
        members(&mut keyspace, 0..10_000);
        keyspace.begin_undo();
        members(&mut keyspace, 10_000..10_001);
        keyspace.end_undo();
        let mut portions = 1;
        while keyspace.free_condemned(1) {
            portions += 1;
        }
        assert!(portions > 8, "a large copy went in {portions}");
        let names: Vec<String> = (0..5_000).map(|n| format!("key:{n}")).collect();
        keyspace.begin_undo();
        for name in &names {
            keyspace.db(db, now, true).set_string(&secret.key(name.as_bytes()), b"v", Ttl::Clear);
        }
        keyspace.end_undo();
        let mut portions = 1;
        while keyspace.free_condemned(100) {
            portions += 1;
        }
        assert!((45..60).contains(&portions), "many keys went in {portions}");
        assert_eq!(keyspace.counts(db).0, 5_001);
    }

    #[test]
    fn a_collection_is_as_it_was_and_one_that_came_to_be_is_gone() {
        let (db, now) = (DbIndex(0), UnixMs(1_000));
        let secret = HashSeed::new([1, 2, 3, 4]);
        let rules = Rules { limits: Limits::default(), seed: secret.clone() };
        let mut keyspace = Keyspace::new(1, secret.clone(), now);
        let (old, new) = (secret.key(b"old"), secret.key(b"new"));
        let add = |keyspace: &mut Keyspace, key: &Key<'_>, member: &[u8]| {
            let mut set = keyspace.db(db, now, true).edit_or_new::<Set>(key).expect("no other");
            set.add(member, &rules);
        };
        add(&mut keyspace, &old, b"1");
        keyspace.begin_undo();
        add(&mut keyspace, &old, b"2");
        add(&mut keyspace, &new, b"1");
        keyspace.roll_back(now);
        let set = keyspace.db(db, now, true).read::<Set>(&old).expect("a set");
        assert_eq!(set.map(Set::len), Some(1));
        assert!(keyspace.db(db, now, true).peek(&new).is_none());
    }
}
