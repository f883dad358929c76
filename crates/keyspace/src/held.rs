//! Keys that transactions hold, which must not end before their time.
//!
//! A transaction on several shards happens at one moment for all its keys, and its parts run a little
//! later. A key that reaches its deadline in between is still there for it, so nobody may reclaim the
//! key meanwhile; for everybody else it is past its deadline all the same. Who writes a key of that name
//! reclaims what is there first: nobody else holds it then. A transaction lets go of its keys when its
//! turn comes, so what is left is what others hold. Keys are known by ten bits of their hashes,
//! counted: taking another key for a held one costs nothing but a later end.

use stoa_stdx::UnixMs;

/// Places of the filter.
const PLACES: usize = 1_024;

const _: () = assert!(PLACES.is_power_of_two(), "a place is taken by mask");

/// What is held.
#[derive(Debug, Default)]
pub struct Held {
    counts: Vec<u32>,
    /// Who holds all keys: the holder's number, and a moment before which it does not happen.
    alls: Vec<(u32, UnixMs)>,
    /// Keys and wholes, in sum.
    len: u32,
}

impl Held {
    /// One more holds the key of this hash.
    pub fn hold(&mut self, hash: u64) {
        if self.counts.is_empty() {
            self.counts.resize(PLACES, 0);
        }
        self.counts[hash as usize & (PLACES - 1)] += 1;
        self.len += 1;
    }

    /// One less does.
    pub fn release(&mut self, hash: u64) {
        self.counts[hash as usize & (PLACES - 1)] -= 1;
        self.len -= 1;
    }

    /// `holder` holds all keys, for something that happens at `from` or later.
    pub fn hold_all(&mut self, holder: u32, from: UnixMs) {
        self.alls.push((holder, from));
        self.len += 1;
    }

    /// It does no more.
    pub fn release_all(&mut self, holder: u32) {
        self.alls.retain(|(held_by, _)| *held_by != holder);
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

    fn counts_key(&self, hash: u64) -> bool {
        self.counts.get(hash as usize & (PLACES - 1)).is_some_and(|count| *count > 0)
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
