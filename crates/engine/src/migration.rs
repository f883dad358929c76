//! Giving keys to another server, which takes as long as that server and the way to it do.
//!
//! A command that wants it says so and ends; its shard holds its keys as for a transaction, speaks with
//! the other server, and runs the command again when it knows what came of that. Nobody sees or changes
//! the keys between the moment at which their values were written down and the one at which they are
//! removed, so both are one; all other keys are served. Inside a transaction or a script it cannot be
//! done: what runs there runs through, and the other server may take its time.

use stoa_stdx::{DbIndex, MonoMs};

use crate::{Blocking, Ctx, Job};

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its address, or a name.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// Keys on their way to another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Which one.
    pub target: Target,
    /// How long it may do nothing, milliseconds.
    pub timeout_ms: u64,
    /// What proves who we are: nothing, a password, or a name and a password.
    pub auth: Vec<Vec<u8>>,
    /// The database there, if it has so many.
    pub db: i64,
    /// A key that is there already is replaced.
    pub replaces: bool,
    /// The database here.
    pub from: DbIndex,
    /// The keys, each with how long it is to live there; 0: for ever. Their values are written down one
    /// after the other, while they are sent.
    pub keys: Vec<(Vec<u8>, u64)>,
}

impl Migration {
    /// When it is given up if nothing moves after `now`.
    #[must_use]
    pub const fn patience(&self, now: MonoMs) -> MonoMs {
        MonoMs(now.0.saturating_add(self.timeout_ms))
    }
}

/// What came of a migration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrated {
    /// The keys that the other server has taken.
    pub taken: Vec<Vec<u8>>,
    /// What went wrong first: an error line.
    pub error: Option<Vec<u8>>,
}

impl Ctx<'_> {
    /// What came of the migration that this command asked for when it ran before.
    pub fn migrated(&mut self) -> Option<Migrated> {
        self.node.migrated.take().map(|migrated| *migrated)
    }

    /// Whether this command can wait for another server.
    #[must_use]
    pub fn may_migrate(&self) -> bool {
        self.blocking != Blocking::Denied
    }

    /// Asks for a migration. The command then changes and says nothing, and runs again (see
    /// [`Ctx::migrated`]).
    pub fn migrate(&mut self, migration: Migration) {
        debug_assert!(self.may_migrate(), "it was looked at before the keys were written down");
        self.blocking = Blocking::Until(Job::Migrate(Box::new(migration)));
    }
}
