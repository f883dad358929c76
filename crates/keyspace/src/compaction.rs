//! Memory that growing tables leave behind.
//!
//! Tables of a database grow at about the same time, each from one size class to the next. The few
//! that stay behind keep whole pages of the old class alive, some five bytes a key. When a
//! noticeable share of the arena is idle, a walk over the slots moves such tables together, a portion
//! at a time.

use crate::Keyspace;
use crate::db::Database;

/// Idle memory below this is not worth a walk.
const IDLE_BYTES_MIN: usize = 1 << 20;

/// Fewer wheel items than this are not worth clearing when all are stale.
const CLEARED_ITEMS_MIN: usize = 4_096;

/// Where the walk is.
#[derive(Debug, Default)]
pub(crate) struct Compaction {
    /// What to go on from; None while resting.
    at: Option<Place>,
    /// Idle bytes after the last walk: what it could not help.
    rest: usize,
}

/// A place of the walk.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    database: usize,
    slot: usize,
    /// Hash position in the slot: one of very many keys is a tree of tables.
    position: u64,
}

impl Keyspace {
    /// Looks at up to `limit` tables. True while a walk is under way.
    pub fn compact(&mut self, limit: usize) -> bool {
        // Stale items stay in the wheel until they fire; when no key has a deadline all are stale.
        let waits = |database: &Database| database.expires + database.armed_hashes > 0;
        if self.wheel.len() > CLEARED_ITEMS_MIN && !self.databases.iter().any(waits) {
            self.wheel.clear();
        }
        let idle = self.arena.reserved_bytes() - self.arena.used_bytes();
        let Some(mut at) = self.compaction.at else {
            let wasted = idle.saturating_sub(self.compaction.rest);
            let starts = wasted > IDLE_BYTES_MIN.max(self.arena.used_bytes() / 64);
            // What was given back since makes room for complaints again.
            self.compaction.rest = self.compaction.rest.min(idle);
            self.compaction.at = starts.then(Place::default);
            return starts;
        };
        let mut left = limit;
        while left > 0 && at.database < self.databases.len() {
            let slots = self.databases[at.database].slots.as_mut();
            let Some(slot) = slots.and_then(|slots| slots.get_mut(at.slot)) else {
                at = Place { database: at.database + 1, slot: 0, position: 0 };
                continue;
            };
            match slot.compact(&mut self.arena, at.position, &mut left) {
                Some(position) => at.position = position,
                None => at = Place { slot: at.slot + 1, position: 0, ..at },
            }
        }
        let goes_on = at.database < self.databases.len();
        self.compaction.at = goes_on.then_some(at);
        if !goes_on {
            self.compaction.rest = self.arena.reserved_bytes() - self.arena.used_bytes();
        }
        goes_on
    }
}

#[cfg(test)]
mod tests {
    use crate::table::Slot;
    use stoa_stdx::{DbIndex, HashSeed, UnixMs};

    use crate::{Keyspace, Ttl};

    #[test]
    fn tables_left_behind_are_moved_together_and_no_key_is_lost() {
        let secret = HashSeed::new([1, 2, 3, 4]);
        let now = UnixMs(1);
        let keys = if cfg!(miri) { 100 } else { 400_000 };
        let mut keyspace = Keyspace::new(1, secret.clone(), now);
        let name = |n: u32| format!("key:{n:012}").into_bytes();
        for n in 0..keys {
            keyspace.db(DbIndex(0), now, true).set_string(&secret.key(&name(n)), b"v", Ttl::Clear);
            // As between the passes of a shard.
            if n % 32 == 0 {
                keyspace.compact(64);
            }
        }
        while keyspace.compact(64) {}
        // A region is two mebibytes, and one may just have been begun.
        let idle = keyspace.arena.reserved_bytes() - keyspace.arena.used_bytes();
        assert!(idle < 3 << 20, "{idle} bytes of {} are idle", keyspace.arena.reserved_bytes());
        for n in 0..keys {
            let bytes = name(n);
            assert!(keyspace.db(DbIndex(0), now, true).peek(&secret.key(&bytes)).is_some(), "{n}");
        }
    }

    #[test]
    fn a_slot_of_very_many_keys_is_looked_at_in_portions_and_whole() {
        let secret = HashSeed::new([1, 2, 3, 4]);
        let now = UnixMs(1);
        let keys = if cfg!(miri) { 3_000 } else { 60_000 };
        let mut keyspace = Keyspace::new(1, secret.clone(), now);
        let name = |n: u32| format!("{{tag}}{n}").into_bytes();
        for n in 0..keys {
            keyspace.db(DbIndex(0), now, true).set_string(&secret.key(&name(n)), b"v", Ttl::Clear);
        }
        let slot = stoa_stdx::key_slot(b"tag").0 as usize;
        let Keyspace { databases, arena, .. } = &mut keyspace;
        let slot = &mut databases[0].slots.as_mut().expect("keys")[slot];
        for portion in [1, 7, 64] {
            let (mut tables, mut from, mut last) = (0, Some(0), None);
            while let Some(position) = from {
                assert!(last < from, "it goes on where it was");
                last = from;
                let mut left = portion;
                from = Slot::compact(slot, arena, position, &mut left);
                tables += portion - left;
            }
            assert!(tables as u32 >= keys / 1_024, "{tables} tables for {keys} keys");
            let mut all = usize::MAX;
            assert_eq!(slot.compact(arena, 0, &mut all), None);
            assert_eq!(tables, usize::MAX - all, "in portions of {portion}: each table once");
        }
        for n in 0..keys {
            let bytes = name(n);
            assert!(keyspace.db(DbIndex(0), now, true).peek(&secret.key(&bytes)).is_some(), "{n}");
        }
    }
}
