//! A shard's keys out into a file and in again: for drivers, between passes.
//!
//! Whoever drives all shards and lets none of them run meanwhile sees their keys at one moment, and so
//! needs no transaction to agree on it; [`Shard::is_at_rest`] says whether one is under way.

use stoa_config::Config;
use stoa_engine::{Sessions, Snapshots, access, head, restored};
use stoa_keyspace::{EntryRef, Owned};
use stoa_rdb::{KeyHead, KeyRecord};
use stoa_stdx::{DbIndex, UnixMs};
use stoa_value::Rules;

use crate::Shard;

/// What became of a key that was to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyLoaded {
    /// It is there.
    Taken,
    /// Its deadline is past, so it is not.
    Expired,
    /// The key, which was there before, and is as it was.
    Twice(Vec<u8>),
    /// There is no such database.
    NoDatabase,
}

impl Shard {
    /// Whether all keys of this shard are here, and no transaction or script is in the middle.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        !self.keys_are_lent && self.busy_script.is_none() && self.intents.is_idle()
    }

    /// The configuration as it stands.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.node.config
    }

    /// How many changes to keys and functions there were. Two equal numbers: nothing changed between,
    /// but by deadlines.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.node.dirty
    }

    /// What INFO says of snapshots.
    pub const fn snapshots(&mut self) -> &mut Snapshots {
        &mut self.node.snapshots
    }

    /// The code of the libraries of functions, which every shard has.
    #[must_use]
    pub fn libraries(&self) -> Vec<Vec<u8>> {
        let libraries = self.node.scripts.scripting.libraries();
        libraries.into_iter().map(|library| library.code).collect()
    }

    /// Hands over every key of a database that is not past its deadline, with what stands in front of
    /// it in a file.
    pub fn each_key(
        &mut self,
        db: DbIndex,
        now: UnixMs,
        each: &mut dyn FnMut(EntryRef<'_>, KeyHead<'_>),
    ) {
        let (remembers, counting) = (self.node.config.remembers, self.keyspace.counting);
        let mut db = self.keyspace.db(db, now, false);
        db.for_each(&mut |entry| each(entry, head(&entry, remembers, counting)));
    }

    /// What values that are loaded into this shard are built with.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules { limits: self.node.config.limits, seed: self.keyspace.seed().clone() }
    }

    /// Takes a key of a file in. No change, and nobody is told: it was there before the start.
    pub fn load_key(&mut self, record: KeyRecord, now: UnixMs) -> KeyLoaded {
        let KeyRecord { database, key, deadline, idle_s, frequency, value } = record;
        let Some(index) = u16::try_from(database).ok().map(DbIndex) else {
            return KeyLoaded::NoDatabase;
        };
        if index.0 >= self.keyspace.database_count() {
            return KeyLoaded::NoDatabase;
        }
        if deadline.is_some_and(|deadline| deadline < now) {
            return KeyLoaded::Expired;
        }
        let place = self.keyspace.seed().key(&key);
        let mut db = self.keyspace.db(index, now, false);
        if db.peek(&place).is_some() {
            return KeyLoaded::Twice(key);
        }
        db.store(&place, Owned { value: restored(value), deadline, clock: 0 });
        db.set_access(&place, access(idle_s, frequency));
        self.keyspace.forget_notes();
        KeyLoaded::Taken
    }

    /// Takes a library of a file in.
    ///
    /// # Errors
    /// Why it does not load, as an error line.
    pub fn load_library(&mut self, code: &[u8]) -> Result<(), Vec<u8>> {
        let mut ctx = self.context(Sessions::PROXY, None);
        ctx.load_library(code, false).map(drop)
    }
}
