//! Memory that growing tables leave behind.
//!
//! Tables of a database grow at about the same time, each from one size class to the next. The few
//! that stay behind keep whole pages of the old class alive, some five bytes a key. When a
//! noticeable share of the arena is idle, a walk over the slots moves such tables together, a portion
//! at a time.

use stoa_stdx::SLOT_COUNT;

use crate::Keyspace;
use crate::db::Database;

/// Idle memory below this is not worth a walk.
const IDLE_BYTES_MIN: usize = 1 << 20;

/// Fewer wheel items than this are not worth clearing when all are stale.
const CLEARED_ITEMS_MIN: usize = 4_096;

/// Where the walk is.
#[derive(Debug, Default)]
pub(crate) struct Compaction {
    /// Database and slot to go on from; None while resting.
    at: Option<(usize, usize)>,
    /// Idle bytes after the last walk: what it could not help.
    rest: usize,
}

impl Keyspace {
    /// Looks at up to `limit` slots. True while a walk is under way.
    pub fn compact(&mut self, limit: usize) -> bool {
        // Stale items stay in the wheel until they fire; when no key has a deadline all are stale.
        let waits = |database: &Database| database.expires + database.armed_hashes > 0;
        if self.wheel.len() > CLEARED_ITEMS_MIN && !self.databases.iter().any(waits) {
            self.wheel.clear();
        }
        let idle = self.arena.reserved_bytes() - self.arena.used_bytes();
        let Some((mut database, mut slot)) = self.compaction.at else {
            let wasted = idle.saturating_sub(self.compaction.rest);
            let starts = wasted > IDLE_BYTES_MIN.max(self.arena.used_bytes() / 64);
            // What was given back since makes room for complaints again.
            self.compaction.rest = self.compaction.rest.min(idle);
            self.compaction.at = starts.then_some((0, 0));
            return starts;
        };
        let mut left = limit;
        while left > 0 && database < self.databases.len() {
            let Some(slots) = self.databases[database].slots.as_mut() else {
                (database, slot) = (database + 1, 0);
                continue;
            };
            let end = SLOT_COUNT.min(slot + left);
            slots[slot..end].iter_mut().for_each(|slot| slot.compact(&mut self.arena));
            left -= end - slot;
            (database, slot) = if end == SLOT_COUNT { (database + 1, 0) } else { (database, end) };
        }
        let goes_on = database < self.databases.len();
        self.compaction.at = goes_on.then_some((database, slot));
        if !goes_on {
            self.compaction.rest = self.arena.reserved_bytes() - self.arena.used_bytes();
        }
        goes_on
    }
}

#[cfg(test)]
mod tests {
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
}
