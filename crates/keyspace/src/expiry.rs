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

use std::ptr::NonNull;

use stoa_config::EventClass;
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
            if self.notices.heed(EventClass::Expired) {
                self.notices.push(index, EventClass::Expired, "expired", key.bytes);
            }
        }
    }

    /// Reclaims up to `limit` keys that are due by `now`. True when more may be waiting.
    pub fn expire_due(&mut self, now: UnixMs, limit: usize) -> bool {
        let mut due = std::mem::take(&mut self.due);
        self.put_off.take_freed(&mut self.held, limit, &mut due);
        let more = self.wheel.advance(now, limit - due.len(), &mut due);
        let (mut left, mut items) = (limit, due.len());
        for item in due.drain(..) {
            items -= 1;
            let Some((at, entry)) = whose(&self.databases, item) else { continue };
            let index = DbIndex(at as u16);
            if item.arm() == FIELDS {
                // Many hashes share a portion, each with one field at least.
                let share = left.saturating_sub(items).clamp(1, FIELDS_LEN);
                left = left.saturating_sub(self.expire_fields(index, entry, item, now, share));
                continue;
            }
            left = left.saturating_sub(1);
            let deadline = entry.deadline().expect("just read");
            if now > deadline {
                let bytes = entry.key().to_vec();
                let key = self.seed.key(&bytes);
                match self.held.keeper(key.hash, deadline) {
                    Some(holder) => self.put_off.add(item, holder),
                    None => self.reclaim(index, &key),
                }
            } else {
                self.wheel.add(after(deadline), item.arm(), item.cookie);
            }
        }
        self.due = due;
        more || self.put_off.has_freed(&self.held)
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

    /// Reclaims a portion of the fields of the hash in `entry`, whose `item` came. Gives how many.
    fn expire_fields(
        &mut self,
        index: DbIndex,
        entry: Entry,
        item: Item,
        now: UnixMs,
        limit: usize,
    ) -> usize {
        let Some(mut place) = entry.kind::<Hash>() else { return 0 };
        let bytes = entry.key().to_vec();
        let key = self.seed.key(&bytes);
        // SAFETY: a Hash lies there; the keyspace is borrowed exclusively, and the entry is not moved
        // or freed before the last use.
        let hash = unsafe { place.as_mut() };
        if let Some(holder) = self.held.keeper(key.hash, last_end(hash, now)) {
            // A transaction happens at a moment at which they are still there. What the hash is armed for
            // stays, by which its item is known.
            self.put_off.add(item, holder);
            return 0;
        }
        hash.set_armed(None);
        self.databases[index.0 as usize].armed_hashes -= 1;
        // SAFETY: as above; the reference from before is not used again.
        let (removed, is_gone) = unsafe { self.reclaim_fields(index, &key, place, now, limit) };
        if !is_gone {
            // SAFETY: as above: it is still there.
            self.arm_fields(index, &key, unsafe { place.as_mut() });
        }
        removed
    }

    /// Whether somebody happens at a moment at which fields of the hash that are past their deadlines now
    /// are still there, or none are past them.
    pub(crate) fn keeps_fields(&self, key: &Key<'_>, hash: &Hash, now: UnixMs) -> bool {
        self.held.keeps(key.hash, last_end(hash, now))
    }

    /// Reclaims up to `limit` fields of the hash at `key` that are past their deadline, or the key, if
    /// they all are: then they are freed as any value. Gives how many were taken out, and whether the
    /// key is gone.
    ///
    /// # Safety
    /// `place` is where the hash of `key` lies, and no reference to it is used again.
    pub(crate) unsafe fn reclaim_fields(
        &mut self,
        index: DbIndex,
        key: &Key<'_>,
        mut place: NonNull<Hash>,
        now: UnixMs,
        limit: usize,
    ) -> (usize, bool) {
        // SAFETY: by contract; it ends before the key is discarded.
        let hash = unsafe { place.as_mut() };
        let over_from = hash.over_from().filter(|last| *last < now);
        let is_over = over_from.is_some();
        let (removed, last) = match over_from {
            Some(last) => (hash.len_with_hidden(), last),
            None => hash.expire(now, limit),
        };
        if removed == 0 {
            return (0, false);
        }
        self.stats.expired_fields += removed as u64;
        self.note_fields_end(index, key.bytes, last);
        if self.notices.heed(EventClass::Hash) {
            self.notices.push(index, EventClass::Hash, "hexpired", key.bytes);
        }
        if is_over && self.discard(index, key) && self.notices.heed(EventClass::Generic) {
            self.notices.push(index, EventClass::Generic, "del", key.bytes);
        }
        (if is_over { 1 } else { removed }, is_over)
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
        if self.put_off.has_freed(&self.held) {
            return Some(UnixMs(0));
        }
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
        self.condemned.extend(database.slots.take().map(|slots| (slots, SLOT_COUNT)));
        *database = Database::new(database.id);
    }

    /// Frees about `limit` blocks of removed values and entries of flushed databases. True when more
    /// are waiting.
    pub fn free_condemned(&mut self, limit: usize) -> bool {
        let mut left = limit;
        while left > 0 {
            if !self.condemned_copies.is_empty() && self.condemned_objects.is_empty() {
                self.free_copies(&mut left);
                continue;
            }
            let Self { arena, condemned, condemned_objects, .. } = self;
            if let Some(object) = condemned_objects.last_mut() {
                if !object.free_some(&mut left) {
                    condemned_objects.pop();
                    left = left.saturating_sub(1);
                }
                continue;
            }
            let Some((slots, end)) = condemned.last_mut() else { return false };
            match slots[..*end].iter().rposition(|slot| slot.len() > 0) {
                Some(at) => {
                    // What lies behind is empty, so the next search starts here.
                    *end = at + 1;
                    slots[at].free_some(arena, condemned_objects, &mut left);
                }
                None => drop(condemned.pop()),
            }
        }
        !(self.condemned_objects.is_empty()
            && self.condemned.is_empty()
            && self.condemned_copies.is_empty())
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

/// The last deadline of a hash's fields that counts at `now`: what ends the key is its last field; else it
/// may be any up to now.
fn last_end(hash: &Hash, now: UnixMs) -> UnixMs {
    let over_from = hash.over_from().filter(|last| *last < now);
    over_from.unwrap_or(UnixMs(now.0.saturating_sub(1)))
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
        // At first some of the fields, then what is left of them with their key.
        for now in [UnixMs(104), UnixMs(200)] {
            while keyspace.next_deadline().is_some_and(|at| at <= now) {
                keyspace.expire_due(now, 10);
                turns += 1;
            }
        }
        assert!(turns > 50, "a thousand fields in {turns} portions");
        assert_eq!(keyspace.counts(DbIndex(0)).0, 1);
        assert_eq!(keyspace.stats.expired_fields, 1_040);
        assert_eq!((keyspace.databases[0].armed_hashes, keyspace.wheel.len()), (0, 0));
    }

    /// A hash of so many fields, most of them due at 50 and some never.
    fn half_due(fields: u64) -> (Keyspace, HashSeed) {
        let secret = HashSeed::new([1, 2, 3, 4]);
        let rules = Rules { limits: Limits::default(), seed: secret.clone() };
        let mut keyspace = Keyspace::new(1, secret.clone(), UnixMs(1));
        let key = secret.key(b"k");
        let db = keyspace.db(DbIndex(0), UnixMs(1), true);
        let mut hash = db.edit_or_new::<Hash>(&key).expect("a new key");
        for n in 0..fields {
            let field = n.to_string().into_bytes();
            hash.set(&field, b"v", &rules);
            if n % 10 > 0 {
                hash.set_deadline(&field, Some(UnixMs(50)));
            }
        }
        drop(hash);
        (keyspace, secret)
    }

    #[test]
    fn fields_due_together_are_gone_at_once_and_reclaimed_in_portions() {
        for fields in [100, 2_000] {
            let (mut keyspace, secret) = half_due(fields);
            let key = secret.key(b"k");
            let look = |keyspace: &mut Keyspace, at| {
                let db = keyspace.db(DbIndex(0), UnixMs(at), true);
                let hash = db.read::<Hash>(&key).expect("a hash").expect("it is there");
                (hash.len() as u64, hash.iter().count() as u64, hash.contains(b"1"))
            };
            assert_eq!(look(&mut keyspace, 50), (fields, fields, true));
            assert_eq!(look(&mut keyspace, 51), (fields / 10, fields / 10, false));
            let reclaimed = keyspace.stats.expired_fields;
            assert!(reclaimed < 100, "the reader reclaimed {reclaimed}");
            let mut portions = 0;
            while keyspace.next_deadline().is_some_and(|at| at <= UnixMs(51)) {
                keyspace.expire_due(UnixMs(51), 64);
                portions += 1;
            }
            assert_eq!(keyspace.stats.expired_fields, fields - fields / 10);
            assert!(portions >= (fields - fields / 10 - reclaimed) / 64, "{portions} portions");
            assert_eq!(look(&mut keyspace, 51), (fields / 10, fields / 10, false));
        }
    }

    #[test]
    fn fields_of_a_key_that_a_transaction_holds_are_hidden_and_stay() {
        let (mut keyspace, secret) = half_due(2_000);
        let key = secret.key(b"k");
        keyspace.held.hold(key.hash);
        let len = |keyspace: &mut Keyspace, at| {
            let db = keyspace.db(DbIndex(0), UnixMs(at), true);
            db.read::<Hash>(&key).expect("a hash").map(Hash::len)
        };
        assert_eq!(len(&mut keyspace, 60), Some(200));
        keyspace.expire_due(UnixMs(60), 64);
        // The transaction happens a little earlier than those who read meanwhile.
        assert_eq!(len(&mut keyspace, 50), Some(2_000));
        assert_eq!(keyspace.stats.expired_fields, 0);
        keyspace.held.release(key.hash);
        while keyspace.next_deadline().is_some_and(|at| at <= UnixMs(70)) {
            keyspace.expire_due(UnixMs(70), 64);
        }
        assert_eq!((len(&mut keyspace, 70), keyspace.stats.expired_fields), (Some(200), 1_800));
    }

    #[test]
    fn many_hashes_with_due_fields_share_a_portion() {
        let secret = HashSeed::new([1, 2, 3, 4]);
        let rules = Rules { limits: Limits::default(), seed: secret.clone() };
        let mut keyspace = Keyspace::new(1, secret.clone(), UnixMs(1));
        for key in 0..20_u64 {
            let name = key.to_string().into_bytes();
            let key = secret.key(&name);
            let db = keyspace.db(DbIndex(0), UnixMs(1), true);
            let mut hash = db.edit_or_new::<Hash>(&key).expect("a new key");
            hash.set(&[b'v'; 70], b"stays, and makes it large", &rules);
            for n in 0..100_u64 {
                hash.set(&n.to_be_bytes(), b"v", &rules);
                hash.set_deadline(&n.to_be_bytes(), Some(UnixMs(50)));
            }
        }
        let mut before = 0;
        while keyspace.next_deadline().is_some_and(|at| at <= UnixMs(51)) {
            keyspace.expire_due(UnixMs(51), 64);
            let now = keyspace.stats.expired_fields;
            assert!(now - before <= 2 * 64, "{} fields in a portion", now - before);
            before = now;
        }
        assert_eq!(before, 2_000);
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
