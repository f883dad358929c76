//! Copying a value, which is put off when it takes long: COPY of ten million elements must not hold its
//! shard for a third of a second.
//!
//! A command that asks for a copy gets it at once if it is small. Otherwise it says nothing and ends;
//! its shard holds its keys as for a transaction, copies in portions between other work, and runs the
//! command again with the copy at hand. Nobody sees its keys meanwhile, so it happens at the moment at
//! which it was asked for. Inside a transaction or a script the copy is made whole at once: what runs
//! there runs through.

use stoa_keyspace::{Copying, Owned};
use stoa_stdx::{DbIndex, Key};

use crate::{Blocking, Ctx, Job};

/// Bytes that are copied at a time: some 25 µs.
pub const COPY_LEN: usize = 64 << 10;

/// A copy that goes on after the command that wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowCopy {
    /// Where the original is.
    pub db: DbIndex,
    /// Its key.
    pub key: Vec<u8>,
    /// What is copied so far.
    pub copying: Copying,
}

impl Ctx<'_> {
    /// The copy that this command asked for when it ran before.
    pub fn copied(&mut self) -> Option<Owned> {
        self.node.copied.take().map(|owned| *owned)
    }

    /// A copy of what `key` of the client's database holds. None without a key, or if it takes long:
    /// then the command changes and says nothing, and runs again (see [`Ctx::copied`]).
    pub fn copy(&mut self, key: &Key<'_>) -> Option<Owned> {
        let may_wait = self.blocking != Blocking::Denied;
        let len = if may_wait { self.node.copy_len } else { usize::MAX };
        let (now, db) = (self.now, self.session().db);
        let mut from = self.keyspace.db(db, now, false);
        let from = from.peek(key)?;
        let mut copying = Copying::begin(from.value());
        // No bytes at all: the simulator wants it to take long.
        if len > 0 && !copying.go_on(from.value(), len) {
            return Some(from.with_value(copying));
        }
        let key = key.bytes.to_vec();
        self.blocking = Blocking::Until(Job::Copy(Box::new(SlowCopy { db, key, copying })));
        None
    }
}
