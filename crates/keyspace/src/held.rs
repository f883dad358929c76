//! Keys that transactions hold, which must not end before their time.
//!
//! A transaction on several shards happens at one moment for all its keys, and its parts run a little
//! later. A key that reaches its deadline in between is still there for it, so nobody may reclaim the
//! key meanwhile; for everybody else it is past its deadline all the same. Who writes a key of that name
//! reclaims what is there first: nobody else holds it then. A transaction lets go of its keys when its
//! turn comes, so what is left is what others hold. Keys are known by their hashes, counted.
//!
//! What comes due meanwhile is put off (see `put_off`). When nobody holds a key any more its hash is noted
//! here if something of it was put off, and so is the end of who holds all: a keyspace may be away when
//! that happens, on loan, and its holders stay.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use stoa_stdx::UnixMs;

/// Keys for which there is room without a key: a larger table goes back when it is empty.
const KEYS_KEPT_MAX: usize = 1_024;

/// What is held.
#[derive(Debug, Default)]
pub struct Held {
    keys: HashTable<HeldKey>,
    /// Keys that nobody holds any more, of which something was put off.
    freed: Vec<u64>,
    /// Who held all keys does no more.
    is_freed: bool,
    /// Who holds all keys: the holder's number, and a moment before which it does not happen.
    alls: Vec<(u32, UnixMs)>,
    /// Keys and wholes, in sum.
    len: u32,
}

/// A key that is held.
#[derive(Debug)]
struct HeldKey {
    hash: u64,
    /// How many hold it.
    count: u32,
    /// Something of it was put off.
    is_awaited: bool,
}

/// Whose end something that is due waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// Of all that hold the key of this hash.
    OfKey(u64),
    /// Of one of those that hold all keys.
    OfAll,
}

impl Held {
    /// One more holds the key of this hash.
    pub fn hold(&mut self, hash: u64) {
        match self.keys.entry(hash, |key| key.hash == hash, |key| key.hash) {
            Entry::Occupied(mut key) => key.get_mut().count += 1,
            Entry::Vacant(place) => {
                place.insert(HeldKey { hash, count: 1, is_awaited: false });
            }
        }
        self.len += 1;
    }

    /// One less does.
    ///
    /// # Panics
    /// When nobody did.
    pub fn release(&mut self, hash: u64) {
        self.len -= 1;
        let found = self.keys.find_entry(hash, |key| key.hash == hash);
        let mut key = found.expect("a key is let go once for each that held it");
        key.get_mut().count -= 1;
        if key.get().count > 0 {
            return;
        }
        let (key, _) = key.remove();
        if key.is_awaited {
            self.freed.push(hash);
        }
        if self.keys.is_empty() && self.keys.capacity() > KEYS_KEPT_MAX {
            self.keys = HashTable::new();
        }
    }

    /// `holder` holds all keys, for something that happens at `from` or later.
    pub fn hold_all(&mut self, holder: u32, from: UnixMs) {
        self.alls.push((holder, from));
        self.len += 1;
    }

    /// It does no more.
    pub fn release_all(&mut self, holder: u32) {
        self.alls.retain(|(held_by, _)| *held_by != holder);
        self.is_freed = true;
        self.len -= 1;
    }

    /// Whether the key of this hash must stay though its deadline has passed. For who holds all keys it
    /// need not if it ends before that can happen: a count of keys then counts what it would on one
    /// shard.
    #[inline]
    pub(crate) fn keeps(&self, hash: u64, deadline: UnixMs) -> bool {
        self.len > 0
            && (self.counts_key(hash) || self.alls.iter().any(|(_, from)| *from <= deadline))
    }

    /// Nobody holds anything, so nothing is there past its deadline that a reader passed over.
    #[inline]
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.len == 0
    }

    /// The same for something that is put off if so: whose end it waits for.
    pub(crate) fn keeper(&mut self, hash: u64, deadline: UnixMs) -> Option<Holder> {
        if !self.keeps(hash, deadline) {
            return None;
        }
        match self.keys.find_mut(hash, |key| key.hash == hash) {
            Some(key) => {
                key.is_awaited = true;
                Some(Holder::OfKey(hash))
            }
            None => Some(Holder::OfAll),
        }
    }

    /// Whether keys are let go of which something was put off.
    pub(crate) const fn has_freed_keys(&self) -> bool {
        !self.freed.is_empty()
    }

    /// Whether one who held all keys does no more.
    pub(crate) const fn has_freed_all(&self) -> bool {
        self.is_freed
    }

    /// The next of the keys that are let go.
    pub(crate) fn take_freed_key(&mut self) -> Option<u64> {
        let freed = self.freed.pop();
        if self.freed.is_empty() {
            self.freed = Vec::new();
        }
        freed
    }

    /// Whether one who held all keys did no more since this was last asked.
    pub(crate) const fn take_freed_all(&mut self) -> bool {
        std::mem::replace(&mut self.is_freed, false)
    }

    fn counts_key(&self, hash: u64) -> bool {
        self.keys.find(hash, |key| key.hash == hash).is_some()
    }
}

#[cfg(test)]
mod tests {
    use stoa_stdx::{DbIndex, HashSeed, UnixMs};
    use stoa_value::{Hash, Limits, Rules};

    use crate::{Keyspace, Ttl};

    const DB: DbIndex = DbIndex(0);
    const DEADLINE: UnixMs = UnixMs(1_000);
    const LATER: UnixMs = UnixMs(1_001);

    /// A keyspace with the key `k`, that is due.
    fn with_deadline() -> (Keyspace, HashSeed) {
        let secret = HashSeed::new([1, 2, 3, 4]);
        let mut keyspace = Keyspace::new(1, secret.clone(), UnixMs(900));
        let at = Ttl::At(DEADLINE);
        keyspace.db(DB, UnixMs(900), true).set_string(&secret.key(b"k"), b"old", at);
        (keyspace, secret)
    }

    #[test]
    fn a_held_key_is_gone_for_those_behind_its_deadline_and_there_for_those_before() {
        let (mut keyspace, secret) = with_deadline();
        let key = secret.key(b"k");
        keyspace.held.hold(key.hash);
        assert!(keyspace.db(DB, LATER, true).get(&key).is_none());
        keyspace.expire_due(UnixMs(2_000), 100);
        assert!(keyspace.db(DB, DEADLINE, true).get(&key).is_some());
        keyspace.held.release(key.hash);
        assert!(keyspace.db(DB, LATER, true).get(&key).is_none());
        assert_eq!(keyspace.counts(DB), (0, 0));
    }

    #[test]
    fn fields_of_a_held_hash_are_gone_for_those_behind_their_deadlines_and_there_for_those_before()
    {
        let secret = HashSeed::new([1, 2, 3, 4]);
        let rules = Rules { limits: Limits::default(), seed: secret.clone() };
        let mut keyspace = Keyspace::new(1, secret.clone(), UnixMs(900));
        for (name, fields) in [(b"k", 2), (b"e", 1)] {
            let key = secret.key(name);
            let db = keyspace.db(DB, UnixMs(900), true);
            let mut hash = db.edit_or_new::<Hash>(&key).expect("a new key");
            for field in 0..fields {
                hash.set(&[b'f', field], b"v", &rules);
            }
            hash.set_deadline(b"f\0", Some(DEADLINE));
        }
        let seen = |keyspace: &mut Keyspace, name: &[u8], now| {
            let read = keyspace.db(DB, now, true).read::<Hash>(&secret.key(name));
            read.expect("a hash").map(Hash::len)
        };
        let hashes = [secret.key(b"k").hash, secret.key(b"e").hash];
        hashes.iter().for_each(|hash| keyspace.held.hold(*hash));
        for _ in 0..2 {
            assert_eq!(seen(&mut keyspace, b"k", LATER), Some(1));
            assert_eq!(seen(&mut keyspace, b"e", LATER), None);
            keyspace.expire_due(UnixMs(2_000), 100);
            assert_eq!(seen(&mut keyspace, b"k", DEADLINE), Some(2));
            assert_eq!(seen(&mut keyspace, b"e", DEADLINE), Some(1));
        }
        hashes.iter().for_each(|hash| keyspace.held.release(*hash));
        keyspace.expire_due(UnixMs(3_000), 100);
        while keyspace.free_condemned(1) {}
        assert_eq!(seen(&mut keyspace, b"k", DEADLINE), Some(1));
        assert_eq!(keyspace.counts(DB).0, 1);
    }

    #[test]
    fn who_writes_a_held_key_past_its_deadline_leaves_one_key() {
        let (mut keyspace, secret) = with_deadline();
        let key = secret.key(b"k");
        keyspace.held.hold(key.hash);
        keyspace.db(DB, LATER, true).set_string(&key, b"new", Ttl::Clear);
        assert_eq!(keyspace.counts(DB), (1, 0));
        let mut db = keyspace.db(DB, LATER, true);
        let text = db.get(&key).and_then(|entry| entry.string().ok().map(|text| text.to_vec()));
        assert_eq!(text.as_deref(), Some(b"new".as_slice()));
        assert!(db.remove(&key) && !db.remove(&key));
    }

    #[test]
    fn who_holds_all_keys_keeps_those_that_could_still_be_there_for_it() {
        for (from, is_kept) in [(DEADLINE, true), (LATER, false)] {
            let (mut keyspace, _) = with_deadline();
            keyspace.held.hold_all(7, from);
            keyspace.expire_due(UnixMs(2_000), 100);
            assert_eq!(keyspace.counts(DB).0 == 1, is_kept, "from {from:?}");
            keyspace.held.release_all(7);
            keyspace.expire_due(UnixMs(3_000), 100);
            assert_eq!(keyspace.counts(DB), (0, 0));
        }
    }
}
