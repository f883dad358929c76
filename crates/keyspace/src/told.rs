//! What changed, for whoever tells the clients that cache it (client-side caching).
//!
//! The keyspace learns of changes as it does for WATCH: what a command touched counts if the command
//! says that it changed something, and deadlines count by themselves. While nobody caches anything this
//! costs nothing beyond the branch that watching costs already; while somebody does, each changed key is
//! copied once.

use crate::Keyspace;

/// A key that changed, in whatever database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedKey {
    /// Its name.
    pub key: Vec<u8>,
    /// A command changed it; else it, or a field of it, reached its deadline.
    pub by_command: bool,
}

/// Changes that nobody took yet.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Somebody wants to know.
    pub(crate) on: bool,
    keys: Vec<ChangedKey>,
    emptied: bool,
}

impl Told {
    #[inline]
    pub(crate) fn push(&mut self, key: &[u8], by_command: bool) {
        if self.on {
            self.keys.push(ChangedKey { key: key.to_vec(), by_command });
        }
    }

    /// A database lost all its keys.
    pub(crate) const fn empty(&mut self) {
        self.emptied |= self.on;
    }
}

impl Keyspace {
    /// Whether changes are told.
    #[must_use]
    #[inline]
    pub const fn tells_changes(&self) -> bool {
        self.watches.told.on
    }

    /// Tells changes from now on, or no longer.
    pub fn tell_changes(&mut self, on: bool) {
        if self.watches.told.on != on {
            self.watches.told = Told { on, ..Told::default() };
            self.watch_all_touches();
        }
    }

    /// Whether something changed since it was last taken.
    #[must_use]
    pub const fn has_told(&self) -> bool {
        !self.watches.told.keys.is_empty() || self.watches.told.emptied
    }

    /// The keys that changed, in the order of their changes.
    pub fn take_told(&mut self) -> Vec<ChangedKey> {
        std::mem::take(&mut self.watches.told.keys)
    }

    /// Whether a database lost all its keys.
    pub const fn take_emptied(&mut self) -> bool {
        std::mem::replace(&mut self.watches.told.emptied, false)
    }

    /// Whether what changes now may be put back.
    #[must_use]
    #[inline]
    pub const fn is_undoing(&self) -> bool {
        self.undo.is_some()
    }
}

#[cfg(test)]
mod tests {
    use stoa_stdx::{DbIndex, HashSeed, UnixMs};

    use crate::{Keyspace, Ttl};

    const DB: DbIndex = DbIndex(0);
    const NOW: UnixMs = UnixMs(1_000);

    fn told(keyspace: &mut Keyspace) -> Vec<(String, bool)> {
        let told = keyspace.take_told().into_iter();
        told.map(|it| (String::from_utf8(it.key).expect("text"), it.by_command)).collect()
    }

    #[test]
    fn what_commands_and_deadlines_change_is_told_once_and_reads_are_not() {
        let seed = HashSeed::new([1, 2, 3, 4]);
        let mut keyspace = Keyspace::new(2, seed.clone(), NOW);
        let (one, two) = (seed.key(b"one"), seed.key(b"two"));
        keyspace.db(DB, NOW, true).set_string(&one, b"1", Ttl::Clear);
        assert!(!keyspace.has_notes(), "nobody wants to know");
        keyspace.tell_changes(true);
        keyspace.db(DB, NOW, true).set_string(&one, b"2", Ttl::Clear);
        keyspace.db(DbIndex(1), NOW, true).set_string(&two, b"2", Ttl::At(UnixMs(2_000)));
        keyspace.settle_notes(true);
        assert_eq!(told(&mut keyspace), [("one".to_owned(), true), ("two".to_owned(), true)]);
        keyspace.db(DB, NOW, true).set_deadline(&one, None);
        keyspace.settle_notes(false);
        assert!(keyspace.db(DB, NOW, true).get(&one).is_some());
        assert!(!keyspace.has_told(), "it changed nothing");
        assert!(keyspace.db(DbIndex(1), UnixMs(2_001), true).get(&two).is_none());
        assert_eq!(told(&mut keyspace), [("two".to_owned(), false)]);
        keyspace.db(DB, NOW, true).clear();
        assert!(keyspace.has_told() && keyspace.take_emptied() && !keyspace.take_emptied());
        keyspace.tell_changes(false);
        keyspace.db(DB, NOW, true).set_string(&one, b"3", Ttl::Clear);
        assert!(!keyspace.has_notes());
    }

    #[test]
    fn a_key_that_comes_and_goes_on_loan_has_not_changed() {
        let seed = HashSeed::new([1, 2, 3, 4]);
        let mut keyspace = Keyspace::new(1, seed.clone(), NOW);
        let one = seed.key(b"one");
        keyspace.tell_changes(true);
        keyspace.db(DB, NOW, true).set_string(&one, b"1", Ttl::Clear);
        keyspace.forget_notes();
        let lent = keyspace.db(DB, NOW, true).lend(&one).expect("it is there");
        keyspace.db(DB, NOW, true).put(&one, lent);
        keyspace.forget_notes();
        keyspace.changed_elsewhere(DB, b"one");
        assert!(!keyspace.has_told());
    }
}
