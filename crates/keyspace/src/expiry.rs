//! Deadlines: arming the wheel, reclaiming what is due, freeing what was flushed; all in portions.
//!
//! The truth is the deadline in the entry, and every reader checks it. The wheel only says where to
//! look. A key has one live item there: moving its deadline forward adds none (the item fires, finds
//! the later deadline and is armed again), moving it back adds one with a new arm number, which makes
//! the other stale. So does a key that goes away before its deadline. When stale items are the larger
//! part of a long wheel they are sifted out: a portion a pass, and two with each new one, so that
//! they cannot come faster than they go.
//!
//! A hash with deadlines of fields has one live item, too, for the earliest. It carries [`FIELDS`] and
//! is told by its deadline, which the hash remembers.

use stoa_stdx::{DbIndex, Key, Rng, SLOT_COUNT, SlotId, UnixMs};

use stoa_value::Hash;

use crate::Keyspace;
use crate::db::Database;
use crate::entry::{Due, Entry};
use crate::wheel::{self, Item};

/// Arm number of the items of hashes; those of keys are below.
const FIELDS: u16 = Due::ARM_MAX + 1;
/// Fields of one hash reclaimed in one portion.
const FIELDS_LEN: usize = 64;

/// Items that may lie in the wheel beside twice the live ones: a mebibyte that is not worth sifting.
const STALE_ITEMS_MIN: usize = 64 * 1_024;
/// Items sifted before one is added. With two, a round over n items ends before n / 2 were added.
const SIFTED_AN_ADD: usize = 2;

/// Deadlines that are looked at for their mean: some 20 us.
const TTL_SAMPLES: usize = 100;

const HASH_BITS: u32 = 40;
const SLOT_BITS: u32 = 14;

impl Keyspace {
    /// The deadline word for a key that had `old`, with a wheel item that will look at it unless it
    /// is too far.
    pub(crate) fn armed(
        &mut self,
        index: DbIndex,
        key: &Key<'_>,
        old: Option<Due>,
        deadline: UnixMs,
    ) -> Due {
        let earlier = old.filter(|old| deadline >= old.deadline()).and_then(Due::arm);
        let arm = earlier.unwrap_or((self.next_arm + 1) & Due::ARM_MAX);
        let Some(due) = Due::armed(deadline, arm) else { return Due::far(deadline) };
        if earlier.is_none() {
            // Before the new item is there: its entry is not yet.
            if self.is_sifting {
                self.sift(SIFTED_AN_ADD);
            }
            self.next_arm = arm;
            let id = self.databases[index.0 as usize].id;
            self.wheel.add(after(deadline), arm, cookie(id, key.slot, key.hash));
        }
        due
    }

    /// Reclaims a key whose deadline passed.
    pub(crate) fn reclaim(&mut self, index: DbIndex, key: &Key<'_>) {
        if self.discard(index, key) {
            self.stats.expired += 1;
            self.note_end(index, key.bytes);
            if self.notices.heeds.expired {
                self.notices.push(index, "expired", key.bytes);
            }
        }
    }

    /// Reclaims up to `limit` keys that are due by `now`. True when more may be waiting.
    pub fn expire_due(&mut self, now: UnixMs, limit: usize) -> bool {
        let mut due = std::mem::take(&mut self.due);
        let more = self.wheel.advance(now, limit, &mut due);
        for item in due.drain(..) {
            let Some((at, entry)) = whose(&self.databases, item) else { continue };
            let index = DbIndex(at as u16);
            if item.arm() == FIELDS {
                self.expire_fields(index, entry, now);
                continue;
            }
            let deadline = entry.deadline().expect("just read");
            if now > deadline {
                let bytes = entry.key().to_vec();
                let key = self.seed.key(&bytes);
                if self.held.keeps(key.hash, deadline) {
                    self.wheel.add(after(now), item.arm(), item.cookie);
                } else {
                    self.reclaim(index, &key);
                }
            } else {
                self.wheel.add(after(deadline), item.arm(), item.cookie);
            }
        }
        self.due = due;
        more
    }

    /// Sees to it that the wheel looks at a hash when its next field is due.
    pub(crate) fn arm_fields(&mut self, index: DbIndex, key: &Key<'_>, hash: &mut Hash) {
        let Some(next) = hash.next_deadline() else { return };
        // Beyond the wheel's time every item would look the same, and nobody lives to see it.
        if hash.armed().is_some_and(|armed| armed <= next) || next >= wheel::DEADLINE_MAX {
            return;
        }
        // Paid by the next command: sifting looks at hashes, and one is being changed.
        self.sift_owed += usize::from(self.is_sifting) * SIFTED_AN_ADD;
        let database = &mut self.databases[index.0 as usize];
        database.armed_hashes += usize::from(hash.armed().is_none());
        hash.set_armed(Some(next));
        self.wheel.add(after(next), FIELDS, cookie(database.id, key.slot, key.hash));
    }

    /// Reclaims a portion of the fields of the hash in `entry`, whose item came.
    fn expire_fields(&mut self, index: DbIndex, entry: Entry, now: UnixMs) {
        let Some(mut place) = entry.kind::<Hash>() else { return };
        let bytes = entry.key().to_vec();
        let key = self.seed.key(&bytes);
        // SAFETY: a Hash lies there; the keyspace is borrowed exclusively, and the entry is not moved
        // or freed before the last use.
        let hash = unsafe { place.as_mut() };
        let next = hash.next_deadline();
        if next.is_some_and(|next| now > next && self.held.keeps(key.hash, next)) {
            hash.set_armed(Some(now));
            let id = self.databases[index.0 as usize].id;
            return self.wheel.add(after(now), FIELDS, cookie(id, key.slot, key.hash));
        }
        let removed = hash.expire(now, FIELDS_LEN);
        hash.set_armed(None);
        self.databases[index.0 as usize].armed_hashes -= 1;
        let is_empty = hash.is_empty();
        if !is_empty {
            self.arm_fields(index, &key, hash);
        }
        self.fields_expired(index, &key, removed, is_empty);
    }

    /// Accounts for fields that reached their deadline, and removes the key with the last of them.
    pub(crate) fn fields_expired(
        &mut self,
        index: DbIndex,
        key: &Key<'_>,
        removed: usize,
        is_empty: bool,
    ) {
        if removed == 0 {
            return;
        }
        self.stats.expired_fields += removed as u64;
        self.changed_elsewhere(index, key.bytes);
        if self.notices.heeds.fields {
            self.notices.push(index, "hexpired", key.bytes);
        }
        if is_empty && self.discard(index, key) && self.notices.heeds.emptied {
            self.notices.push(index, "del", key.bytes);
        }
    }

    /// Sifts what was added meanwhile, and twice that.
    #[cold]
    pub(crate) fn pay_for_adds(&mut self) {
        let owed = std::mem::take(&mut self.sift_owed);
        self.sift(owed);
    }

    /// When [`Keyspace::expire_due`] is worth calling next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<UnixMs> {
        self.wheel.next_deadline_hint()
    }

    /// Drops stale items of the wheel once they are the larger part of it, looking at up to `limit`.
    /// True while a round of that is under way.
    pub fn sift(&mut self, limit: usize) -> bool {
        let Self { databases, wheel, is_sifting, .. } = self;
        if !*is_sifting {
            let live = databases.iter().map(|database| database.expires + database.armed_hashes);
            let live: usize = live.sum();
            if wheel.len() <= 2 * live + STALE_ITEMS_MIN {
                return false;
            }
        }
        *is_sifting = wheel.sift(limit, &mut |item| whose(databases, item).is_some());
        *is_sifting
    }

    /// The mean time left of the deadlines in each database, milliseconds; of a sample, and 0 where the
    /// sample has none.
    pub fn mean_ttl_ms(&self, now: UnixMs, rng: &mut Rng) -> Vec<u64> {
        let mut sums = vec![(0, 0); self.databases.len()];
        self.wheel.sample(rng, TTL_SAMPLES, &mut |item| {
            if item.arm() != FIELDS
                && let Some((at, entry)) = whose(&self.databases, item)
                && let Some(deadline) = entry.deadline()
            {
                let (sum, count) = &mut sums[at];
                *sum += u128::from(deadline.0.saturating_sub(now.0));
                *count += 1;
            }
        });
        sums.into_iter().map(|(sum, count)| (sum / count.max(1)) as u64).collect()
    }

    /// Empties a database; its memory goes back in portions (see [`Keyspace::free_condemned`]).
    pub(crate) fn clear(&mut self, index: DbIndex) {
        self.note_emptied(index);
        let database = &mut self.databases[index.0 as usize];
        self.condemned.extend(database.slots.take());
        *database = Database::new(database.id);
    }

    /// Frees copies that readers were given. None reads them any more: nothing is borrowed from here.
    fn free_copies(&mut self) {
        for copy in self.copies.drain(..) {
            // SAFETY: made by this arena, and in no table.
            unsafe { copy.discard(&mut self.arena, &mut self.condemned_objects) };
        }
    }

    /// Frees about `limit` blocks of removed values and entries of flushed databases. True when more
    /// are waiting.
    pub fn free_condemned(&mut self, limit: usize) -> bool {
        self.free_copies();
        if let Some(mut object) = self.condemned_objects.pop() {
            if object.free_some(limit) {
                self.condemned_objects.push(object);
            }
            return !(self.condemned_objects.is_empty() && self.condemned.is_empty());
        }
        let mut freed = 0;
        while let Some(mut slots) = self.condemned.pop() {
            while freed < limit
                && let Some(at) = slots.iter().rposition(|slot| slot.len() > 0)
            {
                freed += slots[at].free_some(&mut self.arena, &mut self.condemned_objects);
                // What lies behind is empty, so the next search starts here.
                let mut shorter = slots.into_vec();
                shorter.truncate(at + 1);
                slots = shorter.into_boxed_slice();
            }
            if slots.iter().any(|slot| slot.len() > 0) {
                self.condemned.push(slots);
                return true;
            }
        }
        !self.condemned_objects.is_empty()
    }
}

impl Drop for Keyspace {
    fn drop(&mut self) {
        for index in 0..self.database_count() {
            self.clear(DbIndex(index));
        }
        while self.free_condemned(SLOT_COUNT) {}
    }
}

/// The entry that an item is to look at, and the index of its database. None when it is stale.
fn whose(databases: &[Database], item: Item) -> Option<(usize, Entry)> {
    let (id, slot, hash) = parts(item.cookie);
    let at = databases.iter().position(|database| database.id == id)?;
    let slots = databases[at].slots.as_ref()?;
    // Candidates share a few hash bits; the arm number tells whose item this is.
    let mut candidates = slots[slot.0 as usize].candidates(hash);
    let found = if item.arm() == FIELDS {
        candidates.find(|entry| entry.armed_fields().map(after) == Some(item.deadline()))
    } else {
        candidates.find(|entry| entry.due().and_then(Due::arm) == Some(item.arm()))
    };
    Some((at, found?))
}

/// A key is gone when its deadline lies before now, so the wheel looks a millisecond later.
const fn after(deadline: UnixMs) -> UnixMs {
    UnixMs(deadline.0 + 1)
}

/// What a wheel item remembers of its key: enough to find it again.
const fn cookie(id: u16, slot: SlotId, hash: u64) -> u64 {
    hash >> (64 - HASH_BITS) << (64 - HASH_BITS)
        | (slot.0 as u64) << (64 - HASH_BITS - SLOT_BITS)
        | id as u64 & 0x3ff
}

const fn parts(cookie: u64) -> (u16, SlotId, u64) {
    let slot = (cookie >> (64 - HASH_BITS - SLOT_BITS)) as u16 & ((1 << SLOT_BITS) - 1);
    (cookie as u16 & 0x3ff, SlotId(slot), cookie >> (64 - HASH_BITS) << (64 - HASH_BITS))
}

#[cfg(test)]
mod tests {
    use stoa_stdx::{DbIndex, HashSeed, Rng, UnixMs};
    use stoa_value::{Hash, Limits, Rules};

    use crate::{Keyspace, Ttl};

    #[test]
    fn fields_are_reclaimed_in_portions_by_the_wheel_alone_and_their_key_with_the_last() {
        let secret = HashSeed::new([1, 2, 3, 4]);
        let rules = Rules { limits: Limits::default(), seed: secret.clone() };
        let mut keyspace = Keyspace::new(1, secret.clone(), UnixMs(1));
        for (name, count) in [(&b"small"[..], 20_u64), (b"large", 1_000), (b"stays", 20)] {
            let key = secret.key(name);
            let db = keyspace.db(DbIndex(0), UnixMs(1), true);
            let mut hash = db.edit_or_new::<Hash>(&key).expect("a new key");
            for n in 0..count {
                let field = n.to_string().into_bytes();
                hash.set(&field, b"v", &rules);
                hash.set_deadline(&field, Some(UnixMs(100 + n % 7)));
            }
            if name == b"stays" {
                hash.set(b"other", b"v", &rules);
            }
        }
        // Moving one away and back must not lose its place on the wheel.
        let key = secret.key(b"large");
        let taken = keyspace.db(DbIndex(0), UnixMs(1), true).take(&key).expect("it is there");
        keyspace.db(DbIndex(0), UnixMs(1), true).put(&key, taken);
        assert!(!keyspace.expire_due(UnixMs(100), 10) && keyspace.counts(DbIndex(0)).0 == 3);
        let mut turns = 0;
        while keyspace.next_deadline().is_some_and(|at| at <= UnixMs(200)) {
            keyspace.expire_due(UnixMs(200), 10);
            turns += 1;
        }
        assert!(turns > 10, "a thousand fields in {turns} portions");
        assert_eq!(keyspace.counts(DbIndex(0)).0, 1);
        assert_eq!(keyspace.stats.expired_fields, 1_040);
        assert_eq!((keyspace.databases[0].armed_hashes, keyspace.wheel.len()), (0, 0));
    }

    #[test]
    fn hashes_come_through_a_sifting_of_the_wheel() {
        let secret = HashSeed::new([1, 2, 3, 4]);
        let rules = Rules { limits: Limits::default(), seed: secret.clone() };
        let mut keyspace = Keyspace::new(1, secret.clone(), UnixMs(1));
        for turn in 0..40_u64 {
            keyspace.is_sifting = true;
            for name in [b"a", b"b", b"c"] {
                let key = secret.key(name);
                let db = keyspace.db(DbIndex(0), UnixMs(1), true);
                let mut hash = db.edit_or_new::<Hash>(&key).expect("a hash");
                let field = turn.to_string().into_bytes();
                hash.set(&field, b"v", &rules);
                // Each is due before the last, so each adds an item and makes one stale.
                hash.set_deadline(&field, Some(UnixMs(5_000 - turn)));
            }
            keyspace.sift(5);
        }
        while keyspace.sift(5) {}
        keyspace.is_sifting = true;
        while keyspace.sift(5) {}
        assert_eq!(keyspace.wheel.len(), 3, "the live ones");
        while keyspace.expire_due(UnixMs(5_001), 10) {}
        assert_eq!((keyspace.counts(DbIndex(0)).0, keyspace.stats.expired_fields), (0, 120));
    }

    #[test]
    fn a_reader_never_sees_a_field_past_its_deadline() {
        let secret = HashSeed::new([1, 2, 3, 4]);
        let rules = Rules { limits: Limits::default(), seed: secret.clone() };
        let mut keyspace = Keyspace::new(1, secret.clone(), UnixMs(1));
        let key = secret.key(b"k");
        let db = keyspace.db(DbIndex(0), UnixMs(1), true);
        let mut hash = db.edit_or_new::<Hash>(&key).expect("a new key");
        hash.set(b"f", b"v", &rules);
        hash.set_deadline(b"f", Some(UnixMs(50)));
        drop(hash);
        let mut seen = 0;
        keyspace.db(DbIndex(0), UnixMs(51), true).for_each(&mut |_| seen += 1);
        assert_eq!(seen, 0);
        assert!(keyspace.db(DbIndex(0), UnixMs(50), true).peek(&key).is_some());
        assert!(keyspace.db(DbIndex(0), UnixMs(51), true).peek(&key).is_none());
        assert_eq!(keyspace.counts(DbIndex(0)).0, 0);
    }

    #[test]
    fn keys_that_go_before_their_deadline_do_not_fill_the_wheel() {
        let secret = HashSeed::new([1, 2, 3, 4]);
        let now = UnixMs(1);
        let mut keyspace = Keyspace::new(1, secret.clone(), now);
        let keep = |n: u32| n.is_multiple_of(1_000);
        let turns: u32 = if cfg!(miri) { 3_000 } else { 1_000_000 };
        let stay = turns as usize / 1_000;
        let mut longest = 0;
        for n in 0..turns {
            let name = n.to_string().into_bytes();
            let key = secret.key(&name);
            let mut db = keyspace.db(DbIndex(0), now, true);
            db.set_string(&key, b"v", Ttl::At(UnixMs(3_600_000 + u64::from(n))));
            if !keep(n) {
                db.remove(&key);
            }
            // As after a pass of a thousand pipelined commands.
            if n % 500 == 0 {
                keyspace.sift(64);
            }
            longest = longest.max(keyspace.wheel.len());
        }
        assert!(longest <= 2 * 64 * 1_024 + 3 * stay, "{longest} items for {stay} deadlines");
        while keyspace.expire_due(UnixMs(u64::MAX >> 17), 1_000) {}
        assert_eq!(keyspace.counts(DbIndex(0)), (0, 0), "no live item was dropped");
        assert_eq!(keyspace.stats.expired, stay as u64);
    }

    #[test]
    fn the_mean_of_deadlines_is_near_and_exact_when_they_are_few() {
        let secret = HashSeed::new([1, 2, 3, 4]);
        let now = UnixMs(1_000);
        let mut keyspace = Keyspace::new(2, secret.clone(), now);
        let mut rng = Rng::new(1);
        let set = |keyspace: &mut Keyspace, index, name: String, ttl: Ttl| {
            let name = name.into_bytes();
            keyspace.db(DbIndex(index), now, true).set_string(&secret.key(&name), b"v", ttl);
        };
        assert_eq!(keyspace.mean_ttl_ms(now, &mut rng), [0, 0]);
        for n in 0..10 {
            set(&mut keyspace, 1, format!("few{n}"), Ttl::At(UnixMs(1_000 + 100 * n)));
            set(&mut keyspace, 1, format!("none{n}"), Ttl::Clear);
        }
        assert_eq!(keyspace.mean_ttl_ms(now, &mut rng), [0, 450]);
        for n in 0..if cfg!(miri) { 300 } else { 20_000 } {
            let deadline = 1_000 + 1_000_000 + (n * 7_919) % 1_000_000;
            set(&mut keyspace, 0, format!("many{n}"), Ttl::At(UnixMs(deadline)));
        }
        let mean = keyspace.mean_ttl_ms(now, &mut rng)[0];
        assert!((1_300_000..1_700_000).contains(&mean), "{mean} ms for 1,500,000");
    }

    #[test]
    fn a_slot_of_many_keys_is_freed_in_portions() {
        let secret = HashSeed::new([1, 2, 3, 4]);
        let now = UnixMs(1);
        let keys = if cfg!(miri) { 2_000 } else { 30_000 };
        let mut keyspace = Keyspace::new(1, secret.clone(), now);
        for n in 0..keys {
            let name = format!("{{tag}}{n}").into_bytes();
            keyspace.db(DbIndex(0), now, true).set_string(&secret.key(&name), b"v", Ttl::Clear);
        }
        keyspace.db(DbIndex(0), now, true).clear();
        let mut portions = 0;
        while keyspace.free_condemned(64) {
            portions += 1;
        }
        // A table, the least that is freed at once, has at most a thousand words.
        assert!(portions + 1 >= keys / 1_024, "{keys} keys in {portions} portions");
        assert_eq!(keyspace.arena.used_bytes(), 0);
    }
}
