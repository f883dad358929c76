//! Keys that somebody keeps an eye on: transactions that must know whether a key changed (WATCH), and
//! clients that wait for one to come (BLPOP and its like).
//!
//! A watched key has a version; every change of it counts one up, and a transaction compares. The
//! keyspace sees all changes itself, so no command can forget to say so. What a command touched is
//! noted while it runs and counts only if it says that it changed something: removing a field that
//! is not there opens the hash and leaves it as it was. While nobody watches anything each change
//! costs one branch.

use std::collections::BTreeMap;

use stoa_stdx::{DbIndex, Key, UnixMs};
use stoa_value::ObjectRef;

use crate::Keyspace;
use crate::entry::Entry;
use crate::told::Told;

/// What is watched on one shard.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    /// Something is watched, or everything is noted.
    active: bool,
    /// Every touched key is noted, watched or not: the keys are on loan from other shards.
    notes_all: bool,
    /// Keys are copied before they change.
    undoes: bool,
    /// By database and key.
    keys: BTreeMap<u16, BTreeMap<Box<[u8]>, Watched>>,
    /// What each client watches, by CLIENT ID.
    clients: BTreeMap<u64, Vec<Note>>,
    /// What the running command touched.
    noted: Vec<(DbIndex, Vec<u8>)>,
    /// So many of them are changes of commands that are over.
    settled: usize,
    /// Changes for whoever caches keys.
    pub(crate) told: Told,
    /// Keys with waiting clients that changed since they were last taken.
    woken: Vec<(DbIndex, Vec<u8>)>,
}

#[derive(Debug, Default)]
struct Watched {
    version: u64,
    watchers: u32,
    waiters: u32,
}

/// One key as one client saw it.
#[derive(Debug)]
struct Note {
    db: DbIndex,
    key: Box<[u8]>,
    hash: u64,
    version: u64,
    /// It was past its deadline already, so its end is no change.
    expired: bool,
    /// When this was. The end of fields that were past their deadlines then is no change.
    at: UnixMs,
}

impl Watches {
    fn get(&mut self, db: DbIndex, key: &[u8]) -> Option<&mut Watched> {
        self.keys.get_mut(&db.0)?.get_mut(key)
    }

    fn get_or_add(&mut self, db: DbIndex, key: &[u8]) -> &mut Watched {
        self.active = true;
        self.keys.entry(db.0).or_default().entry(key.into()).or_default()
    }

    fn drop_if_unused(&mut self, db: DbIndex, key: &[u8]) {
        let Some(keys) = self.keys.get_mut(&db.0) else { return };
        if keys.get(key).is_some_and(|key| key.watchers == 0 && key.waiters == 0) {
            keys.remove(key);
        }
        if keys.is_empty() {
            self.keys.remove(&db.0);
        }
        self.settle_active();
    }

    /// Whether touches are to be looked at.
    fn settle_active(&mut self) {
        self.active = self.undoes || self.notes_all || self.told.on || !self.keys.is_empty();
    }

    /// Counts a change of a key.
    fn change(&mut self, db: DbIndex, key: &[u8]) {
        let Some(watched) = self.get(db, key) else { return };
        watched.version += 1;
        if watched.waiters > 0 {
            self.woken.push((db, key.to_vec()));
        }
    }

    /// Counts the end of a key that reached its deadline. For who saw it past that already it is none.
    fn end(&mut self, db: DbIndex, key: &[u8]) {
        self.change(db, key);
        let Some(version) = self.get(db, key).map(|watched| watched.version) else { return };
        let notes = self.clients.values_mut().flatten();
        for note in notes.filter(|note| note.expired && note.db == db && *note.key == *key) {
            note.version = version;
            note.expired = false;
        }
    }

    /// Counts that another database's key takes the place of this one's, if that `was_there`. `due`: it
    /// is past its deadline.
    fn replace(&mut self, db: DbIndex, key: &[u8], was_there: bool, due: bool) {
        self.change(db, key);
        let Some(version) = self.get(db, key).map(|watched| watched.version) else { return };
        let before = version - 1;
        let notes = self.clients.values_mut().flatten();
        for note in notes.filter(|note| note.db == db && *note.key == *key) {
            let saw_none = note.expired || !was_there;
            if due && saw_none && note.version == before {
                note.version = version;
                note.expired = true;
            }
        }
    }

    /// Counts the end of fields that reached their deadlines, the last one `last`. For who saw them all
    /// past that already it is no change.
    fn end_fields(&mut self, db: DbIndex, key: &[u8], last: UnixMs) {
        self.change(db, key);
        let Some(version) = self.get(db, key).map(|watched| watched.version) else { return };
        for note in self.clients.values_mut().flatten() {
            let is_hers = note.db == db && *note.key == *key && note.version + 1 == version;
            if is_hers && last < note.at {
                note.version = version;
            }
        }
    }
}

impl Keyspace {
    /// Client `client` watches `key` from now on.
    pub fn watch(&mut self, client: u64, db: DbIndex, key: &Key<'_>, now: UnixMs) {
        let notes = self.watches.clients.entry(client).or_default();
        if notes.iter().any(|note| note.db == db && *note.key == *key.bytes) {
            return;
        }
        let expired = self.entry_of(db, key.bytes).is_some_and(|entry| is_due(entry, now));
        let watched = self.watches.get_or_add(db, key.bytes);
        watched.watchers += 1;
        let version = watched.version;
        let note = Note { db, key: key.bytes.into(), hash: key.hash, version, expired, at: now };
        self.watches.clients.entry(client).or_default().push(note);
    }

    /// Client `client` watches nothing any more.
    pub fn unwatch(&mut self, client: u64) {
        for note in self.watches.clients.remove(&client).unwrap_or_default() {
            if let Some(watched) = self.watches.get(note.db, &note.key) {
                watched.watchers -= 1;
            }
            self.watches.drop_if_unused(note.db, &note.key);
        }
    }

    /// Whether something that `client` watches changed since, or reached its deadline.
    #[must_use]
    pub fn is_watch_broken(&self, client: u64, now: UnixMs) -> bool {
        let Some(notes) = self.watches.clients.get(&client) else { return false };
        notes.iter().any(|note| {
            let keys = self.watches.keys.get(&note.db.0);
            let watched = keys.and_then(|keys| keys.get(&note.key));
            let found = || self.entry_of(note.db, &note.key);
            // Whether or not they were reclaimed yet.
            let fields_are_due = |entry: Entry| match entry.object() {
                Some(ObjectRef::Hash(hash)) => {
                    hash.next_deadline_from(note.at).is_some_and(|at| at < now)
                }
                Some(_) | None => false,
            };
            watched.is_none_or(|watched| watched.version != note.version)
                || !note.expired
                    && found().is_some_and(|entry| is_due(entry, now) || fields_are_due(entry))
        })
    }

    /// How many keys are watched.
    #[must_use]
    pub fn watched_count(&self) -> usize {
        let keys = self.watches.keys.values().flat_map(BTreeMap::values);
        keys.filter(|watched| watched.watchers > 0).count()
    }

    /// The hashes of the keys that `client` watches.
    pub fn watched_hashes(&self, client: u64) -> impl Iterator<Item = u64> + '_ {
        self.watches.clients.get(&client).into_iter().flatten().map(|note| note.hash)
    }

    /// Somebody waits for a change of `key`.
    pub fn add_waiter(&mut self, db: DbIndex, key: &[u8]) {
        self.watches.get_or_add(db, key).waiters += 1;
    }

    /// One who waited for a change of `key` waits no more.
    pub fn remove_waiter(&mut self, db: DbIndex, key: &[u8]) {
        if let Some(watched) = self.watches.get(db, key) {
            watched.waiters -= 1;
        }
        self.watches.drop_if_unused(db, key);
    }

    /// Some key that is waited for changed.
    #[must_use]
    #[inline]
    pub const fn has_woken(&self) -> bool {
        !self.watches.woken.is_empty()
    }

    /// Has those looked at who wait for a key, though it did not change.
    pub fn wake(&mut self, db: DbIndex, key: &[u8]) {
        self.watches.woken.push((db, key.to_vec()));
    }

    /// The keys that are waited for and changed, in the order of their changes.
    pub fn take_woken(&mut self) -> Vec<(DbIndex, Vec<u8>)> {
        std::mem::take(&mut self.watches.woken)
    }

    /// Notes that the running command touched `key`.
    #[inline]
    pub(crate) fn note(&mut self, db: DbIndex, key: &[u8]) {
        if self.watches.active {
            self.note_slowly(db, key);
        }
    }

    #[cold]
    fn note_slowly(&mut self, db: DbIndex, key: &[u8]) {
        self.save_for_undo(db, key);
        let Watches { notes_all, told, .. } = &self.watches;
        if *notes_all || told.on || self.watches.get(db, key).is_some() {
            self.watches.noted.push((db, key.to_vec()));
        }
    }

    /// Something was touched since this was last settled.
    #[must_use]
    #[inline]
    pub const fn has_notes(&self) -> bool {
        self.watches.noted.len() > self.watches.settled
    }

    /// What was touched since the last command was no change: a key came on loan, or went.
    pub fn forget_notes(&mut self) {
        self.watches.noted.truncate(self.watches.settled);
    }

    /// The command is over: what it touched is changed, or, if it changed nothing, is not.
    pub fn settle_notes(&mut self, changed: bool) {
        if !changed {
            return self.forget_notes();
        }
        for at in self.watches.settled..self.watches.noted.len() {
            let (db, key) = self.watches.noted[at].clone();
            self.watches.change(db, &key);
            self.watches.told.push(&key, true);
        }
        if self.watches.notes_all {
            self.watches.settled = self.watches.noted.len();
        } else {
            self.watches.noted.clear();
        }
    }

    /// Notes every touched key from now on, or no longer: keys on loan are watched at their owner,
    /// which is told. Gives what was noted so far.
    pub fn note_all(&mut self, all: bool) -> Vec<(DbIndex, Vec<u8>)> {
        self.watches.notes_all = all;
        self.watch_all_touches();
        self.watches.noted.truncate(std::mem::take(&mut self.watches.settled));
        std::mem::take(&mut self.watches.noted)
    }

    /// Whether touches are to be looked at follows from what they are looked at for.
    pub(crate) fn watch_all_touches(&mut self) {
        self.watches.undoes = self.undo.is_some();
        self.watches.settle_active();
    }

    /// A key changed while it was on loan.
    pub fn changed_elsewhere(&mut self, db: DbIndex, key: &[u8]) {
        self.watches.change(db, key);
    }

    /// A key reached its deadline.
    pub(crate) fn note_end(&mut self, db: DbIndex, key: &[u8]) {
        if self.watches.active {
            self.watches.end(db, key);
            self.watches.told.push(key, false);
        }
    }

    /// Fields of a hash reached their deadlines.
    pub(crate) fn note_fields_end(&mut self, db: DbIndex, key: &[u8], last: UnixMs) {
        if self.watches.active {
            self.watches.end_fields(db, key, last);
            self.watches.told.push(key, false);
        }
    }

    /// Database `db` loses all its keys.
    pub(crate) fn note_emptied(&mut self, db: DbIndex) {
        self.watches.told.empty();
        for key in self.watched_keys(db) {
            if self.entry_of(db, &key).is_some() {
                self.watches.end(db, &key);
            }
        }
    }

    /// Database `db` gets the keys of `other` in place of its own. A key past its deadline is as good as
    /// none, to whom it was so before, and to whom there was none.
    pub(crate) fn note_exchange(&mut self, db: DbIndex, other: DbIndex, now: UnixMs) {
        for key in self.watched_keys(db) {
            let was_there = self.entry_of(db, &key).is_some();
            match self.entry_of(other, &key).map(|entry| is_due(entry, now)) {
                None if was_there => self.watches.end(db, &key),
                None => {}
                Some(due) => self.watches.replace(db, &key, was_there, due),
            }
        }
    }

    fn watched_keys(&self, db: DbIndex) -> Vec<Box<[u8]>> {
        self.watches.keys.get(&db.0).into_iter().flat_map(BTreeMap::keys).cloned().collect()
    }

    fn entry_of(&self, db: DbIndex, key: &[u8]) -> Option<Entry> {
        self.databases[db.0 as usize].find(&self.seed.key(key))
    }
}

fn is_due(entry: Entry, now: UnixMs) -> bool {
    entry.deadline().is_some_and(|at| now > at)
}

#[cfg(test)]
mod tests {
    use stoa_stdx::{DbIndex, HashSeed, UnixMs};
    use stoa_value::{Hash, Limits, Rules};

    use crate::{Keyspace, Ttl};

    const DB: DbIndex = DbIndex(0);
    const NOW: UnixMs = UnixMs(1_000);

    fn keyspace() -> (Keyspace, HashSeed) {
        let secret = HashSeed::new([1, 2, 3, 4]);
        (Keyspace::new(2, secret.clone(), NOW), secret)
    }

    #[test]
    fn only_what_says_it_changed_something_breaks_a_watch() {
        let (mut keyspace, secret) = keyspace();
        let key = secret.key(b"k");
        keyspace.watch(7, DB, &key, NOW);
        keyspace.db(DB, NOW, true).set_string(&key, b"v", Ttl::Clear);
        keyspace.settle_notes(false);
        assert!(!keyspace.is_watch_broken(7, NOW));
        keyspace.db(DB, NOW, true).remove(&key);
        keyspace.settle_notes(true);
        assert!(keyspace.is_watch_broken(7, NOW));
        keyspace.unwatch(7);
        assert!(!keyspace.is_watch_broken(7, NOW));
        assert!(!keyspace.watches.active, "nobody watches, so nothing is noted");
    }

    #[test]
    fn a_deadline_that_passes_breaks_a_watch_unless_it_had_passed_before() {
        let (mut keyspace, secret) = keyspace();
        let key = secret.key(b"k");
        keyspace.db(DB, NOW, true).set_string(&key, b"v", Ttl::At(UnixMs(1_010)));
        keyspace.watch(1, DB, &key, NOW);
        let late = UnixMs(1_020);
        keyspace.watch(2, DB, &key, late);
        assert!(keyspace.is_watch_broken(1, late));
        assert!(!keyspace.is_watch_broken(2, late));
        assert!(keyspace.db(DB, late, true).peek(&key).is_none(), "it is reclaimed");
        assert!(keyspace.is_watch_broken(1, late));
        assert!(!keyspace.is_watch_broken(2, late));
        keyspace.db(DB, late, true).set_string(&key, b"w", Ttl::Clear);
        keyspace.settle_notes(true);
        assert!(keyspace.is_watch_broken(2, late));
    }

    #[test]
    fn a_field_that_reaches_its_deadline_breaks_a_watch_whether_or_not_it_is_reclaimed() {
        for fields in [3_u64, 900] {
            let (mut keyspace, secret) = keyspace();
            let rules = Rules { limits: Limits::default(), seed: secret.clone() };
            let key = secret.key(b"k");
            let db = keyspace.db(DB, NOW, true);
            let mut hash = db.edit_or_new::<Hash>(&key).expect("a new key");
            for n in 0..fields {
                hash.set(&n.to_be_bytes(), b"v", &rules);
            }
            hash.set_deadline(&0_u64.to_be_bytes(), Some(UnixMs(1_010)));
            hash.set_deadline(&1_u64.to_be_bytes(), Some(UnixMs(1_030)));
            drop(hash);
            keyspace.watch(1, DB, &key, NOW);
            keyspace.watch(2, DB, &key, UnixMs(1_020));
            let broken =
                |keyspace: &Keyspace, at| [1, 2].map(|id| keyspace.is_watch_broken(id, UnixMs(at)));
            assert_eq!(broken(&keyspace, 1_010), [false, false]);
            assert_eq!(broken(&keyspace, 1_020), [true, false]);
            while keyspace.next_deadline().is_some_and(|at| at <= UnixMs(1_020)) {
                keyspace.expire_due(UnixMs(1_020), 10);
            }
            assert_eq!(keyspace.stats.expired_fields, 1);
            assert_eq!(broken(&keyspace, 1_020), [true, false]);
            assert_eq!(broken(&keyspace, 1_040), [true, true]);
        }
    }

    #[test]
    fn emptying_and_exchanging_databases_break_watches_on_keys_that_were_there() {
        let (mut keyspace, secret) = keyspace();
        let (here, there, nowhere) = (secret.key(b"a"), secret.key(b"b"), secret.key(b"c"));
        keyspace.db(DB, NOW, true).set_string(&here, b"v", Ttl::Clear);
        keyspace.db(DbIndex(1), NOW, true).set_string(&there, b"v", Ttl::Clear);
        keyspace.watch(1, DB, &here, NOW);
        keyspace.watch(2, DB, &there, NOW);
        keyspace.watch(3, DB, &nowhere, NOW);
        keyspace.swap(DB, DbIndex(1), NOW);
        let broken = |keyspace: &Keyspace| [1, 2, 3].map(|id| keyspace.is_watch_broken(id, NOW));
        assert_eq!(broken(&keyspace), [true, true, false]);
        (1..=3).for_each(|id| keyspace.unwatch(id));
        keyspace.watch(1, DB, &here, NOW);
        keyspace.watch(2, DB, &there, NOW);
        keyspace.watch(3, DB, &nowhere, NOW);
        keyspace.db(DB, NOW, true).clear();
        assert_eq!(broken(&keyspace), [false, true, false], "`b` came here, `a` went");
    }

    #[test]
    fn what_was_past_its_deadline_is_no_change_when_databases_are_exchanged() {
        let other = DbIndex(1);
        let late = UnixMs(1_020);
        let due = Ttl::At(UnixMs(1_010));
        // Watched before the exchange: nothing, past its deadline, alive. Then in its place: past its
        // deadline, alive, nothing.
        for (before, after, broken) in [
            (None, Some(due), false),
            (None, Some(Ttl::Clear), true),
            (Some(due), Some(due), false),
            (Some(due), Some(Ttl::Clear), true),
            (Some(due), None, false),
            (Some(Ttl::Clear), Some(due), true),
            (Some(Ttl::Clear), None, true),
        ] {
            let (mut keyspace, secret) = keyspace();
            let key = secret.key(b"k");
            for (db, ttl) in [(DB, before), (other, after)] {
                if let Some(ttl) = ttl {
                    keyspace.db(db, NOW, true).set_string(&key, b"v", ttl);
                }
            }
            keyspace.watch(1, DB, &key, late);
            keyspace.swap(DB, other, late);
            assert_eq!(keyspace.is_watch_broken(1, late), broken, "{before:?}, {after:?}");
        }
    }
}
