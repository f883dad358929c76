//! All databases of one shard with what they share: memory, the wheel, the hash secret.

use stoa_stdx::{DbIndex, HashSeed, Key, Rng, SLOT_COUNT, SlotId, UnixMs};
use stoa_value::Object;

use crate::arena::Arena;
use crate::compaction::Compaction;
use crate::db::{Database, Db, Owned};
use crate::entry::{Due, Entry};
use crate::held::Held;
use crate::notice::Notices;
use crate::put_off::PutOff;
use crate::slots::Slots;
use crate::table::{Slot, prefetch};
use crate::undo::{Saved, Undo};
use crate::uses::Counting;
use crate::watch::Watches;
use crate::wheel::{Item, Wheel};

/// Counts since the start (or CONFIG RESETSTAT).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyspaceStats {
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Keys reclaimed because their deadline passed.
    pub expired: u64,
    /// Fields of hashes reclaimed because their deadline passed.
    pub expired_fields: u64,
    /// Keys added.
    pub inserted: u64,
}

/// The keys of one shard.
pub struct Keyspace {
    pub(crate) databases: Vec<Database>,
    pub(crate) arena: Arena,
    pub(crate) wheel: Wheel,
    pub(crate) seed: HashSeed,
    /// Counts since the start.
    pub stats: KeyspaceStats,
    /// What happened to keys, as far as anybody wants to know.
    pub notices: Notices,
    pub(crate) watches: Watches,
    /// What transactions hold.
    pub held: Held,
    /// How uses are counted, if keys remember those and not when they were used last.
    pub counting: Option<Counting>,
    /// For which uses count.
    pub(crate) chance: Rng,
    pub(crate) undo: Option<Box<Undo>>,
    pub(crate) next_arm: u16,
    pub(crate) due: Vec<Item>,
    /// What was due when it was held.
    pub(crate) put_off: PutOff,
    /// A round of sifting the wheel is under way.
    pub(crate) is_sifting: bool,
    /// Items to be sifted by the next command, for those that the last one added.
    pub(crate) sift_owed: usize,
    /// Databases emptied by FLUSH*, freed in portions.
    pub(crate) condemned: Vec<(Slots, usize)>,
    /// Removed values that take long to free.
    pub(crate) condemned_objects: Vec<Object>,
    /// Copies for undoing that are needed no more.
    pub(crate) condemned_copies: Vec<Saved>,
    pub(crate) compaction: Compaction,
}

// SAFETY: the pointers in its slots lead to entries and tables in its own arena, or to values that
// these entries alone own; values are `Send` (`Owned` is). No pointer leaves the keyspace but in
// borrows of it, so moving it to another thread moves all of it. It is not Sync.
unsafe impl Send for Keyspace {}

impl Keyspace {
    /// `databases` empty databases.
    #[must_use]
    pub fn new(databases: u16, seed: HashSeed, now: UnixMs) -> Self {
        Self {
            databases: (0..databases).map(Database::new).collect(),
            arena: Arena::new(),
            wheel: Wheel::new(now),
            counting: None,
            chance: Rng::new(seed.hash(b"uses")),
            seed,
            stats: KeyspaceStats::default(),
            notices: Notices::default(),
            watches: Watches::default(),
            held: Held::default(),
            undo: None,
            next_arm: 0,
            due: Vec::new(),
            put_off: PutOff::default(),
            is_sifting: false,
            sift_owed: 0,
            condemned: Vec::new(),
            condemned_objects: Vec::new(),
            condemned_copies: Vec::new(),
            compaction: Compaction::default(),
        }
    }

    /// Database `index` as one command sees it at `now`.
    ///
    /// # Panics
    /// When there is no such database: sessions never hold an index out of range.
    #[must_use]
    pub fn db(&mut self, index: DbIndex, now: UnixMs, touch: bool) -> Db<'_> {
        if self.sift_owed > 0 {
            self.pay_for_adds();
        }
        assert!((index.0 as usize) < self.databases.len(), "no database {}", index.0);
        Db::new(self, index, now, touch)
    }

    /// How many databases there are.
    #[must_use]
    pub fn database_count(&self) -> u16 {
        self.databases.len() as u16
    }

    /// Keys of a database, and how many of them have a deadline.
    #[must_use]
    pub fn counts(&self, index: DbIndex) -> (usize, usize) {
        let database = &self.databases[index.0 as usize];
        (database.len, database.expires)
    }

    /// The secret for hashing keys.
    #[must_use]
    pub const fn seed(&self) -> &HashSeed {
        &self.seed
    }

    /// Exchanges two databases.
    pub fn swap(&mut self, a: DbIndex, b: DbIndex, now: UnixMs) {
        if a != b {
            self.note_exchange(a, b, now);
            self.note_exchange(b, a, now);
        }
        self.databases.swap(a.0 as usize, b.0 as usize);
    }

    /// Bytes of entries and tables, as stored.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.arena.used_bytes() + self.slots_bytes() + self.wheel.bytes()
    }

    /// Bytes of slots. They are none of the allocator's.
    #[must_use]
    pub fn slots_bytes(&self) -> usize {
        self.databases.iter().filter(|db| db.slots.is_some()).count()
            * size_of::<[Slot; SLOT_COUNT]>()
    }

    /// Bytes taken for entries and tables that hold none now.
    #[must_use]
    pub const fn idle_bytes(&self) -> usize {
        self.arena.reserved_bytes().saturating_sub(self.arena.used_bytes())
    }

    /// Bytes taken from the system's allocator for entries and tables.
    #[must_use]
    pub const fn reserved_bytes(&self) -> usize {
        self.arena.reserved_bytes()
    }

    /// Brings what a batch of keys, by slot and hash, is going to need into the cache: slots' headers, then
    /// the lines of their tables, then entries, so that the misses of each stage overlap.
    #[inline]
    pub fn prefetch(&self, index: DbIndex, keys: impl Iterator<Item = (SlotId, u64)> + Clone) {
        let Some(slots) = &self.databases[index.0 as usize].slots else { return };
        keys.clone().for_each(|(slot, _)| prefetch((&raw const slots[slot.0 as usize]).cast()));
        keys.clone().for_each(|(slot, hash)| slots[slot.0 as usize].prefetch_words(hash));
        keys.for_each(|(slot, hash)| slots[slot.0 as usize].prefetch_entry(hash));
    }

    pub(crate) fn insert(&mut self, index: DbIndex, key: &Key<'_>, entry: Entry) {
        let Self { databases, arena, seed, stats, .. } = self;
        let database = &mut databases[index.0 as usize];
        database.count_in(key.slot);
        stats.inserted += 1;
        database.expires += usize::from(entry.due().is_some());
        let slot = database.slot_mut(key.slot);
        slot.insert(arena, key.hash, entry, &|bytes| seed.hash(bytes));
    }

    pub(crate) fn replace(&mut self, index: DbIndex, key: &Key<'_>, old: Entry, new: Entry) {
        let Self { databases, arena, condemned_objects, .. } = self;
        let database = &mut databases[index.0 as usize];
        database.expires += usize::from(new.due().is_some());
        database.forget(old);
        database.slot_mut(key.slot).replace(key.hash, old, new);
        // SAFETY: the table points to `new` now, and `old` was made by this arena.
        unsafe { old.discard(arena, condemned_objects) };
    }

    pub(crate) fn move_deadline(
        &mut self,
        index: DbIndex,
        key: &Key<'_>,
        old: Entry,
        due: Option<Due>,
    ) {
        let Self { databases, arena, .. } = self;
        let database = &mut databases[index.0 as usize];
        database.expires += usize::from(due.is_some());
        database.expires -= usize::from(old.due().is_some());
        // SAFETY: `old` was made by this arena and leaves the table in the next line; `replace`
        // compares its address only.
        let new = unsafe { old.with_deadline(arena, due) };
        database.slot_mut(key.slot).replace(key.hash, old, new);
    }

    pub(crate) fn discard(&mut self, index: DbIndex, key: &Key<'_>) -> bool {
        let Self { databases, arena, condemned_objects, .. } = self;
        let database = &mut databases[index.0 as usize];
        let Some(entry) = database.slot_mut(key.slot).remove(arena, key.hash, key.bytes) else {
            return false;
        };
        database.count_out(key.slot);
        database.forget(entry);
        // SAFETY: out of the table, made by this arena.
        unsafe { entry.discard(arena, condemned_objects) };
        true
    }

    pub(crate) fn remove(&mut self, index: DbIndex, key: &Key<'_>) -> Option<Owned> {
        let Self { databases, arena, .. } = self;
        let database = &mut databases[index.0 as usize];
        // A loan asks every database for its key: that must not make the tables of an empty one.
        let slot = &mut database.slots.as_mut()?[key.slot.0 as usize];
        let entry = slot.remove(arena, key.hash, key.bytes)?;
        database.count_out(key.slot);
        database.forget(entry);
        let (deadline, clock) = (entry.deadline(), entry.clock());
        // SAFETY: out of the table, made by this arena.
        let value = unsafe { entry.into_value(arena) };
        Some(Owned { value, deadline, clock })
    }
}

#[cfg(test)]
mod tests {
    use stoa_stdx::{DbIndex, HashSeed, UnixMs};

    use crate::{Keyspace, Ttl};

    #[test]
    fn asking_empty_databases_for_a_key_to_lend_makes_no_tables() {
        let (now, seed) = (UnixMs(1), HashSeed::new([1, 2, 3, 4]));
        let mut keyspace = Keyspace::new(16, seed.clone(), now);
        let key = seed.key(b"k");
        keyspace.db(DbIndex(3), now, false).set_string(&key, b"v", Ttl::Clear);
        let before = keyspace.used_bytes();
        for index in (0..16).map(DbIndex) {
            let lent = keyspace.db(index, now, false).lend(&key);
            assert_eq!(lent.is_some(), index.0 == 3);
            if let Some(owned) = lent {
                keyspace.db(index, now, false).put(&key, owned);
            }
        }
        assert_eq!(keyspace.used_bytes(), before);
    }
}
